//! The proxy variables.
#![no_main]

use app_token_fuzz::invariants;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let (proxy, rest) = text.split_once('\0').unwrap_or((text, ""));
    invariants::proxies(proxy, rest, "example.com");
});
