//! The answers of the endpoints that hand out credentials as JSON: the container's and the instance's.

use super::{Credentials, Parts, broken};
use crate::aws::error::AwsError;
use crate::error::{Result, words};
use crate::http::client::{Client, Verdict};
use crate::http::{Request, Response};
use crate::secret::Secret;

/// The credentials in an answer.
///
/// # Errors
/// [`crate::error::problem::CREDENTIALS_SOURCE_BROKEN`] at `place`.
pub(super) fn read(client: &Client, response: &Response, place: &str) -> Result<Credentials> {
    if response.status != 200 {
        return Err(broken(place, refusal(response)));
    }
    let mut answer = response.json().unwrap_or_default();
    if !answer.is_object() {
        let seen = response.seen();
        return Err(broken(place, format!("{seen}, not the JSON expected")));
    }
    let parts = Parts {
        access_key_id: answer["AccessKeyId"].as_str().map(str::to_owned),
        secret_access_key: Secret::moved_from(&mut answer, "SecretAccessKey"),
        session_token: Secret::moved_from(&mut answer, "Token"),
        expiration: answer["Expiration"].as_str().map(str::to_owned),
    };
    // The instance's metadata say `Success` here, or what is wrong.
    if let Some(code) = answer["Code"].as_str().filter(|code| *code != "Success") {
        let message = answer["Message"].as_str().unwrap_or_default();
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
