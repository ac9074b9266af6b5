//! KMS, IAM and STS of others: ministack, which judges rights and keys, and moto, which judges
//! signatures a second time.

use std::{path::PathBuf, process::Command};

use app_token_sandbox::{
    PrivateKey, PublicKey, Sandbox, TokenState,
    world::{KEY_ID, OIDC_ISSUER, REGION},
};
use serde_json::Value;

use super::{
    action::{Action, Key},
    cases::{Cases, holds, same},
    http,
    proxy::{Passing, Proxy},
    server::Server,
    tools::Tools,
};
use crate::{
    error::{Result, fail},
    paths,
    process::{filter, output},
};

/// The credentials of the account's root, which the set-up uses. ministack never denies root anything,
/// so no case signs with them.
const ROOT: [(&str, &str); 2] = [
    ("AWS_ACCESS_KEY_ID", "rootkey"),
    ("AWS_SECRET_ACCESS_KEY", "rootsecret"),
];

/// What somebody does to a request on its way.
type Change = fn(&mut Passing);

/// What the set-up made.
pub struct Account {
    made: Value,
    /// The endpoint of KMS, IAM and STS.
    pub url: String,
    folder: PathBuf,
    _server: Server,
}

impl Account {
    /// Starts ministack and fills it: the sandbox's App key imported, users, roles, keys in each wrong
    /// state.
    ///
    /// # Errors
    /// When it does not start, or refuses the set-up.
    pub fn start(tools: &Tools, scratch: &str, key: &PrivateKey) -> Result<Self> {
        let folder = tools.scratch(scratch)?;
        let server = Server::start("ministack", &folder, |port| {
            let mut command = Command::new(tools.python("ministack"));
            command
                .envs(ROOT)
                .env("AUTH", "true")
                .env("BIND_HOST", "127.0.0.1")
                .env("GATEWAY_PORT", port.to_string())
                .env("MINISTACK_ACCOUNT_ID", app_token_sandbox::world::ACCOUNT_ID)
                // Each opens a port on every address otherwise.
                .env("IOT_MTLS_ENABLED", "0")
                .env("SFTP_ENABLED", "0");
            command
        })?;
        let mut setup = Command::new(tools.python("python"));
        setup
            .arg(tools.fixture("aws_setup.py"))
            .arg(server.url())
            .arg(OIDC_ISSUER.trim_start_matches("https://"));
        let made = filter(&mut setup, key.pkcs1_pem().as_bytes())?;
        Ok(Self {
            made: serde_json::from_slice(&made)
                .map_err(|error| fail(format!("the set-up gave no JSON: {error}")))?,
            url: server.url(),
            folder,
            _server: server,
        })
    }

    fn text(&self, pointer: &str) -> String {
        let found = self.made.pointer(pointer).and_then(Value::as_str);
        found.unwrap_or_default().to_owned()
    }

    /// The ARN of a key.
    pub fn key(&self, name: &str) -> String {
        self.text(&format!("/keys/{name}"))
    }

    /// The ARN of a role.
    pub fn role(&self, name: &str) -> String {
        self.text(&format!("/roles/{name}"))
    }

    /// An access key.
    pub fn user(&self, name: &str) -> Key {
        let part = |part| self.text(&format!("/users/{name}/{part}"));
        Key {
            id: part("id"),
            secret: part("secret"),
            token: part("token"),
        }
    }

    /// The public half of the imported key, as KMS tells it, PEM.
    pub fn public_key(&self) -> String {
        self.text("/public_key")
    }
}

/// The key of the sandbox's App.
///
/// # Errors
/// When the sandbox has none.
pub fn app_key(sandbox: &Sandbox) -> Result<PrivateKey> {
    sandbox
        .change(|world| {
            let key = world
                .keys
                .iter()
                .find(|key| key.id == KEY_ID && key.region == REGION)?;
            key.material.clone()
        })
        .ok_or_else(|| fail("the sandbox's App has no key"))
}

/// Starts the sandbox, of which these cases use GitHub alone.
///
/// # Errors
/// When no port can be had.
pub fn sandbox() -> Result<Sandbox> {
    Sandbox::start().map_err(|error| fail(format!("could not start the sandbox: {error}")))
}

