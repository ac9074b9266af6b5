//! Main ended in the middle, by the signals that a runner sends: at every call, and after the token is
//! there. Where the state was written, post revokes.

use crate::matrix::{check, job};
use app_token_sandbox::{Call, Exchange, Fault, Sandbox, TokenState, When};
use app_token_tests::{Job, Run, times};
use libtest_mimic::{Failed, Trial};
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Where main is when the signal comes.
struct Moment {
    name: &'static str,
    /// The call that it waits for.
    call: Call,
    /// Does the call take effect before the answer is held back?
    delayed: bool,
    /// Is the state written by then?
    saved: bool,
    /// Has GitHub made a token by then?
    minted: bool,
}

const fn moment(name: &'static str, call: Call) -> Moment {
    Moment {
        name,
        call,
        delayed: false,
        saved: false,
        minted: false,
    }
}

const MOMENTS: [Moment; 8] = [
    moment("waits for OIDC", Call::IdToken),
    moment("waits for STS", Call::AssumeRoleWithWebIdentity),
    moment("waits for KMS", Call::KmsSign),
    moment("waits for the look-up", Call::Installation),
    moment("waits for the mint, which did not happen", Call::Mint),
    Moment {
        delayed: true,
        minted: true,
        ..moment("waits for the answer of a mint that happened", Call::Mint)
    },
    Moment {
        saved: true,
        minted: true,
        ..moment(
            "tries whether the token is usable",
            Call::InstallationRepositories,
        )
    },
    Moment {
        saved: true,
        minted: true,
        ..moment("looks up the git identity", Call::User)
    },
];

/// What a runner sends to a cancelled job, one after the other.
const SIGNALS: [&str; 3] = ["INT", "TERM", "KILL"];

/// Long enough for a slow machine to get there, short of the action's own deadline.
const SOON: Duration = Duration::from_secs(9);

pub fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for moment in &MOMENTS {
        for signal in SIGNALS {
            let name = format!("killed: SIG{signal} while it {}", moment.name);
            trials.push(Trial::test(name, move || {
                at(moment, signal).map_err(Failed::from)
            }));
        }
    }
    for signal in ["INT", "TERM"] {
        let name = format!("killed: SIG{signal} while the mint's answer is on its way");
        trials.push(Trial::test(name, move || {
            on_its_way(signal).map_err(Failed::from)
        }));
    }
    let name = "killed: SIGKILL the moment the mint's answer is out";
    trials.push(Trial::test(name, || window().map_err(Failed::from)));
    trials
}

fn at(moment: &Moment, signal: &str) -> Result<(), String> {
    let sandbox = Sandbox::start().map_err(|error| error.to_string())?;
    let fault = match moment.delayed {
        true => Fault::Delay(Duration::from_secs(60)),
        false => Fault::Hang,
    };
    sandbox.fault(moment.call, When::Every, fault);
    let running = job(&sandbox)
        .input("wait-until-usable", "true")
        .input("git-identity", "true")
        .start();
    let there = |requests: &[Exchange]| requests.iter().any(|request| request.call == moment.call);
    let come = sandbox.wait_for(SOON, there);
    // The request is recorded before the token of a mint is.
    let made = (0..200).any(|_| {
        let made = sandbox.tokens().len() == usize::from(moment.minted);
        if !made {
            std::thread::sleep(Duration::from_millis(10));
        }
        made
    });
    let main = running.signal(signal);
    check(come && made, "it came as far as it should", &main)?;
    check(main.status != Some(0), "it did not end well", &main)?;
    check(main.outputs.is_empty(), "later steps get nothing", &main)?;
    check(
        main.state.is_empty() != moment.saved,
        "the state is written if and only if it is expected",
        &main,
    )?;

    sandbox.clear_faults();
    let post = main.post();
    revoked(&sandbox, &main, &post)?;
    let lost = sandbox
        .tokens()
        .iter()
        .filter(|token| token.state == TokenState::Live)
        .count();
    check(
        lost == usize::from(moment.delayed),
        "only a token that nobody was told of stays",
        &main,
    )
}

