//! AWS STS: the [query protocol](https://docs.aws.amazon.com/STS/latest/APIReference/welcome.html),
//! a form in, XML out. Web identities are judged in full: signature, issuer, audience, expiry, and
//! the role's trust policy over the token's claims.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::aws::{AwsError, Caller};
use crate::call::Call;
use crate::codec::{form_fields, uuid};
use crate::http::{Answer, Request};
use crate::jwt::Parts;
use crate::policy::{Ask, Word, resource_policy};
use crate::state::State;
use crate::time::iso;
use crate::world::{
    ACCOUNT_ID, Credential, Principal, World, secret_access_key, session_key_id, session_token,
};

/// The version of the API, as every request must name it.
const VERSION: &str = "2011-06-15";
/// The shortest session, in seconds.
const MIN_SESSION: i64 = 900;

type Fields = Vec<(String, String)>;

fn fields(request: &Request) -> Option<Fields> {
    let mut fields = form_fields(request.query())?;
    fields.extend(form_fields(std::str::from_utf8(&request.body).ok()?)?);
    Some(fields)
}

fn field<'a>(fields: &'a Fields, name: &str) -> Option<&'a str> {
    fields
        .iter()
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.as_str())
}

pub(crate) fn call_of(request: &Request) -> Call {
    let fields = fields(request).unwrap_or_default();
    match field(&fields, "Action") {
        Some("AssumeRoleWithWebIdentity") => Call::AssumeRoleWithWebIdentity,
        Some("AssumeRole") => Call::AssumeRole,
        Some("GetCallerIdentity") => Call::GetCallerIdentity,
        _ => Call::StsOther,
    }
}

pub(crate) fn answer(state: &State, call: Call, request: &Request) -> Answer {
    match respond(state, call, request) {
        Ok((action, result)) => {
            let id = uuid();
            let body = format!(
                "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/{VERSION}/\">\n  <{action}Result>\n{result}  \
                 </{action}Result>\n  <ResponseMetadata>\n    <RequestId>{id}</RequestId>\n  </ResponseMetadata>\n\
                 </{action}Response>\n"
            );
            Answer::new(200)
                .header("x-amzn-RequestId", id)
                .header("Content-Type", "text/xml")
                .body(body)
        }
        Err(problem) => error(problem.status, &problem.kind, &problem.message),
    }
}

/// An error in the shape of the query protocol.
pub(crate) fn error(status: u16, kind: &str, message: &str) -> Answer {
    let fault = if status < 500 { "Sender" } else { "Receiver" };
    let id = uuid();
    let body = format!(
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/{VERSION}/\">\n  <Error>\n    <Type>{fault}</Type>\n    \
         <Code>{}</Code>\n    <Message>{}</Message>\n  </Error>\n  <RequestId>{id}</RequestId>\n</ErrorResponse>\n",
        escape(kind),
        escape(message)
    );
    Answer::new(status)
        .header("x-amzn-RequestId", id)
        .header("Content-Type", "text/xml")
        .body(body)
}

/// Text as XML content.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

fn refuse<T>(status: u16, kind: &str, message: impl Into<String>) -> Result<T, AwsError> {
    Err(AwsError {
        status,
        kind: kind.into(),
        message: message.into(),
    })
}

fn respond(
    state: &State,
    call: Call,
    request: &Request,
) -> Result<(&'static str, String), AwsError> {
    let Some(fields) = fields(request) else {
        return refuse(
            400,
            "MalformedQueryString",
            "The query string is malformed.",
        );
    };
    if request.method == "POST"
        && !request
            .header("content-type")
            .unwrap_or_default()
            .starts_with("application/x-www-form-urlencoded")
    {
        return refuse(404, "UnknownOperationException", "");
    }
    let Some(action) = field(&fields, "Action") else {
        return refuse(400, "MissingAction", "Missing Action");
    };
    if field(&fields, "Version") != Some(VERSION) || call == Call::StsOther {
        let version = field(&fields, "Version").unwrap_or("(null)");
        return refuse(
            400,
            "InvalidAction",
            format!("Could not find operation {action} for version {version}"),
        );
    }
    let now = state.aws_clock.now();
    let mut world = state.world();
    match call {
        Call::AssumeRoleWithWebIdentity => with_web_identity(state, &mut world, &fields, now),
        Call::AssumeRole => {
            let caller = authenticate(request, now, &world)?;
            assume_role(state, &mut world, &caller, &fields, now)
        }
        _ => {
            let caller = authenticate(request, now, &world)?;
            let unique = match &caller.credential.session_name {
                Some(session) => format!("{}:{session}", caller.principal.unique_id),
                None => caller.principal.unique_id.clone(),
            };
            let result = format!(
                "    <Arn>{}</Arn>\n    <UserId>{}</UserId>\n    <Account>{ACCOUNT_ID}</Account>\n",
                escape(&caller.arn()),
                escape(&unique)
            );
            Ok(("GetCallerIdentity", result))
        }
    }
}

