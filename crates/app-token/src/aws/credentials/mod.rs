//! Whose credentials sign the requests to AWS. One source is chosen by what is configured, and then
//! used; when it does not work, that is an error which names it. It never falls through to the next: a
//! job could end up signing with the machine's own role.

mod environment;

use crate::clock::UnixTime;
use crate::error::{Error, Result, problem};
use crate::http::client::Client;
use crate::http::url::Origin;
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

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({})", self.access_key_id)
    }
}

/// What the user wrote that decides about the source.
#[derive(Clone, Debug, Default)]
pub struct Wanted<'a> {
    /// `role-to-assume`.
    pub role_to_assume: &'a str,
    /// `aws-audience`.
    pub audience: &'a str,
}

/// Where credentials come from.
#[derive(Clone, Debug)]
pub enum Source {
    /// `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`.
    Environment(Credentials),
}

impl Source {
    /// Chooses the source that is configured, first to last: role-to-assume, environment, web identity
    /// file, profile, container, instance.
    ///
    /// # Errors
    /// [`problem::CREDENTIALS_INCOMPLETE`] and [`problem::CREDENTIALS_MISSING`].
    pub fn choose(client: &Client, _wanted: &Wanted<'_>) -> Result<Self> {
        if let Some(credentials) = environment::read(&*client.host.env)? {
            return Ok(Self::Environment(credentials));
        }
        Err(Error::new(&problem::CREDENTIALS_MISSING, ""))
    }

    /// Whether getting them takes a request, which leaves time to open other connections.
    pub const fn asks_the_network(&self) -> bool {
        !matches!(self, Self::Environment(_))
    }

    /// Every origin that is asked for them, and whether it is one of AWS's.
    pub fn origins(&self) -> Vec<(Origin, bool)> {
        match self {
            Self::Environment(_) => Vec::new(),
        }
    }

    /// Gets the credentials, and masks them.
    ///
    /// # Errors
    /// Whatever the source says, naming the source.
    pub async fn load(&self, client: &Client) -> Result<Credentials> {
        let credentials = match self {
            Self::Environment(credentials) => credentials.clone(),
        };
        client.host.log.mask(credentials.secret_access_key.expose());
        if let Some(token) = &credentials.session_token {
            client.host.log.mask(token.expose());
        }
        Ok(credentials)
    }
}

/// For the log: `the environment (AKIA...)`.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(_) => f.write_str("the environment"),
        }
    }
}
