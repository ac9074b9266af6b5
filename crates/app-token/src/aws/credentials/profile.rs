//! The shared config and credentials files: `AWS_PROFILE`, or `default` where it holds credentials.
//!
//! A profile has keys, or a role that is assumed with another profile's, with what the environment, the
//! container or the instance gives, or with a token from a file. See "Shared config and credentials
//! files" and "Assume role credential provider" in the AWS SDKs and Tools Reference Guide. Sign-in
//! sessions and programs that print credentials are refused by name: they belong to a person's machine.

use super::container::Container;
use super::ini::{Kind, Profiles};
use super::instance::Instance;
use super::web_identity::WebIdentity;
use super::{Credentials, broken, environment, is_sound};
use crate::aws::region::Region;
use crate::aws::sts::{self, RoleArn, RoleSession, Sts};
use crate::error::{Error, Result, words};
use crate::host::{Env, Host};
use crate::http::client::Client;
use crate::http::url::Origin;
use crate::secret::Secret;
use std::fmt;

/// The variables that name the files, and where they are otherwise, below the home directory.
const FILES: [(Kind, &str, &str); 2] = [
    (Kind::Config, "AWS_CONFIG_FILE", "/.aws/config"),
    (
        Kind::Credentials,
        "AWS_SHARED_CREDENTIALS_FILE",
        "/.aws/credentials",
    ),
];

const NAME: &str = "AWS_PROFILE";
const DEFAULT: &str = "default";

/// The properties of which one is enough to say that a profile is meant as a source.
const TELLING: [&str; 11] = [
    "aws_access_key_id",
    "aws_secret_access_key",
    "role_arn",
    "credential_source",
    "web_identity_token_file",
    "credential_process",
    "login_session",
    "sso_session",
    "sso_start_url",
    "sso_account_id",
    "sso_role_name",
];

/// Those of them that are not supported, with what they are.
const UNSUPPORTED: [(&str, &str); 6] = [
    ("sso_session", "a session of IAM Identity Center"),
    ("sso_start_url", "a session of IAM Identity Center"),
    ("sso_account_id", "a session of IAM Identity Center"),
    ("sso_role_name", "a session of IAM Identity Center"),
    ("login_session", "a session of `aws login`"),
    ("credential_process", "a program that prints credentials"),
];

/// How long a role's session may last, in seconds (API reference of AssumeRole).
const SECONDS: std::ops::RangeInclusive<u32> = 900..=43_200;

/// A profile: what it starts from, and the roles that lead from there.
#[derive(Clone, Debug)]
pub struct Profile {
    name: String,
    base: Base,
    /// In the order in which they are assumed.
    roles: Vec<(RoleSession, Sts)>,
}

/// Where the first credentials come from.
#[derive(Clone, Debug)]
enum Base {
    /// Keys: the profile's, or the environment's.
    Keys(Credentials),
    WebIdentity(WebIdentity),
    Container(Container),
    Instance(Instance),
}

impl Profile {
    /// The profile in use, if one is named or the default one has credentials.
    ///
    /// # Errors
    /// [`crate::error::problem::CREDENTIALS_SOURCE_BROKEN`], [`crate::error::problem::REGION_MISSING`],
    /// [`crate::error::problem::ENDPOINT_INVALID`].
    #[inline(never)] // compiled only where it is the source; see docs/architecture.md
    pub(super) fn configured(host: &Host, region: Option<&Region>) -> Result<Option<Self>> {
        let profiles = read(host)?;
        let named = host.env.var(NAME);
        let name = named.as_deref().map_or(DEFAULT, str::trim);
        let tells = |property: &&str| profiles.property(name, property).is_some();
        if named.is_none() && !TELLING.iter().any(tells) {
            return Ok(None);
        }
        Chain {
            host,
            profiles: &profiles,
            top: name,
            region,
        }
        .resolve()
        .map(Some)
    }

    #[inline(never)]
    pub(super) fn origins(&self) -> Vec<(Origin, bool)> {
        let base = match &self.base {
            Base::Keys(_) => None,
            Base::WebIdentity(identity) => Some(identity.origin()),
            Base::Container(container) => Some(container.origin()),
            Base::Instance(instance) => Some(instance.origin()),
        };
        let roles = self.roles.iter().map(|(_, sts)| sts.origin());
        base.into_iter().chain(roles).collect()
    }

