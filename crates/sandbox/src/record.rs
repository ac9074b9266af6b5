//! What came in, what went out and what was given away: the recording that tests read.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::call::{Call, Service};
use crate::http::header;

/// One request and what became of it.
#[derive(Clone)]
pub struct Exchange {
    /// The service that was asked.
    pub service: Service,
    /// The kind of call.
    pub call: Call,
    /// The AWS region in the request's signature, where it has one.
    pub region: Option<String>,
    /// The number of the connection, counted over all services from 1.
    pub connection: u64,
    /// The name under which the client reached the service by way of the sandbox's proxy.
    pub through_proxy: Option<String>,
    /// The method.
    pub method: String,
    /// The path with its query, undecoded, the base path included.
    pub path: String,
    /// The request's header fields in their order.
    pub headers: Vec<(String, String)>,
    /// The request's body.
    pub body: Vec<u8>,
    /// When the whole request was there, since the sandbox's start.
    pub started: Duration,
    /// When the last byte of the answer was handed over, or the connection given up.
    pub finished: Option<Duration>,
    /// The status that was sent; `None` where no answer was, or not yet.
    pub status: Option<u16>,
    /// The header fields of the answer.
    pub answer_headers: Vec<(String, String)>,
    /// The body of the answer, as it was meant; a fault may have cut it short on its way.
    pub answer_body: Vec<u8>,
    /// The fault that hit, by [`crate::Fault::name`].
    pub fault: Option<String>,
}

impl Exchange {
    /// The first header field of the request of that name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// The first header field of the answer of that name, in any case.
    pub fn answer_header(&self, name: &str) -> Option<&str> {
        header(&self.answer_headers, name)
    }

    /// The request's body as text, damaged characters replaced.
    pub fn body_text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Without header values and bodies: they hold secrets.
impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {} {} -> ", self.call, self.method, self.path)?;
        match self.status {
            Some(status) => write!(f, "{status}")?,
            None => write!(f, "no answer")?,
        }
        match &self.fault {
            Some(fault) => write!(f, " ({fault})"),
            None => Ok(()),
        }
    }
}

/// Whether a token works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenState {
    /// It does.
    Live,
    /// It was revoked.
    Revoked,
    /// Its hour is over.
    Expired,
}

/// An installation token that was minted.
#[derive(Clone)]
pub(crate) struct Minted {
    pub(crate) value: String,
    pub(crate) installation: u64,
    pub(crate) app_id: u64,
    pub(crate) permissions: BTreeMap<String, String>,
    /// `None` for all that the installation covers.
    pub(crate) repositories: Option<Vec<u64>>,
    pub(crate) expires: i64,
    pub(crate) revoked: bool,
    pub(crate) delivered: bool,
    /// How many requests came with it, revocation left out.
    pub(crate) uses: u32,
}

/// An installation token, as [`crate::Sandbox::tokens`] shows it.
#[derive(Clone)]
pub struct Token {
    /// The token itself.
    pub value: String,
    /// The App that minted it.
    pub app_id: u64,
    /// The installation that it acts for.
    pub installation: u64,
    /// Its permissions.
    pub permissions: BTreeMap<String, String>,
    /// The ids of the repositories that it was narrowed to; `None` where it was not.
    pub repositories: Option<Vec<u64>>,
    /// Whether it works.
    pub state: TokenState,
    /// Was the answer that carries it sent whole? If not, its client may not know it.
    pub delivered: bool,
    /// How many requests came with it, revocation left out.
    pub uses: u32,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token")
            .field("value", &"***")
            .field("installation", &self.installation)
            .field("permissions", &self.permissions)
            .field("repositories", &self.repositories)
            .field("state", &self.state)
            .field("delivered", &self.delivered)
            .finish_non_exhaustive()
    }
}

impl Minted {
    pub(crate) fn shown(&self, now: i64) -> Token {
        Token {
            value: self.value.clone(),
            app_id: self.app_id,
            installation: self.installation,
            permissions: self.permissions.clone(),
            repositories: self.repositories.clone(),
            state: if self.revoked {
                TokenState::Revoked
            } else if self.expires <= now {
                TokenState::Expired
            } else {
                TokenState::Live
            },
            delivered: self.delivered,
            uses: self.uses,
        }
    }
}

/// An import token of KMS, and what it was given out for.
pub(crate) struct ImportToken {
    pub(crate) value: Vec<u8>,
    pub(crate) key_arn: String,
    pub(crate) wrapping_spec: &'static str,
    pub(crate) expires: i64,
}
