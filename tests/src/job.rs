//! One use of the action in a job, run as the runner runs it.

use crate::run::Run;
use app_token_runner::Entries;
use app_token_runner::commands::{self, Line};
use app_token_runner::manifest::{self, Manifest};
use app_token_sandbox::{Exchange, Sandbox, world};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

/// Nothing that the action does takes longer; a test that waits on purpose says so.
const LIMIT: Duration = Duration::from_secs(30);

/// The Node to use: what `NODE` names, else the one on `PATH`.
///
/// # Panics
/// Where there is none.
pub fn node() -> &'static Path {
    static NODE: LazyLock<PathBuf> = LazyLock::new(|| {
        let named = std::env::var_os("NODE").filter(|name| !name.is_empty());
        let wanted = PathBuf::from(named.clone().unwrap_or_else(|| "node".into()));
        let runs = Command::new(&wanted).arg("--version").output();
        match (runs, named) {
            (Ok(output), _) if output.status.success() => wanted,
            (_, Some(_)) => panic!("NODE names {}, which does not run", wanted.display()),
            (_, None) => panic!(
                "these tests run the action, so they need Node 20 or later on PATH (or NODE to name one)"
            ),
        }
    });
    &NODE
}

/// One use of the action in a job.
#[derive(Clone)]
pub struct Job<'a> {
    sandbox: &'a Sandbox,
    folder: Arc<Folder>,
    inputs: BTreeMap<String, String>,
    env: BTreeMap<String, Option<String>>,
    state: BTreeMap<String, String>,
    secrets: Vec<(String, String)>,
    dist: PathBuf,
    limit: Duration,
    pub(crate) stderr_may_speak: bool,
}

/// Which half of the action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Main,
    Post,
}

impl<'a> Job<'a> {
    /// A step with the inputs that it cannot do without: the App, its key, `permission-contents: read`.
    pub fn new(sandbox: &'a Sandbox) -> Self {
        Self::bare(sandbox)
            .input("app-id", &world::APP_ID.to_string())
            .input("kms-key-id", world::ALIAS)
            .input("permission-contents", "read")
    }

    /// A step without a single input, in a job that has what [`Sandbox::env`] exports.
    ///
    /// With TLS, `NODE_EXTRA_CA_CERTS` names the sandbox's authority. There is no instance metadata,
    /// unless a test names an endpoint of it and unsets `AWS_EC2_METADATA_DISABLED`.
    pub fn bare(sandbox: &'a Sandbox) -> Self {
        let mut job = Self {
            sandbox,
            folder: Arc::new(Folder::new()),
            inputs: BTreeMap::new(),
            env: BTreeMap::new(),
            state: BTreeMap::new(),
            secrets: Vec::new(),
            dist: root().join("dist"),
            limit: LIMIT,
            stderr_may_speak: false,
        };
        for (name, value) in sandbox.env() {
            job = job.env(&name, &value);
        }
        if !sandbox.ca_pem().is_empty() {
            job = job.ca_in("NODE_EXTRA_CA_CERTS");
        }
        job.env("AWS_EC2_METADATA_DISABLED", "true")
    }

    /// Sets an input; empty is as if the workflow had not named it.
    #[must_use]
    pub fn input(mut self, name: &str, value: &str) -> Self {
        self.inputs.insert(name.into(), value.into());
        self
    }

