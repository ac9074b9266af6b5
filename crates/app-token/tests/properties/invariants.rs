//! What holds for any input at all, one function a parser. The property tests call these with inputs
//! that resemble good ones, the fuzz targets (folder `fuzz/`) with whatever the coverage leads to.
//!
//! Each function panics where its invariant does not hold.

use super::host::{Answer, START, block_on, host, world};
use app_token::aws::credentials::{self, Credentials, Source};
use app_token::aws::endpoint::Service;
use app_token::aws::kms::{self, SigningKey};
use app_token::aws::kms_key::KmsKeyId;
use app_token::aws::region::Region;
use app_token::clock::UnixTime;
use app_token::error::{Error, Problem, problem};
use app_token::github::installation::{self, Installation};
use app_token::github::token::{self, Revoked, Token};
use app_token::github::{ApiUrl, GitHub, Refused, identity};
use app_token::http::client::{Client, Limits};
use app_token::http::network::Network;
use app_token::http::url::{Origin, Url, encode};
use app_token::http::wire::Decoder;
use app_token::http::{BODY_LIMIT, FaultKind};
use app_token::permissions::{Level, PERMISSIONS, Permissions, nearest};
use app_token::scope::{
    Account, MOST_REPOSITORIES, Owner, Repositories, RepositoryName, Target, Wanted,
};
use app_token::secret::Secret;
use std::collections::BTreeMap;
use std::net::Ipv6Addr;

/// The longest report that still is one that a person reads, in bytes. The longest fixed texts of the
/// catalogue have some 600.
const LONGEST_REPORT: usize = 8 * 1024;

/// An error is of a known kind, says so, says what to do, and has no character that a terminal or the
/// runner would take for more than text.
pub fn clear(error: &Error) {
    let report = error.report();
    assert!(
        problem::ALL.iter().any(|known| error.is(known)),
        "{} is in no catalogue",
        error.problem.code
    );
    assert!(report.starts_with(error.problem.summary), "{report}");
    assert!(report.contains(error.problem.hint), "{report}");
    assert!(report.len() < LONGEST_REPORT, "{} bytes", report.len());
    assert!(
        !report.chars().any(|c| c.is_control() && c != '\n'),
        "{report:?}"
    );
    // What was found is on the first line; a value cannot put lines of its own into the report.
    assert!(
        !error.detail.contains('\n') && !error.place.contains('\n'),
        "{error:?}"
    );
    assert_ne!(
        error.problem.code,
        problem::INTERNAL.code,
        "an input must not look like a fault of the program"
    );
}

fn one_of(error: &Error, allowed: &[&Problem]) {
    clear(error);
    assert!(
        allowed.iter().any(|one| error.is(one)),
        "{} is not among those expected",
        error.problem.code
    );
}

/// `owner`, `repositories` and the rest become a target that holds nothing but safe names, or an error.
pub fn scope(wanted: &Wanted<'_>) {
    let (target, warning) = match Target::from_wanted(wanted) {
        Ok(made) => made,
        Err(error) => {
            return one_of(
                &error,
                &[
                    &problem::OWNER_INVALID,
                    &problem::REPOSITORY_INVALID,
                    &problem::REPOSITORY_OWNER_MISMATCH,
                    &problem::TOO_MANY_REPOSITORIES,
                    &problem::REPOSITORY_ID_INVALID,
                    &problem::INSTALLATION_ID_INVALID,
                    &problem::ENTERPRISE_INVALID,
                    &problem::SCOPE_CONFLICT,
                    &problem::CURRENT_REPOSITORY_UNKNOWN,
                ],
            );
        }
    };
    let safe = |name: &str| {
        assert!(!name.is_empty() && name.len() <= 100, "{name:?}");
        assert_eq!(encode(name), name, "needs no encoding in a URL");
        assert!(name != "." && name != "..", "{name:?} climbs out of a path");
    };
    let blank = |text: &str| text.trim().is_empty();
    match &target.account {
        Account::Owner(owner) => {
            safe(owner.as_str());
            assert_eq!(Owner::parse(owner.as_str()).unwrap(), *owner);
            if !blank(wanted.owner) {
                assert!(owner.is(wanted.owner.trim()));
            }
        }
        Account::Enterprise(slug) => {
            safe(slug.as_str());
            assert_eq!(slug.as_str(), wanted.enterprise.trim());
            assert_eq!(target.repositories, Repositories::All);
            assert_eq!(warning, None);
        }
        Account::Installation { id, owner } => {
            assert_ne!(id.to_string(), "0");
            assert_eq!(owner.is_some(), !blank(wanted.owner));
        }
    }
    match &target.repositories {
        Repositories::All => {
            assert!(wanted.repositories.split([',', '\n', '\r']).all(blank));
            let enterprise = matches!(target.account, Account::Enterprise(_));
            assert_eq!(
                warning.is_none(),
                enterprise,
                "a token for everything is told"
            );
        }
        Repositories::Names(names) => {
            assert!((1..=MOST_REPOSITORIES).contains(&names.len()));
            assert_eq!(warning, None);
            let source = format!("{}\n{}", wanted.repositories, wanted.current);
            let mut seen: Vec<String> = Vec::new();
            for name in names {
                safe(name.as_str());
                assert_eq!(RepositoryName::parse(name.as_str()).unwrap(), *name);
                assert!(source.contains(name.as_str()), "{name:?} was asked for");
                let folded = name.as_str().to_ascii_lowercase();
                assert!(!seen.contains(&folded), "{folded} twice");
                seen.push(folded);
            }
        }
        Repositories::Ids(ids) => {
            assert!((1..=MOST_REPOSITORIES).contains(&ids.len()));
            assert!(ids.iter().all(|id| *id > 0));
            assert_eq!(warning, None);
        }
    }
    let told = format!("{target}{}", warning.unwrap_or_default());
    assert!(!told.chars().any(char::is_control), "{told:?}");
}

