//! The JSON objects of GitHub's answers, whole, as its
//! [OpenAPI description](https://github.com/github/rest-api-description) has them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::selection;
use crate::codec::base64;
use crate::record::Minted;
use crate::time::iso;
use crate::world::{Account, AccountKind, App, Installation, Repository, World};

/// When everything here was made, in seconds since the epoch: 1 January 2025.
const CREATED: i64 = 1_735_689_600;

/// Writes objects with URLs below `root`.
pub(super) struct Shapes<'a> {
    pub(super) root: &'a str,
    pub(super) world: &'a World,
}

impl Shapes<'_> {
    pub(super) fn app(&self, app: &App, installations: usize) -> Value {
        json!({
            "id": app.id,
            "slug": app.slug,
            "client_id": app.client_id,
            "node_id": node_id("Integration", app.id),
            "owner": self.owner(&app.owner),
            "name": app.name,
            "description": "",
            "external_url": "https://example.com",
            "html_url": format!("https://github.com/apps/{}", app.slug),
            "created_at": iso(CREATED),
            "updated_at": iso(CREATED),
            "permissions": app.permissions,
            "events": [],
            "installations_count": installations,
        })
    }

    pub(super) fn installation(&self, installation: &Installation, app: &App) -> Value {
        let account = self
            .world
            .accounts
            .iter()
            .find(|known| known.login == installation.account);
        let target_type = match account.map(|account| account.kind) {
            Some(AccountKind::User) => "User",
            Some(AccountKind::Enterprise) => "Enterprise",
            _ => "Organization",
        };
        let suspended = installation.suspended_at;
        json!({
            "id": installation.id,
            "client_id": app.client_id,
            "account": account.map(|account| self.account(account)),
            "repository_selection": selection(installation.repositories.is_some()),
            "access_tokens_url": format!("{}/app/installations/{}/access_tokens", self.root, installation.id),
            "repositories_url": format!("{}/installation/repositories", self.root),
            "html_url": format!("https://github.com/settings/installations/{}", installation.id),
            "app_id": installation.app_id,
            "app_slug": app.slug,
            "target_id": account.map(|account| account.id),
            "target_type": target_type,
            "permissions": installation.permissions,
            "events": [],
            "created_at": iso(CREATED),
            "updated_at": iso(CREATED),
            "single_file_name": null,
            "has_multiple_single_files": false,
            "single_file_paths": [],
            "suspended_by": suspended.and_then(|_| self.world.accounts.iter().find(|known| known.kind == AccountKind::User)).map(|user| self.account(user)),
            "suspended_at": suspended.map(iso),
        })
    }

    pub(super) fn token(
        &self,
        minted: &Minted,
        installation: &Installation,
        chosen: Option<&[Repository]>,
    ) -> Value {
        let mut body = json!({
            "token": minted.value,
            "expires_at": iso(minted.expires),
            "permissions": minted.permissions,
            "repository_selection": selection(chosen.is_some() || installation.repositories.is_some()),
        });
        if let Some(repositories) = chosen {
            body["repositories"] = repositories
                .iter()
                .map(|known| self.repository(known))
                .collect();
        }
        body
    }

    /// A user, organisation or enterprise.
    pub(super) fn account(&self, account: &Account) -> Value {
        match account.kind {
            AccountKind::Enterprise => json!({
                "id": account.id,
                "slug": account.login,
                "node_id": node_id("Enterprise", account.id),
                "name": account.login,
                "html_url": format!("https://github.com/enterprises/{}", account.login),
                "avatar_url": avatar(account.id),
                "description": null,
                "website_url": null,
                "created_at": iso(CREATED),
                "updated_at": iso(CREATED),
            }),
            AccountKind::User => self.simple_user(&account.login, account.id, "User"),
            AccountKind::Organization => {
                self.simple_user(&account.login, account.id, "Organization")
            }
        }
    }

    fn owner(&self, login: &str) -> Value {
        let account = self
            .world
            .accounts
            .iter()
            .find(|known| known.login == login);
        account.map_or_else(
            || self.simple_user(login, 0, "User"),
            |account| self.account(account),
        )
    }

    /// GitHub's `public-user` of a bot.
    pub(super) fn bot(&self, app: &App) -> Value {
        self.public_user(&format!("{}[bot]", app.slug), app.bot_user_id, "Bot")
    }

    /// GitHub's `public-user` of an account.
    pub(super) fn profile(&self, account: &Account) -> Value {
        let kind = if account.kind == AccountKind::User {
            "User"
        } else {
            "Organization"
        };
        self.public_user(&account.login, account.id, kind)
    }

    fn public_user(&self, login: &str, id: u64, kind: &str) -> Value {
        let mut user = self.simple_user(login, id, kind);
        for field in ["name", "company", "location", "email", "hireable", "bio"] {
            user[field] = Value::Null;
        }
        user["blog"] = json!("");
        for field in ["public_repos", "public_gists", "followers", "following"] {
            user[field] = json!(0);
        }
        user["created_at"] = json!(iso(CREATED));
        user["updated_at"] = json!(iso(CREATED));
        user
    }

    fn simple_user(&self, login: &str, id: u64, kind: &str) -> Value {
        let encoded = crate::codec::percent_encode(login.as_bytes(), b"");
        let url = format!("{}/users/{encoded}", self.root);
        json!({
            "login": login,
            "id": id,
            "node_id": node_id(kind, id),
            "avatar_url": avatar(id),
            "gravatar_id": "",
            "url": url,
            "html_url": format!("https://github.com/{encoded}"),
            "followers_url": format!("{url}/followers"),
            "following_url": format!("{url}/following{{/other_user}}"),
            "gists_url": format!("{url}/gists{{/gist_id}}"),
            "starred_url": format!("{url}/starred{{/owner}}{{/repo}}"),
            "subscriptions_url": format!("{url}/subscriptions"),
            "organizations_url": format!("{url}/orgs"),
            "repos_url": format!("{url}/repos"),
            "events_url": format!("{url}/events{{/privacy}}"),
            "received_events_url": format!("{url}/received_events"),
            "type": kind,
            "user_view_type": "public",
            "site_admin": false,
        })
    }

    pub(super) fn repository(&self, repository: &Repository) -> Value {
        let full_name = format!("{}/{}", repository.owner, repository.name);
        let url = format!("{}/repos/{full_name}", self.root);
        let mut out: Map<String, Value> = URLS
            .iter()
            .map(|(field, rest)| ((*field).to_owned(), json!(format!("{url}{rest}"))))
            .collect();
        for field in NONE {
            out.insert(field.into(), Value::Null);
        }
        for field in ZERO {
            out.insert(field.into(), json!(0));
        }
        for (field, value) in FLAGS {
            out.insert(field.into(), json!(value));
        }
        let visibility = if repository.private {
            "private"
        } else {
            "public"
        };
        let own = BTreeMap::from([
            ("id", json!(repository.id)),
            ("node_id", json!(node_id("Repository", repository.id))),
            ("name", json!(repository.name)),
            ("full_name", json!(full_name)),
            ("owner", self.owner(&repository.owner)),
            ("private", json!(repository.private)),
            ("visibility", json!(visibility)),
            ("url", json!(url)),
            ("html_url", json!(format!("https://github.com/{full_name}"))),
            (
                "git_url",
                json!(format!("git://github.com/{full_name}.git")),
            ),
            ("ssh_url", json!(format!("git@github.com:{full_name}.git"))),
            (
                "clone_url",
                json!(format!("https://github.com/{full_name}.git")),
            ),
            ("svn_url", json!(format!("https://github.com/{full_name}"))),
            ("default_branch", json!("main")),
            ("topics", json!([])),
            ("created_at", json!(iso(CREATED))),
            ("updated_at", json!(iso(CREATED))),
            ("pushed_at", json!(iso(CREATED))),
            (
                "permissions",
                json!({"admin": false, "maintain": false, "push": false, "triage": false, "pull": true}),
            ),
        ]);
        out.extend(
            own.into_iter()
                .map(|(field, value)| (field.to_owned(), value)),
        );
        Value::Object(out)
    }

    /// GitHub's `content-file` without the content.
    pub(super) fn file(&self, repository: &Repository, path: &str, size: usize) -> Value {
        let full_name = format!("{}/{}", repository.owner, repository.name);
        let url = format!("{}/repos/{full_name}/contents/{path}?ref=main", self.root);
        let html = format!("https://github.com/{full_name}/blob/main/{path}");
        let sha = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";
        let git = format!("{}/repos/{full_name}/git/blobs/{sha}", self.root);
        json!({
            "type": "file",
            "encoding": "base64",
            "size": size,
            "name": path,
            "path": path,
            "sha": sha,
            "url": url,
            "git_url": git,
            "html_url": html,
            "download_url": format!("https://raw.githubusercontent.com/{full_name}/main/{path}"),
            "_links": {"self": url, "git": git, "html": html},
        })
    }
}

