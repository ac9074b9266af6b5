//! The names of the services, and of every call that they know.

use std::fmt;

/// A server of the sandbox. Each has a port of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// GitHub's REST API.
    GitHub,
    /// AWS KMS, all regions: the region is that of the request's signature.
    Kms,
    /// AWS STS.
    Sts,
    /// The runner's OIDC endpoint.
    Oidc,
    /// The container credentials endpoint and the instance metadata service.
    Metadata,
    /// A forward proxy.
    Proxy,
}

impl Service {
    /// All of them.
    pub const ALL: [Service; 6] = [
        Service::GitHub,
        Service::Kms,
        Service::Sts,
        Service::Oidc,
        Service::Metadata,
        Service::Proxy,
    ];
}

macro_rules! calls {
    ($($service:ident: $($(#[$doc:meta])* $name:ident),+;)+) => {
        /// A kind of call, as faults and recordings name it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Call { $($($(#[$doc])* $name,)+)+ }

        impl Call {
            /// The service that answers it.
            pub fn service(self) -> Service {
                match self { $($(Call::$name)|+ => Service::$service,)+ }
            }
        }
    };
}

calls! {
    GitHub:
        /// `GET /app`
        App,
        /// The look-up of one installation: by user, organisation, repository, enterprise or id.
        Installation,
        /// `GET /app/installations`
        Installations,
        /// `POST /app/installations/{id}/access_tokens`
        Mint,
        /// `DELETE /installation/token`
        Revoke,
        /// `GET /users/{login}`
        User,
        /// `GET /repos/{owner}/{repo}` or `GET /repositories/{id}`
        Repository,
        /// `GET /repos/{owner}/{repo}/contents/{path}`
        Contents,
        /// `POST /repos/{owner}/{repo}/issues`
        CreateIssue,
        /// `GET /installation/repositories`
        InstallationRepositories,
        /// `GET /rate_limit`
        RateLimit,
        /// Any other request to GitHub
        GitHubOther;
    Kms:
        /// `Sign`
        KmsSign,
        /// `GetPublicKey`
        KmsGetPublicKey,
        /// `DescribeKey`
        KmsDescribeKey,
        /// `CreateKey`
        KmsCreateKey,
        /// `ReplicateKey`
        KmsReplicateKey,
        /// `GetParametersForImport`
        KmsGetParametersForImport,
        /// `ImportKeyMaterial`
        KmsImportKeyMaterial,
        /// `DeleteImportedKeyMaterial`
        KmsDeleteImportedKeyMaterial,
        /// `CreateAlias`
        KmsCreateAlias,
        /// `UpdateAlias`
        KmsUpdateAlias,
        /// `DeleteAlias`
        KmsDeleteAlias,
        /// `ListAliases`
        KmsListAliases,
        /// `ListKeys`
        KmsListKeys,
        /// `GetKeyPolicy`
        KmsGetKeyPolicy,
        /// `PutKeyPolicy`
        KmsPutKeyPolicy,
        /// `TagResource`
        KmsTagResource,
        /// `ListResourceTags`
        KmsListResourceTags,
        /// `ScheduleKeyDeletion`
        KmsScheduleKeyDeletion,
        /// `CancelKeyDeletion`
        KmsCancelKeyDeletion,
        /// `DisableKey`
        KmsDisableKey,
        /// `EnableKey`
        KmsEnableKey,
        /// Any other request to KMS
        KmsOther;
    Sts:
        /// `AssumeRoleWithWebIdentity`
        AssumeRoleWithWebIdentity,
        /// `AssumeRole`
        AssumeRole,
        /// `GetCallerIdentity`
        GetCallerIdentity,
        /// Any other request to STS
        StsOther;
    Oidc:
        /// The request for an ID token
        IdToken;
    Metadata:
        /// Credentials from the container endpoint
        ContainerCredentials,
        /// `PUT /latest/api/token`
        MetadataToken,
        /// The name of the instance's role
        MetadataRole,
        /// The credentials of the instance's role
        MetadataCredentials,
        /// Any other request to the metadata service
        MetadataOther;
    Proxy:
        /// A request that goes through the proxy: `CONNECT`, or one in absolute form
        Forward;
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
