//! What is asked for, in the user's own words, becomes an [`Order`]. Every part is read and checked
//! before the first call.
//!
//! A place in an error is the name of the input at fault, as action.yml has it.

use crate::aws::credentials::{self, Source};
use crate::aws::keyring::KeyRing;
use crate::aws::kms_key::KmsKeyId;
use crate::aws::region::Region;
use crate::error::{Error, Result, problem, words};
use crate::github::ApiUrl;
use crate::host::{Env, Host};
use crate::http::client::Client;
use crate::http::url::Origin;
use crate::jwt::AppId;
use crate::permissions::Permissions;
use crate::scope::{Target, Wanted};

/// Everything that decides what token is made, and how.
#[derive(Debug)]
pub struct Order {
    /// Whose token.
    pub app: AppId,
    /// Which keys may sign.
    pub keys: KeyRing,
    /// Whose credentials ask for the signature.
    pub credentials: Source,
    /// For whom and what.
    pub target: Target,
    /// What it may do.
    pub permissions: Permissions,
    /// Where GitHub is.
    pub api: ApiUrl,
}

/// What the user wrote. Empty texts count as not given.
#[derive(Clone, Debug, Default)]
pub struct Asked<'a> {
    /// Which App.
    pub app: App<'a>,
    /// How it is signed.
    pub signing: Signing<'a>,
    /// For whom.
    pub scope: Wanted<'a>,
    /// Names and levels of what the token may do.
    pub permissions: Vec<(&'a str, &'a str)>,
    /// `github-api-url`.
    pub api_url: &'a str,
}

/// Which App, in the user's words.
#[derive(Clone, Copy, Debug, Default)]
pub struct App<'a> {
    /// `client-id`.
    pub client_id: &'a str,
    /// `app-id`.
    pub app_id: &'a str,
}

/// Who signs, in the user's words.
#[derive(Clone, Copy, Debug, Default)]
pub struct Signing<'a> {
    /// `kms-key-id`.
    pub kms_key_id: &'a str,
    /// `aws-region`.
    pub region: &'a str,
    /// `role-to-assume`.
    pub role_to_assume: &'a str,
    /// `aws-audience`.
    pub audience: &'a str,
}

/// GitHub's own API, where nothing else is named.
const GITHUB: &str = "https://api.github.com";

impl Order {
    /// Reads the whole. Returns warnings beside.
    ///
    /// # Errors
    /// One problem for each way in which what is asked, or the environment, can be wrong.
    pub fn read(client: &Client, asked: &Asked<'_>) -> Result<(Self, Vec<String>)> {
        let app = asked.app.read()?;
        let keys = asked.signing.keys(&client.host)?;
        let (target, too_wide) = Target::from_wanted(&asked.scope)?;
        let (permissions, unknown) = Permissions::parse(asked.permissions.iter().copied())?;
        let api = api_url(asked.api_url, &*client.host.env)?;
        let regions = keys.keys().iter().map(|key| key.region.clone());
        let credentials = asked.signing.source(client, regions)?;
        let order = Self {
            app,
            keys,
            credentials,
            target,
            permissions,
            api,
        };
        Ok((order, too_wide.into_iter().chain(unknown).collect()))
    }

    /// Every origin that this order may lead to, and whether it is one of AWS's.
    pub fn origins(&self) -> Vec<(Origin, bool)> {
        let mut origins = self.credentials.origins();
        origins.push((self.api.url().origin.clone(), false));
        for key in self.keys.keys() {
            origins.push((key.endpoint.origin.clone(), true));
        }
        origins
    }
}

impl App<'_> {
    /// The App's id; `client-id` wins.
    ///
    /// # Errors
    /// [`problem::APP_ID_MISSING`] and [`problem::APP_ID_INVALID`].
    pub fn read(&self) -> Result<AppId> {
        match (self.client_id.trim(), self.app_id.trim()) {
            ("", "") => Err(Error::new(&problem::APP_ID_MISSING, "")),
            ("", id) => AppId::parse(id).map_err(at("app-id")),
            (id, _) => AppId::parse(id).map_err(at("client-id")),
        }
    }
}

