//! A sandbox: AWS KMS and STS, the runner's OIDC endpoint, metadata services, a forward proxy and
//! GitHub on loopback ports of this process, strict about everything they are sent, and with faults
//! on demand. It needs no network and shares no code with what it tests.
//!
//! ```
//! use app_token_sandbox::{Call, Fault, Sandbox, When, world};
//!
//! let sandbox = Sandbox::start()?;
//! // The first look-up of an installation is answered with status 503.
//! sandbox.fault(Call::Installation, When::First(1), Fault::html(503));
//! // The organisation granted less than usual.
//! sandbox.change(|world| {
//!     world.installation(world::ORG_INSTALLATION).permissions = world::permissions(&[("metadata", "read")]);
//! });
//! // What a job's environment must hold to use the sandbox.
//! for (name, _value) in sandbox.env() {
//!     assert!(!name.is_empty());
//! }
//! // ... run something against it, then look at what it did:
//! for exchange in sandbox.requests() {
//!     println!("{exchange:?}");
//! }
//! assert!(sandbox.tokens().is_empty());
//! # std::io::Result::Ok(())
//! ```
//!
//! - [`world`] has the names and numbers of the default world, and the types to change it.
//! - [`Builder`] has the options: TLS, clocks, the form of tokens, the base path of GitHub's API.
//! - [`Fault`] and [`When`] say what goes wrong, and for which of the calls ([`Call`]).
//! - [`Sandbox::requests`], [`Sandbox::tokens`] and [`Sandbox::secrets`] tell what happened.
//!
//! # What it is sure of
//!
//! Shapes of answers follow GitHub's OpenAPI description and AWS's API references; most messages are
//! the services' own words. Where neither says anything, the sandbox takes the stricter reading:
//! the order in which several faults of one request are judged, the words of KMS about imports that
//! do not fit, that a key must be enabled to be replicated, that a new replica stays `Creating` for
//! two calls, the exact form of the immutable `sub`, and that `iat` may not be a second ahead. An
//! empty list of repositories narrows a token to nothing; an empty object of permissions to
//! `metadata` alone.
//!
//! Dropping the sandbox closes its ports, ends whatever hangs, and joins its threads.
//!
//! Inside, imports point one way: the world and what is remembered of it (`record`, `state`); a module
//! for each service; `dispatch`, which knows them all; `server`, which reads and writes sockets.

mod aws;
mod call;
mod codec;
mod dispatch;
mod fault;
mod github;
mod http;
mod jwt;
mod keys;
mod kms;
mod metadata;
mod oidc;
mod policy;
mod proxy;
mod record;
mod server;
mod sigv4;
mod state;
mod sts;
#[cfg(test)]
mod tests;
mod time;
mod tls;
pub mod world;

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

pub use call::{Call, Service};
pub use fault::{Fault, When};
pub use keys::{PrivateKey, PublicKey};
pub use record::{Exchange, Token, TokenState};
pub use state::TokenForm;
pub use world::World;

use server::Server;
use state::{Options, State, lock};
use tls::Tls;
use world::Credential;

/// How a sandbox shall be; see [`Sandbox::builder`].
#[derive(Clone, Debug)]
pub struct Builder {
    world: World,
    options: Options,
    tls: bool,
    github_offset: i64,
    aws_offset: i64,
    ports: HashMap<Service, u16>,
}

impl Builder {
    /// Speaks TLS, with certificates of an authority made at the start ([`Sandbox::ca_pem`]).
    /// Metadata and proxy stay plain, as they are in the real world.
    #[must_use]
    pub fn tls(mut self, on: bool) -> Self {
        self.tls = on;
        self
    }

    /// A further name that leads to a service through the proxy, and that gets a certificate: for
    /// instance a GitHub Enterprise Server. The names of GitHub.com, ghe.com and AWS are known.
    #[must_use]
    pub fn host(mut self, name: &str, service: Service) -> Self {
        self.options.hosts.add(name, service);
        self
    }

    /// The proxy demands these Basic credentials.
    #[must_use]
    pub fn proxy_credentials(mut self, user: &str, password: &str) -> Self {
        self.options.proxy_credentials = Some((user.into(), password.into()));
        self
    }

