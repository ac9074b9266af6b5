//! The one operation of KMS that a token needs: Sign.
//!
//! See the API reference of AWS KMS, operation `Sign`: JSON 1.1 in a POST, signed for the service `kms`.

use super::access_key::Credentials;
use super::endpoint::Service;
use super::error::AwsError;
use super::kms_key::KmsKeyId;
use super::region::Region;
use super::sigv4;
use crate::error::{Error, Problem, Result, problem, words};
use crate::http::client::{Call, Client, Limits, Verdict};
use crate::http::url::Url;
use crate::http::{Method, Request, Response};
use crate::secret::Secret;
use base64ct::{Base64, Encoding};
use std::cell::Cell;

/// The content type of the protocol.
const JSON: &str = "application/x-amz-json-1.1";

/// An RSA signature is as long as the key: 2048 bits for GitHub's, 4096 at the most that KMS has.
const SIGNATURE_BYTES: std::ops::RangeInclusive<usize> = 256..=512;

/// A key, and where it is asked for.
#[derive(Clone, Debug)]
pub struct SigningKey {
    /// Its name.
    pub id: KmsKeyId,
    /// Its region.
    pub region: Region,
    /// Where KMS answers for that region.
    pub endpoint: Url,
}

impl SigningKey {
    /// For people: `alias/github-app in eu-central-1`.
    pub fn describe(&self) -> String {
        match self.id.region() {
            Some(_) => self.id.to_string(),
            None => format!("{} in {}", self.id, self.region),
        }
    }
}

/// What KMS signed.
#[derive(Clone, Debug)]
pub struct Signature {
    /// RSASSA-PKCS1-v1_5 over SHA-256.
    pub bytes: Vec<u8>,
    /// The ARN of the key that signed, as KMS says it.
    pub key_arn: String,
    /// What CloudTrail calls the request.
    pub request_id: String,
    /// How many seconds AWS's clock is ahead of this machine's; 0 where the answer has no date.
    pub aws_ahead: i64,
}

/// Has KMS sign `message`, of at most 4096 bytes, with RSASSA_PKCS1_V1_5_SHA_256.
///
/// # Errors
/// `kms-*` by KMS's own code; `network-*`.
pub async fn sign(
    client: &Client,
    credentials: &Credentials,
    key: &SigningKey,
    message: &str,
    limits: Limits,
) -> Result<Signature> {
    let body = serde_json::json!({
        "KeyId": key.id.as_str(),
        "Message": Base64::encode_string(message.as_bytes()),
        "MessageType": "RAW",
        "SigningAlgorithm": "RSASSA_PKCS1_V1_5_SHA_256",
    })
    .to_string();
    let operation = Operation {
        target: "TrentService.Sign",
        what: "KMS Sign",
    };
    let at = (&key.endpoint, &key.region);
    let response = send(client, credentials, at, operation, &body.into(), limits).await?;
    let now = client.host.clock.now();
    let signature = read(&response, key)?;
    Ok(Signature {
        aws_ahead: response.date().map_or(0, |date| date.since(now)),
        ..signature
    })
}

/// An operation of KMS.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// For the header `x-amz-target`.
    pub target: &'static str,
    /// For people.
    pub what: &'static str,
}

/// Sends a request to KMS at this endpoint, for this region, and returns its answer, good or bad.
///
/// # Errors
/// `network-*`.
pub async fn send(
    client: &Client,
    credentials: &Credentials,
    (endpoint, region): (&Url, &Region),
    operation: Operation,
    body: &Secret,
    limits: Limits,
) -> Result<Response> {
    // AWS refuses a request whose time is more than five minutes off. Its answer tells the right time,
    // and the SDKs sign once more with that; so does this.
    let offset = Cell::new(0);
    let build = || {
        let request = Request::new(Method::Post, endpoint.join("/"))
            .header("x-amz-target", operation.target)
            .body(JSON, body.clone());
        let now = client.host.clock.now().plus(offset.get());
        Ok(sigv4::sign(request, credentials, Service::Kms, region, now))
    };
    let call = Call {
        what: operation.what,
        aws: true,
        limits,
    };
    let response = client.call(call, build, judge).await?;
    if response.status == 200 {
        return Ok(response);
    }
    let skew = AwsError::of(&response).and_then(|error| error.clock_skew(&response, client));
    let Some(skew) = skew else {
        return Ok(response);
    };
    client.host.log.warning(&format!(
        "This machine's clock is off by {skew} s by AWS's; the request was signed once more with AWS's time. Set the clock."
    ));
    offset.set(skew);
    client.call(call, build, judge).await
}

