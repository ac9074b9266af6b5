//! The operations of STS that give credentials, and the one that tells whose they are.
//!
//! See the API reference of AWS STS, version 2011-06-15: AssumeRoleWithWebIdentity (not signed),
//! AssumeRole and GetCallerIdentity. The query protocol: a form in a POST, XML in the answer. The form
//! goes into the body, never into the URL, since it holds a token.

use super::access_key::{Credentials, Parts};
use super::endpoint::Service;
use super::error::AwsError;
use super::region::Region;
use super::sigv4;
use super::xml::Leaves;
use crate::error::{Error, Problem, Result, problem, words};
use crate::host::Env;
use crate::http::client::{Call, Client, Limits, Verdict};
use crate::http::url::{Origin, Url, encode};
use crate::http::{Method, Request, Response};
use crate::secret::Secret;
use std::cell::Cell;
use std::fmt;
use zeroize::Zeroizing;

/// How long credentials live, in seconds: the least that STS grants, and more than one run needs.
pub const LIFETIME: u32 = 900;

/// The version of the API, which has not changed since.
const VERSION: &str = "2011-06-15";

/// The content type of the protocol.
const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

const NOT_XML: &str = "it is not the XML expected";

/// A role's ARN: `arn:aws:iam::123456789012:role/path/name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleArn {
    text: String,
    partition: String,
}

impl RoleArn {
    /// Reads an ARN.
    ///
    /// # Errors
    /// What is wrong with it, for the caller's own kind of error.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let malformed = |why: &str| {
            let shown = if text.len() > 200 {
                format!("{} bytes", text.len())
            } else {
                format!("{:?}", words(text))
            };
            Err(format!("{shown} {why}"))
        };
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let ["arn", partition, service, "", account, name] = parts[..] else {
            return malformed("is no ARN of a role");
        };
        let named = partition == "aws" || partition.starts_with("aws-");
        if !named
            || !partition
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b == b'-')
        {
            return malformed("names no partition of AWS");
        }
        if service == "sts" {
            return malformed("is the ARN of a session; give the role's own (arn:aws:iam::...)");
        }
        if service != "iam" {
            return malformed("is not an ARN of IAM");
        }
        if account.len() != 12 || !account.bytes().all(|b| b.is_ascii_digit()) {
            return malformed("names no account of twelve digits");
        }
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@-/".contains(&b);
        let sound = name
            .strip_prefix("role/")
            .is_some_and(|name| !name.is_empty() && !name.ends_with('/') && name.bytes().all(fits));
        if !sound || text.len() > 2048 {
            return malformed("does not end in role/NAME");
        }
        Ok(Self {
            text: text.to_owned(),
            partition: partition.to_owned(),
        })
    }

    /// The ARN.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether STS in this region knows the role's account.
    ///
    /// # Errors
    /// Says how they disagree.
    pub fn check(&self, region: &Region) -> Result<(), String> {
        let partition = region.partition().name;
        if self.partition == partition {
            return Ok(());
        }
        Err(format!(
            "{self} is in the partition {}, the region {region} in {partition}",
            self.partition
        ))
    }
}

impl fmt::Display for RoleArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A role, and how it is assumed.
#[derive(Clone, Debug)]
pub struct RoleSession {
    /// The role.
    pub role: RoleArn,
    /// The session's name, which CloudTrail shows: 2 to 64 of `[\w+=,.@-]`.
    pub name: String,
    /// How long the credentials live.
    pub seconds: u32,
    /// What the trust policy of another account's role may ask for.
    pub external_id: Option<String>,
}

/// Where STS is asked.
#[derive(Clone, Debug)]
pub struct Sts {
    region: Region,
    endpoint: Url,
    limits: Limits,
}

/// Whose credentials some are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerIdentity {
    /// The account's number.
    pub account: String,
    /// The ARN of the user, or of the role's session.
    pub arn: String,
    /// The id of the user, or the role's with the session's name.
    pub user_id: String,
}

/// What a call is about: for its errors.
struct About<'a> {
    /// For the log.
    what: &'static str,
    /// For a refusal that is not about the credentials that signed.
    refused: &'static Problem,
    /// Who signs; nobody for a token of somebody else's.
    signer: Option<&'a Credentials>,
    /// The role, if there is one.
    role: Option<&'a RoleArn>,
}

