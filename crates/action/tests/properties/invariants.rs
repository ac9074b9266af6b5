//! What holds for anything that passes through the action. Shared with the fuzz targets; each function
//! panics where its invariant does not hold.

use app_token::clock::{Clock, UnixTime};
use app_token::host::{FileError, Files, Host, Log, Random};
use app_token::http::url::Origin;
use app_token::http::{Fault, FaultKind, Request, Response, Route, Transport};
use app_token_action::commands::Commands;
use app_token_action::files::RunnerFile;
use app_token_action::inputs::Variables;
use app_token_action::run::{Phase, run};
use app_token_runner::Entries;
use app_token_runner::commands::{self as runner, Command, Line, commands as read_commands};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

type Boxed<T> = Pin<Box<dyn Future<Output = T>>>;

/// A token that no message may hold.
pub const TOKEN: &str = "ghs_0123456789abcdefABCDEF0123456789abcd";

const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// A signature as KMS sends it: base64 of 256 bytes.
pub fn signature() -> String {
    "kTFz".repeat(85) + "kQ=="
}

/// An answer as a server might give it.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

fn printed(use_it: impl FnOnce(&Commands<Box<dyn Fn(&str)>>)) -> String {
    let out = Rc::new(RefCell::new(String::new()));
    let into = out.clone();
    use_it(&Commands::new(
        Box::new(move |text: &str| into.borrow_mut().push_str(text)),
        true,
    ));
    out.take()
}

/// A command is read by the runner as it was meant, and no text becomes a second one.
pub fn commands(title: &str, message: &str) {
    let expected = |name: &str, title: Option<&str>| Command {
        name: name.to_owned(),
        properties: title
            .filter(|title| !title.is_empty())
            .map(|title| ("title".to_owned(), title.to_owned()))
            .into_iter()
            .collect(),
        data: message.to_owned(),
    };
    // Around a title the runner trims, so that white space at its end does not arrive.
    if title.trim() == title {
        let error = printed(|log| log.error(title, message));
        assert_eq!(
            read_commands(&error),
            [expected("error", Some(title))],
            "{error:?}"
        );
        let warning = printed(|log| log.titled_warning(title, message));
        assert_eq!(
            read_commands(&warning),
            [expected("warning", Some(title))],
            "{warning:?}"
        );
    }
    let warning = printed(|log| log.warning(message));
    assert_eq!(
        read_commands(&warning),
        [expected("warning", None)],
        "{warning:?}"
    );
    let debug = printed(|log| log.debug(message));
    assert_eq!(
        read_commands(&debug),
        [expected("debug", None)],
        "{debug:?}"
    );
    let info = printed(|log| log.info(message));
    assert!(read_commands(&info).is_empty(), "{info:?}");
    assert!(info.is_empty() || info.ends_with('\n'));
    // For people every letter is still there.
    let letters = |text: &str| {
        text.chars()
            .filter(|c| c.is_alphanumeric())
            .collect::<String>()
    };
    assert_eq!(letters(&info), letters(message));
}

/// After a value was masked, the runner knows each of its lines, and nothing printed holds it.
pub fn masks(secret: &str, around: &str) {
    let lines: Vec<&str> = secret
        .split(['\n', '\r'])
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let out = printed(|log| log.mask(secret));
    let commands = read_commands(&out);
    // The runner masks each line of a command's text by itself.
    let masked: Vec<&str> = commands
        .iter()
        .flat_map(|command| command.data.split(['\n', '\r']))
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    for line in &lines {
        assert!(
            masked.contains(line),
            "{line:?} of {secret:?} is not masked: {masked:?}"
        );
    }
    assert!(commands.iter().all(|command| command.name == "add-mask"));
    let after = printed(|log| {
        log.mask(secret);
        log.info(&format!("{around}{secret}{around}"));
        log.warning(&format!("{around}{secret}"));
        log.error(secret, secret);
        log.debug(secret);
    });
    // As the runner shows it: the escaping of a line break may make a line of a secret of what follows.
    let told: Vec<String> = runner::lines(&after)
        .into_iter()
        .flat_map(|line| match line {
            Line::Text(text) => vec![text],
            Line::Command(command) if command.name == "add-mask" => Vec::new(),
            Line::Command(command) => {
                let title = command.properties.get("title").cloned();
                title.into_iter().chain([command.data]).collect()
            }
        })
        .collect();
    let told = told.join("\n");
    // What starts like a command comes about again behind the mark that keeps it from being one; what holds
    // asterisks, by what was taken out.
    let told_apart =
        |line: &&&str| line.len() >= 8 && !line.starts_with([':', '>']) && !line.contains('*');
    for line in lines.iter().filter(told_apart) {
        assert!(!told.contains(line), "{line:?} shows in {told:?}");
    }
}

