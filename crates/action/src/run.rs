//! Main and post: what the step does when it starts, and when the job is over.

use crate::commands::Commands;
use crate::files::RunnerFile;
use crate::inputs::{Job, Variables};
use crate::outputs;
use app_token::clock::UnixTime;
use app_token::error::{Error, Result, words};
use app_token::github::identity::{self, GitIdentity};
use app_token::github::token::{self, Revoked, Token};
use app_token::github::{ApiUrl, GitHub};
use app_token::host::{Host, Log};
use app_token::http::client::{Client, Limits, milliseconds};
use app_token::mint::{Minted, mint};
use app_token::secret::Secret;
use std::rc::Rc;

/// Which part of the action runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The step itself.
    Main,
    /// After the job.
    Post,
}

/// Names under which main leaves what post needs. They come back as `STATE_` and the name.
mod state {
    pub const TOKEN: &str = "token";
    pub const API_URL: &str = "api-url";
    pub const EXPIRES_AT: &str = "expires-at";
    pub const SKIPPED: &str = "skipped";
}

/// How long a token lives at least when it is new, in seconds: an hour by GitHub's clock, less a minute
/// by which this machine's may be ahead without GitHub finding fault with the JWT.
const FRESH: i64 = 3540;

/// More permissions than GitHub has are not told.
const MOST_TOLD: usize = 100;

/// Runs a phase to its end and gives the exit status of the process.
pub async fn run<W: Fn(&str)>(
    phase: Phase,
    variables: &Variables,
    host: Host,
    log: Rc<Commands<W>>,
) -> i32 {
    match phase {
        Phase::Main => match Box::pin(make(variables, host)).await {
            Ok(()) => 0,
            Err(error) => {
                log.error(&title(&error), &error.report());
                1
            }
        },
        Phase::Post => {
            // A job that did its work must not fail for a token that dies within the hour anyway.
            if let Err(error) = Box::pin(revoke(variables, host)).await {
                log.titled_warning("The token was not revoked", &error.report());
            }
            0
        }
    }
}

/// The problem's fixed words, as a title.
fn title(error: &Error) -> String {
    let mut letters = error.problem.summary.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}

async fn make(variables: &Variables, host: Host) -> Result<()> {
    let file = RunnerFile::open(&host, "GITHUB_OUTPUT")?;
    let states = RunnerFile::open(&host, "GITHUB_STATE")?;
    let client = Client::new(host.clone())?;
    let job = Job::read(variables, &client)?;
    for warning in &job.warnings {
        host.log.warning(warning);
    }

    // Masked before it can appear anywhere; in the state before anything else can fail.
    let keep = |token: &Token| {
        host.log.mask(token.secret.expose());
        if job.skip_revoke {
            return Ok(());
        }
        // By a clock that is ahead of GitHub's a living token has ended: post must not judge by it.
        let left = token.expires_at.since(host.clock.now());
        let expires_at = match left >= FRESH {
            true => token.expires_at.to_string(),
            false => String::new(),
        };
        states.write(&[
            (state::TOKEN, token.secret.expose()),
            (state::API_URL, &job.order.api.to_string()),
            (state::EXPIRES_AT, &expires_at),
        ])
    };
    let minted = mint(&client, &job.order, &keep).await?;
    tell(&job, &minted, &client);

    let github = GitHub {
        client: &client,
        api: &job.order.api,
        limits: Limits::MINT,
    };
    let handed_over = hand_over(&github, &job, &minted, &states, &file).await;
    match handed_over {
        // Nobody has it, and post will not revoke it.
        Err(error) if job.skip_revoke => {
            Err(Box::pin(token::undo(&github, &minted.token.secret, error)).await)
        }
        other => other,
    }
}

/// What comes between a token and its use by later steps.
async fn hand_over(
    github: &GitHub<'_>,
    job: &Job,
    minted: &Minted,
    states: &RunnerFile<'_>,
    file: &RunnerFile<'_>,
) -> Result<()> {
    if job.wait_until_usable {
        let log = &*github.client.host.log;
        Box::pin(wait(github, &minted.token.secret, log)).await;
    }
    let identity = match job.git_identity {
        true => Some(Box::pin(find_identity(github, minted)).await?),
        false => None,
    };
    if job.skip_revoke {
        states.write(&[(state::SKIPPED, "true")])?;
    }
    outputs::write(file, minted, identity.as_ref())
}