fn read(response: &Response, key: &SigningKey) -> Result<Signature> {
    if response.status != 200 {
        return Err(refusal(response).at(key.describe()));
    }
    let unusable = |why: &str| Error::new(&problem::KMS_UNUSABLE, why).at(key.endpoint.to_string());
    let answer = response.json().unwrap_or_default();
    let (Some(signature), Some(key_arn)) = (answer["Signature"].as_str(), answer["KeyId"].as_str())
    else {
        return Err(unusable(&response.not_json()));
    };
    let bytes =
        Base64::decode_vec(signature).map_err(|_| unusable("the signature is no base64"))?;
    if !SIGNATURE_BYTES.contains(&bytes.len()) {
        return Err(unusable(&format!(
            "the signature has {} bytes, which no RSA key of 2048 bits or more gives",
            bytes.len()
        )));
    }
    Ok(Signature {
        bytes,
        key_arn: words(key_arn),
        request_id: words(response.header("x-amzn-requestid").unwrap_or_default()),
        aws_ahead: 0,
    })
}

/// What KMS's documentation of its errors says may pass, beside every 5xx.
const PASSING: [&str; 7] = [
    "ThrottlingException",
    "Throttling",
    "RequestLimitExceeded",
    "TooManyRequestsException",
    "KMSInternalException",
    "KeyUnavailableException",
    "DependencyTimeoutException",
];

fn judge(response: &Response) -> Verdict {
    match response.status {
        200 => Verdict::Answer,
        _ => judge_refusal(response),
    }
}

#[inline(never)]
fn judge_refusal(response: &Response) -> Verdict {
    let error = AwsError::of(response);
    let code = error.as_ref().map_or("", |error| error.code.as_str());
    let message = error.as_ref().map_or("", |error| error.message.as_str());
    if response.status >= 500
        || response.status == 429
        || (response.status >= 400 && PASSING.contains(&code))
    {
        return Verdict::Passing {
            why: format!("{} {code} {message}", response.status),
            wait: None,
        };
    }
    Verdict::Answer
}

