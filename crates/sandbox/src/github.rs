//! GitHub's REST API, as far as an App needs it to mint a token and to see that the token works.
//!
//! Endpoints, shapes and messages follow [GitHub's documentation](https://docs.github.com/rest/apps)
//! and its OpenAPI description.

mod shapes;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::call::Call;
use crate::codec::{
    ALPHANUMERIC, UPPER_HEX, base64, base64url, percent_decode, random_bytes, random_text,
};
use crate::http::{Answer, Request};
use crate::jwt;
use crate::record::Minted;
use crate::state::{Options, State, TokenForm};
use crate::world::{AccountKind, App, Installation, Repository, World};

/// How long an installation token lives, in seconds.
const TOKEN_LIFE: i64 = 3_600;
/// How many repositories one token may name.
const MAX_REPOSITORIES: usize = 500;
/// Requests an hour that an installation has.
const RATE_LIMIT: u32 = 5_000;

/// The path below the base path, each segment decoded. `None` where the path is not below it.
fn segments(request: &Request, options: &Options) -> Option<Vec<String>> {
    let rest = request.path().strip_prefix(options.github_base.as_str())?;
    rest.strip_prefix('/')?
        .split('/')
        .map(percent_decode)
        .collect()
}

pub(crate) fn call_of(request: &Request, options: &Options) -> Call {
    let Some(segments) = segments(request, options) else {
        return Call::GitHubOther;
    };
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    match (request.method.as_str(), segments.as_slice()) {
        ("GET", ["app"]) => Call::App,
        ("GET", ["app", "installations"]) => Call::Installations,
        ("GET", ["app", "installations", _])
        | ("GET", ["users" | "orgs" | "enterprises", _, "installation"])
        | ("GET", ["repos", _, _, "installation"])
        | ("GET", ["repositories", _, "installation"]) => Call::Installation,
        ("POST", ["app", "installations", _, "access_tokens"]) => Call::Mint,
        ("DELETE", ["installation", "token"]) => Call::Revoke,
        ("GET", ["users", _]) => Call::User,
        ("GET", ["repos", _, _] | ["repositories", _]) => Call::Repository,
        ("GET", ["repos", _, _, "contents", ..]) => Call::Contents,
        ("POST", ["repos", _, _, "issues"]) => Call::CreateIssue,
        ("GET", ["installation", "repositories"]) => Call::InstallationRepositories,
        ("GET", ["rate_limit"]) => Call::RateLimit,
        _ => Call::GitHubOther,
    }
}

/// An error before it has a shape.
struct Problem {
    status: u16,
    message: String,
    /// What follows `https://docs.github.com/rest`.
    documentation: &'static str,
    headers: Vec<(String, String)>,
}

fn problem(status: u16, message: impl Into<String>, documentation: &'static str) -> Problem {
    Problem {
        status,
        message: message.into(),
        documentation,
        headers: Vec::new(),
    }
}

type Outcome = Result<Answer, Problem>;

pub(crate) fn answer(state: &State, call: Call, request: &Request) -> Answer {
    if request.header("user-agent").is_none_or(str::is_empty) {
        return Answer::new(403).header("Content-Type", "text/html; charset=utf-8").body(
            "\r\nRequest forbidden by administrative rules. Please make sure your request has a User-Agent header \
             (https://docs.github.com/en/rest/overview/resources-in-the-rest-api#user-agent-required). Check \
             https://developer.github.com for other possible causes.\r\n",
        );
    }
    let mut visit = Visit {
        state,
        world: &mut state.world(),
        tokens: &mut state.tokens(),
        request,
        now: state.github_clock.now(),
        root: state.origin(crate::Service::GitHub, request) + &state.options.github_base,
        used: None,
    };
    let outcome = visit.check_headers().and_then(|()| visit.route(call));
    let used = visit.used;
    let mut answer = outcome.unwrap_or_else(|problem| {
        let body = json!({
            "message": problem.message,
            "documentation_url": format!("https://docs.github.com/rest{}", problem.documentation),
            "status": problem.status.to_string(),
        });
        let mut answer = Answer::new(problem.status).json("application/json; charset=utf-8", &body);
        answer.headers.extend(problem.headers);
        answer
    });
    answer.headers.extend(common_headers(request));
    if let Some(used) = used {
        answer.headers.extend(rate_headers(state, used));
    }
    answer
}

