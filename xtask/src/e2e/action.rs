//! dist/ as a job runs it, and what is demanded of each run.

use std::{collections::BTreeMap, env, path::PathBuf};

use app_token_sandbox::world::{APP_ID, ORG, REGION, REPO_A};

use super::{
    cases::{holds, same},
    tools::Tools,
};
use app_token_runner::{Entries, Manifest};

use crate::{
    error::{Result, fail},
    log::{Kind, Log},
    runner::{Job, Ran},
};

/// The major version of Node that action.yml names.
const NODE: u32 = 24;

/// An AWS access key.
#[derive(Clone, Default)]
pub struct Key {
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: String,
    /// The session's token; empty for a user's key.
    pub token: String,
}

/// A use of the action, to be run.
#[derive(Clone)]
pub struct Action<'a> {
    tools: &'a Tools,
    github: String,
    repository: String,
    with: BTreeMap<String, String>,
    environment: BTreeMap<String, String>,
}

impl<'a> Action<'a> {
    /// A use of the action in the sandbox's repository, with the sandbox's App, against this GitHub
    /// and this KMS.
    pub fn new(tools: &'a Tools, github: &str, aws: &str) -> Self {
        let action = Self {
            tools,
            github: github.to_owned(),
            repository: format!("{ORG}/{REPO_A}"),
            with: BTreeMap::new(),
            environment: BTreeMap::new(),
        };
        action
            .env("AWS_ENDPOINT_URL", aws)
            .env("AWS_REGION", REGION)
            .with("app-id", &APP_ID.to_string())
            .with("kms-key-id", "alias/github-app")
            .with("permission-contents", "read")
    }

    /// The same in another repository.
    pub fn repository(mut self, name: &str) -> Self {
        self.repository = name.to_owned();
        self
    }

    /// The same with another input.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.with.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The same without an input.
    pub fn without(mut self, name: &str) -> Self {
        self.with.remove(name);
        self
    }

    /// The same with another variable.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The same by somebody.
    pub fn by(self, key: &Key) -> Self {
        let action = self
            .env("AWS_ACCESS_KEY_ID", &key.id)
            .env("AWS_SECRET_ACCESS_KEY", &key.secret);
        if key.token.is_empty() {
            action
        } else {
            action.env("AWS_SESSION_TOKEN", &key.token)
        }
    }

    /// Runs main.
    ///
    /// # Errors
    /// When it cannot be run, or shows a secret.
    pub fn main(&self) -> Result<Done> {
        let manifest = Manifest::of_checkout(self.tools.root())?;
        let with: Vec<(&str, &str)> = self
            .with
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let mut job = Job::new(&manifest, &self.repository, &self.github, &with)?;
        job.environment(self.environment.clone());
        let path = env::join_paths(
            [self.tools.node(NODE)?].into_iter().chain(
                env::var_os("PATH")
                    .iter()
                    .flat_map(env::split_paths)
                    .collect::<Vec<PathBuf>>(),
            ),
        )
        .map_err(|error| fail(format!("PATH cannot be extended: {error}")))?;
        job.environment([("PATH", path.to_string_lossy())]);
        let secrets = [
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
        ]
        .iter()
        .filter_map(|name| self.environment.get(*name).cloned())
        .collect();
        let dist = self.tools.root().join("dist");
        let ran = job.run(&dist.join("main.js"), &Entries::default())?;
        let done = Done {
            job,
            ran,
            secrets,
            post: dist.join("post.js"),
        };
        done.keeps_secrets(&done.ran)?;
        Ok(done)
    }
}

/// A run of main, over.
pub struct Done {
    job: Job,
    /// What it did.
    pub ran: Ran,
    secrets: Vec<String>,
    post: PathBuf,
}

impl Done {
    /// The token.
    ///
    /// # Errors
    /// When main did not succeed, with what it said.
    pub fn token(&self) -> Result<&str> {
        let token = self.ran.outputs.get("token");
        match token {
            Some(token) if self.ran.success && !token.is_empty() => Ok(token),
            _ => Err(fail(format!("no token came of it:\n{}", self.words()))),
        }
    }

    /// That main ended in one error whose first line is `summary` and which repeats `words`.
    ///
    /// # Errors
    /// When it did not, with what it said.
    pub fn failed(&self, summary: &str, words: &str) -> Result<()> {
        let log = Log::read(&self.ran.stdout);
        let errors: Vec<&str> = log
            .lines
            .iter()
            .filter(|line| line.kind == Kind::Error)
            .map(|line| line.text.as_str())
            .collect();
        let right = match errors.as_slice() {
            [error] => error.starts_with(summary) && error.contains(words),
            _ => false,
        };
        holds(
            right
                && !self.ran.success
                && self.ran.outputs.get("token").is_none()
                && self.ran.stderr.is_empty(),
            || {
                format!(
                    "not one error `{summary}` with `{words}`, but:\n{}",
                    self.words()
                )
            },
        )
    }

    /// Runs post, which must end well.
    ///
    /// # Errors
    /// When it does not, shows a secret, or warns.
    pub fn post(&self) -> Result<Ran> {
        let ran = self.job.run(&self.post, &self.ran.state)?;
        self.keeps_secrets(&ran)?;
        same("post's success", ran.success, true)?;
        Ok(ran)
    }

    /// No secret may stand in a stream, but in the command that masks it.
    fn keeps_secrets(&self, ran: &Ran) -> Result<()> {
        let token = self.ran.outputs.get("token");
        let secrets = self.secrets.iter().map(String::as_str).chain(token);
        let shown = |secret: &&str| {
            ran.stdout
                .lines()
                .chain(ran.stderr.lines())
                .any(|line| !line.starts_with("::add-mask::") && line.contains(secret))
        };
        match secrets.filter(|secret| secret.len() > 3).find(shown) {
            Some(_) => Err(fail("a secret stands in the log")),
            None => Ok(()),
        }
    }

    /// What main said, masked.
    pub fn words(&self) -> String {
        let log = Log::read(&self.ran.stdout);
        let lines: Vec<&str> = log.lines.iter().map(|line| line.text.as_str()).collect();
        format!("{}\n{}", lines.join("\n"), log.mask(&self.ran.stderr))
            .trim_end()
            .to_owned()
    }
}