impl Sts {
    /// STS in this region.
    ///
    /// # Errors
    /// [`problem::REGION_MISSING`] and [`problem::ENDPOINT_INVALID`].
    pub fn new(region: Option<&Region>, env: &dyn Env) -> Result<Self> {
        let region = region
            .cloned()
            .ok_or_else(|| Error::new(&problem::REGION_MISSING, "for AWS STS"))?;
        let endpoint = Service::Sts.endpoint(&region, env)?;
        Ok(Self {
            region,
            endpoint,
            limits: Limits::MINT,
        })
    }

    /// The same, asked within these limits.
    #[must_use]
    pub fn within(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Where it is asked.
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// Where it answers, and that it is one of AWS's.
    pub fn origin(&self) -> (Origin, bool) {
        (self.endpoint.origin.clone(), true)
    }

    /// Trades an OIDC token for a role's credentials, which are masked.
    ///
    /// # Errors
    /// `refused` for a refusal; [`problem::STS_UNAVAILABLE`], [`problem::STS_UNUSABLE`]; `network-*`.
    pub async fn assume_role_with_web_identity(
        &self,
        client: &Client,
        session: &RoleSession,
        token: &Secret,
        refused: &'static Problem,
    ) -> Result<Credentials> {
        let about = About {
            what: "STS AssumeRoleWithWebIdentity",
            refused,
            signer: None,
            role: Some(&session.role),
        };
        let seconds = session.seconds.to_string();
        let fields = [
            ("Action", "AssumeRoleWithWebIdentity"),
            ("Version", VERSION),
            ("RoleArn", session.role.as_str()),
            ("RoleSessionName", &session.name),
            ("DurationSeconds", &seconds),
            ("WebIdentityToken", token.expose()),
        ];
        let (response, leaves) = self.call(client, &about, &fields).await?;
        let result = "AssumeRoleWithWebIdentityResult";
        self.credentials(client, &about, result, &response, &leaves)
    }

    /// Assumes a role with the credentials of somebody who may. The new ones are masked.
    ///
    /// # Errors
    /// `kms-credentials-*` and [`problem::KMS_SIGNATURE_WRONG`] where the credentials are at fault,
    /// [`problem::CREDENTIALS_SOURCE_BROKEN`] for any other refusal; [`problem::STS_UNAVAILABLE`],
    /// [`problem::STS_UNUSABLE`]; `network-*`.
    pub async fn assume_role(
        &self,
        client: &Client,
        credentials: &Credentials,
        session: &RoleSession,
    ) -> Result<Credentials> {
        let about = About {
            what: "STS AssumeRole",
            refused: &problem::CREDENTIALS_SOURCE_BROKEN,
            signer: Some(credentials),
            role: Some(&session.role),
        };
        let seconds = session.seconds.to_string();
        let mut fields = vec![
            ("Action", "AssumeRole"),
            ("Version", VERSION),
            ("RoleArn", session.role.as_str()),
            ("RoleSessionName", &session.name),
            ("DurationSeconds", &seconds),
        ];
        if let Some(id) = &session.external_id {
            fields.push(("ExternalId", id));
        }
        let (response, leaves) = self.call(client, &about, &fields).await?;
        self.credentials(client, &about, "AssumeRoleResult", &response, &leaves)
    }

    /// Whose credentials these are. It needs no permission.
    ///
    /// # Errors
    /// As [`Self::assume_role`].
    pub async fn caller_identity(
        &self,
        client: &Client,
        credentials: &Credentials,
    ) -> Result<CallerIdentity> {
        let about = About {
            what: "STS GetCallerIdentity",
            refused: &problem::CREDENTIALS_SOURCE_BROKEN,
            signer: Some(credentials),
            role: None,
        };
        let fields = [("Action", "GetCallerIdentity"), ("Version", VERSION)];
        let (response, leaves) = self.call(client, &about, &fields).await?;
        let text = |name: &str| {
            let text = leaves.text(&format!("GetCallerIdentityResult/{name}"));
            text.filter(|text| !text.is_empty())
                .map(words)
                .ok_or_else(|| self.unusable(&about, &response, &format!("it holds no {name}")))
        };
        Ok(CallerIdentity {
            account: text("Account")?,
            arn: text("Arn")?,
            user_id: text("UserId")?,
        })
    }

    async fn call(
        &self,
        client: &Client,
        about: &About<'_>,
        fields: &[(&str, &str)],
    ) -> Result<(Response, Leaves)> {
        let body = form(fields);
        // As with KMS: a clock that is off is corrected once.
        let offset = Cell::new(0);
        let build = || {
            let request =
                Request::new(Method::Post, self.endpoint.join("/")).body(FORM, body.clone());
            Ok(match about.signer {
                None => request,
                Some(signer) => {
                    let now = client.host.clock.now().plus(offset.get());
                    sigv4::sign(request, signer, Service::Sts, &self.region, now)
                }
            })
        };
        let call = Call {
            what: about.what,
            aws: true,
            limits: self.limits,
        };
        let mut response = client.call(call, build, judge).await?;
        let skew = error_of(&response).and_then(|error| error.clock_skew(&response, client));
        if let Some(skew) = skew.filter(|_| about.signer.is_some()) {
            client.host.log.warning(&format!(
                "This machine's clock is off by {skew} s by AWS's; the request was signed once more with AWS's time. Set the clock."
            ));
            offset.set(skew);
            response = client.call(call, build, judge).await?;
        }
        if response.status != 200 {
            return Err(self.refusal(about, &response));
        }
        match Leaves::read(&response.text()) {
            Some(leaves) => Ok((response, leaves)),
            None => Err(self.unusable(about, &response, NOT_XML)),
        }
    }

    /// The credentials in an answer, masked before anything is found wrong with them.
    fn credentials(
        &self,
        client: &Client,
        about: &About<'_>,
        result: &str,
        response: &Response,
        leaves: &Leaves,
    ) -> Result<Credentials> {
        let text = |name: &str| leaves.text(&format!("{result}/Credentials/{name}"));
        let secret = |name: &str| text(name).map(Secret::from);
        Parts {
            access_key_id: text("AccessKeyId").map(str::to_owned),
            secret_access_key: secret("SecretAccessKey"),
            session_token: secret("SessionToken"),
            expiration: text("Expiration").map(str::to_owned),
        }
        .checked(client, response)
        .map_err(|why| self.unusable(about, response, &why))
    }

    fn unusable(&self, about: &About<'_>, response: &Response, why: &str) -> Error {
        let detail = format!("{}: {why}; {}", about.what, response.seen());
        Error::new(&problem::STS_UNUSABLE, detail).at(self.place(about))
    }

    fn place(&self, about: &About<'_>) -> String {
        match about.role {
            Some(role) => format!("{role} at {}", self.endpoint),
            None => self.endpoint.to_string(),
        }
    }

    /// STS's refusal as an error of ours.
    fn refusal(&self, about: &About<'_>, response: &Response) -> Error {
        let Some(error) = error_of(response) else {
            if response.status >= 500 || response.status == 429 {
                return Error::new(&problem::STS_UNAVAILABLE, response.seen())
                    .at(self.place(about));
            }
            return self.unusable(about, response, NOT_XML);
        };
        let kind = match error.code.as_str() {
            "ExpiredToken" | "ExpiredTokenException" if about.signer.is_some() => {
                &problem::KMS_CREDENTIALS_EXPIRED
            }
            "InvalidClientTokenId"
            | "UnrecognizedClientException"
            | "MissingAuthenticationToken" => &problem::KMS_CREDENTIALS_UNKNOWN,
            "SignatureDoesNotMatch" | "InvalidSignatureException" => &problem::KMS_SIGNATURE_WRONG,
            _ if is_passing(response.status, &error) => &problem::STS_UNAVAILABLE,
            _ => about.refused,
        };
        Error::new(kind, error.to_string())
            .at(self.place(about))
            .advise(advice(about, &error))
    }
}

/// What is known about a refusal beyond its words.
fn advice(about: &About<'_>, error: &AwsError) -> &'static str {
    let AwsError { code, message } = error;
    match code.as_str() {
        "AccessDenied" | "AccessDeniedException" if about.signer.is_none() => {
            "The role's trust policy does not admit this token, or there is no such role."
        }
        "AccessDenied" | "AccessDeniedException" => {
            "The role's trust policy must admit these credentials (and its sts:ExternalId fit external_id), and they must be allowed sts:AssumeRole on it."
        }
        "InvalidIdentityToken" if message.contains("No OpenIDConnect provider found") => {
            "The role's account has no identity provider for the token's issuer: create it under IAM, Identity providers (for GitHub: https://token.actions.githubusercontent.com)."
        }
        "InvalidIdentityToken" if message.contains("audience") => {
            "The identity provider in IAM does not list the token's audience: add it there, or ask for one that it lists (aws-audience)."
        }
        "InvalidIdentityToken" => "AWS could not verify the token by its issuer's keys.",
        "ExpiredTokenException" if about.signer.is_none() => {
            "The token was too old when it reached AWS: run again; a token from a file must be renewed by whoever writes it."
        }
        "IDPRejectedClaim" => "The token's issuer rejected it: run again for a new one.",
        "IDPCommunicationError" => "AWS could not reach the token's issuer: run again.",
        "PackedPolicyTooLarge" => "The session tags that the token carries are too large.",
        "RegionDisabledException" => {
            "STS is switched off in this region: activate it in the account's settings under IAM. STS is asked in the first key's region."
        }
        "ValidationError" if message.contains("MaxSessionDuration") => {
            "The role allows only shorter sessions: lower duration_seconds."
        }
        _ => "",
    }
}

/// A session's name for CloudTrail that leads back to the run: `app-token-RUNID-ATTEMPT`.
pub fn session_name(env: &dyn Env) -> String {
    let mut name = "app-token".to_owned();
    for part in ["GITHUB_RUN_ID", "GITHUB_RUN_ATTEMPT"] {
        if let Some(value) = env.var(part) {
            name.push('-');
            name.extend(
                value
                    .trim()
                    .chars()
                    .map(|c| if in_name(c) { c } else { '-' }),
            );
        }
    }
    // ASCII alone, so the length in bytes is that in characters.
    name.truncate(64);
    name
}

/// Whether STS takes this as a session's name.
pub fn is_session_name(name: &str) -> bool {
    (2..=64).contains(&name.len()) && name.chars().all(in_name)
}

fn in_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_+=,.@-".contains(c)
}

/// A form as it travels.
fn form(fields: &[(&str, &str)]) -> Secret {
    // Large enough that it never moves and leaves a copy behind.
    let size = fields
        .iter()
        .map(|(name, value)| name.len() + 3 * value.len() + 2)
        .sum();
    let mut form = String::with_capacity(size);
    for (name, value) in fields {
        if !form.is_empty() {
            form.push('&');
        }
        form.push_str(name);
        form.push('=');
        form.push_str(&Zeroizing::new(encode(value)));
    }
    Secret::new(form)
}

/// The error in an answer of the query protocol.
fn error_of(response: &Response) -> Option<AwsError> {
    if response.status < 400 {
        return None;
    }
    let leaves = Leaves::read(&response.text())?;
    Some(AwsError {
        code: leaves.text("Error/Code").map(words)?,
        message: leaves.text("Error/Message").map(words).unwrap_or_default(),
    })
}

fn judge(response: &Response) -> Verdict {
    let error = error_of(response);
    let passing = match &error {
        Some(error) => is_passing(response.status, error),
        None => response.status >= 500 || response.status == 429,
    };
    if !passing {
        return Verdict::Answer;
    }
    let told = error.map(|error| error.to_string()).unwrap_or_default();
    Verdict::Passing {
        why: format!("{} {told}", response.status),
        wait: None,
    }
}

/// Throttling, and what STS's documentation of its errors says to try again: its own faults, and those
/// of the token's issuer that it asks for keys.
fn is_passing(status: u16, error: &AwsError) -> bool {
    let passing = [
        "IDPCommunicationError",
        "Throttling",
        "ThrottlingException",
        "RequestLimitExceeded",
        "InternalFailure",
        "ServiceUnavailable",
    ];
    status >= 500
        || status == 429
        || passing.contains(&error.code.as_str())
        || error.message.contains("Couldn't retrieve verification key")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::clock::UnixTime;
    use crate::testing::{Script, block_on, broken, env, response};

    /// An answer of STS with credentials that live for a quarter of an hour by the scripted clock.
    pub(crate) fn granted(operation: &str, id: &str) -> Response {
        granted_until(operation, id, "2023-11-14T22:28:20Z")
    }

    pub(crate) fn granted_until(operation: &str, id: &str, expiration: &str) -> Response {
        response(
            200,
            &format!(
                r#"<{operation}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <{operation}Result>
    <SubjectFromWebIdentityToken>repo:o/r</SubjectFromWebIdentityToken>
    <AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/r/s</Arn></AssumedRoleUser>
    <Credentials>
      <AccessKeyId>{id}</AccessKeyId>
      <SecretAccessKey>secret/of+{id}</SecretAccessKey>
      <SessionToken>session/of+{id}==</SessionToken>
      <Expiration>{expiration}</Expiration>
    </Credentials>
  </{operation}Result>
  <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata>
</{operation}Response>"#
            ),
        )
    }

    pub(crate) fn refused(status: u16, code: &str, message: &str) -> Response {
        response(
            status,
            &format!(
                "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
                 <Code>{code}</Code><Message>{message}</Message></Error><RequestId>r</RequestId></ErrorResponse>"
            ),
        )
    }

    /// The fields of a form that was sent.
    pub(crate) fn fields(request: &Request) -> Vec<String> {
        request
            .body
            .expose()
            .split('&')
            .map(str::to_owned)
            .collect()
    }

    fn credentials() -> Credentials {
        Credentials {
            access_key_id: "AKIDEXAMPLE".into(),
            secret_access_key: Secret::from("secret"),
            session_token: None,
            expires: None,
        }
    }

    fn sts() -> Sts {
        Sts::new(Some(&Region::parse("eu-central-1").unwrap()), &env(&[])).unwrap()
    }

    fn session() -> RoleSession {
        RoleSession {
            role: RoleArn::parse("arn:aws:iam::123456789012:role/r").unwrap(),
            name: "app-token".into(),
            seconds: LIFETIME,
            external_id: None,
        }
    }

    fn web(script: &Script) -> Result<Credentials> {
        let client = Client::new(script.host()).unwrap();
        let token = Secret::from("a.b+/.c");
        let kind = &problem::STS_REFUSED;
        block_on(sts().assume_role_with_web_identity(&client, &session(), &token, kind))
    }

    fn assume(script: &Script) -> Result<Credentials> {
        let client = Client::new(script.host()).unwrap();
        block_on(sts().assume_role(&client, &credentials(), &session()))
    }

    #[test]
    fn a_token_travels_in_the_body_alone_and_nothing_is_signed() {
        let script = Script::new([Ok(granted("AssumeRoleWithWebIdentity", "ASIA1"))]);
        let credentials = web(&script).unwrap();
        assert_eq!(credentials.access_key_id, "ASIA1");
        assert_eq!(credentials.secret_access_key.expose(), "secret/of+ASIA1");
        assert_eq!(
            credentials.session_token.unwrap().expose(),
            "session/of+ASIA1=="
        );
        assert_eq!(
            credentials.expires,
            Some(UnixTime::from_seconds(1_700_000_900))
        );
        assert_eq!(
            script.log().masks(),
            ["secret/of+ASIA1", "session/of+ASIA1=="]
        );
        let sent = &script.sent()[0];
        assert_eq!(
            format!("{sent:?}"),
            "POST https://sts.eu-central-1.amazonaws.com/"
        );
        assert_eq!(
            fields(sent),
            [
                "Action=AssumeRoleWithWebIdentity",
                "Version=2011-06-15",
                "RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fr",
                "RoleSessionName=app-token",
                "DurationSeconds=900",
                "WebIdentityToken=a.b%2B%2F.c",
            ]
        );
        let names: Vec<_> = sent.headers.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["content-type"]);
    }