/// A few lines for whoever reads the log: what was asked, what was got, who signed, how long it took.
fn tell(job: &Job, minted: &Minted, client: &Client) {
    let log = &client.host.log;
    let order = &job.order;
    let of = match &minted.installation {
        Some(found) if !found.account.is_empty() => format!(" on {}", words(&found.account)),
        _ => String::new(),
    };
    let slug = minted
        .installation
        .as_ref()
        .map(|found| words(&found.app_slug))
        .unwrap_or_default();
    let slug = if slug.is_empty() {
        String::new()
    } else {
        format!(" ({slug})")
    };
    log.info(&format!(
        "App: {}{slug}, installation {}{of}",
        order.app, minted.installation_id
    ));
    log.info(&format!("For: {}", order.target));
    let granted: Vec<String> = minted
        .token
        .permissions
        .as_object()
        .into_iter()
        .flatten()
        .take(MOST_TOLD)
        .map(|(name, level)| {
            format!(
                "{}: {}",
                words(name),
                words(level.as_str().unwrap_or_default())
            )
        })
        .collect();
    log.info(&format!("Permissions: {}", granted.join(", ")));
    log.info(&format!("Expires: {}", minted.token.expires_at));
    let signed = &minted.signed;
    log.info(&format!(
        "Signed by: {} in {}, KMS request {}, with {}",
        signed.signature.key_arn, signed.key.region, signed.signature.request_id, order.credentials,
    ));
    let steps: Vec<String> = minted
        .steps
        .iter()
        .map(|(step, took)| format!("{step} {} ms", milliseconds(*took)))
        .collect();
    log.info(&format!(
        "Took: {}; {} ms in all",
        steps.join(", "),
        milliseconds(client.elapsed())
    ));
}

async fn wait(github: &GitHub<'_>, token: &Secret, log: &dyn Log) {
    let patient = GitHub {
        limits: github.limits.tries(1),
        ..*github
    };
    let warning = match token::wait_until_usable(&patient, token).await {
        Ok(true) => return,
        Ok(false) => {
            "GitHub did not take the fresh token within 10 s; the next step may have to try again."
                .to_owned()
        }
        Err(error) => format!("Whether GitHub takes the fresh token is not known: {error}"),
    };
    log.warning(&warning);
}

async fn find_identity(github: &GitHub<'_>, minted: &Minted) -> Result<GitIdentity> {
    let slug = minted
        .installation
        .as_ref()
        .map_or("", |found| found.app_slug.as_str());
    identity::of_app(github, &minted.token.secret, slug).await
}

async fn revoke(variables: &Variables, host: Host) -> Result<()> {
    let state = |name: &str| variables.get(&format!("STATE_{name}"));
    if state(state::SKIPPED) == "true" {
        host.log
            .info("The token is left to expire by itself, as skip-token-revoke says.");
        return Ok(());
    }
    let token = Secret::from(state(state::TOKEN));
    if token.is_empty() {
        host.log.info("There is no token to revoke.");
        return Ok(());
    }
    host.log.mask(token.expose());
    let expires_at = UnixTime::from_rfc3339(state(state::EXPIRES_AT));
    if expires_at.is_some_and(|end| end <= host.clock.now()) {
        host.log
            .info("The token has expired by itself; there is nothing to revoke.");
        return Ok(());
    }
    // The host that minted, as main knew it; not what the environment says now.
    let api = ApiUrl::parse(state(state::API_URL))?;
    let origin = &api.url().origin;
    let client = Client::for_one(host.clone(), origin)?;
    client.permit(vec![(origin.clone(), false)]);
    let github = GitHub {
        client: &client,
        api: &api,
        limits: Limits::REVOKE,
    };
    let told = match token::revoke(&github, &token).await? {
        Revoked::Now => "The token is revoked.",
        Revoked::Before => "The token was revoked before.",
    };
    host.log.info(told);
    Ok(())
}
