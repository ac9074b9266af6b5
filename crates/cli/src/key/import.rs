//! From a PEM file to a key that signs, and from one such key to the next.
//!
//! Everything here converges: each run looks at what exists, shows what is left to do, and does that. A
//! key is found again by the fingerprint in its tags. The alias comes last, after the key has signed a
//! probe and its policy is set, in all regions; so whatever an alias leads to works.

use super::pem::{PrivateKey, PublicKey};
use super::wrap::wrap;
use crate::args::{AwsOptions, ImportOptions, KeyImport, KeyRotate};
use crate::kms::{self, KeyInfo, Kms};
use crate::native::Native;
use crate::native::console::Paint;
use crate::policy::{check_roles, documents};
use crate::{Status, order, output, problem};
use app_token::aws::credentials::Credentials;
use app_token::aws::endpoint::Service;
use app_token::aws::region::Region;
use app_token::aws::sts::{CallerIdentity, Sts};
use app_token::error::{Error, Result, problem as library, words};
use app_token::github::{ApiUrl, GitHub, app};
use app_token::http::client::Client;
use app_token::jwt::{self, AppId, IssuerForm};
use futures_util::stream::{self, StreamExt};
use serde_json::{Value, json};
use std::io::{BufRead, IsTerminal};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// The tag that says which private key a KMS key holds or waits for.
const FINGERPRINT: &str = "app-token:fingerprint";

/// The tag that says which key stood behind the alias before this one.
const PREVIOUS: &str = "app-token:previous-key";

/// What is signed as a probe. No JWT, so that the signature is good for nothing.
const PROBE: &str = "app-token: does this key sign as its private key does?";

/// How many keys are looked at side by side in search of one; KMS takes 2000 DescribeKey a second.
const SIDE_BY_SIDE: usize = 8;

/// The longest that a key may take to change its state. Replicas take some ten seconds.
const READY_WITHIN: Duration = Duration::from_secs(120);

/// The pause between two looks at such a key.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// `key import`
pub fn import(native: &Native, args: &KeyImport) -> Status {
    let options = &args.import;
    let alias = parse_alias(&options.alias)?;
    check_roles(&options.sign_role)?;
    if args.key_id.is_some() && options.region.len() > 1 {
        let detail = "--key-id names a key of one region";
        return Err(Error::new(&problem::KEY_UNSUITABLE, detail).at("--key-id"));
    }
    let pem = PrivateKey::read(&args.pem)?;
    let session = Session::open(native, options)?;
    let job = Job {
        native,
        session: &session,
        alias,
        fingerprint: pem.public().fingerprint(),
        public: pem.public(),
        pem,
        options,
        key_id: args.key_id.clone(),
        rotate: None,
    };
    let sites = job.survey()?;
    job.tell_plan("Bring a GitHub App's private key into AWS KMS", &sites);
    if sites
        .iter()
        .all(|site| matches!(site.start, Start::Done(_)))
    {
        native.console.note("Nothing is left to do.");
        job.verify_done(&sites)?;
        job.tell_result(&sites, &args.pem.display().to_string())?;
        return Ok(ExitCode::SUCCESS);
    }
    if !job.agreed()? {
        return Ok(ExitCode::SUCCESS);
    }
    let sites = job.carry_out(sites)?;
    job.tell_result(&sites, &args.pem.display().to_string())?;
    Ok(ExitCode::SUCCESS)
}

/// `key rotate`
pub fn rotate(native: &Native, args: &KeyRotate) -> Status {
    let options = &args.import;
    let alias = parse_alias(&options.alias)?;
    check_roles(&options.sign_role)?;
    let app = order::app(&args.client_id, &args.app_id)?;
    let api = order::api(&args.github, &*native.host.env)?;
    let Some(path) = &args.pem else {
        return Err(Error::new(&problem::PEM_UNREADABLE, "no file was named").at("--pem"));
    };
    let pem = PrivateKey::read(path)?;
    let session = Session::open(native, options)?;
    let job = Job {
        native,
        session: &session,
        alias,
        fingerprint: pem.public().fingerprint(),
        public: pem.public(),
        pem,
        options,
        key_id: None,
        rotate: Some(Rotation { app, api }),
    };
    let sites = job.survey()?;
    job.tell_plan("Put a new private key behind an alias", &sites);
    if sites
        .iter()
        .all(|site| matches!(site.start, Start::Done(_)))
    {
        native
            .console
            .note("Nothing is left to do: the alias leads to this key.");
        return Ok(ExitCode::SUCCESS);
    }
    if !job.agreed()? {
        return Ok(ExitCode::SUCCESS);
    }
    let sites = job.carry_out(sites)?;
    job.tell_rotated(&sites)?;
    Ok(ExitCode::SUCCESS)
}

