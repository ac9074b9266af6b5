//! `AWS_WEB_IDENTITY_TOKEN_FILE` and `AWS_ROLE_ARN`: a token in a file, as EKS's IAM roles for service
//! accounts put it there, is traded for the role's credentials.
//!
//! See "Assume role credential provider" in the AWS SDKs and Tools Reference Guide.

use super::{Credentials, broken, is_sound};
use crate::aws::region::Region;
use crate::aws::sts::{self, RoleArn, RoleSession, Sts};
use crate::error::{Result, problem, words};
use crate::host::Env;
use crate::http::client::Client;
use crate::http::url::Origin;
use crate::secret::Secret;
use std::fmt;

const FILE: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";
const ROLE: &str = "AWS_ROLE_ARN";
const NAME: &str = "AWS_ROLE_SESSION_NAME";

/// A role, and the file with the token for it.
#[derive(Clone, Debug)]
pub struct WebIdentity {
    session: RoleSession,
    sts: Sts,
    file: String,
}

impl WebIdentity {
    /// The file and the role that the environment names, if it does.
    ///
    /// # Errors
    /// [`problem::CREDENTIALS_SOURCE_BROKEN`] if it names one of them alone, or badly;
    /// [`problem::REGION_MISSING`], [`problem::ENDPOINT_INVALID`].
    #[inline(never)] // compiled only where it is the source; see docs/architecture.md
    pub(super) fn configured(env: &dyn Env, region: Option<&Region>) -> Result<Option<Self>> {
        let half = |there: &str, lacking: &str| {
            let why = format!("{there} is set, {lacking} is not (or is empty)");
            Err(broken("web identity file", why))
        };
        let (file, role) = match (env.var(FILE), env.var(ROLE)) {
            (None, None) => return Ok(None),
            (Some(_), None) => return half(FILE, ROLE),
            (None, Some(_)) => return half(ROLE, FILE),
            (Some(file), Some(role)) => (file, role),
        };
        let role = RoleArn::parse(&role).map_err(|why| broken(ROLE, why))?;
        let name = match env.var(NAME) {
            None => sts::session_name(env),
            Some(name) if sts::is_session_name(name.trim()) => name.trim().to_owned(),
            Some(_) => {
                return Err(broken(
                    NAME,
                    "it is not 2 to 64 of A-Z a-z 0-9 _ + = , . @ -",
                ));
            }
        };
        let session = RoleSession {
            role,
            name,
            seconds: sts::LIFETIME,
            external_id: None,
        };
        Self::new(session, file, Sts::new(region, env)?)
            .map_err(|why| broken(ROLE, why))
            .map(Some)
    }

    /// A role, a file, and where to trade them.
    ///
    /// # Errors
    /// Says so where role and region belong to different partitions.
    pub(super) fn new(session: RoleSession, file: String, sts: Sts) -> Result<Self, String> {
        session.role.check(sts.region())?;
        Ok(Self { session, sts, file })
    }

    pub(super) fn origin(&self) -> (Origin, bool) {
        self.sts.origin()
    }

    pub(super) async fn load(&self, client: &Client) -> Result<Credentials> {
        // Read now and not when it was chosen: whoever writes it may renew it at any time.
        let text = client
            .host
            .files
            .read(&self.file)
            .map_err(|error| broken(&self.file, words(&error.0)))?;
        let text = Secret::new(text);
        let token = Secret::from(text.expose().trim());
        client.host.log.mask(token.expose());
        if !is_sound(token.expose()) {
            return Err(broken(&self.file, "it holds no token"));
        }
        self.sts
            .assume_role_with_web_identity(
                client,
                &self.session,
                &token,
                &problem::CREDENTIALS_SOURCE_BROKEN,
            )
            .await
    }
}

/// `role ARN through the token in FILE`.
impl fmt::Display for WebIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { session, file, .. } = self;
        write!(f, "role {} through the token in {file}", session.role)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::load;
    use super::super::{Source, Wanted};
    use super::*;
    use crate::aws::sts::tests::{fields, granted, refused};
    use crate::testing::Script;

    fn configured(script: Script) -> Script {
        script
            .var(FILE, "/var/run/token")
            .var(ROLE, "arn:aws:iam::123456789012:role/pod")
            .file("/var/run/token", "a.b.c\n")
            // What stands behind in the order, and must not be asked.
            .var("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:9/")
    }

    fn run(script: &Script) -> Result<Credentials> {
        let client = Client::new(script.host()).unwrap();
        let wanted = Wanted {
            region: Some(Region::parse("eu-central-1").unwrap()),
            ..Wanted::default()
        };
        load(script, &client, &Source::choose(&client, &wanted)?)
    }

    #[test]
    fn the_token_in_the_file_buys_the_role_s_credentials() {
        let script = configured(Script::new([Ok(granted(
            "AssumeRoleWithWebIdentity",
            "ASIA",
        ))]))
        .var(NAME, "pod-7");
        assert_eq!(run(&script).unwrap().access_key_id, "ASIA");
        let fields = fields(&script.sent()[0]);
        assert!(fields.contains(&"RoleSessionName=pod-7".to_owned()));
        assert!(fields.contains(&"WebIdentityToken=a.b.c".to_owned()));
        assert_eq!(
            script.log().masks(),
            ["a.b.c", "secret/of+ASIA", "session/of+ASIA=="]
        );
    }

    #[test]
    fn one_without_the_other_is_an_error_that_names_the_missing_one() {
        for (there, lacking) in [(FILE, ROLE), (ROLE, FILE)] {
            let error = run(&configured(Script::new([])).var(lacking, "")).unwrap_err();
            assert!(error.is(&problem::CREDENTIALS_SOURCE_BROKEN));
            assert_eq!(
                error.detail,
                format!("{there} is set, {lacking} is not (or is empty)")
            );
        }
    }

    #[test]
    fn what_does_not_work_is_named_and_nobody_else_is_asked() {
        for (script, place) in [
            (
                configured(Script::new([])).var(FILE, "/nowhere"),
                "/nowhere",
            ),
            (
                configured(Script::new([])).file("/var/run/token", "\n"),
                "/var/run/token",
            ),
            (
                configured(Script::new([])).file("/var/run/token", "a\nb"),
                "/var/run/token",
            ),
            (configured(Script::new([])).var(ROLE, "pod"), ROLE),
            (
                configured(Script::new([])).var(ROLE, "arn:aws-cn:iam::123456789012:role/pod"),
                ROLE,
            ),
            (configured(Script::new([])).var(NAME, "a b"), NAME),
            (
                configured(Script::new([Ok(refused(403, "AccessDenied", "no"))])),
                "arn:aws:iam::123456789012:role/pod at https://sts.eu-central-1.amazonaws.com",
            ),
        ] {
            let error = run(&script).unwrap_err();
            assert!(error.is(&problem::CREDENTIALS_SOURCE_BROKEN), "{error}");
            assert_eq!(error.place, place);
        }
    }
}
