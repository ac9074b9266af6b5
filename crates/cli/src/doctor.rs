//! `doctor`: goes down the whole chain, from credentials to the token that it does not make.
//!
//! Each check stands alone as far as it can: one that needs what an earlier one did not get is left out,
//! and says so. Nothing is changed anywhere.

use crate::args::Doctor;
use crate::key::pem::PublicKey;
use crate::kms::{ADMIN, Kms};
use crate::native::Native;
use crate::native::console::{Colour, Paint, coloured};
use crate::{Status, order, output, problem};
use app_token::aws::credentials::Credentials;
use app_token::aws::kms::SigningKey;
use app_token::aws::sts::Sts;
use app_token::error::{Error, Result, problem as library};
use app_token::github::installation::{self, Installation};
use app_token::github::{ApiUrl, GitHub, app};
use app_token::http::client::{Call, Client, Verdict};
use app_token::http::network::Network;
use app_token::http::{Method, Request};
use app_token::jwt::{self, AppId, IssuerForm};
use app_token::scope::{Owner, Repositories, Target};
use app_token::secret::Secret;
use std::process::ExitCode;
use std::time::Instant;

/// Seconds that the clock may be off before it is worth a word.
const CLOCK_NOTABLE: i64 = 10;
/// Seconds from which GitHub refuses the JWT at first: `iat` is a minute in the past.
const CLOCK_WRONG: i64 = 60;
/// Of more repositories than this it is not asked one by one.
const MOST_LOOKS: usize = 30;

pub fn run(native: &Native, args: &Doctor, colour: Colour) -> Status {
    let mut table = Table {
        native,
        json: args.json,
        colour: coloured(colour, output::is_terminal()),
        checks: Vec::new(),
    };
    examine(native, args, &mut table)?;
    table.end()
}

fn examine(native: &Native, args: &Doctor, table: &mut Table<'_>) -> Result<()> {
    let client = native.client()?;
    let env = &*native.host.env;
    let id = table.check("App id", || {
        let id = order::app(&args.app.client_id, &args.app.app_id)?;
        Ok((id.to_string(), id))
    })?;
    let keys = table.check("KMS keys", || {
        let keys = order::keys(&args.app, &args.aws, &native.host)?;
        let names: Vec<String> = keys.keys().iter().map(SigningKey::describe).collect();
        Ok((names.join(", "), keys))
    })?;
    let api = table.check("GitHub's API", || {
        let api = order::api(&args.github, env)?;
        Ok((format!("{api}{}", proxy(native, &api)?), api))
    })?;
    let first = keys.as_ref().and_then(|keys| keys.keys().first());
    let region = match first {
        Some(key) => Some(key.region.clone()),
        None => order::region(&args.aws, &native.host).ok().flatten(),
    };

    let credentials = table.check("credentials", || {
        let source = order::credentials(&client, &args.aws, region.clone())?;
        let credentials = native.run("getting the AWS credentials", source.load(&client))?;
        let until = credentials
            .expires
            .map(|at| format!(", until {at}"))
            .unwrap_or_default();
        Ok((
            format!("{source} ({}){until}", credentials.access_key_id),
            credentials,
        ))
    })?;
    match (&credentials, &region) {
        (Some(credentials), Some(region)) => {
            table.check("identity", || {
                let sts = Sts::new(Some(region), env)?;
                let who =
                    native.run("asking AWS STS", sts.caller_identity(&client, credentials))?;
                Ok((who.arn, ()))
            })?;
        }
        _ => table.skip("identity", "without credentials or a region")?,
    }

    let mut signed: Option<Secret> = None;
    for key in keys.iter().flat_map(|keys| keys.keys()) {
        match &credentials {
            Some(credentials) => {
                let jwt = examine_key(native, &client, credentials, key, id.as_ref(), table)?;
                signed = signed.or(jwt);
            }
            None => table.skip("Sign", "without credentials")?,
        }
    }

    let Some(api) = api else {
        return Ok(());
    };
    examine_github(native, &client, &api, table)?;
    let Some(jwt) = signed else {
        table.skip("App", "without a JWT that a key signed")?;
        return Ok(());
    };
    let github = GitHub {
        client: &client,
        api: &api,
        limits: ADMIN,
    };
    let known = table.check("App", || {
        let app = native.run("asking GitHub for the App", app::of_jwt(&github, &jwt));
        let app = app.map_err(Error::from)?;
        Ok((
            format!("{} (slug {}, App ID {})", app.name, app.slug, app.id),
            (),
        ))
    })?;
    if known.is_none() {
        table.skip("installations", "without the App")?;
        return Ok(());
    }
    table.check("installations", || {
        let all = native.run(
            "asking GitHub for the installations",
            app::installations(&github, &jwt),
        );
        let all = all.map_err(Error::from)?;
        let names: Vec<String> = all.iter().map(describe_installed).collect();
        if names.is_empty() {
            return Err(Error::new(&library::NOT_INSTALLED, "on any account"));
        }
        Ok((names.join(", "), ()))
    })?;
    examine_token(native, args, &github, &jwt, table)
}

