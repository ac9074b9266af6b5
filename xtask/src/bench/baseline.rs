//! The committed figures, `xtask/data/speed.json`, and what has become of them since.
//!
//! Counts must not change at all, but for the functions that were called, of which the network's
//! timing decides a few. Of times only ratios are kept, since each machine has its own
//! milliseconds, and they may differ by what noise can do.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use serde_json::{Value, json};

use super::counts::{AllCounts, Counts, OF_WASM};
use crate::{
    error::{Result, fail},
    paths,
};

/// The file, from the checkout's root.
pub const FILE: &str = "xtask/data/speed.json";

/// How much of the functions that were called may be others, in percent. An answer that is there before
/// it is asked for takes another way than a late one: on a busy machine one function of 349 was seen
/// to come and go.
const OTHER_WAYS: u64 = 2;

/// How many times a ratio of the baseline may be before it is told: what another machine or another
/// release of Node makes of it.
pub const WARN: f64 = 1.25;

/// How many times a ratio of the baseline may be at all. Noise does not reach this on a machine that
/// is not busy; one call more that loads a slow part of Node does.
pub const FAIL: f64 = 1.5;

/// Ratios of times, by what they are of.
pub type Ratios = BTreeMap<String, f64>;

/// What is written down.
#[derive(Debug, Default, PartialEq)]
pub struct Baseline {
    /// What is counted.
    pub counts: AllCounts,
    /// How many times as long as bare node something takes.
    pub ratios: Ratios,
}

impl Baseline {
    /// Reads the file of the checkout at `root`.
    ///
    /// # Errors
    /// When it is not there, or not as it is written here.
    pub fn of_checkout(root: &Path) -> Result<Self> {
        Self::parse(&paths::read(&root.join(FILE))?)
    }

    fn parse(text: &str) -> Result<Self> {
        let malformed = |what: &str| fail(format!("{FILE}: {what}"));
        let value: Value =
            serde_json::from_str(text).map_err(|error| malformed(&error.to_string()))?;
        let object = |name: &str| {
            value
                .get(name)
                .and_then(Value::as_object)
                .ok_or_else(|| malformed(&format!("`{name}` is no object")))
        };
        let mut baseline = Self::default();
        for (scenario, counts) in object("counts")? {
            let counts: Counts = counts
                .as_object()
                .into_iter()
                .flatten()
                .map(|(what, count)| Some((what.clone(), count.as_u64()?)))
                .collect::<Option<_>>()
                .ok_or_else(|| malformed(&format!("`{scenario}` holds more than counts")))?;
            baseline.counts.insert(scenario.clone(), counts);
        }
        for (what, ratio) in object("ratios")? {
            let ratio = ratio
                .as_f64()
                .filter(|ratio| *ratio > 0.0)
                .ok_or_else(|| malformed(&format!("`{what}` is no ratio")))?;
            baseline.ratios.insert(what.clone(), ratio);
        }
        Ok(baseline)
    }

    /// Writes the file of the checkout at `root`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, root: &Path) -> Result<()> {
        paths::write(&root.join(FILE), self.text())
    }

    fn text(&self) -> String {
        // Two digits: the third is noise.
        let ratios: Ratios = self
            .ratios
            .iter()
            .map(|(what, ratio)| (what.clone(), (ratio * 100.0).round() / 100.0))
            .collect();
        format!("{:#}\n", json!({"counts": self.counts, "ratios": ratios}))
    }
}

/// What has changed, a line each.
pub fn drift(before: &AllCounts, now: &AllCounts) -> Vec<String> {
    let none = Counts::new();
    let scenarios: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    let mut lines = Vec::new();
    for scenario in scenarios {
        let (before, now) = (
            before.get(scenario).unwrap_or(&none),
            now.get(scenario).unwrap_or(&none),
        );
        let kinds: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
        for what in kinds {
            match (before.get(what), now.get(what)) {
                (Some(before), Some(now)) if same(what, *before, *now) => {}
                (Some(before), Some(now)) => {
                    let sign = if now > before { '+' } else { '-' };
                    let by = now.abs_diff(*before);
                    lines.push(format!(
                        "{scenario}: {what}: {before} -> {now} ({sign}{by})"
                    ));
                }
                (None, Some(now)) => lines.push(format!("{scenario}: {what}: {now}, which is new")),
                (Some(before), None) => {
                    lines.push(format!("{scenario}: {what}: {before} -> none any more"));
                }
                (None, None) => {}
            }
        }
    }
    lines
}

fn same(what: &str, before: u64, now: u64) -> bool {
    let most = if what.starts_with(OF_WASM) {
        before * OTHER_WAYS / 100
    } else {
        0
    };
    now.abs_diff(before) <= most
}

/// What a ratio has become.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Much less than it was.
    Faster,
    /// What it was, as far as can be told.
    Same,
    /// More than noise explains, less than what fails.
    Slower,
    /// More than may be, or not in the baseline at all.
    TooSlow,
}

