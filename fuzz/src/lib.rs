//! Fuzz targets for everything that reads what others wrote. The invariants are those of the property
//! tests; a target is only the way from bytes to their arguments.
//!
//! `cargo +nightly fuzz run TARGET`, from the root of the project; `fuzz/corpus/` holds what to start from.

#[path = "../../crates/action/tests/properties/invariants.rs"]
pub mod action;
#[path = "../../crates/app-token/tests/properties/host.rs"]
pub mod host;
#[path = "../../crates/app-token/tests/properties/invariants.rs"]
pub mod invariants;

use host::Answer;

/// At most so many answers: no call is tried more often.
const MOST: usize = 8;

/// The headers that somebody here reads.
const HEADERS: [&str; 8] = [
    "retry-after",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "date",
    "location",
    "content-type",
    "x-amzn-errortype",
    "x-amzn-requestid",
];

/// The statuses that mean something here.
const STATUSES: [u16; 16] = [
    200, 201, 204, 301, 307, 400, 401, 403, 404, 422, 429, 500, 502, 503, 100, 599,
];

/// Answers out of bytes: separated by `FF`; in each a byte for the status and one for the header, the
/// header's value up to a line feed, the body.
pub fn answers(data: &[u8]) -> Vec<Answer> {
    data.split(|byte| *byte == 0xFF)
        .take(MOST)
        .map(|part| {
            let (head, rest) = part.split_at(part.len().min(2));
            let status = head
                .first()
                .map_or(200, |byte| STATUSES[usize::from(byte % 16)]);
            let name = head.get(1).map(|byte| HEADERS[usize::from(byte % 8)]);
            let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(0);
            let value = String::from_utf8_lossy(&rest[..end]).into_owned();
            let body = rest.get(end + 1..).unwrap_or_default();
            Answer {
                status,
                headers: name
                    .map(|name| (name.to_owned(), value))
                    .into_iter()
                    .collect(),
                body: body.to_vec(),
            }
        })
        .collect()
}
