//! act runs real workflows that use the action by reference: main, a step that uses the token, post.

use std::{
    env,
    ffi::OsString,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use app_token_sandbox::{Call, Sandbox, TokenState, world};

use super::{
    aws::sandbox,
    cases::{Cases, holds, same},
    tools::Tools,
};
use crate::{
    error::{Result, at, fail},
    paths,
    process::run as command,
};

/// The versions of Node that the action promises to run on.
const NODES: [u32; 2] = [20, 24];

/// How long a workflow may take; the longest here takes two seconds on an idle machine.
const PATIENCE: Duration = Duration::from_secs(50);

/// The cases on act, under each Node.
///
/// # Errors
/// When the workspace cannot be made.
pub fn run(tools: &Tools, cases: &mut Cases) -> Result<()> {
    for node in NODES {
        let workspace = Workspace::new(tools, node, &format!("runner-node{node}"))?;
        cases.case(
            &format!("Node {node}: main, a step that uses the token, post"),
            || {
                let ran = workspace.run("works")?;
                ran.ended(true)?;
                ran.says("my-org/repo-a: 200")?;
                ran.says("outputs: 10001 my-app")?;
                ran.says(r#"permissions: {"contents":"read","metadata":"read"}"#)?;
                ran.says("The token is revoked.")?;
                ran.tokens(&[(TokenState::Revoked, 1)])?;
                ran.calls(&[
                    Call::KmsSign,
                    Call::Installation,
                    Call::Mint,
                    Call::Repository,
                    Call::Revoke,
                ])
            },
        );
        cases.case(&format!("Node {node}: spaces in every path"), || {
            let workspace = Workspace::new(tools, node, &format!("a runner with node {node}"))?;
            let ran = workspace.run("spaces")?;
            ran.ended(true)?;
            ran.says("my-org/repo-a: 200")?;
            ran.tokens(&[(TokenState::Revoked, 1)])
        });
        cases.case(
            &format!("Node {node}: two uses in one job keep apart"),
            || {
                let ran = workspace.run("twice")?;
                ran.ended(true)?;
                ran.says("my-org/repo-a: 200")?;
                ran.says("my-org/repo-b: 200")?;
                ran.tokens(&[(TokenState::Revoked, 1), (TokenState::Revoked, 1)])?;
                let tokens = ran.sandbox.tokens();
                let narrowed: Vec<Option<Vec<u64>>> = tokens
                    .iter()
                    .map(|token| token.repositories.clone())
                    .collect();
                same(
                    "the tokens' repositories",
                    narrowed,
                    vec![
                        Some(vec![world::REPO_A_ID]),
                        Some(vec![world::REPO_A_ID, world::REPO_B_ID]),
                    ],
                )
            },
        );
        cases.case(
            &format!("Node {node}: a failed job's token is revoked"),
            || {
                let ran = workspace.run("fails")?;
                ran.ended(false)?;
                ran.tokens(&[(TokenState::Revoked, 1)])
            },
        );
        cases.case(
            &format!("Node {node}: a cancelled job's token is revoked"),
            || {
                let ran = workspace.cancel("cancelled")?;
                ran.ended(false)?;
                ran.tokens(&[(TokenState::Revoked, 1)])
            },
        );
        cases.case(
            &format!("Node {node}: skip-token-revoke leaves the token"),
            || {
                let ran = workspace.run("skip")?;
                ran.ended(true)?;
                ran.says("left to expire by itself")?;
                ran.tokens(&[(TokenState::Live, 1)])
            },
        );
        cases.case(
            &format!("Node {node}: a use that fails ends the job, and post has nothing to do"),
            || {
                let ran = workspace.run("refused")?;
                ran.ended(false)?;
                ran.says("the KMS key is disabled")?;
                ran.says("There is no token to revoke.")?;
                holds(!ran.log.contains("this step must not run"), || {
                    ran.log.clone()
                })?;
                ran.tokens(&[])
            },
        );
    }
    Ok(())
}

/// A checkout of the repository that uses the action, and the action as a job downloads it.
struct Workspace<'a> {
    tools: &'a Tools,
    folder: PathBuf,
    path: OsString,
}

/// A workflow that has ended.
struct Ran {
    sandbox: Sandbox,
    status: ExitStatus,
    log: String,
}

impl<'a> Workspace<'a> {
    fn new(tools: &'a Tools, node: u32, name: &str) -> Result<Self> {
        let folder = tools.scratch(name)?;
        let copy = |from: &Path, to: PathBuf| {
            if let Some(above) = to.parent() {
                fs::create_dir_all(above).map_err(at("create", above))?;
            }
            fs::copy(from, &to).map(drop).map_err(at("copy", from))
        };
        let action = folder.join("an action");
        copy(&tools.root().join("action.yml"), action.join("action.yml"))?;
        let dist = tools.root().join("dist");
        for entry in fs::read_dir(&dist).map_err(at("read", &dist))?.flatten() {
            copy(&entry.path(), action.join("dist").join(entry.file_name()))?;
        }
        let workspace = folder.join("a workspace");
        for file in ["use-token/action.yml", "use-token/index.js"] {
            copy(&tools.fixture(file), workspace.join(file))?;
        }
        // The runner takes repository and commit from the checkout.
        for arguments in [
            &["init", "--quiet", "--initial-branch=main"][..],
            &[
                "remote",
                "add",
                "origin",
                "https://github.com/my-org/repo-a",
            ],
            &["add", "--all"],
            &[
                "-c",
                "user.name=e2e",
                "-c",
                "user.email=e2e@example.com",
                "-c",
                "commit.gpgsign=false",
                "commit",
                "--quiet",
                "--message=Workspace",
            ],
        ] {
            command(Command::new("git").args(arguments).current_dir(&workspace))?;
        }
        let path = env::var_os("PATH").unwrap_or_default();
        let folders = [tools.node(node)?].into_iter();
        let path = env::join_paths(folders.chain(env::split_paths(&path)))
            .map_err(|error| fail(format!("PATH cannot be extended: {error}")))?;
        Ok(Self {
            tools,
            folder,
            path,
        })
    }

    fn run(&self, workflow: &str) -> Result<Ran> {
        self.play(workflow, |_, _| Ok(()))
    }

    /// Ends the workflow with the signal of Ctrl-C, as soon as its step has used the token.
    fn cancel(&self, workflow: &str) -> Result<Ran> {
        self.play(workflow, |sandbox, act| {
            let used = sandbox.wait_for(PATIENCE, |requests| {
                let mut calls = requests.iter();
                calls.any(|request| request.call == Call::Repository && request.status.is_some())
            });
            holds(used, || "no step has used the token".to_owned())?;
            command(Command::new("kill").args(["-INT", &act.id().to_string()]))
        })
    }

    fn play(
        &self,
        workflow: &str,
        meanwhile: impl FnOnce(&Sandbox, &Child) -> Result<()>,
    ) -> Result<Ran> {
        let sandbox = sandbox()?;
        // Secrets in a file: arguments can be seen by everybody on the machine.
        let variables: String = sandbox
            .env()
            .iter()
            .filter(|(name, _)| !name.starts_with("GITHUB_REPOSITORY"))
            .map(|(name, value)| format!("{name}={value}\n"))
            .collect();
        let environment = self.folder.join("environment");
        paths::write(&environment, variables)?;
        let log = self.folder.join(format!("{workflow}.log"));
        let file = File::create(&log).map_err(at("create", &log))?;
        let copy = file.try_clone().map_err(at("open", &log))?;
        let mut act = Command::new(self.tools.python("act"))
            .args(["push", "--platform", "ubuntu-latest=-self-hosted"])
            .args(["--no-cache-server", "--action-offline-mode"])
            .arg("--local-repository")
            .arg(format!(
                "my-org/app-token@v1={}",
                self.folder.join("an action").display()
            ))
            .arg("--env-file")
            .arg(&environment)
            .arg("--workflows")
            .arg(self.tools.fixture(&format!("workflows/{workflow}.yml")))
            .arg("--action-cache-path")
            .arg(self.folder.join("cache"))
            .current_dir(self.folder.join("a workspace"))
            .env_clear()
            .env("PATH", &self.path)
            .env("HOME", self.folder.join("home"))
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(copy)
            .spawn()
            .map_err(|error| fail(format!("could not start act: {error}")))?;
        let met = meanwhile(&sandbox, &act);
        let status = wait(&mut act);
        let log = paths::read(&log)?;
        met.map_err(|error| fail(format!("{error}\n{log}")))?;
        let ran = Ran {
            sandbox,
            status: status?,
            log,
        };
        ran.keeps_secrets()?;
        Ok(ran)
    }
}

/// Waits for a process, and ends it when it takes too long.
fn wait(child: &mut Child) -> Result<ExitStatus> {
    let until = Instant::now() + PATIENCE;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Ok(None) if Instant::now() < until => thread::sleep(Duration::from_millis(20)),
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(fail("the workflow did not end"));
            }
        }
    }
}

