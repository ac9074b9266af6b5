//! AWS, as far as one signature needs it: whose credentials, which region, which endpoint, which key.

pub mod access_key;
pub mod credentials;
pub mod endpoint;
pub mod error;
pub mod keyring;
pub mod kms;
pub mod kms_key;
pub mod region;
pub mod sigv4;
pub mod sts;
mod xml;
