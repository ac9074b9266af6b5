//! The App's JSON Web Token (RFC 7519), signed elsewhere.
//!
//! RS256 over `base64url(header).base64url(claims)`. The signature comes from KMS
//! ([`keyring`](crate::aws::keyring)), which never sees more than the text to sign.

use crate::clock::UnixTime;
use crate::error::{Error, Result, problem, words};
use crate::secret::{Secret, misplaced_key};
use base64ct::{Base64UrlUnpadded, Encoding};
use std::fmt;

/// How far in the past `iat` lies, in seconds: GitHub's own advice against clocks that run fast.
const BACKDATED: i64 = 60;

/// How far in the future `exp` lies, in seconds. GitHub refuses more than 600 after its own clock, so
/// 600 fails for every machine whose clock runs fast by a second.
const LIFETIME: i64 = 540;

/// The client ID or the app ID of a GitHub App.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppId(String);

impl AppId {
    /// Reads an id: letters, digits, dots, hyphens and underscores.
    ///
    /// # Errors
    /// [`problem::APP_ID_INVALID`].
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        if (1..=100).contains(&text.len()) && text.bytes().all(fits) {
            return Ok(Self(text.to_owned()));
        }
        // A long text is likely a key that was put here by mistake: it is not repeated.
        let misplaced = misplaced_key(text);
        let detail = if text.len() > 40 || misplaced.is_some() {
            format!("{} bytes", text.len())
        } else {
            format!("{:?}", words(text))
        };
        let error = Error::new(&problem::APP_ID_INVALID, detail);
        Err(match misplaced {
            Some(advice) => error.advise(advice),
            None => error,
        })
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is an app ID; a client ID starts with letters.
    pub fn is_number(&self) -> bool {
        self.0.bytes().all(|b| b.is_ascii_digit())
    }
}

impl fmt::Display for AppId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How `iss` is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IssuerForm {
    /// As a string, as RFC 7519 has it and GitHub takes it.
    #[default]
    String,
    /// As a number, which some versions of GitHub Enterprise Server insist on.
    Number,
}

/// What is signed: the first two parts of the token.
pub fn signing_input(app: &AppId, now: UnixTime, form: IssuerForm) -> String {
    let issuer = match form {
        IssuerForm::Number if app.is_number() => app.0.clone(),
        _ => format!("\"{app}\""),
    };
    let claims = format!(
        r#"{{"iat":{},"exp":{},"iss":{issuer}}}"#,
        now.plus(-BACKDATED).seconds(),
        now.plus(LIFETIME).seconds(),
    );
    let encode = |text: &str| Base64UrlUnpadded::encode_string(text.as_bytes());
    format!(
        "{}.{}",
        encode(r#"{"alg":"RS256","typ":"JWT"}"#),
        encode(&claims)
    )
}

/// The whole token.
pub fn assemble(signing_input: &str, signature: &[u8]) -> Secret {
    Secret::new(format!(
        "{signing_input}.{}",
        Base64UrlUnpadded::encode_string(signature)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(input: &str) -> Vec<String> {
        let decode =
            |part| String::from_utf8(Base64UrlUnpadded::decode_vec(part).unwrap()).unwrap();
        input.split('.').map(decode).collect()
    }

    #[test]
    fn claims_leave_a_minute_on_both_sides() {
        let app = AppId::parse(" 123456 ").unwrap();
        let now = UnixTime::from_seconds(1_700_000_000);
        let input = signing_input(&app, now, IssuerForm::String);
        assert_eq!(
            parts(&input),
            [
                r#"{"alg":"RS256","typ":"JWT"}"#,
                r#"{"iat":1699999940,"exp":1700000540,"iss":"123456"}"#
            ]
        );
        assert!(!input.contains('='));
        assert!(
            parts(&signing_input(&app, now, IssuerForm::Number))[1].ends_with(r#""iss":123456}"#)
        );
    }

    #[test]
    fn a_client_id_is_never_a_number() {
        let app = AppId::parse("Iv23liAbCdEf").unwrap();
        let input = signing_input(&app, UnixTime::default(), IssuerForm::Number);
        assert!(parts(&input)[1].ends_with(r#""iss":"Iv23liAbCdEf"}"#));
    }

    #[test]
    fn the_signature_is_appended_without_padding() {
        assert_eq!(assemble("a.b", &[0xff, 0xfe]).expose(), "a.b.__4");
    }

    #[test]
    fn ids_that_would_break_the_claims_are_refused() {
        for text in ["", "a\"b", "a b", "a\nb", "é", &"1".repeat(101)] {
            assert!(AppId::parse(text).unwrap_err().is(&problem::APP_ID_INVALID));
        }
        let error = AppId::parse("-----BEGIN RSA PRIVATE KEY-----\nMIIE").unwrap_err();
        assert!(!error.report().contains("MIIE"));
    }
}
