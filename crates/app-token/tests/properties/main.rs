//! Properties of everything that reads what others wrote: for any input, one of a few outcomes, and
//! never a panic. The invariants stand in [`invariants`]; the fuzz targets in `fuzz/` share them.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed check is to stop the test"
)]

mod host;
mod invariants;

use app_token::error::problem;
use app_token::github::token::Revoked;
use app_token::permissions::{Level, PERMISSIONS};
use app_token::scope::Wanted;
use base64::Engine;
use host::Answer;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

/// Any text, or one made of the letters that mean something to the parsers here.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[ -~]{0,40}",
        "[a-z0-9:/@.,%_?#\\[\\]\\\\\r\n\t *=<>&\"'-]{0,40}",
    ]
}

/// Mostly a good one of `good`, sometimes with a letter too many, sometimes anything.
fn nearly(good: &'static str) -> impl Strategy<Value = String> {
    let good = proptest::string::string_regex(good).unwrap();
    (good, any::<prop::sample::Index>(), text(), 0..10u8).prop_map(|(good, at, noise, kind)| {
        match kind {
            0 => noise,
            1 | 2 => {
                let mut at = at.index(good.len() + 1);
                while !good.is_char_boundary(at) {
                    at -= 1;
                }
                let letter: String = noise.chars().take(1).collect();
                format!("{}{letter}{}", &good[..at], &good[at..])
            }
            _ => good,
        }
    })
}

