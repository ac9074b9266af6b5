//! Answers on the wire, cut into pieces.
#![no_main]

use app_token_fuzz::invariants;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let (cuts, bytes) = data.split_at(data.len().min(4));
    let cuts: Vec<usize> = cuts.iter().map(|cut| usize::from(*cut)).collect();
    invariants::wire(bytes, &cuts);
});
