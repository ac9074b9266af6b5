//! What a container is given: ECS (`AWS_CONTAINER_CREDENTIALS_RELATIVE_URI`), EKS Pod Identity and others
//! (`AWS_CONTAINER_CREDENTIALS_FULL_URI`, with a token to show).
//!
//! See "Container credential provider" in the AWS SDKs and Tools Reference Guide.

use super::{Credentials, answer, broken};
use crate::error::{Result, words};
use crate::host::{Env, Host};
use crate::http::client::{Call, Client, Limits};
use crate::http::url::{Origin, Url};
use crate::http::{Method, Request};
use crate::secret::Secret;
use std::fmt;
use std::time::Duration;

const RELATIVE: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
const FULL: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
const TOKEN: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
const TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";

/// Where ECS's agent answers.
const ECS: &str = "169.254.170.2";

/// The addresses besides loopback that are asked over plain http: of ECS's agent and of EKS's, which are
/// link-local, so that nobody else can hear.
const PLAIN: [&str; 3] = [ECS, "169.254.170.23", "fd00:ec2::23"];

/// The longest that one try may take. The agent is on the same machine.
const PER_TRY: Duration = Duration::from_secs(5);

/// From how many characters on the end of ECS's path counts as a name that only the task should know.
const UNGUESSABLE: usize = 16;

/// Where to ask, and what to show.
#[derive(Clone)]
pub struct Container {
    url: Url,
    token: Option<Token>,
}

#[derive(Clone)]
enum Token {
    /// The token itself.
    Inline(Secret),
    /// The file that holds it, and may be renewed at any time.
    File(String),
}

impl Container {
    /// The endpoint that the environment names, if it does. Its secrets are masked.
    ///
    /// # Errors
    /// [`crate::error::problem::CREDENTIALS_SOURCE_BROKEN`], naming the variable.
    #[inline(never)] // compiled only where it is the source; see docs/architecture.md
    pub(super) fn configured(host: &Host) -> Result<Option<Self>> {
        let env = &*host.env;
        let url = match (env.var(RELATIVE), env.var(FULL)) {
            (Some(path), _) => {
                let path = path.trim();
                let id = path.rsplit('/').next().unwrap_or_default();
                if id.len() >= UNGUESSABLE {
                    host.log.mask(id);
                }
                if !path.starts_with('/') {
                    return Err(broken(RELATIVE, "it does not start with a slash"));
                }
                Url::parse(&format!("http://{ECS}{path}"))
                    .map_err(|error| broken(RELATIVE, error.to_string()))?
            }
            (None, Some(text)) => {
                let url =
                    Url::parse(text.trim()).map_err(|error| broken(FULL, error.to_string()))?;
                if !url.origin.secure && !is_near(&url.origin) {
                    return Err(broken(
                        FULL,
                        "plain http is taken for loopback and for the agents of ECS and EKS alone",
                    ));
                }
                url
            }
            (None, None) => return Ok(None),
        };
        Ok(Some(Self {
            url,
            token: token(env, host)?,
        }))
    }

    pub(super) fn origin(&self) -> (Origin, bool) {
        (self.url.origin.clone(), true)
    }

    pub(super) async fn load(&self, client: &Client) -> Result<Credentials> {
        let token = match &self.token {
            None => None,
            Some(Token::Inline(token)) => Some(token.clone()),
            Some(Token::File(path)) => {
                let text = client.host.files.read(path);
                let text =
                    text.map_err(|error| broken(format!("{TOKEN_FILE}: {path}"), words(&error.0)))?;
                Some(checked(Secret::new(text), TOKEN_FILE, &client.host)?)
            }
        };
        let build = || {
            let request =
                Request::new(Method::Get, self.url.clone()).header("accept", "application/json");
            Ok(answer::with(request, "authorization", token.as_ref()))
        };
        let call = Call {
            what: "container credentials",
            aws: true,
            limits: Limits::MINT.per_try(PER_TRY),
        };
        let response = client.call(call, build, answer::judge).await?;
        answer::read(client, &response, &self.url.origin.to_string())
    }
}

/// `the container's endpoint ORIGIN`: the path is left out, since it may be all that ECS asks for.
impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the container's endpoint {}", self.url.origin)
    }
}

impl fmt::Debug for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Container({})", self.url.origin)
    }
}

fn is_near(origin: &Origin) -> bool {
    origin.is_loopback() || PLAIN.contains(&origin.host.as_str())
}

/// The file wins, as with the SDKs.
fn token(env: &dyn Env, host: &Host) -> Result<Option<Token>> {
    if let Some(path) = env.var(TOKEN_FILE) {
        return Ok(Some(Token::File(path)));
    }
    env.var(TOKEN)
        .map(|token| checked(Secret::new(token), TOKEN, host).map(Token::Inline))
        .transpose()
}

