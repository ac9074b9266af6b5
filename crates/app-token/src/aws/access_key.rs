//! An access key: what signs a request to AWS. [`credentials`](super::credentials) has the places that
//! it can come from.

use crate::clock::UnixTime;
use crate::host::Log;
use crate::http::Response;
use crate::http::client::Client;
use crate::secret::Secret;
use std::fmt;

/// What signs a request to AWS.
#[derive(Clone)]
pub struct Credentials {
    /// Not secret by itself; it names the credentials.
    pub access_key_id: String,
    /// The secret.
    pub secret_access_key: Secret,
    /// Temporary credentials have one.
    pub session_token: Option<Secret>,
    /// When they end, where that is known.
    pub expires: Option<UnixTime>,
}

impl Credentials {
    /// Masks what is secret of them.
    pub(super) fn mask(&self, log: &dyn Log) {
        log.mask(self.secret_access_key.expose());
        if let Some(token) = &self.session_token {
            log.mask(token.expose());
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({})", self.access_key_id)
    }
}

/// Temporary credentials as a service gave them, not looked at yet.
pub(super) struct Parts {
    pub(super) access_key_id: Option<String>,
    pub(super) secret_access_key: Option<Secret>,
    pub(super) session_token: Option<Secret>,
    pub(super) expiration: Option<String>,
}

impl Parts {
    /// The credentials, if they are whole, fit into headers and have not ended. They are masked first,
    /// whatever is wrong with them. Whether they have ended is judged by the server's own clock, since
    /// this machine's may be off.
    ///
    /// # Errors
    /// Says which part is at fault, without its value.
    pub(super) fn checked(
        self,
        client: &Client,
        response: &Response,
    ) -> Result<Credentials, String> {
        let log = &client.host.log;
        for secret in [&self.secret_access_key, &self.session_token]
            .into_iter()
            .flatten()
        {
            log.mask(secret.expose());
        }
        let sound = |name: &str, text: &str| match is_sound(text) {
            true => Ok(()),
            false => Err(format!("its {name} is malformed")),
        };
        let (Some(id), Some(secret), Some(token), Some(expiration)) = (
            self.access_key_id,
            self.secret_access_key,
            self.session_token,
            self.expiration,
        ) else {
            return Err("it lacks a part of the credentials".to_owned());
        };
        sound("access key id", &id)?;
        sound("secret access key", secret.expose())?;
        sound("session token", token.expose())?;
        let expires = UnixTime::from_rfc3339(&expiration)
            .ok_or_else(|| "its time of expiry is malformed".to_owned())?;
        let now = response.date().unwrap_or_else(|| client.host.clock.now());
        if expires <= now {
            return Err(format!("its credentials ended at {expires}"));
        }
        Ok(Credentials {
            access_key_id: id,
            secret_access_key: secret,
            session_token: Some(token),
            expires: Some(expires),
        })
    }
}

/// Whether a part of credentials fits into a header, and is there at all.
pub(super) fn is_sound(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic())
}