    pub(super) async fn load(&self, client: &Client) -> Result<Credentials> {
        let mut credentials = match &self.base {
            Base::Keys(credentials) => credentials.clone(),
            Base::WebIdentity(identity) => identity.load(client).await?,
            Base::Container(container) => container.load(client).await?,
            Base::Instance(instance) => instance.load(client).await?,
        };
        for (session, sts) in &self.roles {
            credentials = sts.assume_role(client, &credentials, session).await?;
        }
        Ok(credentials)
    }
}

/// `profile NAME`.
impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "profile {}", self.name)
    }
}

/// The region of the profile in use.
///
/// # Errors
/// [`crate::error::problem::CREDENTIALS_SOURCE_BROKEN`] if a file cannot be read;
/// [`crate::error::problem::REGION_INVALID`].
#[inline(never)]
pub(super) fn region(host: &Host) -> Result<Option<Region>> {
    let name = host.env.var(NAME);
    let name = name.as_deref().map_or(DEFAULT, str::trim);
    region_of(&read(host)?, name)
}

fn region_of(profiles: &Profiles, name: &str) -> Result<Option<Region>> {
    profiles
        .property(name, "region")
        .map(|text| {
            Region::parse(text.expose()).map_err(|error| error.at(format!("profile {name}")))
        })
        .transpose()
}

/// For the error that nothing is configured.
pub(super) fn absence(env: &dyn Env) -> String {
    let paths: Vec<String> = FILES
        .iter()
        .filter_map(|file| path(env, file))
        .map(|(path, _)| path)
        .collect();
    let where_ = match paths.as_slice() {
        [] => "there is no home directory to look in".to_owned(),
        paths => format!(
            "there are no credentials under [default] in {}",
            paths.join(" or ")
        ),
    };
    format!("profile: {NAME} is not set, and {where_}")
}

/// Where a file is, and whether a variable says so.
fn path(env: &dyn Env, (_, variable, below): &(Kind, &str, &str)) -> Option<(String, bool)> {
    let home = || env.var("HOME").or_else(|| env.var("USERPROFILE"));
    match env.var(variable) {
        None => Some((format!("{}{below}", home()?), false)),
        Some(path) => match path.strip_prefix('~').zip(home()) {
            Some((rest, home)) if rest.starts_with(['/', '\\']) => {
                Some((format!("{home}{rest}"), true))
            }
            _ => Some((path, true)),
        },
    }
}

/// Both files. One that is not there is as good as empty, unless a variable names it.
fn read(host: &Host) -> Result<Profiles> {
    let mut profiles = Profiles::default();
    for file in &FILES {
        let (kind, variable, _) = file;
        let Some((path, named)) = path(&*host.env, file) else {
            continue;
        };
        let place = if named {
            format!("{variable}: {path}")
        } else {
            path.clone()
        };
        match host.files.read(&path) {
            Ok(text) => {
                let text = Secret::new(text);
                profiles
                    .add(text.expose(), *kind)
                    .map_err(|line| broken(place, format!("line {line} is malformed")))?;
            }
            Err(error) if error.is_missing() && !named => {}
            Err(error) => return Err(broken(place, words(&error.0))),
        }
    }
    Ok(profiles)
}

/// The way from the profile that is named to the one that has credentials.
struct Chain<'a> {
    host: &'a Host,
    profiles: &'a Profiles,
    top: &'a str,
    region: Option<&'a Region>,
}