fn common_headers(request: &Request) -> Vec<(String, String)> {
    let id: Vec<String> = [4, 6, 7, 7]
        .iter()
        .map(|count| random_text(UPPER_HEX, *count))
        .collect();
    let mut headers = vec![
        ("Server".to_owned(), "github.com".to_owned()),
        (
            "X-GitHub-Media-Type".into(),
            "github.v3; format=json".into(),
        ),
        (
            "X-GitHub-Request-Id".into(),
            format!("{}:{}", id.join(":"), random_text(UPPER_HEX, 8)),
        ),
    ];
    if let Some(version) = request.header("x-github-api-version") {
        headers.push(("x-github-api-version-selected".into(), version.into()));
    }
    headers
}

fn rate_headers(state: &State, used: u32) -> Vec<(String, String)> {
    let field = |name: &str, value: String| (format!("X-RateLimit-{name}"), value);
    vec![
        field("Limit", RATE_LIMIT.to_string()),
        field("Remaining", RATE_LIMIT.saturating_sub(used).to_string()),
        field("Reset", (state.started + 3_600).to_string()),
        field("Used", used.to_string()),
        field("Resource", "core".into()),
    ]
}

/// One request in progress.
struct Visit<'a> {
    state: &'a State,
    world: &'a mut World,
    tokens: &'a mut Vec<Minted>,
    request: &'a Request,
    now: i64,
    /// Scheme, host and base path as the client sees them.
    root: String,
    /// How much of its rate the token that came has used.
    used: Option<u32>,
}

