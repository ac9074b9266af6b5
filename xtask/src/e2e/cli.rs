//! The program `app-token` from nothing to the first token and on: its keys in ministack, its
//! signatures beside openssl's, its credentials in the hands of git.

use std::{
    env, fs,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use app_token_sandbox::{
    PrivateKey, Sandbox, TokenState,
    world::{ACCOUNT_ID, CLIENT_ID, ORG, OTHER_KEY_ID, REGION, REPO_A},
};
use serde_json::Value;

use super::{
    aws::{Account, app_key, sandbox},
    cases::{Cases, holds, same},
    tools::Tools,
};
use crate::{
    error::{Result, at, fail},
    paths,
    process::{cargo, filter, output, run as command},
};

/// The alias of the cases; the set-up of ministack has one of its own.
const ALIAS: &str = "alias/imported";

/// What KMS and openssl both sign.
pub const MESSAGE: &[u8] = b"what both sign";

/// The cases of the program.
///
/// # Errors
/// When it cannot be built, or its counterparts cannot be set up.
pub fn run(tools: &Tools, cases: &mut Cases) -> Result<()> {
    let bench = Bench::new(tools)?;
    let first = bench.folder.join("first.pem");
    let second = bench.folder.join("second.pem");

    cases.case("a dry run changes nothing", || {
        let pem = first.to_string_lossy();
        bench.well(&[
            "key",
            "import",
            "--pem",
            &pem,
            "--alias",
            ALIAS,
            "--dry-run",
        ])?;
        holds(bench.sign(b"x").is_err(), || format!("{ALIAS} is there"))
    });
    cases.case("key import", || {
        let pem = first.to_string_lossy();
        bench.well(&["key", "import", "--pem", &pem, "--alias", ALIAS, "--yes"])?;
        bench.signs_as(&first)
    });
    cases.case(
        "the imported key's policy pins algorithm and message type",
        || {
            let policy = bench.relax(ALIAS)?["policy"].to_string();
            holds(
                policy.contains("RSASSA_PKCS1_V1_5_SHA_256") && policy.contains("RAW"),
                || policy.clone(),
            )
        },
    );
    cases.case(
        "a key imported for a role signs for it, and not for an administrator",
        || {
            let (pem, role) = (second.to_string_lossy(), bench.account.role("signing"));
            let alias = "alias/for-a-role";
            bench.well(&[
                "key",
                "import",
                "--pem",
                &pem,
                "--alias",
                alias,
                "--sign-role",
                &role,
                "--yes",
            ])?;
            let key = bench.relax(alias)?["key"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            let create = ["create", "--kms-key-id", &key, "-p", "contents=read"];
            let ran = bench.program(&create)?;
            let words = String::from_utf8_lossy(&ran.stderr);
            holds(words.contains("KMS denied kms:Sign on the key"), || {
                words.to_string()
            })?;
            let session = bench.account.user("session");
            let mut command = bench.command(&create);
            command
                .env("AWS_ACCESS_KEY_ID", session.id)
                .env("AWS_SECRET_ACCESS_KEY", session.secret)
                .env("AWS_SESSION_TOKEN", session.token);
            let token = output(&mut command)?;
            let token = String::from_utf8_lossy(&token).trim().to_owned();
            same(
                "the token's state",
                bench.state(&token),
                Some(TokenState::Live),
            )
        },
    );
    cases.case("doctor finds everything in order", || {
        let told = bench.well(&["doctor", "--json", "--owner", ORG])?;
        let told: Value = serde_json::from_str(&told)
            .map_err(|error| fail(format!("doctor's answer is no JSON ({error}): {told}")))?;
        holds(told.to_string().contains(ORG), || told.to_string())
    });
    cases.case("doctor finds what is wrong", || {
        let ran = bench.program(&["doctor", "--kms-key-id", "alias/no-such-key"])?;
        same("the exit status", ran.status.code(), Some(1))
    });
    cases.case("create makes a token, revoke ends it", || {
        let token = bench.well(&["create", "--repositories", REPO_A, "-p", "contents=read"])?;
        let token = token.trim();
        same(
            "the token's state",
            bench.state(token),
            Some(TokenState::Live),
        )?;
        let mut revoke = bench.command(&["revoke", "--from", "stdin"]);
        filter(&mut revoke, token.as_bytes())?;
        same(
            "the token's state",
            bench.state(token),
            Some(TokenState::Revoked),
        )
    });
    cases.case("exec hands a token to a command and ends it after", || {
        let script = tools.fixture("use-token/index.js");
        let said = bench.well(&[
            "exec",
            "-r",
            REPO_A,
            "-p",
            "contents=read",
            "--",
            "node",
            &script.to_string_lossy(),
        ])?;
        holds(said.contains("my-org/repo-a: 200"), || said.clone())?;
        let last = bench.sandbox.tokens().pop();
        same(
            "the token's state",
            last.map(|token| token.state),
            Some(TokenState::Revoked),
        )
    });
    cases.case(
        "exec passes the command's status on, and ends the token all the same",
        || {
            let ran = bench.program(&[
                "exec",
                "-p",
                "contents=read",
                "--owner",
                ORG,
                "--",
                "sh",
                "-c",
                "exit 7",
            ])?;
            same("the exit status", ran.status.code(), Some(7))?;
            let last = bench.sandbox.tokens().pop();
            same(
                "the token's state",
                last.map(|token| token.state),
                Some(TokenState::Revoked),
            )
        },
    );
    cases.case(
        "git clones with git-credential, twice with one token",
        || {
            let served = GitServer::start(&bench)?;
            let before = bench.sandbox.tokens().len();
            for name in ["one", "two"] {
                bench.clone(&served, name)?;
                let text = paths::read(&bench.folder.join(name).join("README"))?;
                same("README", text.as_str(), "cloned\n")?;
            }
            let tokens = bench.sandbox.tokens().split_off(before);
            let narrowed: Vec<Option<Vec<u64>>> = tokens
                .iter()
                .map(|token| token.repositories.clone())
                .collect();
            same(
                "the tokens",
                narrowed,
                vec![Some(vec![app_token_sandbox::world::REPO_A_ID])],
            )?;
            holds(served.refused(), || {
                "nothing was refused without credentials".to_owned()
            })
        },
    );
    cases.case("git gets nothing for another host", || {
        let mut get = bench.command(&["git-credential", "-p", "contents=read", "get"]);
        let told = filter(&mut get, b"protocol=https\nhost=example.com\n\n")?;
        same(
            "the answer",
            String::from_utf8_lossy(&told).contains("password"),
            false,
        )
    });
    cases.case("key rotate puts another key behind the alias", || {
        let pem = second.to_string_lossy();
        bench.well(&["key", "rotate", "--pem", &pem, "--alias", ALIAS, "--yes"])?;
        bench.signs_as(&second)?;
        bench.relax(ALIAS)?;
        bench
            .well(&["create", "--repositories", REPO_A, "-p", "contents=read"])
            .map(drop)
    });
    cases.case("key rotate --undo puts the first one back", || {
        bench.well(&["key", "rotate", "--undo", "--alias", ALIAS, "--yes"])?;
        bench.signs_as(&first)
    });
    stack(cases, &bench, &first);
    cases.case("no secret was shown", || bench.kept_secrets());
    Ok(())
}

/// The whole stack, and the private key in its key.
fn stack(cases: &mut Cases, bench: &Bench<'_>, pem: &Path) {
    let who = [
        "--repository-id",
        "50001",
        "--subject",
        "repo:my-org@1001/repo-a@50001:*",
        "--job-workflow-ref",
        // With a wildcard: `policy trust` compares a whole name by StringEquals, the template never.
        "my-org/repo-a/.github/workflows/ci.yml@refs/heads/*",
        // ministack takes a list of nothing for a list of something.
        "--environment",
        "production",
    ];
    let mut made = Value::Null;
    cases.case("the CloudFormation template can be deployed", || {
        let arguments = [&["policy", "trust", "--format", "cloudformation"], &who[..]].concat();
        made = bench.deploy(&bench.well(&arguments)?)?;
        same(
            "the key",
            (
                &made["key"]["KeySpec"],
                &made["key"]["KeyUsage"],
                &made["key"]["Origin"],
            ),
            (
                &"RSA_2048".into(),
                &"SIGN_VERIFY".into(),
                &"EXTERNAL".into(),
            ),
        )
    });
    let text = |pointer: &str| {
        let found = made.pointer(pointer).and_then(Value::as_str);
        found.unwrap_or_default().to_owned()
    };
    cases.case("its outputs name what it made", || {
        same("the role", text("/outputs/RoleArn"), text("/role/arn"))?;
        same("the key", text("/outputs/KeyArn"), text("/key/Arn"))
    });
    cases.case(
        "its role is trusted as `policy trust` says, and may nothing else than what the key grants",
        || {
            let arguments = [&["trust", "--account", ACCOUNT_ID], &who[..]].concat();
            let wanted = bench.policy(&arguments)?;
            same(
                "the trust policy",
                plain(&made["role"]["trust"]),
                plain(&wanted),
            )?;
            same("policies of the role", &made["role_policies"], &0.into())
        },
    );
    cases.case("its key has the policy that `policy key` says", || {
        let role = text("/role/arn");
        let wanted = bench.policy(&["key", "--account", ACCOUNT_ID, "--sign-role", &role])?;
        same("the key policy", plain(&made["key_policy"]), plain(&wanted))
    });
    cases.case("its key takes the private key", || {
        let (file, key) = (pem.to_string_lossy(), text("/outputs/KeyId"));
        let alias = "alias/of-the-stack";
        bench.well(&[
            "key", "import", "--pem", &file, "--alias", alias, "--key-id", &key, "--yes",
        ])?;
        bench.key_signs_as(alias, pem)
    });
}

/// A policy with each list of one as its only member, which means the same.
fn plain(policy: &Value) -> Value {
    match policy {
        Value::Array(list) => match list.as_slice() {
            [one] => plain(one),
            more => more.iter().map(plain).collect(),
        },
        Value::Object(members) => {
            let members = members
                .iter()
                .map(|(name, value)| (name.clone(), plain(value)));
            Value::Object(members.collect())
        }
        other => other.clone(),
    }
}

/// Builds the program.
///
/// # Errors
/// When it does not compile.
pub fn build(tools: &Tools) -> Result<PathBuf> {
    command(
        cargo()
            .args(["build", "--quiet", "--locked", "--package", "app-token-cli"])
            .current_dir(tools.root()),
    )?;
    // Beside this program, whatever the target folder is called.
    let own = env::current_exe().map_err(|error| fail(format!("where am I? {error}")))?;
    Ok(own.with_file_name(format!("app-token{}", env::consts::EXE_SUFFIX)))
}

/// A second private key, which the sandbox's App knows too.
///
/// # Errors
/// When the sandbox has none.
pub fn second_key(sandbox: &Sandbox) -> Result<PrivateKey> {
    sandbox
        .change(|world| {
            let other = world.keys.iter().find(|key| key.id == OTHER_KEY_ID)?;
            let other = other.material.clone()?;
            // The App gets a second key on its settings page.
            let app = world.apps.first_mut()?;
            app.public_keys.push(other.public().clone());
            Some(other)
        })
        .ok_or_else(|| fail("the sandbox has no second key"))
}

/// A signature of KMS, in hexadecimal digits.
///
/// # Errors
/// When KMS refuses it.
pub fn kms_signature(
    tools: &Tools,
    url: &str,
    key: &str,
    region: &str,
    message: &[u8],
) -> Result<String> {
    let mut sign = Command::new(tools.python("python"));
    sign.arg(tools.fixture("aws_sign.py"))
        .args([url, key, region]);
    let signature = filter(&mut sign, message)?;
    Ok(String::from_utf8_lossy(&signature).trim().to_owned())
}

/// openssl's signature with a PEM, in hexadecimal digits.
///
/// # Errors
/// When openssl refuses it.
pub fn openssl_signature(pem: &Path, message: &[u8]) -> Result<String> {
    let mut openssl = Command::new("openssl");
    openssl.args(["dgst", "-sha256", "-sign"]).arg(pem);
    let signature = filter(&mut openssl, message)?;
    Ok(signature.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The program and what it works on.
struct Bench<'a> {
    tools: &'a Tools,
    sandbox: Sandbox,
    account: Account,
    folder: PathBuf,
    binary: PathBuf,
    said: Mutex<String>,
}

impl<'a> Bench<'a> {
    fn new(tools: &'a Tools) -> Result<Self> {
        let binary = build(tools)?;
        let sandbox = sandbox()?;
        let first = app_key(&sandbox)?;
        let second = second_key(&sandbox)?;
        let account = Account::start(tools, "ministack-for-cli", &first)?;
        let folder = tools.scratch("cli")?;
        paths::write(&folder.join("first.pem"), first.pkcs1_pem())?;
        paths::write(&folder.join("second.pem"), second.pkcs1_pem())?;
        let runtime = folder.join("runtime");
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&runtime).map_err(at("create", &runtime))?;
        Ok(Self {
            tools,
            sandbox,
            account,
            folder,
            binary,
            said: Mutex::new(String::new()),
        })
    }

    /// The program with an environment of its own.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(arguments);
        self.equip(&mut command);
        command
    }

    fn equip(&self, command: &mut Command) {
        let admin = self.account.user("admin");
        command
            .current_dir(&self.folder)
            .env_clear()
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.join("home"))
            .env("XDG_RUNTIME_DIR", self.folder.join("runtime"))
            .env("AWS_ENDPOINT_URL", &self.account.url)
            .env("AWS_REGION", REGION)
            .env("AWS_ACCESS_KEY_ID", &admin.id)
            .env("AWS_SECRET_ACCESS_KEY", &admin.secret)
            .env("GITHUB_API_URL", self.sandbox.github_url())
            .env("APP_TOKEN_GITHUB_API_URL", self.sandbox.github_url())
            .env("APP_TOKEN_CLIENT_ID", CLIENT_ID)
            .env("APP_TOKEN_KMS_KEY_ID", ALIAS)
            // A name without its owner is this one's.
            .env("GITHUB_REPOSITORY", format!("{ORG}/{REPO_A}"));
    }

    fn program(&self, arguments: &[&str]) -> Result<Output> {
        let output = self
            .command(arguments)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| fail(format!("could not run app-token: {error}")))?;
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        // A token on standard output is what create is for.
        if arguments.first() != Some(&"create") {
            said.push_str(&String::from_utf8_lossy(&output.stdout));
        }
        said.push_str(&String::from_utf8_lossy(&output.stderr));
        Ok(output)
    }

    /// Runs the program, which must end well, and gives what it printed.
    fn well(&self, arguments: &[&str]) -> Result<String> {
        let ran = self.program(arguments)?;
        let told = String::from_utf8_lossy(&ran.stdout).into_owned();
        holds(ran.status.success(), || {
            let words = String::from_utf8_lossy(&ran.stderr);
            format!(
                "`app-token {}` ended with {}:\n{told}{words}",
                arguments.join(" "),
                ran.status
            )
        })?;
        Ok(told)
    }

    fn state(&self, token: &str) -> Option<TokenState> {
        let tokens = self.sandbox.tokens();
        let found = tokens.iter().find(|known| known.value == token);
        found.map(|token| token.state)
    }

    /// KMS's signature by the alias, in hexadecimal digits.
    fn sign(&self, message: &[u8]) -> Result<String> {
        kms_signature(self.tools, &self.account.url, ALIAS, REGION, message)
    }

    /// Makes ministack judge a key's policy by what it knows, and tells the key's ARN and the policy as
    /// it was.
    fn relax(&self, alias: &str) -> Result<Value> {
        let mut relax = Command::new(self.tools.python("python"));
        relax
            .arg(self.tools.fixture("aws_relax.py"))
            .args([&self.account.url, alias]);
        serde_json::from_slice(&output(&mut relax)?)
            .map_err(|error| fail(format!("the key's policy is no JSON: {error}")))
    }

    fn signs_as(&self, pem: &Path) -> Result<()> {
        self.key_signs_as(ALIAS, pem)
    }

    /// That KMS signs as openssl does with the PEM. RSASSA-PKCS1-v1_5 gives the same each time.
    fn key_signs_as(&self, key: &str, pem: &Path) -> Result<()> {
        let found = kms_signature(self.tools, &self.account.url, key, REGION, MESSAGE)?;
        same("KMS's signature", found, openssl_signature(pem, MESSAGE)?)
    }

    /// Deploys a template, and tells what came of it.
    fn deploy(&self, template: &str) -> Result<Value> {
        let mut deploy = Command::new(self.tools.python("python"));
        deploy
            .arg(self.tools.fixture("aws_stack.py"))
            .arg(&self.account.url);
        serde_json::from_slice(&filter(&mut deploy, template.as_bytes())?)
            .map_err(|error| fail(format!("the deployment gave no JSON: {error}")))
    }

    /// A policy that the program prints as JSON.
    fn policy(&self, arguments: &[&str]) -> Result<Value> {
        serde_json::from_str(&self.well(&[&["policy"], arguments].concat())?)
            .map_err(|error| fail(format!("the policy is no JSON: {error}")))
    }

    fn clone(&self, served: &GitServer, name: &str) -> Result<()> {
        let helper = format!(
            "!'{}' git-credential -p contents=read --git-host {}",
            self.binary.display(),
            served.address
        );
        let mut git = Command::new("git");
        self.equip(&mut git);
        git.env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .args(["-c", &format!("credential.helper={helper}")])
            .args(["-c", "credential.useHttpPath=true", "clone", "--quiet"])
            .arg(format!("http://{}/{ORG}/{REPO_A}.git", served.address))
            .arg(name);
        output(&mut git).map(drop)
    }

    fn kept_secrets(&self) -> Result<()> {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let admin = self.account.user("admin");
        let mut secrets = self.sandbox.secrets();
        secrets.push(("secret access key".to_owned(), admin.secret));
        for pem in ["first.pem", "second.pem"] {
            let text = paths::read(&self.folder.join(pem))?;
            secrets.extend(text.lines().map(|line| (pem.to_owned(), line.to_owned())));
        }
        match secrets.iter().find(|(_, secret)| said.contains(secret)) {
            Some((name, _)) => Err(fail(format!("the program has shown the {name}"))),
            None => Ok(()),
        }
    }
}