/// `key rotate --undo`
pub fn undo(native: &Native, args: &KeyRotate) -> Status {
    let options = &args.import;
    let alias = parse_alias(&options.alias)?;
    let session = Session::open(native, options)?;
    let github = match (&args.client_id, &args.app_id) {
        (None, None) => None,
        (client, id) => Some(Rotation {
            app: order::app(client, id)?,
            api: order::api(&args.github, &*native.host.env)?,
        }),
    };
    let mut moves = Vec::new();
    for region in &session.regions {
        let kms = session.kms(region);
        let (now, before) = native.run("looking at the keys", async {
            let missing = || Error::new(&problem::ALIAS_MISSING, kms.name(&alias));
            let now = kms.describe(&alias).await?.ok_or_else(missing)?;
            let tags = kms.tags(&now.id).await?;
            let nothing =
                |why: String| Error::new(&problem::NOTHING_TO_UNDO, why).at(kms.name(&alias));
            let Some(id) = tags.get(PREVIOUS) else {
                return Err(nothing(format!("key {} has no tag {PREVIOUS}", now.id)));
            };
            match kms.describe(id).await? {
                Some(before) if before.state == "Enabled" => Ok((now, before)),
                Some(before) => Err(nothing(format!("key {id} is {}", before.state)).advise(
                    format!(
                        "aws kms enable-key --key-id {id} or cancel-key-deletion may bring it back."
                    ),
                )),
                None => Err(nothing(format!("key {} is gone", words(id)))),
            }
        })?;
        native.console.tell(&format!(
            "{}  {alias}: back from {} to {}",
            native.console.paint(Paint::Strong, region.as_str()),
            now.id,
            before.id
        ));
        moves.push((region, now, before));
    }
    if !agreed(native, options)? {
        return Ok(ExitCode::SUCCESS);
    }
    for (region, _, before) in &moves {
        let kms = session.kms(region);
        if let Some(rotation) = &github {
            step(
                native,
                region,
                "ask GitHub about the earlier key",
                rotation.check(native, &kms, &before.id),
            )?;
        }
    }
    for (region, now, before) in &moves {
        let kms = session.kms(region);
        let work = async {
            kms.update_alias(&alias, &before.id).await?;
            // So that this, too, can be undone.
            kms.tag(&before.id, &tags(&[(PREVIOUS, &now.id)])).await
        };
        step(
            native,
            region,
            &format!("{alias} leads to {} again", before.id),
            work,
        )?;
    }
    native
        .console
        .note("The rotation is undone. The same command does it again.");
    Ok(ExitCode::SUCCESS)
}

/// What is common to all regions.
struct Session {
    client: Client,
    credentials: Credentials,
    source: String,
    identity: Option<CallerIdentity>,
    regions: Vec<Region>,
    endpoints: Vec<app_token::http::url::Url>,
}

impl Session {
    fn open(native: &Native, options: &ImportOptions) -> Result<Self> {
        let client = native.client()?;
        let env = &*native.host.env;
        let mut regions: Vec<Region> = Vec::new();
        for text in &options.region {
            let region = Region::parse(text).map_err(|error| error.at("--region"))?;
            if !regions.contains(&region) {
                regions.push(region);
            }
        }
        if regions.is_empty() {
            let configured = order::region(&AwsOptions::default(), &native.host)?;
            let missing = || Error::new(&library::REGION_MISSING, "").advise("Give --region.");
            regions.push(configured.ok_or_else(missing)?);
        }
        let endpoints = regions
            .iter()
            .map(|region| Service::Kms.endpoint(region, env));
        let endpoints = endpoints.collect::<Result<_>>()?;
        let source = order::credentials(&client, &AwsOptions::default(), regions.first().cloned())?;
        let sts = Sts::new(regions.first(), env)?;
        let (credentials, identity) = native.run("asking whose credentials these are", async {
            let credentials = source.load(&client).await?;
            let identity = sts.caller_identity(&client, &credentials).await;
            Ok::<_, Error>((credentials, identity))
        })?;
        // STS may be out of reach where KMS is not; its answer is for the plan alone.
        if let Err(error) = &identity {
            native.host.log.debug(&error.to_string());
        }
        Ok(Self {
            client,
            credentials,
            source: source.to_string(),
            identity: identity.ok(),
            regions,
            endpoints,
        })
    }

