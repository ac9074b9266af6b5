//! What the library may reach, on a machine of flesh and blood: see [`app_token::host`].

pub mod console;
mod executor;
mod transport;

use app_token::clock::{Clock, UnixTime};
use app_token::error::{Error, Result, problem};
use app_token::host::{Env, FileError, Files, Host, Random};
use app_token::http::client::Client;
use console::Console;
use futures_util::future::{Either, LocalBoxFuture, select};
use std::io::Write;
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The machine, and the console that its log is written to.
pub struct Native {
    /// For the library.
    pub host: Host,
    /// For people.
    pub console: Rc<Console>,
}

impl Native {
    /// The machine.
    ///
    /// # Errors
    /// [`problem::INTERNAL`] where there are no random bytes to be had.
    pub fn new(console: Console) -> Result<Self> {
        // Once, here, so that drawing them cannot fail later.
        getrandom::getrandom(&mut [0; 1])
            .map_err(|error| Error::new(&problem::INTERNAL, format!("no random bytes: {error}")))?;
        let console = Rc::new(console);
        let host = Host {
            transport: Rc::new(transport::Threads::new()),
            clock: Rc::new(SystemClock(Instant::now())),
            env: Rc::new(ProcessEnv),
            files: Rc::new(FileSystem),
            random: Rc::new(SystemRandom),
            log: console.clone(),
        };
        Ok(Self { host, console })
    }

    /// A client whose bounds on time start now.
    ///
    /// # Errors
    /// [`problem::PROXY_INVALID`].
    pub fn client(&self) -> Result<Client> {
        Client::new(self.host.clone())
    }

    /// Does it, and shows `label` while it takes long.
    pub fn run<T>(&self, label: &str, work: impl Future<Output = T>) -> T {
        self.console.task(Some(label));
        let outcome = executor::block_on(work, || self.console.tick());
        self.console.task(None);
        outcome
    }
}

impl Native {
    /// As [`Native::run`], but `None` where the work has not ended within `grace` once `stopped` holds.
    pub fn run_unless<T>(
        &self,
        label: &str,
        work: impl Future<Output = T>,
        stopped: impl Fn() -> bool,
        grace: Duration,
    ) -> Option<T> {
        let given_up = async {
            while !stopped() {
                executor::sleep(LOOK_EVERY).await;
            }
            executor::sleep(grace).await;
        };
        self.run(label, async {
            match select(pin!(work), pin!(given_up)).await {
                Either::Left((outcome, _)) => Some(outcome),
                Either::Right(_) => None,
            }
        })
    }
}

/// The pause between two looks at whether somebody wants to stop.
const LOOK_EVERY: Duration = Duration::from_millis(50);

struct SystemClock(Instant);

impl Clock for SystemClock {
    fn now(&self) -> UnixTime {
        let seconds = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => since.as_secs() as i64,
            Err(before) => -(before.duration().as_secs() as i64),
        };
        UnixTime::from_seconds(seconds)
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&self, duration: Duration) -> LocalBoxFuture<'static, ()> {
        Box::pin(executor::sleep(duration))
    }
}

/// The variables of this process.
pub struct ProcessEnv;

impl Env for ProcessEnv {
    fn var(&self, name: &str) -> Option<String> {
        std::env::var(name)
            .ok()
            .filter(|value| !value.trim().is_empty())
    }
}

struct FileSystem;

impl FileSystem {
    fn error(error: &std::io::Error) -> FileError {
        let code = match error.kind() {
            std::io::ErrorKind::NotFound => "ENOENT: ",
            std::io::ErrorKind::NotADirectory => "ENOTDIR: ",
            _ => "",
        };
        FileError(format!("{code}{error}"))
    }
}

impl Files for FileSystem {
    fn read(&self, path: &str) -> Result<String, FileError> {
        std::fs::read_to_string(path).map_err(|error| Self::error(&error))
    }

    fn append(&self, path: &str, text: &str) -> Result<(), FileError> {
        std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(|error| Self::error(&error))
    }
}

struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, buffer: &mut [u8]) {
        // It was tried at the start; a system that fails later would leave the bytes to guessing, so
        // nothing is done with them but what a retry's pause and a delimiter need.
        let _ = getrandom::getrandom(buffer);
    }
}
