//! Names of KMS keys, and regions.
#![no_main]

use app_token_fuzz::invariants;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    invariants::key(text);
    invariants::keys(text);
    invariants::region(text);
});