/// A git repository behind HTTP that wants a token of the sandbox as the password: the plain files
/// that git reads where a server does not speak its own protocol.
struct GitServer {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    refused: Arc<AtomicBool>,
}

impl GitServer {
    fn start(bench: &Bench<'_>) -> Result<Self> {
        let source = bench.folder.join("source");
        fs::create_dir_all(&source).map_err(at("create", &source))?;
        paths::write(&source.join("README"), "cloned\n")?;
        let bare = bench.folder.join(format!("served/{ORG}/{REPO_A}.git"));
        let git = |folder: &Path, arguments: &[&str]| {
            let identity = ["-c", "user.name=e2e", "-c", "user.email=e2e@example.com"];
            command(
                Command::new("git")
                    .args(identity)
                    .args(["-c", "commit.gpgsign=false"])
                    .args(arguments)
                    .current_dir(folder),
            )
        };
        git(&source, &["init", "--quiet", "--initial-branch=main"])?;
        git(&source, &["add", "README"])?;
        git(&source, &["commit", "--quiet", "--message=First"])?;
        let to = bare.to_string_lossy();
        git(&source, &["clone", "--quiet", "--bare", ".", &to])?;
        git(&bare, &["update-server-info"])?;

        let failed = |error| fail(format!("could not start the git server: {error}"));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let stop = Arc::new(AtomicBool::new(false));
        let refused = Arc::new(AtomicBool::new(false));
        let (stopped, turned_away) = (Arc::clone(&stop), Arc::clone(&refused));
        let folder = bench.folder.join("served");
        let github = bench.sandbox.github_url();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                // A connection that fails is closed, which is all that git can be told.
                let _ = serve(client, &folder, &github, &turned_away);
            }
        });
        Ok(Self {
            address,
            stop,
            refused,
        })
    }

    /// Whether a request without credentials came, and was refused.
    fn refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }
}

