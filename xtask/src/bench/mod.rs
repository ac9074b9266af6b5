//! `cargo xtask bench`: what a job waits for, in whole processes.
//!
//! Bare node, main, post and, if asked, another action's main are run in turn, so that whatever else
//! the machine does falls on all of them alike. What counts is the difference to bare node, which
//! any JavaScript action pays. `--check` holds today's figures against the committed ones.

mod baseline;
mod check;
mod counts;
mod load;
mod path;
mod stats;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::json;

use app_token_runner::Entries;

use crate::{
    args::Args,
    error::{Result, at, fail},
    log::Log,
    paths,
    runner::{self, Ran},
    stage::{Setting, Stage},
};
use load::Load;
use path::Network;
use stats::{Times, difference_ms, ms, parse_duration};

/// Runs in turn when none are given: enough for a median that another such bench repeats.
const RUNS: u32 = 20;
/// Rounds that are not counted: they bring the files into the machine's memory.
const WARM_UP: u32 = 3;
/// The most that main may take over bare node, in milliseconds, on loopback.
const MAIN_GOAL_MS: f64 = 20.0;
/// The most that post may take over bare node, in milliseconds, on loopback.
const POST_GOAL_MS: f64 = 15.0;
/// The most that main may take under latency, as a multiple of its critical path.
const PATH_GOAL: f64 = 1.1;

#[derive(Default)]
struct Options {
    runs: u32,
    peer: Option<PathBuf>,
    json: bool,
    setting: Setting,
    /// Inputs of which each makes a further main.
    also: Vec<(String, String)>,
    /// Whether a further main's first key hangs.
    hang_first_key: bool,
}

/// Runs the command.
///
/// # Errors
/// When an option is malformed, or a run of anything fails.
pub fn run(arguments: &[String]) -> Result<()> {
    let mut args = Args::new(arguments);
    let (check, bless) = (args.flag("--check"), args.flag("--bless"));
    if check && bless {
        return Err(fail("--check and --bless exclude each other"));
    }
    let node = runner::node_version()?;
    let root = paths::root()?;
    if check || bless {
        let options = Options {
            runs: runs(&mut args, check::RUNS)?,
            ..Options::default()
        };
        args.finish()?;
        return if check {
            check::check(&root, &options)
        } else {
            check::bless(&root, &options)
        };
    }
    let options = Options::parse(args)?;
    let measured = measure(&root, &options)?;
    let network = options.setting.round_trips.map(|(kms, github)| Network {
        kms,
        github,
        tls: options.setting.tls,
    });
    let goals = Goals::of(
        &measured,
        network,
        installation_known(&options.setting.with),
    );
    if options.json {
        println!("{}", to_json(&node, &options, &measured, &goals, network));
    } else {
        print(&node, &options, &measured, &goals, network);
    }
    Ok(())
}

fn runs(args: &mut Args, default: u32) -> Result<u32> {
    match args.value("--runs")? {
        None => Ok(default),
        Some(text) => text
            .parse()
            .ok()
            .filter(|runs| *runs > 0)
            .ok_or_else(|| fail(format!("--runs `{text}` is not a number of runs"))),
    }
}

fn installation_known(with: &[(String, String)]) -> bool {
    with.iter().any(|(name, _)| name == "installation-id")
}

impl Options {
    fn parse(mut args: Args) -> Result<Self> {
        let runs = runs(&mut args, RUNS)?;
        let peer = args.value("--peer")?.map(PathBuf::from);
        let tls = args.flag("--tls");
        let json = args.flag("--json");
        let mut round_trip = |name| match args.value(name)? {
            None => Ok(None),
            Some(text) => parse_duration(&text)
                .map(Some)
                .ok_or_else(|| fail(format!("{name} `{text}` is no time such as 150ms or 1.5s"))),
        };
        let round_trips = match (round_trip("--rtt-kms")?, round_trip("--rtt-github")?) {
            (None, None) => None,
            (kms, github) => Some((kms.unwrap_or_default(), github.unwrap_or_default())),
        };
        let mut inputs = |option| -> Result<Vec<(String, String)>> {
            let mut inputs = Vec::new();
            while let Some(input) = args.value(option)? {
                let (name, value) = input
                    .split_once('=')
                    .ok_or_else(|| fail(format!("{option} `{input}` is not NAME=VALUE")))?;
                inputs.push((name.to_owned(), value.to_owned()));
            }
            Ok(inputs)
        };
        let (with, also) = (inputs("--with")?, inputs("--also")?);
        let hang_first_key = args.flag("--hang-first-key");
        args.finish()?;
        Ok(Self {
            runs,
            peer,
            json,
            setting: Setting {
                tls,
                round_trips,
                with,
                hang_first_key: false,
            },
            also,
            hang_first_key,
        })
    }
}

