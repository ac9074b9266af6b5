//! LocalStack's KMS, in whose code a key is unwrapped a second time: what the program imports there, and
//! that it signs.
//!
//! It runs as the plain Python program that its container runs, with KMS and STS alone.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use app_token_sandbox::{
    PrivateKey, Sandbox, TokenState,
    world::{CLIENT_ID, ORG, REGION, REPO_A},
};

use super::{
    aws::{app_key, sandbox},
    cases::{Cases, holds, same},
    cli,
    proxy::{Passing, Proxy},
    server::Server,
    tools::Tools,
};
use crate::{
    error::{Result, at, fail},
    paths,
    process::filter,
};

const ALIAS: &str = "alias/imported";
const OTHER_REGION: &str = "eu-west-1";

/// How KMS is told which operation a request is for:
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_ImportKeyMaterial.html>
const IMPORT: &str = "TrentService.ImportKeyMaterial";

/// The cases on LocalStack.
///
/// # Errors
/// When it cannot be installed or started.
pub fn run(tools: &Tools, cases: &mut Cases) -> Result<()> {
    let bench = Bench::new(tools)?;

    cases.case(
        "it takes the key that the program wrapped, as PKCS#1, and signs as openssl does",
        || {
            bench.import("first.pem", ALIAS, &[])?.well()?;
            bench.signs_as("first.pem", ALIAS, REGION)
        },
    );
    cases.case("and as PKCS#8, in two regions", || {
        let (alias, more) = (
            "alias/pkcs8",
            ["--region", REGION, "--region", OTHER_REGION],
        );
        bench.import("pkcs8.pem", alias, &more)?.well()?;
        bench.signs_as("first.pem", alias, REGION)?;
        bench.signs_as("first.pem", alias, OTHER_REGION)
    });
    cases.case("GitHub takes what it signs", || {
        let ran = bench.program(&["create", "-r", REPO_A, "-p", "contents=read"], &bench.url)?;
        let token = ran.well()?;
        let tokens = bench.sandbox.tokens();
        let found = tokens.iter().find(|known| known.value == token.trim());
        same(
            "the token's state",
            found.map(|token| token.state),
            Some(TokenState::Live),
        )
    });
    cases.case("another key is refused for the alias that is taken", || {
        let ran = bench.import("second.pem", ALIAS, &[])?;
        holds(ran.failed(), || ran.words())?;
        bench.signs_as("first.pem", ALIAS, REGION)
    });
    // It does not judge the request's signature, so this one it unwraps, and RFC 5649 tells it.
    cases.case("a key that was changed on its way gets no alias", || {
        let proxy = Proxy::start(&bench.url, spoil)?;
        let alias = "alias/spoilt";
        let ran = bench.import_by("second.pem", alias, &[], &proxy.url())?;
        let words = ran.words();
        holds(ran.failed() && words.contains("ImportKeyMaterial"), || {
            words.clone()
        })?;
        holds(bench.sign(alias, REGION).is_err(), || {
            format!("{alias} is there")
        })
    });
    cases.case("key rotate puts another key behind the alias", || {
        let pem = bench.pem("second.pem");
        let rotate = ["key", "rotate", "--pem", &pem, "--alias", ALIAS, "--yes"];
        bench.program(&rotate, &bench.url)?.well()?;
        bench.signs_as("second.pem", ALIAS, REGION)
    });
    Ok(())
}

/// A run of the program that came to its end.
struct Ran(Output);

impl Ran {
    fn failed(&self) -> bool {
        !self.0.status.success()
    }

    fn words(&self) -> String {
        String::from_utf8_lossy(&self.0.stderr).into_owned()
    }

    /// That it ended well, and what it printed.
    fn well(&self) -> Result<String> {
        holds(!self.failed(), || self.words())?;
        Ok(String::from_utf8_lossy(&self.0.stdout).into_owned())
    }
}

/// Changes one character of the wrapped key, behind the RSA part: the key itself.
fn spoil(request: &mut Passing) {
    let is = |(name, value): &(String, String)| {
        name.eq_ignore_ascii_case("x-amz-target") && value == IMPORT
    };
    if !request.headers.iter().any(is) {
        return;
    }
    let name = b"\"EncryptedKeyMaterial\":\"";
    let start = request.body.windows(name.len()).position(|at| at == name);
    // An RSA-4096 ciphertext is 512 bytes, which are 683 digits of Base64.
    let digit = start.and_then(|start| request.body.get_mut(start + name.len() + 900));
    if let Some(digit) = digit {
        *digit = if *digit == b'A' { b'B' } else { b'A' };
    }
}

