//! JSON Web Tokens ([RFC 7519](https://www.rfc-editor.org/rfc/rfc7519)): an App's, as GitHub judges
//! them with GitHub's words, and the runner's ID tokens.

use serde_json::{Value, json};

use crate::codec::{base64url, base64url_decode};
use crate::keys::{PrivateKey, PublicKey};
use crate::world::App;

/// How far ahead of GitHub's clock `exp` may be, in seconds.
const MAX_AHEAD: i64 = 600;

/// A token taken apart, its signature not yet verified.
pub(crate) struct Parts<'a> {
    pub(crate) header: Value,
    pub(crate) claims: Value,
    signed: &'a str,
    signature: Vec<u8>,
}

impl<'a> Parts<'a> {
    /// `None` unless there are three parts of base64url without padding, the first two JSON objects.
    pub(crate) fn parse(token: &'a str) -> Option<Self> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let object = |part: &str| -> Option<Value> {
            let value: Value = serde_json::from_slice(&base64url_decode(part)?).ok()?;
            value.is_object().then_some(value)
        };
        Some(Self {
            header: object(header)?,
            claims: object(claims)?,
            signed,
            signature: base64url_decode(signature)?,
        })
    }

    /// Does the signature fit, and does the header say RS256?
    pub(crate) fn is_signed_by(&self, key: &PublicKey) -> bool {
        self.header["alg"] == "RS256" && key.verify(self.signed.as_bytes(), &self.signature)
    }
}

/// Signs claims with RS256.
pub(crate) fn issue(header: &Value, claims: &Value, key: &PrivateKey) -> String {
    let signed = format!(
        "{}.{}",
        base64url(header.to_string().as_bytes()),
        base64url(claims.to_string().as_bytes())
    );
    let signature = key.sign(signed.as_bytes());
    format!("{signed}.{}", base64url(&signature))
}

/// Why GitHub does not take a JWT: status and message.
pub(crate) type Refusal = (u16, &'static str);

pub(crate) const UNDECODABLE: Refusal = (401, "A JSON web token could not be decoded");

/// Judges an App's JWT at the time `now` of GitHub's clock.
pub(crate) fn judge<'a>(
    token: &str,
    now: i64,
    integer_issuer: bool,
    apps: &'a [App],
) -> Result<&'a App, Refusal> {
    let parts = Parts::parse(token).ok_or(UNDECODABLE)?;
    let claims = &parts.claims;
    let app = match &claims["iss"] {
        Value::Null => return Err((401, "Missing 'issuer' claim ('iss') in assertion")),
        Value::Number(id) => apps.iter().find(|app| Some(app.id) == id.as_u64()),
        _ if integer_issuer => return Err((401, "'Issuer' claim ('iss') must be an Integer")),
        Value::String(id) => apps
            .iter()
            .find(|app| app.client_id == *id || app.id.to_string() == *id),
        _ => None,
    };
    let app = app.ok_or((404, "Integration not found"))?;
    if !app.public_keys.iter().any(|key| parts.is_signed_by(key)) {
        return Err(UNDECODABLE);
    }

    let issued = match &claims["iat"] {
        Value::Null => return Err((401, "Missing 'issued at' claim ('iat') in assertion")),
        other => other.as_i64(),
    };
    if issued.is_none_or(|time| time > now) {
        return Err((
            401,
            "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued",
        ));
    }
    let expires = match &claims["exp"] {
        Value::Null => return Err((401, "Missing 'expiration time' claim ('exp') in assertion")),
        other => other.as_f64(),
    };
    let Some(expires) = expires.filter(|time| *time > now as f64) else {
        return Err((
            401,
            "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the \
             assertion expires",
        ));
    };
    if expires > (now + MAX_AHEAD) as f64 {
        return Err((
            401,
            "'Expiration time' claim ('exp') is too far in the future",
        ));
    }
    Ok(app)
}

