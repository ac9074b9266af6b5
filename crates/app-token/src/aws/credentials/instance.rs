//! The role of the EC2 instance that this runs on, from its metadata, version 2.
//!
//! See "Use the Instance Metadata Service" in the Amazon EC2 User Guide. It is what is left when nothing
//! is configured, so it must cost little where there is none: the first request has a second, and one
//! try.

use super::{Credentials, answer, broken, is_sound, missing};
use crate::error::{Error, Result, words};
use crate::host::Env;
use crate::http::client::{Call, Client, Limits};
use crate::http::url::{Origin, Url, encode};
use crate::http::{Method, Request, Response};
use crate::secret::Secret;
use std::fmt;
use std::time::Duration;

const DISABLED: &str = "AWS_EC2_METADATA_DISABLED";
const ENDPOINT: &str = "AWS_EC2_METADATA_SERVICE_ENDPOINT";
const MODE: &str = "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE";

const IPV4: &str = "http://169.254.169.254";
const IPV6: &str = "http://[fd00:ec2::254]";

const ROLES: &str = "/latest/meta-data/iam/security-credentials/";

/// The longest that the first request may take: within an instance it takes a millisecond, and elsewhere
/// nobody answers.
const FIRST: Duration = Duration::from_secs(1);

/// The longest that one try of the others may take.
const PER_TRY: Duration = Duration::from_secs(5);

/// How long the session lasts, in seconds: three requests need no more.
const SESSION: &str = "60";

/// The instance's metadata.
#[derive(Clone, Debug)]
pub struct Instance {
    endpoint: Url,
    /// Whether somebody said that they are there, so that it is an error if they are not.
    wanted: bool,
}

impl Instance {
    /// The metadata, unless they are switched off.
    ///
    /// # Errors
    /// [`crate::error::problem::CREDENTIALS_SOURCE_BROKEN`], naming the variable.
    #[inline(never)] // compiled only where it is the source; see docs/architecture.md
    pub(super) fn configured(env: &dyn Env) -> Result<Option<Self>> {
        let off = env.var(DISABLED);
        if off.is_some_and(|value| value.trim().eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        let named = env.var(ENDPOINT);
        let text = match (&named, env.var(MODE)) {
            (Some(text), _) => text.trim(),
            (None, None) => IPV4,
            (None, Some(mode)) if mode.trim().eq_ignore_ascii_case("ipv4") => IPV4,
            (None, Some(mode)) if mode.trim().eq_ignore_ascii_case("ipv6") => IPV6,
            (None, Some(_)) => return Err(broken(MODE, "it is neither IPv4 nor IPv6")),
        };
        // Plain http is all that metadata speak, so it is taken for whatever address is named.
        let mut endpoint = Url::parse(text).map_err(|error| broken(ENDPOINT, error.to_string()))?;
        if endpoint.path.contains('?') {
            return Err(broken(ENDPOINT, "it has a query"));
        }
        endpoint
            .path
            .truncate(endpoint.path.trim_end_matches('/').len());
        Ok(Some(Self {
            endpoint,
            wanted: named.is_some(),
        }))
    }

    /// The same, named by somebody.
    pub(super) fn wanted(self) -> Self {
        Self {
            wanted: true,
            ..self
        }
    }

    pub(super) fn origin(&self) -> (Origin, bool) {
        (self.endpoint.origin.clone(), true)
    }

    pub(super) async fn load(&self, client: &Client) -> Result<Credentials> {
        let token = self.session(client).await?;
        let answered = self.get(client, ROLES, &token).await?;
        if answered.status == 404 {
            return Err(self.absent(client, "the instance has no role"));
        }
        if answered.status != 200 {
            return Err(broken(self.place(), answer::refusal(&answered)));
        }
        let text = answered.text();
        let role = text.trim();
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b);
        if !(1..=64).contains(&role.len()) || !role.bytes().all(fits) {
            return Err(broken(
                self.place(),
                "it names a role that no role can have",
            ));
        }
        let path = format!("{ROLES}{}", encode(role));
        let answered = self.get(client, &path, &token).await?;
        answer::read(client, &answered, &self.place())
    }

