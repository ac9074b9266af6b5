//! One request and its answer, and the trait through which they travel.
//!
//! [`client`] adds what makes a request safe to rely on (deadlines, retries, redirects); [`network`]
//! says which proxy and which certificates apply; [`url`] is where a request goes;
//! [`wire`] speaks HTTP/1.1 over whatever byte streams a platform has.

pub mod client;
pub mod network;
pub mod url;
pub mod wire;

use crate::error::words;
use crate::secret::Secret;
use futures_util::future::LocalBoxFuture;
use std::fmt;
use url::{Origin, Url};

/// The largest answer that is read, in bytes. The largest that GitHub, KMS or STS gives here (a token
/// for 500 repositories, named one by one) is below it.
pub const BODY_LIMIT: usize = 1024 * 1024;

/// The methods in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// GET: safe to repeat, may be redirected.
    Get,
    /// POST.
    Post,
    /// PUT, for the instance metadata's session token.
    Put,
    /// DELETE.
    Delete,
}

impl Method {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

/// A request, whole. Headers and body may hold secrets, so it has no `Debug` of its own.
#[derive(Clone)]
pub struct Request {
    /// What to do.
    pub method: Method,
    /// To what.
    pub url: Url,
    /// Names in lower case. `host` and `content-length` are the transport's.
    pub headers: Vec<(&'static str, Secret)>,
    /// Empty for none.
    pub body: Secret,
}

impl Request {
    /// A request without headers or body.
    pub fn new(method: Method, url: Url) -> Self {
        Self {
            method,
            url,
            headers: Vec::new(),
            body: Secret::from(""),
        }
    }

    /// The same with one more header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<Secret>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The same with a body of this type.
    #[must_use]
    pub fn body(mut self, content_type: &'static str, body: impl Into<Secret>) -> Self {
        self.body = body.into();
        self.header("content-type", content_type)
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

/// Method, origin and path, which hold no secrets; nothing else. Those that are given with a query, the
/// endpoints of a runner or a container, may hold one there.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.url.path.split('?').next().unwrap_or_default();
        write!(f, "{} {}{path}", self.method.as_str(), self.url.origin)
    }
}

/// An answer, whole. Its body may hold secrets.
#[derive(Clone)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// At most [`BODY_LIMIT`] bytes.
    pub body: zeroize::Zeroizing<Vec<u8>>,
}

impl Response {
    /// The first header of this name (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The body as JSON, if it is. Its fields are looked up by name: a type for each answer would have the
    /// module hold a parser for each, compiled anew in every job.
    pub fn json(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The body as text; bytes that are no UTF-8 are replaced.
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// The time that the server says it is.
    pub fn date(&self) -> Option<crate::clock::UnixTime> {
        self.header("date")
            .and_then(crate::clock::UnixTime::from_http_date)
    }

    /// What an answer is that should have been JSON of a certain shape and is not. It is quoted only where
    /// it is no JSON at all: a token or a signature may stand in what came of the right answer.
    pub fn not_json(&self) -> String {
        let kind = words(self.header("content-type").unwrap_or("no content type"));
        let start: String = self.text().trim_start().chars().take(60).collect();
        let told = if start.is_empty() {
            "it is empty".to_owned()
        } else if !start.starts_with('<') && start.contains(['{', '[', '"']) {
            "it is JSON that is cut short or has other fields".to_owned()
        } else if !start.starts_with('<') && self.status < 300 {
            // What was asked for may stand there bare.
            format!("it is a text of {} bytes", self.body.len())
        } else {
            format!("it starts {:?}", words(&start))
        };
        format!(
            "status {}, {kind}, not the JSON expected; {told}",
            self.status
        )
    }

    /// What an answer looks like from outside. Its text is shown only where it is a web page or an error:
    /// any other may be the secret itself, out of shape.
    pub fn seen(&self) -> String {
        let kind = words(self.header("content-type").unwrap_or("no content type"));
        let told = format!("status {}, {kind}", self.status);
        let text = self.text();
        let start: String = text.trim_start().chars().take(60).collect();
        let lower = start.to_ascii_lowercase();
        let page = lower.starts_with("<!doctype") || lower.starts_with("<html");
        if start.is_empty() || !(page || self.status >= 300) {
            return format!("{told}, {} bytes", self.body.len());
        }
        format!("{told}, which starts {:?}", words(&start))
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with {} bytes", self.status, self.body.len())
    }
}

/// What stopped a request from being answered, as far as a decision depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// No connection came about, or it broke: worth another try.
    Broken,
    /// The server's certificate was not accepted: final.
    Tls,
    /// The proxy said no: final.
    Proxy,
    /// More than [`BODY_LIMIT`] bytes: final.
    TooLarge,
    /// A file of CA certificates could not be used: final.
    CaBundle,
    /// No answer in the time allowed: worth another try.
    Timeout,
    /// An origin that was not named beforehand: a fault of this program.
    Forbidden,
}

/// Why a request was not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The kind.
    pub kind: FaultKind,
    /// The system's code and words (`ECONNREFUSED: connect ECONNREFUSED 127.0.0.1:1`).
    pub words: String,
}

/// How to get to an origin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// The proxy to go through, if any.
    pub proxy: Option<Proxy>,
    /// Files of CA certificates to accept besides the platform's own.
    pub ca_files: Vec<String>,
}

/// A proxy.
#[derive(Clone)]
pub struct Proxy {
    /// Where it is.
    pub origin: Origin,
    /// The value of `proxy-authorization`, if it wants one.
    pub authorization: Option<Secret>,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.origin)
    }
}

impl PartialEq for Proxy {
    fn eq(&self, other: &Self) -> bool {
        let text = |proxy: &Self| {
            proxy
                .authorization
                .as_ref()
                .map(|secret| secret.expose().to_owned())
        };
        self.origin == other.origin && text(self) == text(other)
    }
}

impl Eq for Proxy {}

/// The network, injected: does one request, once, without opinions.
pub trait Transport {
    /// Sends the request and reads the answer, up to [`BODY_LIMIT`]. Follows no redirect, repeats
    /// nothing. Dropping the future gives the request up.
    fn send(
        &self,
        request: &Request,
        route: &Route,
    ) -> LocalBoxFuture<'static, Result<Response, Fault>>;

    /// From now on nothing but these origins may be reached. Said once, before the first request; a
    /// transport that can hold itself to it does.
    fn permit(&self, origins: &[Origin]) {
        let _ = origins;
    }

    /// Opens a connection that the next request to `origin` will use. A failure is not told: that
    /// request will meet it again.
    fn connect(&self, origin: &Origin, route: &Route);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::response;

    #[test]
    fn an_answer_out_of_shape_is_quoted_only_where_it_cannot_be_what_was_asked_for() {
        let told = |status, body| response(status, body).not_json();
        for body in ["ghs_token", "\"ghs_token\"", "{\"token\":\"ghs_token"] {
            assert!(!told(201, body).contains("ghs_"), "{body}");
        }
        assert!(told(200, "<html>Log in").ends_with("; it starts \"<html>Log in\""));
        assert!(told(404, "no such page").ends_with("; it starts \"no such page\""));
        assert!(told(200, " ").ends_with("; it is empty"));
    }

    #[test]
    fn a_request_is_told_without_its_query() {
        let url = Url::parse("https://pipelines.example/token?key=hunter2").unwrap();
        let told = format!("{:?}", Request::new(Method::Get, url));
        assert_eq!(told, "GET https://pipelines.example/token");
    }
}
