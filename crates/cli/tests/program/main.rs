//! The built program against the sandbox: one scenario a test, named as a sentence. After each run every
//! captured byte is searched for every secret that the sandbox knows.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "what should not happen ends the test"
)]

mod git;
mod key;
mod run;
mod token;
mod tools;