/// What is written is read back; what could not be is refused before a byte is written.
pub fn files(entries: &[(String, String)]) {
    let world = World::new(Vec::new());
    let host = world.host(&variables(&[]));
    let file = RunnerFile::open(&host, "GITHUB_OUTPUT").unwrap();
    let borrowed: Vec<(&str, &str)> = entries
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let before = ("before".to_owned(), "1".to_owned());
    file.write(&[("before", "1")]).unwrap();
    let written = file.write(&borrowed);
    let text = world
        .0
        .files
        .borrow()
        .get("/output")
        .cloned()
        .unwrap_or_default();
    let read: Vec<(String, String)> = Entries::parse(&text)
        .unwrap()
        .iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let mut expected = vec![before];
    match written {
        Ok(()) => expected.extend(entries.iter().cloned()),
        Err(error) => {
            assert!(
                error.is(&app_token::error::problem::VALUE_MULTILINE),
                "{error}"
            );
            // This world's random bytes are known, so that a value can hold the delimiter.
            let breaks = |(_, value): &(String, String)| {
                value.contains(['\n', '\r']) || value.contains("delimiter_")
            };
            assert!(
                entries.iter().any(breaks),
                "refused without need: {entries:?}"
            );
        }
    }
    assert_eq!(read, expected);
}

