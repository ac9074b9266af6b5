//! Hosts for the unit tests: a scripted network, a clock that only moves when somebody sleeps, and a log
//! that remembers.

use crate::clock::{Clock, UnixTime};
use crate::host::{FileError, Files, Host, Log, Random};
use crate::http::url::Origin;
use crate::http::{Fault, FaultKind, Request, Response, Route, Transport};
use futures_util::future::{FutureExt, LocalBoxFuture, pending, ready};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// An environment of these variables.
pub fn env(variables: &[(&str, &str)]) -> BTreeMap<String, String> {
    variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// An answer with this status and body.
pub fn response(status: u16, body: &str) -> Response {
    Response {
        status,
        headers: Vec::new(),
        body: body.as_bytes().to_vec().into(),
    }
}

/// A connection that broke with these words.
pub fn broken(words: &str) -> Result<Response, Fault> {
    Err(Fault {
        kind: FaultKind::Broken,
        words: words.into(),
    })
}

/// Runs a future of which every part is ready when it is asked, or asleep on the scripted clock.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = Box::pin(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..100_000 {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
    panic!("the future waits for something that never comes");
}

/// A log that remembers.
#[derive(Default)]
pub struct Recorder {
    lines: RefCell<Vec<(&'static str, String)>>,
}

impl Recorder {
    fn of(&self, kind: &str) -> Vec<String> {
        let lines = self.lines.borrow();
        lines
            .iter()
            .filter(|(of, _)| *of == kind)
            .map(|(_, text)| text.clone())
            .collect()
    }

    /// What was masked.
    pub fn masks(&self) -> Vec<String> {
        self.of("mask")
    }

    /// What was warned of.
    pub fn warnings(&self) -> Vec<String> {
        self.of("warning")
    }

    fn push(&self, kind: &'static str, text: &str) {
        self.lines.borrow_mut().push((kind, text.to_owned()));
    }
}

impl Log for Recorder {
    fn info(&self, message: &str) {
        self.push("info", message);
    }
    fn warning(&self, message: &str) {
        self.push("warning", message);
    }
    fn debug(&self, message: &str) {
        self.push("debug", message);
    }
    fn mask(&self, value: &str) {
        self.push("mask", value);
    }
}

/// A network that gives prepared answers in order, and all else that a host has.
#[derive(Clone)]
pub struct Script(Rc<Inner>);

struct Inner {
    answers: RefCell<VecDeque<Result<Response, Fault>>>,
    silent: bool,
    sent: RefCell<Vec<Request>>,
    routes: RefCell<Vec<Route>>,
    connected: RefCell<Vec<Origin>>,
    now: Cell<i64>,
    elapsed: Cell<Duration>,
    slept: RefCell<Vec<Duration>>,
    log: Rc<Recorder>,
    env: RefCell<BTreeMap<String, String>>,
    files: RefCell<BTreeMap<String, String>>,
}

impl Script {
    /// Gives these answers, then fails the test.
    pub fn new(answers: impl IntoIterator<Item = Result<Response, Fault>>) -> Self {
        Self::with(answers, false)
    }

    /// Never answers.
    pub fn silent() -> Self {
        Self::with([], true)
    }

    /// Gives these answers, then no more.
    pub fn then_silent(answers: impl IntoIterator<Item = Result<Response, Fault>>) -> Self {
        Self::with(answers, true)
    }

    fn with(answers: impl IntoIterator<Item = Result<Response, Fault>>, silent: bool) -> Self {
        Self(Rc::new(Inner {
            answers: RefCell::new(answers.into_iter().collect()),
            silent,
            sent: RefCell::default(),
            routes: RefCell::default(),
            connected: RefCell::default(),
            now: Cell::new(1_700_000_000),
            elapsed: Cell::default(),
            slept: RefCell::default(),
            log: Rc::default(),
            env: RefCell::default(),
            files: RefCell::default(),
        }))
    }

    /// The same with a variable.
    pub fn var(self, name: &str, value: &str) -> Self {
        self.0.env.borrow_mut().insert(name.into(), value.into());
        self
    }

    /// The same with a file.
    pub fn file(self, path: &str, text: &str) -> Self {
        self.0.files.borrow_mut().insert(path.into(), text.into());
        self
    }

    /// The host that is made of it.
    pub fn host(&self) -> Host {
        Host {
            transport: Rc::new(self.clone()),
            clock: Rc::new(self.clone()),
            env: Rc::new(self.0.env.borrow().clone()),
            files: Rc::new(self.clone()),
            random: Rc::new(self.clone()),
            log: self.0.log.clone(),
        }
    }

    /// The requests so far.
    pub fn sent(&self) -> Vec<Request> {
        self.0.sent.borrow().clone()
    }

    /// Their URLs.
    pub fn urls(&self) -> Vec<String> {
        self.sent()
            .iter()
            .map(|request| request.url.to_string())
            .collect()
    }

    /// How they were sent.
    pub fn routes(&self) -> Vec<Route> {
        self.0.routes.borrow().clone()
    }

    /// The pauses so far, without the deadlines that were not reached.
    pub fn slept(&self) -> Vec<Duration> {
        self.0.slept.borrow().clone()
    }

    /// Time that passed on the scripted clock.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed.get()
    }

    /// The log.
    pub fn log(&self) -> Rc<Recorder> {
        self.0.log.clone()
    }

    /// The lines of the log for everybody.
    pub fn infos(&self) -> Vec<String> {
        self.0.log.of("info")
    }
}

impl Transport for Script {
    fn send(
        &self,
        request: &Request,
        route: &Route,
    ) -> LocalBoxFuture<'static, Result<Response, Fault>> {
        self.0.sent.borrow_mut().push(request.clone());
        self.0.routes.borrow_mut().push(route.clone());
        let answer = self.0.answers.borrow_mut().pop_front();
        if answer.is_none() && self.0.silent {
            return pending().boxed_local();
        }
        ready(answer.unwrap_or_else(|| panic!("unexpected request: {request:?}"))).boxed_local()
    }

    fn connect(&self, origin: &Origin, _: &Route) {
        self.0.connected.borrow_mut().push(origin.clone());
    }
}

impl Clock for Script {
    fn now(&self) -> UnixTime {
        UnixTime::from_seconds(self.0.now.get() + self.0.elapsed.get().as_secs() as i64)
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed.get()
    }

    fn sleep(&self, duration: Duration) -> LocalBoxFuture<'static, ()> {
        // Time passes only when somebody is asked to wait for it.
        let inner = self.0.clone();
        async move {
            inner.elapsed.set(inner.elapsed.get() + duration);
            if !duration.is_zero() {
                inner.slept.borrow_mut().push(duration);
            }
        }
        .boxed_local()
    }
}

impl Files for Script {
    fn read(&self, path: &str) -> Result<String, FileError> {
        self.0
            .files
            .borrow()
            .get(path)
            .cloned()
            .ok_or_else(|| FileError("ENOENT: no such file".into()))
    }

    fn append(&self, path: &str, text: &str) -> Result<(), FileError> {
        self.0
            .files
            .borrow_mut()
            .entry(path.into())
            .or_default()
            .push_str(text);
        Ok(())
    }
}

impl Random for Script {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(0xA5);
    }
}
