//! GitHub's REST API, as far as a token needs it: whose installation, a token of it, its end, the name
//! of the bot.
//!
//! This module has what the requests share: the base URL, the headers, what may be repeated, and what
//! GitHub's refusals mean. See "REST API endpoints for GitHub Apps" in GitHub's documentation.

pub mod app;
pub mod identity;
pub mod installation;
pub mod token;

use crate::error::{Error, Problem, Result, problem, words};
use crate::http::client::{Call, Client, LONGEST_WAIT, Limits, Verdict};
use crate::http::url::Url;
use crate::http::{Method, Request, Response};
use crate::secret::Secret;
use serde_json::Value;
use std::fmt;
use std::time::Duration;

/// The version of the API that the requests are written for; GitHub Enterprise Server knows it since 3.9.
const API_VERSION: &str = "2022-11-28";

/// GitHub refuses requests that do not say who sends them.
const USER_AGENT: &str = concat!("app-token/", env!("CARGO_PKG_VERSION"));

/// What GitHub's documentation says to wait after a rate limit that names no time.
const UNNAMED_WAIT: Duration = Duration::from_secs(60);

/// The base URL of the API, such as `https://api.github.com`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiUrl(Url);

impl ApiUrl {
    /// Reads `github-api-url`: https (plain http for loopback alone), no credentials, query or fragment;
    /// a path is kept, a slash at its end is dropped.
    ///
    /// # Errors
    /// [`problem::API_URL_INVALID`]. The text is not repeated: it may hold credentials.
    pub fn parse(text: &str) -> Result<Self> {
        Url::parse_base(text.trim())
            .map(Self)
            .map_err(|error| Error::new(&problem::API_URL_INVALID, error.to_string()))
    }

    /// Where it is and what is below it.
    pub fn url(&self) -> &Url {
        &self.0
    }

    /// The host that people see in their browser: `github.com`, `SUB.ghe.com`, `HOST`.
    pub fn web_host(&self) -> &str {
        let host = &self.0.origin.host;
        host.strip_prefix("api.")
            .filter(|_| self.0.path.is_empty())
            .unwrap_or(host)
    }
}

impl fmt::Display for ApiUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// GitHub at one base URL.
#[derive(Clone, Copy)]
pub struct GitHub<'a> {
    /// What sends the requests.
    pub client: &'a Client,
    /// Where they go.
    pub api: &'a ApiUrl,
    /// How long and how often.
    pub limits: Limits,
}

/// What GitHub said other than yes.
#[derive(Debug)]
pub enum Refused {
    /// The JWT's times are not right by GitHub's clock, which is `ahead` seconds ahead of ours.
    Clock {
        /// Seconds; negative when GitHub's clock is behind.
        ahead: i64,
        /// The error, if it is not to be mended.
        error: Error,
    },
    /// This GitHub wants a number in `iss`.
    NumericIssuer(Error),
    /// The permissions that were asked for are not all granted.
    Permissions(Error),
    /// Not all repositories are within the installation's reach.
    Repositories(Error),
    /// Anything else.
    Other(Error),
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Clock { error, .. }
            | Refused::NumericIssuer(error)
            | Refused::Permissions(error)
            | Refused::Repositories(error)
            | Refused::Other(error) => error,
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Clock { error, .. }
        | Self::NumericIssuer(error)
        | Self::Permissions(error)
        | Self::Repositories(error)
        | Self::Other(error)) = self;
        error.fmt(f)
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