    /// The session's token, which proves that it is not a proxy who asks.
    async fn session(&self, client: &Client) -> Result<Secret> {
        let call = Call {
            what: "instance metadata",
            aws: true,
            limits: Limits::MINT.tries(1).per_try(FIRST),
        };
        let build = || {
            let request = Request::new(Method::Put, self.endpoint.join("/latest/api/token"));
            Ok(request.header("x-aws-ec2-metadata-token-ttl-seconds", SESSION))
        };
        let answered = match client.call(call, build, answer::judge).await {
            Ok(answered) => answered,
            Err(error) => return Err(self.absent(client, &error.to_string())),
        };
        if answered.status != 200 {
            let why = format!("{}: {}", self.endpoint, answer::refusal(&answered));
            return Err(self.absent(client, &why));
        }
        let token = Secret::from(answered.text().trim());
        client.host.log.mask(token.expose());
        if !is_sound(token.expose()) {
            return Err(self.absent(client, &format!("{} gave no token", self.endpoint)));
        }
        Ok(token)
    }

    async fn get(&self, client: &Client, path: &str, token: &Secret) -> Result<Response> {
        let call = Call {
            what: "instance metadata",
            aws: true,
            limits: Limits::MINT.per_try(PER_TRY),
        };
        let build = || {
            let request = Request::new(Method::Get, self.endpoint.join(path));
            Ok(request.header("x-aws-ec2-metadata-token", token.clone()))
        };
        client.call(call, build, answer::judge).await
    }

    /// There is no such source here: an error of its own if somebody named it, else the end of the list.
    fn absent(&self, client: &Client, why: &str) -> Error {
        if self.wanted {
            return broken(self.place(), why);
        }
        missing(&*client.host.env, &words(why))
    }

    fn place(&self) -> String {
        format!("instance metadata at {}", self.endpoint)
    }
}

