//! A host without authority: a network that gives prepared answers, a clock that only moves when
//! somebody sleeps, a log that remembers.

use app_token::clock::{Clock, UnixTime};
use app_token::host::{FileError, Files, Host, Log, Random};
use app_token::http::url::Origin;
use app_token::http::{Fault, FaultKind, Request, Response, Route, Transport};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

type Boxed<T> = Pin<Box<dyn Future<Output = T>>>;

/// When the scripted clock starts.
pub const START: i64 = 1_700_000_000;

/// An answer as a server might give it.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl From<Answer> for Response {
    fn from(answer: Answer) -> Self {
        Response {
            status: answer.status,
            headers: answer.headers,
            body: answer.body.into(),
        }
    }
}

/// The network, the clock and the log in one.
#[derive(Default)]
pub struct World {
    answers: RefCell<VecDeque<Answer>>,
    said: String,
    elapsed: Cell<Duration>,
    /// What files there are.
    pub files: RefCell<BTreeMap<String, String>>,
    /// What was asked for.
    pub sent: RefCell<Vec<String>>,
    /// What was masked.
    pub masks: RefCell<Vec<String>>,
    /// What was told.
    pub told: RefCell<Vec<String>>,
}

/// A world in which the network gives these answers, then breaks.
pub fn world(answers: impl IntoIterator<Item = Answer>) -> Rc<World> {
    let answers: VecDeque<Answer> = answers.into_iter().collect();
    let said = answers
        .iter()
        .map(|answer| format!("{answer:?} {}", String::from_utf8_lossy(&answer.body)));
    Rc::new(World {
        said: said.collect(),
        answers: RefCell::new(answers),
        ..World::default()
    })
}

impl World {
    /// Whether `secret` was told, other than by a server that said it itself: what was masked is taken
    /// out of the log, which is not the business of whoever tells it.
    pub fn gave_away(&self, secret: &str) -> bool {
        let told = self.told.borrow();
        !self.said.contains(secret) && told.iter().any(|line| line.contains(secret))
    }
}

/// The library's view of a world.
pub fn host(world: &Rc<World>, variables: &[(&str, &str)]) -> Host {
    let env: BTreeMap<String, String> = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let view = Rc::new(View(world.clone()));
    Host {
        transport: view.clone(),
        clock: view.clone(),
        env: Rc::new(env),
        files: view.clone(),
        random: view.clone(),
        log: view,
    }
}

/// Runs a future to its end; nothing in this world ever has to be waited for.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = Box::pin(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..10_000 {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
    panic!("the future waits for something that never comes");
}

struct View(Rc<World>);

impl Transport for View {
    fn send(&self, request: &Request, _: &Route) -> Boxed<Result<Response, Fault>> {
        self.0.sent.borrow_mut().push(request.url.to_string());
        let answer = self.0.answers.borrow_mut().pop_front();
        let answer = answer.map(Response::from).ok_or_else(|| Fault {
            kind: FaultKind::Broken,
            words: "ECONNRESET: no more answers".to_owned(),
        });
        Box::pin(async move { answer })
    }

    fn connect(&self, _: &Origin, _: &Route) {}
}

impl Clock for View {
    fn now(&self) -> UnixTime {
        UnixTime::from_seconds(START + self.0.elapsed.get().as_secs() as i64)
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed.get()
    }

    fn sleep(&self, duration: Duration) -> Boxed<()> {
        let world = self.0.clone();
        Box::pin(async move { world.elapsed.set(world.elapsed.get() + duration) })
    }
}

impl Files for View {
    fn read(&self, path: &str) -> Result<String, FileError> {
        let files = self.0.files.borrow();
        let missing = || FileError("ENOENT: no such file".to_owned());
        files.get(path).cloned().ok_or_else(missing)
    }

    fn append(&self, _: &str, _: &str) -> Result<(), FileError> {
        Ok(())
    }
}

impl Random for View {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(0x5A);
    }
}

impl Log for View {
    fn info(&self, message: &str) {
        self.0.told.borrow_mut().push(message.to_owned());
    }

    fn warning(&self, message: &str) {
        self.info(message);
    }

    fn debug(&self, message: &str) {
        self.info(message);
    }

    fn mask(&self, value: &str) {
        self.0.masks.borrow_mut().push(value.to_owned());
    }
}
