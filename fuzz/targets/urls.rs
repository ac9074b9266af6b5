//! URLs, held against another parser.
#![no_main]

use app_token_fuzz::invariants;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    invariants::url(text);
});