struct Bench<'a> {
    tools: &'a Tools,
    sandbox: Sandbox,
    url: String,
    folder: PathBuf,
    binary: PathBuf,
    _server: Server,
}

impl<'a> Bench<'a> {
    fn new(tools: &'a Tools) -> Result<Self> {
        let binary = cli::build(tools)?;
        let python = tools.localstack()?;
        let folder = tools.scratch("localstack")?;
        let sandbox = sandbox()?;
        let second: PrivateKey = cli::second_key(&sandbox)?;
        let first = app_key(&sandbox)?.pkcs1_pem();
        let mut pkcs8 = Command::new("openssl");
        let pkcs8 = filter(
            pkcs8.args(["pkcs8", "-topk8", "-nocrypt"]),
            first.as_bytes(),
        )?;
        paths::write(&folder.join("first.pem"), first)?;
        paths::write(&folder.join("pkcs8.pem"), pkcs8)?;
        paths::write(&folder.join("second.pem"), second.pkcs1_pem())?;
        let own = folder.join("own");
        fs::create_dir(&own).map_err(at("create", &own))?;
        let server = Server::start("localstack", &folder, |port| {
            let mut command = Command::new(&python);
            command
                .args(["-m", "localstack.runtime.main"])
                // Settings of somebody who uses it must not reach this one.
                .env_clear()
                .env("PATH", std::env::var_os("PATH").unwrap_or_default())
                .env("HOME", &own)
                // Its certificate goes below /var/lib otherwise, where it takes this for a container.
                .env("OVERRIDE_IN_DOCKER", "0")
                .env("FILESYSTEM_ROOT", &own)
                .env("GATEWAY_LISTEN", format!("127.0.0.1:{port}"))
                // The other server needs packages that its free core does not name.
                .env("GATEWAY_SERVER", "hypercorn")
                .env("SERVICES", "kms,sts")
                .env("STRICT_SERVICE_LOADING", "1")
                // It looks for Docker: without an answer it pings where Docker's bridge would be.
                .env("DOCKER_BRIDGE_IP", "127.0.0.1")
                .env(
                    "DOCKER_HOST",
                    format!("unix://{}", own.join("none").display()),
                )
                // Each is a name server, a download or a report to its makers otherwise.
                .env("DNS_ADDRESS", "0")
                .env("SKIP_SSL_CERT_DOWNLOAD", "1")
                .env("DISABLE_EVENTS", "1");
            command
        })?;
        Ok(Self {
            tools,
            sandbox,
            url: server.url(),
            folder,
            binary,
            _server: server,
        })
    }

    fn pem(&self, name: &str) -> String {
        self.folder.join(name).to_string_lossy().into_owned()
    }

    fn import(&self, pem: &str, alias: &str, more: &[&str]) -> Result<Ran> {
        self.import_by(pem, alias, more, &self.url)
    }

    fn import_by(&self, pem: &str, alias: &str, more: &[&str], url: &str) -> Result<Ran> {
        let pem = self.pem(pem);
        let start = ["key", "import", "--pem", &pem, "--alias", alias, "--yes"];
        self.program(&[&start, more].concat(), url)
    }

    /// Runs the program with an environment of its own, KMS being at `url`.
    fn program(&self, arguments: &[&str], url: &str) -> Result<Ran> {
        Command::new(&self.binary)
            .args(arguments)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .env_clear()
            .env("HOME", self.folder.join("home"))
            .env("AWS_ENDPOINT_URL", url)
            .env("AWS_REGION", REGION)
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("APP_TOKEN_GITHUB_API_URL", self.sandbox.github_url())
            .env("APP_TOKEN_CLIENT_ID", CLIENT_ID)
            .env("APP_TOKEN_KMS_KEY_ID", ALIAS)
            .env("GITHUB_REPOSITORY", format!("{ORG}/{REPO_A}"))
            .output()
            .map(Ran)
            .map_err(|error| fail(format!("could not run app-token: {error}")))
    }

    /// KMS's signature, in hexadecimal digits.
    fn sign(&self, alias: &str, region: &str) -> Result<String> {
        cli::kms_signature(self.tools, &self.url, alias, region, cli::MESSAGE)
    }

    fn signs_as(&self, pem: &str, alias: &str, region: &str) -> Result<()> {
        let wanted = cli::openssl_signature(&self.folder.join(pem), cli::MESSAGE)?;
        same("KMS's signature", self.sign(alias, region)?, wanted)
    }
}
