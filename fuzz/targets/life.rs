//! Main and post as a whole, whatever the servers say.
#![no_main]

use app_token_fuzz::{action, answers};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut all: Vec<action::Answer> = answers(data)
        .into_iter()
        .map(|answer| action::Answer {
            status: answer.status,
            headers: answer.headers,
            body: answer.body,
        })
        .collect();
    let end = all.split_off(all.len() / 2);
    action::life(all, end);
});
