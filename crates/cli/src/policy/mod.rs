//! `policy`: what AWS must be told, as JSON or as the whole stack.

pub mod documents;
mod stack;

use crate::args::{AwsOptions, Policy, PolicyFormat, PolicyOptions};
use crate::native::Native;
use crate::{Status, order, output, problem};
use app_token::aws::kms_key::KmsKeyId;
use app_token::aws::sts::Sts;
use app_token::error::{Error, Result, problem as library, words};
use app_token::github::ApiUrl;
use app_token::http::client::{Call, Client, Limits, Verdict};
use app_token::http::{Method, Request, Response};
use app_token::scope::{Owner, RepositoryName};
use serde::Deserialize;
use std::process::ExitCode;

pub fn run(native: &Native, args: &Policy) -> Status {
    let (Policy::Key(options) | Policy::Role(options) | Policy::Trust(options)) = args;
    check(options)?;
    if options.format != PolicyFormat::Json {
        output::write_page(&stack(native, options)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let policy = match args {
        Policy::Key(options) => documents::key(
            &options.partition,
            &account(native, options)?,
            &options.sign_role,
        ),
        Policy::Role(options) => documents::role(&keys(options)?),
        Policy::Trust(options) => {
            let repositories = repositories(native, options)?;
            documents::trust(&documents::Trust {
                partition: &options.partition,
                account: &account(native, options)?,
                provider: &options.provider,
                audience: &options.audience,
                repository_ids: &repositories.ids,
                subjects: &repositories.subjects,
                workflow_refs: &options.job_workflow_ref,
                environments: &options.environment,
            })
        }
    };
    output::write_page(&format!("{policy:#}\n"))?;
    Ok(ExitCode::SUCCESS)
}

fn stack(native: &Native, options: &PolicyOptions) -> Result<String> {
    let repositories = if options.repository.is_empty() && options.repository_id.is_empty() {
        Repositories::default()
    } else {
        repositories(native, options)?
    };
    let values = stack::Values {
        provider: &options.provider,
        audience: &options.audience,
        repository_ids: &repositories.ids,
        subjects: &repositories.subjects,
        workflow_refs: &options.job_workflow_ref,
        environments: &options.environment,
    };
    Ok(match options.format {
        PolicyFormat::Terraform => stack::terraform(&values),
        _ => stack::cloudformation(&values),
    })
}

/// What goes into a policy must not change its meaning.
fn check(options: &PolicyOptions) -> Result<()> {
    let invalid = |name: &str, text: &str| {
        Err(Error::new(&problem::TRUST_INVALID, format!("{:?}", words(text))).at(name))
    };
    let plain = |text: &str, more: &[u8]| {
        (1..=500).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || more.contains(&b))
    };
    if ![
        "aws",
        "aws-cn",
        "aws-us-gov",
        "aws-eusc",
        "aws-iso",
        "aws-iso-b",
        "aws-iso-e",
        "aws-iso-f",
    ]
    .contains(&options.partition.as_str())
    {
        return invalid("--partition", &options.partition);
    }
    if !plain(&options.provider, b".-/_:") {
        return invalid("--provider", &options.provider);
    }
    if !plain(&options.audience, b".-/_:@") {
        return invalid("--audience", &options.audience);
    }
    for id in &options.repository_id {
        if id.is_empty() || !id.bytes().all(|b| b.is_ascii_digit()) {
            return invalid("--repository-id", id);
        }
    }
    for environment in &options.environment {
        // GitHub lets names hold spaces; a list in a template is separated by commas.
        if environment.is_empty()
            || environment.contains(|c: char| c.is_control() || "*?,".contains(c))
        {
            return invalid("--environment", environment);
        }
    }
    for subject in &options.subject {
        if subject.trim_matches(['*', '?']).is_empty()
            || subject.contains(|c: char| c.is_control() || c == ',')
        {
            return invalid("--subject", subject);
        }
    }
    for reference in &options.job_workflow_ref {
        let (file, at) = reference.split_once('@').unwrap_or((reference, ""));
        let parts: Vec<&str> = file.splitn(4, '/').collect();
        let sound = parts.len() == 4
            && parts[2] == ".github"
            && !at.is_empty()
            && !parts[0].contains(['*', '?'])
            && !reference.contains(|c: char| c.is_control() || c == ',');
        if !sound {
            let detail = format!("{:?}", words(reference));
            return Err(Error::new(&problem::TRUST_INVALID, detail)
                .at("--job-workflow-ref")
                .advise("It is OWNER/REPO/.github/workflows/FILE@REF, such as my-org/repo/.github/workflows/release.yml@refs/heads/main."));
        }
    }
    check_roles(&options.sign_role)
}

pub fn check_roles(roles: &[String]) -> Result<()> {
    for role in roles {
        let parts: Vec<&str> = role.splitn(6, ':').collect();
        let sound = matches!(parts[..], ["arn", _, "iam", "", account, name]
            if account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit())
                && (name.starts_with("role/") || name.starts_with("user/")));
        if !sound {
            return Err(
                Error::new(&problem::ARN_INVALID, format!("{:?}", words(role))).at("--sign-role"),
            );
        }
    }
    Ok(())
}

