//! The sandbox with a job in front of it: what the demo and the benchmark play on.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use app_token_runner::Manifest;
use app_token_sandbox::{
    Call, Exchange, Fault, Sandbox, When,
    world::{ACCOUNT_ID, ALIAS, APP_ID, KEY_ID, ORG, REGION, REPO_A, SECOND_REGION},
};

use crate::{
    error::{Result, fail},
    relay::Relay,
    runner::Job,
};

/// The variable that turns calls to KMS to another place, of the AWS SDKs' standard ones.
const KMS_URL: &str = "AWS_ENDPOINT_URL_KMS";
const GITHUB_URL: &str = "GITHUB_API_URL";

/// A running sandbox and a job that uses the action on it.
pub struct Stage {
    /// The servers.
    pub sandbox: Sandbox,
    /// The job.
    pub job: Job,
    /// What the workflow writes under `with:`.
    pub with: Vec<(String, String)>,
    /// When the sandbox started; its recordings count from here.
    pub started: Instant,
    scripts: PathBuf,
    _relays: Vec<Relay>,
}

/// How the stage is set.
#[derive(Clone, Default)]
pub struct Setting {
    /// Whether the servers speak TLS.
    pub tls: bool,
    /// Round trips to put in front of KMS and of GitHub.
    pub round_trips: Option<(Duration, Duration)>,
    /// Inputs beside the usual ones, or in their place.
    pub with: Vec<(String, String)>,
    /// Whether the job names a key in each of two regions, of which the first takes requests and
    /// never answers.
    pub hang_first_key: bool,
}

impl Stage {
    /// Starts everything.
    ///
    /// # Errors
    /// When no port can be had, or an input is unknown.
    pub fn start(root: &Path, setting: &Setting) -> Result<Self> {
        let scripts = root.join("dist");
        if !scripts.join("main.js").is_file() {
            return Err(fail("dist/main.js is not there; run `cargo xtask dist`"));
        }
        let started = Instant::now();
        let sandbox = Sandbox::builder()
            .tls(setting.tls)
            .start()
            .map_err(|error| fail(format!("could not start the sandbox: {error}")))?;
        let mut environment: BTreeMap<String, String> = sandbox.env().into_iter().collect();

        let mut relays = Vec::new();
        if let Some((kms, github)) = setting.round_trips {
            for (variable, round_trip) in [(KMS_URL, kms), (GITHUB_URL, github)] {
                let url = environment
                    .get_mut(variable)
                    .ok_or_else(|| fail(format!("the sandbox sets no {variable}")))?;
                let relay = Relay::start(address(url)?, round_trip)?;
                *url = behind(url, relay.address())?;
                relays.push(relay);
            }
        }

        let mut with: Vec<(String, String)> = [
            ("app-id", APP_ID.to_string().as_str()),
            ("kms-key-id", ALIAS),
            ("permission-contents", "read"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
        let mut own = setting.with.clone();
        if setting.hang_first_key {
            let keys = [REGION, SECOND_REGION]
                .map(|region| format!("arn:aws:kms:{region}:{ACCOUNT_ID}:key/{KEY_ID}"));
            own.push(("kms-key-id".to_owned(), keys.join(",")));
            sandbox.fault_in(REGION, Call::KmsSign, When::Every, Fault::Hang);
        }
        for (name, value) in &own {
            with.retain(|(known, _)| known != name);
            with.push((name.clone(), value.clone()));
        }
        let inputs: Vec<(&str, &str)> = with
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let github = environment.get(GITHUB_URL).cloned().unwrap_or_default();
        let manifest = Manifest::of_checkout(root)?;
        let mut job = Job::new(&manifest, &format!("{ORG}/{REPO_A}"), &github, &inputs)?;
        job.environment(environment);
        if setting.tls {
            let authority = job.file("authority.pem", sandbox.ca_pem())?;
            // Not `NODE_EXTRA_CA_CERTS`: with it, Node reads all its certificates before the first line of
            // any script, which bare node would be charged with, and which no job with GitHub's own
            // certificates pays.
            job.environment([("SSL_CERT_FILE", authority.display().to_string())]);
        }
        Ok(Self {
            sandbox,
            job,
            with,
            started,
            scripts,
            _relays: relays,
        })
    }

    /// The path of one of dist's scripts.
    pub fn script(&self, name: &str) -> PathBuf {
        self.scripts.join(name)
    }

    /// The exchanges that began after so many.
    pub fn exchanges_after(&self, count: usize) -> Vec<Exchange> {
        self.sandbox.requests().split_off(count)
    }
}

/// The address in a URL whose host is this machine's.
fn address(url: &str) -> Result<SocketAddr> {
    let port = authority(url)
        .and_then(|authority| authority.rsplit_once(':'))
        .and_then(|(_, port)| port.parse().ok())
        .ok_or_else(|| fail(format!("`{url}` has no port")))?;
    Ok((Ipv4Addr::LOCALHOST, port).into())
}

/// The same URL at another address.
fn behind(url: &str, address: SocketAddr) -> Result<String> {
    let authority = authority(url).ok_or_else(|| fail(format!("`{url}` is not a URL")))?;
    Ok(url.replacen(authority, &address.to_string(), 1))
}

fn authority(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    rest.split('/').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_takes_the_server_s_place_in_its_url() {
        let url = "https://localhost:4566/api/v3";
        assert_eq!(
            address(url).unwrap(),
            SocketAddr::from(([127, 0, 0, 1], 4566))
        );
        assert_eq!(
            behind(url, SocketAddr::from(([127, 0, 0, 1], 99))).unwrap(),
            "https://127.0.0.1:99/api/v3"
        );
        assert!(address("https://localhost").is_err());
        assert!(behind("localhost", SocketAddr::from(([127, 0, 0, 1], 99))).is_err());
    }
}
