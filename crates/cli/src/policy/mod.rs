//! `policy`.

pub mod documents;
