//! AWS Signature Version 4 from the server's side: the canonical request is rebuilt from what came
//! over the wire, and everything that the signature must cover is demanded.
//!
//! [The process](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html)
//! as AWS documents it.

use crate::codec::{hex, hmac_sha256, percent_decode, percent_encode, sha256};
use crate::http::Request;
use crate::time::{amz_date, parse_amz_date};
use crate::world::Credential;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// How far the client's clock may be off, in seconds, either way (AWS: 5 minutes).
const MAX_SKEW: i64 = 5 * 60;

/// Why a request is refused: AWS's type of error, and its words.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) kind: &'static str,
    pub(crate) message: String,
}

fn refuse<T>(kind: &'static str, message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal {
        kind,
        message: message.into(),
    })
}

/// The parts of an `Authorization` header.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Authorization {
    pub(crate) access_key_id: String,
    pub(crate) date: String,
    pub(crate) region: String,
    pub(crate) service: String,
    signed_headers: Vec<String>,
    signature: String,
}

impl Authorization {
    /// Reads the header.
    pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
        let incomplete = |what: &str| {
            refuse(
                "IncompleteSignatureException",
                format!("Authorization header requires {what}."),
            )
        };
        let Some(rest) = text
            .strip_prefix(ALGORITHM)
            .filter(|rest| rest.starts_with(' '))
        else {
            return refuse(
                "IncompleteSignatureException",
                format!(
                    "Unsupported AWS 'algorithm': '{}'.",
                    text.split(' ').next().unwrap_or_default()
                ),
            );
        };
        let mut fields = [None; 3];
        for part in rest.split(',') {
            let (name, value) = part.trim().split_once('=').unwrap_or((part.trim(), ""));
            let place = match name {
                "Credential" => 0,
                "SignedHeaders" => 1,
                "Signature" => 2,
                _ => return incomplete("no other parameter"),
            };
            fields[place] = Some(value);
        }
        let Some(credential) = fields[0] else {
            return incomplete("'Credential' parameter");
        };
        let Some(signed) = fields[1] else {
            return incomplete("'SignedHeaders' parameter");
        };
        let Some(signature) = fields[2] else {
            return incomplete("'Signature' parameter");
        };
        let scope: Vec<&str> = credential.split('/').collect();
        let [access_key_id, date, region, service, "aws4_request"] = scope[..] else {
            return refuse(
                "IncompleteSignatureException",
                "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term",
            );
        };
        Ok(Self {
            access_key_id: access_key_id.into(),
            date: date.into(),
            region: region.into(),
            service: service.into(),
            signed_headers: signed.split(';').map(str::to_owned).collect(),
            signature: signature.into(),
        })
    }
}

