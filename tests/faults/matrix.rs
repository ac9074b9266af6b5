//! The fault matrix: each call by each fault, for the first call alone and for all of them.
//!
//! What is expected stands in [`ROWS`], from the action's specification: network faults, 5xx, throttling
//! and rate limits that end soon are tried again, three times more at the most; everything else is final
//! at once; redirects are followed for GET at the same origin alone; post never fails the job.

use app_token_sandbox::{Call, Fault, Sandbox, Service, TokenForm, TokenState, When, world};
use app_token_tests::{Job, Run, times};
use libtest_mimic::{Failed, Trial};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A call of the action, in the order of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Oidc,
    Sts,
    Kms,
    LookUp,
    Mint,
    Revoke,
}

impl Step {
    pub const ALL: [Step; 6] = [
        Step::Oidc,
        Step::Sts,
        Step::Kms,
        Step::LookUp,
        Step::Mint,
        Step::Revoke,
    ];

    pub fn name(self) -> &'static str {
        ["OIDC", "STS", "KMS", "look-up", "mint", "revoke"][self as usize]
    }

    pub fn call(self) -> Call {
        [
            Call::IdToken,
            Call::AssumeRoleWithWebIdentity,
            Call::KmsSign,
            Call::Installation,
            Call::Mint,
            Call::Revoke,
        ][self as usize]
    }

    fn is_aws(self) -> bool {
        matches!(self, Step::Sts | Step::Kms)
    }
}

/// What comes of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    /// It passes: tried again, four times in all.
    Passes,
    /// The same, but of the tries only the first reaches the server; the others are refused.
    Refused,
    /// The same, within the shorter time that post has: three tries.
    PassesInPost,
    /// It is final: one request, one error.
    Final,
    /// The handshake fails, which is final: no request is sent.
    Handshake,
    /// The mint's connection is open already; the sandbox has to reset it before it can spoil the
    /// handshake of the next.
    HandshakeOfNext,
    /// A redirect that may be followed: three times.
    Followed,
    /// Nothing is wrong with it: an answer without a body, or a token that is gone already.
    Done,
}

use Course::{Done, Final, Followed, Handshake, HandshakeOfNext, Passes, PassesInPost, Refused};

/// One fault, and what comes of it for each [`Step`].
pub struct Row {
    pub name: &'static str,
    pub courses: [Course; 6],
    make: fn(Step, &Sandbox) -> Fault,
    /// What the error, or the warning of post, has to say: one of these for GitHub and OIDC ...
    says: &'static [&'static str],
    /// ... and one of these for AWS.
    says_of_aws: &'static [&'static str],
    /// Are requests in vain slow, up to their deadline?
    slow: bool,
}

const SENSELESS: &[&str] = &["makes no sense", "gave no token"];
const UNREACHABLE: &[&str] = &["could not be reached"];
const LATE: &[&str] = &["did not answer in time"];
const CERTIFICATE: &[&str] = &["certificate was not accepted"];

