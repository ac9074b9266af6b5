//! One request over plain HTTP to this machine: what a later step of the job does with the token.

use std::{
    io::{self, Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use crate::error::{Result, fail};

/// What came back.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body, as text.
    pub body: String,
}

/// Asks for `path` below `base`, with a bearer token.
///
/// # Errors
/// When the server cannot be reached or answers with something else than HTTP.
pub fn read(base: &str, path: &str, token: &str) -> Result<Answer> {
    let no_url = || fail(format!("`{base}` is no plain HTTP URL"));
    let rest = base.strip_prefix("http://").ok_or_else(no_url)?;
    let (host, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let prefix = prefix.trim_end_matches('/');
    let slash = if prefix.is_empty() { "" } else { "/" };
    let request = format!(
        "GET {slash}{prefix}{path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\
         Accept: application/vnd.github+json\r\nUser-Agent: app-token-demo\r\n\
         Connection: close\r\n\r\n"
    );
    let answer = exchange(host, request.as_bytes())
        .map_err(|error| fail(format!("could not reach {host}: {error}")))?;
    parse(&answer).ok_or_else(|| fail(format!("{host} did not answer in HTTP")))
}

fn exchange(host: &str, request: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(host)?;
    // A server on this machine answers in milliseconds, or not at all.
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(request)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}

/// The connection ends with the answer, so everything after the head is the body.
fn parse(answer: &[u8]) -> Option<Answer> {
    let text = String::from_utf8_lossy(answer);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    Some(Answer {
        status,
        body: body.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_split_into_status_and_body() {
        let answer = parse(b"HTTP/1.1 401 Unauthorized\r\nA: b\r\n\r\n{}").unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (401, "{}"));
        assert_eq!(parse(b"220 mail"), None);
        assert_eq!(parse(b"HTTP/1.1 x\r\n\r\n"), None);
    }

    #[test]
    fn only_plain_http_is_spoken() {
        assert!(read("https://127.0.0.1:1", "/", "t").is_err());
    }
}
