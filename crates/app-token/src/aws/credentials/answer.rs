//! The answers of the endpoints that hand out credentials as JSON: the container's and the instance's.

use super::{Credentials, Parts, broken};
use crate::aws::error::AwsError;
use crate::error::{Result, words};
use crate::http::client::{Client, Verdict};
use crate::http::{Request, Response};
use crate::secret::Secret;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    /// The instance's metadata say `Success` here, or what is wrong.
    code: Option<String>,
    message: Option<String>,
    access_key_id: Option<String>,
    secret_access_key: Option<String>,
    token: Option<String>,
    expiration: Option<String>,
}

/// The credentials in an answer.
///
/// # Errors
/// [`crate::error::problem::CREDENTIALS_SOURCE_BROKEN`] at `place`.
pub(super) fn read(client: &Client, response: &Response, place: &str) -> Result<Credentials> {
    if response.status != 200 {
        return Err(broken(place, refusal(response)));
    }
    let answer: Answer = serde_json::from_slice(&response.body)
        .map_err(|_| broken(place, format!("{}, not the JSON expected", response.seen())))?;
    let parts = Parts {
        access_key_id: answer.access_key_id,
        secret_access_key: answer.secret_access_key.map(Secret::new),
        session_token: answer.token.map(Secret::new),
        expiration: answer.expiration,
    };
    if let Some(code) = answer.code.filter(|code| code != "Success") {
        let message = answer.message.unwrap_or_default();
        return Err(broken(place, words(&format!("{code}: {message}"))));
    }
    parts
        .checked(client, response)
        .map_err(|why| broken(place, format!("the answer cannot be used: {why}")))
}

/// What an endpoint said instead of an answer.
pub(super) fn refusal(response: &Response) -> String {
    match AwsError::of(response) {
        Some(error) => format!("{}: {error}", response.status),
        None => response.seen(),
    }
}

/// Faults of the endpoint itself, and throttling, pass; all else is final.
pub(super) fn judge(response: &Response) -> Verdict {
    if response.status >= 500 || response.status == 429 {
        return Verdict::Passing {
            why: refusal(response),
            wait: None,
        };
    }
    Verdict::Answer
}

/// The same request with a header, if there is a value for it.
pub(super) fn with(request: Request, name: &'static str, value: Option<&Secret>) -> Request {
    match value {
        Some(value) => request.header(name, value.clone()),
        None => request,
    }
}
