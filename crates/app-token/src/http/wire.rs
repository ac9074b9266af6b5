//! HTTP/1.1 (RFC 9112) over byte streams: a [`Transport`] made of [`Sockets`].
//!
//! Node's own client costs more time than all the rest of a run, since its JavaScript starts cold each
//! time (docs/architecture.md has the figures); and what is read here is read the same way on every
//! platform. Heads are parsed by `httparse`; this module frames bodies, keeps connections for the next
//! request, and asks a proxy for a tunnel.

use super::url::Origin;
use super::{BODY_LIMIT, Fault, FaultKind, Proxy, Request, Response, Route, Transport};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use std::cell::RefCell;
use std::rc::Rc;
use zeroize::Zeroizing;

/// Where a stream goes, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// A name or an address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Whether TLS is spoken, with this host's name.
    pub secure: bool,
    /// Whether TLS will be spoken on the stream sooner or later. To get ready for it takes time that is
    /// best spent while the connection comes about.
    pub secured_later: bool,
    /// Files of CA certificates to accept besides the platform's own.
    pub ca_files: Vec<String>,
}

/// Opens byte streams.
pub trait Sockets {
    /// Starts at once, whether or not the future is polled.
    fn open(&self, hop: &Hop) -> LocalBoxFuture<'static, Result<Rc<dyn Stream>, Fault>>;

    /// As [`Transport::permit`].
    fn permit(&self, origins: &[Origin]);
}

/// A byte stream. Dropping it closes it.
pub trait Stream {
    /// Speaks TLS from here on.
    fn secure(&self, hop: &Hop) -> LocalBoxFuture<'static, Result<(), Fault>>;

    /// Sends bytes. A failure shows when receiving.
    fn write(&self, bytes: &[u8]);

    /// Waits for bytes; none at the end of the stream.
    fn receive(&self) -> LocalBoxFuture<'static, Result<Zeroizing<Vec<u8>>, Fault>>;

    /// Whether something came in since the last answer, be it the end: the stream carries no other
    /// request then. Bytes that nobody asked for are no answer (RFC 9112, section 9.2).
    fn is_stale(&self) -> bool {
        self.receive().now_or_never().is_some()
    }
}

/// The longest head that is read, in bytes. GitHub's are below 4 KiB.
const HEAD_LIMIT: usize = 64 * 1024;

/// The most header fields that are read.
const FIELD_LIMIT: usize = 128;

/// HTTP/1.1 over these sockets.
pub struct Wire<S> {
    sockets: S,
    connections: Rc<RefCell<Connections>>,
}

type Opening = LocalBoxFuture<'static, Result<Rc<dyn Stream>, Fault>>;

#[derive(Default)]
struct Connections {
    idle: Vec<(Origin, Rc<dyn Stream>)>,
    ahead: Vec<(Origin, Opening)>,
}

impl<S: Sockets> Wire<S> {
    /// A transport with no connections yet.
    pub fn new(sockets: S) -> Self {
        Self {
            sockets,
            connections: Rc::default(),
        }
    }

    fn open(&self, origin: &Origin, route: &Route) -> Opening {
        self.sockets.open(&match &route.proxy {
            Some(proxy) => Hop {
                secured_later: origin.secure,
                ..hop(&proxy.origin, route)
            },
            None => hop(origin, route),
        })
    }
}

fn hop(origin: &Origin, route: &Route) -> Hop {
    Hop {
        host: origin.host.clone(),
        port: origin.port,
        secure: origin.secure,
        secured_later: origin.secure,
        ca_files: route.ca_files.clone(),
    }
}

fn take<T>(list: &mut Vec<(Origin, T)>, origin: &Origin) -> Option<T> {
    let at = list.iter().position(|(of, _)| of == origin)?;
    Some(list.remove(at).1)
}