/// KMS's refusal as an error of ours.
#[inline(never)]
pub fn refusal(response: &Response) -> Error {
    let Some(error) = AwsError::of(response) else {
        let kind = if response.status >= 500 {
            &problem::KMS_UNAVAILABLE
        } else {
            &problem::KMS_UNUSABLE
        };
        return Error::new(kind, response.not_json());
    };
    let kind: &'static Problem = match error.code.as_str() {
        "AccessDeniedException" | "AccessDenied" => &problem::KMS_ACCESS_DENIED,
        "NotFoundException" => &problem::KMS_KEY_NOT_FOUND,
        "DisabledException" => &problem::KMS_KEY_DISABLED,
        "KMSInvalidStateException" => &problem::KMS_KEY_STATE,
        "InvalidKeyUsageException" => &problem::KMS_KEY_USAGE,
        "ExpiredTokenException" | "ExpiredToken" => &problem::KMS_CREDENTIALS_EXPIRED,
        "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "IncompleteSignatureException"
        | "MissingAuthenticationTokenException"
        | "MissingAuthenticationToken" => &problem::KMS_CREDENTIALS_UNKNOWN,
        "InvalidSignatureException" | "SignatureDoesNotMatch" => &problem::KMS_SIGNATURE_WRONG,
        "ThrottlingException"
        | "Throttling"
        | "RequestLimitExceeded"
        | "TooManyRequestsException" => &problem::KMS_THROTTLED,
        "KMSInternalException" | "KeyUnavailableException" | "DependencyTimeoutException" => {
            &problem::KMS_UNAVAILABLE
        }
        _ if response.status >= 500 => &problem::KMS_UNAVAILABLE,
        _ => &problem::KMS_REFUSED,
    };
    let advice = match error.code.as_str() {
        "KMSInvalidStateException" if error.message.contains("pending import") => {
            "Its material has not been imported yet, has expired, or was deleted."
        }
        "KMSInvalidStateException" if error.message.contains("pending deletion") => {
            "It is about to be deleted."
        }
        _ => "",
    };
    Error::new(kind, error.to_string()).advise(advice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;
    use crate::testing::{Script, block_on, response};

    fn key() -> SigningKey {
        SigningKey {
            id: KmsKeyId::parse("alias/github-app").unwrap(),
            region: Region::parse("eu-central-1").unwrap(),
            endpoint: Url::parse_base("https://kms.eu-central-1.amazonaws.com").unwrap(),
        }
    }

    fn run(script: &Script) -> Result<Signature> {
        let credentials = Credentials {
            access_key_id: "AKIDEXAMPLE".into(),
            secret_access_key: Secret::from("secret"),
            session_token: Some(Secret::from("session")),
            expires: None,
        };
        let client = Client::new(script.host()).unwrap();
        block_on(sign(&client, &credentials, &key(), "a.b", Limits::MINT))
    }

    fn error(status: u16, code: &str, message: &str) -> Response {
        response(
            status,
            &format!(r#"{{"__type":"com.amazonaws.kms#{code}","message":"{message}"}}"#),
        )
    }

    #[test]
    fn sends_the_request_that_kms_documents() {
        let good = response(
            200,
            &format!(
                r#"{{"KeyId":"arn:aws:kms:eu-central-1:123456789012:key/k","Signature":"{}","SigningAlgorithm":"RSASSA_PKCS1_V1_5_SHA_256"}}"#,
                Base64::encode_string(&[7; 256]),
            ),
        );
        let script = Script::new([Ok(good)]);
        let signature = run(&script).unwrap();
        assert_eq!(signature.bytes, [7; 256]);
        assert_eq!(
            signature.key_arn,
            "arn:aws:kms:eu-central-1:123456789012:key/k"
        );
        let sent = &script.sent()[0];
        assert_eq!(
            format!("{sent:?}"),
            "POST https://kms.eu-central-1.amazonaws.com/"
        );
        let body: serde_json::Value = serde_json::from_str(sent.body.expose()).unwrap();
        assert_eq!(
            body,
            serde_json::json!({
                "KeyId": "alias/github-app", "Message": "YS5i", "MessageType": "RAW",
                "SigningAlgorithm": "RSASSA_PKCS1_V1_5_SHA_256",
            })
        );
        let header = |name| {
            sent.headers
                .iter()
                .find(|(key, _)| *key == name)
                .unwrap()
                .1
                .expose()
                .to_owned()
        };
        assert_eq!(header("x-amz-target"), "TrentService.Sign");
        assert_eq!(header("content-type"), JSON);
        assert!(header("authorization").starts_with(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20231114/eu-central-1/kms/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, Signature="
        ));
    }

    #[test]
    fn each_refusal_is_told_apart_and_final() {
        for (status, code, kind) in [
            (400, "AccessDeniedException", &problem::KMS_ACCESS_DENIED),
            (400, "NotFoundException", &problem::KMS_KEY_NOT_FOUND),
            (400, "DisabledException", &problem::KMS_KEY_DISABLED),
            (400, "KMSInvalidStateException", &problem::KMS_KEY_STATE),
            (400, "InvalidKeyUsageException", &problem::KMS_KEY_USAGE),
            (
                400,
                "ExpiredTokenException",
                &problem::KMS_CREDENTIALS_EXPIRED,
            ),
            (
                400,
                "UnrecognizedClientException",
                &problem::KMS_CREDENTIALS_UNKNOWN,
            ),
            (
                400,
                "InvalidSignatureException",
                &problem::KMS_SIGNATURE_WRONG,
            ),
            (400, "ValidationException", &problem::KMS_REFUSED),
        ] {
            let script = Script::new([Ok(error(status, code, "the server's words"))]);
            let failure = run(&script).unwrap_err();
            assert!(failure.is(kind), "{failure}");
            assert_eq!(failure.detail, format!("{code}: the server's words"));
            assert_eq!(failure.place, "alias/github-app in eu-central-1");
        }
    }

    #[test]
    fn throttling_and_faults_of_kms_are_tried_again() {
        for (status, code, kind) in [
            (400, "ThrottlingException", &problem::KMS_THROTTLED),
            (500, "KMSInternalException", &problem::KMS_UNAVAILABLE),
            (500, "KeyUnavailableException", &problem::KMS_UNAVAILABLE),
            (503, "Whatever", &problem::KMS_UNAVAILABLE),
        ] {
            let script = Script::new((0..4).map(|_| Ok(error(status, code, ""))));
            assert!(run(&script).unwrap_err().is(kind));
            assert_eq!(script.sent().len(), 4);
        }
    }

    #[test]
    fn an_answer_that_makes_no_sense_is_shown_in_part() {
        let mut portal = response(200, "<html>Please log in</html>");
        portal
            .headers
            .push(("content-type".into(), "text/html".into()));
        let failure = run(&Script::new([Ok(portal)])).unwrap_err();
        assert!(failure.is(&problem::KMS_UNUSABLE));
        assert_eq!(
            failure.detail,
            r#"status 200, text/html, not the JSON expected; it starts "<html>Please log in</html>""#
        );
        for signature in ["!", "AAAA"] {
            let body = format!(r#"{{"KeyId":"k","Signature":"{signature}"}}"#);
            assert!(
                run(&Script::new([Ok(response(200, &body))]))
                    .unwrap_err()
                    .is(&problem::KMS_UNUSABLE)
            );
        }
    }

    #[test]
    fn a_clock_that_is_off_is_corrected_once() {
        let skewed = || {
            let mut answer = error(
                400,
                "InvalidSignatureException",
                "Signature expired: 1 is now earlier than 2",
            );
            answer
                .headers
                .push(("date".into(), "Tue, 14 Nov 2023 23:13:20 GMT".into()));
            Ok(answer)
        };
        let script = Script::new([skewed(), skewed()]);
        assert!(run(&script).unwrap_err().is(&problem::KMS_SIGNATURE_WRONG));
        let dates: Vec<_> = script
            .sent()
            .iter()
            .map(|request| {
                request
                    .headers
                    .iter()
                    .find(|(name, _)| *name == "x-amz-date")
                    .unwrap()
                    .1
                    .expose()
                    .to_owned()
            })
            .collect();
        assert_eq!(dates, ["20231114T221320Z", "20231114T231320Z"]);
    }
}