/// Permissions that are taken have sound names and levels that exist, and read the same again.
pub fn permissions(pairs: &[(String, String)]) {
    let pairs: Vec<(&str, &str)> = pairs
        .iter()
        .map(|(name, level)| (name.as_str(), level.as_str()))
        .collect();
    let (parsed, warnings) = match Permissions::parse(pairs.iter().copied()) {
        Ok(parsed) => parsed,
        Err(error) => {
            return one_of(
                &error,
                &[
                    &problem::PERMISSION_NAME_INVALID,
                    &problem::PERMISSION_LEVEL_INVALID,
                    &problem::PERMISSION_GIVEN_TWICE,
                    &problem::PERMISSIONS_MISSING,
                ],
            );
        }
    };
    let mut count = 0;
    for (name, level) in parsed.iter() {
        count += 1;
        assert!(
            name.bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        );
        match PERMISSIONS.iter().find(|known| known.name == name) {
            Some(known) => assert!(known.levels.contains(&level)),
            None => assert!(warnings.iter().any(|w| w.contains(name)), "{name} is told"),
        }
        let asked = pairs
            .iter()
            .any(|(_, text)| Level::parse(text) == Some(level));
        assert!(asked, "nobody asked for {level:?}");
        assert_eq!(parsed.to_json()[name], level.as_str());
    }
    assert!(count > 0 && count <= pairs.len());
    let again: Vec<(String, &str)> = parsed
        .iter()
        .map(|(name, level)| (name.replace('_', "-").to_uppercase(), level.as_str()))
        .collect();
    let again = again.iter().map(|(name, level)| (name.as_str(), *level));
    assert_eq!(Permissions::parse(again).unwrap().0, parsed);
    let granted = parsed
        .iter()
        .map(|(name, level)| (name.to_owned(), level.as_str().into()))
        .collect();
    assert!(parsed.lacking(&granted).is_empty());
    assert_eq!(parsed.lacking(&Default::default()).len(), count);
}

/// A guess at a misspelt permission is one that exists.
pub fn guess(name: &str) {
    if let Some(guess) = nearest(name) {
        assert!(PERMISSIONS.iter().any(|known| known.name == guess));
    }
}

/// A URL that is taken prints as itself, and goes where any browser would go.
pub fn url(text: &str) {
    for (parsed, base) in [(Url::parse(text), false), (Url::parse_base(text), true)] {
        let Ok(parsed) = parsed else { continue };
        let printed = parsed.to_string();
        let again = if base {
            Url::parse_base(&printed)
        } else {
            Url::parse(&printed)
        };
        assert_eq!(
            again.as_ref(),
            Ok(&parsed),
            "{text:?} prints as {printed:?}"
        );
        assert!(printed.bytes().all(|b| b.is_ascii_graphic()), "{printed:?}");
        same_place(text, &parsed.origin);
        same_place(&printed, &parsed.origin);
        if base {
            assert!(
                parsed.origin.secure || parsed.origin.is_loopback(),
                "{printed}"
            );
            assert!(!parsed.path.ends_with('/') && !parsed.path.contains('?'));
        }
        let joined = parsed.join("/users/octocat/installation");
        assert_eq!(joined.origin, parsed.origin);
        same_place(&joined.to_string(), &parsed.origin);
    }
    if let Ok(api) = ApiUrl::parse(text) {
        assert_eq!(ApiUrl::parse(&api.to_string()).unwrap(), api);
        assert!(!api.web_host().is_empty());
    }
}