const LOGIN: &str = "[a-zA-Z0-9][a-zA-Z0-9_-]{0,12}";
const LIST: &str = "(((my-org|My-Org|other)/)?[a-zA-Z0-9._-]{1,8}[,\n\r ]{1,2}){0,6}";

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_target_holds_only_safe_names_that_were_asked_for(
        owner in prop_oneof![Just(String::new()), Just("my-org".to_owned()), nearly(LOGIN)],
        repositories in prop_oneof![Just(String::new()), nearly(LIST)],
        ids in prop_oneof![4 => Just(String::new()), 1 => nearly("([0-9]{1,10}[,\n]){0,4}")],
        enterprise in prop_oneof![6 => Just(String::new()), 1 => nearly(LOGIN)],
        installation in prop_oneof![3 => Just(String::new()), 1 => nearly("[0-9]{1,12}")],
        current in prop_oneof![Just(String::new()), nearly("[a-z0-9-]{1,8}/[a-z0-9._-]{1,8}")],
    ) {
        invariants::scope(&Wanted {
            owner: &owner,
            repositories: &repositories,
            repository_ids: &ids,
            enterprise: &enterprise,
            installation_id: &installation,
            current: &current,
        });
    }

    #[test]
    fn permissions_have_levels_that_exist(pairs in prop::collection::vec((
        prop_oneof![
            8 => select(PERMISSIONS.iter().map(|known| known.name.to_owned()).collect::<Vec<_>>()),
            2 => nearly("[a-z]{1,12}([-_][a-z]{1,12}){0,3}"),
            1 => text(),
        ],
        prop_oneof![select(vec!["read", "write", "admin", " READ ", "Write", "", " "]).prop_map(str::to_owned), text()],
    ), 0..6)) {
        invariants::permissions(&pairs);
    }

    #[test]
    fn a_known_permission_takes_its_levels_in_any_spelling(
        known in select(PERMISSIONS.iter().collect::<Vec<_>>()),
        level in select(vec![Level::Read, Level::Write, Level::Admin]),
        upper in any::<bool>(),
    ) {
        let name = known.name.replace('_', "-");
        let name = if upper { name.to_uppercase() } else { name };
        let word = if upper { level.as_str().to_uppercase() } else { format!(" {}\n", level.as_str()) };
        let parsed = app_token::permissions::Permissions::parse([(name.as_str(), word.as_str())]);
        prop_assert_eq!(parsed.is_ok(), known.levels.contains(&level));
        invariants::permissions(&[(name, word)]);
    }

    #[test]
    fn a_guess_exists(name in nearly("[a-z]{1,12}(_[a-z]{1,12}){0,3}")) {
        invariants::guess(&name);
    }

    #[test]
    fn a_url_goes_where_another_parser_says_it_goes(url in prop_oneof![
        nearly("(https|HTTPS|http)://[a-zA-Z0-9.-]{1,12}(:[0-9]{1,6})?(/[a-z0-9._%~?&=-]{0,8}){0,3}"),
        nearly("https?://(0[xX])?[0-9a-fA-F]{1,8}(\\.(0[xX])?[0-9a-fA-F]{1,3}){0,3}(:[0-9]{0,5})?/?"),
        nearly("https?://\\[[0-9a-f:]{2,12}(%25[a-z0-9]{1,4})?\\](:[0-9]{1,5})?/?"),
        nearly("https?://[a-z]{0,4}[@:\\\\/]{0,3}[a-z.]{0,8}/?[\\\\?#]?[a-z./]{0,6}"),
        text(),
    ]) {
        invariants::url(&url);
    }

    #[test]
    fn a_url_that_follows_the_rules_is_taken_and_kept(
        host in "[a-z][a-z0-9-]{0,10}(\\.[a-z][a-z0-9-]{0,10}){0,3}",
        port in 1u16..,
        path in "(/[A-Za-z0-9._~-]{1,8}){0,3}",
    ) {
        prop_assume!(!path.split('/').any(|step| step == "." || step == ".."));
        let text = format!("https://{host}:{port}{path}");
        let url = app_token::http::url::Url::parse_base(&text).unwrap();
        prop_assert_eq!((url.origin.host.as_str(), url.origin.port, url.path.as_str()), (host.as_str(), port, path.as_str()));
        invariants::url(&text);
    }

    #[test]
    fn encoding_is_undone_by_another_decoder(text in any::<String>()) {
        let encoded = app_token::http::url::encode(&text);
        let pair = format!("x={encoded}");
        let (_, decoded) = url::form_urlencoded::parse(pair.as_bytes()).next().unwrap();
        prop_assert_eq!(decoded, text);
    }

    #[test]
    fn a_key_is_taken_as_it_stands(key in prop_oneof![
        nearly("arn:aws:kms:eu-central-1:[0-9]{12}:(key|alias)/[a-z0-9/_-]{1,20}"),
        nearly("arn:aws(-cn|-us-gov)?:kms:(cn-north-1|us-gov-west-1|us-east-1):[0-9]{11,13}:key/[a-f0-9-]{1,36}"),
        nearly("alias/[a-zA-Z0-9/_-]{1,20}"),
        nearly("(mrk-)?[a-f0-9-]{1,36}"),
        text(),
    ]) {
        invariants::key(&key);
        invariants::keys(&key);
    }

    #[test]
    fn a_list_of_keys_keeps_its_order(list in nearly("((alias/[a-z]{1,6}|[a-f0-9-]{1,10})[,\n]{1,2}){0,5}")) {
        invariants::keys(&list);
    }

    #[test]
    fn a_region_is_one_label_of_a_host(region in nearly("(eu|us|us-gov|cn|eusc-de|us-iso|us-isob)-(central|east|north)-[1-9]")) {
        invariants::region(&region);
    }

    #[test]
    fn any_moment_survives_the_round_trip(seconds in -62_167_219_200i64..=253_402_300_799) {
        let time = app_token::clock::UnixTime::from_seconds(seconds);
        prop_assert_eq!(app_token::clock::UnixTime::from_rfc3339(&time.to_string()), Some(time));
    }

    #[test]
    fn a_text_is_a_moment_or_none(text in prop_oneof![
        nearly("[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,9})?(Z|z|[+-][0-9]{2}:[0-9]{2})"),
        nearly("20[0-9]{2}-0[1-9]-[0-2][0-9]T[01][0-9]:[0-5][0-9]:[0-6][0-9]Z"),
        nearly("(Sun|Mon), [0-3][0-9] (Jan|Feb|Nov) [0-9]{4} [0-2][0-9]:[0-5][0-9]:[0-6][0-9] GMT"),
        text(),
    ]) {
        invariants::clock(&text);
    }

    #[test]
    fn proxies_spare_loopback_and_hide_their_password(
        proxy in prop_oneof![
            nearly("(http://|https://|HTTP://)?([a-z]{1,5}(:[a-zA-Z0-9%]{9,16})?@)?[a-z.]{1,10}(:[0-9]{1,5})?/?"),
            text(),
        ],
        no_proxy in prop_oneof![
            Just(String::new()),
            nearly("((\\*?\\.?[a-z]{1,4}(\\.[a-z]{1,4}){0,2}|10\\.0\\.0\\.0/[0-9]{1,3}|::1|[a-f:]{2,6}/[0-9]{1,3}|\\*)(:[0-9]{1,3})?[, ]){0,4}"),
            text(),
        ],
        host in "[a-z]{1,4}(\\.[a-z]{1,4}){0,2}",
    ) {
        invariants::proxies(&proxy, &no_proxy, &host);
    }

    #[test]
    fn a_domain_in_no_proxy_covers_itself_and_what_is_below(
        domain in "[a-z]{2,6}\\.[a-z]{2,4}", label in "[a-z]{1,5}", dot in any::<bool>(),
    ) {
        let entry = format!("{}{domain}", if dot { "." } else { "" });
        for (host, direct) in [
            (domain.clone(), true),
            (format!("{label}.{domain}"), true),
            (format!("{label}{domain}"), false),
            (format!("{domain}.{label}"), false),
        ] {
            let world = host::world([]);
            let host_of = host::host(&world, &[("https_proxy", "proxy.example:3128"), ("no_proxy", &entry)]);
            let network = app_token::http::network::Network::read(&*host_of.env, &*host_of.files, &*host_of.log).unwrap();
            let origin = app_token::http::url::Origin { secure: true, host: host.clone(), port: 443 };
            prop_assert_eq!(network.route(&origin, false).proxy.is_none(), direct, "{} by {}", host, entry);
        }
    }
}

