//! Names and levels of permissions.
#![no_main]

use app_token_fuzz::invariants;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let pairs: Vec<(String, String)> = text
        .lines()
        .take(64)
        .map(|line| line.split_once('=').unwrap_or((line, "read")))
        .map(|(name, level)| (name.to_owned(), level.to_owned()))
        .collect();
    for (name, _) in &pairs {
        if name.len() <= 100 {
            invariants::guess(name);
        }
    }
    invariants::permissions(&pairs);
});