    #[test]
    fn assume_role_is_signed_for_sts() {
        let script = Script::new([Ok(granted("AssumeRole", "ASIA2"))]);
        assert_eq!(assume(&script).unwrap().access_key_id, "ASIA2");
        let sent = &script.sent()[0];
        let authorization = sent
            .headers
            .iter()
            .find(|(name, _)| *name == "authorization")
            .unwrap()
            .1
            .expose();
        assert!(authorization.starts_with(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20231114/eu-central-1/sts/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date, Signature="
        ));
        assert_eq!(fields(sent)[0], "Action=AssumeRole");
    }

    #[test]
    fn a_caller_is_told() {
        let answer = "<GetCallerIdentityResponse><GetCallerIdentityResult>\
            <Arn>arn:aws:iam::123456789012:user/me</Arn><UserId>AIDA</UserId><Account>123456789012</Account>\
            </GetCallerIdentityResult></GetCallerIdentityResponse>";
        let ask = |script: &Script| {
            let client = Client::new(script.host()).unwrap();
            block_on(sts().caller_identity(&client, &credentials()))
        };
        let script = Script::new([Ok(response(200, answer))]);
        assert_eq!(
            ask(&script).unwrap(),
            CallerIdentity {
                account: "123456789012".into(),
                arn: "arn:aws:iam::123456789012:user/me".into(),
                user_id: "AIDA".into(),
            }
        );
        let short = answer.replace("<UserId>AIDA</UserId>", "");
        let error = ask(&Script::new([Ok(response(200, &short))])).unwrap_err();
        assert!(error.is(&problem::STS_UNUSABLE) && error.detail.contains("it holds no UserId"));
    }