/// The table. The columns are those of [`Step::ALL`]: OIDC, STS, KMS, look-up, mint, revoke.
pub const ROWS: &[Row] = &[
    Row {
        name: "connection refused",
        courses: [Refused; 6],
        make: |_, _| Fault::Refuse,
        says: UNREACHABLE,
        says_of_aws: UNREACHABLE,
        slow: false,
    },
    Row {
        name: "reset before the answer",
        courses: [Passes; 6],
        make: |_, _| Fault::Reset,
        says: UNREACHABLE,
        says_of_aws: UNREACHABLE,
        slow: false,
    },
    Row {
        name: "reset in mid-body",
        courses: [Passes, Passes, Passes, Passes, Passes, Done],
        make: |_, _| Fault::ResetInBody,
        says: UNREACHABLE,
        says_of_aws: UNREACHABLE,
        slow: false,
    },
    Row {
        name: "hang before headers",
        courses: [Passes, Passes, Passes, Passes, Passes, PassesInPost],
        make: |_, _| Fault::Hang,
        says: LATE,
        says_of_aws: LATE,
        slow: true,
    },
    Row {
        name: "hang in mid-body",
        courses: [Passes, Passes, Passes, Passes, Passes, Done],
        make: |_, _| Fault::HangInBody,
        says: LATE,
        says_of_aws: LATE,
        slow: true,
    },
    Row {
        name: "slow drip",
        courses: [Passes, Passes, Passes, Passes, Passes, Done],
        make: |_, _| Fault::Drip(Duration::from_millis(500)),
        says: LATE,
        says_of_aws: LATE,
        slow: true,
    },
    Row {
        name: "500",
        courses: [Passes; 6],
        make: |step, _| refusal(step, 500, "InternalFailure"),
        says: &["500"],
        says_of_aws: &["InternalFailure"],
        slow: false,
    },
    Row {
        name: "502 HTML",
        courses: [Passes; 6],
        make: |_, _| Fault::html(502),
        says: &["502"],
        says_of_aws: &["502"],
        slow: false,
    },
    Row {
        name: "503, retry-after 1",
        courses: [Passes; 6],
        make: |_, _| Fault::github(503, "Unavailable").with_header("Retry-After", "1"),
        says: &["503"],
        says_of_aws: &["503"],
        slow: false,
    },
    Row {
        name: "429, retry-after 1",
        courses: [Passes; 6],
        make: |step, _| match step.is_aws() {
            true => refusal(step, 429, "ThrottlingException"),
            false => Fault::github(429, "Too many requests").with_header("Retry-After", "1"),
        },
        says: &["429"],
        says_of_aws: &["ThrottlingException"],
        slow: false,
    },
    Row {
        name: "401",
        courses: [Final, Final, Final, Final, Final, Done],
        make: |step, _| refusal(step, 401, "UnrecognizedClientException"),
        says: &["401"],
        says_of_aws: &["UnrecognizedClientException"],
        slow: false,
    },
    Row {
        name: "403",
        courses: [Final; 6],
        make: |step, _| refusal(step, 403, "AccessDeniedException"),
        says: &["403"],
        says_of_aws: &["AccessDeniedException"],
        slow: false,
    },
    Row {
        name: "404",
        courses: [Final; 6],
        make: |step, _| refusal(step, 404, "NotFoundException"),
        says: &["404"],
        says_of_aws: &["NotFoundException"],
        slow: false,
    },
    Row {
        name: "422",
        courses: [Final; 6],
        make: |step, _| refusal(step, 422, "ValidationException"),
        says: &["422"],
        says_of_aws: &["ValidationException"],
        slow: false,
    },
    Row {
        name: "empty 200",
        courses: [Final; 6],
        make: |_, _| Fault::empty(200),
        says: SENSELESS,
        says_of_aws: SENSELESS,
        slow: false,
    },
    Row {
        name: "truncated JSON",
        courses: [Final, Final, Final, Final, Final, Done],
        make: |_, _| Fault::Truncate,
        says: SENSELESS,
        says_of_aws: SENSELESS,
        slow: false,
    },
    Row {
        name: "truncated, secret first",
        courses: [Final; 6],
        make: secret_first,
        says: SENSELESS,
        says_of_aws: SENSELESS,
        slow: false,
    },
    Row {
        name: "wrong JSON types",
        courses: [Final; 6],
        make: |step, _| match step {
            // Its own answer has no body that could have types.
            Step::Revoke => Fault::json(200, &serde_json::json!({"message": 42})),
            _ => Fault::WrongTypes,
        },
        says: SENSELESS,
        says_of_aws: SENSELESS,
        slow: false,
    },
    Row {
        name: "10 MiB body",
        courses: [Final; 6],
        make: |_, _| Fault::Huge(10 << 20),
        says: &["larger than 1 MiB"],
        says_of_aws: &["larger than 1 MiB"],
        slow: false,
    },
    Row {
        name: "bad TLS certificate",
        courses: [
            Handshake,
            Handshake,
            Handshake,
            Handshake,
            HandshakeOfNext,
            Handshake,
        ],
        make: |_, _| Fault::BadCertificate,
        says: CERTIFICATE,
        says_of_aws: CERTIFICATE,
        slow: false,
    },
    Row {
        name: "expired certificate",
        courses: [
            Handshake,
            Handshake,
            Handshake,
            Handshake,
            HandshakeOfNext,
            Handshake,
        ],
        make: |_, _| Fault::ExpiredCertificate,
        says: CERTIFICATE,
        says_of_aws: CERTIFICATE,
        slow: false,
    },
    Row {
        name: "wrong host name",
        courses: [
            Handshake,
            Handshake,
            Handshake,
            Handshake,
            HandshakeOfNext,
            Handshake,
        ],
        make: |_, _| Fault::WrongHost,
        says: CERTIFICATE,
        says_of_aws: CERTIFICATE,
        slow: false,
    },
    Row {
        name: "redirect to another host",
        courses: [Final; 6],
        make: |_, sandbox| Fault::Redirect(307, format!("{}/stolen", sandbox.url(TRAP))),
        says: &["307"],
        says_of_aws: &["307"],
        slow: false,
    },
    Row {
        name: "redirect loop",
        courses: [Followed, Final, Final, Followed, Final, Final],
        make: |_, _| Fault::RedirectLoop(307),
        says: &["307"],
        says_of_aws: &["307"],
        slow: false,
    },
];

