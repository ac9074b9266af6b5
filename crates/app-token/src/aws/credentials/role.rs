//! `role-to-assume`: the runner's OIDC token is traded for the role's credentials. They stay in this
//! process.
//!
//! See "OpenID Connect reference" in GitHub's documentation for the endpoint, and AssumeRoleWithWebIdentity
//! in the API reference of AWS STS.

use super::{Credentials, Wanted, broken, is_sound};
use crate::aws::sts::{self, RoleArn, RoleSession, Sts};
use crate::error::{Error, Result, problem, words};
use crate::host::Host;
use crate::http::client::{Call, Client, HEDGE, Limits, Verdict};
use crate::http::url::{Origin, Url, encode};
use crate::http::{Method, Request, Response};
use crate::secret::Secret;
use base64ct::{Base64UrlUnpadded, Encoding};
use std::fmt;

/// The audience that AWS's instructions for GitHub have the identity provider list. It serves in every
/// partition, since the provider alone decides what it lists; those who followed the instructions for
/// China listed `sts.amazonaws.com.cn` and set `aws-audience` to that.
const AUDIENCE: &str = "sts.amazonaws.com";

const URL: &str = "ACTIONS_ID_TOKEN_REQUEST_URL";
const TOKEN: &str = "ACTIONS_ID_TOKEN_REQUEST_TOKEN";

/// A role, and how to get a token for it.
#[derive(Clone, Debug)]
pub struct Role {
    session: RoleSession,
    /// In order of preference; never empty.
    sts: Vec<Sts>,
    endpoint: Url,
    bearer: Secret,
    audience: String,
}

impl Role {
    /// The role that `role-to-assume` names.
    ///
    /// # Errors
    /// [`problem::ROLE_INVALID`], [`problem::OIDC_UNAVAILABLE`],
    /// [`problem::CREDENTIALS_SOURCE_BROKEN`], [`problem::REGION_MISSING`],
    /// [`problem::ENDPOINT_INVALID`].
    #[inline(never)] // compiled only where it is the source; see docs/architecture.md
    pub(super) fn wanted(host: &Host, wanted: &Wanted<'_>) -> Result<Self> {
        let env = &*host.env;
        let invalid = |why| Error::new(&problem::ROLE_INVALID, why).at("role-to-assume");
        let role = RoleArn::parse(wanted.role_to_assume).map_err(invalid)?;
        let (url, bearer) = match (env.var(URL), env.var(TOKEN)) {
            (Some(url), Some(bearer)) => (url, Secret::new(bearer)),
            (url, bearer) => {
                let lacking: Vec<&str> = [(URL, url.is_none()), (TOKEN, bearer.is_none())]
                    .iter()
                    .filter_map(|(name, lacking)| lacking.then_some(*name))
                    .collect();
                let detail = format!("the runner has not set {}", lacking.join(" and "));
                let error = Error::new(&problem::OIDC_UNAVAILABLE, detail).at("role-to-assume");
                return Err(match env.var("GITHUB_RUN_ID") {
                    Some(_) => error,
                    None => error.advise(
                        "role-to-assume works within GitHub Actions alone; elsewhere give credentials, or a profile with role_arn.",
                    ),
                });
            }
        };
        host.log.mask(bearer.expose());
        if !is_sound(bearer.expose()) {
            return Err(broken(TOKEN, "it holds white space or control characters"));
        }
        let endpoint = Url::parse(url.trim()).map_err(|error| broken(URL, error.to_string()))?;
        if !endpoint.origin.secure && !endpoint.origin.is_loopback() {
            return Err(broken(
                URL,
                "plain http is taken for loopback addresses alone",
            ));
        }
        let mut sts = vec![Sts::new(wanted.region.as_ref(), env)?];
        for region in &wanted.further {
            let next = Sts::new(Some(region), env)?;
            // An override leads to one place, whatever the region.
            if sts.iter().all(|known| known.origin() != next.origin()) {
                sts.push(next);
            }
        }
        for sts in &sts {
            role.check(sts.region()).map_err(invalid)?;
        }
        let audience = match wanted.audience.trim() {
            "" => AUDIENCE,
            audience => audience,
        };
        Ok(Self {
            session: RoleSession {
                role,
                name: sts::session_name(env),
                seconds: sts::LIFETIME,
                external_id: None,
            },
            sts,
            endpoint,
            bearer,
            audience: audience.to_owned(),
        })
    }

    #[inline(never)]
    pub(super) fn origins(&self) -> Vec<(Origin, bool)> {
        let sts = self.sts.iter().map(Sts::origin);
        [(self.endpoint.origin.clone(), false)]
            .into_iter()
            .chain(sts)
            .collect()
    }