/// Judges a request's signature and returns the access key that made it.
pub(crate) fn verify<'a>(
    request: &Request,
    service: &str,
    now: i64,
    credentials: &'a [Credential],
) -> Result<(&'a Credential, Authorization), Refusal> {
    let Some(header) = request.header("authorization") else {
        return refuse(
            "MissingAuthenticationTokenException",
            "Request is missing Authentication Token",
        );
    };
    let authorization = Authorization::parse(header)?;
    let Some(sent_date) = request.header("x-amz-date") else {
        return refuse(
            "IncompleteSignatureException",
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
        );
    };
    let Some(sent) = parse_amz_date(sent_date) else {
        return refuse(
            "IncompleteSignatureException",
            format!(
                "Date must be in ISO-8601 'basic format'. Got '{sent_date}'. See http://en.wikipedia.org/wiki/ISO_8601"
            ),
        );
    };

    let Some(credential) = credentials
        .iter()
        .find(|known| known.access_key_id == authorization.access_key_id)
    else {
        return refuse(
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        );
    };
    if request.header("x-amz-security-token") != credential.session_token.as_deref() {
        return refuse(
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        );
    }

    check_scope(&authorization, service, sent_date)?;
    check_signed_headers(request, &authorization)?;
    if sent < now - MAX_SKEW {
        return refuse(
            "InvalidSignatureException",
            format!(
                "Signature expired: {sent_date} is now earlier than {} ({} - 5 min.)",
                amz_date(now - MAX_SKEW),
                amz_date(now)
            ),
        );
    }
    if sent > now + MAX_SKEW {
        return refuse(
            "InvalidSignatureException",
            format!(
                "Signature not yet current: {sent_date} is still later than {} ({} + 5 min.)",
                amz_date(now + MAX_SKEW),
                amz_date(now)
            ),
        );
    }

    let expected = sign(
        request,
        &authorization,
        sent_date,
        &credential.secret_access_key,
    );
    if expected != authorization.signature {
        return refuse(
            "InvalidSignatureException",
            "The request signature we calculated does not match the signature you provided. Check your AWS \
             Secret Access Key and signing method. Consult the service documentation for details.",
        );
    }
    if let Some(claimed) = request.header("x-amz-content-sha256")
        && claimed != hex(&sha256(&request.body))
    {
        return refuse(
            "InvalidSignatureException",
            "The value of 'x-amz-content-sha256' does not match the request's payload.",
        );
    }
    // Only one who knows the secret learns that a session is over.
    if credential.expires.is_some_and(|end| end <= now) {
        return refuse(
            "ExpiredTokenException",
            "The security token included in the request is expired",
        );
    }
    Ok((credential, authorization))
}

fn check_scope(
    authorization: &Authorization,
    service: &str,
    sent_date: &str,
) -> Result<(), Refusal> {
    if authorization.service != service {
        return refuse(
            "InvalidSignatureException",
            format!("Credential should be scoped to correct service: '{service}'. "),
        );
    }
    if !is_region(&authorization.region) {
        return refuse(
            "InvalidSignatureException",
            "Credential should be scoped to a valid region. ",
        );
    }
    let day = &sent_date[..8];
    if authorization.date != day {
        return refuse(
            "InvalidSignatureException",
            format!(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: \
                 '{}' != '{day}', from '{sent_date}'.",
                authorization.date
            ),
        );
    }
    Ok(())
}

/// `us-east-1`, `us-gov-west-1`: lower-case words and a number.
fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let Some((number, words)) = parts.split_last() else {
        return false;
    };
    words.len() >= 2
        && words
            .iter()
            .all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase()))
        && !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit())
}

fn check_signed_headers(request: &Request, authorization: &Authorization) -> Result<(), Refusal> {
    let signed = &authorization.signed_headers;
    let sorted = signed.windows(2).all(|pair| pair[0] < pair[1]);
    let lower = signed
        .iter()
        .all(|name| !name.bytes().any(|byte| byte.is_ascii_uppercase()));
    let must = |name: &str| name == "host" || name.starts_with("x-amz-");
    let sent = request
        .headers
        .iter()
        .map(|(name, _)| name.to_ascii_lowercase());
    let missing: Vec<String> = sent
        .filter(|name| must(name) && !signed.contains(name))
        .collect();
    let unsent = signed.iter().any(|name| request.header(name).is_none());
    if !sorted || !lower || unsent {
        return refuse(
            "InvalidSignatureException",
            "The request signature we calculated does not match the signature you provided. Check your AWS \
             Secret Access Key and signing method. Consult the service documentation for details.",
        );
    }
    match missing.first() {
        None => Ok(()),
        Some(name) => refuse(
            "InvalidSignatureException",
            format!("'{name}' must be a 'SignedHeader' in the AWS Authorization. "),
        ),
    }
}