impl<S: Sockets> Transport for Wire<S> {
    fn send(
        &self,
        request: &Request,
        route: &Route,
    ) -> LocalBoxFuture<'static, Result<Response, Fault>> {
        let origin = request.url.origin.clone();
        let encoded = encode(request);
        let idle = take(&mut self.connections.borrow_mut().idle, &origin);
        let idle = idle.filter(|stream| !stream.is_stale());
        let opening = match idle {
            Some(_) => None,
            None => Some(
                take(&mut self.connections.borrow_mut().ahead, &origin)
                    .unwrap_or_else(|| self.open(&origin, route)),
            ),
        };
        let (connections, route) = (self.connections.clone(), route.clone());
        Box::pin(async move {
            let encoded = encoded?;
            let stream = match (idle, opening) {
                (Some(stream), _) => stream,
                (None, Some(opening)) => {
                    let stream = opening.await?;
                    if let Some(proxy) = &route.proxy {
                        tunnel(&*stream, proxy, &origin, &route).await?;
                    }
                    stream
                }
                (None, None) => return Err(broken("there is no connection")),
            };
            stream.write(&encoded);
            let (response, reusable) = read(&*stream, Decoder::default()).await?;
            if reusable {
                connections.borrow_mut().idle.push((origin, stream));
            }
            Ok(response)
        })
    }

    fn permit(&self, origins: &[Origin]) {
        self.sockets.permit(origins);
    }

    fn connect(&self, origin: &Origin, route: &Route) {
        let opening = self.open(origin, route);
        self.connections
            .borrow_mut()
            .ahead
            .push((origin.clone(), opening));
    }
}

/// Has the proxy lead the stream to the origin, and speaks TLS through it.
async fn tunnel(
    stream: &dyn Stream,
    proxy: &Proxy,
    origin: &Origin,
    route: &Route,
) -> Result<(), Fault> {
    let bracketed = if origin.host.contains(':') {
        format!("[{}]", origin.host)
    } else {
        origin.host.clone()
    };
    let target = format!("{bracketed}:{}", origin.port);
    let authorization = proxy
        .authorization
        .as_ref()
        .map(|secret| ("proxy-authorization", secret.expose()));
    let head = head("CONNECT", &target, &target, authorization.into_iter())?;
    stream.write(&head);
    let (response, _) = read(
        stream,
        Decoder {
            bodiless: true,
            ..Decoder::default()
        },
    )
    .await?;
    if response.status != 200 {
        let words = format!("the proxy {} says {}", proxy.origin, response.status);
        // A proxy that fails, or cannot reach the server just now, has not refused.
        let kind = match response.status {
            500.. => FaultKind::Broken,
            _ => FaultKind::Proxy,
        };
        return Err(Fault { kind, words });
    }
    match origin.secure {
        true => stream.secure(&hop(origin, route)).await,
        false => Ok(()),
    }
}

fn broken(words: &str) -> Fault {
    Fault {
        kind: FaultKind::Broken,
        words: words.to_owned(),
    }
}

fn encode(request: &Request) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let path = match request.url.path.as_str() {
        "" => "/",
        path => path,
    };
    let body = request.body.expose();
    let length = body.len().to_string();
    let sized = (!body.is_empty() || request.method != super::Method::Get)
        .then_some(("content-length", &*length));
    let fields = request
        .headers
        .iter()
        .map(|(name, value)| (*name, value.expose()))
        .chain(sized);
    let mut bytes = head(
        request.method.as_str(),
        path,
        &request.url.origin.authority(),
        fields,
    )?;
    bytes.extend_from_slice(body.as_bytes());
    Ok(bytes)
}

fn head<'a>(
    method: &str,
    target: &str,
    host: &str,
    fields: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
    for part in [method, " ", target, " HTTP/1.1\r\nhost: ", host, "\r\n"] {
        bytes.extend_from_slice(part.as_bytes());
    }
    for (name, value) in fields {
        // A line break would start a field of its own. Whoever made the value has checked it before.
        if value.bytes().any(|b| b.is_ascii_control()) {
            let words = format!("the header {name} holds a control character");
            return Err(Fault {
                kind: FaultKind::Forbidden,
                words,
            });
        }
        for part in [name, ": ", value, "\r\n"] {
            bytes.extend_from_slice(part.as_bytes());
        }
    }
    bytes.extend_from_slice(b"\r\n");
    Ok(bytes)
}

async fn read(stream: &dyn Stream, mut decoder: Decoder) -> Result<(Response, bool), Fault> {
    loop {
        let bytes = stream.receive().await?;
        let ended = bytes.is_empty();
        if let Some(answer) = decoder.push(&bytes, ended)? {
            return Ok(answer);
        }
        if ended {
            return Err(broken(match decoder.seen {
                false => "the connection was closed without an answer",
                true => "the connection broke before the answer was whole",
            }));
        }
    }
}