    pub(super) async fn load(&self, client: &Client) -> Result<Credentials> {
        // The connection to STS opens while the runner's endpoint makes the token.
        if let Some((origin, aws)) = self.sts.first().map(Sts::origin) {
            client.connect(&origin, aws);
        }
        let token = self.token(client).await?;
        self.trade(client, &token)
            .await
            .map_err(|error| match claims(&token) {
                // What the trust policy was held against is what one needs to know.
                Some(claims) if error.is(&problem::STS_REFUSED) => {
                    error.because(format!("the token says {claims}"))
                }
                _ => error,
            })
    }

    /// Trades the token at STS. Where there are keys in several regions, a region that does not answer
    /// must not keep the others from signing: the next one's STS is asked, and a warning says so.
    async fn trade(&self, client: &Client, token: &Secret) -> Result<Credentials> {
        let mut regions = self.sts.iter().peekable();
        loop {
            let Some(sts) = regions.next() else {
                return Err(Error::new(&problem::REGION_MISSING, "for AWS STS"));
            };
            let next = regions.peek().map(|next| next.region());
            let limits = match next {
                Some(_) => Limits::MINT.tries(1).per_try(HEDGE),
                None => Limits::MINT,
            };
            let sts = sts.clone().within(limits);
            let refused = &problem::STS_REFUSED;
            let traded = sts
                .assume_role_with_web_identity(client, &self.session, token, refused)
                .await;
            match (traded, next) {
                (Err(error), Some(next)) if is_down(&error) => client.host.log.warning(&format!(
                    "STS in {} could not give the role: {error}. STS in {next} is asked.",
                    sts.region(),
                )),
                (traded, _) => return traded,
            }
        }
    }

    /// A token of the runner's endpoint, for the audience.
    async fn token(&self, client: &Client) -> Result<Secret> {
        let joint = if self.endpoint.path.contains('?') {
            '&'
        } else {
            '?'
        };
        let url = self
            .endpoint
            .join(&format!("{joint}audience={}", encode(&self.audience)));
        let build = || {
            let bearer = Secret::new(format!("Bearer {}", self.bearer.expose()));
            Ok(Request::new(Method::Get, url.clone())
                .header("accept", "application/json")
                .header("authorization", bearer))
        };
        let call = Call {
            what: "OIDC token",
            aws: false,
            limits: Limits::MINT,
        };
        let response = client.call(call, build, judge).await?;
        let refused =
            |why| Error::new(&problem::OIDC_REFUSED, why).at(self.endpoint.origin.to_string());
        if response.status != 200 {
            return Err(refused(told(&response)));
        }
        let mut answer = response.json().unwrap_or_default();
        let Some(token) = Secret::moved_from(&mut answer, "value") else {
            return Err(refused(format!(
                "{}, not the JSON expected",
                response.seen()
            )));
        };
        client.host.log.mask(token.expose());
        if !is_sound(token.expose()) {
            return Err(refused("its token is malformed".to_owned()));
        }
        Ok(token)
    }
}

/// Whether it is the service that failed, and not the request.
fn is_down(error: &Error) -> bool {
    [
        &problem::NETWORK_UNREACHABLE,
        &problem::NETWORK_TIMEOUT,
        &problem::STS_UNAVAILABLE,
    ]
    .iter()
    .any(|down| error.is(down))
}

/// `role ARN through GitHub's OIDC`.
impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "role {} through GitHub's OIDC", self.session.role)
    }
}

fn judge(response: &Response) -> Verdict {
    if response.status >= 500 || response.status == 429 {
        return Verdict::Passing {
            why: told(response),
            wait: None,
        };
    }
    Verdict::Answer
}

/// What the endpoint says about a failure: its `message`, where there is one.
fn told(response: &Response) -> String {
    match response.json().unwrap_or_default()["message"].as_str() {
        Some(message) => format!("{}: {}", response.status, words(message)),
        None => response.seen(),
    }
}

/// The claims that trust policies speak of. They are no secret; the signature, which is, stays out.
fn claims(token: &Secret) -> Option<String> {
    let payload = token.expose().split('.').nth(1)?;
    let payload = Base64UrlUnpadded::decode_vec(payload).ok()?;
    let payload: serde_json::Value = serde_json::from_slice(&payload).ok()?;
    let claims: Vec<String> = ["sub", "aud", "repository_id", "job_workflow_ref"]
        .iter()
        .filter_map(|name| {
            let value = payload.get(name)?.as_str()?;
            Some(format!("{name}={}", words(value)))
        })
        .collect();
    (!claims.is_empty()).then(|| claims.join(", "))
}

#[cfg(test)]
mod tests {
    use super::super::Source;
    use super::super::tests::load;
    use super::*;
    use crate::aws::region::Region;
    use crate::aws::sts::tests::{fields, granted, refused};
    use crate::testing::{Script, broken as severed, response};

