//! Properties of what the action prints and writes: the runner reads back what was meant, and nothing
//! else; and whatever the servers say, main and post end as a step should, without a secret in sight.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed check is to stop the test"
)]

mod invariants;

use invariants::Answer;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[ -~\r\n\t]{0,60}",
        "([ \t]{0,2}(::|##\\[|%0A|%25|%3A|%|error|add-mask|\\]|=|<<|delimiter_|\r|\n|x|\u{2028}|\u{85}|\u{b}|\u{feff})){0,10}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_command_arrives_as_it_was_meant_and_alone(title in text(), message in text()) {
        invariants::commands(&title, &message);
    }

    #[test]
    fn what_is_masked_is_gone_and_the_runner_knows_it(secret in text(), around in text()) {
        invariants::masks(&secret, &around);
    }

    #[test]
    fn what_is_written_is_read_back_by_the_runner_s_rules(
        entries in prop::collection::vec(("[a-z-]{1,12}", text()), 0..5),
    ) {
        invariants::files(&entries);
    }
}

/// A body like one that a server of this kind sends: often sound, often almost.
fn body(sound: Value) -> impl Strategy<Value = Vec<u8>> {
    let wrong = prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        text().prop_map(Value::from),
        Just(json!({})),
        Just(json!([[]])),
    ];
    let names: Vec<String> = sound
        .as_object()
        .map(|fields| fields.keys().cloned().collect())
        .unwrap_or_default();
    let whole = sound.to_string();
    let cut = whole.clone();
    prop_oneof![
        4 => Just(whole.into_bytes()),
        2 => (select(names), wrong).prop_map(move |(name, wrong)| {
            let mut body = sound.clone();
            body[name] = wrong;
            body.to_string().into_bytes()
        }),
        1 => any::<prop::sample::Index>().prop_map(move |at| cut.as_bytes()[..at.index(cut.len())].to_vec()),
        1 => text().prop_map(|message| json!({ "message": message, "__type": "ThrottlingException" }).to_string().into_bytes()),
        1 => any::<Vec<u8>>(),
    ]
}

fn answer(good: u16, sound: Value) -> impl Strategy<Value = Answer> {
    let status = prop_oneof![
        6 => Just(good),
        1 => select(vec![200u16, 201, 204, 301, 400, 401, 403, 404, 422, 429, 500, 502, 503]),
    ];
    let header = prop_oneof![
        ("retry-after", "[0-9]{1,20}"),
        ("date", "Sun, 06 Nov [0-9]{4} 08:49:37 GMT"),
        ("location", "/[a-z]{0,8}"),
        ("content-type", "[ -~]{0,20}"),
        ("x-amzn-requestid", "[ -~]{0,20}"),
    ]
    .prop_map(|(name, value)| (name.to_owned(), value));
    (status, prop::collection::vec(header, 0..3), body(sound)).prop_map(
        |(status, headers, body)| Answer {
            status,
            headers,
            body,
        },
    )
}

fn signature() -> Value {
    json!({
        "KeyId": "arn:aws:kms:us-east-1:123456789012:key/1",
        "Signature": invariants::signature(),
        "SigningAlgorithm": "RSASSA_PKCS1_V1_5_SHA_256",
    })
}

fn installation() -> Value {
    json!({
        "id": 10001, "app_slug": "my-app", "account": {"login": "my-org"},
        "permissions": {"contents": "read"}, "suspended_at": null,
    })
}

fn minted() -> Value {
    json!({
        "token": invariants::TOKEN, "expires_at": "2030-01-01T00:00:00Z",
        "permissions": {"contents": "read"}, "repositories": [{"name": "repo-a"}],
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn main_and_post_end_as_steps_should_whatever_the_servers_say(
        kms in answer(200, signature()),
        look_up in answer(200, installation()),
        mint in answer(201, minted()),
        more in prop::collection::vec(answer(201, minted()), 0..3),
        end in prop::collection::vec(answer(204, json!({"message": "Bad credentials"})), 1..4),
    ) {
        let answers = [kms, look_up, mint].into_iter().chain(more).collect();
        invariants::life(answers, end);
    }

    #[test]
    fn any_input_is_taken_or_refused_by_its_name(
        name in select(app_token_action::inputs::INPUTS.to_vec()), value in text(),
    ) {
        invariants::input(name, &value);
    }
}