/// Main, the token and post, all well.
fn works(sandbox: &Sandbox, action: &Action<'_>) -> Result<()> {
    let done = action.main()?;
    let token = done.token()?;
    let state = |wanted| {
        let tokens = sandbox.tokens();
        let found = tokens.iter().find(|known| known.value == token);
        same("the token's state", found.map(|token| token.state), wanted)
    };
    state(Some(TokenState::Live))?;
    done.post()?;
    state(Some(TokenState::Revoked))
}

/// The cases on ministack.
///
/// # Errors
/// When it cannot be set up.
pub fn ministack(tools: &Tools, cases: &mut Cases) -> Result<()> {
    let sandbox = sandbox()?;
    let account = Account::start(tools, "ministack", &app_key(&sandbox)?)?;
    let session = account.user("session");
    let tester = account.user("tester");
    let base = Action::new(tools, &sandbox.github_url(), &account.url);
    let key = account.key("signing");
    let alias = key
        .split(":key/")
        .next()
        .map(|start| format!("{start}:alias/github-app"))
        .unwrap_or_default();

    cases.case("GetPublicKey tells the imported key's public half", || {
        same(
            "equal",
            account.made.get("same_key"),
            Some(&Value::Bool(true)),
        )
    });
    cases.case(
        "a role with nothing but kms:Sign gets a token by the key's ARN",
        || {
            works(
                &sandbox,
                &base.clone().by(&session).with("kms-key-id", &key),
            )
        },
    );
    for (what, name) in [
        ("id", key.rsplit('/').next().unwrap_or_default()),
        ("alias", "alias/github-app"),
        ("alias ARN", &alias),
    ] {
        cases.case(&format!("the same by the key's {what}"), || {
            works(
                &sandbox,
                &base.clone().by(&session).with("kms-key-id", name),
            )
        });
    }
    cases.case("a user with nothing but kms:Sign gets a token", || {
        works(&sandbox, &base.clone().by(&account.user("signer")))
    });
    cases.case("a key that cannot sign is followed by the next", || {
        let keys = format!("{}\n{}", account.key("disabled"), account.key("signing"));
        let action = base.clone().by(&tester).with("kms-key-id", &keys);
        works(&sandbox, &action)?;
        let words = action.main()?.words();
        holds(
            words.contains("could not sign: the KMS key is disabled"),
            || words,
        )
    });

    let refused = |key: &Key, id: &str, summary: &str, words: &str| {
        let action = base.clone().by(key).with("kms-key-id", id);
        action.main()?.failed(summary, words)
    };
    let wrong = Key {
        secret: session.secret.chars().rev().collect(),
        ..session.clone()
    };
    let without_token = Key {
        token: String::new(),
        ..session.clone()
    };
    let other_token = Key {
        token: account.user("session").token.chars().rev().collect(),
        ..session.clone()
    };
    let nobody = Key {
        id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
        ..account.user("signer")
    };
    let unknown = key.replace(key.rsplit('/').next().unwrap_or_default(), KEY_ID);
    let (denied, of_state) = (
        "KMS denied kms:Sign on the key",
        "the KMS key is in no state to sign",
    );
    let not_known = "AWS does not know these credentials";
    for (what, who, id, summary, words) in [
        (
            "a wrong secret",
            &wrong,
            &key,
            "AWS did not accept the request's signature",
            "",
        ),
        (
            "a session's key without its token",
            &without_token,
            &key,
            not_known,
            "",
        ),
        (
            "a session's key with another token",
            &other_token,
            &key,
            not_known,
            "",
        ),
        ("an unknown access key", &nobody, &key, not_known, ""),
        (
            "a user without rights",
            &account.user("stranger"),
            &key,
            denied,
            "AccessDeniedException",
        ),
        (
            "a user who may assume a role and no more",
            &account.user("ci"),
            &key,
            denied,
            "AccessDeniedException",
        ),
        (
            "the role on a key that is not its own",
            &session,
            &account.key("generated"),
            denied,
            "AccessDeniedException",
        ),
        (
            "a key that does not exist",
            &tester,
            &unknown,
            "KMS knows no such key",
            "NotFoundException",
        ),
        (
            "a disabled key",
            &tester,
            &account.key("disabled"),
            "the KMS key is disabled",
            "DisabledException",
        ),
        (
            "a key pending import",
            &tester,
            &account.key("pending-import"),
            of_state,
            "pending import",
        ),
        (
            "a key pending deletion",
            &tester,
            &account.key("pending-deletion"),
            of_state,
            "pending deletion",
        ),
        (
            "a key that encrypts",
            &tester,
            &account.key("encrypts"),
            "the KMS key is of the wrong kind",
            "InvalidKeyUsageException",
        ),
        (
            "a key that is not the App's",
            &tester,
            &account.key("generated"),
            "the KMS key is not a key of this App",
            "",
        ),
    ] {
        cases.case(&format!("{what} is told as `{summary}`"), || {
            refused(who, id, summary, words)
        });
    }

    let changes: [(&str, Change); 3] = [
        ("in the body", |request| {
            if let Some(byte) = request
                .body
                .iter_mut()
                .rev()
                .find(|byte| byte.is_ascii_lowercase())
            {
                *byte = if *byte == b'x' { b'y' } else { b'x' };
            }
        }),
        ("in the session's token", |request| {
            change_header(request, "x-amz-security-token")
        }),
        ("in the time", |request| {
            change_header(request, "x-amz-date")
        }),
    ];
    for (place, change) in changes {
        cases.case(
            &format!("a byte changed on the way {place} is found"),
            || {
                let proxy = Proxy::start(&account.url, change)?;
                let action = base
                    .clone()
                    .by(&session)
                    .env("AWS_ENDPOINT_URL_KMS", &proxy.url());
                let done = action.main()?;
                let summary = if place.contains("token") {
                    not_known
                } else {
                    "AWS did not accept the request's signature"
                };
                done.failed(summary, "")
            },
        );
    }
    cases.case("a proxy that changes nothing does no harm", || {
        let proxy = Proxy::start(&account.url, |_| {})?;
        works(
            &sandbox,
            &base
                .clone()
                .by(&session)
                .env("AWS_ENDPOINT_URL_KMS", &proxy.url()),
        )?;
        same("requests", proxy.passed().len(), 1)
    });
    web_identity(cases, &sandbox, &account, &base);
    cases.case("no token was left", || {
        let live = |token: &&app_token_sandbox::Token| token.state == TokenState::Live;
        same(
            "live tokens",
            sandbox.tokens().iter().filter(live).count(),
            1,
        )
    });
    Ok(())
}

