//! docs/fault-matrix.md says what the matrix demands, and the matrix holds the action to it.

use crate::matrix::{Course, Hits, ROWS, Step, expected, told};
use libtest_mimic::Failed;
use std::fmt::Write as _;
use std::path::Path;

const START: &str = "\
# What the action does when servers and networks fail

Each cell of this table is a test (`tests/faults/`) that runs the action as the runner does, with one fault
at one of its calls: at the first call alone, or at every call. It counts the requests that reach the
server, and checks besides that

- main ends within 60 s and post within 45 s;
- main ends with status 0 and a token, or with status 1 and exactly one error that says what happened and
  what to do; post ends with status 0 and at most a warning;
- no secret, and no part of a token, shows in any stream or file;
- a final fault is not tried again, and each further try is told in a line;
- every token that reached the action is revoked, or post says why not;
- no request follows a redirect to another host.

The document is written from the table that the tests hold the action to:
`FAULTS_BLESS=1 cargo test --test faults -- document`.
";

const END: &str = "
- `token`, `done`: it went well in the end. `error`, `warning`: it did not.
- The number is that of the requests that reached the server. Under *connection refused* further tries do
  not reach it; under a certificate that is not accepted no request is sent (at the mint, whose connection
  is open by then, the first is reset to force a new handshake).
- A revocation is answered without a body (204), so faults of the body do not touch it. A 401 there means
  that the token is gone already.
- Post has 30 s for its call, so that a server that hangs gets three tries instead of four.
- An answer to the mint that is lost on its way may carry a token. Nobody can revoke what nobody knows:
  the log tells of the lost answer, and the token dies within the hour.
";

/// The document as the table gives it.
fn text() -> String {
    let mut text = START.to_owned();
    let cells = ROWS.len() * Step::ALL.len() * Hits::ALL.len();
    let _ = writeln!(
        text,
        "\n{} faults at {} calls, {cells} cells:\n",
        ROWS.len(),
        Step::ALL.len()
    );
    let names: Vec<&str> = Step::ALL.into_iter().map(Step::name).collect();
    let _ = writeln!(text, "| Fault | Hits | {} |", names.join(" | "));
    let _ = writeln!(text, "|---|---|{}", "---|".repeat(names.len()));
    for row in ROWS {
        for hits in Hits::ALL {
            let cells: Vec<String> = Step::ALL
                .into_iter()
                .zip(row.courses)
                .map(|(step, course): (Step, Course)| told(step, expected(course, hits)))
                .collect();
            let _ = writeln!(
                text,
                "| {} | {} | {} |",
                row.name,
                hits.name(),
                cells.join(" | ")
            );
        }
    }
    text + END + &crate::killed::document()
}

/// Compares the document with the table, or writes it where `FAULTS_BLESS` is set.
pub fn check() -> Result<(), Failed> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/fault-matrix.md");
    let text = text();
    if std::env::var_os("FAULTS_BLESS").is_some() {
        return std::fs::write(&path, text).map_err(|error| error.to_string().into());
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    if found == text {
        return Ok(());
    }
    Err(
        "docs/fault-matrix.md is not what the table gives; write it anew with \
         FAULTS_BLESS=1 cargo test --test faults -- document"
            .into(),
    )
}