/// Makes an answer of the bytes as they come in.
#[derive(Default)]
pub struct Decoder {
    buffer: Zeroizing<Vec<u8>>,
    head: Option<Head>,
    body: Zeroizing<Vec<u8>>,
    seen: bool,
    bodiless: bool,
}

struct Head {
    status: u16,
    fields: Vec<(String, String)>,
    framing: Framing,
    keeps: bool,
}

/// How the end of a body is told (RFC 9112, section 6.3).
#[derive(Clone, Copy)]
enum Framing {
    Length(usize),
    Chunked,
    UntilClose,
}

impl Decoder {
    /// Takes more bytes; `ended` says that there are no more. Gives the answer once it is whole, and
    /// whether the connection may carry another request.
    ///
    /// # Errors
    /// [`FaultKind::Broken`] for what is no HTTP, [`FaultKind::TooLarge`].
    pub fn push(&mut self, bytes: &[u8], ended: bool) -> Result<Option<(Response, bool)>, Fault> {
        self.seen |= !bytes.is_empty();
        self.buffer.extend_from_slice(bytes);
        while self.head.is_none() {
            match parse_head(&self.buffer, self.bodiless)? {
                None if self.buffer.len() > HEAD_LIMIT => {
                    return Err(broken("the answer's head is too long"));
                }
                None => return Ok(None),
                Some((length, head)) => {
                    self.buffer.drain(..length);
                    // An interim answer (RFC 9110, section 15.2) announces another.
                    if head.status >= 200 {
                        self.head = Some(head);
                    }
                }
            }
        }
        let framing = self
            .head
            .as_ref()
            .map_or(Framing::UntilClose, |head| head.framing);
        let whole = match framing {
            Framing::Length(length) => {
                if length > BODY_LIMIT {
                    return Err(too_large());
                }
                let missing = (length - self.body.len()).min(self.buffer.len());
                self.body.extend(self.buffer.drain(..missing));
                self.body.len() == length
            }
            Framing::Chunked => self.unchunk()?,
            Framing::UntilClose => {
                self.body.append(&mut self.buffer);
                ended
            }
        };
        if self.body.len() > BODY_LIMIT {
            return Err(too_large());
        }
        if !whole {
            return Ok(None);
        }
        Ok(self.head.take().map(|head| {
            let body = std::mem::take(&mut self.body);
            // Bytes beyond the answer belong to nothing that was asked.
            let reusable = head.keeps && self.buffer.is_empty() && !ended;
            (
                Response {
                    status: head.status,
                    headers: head.fields,
                    body,
                },
                reusable,
            )
        }))
    }

    /// Moves whole chunks into the body. Says whether the last one is there, with its trailer.
    #[inline(never)]
    fn unchunk(&mut self) -> Result<bool, Fault> {
        loop {
            let (start, length) = match httparse::parse_chunk_size(&self.buffer) {
                Ok(httparse::Status::Complete((start, length))) => (start, length),
                // The line that tells a chunk's size may hold extensions, of any length.
                Ok(httparse::Status::Partial) if self.buffer.len() > HEAD_LIMIT => {
                    return Err(broken("the answer's chunks are malformed"));
                }
                Ok(httparse::Status::Partial) => return Ok(false),
                Err(_) => return Err(broken("the answer's chunks are malformed")),
            };
            if length == 0 {
                // The trailer ends with an empty line; its fields are of no use here.
                let rest = &self.buffer[start..];
                let end = match rest.starts_with(b"\r\n") {
                    true => Some(2),
                    false => rest
                        .windows(4)
                        .position(|four| four == b"\r\n\r\n")
                        .map(|at| at + 4),
                };
                if end.is_none() && rest.len() > HEAD_LIMIT {
                    return Err(broken("the answer's trailer is too long"));
                }
                if let Some(end) = end {
                    self.buffer.drain(..start + end);
                }
                return Ok(end.is_some());
            }
            let length = usize::try_from(length)
                .ok()
                .filter(|length| *length <= BODY_LIMIT)
                .ok_or_else(too_large)?;
            let end = start + length;
            let Some(mark) = self.buffer.get(end..end + 2) else {
                return Ok(false);
            };
            if mark != b"\r\n" {
                return Err(broken("the answer's chunks are malformed"));
            }
            self.body.extend_from_slice(&self.buffer[start..end]);
            self.buffer.drain(..end + 2);
            if self.body.len() > BODY_LIMIT {
                return Err(too_large());
            }
        }
    }
}

