//! Values that must not be seen: keys, tokens, signed assertions.
//!
//! A [`Secret`] has no `Display`, prints as `***` under `Debug`, and is wiped when dropped. The only way
//! to the text is [`Secret::expose`], so that a search for that word finds every place that uses one.
//! A [`Redactor`] takes secrets out of a text that is about to be shown.

use serde_json::Value;
use std::fmt;
use zeroize::{Zeroize, Zeroizing};

/// A text that is never printed and is wiped from memory when dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes ownership of `text`; no copy stays behind.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text in this field of an answer. It is moved: no copy of it stays behind.
    pub fn moved_from(answer: &mut Value, field: &str) -> Option<Self> {
        match answer.get_mut(field)?.take() {
            Value::String(text) => Some(Self::new(text)),
            _ => None,
        }
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

/// What to do about a private key that stands where a name belongs, if `text` holds one.
pub(crate) fn misplaced_key(text: &str) -> Option<&'static str> {
    text.contains("PRIVATE KEY")
        .then_some("It holds a private key: take it out of the workflow, it belongs into KMS.")
}

/// Secrets shorter than this, in bytes, are not to be taken out of messages: a password of two letters would
/// garble every word that holds them, and give itself away by that.
pub const SHORTEST_SECRET: usize = 4;

/// A piece of a secret of this many bytes is hidden as well. Fewer may well be chance, and give nothing
/// away: a server's words are cut to a length, and the end of a secret in them with it.
const SHORTEST_PIECE: usize = 16;

/// Pieces are found by blocks of this many bytes: a piece of [`SHORTEST_PIECE`] holds a whole one.
const BLOCK: usize = SHORTEST_PIECE / 2;

/// Takes secrets out of texts.
#[derive(Default)]
pub struct Redactor {
    /// The longest first, so that of two that overlap the longer one is taken out.
    secrets: Vec<Secret>,
    blocks: Blocks,
}

impl Redactor {
    /// Hides this, too, from now on. Says whether it was not hidden before.
    pub fn add(&mut self, secret: &str) -> bool {
        let known = |one: &Secret| one.expose() == secret;
        if secret.is_empty() || self.secrets.iter().any(known) {
            return false;
        }
        self.blocks.add(secret.as_bytes());
        let mut longer = self.secrets.iter();
        let longer = longer.position(|one| one.expose().len() < secret.len());
        let at = longer.unwrap_or(self.secrets.len());
        self.secrets.insert(at, Secret::from(secret));
        true
    }

    /// `text` with `***` in place of every secret, and of every longer piece of one: a server may repeat
    /// a secret in its answer, broken into lines or cut off.
    pub fn redact(&self, text: &str) -> String {
        let mut text = text.to_owned();
        let any = self.blocks.occur_in(text.as_bytes());
        for secret in self.secrets.iter().map(Secret::expose) {
            if (any || secret.len() < BLOCK) && text.contains(secret) {
                text = text.replace(secret, "***");
            }
        }
        if any { self.cut(text) } else { text }
    }

    /// Takes the pieces out.
    #[inline(never)]
    fn cut(&self, text: String) -> String {
        let mut pieces = pieces(text.as_bytes(), self.secrets.iter().map(Secret::expose));
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
}

/// The blocks of all secrets, as numbers in order. Nearly every text holds none of them, and need not be
/// searched for secrets of hundreds of bytes each.
#[derive(Default)]
struct Blocks(Vec<u64>);

impl Blocks {
    fn add(&mut self, secret: &[u8]) {
        for block in secret.chunks_exact(BLOCK) {
            let block = block.iter().fold(0, |block, byte| next(block, *byte));
            if let Err(at) = self.0.binary_search(&block) {
                self.0.insert(at, block);
            }
        }
    }

    /// Whether one of them stands anywhere in `text`.
    fn occur_in(&self, text: &[u8]) -> bool {
        let mut block = 0;
        text.iter().zip(1..).any(|(byte, length)| {
            block = next(block, *byte);
            length >= BLOCK && self.0.binary_search(&block).is_ok()
        })
    }
}

impl Drop for Blocks {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// The block that ends one byte later.
const fn next(block: u64, byte: u8) -> u64 {
    block << 8 | byte as u64
}

/// Where pieces of the secrets stand in `text`: start and end of each.
fn pieces<'a>(text: &[u8], secrets: impl Iterator<Item = &'a str>) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for secret in secrets.map(str::as_bytes) {
        let places = (0..).step_by(BLOCK);
        let mut blocks: Vec<(&[u8], usize)> = secret.chunks_exact(BLOCK).zip(places).collect();
        blocks.sort_unstable();
        let mut end = 0;
        for (start, window) in text.windows(BLOCK).enumerate() {
            // What lies within the last piece goes with it: a secret that repeats itself is found at each
            // of its places otherwise.
            if start + BLOCK <= end {
                continue;
            }
            let first = blocks.partition_point(|(block, _)| *block < window);
            let mut piece = (start, start);
            for (_, at) in blocks[first..].iter().take_while(|(b, _)| *b == window) {
                let alike = |(a, b): &(&u8, &u8)| a == b;
                let (text, secret) = (text.split_at(start), secret.split_at(*at));
                let ahead = text.0.iter().rev().zip(secret.0.iter().rev());
                let ahead = ahead.take_while(alike).count();
                let behind = text.1.iter().zip(secret.1).take_while(alike).count();
                if ahead + behind >= SHORTEST_PIECE {
                    piece = (piece.0.min(start - ahead), piece.1.max(start + behind));
                }
            }
            if piece.1 > start {
                found.push(piece);
                end = piece.1;
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
        let redactor = hiding(&["hunter2", secret]);
        let shown = |text: &str| redactor.redact(text);
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
        let broken = hiding(&["0123456789abcde\u{e8}z"]).redact("x 0123456789abcde\u{e9} y");
        assert_eq!(broken, "x ***\u{fffd} y");
    }

    #[test]
    fn a_secret_that_repeats_itself_is_taken_out_in_one_go() {
        // A hundred million steps; cubic, it would be billions.
        let secret = "a".repeat(20_000);
        let redactor = hiding(&[&secret]);
        let pieces = vec!["a".repeat(400); 50].join(": ");
        assert_eq!(redactor.redact(&pieces), vec!["***"; 50].join(": "));
        let begins = format!("{}b{}", &secret[..30], &secret[..15]);
        assert_eq!(redactor.redact(&begins), format!("***b{}", &secret[..15]));
    }

    fn hiding(secrets: &[&str]) -> Redactor {
        let mut redactor = Redactor::default();
        for secret in secrets {
            assert!(redactor.add(secret) && !redactor.add(secret));
        }
        redactor
    }

    #[test]
    fn a_secret_of_any_length_is_taken_out_and_of_two_that_overlap_the_longer() {
        let letters = "abcdefghijklmnopqrstuvwxyz";
        for length in 1..letters.len() {
            let redactor = hiding(&[&letters[..length]]);
            assert_eq!(
                redactor.redact(&format!("> {}<", &letters[..length])),
                "> ***<"
            );
        }
        assert!(!Redactor::default().add(""));
        assert_eq!(
            hiding(&["hunter2", "hunter2-and-more"]).redact("hunter2-and-more"),
            "***"
        );
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
