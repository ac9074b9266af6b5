//! The runner's side of its contract with a step, for everything that plays a runner or checks what an
//! action tells one: the tests, the fuzz targets, the demo and the benchmark.
//!
//! Written from the sources of actions/runner and from nothing of the action's own, so that a mistake in
//! one cannot hide in the other.
//!
//! - [`manifest`]: `action.yml`, and the variables that its inputs become.
//! - [`commands`]: workflow commands on standard output.
//! - [`entries`]: the files behind `GITHUB_OUTPUT` and `GITHUB_STATE`.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod commands;
pub mod entries;
pub mod manifest;

pub use entries::Entries;
pub use manifest::Manifest;