/// Where redirects lead: a service that the action has no business with here.
const TRAP: Service = Service::Metadata;

/// A token that GitHub's answer begins with, as it does in the real one, before the answer breaks off.
const CUT_TOKEN: &str = "ghs_Zq8Jw3Xv5Kp2Nd7Rb4Tm9Hc6Lf1Gs0Ya3Ue5";

/// The status with the words that each service has for it.
fn refusal(step: Step, status: u16, kind: &str) -> Fault {
    match step.is_aws() {
        true => Fault::Aws {
            status,
            kind: kind.to_owned(),
            message: "the sandbox says so".to_owned(),
        },
        false if status == 401 => Fault::github(401, "Bad credentials"),
        false => Fault::github(status, "The sandbox says so"),
    }
}

/// An answer that breaks off after its first value, the secret one.
fn secret_first(step: Step, _: &Sandbox) -> Fault {
    let (status, start) = match step {
        Step::Oidc => (200, format!("{{\"value\":\"{CUT_TOKEN}\",\"count\":")),
        Step::Sts => (
            200,
            format!("<AssumeRoleWithWebIdentityResponse><SessionToken>{CUT_TOKEN}</Sess"),
        ),
        Step::Kms => (200, format!("{{\"Signature\":\"{CUT_TOKEN}\",\"KeyId\":")),
        Step::LookUp => (200, format!("{{\"id\":10001,\"secret\":\"{CUT_TOKEN}\",")),
        Step::Mint => (
            201,
            format!("{{\"token\":\"{CUT_TOKEN}\",\"expires_at\":\"2"),
        ),
        Step::Revoke => (200, format!("{{\"token\":\"{CUT_TOKEN}\",")),
    };
    Fault::Answer {
        status,
        headers: vec![("Content-Type".into(), "application/json".into())],
        body: start.into_bytes(),
    }
}

/// Which calls are hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hits {
    First,
    Every,
}

impl Hits {
    pub const ALL: [Hits; 2] = [Hits::First, Hits::Every];

    pub fn name(self) -> &'static str {
        match self {
            Hits::First => "first call",
            Hits::Every => "every call",
        }
    }
}

/// What a cell has to come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Is there a token in the end? In post: is it revoked, as far as the server says?
    pub good: bool,
    /// How many requests of that kind reach the server.
    pub requests: usize,
    /// How many lines tell of another try.
    pub retries: usize,
}

pub fn expected(course: Course, hits: Hits) -> Expected {
    let (good, requests, retries) = match (course, hits) {
        (Passes | PassesInPost | Refused, Hits::First) => (true, 2, 1),
        (Passes, Hits::Every) => (false, 4, 3),
        (PassesInPost, Hits::Every) => (false, 3, 2),
        (Refused, Hits::Every) => (false, 1, 3),
        (Final, _) => (false, 1, 0),
        (Handshake, _) => (false, 0, 0),
        (HandshakeOfNext, _) => (false, 1, 1),
        (Followed, Hits::First) => (true, 2, 0),
        (Followed, Hits::Every) => (false, 4, 0),
        (Done, _) => (true, 1, 0),
    };
    Expected {
        good,
        requests,
        retries,
    }
}