/// The signature that the request should have.
fn sign(request: &Request, authorization: &Authorization, date: &str, secret: &str) -> String {
    let canonical = canonical_request(request, &authorization.signed_headers);
    let scope = format!(
        "{}/{}/{}/aws4_request",
        authorization.date, authorization.region, authorization.service
    );
    let to_sign = format!(
        "{ALGORITHM}\n{date}\n{scope}\n{}",
        hex(&sha256(canonical.as_bytes()))
    );
    let mut key = format!("AWS4{secret}").into_bytes();
    for part in scope.split('/') {
        key = hmac_sha256(&key, part.as_bytes());
    }
    hex(&hmac_sha256(&key, to_sign.as_bytes()))
}

fn canonical_request(request: &Request, signed_headers: &[String]) -> String {
    let mut headers = String::new();
    for name in signed_headers {
        let values: Vec<String> = request
            .headers
            .iter()
            .filter(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        headers.push_str(&format!("{name}:{}\n", values.join(",")));
    }
    format!(
        "{}\n{}\n{}\n{headers}\n{}\n{}",
        request.method,
        canonical_path(request.path()),
        canonical_query(request.query()),
        signed_headers.join(";"),
        hex(&sha256(&request.body))
    )
}

/// Dot segments removed (RFC 3986 section 5.2.4), then each segment encoded once more: every service
/// but S3 has it so.
fn canonical_path(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            _ => segments.push(segment),
        }
    }
    let mut out = String::new();
    for segment in &segments {
        out.push('/');
        out.push_str(&percent_encode(segment.as_bytes(), b""));
    }
    if out.is_empty() || path.ends_with('/') {
        out.push('/');
    }
    out
}

fn canonical_query(query: &str) -> String {
    let mut fields: Vec<String> = query
        .split('&')
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let once = |text: &str| {
                percent_encode(
                    percent_decode(text)
                        .unwrap_or_else(|| text.into())
                        .as_bytes(),
                    b"",
                )
            };
            format!("{}={}", once(name), once(value))
        })
        .collect();
    fields.sort();
    fields.join("&")
}

/// The `Authorization` header of a POST to `/` that signs all of these header fields.
#[cfg(test)]
pub(crate) fn authorization_for_tests(
    service: &str,
    region: &str,
    credential: &Credential,
    headers: &[(String, String)],
    body: &[u8],
) -> String {
    let date = crate::http::header(headers, "x-amz-date")
        .unwrap()
        .to_owned();
    let mut signed: Vec<String> = headers
        .iter()
        .map(|(name, _)| name.to_ascii_lowercase())
        .collect();
    signed.sort();
    let prefix = format!(
        "{ALGORITHM} Credential={}/{}/{region}/{service}/aws4_request, SignedHeaders={}, Signature=",
        credential.access_key_id,
        &date[..8],
        signed.join(";")
    );
    let request = Request {
        method: "POST".into(),
        target: "/".into(),
        headers: headers.to_vec(),
        body: body.to_vec(),
        keep_alive: true,
    };
    let unsigned = Authorization::parse(&prefix).unwrap();
    prefix + &sign(&request, &unsigned, &date, &credential.secret_access_key)
}

#[cfg(test)]
mod tests {
    use super::*;

    // The access key of AWS's published examples of Signature Version 4.
    const ID: &str = "AKIDEXAMPLE";
    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    const DATE: &str = "20150830T123600Z";

    fn credential() -> Credential {
        Credential {
            access_key_id: ID.into(),
            secret_access_key: SECRET.into(),
            session_token: None,
            expires: None,
            principal: "user/example".into(),
            session_name: None,
        }
    }

