//! What makes a request safe to rely on: deadlines, retries, redirects, and a line in the log for each.
//!
//! What may be repeated is decided by whoever calls, answer by answer ([`Verdict`]); how often and how
//! long is decided here, once for all.

use super::network::Network;
use super::url::{Origin, Url};
use super::{BODY_LIMIT, Fault, FaultKind, Method, Request, Response, Route};
use crate::error::{Error, Problem, Result, problem, words};
use crate::host::Host;
use futures_util::future::{Either, LocalBoxFuture, select};
use std::pin::pin;
use std::time::Duration;

/// How long and how often.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The longest that one try may take.
    pub per_try: Duration,
    /// The longest that a call may take with all its tries. A wait that the server asked for
    /// (`retry-after`) comes on top.
    pub per_call: Duration,
    /// The longest that all calls of this client may take together.
    pub overall: Duration,
    /// How many tries at the most.
    pub tries: u32,
}

impl Limits {
    /// For making a token. A server that never answers ends in an error within 60 s (four tries of
    /// 10 s and their pauses); a rate limit may be waited out, which the overall bound allows once or
    /// twice.
    pub const MINT: Self = Self {
        per_try: Duration::from_secs(10),
        per_call: Duration::from_secs(50),
        overall: Duration::from_secs(180),
        tries: 4,
    };

    /// For revoking one, when the job is over and somebody waits for its end.
    pub const REVOKE: Self = Self {
        per_try: Duration::from_secs(10),
        per_call: Duration::from_secs(30),
        overall: Duration::from_secs(45),
        tries: 4,
    };

    /// The same with this many tries.
    #[must_use]
    pub const fn tries(self, tries: u32) -> Self {
        Self { tries, ..self }
    }

    /// The same with this bound on each try.
    #[must_use]
    pub const fn per_try(self, per_try: Duration) -> Self {
        Self { per_try, ..self }
    }
}

/// The pause before the second try; it doubles from try to try, and each is shortened by up to half at
/// random, so that jobs that failed together do not come back together.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The longest wait that a server may ask for. Beyond it a job is better off failing with the time in
/// its error.
pub const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// How long one region is waited for before the next is asked as well. A call to AWS takes some 20 ms
/// within a region and 300 ms around the world.
pub const HEDGE: Duration = Duration::from_secs(3);

/// GitHub redirects a renamed repository once; more than a few are a loop.
const MOST_REDIRECTS: u32 = 3;

/// What an answer means for the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is the answer, good or bad.
    Answer,
    /// It will pass: worth another try.
    Passing {
        /// What it was, for the log.
        why: String,
        /// How long the server wants to be left alone, if it said so.
        wait: Option<Duration>,
    },
}

/// What is common to the tries of one call.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// What it does, for the log and for errors: `KMS Sign`.
    pub what: &'static str,
    /// Whether AWS is asked, for `AWS_CA_BUNDLE`.
    pub aws: bool,
    /// How long and how often.
    pub limits: Limits,
}

/// Sends requests through the host's transport.
pub struct Client {
    /// All that may be reached.
    pub host: Host,
    network: Network,
    started: Duration,
}

impl Client {
    /// A client whose overall bound starts now.
    ///
    /// # Errors
    /// [`problem::PROXY_INVALID`] and [`problem::CA_BUNDLE_UNREADABLE`].
    pub fn new(host: Host) -> Result<Self> {
        let network = Network::read(&*host.env, &*host.files, &*host.log)?;
        Ok(Self::with(host, network))
    }

    /// A client for nothing but `origin`, which is none of AWS's. What does not matter for that may be out
    /// of order, and a file of certificates that is gone is left out, with a warning: the steps of a job
    /// change its environment, and a token has to be revoked all the same.
    ///
    /// # Errors
    /// [`problem::PROXY_INVALID`] for the proxy on the way.
    pub fn for_one(host: Host, origin: &Origin) -> Result<Self> {
        let network = Network::read_for(origin, &*host.env, &*host.files, &*host.log)?;
        Ok(Self::with(host, network))
    }

    fn with(host: Host, network: Network) -> Self {
        let started = host.clock.monotonic();
        Self {
            host,
            network,
            started,
        }
    }

    /// Time since the client was made.
    pub fn elapsed(&self) -> Duration {
        self.host.clock.monotonic().saturating_sub(self.started)
    }

