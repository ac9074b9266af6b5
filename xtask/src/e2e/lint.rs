//! X.
use super::{cases::Cases, tools::Tools};
use crate::error::Result;
pub fn run(_: &Tools, _: &mut Cases) -> Result<()> {
    Ok(())
}