    /// Sets a variable; empty is empty, not unset.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.into(), Some(value.into()));
        self
    }

    /// Unsets a variable.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.env.insert(name.into(), None);
        self
    }

    /// Sets all of these variables.
    #[must_use]
    pub fn envs(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        self.env.extend(
            variables
                .into_iter()
                .map(|(name, value)| (name, Some(value))),
        );
        self
    }

    /// Unsets the AWS credentials of the environment.
    #[must_use]
    pub fn without_credentials(self) -> Self {
        self.without("AWS_ACCESS_KEY_ID")
            .without("AWS_SECRET_ACCESS_KEY")
            .without("AWS_SESSION_TOKEN")
    }

    /// Uses the credentials of that access key instead; see the constants in [`world`].
    #[must_use]
    pub fn credentials(self, access_key_id: &str) -> Self {
        let env = self.sandbox.env_of(access_key_id);
        assert!(!env.is_empty(), "the sandbox knows no {access_key_id}");
        self.without_credentials().envs(env)
    }

    /// Names a file with the sandbox's authority in this variable.
    #[must_use]
    pub fn ca_in(self, variable: &str) -> Self {
        let path = self.file("ca.pem", self.sandbox.ca_pem());
        self.env(variable, &path)
    }

    /// Writes a file into the job's folder and returns its path.
    pub fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.0.join(name);
        std::fs::write(&path, text).expect("a file can be written");
        path.to_str().expect("UTF-8").to_owned()
    }

    /// Saves a state for post, as main would.
    #[must_use]
    pub fn state(mut self, name: &str, value: &str) -> Self {
        self.state.insert(name.into(), value.into());
        self
    }

    /// One more value that must not turn up, besides [`Sandbox::secrets`].
    #[must_use]
    pub fn secret(mut self, name: &str, value: &str) -> Self {
        self.secrets.push((name.into(), value.into()));
        self
    }

    /// Lets the process run so long instead of 30 s.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Node itself may print on standard error.
    #[must_use]
    pub fn stderr_may_speak(mut self) -> Self {
        self.stderr_may_speak = true;
        self
    }

    /// Runs the files of this folder instead of dist/.
    #[must_use]
    pub fn dist(mut self, folder: &Path) -> Self {
        self.dist = folder.into();
        self
    }

    /// The folder of this job, which is removed after it. Its path holds a space.
    pub fn folder(&self) -> &Path {
        &self.folder.0
    }

    /// The sandbox that the job talks to.
    pub fn sandbox(&self) -> &'a Sandbox {
        self.sandbox
    }

    pub(crate) fn secrets(&self) -> Vec<(String, String)> {
        let mut secrets = self.sandbox.secrets();
        secrets.extend(self.secrets.clone());
        secrets
    }

    /// Runs main to its end.
    #[track_caller]
    pub fn run(self) -> Run<'a> {
        self.start().wait()
    }

    /// Runs post to its end.
    #[track_caller]
    pub fn post(self) -> Run<'a> {
        self.start_post().wait()
    }

    /// Starts main.
    pub fn start(self) -> Running<'a> {
        self.spawn(Phase::Main)
    }

    /// Starts post.
    pub fn start_post(self) -> Running<'a> {
        self.spawn(Phase::Post)
    }

    fn spawn(self, phase: Phase) -> Running<'a> {
        let script = match phase {
            Phase::Main => self.dist.join("main.js"),
            Phase::Post => self.dist.join("post.js"),
        };
        let folder = &self.folder.0;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let fresh = |name: &str| {
            let path = folder.join(format!("{name} {number}"));
            std::fs::write(&path, "").expect("a file can be written");
            path
        };
        let (output, state) = (fresh("output"), fresh("state"));
        let work = folder.join("work space");

        let mut env = BTreeMap::from([
            ("CI".to_owned(), "true".to_owned()),
            ("GITHUB_ACTIONS".into(), "true".into()),
            ("GITHUB_RUN_ATTEMPT".into(), "1".into()),
            ("GITHUB_RUN_ID".into(), "1234567890".into()),
            ("GITHUB_SERVER_URL".into(), "https://github.com".into()),
            ("PATH".into(), std::env::var("PATH").unwrap_or_default()),
        ]);
        for (name, path) in [
            ("GITHUB_ENV", &fresh("env")),
            ("GITHUB_OUTPUT", &output),
            ("GITHUB_PATH", &fresh("path")),
            ("GITHUB_STATE", &state),
            ("GITHUB_STEP_SUMMARY", &fresh("summary")),
            ("GITHUB_WORKSPACE", &work),
            ("HOME", &folder.join("home")),
            ("RUNNER_TEMP", &folder.join("temp")),
            ("TMPDIR", &folder.join("temp")),
        ] {
            env.insert(name.into(), path.to_str().expect("UTF-8").into());
        }
        for (name, value) in &self.env {
            match value {
                Some(value) => env.insert(name.clone(), value.clone()),
                None => env.remove(name),
            };
        }
        env.extend(self.input_variables(&env));
        if phase == Phase::Post {
            let states = self.state.iter();
            env.extend(states.map(|(name, value)| (format!("STATE_{name}"), value.clone())));
        }

        let mut child = Command::new(node())
            .arg(script)
            .current_dir(&work)
            .env_clear()
            .envs(&env)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("node starts");
        Running {
            stdout: Capture::of(child.stdout.take().expect("stdout")),
            stderr: Capture::of(child.stderr.take().expect("stderr")),
            started: Instant::now(),
            child,
            job: self,
            phase,
            output,
            state,
        }
    }

    /// `INPUT_` and so on, of every declared input and of what else the step has under `with`.
    fn input_variables(&self, env: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        static MANIFEST: LazyLock<Manifest> =
            LazyLock::new(|| Manifest::of_checkout(&root()).expect("action.yml can be read"));
        let declared = |name: &str| MANIFEST.inputs.iter().any(|input| input.name == name);
        let mut with = self.inputs.clone();
        with.retain(|name, value| !value.is_empty() || !declared(name));
        let api_url = env.get("GITHUB_API_URL").map_or("", String::as_str);
        MANIFEST
            .inputs_of_step(&with, api_url)
            .expect("no other expression")
            .into_iter()
            .map(|(name, value)| (manifest::variable(&name), value))
            .collect()
    }
}

/// The checkout.
fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Tells runs apart.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// A folder that goes when the last job in it does.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("app-token test {}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        for name in ["work space", "home", "temp"] {
            std::fs::create_dir_all(path.join(name)).expect("a folder can be made");
        }
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A phase under way. Dropped before its end, it is killed.
pub struct Running<'a> {
    child: Child,
    job: Job<'a>,
    phase: Phase,
    started: Instant,
    stdout: Capture,
    stderr: Capture,
    output: PathBuf,
    state: PathBuf,
}