    /// Names every origin that will be asked, before the first request; the transport refuses all others,
    /// but for the proxies on the way to these.
    pub fn permit(&self, origins: Vec<(Origin, bool)>) {
        let mut permitted = Vec::new();
        for (origin, aws) in origins {
            permitted.extend(
                self.network
                    .route(&origin, aws)
                    .proxy
                    .map(|proxy| proxy.origin),
            );
            permitted.push(origin);
        }
        self.host.transport.permit(&permitted);
    }

    /// Opens a connection ahead of need.
    pub fn connect(&self, origin: &Origin, aws: bool) {
        self.host
            .transport
            .connect(origin, &self.network.route(origin, aws));
    }

    /// Makes the call: builds and sends the request, again if need be, until `judge` takes an answer.
    /// `build` runs for each try, since a signature holds the time.
    ///
    /// # Errors
    /// What `build` gives; `network-*` and [`problem::ANSWER_TOO_LARGE`] when there was no answer. An
    /// answer that was still passing after the last try is returned as it is.
    pub async fn call(
        &self,
        call: Call,
        build: impl Fn() -> Result<Request>,
        judge: impl Fn(&Response) -> Verdict,
    ) -> Result<Response> {
        self.boxed(call, &build, &judge).await
    }

    /// The same for every caller, and boxed, so that the module holds it once.
    fn boxed<'a>(
        &'a self,
        call: Call,
        build: &'a dyn Fn() -> Result<Request>,
        judge: &'a dyn Fn(&Response) -> Verdict,
    ) -> LocalBoxFuture<'a, Result<Response>> {
        Box::pin(self.tries(call, build, judge))
    }

    async fn tries(
        &self,
        call: Call,
        build: &dyn Fn() -> Result<Request>,
        judge: &dyn Fn(&Response) -> Verdict,
    ) -> Result<Response> {
        let limits = call.limits;
        let mut deadline = (self.elapsed() + limits.per_call).min(limits.overall);
        let mut tried = 0;
        loop {
            let outcome = self.follow(call, build()?, deadline).await;
            tried += 1;
            let (why, wait) = match &outcome {
                Ok(response) => match timed_out(response).unwrap_or_else(|| judge(response)) {
                    Verdict::Answer => {
                        return outcome.map_err(|never| self.error(call, never, tried));
                    }
                    Verdict::Passing { why, wait } => (why, wait),
                },
                Err(Refusal { fault, .. }) => match fault.kind {
                    FaultKind::Broken | FaultKind::Timeout => (fault.words.clone(), None),
                    _ => return outcome.map_err(|refusal| self.error(call, refusal, tried)),
                },
            };
            let pause = wait.unwrap_or_else(|| self.pause(tried));
            // A wait that the server asked for does not use up the time that the tries have.
            let until = if wait.is_some() {
                (deadline + pause).min(limits.overall)
            } else {
                deadline
            };
            if tried >= limits.tries || self.elapsed() + pause >= until {
                return outcome.map_err(|refusal| self.error(call, refusal, tried));
            }
            deadline = until;
            self.tell_again(call, &why, tried, pause);
            self.host.clock.sleep(pause).await;
        }
    }

    /// One try, redirects included.
    async fn follow(
        &self,
        call: Call,
        mut request: Request,
        deadline: Duration,
    ) -> Result<Response, Refusal> {
        let mut redirects = 0;
        loop {
            let response = self.once(call, &request, deadline).await?;
            match new_place(&request, &response) {
                Some(url) if redirects < MOST_REDIRECTS => {
                    redirects += 1;
                    request.url = url;
                }
                _ => return Ok(response),
            }
        }
    }

    /// One request and its answer, in time or not at all.
    async fn once(
        &self,
        call: Call,
        request: &Request,
        deadline: Duration,
    ) -> Result<Response, Refusal> {
        let route = self.network.route(&request.url.origin, call.aws);
        let begun = self.elapsed();
        let allowed = call.limits.per_try.min(deadline.saturating_sub(begun));
        let answer = pin!(self.host.transport.send(request, &route));
        let outcome = match select(answer, self.host.clock.sleep(allowed)).await {
            Either::Left((Ok(response), _)) if response.body.len() > BODY_LIMIT => Err(Fault {
                kind: FaultKind::TooLarge,
                words: String::new(),
            }),
            Either::Left((outcome, _)) => outcome,
            Either::Right(_) => Err(Fault {
                kind: FaultKind::Timeout,
                words: no_answer(allowed),
            }),
        };
        if self.host.log.debugging() {
            self.tell(call.what, request, &route, &outcome, self.elapsed() - begun);
        }
        outcome.map_err(|fault| Refusal {
            fault,
            origin: request.url.origin.clone(),
        })
    }

    /// The line for another try.
    #[inline(never)]
    fn tell_again(&self, call: Call, why: &str, tried: u32, pause: Duration) {
        let tenths = milliseconds(pause + Duration::from_millis(50)) / 100;
        self.host.log.info(&format!(
            "{}: {}; try {} of {} in {}.{} s",
            call.what,
            words(why),
            tried + 1,
            call.limits.tries,
            tenths / 10,
            tenths % 10,
        ));
    }

    /// The line for the debug log.
    #[inline(never)]
    fn tell(
        &self,
        what: &str,
        request: &Request,
        route: &Route,
        outcome: &Result<Response, Fault>,
        took: Duration,
    ) {
        let via = route.proxy.as_ref().map(|proxy| format!(" via {proxy:?}"));
        let told = match outcome {
            Ok(response) => format!("{response:?}{}", request_id(response)),
            Err(fault) => format!("{:?}: {}", fault.kind, words(&fault.words)),
        };
        self.host.log.debug(&format!(
            "{what}: {request:?}{} -> {told}, {} ms",
            via.unwrap_or_default(),
            milliseconds(took),
        ));
    }

    #[inline(never)]
    fn pause(&self, tried: u32) -> Duration {
        let mut byte = [0];
        self.host.random.fill(&mut byte);
        let full = FIRST_PAUSE * 2u32.saturating_pow(tried - 1);
        full.mul_f64(0.5 + f64::from(byte[0]) / 510.0)
    }

    #[inline(never)]
    fn error(&self, call: Call, refusal: Refusal, tried: u32) -> Error {
        let Refusal { fault, origin } = refusal;
        let kind: &'static Problem = match fault.kind {
            FaultKind::Broken => &problem::NETWORK_UNREACHABLE,
            FaultKind::Tls => &problem::NETWORK_TLS,
            FaultKind::Proxy => &problem::NETWORK_PROXY,
            FaultKind::TooLarge => &problem::ANSWER_TOO_LARGE,
            FaultKind::CaBundle => &problem::CA_BUNDLE_UNREADABLE,
            FaultKind::Timeout => &problem::NETWORK_TIMEOUT,
            FaultKind::Forbidden => &problem::INTERNAL,
        };
        let detail = match fault.words.as_str() {
            "" => call.what.to_owned(),
            text => format!("{}: {}", call.what, words(text)),
        };
        let error = Error::new(kind, detail).at(origin.to_string());
        if tried > 1 {
            error.because(format!("tried {tried} times"))
        } else {
            error
        }
    }
}

