//! `git-credential`: git asks, a token is the password.
//!
//! See gitcredentials(7) and git-credential(1) for the protocol: attributes as `name=value`, a line
//! each, until an empty line. Only the host that belongs to the API gets an answer; for any other host
//! the answer is silence, so that git asks the next helper.

use crate::args::{GitCredential, ScopeOptions};
use crate::cache::{Entry, Kept};
use crate::native::Native;
use crate::{Status, create, order, output, problem};
use app_token::error::{Error, Result};
use app_token::github::ApiUrl;
use app_token::http::url::is_loopback;
use app_token::scope::{Owner, RepositoryName};
use app_token::secret::Secret;
use std::io::Read;
use std::process::ExitCode;

/// GitHub ignores the name; this is the one that its documentation uses.
const USERNAME: &str = "x-access-token";

/// More than git ever sends, in bytes.
const MOST_INPUT: u64 = 64 * 1024;

pub fn run(native: &Native, args: &GitCredential) -> Status {
    let request = Request::read(std::io::stdin().lock())?;
    // Words that a later git may bring are none of ours.
    let known = matches!(args.operation.as_str(), "get" | "erase");
    let env = &*native.host.env;
    let api = order::api(&args.token.github, env)?;
    if !known || !request.is_for(&api, args.git_host.as_deref()) {
        return Ok(ExitCode::SUCCESS);
    }
    let Some(scope) = request.narrow(&args.token.scope) else {
        native
            .host
            .log
            .debug("the repository is not one of those that the options name");
        return Ok(ExitCode::SUCCESS);
    };
    let entry = if args.no_cache {
        None
    } else {
        Some(entry(native, args, &scope, &api)?)
    };
    if args.operation == "erase" {
        if let Some(entry) = entry {
            entry.erase(request.password.as_ref())?;
        }
        return Ok(ExitCode::SUCCESS);
    }

    let now = native.host.clock.now();
    let found = match &entry {
        Some(entry) => entry.read(now)?,
        None => None,
    };
    if let Some(kept) = found {
        native.host.log.mask(kept.token.expose());
        native.host.log.debug("a token from before is used again");
        answer(&kept)?;
        return Ok(ExitCode::SUCCESS);
    }
    let made = create::make(native, &args.token, &scope, false)?;
    let kept = Kept {
        token: made.minted.token.secret.clone(),
        expires_at: made.minted.token.expires_at,
    };
    let in_cache = entry.is_some_and(|entry| match entry.write(&kept, now) {
        Ok(()) => true,
        Err(error) => {
            let warning = format!("The token is good for this time alone: {error}");
            native.host.log.warning(&warning);
            false
        }
    });
    match answer(&kept) {
        // The next request finds it in the cache.
        Err(error) if !in_cache => Err(create::undo(native, &made, error)),
        outcome => outcome.map(|()| ExitCode::SUCCESS),
    }
}

/// What git reads.
fn answer(kept: &Kept) -> Result<()> {
    output::write(&format!(
        "username={USERNAME}\npassword={}\npassword_expiry_utc={}\n",
        kept.token.expose(),
        kept.expires_at.seconds(),
    ))
}

/// Everything that decides what the token is, so that no other token is taken for it.
fn entry(
    native: &Native,
    args: &GitCredential,
    scope: &ScopeOptions,
    api: &ApiUrl,
) -> Result<Entry> {
    let env = &*native.host.env;
    let app = order::app(&args.token.app.client_id, &args.token.app.app_id)?;
    let keys = order::keys(&args.token.app, &args.token.aws, &native.host)?;
    let (target, _) = order::target(scope, env)?;
    let (permissions, _) = order::permissions(scope)?;
    let mut key = vec![
        app.to_string(),
        api.to_string(),
        format!("{target:?}"),
        permissions.to_string(),
    ];
    for one in keys.keys() {
        key.push(format!("{} {}", one.describe(), one.endpoint));
    }
    Entry::of(env, &key)
}