impl<'a> Chain<'a> {
    fn resolve(&self) -> Result<Profile> {
        let mut roles = Vec::new();
        let mut passed: Vec<&str> = Vec::new();
        let mut current = self.top;
        let base = loop {
            if !self.profiles.has(current) {
                return Err(self.absent(current, passed.last().copied()));
            }
            // A profile that others start from gives its keys, if it has any, rather than its role.
            let keys = self.text(current, "aws_access_key_id").is_some();
            let session = match self.session(current)? {
                Some(session) if passed.is_empty() || !keys => session,
                _ => break Base::Keys(self.keys(current)?),
            };
            passed.push(current);
            let fail = |why: &str| Err(at(current, why));
            match (
                self.text(current, "web_identity_token_file"),
                self.text(current, "source_profile"),
                self.text(current, "credential_source"),
            ) {
                (Some(file), None, None) => {
                    let identity = WebIdentity::new(session, file.to_owned(), self.sts()?);
                    break Base::WebIdentity(identity.map_err(|why| at(current, why))?);
                }
                (None, Some(next), None) => {
                    roles.push(self.role(current, session)?);
                    // A profile may name itself, for its own keys.
                    if next == current {
                        break Base::Keys(self.keys(current)?);
                    }
                    if passed.contains(&next) {
                        return fail(&format!(
                            "source_profile leads in a circle: {}, {next}",
                            passed.join(", ")
                        ));
                    }
                    current = next;
                }
                (None, None, Some(source)) => {
                    roles.push(self.role(current, session)?);
                    break self.named(current, source)?;
                }
                (None, None, None) => {
                    return fail(
                        "it has role_arn, but none of source_profile, credential_source and web_identity_token_file",
                    );
                }
                _ => {
                    return fail(
                        "it has more than one of source_profile, credential_source and web_identity_token_file",
                    );
                }
            }
        };
        roles.reverse();
        Ok(Profile {
            name: self.top.to_owned(),
            base,
            roles,
        })
    }

    /// The role of a profile, and how it is assumed.
    fn session(&self, profile: &str) -> Result<Option<RoleSession>> {
        let Some(arn) = self.text(profile, "role_arn") else {
            return Ok(None);
        };
        if self.text(profile, "mfa_serial").is_some() {
            return Err(unsupported(
                profile,
                "mfa_serial",
                "a code typed by a person",
            ));
        }
        let fail = |why: String| at(profile, why);
        let seconds = match self.text(profile, "duration_seconds") {
            None => sts::LIFETIME,
            Some(text) => {
                let seconds = text
                    .parse()
                    .ok()
                    .filter(|seconds| SECONDS.contains(seconds));
                seconds.ok_or_else(|| {
                    fail("duration_seconds is no number from 900 to 43200".to_owned())
                })?
            }
        };
        let name = match self.text(profile, "role_session_name") {
            None => sts::session_name(&*self.host.env),
            Some(name) if sts::is_session_name(name) => name.to_owned(),
            Some(_) => {
                return Err(fail(
                    "role_session_name is not 2 to 64 of A-Z a-z 0-9 _ + = , . @ -".to_owned(),
                ));
            }
        };
        let external_id = self.text(profile, "external_id").map(str::to_owned);
        Ok(Some(RoleSession {
            role: RoleArn::parse(arn).map_err(|why| fail(format!("role_arn {why}")))?,
            name,
            seconds,
            external_id,
        }))
    }

    fn role(&self, profile: &str, session: RoleSession) -> Result<(RoleSession, Sts)> {
        let sts = self.sts()?;
        session
            .role
            .check(sts.region())
            .map_err(|why| at(profile, why))?;
        Ok((session, sts))
    }

    /// STS in the region that is wanted, else in the profile's own.
    fn sts(&self) -> Result<Sts> {
        let own = match self.region {
            Some(_) => None,
            None => region_of(self.profiles, self.top)?,
        };
        Sts::new(self.region.or(own.as_ref()), &*self.host.env)
    }