/// Whole milliseconds. Fits 64 bits for half a billion years.
pub fn milliseconds(duration: Duration) -> u64 {
    duration.as_secs() * 1000 + u64::from(duration.subsec_millis())
}

/// A try that got no answer, and where it was sent.
struct Refusal {
    fault: Fault,
    origin: Origin,
}

/// The request's name on the other side, for the debug log.
fn request_id(response: &Response) -> String {
    ["x-amzn-requestid", "x-github-request-id"]
        .iter()
        .find_map(|name| response.header(name))
        .map(|id| format!(" [{}]", words(id)))
        .unwrap_or_default()
}

/// Some servers say 408 on a connection that was opened ahead and carried nothing for a while. It is no
/// answer to what was asked since, and may be asked again on another one (RFC 9110, section 15.5.9).
fn timed_out(response: &Response) -> Option<Verdict> {
    (response.status == 408).then(|| Verdict::Passing {
        why: "408, which a server says on a connection that was idle".to_owned(),
        wait: None,
    })
}

#[inline(never)]
fn no_answer(allowed: Duration) -> String {
    let seconds = milliseconds(allowed).div_ceil(1000);
    format!("no answer within {seconds} s")
}

/// Where the answer says that it is to be had, if that may be followed.
fn new_place(request: &Request, response: &Response) -> Option<Url> {
    let moved = matches!(response.status, 301 | 302 | 307 | 308);
    if !moved || request.method != Method::Get {
        return None;
    }
    same_origin(&request.url, response.header("location")?)
}