impl Visit<'_> {
    fn check_headers(&self) -> Result<(), Problem> {
        if let Some(version) = self.request.header("x-github-api-version")
            && !self
                .state
                .options
                .api_versions
                .iter()
                .any(|known| known == version)
        {
            let known: Vec<String> = self
                .state
                .options
                .api_versions
                .iter()
                .enumerate()
                .map(|(place, known)| {
                    format!(
                        "\"{known}\"{}",
                        if place == 0 { " (most recent)" } else { "" }
                    )
                })
                .collect();
            let message = format!(
                "The version you specified in the \"X-GitHub-API-Version\" request header, \"{version}\", is not a \
                 supported version. The following versions are currently supported: {}.",
                known.join(", ")
            );
            return Err(problem(400, message, ""));
        }
        let accept = self.request.header("accept").unwrap_or("*/*");
        if !accept.split(',').any(is_served) {
            let message =
                format!("Unsupported 'Accept' header: '{accept}'. Must accept 'application/json'.");
            return Err(problem(415, message, "/overview/media-types"));
        }
        Ok(())
    }

    fn route(&mut self, call: Call) -> Outcome {
        let segments = segments(self.request, &self.state.options).unwrap_or_default();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        match (call, segments.as_slice()) {
            (Call::App, _) => self.app(),
            (Call::Installations, _) => self.installations(),
            (Call::Installation, [.., "installations", id]) => self.installation_by_id(id),
            (Call::Installation, [kind, name, "installation"]) if *kind != "repositories" => {
                self.installation_of_account(kind, name)
            }
            (Call::Installation, [_, names @ .., "installation"]) => {
                self.installation_of_repository(names)
            }
            (Call::Mint, [_, _, id, _]) => self.mint(id),
            (Call::Revoke, _) => self.revoke(),
            (Call::User, [_, login]) => self.user(login),
            (Call::Repository, [_, names @ ..]) => self.repository(names),
            (Call::Contents, [_, owner, name, _, path @ ..]) => self.contents(&[owner, name], path),
            (Call::CreateIssue, [_, owner, name, _]) => self.create_issue(&[owner, name]),
            (Call::InstallationRepositories, _) => self.installation_repositories(),
            (Call::RateLimit, _) => self.rate_limit(),
            _ => Err(problem(404, "Not Found", "")),
        }
    }

    fn ok(&self, body: &Value) -> Outcome {
        Ok(json_answer(200, body))
    }

    /// The App whose JWT came.
    fn app_of_jwt(&self, documentation: &'static str) -> Result<App, Problem> {
        let header = self.request.header("authorization").unwrap_or_default();
        // The scheme is `Bearer`; GitHub takes `token` for tokens only.
        let token = match header.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
            _ => "",
        };
        jwt::judge(
            token,
            self.now,
            self.state.options.integer_issuer,
            &self.world.apps,
        )
        .cloned()
        .map_err(|(status, message)| problem(status, message, documentation))
    }

    fn app(&self) -> Outcome {
        let app = self.app_of_jwt("/apps/apps#get-the-authenticated-app")?;
        let count = self
            .world
            .installations
            .iter()
            .filter(|known| known.app_id == app.id)
            .count();
        self.ok(&self.shape().app(&app, count))
    }

    fn installations(&self) -> Outcome {
        let app = self.app_of_jwt("/apps/apps#list-installations-for-the-authenticated-app")?;
        let query = crate::codec::form_fields(self.request.query()).unwrap_or_default();
        let number = |name: &str, default: usize| {
            let found = query.iter().find(|(known, _)| known == name);
            found
                .and_then(|(_, value)| value.parse().ok())
                .unwrap_or(default)
        };
        let (size, page) = (
            number("per_page", 30).clamp(1, 100),
            number("page", 1).max(1),
        );
        let own: Vec<&Installation> = self
            .world
            .installations
            .iter()
            .filter(|known| known.app_id == app.id)
            .collect();
        let shown: Vec<Value> = own
            .iter()
            .skip(size * (page - 1))
            .take(size)
            .map(|installation| self.shape().installation(installation, &app))
            .collect();
        let mut answer = json_answer(200, &json!(shown));
        if own.len() > size * page {
            let next = format!(
                "{}/app/installations?per_page={size}&page={}",
                self.root,
                page + 1
            );
            answer = answer.header("Link", format!("<{next}>; rel=\"next\""));
        }
        Ok(answer)
    }

    fn installation_by_id(&self, id: &str) -> Outcome {
        let documentation = "/apps/apps#get-an-installation-for-the-authenticated-app";
        let app = self.app_of_jwt(documentation)?;
        let installation = self.own_installation(id, &app, documentation)?;
        self.ok(&self.shape().installation(installation, &app))
    }

    fn own_installation(
        &self,
        id: &str,
        app: &App,
        documentation: &'static str,
    ) -> Result<&Installation, Problem> {
        self.world
            .installations
            .iter()
            .find(|known| known.id.to_string() == id && known.app_id == app.id)
            .ok_or_else(|| problem(404, "Not Found", documentation))
    }

    fn installation_of_account(&self, kind: &str, name: &str) -> Outcome {
        let documentation = match kind {
            "orgs" => "/apps/apps#get-an-organization-installation-for-the-authenticated-app",
            "enterprises" => "/apps/apps#get-an-enterprise-installation-for-the-authenticated-app",
            _ => "/apps/apps#get-a-user-installation-for-the-authenticated-app",
        };
        let app = self.app_of_jwt(documentation)?;
        let account = self.world.accounts.iter().find(|account| {
            let fits = match kind {
                "orgs" => account.kind == AccountKind::Organization,
                "enterprises" => account.kind == AccountKind::Enterprise,
                _ => account.kind != AccountKind::Enterprise,
            };
            fits && account.login.eq_ignore_ascii_case(name)
        });
        let installation = account.and_then(|account| self.installation_on(&app, &account.login));
        match installation {
            Some(installation) => self.ok(&self.shape().installation(installation, &app)),
            None => Err(problem(404, "Not Found", documentation)),
        }
    }

    fn installation_on(&self, app: &App, login: &str) -> Option<&Installation> {
        self.world
            .installations
            .iter()
            .find(|known| known.app_id == app.id && known.account == login)
    }

    fn installation_of_repository(&self, names: &[&str]) -> Outcome {
        let documentation = "/apps/apps#get-a-repository-installation-for-the-authenticated-app";
        let app = self.app_of_jwt(documentation)?;
        let not_found = || problem(404, "Not Found", documentation);
        let repository = match self.find_repository(names) {
            Found::Here(repository) => repository,
            Found::Moved(repository) => return Ok(self.moved(repository, "/installation")),
            Found::Nowhere => return Err(not_found()),
        };
        match self.installation_on(&app, &repository.owner) {
            Some(installation) if covers(installation, repository) => {
                self.ok(&self.shape().installation(installation, &app))
            }
            _ => Err(not_found()),
        }
    }

    fn find_repository(&self, names: &[&str]) -> Found<'_> {
        let repositories = &self.world.repositories;
        match names {
            [id] => repositories
                .iter()
                .find(|known| known.id.to_string() == *id)
                .map_or(Found::Nowhere, Found::Here),
            [owner, name] => {
                let of_owner = || {
                    repositories
                        .iter()
                        .filter(|known| known.owner.eq_ignore_ascii_case(owner))
                };
                let now = of_owner().find(|known| known.name.eq_ignore_ascii_case(name));
                let once = || {
                    of_owner().find(|known| {
                        known
                            .former_names
                            .iter()
                            .any(|old| old.eq_ignore_ascii_case(name))
                    })
                };
                now.map(Found::Here)
                    .or_else(|| once().map(Found::Moved))
                    .unwrap_or(Found::Nowhere)
            }
            _ => Found::Nowhere,
        }
    }

    /// GitHub's redirect for a repository that was renamed: to the same by id.
    fn moved(&self, repository: &Repository, rest: &str) -> Answer {
        let url = format!("{}/repositories/{}{rest}", self.root, repository.id);
        let body = json!({
            "message": "Moved Permanently",
            "url": url,
            "documentation_url": "https://docs.github.com/rest/guides/best-practices-for-using-the-rest-api#follow-redirects",
        });
        json_answer(301, &body).header("Location", url)
    }

    fn mint(&mut self, id: &str) -> Outcome {
        let documentation = "/apps/apps#create-an-installation-access-token-for-an-app";
        let app = self.app_of_jwt(documentation)?;
        let installation = self.own_installation(id, &app, documentation)?.clone();
        if installation.suspended_at.is_some() {
            return Err(problem(
                403,
                "This installation has been suspended",
                documentation,
            ));
        }
        let wanted = Wanted::parse(&self.request.body)
            .map_err(|(status, message)| problem(status, message, documentation))?;

        let repositories = self.wanted_repositories(&wanted, &installation).ok_or_else(|| {
            problem(
                422,
                "There is at least one repository that does not exist or is not accessible to the parent installation.",
                documentation,
            )
        })?;
        let mut permissions = match wanted.permissions {
            None => installation.permissions.clone(),
            Some(wanted) => {
                let granted = |(name, level): (&String, &String)| {
                    installation
                        .permissions
                        .get(name)
                        .is_some_and(|have| rank(have) >= rank(level))
                };
                if !wanted.iter().all(granted) {
                    return Err(problem(
                        422,
                        "The permissions requested are not granted to this installation.",
                        documentation,
                    ));
                }
                wanted
            }
        };
        permissions
            .entry("metadata".into())
            .or_insert_with(|| "read".into());

        let minted = Minted {
            value: token(self.state.options.token_form, app.id),
            installation: installation.id,
            app_id: app.id,
            permissions,
            repositories,
            expires: self.now + TOKEN_LIFE,
            revoked: false,
            delivered: false,
            uses: 0,
        };
        self.state.secret("installation token", &minted.value);
        let chosen = minted.repositories.as_ref().map(|ids| {
            self.world
                .repositories
                .iter()
                .filter(|known| ids.contains(&known.id))
                .cloned()
                .collect::<Vec<_>>()
        });
        let body = self
            .shape()
            .token(&minted, &installation, chosen.as_deref());
        let mut answer = json_answer(201, &body);
        answer.minted = Some(self.tokens.len());
        self.tokens.push(minted);
        Ok(answer)
    }

    /// The ids that a token is narrowed to, `None` within for none; `None` for one that is unknown.
    #[expect(
        clippy::option_option,
        reason = "the outer says whether all exist, the inner whether any was named"
    )]
    fn wanted_repositories(
        &self,
        wanted: &Wanted,
        installation: &Installation,
    ) -> Option<Option<Vec<u64>>> {
        if wanted.names.is_none() && wanted.ids.is_none() {
            return Some(None);
        }
        let reachable = |repository: &&Repository| {
            repository.owner == installation.account && covers(installation, repository)
        };
        let mut ids = Vec::new();
        for name in wanted.names.iter().flatten() {
            let found = self
                .world
                .repositories
                .iter()
                .filter(reachable)
                .find(|known| known.name.eq_ignore_ascii_case(name));
            ids.push(found?.id);
        }
        for id in wanted.ids.iter().flatten() {
            ids.push(
                self.world
                    .repositories
                    .iter()
                    .filter(reachable)
                    .find(|known| known.id == *id)?
                    .id,
            );
        }
        ids.sort_unstable();
        ids.dedup();
        Some(Some(ids))
    }

    /// The token that came, if it works; its place in the list.
    fn token_of_request(&mut self, counts: bool) -> Result<usize, Problem> {
        let bad = || problem(401, "Bad credentials", "");
        let header = self
            .request
            .header("authorization")
            .ok_or_else(|| problem(401, "Requires authentication", ""))?;
        let (scheme, value) = header.split_once(' ').ok_or_else(bad)?;
        if !scheme.eq_ignore_ascii_case("bearer") && !scheme.eq_ignore_ascii_case("token") {
            return Err(bad());
        }
        let place = self
            .tokens
            .iter()
            .position(|known| known.value == value.trim())
            .ok_or_else(bad)?;
        let token = &mut self.tokens[place];
        if token.revoked || token.expires <= self.now {
            return Err(bad());
        }
        if counts {
            token.uses += 1;
            if token.uses <= self.state.options.usable_after {
                return Err(bad());
            }
        }
        let (id, uses) = (token.installation, token.uses);
        let installation = self.world.installations.iter().find(|known| known.id == id);
        match installation {
            None => return Err(bad()),
            Some(installation) if installation.suspended_at.is_some() => {
                return Err(problem(403, "This installation has been suspended", ""));
            }
            Some(_) => {}
        }
        self.used = Some(uses);
        Ok(place)
    }

    fn revoke(&mut self) -> Outcome {
        let place = self.token_of_request(false)?;
        self.tokens[place].revoked = true;
        Ok(Answer::new(204))
    }

    fn user(&mut self, login: &str) -> Outcome {
        self.token_of_request(true)?;
        let documentation = "/users/users#get-a-user";
        let bot = self
            .world
            .apps
            .iter()
            .find(|app| format!("{}[bot]", app.slug).eq_ignore_ascii_case(login));
        if let Some(app) = bot {
            return self.ok(&self.shape().bot(app));
        }
        let account = self.world.accounts.iter().find(|known| {
            known.kind != AccountKind::Enterprise && known.login.eq_ignore_ascii_case(login)
        });
        match account {
            Some(account) => self.ok(&self.shape().profile(account)),
            None => Err(problem(404, "Not Found", documentation)),
        }
    }

    /// The repository, if the token that came may see it and has this permission.
    fn repository_for(
        &mut self,
        names: &[&str],
        permission: (&str, &str),
        documentation: &'static str,
    ) -> Result<Result<Repository, Answer>, Problem> {
        let place = self.token_of_request(true)?;
        let token = self.tokens[place].clone();
        let not_found = || problem(404, "Not Found", documentation);
        let repository = match self.find_repository(names) {
            Found::Here(repository) => repository.clone(),
            Found::Moved(repository) => {
                let rest = self
                    .request
                    .path()
                    .split('/')
                    .skip(self.root_segments() + 3);
                let rest: String = rest.map(|segment| format!("/{segment}")).collect();
                return Ok(Err(self.moved(repository, &rest)));
            }
            Found::Nowhere => return Err(not_found()),
        };
        let (name, level) = permission;
        let installation = self
            .world
            .installations
            .iter()
            .find(|known| known.id == token.installation);
        let in_scope = installation.is_some_and(|installation| {
            repository.owner == installation.account && covers(installation, &repository)
        }) && token
            .repositories
            .as_ref()
            .is_none_or(|ids| ids.contains(&repository.id));
        let reads_public = !repository.private && level == "read";
        if !in_scope && !reads_public {
            return Err(if repository.private {
                not_found()
            } else {
                inaccessible(permission, documentation)
            });
        }
        let allowed = token
            .permissions
            .get(name)
            .is_some_and(|have| rank(have) >= rank(level));
        if !allowed && !reads_public {
            return Err(inaccessible(permission, documentation));
        }
        Ok(Ok(repository))
    }

    /// How many segments the base path has, and the empty one before the first slash.
    fn root_segments(&self) -> usize {
        self.state.options.github_base.split('/').count()
    }

    fn repository(&mut self, names: &[&str]) -> Outcome {
        match self.repository_for(names, ("metadata", "read"), "/repos/repos#get-a-repository")? {
            Ok(repository) => self.ok(&self.shape().repository(&repository)),
            Err(moved) => Ok(moved),
        }
    }

    fn contents(&mut self, names: &[&str], path: &[&str]) -> Outcome {
        let documentation = "/repos/contents#get-repository-content";
        match self.repository_for(names, ("contents", "read"), documentation)? {
            Ok(repository) if path == ["README.md"] => {
                let text = format!("# {}\n", repository.name);
                let mut body = self.shape().file(&repository, "README.md", text.len());
                body["content"] = json!(base64(text.as_bytes()));
                self.ok(&body)
            }
            Ok(_) => Err(problem(404, "Not Found", documentation)),
            Err(moved) => Ok(moved),
        }
    }

    fn create_issue(&mut self, names: &[&str]) -> Outcome {
        let documentation = "/issues/issues#create-an-issue";
        let repository = match self.repository_for(names, ("issues", "write"), documentation)? {
            Ok(repository) => repository,
            Err(moved) => return Ok(moved),
        };
        let body: Value = serde_json::from_slice(&self.request.body)
            .map_err(|_| problem(400, "Problems parsing JSON", documentation))?;
        let Some(title) = body["title"].as_str().filter(|title| !title.is_empty()) else {
            return Err(problem(
                422,
                "Invalid request.\n\n\"title\" wasn't supplied.",
                documentation,
            ));
        };
        let body = json!({
            "number": 1,
            "title": title,
            "state": "open",
            "url": format!("{}/repos/{}/{}/issues/1", self.root, repository.owner, repository.name),
        });
        Ok(json_answer(201, &body))
    }

    fn installation_repositories(&mut self) -> Outcome {
        let place = self.token_of_request(true)?;
        let token = self.tokens[place].clone();
        let installation = self
            .world
            .installations
            .iter()
            .find(|known| known.id == token.installation);
        let Some(installation) = installation else {
            return Err(problem(401, "Bad credentials", ""));
        };
        let shown: Vec<Value> = self
            .world
            .repositories
            .iter()
            .filter(|known| known.owner == installation.account && covers(installation, known))
            .filter(|known| {
                token
                    .repositories
                    .as_ref()
                    .is_none_or(|ids| ids.contains(&known.id))
            })
            .map(|known| self.shape().repository(known))
            .collect();
        self.ok(&json!({
            "total_count": shown.len(),
            "repository_selection": selection(token.repositories.is_some() || installation.repositories.is_some()),
            "repositories": shown,
        }))
    }

    fn rate_limit(&mut self) -> Outcome {
        let place = self.token_of_request(false)?;
        let used = self.tokens[place].uses;
        let rate = |limit: u32, used: u32| json!({"limit": limit, "used": used, "remaining": limit.saturating_sub(used), "reset": self.state.started + 3_600});
        self.ok(&json!({
            "resources": {
                "core": rate(RATE_LIMIT, used),
                "search": rate(30, 0),
                "graphql": rate(5_000, 0),
            },
            "rate": rate(RATE_LIMIT, used),
        }))
    }

    fn shape(&self) -> shapes::Shapes<'_> {
        shapes::Shapes {
            root: &self.root,
            world: self.world,
        }
    }
}

