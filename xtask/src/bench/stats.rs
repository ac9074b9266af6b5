//! Times of many runs, and what they come to.

use std::time::Duration;

/// The times of one thing that was run again and again, in that order.
#[derive(Default)]
pub struct Times(Vec<Duration>);

impl Times {
    /// Adds the time of one more run.
    pub fn push(&mut self, time: Duration) {
        self.0.push(time);
    }

    /// The time that half of the runs stayed under; zero without runs.
    pub fn median(&self) -> Duration {
        Duration::from_secs_f64(median(self.0.iter().map(Duration::as_secs_f64)))
    }

    /// The shortest time.
    pub fn least(&self) -> Duration {
        self.0.iter().min().copied().unwrap_or_default()
    }

    /// The longest time.
    pub fn most(&self) -> Duration {
        self.0.iter().max().copied().unwrap_or_default()
    }

    /// How many times as long as `other`, each run beside the one of the same round: the median.
    pub fn times(&self, other: &Self) -> f64 {
        median(self.beside(other).map(|(own, other)| own / other))
    }

    /// How much longer than `other`, each run beside the one of the same round: the median, in
    /// milliseconds.
    pub fn over_ms(&self, other: &Self) -> f64 {
        median(self.beside(other).map(|(own, other)| own - other)) * 1_000.0
    }

    fn beside<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = (f64, f64)> + 'a {
        let seconds = |time: &Duration| time.as_secs_f64();
        self.0.iter().map(seconds).zip(other.0.iter().map(seconds))
    }
}

/// The middle one, or what is between the two in the middle; zero of none.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = values.get(middle).copied().unwrap_or_default();
    if values.len().is_multiple_of(2) {
        let lower = middle.checked_sub(1).and_then(|at| values.get(at));
        f64::midpoint(lower.copied().unwrap_or_default(), upper)
    } else {
        upper
    }
}

/// Milliseconds, with a sign if `to` is the shorter one.
pub fn difference_ms(from: Duration, to: Duration) -> f64 {
    ms(to) - ms(from)
}

/// Milliseconds.
pub fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// Reads `150ms`, `1.5s` or `0`.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let (number, unit) = if let Some(number) = text.strip_suffix("ms") {
        (number, 1_000.0)
    } else if let Some(number) = text.strip_suffix('s') {
        (number, 1.0)
    } else if text == "0" {
        (text, 1.0)
    } else {
        return None;
    };
    let number: f64 = number.parse().ok()?;
    Duration::try_from_secs_f64(number / unit).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(ms: &[u64]) -> Times {
        let mut times = Times::default();
        for ms in ms {
            times.push(Duration::from_millis(*ms));
        }
        times
    }

    #[test]
    fn the_median_of_odd_even_and_no_runs() {
        assert_eq!(times(&[9, 1, 5]).median(), Duration::from_millis(5));
        assert_eq!(times(&[9, 1, 5, 7]).median(), Duration::from_millis(6));
        assert_eq!(times(&[]).median(), Duration::ZERO);
        assert_eq!(times(&[9, 1, 5]).least(), Duration::from_millis(1));
        assert_eq!(times(&[9, 1, 5]).most(), Duration::from_millis(9));
    }

    #[test]
    fn rounds_are_compared_one_by_one() {
        // A machine that grew slow in the third round slowed down both.
        let node = times(&[10, 10, 100, 10, 10]);
        let main = times(&[15, 16, 150, 15, 14]);
        assert!((main.times(&node) - 1.5).abs() < 1e-9);
        assert!((main.over_ms(&node) - 5.0).abs() < 1e-9);
        assert!((node.over_ms(&main) + 5.0).abs() < 1e-9);
    }

    #[test]
    fn a_duration_has_a_unit() {
        assert_eq!(parse_duration("150ms"), Some(Duration::from_millis(150)));
        assert_eq!(parse_duration("1.5s"), Some(Duration::from_millis(1_500)));
        assert_eq!(parse_duration("0"), Some(Duration::ZERO));
        for text in ["", "5", "ms", "-1s", "five ms", "1e999s"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }
}
