//! What came in and what went out: the recording that tests read.

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
