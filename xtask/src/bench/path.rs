//! The critical path: the least time that a run can take on a network.
//!
//! Each leg is a number of round trips. TCP's handshake takes one, TLS 1.3's one more, a request one.
//! What need not wait for anything runs beside the rest, and only the longer of the two counts.

use std::time::Duration;

/// How long a key's region may be silent before the next key is asked as well: the action's contract.
const HEDGE: Duration = Duration::from_secs(3);

/// A network between the job and the two services.
#[derive(Clone, Copy)]
pub struct Network {
    /// To KMS and back.
    pub kms: Duration,
    /// To GitHub and back.
    pub github: Duration,
    /// Whether connections are under TLS.
    pub tls: bool,
}

impl Network {
    /// Round trips before a connection can carry a request.
    fn handshakes(self) -> u32 {
        if self.tls { 2 } else { 1 }
    }

    /// The least time of main: KMS signs, with GitHub's connection opened beside it; then the
    /// look-up, unless the installation is known, and the mint. A known installation is still looked
    /// up for its `app-slug`, beside the mint. Where the first key's region hangs, the second is asked
    /// after [`HEDGE`], over a connection of its own.
    pub fn main(self, installation_known: bool, first_key_hangs: bool) -> Duration {
        let hung = if first_key_hangs {
            HEDGE
        } else {
            Duration::ZERO
        };
        let signed = hung + self.kms * (self.handshakes() + 1);
        let connected = self.github * self.handshakes();
        let calls = if installation_known { 1 } else { 2 };
        signed.max(connected) + self.github * calls
    }

    /// The least time of post: a connection, and one request.
    pub fn post(self) -> Duration {
        self.github * (self.handshakes() + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(kms: u64, github: u64, tls: bool) -> Network {
        Network {
            kms: Duration::from_millis(kms),
            github: Duration::from_millis(github),
            tls,
        }
    }

    #[test]
    fn counts_the_round_trips_that_wait_for_each_other() {
        let ms = Duration::from_millis;
        assert_eq!(
            network(150, 40, true).main(false, false),
            ms(3 * 150 + 2 * 40)
        );
        assert_eq!(
            network(150, 40, false).main(false, false),
            ms(2 * 150 + 2 * 40)
        );
        assert_eq!(network(150, 40, true).main(true, false), ms(3 * 150 + 40));
        let hung = network(150, 40, true).main(false, true);
        assert_eq!(hung, ms(3_000 + 3 * 150 + 2 * 40));
        assert_eq!(network(150, 40, true).post(), ms(3 * 40));
    }

    #[test]
    fn a_slow_github_is_what_the_mint_waits_for() {
        let ms = Duration::from_millis;
        assert_eq!(
            network(10, 100, true).main(false, false),
            ms(2 * 100 + 2 * 100)
        );
    }
}
