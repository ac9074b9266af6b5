//! `git-credential`, asked by the protocol and by a real git.

use crate::run::{APP, Machine, Outcome};
use app_token_sandbox::{Call, Fault, When, world};
use base64::Engine;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const WRITE: [&str; 2] = ["-p", "contents=write"];

fn ask(machine: &Machine, operation: &str, request: &str, more: &[&str]) -> Outcome {
    let arguments: Vec<&str> = ["git-credential"]
        .iter()
        .chain(&APP)
        .chain(&WRITE)
        .chain(more)
        .chain(&[operation])
        .copied()
        .collect();
    machine.run_with_token(&arguments, Some(request))
}

const GITHUB: [&str; 2] = ["--git-host", "github.com"];

fn request(path: &str) -> String {
    format!("protocol=https\nhost=github.com\npath={path}\n\n")
}

#[test]
fn a_token_is_made_once_and_used_again() {
    let machine = Machine::new();
    let first = ask(&machine, "get", &request("my-org/repo-a.git"), &GITHUB).good();
    let lines: Vec<&str> = first.stdout.lines().collect();
    assert_eq!(lines[0], "username=x-access-token");
    let tokens = machine.sandbox.tokens();
    assert_eq!(lines[1], format!("password={}", tokens[0].value));
    assert!(lines[2].starts_with("password_expiry_utc="));
    assert_eq!(tokens[0].repositories, Some(vec![world::REPO_A_ID]));
    assert_eq!(
        ask(&machine, "get", &request("my-org/repo-a"), &GITHUB)
            .good()
            .stdout,
        first.stdout
    );
    assert_eq!(machine.sandbox.tokens().len(), 1);
    // Another repository, another permission, no cache: another token.
    ask(&machine, "get", &request("my-org/repo-b.git"), &GITHUB).good();
    ask(
        &machine,
        "get",
        &request("my-org/repo-a.git"),
        &["-p", "issues=read", "--git-host", "github.com"],
    )
    .good();
    ask(
        &machine,
        "get",
        &request("my-org/repo-a.git"),
        &["--no-cache", "--git-host", "github.com"],
    )
    .good();
    assert_eq!(machine.sandbox.tokens().len(), 4);
}

#[test]
fn a_token_that_cannot_be_kept_is_handed_over_all_the_same() {
    let machine = Machine::new();
    machine.sandbox.fault(
        Call::Mint,
        When::First(1),
        Fault::Delay(Duration::from_millis(700)),
    );
    let arguments = [&["git-credential"], &APP[..], &WRITE, &GITHUB, &["get"]].concat();
    let mut child = machine
        .command(&arguments)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let text = request("my-org/repo-a.git");
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(text.as_bytes()).unwrap();
    drop(stdin);
    let minting =
        |seen: &[app_token_sandbox::Exchange]| seen.iter().any(|one| one.call == Call::Mint);
    assert!(machine.sandbox.wait_for(Duration::from_secs(20), minting));
    std::fs::remove_dir_all(machine.home.path().join("app-token")).unwrap();
    let got = machine.end(child, &arguments).good();
    let token = &machine.sandbox.tokens()[0].value;
    assert!(got.stdout.contains(&format!("password={token}\n")));
    let warning = "warning: The token is good for this time alone: ";
    assert!(got.stderr.contains(warning), "{}", got.stderr);
}

#[test]
fn a_token_that_git_erases_is_not_used_again() {
    let machine = Machine::new();
    ask(&machine, "get", &request("my-org/repo-a.git"), &GITHUB).good();
    let token = machine.sandbox.tokens()[0].value.clone();
    let erase = |password: &str| {
        format!("protocol=https\nhost=github.com\npath=my-org/repo-a.git\npassword={password}\n\n")
    };
    ask(&machine, "erase", &erase("another"), &GITHUB).good();
    ask(&machine, "get", &request("my-org/repo-a.git"), &GITHUB).good();
    assert_eq!(machine.sandbox.tokens().len(), 1);
    ask(&machine, "erase", &erase(&token), &GITHUB).good();
    ask(&machine, "get", &request("my-org/repo-a.git"), &GITHUB).good();
    assert_eq!(machine.sandbox.tokens().len(), 2);
}

#[test]
fn other_hosts_and_repositories_get_silence() {
    let machine = Machine::new();
    for (request, more) in [
        (request("my-org/repo-a.git"), &[][..]),
        (
            request("my-org/repo-a.git"),
            &["--owner", "octocat", "--git-host", "github.com"],
        ),
        ("protocol=https\nhost=gitlab.com\n\n".to_owned(), &GITHUB),
        ("protocol=http\nhost=github.com\n\n".to_owned(), &GITHUB),
    ] {
        let answer = ask(&machine, "get", &request, more).good();
        assert_eq!((answer.stdout.as_str(), answer.stderr.as_str()), ("", ""));
    }
    for operation in ["store", "approve"] {
        assert_eq!(
            ask(&machine, operation, &request("my-org/repo-a.git"), &GITHUB)
                .good()
                .stdout,
            ""
        );
    }
    assert!(machine.sandbox.requests().is_empty());
    ask(&machine, "get", "nonsense", &GITHUB).bad(1, "git's request makes no sense");
}

