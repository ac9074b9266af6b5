//! What one sandbox knows: its options, its world, its clocks, and what has happened so far.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::call::Service;
use crate::codec::{base64url, random_bytes};
use crate::fault::Faults;
use crate::http::{Answer, Request};
use crate::keys::{PrivateKey, RFC_7517};
use crate::proxy::Hosts;
use crate::record::{Exchange, ImportToken, Minted};
use crate::time::Clock;
use crate::tls::Tls;
use crate::world::World;

/// The form of GitHub's installation tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TokenForm {
    /// `ghs_APPID_` and a signed token: about 520 characters with two dots, `-` and `_`; GitHub.com
    /// since 2026.
    #[default]
    Long,
    /// `ghs_` and 36 characters: GitHub Enterprise Server.
    Short,
}

/// How the sandbox was asked to be.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) token_form: TokenForm,
    /// Empty, or `/api/v3`.
    pub(crate) github_base: String,
    /// Does GitHub demand a number in `iss`?
    pub(crate) integer_issuer: bool,
    /// How many requests with a fresh token fail.
    pub(crate) usable_after: u32,
    /// The most recent first.
    pub(crate) api_versions: Vec<String>,
    /// User and password that the proxy demands.
    pub(crate) proxy_credentials: Option<(String, String)>,
    pub(crate) hosts: Hosts,
}

/// A mutex is good for use after a panic elsewhere, too: a test may have failed on purpose.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) struct State {
    pub(crate) options: Options,
    pub(crate) tls: Option<Tls>,
    pub(crate) github_clock: Clock,
    pub(crate) aws_clock: Clock,
    pub(crate) faults: Mutex<Faults>,
    /// The key that the OIDC issuer publishes.
    pub(crate) oidc_key: PrivateKey,
    /// What the runner gives a job to ask for ID tokens with.
    pub(crate) oidc_request_token: String,
    /// What EKS gives a pod to ask for credentials with.
    pub(crate) container_token: String,
    /// Import tokens that KMS gave out.
    pub(crate) import_tokens: Mutex<Vec<ImportToken>>,
    /// Tokens of the instance metadata service, and when they end.
    pub(crate) metadata_tokens: Mutex<Vec<(String, i64)>>,
    /// Seconds since the epoch.
    pub(crate) started: i64,
    epoch: Instant,
    world: Mutex<World>,
    tokens: Mutex<Vec<Minted>>,
    /// With a number each, which outlives the forgetting of those before it.
    exchanges: Mutex<Vec<(u64, Exchange)>>,
    exchange_count: AtomicU64,
    /// Values with their names.
    secrets: Mutex<BTreeMap<String, String>>,
}

impl State {
    pub(crate) fn new(
        options: Options,
        world: World,
        tls: Option<Tls>,
        github_offset: i64,
        aws_offset: i64,
    ) -> Self {
        Self {
            options,
            tls,
            github_clock: Clock::new(github_offset),
            aws_clock: Clock::new(aws_offset),
            faults: Mutex::default(),
            oidc_key: PrivateKey::published(&RFC_7517),
            oidc_request_token: base64url(&random_bytes(96)),
            container_token: base64url(&random_bytes(48)),
            import_tokens: Mutex::default(),
            metadata_tokens: Mutex::default(),
            started: Clock::default().now(),
            epoch: Instant::now(),
            world: Mutex::new(world),
            tokens: Mutex::default(),
            exchanges: Mutex::default(),
            exchange_count: AtomicU64::new(0),
            secrets: Mutex::default(),
        }
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }

    pub(crate) fn tokens(&self) -> MutexGuard<'_, Vec<Minted>> {
        lock(&self.tokens)
    }

    pub(crate) fn exchanges(&self) -> Vec<Exchange> {
        lock(&self.exchanges)
            .iter()
            .map(|(_, exchange)| exchange.clone())
            .collect()
    }

    pub(crate) fn forget_exchanges(&self) {
        lock(&self.exchanges).clear();
    }

    /// How long ago the sandbox started.
    pub(crate) fn age(&self) -> Duration {
        self.epoch.elapsed()
    }

    /// Seconds since the epoch on that service's clock.
    pub(crate) fn now(&self, service: Service) -> i64 {
        match service {
            Service::GitHub => self.github_clock.now(),
            Service::Kms | Service::Sts => self.aws_clock.now(),
            Service::Oidc | Service::Metadata | Service::Proxy => Clock::default().now(),
        }
    }

    /// TLS for the services that speak it: metadata and proxy do not, in the real world either.
    pub(crate) fn tls_for(&self, service: Service) -> Option<&Tls> {
        match service {
            Service::GitHub | Service::Kms | Service::Sts | Service::Oidc => self.tls.as_ref(),
            Service::Metadata | Service::Proxy => None,
        }
    }

    /// Scheme and host of a service as the client named them.
    pub(crate) fn origin(&self, service: Service, request: &Request) -> String {
        let scheme = if self.tls_for(service).is_some() {
            "https"
        } else {
            "http"
        };
        format!("{scheme}://{}", request.header("host").unwrap_or_default())
    }

    /// The URL that the request asked for.
    pub(crate) fn own_url(&self, service: Service, request: &Request) -> String {
        self.origin(service, request) + &request.target
    }

    /// Keeps an exchange that has begun and returns its number.
    pub(crate) fn record(&self, exchange: Exchange) -> u64 {
        let number = self.exchange_count.fetch_add(1, Ordering::SeqCst);
        lock(&self.exchanges).push((number, exchange));
        number
    }

    fn with_exchange(&self, number: u64, change: impl FnOnce(&mut Exchange)) {
        let mut exchanges = lock(&self.exchanges);
        if let Some((_, exchange)) = exchanges.iter_mut().find(|(known, _)| *known == number) {
            change(exchange);
        }
    }

    /// Notes what is about to be sent.
    pub(crate) fn answered(&self, number: u64, answer: &Answer) {
        self.with_exchange(number, |exchange| {
            exchange.status = Some(answer.status);
            exchange.answer_headers.clone_from(&answer.headers);
            exchange.answer_body.clone_from(&answer.body);
        });
    }

    /// Notes that an exchange is over.
    pub(crate) fn finish(&self, number: u64) {
        let age = self.age();
        self.with_exchange(number, |exchange| exchange.finished = Some(age));
    }

    /// Did the answer that carries a token go out whole?
    pub(crate) fn delivered(&self, answer: &Answer, whole: bool) {
        if let Some(place) = answer.minted
            && let Some(token) = self.tokens().get_mut(place)
        {
            token.delivered = whole;
        }
    }

    /// Keeps a secret for [`crate::Sandbox::secrets`].
    pub(crate) fn secret(&self, name: &str, value: &str) {
        if !value.is_empty() {
            lock(&self.secrets)
                .entry(value.to_owned())
                .or_insert_with(|| name.to_owned());
        }
    }

    pub(crate) fn secrets(&self) -> Vec<(String, String)> {
        lock(&self.secrets)
            .iter()
            .map(|(value, name)| (name.clone(), value.clone()))
            .collect()
    }

    /// Keeps the secrets that a request brings.
    pub(crate) fn note_secrets(&self, service: Service, request: &Request) {
        let authorization = request.header("authorization").unwrap_or_default();
        if let Some((scheme, value)) = authorization.split_once(' ')
            && (scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("token"))
        {
            let name = if service == Service::GitHub {
                "GitHub credential"
            } else {
                "bearer token"
            };
            self.secret(name, value.trim());
            // Whoever has the signature and can guess the claims has the token.
            if service == Service::GitHub && value.matches('.').count() == 2 {
                self.secret(
                    "JWT signature",
                    value.rsplit('.').next().unwrap_or_default(),
                );
            }
        }
        if let Some((_, value)) = request
            .header("proxy-authorization")
            .and_then(|field| field.split_once(' '))
        {
            self.secret("proxy credentials", value);
        }
        if let Some(token) = request.header("x-amz-security-token") {
            self.secret("session token", token);
        }
    }
}