impl Ran {
    fn ended(&self, well: bool) -> Result<()> {
        holds(self.status.success() == well, || {
            format!("the workflow ended with {}:\n{}", self.status, self.log)
        })
    }

    fn says(&self, words: &str) -> Result<()> {
        holds(self.log.contains(words), || {
            format!("the log lacks `{words}`:\n{}", self.log)
        })
    }

    /// The tokens in the order in which they were made: their state, and how often they were used.
    fn tokens(&self, wanted: &[(TokenState, u32)]) -> Result<()> {
        let tokens = self.sandbox.tokens();
        let found: Vec<(TokenState, u32)> = tokens
            .iter()
            .map(|token| (token.state, token.uses))
            .collect();
        same("the tokens", found.as_slice(), wanted)
            .map_err(|error| fail(format!("{error}\n{}", self.log)))
    }

    fn calls(&self, wanted: &[Call]) -> Result<()> {
        let requests = self.sandbox.requests();
        let found: Vec<Call> = requests.iter().map(|request| request.call).collect();
        same("the calls", found.as_slice(), wanted)
    }

    fn keeps_secrets(&self) -> Result<()> {
        let secrets = self.sandbox.secrets();
        for token in self.sandbox.tokens() {
            let known = secrets.iter().any(|(_, secret)| *secret == token.value);
            holds(known, || "a token is not among the secrets".to_owned())?;
        }
        match secrets.iter().find(|(_, secret)| self.log.contains(secret)) {
            Some((name, _)) => Err(fail(format!("the log shows the {name}"))),
            None => Ok(()),
        }
    }
}