    fn kms(&self, region: &Region) -> Kms<'_> {
        let place = self
            .regions
            .iter()
            .position(|one| one == region)
            .unwrap_or(0);
        Kms {
            client: &self.client,
            credentials: &self.credentials,
            region: region.clone(),
            endpoint: self.endpoints[place].clone(),
        }
    }
}

/// For `rotate`: the App that must take the new key.
struct Rotation {
    app: AppId,
    api: ApiUrl,
}

impl Rotation {
    /// Has the key sign a JWT and asks GitHub which App that is.
    async fn check(&self, native: &Native, kms: &Kms<'_>, key: &str) -> Result<String> {
        let input = jwt::signing_input(&self.app, native.host.clock.now(), IssuerForm::default());
        let signature = kms.sign(key, &input).await?;
        let jwt = jwt::assemble(&input, &signature);
        native.host.log.mask(jwt.expose());
        let github = GitHub {
            client: kms.client,
            api: &self.api,
            limits: kms::ADMIN,
        };
        match app::of_jwt(&github, &jwt).await {
            Ok(app) => Ok(app.slug),
            Err(refused) => {
                let error = Error::from(refused);
                Err(
                    if error.is(&library::APP_KEY_WRONG) || error.is(&library::APP_UNKNOWN) {
                        Error {
                            problem: &problem::KEY_OF_ANOTHER_APP,
                            ..error
                        }
                    } else {
                        error
                    },
                )
            }
        }
    }
}

/// Where the work in a region begins.
enum Start {
    /// The alias leads to this private key.
    Done(KeyInfo),
    /// There is a key for it, with its material or waiting for it.
    Have(KeyInfo),
    /// There is none.
    Create,
    /// The primary region's key gets a replica here.
    Replicate,
}

/// A region, and what was found in it.
struct Site {
    region: Region,
    start: Start,
    /// What the alias leads to so far.
    old: Option<KeyInfo>,
    /// Other keys for the same private key, and the aliases that lead to each.
    leftovers: Vec<(KeyInfo, Vec<String>)>,
}

impl Site {
    fn key(&self) -> Option<&KeyInfo> {
        match &self.start {
            Start::Done(key) | Start::Have(key) => Some(key),
            _ => None,
        }
    }
}

struct Job<'a> {
    native: &'a Native,
    session: &'a Session,
    alias: String,
    fingerprint: String,
    public: PublicKey,
    pem: PrivateKey,
    options: &'a ImportOptions,
    key_id: Option<String>,
    rotate: Option<Rotation>,
}

