//! `cargo demo`: the action's whole life on this machine, shown step by step.
//!
//! Nothing in it is staged: the sandbox checks signatures, times, scopes and permissions as the real
//! services do, and `dist/` runs as a runner would run it. What is shown is also checked, so the demo
//! fails when the action does.

mod http;

use std::time::Duration;

use app_token_runner::Entries;
use app_token_sandbox::{Call, Exchange, Service};

use crate::{
    args::Args,
    error::{Result, fail},
    log::{Kind, Log},
    paths,
    runner::{self, Ran},
    stage::{Setting, Stage},
    terminal::Style,
};

/// Runs the command.
///
/// # Errors
/// When there is no Node, or anything is other than it should be.
pub fn run(arguments: &[String]) -> Result<()> {
    Args::new(arguments).finish()?;
    let node = runner::node_version()?;
    let stage = Stage::start(&paths::root()?, &Setting::default())?;
    let show = Show {
        style: Style::of_stdout(),
    };

    show.introduction(&stage, &node);
    let bare = bare_node(&stage)?;

    show.heading(1, "main asks KMS for a signature and GitHub for a token");
    let main = show.step(&stage, "main.js", &Entries::default(), bare)?;
    let token = output(&main.ran, "token")?;
    show.outputs(&main);

    show.heading(2, "A later step of the job uses the token");
    show.use_token(&stage, &token, 200)?;

    show.heading(3, "post revokes the token when the job is over");
    let post = show.step(&stage, "post.js", &main.ran.state, bare)?;

    show.heading(4, "The token is dead");
    show.use_token(&stage, &token, 401)?;

    check(&main, &post, &token)?;
    show.end(&main, &post, bare);
    Ok(())
}

/// How long node itself takes: the middle one of three runs, after one to warm up.
fn bare_node(stage: &Stage) -> Result<Duration> {
    let nothing = stage.job.file("nothing.js", "")?;
    let run = || {
        stage
            .job
            .run(&nothing, &Entries::default())
            .map(|ran| ran.wall)
    };
    run()?;
    let mut walls = [run()?, run()?, run()?];
    walls.sort();
    let [_, middle, _] = walls;
    Ok(middle)
}

/// One of the action's two steps, run and recorded.
struct Step {
    ran: Ran,
    log: Log,
    exchanges: Vec<Exchange>,
}

impl Step {
    fn count(&self, service: Service) -> usize {
        let of_service = |one: &&Exchange| one.service == service;
        self.exchanges.iter().filter(of_service).count()
    }
}

/// What the demo shows must also be so.
fn check(main: &Step, post: &Step, token: &str) -> Result<()> {
    let calls: Vec<Call> = main.exchanges.iter().map(|one| one.call).collect();
    if calls != [Call::KmsSign, Call::Installation, Call::Mint] {
        return Err(fail(format!(
            "main made other calls than it should: {calls:?}"
        )));
    }
    if !post.exchanges.iter().any(|one| one.call == Call::Revoke) {
        return Err(fail("post did not revoke the token"));
    }
    if !main.log.masks.iter().any(|mask| mask == token) {
        return Err(fail("main did not mask the token"));
    }
    let leaked = [main, post]
        .iter()
        .flat_map(|step| step.log.lines.iter())
        .any(|line| line.text.contains(token));
    if leaked {
        return Err(fail("the token can be read in the log"));
    }
    Ok(())
}

fn output(ran: &Ran, name: &str) -> Result<String> {
    ran.outputs
        .get(name)
        .filter(|value| !value.is_empty())
        .map(str::to_owned)
        .ok_or_else(|| fail(format!("main set no output `{name}`")))
}

/// Everything that is printed.
struct Show {
    style: Style,
}

impl Show {
    fn introduction(&self, stage: &Stage, node: &str) {
        let style = self.style;
        println!(
            "{}",
            style.bold("A GitHub App token, and no private key in sight")
        );
        println!(
            "{}",
            style.dim("KMS and GitHub are played on this machine; no account is touched.")
        );
        println!();
        for (name, url, what) in [
            (
                "KMS",
                stage.sandbox.url(Service::Kms),
                "holds the App's key, checks SigV4 and who may sign",
            ),
            (
                "GitHub",
                stage.sandbox.url(Service::GitHub),
                "checks the App's JWT, scope and permissions",
            ),
        ] {
            println!(
                "  {name:<8}{} {}",
                style.cyan(format_args!("{url:<24}")),
                style.dim(what)
            );
        }
        println!(
            "  {:<8}{} {}",
            "runner",
            style.cyan(format_args!("node {node:<19}")),
            style.dim("runs dist/ as GitHub's runner does",)
        );
        println!();
        println!("  {}", style.dim("with:"));
        for (name, value) in &stage.with {
            println!("    {name}: {}", style.cyan(value));
        }
    }

    fn heading(&self, number: u32, text: &str) {
        println!("\n{} {}", self.style.cyan(number), self.style.bold(text));
    }

