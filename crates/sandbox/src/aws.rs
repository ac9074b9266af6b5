//! What the AWS services have in common: who calls, what they may do, and how errors look.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::codec::uuid;
use crate::http::{Answer, Request};
use crate::policy::{Ask, Word, identity_policy, resource_policy};
use crate::sigv4::{self, Refusal};
use crate::world::{ACCOUNT_ID, Credential, Principal, World};

/// The media type of KMS's protocol, [AWS JSON 1.1](https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html).
pub(crate) const JSON_1_1: &str = "application/x-amz-json-1.1";

/// An error of an AWS service before it has a shape.
#[derive(Debug)]
pub(crate) struct AwsError {
    pub(crate) status: u16,
    pub(crate) kind: String,
    pub(crate) message: String,
}

impl AwsError {
    pub(crate) fn new(kind: &str, message: impl Into<String>) -> Self {
        Self {
            status: 400,
            kind: kind.into(),
            message: message.into(),
        }
    }
}

impl From<Refusal> for AwsError {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.kind, refusal.message)
    }
}

/// An error in the shape of the JSON protocols.
pub(crate) fn json_error(status: u16, kind: &str, message: &str) -> Answer {
    // KMS writes the field of this one exception with a capital letter.
    let field = if kind == "AccessDeniedException" {
        "Message"
    } else {
        "message"
    };
    let body = json!({"__type": kind, field: message});
    Answer::new(status)
        .header("x-amzn-RequestId", uuid())
        .json(JSON_1_1, &body)
}

/// Who sent a request.
pub(crate) struct Caller {
    pub(crate) credential: Credential,
    pub(crate) principal: Principal,
    /// The region of the signature's scope.
    pub(crate) region: String,
}

impl Caller {
    /// Judges the signature.
    pub(crate) fn authenticate(
        request: &Request,
        service: &str,
        now: i64,
        world: &World,
    ) -> Result<Self, AwsError> {
        let (credential, scope) = sigv4::verify(request, service, now, &world.credentials)?;
        let principal = world
            .principals
            .iter()
            .find(|known| known.path == credential.principal);
        let Some(principal) = principal else {
            return Err(AwsError::new(
                "UnrecognizedClientException",
                "The security token included in the request is invalid.",
            ));
        };
        Ok(Self {
            credential: credential.clone(),
            principal: principal.clone(),
            region: scope.region,
        })
    }

    /// The ARN as AWS's messages and GetCallerIdentity name it.
    pub(crate) fn arn(&self) -> String {
        match &self.credential.session_name {
            Some(session) => {
                format!(
                    "arn:aws:sts::{ACCOUNT_ID}:assumed-role/{}/{session}",
                    self.principal.name()
                )
            }
            None => self.principal.arn(),
        }
    }

    /// May the caller do this? `resource_policy` is the key's or the role's, where there is one.
    pub(crate) fn authorize(
        &self,
        action: &str,
        resource: &str,
        policy: Option<&Value>,
        context: BTreeMap<String, Vec<String>>,
    ) -> Result<(), AwsError> {
        let ask = Ask {
            action,
            resource,
            principals: vec![self.arn(), self.principal.arn()],
            in_account: true,
            context,
        };
        let by_resource = policy.map_or(Word::Delegate, |policy| resource_policy(policy, &ask));
        let by_identity: Vec<Word> = self
            .principal
            .policies
            .iter()
            .map(|policy| identity_policy(policy, &ask))
            .collect();
        let why = if by_resource == Word::Deny {
            "with an explicit deny in a resource-based policy".to_owned()
        } else if by_identity.contains(&Word::Deny) {
            "with an explicit deny in an identity-based policy".to_owned()
        } else if by_resource == Word::Allow
            || by_resource == Word::Delegate && by_identity.contains(&Word::Allow)
        {
            return Ok(());
        } else if by_resource == Word::Delegate {
            format!("because no identity-based policy allows the {action} action")
        } else {
            format!("because no resource-based policy allows the {action} action")
        };
        let who = self.arn();
        let message = if resource == "*" {
            format!("User: {who} is not authorized to perform: {action} {why}")
        } else {
            format!(
                "User: {who} is not authorized to perform: {action} on resource: {resource} {why}"
            )
        };
        Err(AwsError::new("AccessDeniedException", message))
    }
}