impl Job<'_> {
    /// Looks at every region, and changes nothing.
    fn survey(&self) -> Result<Vec<Site>> {
        let mut sites: Vec<Site> = Vec::new();
        for region in &self.session.regions {
            let primary = sites
                .first()
                .map(|site| site.key().map(|key| key.id.clone()));
            let label = format!("looking at the keys in {region}");
            let multi = self.options.multi_region
                || sites
                    .first()
                    .and_then(|site| site.old.as_ref())
                    .is_some_and(|old| old.multi_region);
            let site = self.native.run(&label, self.look(region, primary, multi))?;
            sites.push(site);
        }
        Ok(sites)
    }

    /// `primary` is there for regions after the first, and holds the first one's key if there is one.
    async fn look(
        &self,
        region: &Region,
        primary: Option<Option<String>>,
        multi: bool,
    ) -> Result<Site> {
        let kms = self.session.kms(region);
        let old = kms.describe(&self.alias).await?;
        let site = |start, leftovers| Site {
            region: region.clone(),
            start,
            old: old.clone(),
            leftovers,
        };
        match (&old, self.rotate.is_some()) {
            (None, true) => return Err(Error::new(&problem::ALIAS_MISSING, kms.name(&self.alias))),
            (Some(key), _) if self.holds(&kms, key).await? => {
                return Ok(site(Start::Done(key.clone()), Vec::new()));
            }
            (Some(key), false)
                if self.key_id.as_ref() != Some(&key.id)
                    && self.key_id.as_ref() != Some(&key.arn) =>
            {
                let error = Error::new(
                    &problem::ALIAS_TAKEN,
                    format!("{} leads to key {}", self.alias, key.id),
                )
                .at(region.to_string());
                return Err(if key.is_pending() && key.is_suitable() {
                    error.advise(format!(
                        "That key waits for its material: --key-id {} imports into it.",
                        key.id
                    ))
                } else {
                    error
                });
            }
            _ => {}
        }
        if let Some(id) = &self.key_id {
            let missing = || Error::new(&library::KMS_KEY_NOT_FOUND, kms.name(id)).at("--key-id");
            let key = kms.describe(id).await?.ok_or_else(missing)?;
            if !key.is_suitable() {
                return Err(Error::new(&problem::KEY_UNSUITABLE, key.describe()).at("--key-id"));
            }
            if !key.is_pending() && !self.holds(&kms, &key).await? {
                return Err(Error::new(&problem::KEY_HAS_OTHER_MATERIAL, key.id).at("--key-id"));
            }
            return Ok(site(Start::Have(key), Vec::new()));
        }
        let multi = multi
            || old
                .as_ref()
                .is_some_and(|old| old.multi_region && self.rotate.is_some());
        if let (Some(primary), true) = (&primary, multi) {
            let replica = match primary {
                Some(id) => kms.describe(id).await?,
                None => None,
            };
            return Ok(match replica {
                Some(key) => site(Start::Have(key), Vec::new()),
                None => site(Start::Replicate, Vec::new()),
            });
        }
        let (key, leftovers) = self.find(&kms, multi).await?;
        Ok(site(key.map_or(Start::Create, Start::Have), leftovers))
    }

    /// Whether the key holds this private key.
    async fn holds(&self, kms: &Kms<'_>, key: &KeyInfo) -> Result<bool> {
        if key.is_pending() || key.state == "Creating" || key.usage != "SIGN_VERIFY" {
            return Ok(false);
        }
        Ok(kms.public_key(&key.id).await?.as_ref() == Some(&self.public))
    }

    /// The key that an earlier try left, and others for the same private key. One that an alias leads to
    /// was finished: somebody may use it, so it is left alone.
    async fn find(
        &self,
        kms: &Kms<'_>,
        multi: bool,
    ) -> Result<(Option<KeyInfo>, Vec<(KeyInfo, Vec<String>)>)> {
        let ids = kms.keys().await?;
        let looks = ids.iter().map(|id| self.is_marked(kms, id));
        let mut looks = stream::iter(looks).buffer_unordered(SIDE_BY_SIDE);
        let mut found: Vec<KeyInfo> = Vec::new();
        while let Some(look) = looks.next().await {
            match look {
                Ok(key) => found.extend(key),
                // A key may be none of this principal's business; it is not one that it made here then.
                Err(error) if error.is(&problem::KMS_RIGHT_MISSING) => {
                    self.native.host.log.debug(&error.to_string());
                }
                Err(error) => return Err(error),
            }
        }
        // Those that got furthest first; the id keeps two runs agreed on which of several it is.
        let rank = |key: &KeyInfo| {
            (
                key.multi_region != multi,
                key.state != "Enabled",
                key.id.clone(),
            )
        };
        found.sort_by_key(rank);
        let mut chosen = None;
        let mut leftovers = Vec::new();
        for key in found {
            let aliases = kms.aliases(&key.id).await?;
            let fits = chosen.is_none()
                && aliases.is_empty()
                && key.multi_region == multi
                && (key.is_pending() || (key.state == "Enabled" && self.holds(kms, &key).await?));
            if fits {
                chosen = Some(key);
            } else {
                leftovers.push((key, aliases));
            }
        }
        Ok((chosen, leftovers))
    }

    async fn is_marked(&self, kms: &Kms<'_>, id: &str) -> Result<Option<KeyInfo>> {
        let Some(key) = kms.describe(id).await? else {
            return Ok(None);
        };
        if !key.is_suitable() || key.state == "PendingDeletion" {
            return Ok(None);
        }
        let tags = kms.tags(id).await?;
        Ok((tags.get(FINGERPRINT) == Some(&self.fingerprint)).then_some(key))
    }

    fn tell_plan(&self, title: &str, sites: &[Site]) {
        let console = &self.native.console;
        let faint = |text: &str| console.paint(Paint::Faint, text);
        let mut text = format!("{}\n\n", console.paint(Paint::Strong, title));
        let mut row = |name: &str, value: &str| {
            text.push_str(&format!("  {}  {value}\n", faint(&format!("{name:<12}"))));
        };
        row("private key", &format!("RSA, {} bits", self.public.bits()));
        row("fingerprint", &self.fingerprint);
        let who = match &self.session.identity {
            Some(identity) => format!("{} ({})", identity.arn, self.session.source),
            None => self.session.source.clone(),
        };
        row("as", &who);
        row("alias", &self.alias);
        if let Some(rotation) = &self.rotate {
            row("App", &format!("{} at {}", rotation.app, rotation.api));
        }
        let signers = match (&self.options.sign_role[..], self.wants_policy()) {
            (_, None) => "as the key's policy has it".to_owned(),
            ([], Some(true)) => "as the old key's policy has it".to_owned(),
            ([], Some(false)) => {
                "whoever the account's IAM policies allow kms:Sign (--sign-role narrows this)"
                    .to_owned()
            }
            (roles, _) => roles.join(", "),
        };
        row("may sign", &signers);
        for site in sites {
            text.push_str(&format!(
                "\n  {}\n",
                console.paint(Paint::Strong, site.region.as_str())
            ));
            let mut number = 0;
            for step in self.steps(site) {
                number += 1;
                text.push_str(&format!("    {number}. {step}\n"));
            }
            for (key, aliases) in &site.leftovers {
                let sign = console.paint(Paint::Warn, "!");
                text.push_str(&if aliases.is_empty() {
                    format!(
                        "    {sign} key {} ({}) was made for the same private key, has no alias and stays unused;\n      \
                         to drop it: aws kms schedule-key-deletion --region {} --key-id {0}\n",
                        key.id, key.state, site.region,
                    )
                } else {
                    format!(
                        "    {sign} key {} ({}) is for the same private key, behind {}; it is left as it is\n",
                        key.id,
                        key.state,
                        aliases.join(", "),
                    )
                });
            }
        }
        console.tell(&text);
    }

    /// `None`: the policy stays. `Some(true)`: the old key's is taken over.
    fn wants_policy(&self) -> Option<bool> {
        match (&self.options.sign_role[..], &self.key_id, &self.rotate) {
            ([], Some(_), _) => None,
            ([], None, Some(_)) => Some(true),
            _ => Some(false),
        }
    }

    /// What is left to do in a region, for people.
    fn steps(&self, site: &Site) -> Vec<String> {
        let mut steps = Vec::new();
        let mut imported = false;
        match &site.start {
            Start::Done(key) => {
                return vec![format!(
                    "{} leads to key {}, which holds this private key",
                    self.alias, key.id
                )];
            }
            Start::Have(key) => {
                imported = !key.is_pending();
                steps.push(format!("go on with key {} ({})", key.id, key.state));
            }
            Start::Create => {
                steps.push("create a key: RSA_2048, SIGN_VERIFY, origin EXTERNAL".into())
            }
            Start::Replicate => steps.push("replicate the key of the first region".into()),
        }
        if !imported {
            steps.push("import the private key, wrapped with RSA_AES_KEY_WRAP_SHA_256".into());
        }
        steps.push(
            "have it sign a probe, and verify that with the private key's public half".into(),
        );
        if self.rotate.is_some() {
            steps.push("have GitHub confirm that the key is the App's".into());
        }
        if self.wants_policy().is_some() {
            steps.push("set the key's policy".into());
        }
        steps.push(match (&site.old, &self.rotate) {
            (Some(old), Some(_)) => format!("move {} from key {}", self.alias, old.id),
            (Some(_), None) => format!("{} stays as it is", self.alias),
            _ => format!("create {}", self.alias),
        });
        steps
    }

    fn agreed(&self) -> Result<bool> {
        agreed(self.native, self.options)
    }

    /// Does all that is left, region by region, and the aliases at the end.
    fn carry_out(&self, sites: Vec<Site>) -> Result<Vec<Site>> {
        let mut ready: Vec<Site> = Vec::new();
        for mut site in sites {
            if !matches!(site.start, Start::Done(_)) {
                let primary = ready
                    .first()
                    .and_then(|site| Some((site.region.clone(), site.key()?.clone())));
                if let Err(error) = self.prepare(&mut site, primary) {
                    ready.push(site);
                    return Err(self.so_far(error, &ready));
                }
            }
            ready.push(site);
        }
        for site in &ready {
            if let Err(error) = self.finish(site) {
                return Err(self.so_far(error, &ready));
            }
        }
        Ok(ready)
    }

    /// Everything but the alias.
    fn prepare(&self, site: &mut Site, primary: Option<(Region, KeyInfo)>) -> Result<()> {
        let kms = self.session.kms(&site.region);
        let region = site.region.clone();
        let multi = self.options.multi_region
            || site
                .old
                .as_ref()
                .is_some_and(|old| old.multi_region && self.rotate.is_some());
        let description = format!("Private key of a GitHub App, {}", self.fingerprint);
        let marks = tags(&[(FINGERPRINT, &self.fingerprint)]);
        match (&site.start, primary) {
            (Start::Create, _) => {
                let made = step(
                    self.native,
                    &region,
                    "create the key",
                    kms.create_key(&description, &marks, multi),
                )?;
                site.start = Start::Have(made);
            }
            (Start::Replicate, Some((home, key))) => {
                let from = self.session.kms(&home);
                let work = async {
                    let replicated = from.replicate(&key.id, &region, &description, &marks).await;
                    // An earlier try may have come this far.
                    match (replicated, kms.describe(&key.id).await?) {
                        (_, Some(replica)) => Ok(replica),
                        (Ok(()), None) => {
                            Err(Error::new(&problem::KEY_NOT_READY, kms.name(&key.id)))
                        }
                        (Err(error), None) => Err(error),
                    }
                };
                let made = step(self.native, &region, "replicate the key", work)?;
                site.start = Start::Have(made);
            }
            _ => {}
        }
        let Start::Have(key) = &site.start else {
            return Err(Error::new(
                &library::INTERNAL,
                "there is no key to import into",
            ));
        };
        let mut key = key.clone();
        if key.state == "Creating" {
            let wait = self.wait(&kms, &key.id, |state| state != "Creating");
            key = step(self.native, &region, "wait for the replica", wait)?;
            site.start = Start::Have(key.clone());
        }
        if key.is_pending() {
            let work = async {
                let parameters = kms.import_parameters(&key.id).await?;
                let wrapped = wrap(&self.pem.pkcs8()?, &parameters.wrapping_key)?;
                kms.import(&key.id, &parameters.token, &wrapped).await?;
                self.wait(&kms, &key.id, |state| state == "Enabled").await
            };
            key = step(self.native, &region, "import the private key", work)?;
            site.start = Start::Have(key.clone());
        }

        let wanted = self.policy(&kms, &key, site.old.as_ref())?;
        let probed = step(
            self.native,
            &region,
            "verify a signature",
            self.probe(&kms, &key, wanted.as_ref()),
        )?;
        if let (Some(rotation), true) = (&self.rotate, probed) {
            let slug = step(
                self.native,
                &region,
                "ask GitHub about the key",
                rotation.check(self.native, &kms, &key.id),
            )?;
            self.native
                .console
                .note(&format!("    the key belongs to {slug}"));
        }
        if let Some(policy) = &wanted {
            step(
                self.native,
                &region,
                "set the key's policy",
                kms.put_policy(&key.id, policy),
            )?;
        }
        Ok(())
    }

    fn policy(&self, kms: &Kms<'_>, key: &KeyInfo, old: Option<&KeyInfo>) -> Result<Option<Value>> {
        Ok(match (self.wants_policy(), old) {
            (None, _) => None,
            (Some(true), Some(old)) => Some(
                self.native
                    .run("reading the old key's policy", kms.policy(&old.id))?,
            ),
            _ => Some(documents::key(
                key.partition(),
                key.account(),
                &self.options.sign_role,
            )),
        })
    }

    /// Whether the key signs as the private key does. Says no where this principal may not have it sign
    /// because the policy is set already: that comes after the probe, so an earlier run saw it pass.
    async fn probe(&self, kms: &Kms<'_>, key: &KeyInfo, wanted: Option<&Value>) -> Result<bool> {
        let wrong = |why: &str| Error::new(&problem::KEY_CHECK_FAILED, why).at(kms.name(&key.id));
        if kms.public_key(&key.id).await?.as_ref() != Some(&self.public) {
            return Err(wrong("its public key is another"));
        }
        match kms.sign(&key.id, PROBE).await {
            Ok(signature) if self.public.verifies(PROBE.as_bytes(), &signature) => Ok(true),
            Ok(_) => Err(wrong("the signature is not the private key's")),
            Err(error) if error.is(&library::KMS_ACCESS_DENIED) => match wanted {
                Some(policy) if kms.policy(&key.id).await? == *policy => Ok(false),
                // A key that came with a policy of its own, and with the right public key.
                None if self.rotate.is_none() => {
                    self.native.host.log.warning(
                        "The key's policy does not let you have it sign, so no signature was verified; its \
                         public key is the right one. app-token doctor with the role's credentials tries it.",
                    );
                    Ok(false)
                }
                _ => Err(Error {
                    problem: &problem::KMS_RIGHT_MISSING,
                    detail: format!("kms:Sign; {}", error.detail),
                    ..error
                }),
            },
            Err(error) => Err(error),
        }
    }

    async fn wait(&self, kms: &Kms<'_>, id: &str, done: impl Fn(&str) -> bool) -> Result<KeyInfo> {
        let begun = Instant::now();
        loop {
            let key = kms.describe(id).await?;
            match key {
                Some(key) if done(&key.state) => return Ok(key),
                Some(key) if begun.elapsed() > READY_WITHIN => {
                    let detail = format!("it is {}", key.state);
                    return Err(Error::new(&problem::KEY_NOT_READY, detail).at(kms.name(id)));
                }
                None if begun.elapsed() > READY_WITHIN => {
                    return Err(
                        Error::new(&problem::KEY_NOT_READY, "it does not show").at(kms.name(id))
                    );
                }
                _ => kms.client.host.clock.sleep(LOOK_EVERY).await,
            }
        }
    }

    /// The alias.
    fn finish(&self, site: &Site) -> Result<()> {
        let kms = self.session.kms(&site.region);
        let Start::Have(key) = &site.start else {
            return Ok(());
        };
        match (&site.old, &self.rotate) {
            (Some(old), Some(_)) => {
                let work = async {
                    kms.tag(&key.id, &tags(&[(PREVIOUS, &old.id)])).await?;
                    kms.update_alias(&self.alias, &key.id).await
                };
                step(
                    self.native,
                    &site.region,
                    &format!("move {}", self.alias),
                    work,
                )
            }
            (Some(_), None) => Ok(()),
            (None, _) => {
                let work = kms.create_alias(&self.alias, &key.id);
                step(
                    self.native,
                    &site.region,
                    &format!("create {}", self.alias),
                    work,
                )
            }
        }
    }

    fn verify_done(&self, sites: &[Site]) -> Result<()> {
        for site in sites {
            if let Start::Done(key) = &site.start {
                let kms = self.session.kms(&site.region);
                // Not everybody who imports may have it sign afterwards; that is no fault.
                let signed = self
                    .native
                    .run("verifying a signature", kms.sign(&key.id, PROBE));
                match signed {
                    Ok(signature) if self.public.verifies(PROBE.as_bytes(), &signature) => {}
                    Ok(_) => {
                        return Err(Error::new(&problem::KEY_CHECK_FAILED, key.id.clone())
                            .at(site.region.to_string()));
                    }
                    Err(error) => self.native.host.log.debug(&error.to_string()),
                }
            }
        }
        Ok(())
    }

    /// What exists when something failed on the way.
    fn so_far(&self, error: Error, sites: &[Site]) -> Error {
        sites.iter().filter_map(|site| Some((site, site.key()?))).fold(error, |error, (site, key)| {
            let state = self.native.run("looking at what exists", self.session.kms(&site.region).describe(&key.id));
            let state = match state {
                Ok(Some(now)) => now.state,
                _ => key.state.clone(),
            };
            error.because(format!(
                "half-way: in {} key {} exists ({state}); run the same command again to go on, or drop it: \
                 aws kms schedule-key-deletion --region {0} --key-id {1}",
                site.region, key.id,
            ))
        })
    }

    /// The alias's ARN in each region, which is what the action takes, and what to do next.
    fn tell_result(&self, sites: &[Site], pem: &str) -> Result<()> {
        let console = &self.native.console;
        let arns: Vec<String> = sites
            .iter()
            .filter_map(|site| {
                let key = site.key()?;
                Some(format!(
                    "arn:{}:kms:{}:{}:{}",
                    key.partition(),
                    site.region,
                    key.account(),
                    self.alias
                ))
            })
            .collect();
        output::write_page(&format!("{}\n", arns.join("\n")))?;
        let file = if pem == "-" {
            "the private key's file".to_owned()
        } else {
            pem.to_owned()
        };
        console.note(&format!(
            "\n{} The key is ready. For workflows: kms-key-id is what stands above.\n\
             \n  fingerprint  {}\n               It must be among the private keys on the App's settings page.\n\
             \nNow:\n  1. app-token doctor --client-id CLIENT_ID --kms-key-id {}\n  \
             2. Delete {file}, and every copy: from now on nobody needs it. (KMS never gives it\n     \
             back. If the KMS key is lost, make a new private key on the settings page.)",
            console.paint(Paint::Good, "✓"),
            self.fingerprint,
            arns.first().map_or("", String::as_str),
        ));
        Ok(())
    }

    fn tell_rotated(&self, sites: &[Site]) -> Result<()> {
        let console = &self.native.console;
        let mut text = format!(
            "\n{} {} leads to the new key.\n\n  fingerprint  {}\n\nWhen all is well, retire the old key:\n  \
             1. Delete it on the App's settings page: it has another fingerprint.\n",
            console.paint(Paint::Good, "✓"),
            self.alias,
            self.fingerprint,
        );
        let mut number = 2;
        let mut regions = Vec::new();
        for site in sites {
            regions.push(format!("--region {}", site.region));
            if let (Some(old), Start::Have(_)) = (&site.old, &site.start) {
                text.push_str(&format!(
                    "  {number}. aws kms schedule-key-deletion --region {} --key-id {} --pending-window-in-days 7\n",
                    site.region, old.id
                ));
                number += 1;
            }
        }
        text.push_str(&format!(
            "\nUndo, until then:\n  app-token key rotate --undo --alias {} {}",
            self.alias,
            regions.join(" ")
        ));
        console.note(&text);
        Ok(())
    }
}