/// Another parser, written by others to WHATWG's rules, finds the same origin.
fn same_place(text: &str, origin: &Origin) {
    // Names in Punycode are decoded and judged there; this program passes them on as they are.
    if text.to_ascii_lowercase().contains("xn--") {
        return;
    }
    let oracle = url::Url::parse(text)
        .unwrap_or_else(|error| panic!("{text:?} is taken as {origin}, but elsewhere: {error}"));
    assert_eq!(oracle.scheme() == "https", origin.secure, "{text:?}");
    assert_eq!(
        oracle.port_or_known_default(),
        Some(origin.port),
        "{text:?}"
    );
    assert!(oracle.username().is_empty() && oracle.password().is_none());
    assert!(oracle.fragment().is_none());
    let host = oracle.host_str().unwrap_or_default();
    match host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        Some(v6) => assert_eq!(
            v6.parse::<Ipv6Addr>().unwrap(),
            origin.host.parse::<Ipv6Addr>().unwrap(),
            "{text:?}"
        ),
        None => assert_eq!(host, origin.host, "{text:?}"),
    }
}

/// The name of a key is taken as it stands or not at all, and its region is the one in it.
pub fn key(text: &str) {
    let key = match KmsKeyId::parse(text) {
        Ok(key) => key,
        Err(error) => return one_of(&error, &[&problem::KMS_KEY_ID_INVALID]),
    };
    assert_eq!(key.as_str(), text.trim());
    assert!(
        key.as_str()
            .bytes()
            .all(|b| b.is_ascii_graphic() && !b"\"\\".contains(&b))
    );
    assert_eq!(KmsKeyId::parse(key.as_str()).unwrap(), key);
    let parts: Vec<&str> = key.as_str().split(':').collect();
    match key.region() {
        None => assert!(parts.len() == 1 && !key.as_str().starts_with("arn:")),
        Some(region) => {
            assert_eq!(parts.len(), 6);
            assert_eq!(
                (parts[0], parts[2], parts[3]),
                ("arn", "kms", region.as_str())
            );
            assert_eq!(parts[1], region.partition().name);
            one_label(region);
        }
    }
}

/// A list of keys keeps their order.
pub fn keys(text: &str) {
    match KmsKeyId::parse_list(text) {
        Ok(keys) => {
            assert!(!keys.is_empty());
            let mut rest = text;
            for key in keys {
                let at = rest.find(key.as_str()).unwrap();
                rest = &rest[at..];
            }
        }
        Err(error) => one_of(
            &error,
            &[&problem::KMS_KEY_ID_INVALID, &problem::KMS_KEY_ID_MISSING],
        ),
    }
}

/// A region is one label of a host name, so the endpoint is one of the partition's.
pub fn region(text: &str) {
    match Region::parse(text) {
        Ok(region) => one_label(&region),
        Err(error) => one_of(&error, &[&problem::REGION_INVALID]),
    }
}

fn one_label(region: &Region) {
    let env: BTreeMap<String, String> = BTreeMap::new();
    for service in [Service::Kms, Service::Sts] {
        let endpoint = service.endpoint(region, &env).unwrap();
        let expected = format!("{}.{region}.{}", service.name(), region.partition().suffix);
        assert_eq!(endpoint.origin.host, expected);
        assert!(endpoint.origin.secure);
    }
}

/// From 0000-01-01T00:00:00Z to 9999-12-31T23:59:59Z.
const FOUR_DIGIT_YEARS: std::ops::RangeInclusive<i64> = -62_167_219_200..=253_402_300_799;