enum Found<'a> {
    Here(&'a Repository),
    Moved(&'a Repository),
    Nowhere,
}

fn json_answer(status: u16, body: &Value) -> Answer {
    Answer::new(status).json("application/json; charset=utf-8", body)
}

fn inaccessible((name, level): (&str, &str), documentation: &'static str) -> Problem {
    let mut problem = problem(403, "Resource not accessible by integration", documentation);
    problem.headers.push((
        "X-Accepted-GitHub-Permissions".into(),
        format!("{name}={level}"),
    ));
    problem
}

fn covers(installation: &Installation, repository: &Repository) -> bool {
    installation
        .repositories
        .as_ref()
        .is_none_or(|ids| ids.contains(&repository.id))
}

fn selection(selected: bool) -> &'static str {
    if selected { "selected" } else { "all" }
}

/// The order of the levels; 0 for what is no level.
fn rank(level: &str) -> u8 {
    match level {
        "read" => 1,
        "write" => 2,
        "admin" => 3,
        _ => 0,
    }
}

/// Is this range of an `Accept` header one that the API serves?
fn is_served(range: &str) -> bool {
    let media_type = range
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    matches!(
        media_type.as_str(),
        "*/*" | "application/*" | "application/json"
    ) || media_type
        .strip_prefix("application/vnd.github")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.') || rest.starts_with('+'))
}