/// Judges a ratio by the one of the baseline.
pub fn judge(before: Option<f64>, now: f64) -> Verdict {
    match before {
        None => Verdict::TooSlow,
        // A time that could not be taken is no good one.
        Some(_) if !now.is_finite() => Verdict::TooSlow,
        Some(before) if now > before * FAIL => Verdict::TooSlow,
        Some(before) if now > before * WARN => Verdict::Slower,
        Some(before) if now * WARN < before => Verdict::Faster,
        Some(_) => Verdict::Same,
    }
}

/// The ratios to write down: a new one where the old one no longer says what is so, the old one
/// otherwise. Else each blessing would let a little more through.
pub fn blessed(before: &Ratios, now: &Ratios) -> Ratios {
    now.iter()
        .map(|(what, now)| {
            let before = before.get(what).copied();
            let kept = before.filter(|before| judge(Some(*before), *now) == Verdict::Same);
            (what.clone(), kept.unwrap_or(*now))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(of: &[(&str, &[(&str, u64)])]) -> AllCounts {
        of.iter()
            .map(|(scenario, counts)| {
                let counts = counts.iter();
                let counts = counts.map(|(what, count)| ((*what).to_owned(), *count));
                ((*scenario).to_owned(), counts.collect())
            })
            .collect()
    }

    #[test]
    fn equal_counts_have_not_drifted() {
        let same = counts(&[("main", &[("requests", 3)]), ("post", &[("requests", 1)])]);
        assert!(drift(&same, &same.clone()).is_empty());
    }

    #[test]
    fn every_change_of_a_count_is_told_the_smallest_too() {
        let before = counts(&[
            ("main", &[("bytes", 1000), ("calls", 3), ("gone", 1)]),
            ("old", &[("calls", 2)]),
            ("post", &[("calls", 1)]),
        ]);
        let now = counts(&[
            ("main", &[("bytes", 1001), ("calls", 2), ("new", 7)]),
            ("post", &[("calls", 1)]),
        ]);
        assert_eq!(
            drift(&before, &now),
            [
                "main: bytes: 1000 -> 1001 (+1)",
                "main: calls: 3 -> 2 (-1)",
                "main: gone: 1 -> none any more",
                "main: new: 7, which is new",
                "old: calls: 2 -> none any more",
            ]
        );
    }

    #[test]
    fn functions_called_may_differ_by_what_timing_decides() {
        let called =
            |functions| counts(&[("post", &[("WebAssembly: functions called", functions)])]);
        for (now, drifted) in [(349, 0), (348, 0), (355, 0), (343, 0), (356, 1), (342, 1)] {
            assert_eq!(drift(&called(349), &called(now)).len(), drifted, "{now}");
        }
        // The module itself is what it is.
        let module = |bytes| counts(&[("module", &[("bytes", bytes)])]);
        assert_eq!(drift(&module(418_375), &module(418_376)).len(), 1);
    }

    #[test]
    fn a_ratio_warns_and_then_fails() {
        for (now, verdict) in [
            (1.0, Verdict::Faster),
            (1.59, Verdict::Faster),
            (1.61, Verdict::Same),
            (2.0, Verdict::Same),
            (2.5, Verdict::Same),
            (2.51, Verdict::Slower),
            (3.0, Verdict::Slower),
            (3.01, Verdict::TooSlow),
            (f64::NAN, Verdict::TooSlow),
            (f64::INFINITY, Verdict::TooSlow),
        ] {
            assert_eq!(judge(Some(2.0), now), verdict, "{now}");
        }
        assert_eq!(judge(None, 1.0), Verdict::TooSlow);
    }

    #[test]
    fn blessing_does_not_let_ratios_creep() {
        let ratios = |pairs: &[(&str, f64)]| -> Ratios {
            let pairs = pairs.iter();
            pairs
                .map(|(what, ratio)| ((*what).to_owned(), *ratio))
                .collect()
        };
        let before = ratios(&[("crept", 2.0), ("slow", 2.0), ("fast", 2.0), ("gone", 2.0)]);
        let now = ratios(&[("crept", 2.4), ("slow", 2.6), ("fast", 1.5), ("new", 1.2)]);
        assert_eq!(
            blessed(&before, &now),
            ratios(&[("crept", 2.0), ("slow", 2.6), ("fast", 1.5), ("new", 1.2)])
        );
    }

    #[test]
    fn what_is_written_is_read_again() {
        let baseline = Baseline {
            counts: counts(&[("main", &[("KMS: requests KmsSign", 1)])]),
            ratios: Ratios::from([("main over bare node".to_owned(), 1.75)]),
        };
        assert_eq!(Baseline::parse(&baseline.text()).unwrap(), baseline);
        for text in [
            "",
            "{}",
            r#"{"counts": {"main": {"a": -1}}, "ratios": {}}"#,
            r#"{"counts": {}, "ratios": {"main": 0}}"#,
        ] {
            assert!(Baseline::parse(text).is_err(), "{text}");
        }
    }
}
