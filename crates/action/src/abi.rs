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
use app_token::host::{FileError, Files, Host, Random};
use app_token::http::url::Origin;
use app_token::http::wire::{Hop, Sockets, Stream, Wire};
use app_token::http::{Fault, FaultKind};
use futures_util::future::LocalBoxFuture;
use std::cell::{Cell, RefCell};
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
        /// Names the hosts and ports, one pair a line, that may be reached; a second call is refused.
        pub fn permit(origins: *const u8, length: usize);
        /// Opens a stream to a [`Hop`] that is [described](describe), and wakes `id`, which stands for the stream from then on.
        pub fn open(id: u32, hop: *const u8, length: usize);
        /// Speaks TLS on the stream from here on, and wakes `id`.
        pub fn secure(id: u32, stream: u32, hop: *const u8, length: usize);
        /// Sends bytes on the stream.
        pub fn write(stream: u32, bytes: *const u8, length: usize);
        /// Wakes `id` with the next bytes of the stream, with none at its end.
        pub safe fn receive(id: u32, stream: u32);
        /// Closes the stream.
        pub safe fn close(stream: u32);
        /// Wakes `id` after so many milliseconds; after none, when what else is due has had its turn.
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
    static TASK: RefCell<Option<LocalBoxFuture<'static, ()>>> = const { RefCell::new(None) };
    /// Never more than a few.
    static WAITING: RefCell<Vec<Slot>> = const { RefCell::new(Vec::new()) };
    static LAST_ID: Cell<u32> = const { Cell::new(0) };
}

/// Something that the host was asked for.
struct Slot {
    id: u32,
    answer: Option<Result<Zeroizing<Vec<u8>>, Fault>>,
    waker: Option<Waker>,
}

/// Starts a phase: 0 is main, 1 is post. `take(0)` copies the environment, of this length: `NAME=VALUE`
/// and a NUL for each variable.
#[unsafe(no_mangle)]
pub extern "C" fn start(phase: u32, environment: usize) {
    let phase = if phase == 0 { Phase::Main } else { Phase::Post };
    std::panic::set_hook(Box::new(move |panic| report(phase, panic)));
    let environment = taken(0, environment);
    let variables = Rc::new(Variables::parse(&String::from_utf8_lossy(&environment)));
    let log = Rc::new(Commands::new(print, variables.get("RUNNER_DEBUG") == "1"));
    let host = Host {
        transport: Rc::new(Wire::new(Node)),
        clock: Rc::new(Node),
        env: variables.clone(),
        files: Rc::new(Node),
        random: Rc::new(Node),
        log: log.clone(),
    };
    let task = Box::pin(async move {
        // Held until the process has ended, which closes the connections at no cost.
        let _connections = host.transport.clone();
        host::exit(run(phase, &variables, host, log).await);
    });
    TASK.set(Some(task));
    poll();
}

/// Tells that what `id` stands for is there: `take(id)` copies `length` bytes, which are an error's code
/// and words, a line each, if `failed` is not 0.
#[unsafe(no_mangle)]
pub extern "C" fn wake(id: u32, length: usize, failed: u32) {
    let bytes = taken(id, length);
    let answer = if failed == 0 {
        Ok(bytes)
    } else {
        Err(fault(&String::from_utf8_lossy(&bytes)))
    };
    let waker = WAITING.with_borrow_mut(|waiting| {
        // Given up in the meantime: nobody is interested.
        let slot = waiting.iter_mut().find(|slot| slot.id == id)?;
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
    if task
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
        .is_pending()
    {
        TASK.set(Some(task));
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
        let slot = Slot {
            id,
            answer: None,
            waker: None,
        };
        WAITING.with_borrow_mut(|waiting| waiting.push(slot));
        Self(id)
    }
}

impl Future for Pending {
    type Output = Result<Zeroizing<Vec<u8>>, Fault>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        WAITING.with_borrow_mut(|waiting| {
            let slot = waiting.iter_mut().find(|slot| slot.id == self.0);
            let Some(slot) = slot else {
                return Poll::Pending;
            };
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
        WAITING.with_borrow_mut(|waiting| waiting.retain(|slot| slot.id != self.0));
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
        Duration::from_micros((host::monotonic() * 1000.0) as u64)
    }

    fn sleep(&self, duration: Duration) -> LocalBoxFuture<'static, ()> {
        let pending = Pending::new();
        host::sleep(pending.0, duration.as_secs_f64() * 1000.0);
        Box::pin(async move {
            // A timer does not fail.
            let _ = pending.await;
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

impl Sockets for Node {
    fn open(&self, hop: &Hop) -> LocalBoxFuture<'static, Result<Rc<dyn Stream>, Fault>> {
        let described = describe(hop);
        let pending = Pending::new();
        let stream = NodeStream(pending.0);
        // SAFETY: pointer and length are those of `described`, which the host reads before it returns.
        unsafe { host::open(pending.0, described.as_ptr(), described.len()) };
        Box::pin(async move {
            pending.await?;
            Ok(Rc::new(stream) as Rc<dyn Stream>)
        })
    }

    fn permit(&self, origins: &[Origin]) {
        let pairs: Vec<String> = origins
            .iter()
            .map(|origin| format!("{} {}", origin.host, origin.port))
            .collect();
        let pairs = pairs.join("\n");
        // SAFETY: pointer and length are those of `pairs`, which the host reads before it returns.
        unsafe { host::permit(pairs.as_ptr(), pairs.len()) }
    }
}

/// A stream that the host holds.
struct NodeStream(u32);

impl Drop for NodeStream {
    fn drop(&mut self) {
        host::close(self.0);
    }
}

impl Stream for NodeStream {
    fn secure(&self, hop: &Hop) -> LocalBoxFuture<'static, Result<(), Fault>> {
        let described = describe(hop);
        let pending = Pending::new();
        // SAFETY: pointer and length are those of `described`, which the host reads before it returns.
        unsafe { host::secure(pending.0, self.0, described.as_ptr(), described.len()) };
        Box::pin(async move { pending.await.map(drop) })
    }

    fn write(&self, bytes: &[u8]) {
        // SAFETY: pointer and length are those of `bytes`, which the host copies before it returns.
        unsafe { host::write(self.0, bytes.as_ptr(), bytes.len()) }
    }

    fn receive(&self) -> LocalBoxFuture<'static, Result<Zeroizing<Vec<u8>>, Fault>> {
        let pending = Pending::new();
        host::receive(pending.0, self.0);
        Box::pin(pending)
    }
}

/// Where a stream goes, for the host: host, port, `tls` if it is spoken or `later` if it will be, files of
/// certificates, with a NUL between two.
fn describe(hop: &Hop) -> String {
    let Hop {
        host,
        port,
        secure,
        secured_later,
        ca_files,
    } = hop;
    let tls = match (secure, secured_later) {
        (true, _) => "tls",
        (false, true) => "later",
        (false, false) => "",
    };
    let mut text = format!("{host}\0{port}\0{tls}");
    for file in ca_files {
        text.push('\0');
        text.push_str(file);
    }
    text
}

fn fault(text: &str) -> Fault {
    let (code, words) = text.split_once('\n').unwrap_or((text, text));
    Fault {
        kind: kind(code),
        words: words.to_owned(),
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
        "APP_CA" => FaultKind::CaBundle,
        "APP_FORBIDDEN" => FaultKind::Forbidden,
        code if CERTIFICATE.contains(&code) || code.starts_with("UNABLE_TO_GET_ISSUER_CERT") => {
            FaultKind::Tls
        }
        _ => FaultKind::Broken,
    }
}
