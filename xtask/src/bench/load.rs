//! How much of the machine others took while something was measured.
//!
//! The load average looks a minute back, so it would blame the build that has just ended. The
//! counters of `/proc` are of the very time that was measured. Known on Linux only.
//!
//! Format: <https://man7.org/linux/man-pages/man5/proc_stat.5.html>.

use std::fs;

/// The share of all cores that others may take before times say little: half of one core of two.
/// What is measured here is a process and the sandbox that serves it, in turn.
pub const MOST: f64 = 0.25;

/// The counters at one moment, in clock ticks.
#[derive(Clone, Copy)]
pub struct Load {
    /// Of all cores together.
    all: u64,
    /// Of all cores together, with something to do.
    busy: u64,
    /// Of this program and of the programs that it has waited for.
    own: u64,
}

impl Load {
    /// The counters now; none where the system does not tell.
    pub fn now() -> Option<Self> {
        Self::read(
            &fs::read_to_string("/proc/stat").ok()?,
            &fs::read_to_string("/proc/self/stat").ok()?,
        )
    }

    fn read(machine: &str, program: &str) -> Option<Self> {
        let cores = machine.lines().next()?.strip_prefix("cpu ")?;
        // Guests come after these and are counted under `user` already.
        let ticks: Vec<u64> = cores
            .split_whitespace()
            .take(8)
            .map(str::parse)
            .collect::<Result<_, _>>()
            .ok()?;
        let all = ticks.iter().sum();
        // The fourth and fifth are idle, and idle while a disk works.
        let idle: u64 = ticks.iter().skip(3).take(2).sum();
        // A program's name may hold spaces and brackets; the numbers are after the last one. User
        // and system, own and of children, are the fields 14 to 17; the state after it is the third.
        let (_, fields) = program.rsplit_once(')')?;
        let own = fields
            .split_whitespace()
            .skip(11)
            .take(4)
            .map(str::parse::<u64>)
            .sum::<Result<_, _>>()
            .ok()?;
        Some(Self {
            all,
            busy: all - idle,
            own,
        })
    }

    /// The share of all cores that others took since `earlier`.
    pub fn of_others_since(self, earlier: Self) -> f64 {
        let ticks = |now: u64, then: u64| {
            #[expect(
                clippy::cast_precision_loss,
                reason = "a float holds the ticks of a century"
            )]
            let ticks = now.saturating_sub(then) as f64;
            ticks
        };
        let others = ticks(self.busy, earlier.busy) - ticks(self.own, earlier.own);
        others.max(0.0) / ticks(self.all, earlier.all).max(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_took_is_what_is_left_of_the_busy_time() {
        let before = Load::read(
            "cpu  100 10 50 1000 40 0 5 5 77 77\ncpu0 1 2 3\n",
            "42 (a (b) c) S 1 1 1 0 -1 4 9 0 0 0 7 3 20 10 20 0",
        );
        let after = Load::read(
            "cpu  160 10 70 1100 50 0 5 15 99 99\n",
            "42 (a (b) c) S 1 1 1 0 -1 4 9 0 0 0 17 13 30 20 20 0",
        );
        // 200 ticks went by, 90 of them busy, 40 of those for ourselves.
        let share = after.unwrap().of_others_since(before.unwrap());
        assert!((share - 0.25).abs() < 1e-9, "{share}");
    }

    #[test]
    fn what_cannot_be_read_is_not_guessed() {
        assert!(Load::read("", "1 (x) S 1").is_none());
        assert!(Load::read("cpu  1 2 x", "1 (x) S 1").is_none());
        assert!(Load::read("cpu  1 2 3 4 5 6 7 8", "").is_none());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_machine_tells() {
        assert!(Load::now().is_some());
    }
}