fn describe_installed(one: &app::Installed) -> String {
    let suspended = if one.suspended_at.is_some() {
        ", suspended"
    } else {
        ""
    };
    format!("{} ({}{suspended})", one.account(), one.id)
}

/// One key: what it is, that it signs, and that the signature is its own. The App's JWT, if it signed.
fn examine_key(
    native: &Native,
    client: &Client,
    credentials: &Credentials,
    key: &SigningKey,
    id: Option<&AppId>,
    table: &mut Table<'_>,
) -> Result<Option<Secret>> {
    let kms = Kms {
        client,
        credentials,
        region: key.region.clone(),
        endpoint: key.endpoint.clone(),
    };
    let name = key.id.as_str();
    table.check_if_allowed("key", || {
        let missing = || Error::new(&library::KMS_KEY_NOT_FOUND, key.describe());
        let info = native
            .run("asking KMS about the key", kms.describe(name))?
            .ok_or_else(missing)?;
        let about = format!(
            "{}, {}, {}, origin {} ({})",
            info.state, info.spec, info.usage, info.origin, info.id
        );
        match info.state.as_str() {
            _ if info.usage != "SIGN_VERIFY" || info.spec != "RSA_2048" => {
                Err(Error::new(&library::KMS_KEY_USAGE, about))
            }
            "Enabled" => Ok((about, ())),
            "Disabled" => Err(Error::new(&library::KMS_KEY_DISABLED, about)),
            _ => Err(Error::new(&library::KMS_KEY_STATE, about)),
        }
    })?;
    if table
        .checks
        .last()
        .is_some_and(|check| check.mark == Mark::Bad)
    {
        table.skip("Sign", "the key cannot sign as it stands")?;
        return Ok(None);
    }
    let public: Option<PublicKey> = table.check_if_allowed("fingerprint", || {
        let public = native.run("asking KMS for the public key", kms.public_key(name))?;
        let public =
            public.ok_or_else(|| Error::new(&library::KMS_KEY_USAGE, "it is no RSA key"))?;
        Ok((public.fingerprint(), public))
    })?;
    let Some(id) = id else {
        table.skip("Sign", "without the App's id")?;
        return Ok(None);
    };
    let input = jwt::signing_input(id, native.host.clock.now(), IssuerForm::default());
    let signature = table.check("Sign", || {
        let signature = native.run("having KMS sign", kms.sign(name, &input))?;
        Ok((
            format!("{} signed the App's JWT", key.describe()),
            signature,
        ))
    })?;
    let Some(signature) = signature else {
        return Ok(None);
    };
    match public {
        Some(public) => {
            table.check("signature", || {
                if public.verifies(input.as_bytes(), &signature) {
                    Ok(("it is the key's own".to_owned(), ()))
                } else {
                    let detail = "the signature does not fit the key's public half";
                    Err(Error::new(&library::KMS_UNUSABLE, detail))
                }
            })?;
        }
        None => table.skip(
            "signature",
            "without the key's public half; GitHub checks it below",
        )?,
    }
    let jwt = jwt::assemble(&input, &signature);
    native.host.log.mask(jwt.expose());
    Ok(Some(jwt))
}

/// Whether something answers there, and what time it is there.
fn examine_github(
    native: &Native,
    client: &Client,
    api: &ApiUrl,
    table: &mut Table<'_>,
) -> Result<()> {
    let date = table.check("GitHub", || {
        let call = Call {
            what: "GitHub",
            aws: false,
            limits: ADMIN.tries(2),
        };
        let build = || {
            let request = Request::new(Method::Get, api.url().join("/"));
            Ok(request.header("accept", "application/vnd.github+json".to_owned()))
        };
        let answer = client.call(call, build, |_| Verdict::Answer);
        let answer = native.run("reaching GitHub", answer)?;
        Ok((format!("{} answers", api.web_host()), answer.date()))
    })?;
    match date {
        Some(Some(date)) => {
            let ahead = date.since(native.host.clock.now());
            let off = match ahead {
                0 => "it agrees with GitHub's".to_owned(),
                1.. => format!("it is {ahead} s behind GitHub's"),
                _ => format!("it is {} s ahead of GitHub's", -ahead),
            };
            match ahead.abs() {
                CLOCK_WRONG.. => table.warn("clock", &off, "Set this machine's clock: each token costs a second signature, and AWS gives up at five minutes."),
                CLOCK_NOTABLE.. => table.warn("clock", &off, "Set this machine's clock before it drifts further."),
                _ => table.add("clock", Mark::Good, &off),
            }
        }
        Some(None) => table.skip("clock", "GitHub said no time"),
        None => table.skip("clock", "without an answer"),
    }
}