/// The times of everything that was run.
#[derive(Default)]
struct Measured {
    node: Times,
    main: Times,
    post: Times,
    peer: Option<Times>,
    /// What of main's time the sandbox needed to answer.
    served: Times,
    /// The requests of one main, in words.
    requests: Vec<String>,
    /// How many connections they came over.
    connections: usize,
    /// Further mains, set otherwise.
    variants: Vec<Variant>,
    /// The share of the machine that others took meanwhile, where that is known.
    others: Option<f64>,
}

/// A main that is set otherwise than the usual one, on a stage of its own.
struct Variant {
    name: String,
    setting: Setting,
    times: Times,
}

impl Variant {
    fn all(options: &Options) -> Vec<Self> {
        let variant = |name: String, setting: Setting| Self {
            name,
            setting,
            times: Times::default(),
        };
        let mut all = Vec::new();
        for (name, value) in &options.also {
            let mut setting = options.setting.clone();
            setting.with.push((name.clone(), value.clone()));
            all.push(variant(format!("main with {name}"), setting));
        }
        if options.hang_first_key {
            let mut setting = options.setting.clone();
            setting.hang_first_key = true;
            all.push(variant("main, first key hangs".to_owned(), setting));
        }
        all
    }

    /// Its critical path.
    fn path(&self, network: Network) -> Duration {
        let known = installation_known(&self.setting.with);
        network.main(known, self.setting.hang_first_key)
    }
}

fn measure(root: &Path, options: &Options) -> Result<Measured> {
    let stage = Stage::start(root, &options.setting)?;
    let nothing = stage.job.file("nothing.js", "")?;
    let (main, post) = (stage.script("main.js"), stage.script("post.js"));
    let stateless = Entries::default();
    let peer = match &options.peer {
        // The job runs in a folder of its own.
        Some(path) => Some(path.canonicalize().map_err(at("find", path))?),
        None => None,
    };

    let mut measured = Measured {
        peer: peer.as_ref().map(|_| Times::default()),
        variants: Variant::all(options),
        ..Measured::default()
    };
    let stages = measured
        .variants
        .iter()
        .map(|variant| Stage::start(root, &variant.setting))
        .collect::<Result<Vec<_>>>()?;
    let start = Load::now();
    for round in 0..WARM_UP + options.runs {
        let of_node = succeeded("bare node", stage.job.run(&nothing, &stateless)?)?;
        let before = stage.sandbox.requests().len();
        let of_main = succeeded("main", stage.job.run(&main, &stateless)?)?;
        let exchanges = stage.exchanges_after(before);
        let of_post = succeeded("post", stage.job.run(&post, &of_main.state)?)?;
        let of_peer = match &peer {
            // Other actions leave certificates to Node, which takes `SSL_CERT_FILE` with this option alone.
            Some(peer) => {
                let options: &[&str] = match options.setting.tls {
                    true => &["--use-openssl-ca"],
                    false => &[],
                };
                let ran = stage.job.run_with(options, peer, &stateless)?;
                Some(succeeded("the peer", ran)?)
            }
            None => None,
        };
        for (variant, stage) in measured.variants.iter_mut().zip(&stages) {
            let ran = succeeded(&variant.name, stage.job.run(&main, &stateless)?)?;
            if round >= WARM_UP {
                variant.times.push(ran.wall);
            }
        }
        if round < WARM_UP {
            continue;
        }
        measured.node.push(of_node.wall);
        measured.main.push(of_main.wall);
        measured.post.push(of_post.wall);
        if let (Some(times), Some(ran)) = (&mut measured.peer, of_peer) {
            times.push(ran.wall);
        }
        measured.served.push(
            exchanges
                .iter()
                .filter_map(|one| one.finished.map(|end| end.saturating_sub(one.started)))
                .sum(),
        );
        measured.requests = exchanges
            .iter()
            .map(|one| format!("{:?}", one.call))
            .collect();
        let connections: BTreeSet<u64> = exchanges.iter().map(|one| one.connection).collect();
        measured.connections = connections.len();
    }
    measured.others = start
        .zip(Load::now())
        .map(|(start, end)| end.of_others_since(start));
    Ok(measured)
}