impl Drop for GitServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes the thread that waits for a connection.
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(
    mut client: TcpStream,
    folder: &Path,
    github: &str,
    refused: &AtomicBool,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    let mut buffer = [0; 4096];
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        match client.read(&mut buffer)? {
            0 => return Ok(()),
            read => head.extend_from_slice(buffer.get(..read).unwrap_or_default()),
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default();
    let path = path.split('?').next().unwrap_or_default();
    let authorization = head
        .lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(name, _)| name.eq_ignore_ascii_case("authorization"))
        .and_then(|(_, value)| value.strip_prefix("Basic "));
    let known = authorization.is_some_and(|basic| is_live(github, basic));
    let file = (known && !path.contains(".."))
        .then(|| fs::read(folder.join(path.trim_start_matches('/'))).ok());
    let (status, body) = match file {
        None => {
            refused.store(true, Ordering::Relaxed);
            (
                "401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"GitHub\"",
                Vec::new(),
            )
        }
        Some(None) => ("404 Not Found", Vec::new()),
        Some(Some(body)) => ("200 OK", body),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/octet-stream\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    client.write_all(&[head.as_bytes(), &body].concat())
}

/// Whether GitHub takes the password of this pair, with the user name that GitHub wants beside it.
fn is_live(github: &str, basic: &str) -> bool {
    let pair = decode(basic);
    let Some(token) = pair.strip_prefix("x-access-token:") else {
        return false;
    };
    let bearer = format!("Bearer {token}");
    let headers = [
        ("Authorization", bearer.as_str()),
        ("User-Agent", "a-git-server"),
    ];
    let path = format!("/repos/{ORG}/{REPO_A}");
    super::http::request("GET", github, &path, &headers, "")
        .is_ok_and(|answer| answer.status == 200)
}

/// Base64 (RFC 4648, section 4), of which only text is expected here.
fn decode(text: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bits, mut count, mut bytes) = (0_u32, 0, Vec::new());
    for digit in text.bytes().take_while(|byte| *byte != b'=') {
        let value = ALPHABET
            .iter()
            .position(|known| *known == digit)
            .unwrap_or(0);
        bits = bits << 6 | value as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_decoded() {
        assert_eq!(
            decode("eC1hY2Nlc3MtdG9rZW46Z2hzXzE="),
            "x-access-token:ghs_1"
        );
        assert_eq!(decode("YQ=="), "a");
    }
}