/// Whether the token that the options describe would be made.
fn examine_token(
    native: &Native,
    args: &Doctor,
    github: &GitHub<'_>,
    jwt: &Secret,
    table: &mut Table<'_>,
) -> Result<()> {
    let env = &*native.host.env;
    let target: Target = match order::target(&args.scope, env) {
        Ok((target, _)) => target,
        Err(error) if error.is(&library::CURRENT_REPOSITORY_UNKNOWN) => {
            return table.skip(
                "token",
                "nothing says what a token should be for (--owner, --repositories)",
            );
        }
        Err(error) => {
            table.fail("token", &error, None)?;
            return Ok(());
        }
    };
    let found: Option<Installation> = table.check("installation", || {
        let found = native.run(
            "asking GitHub for the installation",
            installation::look_up(github, jwt, &target.account),
        );
        let found = found.map_err(Error::from)?;
        Ok((format!("{} on {}", found.id, found.account), found))
    })?;
    let Some(found) = found else {
        return table.skip("token", "without an installation");
    };
    match order::permissions(&args.scope) {
        Ok((wanted, _)) => {
            table.check("permissions", || {
                let lacking = wanted.lacking(&found.permissions);
                if lacking.is_empty() {
                    return Ok((wanted.to_string(), ()));
                }
                Err(Error::new(
                    &library::PERMISSION_NOT_GRANTED,
                    lacking.join(", "),
                ))
            })?;
        }
        Err(error) if error.is(&library::PERMISSIONS_MISSING) => {
            let granted: Vec<String> = found
                .permissions
                .iter()
                .map(|(name, level)| format!("{name}: {level}"))
                .collect();
            table.skip(
                "permissions",
                &format!(
                    "none were given to hold against what is granted ({})",
                    granted.join(", ")
                ),
            )?;
        }
        Err(error) => {
            table.fail("permissions", &error, None)?;
        }
    }
    match (&target.repositories, Owner::parse(&found.account)) {
        (Repositories::Names(names), Ok(owner)) if names.len() <= MOST_LOOKS => table
            .check("repositories", || {
                let mut lacking = Vec::new();
                for name in names {
                    let reached = installation::reaches(github, jwt, &owner, name);
                    if !native.run("asking GitHub for the repositories", reached) {
                        lacking.push(name.as_str());
                    }
                }
                if lacking.is_empty() {
                    return Ok((target.to_string(), ()));
                }
                Err(Error::new(
                    &library::REPOSITORY_NOT_IN_INSTALLATION,
                    lacking.join(", "),
                ))
            })
            .map(drop),
        (Repositories::All, _) => {
            table.add("repositories", Mark::Good, "everything in the installation")
        }
        _ => table.skip("repositories", "the mint alone can tell for these"),
    }
}

/// ` through http://proxy:3128`, if the way goes through one.
fn proxy(native: &Native, api: &ApiUrl) -> Result<String> {
    let host = &native.host;
    let network = Network::read(&*host.env, &*host.files, &*host.log)?;
    let route = network.route(&api.url().origin, false);
    Ok(route
        .proxy
        .map(|proxy| format!(" through the proxy {proxy:?}"))
        .unwrap_or_default())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Good,
    Warn,
    Bad,
    Skipped,
}

impl Mark {
    const fn name(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Warn => "warning",
            Self::Bad => "failed",
            Self::Skipped => "skipped",
        }
    }

    fn sign(self, colour: bool) -> String {
        match self {
            Self::Good => Paint::Good.on(colour, "✓"),
            Self::Warn => Paint::Warn.on(colour, "!"),
            Self::Bad => Paint::Bad.on(colour, "✗"),
            Self::Skipped => Paint::Faint.on(colour, "-"),
        }
    }
}

struct Check {
    name: &'static str,
    mark: Mark,
    detail: String,
    cure: String,
    code: &'static str,
    milliseconds: u128,
}

/// Shows each check as it is done, or all of them as JSON at the end.
struct Table<'a> {
    native: &'a Native,
    json: bool,
    colour: bool,
    checks: Vec<Check>,
}

/// The widest name of a check.
const NAME: usize = 13;