/// The header of a plain RS256 token.
pub(crate) fn rs256() -> Value {
    json!({"alg": "RS256", "typ": "JWT"})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{RFC_7515, RFC_7520};
    use crate::world::{APP_ID, CLIENT_ID, World};

    const NOW: i64 = 1_800_000_000;

    fn verdict(claims: Value) -> Result<u64, Refusal> {
        let key = PrivateKey::published(&RFC_7515);
        judged(&issue(&rs256(), &claims, &key))
    }

    fn judged(token: &str) -> Result<u64, Refusal> {
        judge(token, NOW, false, &World::default().apps).map(|app| app.id)
    }

    fn claims(iss: Value, iat: i64, exp: i64) -> Value {
        json!({"iss": iss, "iat": NOW + iat, "exp": NOW + exp})
    }

    #[test]
    fn the_app_is_found_by_id_and_by_client_id() {
        for issuer in [json!(CLIENT_ID), json!(APP_ID), json!(APP_ID.to_string())] {
            assert_eq!(verdict(claims(issuer, -60, 540)), Ok(APP_ID));
        }
        assert_eq!(
            verdict(claims(json!("Iv23nobody"), -60, 540)),
            Err((404, "Integration not found"))
        );
    }

    #[test]
    fn times_are_judged_to_the_second() {
        let issuer = || json!(CLIENT_ID);
        assert!(verdict(claims(issuer(), 0, 600)).is_ok());
        assert!(verdict(claims(issuer(), -86_400, 1)).is_ok());
        let message = |claims| verdict(claims).unwrap_err().1;
        assert!(message(claims(issuer(), 1, 540)).starts_with("'Issued at' claim"));
        assert!(message(claims(issuer(), -60, 601)).ends_with("is too far in the future"));
        assert!(message(claims(issuer(), -700, 0)).ends_with("at which the assertion expires"));
    }

    #[test]
    fn claims_of_the_wrong_kind_or_absent_are_refused() {
        let message = |claims: Value| verdict(claims).unwrap_err().1;
        let good = claims(json!(CLIENT_ID), -60, 540);
        let with = |name: &str, value: Value| {
            let mut claims = good.clone();
            claims[name] = value;
            claims
        };
        assert!(message(with("iat", json!(NOW as f64 - 60.5))).starts_with("'Issued at'"));
        assert!(message(with("iat", json!("1"))).starts_with("'Issued at'"));
        assert!(
            message(with("exp", json!("9")))
                .starts_with("'Expiration time' claim ('exp') must be a numeric")
        );
        assert!(message(with("iss", Value::Null)).starts_with("Missing 'issuer'"));
        assert!(message(with("iat", Value::Null)).starts_with("Missing 'issued at'"));
        assert!(message(with("exp", Value::Null)).starts_with("Missing 'expiration time'"));
    }

    #[test]
    fn signatures_of_others_and_broken_tokens_are_undecodable() {
        let good = claims(json!(CLIENT_ID), -60, 540);
        let other = PrivateKey::published(&RFC_7520);
        let own = PrivateKey::published(&RFC_7515);
        assert_eq!(judged(&issue(&rs256(), &good, &other)), Err(UNDECODABLE));
        assert_eq!(
            judged(&issue(&json!({"alg": "none"}), &good, &own)),
            Err(UNDECODABLE)
        );
        let token = issue(&rs256(), &good, &own);
        assert_eq!(judged(&token), Ok(APP_ID));
        for broken in [
            String::new(),
            "a.b".into(),
            "a.b.c".into(),
            format!("{token}="),
            token.replace('.', ".."),
        ] {
            assert_eq!(judged(&broken), Err(UNDECODABLE), "{broken}");
        }
    }

    #[test]
    fn an_old_server_demands_an_integer_issuer() {
        let key = PrivateKey::published(&RFC_7515);
        let token = |issuer: Value| issue(&rs256(), &claims(issuer, -60, 540), &key);
        let apps = World::default().apps;
        assert!(judge(&token(json!(APP_ID)), NOW, true, &apps).is_ok());
        let refused = judge(&token(json!(APP_ID.to_string())), NOW, true, &apps);
        assert_eq!(
            refused.map(|app| app.id),
            Err((401, "'Issuer' claim ('iss') must be an Integer"))
        );
    }
}