/// STS has older names for what a signature can lack.
fn authenticate(request: &Request, now: i64, world: &World) -> Result<Caller, AwsError> {
    Caller::authenticate(request, "sts", now, world).map_err(|error| {
        let (status, kind) = match error.kind.as_str() {
            "MissingAuthenticationTokenException" => (403, "MissingAuthenticationToken"),
            "UnrecognizedClientException" => (403, "InvalidClientTokenId"),
            "InvalidSignatureException" => (403, "SignatureDoesNotMatch"),
            "ExpiredTokenException" => (403, "ExpiredToken"),
            _ => (400, "IncompleteSignature"),
        };
        AwsError {
            status,
            kind: kind.into(),
            message: error.message,
        }
    })
}

/// What both ways to assume a role take.
struct Wanted<'a> {
    role_arn: &'a str,
    session_name: &'a str,
    duration: i64,
}

impl<'a> Wanted<'a> {
    fn parse(fields: &'a Fields) -> Result<Self, AwsError> {
        let need = |name: &str| {
            field(fields, name).filter(|value| !value.is_empty()).ok_or_else(|| {
                let lower = name[..1].to_ascii_lowercase() + &name[1..];
                validation(&format!("Value null at '{lower}' failed to satisfy constraint: Member must not be null"))
            })
        };
        let (role_arn, session_name) = (need("RoleArn")?, need("RoleSessionName")?);
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
        if !(2..=64).contains(&session_name.len()) || !session_name.bytes().all(allowed) {
            return Err(validation(&format!(
                "Value '{session_name}' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular \
                 expression pattern: [\\w+=,.@-]*"
            )));
        }
        let duration = match field(fields, "DurationSeconds") {
            None => 3_600,
            Some(text) => text.parse().unwrap_or(0),
        };
        if !(MIN_SESSION..=43_200).contains(&duration) {
            return Err(validation(&format!(
                "Value '{duration}' at 'durationSeconds' failed to satisfy constraint: Member must have value greater \
                 than or equal to {MIN_SESSION}"
            )));
        }
        if !role_arn.starts_with("arn:aws:iam::") || !role_arn.contains(":role/") {
            return refuse(400, "ValidationError", format!("{role_arn} is invalid"));
        }
        Ok(Self {
            role_arn,
            session_name,
            duration,
        })
    }

    fn role<'w>(&self, world: &'w World) -> Option<&'w Principal> {
        world
            .principals
            .iter()
            .find(|known| known.trust.is_some() && known.arn() == self.role_arn)
    }
}

fn validation(what: &str) -> AwsError {
    AwsError::new(
        "ValidationError",
        format!("1 validation error detected: {what}"),
    )
}

