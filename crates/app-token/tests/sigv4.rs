//! The signatures of this library against those of AWS's own crate `aws-sigv4`, over generated
//! requests.
//!
//! The vectors that AWS publishes are for a service called `service`, which nothing here can name; the
//! crate passes them, and so stands for them.
#![expect(clippy::unwrap_used, reason = "a test")]

use app_token::aws::credentials::Credentials;
use app_token::aws::endpoint::Service;
use app_token::aws::region::Region;
use app_token::aws::sigv4;
use app_token::clock::UnixTime;
use app_token::http::url::Url;
use app_token::http::{Method, Request};
use app_token::secret::Secret;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use proptest::prelude::*;
use std::time::{Duration, SystemTime};

/// Everything that a signature depends on.
#[derive(Clone, Debug)]
struct Case {
    service: Service,
    base: String,
    path: &'static str,
    headers: Vec<(&'static str, String)>,
    body: String,
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
    region: String,
    seconds: i64,
}

impl Case {
    fn url(&self) -> Url {
        Url::parse_base(&self.base).unwrap().join(self.path)
    }

    fn request(&self) -> Request {
        let mut request = Request::new(Method::Post, self.url());
        for (name, value) in &self.headers {
            request = request.header(name, value.as_str());
        }
        request.body("application/x-amz-json-1.1", self.body.as_str())
    }

    /// The headers that this library sends, in the order of their names.
    fn ours(&self) -> Vec<(String, String)> {
        let credentials = Credentials {
            access_key_id: self.access_key_id.clone(),
            secret_access_key: Secret::from(self.secret_access_key.as_str()),
            session_token: self.session_token.as_deref().map(Secret::from),
            expires: None,
        };
        let signed = sigv4::sign(
            self.request(),
            &credentials,
            self.service,
            &Region::parse(&self.region).unwrap(),
            UnixTime::from_seconds(self.seconds),
        );
        let own = |(name, value): &(&'static str, Secret)| {
            ((*name).to_owned(), value.expose().to_owned())
        };
        sorted(signed.headers.iter().map(own).collect())
    }