impl GitHub<'_> {
    /// Sends a request with this JWT or token, and returns whatever GitHub answers in the end.
    ///
    /// # Errors
    /// `network-*`.
    pub(crate) async fn send(
        &self,
        what: &'static str,
        method: Method,
        path: &str,
        bearer: &Secret,
        body: Option<&str>,
    ) -> Result<Response> {
        let authorization = Secret::new(format!("Bearer {}", bearer.expose()));
        let build = || {
            let request = Request::new(method, self.api.url().join(path))
                .header("accept", "application/vnd.github+json")
                .header("authorization", authorization.clone())
                .header("user-agent", USER_AGENT)
                .header("x-github-api-version", API_VERSION);
            Ok(match body {
                Some(body) => request.body("application/json", body),
                None => request,
            })
        };
        let call = Call {
            what,
            aws: false,
            limits: self.limits,
        };
        self.client
            .call(call, build, |response| self.judge(response))
            .await
    }

    /// What may pass: faults on GitHub's side, and rate limits that end soon.
    fn judge(&self, response: &Response) -> Verdict {
        match response.status {
            ..300 => Verdict::Answer,
            _ => self.judge_refusal(response),
        }
    }

    #[inline(never)]
    fn judge_refusal(&self, response: &Response) -> Verdict {
        let wait = match self.rate_limited(response) {
            Some(wait) if wait > LONGEST_WAIT => return Verdict::Answer,
            Some(wait) => Some(wait),
            None if response.status >= 500 => {
                retry_after(response).filter(|wait| *wait <= LONGEST_WAIT)
            }
            None => return Verdict::Answer,
        };
        Verdict::Passing {
            why: format!("{} {}", response.status, message(response)),
            wait,
        }
    }

    /// How long to wait, if the answer is about a rate limit. Any other 403 is a plain refusal.
    fn rate_limited(&self, response: &Response) -> Option<Duration> {
        let spent = response.header("x-ratelimit-remaining") == Some("0");
        let told = retry_after(response);
        let limited = response.status == 429
            || (response.status == 403
                && (spent
                    || told.is_some()
                    || message(response)
                        .to_ascii_lowercase()
                        .contains("rate limit")));
        if !limited {
            return None;
        }
        let reset = response
            .header("x-ratelimit-reset")
            .filter(|_| spent)
            .and_then(|at| at.parse::<i64>().ok());
        let now = response
            .date()
            .unwrap_or_else(|| self.client.host.clock.now())
            .seconds();
        let until_reset =
            || reset.map(|at| Duration::from_secs(at.saturating_sub(now).max(1) as u64));
        Some(told.or_else(until_reset).unwrap_or(UNNAMED_WAIT))
    }

    /// Reads a good answer.
    pub(crate) fn json(&self, response: &Response) -> Result<Value> {
        response.json().ok_or_else(|| self.unusable(response))
    }

    /// What a good answer is that is not of the shape expected.
    #[cold]
    pub(crate) fn unusable(&self, response: &Response) -> Error {
        Error::new(&problem::GITHUB_UNUSABLE, response.not_json()).at(self.api.to_string())
    }

    /// What a bad answer means. `not_found` is what a plain 404 means for this request.
    pub(crate) fn refusal(&self, response: &Response, not_found: Error) -> Refused {
        let (status, message) = (response.status, message(response));
        let detail = if message.is_empty() {
            status.to_string()
        } else {
            format!("{status}: {message}")
        };
        let error =
            |kind: &'static Problem| Error::new(kind, detail.clone()).at(self.api.to_string());
        if let Some(wait) = self.rate_limited(response) {
            let wait = i64::try_from(wait.as_secs()).unwrap_or(i64::MAX);
            let until = self.client.host.clock.now().plus(wait);
            return Refused::Other(
                error(&problem::GITHUB_RATE_LIMITED).advise(format!("It ends at {until}.")),
            );
        }
        if status >= 500 {
            return Refused::Other(error(&problem::GITHUB_UNAVAILABLE));
        }
        if (300..400).contains(&status) {
            let to = words(response.header("location").unwrap_or_default());
            return Refused::Other(
                Error::new(
                    &problem::GITHUB_UNUSABLE,
                    format!("{status}: it redirects to {to:?}, which is not followed"),
                )
                .at(self.api.to_string()),
            );
        }
        // GitHub's refusals are JSON with a message; anything else did not come from its API.
        if message.is_empty() || status < 300 {
            return Refused::Other(self.unusable(response));
        }
        let says = |text: &str| message.contains(text);
        match status {
            401 if says("claim ('iat')") || says("claim ('exp')") => {
                let error = error(&problem::APP_JWT_REFUSED);
                match response.date() {
                    Some(date) => Refused::Clock {
                        ahead: date.since(self.client.host.clock.now()),
                        error,
                    },
                    None => Refused::Other(error),
                }
            }
            401 if says("claim ('iss') must be an Integer") => {
                Refused::NumericIssuer(error(&problem::APP_JWT_REFUSED))
            }
            401 if says("could not be decoded") || says("must generate a public key") => {
                Refused::Other(error(&problem::APP_KEY_WRONG))
            }
            401 if says("Bad credentials") => Refused::Other(error(&problem::TOKEN_REFUSED)),
            401 => Refused::Other(error(&problem::APP_JWT_REFUSED)),
            403 if says("suspended") => Refused::Other(error(&problem::INSTALLATION_SUSPENDED)),
            404 if says("Integration not found") => Refused::Other(error(&problem::APP_UNKNOWN)),
            404 => Refused::Other(Error {
                detail: join(&not_found.detail, &detail),
                ..not_found.at(self.api.to_string())
            }),
            422 if says("permissions requested are not granted") => {
                Refused::Permissions(error(&problem::PERMISSION_NOT_GRANTED))
            }
            422 if says("repositor") && says("not accessible") => {
                Refused::Repositories(error(&problem::REPOSITORY_NOT_IN_INSTALLATION))
            }
            _ => Refused::Other(error(&problem::GITHUB_REQUEST_REFUSED)),
        }
    }
}

fn join(about: &str, detail: &str) -> String {
    if about.is_empty() {
        detail.to_owned()
    } else {
        format!("{about}: {detail}")
    }
}

/// `retry-after` in seconds; GitHub does not use its other form, a date.
fn retry_after(response: &Response) -> Option<Duration> {
    response
        .header("retry-after")?
        .trim()
        .parse()
        .ok()
        .map(Duration::from_secs)
}

/// GitHub's own words for what is wrong, with the details that some refusals carry.
fn message(response: &Response) -> String {
    let body = response.json().unwrap_or_default();
    let mut text = body["message"].as_str().unwrap_or_default().to_owned();
    for error in body["errors"].as_array().into_iter().flatten() {
        if let Some(detail) = error.as_str().or_else(|| error["message"].as_str()) {
            text.push_str("; ");
            text.push_str(detail);
        }
    }
    words(&text)
}
