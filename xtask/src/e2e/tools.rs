//! What is installed into target/e2e: pinned, with hashes, and once.

use std::{
    env::consts::{ARCH, OS},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    error::{Result, at, fail},
    paths,
    process::run,
};

/// Where the pins stand in the checkout.
const PINS: &str = "tests/counterparts";

/// What finds the hashes for every platform; pip finds those of this machine alone.
const PINNER: &str = "uv==0.13.9";
/// The Python of Debian 12, which is the oldest that the pins have to suit.
const OLDEST_PYTHON: &str = "3.11";

/// The counterparts, installed.
pub struct Tools {
    root: PathBuf,
    folder: PathBuf,
}

impl Tools {
    /// Installs what is not there yet. What an interrupted run has left half done is done anew.
    ///
    /// # Errors
    /// When Python or npm is missing, or a registry does not give what is pinned.
    pub fn install(root: &Path) -> Result<Self> {
        let tools = Self {
            root: root.to_owned(),
            folder: root.join("target/e2e"),
        };
        let python = tools.folder.join("python");
        tools.once("requirements.txt", &python, |pins| venv(&python, pins))?;
        let npm = tools.folder.join("npm");
        tools.once("package-lock.json", &npm, |pins| {
            for file in ["package.json", "package-lock.json"] {
                let from = pins.with_file_name(file);
                fs::copy(&from, npm.join(file)).map_err(at("copy", &from))?;
            }
            run(Command::new("npm")
                .args(["clean-install", "--ignore-scripts", "--no-audit"])
                .args(["--no-fund", "--loglevel=error"])
                .current_dir(&npm))
        })?;
        Ok(tools)
    }

    /// Pins what requirements.in, localstack.in and package.json name, and all that it needs, anew.
    ///
    /// # Errors
    /// When Python or npm is missing, or a registry does not know what is named.
    pub fn pin(root: &Path) -> Result<()> {
        let pins = root.join(PINS);
        let folder = root.join("target/e2e/uv");
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
        run(Command::new(folder.join("bin/python"))
            .args(["-m", "pip", "install", "--quiet"])
            .args(["--disable-pip-version-check", PINNER]))?;
        for (named, pinned) in [
            ("requirements.in", "requirements.txt"),
            ("localstack.in", "localstack.txt"),
        ] {
            run(Command::new(folder.join("bin/uv"))
                .args(["pip", "compile", "--quiet", "--no-header", "--universal"])
                .args(["--upgrade", "--generate-hashes", "--no-emit-index-url"])
                .args(["--python-version", OLDEST_PYTHON])
                .args(["--output-file", pinned, named])
                .current_dir(&pins))?;
        }
        let lock = pins.join("package-lock.json");
        if lock.exists() {
            fs::remove_file(&lock).map_err(at("remove", &lock))?;
        }
        run(Command::new("npm")
            .args(["install", "--package-lock-only", "--ignore-scripts"])
            .args(["--no-audit", "--no-fund", "--loglevel=error"])
            // Whichever registry somebody uses.
            .arg("--omit-lockfile-registry-resolved")
            .current_dir(&pins))
    }

    /// Fills `folder` as the pins in a file say, unless it was filled by the same pins before.
    fn once(
        &self,
        file: &str,
        folder: &Path,
        install: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<()> {
        let pins = self.fixture(file);
        let wanted = paths::read(&pins)?;
        let stamp = folder.join("installed");
        if fs::read_to_string(&stamp).is_ok_and(|there| there == wanted) {
            return Ok(());
        }
        println!("installing what {PINS}/{file} pins");
        if folder.exists() {
            fs::remove_dir_all(folder).map_err(at("remove", folder))?;
        }
        fs::create_dir_all(folder).map_err(at("create", folder))?;
        install(&pins)?;
        paths::write(&stamp, wanted)
    }

    /// The root of the checkout.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A file of tests/counterparts.
    pub fn fixture(&self, name: &str) -> PathBuf {
        self.root.join(PINS).join(name)
    }

    /// An empty folder for one counterpart's own files.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn scratch(&self, name: &str) -> Result<PathBuf> {
        // act cannot run scripts below a path with a space, wherever this checkout may be.
        let base = if self.folder.to_string_lossy().contains(' ') {
            std::env::temp_dir().join(format!("app-token-e2e-{}", std::process::id()))
        } else {
            self.folder.join("run")
        };
        let folder = base.join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(at("remove", &folder))?;
        }
        fs::create_dir_all(&folder).map_err(at("create", &folder))?;
        Ok(folder)
    }

    /// A program from PyPI.
    pub fn python(&self, program: &str) -> PathBuf {
        self.folder.join("python/bin").join(program)
    }

    /// The Python that LocalStack runs on. It is large, so it is installed when it is asked for.
    ///
    /// # Errors
    /// When PyPI does not give what is pinned.
    pub fn localstack(&self) -> Result<PathBuf> {
        let folder = self.folder.join("localstack");
        self.once("localstack.txt", &folder, |pins| venv(&folder, pins))?;
        Ok(folder.join("bin/python"))
    }

    /// A file of a package from npm.
    pub fn npm(&self, file: &str) -> PathBuf {
        self.folder.join("npm/node_modules").join(file)
    }

    /// The folder that holds the `node` of a major version.
    ///
    /// # Errors
    /// When npm has none for this machine.
    pub fn node(&self, major: u32) -> Result<PathBuf> {
        let cpu = if ARCH == "aarch64" { "arm64" } else { "x64" };
        let folder = self.npm(&format!("node{major}-{OS}-{cpu}/bin"));
        if folder.join("node").is_file() {
            Ok(folder)
        } else {
            Err(fail(format!(
                "npm has no Node {major} for {OS} on {ARCH} among the pins"
            )))
        }
    }
}

/// Installs what `pins` names, and nothing else, into a Python of its own.
fn venv(folder: &Path, pins: &Path) -> Result<()> {
    run(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
    run(Command::new(folder.join("bin/python"))
        .args(["-m", "pip", "install", "--quiet"])
        .args(["--disable-pip-version-check", "--require-hashes"])
        .args(["--only-binary", ":all:", "--requirement"])
        .arg(pins))
}