    const ROLE: &str = "arn:aws:iam::123456789012:role/app-token";

    fn on_runner(script: Script) -> Script {
        script
            .var("GITHUB_RUN_ID", "42")
            .var("GITHUB_RUN_ATTEMPT", "3")
            .var(URL, "https://oidc.example/token?api-version=2.0")
            .var(TOKEN, "request-token")
    }

    fn wanted() -> Wanted<'static> {
        Wanted {
            role_to_assume: ROLE,
            region: Some(Region::parse("eu-central-1").unwrap()),
            ..Wanted::default()
        }
    }

    /// A token of these claims.
    fn jwt(claims: &str) -> String {
        format!(
            "e30.{}.c2ln",
            Base64UrlUnpadded::encode_string(claims.as_bytes())
        )
    }

    fn token(jwt: &str) -> Response {
        response(200, &format!(r#"{{"value":"{jwt}","count":1}}"#))
    }

    fn run(script: &Script, wanted: &Wanted<'_>) -> Result<Credentials> {
        let client = Client::new(script.host()).unwrap();
        let source = Source::choose(&client, wanted)?;
        assert_eq!(
            source.to_string(),
            format!("role {ROLE} through GitHub's OIDC")
        );
        assert!(!format!("{source:?}").contains("request-token"));
        load(script, &client, &source)
    }

    #[test]
    fn the_runner_s_token_buys_the_role_s_credentials_and_all_is_masked() {
        let script = on_runner(Script::new([
            Ok(token("a.b.c")),
            Ok(granted("AssumeRoleWithWebIdentity", "ASIA")),
        ]))
        .var("AWS_ACCESS_KEY_ID", "AKIA")
        .var("AWS_SECRET_ACCESS_KEY", "of the environment");
        let credentials = run(&script, &wanted()).unwrap();
        assert_eq!(credentials.access_key_id, "ASIA");
        assert_eq!(
            script.urls(),
            [
                "https://oidc.example/token?api-version=2.0&audience=sts.amazonaws.com",
                "https://sts.eu-central-1.amazonaws.com/"
            ]
        );
        let sent = script.sent();
        let (name, value) = &sent[0].headers[1];
        assert_eq!(
            (*name, value.expose()),
            ("authorization", "Bearer request-token")
        );
        let fields = fields(&sent[1]);
        assert!(fields.contains(&"RoleSessionName=app-token-42-3".to_owned()));
        assert!(fields.contains(&"DurationSeconds=900".to_owned()));
        assert!(fields.contains(&"WebIdentityToken=a.b.c".to_owned()));
        assert_eq!(
            script.log().masks(),
            [
                "request-token",
                "a.b.c",
                "secret/of+ASIA",
                "session/of+ASIA=="
            ]
        );
    }

    #[test]
    fn a_region_that_is_down_leaves_sts_to_the_next_key_s() {
        let wanted = Wanted {
            further: ["eu-central-1", "eu-west-1"]
                .map(|region| Region::parse(region).unwrap())
                .into(),
            ..wanted()
        };
        for down in [severed("ECONNREFUSED"), Ok(response(503, ""))] {
            let granted = granted("AssumeRoleWithWebIdentity", "ASIA");
            let script = on_runner(Script::new([Ok(token("a.b.c")), down, Ok(granted)]));
            assert!(run(&script, &wanted).is_ok());
            assert_eq!(
                script.urls()[1..],
                [
                    "https://sts.eu-central-1.amazonaws.com/",
                    "https://sts.eu-west-1.amazonaws.com/"
                ]
            );
            let warnings = script.log().warnings();
            assert!(warnings[0].starts_with("STS in eu-central-1 could not give the role: "));
            assert_eq!(script.slept(), []);
        }
        // A refusal would be the same everywhere.
        let refused = response(
            403,
            "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>",
        );
        let script = on_runner(Script::new([Ok(token("a.b.c")), Ok(refused)]));
        assert!(run(&script, &wanted).unwrap_err().is(&problem::STS_REFUSED));
    }

    #[test]
    fn the_audience_is_encoded_and_the_url_needs_no_query() {
        let script =
            on_runner(Script::new([Ok(response(403, ""))])).var(URL, "http://127.0.0.1:1/token");
        let wanted = Wanted {
            audience: " a b&c ",
            ..wanted()
        };
        assert!(run(&script, &wanted).is_err());
        assert_eq!(
            script.urls(),
            ["http://127.0.0.1:1/token?audience=a%20b%26c"]
        );
    }

    #[test]
    fn without_the_permission_the_error_says_to_add_it() {
        for (script, lacking) in [
            (
                Script::new([]).var("GITHUB_RUN_ID", "42"),
                format!("{URL} and {TOKEN}"),
            ),
            (on_runner(Script::new([])).var(TOKEN, ""), TOKEN.to_owned()),
        ] {
            let error = run(&script, &wanted()).unwrap_err();
            assert!(error.is(&problem::OIDC_UNAVAILABLE));
            assert_eq!(error.detail, format!("the runner has not set {lacking}"));
            assert!(
                error
                    .hint()
                    .starts_with("Add `permissions: id-token: write`")
            );
        }
        let error = run(&Script::new([]), &wanted()).unwrap_err();
        assert!(error.hint().starts_with("role-to-assume works within"));
    }

    #[test]
    fn what_is_malformed_is_found_before_any_call() {
        let of = |script: Script, wanted: &Wanted<'_>| run(&script, wanted).unwrap_err();
        let role = |role_to_assume| Wanted {
            role_to_assume,
            ..wanted()
        };
        for (text, why) in [
            ("app-token", "is no ARN of a role"),
            (
                "arn:aws-cn:iam::123456789012:role/app-token",
                "the region eu-central-1 in aws",
            ),
        ] {
            let error = of(on_runner(Script::new([])), &role(text));
            assert!(error.is(&problem::ROLE_INVALID), "{error}");
            assert!(error.detail.contains(why), "{error}");
        }
        let error = of(
            on_runner(Script::new([])),
            &Wanted {
                region: None,
                ..wanted()
            },
        );
        assert!(error.is(&problem::REGION_MISSING));
        for url in [
            "http://oidc.example/",
            "oidc.example",
            "https://u:p@oidc.example/",
        ] {
            let error = of(on_runner(Script::new([])).var(URL, url), &wanted());
            assert!(error.is(&problem::CREDENTIALS_SOURCE_BROKEN), "{error}");
            assert_eq!(error.place, URL);
        }
        let error = of(
            on_runner(Script::new([])).var(TOKEN, "hunter2\nX: y"),
            &wanted(),
        );
        assert!(error.place == TOKEN && !error.report().contains("hunter2"));
    }

    #[test]
    fn a_refusal_of_the_endpoint_is_passed_on() {
        for (answer, detail) in [
            (
                response(403, r#"{"message":"no such audience"}"#),
                "403: no such audience",
            ),
            (response(302, ""), "status 302, no content type, 0 bytes"),
            (
                response(200, "<html>Log in</html>"),
                "which starts \"<html>Log in</html>\", not the JSON expected",
            ),
            (response(200, r#"{"value":""}"#), "its token is malformed"),
            (
                response(200, r#"{"value":"a b"}"#),
                "its token is malformed",
            ),
            (
                response(200, r#"{"values":"a.b.c"}"#),
                "18 bytes, not the JSON expected",
            ),
        ] {
            let script = on_runner(Script::new([Ok(answer)]))
                .var("AWS_ACCESS_KEY_ID", "AKIA")
                .var("AWS_SECRET_ACCESS_KEY", "x");
            let error = run(&script, &wanted()).unwrap_err();
            assert!(error.is(&problem::OIDC_REFUSED), "{error}");
            assert!(error.detail.ends_with(detail), "{error}");
            assert_eq!(error.place, "https://oidc.example");
            assert!(error.causes[0].contains(ROLE), "{error:?}");
        }
    }

    #[test]
    fn passing_faults_of_the_endpoint_are_tried_again() {
        let script = on_runner(Script::new([
            Ok(response(503, "")),
            severed("ECONNRESET"),
            Ok(token("a.b.c")),
            Ok(granted("AssumeRoleWithWebIdentity", "ASIA")),
        ]));
        assert!(run(&script, &wanted()).is_ok());
    }

    #[test]
    fn a_refusal_of_sts_tells_what_the_token_says_and_not_the_token() {
        let claims = r#"{"sub":"repo:o@1/r@2:ref:refs/heads/main","aud":"sts.amazonaws.com","repository_id":"2","jti":"x"}"#;
        let jwt = jwt(claims);
        let script = on_runner(Script::new([
            Ok(token(&jwt)),
            Ok(refused(
                403,
                "AccessDenied",
                "Not authorized to perform sts:AssumeRoleWithWebIdentity",
            )),
        ]));
        let error = run(&script, &wanted()).unwrap_err();
        assert!(error.is(&problem::STS_REFUSED));
        assert_eq!(
            error.causes,
            [
                "the token says sub=repo:o@1/r@2:ref:refs/heads/main, aud=sts.amazonaws.com, repository_id=2".to_owned(),
                format!("AWS credentials were to come from role {ROLE} through GitHub's OIDC"),
            ]
        );
        assert!(error.hint().contains("trust policy"));
        assert!(!error.report().contains("c2ln"));
    }
}