    #[test]
    fn each_refusal_keeps_aws_s_words_and_adds_the_likely_cure() {
        for (status, code, message, advice) in [
            (
                403,
                "AccessDenied",
                "Not authorized to perform sts:AssumeRoleWithWebIdentity",
                "trust policy does not admit",
            ),
            (
                400,
                "InvalidIdentityToken",
                "No OpenIDConnect provider found in your account for https://x",
                "has no identity provider",
            ),
            (
                400,
                "InvalidIdentityToken",
                "Incorrect token audience",
                "aws-audience",
            ),
            (
                400,
                "ExpiredTokenException",
                "Token expired: current date/time",
                "too old",
            ),
            (400, "PackedPolicyTooLarge", "m", "session tags"),
            (403, "RegionDisabledException", "m", "switched off"),
        ] {
            let script = Script::new([Ok(refused(status, code, message))]);
            let error = web(&script).unwrap_err();
            assert!(error.is(&problem::STS_REFUSED), "{error}");
            assert_eq!(error.detail, format!("{code}: {message}"));
            assert_eq!(
                error.place,
                "arn:aws:iam::123456789012:role/r at https://sts.eu-central-1.amazonaws.com"
            );
            assert!(error.advice.contains(advice), "{}", error.advice);
        }
    }

    #[test]
    fn refusals_of_the_credentials_that_signed_are_told_apart() {
        for (status, code, kind) in [
            (403, "ExpiredToken", &problem::KMS_CREDENTIALS_EXPIRED),
            (
                403,
                "InvalidClientTokenId",
                &problem::KMS_CREDENTIALS_UNKNOWN,
            ),
            (403, "SignatureDoesNotMatch", &problem::KMS_SIGNATURE_WRONG),
            (403, "AccessDenied", &problem::CREDENTIALS_SOURCE_BROKEN),
        ] {
            let error = assume(&Script::new([Ok(refused(status, code, "m"))])).unwrap_err();
            assert!(error.is(kind), "{error}");
        }
    }