    fn request(method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Request {
        Request {
            method: method.into(),
            target: target.into(),
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).into(), (*value).into()))
                .collect(),
            body: body.as_bytes().to_vec(),
            keep_alive: true,
        }
    }

    fn authorization(service: &str, signed: &str, signature: &str) -> String {
        format!(
            "{ALGORITHM} Credential={ID}/20150830/us-east-1/{service}/aws4_request, SignedHeaders={signed}, Signature={signature}"
        )
    }

    fn now() -> i64 {
        parse_amz_date(DATE).unwrap()
    }

    #[test]
    fn list_users_example_of_the_documentation_is_accepted() {
        let signature = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";
        let request = request(
            "GET",
            "/?Action=ListUsers&Version=2010-05-08",
            &[
                (
                    "Content-Type",
                    "application/x-www-form-urlencoded; charset=utf-8",
                ),
                ("Host", "iam.amazonaws.com"),
                ("X-Amz-Date", DATE),
                (
                    "Authorization",
                    &authorization("iam", "content-type;host;x-amz-date", signature),
                ),
            ],
            "",
        );
        assert!(verify(&request, "iam", now(), &[credential()]).is_ok());
    }

    /// Cases of AWS's published test suite.
    #[test]
    fn signatures_of_the_published_test_suite_are_computed() {
        struct Case {
            name: &'static str,
            method: &'static str,
            target: &'static str,
            media_type: Option<&'static str>,
            body: &'static str,
            signature: &'static str,
        }
        let cases = [
            Case {
                name: "get-vanilla",
                method: "GET",
                target: "/",
                media_type: None,
                body: "",
                signature: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            },
            Case {
                name: "get-vanilla-query-order-key-case",
                method: "GET",
                target: "/?Param2=value2&Param1=value1",
                media_type: None,
                body: "",
                signature: "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            },
            Case {
                name: "post-vanilla",
                method: "POST",
                target: "/",
                media_type: None,
                body: "",
                signature: "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            },
            Case {
                name: "post-x-www-form-urlencoded",
                method: "POST",
                target: "/",
                media_type: Some("application/x-www-form-urlencoded"),
                body: "Param1=value1",
                signature: "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
            },
        ];
        for case in cases {
            let mut headers = vec![("Host", "example.amazonaws.com"), ("X-Amz-Date", DATE)];
            headers.extend(case.media_type.map(|value| ("Content-Type", value)));
            let mut signed: Vec<String> = headers
                .iter()
                .map(|(name, _)| name.to_ascii_lowercase())
                .collect();
            signed.sort();
            let header = authorization("service", &signed.join(";"), case.signature);
            headers.push(("Authorization", &header));
            let request = request(case.method, case.target, &headers, case.body);
            let credentials = [credential()];
            let outcome = verify(&request, "service", now(), &credentials);
            assert!(outcome.is_ok(), "{}: {outcome:?}", case.name);
        }
    }

    /// A request of KMS's kind, signed right, then changed by `change`.
    fn judged(
        now_is: i64,
        change: impl Fn(&mut Request),
        credential: &Credential,
    ) -> Result<(), Refusal> {
        let mut headers = vec![
            ("Host", "kms.test"),
            ("X-Amz-Date", DATE),
            ("X-Amz-Target", "TrentService.Sign"),
        ];
        let mut signed = "host;x-amz-date;x-amz-target".to_owned();
        if let Some(token) = &credential.session_token {
            headers.push(("X-Amz-Security-Token", token));
            signed = "host;x-amz-date;x-amz-security-token;x-amz-target".into();
        }
        let mut request = request("POST", "/", &headers, "{}");
        let unsigned = Authorization::parse(&authorization("kms", &signed, "")).unwrap();
        let signature = sign(&request, &unsigned, DATE, &credential.secret_access_key);
        request.headers.push((
            "Authorization".into(),
            authorization("kms", &signed, &signature),
        ));
        change(&mut request);
        verify(&request, "kms", now_is, std::slice::from_ref(credential)).map(|_| ())
    }

    fn kind(outcome: Result<(), Refusal>) -> &'static str {
        outcome.map_or_else(|refusal| refusal.kind, |()| "accepted")
    }

    fn set(request: &mut Request, name: &str, value: &str) {
        request.headers.retain(|(known, _)| known != name);
        request.headers.push((name.into(), value.into()));
    }

    #[test]
    fn a_right_signature_is_accepted_within_five_minutes() {
        for offset in [0, 299, -299, 300, -300] {
            assert_eq!(
                kind(judged(now() + offset, |_| (), &credential())),
                "accepted",
                "{offset}"
            );
        }
        for offset in [301, -301] {
            let refusal = judged(now() + offset, |_| (), &credential()).unwrap_err();
            assert_eq!(refusal.kind, "InvalidSignatureException");
            assert!(
                refusal.message.starts_with("Signature "),
                "{}",
                refusal.message
            );
        }
    }

    #[test]
    fn whatever_is_changed_after_signing_is_refused() {
        type Change = fn(&mut Request);
        let changes: [(&str, Change); 8] = [
            ("body", |request| request.body = b"{ }".to_vec()),
            ("method", |request| request.method = "PUT".into()),
            ("path", |request| request.target = "/x".into()),
            ("query", |request| request.target = "/?a=b".into()),
            ("host", |request| set(request, "Host", "other.test")),
            ("target", |request| {
                set(request, "X-Amz-Target", "TrentService.Decrypt")
            }),
            ("date", |request| {
                set(request, "X-Amz-Date", "20150830T123601Z")
            }),
            ("unsigned x-amz header", |request| {
                set(request, "X-Amz-Extra", "1")
            }),
        ];
        for (what, change) in changes {
            assert_eq!(
                kind(judged(now(), change, &credential())),
                "InvalidSignatureException",
                "{what}"
            );
        }
    }

    #[test]
    fn each_refusal_has_the_name_that_aws_gives_it() {
        let replaced = |from: &'static str, to: &'static str| {
            move |request: &mut Request| {
                let header = request.header("Authorization").unwrap().replace(from, to);
                set(request, "Authorization", &header);
            }
        };
        let judge = |change: &dyn Fn(&mut Request)| kind(judged(now(), change, &credential()));
        assert_eq!(
            judge(&|request| request.headers.retain(|(name, _)| name != "Authorization")),
            "MissingAuthenticationTokenException"
        );
        assert_eq!(
            judge(&replaced(ID, "AKIDUNKNOWN")),
            "UnrecognizedClientException"
        );
        assert_eq!(
            judge(&replaced("/kms/", "/sts/")),
            "InvalidSignatureException"
        );
        assert_eq!(
            judge(&replaced("us-east-1", "US")),
            "InvalidSignatureException"
        );
        assert_eq!(
            judge(&replaced("20150830/", "20150831/")),
            "InvalidSignatureException"
        );
        assert_eq!(
            judge(&replaced("/aws4_request", "")),
            "IncompleteSignatureException"
        );
        assert_eq!(
            judge(&replaced("SignedHeaders", "Signed")),
            "IncompleteSignatureException"
        );
        assert_eq!(
            judge(&replaced("AWS4-HMAC-SHA256", "Bearer")),
            "IncompleteSignatureException"
        );
        assert_eq!(
            judge(&|request| set(request, "X-Amz-Security-Token", "t")),
            "UnrecognizedClientException"
        );
    }

    #[test]
    fn sessions_need_their_token_and_end() {
        let session = Credential {
            session_token: Some("token+/=".into()),
            expires: Some(now() + 10),
            ..credential()
        };
        assert_eq!(kind(judged(now(), |_| (), &session)), "accepted");
        assert_eq!(
            kind(judged(now() + 10, |_| (), &session)),
            "ExpiredTokenException"
        );
        let without = |request: &mut Request| {
            request
                .headers
                .retain(|(name, _)| name != "X-Amz-Security-Token")
        };
        assert_eq!(
            kind(judged(now(), without, &session)),
            "UnrecognizedClientException"
        );
        let wrong_secret = |request: &mut Request| request.body = b"changed".to_vec();
        assert_eq!(
            kind(judged(now() + 10, wrong_secret, &session)),
            "InvalidSignatureException"
        );
    }
}
