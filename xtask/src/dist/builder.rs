//! The pinned builder: which packages it is, whether they are here, and its command.
//!
//! A WebAssembly module is the same to the byte only under the same compiler, standard library and
//! linker. Debian's packages give all three from one signed source, for everyone, by version.

use std::{collections::BTreeMap, path::Path, process::Command};

use crate::{
    error::{Result, fail},
    process::output,
};

const CARGO: &str = "/usr/bin/cargo";
const RUSTC: &str = "/usr/bin/rustc";
/// Where the linker `rust-lld` is found, ahead of any other toolchain's.
const SEARCH_PATH: &str = "/usr/bin:/bin";
const ARCHITECTURE: &str = "amd64";
const PINS: &str = include_str!("../../data/builder.txt");
const PINS_PATH: &str = "xtask/data/builder.txt";

/// Variables that would change the build, by their first letters.
const UNWANTED: &[&str] = &[
    // Set by the cargo that runs this program, or by a person to steer another build.
    "CARGO_BUILD_",
    "CARGO_ENCODED_",
    "CARGO_INCREMENTAL",
    "CARGO_MANIFEST_",
    "CARGO_PKG_",
    "CARGO_PROFILE_",
    "CARGO_TARGET_",
    "CARGO_UNSTABLE_",
    "LD_LIBRARY_PATH",
    "RUST",
    "__CARGO",
];

/// Checks that the builder's packages are here at their versions.
///
/// # Errors
/// With each difference by name, and the command that cures it.
pub fn check() -> Result<()> {
    let architecture = output(Command::new("dpkg").arg("--print-architecture"))
        .map_err(|error| absent(&error.to_string()))?;
    let architecture = String::from_utf8_lossy(&architecture);
    if architecture.trim() != ARCHITECTURE {
        return Err(absent(&format!(
            "it is for {ARCHITECTURE}, and this machine is {}",
            architecture.trim()
        )));
    }
    let names: Vec<&str> = pins().map(|(name, _)| name).collect();
    // dpkg-query fails where it knows nothing of one package, and prints the others all the same.
    let installed = Command::new("dpkg-query")
        .args([
            "--show",
            "--showformat=${Package}=${Version} ${db:Status-Status}\n",
        ])
        .args(&names)
        .output()
        .map_err(|error| absent(&format!("`dpkg-query` could not be started: {error}")))?;
    compare(&String::from_utf8_lossy(&installed.stdout))
}

/// A build command of the pinned builder in the checkout at `root`, free of what surrounds it.
pub fn cargo(root: &Path) -> Command {
    let mut command = Command::new(CARGO);
    for (name, _) in std::env::vars_os() {
        let unwanted = name
            .to_str()
            .is_some_and(|name| UNWANTED.iter().any(|start| name.starts_with(start)));
        if unwanted {
            command.env_remove(name);
        }
    }
    command
        .current_dir(root)
        .env("PATH", SEARCH_PATH)
        .env("RUSTC", RUSTC)
        // build-std and trim-paths are not stable yet; the version is pinned, so neither can change.
        .env("RUSTC_BOOTSTRAP", "1");
    command
}

fn compare(installed: &str) -> Result<()> {
    let installed: BTreeMap<&str, &str> = installed
        .lines()
        .filter_map(|line| line.strip_suffix(" installed"))
        .filter_map(|line| line.split_once('='))
        .collect();
    let differences: Vec<String> = pins()
        .filter_map(|(name, wanted)| match installed.get(name) {
            Some(present) if *present == wanted => None,
            Some(present) => Some(format!(
                "{name} is {present} here and {wanted} in {PINS_PATH}"
            )),
            None => Some(format!(
                "{name} is not installed; {PINS_PATH} wants {wanted}"
            )),
        })
        .collect();
    if differences.is_empty() {
        Ok(())
    } else {
        Err(absent(&differences.join("\n  ")))
    }
}

fn absent(what: &str) -> crate::error::Failure {
    let packages: Vec<String> = pins()
        .map(|(name, version)| format!("{name}={version}"))
        .collect();
    fail(format!(
        "the pinned builder of dist/ is not here:\n  {what}\non Debian 12 as root:\n  \
         apt-get update && apt-get install --yes --no-install-recommends {}",
        packages.join(" ")
    ))
}

fn pins() -> impl Iterator<Item = (&'static str, &'static str)> {
    PINS.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_installed() -> String {
        pins()
            .map(|(name, version)| format!("{name}={version} installed\n"))
            .collect()
    }

    #[test]
    fn the_pins_name_compiler_library_and_linker() {
        let names: Vec<&str> = pins().map(|(name, _)| name).collect();
        for name in ["rustc-web", "cargo-web", "rust-web-src", "lld-22"] {
            assert!(names.contains(&name), "{name}");
        }
        assert_eq!(compare(&all_installed()), Ok(()));
    }

    #[test]
    fn another_version_is_an_error_that_names_both() {
        let (name, version) = pins().next().unwrap();
        let installed = all_installed().replace(&format!("{name}={version}"), &format!("{name}=9"));
        let error = compare(&installed).unwrap_err().to_string();
        assert!(
            error.contains(&format!("{name} is 9 here and {version} in")),
            "{error}"
        );
        assert!(error.contains(&format!("{name}={version}")), "{error}");
    }

    #[test]
    fn a_package_that_was_removed_or_never_seen_is_missing() {
        let (name, _) = pins().next().unwrap();
        let removed = all_installed().replacen(" installed", " config-files", 1);
        for installed in [removed.as_str(), ""] {
            let error = compare(installed).unwrap_err().to_string();
            assert!(
                error.contains(&format!("{name} is not installed")),
                "{error}"
            );
            assert!(error.contains("apt-get install"), "{error}");
        }
    }
}
