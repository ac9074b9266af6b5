//! AWS Signature Version 4 for the one kind of request that is sent here: a POST with a body and
//! no query.
//!
//! See "Create a signed AWS API request" in the IAM User Guide. It is written out here because the
//! libraries for it cost the module more than all the rest (docs/architecture.md has the figures) or
//! take the time from the process; the tests hold it against the official `aws-sigv4` crate.

use super::access_key::Credentials;
use super::endpoint::Service;
use super::region::Region;
use crate::clock::UnixTime;
use crate::http::Request;
use crate::http::url::encode;
use crate::secret::Secret;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// Adds the time, the session token and the signature to a request that is otherwise whole.
#[must_use]
pub fn sign(
    mut request: Request,
    credentials: &Credentials,
    service: Service,
    region: &Region,
    now: UnixTime,
) -> Request {
    let timestamp = now.basic_iso8601();
    let date = &timestamp[..8];
    request = request.header("x-amz-date", timestamp.clone());
    if let Some(token) = &credentials.session_token {
        request = request.header("x-amz-security-token", token.clone());
    }

    let authority = request.url.origin.authority();
    let mut signed: Vec<(&str, &str)> = request
        .headers
        .iter()
        .map(|(name, value)| (*name, value.expose()))
        .collect();
    signed.push(("host", &authority));
    signed.sort_unstable();
    let names = signed
        .iter()
        .map(|(name, _)| *name)
        .collect::<Vec<_>>()
        .join(";");
    let headers: Zeroizing<String> = Zeroizing::new(
        signed
            .iter()
            .map(|(name, value)| format!("{name}:{}\n", folded(value)))
            .collect(),
    );

    // Every service but S3 has the path encoded once more than it is sent.
    let path = match request.url.path.as_str() {
        "" => "/".to_owned(),
        path => path.split('/').map(encode).collect::<Vec<_>>().join("/"),
    };
    let canonical = Zeroizing::new(format!(
        "{}\n{path}\n\n{}\n{names}\n{}",
        request.method.as_str(),
        *headers,
        hex(&Sha256::digest(request.body.expose())),
    ));
    let scope = format!("{date}/{region}/{}/aws4_request", service.name());
    let to_sign = format!(
        "AWS4-HMAC-SHA256\n{timestamp}\n{scope}\n{}",
        hex(&Sha256::digest(canonical.as_bytes()))
    );

    let secret = Zeroizing::new(format!("AWS4{}", credentials.secret_access_key.expose()));
    let mut key = mac(secret.as_bytes(), date.as_bytes());
    for part in [region.as_str(), service.name(), "aws4_request"] {
        key = mac(&*key, part.as_bytes());
    }
    let signature = hex(&*mac(&*key, to_sign.as_bytes()));
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
        credentials.access_key_id,
    );
    request.header("authorization", Secret::new(authorization))
}

/// A header's value as it is signed: without white space around it, runs of spaces folded.
fn folded(value: &str) -> String {
    let mut folded = String::with_capacity(value.len());
    for part in value.split(' ').filter(|part| !part.is_empty()) {
        if !folded.is_empty() {
            folded.push(' ');
        }
        folded.push_str(part);
    }
    folded
}

fn mac(key: &[u8], data: &[u8]) -> Zeroizing<[u8; 32]> {
    // A key of any length is taken, so there is no error to handle.
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(key).unwrap_or_else(|_| unreachable!());
    mac.update(data);
    Zeroizing::new(mac.finalize().into_bytes().into())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
