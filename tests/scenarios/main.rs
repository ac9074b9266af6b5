//! End-to-end scenarios: dist/ as the runner runs it, against the sandbox. One scenario a test.

mod api_url;
mod aws;
mod border;
mod clock;
mod files;
mod flow;
mod github;
mod inputs;
mod keys;
mod limits;
mod permissions;
mod post;
mod rate_limits;
mod redirects;
mod retries;
mod scope;
mod tls;
