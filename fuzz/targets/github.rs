//! Answers of GitHub: a status, a header, a body.
#![no_main]

use app_token_fuzz::{answers, invariants};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let answers = answers(data);
    let _ = invariants::look_up(answers.clone());
    let _ = invariants::mint(answers.clone());
    let _ = invariants::revoke(answers.clone());
    invariants::bot(answers, "my-app");
});