    /// The keys of a profile, masked.
    fn keys(&self, profile: &str) -> Result<Credentials> {
        for (property, what) in UNSUPPORTED {
            if self.text(profile, property).is_some() {
                return Err(unsupported(profile, property, what));
            }
        }
        let text = |name: &str| {
            let text = self.profiles.property(profile, name);
            match text {
                Some(text) if !is_sound(text.expose()) => Err(at(
                    profile,
                    format!("{name} holds white space or control characters"),
                )),
                _ => Ok(text.cloned()),
            }
        };
        let half = |there: &str, lacking: &str| {
            Err(at(profile, format!("it has {there}, but no {lacking}")))
        };
        match (text("aws_access_key_id")?, text("aws_secret_access_key")?) {
            (Some(id), Some(secret)) => {
                let credentials = Credentials {
                    access_key_id: id.expose().to_owned(),
                    secret_access_key: secret,
                    session_token: text("aws_session_token")?,
                    expires: None,
                };
                credentials.mask(&*self.host.log);
                Ok(credentials)
            }
            (Some(_), None) => half("aws_access_key_id", "aws_secret_access_key"),
            (None, Some(_)) => half("aws_secret_access_key", "aws_access_key_id"),
            (None, None) => {
                let lacking = [
                    "credential_source",
                    "source_profile",
                    "web_identity_token_file",
                ]
                .into_iter()
                .find(|name| self.text(profile, name).is_some());
                Err(match lacking {
                    Some(there) => at(profile, format!("it has {there}, but no role_arn")),
                    None => at(profile, "it has no credentials: neither keys nor a role"),
                })
            }
        }
    }

    /// What `credential_source` names.
    fn named(&self, profile: &str, source: &str) -> Result<Base> {
        let nothing = |why: &str| at(profile, format!("credential_source is {source}, but {why}"));
        match source {
            "Environment" => {
                let credentials = environment::read(&*self.host.env)?.ok_or_else(|| {
                    nothing("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set")
                })?;
                credentials.mask(&*self.host.log);
                Ok(Base::Keys(credentials))
            }
            "EcsContainer" => Container::configured(self.host)?
                .map(Base::Container)
                .ok_or_else(|| nothing("no AWS_CONTAINER_CREDENTIALS_* variable is set")),
            "Ec2InstanceMetadata" => Instance::configured(&*self.host.env)?
                .map(|instance| Base::Instance(instance.wanted()))
                .ok_or_else(|| nothing("AWS_EC2_METADATA_DISABLED is true")),
            _ => Err(at(
                profile,
                "credential_source is none of Environment, EcsContainer and Ec2InstanceMetadata",
            )),
        }
    }

    fn absent(&self, profile: &str, named_by: Option<&str>) -> Error {
        let paths: Vec<String> = FILES
            .iter()
            .filter_map(|file| path(&*self.host.env, file))
            .map(|(path, _)| path)
            .collect();
        let why = match named_by {
            None => format!("{NAME} names it"),
            Some(other) => format!("source_profile of {other} names it"),
        };
        let files = match paths.as_slice() {
            [] => "there is no home directory to look in".to_owned(),
            paths => format!("it is not in {}", paths.join(" or ")),
        };
        at(profile, format!("{why}, but {files}"))
    }

    fn text(&self, profile: &str, name: &str) -> Option<&'a str> {
        self.profiles.property(profile, name).map(Secret::expose)
    }
}

fn at(profile: &str, why: impl Into<String>) -> Error {
    broken(format!("profile {}", words(profile)), why)
}

fn unsupported(profile: &str, property: &str, what: &str) -> Error {
    let profile_words = words(profile);
    at(
        profile,
        format!("it needs {what} ({property}), which is not supported here"),
    )
    .advise(format!(
        "Run `aws configure export-credentials --profile {profile_words} --format env` first, and set the variables that it prints."
    ))
}

#[cfg(test)]
mod tests {
    use super::super::tests::load;
    use super::super::{Source, Wanted, profile_region};
    use super::*;
    use crate::aws::sts::tests::{fields, granted, refused};
    use crate::error::problem;
    use crate::testing::{Script, response};

    const A: &str = "arn:aws:iam::123456789012:role/a";

    /// A home with these files, and a container behind it in the order, which must not be asked.
    fn home(script: Script, config: &str, credentials: &str) -> Script {
        script
            .var("HOME", "/home/me")
            .var("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:9/")
            .file("/home/me/.aws/config", config)
            .file("/home/me/.aws/credentials", credentials)
    }

    fn choose(script: &Script) -> Result<(Client, Source)> {
        let client = Client::new(script.host()).unwrap();
        let wanted = Wanted {
            region: Some(Region::parse("eu-central-1").unwrap()),
            ..Wanted::default()
        };
        let source = Source::choose(&client, &wanted)?;
        Ok((client, source))
    }

