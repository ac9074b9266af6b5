//! The cases of one counterpart: each is told as it ends, and counted.

use std::{fmt::Debug, time::Instant};

use crate::{
    error::{Failure, Result, fail},
    terminal::Style,
};

/// What was asked so far, and what came of it.
pub struct Cases {
    style: Style,
    count: usize,
    failed: usize,
}

impl Cases {
    /// None yet.
    pub fn new(style: Style) -> Self {
        Self {
            style,
            count: 0,
            failed: 0,
        }
    }

    /// Runs a case and tells how it ended. A failed one does not keep the next from running.
    pub fn case(&mut self, name: &str, run: impl FnOnce() -> Result<()>) {
        let start = Instant::now();
        let result = run();
        let seconds = start.elapsed().as_secs_f64();
        self.count += 1;
        match result {
            Ok(()) => println!("  {} {name} ({seconds:.1} s)", self.style.green("ok")),
            Err(error) => {
                self.failed += 1;
                println!("  {} {name}", self.style.red("FAILED"));
                for line in error.to_string().lines() {
                    println!("         {line}");
                }
            }
        }
    }

    /// Tells that the counterpart itself did not work, so that further cases could not run.
    pub fn broken(&mut self, error: &Failure) {
        self.case("set-up", || Err(fail(error.to_string())));
    }

    /// How many ran.
    pub fn count(&self) -> usize {
        self.count
    }

    /// How many of them failed.
    pub fn failed(&self) -> usize {
        self.failed
    }
}

/// That `found` is `wanted`.
///
/// # Errors
/// With both, when it is not.
pub fn same<T: PartialEq + Debug>(what: &str, found: T, wanted: T) -> Result<()> {
    if found == wanted {
        Ok(())
    } else {
        Err(fail(format!("{what}: {found:?}, not {wanted:?}")))
    }
}

/// That something holds.
///
/// # Errors
/// With these words, when it does not.
pub fn holds(condition: bool, otherwise: impl FnOnce() -> String) -> Result<()> {
    if condition {
        Ok(())
    } else {
        Err(fail(otherwise()))
    }
}