    /// Sets GitHub's clock so many seconds off.
    #[must_use]
    pub fn github_clock(mut self, offset: i64) -> Self {
        self.github_offset = offset;
        self
    }

    /// Sets AWS's clock so many seconds off.
    #[must_use]
    pub fn aws_clock(mut self, offset: i64) -> Self {
        self.aws_offset = offset;
        self
    }

    /// The form of installation tokens.
    #[must_use]
    pub fn token_form(mut self, form: TokenForm) -> Self {
        self.options.token_form = form;
        self
    }

    /// The path below which GitHub's API is: empty (the default), or `/api/v3` as on GHES.
    #[must_use]
    pub fn github_base(mut self, path: &str) -> Self {
        self.options.github_base = path.trim_end_matches('/').into();
        self
    }

    /// GitHub demands a number in the JWT's `iss`, as an old GHES does.
    #[must_use]
    pub fn integer_issuer(mut self, on: bool) -> Self {
        self.options.integer_issuer = on;
        self
    }

    /// The first so many requests with a fresh token get 401; revocation is not counted.
    #[must_use]
    pub fn usable_after(mut self, requests: u32) -> Self {
        self.options.usable_after = requests;
        self
    }

    /// The versions that `X-GitHub-Api-Version` may name, the most recent first.
    #[must_use]
    pub fn api_versions(mut self, versions: &[&str]) -> Self {
        self.options.api_versions = versions
            .iter()
            .map(|version| (*version).to_owned())
            .collect();
        self
    }

    /// The port of a service; by default the system chooses.
    #[must_use]
    pub fn port(mut self, service: Service, port: u16) -> Self {
        self.ports.insert(service, port);
        self
    }

    /// Changes the world before the start.
    #[must_use]
    pub fn change(mut self, change: impl FnOnce(&mut World)) -> Self {
        change(&mut self.world);
        self
    }

    /// Opens the ports and starts to serve.
    ///
    /// # Errors
    /// Where a port cannot be opened, or a certificate or thread cannot be made.
    pub fn start(self) -> io::Result<Sandbox> {
        let tls = if self.tls {
            Some(Tls::new(self.options.hosts.clone())?)
        } else {
            None
        };
        let state = State::new(
            self.options,
            self.world,
            tls,
            self.github_offset,
            self.aws_offset,
        );
        Ok(Sandbox {
            server: Server::start(state, &self.ports)?,
        })
    }
}

/// A running sandbox. Dropping it ends it.
pub struct Sandbox {
    server: Arc<Server>,
}

impl Sandbox {
    /// Starts with every default: plain HTTP, right clocks, long tokens.
    ///
    /// # Errors
    /// As [`Builder::start`].
    pub fn start() -> io::Result<Self> {
        Self::builder().start()
    }

    /// To set options first.
    pub fn builder() -> Builder {
        Builder {
            world: World::default(),
            options: Options {
                token_form: TokenForm::Long,
                github_base: String::new(),
                integer_issuer: false,
                usable_after: 0,
                api_versions: vec!["2026-03-10".into(), "2022-11-28".into()],
                proxy_credentials: None,
                hosts: proxy::Hosts::default(),
            },
            tls: false,
            github_offset: 0,
            aws_offset: 0,
            ports: HashMap::new(),
        }
    }

    fn state(&self) -> &State {
        &self.server.state
    }

    /// The origin of a service, as `http://127.0.0.1:4711`.
    pub fn url(&self, service: Service) -> String {
        let scheme = if self.state().tls_for(service).is_some() {
            "https"
        } else {
            "http"
        };
        format!("{scheme}://127.0.0.1:{}", self.port(service))
    }

    /// The port of a service.
    pub fn port(&self, service: Service) -> u16 {
        self.server.port(service)
    }

    /// The URL of GitHub's API, base path included.
    pub fn github_url(&self) -> String {
        self.url(Service::GitHub) + &self.state().options.github_base
    }

    /// The URL of KMS; it serves every region, by the region in the signature.
    pub fn kms_url(&self) -> String {
        self.url(Service::Kms)
    }

    /// The URL of STS.
    pub fn sts_url(&self) -> String {
        self.url(Service::Sts)
    }

