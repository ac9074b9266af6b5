//! HTTP/1.1 as the sandbox reads and writes it ([RFC 9112]): whole requests, whole answers, by hand
//! over a byte stream so that a fault can stop anywhere.
//!
//! [RFC 9112]: https://www.rfc-editor.org/rfc/rfc9112

use std::io::{self, Read, Write};

use serde_json::Value;

use crate::time::http_date;

/// The longest head of a request, in bytes. Real servers allow 8 to 64 KiB.
const MAX_HEAD: usize = 64 * 1024;
/// The longest body of a request, in bytes; no call here needs a tenth of it.
const MAX_BODY: usize = 8 * 1024 * 1024;
/// The most header fields of a request.
const MAX_FIELDS: usize = 100;

/// A request, as it came.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// The request target as sent, query included, undecoded.
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) keep_alive: bool,
}

impl Request {
    /// The first header field of that name, in any case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// The path as sent, undecoded, without the query.
    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The query as sent, undecoded, without `?`; empty where there is none.
    pub(crate) fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }
}

pub(crate) fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = headers
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.as_str())
}

/// An answer before it is written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// The place in the list of tokens of the token that this answer carries.
    pub(crate) minted: Option<usize>,
}

impl Answer {
    pub(crate) fn new(status: u16) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }

    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) fn json(self, content_type: &str, body: &Value) -> Self {
        self.header("Content-Type", content_type)
            .body(body.to_string())
    }

    /// The head as bytes, with `Date` by the clock given and a length that fits the body.
    pub(crate) fn head(&self, now: i64, close: bool) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        head.push_str(&format!("Date: {}\r\n", http_date(now)));
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        // RFC 9110 section 8.6: none with 1xx and 204.
        if self.status >= 200 && self.status != 204 {
            head.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        if close {
            head.push_str("Connection: close\r\n");
        }
        head.push_str("\r\n");
        head.into_bytes()
    }
}

/// The usual phrase for a status (RFC 9110 section 15).
fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        407 => "Proxy Authentication Required",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Entity",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Status",
    }
}

/// Why there is no (further) request on a connection.
#[derive(Debug)]
pub(crate) enum NoRequest {
    /// The client is done, or gone.
    End,
    /// What came is no request; this is what to answer before closing.
    Bad(u16, &'static str),
}

impl From<io::Error> for NoRequest {
    fn from(_: io::Error) -> Self {
        NoRequest::End
    }
}

/// Reads one request. `buffer` keeps what was read beyond it for the next call.
pub(crate) fn read_request(
    stream: &mut (impl Read + Write + ?Sized),
    buffer: &mut Vec<u8>,
) -> Result<Request, NoRequest> {
    let (mut request, head_length) = loop {
        if let Some(parsed) = parse_head(buffer)? {
            break parsed;
        }
        if buffer.len() > MAX_HEAD {
            return Err(NoRequest::Bad(400, "the head is too long"));
        }
        fill(stream, buffer)?;
    };
    buffer.drain(..head_length);

    let length = body_length(&request)?;
    if length != Length::Known(0)
        && request
            .header("expect")
            .is_some_and(|value| value.eq_ignore_ascii_case("100-continue"))
    {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        stream.flush()?;
    }
    request.body = match length {
        Length::Known(length) => {
            while buffer.len() < length {
                fill(stream, buffer)?;
            }
            buffer.drain(..length).collect()
        }
        Length::Chunked => read_chunks(stream, buffer)?,
    };
    Ok(request)
}

fn fill(stream: &mut (impl Read + ?Sized), buffer: &mut Vec<u8>) -> Result<(), NoRequest> {
    let mut part = [0; 16 * 1024];
    match stream.read(&mut part)? {
        0 => Err(NoRequest::End),
        count => {
            buffer.extend(&part[..count]);
            Ok(())
        }
    }
}

fn parse_head(buffer: &[u8]) -> Result<Option<(Request, usize)>, NoRequest> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut parsed = httparse::Request::new(&mut fields);
    let length = match parsed.parse(buffer) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(NoRequest::Bad(400, "not an HTTP/1.1 request")),
    };
    let mut headers = Vec::new();
    for field in parsed.headers.iter() {
        let value = std::str::from_utf8(field.value)
            .map_err(|_| NoRequest::Bad(400, "a header field is not UTF-8"))?;
        headers.push((field.name.to_owned(), value.trim().to_owned()));
    }
    if parsed.version == Some(1)
        && headers
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case("host"))
            .count()
            != 1
    {
        return Err(NoRequest::Bad(400, "HTTP/1.1 wants one Host field"));
    }
    let connection = header(&headers, "connection")
        .unwrap_or_default()
        .to_ascii_lowercase();
    let request = Request {
        method: parsed.method.unwrap_or_default().to_owned(),
        target: parsed.path.unwrap_or_default().to_owned(),
        keep_alive: parsed.version == Some(1) && !connection.contains("close"),
        headers,
        body: Vec::new(),
    };
    Ok(Some((request, length)))
}