/// Does it, and shows that it was done and how long it took.
fn step<T>(
    native: &Native,
    region: &Region,
    label: &str,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    let begun = Instant::now();
    let outcome = native.run(&format!("{region}: {label}"), work);
    let took = native
        .console
        .paint(Paint::Faint, &format!("{} ms", begun.elapsed().as_millis()));
    let sign = match &outcome {
        Ok(_) => native.console.paint(Paint::Good, "✓"),
        Err(_) => native.console.paint(Paint::Bad, "✗"),
    };
    native
        .console
        .note(&format!("  {sign} {region}  {label}  {took}"));
    outcome
}

/// Whether to go on: the plan is on the screen.
fn agreed(native: &Native, options: &ImportOptions) -> Result<bool> {
    if options.dry_run {
        native.console.note("Nothing was changed (--dry-run).");
        return Ok(false);
    }
    if options.yes {
        return Ok(true);
    }
    let refused = |why: &str| Error::new(&problem::NOT_CONFIRMED, why);
    // The question goes to standard error: where nobody sees it, nobody can answer.
    if !std::io::stderr().is_terminal() {
        return Err(refused("there is no terminal to ask at"));
    }
    let mut answer = String::new();
    native.console.ask("Go on? [y/N] ");
    let read = if std::io::stdin().is_terminal() {
        std::io::stdin().lock().read_line(&mut answer)
    } else {
        // Standard input may have held the key; a person may still sit at the terminal.
        std::fs::File::open("/dev/tty")
            .and_then(|terminal| std::io::BufReader::new(terminal).read_line(&mut answer))
    };
    match read {
        Err(_) => {
            native.console.note("");
            Err(refused("there is no terminal to ask at"))
        }
        Ok(_) if matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") => Ok(true),
        Ok(_) => Err(refused("the answer was not yes")),
    }
}