    #[test]
    fn passing_faults_are_tried_again() {
        for (status, code, message) in [
            (400, "IDPCommunicationError", "m"),
            (
                400,
                "InvalidIdentityToken",
                "Couldn't retrieve verification key from your identity provider",
            ),
            (400, "Throttling", "Rate exceeded"),
            (503, "ServiceUnavailable", ""),
        ] {
            let again = || Ok(refused(status, code, message));
            let script = Script::new([
                again(),
                broken("ECONNRESET"),
                Ok(granted("AssumeRoleWithWebIdentity", "ASIA")),
            ]);
            assert!(web(&script).is_ok());
            let script = Script::new([again(), again(), again(), again()]);
            assert!(web(&script).unwrap_err().is(&problem::STS_UNAVAILABLE));
        }
        let script = Script::new((0..4).map(|_| Ok(response(502, "<html>"))));
        assert!(web(&script).unwrap_err().is(&problem::STS_UNAVAILABLE));
    }

    #[test]
    fn an_answer_that_makes_no_sense_is_refused_without_showing_secrets() {
        let good = granted("AssumeRoleWithWebIdentity", "ASIA");
        let text = good.text().into_owned();
        for body in [
            "",
            &text.replace("AccessKeyId", "Id"),
            &text.replace(">ASIA<", "><"),
            &text.replace("<SessionToken>", "<SessionToken>\n"),
            &text.replace("2023-11-14T22:28:20Z", "soon"),
            &text.replace("2023-11-14T22:28:20Z", "2023-11-14T22:13:19Z"),
            &text.replace("</Credentials>", ""),
            &text.replace("AssumeRoleWithWebIdentityResult>", "OtherResult>"),
        ] {
            let error = web(&Script::new([Ok(response(200, body))])).unwrap_err();
            assert!(error.is(&problem::STS_UNUSABLE), "{error}");
            assert!(!error.report().contains("/of+ASIA"), "{error}");
        }
        let portal = response(200, "<html>Log in</html>");
        let error = web(&Script::new([Ok(portal)])).unwrap_err();
        assert!(error.detail.contains("Log in"), "{error}");
    }