#[derive(PartialEq)]
enum Length {
    Known(usize),
    Chunked,
}

fn body_length(request: &Request) -> Result<Length, NoRequest> {
    let lengths: Vec<_> = request
        .headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map(|(_, value)| value)
        .collect();
    match (request.header("transfer-encoding"), lengths.as_slice()) {
        (None, []) => Ok(Length::Known(0)),
        (Some(encoding), []) if encoding.eq_ignore_ascii_case("chunked") => Ok(Length::Chunked),
        // Both, or two of one, is how requests are smuggled (RFC 9112 section 11.2).
        (None, [one]) if one.bytes().all(|byte| byte.is_ascii_digit()) => match one.parse() {
            Ok(length) if length <= MAX_BODY => Ok(Length::Known(length)),
            _ => Err(NoRequest::Bad(413, "the body is too long")),
        },
        _ => Err(NoRequest::Bad(400, "the body's length is not clear")),
    }
}

fn read_chunks(
    stream: &mut (impl Read + ?Sized),
    buffer: &mut Vec<u8>,
) -> Result<Vec<u8>, NoRequest> {
    let bad = NoRequest::Bad(400, "a chunk is malformed");
    let mut body = Vec::new();
    loop {
        let (next, size) = loop {
            match httparse::parse_chunk_size(buffer) {
                Ok(httparse::Status::Complete(found)) => break found,
                Ok(httparse::Status::Partial) => fill(stream, buffer)?,
                Err(_) => return Err(bad),
            }
        };
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if size > MAX_BODY || body.len() + size > MAX_BODY {
            return Err(NoRequest::Bad(413, "the body is too long"));
        }
        // The data and the line end after it; trailers after the last chunk are not taken.
        while buffer.len() < next + size + 2 {
            fill(stream, buffer)?;
        }
        body.extend(&buffer[next..next + size]);
        if &buffer[next + size..next + size + 2] != b"\r\n" {
            return Err(bad);
        }
        buffer.drain(..next + size + 2);
        if size == 0 {
            return Ok(body);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stream that gives its input a few bytes at a time and forgets what is written.
    struct Trickle<'a>(&'a [u8]);

    impl Read for Trickle<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let count = self.0.len().min(3);
            out[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    impl Write for Trickle<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn read(text: &str) -> Result<Request, NoRequest> {
        read_request(&mut Trickle(text.as_bytes()), &mut Vec::new())
    }

    #[test]
    fn two_requests_on_one_connection_are_both_read() {
        let mut stream = Trickle(b"POST /a?b=c HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nokGET /d HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
        let mut buffer = Vec::new();
        let first = read_request(&mut stream, &mut buffer).unwrap();
        assert_eq!(
            (first.path(), first.query(), first.body.as_slice()),
            ("/a", "b=c", &b"ok"[..])
        );
        let second = read_request(&mut stream, &mut buffer).unwrap();
        assert_eq!((second.target.as_str(), second.keep_alive), ("/d", false));
        assert!(matches!(
            read_request(&mut stream, &mut buffer),
            Err(NoRequest::End)
        ));
    }

    #[test]
    fn chunks_are_put_together() {
        let request = read(
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
        );
        assert_eq!(request.unwrap().body, b"abcde");
    }

    #[test]
    fn unclear_requests_are_refused() {
        for text in [
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +1\r\n\r\na",
            "\x16\x03\x01 hello\r\n\r\n",
        ] {
            assert!(
                matches!(read(text), Err(NoRequest::Bad(400, _))),
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_204_has_no_length() {
        let head = String::from_utf8(Answer::new(204).head(0, false)).unwrap();
        assert_eq!(
            head,
            "HTTP/1.1 204 No Content\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n"
        );
    }
}