    fn run(script: &Script) -> Result<Credentials> {
        let (client, source) = choose(script)?;
        assert!(source.to_string().starts_with("profile "), "{source}");
        load(script, &client, &source)
    }

    fn keys(name: &str) -> String {
        format!(
            "[{name}]\naws_access_key_id = AKIA-{name}\naws_secret_access_key = secret-{name}\n"
        )
    }

    fn fails(script: Script, place: &str, detail: &str) -> Error {
        let error = run(&script).unwrap_err();
        assert!(error.is(&problem::CREDENTIALS_SOURCE_BROKEN), "{error}");
        assert_eq!(error.place, place, "{error}");
        assert!(error.detail.contains(detail), "{error}");
        assert!(!error.report().contains("secret-"), "{error}");
        assert!(script.sent().is_empty());
        error
    }

    #[test]
    fn the_default_profile_s_keys_are_used_and_masked() {
        let credentials = format!("{}aws_session_token = session\n", keys("default"));
        let script = home(Script::new([]), "", &credentials);
        let found = run(&script).unwrap();
        assert_eq!(found.access_key_id, "AKIA-default");
        assert_eq!(found.session_token.unwrap().expose(), "session");
        assert_eq!(script.log().masks(), ["secret-default", "session"]);
        assert!(choose(&script).unwrap().1.origins().is_empty());
    }

    #[test]
    fn a_default_profile_without_credentials_is_no_source() {
        let script = home(
            Script::new([]),
            "[default]\nregion = eu-west-1\n",
            &keys("other"),
        );
        let (_, source) = choose(&script).unwrap();
        assert!(matches!(source, Source::Container(_)), "{source}");
    }

    #[test]
    fn the_files_are_where_the_variables_say() {
        let script = Script::new([])
            .var("USERPROFILE", "C:\\Users\\me")
            .var("AWS_SHARED_CREDENTIALS_FILE", "~/mine")
            .var("AWS_CONFIG_FILE", "/etc/aws")
            .var(NAME, " x ")
            .file("C:\\Users\\me/mine", &keys("x"))
            .file("/etc/aws", "");
        assert_eq!(run(&script).unwrap().access_key_id, "AKIA-x");
        fails(
            script.var("AWS_CONFIG_FILE", "/nowhere"),
            "AWS_CONFIG_FILE: /nowhere",
            "ENOENT",
        );
    }

    #[test]
    fn a_role_is_assumed_with_its_source_profile_s_keys() {
        let config = format!(
            "[profile top]\nrole_arn = {A}\nsource_profile = base\nexternal_id = x/1\n\
             role_session_name = me\nduration_seconds = 3600\n"
        );
        let script = home(
            Script::new([Ok(granted("AssumeRole", "ASIA"))]),
            &config,
            &keys("base"),
        )
        .var(NAME, "top");
        assert_eq!(run(&script).unwrap().access_key_id, "ASIA");
        let sent = &script.sent()[0];
        assert_eq!(
            fields(sent)[2..],
            [
                "RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fa",
                "RoleSessionName=me",
                "DurationSeconds=3600",
                "ExternalId=x%2F1",
            ]
        );
        assert!(signer(sent).contains("Credential=AKIA-base/"));
        assert_eq!(
            script.log().masks(),
            ["secret-base", "secret/of+ASIA", "session/of+ASIA=="]
        );
    }

    fn signer(request: &crate::http::Request) -> String {
        let mut headers = request.headers.iter();
        let (_, value) = headers.find(|(name, _)| *name == "authorization").unwrap();
        value.expose().to_owned()
    }