    /// The headers that AWS's crate has for the same request.
    fn theirs(&self) -> Vec<(String, String)> {
        let identity = aws_credential_types::Credentials::new(
            &self.access_key_id,
            &self.secret_access_key,
            self.session_token.clone(),
            None,
            "test",
        )
        .into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(self.service.name())
            .time(SystemTime::UNIX_EPOCH + Duration::from_secs(self.seconds.unsigned_abs()))
            .settings(SigningSettings::default())
            .build()
            .unwrap()
            .into();
        let request = self.request();
        let headers: Vec<(&str, &str)> = request
            .headers
            .iter()
            .map(|(name, value)| (*name, value.expose()))
            .collect();
        let signable = SignableRequest::new(
            "POST",
            self.url().to_string(),
            headers.iter().copied(),
            SignableBody::Bytes(self.body.as_bytes()),
        )
        .unwrap();
        let (instructions, _) = sign(signable, &params).unwrap().into_parts();
        let (added, query) = instructions.into_parts();
        assert!(query.is_empty());
        let added = added
            .iter()
            .map(|header| (header.name().to_owned(), header.value().to_owned()));
        let sent = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        sorted(sent.chain(added).collect())
    }
}

fn sorted(mut headers: Vec<(String, String)>) -> Vec<(String, String)> {
    headers.sort();
    headers
}

/// Hosts with and without a port, the scheme's own port written out, and base paths with everything
/// that a path may hold. Empty segments are left out: servers disagree about them, and no endpoint has
/// any.
fn base() -> impl Strategy<Value = String> {
    let origin = prop_oneof![
        Just("https://kms.eu-central-1.amazonaws.com".to_owned()),
        Just("https://sts.us-east-1.amazonaws.com:443".to_owned()),
        Just("http://[::1]:4566".to_owned()),
        (1_u16..).prop_map(|port| format!("http://127.0.0.1:{port}")),
        ("[a-zA-Z][a-z0-9-]{0,12}", 1_u16..)
            .prop_map(|(host, port)| format!("https://{host}.example:{port}")),
    ];
    let segment = "([a-zA-Z0-9_~!$&'()*+,;=:@-]|%[2-7][0-9A-Fa-f]){1,8}".prop_map(String::from);
    // `.` and `..`, which no base may have.
    let segment = segment.prop_filter("a step", |segment| {
        let plain = segment.to_ascii_lowercase().replace("%2e", ".");
        plain != "." && plain != ".."
    });
    (origin, prop::collection::vec(segment, 0..4), any::<bool>()).prop_map(
        |(origin, segments, slash)| {
            let path: String = segments
                .iter()
                .map(|segment| format!("/{segment}"))
                .collect();
            format!("{origin}{path}{}", if slash { "/" } else { "" })
        },
    )
}

fn case() -> impl Strategy<Value = Case> {
    let headers = (
        prop::option::of("[ -~]{0,40}"),
        prop::option::of("[a-z]{1,4}( {1,3}[a-z,;:=\"]{1,4}){0,4} {0,2}"),
    )
        .prop_map(|(target, accept)| {
            let target = target.map(|value| ("x-amz-target", value));
            let accept = accept.map(|value| ("accept", value));
            target.into_iter().chain(accept).collect()
        });
    let whose = (
        "[A-Za-z0-9]{1,128}",
        // What AWS's secrets are made of, and what a secret of another maker may be.
        prop_oneof!["[A-Za-z0-9/+]{40}", "[!-~]{1,200}"],
        prop::option::of(prop_oneof!["[A-Za-z0-9/+=]{1,900}", "[!-~]{1,80}"]),
    );
    let region = "[a-z]{2,4}(-[a-z]{2,8}){1,2}-[0-9]";
    // Up to the year 2100 mostly, and up to 9999.
    let seconds = prop_oneof![0_i64..4_102_444_800, 0_i64..253_402_300_800];
    let service = prop_oneof![Just(Service::Kms), Just(Service::Sts)];
    let path = prop_oneof![Just("/"), Just("")];
    // With line breaks and what is beyond ASCII.
    let body = prop_oneof!["\\PC{0,200}", "(?s).{0,60}", "[ -~]{0,5000}"];
    (service, base(), path, headers, body, whose, region, seconds).prop_map(
        |(service, base, path, headers, body, whose, region, seconds)| Case {
            service,
            base,
            path,
            headers,
            body,
            access_key_id: whose.0,
            secret_access_key: whose.1,
            session_token: whose.2,
            region,
            seconds,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_request_is_signed_as_aws_signs_it(case in case()) {
        prop_assert_eq!(case.ours(), case.theirs());
    }
}

/// A signature that did not depend on a part would pass the comparison wherever both forgot it.
#[test]
fn each_part_changes_the_signature() {
    let case = Case {
        service: Service::Kms,
        base: "https://kms.eu-central-1.amazonaws.com".into(),
        path: "/",
        headers: vec![("x-amz-target", "TrentService.Sign".into())],
        body: "{}".into(),
        access_key_id: "AKIDEXAMPLE".into(),
        secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(),
        session_token: None,
        region: "eu-central-1".into(),
        seconds: 1_700_000_000,
    };
    let signature = |case: &Case| {
        let headers = case.ours();
        let found = headers.iter().find(|(name, _)| name == "authorization");
        let Some((_, authorization)) = found else {
            panic!("the request is not signed")
        };
        authorization
            .rsplit_once("Signature=")
            .unwrap()
            .1
            .to_owned()
    };
    let changes: [fn(&mut Case); 9] = [
        |case| case.service = Service::Sts,
        |case| case.base = "https://kms.eu-central-1.example".into(),
        |case| case.base.push_str("/base"),
        |case| case.headers[0].1.push('x'),
        |case| case.body.push(' '),
        |case| case.secret_access_key.push('x'),
        |case| case.session_token = Some("token".into()),
        |case| case.region = "eu-central-2".into(),
        |case| case.seconds += 1,
    ];
    let mut seen = vec![signature(&case)];
    for change in changes {
        let mut changed = case.clone();
        change(&mut changed);
        let signature = signature(&changed);
        assert!(!seen.contains(&signature), "{changed:?}");
        seen.push(signature);
    }
}
