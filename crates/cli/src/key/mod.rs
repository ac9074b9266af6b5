//! `key`: brings private keys into KMS and changes them.

mod import;
pub mod pem;
mod wrap;

use crate::Status;
use crate::args::Key;
use crate::native::Native;

pub fn run(native: &Native, args: &Key) -> Status {
    match args {
        Key::Import(args) => import::import(native, args),
        Key::Rotate(args) if args.undo => import::undo(native, args),
        Key::Rotate(args) => import::rotate(native, args),
    }
}
