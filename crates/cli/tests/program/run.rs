//! Runs the program and remembers all that came out.

use app_token_sandbox::{Sandbox, world};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// A folder of the test's own, gone with it.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("app-token-cli-{}-{count}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A file in it.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, content).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A machine: the sandbox, a home, and whose AWS credentials there are.
pub struct Machine {
    pub sandbox: Sandbox,
    pub home: Folder,
    pub env: Vec<(String, String)>,
}

/// What a run left.
#[derive(Debug)]
pub struct Outcome {
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// The App and the key of the sandbox's world.
pub const APP: [&str; 4] = [
    "--client-id",
    world::CLIENT_ID,
    "--kms-key-id",
    world::ALIAS,
];

impl Machine {
    /// With credentials that may sign and nothing else.
    pub fn new() -> Self {
        Self::with(Sandbox::start().unwrap(), world::SIGNER_SESSION)
    }

    /// With credentials that may do everything with KMS.
    pub fn of_admin() -> Self {
        Self::with(Sandbox::start().unwrap(), world::ADMIN)
    }

    pub fn with(sandbox: Sandbox, access_key_id: &str) -> Self {
        let mut env = sandbox.env_without_credentials();
        env.extend(sandbox.env_of(access_key_id));
        Self {
            sandbox,
            home: Folder::new(),
            env,
        }
    }

    /// The same with a variable.
    pub fn var(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_app-token"));
        command
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home.path())
            .env("XDG_RUNTIME_DIR", self.home.path())
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .current_dir(self.home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub fn start(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        // Away from the foreground of a terminal that the tests may run in: what a terminal sends there is
        // not passed on.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        command.spawn().unwrap()
    }

    /// Runs it. No secret may be in what it writes.
    pub fn run(&self, arguments: &[&str]) -> Outcome {
        let outcome = self.run_with_token(arguments, None);
        self.check(&outcome.stdout, arguments);
        outcome
    }

    /// Runs it, with something on standard input. It may write a token to standard output, but no secret
    /// to standard error.
    pub fn run_with_token(&self, arguments: &[&str], input: Option<&str>) -> Outcome {
        let mut command = self.command(arguments);
        if input.is_some() {
            command.stdin(Stdio::piped());
        }
        let mut child = command.spawn().unwrap();
        if let Some(input) = input {
            child
                .stdin
                .take()
                .unwrap()
                .write_all(input.as_bytes())
                .unwrap();
        }
        self.end(child, arguments)
    }

    /// Waits for a program that was started.
    pub fn end(&self, child: Child, arguments: &[&str]) -> Outcome {
        let output = child.wait_with_output().unwrap();
        let outcome = Outcome {
            status: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
        self.check(&outcome.stderr, arguments);
        outcome
    }

    fn check(&self, text: &str, arguments: &[&str]) {
        for (name, secret) in self.sandbox.secrets() {
            assert!(
                !text.contains(&secret),
                "{name} is in the output of {arguments:?}"
            );
        }
    }
}

impl Outcome {
    /// That it went well.
    #[track_caller]
    pub fn good(self) -> Self {
        assert_eq!(self.status, Some(0), "{}{}", self.stdout, self.stderr);
        self
    }

    /// That it failed with this status, this error and a hint.
    #[track_caller]
    pub fn bad(self, status: i32, error: &str) -> Self {
        assert_eq!(self.status, Some(status), "{}{}", self.stdout, self.stderr);
        let line = self.stderr.lines().find(|line| line.starts_with("error: "));
        let line = line.unwrap_or_else(|| panic!("no error in {}", self.stderr));
        assert!(line.contains(error), "{line}");
        assert!(self.stderr.contains("\nhint: "), "{}", self.stderr);
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        self
    }
}