/// `the instance's role, from ENDPOINT`.
impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the instance's role, from {}", self.endpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::load;
    use super::super::{Source, Wanted};
    use super::*;
    use crate::error::problem;
    use crate::testing::{Script, broken as severed, response};

    const GOOD: &str = r#"{"Code":"Success","LastUpdated":"2023-11-14T22:00:00Z","Type":"AWS-HMAC","AccessKeyId":"ASIA","SecretAccessKey":"hunter2","Token":"hunter3","Expiration":"2023-11-15T04:00:00Z"}"#;

    fn run(script: &Script) -> Result<Credentials> {
        let client = Client::new(script.host()).unwrap();
        let source = Source::choose(&client, &Wanted::default())?;
        assert!(matches!(source, Source::Instance(_)));
        load(script, &client, &source)
    }

    fn after_session(
        answers: impl IntoIterator<Item = Result<Response, crate::http::Fault>>,
    ) -> Script {
        Script::new(
            [Ok(response(200, "session-token"))]
                .into_iter()
                .chain(answers),
        )
    }

    #[test]
    fn a_session_a_role_and_its_credentials() {
        let script = after_session([
            severed("ECONNRESET"),
            Ok(response(200, "app_role\n")),
            Ok(response(503, "")),
            Ok(response(200, GOOD)),
        ]);
        let credentials = run(&script).unwrap();
        assert_eq!(credentials.access_key_id, "ASIA");
        let sent: Vec<String> = script
            .sent()
            .iter()
            .map(|sent| format!("{sent:?}"))
            .collect();
        let roles = format!("GET {IPV4}{ROLES}");
        let role = format!("{roles}app_role");
        assert_eq!(
            sent,
            [
                format!("PUT {IPV4}/latest/api/token"),
                roles.clone(),
                roles,
                role.clone(),
                role
            ]
        );
        for (index, request) in script.sent().iter().enumerate() {
            let (name, value) = &request.headers[0];
            let expected = match index {
                0 => ("x-aws-ec2-metadata-token-ttl-seconds", "60"),
                _ => ("x-aws-ec2-metadata-token", "session-token"),
            };
            assert_eq!((*name, value.expose()), expected);
        }
        assert_eq!(
            script.log().masks(),
            ["session-token", "hunter2", "hunter3"]
        );
    }

    #[test]
    fn no_proxy_is_asked_for_metadata() {
        let script = after_session([Ok(response(404, ""))])
            .var("HTTP_PROXY", "http://proxy.example:3128")
            .var("HTTPS_PROXY", "http://proxy.example:3128");
        assert!(run(&script).is_err());
        let routes = script.routes();
        assert!(routes.len() == 2 && routes.iter().all(|route| route.proxy.is_none()));
    }

    #[test]
    fn where_there_is_none_a_second_passes_and_everything_looked_for_is_listed() {
        let script = Script::silent().var("HOME", "/home/me");
        let error = run(&script).unwrap_err();
        assert!(error.is(&problem::CREDENTIALS_MISSING));
        assert_eq!(script.elapsed(), FIRST);
        assert_eq!(script.sent().len(), 1);
        assert_eq!(
            error.causes,
            [
                "role-to-assume: it is not set (or is empty)",
                "environment: neither AWS_ACCESS_KEY_ID nor AWS_SECRET_ACCESS_KEY is set",
                "web identity file: neither AWS_WEB_IDENTITY_TOKEN_FILE nor AWS_ROLE_ARN is set",
                "profile: AWS_PROFILE is not set, and there are no credentials under [default] in /home/me/.aws/config or /home/me/.aws/credentials",
                "container: neither AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor AWS_CONTAINER_CREDENTIALS_FULL_URI is set",
                "instance metadata: the server did not answer in time: instance metadata: no answer within 1 s (http://169.254.169.254)",
            ]
        );
    }

    #[test]
    fn whoever_else_answers_there_is_no_instance_and_is_asked_once() {
        for answer in [
            severed("ECONNREFUSED"),
            Ok(response(404, "<html>Not here</html>")),
            Ok(response(500, "")),
            Ok(response(403, "")),
            Ok(response(200, "<html>a portal</html>")),
        ] {
            let script = Script::new([answer]);
            let error = run(&script).unwrap_err();
            assert!(error.is(&problem::CREDENTIALS_MISSING), "{error}");
        }
        let script = after_session([Ok(response(404, ""))]);
        let error = run(&script).unwrap_err();
        assert!(error.is(&problem::CREDENTIALS_MISSING));
        assert!(error.causes[5].ends_with("the instance has no role"));
    }

    #[test]
    fn switched_off_it_is_not_asked() {
        let script = Script::new([]).var(DISABLED, "True");
        let error = run(&script).unwrap_err();
        assert!(error.is(&problem::CREDENTIALS_MISSING));
        assert_eq!(
            error.causes[5],
            "instance metadata: AWS_EC2_METADATA_DISABLED is true"
        );
    }

    #[test]
    fn the_endpoint_can_be_named_and_must_then_answer() {
        for (name, value, url) in [
            (ENDPOINT, "http://127.0.0.1:1/", "http://127.0.0.1:1"),
            (ENDPOINT, "http://10.0.0.1", "http://10.0.0.1"),
            (MODE, "IPv6", IPV6),
            (MODE, "ipv4", IPV4),
        ] {
            let script = Script::new([Ok(response(400, ""))]).var(name, value);
            let error = run(&script).unwrap_err();
            assert_eq!(script.urls(), [format!("{url}/latest/api/token")]);
            assert_eq!(
                error.is(&problem::CREDENTIALS_SOURCE_BROKEN),
                name == ENDPOINT
            );
        }
        for (name, value) in [
            (ENDPOINT, "10.0.0.1"),
            (ENDPOINT, "http://10.0.0.1/?x"),
            (MODE, "IPv5"),
        ] {
            let error = run(&Script::new([]).var(name, value)).unwrap_err();
            assert!(error.is(&problem::CREDENTIALS_SOURCE_BROKEN), "{error}");
            assert_eq!(error.place, name);
        }
    }

    #[test]
    fn an_instance_that_gives_no_credentials_is_named() {
        let role = || Ok(response(200, "r"));
        for (script, detail) in [
            (
                after_session([Ok(response(401, ""))]),
                "status 401, no content type, 0 bytes",
            ),
            (
                after_session([Ok(response(200, "a/../b"))]),
                "it names a role that no role can have",
            ),
            (
                after_session([
                    role(),
                    Ok(response(
                        200,
                        r#"{"Code":"AssumeRoleUnauthorizedAccess","Message":"EC2 cannot assume the role r."}"#,
                    )),
                ]),
                "AssumeRoleUnauthorizedAccess: EC2 cannot assume the role r.",
            ),
            (
                after_session([
                    role(),
                    Ok(response(200, &GOOD.replace("2023-11-15", "2023-11-14"))),
                ]),
                "the answer cannot be used: its credentials ended at 2023-11-14T04:00:00Z",
            ),
        ] {
            let error = run(&script).unwrap_err();
            assert!(error.is(&problem::CREDENTIALS_SOURCE_BROKEN), "{error}");
            assert_eq!(error.detail, detail);
            assert_eq!(error.place, "instance metadata at http://169.254.169.254");
        }
    }
}
