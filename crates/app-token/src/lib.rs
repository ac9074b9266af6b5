//! Turns *who is asking for what* into a short-lived GitHub App token, through a signature of AWS KMS.
//!
//! The way of the data is one line: what the user wrote becomes an [`order`], with its
//! [`scope::Target`] and its [`permissions::Permissions`]; a [`jwt`] is signed by one call to KMS ([`aws`]); [`github`] tells the
//! installation and mints the token. [`mint`] is that line, readable from top to bottom.
//!
//! The library has no authority of its own: network, clock, files, environment and randomness come in
//! through the traits of [`host`].

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod aws;
pub mod clock;
pub mod error;
pub mod github;
pub mod host;
pub mod http;
pub mod jwt;
pub mod list;
pub mod mint;
pub mod order;
pub mod permissions;
pub mod scope;
pub mod secret;
#[cfg(test)]
mod testing;