impl<'a> Running<'a> {
    /// Waits for the end.
    ///
    /// # Panics
    /// When it takes longer than the job's [limit](Job::limit); the process is killed first.
    #[track_caller]
    pub fn wait(mut self) -> Run<'a> {
        let in_time = self.stdout.finish(self.job.limit) && self.stderr.finish(self.job.limit);
        if !in_time {
            let _ = self.child.kill();
        }
        let run = self.end(false);
        assert!(in_time, "it did not end in time\n{run}");
        run.check()
    }

    /// Kills it now (SIGKILL).
    #[track_caller]
    pub fn kill(mut self) -> Run<'a> {
        let _ = self.child.kill();
        self.end(true).check()
    }

    /// Sends a signal by its name, as the runner does when a job is cancelled: `INT`, 7.5 s later
    /// `TERM`, 2.5 s later `KILL`. Then waits for the end.
    #[track_caller]
    pub fn signal(mut self, name: &str) -> Run<'a> {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &pid])
            .status();
        assert!(sent.is_ok_and(|status| status.success()), "no signal");
        let in_time = self.stdout.finish(self.job.limit) && self.stderr.finish(self.job.limit);
        if !in_time {
            let _ = self.child.kill();
        }
        let run = self.end(true);
        assert!(in_time, "SIG{name} did not end it\n{run}");
        run.check()
    }

    /// Kills it as soon as `moment` has come by the sandbox's recording.
    ///
    /// # Panics
    /// When that does not come to pass within the job's limit.
    #[track_caller]
    pub fn kill_when(self, moment: impl Fn(&[Exchange]) -> bool) -> Run<'a> {
        let come = self.job.sandbox.wait_for(self.job.limit, moment);
        let run = self.kill();
        assert!(come, "the moment to kill it never came\n{run}");
        run
    }

    /// Kills it so long after its start.
    #[track_caller]
    pub fn kill_after(self, time: Duration) -> Run<'a> {
        std::thread::sleep(time.saturating_sub(self.started.elapsed()));
        self.kill()
    }

    /// Waits until `come` holds, looking every 2 ms; `false` if it does not within `limit`.
    pub fn until(&self, limit: Duration, come: impl Fn(&Self) -> bool) -> bool {
        let end = Instant::now() + limit;
        loop {
            if come(self) {
                return true;
            }
            if Instant::now() >= end {
                return false;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// The lines that it has printed so far.
    pub fn lines(&self) -> Vec<Line> {
        let text = String::from_utf8_lossy(&self.stdout.so_far()).into_owned();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        commands::lines(whole)
    }

    /// What the state file holds by now; `None` while the runner could not read it.
    pub fn state(&self) -> Option<Entries> {
        Entries::parse(&std::fs::read_to_string(&self.state).ok()?).ok()
    }

    /// What the output file holds by now; `None` while the runner could not read it.
    pub fn outputs(&self) -> Option<Entries> {
        Entries::parse(&std::fs::read_to_string(&self.output).ok()?).ok()
    }

    /// How long it has been running.
    pub fn took(&self) -> Duration {
        self.started.elapsed()
    }

    /// Reads everything that there is, once the process is over or killed.
    fn end(&mut self, killed: bool) -> Run<'a> {
        self.stdout.finish(LIMIT);
        self.stderr.finish(LIMIT);
        let status = self.child.wait().expect("the child was not waited for");
        let took = self.started.elapsed();
        let text = |capture: &Capture| String::from_utf8_lossy(&capture.so_far()).into_owned();
        let (stdout, stderr) = (text(&self.stdout), text(&self.stderr));
        let (output_file, state_file) = (read(&self.output), read(&self.state));
        let entries = |file: &[u8]| {
            let text = std::str::from_utf8(file).expect("the runner's files are UTF-8");
            Entries::parse(text).unwrap_or_else(|why| {
                // Killed in the middle of a write; the runner would drop the file as well.
                assert!(killed, "the runner could not read the file: {why}");
                Entries::default()
            })
        };
        Run {
            status: status.code(),
            outputs: entries(&output_file),
            state: entries(&state_file),
            log: commands::lines(&stdout),
            stdout,
            stderr,
            took,
            job: self.job.clone(),
            phase: self.phase,
            killed,
            output_file,
            state_file,
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_default()
}

/// What a stream has brought so far.
struct Capture {
    bytes: Arc<Mutex<Vec<u8>>>,
    over: Receiver<()>,
    is_over: bool,
}

impl Capture {
    fn of(mut stream: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let (tell, over) = channel();
        let into = bytes.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(count @ 1..) = stream.read(&mut buffer) {
                into.lock().expect("no panic").extend(&buffer[..count]);
            }
            let _ = tell.send(());
        });
        Self {
            bytes,
            over,
            is_over: false,
        }
    }

    /// Waits for its end; `false` if that takes longer than `limit`.
    fn finish(&mut self, limit: Duration) -> bool {
        self.is_over = self.is_over || self.over.recv_timeout(limit).is_ok();
        self.is_over
    }

    fn so_far(&self) -> Vec<u8> {
        self.bytes.lock().expect("no panic").clone()
    }
}