/// Dates of any text never panic, and whatever is taken for RFC 3339 prints as the same moment.
pub fn clock(text: &str) {
    if let Some(time) = UnixTime::from_rfc3339(text) {
        // An offset can lead out of the years that have four digits, and so out of this form.
        if FOUR_DIGIT_YEARS.contains(&time.seconds()) {
            assert_eq!(
                UnixTime::from_rfc3339(&time.to_string()),
                Some(time),
                "{text:?}"
            );
        }
        assert!(time.basic_iso8601().ends_with('Z'));
    }
    if let Some(time) = UnixTime::from_http_date(text) {
        assert_eq!(
            UnixTime::from_rfc3339(&time.to_string()),
            Some(time),
            "{text:?}"
        );
    }
}

/// Whatever the proxy variables hold: no panic, loopback and metadata are reached directly, and a
/// password never shows.
pub fn proxies(https_proxy: &str, no_proxy: &str, host_name: &str) {
    let world = world([]);
    let host = host(
        &world,
        &[("HTTPS_PROXY", https_proxy), ("NO_PROXY", no_proxy)],
    );
    let network = match Network::read(&*host.env, &*host.files, &*host.log) {
        Ok(network) => network,
        Err(error) => {
            one_of(&error, &[&problem::PROXY_INVALID]);
            let text = https_proxy.trim();
            if let Some((credentials, _)) = text.rsplit_once('@')
                && let Some((_, password)) = credentials.rsplit_once(':')
                && password.len() > 8
                && password.bytes().any(|b| b.is_ascii_digit())
            {
                // The hint has an example of its own; no fixed text has digits.
                assert!(!error.to_string().contains(password), "the password shows");
            }
            return;
        }
    };
    let to = |host: &str| Origin {
        secure: true,
        host: host.to_owned(),
        port: 443,
    };
    for direct in [
        "127.0.0.1",
        "::1",
        "localhost",
        "169.254.169.254",
        "169.254.170.2",
    ] {
        assert_eq!(network.route(&to(direct), true).proxy, None, "{direct}");
    }
    let proxied = network.route(&to(host_name), false).proxy.is_some();
    let bare = |text: &str| {
        let text = text.strip_prefix('*').unwrap_or(text);
        text.strip_prefix('.').unwrap_or(text).to_ascii_lowercase()
    };
    let listed = no_proxy.split([',', ' ']).any(|entry| {
        let entry = entry.trim();
        entry == "*" || (!entry.contains('/') && bare(entry) == host_name)
    });
    if listed {
        assert!(!proxied, "{host_name} stands in NO_PROXY {no_proxy:?}");
    }
    if no_proxy.trim().is_empty() && !https_proxy.trim().is_empty() && !to(host_name).is_loopback()
    {
        assert!(proxied || host_name.parse::<std::net::IpAddr>().is_ok());
    }
}

/// Everything that the network, whatever it says, can make of a call: a result or a clear error.
fn with_github<T>(answers: Vec<Answer>, call: impl AsyncFnOnce(&GitHub<'_>) -> T) -> T {
    let world = world(answers);
    let client = Client::new(host(&world, &[])).unwrap();
    let api = ApiUrl::parse("https://api.github.com").unwrap();
    let github = GitHub {
        client: &client,
        api: &api,
        limits: Limits::MINT,
    };
    let outcome = block_on(call(&github));
    for line in world.told.borrow().iter() {
        assert!(!line.chars().any(char::is_control), "{line:?}");
    }
    assert!(!world.gave_away(JWT));
    for url in world.sent.borrow().iter() {
        assert!(
            url.starts_with("https://api.github.com/"),
            "{url} got a credential"
        );
    }
    outcome
}

/// Stands for the App's JWT.
const JWT: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiIxIn0.c2VjcmV0LXNpZ25hdHVyZQ";

/// The look-up takes an answer with a number, or says what it got.
pub fn look_up(answers: Vec<Answer>) -> Result<Installation, Error> {
    let account = Account::Owner(Owner::parse("octocat").unwrap());
    let jwt = Secret::from(JWT);
    let found = with_github(answers, async |github| {
        let found = installation::look_up(github, &jwt, &account).await;
        found.inspect_err(|refused| github.client.host.log.info(&refused.to_string()))
    });
    found.map_err(refused)
}

/// The mint takes an answer with a token that fits one line, or says what it got, without the token.
pub fn mint(answers: Vec<Answer>) -> Result<Token, Error> {
    let (permissions, _) = Permissions::parse([("contents", "read")]).unwrap();
    let jwt = Secret::from(JWT);
    let id = app_token::scope::InstallationId::from_number(1);
    let minted = with_github(answers, async |github| {
        let minted = token::mint(github, &jwt, id, &Repositories::All, &permissions).await;
        minted.inspect_err(|refused| github.client.host.log.info(&refused.to_string()))
    });
    if let Ok(token) = &minted {
        let text = token.secret.expose();
        assert!(!text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic()));
        // A shorter one may be part of a field's name.
        assert!(text.len() < 16 || !format!("{token:?}").contains(text));
    }
    minted.map_err(refused)
}