/// The longest that main may take when one server never answers, and that post may take.
const MAIN_WITHIN: Duration = Duration::from_secs(60);
const POST_WITHIN: Duration = Duration::from_secs(45);

/// One test for each cell.
pub fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for row in ROWS {
        for (step, course) in Step::ALL.into_iter().zip(row.courses) {
            for hits in Hits::ALL {
                let name = format!("matrix: {}: {}, {}", step.name(), row.name, hits.name());
                let slow = row.slow && course != Done;
                let trial = Trial::test(name.clone(), move || {
                    let outcome = cell(row, step, course, hits);
                    let text = outcome.clone().unwrap_or_else(|_| "FAILED".to_owned());
                    SEEN.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .insert(name.clone(), text);
                    outcome.map(drop).map_err(Failed::from)
                });
                trials.push(trial.with_ignored_flag(slow));
            }
        }
    }
    trials
}

static SEEN: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());

/// The matrix as this run has seen it. Empty where no cell ran.
pub fn seen() -> String {
    let seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    if seen.is_empty() {
        return String::new();
    }
    let mut text = format!("\n{:<26}{:<12}", "", "");
    for step in Step::ALL {
        let _ = write!(text, "{:<17}", step.name());
    }
    text.push('\n');
    for row in ROWS {
        for hits in Hits::ALL {
            let _ = write!(text, "{:<26}{:<12}", row.name, hits.name());
            for step in Step::ALL {
                let name = format!("matrix: {}: {}, {}", step.name(), row.name, hits.name());
                let _ = write!(text, "{:<17}", seen.get(&name).map_or("-", String::as_str));
            }
            text.push('\n');
        }
    }
    let failed = seen.values().filter(|text| *text == "FAILED").count();
    let _ = writeln!(text, "\n{} cells ran, {failed} failed\n", seen.len());
    text
}

/// A job that makes all six calls.
pub fn job(sandbox: &Sandbox) -> Job<'_> {
    let role = format!(
        "arn:aws:iam::{}:role/{}",
        world::ACCOUNT_ID,
        world::SIGNER_ROLE
    );
    Job::new(sandbox)
        .without_credentials()
        .input("role-to-assume", &role)
        .secret("token that was cut short", CUT_TOKEN)
        .limit(Duration::from_secs(100))
}

fn cell(row: &Row, step: Step, course: Course, hits: Hits) -> Result<String, String> {
    // The short form of tokens fits whole into whatever a message might quote.
    let builder = Sandbox::builder().tls(true).token_form(TokenForm::Short);
    let sandbox = builder.start().map_err(|error| error.to_string())?;
    let expected = expected(course, hits);
    let when = match hits {
        Hits::First => When::First(1),
        Hits::Every => When::Every,
    };
    let fault = (row.make)(step, &sandbox);
    if step != Step::Revoke {
        sandbox.fault(step.call(), when, fault.clone());
    }
    let main = job(&sandbox).run();
    check(main.took <= MAIN_WITHIN, "main is in time", &main)?;
    hides(&main, &sandbox)?;
    if step == Step::Revoke {
        check(main.status == Some(0), "main is not hit", &main)?;
        sandbox.fault(step.call(), when, fault);
    } else {
        judge(&main, &sandbox, row, step, expected)?;
        // What follows is not hit any more.
        sandbox.clear_faults();
        for service in Service::ALL {
            sandbox.accept(service);
        }
    }
    let post = main.post();
    check(post.took <= POST_WITHIN, "post is in time", &post)?;
    hides(&post, &sandbox)?;
    if step == Step::Revoke {
        judge(&post, &sandbox, row, step, expected)?;
    }
    let strangers = sandbox
        .requests()
        .iter()
        .filter(|request| request.service == TRAP)
        .count();
    check(
        strangers == 0,
        "no request follows a redirect to another host",
        &main,
    )?;
    tokens(&sandbox, &main, &post, row, step, course, hits)?;
    Ok(told(step, expected))
}

