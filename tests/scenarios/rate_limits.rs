//! GitHub's rate limits: obeyed up to a minute, told beyond it, and told apart from a plain 403.

use app_token::error::{Error, problem};
use app_token_sandbox::{Call, Fault, Sandbox, When};
use app_token_tests::{Job, Run, calls, times};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

fn limited(status: u16) -> Fault {
    Fault::github(status, "You have exceeded a secondary rate limit.")
}

/// The first look-up meets this limit; after about so many seconds the second serves.
#[track_caller]
fn waits(fault: Fault, seconds: std::ops::Range<u64>) {
    let sandbox = Sandbox::start().unwrap();
    sandbox.fault(Call::Installation, When::First(1), fault);
    let main = Job::new(&sandbox).run().success();
    let requests = sandbox.requests_of(Call::Installation);
    let pause = requests[1].started - requests[0].started;
    let (from, to) = (
        Duration::from_secs(seconds.start),
        Duration::from_secs(seconds.end),
    );
    assert!(pause >= from && pause < to, "{pause:?}\n{main}");
    assert!(main.infos()[0].contains("; try 2 of 4 in "), "{main}");
    assert!(main.warnings().is_empty());
}

/// It is told at once, with the time at which it ends.
#[track_caller]
fn told(fault: Fault, detail: &str, seconds: u64) {
    let sandbox = Sandbox::start().unwrap();
    sandbox.fault(Call::Installation, When::Every, fault);
    let before = now();
    let main: Run<'_> = Job::new(&sandbox).run().failure();
    assert_eq!(times(&sandbox, Call::Installation), 1, "{main}");
    let message = main.error().message;
    let first = format!(
        "GitHub's rate limit is used up: {detail} ({})\nhint: It ends at ",
        sandbox.github_url()
    );
    let rest = message
        .strip_prefix(&first)
        .unwrap_or_else(|| panic!("{main}"));
    let (time, hint) = rest.split_once(". ").unwrap();
    assert_eq!(hint, problem::GITHUB_RATE_LIMITED.hint);
    let end = app_token::clock::UnixTime::from_rfc3339(time)
        .unwrap()
        .seconds() as u64;
    let wait = end - before;
    assert!((seconds..seconds + 10).contains(&wait), "{wait}");
}

#[test]
fn a_429_with_retry_after_is_waited_out() {
    waits(limited(429).with_header("retry-after", "2"), 2..8);
}

#[test]
fn a_403_with_retry_after_is_waited_out() {
    waits(limited(403).with_header("retry-after", "1"), 1..8);
}

#[test]
fn a_403_with_nothing_remaining_is_waited_out_until_its_reset() {
    let fault = Fault::github(403, "API rate limit exceeded for installation ID 10001.")
        .with_header("x-ratelimit-remaining", "0")
        .with_header("x-ratelimit-reset", &(now() + 3).to_string());
    waits(fault, 1..8);
}

#[test]
fn a_reset_that_is_past_is_waited_for_a_second() {
    let fault = limited(403)
        .with_header("x-ratelimit-remaining", "0")
        .with_header("x-ratelimit-reset", &(now() - 100).to_string());
    waits(fault, 1..8);
}

#[test]
fn retry_after_goes_before_the_reset() {
    let fault = limited(403)
        .with_header("retry-after", "1")
        .with_header("x-ratelimit-remaining", "0")
        .with_header("x-ratelimit-reset", &(now() + 3000).to_string());
    waits(fault, 1..8);
}

#[test]
fn a_mint_that_meets_a_limit_waits_as_well() {
    let sandbox = Sandbox::start().unwrap();
    sandbox.fault(
        Call::Mint,
        When::First(1),
        limited(429).with_header("retry-after", "1"),
    );
    Job::new(&sandbox).run().success();
    assert_eq!(times(&sandbox, Call::Mint), 2);
    assert_eq!(times(&sandbox, Call::KmsSign), 1);
}

#[test]
fn a_limit_of_more_than_a_minute_is_told_with_its_end() {
    told(
        limited(429).with_header("retry-after", "61"),
        "429: You have exceeded a secondary rate limit.",
        61,
    );
}

#[test]
fn a_reset_in_half_an_hour_is_told_with_its_end() {
    let fault = Fault::github(403, "API rate limit exceeded for installation ID 10001.")
        .with_header("x-ratelimit-remaining", "0")
        .with_header("x-ratelimit-reset", &(now() + 1800).to_string());
    told(
        fault,
        "403: API rate limit exceeded for installation ID 10001.",
        1799,
    );
}

#[test]
fn a_plain_403_is_no_rate_limit_and_final() {
    let sandbox = Sandbox::start().unwrap();
    let fault = Fault::github(403, "Resource not accessible by integration")
        .with_header("x-ratelimit-remaining", "4999")
        .with_header("x-ratelimit-reset", &(now() + 2).to_string());
    sandbox.fault(Call::Installation, When::Every, fault);
    let error = Error::new(
        &problem::GITHUB_REQUEST_REFUSED,
        "403: Resource not accessible by integration",
    );
    Job::new(&sandbox)
        .run()
        .fails(&error.at(sandbox.github_url()));
    assert_eq!(calls(&sandbox).len(), 2);
}

#[test]
#[ignore = "waits for a minute"]
fn a_limit_that_names_no_time_is_waited_out_for_a_minute() {
    let sandbox = Sandbox::start().unwrap();
    sandbox.fault(Call::Installation, When::First(1), limited(403));
    let main = Job::new(&sandbox)
        .limit(Duration::from_secs(90))
        .run()
        .success();
    assert!(main.took > Duration::from_secs(59), "{main}");
}

#[test]
fn a_limit_is_waited_out_four_times_at_the_most() {
    let sandbox = Sandbox::start().unwrap();
    let fault = limited(429).with_header("retry-after", "1");
    sandbox.fault(Call::Installation, When::Every, fault);
    let main = Job::new(&sandbox).run().failure();
    assert_eq!(times(&sandbox, Call::Installation), 4);
    assert_eq!(main.error().title, "GitHub's rate limit is used up");
}

#[test]
fn a_503_with_retry_after_is_waited_out_as_long_as_it_says() {
    waits(Fault::html(503).with_header("retry-after", "2"), 2..8);
}
