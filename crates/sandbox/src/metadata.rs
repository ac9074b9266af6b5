//! Where containers and instances find their credentials:
//! [the container endpoint](https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html)
//! (ECS by a relative path, EKS Pod Identity by a full URI with a token) and
//! [the instance metadata service](https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html),
//! version 2 alone.

use serde_json::json;

use crate::call::Call;
use crate::codec::{base64, random_bytes};
use crate::http::{Answer, Request};
use crate::state::{State, lock};
use crate::sts::new_session;
use crate::time::{Clock, iso};

/// The path of ECS's endpoint, as `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI` names it.
pub(crate) const RELATIVE_PATH: &str = "/v2/credentials/3b1c8a52-6f0e-4f2e-9c39-5f0f6f2f7a11";
/// The path of EKS's agent, part of `AWS_CONTAINER_CREDENTIALS_FULL_URI`.
pub(crate) const FULL_PATH: &str = "/v1/credentials";
const TOKEN_PATH: &str = "/latest/api/token";
const ROLE_PATH: &str = "/latest/meta-data/iam/security-credentials/";
/// The longest life of a metadata token, in seconds.
const MAX_TTL: i64 = 21_600;
/// How long the credentials handed out are good, in seconds.
const SESSION: i64 = 6 * 3_600;

pub(crate) fn call_of(request: &Request) -> Call {
    match (request.method.as_str(), request.path()) {
        ("GET", RELATIVE_PATH | FULL_PATH) => Call::ContainerCredentials,
        ("PUT", TOKEN_PATH) => Call::MetadataToken,
        ("GET", path) if path == ROLE_PATH || path == ROLE_PATH.trim_end_matches('/') => {
            Call::MetadataRole
        }
        ("GET", path) if path.starts_with(ROLE_PATH) => Call::MetadataCredentials,
        _ => Call::MetadataOther,
    }
}

pub(crate) fn answer(state: &State, call: Call, request: &Request) -> Answer {
    match call {
        Call::ContainerCredentials => container(state, request),
        Call::MetadataToken => token(state, request),
        Call::MetadataRole | Call::MetadataCredentials | Call::MetadataOther
            if !has_token(state, request) =>
        {
            Answer::new(401).header("Content-Type", "text/plain")
        }
        Call::MetadataRole => Answer::new(200)
            .header("Content-Type", "text/plain")
            .body(state.world().metadata_role.clone()),
        Call::MetadataCredentials => instance(state, request),
        _ => Answer::new(404).header("Content-Type", "text/plain"),
    }
}

fn container(state: &State, request: &Request) -> Answer {
    if request.path() == FULL_PATH
        && request.header("authorization") != Some(&state.container_token)
    {
        return Answer::new(401)
            .header("Content-Type", "text/plain")
            .body("Authorization token is not valid");
    }
    let Some((role, body)) = credentials(state) else {
        return Answer::new(404);
    };
    let mut body = body;
    body["RoleArn"] = json!(role);
    Answer::new(200).json("application/json", &body)
}

fn token(state: &State, request: &Request) -> Answer {
    // A request that came through a proxy must not get one.
    if request.header("x-forwarded-for").is_some() {
        return Answer::new(403);
    }
    let ttl = request
        .header("x-aws-ec2-metadata-token-ttl-seconds")
        .and_then(|text| text.parse::<i64>().ok());
    let Some(ttl) = ttl.filter(|ttl| (1..=MAX_TTL).contains(ttl)) else {
        return Answer::new(400).header("Content-Type", "text/plain");
    };
    let token = base64(&random_bytes(41));
    state.secret("metadata token", &token);
    lock(&state.metadata_tokens).push((token.clone(), Clock::default().now() + ttl));
    Answer::new(200)
        .header("Content-Type", "text/plain")
        .header("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", ttl.to_string())
        .body(token)
}

fn has_token(state: &State, request: &Request) -> bool {
    let sent = request
        .header("x-aws-ec2-metadata-token")
        .unwrap_or_default();
    let now = Clock::default().now();
    lock(&state.metadata_tokens)
        .iter()
        .any(|(token, end)| token == sent && *end > now)
}

fn instance(state: &State, request: &Request) -> Answer {
    if request.path() != format!("{ROLE_PATH}{}", state.world().metadata_role) {
        return Answer::new(404).header("Content-Type", "text/plain");
    }
    let Some((_, mut body)) = credentials(state) else {
        return Answer::new(404);
    };
    body["Code"] = json!("Success");
    body["Type"] = json!("AWS-HMAC");
    body["LastUpdated"] = json!(iso(Clock::default().now()));
    Answer::new(200).json("text/plain", &body)
}

/// The role's ARN and a new session of it; `None` where the world has no such role.
fn credentials(state: &State) -> Option<(String, serde_json::Value)> {
    let mut world = state.world();
    let path = format!("role/{}", world.metadata_role);
    let role = world
        .principals
        .iter()
        .find(|known| known.path == path)?
        .clone();
    let expires = state.aws_clock.now() + SESSION;
    let session = new_session(state, &mut world, &role, "i-0123456789abcdef0", expires);
    let body = json!({
        "AccessKeyId": session.access_key_id,
        "SecretAccessKey": session.secret_access_key,
        "Token": session.session_token,
        "Expiration": iso(expires),
    });
    Some((role.arn(), body))
}
