//! Whose credentials sign the requests to AWS. One source is chosen by what is configured, and then
//! used; when it does not work, that is an error which names it. It never falls through to the next: a
//! job could end up signing with the machine's own role.
//!
//! The order is that of the AWS SDKs, with `role-to-assume` in front; see "Credential providers" in the
//! AWS SDKs and Tools Reference Guide.

mod answer;
mod container;
mod environment;
mod ini;
mod instance;
mod profile;
mod role;
mod web_identity;

pub use super::access_key::Credentials;
use super::access_key::{Parts, is_sound};
use super::region::Region;
use crate::error::{Error, Result, problem};
use crate::host::{Env, Host};
use crate::http::client::Client;
use crate::http::url::Origin;
use futures_util::future::{LocalBoxFuture, ready};
use std::fmt;

/// What is known when the source is chosen.
#[derive(Clone, Debug, Default)]
pub struct Wanted<'a> {
    /// `role-to-assume`.
    pub role_to_assume: &'a str,
    /// `aws-audience`; empty for the default, `sts.amazonaws.com`.
    pub audience: &'a str,
    /// Where STS is asked: the first key's region, else the one that is configured.
    pub region: Option<Region>,
    /// Where it is asked when that region does not answer: the regions of the further keys.
    pub further: Vec<Region>,
}

/// Where credentials come from.
#[derive(Clone, Debug)]
pub enum Source {
    /// `role-to-assume`, through the runner's OIDC token.
    Role(Box<role::Role>),
    /// `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`.
    Environment(Credentials),
    /// `AWS_WEB_IDENTITY_TOKEN_FILE` and `AWS_ROLE_ARN`.
    WebIdentity(Box<web_identity::WebIdentity>),
    /// The shared config and credentials files.
    Profile(Box<profile::Profile>),
    /// `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI` or `_FULL_URI`.
    Container(container::Container),
    /// The metadata of the EC2 instance that this runs on.
    Instance(instance::Instance),
}

impl Source {
    /// Chooses the source that is configured, first to last: role-to-assume, environment, web identity
    /// file, profile, container, instance. Nothing is asked for; the shared files are read if it comes
    /// to them. Secrets that are found are masked.
    ///
    /// # Errors
    /// [`problem::CREDENTIALS_MISSING`] if nothing is configured; otherwise what is wrong with the first
    /// source that is: [`problem::ROLE_INVALID`], [`problem::OIDC_UNAVAILABLE`],
    /// [`problem::CREDENTIALS_INCOMPLETE`], [`problem::CREDENTIALS_SOURCE_BROKEN`],
    /// [`problem::REGION_MISSING`], [`problem::ENDPOINT_INVALID`].
    pub fn choose(client: &Client, wanted: &Wanted<'_>) -> Result<Self> {
        let host = &client.host;
        let (env, region) = (&*host.env, wanted.region.as_ref());
        if !wanted.role_to_assume.trim().is_empty() {
            let role = role::Role::wanted(host, wanted)?;
            return Ok(Self::Role(Box::new(role)));
        }
        if let Some(credentials) = environment::read(env)? {
            credentials.mask(&*host.log);
            return Ok(Self::Environment(credentials));
        }
        if let Some(identity) = web_identity::WebIdentity::configured(env, region)? {
            return Ok(Self::WebIdentity(Box::new(identity)));
        }
        if let Some(profile) = profile::Profile::configured(host, region)? {
            return Ok(Self::Profile(Box::new(profile)));
        }
        if let Some(container) = container::Container::configured(host)? {
            return Ok(Self::Container(container));
        }
        match instance::Instance::configured(env)? {
            Some(instance) => Ok(Self::Instance(instance)),
            None => Err(missing(env, "AWS_EC2_METADATA_DISABLED is true")),
        }
    }

    /// Every origin that is asked for them, and whether it is one of AWS's.
    pub fn origins(&self) -> Vec<(Origin, bool)> {
        match self {
            Self::Role(role) => role.origins(),
            Self::Environment(_) => Vec::new(),
            Self::WebIdentity(identity) => vec![identity.origin()],
            Self::Profile(profile) => profile.origins(),
            Self::Container(container) => vec![container.origin()],
            Self::Instance(instance) => vec![instance.origin()],
        }
    }

    /// Gets the credentials, and masks them.
    ///
    /// # Errors
    /// Whatever the source says, naming the source.
    pub async fn load(&self, client: &Client) -> Result<Credentials> {
        self.boxed(client).await.map_err(|error| {
            if error.is(&problem::CREDENTIALS_MISSING) {
                return error;
            }
            error.because(format!("AWS credentials were to come from {self}"))
        })
    }

    /// Boxed, so that whoever waits for one source does not hold room for all.
    fn boxed<'a>(&'a self, client: &'a Client) -> LocalBoxFuture<'a, Result<Credentials>> {
        match self {
            Self::Role(role) => Box::pin(role.load(client)),
            Self::Environment(credentials) => Box::pin(ready(Ok(credentials.clone()))),
            Self::WebIdentity(identity) => Box::pin(identity.load(client)),
            Self::Profile(profile) => Box::pin(profile.load(client)),
            Self::Container(container) => Box::pin(container.load(client)),
            Self::Instance(instance) => Box::pin(instance.load(client)),
        }
    }
}

/// For the log: `role arn:aws:iam::123456789012:role/app-token through GitHub's OIDC`.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Role(role) => role.fmt(f),
            Self::Environment(_) => f.write_str("the environment"),
            Self::WebIdentity(identity) => identity.fmt(f),
            Self::Profile(profile) => profile.fmt(f),
            Self::Container(container) => container.fmt(f),
            Self::Instance(instance) => instance.fmt(f),
        }
    }
}

/// The region of the profile in use (`AWS_PROFILE`, else `default`), for when nothing else names one.
/// It counts whatever the source of the credentials is, as with the SDKs.
///
/// # Errors
/// [`problem::CREDENTIALS_SOURCE_BROKEN`] if a file cannot be read; [`problem::REGION_INVALID`].
#[inline(never)] // compiled only where nothing else names a region
pub fn profile_region(host: &Host) -> Result<Option<Region>> {
    profile::region(host)
}

/// A configured source that does not work: why, and which.
fn broken(place: impl Into<String>, why: impl Into<String>) -> Error {
    Error::new(&problem::CREDENTIALS_SOURCE_BROKEN, why).at(place)
}

/// Nothing is configured: what was looked for, a line each.
fn missing(env: &dyn Env, instance: &str) -> Error {
    let looked = [
        "role-to-assume: it is not set (or is empty)".to_owned(),
        "environment: neither AWS_ACCESS_KEY_ID nor AWS_SECRET_ACCESS_KEY is set".to_owned(),
        "web identity file: neither AWS_WEB_IDENTITY_TOKEN_FILE nor AWS_ROLE_ARN is set".to_owned(),
        profile::absence(env),
        "container: neither AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor AWS_CONTAINER_CREDENTIALS_FULL_URI is set".to_owned(),
        format!("instance metadata: {instance}"),
    ];
    looked.into_iter().fold(
        Error::new(&problem::CREDENTIALS_MISSING, ""),
        Error::because,
    )
}

#[cfg(test)]
mod tests;
