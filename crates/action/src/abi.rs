//! The border between this module and its JavaScript host.
//!
//! Host functions take plain numbers, or a place in this module's memory to read from or write to. What
//! takes time is given a number by this side; the host calls [`wake`] with it when there is an answer,
//! which [`take`](host::take) then copies. The module can reach nothing but these functions.

#![expect(
    unsafe_code,
    reason = "calls across the border of the module are foreign calls"
)]

use crate::commands::Commands;
use crate::inputs::Variables;
use crate::run::{Phase, run};
use app_token::clock::{Clock, UnixTime};
use app_token::host::{FileError, Files, Host, Log, Random};
use app_token::http::url::Origin;
use app_token::http::{Fault, FaultKind, Request, Response, Route, Transport};
use futures_util::future::LocalBoxFuture;
use serde::Deserialize;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use zeroize::Zeroizing;

/// What the host offers. This list, and nothing else, is what the module can reach.
mod host {
    #[link(wasm_import_module = "host")]
    unsafe extern "C" {
        /// Milliseconds since the epoch.
        pub safe fn now() -> f64;
        /// Milliseconds since some fixed point.
        pub safe fn monotonic() -> f64;
        /// Fills memory with random bytes.
        pub fn random(to: *mut u8, length: usize);
        /// Prints text on standard output.
        pub fn print(text: *const u8, length: usize);
        /// Reads a file; gives the length of what `take(0)` copies, negative if that is an error's text.
        pub fn read(path: *const u8, length: usize) -> i32;
        /// Adds text to a file; gives 0, or the negative length of the error's text.
        pub fn append(path: *const u8, path_length: usize, text: *const u8, length: usize) -> i32;
        /// Names the origins, one a line, that may be reached; a second call is refused.
        pub fn permit(origins: *const u8, length: usize);
        /// Opens a connection ahead of need.
        pub fn connect(target: *const u8, length: usize);
        /// Sends a request and wakes `id` with the answer.
        pub fn send(id: u32, request: *const u8, length: usize);
        /// Wakes `id` after so many milliseconds.
        pub safe fn sleep(id: u32, milliseconds: f64);
        /// Gives up what `id` stands for.
        pub safe fn cancel(id: u32);
        /// Copies the answer for `id`, and forgets it.
        pub fn take(id: u32, to: *mut u8);
        /// Ends the program with this status.
        pub safe fn exit(status: i32);
    }
}

thread_local! {
    static TASK: RefCell<Option<LocalBoxFuture<'static, i32>>> = const { RefCell::new(None) };
    static WAITING: RefCell<BTreeMap<u32, Slot>> = const { RefCell::new(BTreeMap::new()) };
    static LAST_ID: Cell<u32> = const { Cell::new(0) };
}

/// Something that the host was asked for.
#[derive(Default)]
struct Slot {
    answer: Option<Zeroizing<Vec<u8>>>,
    waker: Option<Waker>,
}

/// Starts a phase: 0 is main, 1 is post. `take(0)` copies the environment, as JSON, of this length.
#[unsafe(no_mangle)]
pub extern "C" fn start(phase: u32, environment: usize) {
    let phase = if phase == 0 { Phase::Main } else { Phase::Post };
    std::panic::set_hook(Box::new(move |panic| report(phase, panic)));
    let variables: Variables = serde_json::from_slice(&taken(0, environment)).unwrap_or_default();
    let debug = variables
        .get("RUNNER_DEBUG")
        .is_some_and(|value| value == "1");
    let log = Rc::new(Commands::new(print, debug));
    let host = Host {
        transport: Rc::new(Node),
        clock: Rc::new(Node),
        env: Rc::new(variables.clone()),
        files: Rc::new(Node),
        random: Rc::new(Node),
        log: log.clone() as Rc<dyn Log>,
    };
    let task = Box::pin(async move { run(phase, &variables, host, log).await });
    TASK.set(Some(task));
    poll();
}

