//! The action under fault: every call by every fault ([`matrix`]), ended in the middle ([`killed`]), and
//! a thousand runs in a row ([`soak`]). Each runs dist/ as the runner does, against the sandbox, and is
//! searched for secrets.
//!
//! - `cargo test --test faults` runs what takes less than some ten seconds a test.
//! - `cargo test --test faults -- --include-ignored` runs everything, in two to three minutes.
//! - `cargo test --test faults -- mint` runs the tests with that word in their name.
//! - `FAULTS_BLESS=1 cargo test --test faults -- document` writes docs/fault-matrix.md anew.

#![expect(clippy::print_stdout, reason = "the matrix is printed")]

mod document;
mod killed;
mod matrix;
mod soak;

use libtest_mimic::{Arguments, Trial};
use std::process::ExitCode;

/// How many tests run at a time. Most of a test is waiting, for pauses and for deadlines.
const AT_A_TIME: usize = 24;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = arguments.test_threads.or(Some(AT_A_TIME));
    let mut trials: Vec<Trial> = matrix::trials();
    trials.extend(killed::trials());
    trials.extend(soak::trials());
    trials.push(Trial::test("document", document::check));
    let listed = arguments.list;
    let conclusion = libtest_mimic::run(&arguments, trials);
    if !listed {
        print!("{}{}", matrix::seen(), killed::seen());
    }
    conclusion.exit_code()
}
