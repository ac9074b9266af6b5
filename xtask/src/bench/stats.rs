//! Times of many runs, and what they come to.

use std::time::Duration;

/// The times of one thing that was run again and again.
#[derive(Default)]
pub struct Times(Vec<Duration>);

impl Times {
    /// Adds the time of one more run.
    pub fn push(&mut self, time: Duration) {
        let at = self.0.partition_point(|known| *known <= time);
        self.0.insert(at, time);
    }

    /// The time that half of the runs stayed under; zero without runs.
    pub fn median(&self) -> Duration {
        let middle = self.0.len() / 2;
        let upper = self.0.get(middle).copied().unwrap_or_default();
        if self.0.len().is_multiple_of(2) {
            let lower = middle.checked_sub(1).and_then(|at| self.0.get(at));
            (lower.copied().unwrap_or_default() + upper) / 2
        } else {
            upper
        }
    }

    /// The shortest time.
    pub fn least(&self) -> Duration {
        self.0.first().copied().unwrap_or_default()
    }

    /// The longest time.
    pub fn most(&self) -> Duration {
        self.0.last().copied().unwrap_or_default()
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
    fn a_duration_has_a_unit() {
        assert_eq!(parse_duration("150ms"), Some(Duration::from_millis(150)));
        assert_eq!(parse_duration("1.5s"), Some(Duration::from_millis(1_500)));
        assert_eq!(parse_duration("0"), Some(Duration::ZERO));
        for text in ["", "5", "ms", "-1s", "five ms", "1e999s"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }
}
