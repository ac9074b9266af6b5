//! End-to-end scenarios: dist/ as the runner runs it, against the sandbox. One scenario a test.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests are tests"
)]

mod api_url;
mod aws;
mod border;
mod catalogue;
mod clock;
mod credentials;
mod files;
mod flow;
mod github;
mod inputs;
mod keys;
mod limits;
mod permissions;
mod post;
mod proxies;
mod rate_limits;
mod redirects;
mod retries;
mod scope;
mod tls;