/// Where a redirect leads, if it stays at the origin.
#[inline(never)]
fn same_origin(from: &Url, location: &str) -> Option<Url> {
    let to = if location.starts_with('/') && !location.starts_with("//") {
        Url::parse(&format!("{}{location}", from.origin))
    } else {
        Url::parse(location)
    };
    to.ok().filter(|to| to.origin == from.origin)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Script, block_on, broken, response};

    const CALL: Call = Call {
        what: "Test",
        aws: false,
        limits: Limits::MINT,
    };

    fn run(script: &Script) -> Result<Response> {
        let client = Client::new(script.host()).unwrap();
        let url = Url::parse("https://api.github.com/start").unwrap();
        let judge = |response: &Response| match response.status {
            500.. => Verdict::Passing {
                why: response.status.to_string(),
                wait: response
                    .header("retry-after")
                    .and_then(|s| s.parse().ok())
                    .map(Duration::from_secs),
            },
            _ => Verdict::Answer,
        };
        block_on(client.call(CALL, || Ok(Request::new(Method::Get, url.clone())), judge))
    }

    #[test]
    fn passing_faults_are_tried_four_times_with_growing_pauses() {
        let script = Script::new([
            broken("ECONNRESET"),
            Ok(response(503, "")),
            Ok(response(408, "")),
            Ok(response(200, "x")),
        ]);
        assert_eq!(run(&script).unwrap().status, 200);
        let slept = script.slept();
        assert_eq!(slept.len(), 3);
        for (pause, most) in slept.iter().zip([500, 1000, 2000]) {
            assert!(
                (most / 2..=most).contains(&(pause.as_millis() as u64)),
                "{pause:?}"
            );
        }
        assert_eq!(script.infos().len(), 3);
        assert!(script.infos()[0].starts_with("Test: ECONNRESET; try 2 of 4 in "));
    }

    #[test]
    fn the_fourth_failure_is_the_last() {
        let script = Script::new([
            broken("a"),
            broken("b"),
            broken("c"),
            broken("ECONNREFUSED: no"),
        ]);
        let error = run(&script).unwrap_err();
        assert!(error.is(&problem::NETWORK_UNREACHABLE));
        assert_eq!(error.detail, "Test: ECONNREFUSED: no");
        assert_eq!(error.causes, ["tried 4 times"]);
    }

    #[test]
    fn final_faults_are_not_repeated() {
        for (kind, expected) in [
            (FaultKind::Tls, &problem::NETWORK_TLS),
            (FaultKind::Proxy, &problem::NETWORK_PROXY),
            (FaultKind::TooLarge, &problem::ANSWER_TOO_LARGE),
            (FaultKind::CaBundle, &problem::CA_BUNDLE_UNREADABLE),
        ] {
            let script = Script::new([Err(Fault {
                kind,
                words: "w".into(),
            })]);
            assert!(run(&script).unwrap_err().is(expected));
        }
    }

    #[test]
    fn a_server_that_never_answers_ends_within_a_minute() {
        let script = Script::silent();
        let error = run(&script).unwrap_err();
        assert!(error.is(&problem::NETWORK_TIMEOUT), "{error}");
        assert!(
            script.elapsed() <= Duration::from_secs(60),
            "{:?}",
            script.elapsed()
        );
    }

    #[test]
    fn a_wait_that_the_server_asks_for_is_kept() {
        let mut busy = response(503, "");
        busy.headers.push(("retry-after".into(), "58".into()));
        let script = Script::new([Ok(busy), Ok(response(200, ""))]);
        assert_eq!(run(&script).unwrap().status, 200);
        assert_eq!(script.slept(), [Duration::from_secs(58)]);
    }

    #[test]
    fn redirects_stay_at_the_origin_and_end() {
        let to = |location: &str| {
            let mut answer = response(301, "");
            answer.headers.push(("location".into(), location.into()));
            Ok(answer)
        };
        let script = Script::new([
            to("/a"),
            to("https://api.github.com/b"),
            Ok(response(200, "")),
        ]);
        assert_eq!(run(&script).unwrap().status, 200);
        assert_eq!(
            script.urls()[1..],
            ["https://api.github.com/a", "https://api.github.com/b"]
        );
        for elsewhere in [
            "https://evil.example/",
            "//evil.example/",
            "http://api.github.com/",
            "nonsense",
        ] {
            let script = Script::new([to(elsewhere)]);
            assert_eq!(run(&script).unwrap().status, 301, "{elsewhere}");
        }
        let script = Script::new([to("/a"), to("/a"), to("/a"), to("/a")]);
        assert_eq!(run(&script).unwrap().status, 301);
    }
}