/// The runner's ID token in exchange for a role, whose trust policy fits it or does not.
fn web_identity(cases: &mut Cases, sandbox: &Sandbox, account: &Account, base: &Action<'_>) {
    let mut job = base.clone();
    for (name, value) in sandbox.env_without_credentials() {
        if name.starts_with("ACTIONS_ID_TOKEN_REQUEST_") {
            job = job.env(&name, &value);
        }
    }
    let role = |name: &str| account.role(name);
    let assumes = |name: &str| job.clone().with("role-to-assume", &role(name));
    let refused = "AWS STS refused to give the role";
    let denied = "KMS denied kms:Sign on the key";
    cases.case("a role whose trust policy fits the job signs", || {
        works(sandbox, &assumes("fits"))
    });
    for (what, action, summary) in [
        ("another subject", assumes("other-subject"), refused),
        ("another audience", assumes("other-audience"), refused),
        (
            "an audience that was changed",
            assumes("fits").with("aws-audience", "other"),
            refused,
        ),
        (
            "a role that may not sign",
            assumes("fits-but-may-not-sign"),
            denied,
        ),
    ] {
        cases.case(&format!("{what} is told as `{summary}`"), || {
            action.main()?.failed(summary, "AccessDenied")
        });
    }

    // The same token from a file, as EKS gives it.
    let file = |name: &str| -> Result<Action<'_>> {
        let token = sandbox.id_token("sts.amazonaws.com");
        let path = account.folder.join("web-identity-token");
        paths::write(&path, token)?;
        Ok(base
            .clone()
            .env("AWS_WEB_IDENTITY_TOKEN_FILE", &path.to_string_lossy())
            .env("AWS_ROLE_ARN", &role(name)))
    };
    cases.case(
        "a role whose trust policy fits the token in a file signs",
        || works(sandbox, &file("fits")?),
    );
    cases.case(
        "a file's token with another subject is told, with its source",
        || {
            file("other-subject")?.main()?.failed(
                "a configured source of AWS credentials does not work",
                "through the token in",
            )
        },
    );
}

