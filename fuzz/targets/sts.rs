//! Answers of STS and of the runner's OIDC endpoint: a status, a header, a body.
#![no_main]

use app_token_fuzz::{answers, invariants};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    invariants::role(answers(data));
});