    #[test]
    fn expiry_is_judged_by_the_server_s_clock() {
        let mut answer = granted_until("AssumeRoleWithWebIdentity", "ASIA", "2023-11-14T21:28:20Z");
        answer
            .headers
            .push(("date".into(), "Tue, 14 Nov 2023 21:13:20 GMT".into()));
        assert!(web(&Script::new([Ok(answer)])).is_ok());
    }

    #[test]
    fn a_clock_that_is_off_is_corrected_once() {
        let mut skewed = refused(
            403,
            "SignatureDoesNotMatch",
            "Signature expired: 1 is now earlier than 2",
        );
        skewed
            .headers
            .push(("date".into(), "Tue, 14 Nov 2023 23:13:20 GMT".into()));
        let granted = granted_until("AssumeRole", "ASIA", "2023-11-14T23:28:20Z");
        let script = Script::new([Ok(skewed), Ok(granted)]);
        assert!(assume(&script).is_ok());
        let date = |request: &Request| {
            let mut headers = request.headers.iter();
            let (_, date) = headers.find(|(name, _)| *name == "x-amz-date").unwrap();
            date.expose().to_owned()
        };
        assert_eq!(
            script.sent().iter().map(date).collect::<Vec<_>>(),
            ["20231114T221320Z", "20231114T231320Z"]
        );
    }

