//! `cargo xtask bench --check` and `--bless`: today's figures beside the committed ones.

use std::path::Path;

use super::{
    Measured, Options,
    baseline::{self, Baseline, FAIL, FILE, Ratios, Verdict, WARN},
    counts, load, measure,
};
use crate::error::{Result, fail};

/// Rounds when none are given: two seconds' worth, and a median that holds still within the tolerance.
pub const RUNS: u32 = 15;

/// How often times are taken before they fail: what else runs on a machine is over the next time.
const TRIES: u32 = 2;

/// Fails when a count is another than the baseline's, or a ratio far above it.
///
/// # Errors
/// With how to bless what is meant to be.
pub fn check(root: &Path, options: &Options) -> Result<()> {
    let baseline = Baseline::of_checkout(root)?;
    let counted = counts::count(root)?;
    let drift = baseline::drift(&baseline.counts, &counted);
    let figures: usize = counted.values().map(|counts| counts.len()).sum();
    if drift.is_empty() {
        println!("counts: {figures} figures, as in {FILE}");
    } else {
        println!("counts that have changed:\n  {}", drift.join("\n  "));
    }
    let slow = times(root, options, &baseline)?;

    let mut wrong = Vec::new();
    if !drift.is_empty() {
        wrong.push(format!("{} counts have changed", drift.len()));
    }
    wrong.extend(slow);
    if wrong.is_empty() {
        return Ok(());
    }
    Err(fail(format!(
        "{}; if that is meant to be, run `cargo xtask bench --bless` and commit {FILE}",
        wrong.join("; ")
    )))
}

/// Compares ratios; gives back those that are too far from the baseline.
fn times(root: &Path, options: &Options, baseline: &Baseline) -> Result<Vec<String>> {
    let mut slow = Vec::new();
    for _ in 0..TRIES {
        let measured = measure(root, options)?;
        if let Some(share) = busy(&measured) {
            // What was too slow on a quiet machine, if this is the second try, stays so.
            println!("times: skipped, since {share}");
            break;
        }
        slow.clear();
        for (what, now) in ratios(&measured) {
            let before = baseline.ratios.get(&what).copied();
            let was = before.map_or("none".to_owned(), |before| format!("{before:.2}"));
            let line = format!("{what}: {now:.2} times, in the baseline {was}");
            match baseline::judge(before, now) {
                Verdict::Same => println!("times: {line}"),
                Verdict::Faster => println!("times: {line}: faster, worth a --bless"),
                Verdict::Slower => {
                    println!("times: warning: {line}: more than {WARN} times that");
                }
                Verdict::TooSlow => {
                    println!("times: {line}: over {FAIL} times that, or nothing to compare with");
                    slow.push(line);
                }
            }
        }
        if slow.is_empty() {
            break;
        }
    }
    Ok(slow)
}

/// Writes down what is so now.
///
/// # Errors
/// When there are no ratios yet and the machine is too busy to take any.
pub fn bless(root: &Path, options: &Options) -> Result<()> {
    let before = if root.join(FILE).exists() {
        Baseline::of_checkout(root)?
    } else {
        Baseline::default()
    };
    let counts = counts::count(root)?;
    let measured = measure(root, options)?;
    let ratios = match busy(&measured) {
        Some(share) if before.ratios.is_empty() => {
            return Err(fail(format!("no times can be taken, since {share}")));
        }
        Some(share) => {
            println!("times: the old ones stay, since {share}");
            before.ratios.clone()
        }
        None => baseline::blessed(&before.ratios, &ratios(&measured)),
    };
    let now = Baseline { counts, ratios };
    for line in baseline::drift(&before.counts, &now.counts) {
        println!("{line}");
    }
    for (what, ratio) in &now.ratios {
        println!("{what}: {ratio:.2} times");
    }
    now.write(root)?;
    println!("wrote {FILE}; look at its diff, and commit it");
    Ok(())
}

/// What others took of the machine, in words, where it was too much.
fn busy(measured: &Measured) -> Option<String> {
    let share = measured.others.filter(|share| *share > load::MOST)?;
    Some(format!(
        "others took {:.0} % of the machine meanwhile",
        share * 100.0
    ))
}

fn ratios(measured: &Measured) -> Ratios {
    Ratios::from([
        (
            "main over bare node".to_owned(),
            measured.main.times(&measured.node),
        ),
        (
            "post over bare node".to_owned(),
            measured.post.times(&measured.node),
        ),
    ])
}
