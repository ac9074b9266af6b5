//! Several KMS keys, in order of preference: the next takes over when one's region fails or is slow.
//!
//! A key gets three seconds before the next is asked beside it, and the first answer wins. A key that
//! fails is followed by the next at once. Nothing of this is silent: each key that did not sign is named
//! in a warning, with the cause.

use super::access_key::Credentials;
use super::endpoint::Service;
use super::kms::{self, Signature, SigningKey};
use super::kms_key::KmsKeyId;
use super::region::Region;
use crate::error::{Error, Result, problem};
use crate::host::Env;
use crate::http::client::{Client, HEDGE, Limits};
use futures_util::future::{Either, LocalBoxFuture, select};
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::iter::Peekable;
use std::slice::Iter;

/// The keys that may sign.
#[derive(Clone, Debug)]
pub struct KeyRing(Vec<SigningKey>);

/// What was signed, and by which key.
#[derive(Clone, Debug)]
pub struct Signed {
    /// KMS's answer.
    pub signature: Signature,
    /// The key.
    pub key: SigningKey,
}

impl KeyRing {
    /// Finds region and endpoint of each key.
    ///
    /// # Errors
    /// [`problem::REGION_MISSING`] and [`problem::ENDPOINT_INVALID`].
    pub fn new(keys: Vec<KmsKeyId>, configured: Option<&Region>, env: &dyn Env) -> Result<Self> {
        let locate = |id: KmsKeyId| {
            let region = id.region().or(configured).cloned();
            let region =
                region.ok_or_else(|| Error::new(&problem::REGION_MISSING, id.to_string()))?;
            let endpoint = Service::Kms.endpoint(&region, env)?;
            Ok(SigningKey {
                id,
                region,
                endpoint,
            })
        };
        keys.into_iter()
            .map(locate)
            .collect::<Result<_>>()
            .map(Self)
    }

    /// The keys, in order of preference.
    pub fn keys(&self) -> &[SigningKey] {
        &self.0
    }

    /// Has one of the keys sign.
    ///
    /// # Errors
    /// The key's own where there is one key; [`problem::KMS_ALL_KEYS_FAILED`] with each key's where there
    /// are several.
    pub async fn sign(
        &self,
        client: &Client,
        credentials: &Credentials,
        message: &str,
    ) -> Result<Signed> {
        match &self.0[..] {
            [key] => {
                let (key, signature) = ask(client, credentials, message, key, false).await;
                Ok(Signed {
                    signature: signature?,
                    key: key.clone(),
                })
            }
            _ => Box::pin(self.race(client, credentials, message)).await,
        }
    }

    /// Asks the keys in turn, and beside each other where one is slow.
    async fn race<'a>(
        &'a self,
        client: &'a Client,
        credentials: &'a Credentials,
        message: &'a str,
    ) -> Result<Signed> {
        let mut waiting = self.0.iter().peekable();
        let next = |waiting: &mut Peekable<Iter<'a, SigningKey>>| {
            let key = waiting.next()?;
            let more = waiting.peek().is_some();
            Some(ask(client, credentials, message, key, more))
        };
        let mut running = FuturesUnordered::new();
        let mut failures: Vec<(&SigningKey, Error)> = Vec::new();
        running.extend(next(&mut waiting));
        loop {
            if running.is_empty() {
                return Err(self.verdict(failures));
            }
            let answer = match waiting.peek() {
                // Nobody else to ask: wait for whoever was asked.
                None => running.next().await,
                Some(key) => {
                    let patience = client.host.clock.sleep(HEDGE);
                    match select(running.next(), patience).await {
                        Either::Left((answer, _)) => answer,
                        Either::Right(_) => {
                            client.host.log.warning(&format!(
                                "KMS has not answered for {} s; {} is asked as well.",
                                HEDGE.as_secs(),
                                key.describe(),
                            ));
                            running.extend(next(&mut waiting));
                            continue;
                        }
                    }
                }
            };
            match answer {
                Some((key, Ok(signature))) => {
                    return Ok(Signed {
                        signature,
                        key: key.clone(),
                    });
                }
                Some((key, Err(error))) => {
                    client
                        .host
                        .log
                        .warning(&format!("{} could not sign: {error}", key.describe()));
                    failures.push((key, error));
                    running.extend(next(&mut waiting));
                }
                None => {}
            }
        }
    }

    fn verdict(&self, failures: Vec<(&SigningKey, Error)>) -> Error {
        let preference = |key: &SigningKey| self.0.iter().position(|one| std::ptr::eq(one, key));
        let mut failures: Vec<_> = failures
            .into_iter()
            .map(|(key, error)| (preference(key), error))
            .collect();
        failures.sort_by_key(|(place, _)| *place);
        let mut errors = failures.into_iter().map(|(_, error)| error);
        match (errors.next(), errors.len()) {
            (Some(only), 0) => only,
            (Some(first), _) => {
                let advice = format!("The first key: {}", first.hint());
                let causes = [first]
                    .into_iter()
                    .chain(errors)
                    .map(|error| error.to_string())
                    .collect();
                Error {
                    causes,
                    ..Error::new(&problem::KMS_ALL_KEYS_FAILED, "").advise(advice)
                }
            }
            (None, _) => Error::new(&problem::KMS_KEY_ID_MISSING, ""),
        }
    }
}