/// JSON of any shape, with the names that the answers have at their top more often than others.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "ghs_[A-Za-z0-9]{36}".prop_map(Value::from),
        Just(json!("2030-01-01T00:00:00Z")),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name(), inner), 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn name() -> impl Strategy<Value = String> {
    let known = [
        "id",
        "token",
        "expires_at",
        "permissions",
        "repositories",
        "app_slug",
        "account",
        "login",
        "suspended_at",
        "message",
        "errors",
        "name",
        "Signature",
        "KeyId",
        "__type",
        "code",
        "Message",
    ];
    prop_oneof![4 => select(known.map(str::to_owned).to_vec()), 1 => any::<String>()]
}

fn any_answer() -> impl Strategy<Value = Answer> {
    let status = prop_oneof![
        select(vec![
            200u16, 201, 204, 301, 307, 400, 401, 403, 404, 422, 429, 500, 502, 503
        ]),
        100u16..600,
    ];
    let header = prop_oneof![
        ("retry-after", "[0-9]{1,20}"),
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-reset", "-?[0-9]{1,20}"),
        (
            "date",
            "(Sun|Mon), [0-3][0-9] (Jan|Feb|Nov) [0-9]{4} [0-2][0-9]:[0-5][0-9]:[0-6][0-9] GMT"
        ),
        (
            "location",
            "(https://(api\\.github\\.com|evil\\.example))?/?/[a-z/]{0,8}"
        ),
        ("content-type", "[ -~]{0,40}"),
        ("x-amzn-errortype", "[A-Za-z:#]{0,30}"),
        (
            "x-amzn-requestid",
            any::<String>().prop_map(|text| text.replace('\n', ""))
        ),
    ]
    .prop_map(|(name, value)| (name.to_owned(), value));
    let body = prop_oneof![
        4 => any_json().prop_map(|json| json.to_string().into_bytes()),
        2 => (any_json(), any::<prop::sample::Index>()).prop_map(|(json, at)| {
            let mut bytes = json.to_string().into_bytes();
            bytes.truncate(at.index(bytes.len() + 1));
            bytes
        }),
        1 => any::<Vec<u8>>(),
        1 => text().prop_map(String::into_bytes),
        1 => refusals(),
    ];
    (status, prop::collection::vec(header, 0..4), body).prop_map(|(status, headers, body)| Answer {
        status,
        headers,
        body,
    })
}