/// A run that failed measures nothing.
fn succeeded(name: &str, ran: Ran) -> Result<Ran> {
    if ran.success {
        Ok(ran)
    } else {
        let log = Log::read(&ran.stdout);
        let lines: Vec<&str> = log.lines.iter().map(|line| line.text.as_str()).collect();
        let said = format!("{}\n{}", lines.join("\n"), log.mask(&ran.stderr));
        Err(fail(format!("{name} failed:\n{}", said.trim())))
    }
}

/// What was reached of what was aimed at.
struct Goals {
    main_over_node: f64,
    post_over_node: f64,
    /// The critical path of main, and main's time as a multiple of it.
    path: Option<(Duration, f64)>,
    post_path: Option<(Duration, f64)>,
}

impl Goals {
    fn of(measured: &Measured, network: Option<Network>, installation_known: bool) -> Self {
        let node = measured.node.median();
        let times = |path: Duration, median: Duration| {
            (
                path,
                median.as_secs_f64() / path.as_secs_f64().max(f64::EPSILON),
            )
        };
        Self {
            main_over_node: difference_ms(node, measured.main.median()),
            post_over_node: difference_ms(node, measured.post.median()),
            path: network
                .map(|net| times(net.main(installation_known, false), measured.main.median())),
            post_path: network.map(|net| times(net.post(), measured.post.median())),
        }
    }
}

fn print(
    node: &str,
    options: &Options,
    measured: &Measured,
    goals: &Goals,
    network: Option<Network>,
) {
    let transport = if options.setting.tls {
        "TLS"
    } else {
        "plain HTTP"
    };
    println!(
        "node {node}, {transport} on loopback, {} runs in turn after {WARM_UP} to warm up; whole \
         processes, in ms",
        options.runs
    );
    println!(
        "one main: {}, over {} connections",
        measured.requests.join(", "),
        measured.connections
    );
    if let Some(share) = measured.others.filter(|share| *share > load::MOST) {
        println!(
            "others took {:.0} % of the machine meanwhile: the times say little",
            share * 100.0
        );
    }
    let names = measured.variants.iter().map(|variant| variant.name.len());
    let width = names.max().unwrap_or_default().max("bare node".len()) + 1;
    println!(
        "\n{:<width$} {:>8} {:>8} {:>8} {:>10}",
        "", "median", "least", "most", "over node"
    );
    let row = |name: &str, times: &Times, goal: &str| {
        println!(
            "{name:<width$} {:>8.1} {:>8.1} {:>8.1} {:>10.1}  {goal}",
            ms(times.median()),
            ms(times.least()),
            ms(times.most()),
            difference_ms(measured.node.median(), times.median()),
        );
    };
    // Latency dwarfs what the goals on loopback are about.
    let goal = |over: f64, most: f64| match (network, over <= most) {
        (Some(_), _) => String::new(),
        (None, true) => format!("within the {most} aimed at"),
        (None, false) => format!("over the {most} aimed at"),
    };
    row("bare node", &measured.node, "");
    row(
        "main",
        &measured.main,
        &goal(goals.main_over_node, MAIN_GOAL_MS),
    );
    row(
        "post",
        &measured.post,
        &goal(goals.post_over_node, POST_GOAL_MS),
    );
    for variant in &measured.variants {
        row(&variant.name, &variant.times, "");
    }
    println!(
        "of main, the sandbox took {:.1} to answer",
        ms(measured.served.median())
    );
    if let Some(peer) = &measured.peer {
        row("peer", peer, "");
        println!(
            "the peer takes {:.2} times as long as main, and {:.1} times as much over node",
            peer.median().as_secs_f64() / measured.main.median().as_secs_f64(),
            difference_ms(measured.node.median(), peer.median()) / goals.main_over_node,
        );
    }
    for variant in &measured.variants {
        let more = variant.times.over_ms(&measured.main);
        let less = if more < 0.0 { "less" } else { "more" };
        println!(
            "{}: {:.1} {less} than main in the same round{}",
            variant.name,
            more.abs(),
            match network {
                Some(network) => format!(
                    "; {:.3} times its critical path of {:.0}",
                    variant.times.median().as_secs_f64() / variant.path(network).as_secs_f64(),
                    ms(variant.path(network))
                ),
                None => String::new(),
            }
        );
    }
    if let (Some(network), Some((path, times))) = (network, goals.path) {
        let met = if times <= PATH_GOAL { "within" } else { "over" };
        println!(
            "\nround trips: KMS {:.0}, GitHub {:.0}",
            ms(network.kms),
            ms(network.github)
        );
        println!(
            "critical path of main {:.0}: {}",
            ms(path),
            if network.tls {
                "to KMS TCP, TLS, Sign, with GitHub's connection opened beside it; then GitHub's calls"
            } else {
                "to KMS TCP, Sign, with GitHub's connection opened beside it; then GitHub's calls"
            }
        );
        println!(
            "main takes {times:.3} times its critical path, {met} the {PATH_GOAL} aimed at; \
             {:.3} times with bare node's {:.0} added to the path",
            measured.main.median().as_secs_f64() / (path + measured.node.median()).as_secs_f64(),
            ms(measured.node.median()),
        );
        if let Some((path, times)) = goals.post_path {
            println!(
                "post takes {times:.3} times its critical path of {:.0}",
                ms(path)
            );
        }
    }
}