/// A revocation is done, was done before, or is a clear error.
pub fn revoke(answers: Vec<Answer>) -> Result<Revoked, Error> {
    let token = Secret::from(JWT);
    let revoked = with_github(answers, async |github| token::revoke(github, &token).await);
    revoked.inspect_err(clear)
}

/// The bot's identity fits one line, or there is a clear error.
pub fn bot(answers: Vec<Answer>, slug: &str) {
    let token = Secret::from(JWT);
    match with_github(answers, async |github| {
        identity::of_app(github, &token, slug).await
    }) {
        Ok(identity) => assert!(identity.email.bytes().all(|b| b.is_ascii_graphic())),
        Err(error) => clear(&error),
    }
}

fn refused(refused: Refused) -> Error {
    if let Refused::Clock { ahead, .. } = &refused {
        // Whatever the date said: the JWT that is made of it is one that can be written.
        let _ = UnixTime::from_seconds(START).plus(*ahead).to_string();
    }
    let error = Error::from(refused);
    clear(&error);
    error
}

/// KMS gives a signature of an RSA key's length, or there is a clear error.
pub fn kms(answers: Vec<Answer>) -> Result<Vec<u8>, Error> {
    let world = world(answers);
    let client = Client::new(host(&world, &[])).unwrap();
    let region = Region::parse("eu-central-1").unwrap();
    let key = SigningKey {
        id: KmsKeyId::parse("alias/github-app").unwrap(),
        endpoint: Service::Kms.endpoint(&region, &BTreeMap::new()).unwrap(),
        region,
    };
    let credentials = Credentials {
        access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
        secret_access_key: Secret::from("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
        session_token: None,
        expires: None,
    };
    let signed = block_on(kms::sign(
        &client,
        &credentials,
        &key,
        "head.claims",
        Limits::MINT,
    ));
    for line in world.told.borrow().iter() {
        assert!(!line.chars().any(char::is_control), "{line:?}");
    }
    assert!(!world.gave_away(credentials.secret_access_key.expose()));
    for url in world.sent.borrow().iter() {
        assert_eq!(url, "https://kms.eu-central-1.amazonaws.com/");
    }
    match signed {
        Ok(signature) => {
            assert!((256..=512).contains(&signature.bytes.len()));
            for text in [&signature.key_arn, &signature.request_id] {
                assert!(!text.chars().any(char::is_control));
            }
            Ok(signature.bytes)
        }
        Err(error) => {
            clear(&error);
            Err(error)
        }
    }
}

/// Stands for the runner's OIDC token, and for what authorises to ask for it.
const BEARER: &str = "runner-bearer-0123456789abcdef";
const ID_TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJyZXBvOm8vciJ9.aWQtdG9rZW4tc2lnbmF0dXJl";

/// A role's credentials, by OIDC and STS, whatever the two say: credentials that fit a header and are
/// masked, or a clear error.
pub fn role(answers: Vec<Answer>) {
    let oidc = Answer {
        status: 200,
        headers: Vec::new(),
        body: format!("{{\"value\":\"{ID_TOKEN}\"}}").into_bytes(),
    };
    let _ = credentials(answers.clone(), &[], &[]);
    let _ = credentials([oidc].into_iter().chain(answers).collect(), &[], &[]);
}

/// The shared config file, whatever it holds: credentials, or a clear error that shows no secret.
pub fn config(text: &str, profile: &str) {
    // Where the file itself holds what is only asked for later, its error may quote it.
    let made_up = |text: &str| text.contains(BEARER) || text.contains(ID_TOKEN);
    if made_up(text) || made_up(profile) {
        return;
    }
    let variables = [
        ("AWS_PROFILE", profile),
        ("AWS_CONFIG_FILE", "/config"),
        ("AWS_SHARED_CREDENTIALS_FILE", "/credentials"),
    ];
    let _ = credentials(
        Vec::new(),
        &variables,
        &[("/config", text), ("/credentials", text)],
    );
}

/// Credentials of whatever source the variables ask for; of a role through OIDC where there are none.
fn credentials(
    answers: Vec<Answer>,
    variables: &[(&str, &str)],
    files: &[(&str, &str)],
) -> Result<Credentials, Error> {
    let world = world(answers);
    for (path, text) in files {
        world
            .files
            .borrow_mut()
            .insert((*path).to_owned(), (*text).to_owned());
    }
    let mut all = vec![
        (
            "ACTIONS_ID_TOKEN_REQUEST_URL",
            "https://oidc.example/token?api-version=2.0",
        ),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", BEARER),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("GITHUB_RUN_ID", "1"),
    ];
    all.extend(variables);
    let client = Client::new(host(&world, &all)).unwrap();
    let wanted = credentials::Wanted {
        role_to_assume: if variables.is_empty() {
            "arn:aws:iam::123456789012:role/signer"
        } else {
            ""
        },
        audience: "",
        region: Some(Region::parse("eu-central-1").unwrap()),
        ..credentials::Wanted::default()
    };
    let loaded = match Source::choose(&client, &wanted) {
        Ok(source) => block_on(source.load(&client)),
        Err(error) => Err(error),
    };
    for line in world.told.borrow().iter() {
        assert!(!line.chars().any(char::is_control), "{line:?}");
        let masked = world.masks.borrow().iter().any(|mask| mask == ID_TOKEN);
        assert!(masked || !line.contains(ID_TOKEN), "{line:?}");
    }
    assert!(!world.gave_away(BEARER));
    match &loaded {
        Ok(credentials) => {
            let masks = world.masks.borrow();
            let secret = credentials.secret_access_key.expose();
            let token = credentials.session_token.as_ref().map(Secret::expose);
            for text in [Some(secret), token].into_iter().flatten() {
                assert!(
                    !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic()),
                    "{text:?}"
                );
                assert!(
                    masks.iter().any(|mask| mask == text),
                    "{text:?} is not masked"
                );
            }
            let shown = format!("{credentials:?}").replace(&credentials.access_key_id, "");
            // A shorter one may be part of the type's name.
            assert!(secret.len() < 16 || !shown.contains(secret));
        }
        Err(error) => {
            clear(error);
            assert!(!error.report().contains(BEARER) && !error.report().contains(ID_TOKEN));
        }
    }
    loaded
}

