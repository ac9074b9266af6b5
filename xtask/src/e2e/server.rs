//! A counterpart that serves: started on a free port, ended by its own id.

use std::{
    fs::{self, File},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::error::{Result, at, fail};

/// How long a counterpart may take to open its port. The slowest takes three seconds on a busy machine
/// with two cores.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many of its last words a server that died is allowed.
const LAST_LINES: usize = 12;

/// A running server. Dropping it ends it.
pub struct Server {
    child: Child,
    port: u16,
}

impl Server {
    /// Starts what `command` gives for a free port and waits until it takes connections there. What
    /// it prints goes to a file in `folder`.
    ///
    /// # Errors
    /// When it cannot be started, ends at once, or stays silent.
    pub fn start(name: &str, folder: &Path, command: impl FnOnce(u16) -> Command) -> Result<Self> {
        let port = free_port()?;
        let log = folder.join(format!("{name}.log"));
        let file = File::create(&log).map_err(at("create", &log))?;
        let copy = file.try_clone().map_err(at("open", &log))?;
        let child = command(port)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(copy)
            .spawn()
            .map_err(|error| fail(format!("could not start {name}: {error}")))?;
        let mut server = Self { child, port };
        server.wait(name, &log)?;
        Ok(server)
    }

    fn wait(&mut self, name: &str, log: &PathBuf) -> Result<()> {
        let words = || {
            let text = fs::read_to_string(log).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
        };
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok() {
                return Ok(());
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(fail(format!("{name} ended ({status}):\n{}", words())));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Err(fail(format!("{name} opened no port:\n{}", words())))
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that nobody listens on. Between this and its use somebody else may take it, which ends in an
/// error and not in a wrong answer.
fn free_port() -> Result<u16> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| fail(format!("there is no free port: {error}")))
}