    /// The URL at which a job asks for ID tokens (`ACTIONS_ID_TOKEN_REQUEST_URL`).
    pub fn oidc_url(&self) -> String {
        format!("{}{}?{}", self.url(Service::Oidc), oidc::PATH, oidc::QUERY)
    }

    /// The URL of the forward proxy, with its credentials if it demands any.
    pub fn proxy_url(&self) -> String {
        let user = match &self.state().options.proxy_credentials {
            Some((user, password)) => {
                let encode = |text: &str| codec::percent_encode(text.as_bytes(), b"");
                format!("{}:{}@", encode(user), encode(password))
            }
            None => String::new(),
        };
        format!("http://{user}127.0.0.1:{}", self.port(Service::Proxy))
    }

    /// An ID token of the world's job, as a file for `AWS_WEB_IDENTITY_TOKEN_FILE` would hold it.
    pub fn id_token(&self, audience: &str) -> String {
        oidc::issue(self.state(), &self.state().world(), Some(audience))
    }

    /// The certificate of the authority, PEM; empty without TLS.
    pub fn ca_pem(&self) -> &str {
        self.state().tls.as_ref().map_or("", Tls::ca_pem)
    }

    /// Makes `fault` hit the calls of a kind.
    pub fn fault(&self, call: Call, when: When, fault: Fault) {
        lock(&self.state().faults).add(call, None, when, fault);
    }

    /// Makes `fault` hit the calls of a kind that are signed for an AWS region.
    pub fn fault_in(&self, region: &str, call: Call, when: When, fault: Fault) {
        lock(&self.state().faults).add(call, Some(region), when, fault);
    }

    /// Ends all faults.
    pub fn clear_faults(&self) {
        lock(&self.state().faults).clear();
    }

    /// Closes a service's port: connections are refused from now on, open ones end.
    pub fn refuse(&self, service: Service) {
        self.server.refuse(service, None);
    }

    /// Opens the port again, with the same number.
    pub fn accept(&self, service: Service) {
        self.server.accept_again(service);
    }

    /// Sets GitHub's clock so many seconds off.
    pub fn set_github_clock(&self, offset: i64) {
        self.state().github_clock.set(offset);
    }

    /// Sets AWS's clock so many seconds off.
    pub fn set_aws_clock(&self, offset: i64) {
        self.state().aws_clock.set(offset);
    }

    /// Changes the world, or looks at it.
    pub fn change<R>(&self, change: impl FnOnce(&mut World) -> R) -> R {
        change(&mut self.state().world())
    }

    /// Lets the day of every import token that KMS gave out be over.
    pub fn expire_import_tokens(&self) {
        lock(&self.state().import_tokens)
            .iter_mut()
            .for_each(|token| token.expires = 0);
    }

    /// All requests so far, in the order in which they were whole.
    pub fn requests(&self) -> Vec<Exchange> {
        self.state().exchanges()
    }

    /// The requests of one kind.
    pub fn requests_of(&self, call: Call) -> Vec<Exchange> {
        self.requests()
            .into_iter()
            .filter(|exchange| exchange.call == call)
            .collect()
    }

    /// Forgets the requests so far.
    pub fn forget_requests(&self) {
        self.state().forget_exchanges();
    }

    /// All installation tokens that were minted.
    pub fn tokens(&self) -> Vec<Token> {
        let now = self.state().github_clock.now();
        self.state()
            .tokens()
            .iter()
            .map(|token| token.shown(now))
            .collect()
    }

    /// Every secret that the sandbox holds, issued or saw, with a name: none of them may turn up
    /// where it does not belong.
    pub fn secrets(&self) -> Vec<(String, String)> {
        let state = self.state();
        let mut secrets = state.secrets();
        secrets.push((
            "token to ask for ID tokens with".into(),
            state.oidc_request_token.clone(),
        ));
        secrets.push((
            "token to ask for container credentials with".into(),
            state.container_token.clone(),
        ));
        if let Some((_, password)) = &state.options.proxy_credentials {
            secrets.push(("proxy password".into(), password.clone()));
        }
        for credential in &self.state().world().credentials {
            let name = |what: &str| format!("{what} of {}", credential.access_key_id);
            secrets.push((
                name("secret access key"),
                credential.secret_access_key.clone(),
            ));
            secrets.extend(
                credential
                    .session_token
                    .clone()
                    .map(|token| (name("session token"), token)),
            );
        }
        secrets
    }