/// A signal leaves main the time to note a token that comes within the next seconds.
fn on_its_way(signal: &str) -> Result<(), String> {
    let sandbox = Sandbox::start().map_err(|error| error.to_string())?;
    sandbox.fault(
        Call::Mint,
        When::Every,
        Fault::Delay(Duration::from_secs(1)),
    );
    let running = Job::new(&sandbox).start();
    let minting = |requests: &[Exchange]| requests.iter().any(|request| request.call == Call::Mint);
    let come = sandbox.wait_for(SOON, minting);
    let main = running.signal(signal);
    check(come, "it came as far as it should", &main)?;
    check(main.status != Some(0), "it did not end well", &main)?;
    check(
        main.state.get("token").is_some(),
        "the token is noted",
        &main,
    )?;
    let post = main.post();
    revoked(&sandbox, &main, &post)
}

/// Post revokes what the state holds, and asks nobody where it holds nothing.
fn revoked(sandbox: &Sandbox, main: &Run<'_>, post: &Run<'_>) -> Result<(), String> {
    check(
        post.warnings().is_empty(),
        "post has nothing to warn of",
        post,
    )?;
    let sent = times(sandbox, Call::Revoke);
    check(
        sent == usize::from(!main.state.is_empty()),
        "post revokes what was saved",
        post,
    )?;
    match main.state.get("token") {
        None => Ok(()),
        Some(saved) => {
            let tokens = sandbox.tokens();
            let gone = tokens
                .iter()
                .any(|token| token.value == saved && token.state == TokenState::Revoked);
            check(gone, "the saved token is dead", post)
        }
    }
}

/// How many runs the window is looked at with.
const TRIES: usize = 12;
static SAVED: AtomicUsize = AtomicUsize::new(0);
static LOST: AtomicUsize = AtomicUsize::new(0);

/// Kills main the moment the sandbox has handed over the mint's answer, again and again, each time a
/// little later. Whatever the state holds then, post must make good use of it; how often it holds nothing
/// is told, since no program can close that window.
fn window() -> Result<(), String> {
    // One at a time: a loaded machine would make the window look wider than it is.
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock();
    for try_number in 0..TRIES {
        let sandbox = Sandbox::start().map_err(|error| error.to_string())?;
        let running = Job::new(&sandbox).start();
        let until = std::time::Instant::now() + SOON;
        while !sandbox.tokens().iter().any(|token| token.delivered)
            && std::time::Instant::now() < until
        {
            std::hint::spin_loop();
        }
        std::thread::sleep(Duration::from_millis(try_number as u64 / 3));
        let main = running.kill();
        let post = main.post();
        revoked(&sandbox, &main, &post)?;
        let alive = sandbox
            .tokens()
            .iter()
            .filter(|token| token.state == TokenState::Live)
            .count();
        check(
            alive == usize::from(main.state.is_empty()),
            "a token in the state is dead",
            &post,
        )?;
        let counter = if main.state.is_empty() { &LOST } else { &SAVED };
        counter.fetch_add(1, Ordering::SeqCst);
    }
    Ok(())
}

/// What this run has seen of the window.
pub fn seen() -> String {
    let (saved, lost) = (SAVED.load(Ordering::SeqCst), LOST.load(Ordering::SeqCst));
    match saved + lost {
        0 => String::new(),
        all => format!(
            "killed within 0 to 3 ms after the mint's answer went out, the state was there {saved} of {all} times\n"
        ),
    }
}

/// The part of the document that is about this.
pub fn document() -> String {
    let mut text = String::from(
        "\n## Ended in the middle\n\nMain is ended by SIGINT, SIGTERM and SIGKILL while it waits at each call; then post runs.\n\n\
         | Main ... | State written | Token made | Post |\n|---|---|---|---|\n",
    );
    for moment in &MOMENTS {
        let yes = |is| if is { "yes" } else { "no" };
        let post = match (moment.saved, moment.minted) {
            (true, _) => "revokes it",
            (false, true) => "has nothing to revoke; the token dies within the hour",
            (false, false) => "has nothing to revoke",
        };
        let _ = writeln!(
            text,
            "| {} | {} | {} | {post} |",
            moment.name,
            yes(moment.saved),
            yes(moment.minted)
        );
    }
    text.push_str(
        "\nBetween the moment GitHub makes a token and the moment its answer is here nobody can save it: that \
         window is as long as the answer travels. Once the answer is here, the state is written before anything \
         else is asked or told, in the same turn of the program that reads the answer.\n",
    );
    text
}
