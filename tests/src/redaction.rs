//! No secret may turn up where it does not belong: not by itself, and not in any of the forms in which
//! programs write things by accident.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Shorter values would be found by chance.
const SHORTEST: usize = 4;

/// The secret's name and the form in which it stands in `text`, if it does.
pub fn find<'a>(text: &str, secrets: &'a [(String, String)]) -> Option<(&'a str, &'static str)> {
    secrets
        .iter()
        .filter(|(_, value)| value.len() >= SHORTEST)
        .find_map(|(name, value)| {
            forms(value)
                .into_iter()
                .find(|(_, form)| text.contains(form.as_str()))
                .map(|(how, _)| (name.as_str(), how))
        })
}

/// A secret as it is, and as it looks inside something that was encoded.
fn forms(secret: &str) -> Vec<(&'static str, String)> {
    let mut forms = vec![
        ("as it is", secret.to_owned()),
        ("as it is", secret.chars().rev().collect()),
        ("in hexadecimal", hex(secret)),
        ("percent-encoded", percent(secret, true)),
        ("percent-encoded", percent(secret, false)),
        (
            "in JSON",
            serde_json::Value::from(secret)
                .to_string()
                .trim_matches('"')
                .to_owned(),
        ),
        ("in JSON", secret.replace('/', "\\/")),
    ];
    // What base64 makes of it depends on what stands before it: three places are possible.
    for before in 0..3 {
        let mut bytes = vec![0; before];
        bytes.extend(secret.bytes());
        let whole = bytes.len() / 3 * 3;
        let from = [0, 2, 3][before];
        for (how, text) in [
            ("in base64", STANDARD_NO_PAD.encode(&bytes[..whole])),
            ("in base64url", URL_SAFE_NO_PAD.encode(&bytes[..whole])),
        ] {
            let inner = text.get(from..).unwrap_or_default();
            // A few characters alone would be found by chance.
            if inner.len() >= 8 {
                forms.push((how, inner.to_owned()));
            }
        }
    }
    forms
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn percent(text: &str, upper: bool) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ if upper => format!("%{byte:02X}"),
            _ => format!("%{byte:02x}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::STANDARD;

    #[test]
    fn every_form_is_found() {
        let secret = "hunter2/and+more=";
        let secrets = [("password".to_owned(), secret.to_owned())];
        for text in [
            format!("a {secret} b"),
            STANDARD.encode(secret),
            STANDARD.encode(format!("x:{secret}")),
            STANDARD.encode(format!("me:{secret}, and more")),
            URL_SAFE_NO_PAD.encode(format!("user:{secret}")),
            "hunter2%2Fand%2Bmore%3D".into(),
            "hunter2\\/and+more=".into(),
            hex(secret),
        ] {
            assert!(find(&text, &secrets).is_some(), "{text}");
        }
        assert!(find("hunter2 and more", &secrets).is_none());
    }
}