    /// The access key with that id; see the constants in [`world`].
    pub fn credentials(&self, access_key_id: &str) -> Option<Credential> {
        self.state()
            .world()
            .credentials
            .iter()
            .find(|known| known.access_key_id == access_key_id)
            .cloned()
    }

    /// The environment that a job needs to use the sandbox: GitHub's variables as the runner sets
    /// them, AWS's as `aws-actions/configure-aws-credentials` does, and the endpoints.
    ///
    /// With TLS the client must be told to trust [`Sandbox::ca_pem`], which takes a file.
    pub fn env(&self) -> Vec<(String, String)> {
        let mut env = self.env_without_credentials();
        env.extend(self.env_of(world::SIGNER_SESSION));
        env
    }

    /// The AWS variables of one access key. Empty where there is none with that id.
    pub fn env_of(&self, access_key_id: &str) -> Vec<(String, String)> {
        let mut env = Vec::new();
        if let Some(credential) = self.credentials(access_key_id) {
            env.push(("AWS_ACCESS_KEY_ID".into(), credential.access_key_id));
            env.push(("AWS_SECRET_ACCESS_KEY".into(), credential.secret_access_key));
            env.extend(
                credential
                    .session_token
                    .map(|token| ("AWS_SESSION_TOKEN".into(), token)),
            );
        }
        env
    }

    /// [`Sandbox::env`] without AWS's credentials.
    pub fn env_without_credentials(&self) -> Vec<(String, String)> {
        let pairs = [
            ("AWS_REGION", world::REGION.to_owned()),
            ("AWS_DEFAULT_REGION", world::REGION.to_owned()),
            ("AWS_ENDPOINT_URL_KMS", self.kms_url()),
            ("AWS_ENDPOINT_URL_STS", self.sts_url()),
            ("GITHUB_API_URL", self.github_url()),
            (
                "GITHUB_REPOSITORY",
                format!("{}/{}", world::ORG, world::REPO_A),
            ),
            ("GITHUB_REPOSITORY_OWNER", world::ORG.to_owned()),
            ("GITHUB_RUN_ID", oidc::RUN_ID.to_owned()),
            ("GITHUB_RUN_ATTEMPT", "1".to_owned()),
        ];
        let mut env = pairs.map(|(name, value)| (name.to_owned(), value)).to_vec();
        if self.change(|world| world.job.id_token) {
            env.push(("ACTIONS_ID_TOKEN_REQUEST_URL".into(), self.oidc_url()));
            env.push((
                "ACTIONS_ID_TOKEN_REQUEST_TOKEN".into(),
                self.state().oidc_request_token.clone(),
            ));
        }
        env
    }

    /// The variables with which EKS Pod Identity hands out credentials: a full URI and a token.
    pub fn env_of_container(&self) -> Vec<(String, String)> {
        let uri = self.url(Service::Metadata) + metadata::FULL_PATH;
        vec![
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI".into(), uri),
            (
                "AWS_CONTAINER_AUTHORIZATION_TOKEN".into(),
                self.state().container_token.clone(),
            ),
        ]
    }

    /// The path with which ECS hands out credentials (`AWS_CONTAINER_CREDENTIALS_RELATIVE_URI`),
    /// below [`Sandbox::url`] of [`Service::Metadata`] in place of `http://169.254.170.2`.
    pub fn container_path(&self) -> &'static str {
        metadata::RELATIVE_PATH
    }

    /// The variable that leads to the instance metadata service.
    pub fn env_of_instance(&self) -> Vec<(String, String)> {
        vec![(
            "AWS_EC2_METADATA_SERVICE_ENDPOINT".into(),
            self.url(Service::Metadata),
        )]
    }

    /// Waits until `done` holds for the requests so far; `false` if it does not within `limit`.
    pub fn wait_for(&self, limit: Duration, done: impl Fn(&[Exchange]) -> bool) -> bool {
        let until = std::time::Instant::now() + limit;
        loop {
            if done(&self.requests()) {
                return true;
            }
            if std::time::Instant::now() >= until {
                return false;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.server.shut_down();
    }
}