fn with_web_identity(
    state: &State,
    world: &mut World,
    fields: &Fields,
    now: i64,
) -> Result<(&'static str, String), AwsError> {
    let wanted = Wanted::parse(fields)?;
    let Some(token) = field(fields, "WebIdentityToken").filter(|token| token.len() >= 4) else {
        return Err(validation(
            "Value null at 'webIdentityToken' failed to satisfy constraint: Member must not be null",
        ));
    };
    let invalid = |message: &str| refuse(400, "InvalidIdentityToken", message);
    let Some(parts) = Parts::parse(token) else {
        return invalid(
            "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)",
        );
    };
    let claims = &parts.claims;
    let issuer = claims["iss"].as_str().unwrap_or_default();
    let provider = world
        .oidc_provider
        .clone()
        .filter(|known| known.url == issuer);
    let Some(provider) = provider else {
        return invalid(&format!(
            "No OpenIDConnect provider found in your account for {issuer}"
        ));
    };
    if !parts.is_signed_by(state.oidc_key.public()) {
        return invalid(
            "Couldn't retrieve verification key from your identity provider,  please reference \
             AssumeRoleWithWebIdentity documentation for requirements",
        );
    }
    let audience = claims["aud"].as_str().unwrap_or_default();
    if !provider.audiences.iter().any(|known| known == audience) {
        return invalid("Incorrect token audience");
    }
    let expires = claims["exp"].as_i64().unwrap_or(0);
    if expires <= now {
        return refuse(
            400,
            "ExpiredTokenException",
            format!(
                "Token expired: current date/time {now} must be before the expiration date/time{expires}"
            ),
        );
    }
    if claims["nbf"].as_i64().is_some_and(|time| time > now + 300) {
        return invalid("Token is not yet valid");
    }

    let host = provider.url.trim_start_matches("https://");
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let context: BTreeMap<String, Vec<String>> = claims
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| (format!("{host}:{name}"), vec![text(value)]))
        .collect();
    let ask = Ask {
        action: "sts:AssumeRoleWithWebIdentity",
        resource: wanted.role_arn,
        principals: vec![format!("arn:aws:iam::{ACCOUNT_ID}:oidc-provider/{host}")],
        in_account: false,
        context,
    };
    let trusted = wanted.role(world).filter(|role| {
        role.trust
            .as_ref()
            .is_some_and(|trust| resource_policy(trust, &ask) == Word::Allow)
    });
    let Some(role) = trusted.cloned() else {
        return refuse(
            403,
            "AccessDenied",
            "Not authorized to perform sts:AssumeRoleWithWebIdentity",
        );
    };
    let session = issue(state, world, &role, &wanted, now)?;
    let result = format!(
        "{session}    <SubjectFromWebIdentityToken>{}</SubjectFromWebIdentityToken>\n    <Audience>{}</Audience>\n    \
         <Provider>arn:aws:iam::{ACCOUNT_ID}:oidc-provider/{}</Provider>\n",
        escape(&text(&claims["sub"])),
        escape(audience),
        escape(host)
    );
    Ok(("AssumeRoleWithWebIdentity", result))
}

fn assume_role(
    state: &State,
    world: &mut World,
    caller: &Caller,
    fields: &Fields,
    now: i64,
) -> Result<(&'static str, String), AwsError> {
    let wanted = Wanted::parse(fields)?;
    let denied = || {
        refuse(
            403,
            "AccessDenied",
            format!(
                "User: {} is not authorized to perform: sts:AssumeRole on resource: {}",
                caller.arn(),
                wanted.role_arn
            ),
        )
    };
    let Some(role) = wanted.role(world).cloned() else {
        return denied();
    };
    let mut context = BTreeMap::new();
    if let Some(id) = field(fields, "ExternalId") {
        context.insert("sts:ExternalId".to_owned(), vec![id.to_owned()]);
    }
    if caller
        .authorize(
            "sts:AssumeRole",
            wanted.role_arn,
            role.trust.as_ref(),
            context,
        )
        .is_err()
    {
        return denied();
    }
    let session = issue(state, world, &role, &wanted, now)?;
    Ok(("AssumeRole", session))
}

/// Makes a session and writes it as XML.
fn issue(
    state: &State,
    world: &mut World,
    role: &Principal,
    wanted: &Wanted,
    now: i64,
) -> Result<String, AwsError> {
    if wanted.duration > role.max_session {
        return refuse(
            400,
            "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        );
    }
    let credential = new_session(
        state,
        world,
        role,
        wanted.session_name,
        now + wanted.duration,
    );
    Ok(format!(
        "    <AssumedRoleUser>\n      <AssumedRoleId>{}:{name}</AssumedRoleId>\n      \
         <Arn>arn:aws:sts::{ACCOUNT_ID}:assumed-role/{}/{name}</Arn>\n    </AssumedRoleUser>\n    <Credentials>\n      \
         <AccessKeyId>{}</AccessKeyId>\n      <SecretAccessKey>{}</SecretAccessKey>\n      \
         <SessionToken>{}</SessionToken>\n      <Expiration>{}</Expiration>\n    </Credentials>\n",
        role.unique_id,
        role.name(),
        credential.access_key_id,
        credential.secret_access_key,
        credential.session_token.as_deref().unwrap_or_default(),
        iso(now + wanted.duration),
        name = wanted.session_name,
    ))
}

/// A new session of a role, known to the world from now on.
pub(crate) fn new_session(
    state: &State,
    world: &mut World,
    role: &Principal,
    name: &str,
    expires: i64,
) -> Credential {
    let credential = Credential {
        access_key_id: session_key_id(),
        secret_access_key: secret_access_key(),
        session_token: Some(session_token()),
        expires: Some(expires),
        principal: role.path.clone(),
        session_name: Some(name.to_owned()),
    };
    state.secret(
        "secret access key of a session",
        &credential.secret_access_key,
    );
    state.secret(
        "session token",
        credential.session_token.as_deref().unwrap_or_default(),
    );
    world.credentials.push(credential.clone());
    credential
}
