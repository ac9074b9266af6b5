//! The owner, the repositories and all else that says whom a token is for.
#![no_main]

use app_token::scope::Wanted;
use app_token_fuzz::invariants;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let mut parts = text.splitn(6, '\0');
    let mut next = || parts.next().unwrap_or_default();
    invariants::scope(&Wanted {
        owner: next(),
        repositories: next(),
        repository_ids: next(),
        enterprise: next(),
        installation_id: next(),
        current: next(),
    });
});