/// The words by which GitHub's refusals are told apart.
fn refusals() -> impl Strategy<Value = Vec<u8>> {
    select(vec![
        "'Issued at' claim ('iat') must be an Integer representing the time",
        "'Expiration time' claim ('exp') is too far in the future",
        "'Issuer' claim ('iss') must be an Integer",
        "A JSON web token could not be decoded",
        "Bad credentials",
        "This installation has been suspended",
        "Integration not found",
        "The permissions requested are not granted to this installation.",
        "There is at least one repository that does not exist or is not accessible to the parent installation.",
        "API rate limit exceeded",
    ])
    .prop_map(|message| json!({ "message": message }).to_string().into_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_github_says_is_taken_or_told(
        answers in prop::collection::vec(any_answer(), 1..5), slug in nearly("[a-z0-9-]{1,20}"),
    ) {
        let _ = invariants::look_up(answers.clone());
        let _ = invariants::mint(answers.clone());
        let _ = invariants::revoke(answers.clone());
        invariants::bot(answers, &slug);
    }

    #[test]
    fn whatever_kms_says_is_taken_or_told(answers in prop::collection::vec(any_answer(), 1..5)) {
        let _ = invariants::kms(answers);
    }

    #[test]
    fn a_signature_is_taken_byte_by_byte(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let signature = base64::engine::general_purpose::STANDARD.encode(&bytes);
        let body = json!({"KeyId": "arn", "Signature": signature, "SigningAlgorithm": "x"});
        let answer = Answer { status: 200, headers: Vec::new(), body: body.to_string().into_bytes() };
        match invariants::kms(vec![answer]) {
            Ok(taken) => prop_assert_eq!(taken, bytes),
            Err(error) => {
                prop_assert!(error.is(&problem::KMS_UNUSABLE));
                prop_assert!(!(256..=512).contains(&bytes.len()));
            }
        }
    }

    #[test]
    fn a_token_is_opaque_but_fits_one_line(token in prop_oneof![
        "ghs_[A-Za-z0-9]{36}", "ghs_[0-9]{6}_[A-Za-z0-9_.-]{1,600}", any::<String>(), text(),
    ]) {
        let body = json!({"token": token, "expires_at": "2030-01-01T00:00:00Z"});
        let answer = Answer { status: 201, headers: Vec::new(), body: body.to_string().into_bytes() };
        let sound = !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic());
        match invariants::mint(vec![answer]) {
            Ok(minted) => prop_assert!(sound && minted.secret.expose() == token),
            Err(error) => prop_assert!(!sound, "{}", error),
        }
    }

    /// An answer that arrives in part, or with a field of another type, is repeated in no message.
    #[test]
    fn a_token_in_a_broken_answer_does_not_show(
        token in "ghs_[A-Za-z0-9]{36}", cut in any::<prop::sample::Index>(), field in 0..4usize, wrong in any_json(),
    ) {
        // In GitHub's own order, which a `Value` would not keep.
        let fields = [("expires_at", json!("2030-01-01T00:00:00Z")), ("permissions", json!({})), ("repositories", json!([]))];
        let written = |wrong: Option<&Value>| {
            let mut text = format!("{{\"token\":\"{token}\"");
            for (index, (name, right)) in fields.iter().enumerate() {
                let value = wrong.filter(|_| index + 1 == field).unwrap_or(right);
                text.push_str(&format!(",\"{name}\":{value}"));
            }
            text + "}"
        };
        let whole = written(None);
        let cut = cut.index(whole.len());
        for text in [&whole[..cut], &written(Some(&wrong))] {
            let answer = Answer { status: 201, headers: Vec::new(), body: text.as_bytes().to_vec() };
            if let Err(error) = invariants::mint(vec![answer]) {
                let report = error.report();
                for start in 0..token.len() - 8 {
                    prop_assert!(!report.contains(&token[start..start + 8]), "{}", report);
                }
            }
        }
    }

    #[test]
    fn a_revocation_says_what_became_of_it(answers in prop::collection::vec(any_answer(), 1..5)) {
        let last = answers.first().map(|answer| answer.status);
        match invariants::revoke(answers) {
            Ok(Revoked::Now) => {}
            Ok(Revoked::Before) => {}
            Err(_) => prop_assert_ne!(last, Some(204)),
        }
    }
}

