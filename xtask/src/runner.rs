//! The runner's part: an action's main and post, run as a job runs them.
//!
//! What the runner gives a step is written in its contract: every declared input as `INPUT_NAME`,
//! files for outputs and state, commands on standard output. Nothing of the surrounding environment
//! comes along but what a program needs to start, so that a run here is the same everywhere.
//!
//! Contract: <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use app_token_runner::{
    Entries,
    manifest::{Manifest, variable},
};

use crate::{
    error::{Result, at, fail},
    paths,
};

/// The oldest Node that the action's host runs on.
const OLDEST_NODE: u32 = 20;

/// What programs of any kind need to start, on Unix and on Windows.
const KEPT: &[&str] = &[
    "PATH",
    "HOME",
    "LANG",
    "TMPDIR",
    "SYSTEMROOT",
    "TEMP",
    "TMP",
    "USERPROFILE",
];

/// A job, as far as its steps see it.
pub struct Job {
    folder: Folder,
    environment: BTreeMap<String, String>,
    inputs: BTreeMap<String, String>,
}

/// One finished process.
pub struct Ran {
    /// From before the process was started until it was gone.
    pub wall: Duration,
    /// Whether it ended with status 0.
    pub success: bool,
    /// Its standard output, with workflow commands in it.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
    /// What it wrote to `GITHUB_OUTPUT`.
    pub outputs: Entries,
    /// What it wrote to `GITHUB_STATE`.
    pub state: Entries,
}

impl Job {
    /// A job in `owner/repository` that uses the action of `manifest` with these inputs.
    ///
    /// # Errors
    /// When an input is not one that the action declares, or there is no room for the job's files.
    pub fn new(
        manifest: &Manifest,
        repository: &str,
        github_api_url: &str,
        with: &[(&str, &str)],
    ) -> Result<Self> {
        let declared = |name: &str| manifest.inputs.iter().any(|input| input.name == name);
        if let Some((name, _)) = with.iter().find(|(name, _)| !declared(name)) {
            return Err(fail(format!("action.yml declares no input `{name}`")));
        }
        let with = with
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let inputs = manifest.inputs_of_step(&with, github_api_url)?;

        let folder = Folder::new()?;
        let owner = repository.split('/').next().unwrap_or_default();
        let mut environment: BTreeMap<String, String> = [
            ("CI", "true"),
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_API_URL", github_api_url),
            ("GITHUB_EVENT_NAME", "push"),
            ("GITHUB_JOB", "build"),
            ("GITHUB_REPOSITORY", repository),
            ("GITHUB_REPOSITORY_OWNER", owner),
            ("GITHUB_RUN_ATTEMPT", "1"),
            ("GITHUB_RUN_ID", "1000"),
            ("GITHUB_SERVER_URL", "https://github.com"),
            ("GITHUB_WORKFLOW", "CI"),
            ("RUNNER_ARCH", "X64"),
            ("RUNNER_OS", "Linux"),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
        for name in KEPT {
            if let Ok(value) = std::env::var(name) {
                environment.insert((*name).to_owned(), value);
            }
        }
        environment.insert("RUNNER_TEMP".to_owned(), folder.path.display().to_string());
        Ok(Self {
            folder,
            environment,
            inputs,
        })
    }

    /// Sets variables that a step before, or the workflow, has set for this job.
    pub fn environment<N: Into<String>, V: Into<String>>(
        &mut self,
        variables: impl IntoIterator<Item = (N, V)>,
    ) {
        let variables = variables.into_iter();
        self.environment
            .extend(variables.map(|(name, value)| (name.into(), value.into())));
    }

    /// Writes a file into the job's folder and says where it is.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn file(&self, name: &str, contents: &str) -> Result<PathBuf> {
        let path = self.folder.path.join(name);
        paths::write(&path, contents)?;
        Ok(path)
    }

    /// Runs a script of an action with the job's inputs, and with the state that an earlier script
    /// of the same action has left.
    ///
    /// # Errors
    /// When Node cannot be started, or the script wrote a file that the runner would refuse.
    pub fn run(&self, script: &Path, state: &Entries) -> Result<Ran> {
        self.run_with(&[], script, state)
    }

