//! Where things stand in the checkout.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::error::{Result, at, fail};

/// The root of the checkout that this program was built from.
///
/// # Errors
/// When the program was moved out of its checkout.
pub fn root() -> Result<PathBuf> {
    // Cargo sets the variable for `cargo run`; the constant serves a program started by itself.
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    manifest
        .parent()
        .filter(|root| root.join("Cargo.toml").is_file())
        .map(Path::to_owned)
        .ok_or_else(|| fail("this program must stay in its checkout; run it with `cargo xtask`"))
}

/// Reads a text file.
///
/// # Errors
/// When it cannot be read, by name.
pub fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(at("read", path))
}

/// Writes a file, and the folders above it.
///
/// # Errors
/// When it cannot be written, by name.
pub fn write(path: &Path, contents: impl AsRef<[u8]>) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(at("create", folder))?;
    }
    fs::write(path, contents).map_err(at("write", path))
}