impl Signing<'_> {
    /// The keys, in order of preference.
    ///
    /// # Errors
    /// `kms-key-id-*`, `region-*`, [`problem::ENDPOINT_INVALID`].
    pub fn keys(&self, host: &Host) -> Result<KeyRing> {
        let keys = KmsKeyId::parse_list(self.kms_key_id).map_err(at("kms-key-id"))?;
        // The shared files are read only where nothing else says it: an ARN names its own region.
        let configured = match keys.iter().all(|key| key.region().is_some()) {
            true => None,
            false => region(self.region, host)?,
        };
        KeyRing::new(keys, configured.as_ref(), &*host.env)
    }

    /// Whose credentials ask them. `regions` say where STS is asked, if it has to be, in order of
    /// preference.
    ///
    /// # Errors
    /// As [`Source::choose`].
    pub fn source(
        &self,
        client: &Client,
        regions: impl IntoIterator<Item = Region>,
    ) -> Result<Source> {
        let mut regions = regions.into_iter();
        let wanted = credentials::Wanted {
            role_to_assume: self.role_to_assume,
            audience: self.audience,
            region: regions.next(),
            further: regions.collect(),
        };
        Source::choose(client, &wanted)
    }
}

/// The region that is configured, if any: the user's word, else the environment's, else the profile's.
///
/// # Errors
/// [`problem::REGION_INVALID`], [`problem::CREDENTIALS_SOURCE_BROKEN`].
pub fn region(text: &str, host: &Host) -> Result<Option<Region>> {
    match Region::configured(text, &*host.env)? {
        Some(region) => Ok(Some(region)),
        None => credentials::profile_region(host),
    }
}

/// Where GitHub is: the user's word, else `GITHUB_API_URL`, else GitHub's own.
///
/// # Errors
/// [`problem::API_URL_INVALID`].
pub fn api_url(text: &str, env: &dyn Env) -> Result<ApiUrl> {
    if !text.trim().is_empty() {
        return ApiUrl::parse(text).map_err(at("github-api-url"));
    }
    match env.var("GITHUB_API_URL") {
        Some(url) => ApiUrl::parse(&url).map_err(at("GITHUB_API_URL")),
        None => ApiUrl::parse(GITHUB),
    }
}

/// A switch, as YAML writes one; not given means no.
///
/// # Errors
/// [`problem::BOOLEAN_INVALID`].
pub fn switch(name: &'static str, text: &str) -> Result<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" | "" => Ok(false),
        _ => Err(Error::new(&problem::BOOLEAN_INVALID, format!("{:?}", words(text))).at(name)),
    }
}

/// Says where it stood, unless the error knows better.
fn at(name: &'static str) -> impl Fn(Error) -> Error {
    move |error| {
        if error.place.is_empty() {
            error.at(name)
        } else {
            error
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Script, env};

    #[test]
    fn the_client_id_wins_and_empty_is_none() {
        let id = |client_id, app_id| App { client_id, app_id }.read().map(|id| id.to_string());
        assert_eq!(id("Iv1.a", "7").unwrap(), "Iv1.a");
        assert_eq!(id(" ", "7").unwrap(), "7");
        assert!(id("", "").unwrap_err().is(&problem::APP_ID_MISSING));
        assert_eq!(id("a b", "").unwrap_err().place, "client-id");
    }

    #[test]
    fn the_api_is_the_user_s_word_then_the_environment_s_then_github_s_own() {
        let ghes = env(&[("GITHUB_API_URL", "https://ghes.example/api/v3")]);
        let of = |text: &str, env: &dyn Env| api_url(text, env).unwrap().to_string();
        assert_eq!(of("https://api.x.ghe.com/", &ghes), "https://api.x.ghe.com");
        assert_eq!(of(" ", &ghes), "https://ghes.example/api/v3");
        assert_eq!(of("", &env(&[])), GITHUB);
    }

    #[test]
    fn the_profile_s_region_serves_where_nothing_else_names_one() {
        let script = Script::new([])
            .var("AWS_CONFIG_FILE", "/config")
            .file("/config", "[default]\nregion = eu-north-1\n");
        let region = |kms_key_id, region| {
            let signing = Signing {
                kms_key_id,
                region,
                ..Signing::default()
            };
            signing.keys(&script.host()).unwrap().keys()[0]
                .region
                .to_string()
        };
        assert_eq!(region("alias/a", ""), "eu-north-1");
        assert_eq!(region("alias/a", "eu-west-1"), "eu-west-1");
        assert_eq!(
            region("arn:aws:kms:us-east-2:123456789012:alias/a", ""),
            "us-east-2"
        );
    }

    #[test]
    fn a_switch_is_true_or_false() {
        assert!(switch("x", " True ").unwrap());
        assert!(!switch("x", "FALSE").unwrap() && !switch("x", "").unwrap());
        assert!(
            switch("x", "yes")
                .unwrap_err()
                .is(&problem::BOOLEAN_INVALID)
        );
    }
}
