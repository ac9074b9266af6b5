//! One kind of error: a sentence for the person at the terminal.

use std::{fmt, io, path::Path};

/// What went wrong, said so that the reader knows what to do.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure(String);

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Self(message)
    }
}

/// The result of everything here that can fail.
pub type Result<T> = std::result::Result<T, Failure>;

/// Makes a failure out of its sentence.
pub fn fail(message: impl Into<String>) -> Failure {
    Failure(message.into())
}

/// Turns an I/O error into a failure that names the file.
pub fn at(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Failure {
    let path = path.display().to_string();
    move |error| fail(format!("could not {verb} {path}: {error}"))
}
