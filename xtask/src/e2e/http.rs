//! Requests over plain HTTP to this machine, for set-up and for looking at what a counterpart did.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use crate::error::{Result, fail};

/// What came back.
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body, as text.
    pub body: String,
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Errors
    /// When it is not.
    pub fn json(&self) -> Result<serde_json::Value> {
        serde_json::from_str(&self.body)
            .map_err(|error| fail(format!("an answer is no JSON ({error}): {}", self.body)))
    }
}

/// Sends a request and reads the answer.
///
/// # Errors
/// When the server cannot be reached or does not speak HTTP.
pub fn request(
    method: &str,
    base: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<Answer> {
    let host = base
        .strip_prefix("http://")
        .ok_or_else(|| fail(format!("`{base}` is no plain HTTP URL")))?;
    // HTTP/1.0, so that the answer comes in one piece and ends with the connection.
    let mut request = format!("{method} {path} HTTP/1.0\r\nHost: {host}\r\n");
    for (name, value) in headers {
        request += &format!("{name}: {value}\r\n");
    }
    request += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
    let exchange = || {
        let mut stream = TcpStream::connect(host)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        stream.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        std::io::Result::Ok(answer)
    };
    let answer = exchange().map_err(|error| fail(format!("could not reach {host}: {error}")))?;
    let text = String::from_utf8_lossy(&answer);
    let parse = || {
        let (head, body) = text.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some(Answer {
            status,
            body: body.to_owned(),
        })
    };
    parse().ok_or_else(|| fail(format!("{host} did not answer in HTTP")))
}