#[test]
fn a_folder_that_others_can_read_is_not_used() {
    use std::os::unix::fs::PermissionsExt;
    let machine = Machine::new();
    let folder = machine.home.path().join("app-token");
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o755)).unwrap();
    ask(&machine, "get", &request("my-org/repo-a.git"), &GITHUB).bad(
        1,
        "the token's cache file cannot be used: others may read it",
    );
    assert!(machine.sandbox.tokens().is_empty());
}

/// A server of static files that wants a password: git's "dumb" HTTP protocol needs no more.
struct GitServer {
    port: u16,
    passwords: Arc<Mutex<Vec<String>>>,
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl GitServer {
    fn start(root: PathBuf) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let passwords = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (seen, stopped) = (passwords.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let _ = serve(stream, &root, &seen);
            }
        });
        Self {
            port,
            passwords,
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for GitServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        self.thread.take().unwrap().join().unwrap();
    }
}

fn serve(mut stream: TcpStream, root: &Path, seen: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let path = line
        .split(' ')
        .nth(1)
        .unwrap_or("/")
        .split('?')
        .next()
        .unwrap_or("/")
        .to_owned();
    let mut password = None;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        if header.trim().is_empty() {
            break;
        }
        if let Some(encoded) = header.trim().strip_prefix("Authorization: Basic ") {
            let decoded = base64::engine::general_purpose::STANDARD
                .decode(encoded)
                .unwrap();
            let pair = String::from_utf8(decoded).unwrap();
            let (user, text) = pair.split_once(':').unwrap();
            assert_eq!(user, "x-access-token");
            password = Some(text.to_owned());
        }
    }
    let mut body = Vec::new();
    let status = match password {
        None => "401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"git\"",
        Some(text) => {
            seen.lock().unwrap().push(text);
            match std::fs::read(root.join(path.trim_start_matches('/'))) {
                Ok(content) => {
                    body = content;
                    "200 OK\r\nContent-Type: text/plain"
                }
                Err(_) => "404 Not Found",
            }
        }
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    )?;
    stream.write_all(&body)
}

fn git(machine: &Machine, arguments: &[&str]) -> std::process::Output {
    Command::new("git")
        .args(arguments)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", machine.home.path())
        .env("XDG_RUNTIME_DIR", machine.home.path())
        .env("GIT_TERMINAL_PROMPT", "0")
        .envs(machine.env.iter().map(|(name, value)| (name, value)))
        .current_dir(machine.home.path())
        .output()
        .unwrap()
}

#[test]
fn a_real_git_clones_with_a_token_for_the_one_repository() {
    let machine = Machine::new();
    let root = machine.home.path().join("served");
    let script = "
        mkdir -p served/my-org && cd served/my-org
        git init -q work && cd work
        git -c user.name=a -c user.email=a@b.example commit -q --allow-empty -m first
        cd .. && git clone -q --bare work repo-a.git && git -C repo-a.git update-server-info";
    let made = Command::new("sh")
        .args(["-ec", script])
        .current_dir(machine.home.path())
        .env("HOME", machine.home.path())
        .output()
        .unwrap();
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let server = GitServer::start(root);
    let host = format!("127.0.0.1:{}", server.port);
    let helper = format!(
        "!'{}' git-credential --client-id {} --kms-key-id {} -p contents=read --git-host {host}",
        env!("CARGO_BIN_EXE_app-token"),
        world::CLIENT_ID,
        world::ALIAS,
    );
    let config = |name: &str, value: &str| {
        assert!(
            git(&machine, &["config", "--global", name, value])
                .status
                .success()
        );
    };
    config(&format!("credential.http://{host}.helper"), &helper);
    config(&format!("credential.http://{host}.useHttpPath"), "true");
    let url = format!("http://{host}/my-org/repo-a.git");
    for folder in ["one", "two"] {
        let cloned = git(&machine, &["clone", "-q", &url, folder]);
        let told = String::from_utf8_lossy(&cloned.stderr).into_owned();
        assert!(cloned.status.success(), "{told}");
        for (name, secret) in machine.sandbox.secrets() {
            assert!(!told.contains(&secret), "{name}");
        }
    }
    let log = git(&machine, &["-C", "two", "log", "--format=%s"]);
    assert_eq!(String::from_utf8_lossy(&log.stdout).trim(), "first");
    // One token for both, for that repository alone, and it was the password.
    let tokens = machine.sandbox.tokens();
    assert_eq!(tokens.len(), 1);
    assert_eq!(tokens[0].repositories, Some(vec![world::REPO_A_ID]));
    let passwords = server.passwords.lock().unwrap().clone();
    assert!(
        !passwords.is_empty()
            && passwords
                .iter()
                .all(|password| *password == tokens[0].value)
    );
    assert_eq!(machine.sandbox.requests_of(Call::KmsSign).len(), 1);
}