/// A token that fits into one header. It may hold spaces (`Basic ...`), but no line break.
fn checked(token: Secret, place: &str, host: &Host) -> Result<Secret> {
    host.log.mask(token.expose());
    let fits = |b: u8| b.is_ascii_graphic() || b == b' ';
    if token.is_empty() || !token.expose().bytes().all(fits) {
        return Err(broken(
            place,
            "the token is empty, or holds a line break or another control character",
        ));
    }
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::super::tests::load;
    use super::super::{Source, Wanted};
    use super::*;
    use crate::error::problem;
    use crate::testing::{Script, broken as severed, response};

    const GOOD: &str = r#"{"AccessKeyId":"ASIA","SecretAccessKey":"hunter2","Token":"hunter3","Expiration":"2023-11-14T22:28:20Z","RoleArn":"r"}"#;

    fn run(script: &Script) -> Result<Credentials> {
        let client = Client::new(script.host()).unwrap();
        let source = Source::choose(&client, &Wanted::default())?;
        assert!(matches!(source, Source::Container(_)));
        load(script, &client, &source)
    }

    fn good() -> Script {
        Script::new([Ok(response(200, GOOD))])
    }

    fn authorization(script: &Script) -> Option<String> {
        let sent = script.sent();
        let mut headers = sent[0].headers.iter();
        headers
            .find(|(name, _)| *name == "authorization")
            .map(|(_, value)| value.expose().to_owned())
    }

    #[test]
    fn ecs_is_asked_by_the_path_that_it_gave() {
        let script = good()
            .var(RELATIVE, "/v2/credentials/0123456789abcdef")
            .var(FULL, "https://elsewhere.example/");
        let credentials = run(&script).unwrap();
        assert_eq!(credentials.access_key_id, "ASIA");
        assert_eq!(credentials.expires.unwrap().seconds(), 1_700_000_900);
        assert_eq!(
            script.urls(),
            ["http://169.254.170.2/v2/credentials/0123456789abcdef"]
        );
        assert_eq!(authorization(&script), None);
        assert_eq!(
            script.log().masks(),
            ["0123456789abcdef", "hunter2", "hunter3"]
        );
    }

    #[test]
    fn a_full_uri_goes_to_https_or_to_a_near_address() {
        for uri in [
            "https://agent.example/creds?x=1",
            "http://127.0.0.1:1/creds",
            "http://[::1]/creds",
            "http://localhost/creds",
            "http://169.254.170.23/v1/credentials",
            "http://[fd00:ec2::23]/v1/credentials",
        ] {
            let script = good().var(FULL, uri);
            run(&script).unwrap();
            assert_eq!(script.urls(), [uri]);
        }
        for (name, uri) in [
            (FULL, "http://agent.example/creds"),
            (FULL, "http://169.254.169.254/"),
            (FULL, "http://169.254.170.2.evil.example/"),
            (FULL, "creds"),
            (RELATIVE, "creds"),
            (RELATIVE, "/creds#x"),
            (RELATIVE, "@evil.example/"),
        ] {
            let script = Script::new([]).var(name, uri);
            let error = run(&script).unwrap_err();
            assert!(error.is(&problem::CREDENTIALS_SOURCE_BROKEN), "{error}");
            assert_eq!(error.place, name);
        }
    }

    #[test]
    fn the_token_is_shown_and_the_file_wins() {
        let inline = good()
            .var(FULL, "http://127.0.0.1:1/")
            .var(TOKEN, "Basic abc");
        run(&inline).unwrap();
        assert_eq!(authorization(&inline).as_deref(), Some("Basic abc"));
        assert_eq!(inline.log().masks()[0], "Basic abc");
        let file = good()
            .var(FULL, "http://127.0.0.1:1/")
            .var(TOKEN, "inline")
            .var(TOKEN_FILE, "/token")
            .file("/token", "of the file");
        run(&file).unwrap();
        assert_eq!(authorization(&file).as_deref(), Some("of the file"));
        assert_eq!(file.log().masks()[0], "of the file");
    }

    #[test]
    fn a_token_that_does_not_fit_into_a_header_is_refused_without_being_shown() {
        let near = || Script::new([]).var(FULL, "http://127.0.0.1:1/");
        for script in [
            near().var(TOKEN, "hunter2\r\nX: y"),
            near().var(TOKEN_FILE, "/token").file("/token", "hunter2\n"),
            near().var(TOKEN_FILE, "/token").file("/token", ""),
            near().var(TOKEN_FILE, "/nowhere"),
        ] {
            let error = run(&script).unwrap_err();
            assert!(error.is(&problem::CREDENTIALS_SOURCE_BROKEN), "{error}");
            assert!(error.place.starts_with(TOKEN) && !error.report().contains("hunter2"));
        }
    }

    #[test]
    fn passing_faults_are_tried_again_and_others_are_not() {
        let near = |answers: Vec<_>| Script::new(answers).var(FULL, "http://127.0.0.1:1/");
        let script = near(vec![
            severed("ECONNRESET"),
            Ok(response(500, "")),
            Ok(response(429, "")),
            Ok(response(200, GOOD)),
        ]);
        assert!(run(&script).is_ok());
        let refusal = r#"{"code":"AccessDenied","message":"no such task"}"#;
        let error = run(&near(vec![Ok(response(403, refusal))])).unwrap_err();
        assert!(error.is(&problem::CREDENTIALS_SOURCE_BROKEN));
        assert_eq!(error.detail, "403: AccessDenied: no such task");
        assert_eq!(
            error.causes,
            ["AWS credentials were to come from the container's endpoint http://127.0.0.1:1"]
        );
    }

    #[test]
    fn an_answer_that_cannot_be_used_is_refused_without_being_shown() {
        for (from, to) in [
            ("\"ASIA\"", "\"\""),
            ("\"AccessKeyId\"", "\"accessKey\""),
            ("\"hunter3\"", "null"),
            ("hunter2", "hunter2\\n"),
            ("2023-11-14T22:28:20Z", "2023-11-14T22:13:20Z"),
            ("2023-11-14T22:28:20Z", "tomorrow"),
            ("{", "["),
        ] {
            let script = Script::new([Ok(response(200, &GOOD.replace(from, to)))])
                .var(FULL, "http://127.0.0.1:1/");
            let error = run(&script).unwrap_err();
            assert!(error.is(&problem::CREDENTIALS_SOURCE_BROKEN), "{error}");
            assert!(!error.report().contains("hunter"), "{error}");
        }
    }
}