fn too_large() -> Fault {
    Fault {
        kind: FaultKind::TooLarge,
        words: String::new(),
    }
}

#[inline(never)]
fn parse_head(bytes: &[u8], bodiless: bool) -> Result<Option<(usize, Head)>, Fault> {
    let mut fields = [httparse::EMPTY_HEADER; FIELD_LIMIT];
    let mut parsed = httparse::Response::new(&mut fields);
    let length = match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(broken(&format!("the answer is not HTTP: {error}"))),
    };
    let status = parsed.code.unwrap_or_default();
    let fields: Vec<(String, String)> = parsed
        .headers
        .iter()
        .map(|field| {
            (
                field.name.to_ascii_lowercase(),
                String::from_utf8_lossy(field.value).into_owned(),
            )
        })
        .collect();
    let all = |name: &str| {
        fields
            .iter()
            .filter(|(key, _)| key == name)
            .map(|(_, value)| value.trim())
            .collect::<Vec<_>>()
    };
    let (lengths, codings) = (all("content-length"), all("transfer-encoding"));
    let framing = match (&lengths[..], &codings[..]) {
        _ if bodiless || status < 200 || status == 204 || status == 304 => Framing::Length(0),
        ([], []) => Framing::UntilClose,
        ([], [coding]) if coding.eq_ignore_ascii_case("chunked") => Framing::Chunked,
        // Several lengths are one if they agree. A length beside a coding is how answers are smuggled.
        ([length, others @ ..], []) if others.iter().all(|other| other == length) => {
            let digits = !length.is_empty() && length.bytes().all(|b| b.is_ascii_digit());
            let length = length.parse().ok().filter(|_| digits);
            Framing::Length(length.ok_or_else(|| broken("the answer's length is malformed"))?)
        }
        _ => return Err(broken("the answer says in two ways where it ends")),
    };
    let connection = all("connection").join(",").to_ascii_lowercase();
    let says = |token: &str| connection.split(',').any(|part| part.trim() == token);
    let keeps = if parsed.version == Some(1) {
        !says("close")
    } else {
        says("keep-alive")
    };
    Ok(Some((
        length,
        Head {
            status,
            fields,
            framing,
            keeps,
        },
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Method;
    use crate::http::url::Url;
    use crate::secret::Secret;
    use crate::testing::block_on;
    use std::collections::VecDeque;

    /// Decodes the whole at once, and byte by byte; both must agree.
    fn decode(text: &str, ended: bool) -> Result<Option<(u16, String, bool)>, FaultKind> {
        let told = |answer: Result<Option<(Response, bool)>, Fault>| {
            answer
                .map(|answer| {
                    answer.map(|(response, keeps)| {
                        (response.status, response.text().into_owned(), keeps)
                    })
                })
                .map_err(|fault| fault.kind)
        };
        let at_once = told(Decoder::default().push(text.as_bytes(), ended));
        let mut decoder = Decoder::default();
        let mut slowly = Ok(None);
        for (index, byte) in text.as_bytes().iter().enumerate() {
            let last = index + 1 == text.len();
            slowly = told(decoder.push(&[*byte], ended && last));
            if !matches!(slowly, Ok(None)) {
                break;
            }
        }
        if !matches!(&at_once, Ok(Some((_, _, false)))) {
            assert_eq!(at_once, slowly, "{text:?}");
        }
        at_once
    }

    #[test]
    fn bodies_end_where_their_framing_says() {
        let ok = |status, body: &str, keeps| Ok(Some((status, body.to_owned(), keeps)));
        assert_eq!(
            decode("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", false),
            ok(200, "abc", true)
        );
        assert_eq!(
            decode("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", false),
            Ok(None)
        );
        assert_eq!(
            decode(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2;x=y\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
                false
            ),
            ok(200, "abc", true)
        );
        assert_eq!(
            decode(
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\nT: v\r\n\r\n",
                false
            ),
            ok(200, "a", true)
        );
        assert_eq!(decode("HTTP/1.1 200 OK\r\n\r\nabc", false), Ok(None));
        assert_eq!(
            decode("HTTP/1.1 200 OK\r\n\r\nabc", true),
            ok(200, "abc", false)
        );
        assert_eq!(
            decode("HTTP/1.1 204 No Content\r\n\r\n", false),
            ok(204, "", true)
        );
        assert_eq!(
            decode(
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\ncontent-length: 1\r\n\r\nx",
                false
            ),
            ok(201, "x", true)
        );
    }

    #[test]
    fn a_connection_is_kept_only_where_both_sides_mean_it() {
        let keeps = |head: &str| {
            decode(&format!("{head}\r\ncontent-length: 0\r\n\r\n"), false)
                .unwrap()
                .unwrap()
                .2
        };
        assert!(keeps("HTTP/1.1 200 OK"));
        assert!(!keeps("HTTP/1.1 200 OK\r\nConnection: Close"));
        assert!(!keeps("HTTP/1.0 200 OK"));
        assert!(keeps("HTTP/1.0 200 OK\r\nconnection: keep-alive"));
        let beyond = decode(
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\nHTTP/1.1 200 OK\r\n",
            false,
        );
        assert_eq!(beyond, Ok(Some((200, String::new(), false))));
    }

    #[test]
    fn what_is_no_http_or_ends_in_two_ways_is_refused() {
        for text in [
            "hello, is this HTTP?\r\n\r\n",
            "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: +1\r\n\r\na",
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nz\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nabc\r\n",
        ] {
            assert_eq!(decode(text, false), Err(FaultKind::Broken), "{text:?}");
        }
    }

    #[test]
    fn what_is_too_large_is_refused_before_it_is_read() {
        let length = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n",
            BODY_LIMIT + 1
        );
        assert_eq!(decode(&length, false), Err(FaultKind::TooLarge));
        let huge = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffff\r\n";
        assert_eq!(decode(huge, false), Err(FaultKind::TooLarge));
        let mut decoder = Decoder::default();
        assert!(
            decoder
                .push(b"HTTP/1.1 200 OK\r\n\r\n", false)
                .unwrap()
                .is_none()
        );
        let fault = decoder
            .push(&vec![b'x'; BODY_LIMIT + 1], false)
            .unwrap_err();
        assert_eq!(fault.kind, FaultKind::TooLarge);
        let endless = format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(HEAD_LIMIT));
        assert_eq!(
            Decoder::default()
                .push(endless.as_bytes(), false)
                .unwrap_err()
                .kind,
            FaultKind::Broken
        );
    }

    /// Sockets that remember, and give prepared bytes.
    #[derive(Clone, Default)]
    struct Prepared(Rc<RefCell<State>>);

    #[derive(Default)]
    struct State {
        answers: VecDeque<&'static str>,
        stale: bool,
        told: Vec<String>,
    }

    impl Prepared {
        fn tell(&self, what: String) {
            self.0.borrow_mut().told.push(what);
        }
    }

    impl Sockets for Prepared {
        fn open(&self, hop: &Hop) -> LocalBoxFuture<'static, Result<Rc<dyn Stream>, Fault>> {
            self.tell(format!("open {}:{} {}", hop.host, hop.port, hop.secure));
            let stream: Rc<dyn Stream> = Rc::new(self.clone());
            Box::pin(async move { Ok(stream) })
        }
        fn permit(&self, _: &[Origin]) {}
    }

    impl Stream for Prepared {
        fn secure(&self, hop: &Hop) -> LocalBoxFuture<'static, Result<(), Fault>> {
            self.tell(format!("secure {}", hop.host));
            Box::pin(async { Ok(()) })
        }
        fn write(&self, bytes: &[u8]) {
            self.tell(String::from_utf8_lossy(bytes).into_owned());
        }
        fn receive(&self) -> LocalBoxFuture<'static, Result<Zeroizing<Vec<u8>>, Fault>> {
            let bytes = self.0.borrow_mut().answers.pop_front().unwrap_or_default();
            Box::pin(async move { Ok(Zeroizing::new(bytes.as_bytes().to_vec())) })
        }
        fn is_stale(&self) -> bool {
            self.0.borrow().stale
        }
    }

    fn post() -> Request {
        let url = Url::parse("https://api.github.com/x").unwrap();
        Request::new(Method::Post, url)
            .header("a", Secret::from("b"))
            .body("text/plain", Secret::from("body"))
    }

    #[test]
    fn connections_opened_ahead_are_used_and_kept() {
        let sockets = Prepared::default();
        sockets.0.borrow_mut().answers = [
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 500 No\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
        ]
        .into();
        let wire = Wire::new(sockets.clone());
        wire.connect(&post().url.origin, &Route::default());
        for status in [200, 500] {
            assert_eq!(
                block_on(wire.send(&post(), &Route::default()))
                    .unwrap()
                    .status,
                status
            );
        }
        let request = "POST /x HTTP/1.1\r\nhost: api.github.com\r\na: b\r\ncontent-type: text/plain\r\ncontent-length: 4\r\n\r\nbody";
        assert_eq!(
            sockets.0.borrow().told,
            ["open api.github.com:443 true", request, request]
        );
        // The second answer closed the connection, so the third request opens one.
        let fault = block_on(wire.send(&post(), &Route::default())).unwrap_err();
        assert_eq!(fault, broken("the connection was closed without an answer"));
        assert_eq!(sockets.0.borrow().told[3], "open api.github.com:443 true");
    }

    #[test]
    fn a_kept_connection_on_which_something_came_in_is_not_used_again() {
        let sockets = Prepared::default();
        sockets.0.borrow_mut().answers = ["HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"; 2].into();
        let wire = Wire::new(sockets.clone());
        for stale in [true, false] {
            block_on(wire.send(&post(), &Route::default())).unwrap();
            sockets.0.borrow_mut().stale = stale;
        }
        let told = sockets.0.borrow().told.clone();
        let opened = told.iter().filter(|what| what.starts_with("open")).count();
        assert_eq!((told.len(), opened), (4, 2), "{told:?}");
    }

    #[test]
    fn a_proxy_is_asked_for_a_tunnel_and_its_no_is_final() {
        let proxy = Proxy {
            origin: Origin {
                secure: false,
                host: "proxy".into(),
                port: 3128,
            },
            authorization: Some(Secret::from("Basic eDp5")),
        };
        let route = Route {
            proxy: Some(proxy),
            ca_files: Vec::new(),
        };
        let sockets = Prepared::default();
        sockets.0.borrow_mut().answers = [
            "HTTP/1.1 200 Connection established\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        ]
        .into();
        let wire = Wire::new(sockets.clone());
        assert_eq!(block_on(wire.send(&post(), &route)).unwrap().status, 200);
        let told = sockets.0.borrow().told.clone();
        assert_eq!(told[0], "open proxy:3128 false");
        assert_eq!(
            told[1],
            "CONNECT api.github.com:443 HTTP/1.1\r\nhost: api.github.com:443\r\nproxy-authorization: Basic eDp5\r\n\r\n"
        );
        assert_eq!(told[2], "secure api.github.com");
        assert!(told[3].starts_with("POST /x"));

        let sockets = Prepared::default();
        sockets.0.borrow_mut().answers =
            ["HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 9\r\n\r\n"].into();
        let fault = block_on(Wire::new(sockets).send(&post(), &route)).unwrap_err();
        assert_eq!(
            (fault.kind, &*fault.words),
            (FaultKind::Proxy, "the proxy http://proxy:3128 says 407")
        );

        let sockets = Prepared::default();
        sockets.0.borrow_mut().answers =
            ["HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n"].into();
        let fault = block_on(Wire::new(sockets).send(&post(), &route)).unwrap_err();
        assert_eq!(fault, broken("the proxy http://proxy:3128 says 503"));
    }

    #[test]
    fn a_header_cannot_start_another() {
        let request = post().header("x", Secret::from("a\r\nb: c"));
        let fault =
            block_on(Wire::new(Prepared::default()).send(&request, &Route::default())).unwrap_err();
        assert_eq!(fault.kind, FaultKind::Forbidden);
    }
}
