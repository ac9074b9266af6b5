//! What tests of the action as a whole stand on: runs dist/ as the runner does, reads what it left
//! behind as the runner does, and lets no secret pass.
//!
//! ```no_run
//! use app_token_sandbox::Sandbox;
//! use app_token_tests::{Job, calls};
//!
//! let sandbox = Sandbox::start()?;
//! let main = Job::new(&sandbox).input("owner", "my-org").env("AWS_REGION", "").run();
//! assert_eq!(main.status, Some(1));
//! assert_eq!(main.error().title, "No AWS region is known");
//! assert!(calls(&sandbox).is_empty());
//!
//! let main = Job::new(&sandbox).run().success();
//! assert_eq!(main.outputs["installation-id"], "10001");
//! assert!(main.post().infos().contains(&"The token is revoked."));
//! # std::io::Result::Ok(())
//! ```
//!
//! - [`Job`] is one use of the action in a job: its inputs, its environment, its files.
//! - [`Running`] is a phase under way, which can be killed.
//! - [`Run`] is what came of a phase. Each was searched for secrets ([`redaction`]), for stack traces
//!   and for lines that the runner would take for commands by accident, before a test gets it.
//! - `app_token_runner` reads standard output and the files as the runner does.
//! - [`calls`], [`claims`] and [`times`] tell what the sandbox saw.
//!
//! `NODE` names the Node to use; without it, it is the `node` on `PATH`.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "all of it is for tests: a failure is to stop the test, with its reason"
)]

mod job;
pub mod redaction;
mod run;
mod seen;

pub use app_token_runner::Entries;
pub use app_token_runner::commands::Annotation;
pub use job::{Job, Running, node};
pub use run::Run;
pub use seen::{bearer, body, calls, claims, times};
