//! What came of a phase.

use crate::job::{Job, Phase};
use crate::redaction;
use app_token::error::Error;
use app_token_runner::Entries;
use app_token_runner::commands::{Annotation, Command, Line};
use std::fmt;
use std::time::Duration;

/// What came of a phase. A test gets it only after the checks that hold for every run.
pub struct Run<'a> {
    /// The exit status; `None` where a signal ended the process.
    pub status: Option<i32>,
    /// What `GITHUB_OUTPUT` holds.
    pub outputs: Entries,
    /// What `GITHUB_STATE` holds.
    pub state: Entries,
    /// Standard output, line by line, as the runner reads it.
    pub log: Vec<Line>,
    /// Standard output as it is.
    pub stdout: String,
    /// Standard error as it is.
    pub stderr: String,
    /// How long the process lived.
    pub took: Duration,
    pub(crate) job: Job<'a>,
    pub(crate) phase: Phase,
    pub(crate) killed: bool,
    pub(crate) output_file: Vec<u8>,
    pub(crate) state_file: Vec<u8>,
}

impl<'a> Run<'a> {
    /// The same run, which must have ended with status 0 and no error.
    #[track_caller]
    pub fn success(self) -> Self {
        assert!(self.status == Some(0) && self.errors().is_empty(), "{self}");
        self
    }

    /// The same run, which must have failed as the runner wants it: status 1, one error, no outputs.
    #[track_caller]
    pub fn failure(self) -> Self {
        assert_eq!(self.status, Some(1), "{self}");
        assert_eq!(self.errors().len(), 1, "{self}");
        assert!(self.outputs.is_empty(), "{self}");
        self
    }

    /// It must have failed with exactly this error: status 1, one annotation, every word of it, no outputs.
    #[track_caller]
    pub fn fails(self, error: &Error) -> Self {
        let run = self.failure();
        assert_eq!(run.error().message, error.report(), "{run}");
        assert_eq!(run.error().title, capitalised(error.problem.summary));
        run
    }

    /// Of post: the token must have been left alone for exactly this reason.
    #[track_caller]
    pub fn warns(self, error: &Error) -> Self {
        assert_eq!(self.status, Some(0), "{self}");
        assert_eq!(self.warning().message, error.report(), "{self}");
        assert_eq!(self.warning().title, "The token was not revoked");
        self
    }

    /// The one error.
    #[track_caller]
    pub fn error(&self) -> Annotation {
        let errors = self.errors();
        assert_eq!(errors.len(), 1, "{self}");
        errors[0].clone()
    }

    /// The one warning.
    #[track_caller]
    pub fn warning(&self) -> Annotation {
        let warnings = self.warnings();
        assert_eq!(warnings.len(), 1, "{self}");
        warnings[0].clone()
    }

    /// All errors.
    pub fn errors(&self) -> Vec<Annotation> {
        self.commands("error").map(Annotation::from).collect()
    }

    /// All warnings.
    pub fn warnings(&self) -> Vec<Annotation> {
        self.commands("warning").map(Annotation::from).collect()
    }

    /// What the runner was told to hide.
    pub fn masks(&self) -> Vec<&str> {
        self.commands("add-mask")
            .map(|mask| mask.data.as_str())
            .collect()
    }

    /// The debug lines.
    pub fn debugs(&self) -> Vec<&str> {
        self.commands("debug")
            .map(|debug| debug.data.as_str())
            .collect()
    }

    /// The lines for people.
    pub fn infos(&self) -> Vec<&str> {
        let lines = self.log.iter();
        lines
            .filter_map(|line| match line {
                Line::Text(text) => Some(text.as_str()),
                Line::Command(_) => None,
            })
            .collect()
    }

    /// `GITHUB_OUTPUT` as it is.
    pub fn output_file(&self) -> String {
        String::from_utf8_lossy(&self.output_file).into_owned()
    }

    /// `GITHUB_STATE` as it is.
    pub fn state_file(&self) -> String {
        String::from_utf8_lossy(&self.state_file).into_owned()
    }

    fn commands(&self, name: &str) -> impl Iterator<Item = &Command> {
        self.log.iter().filter_map(move |line| match line {
            Line::Command(command) if command.name == name => Some(command),
            _ => None,
        })
    }

