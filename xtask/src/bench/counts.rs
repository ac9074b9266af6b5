//! What can be counted rather than timed: the same on every machine, so the least change shows.
//!
//! Of each scenario: the requests, connections and bytes that the sandbox saw, and how much of the
//! module ran. V8 compiles a function of WebAssembly when it is first called and tells of it, so the
//! functions that it names are those that were called. Node 20 and Node 24 name the same ones.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use app_token_sandbox::{
    Call, Exchange, Service,
    world::{ACCOUNT_ID, ORG_INSTALLATION, SIGNER_ROLE},
};

use super::succeeded;
use app_token_runner::Entries;

use crate::{
    error::{Result, at, fail},
    process::gzipped_size,
    runner::Ran,
    stage::{Setting, Stage},
};

/// Counts by what is counted.
pub type Counts = BTreeMap<String, u64>;

/// Counts of each scenario, and of the module itself under `module`.
pub type AllCounts = BTreeMap<String, Counts>;

/// What the names of counts of functions begin with.
pub const OF_WASM: &str = "WebAssembly: ";

/// V8's option that tells of each function that it compiles.
const TRACE: &[&str] = &["--trace-wasm-compilation-times"];

/// How often a scenario is counted. Requests must be the same each time; of the functions the middle
/// one counts, since an answer that comes in two pieces takes a way that one in a single piece does
/// not.
const RUNS: usize = 3;

/// Counts everything.
///
/// # Errors
/// When a run fails, or makes other requests than the run before it.
pub fn count(root: &Path) -> Result<AllCounts> {
    let with = |name: &str, value: String| Setting {
        with: vec![(name.to_owned(), value)],
        ..Setting::default()
    };
    let role = format!("arn:aws:iam::{ACCOUNT_ID}:role/{SIGNER_ROLE}");
    let hung = Setting {
        hang_first_key: true,
        ..Setting::default()
    };
    let mut all = AllCounts::new();
    all.insert("module".to_owned(), module(root)?);
    let (main, post) = steps(root, &Setting::default(), RUNS)?;
    all.insert("main".to_owned(), main);
    all.insert("post".to_owned(), post);
    for (name, setting, runs) in [
        (
            "main, installation-id",
            with("installation-id", ORG_INSTALLATION.to_string()),
            RUNS,
        ),
        ("main, role-to-assume", with("role-to-assume", role), RUNS),
        // It takes three seconds.
        ("main, first key hangs", hung, 1),
    ] {
        let (main, _) = steps(root, &setting, runs)?;
        all.insert(name.to_owned(), main);
    }
    Ok(all)
}

fn module(root: &Path) -> Result<Counts> {
    let path = root.join("dist/app_token.wasm");
    let module = fs::read(&path).map_err(at("read", &path))?;
    Ok(Counts::from([
        ("bytes".to_owned(), number(module.len())),
        ("bytes gzipped".to_owned(), number(gzipped_size(&module)?)),
    ]))
}

/// The counts of main and of post after it.
fn steps(root: &Path, setting: &Setting, runs: usize) -> Result<(Counts, Counts)> {
    let stage = Stage::start(root, setting)?;
    let (mut of_main, mut of_post) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let main = step(&stage, "main.js", &Entries::default(), &mut of_main)?;
        step(&stage, "post.js", &main.state, &mut of_post)?;
    }
    Ok((settle(of_main)?, settle(of_post)?))
}

/// What one run did: its requests, and what of the module it called.
type Seen = (Counts, Counts);

fn step(stage: &Stage, script: &str, state: &Entries, seen: &mut Vec<Seen>) -> Result<Ran> {
    let before = stage.sandbox.requests().len();
    let ran = stage.job.run_with(TRACE, &stage.script(script), state)?;
    let ran = succeeded(script, ran)?;
    let requests = requests(&stage.exchanges_after(before));
    seen.push((requests, called(&ran.stdout)));
    Ok(ran)
}

fn settle(mut seen: Vec<Seen>) -> Result<Counts> {
    seen.sort_by(|(_, one), (_, other)| one.cmp(other));
    let (mut counts, called) = seen
        .get(seen.len() / 2)
        .cloned()
        .ok_or_else(|| fail("nothing was run"))?;
    if let Some((other, _)) = seen.iter().find(|(requests, _)| *requests != counts) {
        return Err(fail(format!(
            "two runs of the same made other requests: {counts:?} and {other:?}"
        )));
    }
    counts.extend(called);
    Ok(counts)
}

