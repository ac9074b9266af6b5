//! Values that must not be seen: keys, tokens, signed assertions.
//!
//! A [`Secret`] has no `Display`, prints as `***` under `Debug`, and is wiped when dropped. The only way
//! to the text is [`Secret::expose`], so that a search for that word finds every place that uses one.
//! [`redact`] takes secrets out of a text that is about to be shown.

use std::fmt;
use zeroize::Zeroizing;

/// A text that is never printed and is wiped from memory when dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes ownership of `text`; no copy stays behind.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text itself. Each caller must be a place that sends it to the one party it is meant for,
    /// or that hides it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is no text at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A piece of a secret of this many bytes is hidden as well. Fewer may well be chance, and give nothing
/// away: a server's words are cut to a length, and the end of a secret in them with it.
const SHORTEST_PIECE: usize = 16;

/// Pieces are found by blocks of this many bytes: a piece of [`SHORTEST_PIECE`] holds a whole one.
const BLOCK: usize = SHORTEST_PIECE / 2;

/// `text` with `***` in place of every secret, and of every longer piece of one: a server may repeat a
/// secret in its answer, broken into lines or cut off. Give the secrets longest first, so that of two
/// that overlap the longer one is taken out.
pub fn redact<'a>(text: &str, secrets: impl Iterator<Item = &'a str> + Clone) -> String {
    let mut text = text.to_owned();
    for secret in secrets.clone() {
        if !secret.is_empty() && text.contains(secret) {
            text = text.replace(secret, "***");
        }
    }
    let mut pieces = pieces(text.as_bytes(), secrets);
    if pieces.is_empty() {
        return text;
    }
    pieces.sort_unstable();
    let (mut shown, mut from) = (Vec::with_capacity(text.len()), 0);
    for (start, end) in pieces {
        if start >= from {
            shown.extend_from_slice(&text.as_bytes()[from..start]);
            shown.extend_from_slice(b"***");
        }
        from = from.max(end);
    }
    shown.extend_from_slice(&text.as_bytes()[from..]);
    // A piece may end within a character.
    String::from_utf8_lossy(&shown).into_owned()
}

/// Where pieces of the secrets stand in `text`: start and end of each.
fn pieces<'a>(text: &[u8], secrets: impl Iterator<Item = &'a str>) -> Vec<(usize, usize)> {
    let mut windows: Vec<(&[u8], usize)> = text.windows(BLOCK).zip(0..).collect();
    windows.sort_unstable();
    let mut found = Vec::new();
    for secret in secrets.map(str::as_bytes) {
        for (block, at) in secret.chunks_exact(BLOCK).zip((0..).step_by(BLOCK)) {
            let first = windows.partition_point(|(window, _)| *window < block);
            for (_, start) in windows[first..].iter().take_while(|(w, _)| *w == block) {
                let alike = |(a, b): &(&u8, &u8)| a == b;
                let (text, secret) = (text.split_at(*start), secret.split_at(at));
                let ahead = text.0.iter().rev().zip(secret.0.iter().rev());
                let ahead = ahead.take_while(alike).count();
                let behind = text.1.iter().zip(secret.1).take_while(alike).count();
                if ahead + behind >= SHORTEST_PIECE {
                    found.push((start - ahead, start + behind));
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_taken_out_whole_in_lines_and_cut_off() {
        let secret = "ghs_1234567_eyJhbGciOiJSUzI1NiJ9.0123456789abcdefghijklmnopqrstuvwxyz";
        let shown = |text: &str| redact(text, [secret, "hunter2"].into_iter());
        assert_eq!(shown(&format!("a {secret} b hunter2")), "a *** b ***");
        for cut in SHORTEST_PIECE..secret.len() {
            assert_eq!(shown(&format!("bad {}~", &secret[..cut])), "bad ***~");
            let end = secret.len() - cut;
            assert_eq!(shown(&format!("bad {}~", &secret[end..])), "bad ***~");
            let halves = format!("<{} {}>", &secret[..cut], &secret[cut..]);
            assert!(!shown(&halves).contains(&secret[..SHORTEST_PIECE]));
        }
        let percent = shown(&secret.replace('.', "%2E"));
        assert_eq!(percent, "***%2E***");
        let short = &secret[..SHORTEST_PIECE - 1];
        assert_eq!(shown(short), short);
        assert_eq!(
            shown("nothing of that kind, hunter"),
            "nothing of that kind, hunter"
        );
        assert_eq!(shown(""), "");
        let broken = redact(
            "x 0123456789abcde\u{e9} y",
            ["0123456789abcde\u{e8}z"].into_iter(),
        );
        assert_eq!(broken, "x ***\u{fffd} y");
    }

    #[test]
    fn debug_hides_the_text() {
        let secret = Secret::from("hunter2");
        assert_eq!(
            format!("{secret:?} {:#?}", Some(&secret))
                .matches("***")
                .count(),
            2
        );
        assert!(!format!("{secret:?}").contains("hunter2"));
        assert_eq!(secret.expose(), "hunter2");
    }
}