/// Tells that what `id` stands for is there: `take(id)` copies `length` bytes.
#[unsafe(no_mangle)]
pub extern "C" fn wake(id: u32, length: usize) {
    let answer = taken(id, length);
    let waker = WAITING.with_borrow_mut(|waiting| {
        // Given up in the meantime: nobody is interested.
        let slot = waiting.get_mut(&id)?;
        slot.answer = Some(answer);
        slot.waker.take()
    });
    if let Some(waker) = waker {
        waker.wake();
    }
    poll();
}

fn poll() {
    let Some(mut task) = TASK.take() else { return };
    match task.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(status) => host::exit(status),
        Poll::Pending => TASK.set(Some(task)),
    }
}

/// A panic's message may hold anything, so its place alone is told.
fn report(phase: Phase, panic: &std::panic::PanicHookInfo<'_>) {
    let place = panic
        .location()
        .map(|at| format!("{}:{}", at.file(), at.line()))
        .unwrap_or_default();
    let error = app_token::error::Error::new(&app_token::error::problem::INTERNAL, place);
    let log = Commands::new(print, false);
    match phase {
        Phase::Main => log.error("Internal error", &error.report()),
        Phase::Post => log.titled_warning("Internal error", &error.report()),
    }
    host::exit(i32::from(phase == Phase::Main));
}

fn print(text: &str) {
    // SAFETY: pointer and length are those of `text`, which the host reads before it returns.
    unsafe { host::print(text.as_ptr(), text.len()) }
}

fn taken(id: u32, length: usize) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(vec![0; length]);
    // SAFETY: the host writes exactly the `length` bytes that it announced for `id`, into a buffer of
    // that length.
    unsafe { host::take(id, bytes.as_mut_ptr()) };
    bytes
}

/// Waits for the answer of one host call; dropped before that, it gives the call up.
struct Pending(u32);

impl Pending {
    fn new() -> Self {
        let id = LAST_ID.get() + 1;
        LAST_ID.set(id);
        WAITING.with_borrow_mut(|waiting| waiting.insert(id, Slot::default()));
        Self(id)
    }
}

impl Future for Pending {
    type Output = Zeroizing<Vec<u8>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        WAITING.with_borrow_mut(|waiting| {
            let slot = waiting.entry(self.0).or_default();
            match slot.answer.take() {
                Some(answer) => Poll::Ready(answer),
                None => {
                    slot.waker = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        WAITING.with_borrow_mut(|waiting| waiting.remove(&self.0));
        host::cancel(self.0);
    }
}

/// Node, as this module sees it.
struct Node;

impl Clock for Node {
    fn now(&self) -> UnixTime {
        UnixTime::from_seconds((host::now() / 1000.0) as i64)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_secs_f64(host::monotonic().max(0.0) / 1000.0)
    }

    fn sleep(&self, duration: Duration) -> LocalBoxFuture<'static, ()> {
        let pending = Pending::new();
        host::sleep(pending.0, duration.as_secs_f64() * 1000.0);
        Box::pin(async move {
            pending.await;
        })
    }
}

impl Random for Node {
    fn fill(&self, buffer: &mut [u8]) {
        // SAFETY: pointer and length are those of `buffer`.
        unsafe { host::random(buffer.as_mut_ptr(), buffer.len()) }
    }
}

impl Files for Node {
    fn read(&self, path: &str) -> Result<String, FileError> {
        // SAFETY: pointer and length are those of `path`.
        outcome(unsafe { host::read(path.as_ptr(), path.len()) })
    }

    fn append(&self, path: &str, text: &str) -> Result<(), FileError> {
        // SAFETY: pointers and lengths are those of `path` and `text`.
        outcome(unsafe { host::append(path.as_ptr(), path.len(), text.as_ptr(), text.len()) })
            .map(drop)
    }
}

fn outcome(length: i32) -> Result<String, FileError> {
    let text = String::from_utf8_lossy(&taken(0, length.unsigned_abs() as usize)).into_owned();
    if length < 0 {
        Err(FileError(text))
    } else {
        Ok(text)
    }
}

impl Transport for Node {
    fn send(
        &self,
        request: &Request,
        route: &Route,
    ) -> LocalBoxFuture<'static, Result<Response, Fault>> {
        let headers: serde_json::Map<String, serde_json::Value> = request
            .headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.expose().into()))
            .collect();
        let mut head = target(&request.url.origin, route);
        head["method"] = request.method.as_str().into();
        head["path"] = if request.url.path.is_empty() {
            "/"
        } else {
            &request.url.path
        }
        .into();
        head["headers"] = headers.into();
        head["body"] = request.body.expose().into();
        let head = Zeroizing::new(head.to_string());
        let pending = Pending::new();
        // SAFETY: pointer and length are those of `head`, which the host copies before it returns.
        unsafe { host::send(pending.0, head.as_ptr(), head.len()) };
        Box::pin(async move { answer(&pending.await) })
    }

    fn permit(&self, origins: &[Origin]) {
        let origins = origins
            .iter()
            .map(Origin::to_string)
            .collect::<Vec<_>>()
            .join("\n");
        // SAFETY: pointer and length are those of `origins`, which the host copies before it returns.
        unsafe { host::permit(origins.as_ptr(), origins.len()) }
    }

    fn connect(&self, origin: &Origin, route: &Route) {
        let target = target(origin, route).to_string();
        // SAFETY: pointer and length are those of `target`, which the host copies before it returns.
        unsafe { host::connect(target.as_ptr(), target.len()) }
    }
}

