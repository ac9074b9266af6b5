//! Standard output: results alone, whole or with an error.

use crate::problem;
use app_token::error::{Error, Result};
use std::io::{IsTerminal, Write};

/// Writes `text` as it is. What holds a token goes this way and no other.
///
/// # Errors
/// [`problem::OUTPUT_FAILED`].
pub fn write(text: &str) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(|error| Error::new(&problem::OUTPUT_FAILED, error.to_string()))
}

/// As [`write()`], for lists and pages, of which a reader may want no more than the start (`| head`).
///
/// # Errors
/// [`problem::OUTPUT_FAILED`].
pub fn write_page(text: &str) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome.map_err(|error| Error::new(&problem::OUTPUT_FAILED, error.to_string())),
    }
}

/// Whether a person is looking at it.
pub fn is_terminal() -> bool {
    std::io::stdout().is_terminal()
}