/// XML as STS sends it, and what is almost that.
fn xml() -> impl Strategy<Value = Vec<u8>> {
    let piece = select(vec![
        "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">",
        "</AssumeRoleWithWebIdentityResponse>",
        "<AssumeRoleWithWebIdentityResult>",
        "</AssumeRoleWithWebIdentityResult>",
        "<Credentials>",
        "</Credentials>",
        "<AccessKeyId>",
        "</AccessKeyId>",
        "<SecretAccessKey>",
        "</SecretAccessKey>",
        "<SessionToken>",
        "</SessionToken>",
        "<Expiration>2030-01-01T00:00:00Z</Expiration>",
        "<ErrorResponse>",
        "<Error>",
        "<Code>AccessDenied</Code>",
        "<Message>",
        "</Message>",
        "&amp;",
        "&#x41;",
        "&#xFFFFFFFF;",
        "&lt",
        "<!-- x -->",
        "<![CDATA[",
        "]]>",
        "<?xml version=\"1.0\"?>",
        "<!DOCTYPE a [<!ENTITY b \"c\">]>",
        "ASIA1",
        "secret/key+1",
        " ",
        "\n",
        "<",
        ">",
        "/>",
        "&",
        "\u{e9}",
    ]);
    let text = |name: &'static str, value: String| format!("<{name}>{value}</{name}>");
    prop_oneof![
        prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat().into_bytes()),
        ("[A-Z0-9]{4,20}", nearly("[A-Za-z0-9/+]{16,40}"), nearly("[A-Za-z0-9/+=]{16,80}"), nearly("20[34][0-9]-01-0[1-9]T00:00:00Z")).prop_map(
            move |(id, key, token, end)| {
                let fields = text("AccessKeyId", id) + &text("SecretAccessKey", key) + &text("SessionToken", token) + &text("Expiration", end);
                let whole = format!(
                    "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>{fields}</Credentials>\
                     </AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
                );
                whole.into_bytes()
            },
        ),
        any::<Vec<u8>>(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_sts_says_is_taken_or_told(
        body in xml(), status in select(vec![200u16, 200, 200, 400, 403, 500]), more in prop::collection::vec(any_answer(), 0..3),
    ) {
        let first = Answer { status, headers: Vec::new(), body };
        invariants::role([first].into_iter().chain(more).collect());
    }

    #[test]
    fn whatever_oidc_says_is_taken_or_told(answers in prop::collection::vec(any_answer(), 1..4)) {
        invariants::role(answers);
    }

    #[test]
    fn whatever_a_config_file_holds_is_taken_or_told(
        text in nearly("((\\[(profile )?(a|b|default)\\]|[#;] x|  s3 =|(role_arn|source_profile|region|aws_access_key_id|aws_secret_access_key|credential_source|sso_session) ?= ?(a|b|arn:aws:iam::123456789012:role/x|Environment|AKIA1|secretsecret))\r?\n){0,10}"),
        profile in select(vec!["a", "b", "default", " ", "no such"]),
    ) {
        invariants::config(&text, profile);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_answer_arrives_whole_however_it_is_framed_and_cut(
        body in prop::collection::vec(any::<u8>(), 0..300),
        chunks in prop::option::of(prop::collection::vec(1usize..40, 0..12)),
        extension in "(;[a-z]{1,5}(=[a-z]{1,5})?)?",
        interim in any::<bool>(),
        cuts in prop::collection::vec(any::<usize>(), 0..12),
    ) {
        let mut bytes = if interim { b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n".to_vec() } else { Vec::new() };
        bytes.extend(b"HTTP/1.1 200 OK\r\nX-One: two\r\n");
        match &chunks {
            None => {
                bytes.extend(format!("content-length: {}\r\n\r\n", body.len()).bytes());
                bytes.extend(&body);
            }
            Some(sizes) => {
                bytes.extend(b"Transfer-Encoding: Chunked\r\n\r\n");
                let mut rest = &body[..];
                for size in sizes.iter().chain([&usize::MAX]) {
                    let (chunk, after) = rest.split_at(rest.len().min(*size));
                    if !chunk.is_empty() {
                        bytes.extend(format!("{:X}{extension}\r\n", chunk.len()).bytes());
                        bytes.extend(chunk);
                        bytes.extend(b"\r\n");
                    }
                    rest = after;
                }
                bytes.extend(b"0\r\n\r\n");
            }
        }
        let expected = invariants::Read::Whole(200, vec![
            ("x-one".to_owned(), "two".to_owned()),
            match chunks {
                None => ("content-length".to_owned(), body.len().to_string()),
                Some(_) => ("transfer-encoding".to_owned(), "Chunked".to_owned()),
            },
        ], body, true);
        prop_assert_eq!(invariants::read(&bytes, &cuts, false), expected);
        // Without its last byte it is no answer, ended or not.
        prop_assert_eq!(invariants::read(&bytes[..bytes.len() - 1], &cuts, true), invariants::Read::Half);
    }

    #[test]
    fn anything_is_an_answer_or_none(
        pieces in prop::collection::vec(prop_oneof![
            select(vec![
                "HTTP/1.1 200 OK\r\n", "HTTP/1.0 200 \r\n", "HTTP/1.1 204 \r\n", "HTTP/1.1 100 \r\n\r\n", "content-length: 3\r\n",
                "content-length: 4\r\n", "content-length: +3\r\n", "content-length: 99999999999999999999\r\n", "content-length: 1048577\r\n",
                "transfer-encoding: chunked\r\n", "transfer-encoding: gzip, chunked\r\n", "connection: close\r\n", "\r\n", "abc", "3\r\nabc\r\n",
                "0\r\n\r\n", "0\r\nx: y\r\n\r\n", "fffffffffffffff\r\n", "100001\r\n", "g\r\n", "3;x=y\r\nabc\r\n", "\n", "x: y\r\n z\r\n",
            ]).prop_map(|text| text.as_bytes().to_vec()),
            prop::collection::vec(any::<u8>(), 0..6),
        ], 0..10),
        cuts in prop::collection::vec(any::<usize>(), 0..12),
    ) {
        invariants::wire(&pieces.concat(), &cuts);
    }
}

#[test]
fn no_part_of_an_answer_is_read_without_end() {
    for start in [
        "",
        "HTTP/1.1 200 OK\r\nx: ",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;x=",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx: ",
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 1048577\r\n\r\n",
    ] {
        let bytes = [start.as_bytes(), &[b'x'; 2 << 20]].concat();
        let cuts: Vec<usize> = (0..32).map(|n| n << 16).collect();
        let read = invariants::read(&bytes, &cuts, false);
        assert!(matches!(read, invariants::Read::Refused(_)), "{start:?}");
    }
}

#[test]
fn a_list_is_limited_by_its_length_alone() {
    for count in [1, 499, 500, 501] {
        let list: Vec<String> = (0..count).map(|n| format!("repo-{n}")).collect();
        let wanted = Wanted {
            owner: "o",
            repositories: &list.join("\n"),
            ..Wanted::default()
        };
        assert_eq!(
            app_token::scope::Target::from_wanted(&wanted).is_ok(),
            count <= 500
        );
        invariants::scope(&wanted);
    }
}