/// What the body of a mint asks for.
#[derive(Debug, Default, PartialEq)]
struct Wanted {
    names: Option<Vec<String>>,
    ids: Option<Vec<u64>>,
    permissions: Option<BTreeMap<String, String>>,
}

impl Wanted {
    fn parse(body: &[u8]) -> Result<Self, (u16, String)> {
        if body.is_empty() {
            return Ok(Self::default());
        }
        let invalid = |what: String| (422, format!("Invalid request.\n\n{what}"));
        let body: Value =
            serde_json::from_slice(body).map_err(|_| (400, "Problems parsing JSON".to_owned()))?;
        let Value::Object(fields) = body else {
            return Err((400, "Body should be a JSON object".into()));
        };
        let mut wanted = Self::default();
        for (name, value) in &fields {
            match name.as_str() {
                "repositories" => {
                    wanted.names = Some(items(name, value, "a string", |item| {
                        item.as_str().map(str::to_owned)
                    })?)
                }
                "repository_ids" => {
                    wanted.ids = Some(items(name, value, "an integer", Value::as_u64)?)
                }
                "permissions" => {
                    let Value::Object(levels) = value else {
                        return Err(invalid(format!(
                            "For 'properties/permissions', {value} is not an object."
                        )));
                    };
                    let mut permissions = BTreeMap::new();
                    for (name, level) in levels {
                        let level = level.as_str().filter(|level| rank(level) > 0).ok_or_else(
                            || {
                                invalid(format!(
                                    "{level} is not a member of [\"read\", \"write\", \"admin\"]."
                                ))
                            },
                        )?;
                        permissions.insert(name.clone(), level.to_owned());
                    }
                    wanted.permissions = Some(permissions);
                }
                other => return Err(invalid(format!("\"{other}\" is not a permitted key."))),
            }
        }
        let count = wanted
            .names
            .as_ref()
            .map_or(0, Vec::len)
            .max(wanted.ids.as_ref().map_or(0, Vec::len));
        if count > MAX_REPOSITORIES {
            return Err(invalid(format!(
                "No more than {MAX_REPOSITORIES} items are allowed; {count} were supplied."
            )));
        }
        Ok(wanted)
    }
}

