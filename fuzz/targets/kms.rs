//! Answers of KMS: a status, a header, a body.
#![no_main]

use app_token_fuzz::{answers, invariants};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = invariants::kms(answers(data));
});