/// What git asks about.
#[derive(Debug, Default)]
struct Request {
    protocol: String,
    host: String,
    path: String,
    password: Option<Secret>,
}

impl Request {
    fn read(input: impl Read) -> Result<Self> {
        let malformed = |why: &str| Error::new(&problem::CREDENTIAL_REQUEST_MALFORMED, why);
        let mut text = zeroize::Zeroizing::new(String::new());
        input
            .take(MOST_INPUT)
            .read_to_string(&mut text)
            .map_err(|error| Error::new(&problem::INPUT_FAILED, error.to_string()))?;
        let mut request = Self::default();
        for line in text.lines().take_while(|line| !line.is_empty()) {
            let (name, value) = line
                .split_once('=')
                .ok_or_else(|| malformed("a line has no ="))?;
            match name {
                "protocol" => request.protocol = value.to_ascii_lowercase(),
                "host" => request.host = value.to_ascii_lowercase(),
                "path" => request.path = value.to_owned(),
                "password" => request.password = Some(Secret::from(value)),
                _ => {}
            }
        }
        if request.protocol.is_empty() || request.host.is_empty() {
            return Err(malformed("protocol or host is missing"));
        }
        Ok(request)
    }

    /// Whether git talks to the host that the API belongs to, over https (or http on this machine).
    fn is_for(&self, api: &ApiUrl, git_host: Option<&str>) -> bool {
        let bare = self.host.split(':').next().unwrap_or_default();
        if self.protocol != "https" && !(self.protocol == "http" && is_loopback(bare)) {
            return false;
        }
        let host = |text: &str| {
            let default = if self.protocol == "https" {
                ":443"
            } else {
                ":80"
            };
            text.strip_suffix(default)
                .unwrap_or(text)
                .to_ascii_lowercase()
        };
        let expected = match git_host.map(str::trim).filter(|host| !host.is_empty()) {
            Some(given) => given.to_owned(),
            None => {
                let port = api.url().origin.port;
                let own = if api.url().origin.secure { 443 } else { 80 };
                let port = if port == own {
                    String::new()
                } else {
                    format!(":{port}")
                };
                format!("{}{port}", api.web_host())
            }
        };
        host(&self.host) == host(&expected)
    }

    /// The scope, narrowed to the one repository that git names with `useHttpPath`. `None` where that one
    /// is not among those that the options allow.
    fn narrow(&self, scope: &ScopeOptions) -> Option<ScopeOptions> {
        let Some((owner, name)) = self.repository() else {
            return Some(scope.clone());
        };
        let given = |option: &Option<String>| {
            option
                .as_deref()
                .is_some_and(|text| !text.trim().is_empty())
        };
        // An enterprise's token cannot be narrowed by name, and ids cannot be held against one.
        if given(&scope.enterprise) || !scope.repository_ids.join("").trim().is_empty() {
            return Some(scope.clone());
        }
        if scope
            .owner
            .as_deref()
            .is_some_and(|text| !text.trim().is_empty() && !owner.is(text.trim()))
        {
            return None;
        }
        let names = scope.repositories.join("\n");
        let allowed = app_token::list::entries(&names);
        let is_it = |entry: &&str| match entry.split_once('/') {
            Some((of, this)) => owner.is(of) && this.eq_ignore_ascii_case(name.as_str()),
            None => entry.eq_ignore_ascii_case(name.as_str()),
        };
        if !allowed.is_empty() && !allowed.iter().any(is_it) {
            return None;
        }
        Some(ScopeOptions {
            owner: Some(owner.as_str().to_owned()),
            repositories: vec![name.as_str().to_owned()],
            ..scope.clone()
        })
    }

