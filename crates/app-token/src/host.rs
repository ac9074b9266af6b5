//! Everything that the library may reach, as traits: the caller hands it in, and without it the library
//! can touch nothing. Tests hand in their own, so they set no process state and wait for nothing.

use crate::clock::Clock;
use crate::http::Transport;
use std::collections::BTreeMap;
use std::rc::Rc;

/// The environment variables.
pub trait Env {
    /// The variable's value, if it is set and holds more than white space. An empty variable means the
    /// same as none: a workflow cannot unset one.
    fn var(&self, name: &str) -> Option<String>;
}

/// A map serves as an environment.
impl Env for BTreeMap<String, String> {
    fn var(&self, name: &str) -> Option<String> {
        self.get(name)
            .filter(|value| !value.trim().is_empty())
            .cloned()
    }
}

/// Why a file could not be read or written: the system's code (`ENOENT`) or words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileError(pub String);

impl FileError {
    /// Whether there is no such file, as opposed to one that cannot be read.
    pub fn is_missing(&self) -> bool {
        self.0.starts_with("ENOENT") || self.0.starts_with("ENOTDIR")
    }
}

/// The file system, as far as it is needed.
pub trait Files {
    /// The whole file as text.
    fn read(&self, path: &str) -> Result<String, FileError>;

    /// Adds `text` at the end of the file.
    fn append(&self, path: &str, text: &str) -> Result<(), FileError>;
}

/// A source of random bytes fit for secrets.
pub trait Random {
    /// Fills `buffer`.
    fn fill(&self, buffer: &mut [u8]);
}

/// Where the library tells what it does. Each call is one message of one or more lines.
pub trait Log {
    /// What a reader of the log wants to know.
    fn info(&self, message: &str);

    /// What the user should change, though the work goes on.
    fn warning(&self, message: &str);

    /// What only somebody who looks for a fault wants to know.
    fn debug(&self, message: &str);

    /// Whether anybody does; if not, the messages need not be made.
    fn debugging(&self) -> bool {
        true
    }

    /// From now on `value` must not appear anywhere. An empty value is ignored.
    fn mask(&self, value: &str);
}

/// All that the library may reach, in one hand.
#[derive(Clone)]
pub struct Host {
    /// Sends requests.
    pub transport: Rc<dyn Transport>,
    /// Tells the time.
    pub clock: Rc<dyn Clock>,
    /// Reads environment variables.
    pub env: Rc<dyn Env>,
    /// Reads and appends to files.
    pub files: Rc<dyn Files>,
    /// Gives random bytes.
    pub random: Rc<dyn Random>,
    /// Hears what is done.
    pub log: Rc<dyn Log>,
}