fn items<T>(
    name: &str,
    value: &Value,
    kind: &str,
    read: impl Fn(&Value) -> Option<T>,
) -> Result<Vec<T>, (u16, String)> {
    let Value::Array(items) = value else {
        return Err((
            422,
            format!("Invalid request.\n\nFor 'properties/{name}', {value} is not an array."),
        ));
    };
    items
        .iter()
        .enumerate()
        .map(|(place, item)| {
            read(item).ok_or_else(|| {
                (
                    422,
                    format!(
                        "Invalid request.\n\nFor 'properties/{name}/{place}', {item} is not {kind}."
                    ),
                )
            })
        })
        .collect()
}

/// A new token: `ghs_` and 36 characters, or since 2026 `ghs_`, the App's id and a signed token of
/// about 520 characters in all.
fn token(form: TokenForm, app_id: u64) -> String {
    match form {
        TokenForm::Short => format!("ghs_{}", random_text(ALPHANUMERIC, 36)),
        TokenForm::Long => {
            // Random, so that `-` and `_` occur; lengths vary as those of GitHub's do.
            let payload = 78 + usize::from(random_bytes(1)[0] % 16);
            let header = base64url(jwt::rs256().to_string().as_bytes());
            format!(
                "ghs_{app_id}_{header}.{}.{}",
                base64url(&random_bytes(payload)),
                base64url(&random_bytes(256))
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_have_the_form_asked_for() {
        let long = token(TokenForm::Long, 7);
        assert!(
            long.starts_with("ghs_7_") && long.matches('.').count() == 2,
            "{long}"
        );
        assert!((480..560).contains(&long.len()), "{}", long.len());
        assert_eq!(token(TokenForm::Short, 7).len(), 40);
    }

    #[test]
    fn bodies_of_the_wrong_shape_are_refused() {
        let status = |body: &str| Wanted::parse(body.as_bytes()).map_err(|(status, _)| status);
        assert_eq!(status(""), Ok(Wanted::default()));
        assert_eq!(status("{"), Err(400));
        assert_eq!(status("[]"), Err(400));
        assert_eq!(status(r#"{"repositories":"a"}"#), Err(422));
        assert_eq!(status(r#"{"repositories":[1]}"#), Err(422));
        assert_eq!(status(r#"{"repository_ids":["1"]}"#), Err(422));
        assert_eq!(status(r#"{"permissions":{"contents":"banana"}}"#), Err(422));
        assert_eq!(status(r#"{"repos":["a"]}"#), Err(422));
        let many = |count: usize| json!({"repository_ids": vec![1; count]}).to_string();
        assert!(status(&many(500)).is_ok());
        assert_eq!(status(&many(501)), Err(422));
    }

    #[test]
    fn media_types_are_judged() {
        for good in [
            "*/*",
            "application/json",
            "application/vnd.github+json",
            "application/vnd.github.v3+json",
            "application/json;q=0.9",
        ] {
            assert!(is_served(good), "{good}");
        }
        for bad in ["text/html", "application/vnd.githubs", "application/xml"] {
            assert!(!is_served(bad), "{bad}");
        }
    }
}