    /// Runs post with the state that this run left, in the same job.
    pub fn post(&self) -> Run<'a> {
        self.job().post()
    }

    /// The job as post would find it, to change its environment first.
    pub fn job(&self) -> Job<'a> {
        let mut job = self.job.clone();
        for (name, value) in self.state.iter() {
            job = job.state(name, value);
        }
        job
    }

    /// What holds for every run of either phase, whatever happens to it.
    ///
    /// - No secret of the sandbox, in any form, in any byte of standard output, standard error, outputs
    ///   and state. But for `add-mask` lines, and the value named `token`.
    /// - No trace of a panic or of an exception; nothing on standard error at all, unless the job
    ///   [expects it](Job::stderr_may_speak).
    /// - No command but those that the action means to give, each well formed.
    /// - Files that the runner can read.
    /// - Exit status 0 or 1; of post, always 0 and no error.
    #[track_caller]
    pub(crate) fn check(self) -> Self {
        self.check_secrets();
        for (stream, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            for trace in [
                "panicked",
                "RuntimeError",
                "unreachable",
                "node:internal",
                ".js:",
                ".rs:",
                ".wasm",
                "    at ",
                "Unhandled",
                "RUST_BACKTRACE",
            ] {
                let found = text.contains(trace) && !self.job.stderr_may_speak;
                assert!(!found, "{stream} holds {trace:?}\n{self}");
            }
        }
        assert!(
            self.stderr.is_empty() || self.job.stderr_may_speak,
            "something on stderr\n{self}"
        );
        for line in &self.log {
            match line {
                Line::Command(command) => {
                    let meant = ["add-mask", "debug", "error", "warning"];
                    assert!(
                        meant.contains(&command.name.as_str()) && !command.data.is_empty(),
                        "not a command that was meant: {command:?}\n{self}"
                    );
                    let odd = command.properties.keys().any(|name| name != "title");
                    assert!(!odd, "properties that nobody meant: {command:?}\n{self}");
                }
                Line::Text(text) => {
                    let control = text.contains(|c: char| c.is_control() && c != '\t');
                    assert!(!control, "control characters: {text:?}\n{self}");
                }
            }
        }
        if !self.killed {
            assert!(
                matches!(self.status, Some(0 | 1)),
                "status {:?}\n{self}",
                self.status
            );
            for error in self.errors() {
                assert!(error.message.contains("\nhint: "), "no hint\n{self}");
            }
            if self.phase == Phase::Post {
                assert_eq!(self.status, Some(0), "post failed the job\n{self}");
                assert!(self.errors().is_empty(), "post told an error\n{self}");
                assert!(self.outputs.is_empty() && self.state.is_empty(), "{self}");
            }
            let failed = self.phase == Phase::Main && self.status == Some(1);
            assert_eq!(self.errors().len(), usize::from(failed), "{self}");
        }
        self
    }

    fn check_secrets(&self) {
        let secrets = self.job.secrets();
        let told: String = self
            .stdout
            .split_inclusive('\n')
            .filter(|line| !line.starts_with("::add-mask::"))
            .collect();
        // The token itself belongs where later steps and post read it, and nowhere else.
        let less_token = |file: &[u8], entries: &Entries| {
            let text = String::from_utf8_lossy(file).into_owned();
            match entries.get("token") {
                Some(token) if !token.is_empty() => {
                    assert_eq!(text.matches(token).count(), 1, "the token stands twice");
                    text.replacen(token, "", 1)
                }
                _ => text,
            }
        };
        for (place, text) in [
            ("stdout", told),
            ("stderr", self.stderr.clone()),
            (
                "GITHUB_OUTPUT",
                less_token(&self.output_file, &self.outputs),
            ),
            ("GITHUB_STATE", less_token(&self.state_file, &self.state)),
        ] {
            if let Some((name, how)) = redaction::find(&text, &secrets) {
                panic!("{place} holds the {name} {how}\n{self}");
            }
        }
    }
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(letters).collect()
}

/// All that a failed test should show; without the files, which hold the token.
impl fmt::Display for Run<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "--- {:?}: status {:?} after {} ms",
            self.phase,
            self.status,
            self.took.as_millis()
        )?;
        writeln!(f, "{}", self.stdout.trim_end())?;
        if !self.stderr.is_empty() {
            writeln!(f, "--- stderr\n{}", self.stderr.trim_end())?;
        }
        writeln!(f, "--- outputs {:?}", self.outputs)?;
        writeln!(f, "--- state {:?}", self.state)?;
        writeln!(f, "--- calls")?;
        for call in crate::calls(self.job.sandbox()) {
            writeln!(f, "{call}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Run<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