/// What the matrix says of an outcome.
pub fn told(step: Step, expected: Expected) -> String {
    let what = match (step, expected.good) {
        (Step::Revoke, true) => "done",
        (Step::Revoke, false) => "warning",
        (_, true) => "token",
        (_, false) => "error",
    };
    format!("{what}, {} sent", expected.requests)
}

/// The outcome of the phase that was hit.
fn judge(
    run: &Run<'_>,
    sandbox: &Sandbox,
    row: &Row,
    step: Step,
    expected: Expected,
) -> Result<(), String> {
    let post = step == Step::Revoke;
    let sent = times(sandbox, step.call());
    let retried = run
        .infos()
        .iter()
        .filter(|line| line.contains("; try ") && line.contains(" of 4 in "))
        .count();
    let counted = format!("{} requests (seen: {sent})", expected.requests);
    check(sent == expected.requests, &counted, run)?;
    let counted = format!("{} further tries told (seen: {retried})", expected.retries);
    check(retried == expected.retries, &counted, run)?;
    let complaints = if post { run.warnings() } else { run.errors() };
    if expected.good {
        check(run.status == Some(0), "it goes well", run)?;
        check(complaints.is_empty(), "nobody complains", run)?;
        return check(
            post != run.outputs.get("token").is_some(),
            "main has a token",
            run,
        );
    }
    check(
        run.status == Some(i32::from(!post)),
        "it fails as it should",
        run,
    )?;
    check(
        run.outputs.is_empty() && run.state.is_empty(),
        "nothing is handed on",
        run,
    )?;
    check(complaints.len() == 1, "there is one complaint", run)?;
    let complaint = &complaints[0];
    let says = if step.is_aws() {
        row.says_of_aws
    } else {
        row.says
    };
    let what = format!("the complaint says one of {says:?}");
    check(
        says.iter().any(|words| complaint.message.contains(words)),
        &what,
        run,
    )?;
    check(
        !complaint.title.is_empty() && complaint.message.contains("\nhint: "),
        "it says what to do",
        run,
    )
}

/// Each token that was made is revoked, or it is told what became of it.
fn tokens(
    sandbox: &Sandbox,
    main: &Run<'_>,
    post: &Run<'_>,
    row: &Row,
    step: Step,
    course: Course,
    hits: Hits,
) -> Result<(), String> {
    let tokens = sandbox.tokens();
    let lost = tokens.iter().filter(|token| !token.delivered).count();
    // An answer that was lost on its way may have carried a token that nobody knows.
    let told_of = main
        .infos()
        .iter()
        .filter(|line| line.starts_with("mint of the token: "))
        .count()
        + main.errors().len();
    check(lost <= told_of, "each answer that was lost is told", main)?;
    let may_be_lost = step == Step::Mint && course != Done;
    check(lost == 0 || may_be_lost, "no token is lost", main)?;
    let alive = tokens
        .iter()
        .filter(|token| token.delivered && token.state == TokenState::Live)
        .count();
    let expected = expected(course, hits);
    // A server that says that the token is gone is believed, once.
    let believed = step == Step::Revoke && row.name == "401";
    let reported = !post.warnings().is_empty() || believed;
    check(
        alive == usize::from(step == Step::Revoke && (!expected.good || believed))
            && (alive == 0 || reported),
        "each token that was delivered is revoked, or post says that it is not",
        post,
    )
}

/// Parts of a secret give away what is in them: no stretch of it may show.
fn hides(run: &Run<'_>, sandbox: &Sandbox) -> Result<(), String> {
    let told: String = run
        .stdout
        .lines()
        .filter(|line| !line.starts_with("::add-mask::"))
        .collect();
    let mut secrets: Vec<String> = sandbox
        .tokens()
        .into_iter()
        .map(|token| token.value)
        .collect();
    secrets.push(CUT_TOKEN.to_owned());
    for secret in secrets {
        for part in secret.as_bytes().windows(12) {
            let part = String::from_utf8_lossy(part);
            check(!told.contains(&*part), "no part of a token shows", run)?;
        }
    }
    Ok(())
}

pub fn check(holds: bool, what: &str, run: &Run<'_>) -> Result<(), String> {
    if holds {
        Ok(())
    } else {
        Err(format!("not so: {what}\n{run}"))
    }
}