    /// `my-org/repo.git` and what git adds below it for LFS; a wiki belongs to its repository.
    fn repository(&self) -> Option<(Owner, RepositoryName)> {
        let mut parts = self.path.trim_matches('/').split('/');
        let (owner, name) = (parts.next()?, parts.next()?);
        let name = name.strip_suffix(".git").unwrap_or(name);
        let name = name.strip_suffix(".wiki").unwrap_or(name);
        Some((Owner::parse(owner).ok()?, RepositoryName::parse(name).ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(text: &str) -> Request {
        Request::read(text.as_bytes()).unwrap()
    }

    fn is_for(protocol: &str, host: &str, api: &str, git_host: Option<&str>) -> bool {
        request(&format!("protocol={protocol}\nhost={host}\n\n"))
            .is_for(&ApiUrl::parse(api).unwrap(), git_host)
    }

    #[test]
    fn only_the_api_s_own_host_gets_an_answer() {
        let github = "https://api.github.com";
        for (protocol, host, api, git_host) in [
            ("https", "github.com", github, None),
            ("https", "GitHub.com:443", github, None),
            ("https", "acme.ghe.com", "https://api.acme.ghe.com", None),
            ("https", "ghes.example", "https://ghes.example/api/v3", None),
            (
                "https",
                "ghes.example:8443",
                "https://ghes.example:8443/api/v3",
                None,
            ),
            (
                "https",
                "git.example:7999",
                "https://ghes.example/api/v3",
                Some("git.example:7999"),
            ),
            (
                "http",
                "127.0.0.1:81",
                "http://127.0.0.1:82",
                Some("127.0.0.1:81"),
            ),
        ] {
            assert!(is_for(protocol, host, api, git_host), "{host}");
        }
        for (protocol, host, api, git_host) in [
            ("https", "gitlab.com", github, None),
            ("https", "api.github.com", github, None),
            ("https", "gist.github.com", github, None),
            ("https", "github.com.evil.example", github, None),
            ("https", "github.com:8443", github, None),
            ("http", "github.com", github, None),
            ("ssh", "github.com", github, None),
            (
                "https",
                "ghes.example:8443",
                "https://ghes.example/api/v3",
                None,
            ),
            ("https", "github.com", github, Some("git.example")),
        ] {
            assert!(!is_for(protocol, host, api, git_host), "{host}");
        }
    }

    #[test]
    fn a_path_narrows_to_its_repository() {
        let of = |path: &str, owner: &str, repositories: &str| {
            let scope = ScopeOptions {
                owner: Some(owner.to_owned()),
                repositories: vec![repositories.to_owned()],
                ..ScopeOptions::default()
            };
            request(&format!("protocol=https\nhost=github.com\npath={path}\n"))
                .narrow(&scope)
                .map(|scope| format!("{}/{}", scope.owner.unwrap(), scope.repositories.join(",")))
        };
        for path in [
            "my-org/repo.git",
            "/my-org/repo",
            "my-org/repo.git/info/lfs",
            "my-org/repo.wiki.git",
        ] {
            assert_eq!(of(path, "", "").as_deref(), Some("my-org/repo"), "{path}");
        }
        assert_eq!(
            of("my-org/repo", "My-Org", "a, REPO").as_deref(),
            Some("my-org/repo")
        );
        assert_eq!(
            of("my-org/repo", "", "my-org/repo").as_deref(),
            Some("my-org/repo")
        );
        assert_eq!(of("my-org/repo", "other", ""), None);
        assert_eq!(of("my-org/repo", "", "a, b"), None);
        assert_eq!(of("my-org/repo", "", "other/repo"), None);
        // Nothing that could be a repository: the options decide.
        assert_eq!(of("..", "o", "a").as_deref(), Some("o/a"));
    }

    #[test]
    fn what_git_does_not_say_is_refused() {
        for text in [
            "",
            "protocol=https\n",
            "host=github.com\n",
            "protocol\n",
            "protocol=https\n\nhost=x\n",
        ] {
            let error = Request::read(text.as_bytes()).unwrap_err();
            assert!(error.is(&problem::CREDENTIAL_REQUEST_MALFORMED), "{text:?}");
        }
    }

    #[test]
    fn the_password_is_never_shown() {
        let request = request("protocol=https\nhost=github.com\npassword=hunter2\n");
        assert!(!format!("{request:?}").contains("hunter2"));
    }
}