    #[test]
    fn roles_are_assumed_one_after_the_other_from_the_far_end() {
        let config = "[profile top]\nrole_arn = arn:aws:iam::123456789012:role/top\nsource_profile = middle\n\
             [profile middle]\nrole_arn = arn:aws:iam::123456789012:role/middle\nsource_profile = base\n\
             [profile base]\nrole_arn = arn:aws:iam::123456789012:role/unused\nsource_profile = top\n";
        let script = home(
            Script::new([
                Ok(granted("AssumeRole", "ASIA1")),
                Ok(granted("AssumeRole", "ASIA2")),
            ]),
            config,
            &keys("base"),
        )
        .var(NAME, "top");
        assert_eq!(run(&script).unwrap().access_key_id, "ASIA2");
        let sent = script.sent();
        assert!(fields(&sent[0])[2].ends_with("middle") && signer(&sent[0]).contains("AKIA-base"));
        assert!(fields(&sent[1])[2].ends_with("top") && signer(&sent[1]).contains("ASIA1"));
    }

    #[test]
    fn a_profile_may_be_its_own_source() {
        let config = format!("[default]\nrole_arn = {A}\nsource_profile = default\n");
        let script = home(
            Script::new([Ok(granted("AssumeRole", "ASIA"))]),
            &config,
            &keys("default"),
        );
        assert_eq!(run(&script).unwrap().access_key_id, "ASIA");
        assert!(signer(&script.sent()[0]).contains("AKIA-default"));
    }

    #[test]
    fn a_role_through_a_token_in_a_file() {
        let config = format!("[profile x]\nrole_arn = {A}\nweb_identity_token_file = /token\n");
        let script = home(
            Script::new([Ok(granted("AssumeRoleWithWebIdentity", "ASIA"))]),
            &config,
            "",
        )
        .var(NAME, "x")
        .file("/token", "a.b.c");
        assert_eq!(run(&script).unwrap().access_key_id, "ASIA");
        assert!(fields(&script.sent()[0]).contains(&"WebIdentityToken=a.b.c".to_owned()));
    }

    #[test]
    fn a_role_through_the_container_and_through_the_instance() {
        let config =
            |source: &str| format!("[default]\nrole_arn = {A}\ncredential_source = {source}\n");
        let given = r#"{"AccessKeyId":"ASIA1","SecretAccessKey":"s","Token":"t","Expiration":"2023-11-14T22:28:20Z"}"#;
        let script = home(
            Script::new([Ok(response(200, given)), Ok(granted("AssumeRole", "ASIA2"))]),
            &config("EcsContainer"),
            "",
        );
        assert_eq!(run(&script).unwrap().access_key_id, "ASIA2");
        assert!(signer(&script.sent()[1]).contains("ASIA1"));
        let script = home(
            Script::new([
                Ok(response(200, "token")),
                Ok(response(200, "role")),
                Ok(response(200, given)),
                Ok(granted("AssumeRole", "ASIA2")),
            ]),
            &config("Ec2InstanceMetadata"),
            "",
        );
        assert_eq!(run(&script).unwrap().access_key_id, "ASIA2");
        // A source that is named must be there: not to find it is no reason to look elsewhere.
        let script = home(
            Script::new([Ok(response(404, ""))]),
            &config("Ec2InstanceMetadata"),
            "",
        );
        let error = run(&script).unwrap_err();
        assert!(error.is(&problem::CREDENTIALS_SOURCE_BROKEN), "{error}");
    }