fn requests(exchanges: &[Exchange]) -> Counts {
    let mut counts = Counts::new();
    let mut connections = BTreeSet::new();
    let mut add = |what: String, by: u64| *counts.entry(what).or_default() += by;
    for one in exchanges {
        let service = name(one.service);
        add(format!("{service}: requests {:?}", one.call), 1);
        add(format!("{service}: bytes sent"), number(size(one)));
        if connections.insert(one.connection) {
            add(format!("{service}: connections"), 1);
        }
    }
    counts
}

fn name(service: Service) -> &'static str {
    match service {
        Service::GitHub => "GitHub",
        Service::Kms => "KMS",
        Service::Sts => "STS",
        Service::Oidc => "OIDC",
        Service::Metadata => "metadata",
        Service::Proxy => "proxy",
    }
}

/// The bytes of a request of HTTP/1.1 on the wire, but for what differs from run to run: the port in
/// `Host`, and the token in a revocation, which GitHub and the sandbox make of various lengths.
fn size(request: &Exchange) -> usize {
    let first = request.method.len() + request.path.len() + "  HTTP/1.1\r\n".len();
    let fields = request.headers.iter().map(|(name, value)| {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        let value = if is("host") {
            value.split(':').next().unwrap_or_default()
        } else if is("authorization") && request.call == Call::Revoke {
            value.split(' ').next().unwrap_or_default()
        } else {
            value
        };
        name.len() + value.len() + ": \r\n".len()
    });
    first + fields.sum::<usize>() + "\r\n".len() + request.body.len()
}

/// The functions of the module that were called, and the bytes of their bodies, out of V8's lines:
/// `Compiled function 0x..#82 using Liftoff, took 0 ms and 16504 bytes; bodysize 54 codesize 208`.
/// Liftoff compiles at the first call; what else V8 compiles, it compiles again, when it sees fit.
fn called(stdout: &str) -> Counts {
    let sizes: Vec<u64> = stdout
        .lines()
        .filter(|line| line.starts_with("Compiled function") && line.contains(" using Liftoff,"))
        .filter_map(|line| {
            let (_, rest) = line.split_once("; bodysize ")?;
            rest.split(' ').next()?.parse().ok()
        })
        .collect();
    Counts::from([
        (format!("{OF_WASM}functions called"), number(sizes.len())),
        (format!("{OF_WASM}bytes called"), sizes.iter().sum()),
    ])
}

fn number(size: usize) -> u64 {
    u64::try_from(size).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(pairs: &[(&str, u64)]) -> Counts {
        pairs
            .iter()
            .map(|(what, count)| ((*what).to_owned(), *count))
            .collect()
    }

    #[test]
    fn functions_are_counted_at_their_first_call_alone() {
        let stdout = "\
Compiled WasmToJS wrapper wasm-to-js-5-id-, took 1 ms; codesize 172
Compiled function 0x22d41100#82 using Liftoff, took 0 ms and 16504 bytes; bodysize 54 codesize 208
::add-mask::Compiled function x using Liftoff, took 0 ms and 1 bytes; bodysize 9 codesize 9
Compiled function 0x22d41100#83 using Liftoff, took 0 ms and 16624 bytes; bodysize 65 codesize 248
Compiled function 0x22d41100#83 using TurboFan, took 2 ms and 5 / 11 max/total bytes; bodysize 65 codesize 9
";
        let expected = [
            ("WebAssembly: functions called", 2),
            ("WebAssembly: bytes called", 119),
        ];
        assert_eq!(called(stdout), counts(&expected));
    }

    #[test]
    fn requests_must_not_differ_and_the_middle_run_tells_of_the_functions() {
        let run = |requests, functions| {
            (
                counts(&[("requests", requests)]),
                counts(&[("functions", functions)]),
            )
        };
        let settled = settle(vec![run(3, 612), run(3, 610), run(3, 610)]).unwrap();
        assert_eq!(settled, counts(&[("requests", 3), ("functions", 610)]));
        assert!(settle(vec![run(3, 610), run(4, 610), run(3, 610)]).is_err());
        assert!(settle(Vec::new()).is_err());
    }
}