fn node_id(kind: &str, id: u64) -> String {
    base64(format!("{kind}{id}").as_bytes())
}

fn avatar(id: u64) -> String {
    format!("https://avatars.githubusercontent.com/u/{id}?v=4")
}

/// URL fields of a repository, and what follows its own URL in them.
const URLS: [(&str, &str); 36] = [
    ("archive_url", "/{archive_format}{/ref}"),
    ("assignees_url", "/assignees{/user}"),
    ("blobs_url", "/git/blobs{/sha}"),
    ("branches_url", "/branches{/branch}"),
    ("collaborators_url", "/collaborators{/collaborator}"),
    ("comments_url", "/comments{/number}"),
    ("commits_url", "/commits{/sha}"),
    ("compare_url", "/compare/{base}...{head}"),
    ("contents_url", "/contents/{+path}"),
    ("contributors_url", "/contributors"),
    ("deployments_url", "/deployments"),
    ("downloads_url", "/downloads"),
    ("events_url", "/events"),
    ("forks_url", "/forks"),
    ("git_commits_url", "/git/commits{/sha}"),
    ("git_refs_url", "/git/refs{/sha}"),
    ("git_tags_url", "/git/tags{/sha}"),
    ("hooks_url", "/hooks"),
    ("issue_comment_url", "/issues/comments{/number}"),
    ("issue_events_url", "/issues/events{/number}"),
    ("issues_url", "/issues{/number}"),
    ("keys_url", "/keys{/key_id}"),
    ("labels_url", "/labels{/name}"),
    ("languages_url", "/languages"),
    ("merges_url", "/merges"),
    ("milestones_url", "/milestones{/number}"),
    (
        "notifications_url",
        "/notifications{?since,all,participating}",
    ),
    ("pulls_url", "/pulls{/number}"),
    ("releases_url", "/releases{/id}"),
    ("stargazers_url", "/stargazers"),
    ("statuses_url", "/statuses/{sha}"),
    ("subscribers_url", "/subscribers"),
    ("subscription_url", "/subscription"),
    ("tags_url", "/tags"),
    ("teams_url", "/teams"),
    ("trees_url", "/git/trees{/sha}"),
];

const NONE: [&str; 5] = [
    "description",
    "homepage",
    "language",
    "license",
    "mirror_url",
];

const ZERO: [&str; 10] = [
    "forks",
    "forks_count",
    "network_count",
    "open_issues",
    "open_issues_count",
    "size",
    "stargazers_count",
    "subscribers_count",
    "watchers",
    "watchers_count",
];

const FLAGS: [(&str, bool); 10] = [
    ("archived", false),
    ("disabled", false),
    ("fork", false),
    ("has_discussions", false),
    ("has_downloads", true),
    ("has_issues", true),
    ("has_pages", false),
    ("has_projects", true),
    ("has_wiki", true),
    ("is_template", false),
];