    #[test]
    fn roles_are_taken_by_their_whole_arn() {
        for text in [
            "arn:aws:iam::123456789012:role/app-token",
            " arn:aws-cn:iam::123456789012:role/team/app_token+=,.@-\n",
            "arn:aws-us-gov:iam::123456789012:role/x",
        ] {
            assert_eq!(RoleArn::parse(text).unwrap().as_str(), text.trim());
        }
        for (text, why) in [
            ("app-token", "is no ARN of a role"),
            (
                "arn:aws:iam:eu-west-1:123456789012:role/x",
                "is no ARN of a role",
            ),
            ("arn:azure:iam::123456789012:role/x", "names no partition"),
            (
                "arn:aws:sts::123456789012:assumed-role/x/y",
                "ARN of a session",
            ),
            ("arn:aws:kms::123456789012:role/x", "not an ARN of IAM"),
            ("arn:aws:iam::12345:role/x", "twelve digits"),
            ("arn:aws:iam::123456789012:user/x", "role/NAME"),
            ("arn:aws:iam::123456789012:role/", "role/NAME"),
            ("arn:aws:iam::123456789012:role/a b", "role/NAME"),
            ("arn:aws:iam::123456789012:role/a\nb", "role/NAME"),
        ] {
            assert!(RoleArn::parse(text).unwrap_err().contains(why), "{text}");
        }
        let role = RoleArn::parse("arn:aws:iam::123456789012:role/x").unwrap();
        assert!(role.check(&Region::parse("eu-west-1").unwrap()).is_ok());
        assert!(
            role.check(&Region::parse("cn-north-1").unwrap())
                .unwrap_err()
                .contains("aws-cn")
        );
    }

    #[test]
    fn a_session_s_name_leads_back_to_the_run() {
        let name = |variables: &[(&str, &str)]| session_name(&env(variables));
        assert_eq!(
            name(&[("GITHUB_RUN_ID", "123"), ("GITHUB_RUN_ATTEMPT", "2")]),
            "app-token-123-2"
        );
        assert_eq!(name(&[]), "app-token");
        assert_eq!(name(&[("GITHUB_RUN_ID", "a/é b")]), "app-token-a---b");
        let long = name(&[("GITHUB_RUN_ID", &"1".repeat(100))]);
        assert!(long.len() == 64 && is_session_name(&long));
        for bad in ["a", "a b", "é-é", &"1".repeat(65)] {
            assert!(!is_session_name(bad), "{bad}");
        }
    }
}