/// A job's environment with the inputs that it cannot do without, and these changes.
fn variables(changes: &[(&str, &str)]) -> Variables {
    let mut all: BTreeMap<String, String> = [
        ("GITHUB_OUTPUT", "/output"),
        ("GITHUB_STATE", "/state"),
        ("GITHUB_REPOSITORY", "my-org/repo-a"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
        ("INPUT_APP-ID", "123456"),
        ("INPUT_KMS-KEY-ID", "alias/github-app"),
        ("INPUT_PERMISSION-CONTENTS", "read"),
        ("RUNNER_DEBUG", "1"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    all.extend(
        changes
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
    );
    let mut variables = Variables::default();
    variables.extend(all);
    variables
}

/// Main with these answers, then post with those: each ends as a step should, and nothing printed holds
/// a secret.
pub fn life(answers: Vec<Answer>, end: Vec<Answer>) {
    // An answer that is no JSON is quoted. None that this was cut from holds a secret; one that was made up
    // of parts of secrets says nothing.
    let made_up = |answer: &Answer| {
        let body = String::from_utf8_lossy(&answer.body);
        let secrets = [
            TOKEN.to_owned(),
            SECRET_KEY.to_owned(),
            signature()[..40].to_owned(),
        ];
        let holds = |text: &str| {
            secrets
                .iter()
                .any(|secret| parts(secret).any(|part| text.contains(part)))
        };
        let quoted = !body.trim_start().starts_with('{') || body.to_lowercase().contains("message");
        // What is no secret in this world, since the whole of it was never given, may show.
        let rest = body.replace(TOKEN, "").replace(&signature(), "");
        (quoted && holds(&body))
            || holds(&rest)
            || answer.headers.iter().any(|(_, value)| holds(value))
    };
    if answers.iter().chain(&end).any(made_up) {
        return;
    }
    let world = World::new(answers);
    let environment = variables(&[]);
    let (status, out) = world.run(Phase::Main, &environment);
    let commands = read_commands(&out);
    let errors: Vec<&Command> = commands
        .iter()
        .filter(|command| command.name == "error")
        .collect();
    assert!(matches!(status, 0 | 1), "{status}");
    assert_eq!(errors.len(), usize::from(status == 1), "{out}");
    for error in &errors {
        assert!(!error.properties["title"].is_empty());
        assert!(error.data.contains("\nhint: "), "{out}");
        assert!(
            !error.data.contains("it should not"),
            "an internal error: {out}"
        );
    }
    hides(&out, &[TOKEN, SECRET_KEY, &signature()[..40]]);
    let files = world.0.files.borrow().clone();
    let entries = |name: &str| Entries::parse(files.get(name).map_or("", String::as_str)).unwrap();
    let (outputs, state) = (entries("/output"), entries("/state"));
    assert_eq!(
        outputs.is_empty(),
        status == 1,
        "outputs if and only if it went well"
    );
    if status == 0 {
        let token = outputs.get("token").unwrap();
        assert!(!token.is_empty());
        assert_eq!(state.get("token"), Some(token), "post knows it");
        assert!(
            commands
                .iter()
                .any(|command| command.name == "add-mask" && command.data == token)
        );
    }

    let mut environment = environment;
    environment.extend(
        state
            .iter()
            .map(|(name, value)| (format!("STATE_{name}"), value.to_owned())),
    );
    let world = World::new(end);
    let (status, out) = world.run(Phase::Post, &environment);
    assert_eq!(status, 0, "post never fails the job: {out}");
    let commands = read_commands(&out);
    assert!(
        commands.iter().all(|command| command.name != "error"),
        "{out}"
    );
    hides(&out, &[TOKEN, SECRET_KEY]);
    let asked = !world.0.sent.borrow().is_empty();
    if state.is_empty() {
        assert!(!asked, "a call with nothing to revoke");
    } else if asked {
        let told =
            out.contains("The token is revoked.") || out.contains("The token was revoked before.");
        let warned = commands.iter().any(|command| command.name == "warning");
        assert!(
            told || warned,
            "nobody knows what became of the token: {out}"
        );
    }
}

fn hides(out: &str, secrets: &[&str]) {
    let told: String = out
        .split_inclusive('\n')
        .filter(|line| !line.starts_with("::add-mask::"))
        .collect();
    for secret in secrets {
        // A part gives away as much as is in it; fewer than 16 bytes may be chance, says the redactor.
        for part in parts(secret) {
            assert!(!told.contains(part), "{part} shows in {told}");
        }
    }
}

fn parts(secret: &str) -> impl Iterator<Item = &str> {
    (0..secret.len() - 16)
        .step_by(4)
        .map(|start| &secret[start..start + 16])
}

/// Whatever an input holds: an error that tells it, or the first request. Nothing is asked in between.
pub fn input(name: &str, value: &str) {
    let variable = format!("INPUT_{}", name.to_uppercase());
    let world = World::new(Vec::new());
    let (status, out) = world.run(Phase::Main, &variables(&[(&variable, value)]));
    let commands = read_commands(&out);
    assert_eq!(status, 1, "no server answers, so it must fail");
    assert_eq!(
        commands
            .iter()
            .filter(|command| command.name == "error")
            .count(),
        1,
        "{out}"
    );
    assert!(!out.contains("it should not"), "an internal error: {out}");
    assert!(!out.contains(SECRET_KEY) || out.matches(SECRET_KEY).count() == 1);
}

/// A network that gives prepared answers and then breaks, a clock that moves when somebody sleeps, and
/// files in memory.
#[derive(Clone)]
struct World(Rc<Inner>);

struct Inner {
    answers: RefCell<VecDeque<Answer>>,
    sent: RefCell<Vec<String>>,
    elapsed: Cell<Duration>,
    files: RefCell<BTreeMap<String, String>>,
}

impl World {
    fn new(answers: Vec<Answer>) -> Self {
        Self(Rc::new(Inner {
            answers: RefCell::new(answers.into()),
            sent: RefCell::default(),
            elapsed: Cell::default(),
            files: RefCell::default(),
        }))
    }

    fn host(&self, variables: &Variables) -> Host {
        self.host_with(variables, Rc::new(Silent))
    }

    fn host_with(&self, variables: &Variables, log: Rc<dyn Log>) -> Host {
        let view = Rc::new(self.clone());
        Host {
            transport: view.clone(),
            clock: view.clone(),
            env: Rc::new(variables.clone()),
            files: view.clone(),
            random: view,
            log,
        }
    }

    fn run(&self, phase: Phase, variables: &Variables) -> (i32, String) {
        let out = Rc::new(RefCell::new(String::new()));
        let into = out.clone();
        let log = Rc::new(Commands::new(
            move |text: &str| into.borrow_mut().push_str(text),
            true,
        ));
        let host = self.host_with(variables, log.clone() as Rc<dyn Log>);
        let mut future = Box::pin(run(phase, variables, host, log));
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..10_000 {
            if let Poll::Ready(status) = future.as_mut().poll(&mut context) {
                drop(future);
                return (status, out.take());
            }
        }
        panic!("it waits for something that never comes");
    }
}

impl Transport for World {
    fn send(&self, request: &Request, _: &Route) -> Boxed<Result<Response, Fault>> {
        self.0.sent.borrow_mut().push(request.url.to_string());
        let answer = self.0.answers.borrow_mut().pop_front();
        let answer = answer.map(|answer| Response {
            status: answer.status,
            headers: answer.headers,
            body: answer.body.into(),
        });
        let broken = Fault {
            kind: FaultKind::Broken,
            words: "ECONNRESET: no more answers".to_owned(),
        };
        Box::pin(async move { answer.ok_or(broken) })
    }

    fn connect(&self, _: &Origin, _: &Route) {}
}

impl Clock for World {
    fn now(&self) -> UnixTime {
        UnixTime::from_seconds(1_700_000_000 + self.0.elapsed.get().as_secs() as i64)
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed.get()
    }

    fn sleep(&self, duration: Duration) -> Boxed<()> {
        let inner = self.0.clone();
        Box::pin(async move { inner.elapsed.set(inner.elapsed.get() + duration) })
    }
}

impl Files for World {
    fn read(&self, path: &str) -> Result<String, FileError> {
        let files = self.0.files.borrow();
        files
            .get(path)
            .cloned()
            .ok_or_else(|| FileError("ENOENT: no such file".to_owned()))
    }

    fn append(&self, path: &str, text: &str) -> Result<(), FileError> {
        self.0
            .files
            .borrow_mut()
            .entry(path.to_owned())
            .or_default()
            .push_str(text);
        Ok(())
    }
}

impl Random for World {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(0xA5);
    }
}

struct Silent;

impl Log for Silent {
    fn info(&self, _: &str) {}
    fn warning(&self, _: &str) {}
    fn debug(&self, _: &str) {}
    fn mask(&self, _: &str) {}
}
