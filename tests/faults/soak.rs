//! Many runs of main and post in a row, with random faults of a fixed seed: every token that was made is
//! revoked, or was lost on its way to us, or post says that it is not revoked; and no secret shows.
//!
//! `FAULTS_SEED` names another seed, `FAULTS_SOAK` another number of runs for the long one.

use crate::matrix::{Step, check, job};
use app_token_sandbox::{Fault, Sandbox, Service, TokenState, When};
use app_token_tests::Job;
use libtest_mimic::{Failed, Trial};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How many runs CI does, and how many the long one.
const SHORT: usize = 40;
const LONG: usize = 1_000;

/// How many run side by side.
const WORKERS: usize = 6;

const SEED: u64 = 0x5E_ED0F_FA17;

pub fn trials() -> Vec<Trial> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seed = number("FAULTS_SEED").unwrap_or(SEED);
    let long = number("FAULTS_SOAK").map_or(LONG, |count| count as usize);
    vec![
        Trial::test("soak: short", move || {
            soak(SHORT, seed).map_err(Failed::from)
        }),
        Trial::test("soak: long", move || {
            soak(long, seed.wrapping_add(1)).map_err(Failed::from)
        })
        .with_ignored_flag(true),
    ]
}

/// Numbers that look random and are the same for the same seed (SplitMix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % sides
    }
}

/// Any fault that does not take a deadline to be noticed.
fn fault(dice: &mut Dice) -> Fault {
    match dice.roll(16) {
        0 => Fault::Refuse,
        1 => Fault::Reset,
        2 => Fault::Close,
        3 => Fault::ResetInBody,
        4 => Fault::Delay(Duration::from_millis(dice.roll(400))),
        5 => Fault::Drip(Duration::from_micros(dice.roll(300))),
        6 => Fault::github(500, "Server Error"),
        7 => Fault::html(502),
        8 => Fault::github(503, "Unavailable").with_header("Retry-After", "1"),
        9 => Fault::github(429, "Too many requests").with_header("Retry-After", "1"),
        10 => Fault::github(403, "Forbidden"),
        11 => Fault::aws("ThrottlingException", "Rate exceeded"),
        12 => Fault::Truncate,
        13 => Fault::WrongTypes,
        14 => Fault::Huge(3 << 20),
        _ => Fault::empty(200),
    }
}

/// What became of the tokens.
#[derive(Default)]
struct Ledger {
    minted: AtomicUsize,
    revoked: AtomicUsize,
    lost: AtomicUsize,
    reported: AtomicUsize,
    with_token: AtomicUsize,
}

fn soak(runs: usize, seed: u64) -> Result<(), String> {
    let begun = Instant::now();
    let ledger = Ledger::default();
    let next = AtomicUsize::new(0);
    let failure: Mutex<Option<String>> = Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    let failed = failure
                        .lock()
                        .map(|failure| failure.is_some())
                        .unwrap_or(true);
                    if number >= runs || failed {
                        return;
                    }
                    // Each run has dice of its own, so that their order does not matter.
                    let dice = Dice(seed ^ (number as u64).wrapping_mul(0xD134_2543_DE82_EF95));
                    let outcome = std::panic::catch_unwind(|| once(dice, number, &ledger));
                    let outcome = outcome.unwrap_or_else(|_| {
                        Err("a check of every run failed, see above".to_owned())
                    });
                    if let (Err(why), Ok(mut failure)) = (outcome, failure.lock()) {
                        *failure = Some(format!("run {number} of seed {seed}: {why}"));
                    }
                }
            });
        }
    });
    if let Ok(Some(why)) = failure.into_inner() {
        return Err(why);
    }
    let of = |count: &AtomicUsize| count.load(Ordering::SeqCst);
    let (minted, revoked, lost, reported) = (
        of(&ledger.minted),
        of(&ledger.revoked),
        of(&ledger.lost),
        of(&ledger.reported),
    );
    println!(
        "{runs} runs in {} s, {} with a token: {minted} tokens minted, {revoked} revoked, \
         {reported} that post could not revoke and said so, {lost} whose answer was lost (dead within the hour)",
        begun.elapsed().as_secs(),
        of(&ledger.with_token),
    );
    match minted == revoked + lost + reported {
        true => Ok(()),
        false => Err("the ledger does not add up".to_owned()),
    }
}

/// One run, and its entries in the ledger.
fn once(mut dice: Dice, number: usize, ledger: &Ledger) -> Result<(), String> {
    let sandbox = Sandbox::start().map_err(|error| error.to_string())?;
    let hit = |dice: &mut Dice, steps: &[Step]| {
        let step = steps[dice.roll(steps.len() as u64) as usize];
        let when = match dice.roll(4) {
            0 => When::Every,
            1 => When::Nth(1 + dice.roll(2) as u32),
            _ => When::First(1 + dice.roll(2) as u32),
        };
        let fault = fault(dice);
        sandbox.fault(step.call(), when, fault);
    };
    let with_role = dice.roll(2) == 0;
    let steps = if with_role {
        &Step::ALL[..5]
    } else {
        &Step::ALL[2..5]
    };
    for _ in 0..dice.roll(3) {
        hit(&mut dice, steps);
    }
    let job: Job<'_> = if with_role {
        job(&sandbox)
    } else {
        Job::new(&sandbox).limit(Duration::from_secs(100))
    };
    let main = job.run();
    sandbox.clear_faults();
    sandbox.accept(Service::GitHub);
    for _ in 0..dice.roll(3) {
        hit(&mut dice, &[Step::Revoke]);
    }
    let post = main.post();

    let tokens = sandbox.tokens();
    let count = |wanted: fn(&app_token_sandbox::Token) -> bool| {
        tokens.iter().filter(|token| wanted(token)).count()
    };
    let revoked = count(|token| token.state == TokenState::Revoked);
    let lost = count(|token| token.state == TokenState::Live && !token.delivered);
    let alive = count(|token| token.state == TokenState::Live && token.delivered);
    let reported = post.warnings().len();
    check(
        alive <= 1 && reported >= alive,
        &format!("run {number}: each token that lives on is reported"),
        &post,
    )?;
    check(
        main.status == Some(0) || alive == 0,
        "a run that failed leaves no token that it was given",
        &main,
    )?;
    let ok = main.status == Some(0);
    check(
        !ok || main.outputs.get("token").is_some(),
        "a run that went well has a token",
        &main,
    )?;
    for (counter, count) in [
        (&ledger.minted, tokens.len()),
        (&ledger.revoked, revoked),
        (&ledger.lost, lost),
        (&ledger.reported, alive),
        (&ledger.with_token, usize::from(ok)),
    ] {
        counter.fetch_add(count, Ordering::SeqCst);
    }
    Ok(())
}
