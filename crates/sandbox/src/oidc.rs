//! The runner's OIDC endpoint: ID tokens for a job with `id-token: write`.
//!
//! [Claims](https://docs.github.com/actions/reference/security/oidc) as GitHub documents them.

use serde_json::{Value, json};

use crate::codec::{form_fields, random_text, uuid};
use crate::http::{Answer, Request};
use crate::jwt;
use crate::state::State;
use crate::time::Clock;
use crate::world::{Job, OIDC_ISSUER, World};

/// The path of the request URL. The empty segment is GitHub's own.
pub(crate) const PATH: &str =
    "/71//idtoken/7f1c2f4e-4f5c-4d7b-9f3b-2f1f6c1a7e55/0d9b7a3c-1c64-43f0-8a7d-6a3e2f9b1c00";
/// The query of the request URL; the client adds `&audience=`.
pub(crate) const QUERY: &str = "api-version=2.0";

/// The run that the job belongs to.
pub(crate) const RUN_ID: &str = "7000000001";

pub(crate) fn answer(state: &State, request: &Request) -> Answer {
    let error = |status: u16, message: &str| {
        Answer::new(status).json(
            "application/json; charset=utf-8",
            &json!({"message": message}),
        )
    };
    if request.method != "GET" || request.path() != PATH {
        return error(404, "Not Found");
    }
    let fields = form_fields(request.query()).unwrap_or_default();
    let field = |name: &str| {
        fields
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    };
    if field("api-version") != Some("2.0") {
        return error(400, "No api-version was supplied for the request.");
    }
    let expected = format!("Bearer {}", state.oidc_request_token);
    let world = state.world();
    if request.header("authorization") != Some(&expected) || !world.job.id_token {
        return error(401, "Unauthorized");
    }
    let token = issue(
        state,
        &world,
        field("audience").filter(|audience| !audience.is_empty()),
    );
    Answer::new(200).json(
        "application/json; charset=utf-8",
        &json!({"count": token.len(), "value": token}),
    )
}

/// An ID token of the world's job.
pub(crate) fn issue(state: &State, world: &World, audience: Option<&str>) -> String {
    let job = &world.job;
    let owner = job.repository.split('/').next().unwrap_or_default();
    let default_audience = format!("https://github.com/{owner}");
    let header = json!({"alg": "RS256", "kid": "sandbox", "typ": "JWT", "x5t": random_text(b"abcdef0123456789", 27)});
    let token = jwt::issue(
        &header,
        &claims(job, owner, audience.unwrap_or(&default_audience)),
        &job.signing_key,
    );
    state.secret("ID token", &token);
    token
}

fn claims(job: &Job, owner: &str, audience: &str) -> Value {
    let now = Clock::default().now();
    let name = job.repository.split('/').nth(1).unwrap_or_default();
    // The form of new repositories since 2026: numeric ids, which outlive a rename.
    let immutable = format!(
        "repo:{owner}@{}/{name}@{}:ref:{}",
        job.owner_id, job.repository_id, job.git_ref
    );
    json!({
        "jti": uuid(),
        "sub": job.subject.as_ref().unwrap_or(&immutable),
        "aud": audience,
        "ref": job.git_ref,
        "sha": "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
        "repository": job.repository,
        "repository_owner": owner,
        "repository_owner_id": job.owner_id.to_string(),
        "run_id": RUN_ID,
        "run_number": "17",
        "run_attempt": "1",
        "repository_visibility": "private",
        "repository_id": job.repository_id.to_string(),
        "actor_id": "1002",
        "actor": "octocat",
        "workflow": "ci",
        "head_ref": "",
        "base_ref": "",
        "event_name": "push",
        "ref_protected": "false",
        "ref_type": "branch",
        "workflow_ref": job.workflow_ref,
        "workflow_sha": "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
        "job_workflow_ref": job.workflow_ref,
        "job_workflow_sha": "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
        "runner_environment": "github-hosted",
        "iss": OIDC_ISSUER,
        "nbf": now - 5,
        "iat": now,
        "exp": now + job.lifetime,
    })
}
