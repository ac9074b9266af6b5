//! What is printed and written for the runner, read back by its rules.
#![no_main]

use app_token_fuzz::action;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let (one, other) = text.split_once('\0').unwrap_or((text, ""));
    action::commands(one, other);
    action::masks(one, other);
    let entries: Vec<(String, String)> = text
        .split('\0')
        .enumerate()
        .map(|(number, value)| (format!("name-{number}"), value.to_owned()))
        .collect();
    action::files(&entries);
});