/// Where a connection goes, for the host.
fn target(origin: &Origin, route: &Route) -> serde_json::Value {
    let proxy = route.proxy.as_ref().map(|proxy| {
        serde_json::json!({
            "secure": proxy.origin.secure,
            "host": proxy.origin.host,
            "port": proxy.origin.port,
            "authority": proxy.origin.authority(),
            "authorization": proxy.authorization.as_ref().map(|secret| secret.expose()),
        })
    });
    serde_json::json!({
        "secure": origin.secure,
        "host": origin.host,
        "port": origin.port,
        "authority": origin.authority(),
        "proxy": proxy,
        "ca": route.ca_files,
    })
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Head {
    Answer {
        status: u16,
        headers: Vec<(String, String)>,
    },
    Fault {
        code: String,
        message: String,
    },
}

/// An answer, as the host writes it: the length of a head, the head as JSON, the body.
fn answer(bytes: &[u8]) -> Result<Response, Fault> {
    let unreadable = || Fault {
        kind: FaultKind::Broken,
        words: "the host's answer is unreadable".to_owned(),
    };
    let (length, rest) = bytes.split_at_checked(4).ok_or_else(unreadable)?;
    let length = length
        .iter()
        .rev()
        .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
    let (head, body) = rest.split_at_checked(length).ok_or_else(unreadable)?;
    match serde_json::from_slice(head).map_err(|_| unreadable())? {
        Head::Answer { status, headers } => Ok(Response {
            status,
            headers,
            body: body.to_vec().into(),
        }),
        Head::Fault { code, message } => Err(Fault {
            kind: kind(&code),
            words: message,
        }),
    }
}

/// What Node's error codes mean. Those that start with `APP_` are the host's own.
fn kind(code: &str) -> FaultKind {
    // The names that Node gives to OpenSSL's verdicts on a certificate, and its own on the name in it.
    const CERTIFICATE: [&str; 12] = [
        "CERT_HAS_EXPIRED",
        "CERT_NOT_YET_VALID",
        "CERT_REJECTED",
        "CERT_REVOKED",
        "CERT_SIGNATURE_FAILURE",
        "CERT_UNTRUSTED",
        "DEPTH_ZERO_SELF_SIGNED_CERT",
        "ERR_TLS_CERT_ALTNAME_INVALID",
        "HOSTNAME_MISMATCH",
        "INVALID_CA",
        "SELF_SIGNED_CERT_IN_CHAIN",
        "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    ];
    match code {
        "APP_PROXY" => FaultKind::Proxy,
        "APP_TOO_LARGE" => FaultKind::TooLarge,
        "APP_CA" => FaultKind::CaBundle,
        "APP_FORBIDDEN" => FaultKind::Forbidden,
        code if CERTIFICATE.contains(&code) || code.starts_with("UNABLE_TO_GET_ISSUER_CERT") => {
            FaultKind::Tls
        }
        _ => FaultKind::Broken,
    }
}