/// What became of the bytes of an answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Read {
    /// An answer, and whether the connection may be used again.
    Whole(u16, Vec<(String, String)>, Vec<u8>, bool),
    /// More bytes are needed.
    Half,
    /// It is no answer.
    Refused(FaultKind),
}

/// Reads the bytes of an answer, in pieces that end at these places.
pub fn read(bytes: &[u8], cuts: &[usize], ended: bool) -> Read {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    cuts.sort_unstable();
    cuts.push(bytes.len());
    let mut decoder = Decoder::default();
    let mut from = 0;
    for (number, to) in cuts.iter().enumerate() {
        let last = number + 1 == cuts.len();
        match decoder.push(&bytes[from..*to], last && ended) {
            Ok(Some((response, reusable))) => {
                assert!(response.body.len() <= BODY_LIMIT);
                assert!(response.status >= 200);
                // Whether more is on its way is known only where all has come.
                return Read::Whole(
                    response.status,
                    response.headers,
                    response.body.to_vec(),
                    reusable && *to == bytes.len(),
                );
            }
            Ok(None) => {}
            Err(fault) => {
                assert!(
                    matches!(fault.kind, FaultKind::Broken | FaultKind::TooLarge),
                    "{fault:?}"
                );
                assert!(!fault.words.chars().any(char::is_control));
                return Read::Refused(fault.kind);
            }
        }
        from = *to;
    }
    Read::Half
}

/// How the bytes of an answer are cut into pieces changes nothing.
pub fn wire(bytes: &[u8], cuts: &[usize]) {
    for ended in [false, true] {
        let (one, other) = (read(bytes, &[], ended), read(bytes, cuts, ended));
        match (&one, &other) {
            (Read::Whole(status, fields, body, _), Read::Whole(status2, fields2, body2, _)) => {
                assert_eq!((status, fields, body), (status2, fields2, body2));
            }
            // What comes after a whole answer is not looked at, and may not have come yet.
            _ => assert_eq!(one, other),
        }
    }
}