    /// As [`Job::run`], with options for Node.
    ///
    /// # Errors
    /// As [`Job::run`].
    pub fn run_with(&self, options: &[&str], script: &Path, state: &Entries) -> Result<Ran> {
        let mut command = Command::new("node");
        command
            .args(options)
            .arg(script)
            .current_dir(&self.folder.path)
            .env_clear()
            .envs(&self.environment);
        for (name, value) in &self.inputs {
            command.env(variable(name), value);
        }
        for (name, value) in state.iter() {
            command.env(format!("STATE_{name}"), value);
        }
        let mut files = Vec::new();
        for name in ["OUTPUT", "STATE", "ENV", "PATH", "STEP_SUMMARY"] {
            let path = self.file(&format!("file-commands/{name}"), "")?;
            command.env(format!("GITHUB_{name}"), &path);
            files.push(path);
        }

        let start = Instant::now();
        let output = command
            .output()
            .map_err(|error| fail(format!("could not start node: {error}")))?;
        let wall = start.elapsed();
        let file = |index: usize| -> Result<Entries> {
            match files.get(index) {
                Some(path) => Ok(Entries::parse(&paths::read(path)?)?),
                None => Ok(Entries::default()),
            }
        };
        Ok(Ran {
            wall,
            success: output.status.success(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            outputs: file(0)?,
            state: file(1)?,
        })
    }
}

/// Checks that there is a Node that the action runs on, and says which.
///
/// # Errors
/// When there is none, or it is too old, with what to do.
pub fn node_version() -> Result<String> {
    let advice = format!("install Node.js {OLDEST_NODE} or later and put it on PATH");
    let output = Command::new("node")
        .arg("--version")
        .output()
        .map_err(|error| {
            fail(format!(
                "the action runs on Node.js, and `node` cannot be started ({error}): {advice}"
            ))
        })?;
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let major = version
        .trim_start_matches('v')
        .split('.')
        .next()
        .and_then(|major| major.parse::<u32>().ok());
    match major {
        Some(major) if major >= OLDEST_NODE => Ok(version),
        _ => Err(fail(format!(
            "`node` is {version:?}, which is too old: {advice}"
        ))),
    }
}

/// A folder that goes when the job does: it holds tokens.
struct Folder {
    path: PathBuf,
}

impl Folder {
    fn new() -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let path = std::env::temp_dir().join(format!(
            "app-token-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        ));
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&path).map_err(at("create", &path))?;
        Ok(Self { path })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        Manifest::parse(
            "inputs:\n  two-words:\n    description: x\n  url:\n    description: x\n    default: ${{ github.api_url }}\n",
        )
        .unwrap()
    }

    #[test]
    fn a_step_sees_what_the_runner_gives_and_nothing_else() {
        let mut job = Job::new(
            &manifest(),
            "org/repo",
            "http://127.0.0.1:1",
            &[("two-words", "v")],
        )
        .unwrap();
        job.environment([("AWS_REGION", "eu-west-1")]);
        let script = job
            .file(
                "s.js",
                "const e = process.env, fs = require('fs');\n\
                 fs.appendFileSync(e.GITHUB_OUTPUT, `in=${e['INPUT_TWO-WORDS']}\\nurl<<E\\n${e.INPUT_URL}\\n\\nE\\n`);\n\
                 fs.appendFileSync(e.GITHUB_STATE, `kept=${e.STATE_kept}+1\\n`);\n\
                 console.log(e.GITHUB_REPOSITORY_OWNER, e.AWS_REGION, e.CARGO);\n\
                 console.error('oh'); process.exitCode = 3;\n",
            )
            .unwrap();
        let state = Entries::parse("kept=1\n").unwrap();
        let ran = job.run(&script, &state).unwrap();
        assert_eq!(ran.stdout, "org eu-west-1 undefined\n");
        assert_eq!(ran.stderr, "oh\n");
        assert!(!ran.success);
        assert_eq!(ran.outputs.get("in").unwrap(), "v");
        assert_eq!(ran.outputs.get("url").unwrap(), "http://127.0.0.1:1\n");
        assert_eq!(ran.state.get("kept").unwrap(), "1+1");
        let folder = job.folder.path.clone();
        drop(job);
        assert!(!folder.exists());
    }

    #[test]
    fn an_input_that_the_action_does_not_declare_is_refused() {
        assert!(Job::new(&manifest(), "o/r", "u", &[("two_words", "v")]).is_err());
    }
}