fn account(native: &Native, options: &PolicyOptions) -> Result<String> {
    if let Some(account) = &options.account {
        if account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit()) {
            return Ok(account.clone());
        }
        let detail = format!("{:?} is no account of twelve digits", words(account));
        return Err(Error::new(&problem::TRUST_INVALID, detail).at("--account"));
    }
    let client = native.client()?;
    let region = order::region(&AwsOptions::default(), &native.host)?;
    let source = order::credentials(&client, &AwsOptions::default(), region.clone());
    let identity = source.and_then(|source| {
        native.run("asking AWS for the account", async {
            let credentials = source.load(&client).await?;
            let sts = Sts::new(region.as_ref(), &*native.host.env)?;
            sts.caller_identity(&client, &credentials).await
        })
    });
    identity
        .map(|identity| identity.account)
        .map_err(|error| error.advise("Give --account, then AWS is not asked."))
}

fn keys(options: &PolicyOptions) -> Result<Vec<String>> {
    let missing = || {
        Error::new(&library::KMS_KEY_ID_MISSING, "").advise(
            "Give --key ARN: a role's policy names keys, not aliases (arn:aws:kms:REGION:ACCOUNT:key/ID).",
        )
    };
    if options.key.is_empty() {
        return Err(missing());
    }
    for key in &options.key {
        let parsed = KmsKeyId::parse(key).map_err(|error| error.at("--key"))?;
        if parsed.region().is_none() || !key.contains(":key/") {
            return Err(missing());
        }
    }
    Ok(options.key.clone())
}

/// The repositories whose workflows are trusted.
#[derive(Default)]
struct Repositories {
    ids: Vec<String>,
    subjects: Vec<String>,
}

#[derive(Deserialize)]
struct Found {
    id: u64,
    owner: FoundOwner,
}

#[derive(Deserialize)]
struct FoundOwner {
    id: u64,
}

fn repositories(native: &Native, options: &PolicyOptions) -> Result<Repositories> {
    let mut all = Repositories {
        ids: options.repository_id.clone(),
        subjects: options.subject.clone(),
    };
    if options.repository.is_empty() && options.repository_id.is_empty() {
        return Err(
            Error::new(&problem::TRUST_INVALID, "no repository is named")
                .at("--repository")
                .advise("Give --repository OWNER/NAME or --repository-id ID."),
        );
    }
    if !options.repository.is_empty() {
        let api = order::api(&options.github, &*native.host.env)?;
        let client = native.client()?;
        for name in &options.repository {
            let sound = name.split_once('/').and_then(|(owner, name)| {
                Some((Owner::parse(owner).ok()?, RepositoryName::parse(name).ok()?))
            });
            let Some((owner, name)) = sound else {
                let detail = format!("{:?}", words(name));
                return Err(Error::new(&library::REPOSITORY_INVALID, detail).at("--repository"));
            };
            let look = look_up(native, &client, &api, &owner, &name);
            let label = format!("looking up {}/{}", owner.as_str(), name.as_str());
            let found = native.run(&label, look)?;
            let id = found.id.to_string();
            if !all.ids.contains(&id) {
                all.ids.push(id);
            }
            if options.subject.is_empty() {
                // The older form, and the one of new and renamed repositories.
                let (owner, name) = (owner.as_str(), name.as_str());
                all.subjects.push(format!("repo:{owner}/{name}:*"));
                all.subjects.push(format!(
                    "repo:{owner}@{}/{name}@{}:*",
                    found.owner.id, found.id
                ));
            }
        }
    }
    if options.subject.is_empty() && !options.repository_id.is_empty() {
        // Names are not known for these: AWS wants the claim, the number is the fence.
        all.subjects = vec!["repo:*".to_owned()];
    }
    Ok(all)
}

async fn look_up(
    native: &Native,
    client: &Client,
    api: &ApiUrl,
    owner: &Owner,
    name: &RepositoryName,
) -> Result<Found> {
    let token = ["GH_TOKEN", "GITHUB_TOKEN"]
        .iter()
        .find_map(|name| native.host.env.var(name));
    if let Some(token) = &token {
        native.host.log.mask(token.trim());
    }
    let path = format!("/repos/{}/{}", owner.as_str(), name.as_str());
    let build = || {
        let request = Request::new(Method::Get, api.url().join(&path))
            .header("accept", "application/vnd.github+json".to_owned());
        Ok(match &token {
            Some(token) => request.header("authorization", format!("Bearer {}", token.trim())),
            None => request,
        })
    };
    let call = Call {
        what: "look-up of the repository",
        aws: false,
        limits: Limits::MINT,
    };
    let judge = |response: &Response| match response.status {
        500.. => Verdict::Passing {
            why: response.status.to_string(),
            wait: None,
        },
        _ => Verdict::Answer,
    };
    let response = client.call(call, build, judge).await?;
    let detail = format!("{}/{}: {}", owner.as_str(), name.as_str(), response.status);
    let unknown = Error::new(&problem::REPOSITORY_ID_UNKNOWN, detail).at(api.to_string());
    match serde_json::from_slice(&response.body) {
        Ok(found) if response.status == 200 => Ok(found),
        _ if token.is_none() => {
            Err(unknown.advise("A private repository needs a token in GH_TOKEN."))
        }
        _ => Err(unknown),
    }
}