/// Changes the last digit.
fn change_header(request: &mut Passing, name: &str) {
    for (key, value) in &mut request.headers {
        if key.eq_ignore_ascii_case(name)
            && let Some(place) = value.rfind(|character: char| character.is_ascii_digit())
        {
            let other = if value[place..].starts_with('1') {
                "2"
            } else {
                "1"
            };
            value.replace_range(place..=place, other);
        }
    }
}

/// The cases on moto.
///
/// # Errors
/// When it cannot be set up.
pub fn moto(tools: &Tools, cases: &mut Cases) -> Result<()> {
    let folder = tools.scratch("moto")?;
    let server = Server::start("moto", &folder, |port| {
        let mut command = Command::new(tools.python("moto_server"));
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        command
    })?;
    let mut setup = Command::new(tools.python("python"));
    setup.arg(tools.fixture("moto_setup.py")).arg(server.url());
    let made: Value = serde_json::from_slice(&output(&mut setup)?)
        .map_err(|error| fail(format!("the set-up gave no JSON: {error}")))?;
    // From here on signatures and rights are judged: the argument is the number of requests to let by.
    let headers = [("Content-Type", "text/plain")];
    let reset = http::request("POST", &server.url(), "/moto-api/reset-auth", &headers, "0")?;
    same("the status of moto's reset-auth", reset.status, 200)?;

    let text = |pointer: &str| {
        let found = made.pointer(pointer).and_then(Value::as_str);
        found.unwrap_or_default().to_owned()
    };
    let user = |name: &str| Key {
        id: text(&format!("/{name}/id")),
        secret: text(&format!("/{name}/secret")),
        token: String::new(),
    };
    let sandbox = sandbox()?;
    let modulus = bytes(&text("/modulus"))
        .ok_or_else(|| fail("the set-up gave no modulus in hexadecimal digits"))?;
    sandbox.change(|world| {
        for app in &mut world.apps {
            app.public_keys.push(PublicKey::new(&modulus, &[1, 0, 1]));
        }
    });
    let base =
        Action::new(tools, &sandbox.github_url(), &server.url()).with("kms-key-id", &text("/key"));
    let signer = user("signer");
    cases.case(
        "a signed request is taken, and its signature by GitHub",
        || works(&sandbox, &base.clone().by(&signer)),
    );
    let wrong = Key {
        secret: signer.secret.chars().rev().collect(),
        ..signer.clone()
    };
    let nobody = Key {
        id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
        ..signer
    };
    // moto answers in XML, which KMS never does, so what it found stands in the recording.
    for (what, who, code) in [
        ("a wrong secret", wrong, "SignatureDoesNotMatch"),
        ("an unknown access key", nobody, "InvalidClientTokenId"),
        ("a user without rights", user("stranger"), "AccessDenied"),
    ] {
        cases.case(&format!("{what} is refused with {code}"), || {
            let proxy = Proxy::start(&server.url(), |_| {})?;
            let action = base
                .clone()
                .by(&who)
                .env("AWS_ENDPOINT_URL_KMS", &proxy.url());
            action
                .main()?
                .failed("KMS gave an answer that makes no sense", "<?xml")?;
            let passed = proxy.passed();
            holds(
                matches!(passed.as_slice(), [one] if one.body.contains(&format!("<Code>{code}<"))),
                || format!("{passed:?}"),
            )
        });
    }
    Ok(())
}

/// Bytes from hexadecimal digits.
fn bytes(digits: &str) -> Option<Vec<u8>> {
    digits
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}