fn to_json(
    node: &str,
    options: &Options,
    measured: &Measured,
    goals: &Goals,
    network: Option<Network>,
) -> String {
    let times = |times: &Times| {
        json!({
            "median_ms": ms(times.median()),
            "least_ms": ms(times.least()),
            "most_ms": ms(times.most()),
        })
    };
    let path = |path: Option<(Duration, f64)>| {
        path.map(|(path, times)| json!({"ms": ms(path), "times": times}))
    };
    let variants: Vec<_> = measured
        .variants
        .iter()
        .map(|variant| {
            json!({
                "name": variant.name,
                "times": times(&variant.times),
                "over_main_ms": variant.times.over_ms(&measured.main),
                "critical_path_ms": network.map(|network| ms(variant.path(network))),
            })
        })
        .collect();
    let value = json!({
        "node": node,
        "runs": options.runs,
        "tls": options.setting.tls,
        "rtt_kms_ms": options.setting.round_trips.map(|(kms, _)| ms(kms)),
        "rtt_github_ms": options.setting.round_trips.map(|(_, github)| ms(github)),
        "requests": measured.requests,
        "connections": measured.connections,
        "others_share": measured.others,
        "bare_node": times(&measured.node),
        "main": times(&measured.main),
        "post": times(&measured.post),
        "peer": measured.peer.as_ref().map(times),
        "served_ms": ms(measured.served.median()),
        "main_over_node_ms": goals.main_over_node,
        "post_over_node_ms": goals.post_over_node,
        "main_times_node": measured.main.times(&measured.node),
        "post_times_node": measured.post.times(&measured.node),
        "variants": variants,
        "main_critical_path": path(goals.path),
        "post_critical_path": path(goals.post_path),
    });
    format!("{value:#}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(line: &str) -> Result<Options> {
        let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Options::parse(Args::new(&arguments))
    }

    #[test]
    fn options_have_values_in_their_units() {
        let parsed = options("--rtt-kms 150ms --tls --runs 7 --with a=b --with c=d=e").unwrap();
        assert_eq!(parsed.runs, 7);
        assert!(parsed.setting.tls && !parsed.json && parsed.peer.is_none());
        assert_eq!(
            parsed.setting.round_trips,
            Some((Duration::from_millis(150), Duration::ZERO))
        );
        assert_eq!(
            parsed.setting.with,
            [("a", "b"), ("c", "d=e")].map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
    }

    #[test]
    fn a_further_main_keeps_the_usual_inputs_and_adds_its_own() {
        let parsed = options("--with a=b --also c=d --also e=f --hang-first-key").unwrap();
        let variants = Variant::all(&parsed);
        let set: Vec<(usize, bool)> = variants
            .iter()
            .map(|variant| (variant.setting.with.len(), variant.setting.hang_first_key))
            .collect();
        assert_eq!(set, [(2, false), (2, false), (1, true)]);
        assert!(Variant::all(&options("--with a=b").unwrap()).is_empty());
    }

    #[test]
    fn malformed_options_are_refused() {
        for line in [
            "--runs 0",
            "--runs x",
            "--rtt-kms 150",
            "--with a",
            "--also a",
            "--fast",
        ] {
            assert!(options(line).is_err(), "{line}");
        }
    }
}