impl Table<'_> {
    /// Does a check, and returns what it got.
    fn check<T>(
        &mut self,
        name: &'static str,
        work: impl FnOnce() -> Result<(String, T)>,
    ) -> Result<Option<T>> {
        let begun = Instant::now();
        match work() {
            Ok((detail, got)) => {
                self.push(name, Mark::Good, detail, String::new(), "", Some(begun))?;
                Ok(Some(got))
            }
            Err(error) => {
                self.fail(name, &error, Some(begun))?;
                Ok(None)
            }
        }
    }

    /// As [`Table::check`]; where AWS denies the look it is left out, since signing needs no such right.
    fn check_if_allowed<T>(
        &mut self,
        name: &'static str,
        work: impl FnOnce() -> Result<(String, T)>,
    ) -> Result<Option<T>> {
        let begun = Instant::now();
        match work() {
            Err(error) if error.is(&problem::KMS_RIGHT_MISSING) => {
                let right = error.detail.split(';').next().unwrap_or_default();
                self.skip(
                    name,
                    &format!("{right} is not allowed, and not needed to sign"),
                )?;
                Ok(None)
            }
            Err(error) => {
                self.fail(name, &error, Some(begun))?;
                Ok(None)
            }
            Ok((detail, got)) => {
                self.push(name, Mark::Good, detail, String::new(), "", Some(begun))?;
                Ok(Some(got))
            }
        }
    }

    fn fail(&mut self, name: &'static str, error: &Error, begun: Option<Instant>) -> Result<()> {
        let mut detail = error.to_string();
        for cause in &error.causes {
            detail.push_str(&format!("; {cause}"));
        }
        self.push(
            name,
            Mark::Bad,
            detail,
            problem::hint(error),
            error.problem.code,
            begun,
        )
    }

    fn warn(&mut self, name: &'static str, detail: &str, cure: &str) -> Result<()> {
        self.push(
            name,
            Mark::Warn,
            detail.to_owned(),
            cure.to_owned(),
            "",
            None,
        )
    }

    fn skip(&mut self, name: &'static str, why: &str) -> Result<()> {
        self.push(name, Mark::Skipped, why.to_owned(), String::new(), "", None)
    }

    fn add(&mut self, name: &'static str, mark: Mark, detail: &str) -> Result<()> {
        self.push(name, mark, detail.to_owned(), String::new(), "", None)
    }

    fn push(
        &mut self,
        name: &'static str,
        mark: Mark,
        detail: String,
        cure: String,
        code: &'static str,
        begun: Option<Instant>,
    ) -> Result<()> {
        let check = Check {
            name,
            mark,
            detail,
            cure,
            code,
            milliseconds: begun.map_or(0, |begun| begun.elapsed().as_millis()),
        };
        if !self.json {
            output::write_page(&self.native.console.redacted(&self.row(&check)))?;
        }
        self.checks.push(check);
        Ok(())
    }

    fn row(&self, check: &Check) -> String {
        let took = match check.milliseconds {
            0 => String::new(),
            took => Paint::Faint.on(self.colour, &format!("  {took} ms")),
        };
        let detail = match check.mark {
            Mark::Skipped => Paint::Faint.on(self.colour, &check.detail),
            _ => check.detail.clone(),
        };
        let name = Paint::Strong.on(self.colour, &format!("{:NAME$}", check.name));
        let mut row = format!("{} {name}  {detail}{took}\n", check.mark.sign(self.colour));
        if !check.cure.is_empty() {
            let arrow = Paint::Help.on(self.colour, "→");
            row.push_str(&format!("  {:NAME$}  {arrow} {}\n", "", check.cure));
        }
        row
    }

    fn end(self) -> Status {
        let count = |mark| {
            self.checks
                .iter()
                .filter(|check| check.mark == mark)
                .count()
        };
        let failed = count(Mark::Bad);
        if self.json {
            let checks: Vec<_> = self
                .checks
                .iter()
                .map(|check| {
                    serde_json::json!({
                        "check": check.name,
                        "status": check.mark.name(),
                        "detail": check.detail,
                        "cure": check.cure,
                        "code": check.code,
                        "milliseconds": u64::try_from(check.milliseconds).unwrap_or(u64::MAX),
                    })
                })
                .collect();
            let all = serde_json::json!({ "ok": failed == 0, "checks": checks });
            output::write_page(&self.native.console.redacted(&format!("{all:#}\n")))?;
        } else {
            let text = match failed {
                0 => Paint::Good.on(self.colour, "Everything is in order."),
                1 => Paint::Bad.on(self.colour, "One check failed."),
                _ => Paint::Bad.on(
                    self.colour,
                    &format!("{failed} checks failed; the first often explains the others."),
                ),
            };
            output::write_page(&format!("\n{text}\n"))?;
        }
        Ok(if failed == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}
