//! An access key: what signs a request to AWS. [`credentials`](super::credentials) has the places that
//! it can come from.

use crate::clock::UnixTime;
use crate::host::Log;
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
