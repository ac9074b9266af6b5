//! What the sandbox saw, in words that a test can compare.

use app_token_sandbox::{Call, Exchange, Sandbox, Service};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// One line a request, in the order of their arrival: `Sign us-east-1 200`,
/// `GET /users/my-org/installation 200`. Instead of the status `-` where no answer was sent.
pub fn calls(sandbox: &Sandbox) -> Vec<String> {
    let line = |exchange: &Exchange| {
        let status = exchange
            .status
            .map_or_else(|| "-".to_owned(), |status| status.to_string());
        match exchange.service {
            Service::Kms => {
                let name = format!("{:?}", exchange.call);
                let region = exchange.region.as_deref().unwrap_or("unsigned");
                format!("{} {region} {status}", name.trim_start_matches("Kms"))
            }
            Service::Sts => format!("{:?} {status}", exchange.call),
            _ => format!("{} {} {status}", exchange.method, exchange.path),
        }
    };
    sandbox.requests().iter().map(line).collect()
}

/// How often a kind of call came.
pub fn times(sandbox: &Sandbox, call: Call) -> usize {
    sandbox.requests_of(call).len()
}

/// The JSON body of a request.
pub fn body(exchange: &Exchange) -> Value {
    serde_json::from_slice(&exchange.body).expect("the request's body is JSON")
}

/// What a request was authorised with.
pub fn bearer(exchange: &Exchange) -> &str {
    let authorization = exchange.header("authorization").expect("authorization");
    authorization
        .strip_prefix("Bearer ")
        .expect("the scheme Bearer")
}

/// Header and claims of the JWT that came with a request.
pub fn claims(exchange: &Exchange) -> (Value, Value) {
    let mut parts = bearer(exchange).split('.').map(|part| {
        let bytes = URL_SAFE_NO_PAD.decode(part);
        bytes.expect("base64url without padding")
    });
    let mut json = || serde_json::from_slice(&parts.next().expect("a part")).expect("JSON");
    let both = (json(), json());
    assert_eq!(parts.next().expect("a signature").len(), 256);
    assert!(parts.next().is_none());
    both
}