    /// Runs one of the action's scripts, and shows its log and its requests.
    fn step(&self, stage: &Stage, script: &str, state: &Entries, bare: Duration) -> Result<Step> {
        let before = stage.sandbox.requests().len();
        let start = stage.started.elapsed();
        let ran = stage.job.run(&stage.script(script), state)?;
        let step = Step {
            log: Log::read(&ran.stdout),
            exchanges: stage.exchanges_after(before),
            ran,
        };

        self.log(&step);
        self.requests(&step.exchanges, start);
        if !step.ran.success {
            return Err(fail(format!("dist/{script} failed")));
        }
        println!(
            "  {} done in {:.0} ms, {:.0} ms over bare node",
            self.style.green("ok"),
            ms(step.ran.wall),
            ms(step.ran.wall.saturating_sub(bare)),
        );
        Ok(step)
    }

    fn log(&self, step: &Step) {
        let style = self.style;
        println!("  {}", style.dim("log"));
        for line in &step.log.lines {
            for text in line.text.lines().flat_map(folded) {
                match line.kind {
                    Kind::Plain => println!("    {text}"),
                    Kind::Notice => println!("    {}", style.cyan(text)),
                    Kind::Warning => println!("    {}", style.yellow(text)),
                    Kind::Error => println!("    {}", style.red(text)),
                }
            }
        }
        for text in step.log.mask(&step.ran.stderr).lines() {
            println!("    {}", style.red(text));
        }
    }

    fn requests(&self, exchanges: &[Exchange], start: Duration) {
        let style = self.style;
        println!(
            "  {}",
            style.dim(format_args!(
                "{:<59} {:>8} {:>8}",
                "requests", "at", "answered"
            ))
        );
        for exchange in exchanges {
            let service = match exchange.service {
                Service::Kms => "KMS",
                Service::GitHub => "GitHub",
                Service::Sts => "STS",
                Service::Oidc => "OIDC",
                Service::Metadata => "metadata",
                Service::Proxy => "proxy",
            };
            let request = match exchange.header("x-amz-target") {
                // All of KMS is one path; the operation stands in a header.
                Some(target) => target.rsplit('.').next().unwrap_or(target).to_owned(),
                None => format!("{} {}", exchange.method, exchange.path),
            };
            let at = format!("{:.0} ms", ms(exchange.started.saturating_sub(start)));
            let took = exchange.finished.map_or_else(String::new, |end| {
                format!("{:.1} ms", ms(end.saturating_sub(exchange.started)))
            });
            println!(
                "    {} {service:<7} {request:<45} {}",
                self.status(exchange.status),
                style.dim(format_args!("{at:>8} {took:>8}")),
            );
        }
    }

    fn status(&self, status: Option<u16>) -> String {
        let text = status.map_or_else(|| "---".to_owned(), |status| status.to_string());
        match status {
            Some(200..=299) => self.style.green(text).to_string(),
            _ => self.style.red(text).to_string(),
        }
    }

    fn outputs(&self, main: &Step) {
        println!("  {}", self.style.dim("outputs"));
        for (name, value) in main.ran.outputs.iter() {
            if value.is_empty() {
                continue;
            }
            let shown = main.log.mask(value);
            let note = if name == "token" {
                format!("  ({} characters, masked)", value.len())
            } else {
                String::new()
            };
            println!(
                "    {name}: {}{}",
                self.style.cyan(shown),
                self.style.dim(note)
            );
        }
    }

    /// Asks which repositories the token reaches.
    fn use_token(&self, stage: &Stage, token: &str, wanted: u16) -> Result<()> {
        let path = "/installation/repositories";
        let answer = http::read(&stage.sandbox.url(Service::GitHub), path, token)?;
        let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap_or_default();
        let said = match body.get("repositories").and_then(|list| list.as_array()) {
            Some(list) => list
                .iter()
                .filter_map(|one| one.get("full_name").and_then(|name| name.as_str()))
                .collect::<Vec<_>>()
                .join(", "),
            None => body
                .get("message")
                .and_then(|message| message.as_str())
                .unwrap_or_default()
                .to_owned(),
        };
        let status = self.status(Some(answer.status));
        println!(
            "    {status} {:<7} {:<45} {said}",
            "GitHub",
            format!("GET {path}")
        );
        if answer.status != wanted {
            return Err(fail(format!(
                "the token's use answered {}, not {wanted}",
                answer.status
            )));
        }
        let meaning = if wanted == 200 {
            "it works"
        } else {
            "it is refused"
        };
        println!("  {} {meaning}", self.style.green("ok"));
        Ok(())
    }

    fn end(&self, main: &Step, post: &Step, bare: Duration) {
        println!(
            "\n{} {} KMS call and {} GitHub calls for the token, {} to revoke it; main {:.0} ms, \
             post {:.0} ms, bare node {:.0} ms",
            self.style.green("ok"),
            main.count(Service::Kms),
            main.count(Service::GitHub),
            post.count(Service::GitHub),
            ms(main.ran.wall),
            ms(post.ran.wall),
            ms(bare),
        );
    }
}

/// A line of the log in parts that fit a terminal of 80 columns, those after the first set in.
fn folded(text: &str) -> Vec<String> {
    const WIDTH: usize = 76;
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) => lines.push(format!(" {word}")),
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_folded_at_words_and_lose_none() {
        assert_eq!(folded("a b"), ["a b"]);
        assert_eq!(folded(""), [""]);
        let (one, other) = ("x".repeat(50), "y".repeat(90));
        let text = format!("{one} {one} {other} z");
        let lines = folded(&text);
        assert_eq!(lines.len(), 4);
        let back: Vec<&str> = lines.iter().map(|line| line.trim_start()).collect();
        assert_eq!(back.join(" "), text);
    }
}