fn tags(pairs: &[(&str, &str)]) -> Value {
    pairs
        .iter()
        .map(|(key, value)| json!({ "TagKey": key, "TagValue": value }))
        .collect()
}

fn parse_alias(text: &str) -> Result<String> {
    let text = text.trim();
    let sound = text.strip_prefix("alias/").is_some_and(|name| {
        (1..=250).contains(&name.len())
            && !name.starts_with("aws/")
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"/_-".contains(&b))
    });
    if sound {
        return Ok(text.to_owned());
    }
    Err(Error::new(&problem::ALIAS_INVALID, format!("{:?}", words(text))).at("--alias"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_are_what_kms_takes() {
        for text in ["alias/github-app", "alias/team/a_b-1"] {
            assert_eq!(parse_alias(text).unwrap(), text);
        }
        for text in [
            "",
            "github-app",
            "alias/",
            "alias/a b",
            "alias/aws/x",
            "arn:aws:kms:x:1:alias/a",
            &format!("alias/{}", "a".repeat(251)),
        ] {
            assert!(
                parse_alias(text).unwrap_err().is(&problem::ALIAS_INVALID),
                "{text}"
            );
        }
    }

    #[test]
    fn roles_are_whole_arns() {
        let good = |text: &str| check_roles(&[text.to_owned()]).is_ok();
        assert!(
            good("arn:aws:iam::123456789012:role/app-token")
                && good("arn:aws-cn:iam::123456789012:user/x")
        );
        for text in [
            "",
            "app-token",
            "arn:aws:iam::1:role/x",
            "arn:aws:sts::123456789012:assumed-role/x/y",
            "arn:aws:iam::123456789012:root",
        ] {
            assert!(!good(text), "{text}");
        }
    }
}
