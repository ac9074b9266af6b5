//! Making and managing keys: creation, replicas, aliases, policies, tags, states.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Context, Operation, Outcome, import, invalid_state, one_of, validation};
use crate::aws::AwsError;
use crate::codec::{hex, random_bytes, uuid};
use crate::policy::{Ask, Word, resource_policy};
use crate::world::{ACCOUNT_ID, Alias, KeyState, KmsKey};

/// How many calls find a new replica still `Creating`.
const REPLICA_DELAY: u32 = 2;

impl Operation<'_> {
    pub(super) fn create_key(&mut self) -> Outcome {
        let spec = self
            .optional_text("KeySpec")?
            .or(self.optional_text("CustomerMasterKeySpec")?);
        if spec != Some("RSA_2048") {
            let spec = spec.unwrap_or("SYMMETRIC_DEFAULT");
            return Err(AwsError::new(
                "UnsupportedOperationException",
                format!("the sandbox makes RSA_2048 keys, not {spec}"),
            ));
        }
        let usage = self.text("KeyUsage")?.to_owned();
        one_of("keyUsage", &usage, &["SIGN_VERIFY", "ENCRYPT_DECRYPT"])?;
        let origin = self
            .optional_text("Origin")?
            .unwrap_or("AWS_KMS")
            .to_owned();
        one_of("origin", &origin, &["AWS_KMS", "EXTERNAL"])?;
        let multi_region = self.flag("MultiRegion")?;
        let tags = self.tags()?;
        self.caller
            .authorize("kms:CreateKey", "*", None, Context::new())?;
        if !tags.is_empty() {
            self.caller
                .authorize("kms:TagResource", "*", None, Context::new())?;
        }

        let region = self.caller.region.clone();
        let external = origin == "EXTERNAL";
        let material = if external {
            None
        } else {
            import::new_material()
        };
        let key = KmsKey {
            id: if multi_region {
                format!("mrk-{}", hex(&random_bytes(16)))
            } else {
                uuid()
            },
            state: if external {
                KeyState::PendingImport
            } else {
                KeyState::Enabled
            },
            signs: usage == "SIGN_VERIFY",
            origin,
            primary_region: multi_region.then(|| region.clone()),
            bound_to: material.as_ref().map(|key| key.public().clone()),
            material,
            policy: self.new_policy()?,
            description: self
                .optional_text("Description")?
                .unwrap_or_default()
                .to_owned(),
            tags,
            created: self.now,
            deletion: None,
            creating: 0,
            region,
        };
        self.world.keys.push(key.clone());
        Ok(json!({"KeyMetadata": self.metadata(&key)}))
    }

    pub(super) fn replicate_key(&mut self) -> Outcome {
        let region = self.text("ReplicaRegion")?.to_owned();
        let tags = self.tags()?;
        let (_, key) = self.managed_key("kms:ReplicateKey")?;
        self.caller
            .authorize("kms:CreateKey", "*", None, Context::new())?;
        if key.primary_region.as_ref() != Some(&key.region) {
            return Err(AwsError::new(
                "UnsupportedOperationException",
                format!("{} is not a multi-Region primary key.", key.arn()),
            ));
        }
        super::check_enabled(&key)?;
        if self
            .world
            .keys
            .iter()
            .any(|known| known.id == key.id && known.region == region)
        {
            return Err(AwsError::new(
                "AlreadyExistsException",
                format!("A replica of {} already exists in {region}", key.arn()),
            ));
        }
        let external = key.origin == "EXTERNAL";
        let replica = KmsKey {
            region,
            state: if external {
                KeyState::PendingImport
            } else {
                KeyState::Enabled
            },
            material: if external { None } else { key.material.clone() },
            policy: self.new_policy()?,
            description: self
                .optional_text("Description")?
                .unwrap_or_default()
                .to_owned(),
            tags: tags.clone(),
            created: self.now,
            deletion: None,
            creating: REPLICA_DELAY,
            ..key
        };
        self.world.keys.push(replica.clone());
        let seen = KmsKey {
            state: KeyState::Creating,
            ..replica
        };
        Ok(json!({
            "ReplicaKeyMetadata": self.metadata(&seen),
            "ReplicaPolicy": seen.policy.to_string(),
            "ReplicaTags": shown_tags(&tags),
        }))
    }

    pub(super) fn create_alias(&mut self) -> Outcome {
        let name = self.alias_name()?;
        let place = self.target()?;
        self.authorize_alias("kms:CreateAlias", &name, place)?;
        let key = &self.world.keys[place];
        if key.state == KeyState::PendingDeletion {
            return Err(invalid_state(key, "pending deletion"));
        }
        let region = self.caller.region.clone();
        if self
            .world
            .aliases
            .iter()
            .any(|known| known.region == region && known.name == name)
        {
            return Err(AwsError::new(
                "AlreadyExistsException",
                format!(
                    "An alias with the name {} already exists",
                    self.alias_arn(&name)
                ),
            ));
        }
        let key_id = key.id.clone();
        self.world.aliases.push(Alias {
            region,
            name,
            key_id,
        });
        Ok(Value::Null)
    }

    pub(super) fn update_alias(&mut self) -> Outcome {
        let name = self.alias_name()?;
        let target = self.target()?;
        let alias = self.existing_alias(&name)?;
        let current = self.find(&name)?;
        self.authorize_alias("kms:UpdateAlias", &name, current)?;
        self.authorize_alias("kms:UpdateAlias", &name, target)?;
        let (now, then) = (&self.world.keys[current], &self.world.keys[target]);
        if then.state == KeyState::PendingDeletion {
            return Err(invalid_state(then, "pending deletion"));
        }
        if now.signs != then.signs {
            return Err(validation("Alias and key must have the same key usage"));
        }
        let id = then.id.clone();
        self.world.aliases[alias].key_id = id;
        Ok(Value::Null)
    }

    pub(super) fn delete_alias(&mut self) -> Outcome {
        let name = self.alias_name()?;
        let alias = self.existing_alias(&name)?;
        let key = self.find(&name)?;
        self.authorize_alias("kms:DeleteAlias", &name, key)?;
        self.world.aliases.remove(alias);
        Ok(Value::Null)
    }

    pub(super) fn list_aliases(&mut self) -> Outcome {
        self.caller
            .authorize("kms:ListAliases", "*", None, Context::new())?;
        let of_key = match self.optional_text("KeyId")? {
            Some(name) => Some(self.world.keys[self.find(name)?].id.clone()),
            None => None,
        };
        let all: Vec<Value> = self
            .world
            .aliases
            .iter()
            .filter(|alias| alias.region == self.caller.region)
            .filter(|alias| of_key.as_ref().is_none_or(|id| alias.key_id == *id))
            .map(|alias| {
                json!({
                    "AliasArn": self.alias_arn(&alias.name),
                    "AliasName": alias.name,
                    "TargetKeyId": alias.key_id,
                    "CreationDate": 1_735_689_600,
                    "LastUpdatedDate": 1_735_689_600,
                })
            })
            .collect();
        self.page("Aliases", all, 50, 100)
    }

    pub(super) fn list_keys(&mut self) -> Outcome {
        self.caller
            .authorize("kms:ListKeys", "*", None, Context::new())?;
        let here = self
            .world
            .keys
            .iter()
            .filter(|key| key.region == self.caller.region);
        let all = here
            .map(|key| json!({"KeyId": key.id, "KeyArn": key.arn()}))
            .collect();
        self.page("Keys", all, 100, 1_000)
    }

    pub(super) fn key_policy(&mut self) -> Outcome {
        self.only_default_policy()?;
        let (_, key) = self.managed_key("kms:GetKeyPolicy")?;
        Ok(json!({"Policy": format!("{:#}", key.policy), "PolicyName": "default"}))
    }

    pub(super) fn put_key_policy(&mut self) -> Outcome {
        self.only_default_policy()?;
        self.text("Policy")?;
        let (place, key) = self.managed_key("kms:PutKeyPolicy")?;
        if key.state == KeyState::PendingDeletion {
            return Err(invalid_state(&key, "pending deletion"));
        }
        let policy = self.new_policy()?;
        self.world.keys[place].policy = policy;
        Ok(Value::Null)
    }

    fn only_default_policy(&self) -> Result<(), AwsError> {
        match self.optional_text("PolicyName")? {
            None | Some("default") => Ok(()),
            Some(name) => Err(AwsError::new(
                "NotFoundException",
                format!("No such policy exists: {name}"),
            )),
        }
    }

    pub(super) fn tag_resource(&mut self) -> Outcome {
        let tags = self.tags()?;
        let (place, key) = self.managed_key("kms:TagResource")?;
        if key.state == KeyState::PendingDeletion {
            return Err(invalid_state(&key, "pending deletion"));
        }
        self.world.keys[place].tags.extend(tags);
        Ok(Value::Null)
    }

    pub(super) fn list_resource_tags(&mut self) -> Outcome {
        let (_, key) = self.managed_key("kms:ListResourceTags")?;
        Ok(json!({"Tags": shown_tags(&key.tags), "Truncated": false}))
    }

    pub(super) fn schedule_key_deletion(&mut self) -> Outcome {
        let days = self
            .input
            .get("PendingWindowInDays")
            .map_or(Some(30), Value::as_i64);
        let Some(days) = days.filter(|days| (7..=30).contains(days)) else {
            return Err(validation("PendingWindowInDays must be between 7 and 30"));
        };
        let (place, key) = self.managed_key("kms:ScheduleKeyDeletion")?;
        if key.state == KeyState::PendingDeletion {
            return Err(invalid_state(&key, "pending deletion"));
        }
        let key = &mut self.world.keys[place];
        key.state = KeyState::PendingDeletion;
        key.deletion = Some(self.now + days * 86_400);
        Ok(json!({
            "KeyId": key.arn(),
            "DeletionDate": key.deletion,
            "KeyState": key.state.as_str(),
            "PendingWindowInDays": days,
        }))
    }

    pub(super) fn cancel_key_deletion(&mut self) -> Outcome {
        let (place, key) = self.managed_key("kms:CancelKeyDeletion")?;
        if key.state != KeyState::PendingDeletion {
            return Err(invalid_state(&key, "not pending deletion"));
        }
        let key = &mut self.world.keys[place];
        key.state = if key.material.is_some() {
            KeyState::Disabled
        } else {
            KeyState::PendingImport
        };
        key.deletion = None;
        Ok(json!({"KeyId": key.arn()}))
    }

    pub(super) fn disable_key(&mut self) -> Outcome {
        self.switch("kms:DisableKey", KeyState::Disabled)
    }

    pub(super) fn enable_key(&mut self) -> Outcome {
        self.switch("kms:EnableKey", KeyState::Enabled)
    }

    fn switch(&mut self, action: &str, state: KeyState) -> Outcome {
        let (place, key) = self.managed_key(action)?;
        match key.state {
            KeyState::Enabled | KeyState::Disabled => {}
            KeyState::PendingImport => return Err(invalid_state(&key, "pending import")),
            KeyState::PendingDeletion => return Err(invalid_state(&key, "pending deletion")),
            KeyState::Creating => return Err(invalid_state(&key, "creating")),
        }
        self.world.keys[place].state = state;
        Ok(Value::Null)
    }

    fn alias_arn(&self, name: &str) -> String {
        format!("arn:aws:kms:{}:{ACCOUNT_ID}:{name}", self.caller.region)
    }

    /// `AliasName`, if it is one that a customer may give.
    fn alias_name(&self) -> Result<String, AwsError> {
        let name = self.text("AliasName")?;
        let invalid = |message: String| Err(AwsError::new("InvalidAliasNameException", message));
        let Some(rest) = name.strip_prefix("alias/") else {
            return invalid(
                "Alias must start with the prefix \"alias/\". Please see the documentation.".into(),
            );
        };
        if rest.starts_with("aws/") {
            return Err(AwsError::new("NotAuthorizedException", ""));
        }
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"/_-".contains(&byte);
        if rest.is_empty() || name.len() > 256 || !rest.bytes().all(allowed) {
            return Err(validation(&format!(
                "Value '{name}' at 'aliasName' failed to satisfy constraint: Member must satisfy regular expression \
                 pattern: ^[a-zA-Z0-9:/_-]+$"
            )));
        }
        Ok(name.to_owned())
    }

    fn existing_alias(&self, name: &str) -> Result<usize, AwsError> {
        let region = &self.caller.region;
        let found = self
            .world
            .aliases
            .iter()
            .position(|known| known.region == *region && known.name == name);
        found.ok_or_else(|| {
            AwsError::new(
                "NotFoundException",
                format!("Alias {} is not found.", self.alias_arn(name)),
            )
        })
    }

    /// The key that `TargetKeyId` names, by id or ARN.
    fn target(&self) -> Result<usize, AwsError> {
        let name = self.text("TargetKeyId")?;
        if name.contains("alias/") {
            return Err(validation("Aliases must refer to keys. Not aliases"));
        }
        self.find(name)
    }

    /// What changes an alias needs the right on the alias (by identity policy) and on the key.
    fn authorize_alias(&self, action: &str, name: &str, key: usize) -> Result<(), AwsError> {
        self.caller
            .authorize(action, &self.alias_arn(name), None, Context::new())?;
        let key = &self.world.keys[key];
        self.caller
            .authorize(action, &key.arn(), Some(&key.policy), Context::new())
    }

    /// The policy that a call brings, or the one that KMS gives a key without.
    fn new_policy(&self) -> Result<Value, AwsError> {
        let malformed =
            |message: &str| Err(AwsError::new("MalformedPolicyDocumentException", message));
        let Some(text) = self.optional_text("Policy")? else {
            return Ok(json!({
                "Version": "2012-10-17",
                "Id": "key-default-1",
                "Statement": [{
                    "Sid": "Enable IAM User Permissions",
                    "Effect": "Allow",
                    "Principal": {"AWS": format!("arn:aws:iam::{ACCOUNT_ID}:root")},
                    "Action": "kms:*",
                    "Resource": "*",
                }],
            }));
        };
        let Ok(policy) = serde_json::from_str::<Value>(text) else {
            return malformed("The policy is not valid JSON.");
        };
        let statements: Vec<&Value> = match &policy["Statement"] {
            Value::Array(all) => all.iter().collect(),
            one @ Value::Object(_) => vec![one],
            _ => return malformed("Policy document has no statements."),
        };
        for statement in &statements {
            let complete = ["Effect", "Principal", "Resource"]
                .iter()
                .all(|name| statement.get(name).is_some())
                && (statement.get("Action").is_some() || statement.get("NotAction").is_some());
            if !complete {
                return malformed("Policy statement is missing an element.");
            }
            if !self.principals_exist(&statement["Principal"]["AWS"]) {
                return malformed(
                    "Policy contains a statement with one or more invalid principals.",
                );
            }
        }
        let ask = Ask {
            action: "kms:PutKeyPolicy",
            resource: "*",
            principals: vec![self.caller.arn(), self.caller.principal.arn()],
            in_account: true,
            context: BTreeMap::new(),
        };
        let keeps_control = matches!(resource_policy(&policy, &ask), Word::Allow | Word::Delegate);
        if !keeps_control && !self.flag("BypassPolicyLockoutSafetyCheck")? {
            return malformed(
                "The new key policy will not allow you to update the key policy in the future.",
            );
        }
        Ok(policy)
    }

    /// Names of this account must exist; those of others are taken as they are.
    fn principals_exist(&self, names: &Value) -> bool {
        let names: Vec<&Value> = match names {
            Value::Array(all) => all.iter().collect(),
            Value::Null => Vec::new(),
            one => vec![one],
        };
        let own = format!("arn:aws:iam::{ACCOUNT_ID}:");
        names.into_iter().all(|name| match name.as_str() {
            None => false,
            Some(name) => match name.strip_prefix(&own) {
                Some("root") => true,
                Some(path) => self.world.principals.iter().any(|known| known.path == path),
                None => name == "*" || name == ACCOUNT_ID || name.starts_with("arn:aws:"),
            },
        })
    }

    fn flag(&self, field: &str) -> Result<bool, AwsError> {
        match self.input.get(field) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(value)) => Ok(*value),
            Some(_) => Err(AwsError::new(
                "SerializationException",
                "Unexpected token where a boolean was expected",
            )),
        }
    }

    fn tags(&self) -> Result<BTreeMap<String, String>, AwsError> {
        let wrong = || AwsError::new("TagException", "Tags must have a TagKey and a TagValue.");
        let tags = match self.input.get("Tags") {
            None | Some(Value::Null) => return Ok(BTreeMap::new()),
            Some(Value::Array(tags)) => tags,
            Some(_) => return Err(wrong()),
        };
        tags.iter()
            .map(|tag| {
                let text = |field: &str| tag[field].as_str().map(str::to_owned).ok_or_else(wrong);
                Ok((text("TagKey")?, text("TagValue")?))
            })
            .collect()
    }

    /// A part of a list, from where `Marker` says and as long as `Limit` says.
    fn page(&self, name: &str, all: Vec<Value>, usual: usize, most: usize) -> Outcome {
        let limit = match self.input.get("Limit") {
            None => usual,
            Some(limit) => match limit.as_u64().map(|limit| limit as usize) {
                Some(limit) if (1..=most).contains(&limit) => limit,
                _ => return Err(validation("Value at 'limit' failed to satisfy constraint")),
            },
        };
        let start = match self.optional_text("Marker")? {
            None => 0,
            Some(marker) => match marker
                .strip_prefix("from-")
                .and_then(|place| place.parse::<usize>().ok())
            {
                Some(place) if place <= all.len() => place,
                _ => {
                    return Err(AwsError::new(
                        "InvalidMarkerException",
                        "The marker is not valid.",
                    ));
                }
            },
        };
        let rest = all.len() - start;
        let mut body = json!({"Truncated": rest > limit});
        if rest > limit {
            body["NextMarker"] = json!(format!("from-{}", start + limit));
        }
        body[name] = all.into_iter().skip(start).take(limit).collect();
        Ok(body)
    }
}

fn shown_tags(tags: &BTreeMap<String, String>) -> Vec<Value> {
    tags.iter()
        .map(|(key, value)| json!({"TagKey": key, "TagValue": value}))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::is_key_id;
    use super::*;

    #[test]
    fn ids_of_new_keys_are_key_ids() {
        assert!(is_key_id(&uuid()));
        assert!(is_key_id(&format!("mrk-{}", hex(&random_bytes(16)))));
    }
}