    #[test]
    fn a_profile_that_does_not_work_is_named_and_nobody_else_is_asked() {
        let of = |config: &str, credentials: &str| {
            home(Script::new([]), config, credentials).var(NAME, "x")
        };
        let both = "/home/me/.aws/config or /home/me/.aws/credentials";
        fails(
            of("", ""),
            "profile x",
            &format!("AWS_PROFILE names it, but it is not in {both}"),
        );
        fails(
            Script::new([]).var(NAME, "x"),
            "profile x",
            "there is no home directory",
        );
        fails(
            of("[profile x]\nregion = r-1\n", ""),
            "profile x",
            "has no credentials",
        );
        let x = |text: &str| format!("[profile x]\n{text}\n");
        for (config, detail) in [
            ("aws_access_key_id = A", "but no aws_secret_access_key"),
            (
                "aws_secret_access_key = secret-x",
                "but no aws_access_key_id",
            ),
            (
                "aws_access_key_id = A\naws_secret_access_key = secret-x\n  secret-y",
                "aws_secret_access_key holds white space",
            ),
            (
                "role_arn = a\nsource_profile = x",
                "role_arn \"a\" is no ARN",
            ),
            (&format!("role_arn = {A}"), "none of source_profile"),
            (
                &format!("role_arn = {A}\nsource_profile = x\ncredential_source = Environment"),
                "more than one of",
            ),
            (
                &format!("role_arn = {A}\ncredential_source = Environment"),
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set",
            ),
            (
                &format!("role_arn = {A}\ncredential_source = Elsewhere"),
                "none of Environment",
            ),
            (
                &format!("role_arn = {A}\nsource_profile = x\nduration_seconds = 60"),
                "duration_seconds",
            ),
            (
                &format!("role_arn = {A}\nsource_profile = x\nrole_session_name = a b"),
                "role_session_name",
            ),
            (
                "role_arn = arn:aws-cn:iam::123456789012:role/a\nsource_profile = x",
                "partition",
            ),
            (
                "source_profile = y",
                "it has source_profile, but no role_arn",
            ),
        ] {
            fails(of(&x(config), ""), "profile x", detail);
        }
        fails(
            of(&x(&format!("role_arn = {A}\nsource_profile = y")), ""),
            "profile y",
            "source_profile of x names it",
        );
        fails(
            of(
                &format!(
                    "[profile x]\nrole_arn = {A}\nsource_profile = y\n\
                     [profile y]\nrole_arn = {A}\nsource_profile = x\n"
                ),
                "",
            ),
            "profile y",
            "leads in a circle: x, y, x",
        );
        fails(
            of("[profile x]\nsecret-", ""),
            "/home/me/.aws/config",
            "line 2 is malformed",
        );
    }

    #[test]
    fn what_needs_a_person_s_session_is_refused_with_the_way_out() {
        for property in [
            "sso_session = s",
            "sso_start_url = https://x",
            "login_session = arn",
            "credential_process = /bin/x",
            "role_arn = arn:aws:iam::123456789012:role/a\nmfa_serial = arn",
        ] {
            let config = format!("[default]\n{property}\n");
            // Keys beside it do not make it better: the SDKs do not agree on which of them wins.
            for credentials in [String::new(), keys("default")] {
                let script = home(Script::new([]), &config, &credentials);
                let error = fails(script, "profile default", "not supported");
                assert!(
                    error
                        .hint()
                        .starts_with("Run `aws configure export-credentials --profile default")
                );
            }
        }
    }

    #[test]
    fn a_refusal_on_the_way_is_the_profile_s_failure() {
        let config = format!("[default]\nrole_arn = {A}\nsource_profile = base\n");
        let script = home(
            Script::new([Ok(refused(403, "AccessDenied", "not authorized"))]),
            &config,
            &keys("base"),
        );
        let error = run(&script).unwrap_err();
        assert!(error.is(&problem::CREDENTIALS_SOURCE_BROKEN));
        assert_eq!(error.detail, "AccessDenied: not authorized");
        assert_eq!(
            error.causes,
            ["AWS credentials were to come from profile default"]
        );
    }

    #[test]
    fn a_profile_s_region_is_the_last_resort() {
        let script = home(
            Script::new([Ok(granted("AssumeRole", "ASIA"))]),
            &format!(
                "[default]\nregion = eu-west-2\n[profile x]\nregion = eu-west-3\nrole_arn = {A}\nsource_profile = default\n"
            ),
            &keys("default"),
        );
        let region = |script: &Script| {
            profile_region(&script.host()).map(|found| found.unwrap().to_string())
        };
        assert_eq!(region(&script).unwrap(), "eu-west-2");
        let script = script.var(NAME, "x");
        assert_eq!(region(&script).unwrap(), "eu-west-3");
        let client = Client::new(script.host()).unwrap();
        let source = Source::choose(&client, &Wanted::default()).unwrap();
        load(&script, &client, &source).unwrap();
        assert_eq!(script.urls(), ["https://sts.eu-west-3.amazonaws.com/"]);
        let script = script.file("/home/me/.aws/config", "[profile x]\nregion = a/b\n");
        assert_eq!(region(&script).unwrap_err().place, "profile x");
        assert_eq!(profile_region(&Script::new([]).host()).unwrap(), None);
    }
}
