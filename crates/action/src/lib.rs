//! The front for GitHub Actions: what a job gives goes into the library, what the library gives goes
//! back to the job.
//!
//! [`inputs`] reads what the workflow wrote, [`outputs`] is what later steps get, [`commands`] and [`files`] speak the runner's two protocols
//! (standard output, and the files behind `GITHUB_OUTPUT` and `GITHUB_STATE`), [`run`] is main and post.
//! On WebAssembly, `abi` connects all of it to the JavaScript host beside this crate's source: Rust
//! decides, the host only reaches.

#![deny(unsafe_code)]
#![warn(missing_docs)]

pub mod commands;
pub mod files;
pub mod inputs;
pub mod outputs;
pub mod run;

#[cfg(target_arch = "wasm32")]
mod abi;
#[cfg(target_arch = "wasm32")]
mod heap;
#[cfg(any(test, target_arch = "wasm32"))]
mod room;