/// Asks one key. Where another stands behind it that one is the second try; the last is tried in full.
fn ask<'a>(
    client: &'a Client,
    credentials: &'a Credentials,
    message: &'a str,
    key: &'a SigningKey,
    more: bool,
) -> LocalBoxFuture<'a, (&'a SigningKey, Result<Signature>)> {
    let limits = if more {
        Limits::MINT.tries(1).per_try(Limits::MINT.per_call)
    } else {
        Limits::MINT
    };
    Box::pin(async move {
        (
            key,
            kms::sign(client, credentials, key, message, limits).await,
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Response;
    use crate::secret::Secret;
    use crate::testing::{Script, block_on, broken, env, response};
    use base64ct::{Base64, Encoding};
    use std::time::Duration;

    const KEYS: &str =
        "arn:aws:kms:eu-central-1:123456789012:alias/a, arn:aws:kms:eu-west-1:123456789012:alias/a";

    fn good() -> Response {
        let signature = Base64::encode_string(&[7; 256]);
        response(
            200,
            &format!(r#"{{"KeyId":"k","Signature":"{signature}"}}"#),
        )
    }

    fn denied() -> Response {
        response(400, r#"{"__type":"AccessDeniedException","message":"no"}"#)
    }

    fn run(script: &Script, keys: &str) -> Result<Signed> {
        let region = Region::parse("us-east-1").unwrap();
        let ring = KeyRing::new(
            KmsKeyId::parse_list(keys).unwrap(),
            Some(&region),
            &env(&[]),
        )
        .unwrap();
        let credentials = Credentials {
            access_key_id: "AKIA".into(),
            secret_access_key: Secret::from("secret"),
            session_token: None,
            expires: None,
        };
        let client = Client::new(script.host()).unwrap();
        block_on(ring.sign(&client, &credentials, "m"))
    }

    #[test]
    fn the_first_key_signs_and_nobody_else_is_asked() {
        let script = Script::new([Ok(good())]);
        assert_eq!(
            run(&script, KEYS).unwrap().key.region.as_str(),
            "eu-central-1"
        );
        assert!(script.log().warnings().is_empty());
    }

    #[test]
    fn a_key_that_fails_is_followed_by_the_next_at_once_and_named() {
        for failure in [broken("ECONNREFUSED"), Ok(denied()), Ok(response(503, ""))] {
            let script = Script::new([failure, Ok(good())]);
            assert_eq!(run(&script, KEYS).unwrap().key.region.as_str(), "eu-west-1");
            assert_eq!(script.elapsed(), Duration::ZERO);
            let warnings = script.log().warnings();
            assert!(
                warnings[0]
                    .starts_with("arn:aws:kms:eu-central-1:123456789012:alias/a could not sign: "),
                "{warnings:?}"
            );
        }
    }

    #[test]
    fn one_key_alone_keeps_its_own_error_and_its_retries() {
        let script = Script::new([Ok(denied())]);
        assert!(
            run(&script, "alias/a")
                .unwrap_err()
                .is(&problem::KMS_ACCESS_DENIED)
        );
        assert!(script.log().warnings().is_empty());
        let script = Script::new([broken("x"), Ok(good())]);
        assert!(run(&script, "alias/a").is_ok());
    }

    #[test]
    fn when_all_fail_each_is_told_in_the_order_of_preference() {
        let script = Script::new([
            Ok(denied()),
            Ok(response(400, r#"{"__type":"NotFoundException"}"#)),
        ]);
        let error = run(&script, KEYS).unwrap_err();
        assert!(error.is(&problem::KMS_ALL_KEYS_FAILED));
        assert!(error.causes[0].starts_with("KMS denied kms:Sign on the key"));
        assert!(error.causes[1].starts_with("KMS knows no such key"));
        assert!(error.hint().starts_with("The first key: Allow kms:Sign"));
    }

    #[test]
    fn a_key_without_a_region_is_an_error_before_any_call() {
        let error =
            KeyRing::new(KmsKeyId::parse_list("alias/a").unwrap(), None, &env(&[])).unwrap_err();
        assert!(error.is(&problem::REGION_MISSING));
    }
}
