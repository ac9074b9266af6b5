//! AWS KMS: the [JSON 1.1 protocol](https://docs.aws.amazon.com/kms/latest/APIReference/Welcome.html),
//! with real signatures, key states and permissions.

pub(crate) mod import;
mod manage;

use std::collections::BTreeMap;

use ring::signature::{self, RsaEncoding};
use serde_json::{Map, Value, json};

use crate::aws::{AwsError, Caller, JSON_1_1};
use crate::call::Call;
use crate::codec::{base64, base64_decode, uuid};
use crate::http::{Answer, Request};
use crate::state::State;
use crate::world::{ACCOUNT_ID, KeyState, KmsKey, World};

/// The most bytes that Sign takes with message type RAW.
const MAX_MESSAGE: usize = 4_096;

type Outcome = Result<Value, AwsError>;
type Context = BTreeMap<String, Vec<String>>;

/// The prefix of `X-Amz-Target`.
const TARGET: &str = "TrentService.";

pub(crate) fn call_of(request: &Request) -> Call {
    let target = request.header("x-amz-target").unwrap_or_default();
    match target.strip_prefix(TARGET).unwrap_or_default() {
        "Sign" => Call::KmsSign,
        "GetPublicKey" => Call::KmsGetPublicKey,
        "DescribeKey" => Call::KmsDescribeKey,
        "CreateKey" => Call::KmsCreateKey,
        "ReplicateKey" => Call::KmsReplicateKey,
        "GetParametersForImport" => Call::KmsGetParametersForImport,
        "ImportKeyMaterial" => Call::KmsImportKeyMaterial,
        "DeleteImportedKeyMaterial" => Call::KmsDeleteImportedKeyMaterial,
        "CreateAlias" => Call::KmsCreateAlias,
        "UpdateAlias" => Call::KmsUpdateAlias,
        "DeleteAlias" => Call::KmsDeleteAlias,
        "ListAliases" => Call::KmsListAliases,
        "ListKeys" => Call::KmsListKeys,
        "GetKeyPolicy" => Call::KmsGetKeyPolicy,
        "PutKeyPolicy" => Call::KmsPutKeyPolicy,
        "TagResource" => Call::KmsTagResource,
        "ListResourceTags" => Call::KmsListResourceTags,
        "ScheduleKeyDeletion" => Call::KmsScheduleKeyDeletion,
        "CancelKeyDeletion" => Call::KmsCancelKeyDeletion,
        "DisableKey" => Call::KmsDisableKey,
        "EnableKey" => Call::KmsEnableKey,
        _ => Call::KmsOther,
    }
}

pub(crate) fn answer(state: &State, call: Call, request: &Request) -> Answer {
    match respond(state, call, request) {
        // Operations without output answer with nothing at all.
        Ok(Value::Null) => Answer::new(200)
            .header("x-amzn-RequestId", uuid())
            .header("Content-Type", JSON_1_1),
        Ok(body) => Answer::new(200)
            .header("x-amzn-RequestId", uuid())
            .json(JSON_1_1, &body),
        Err(error) => crate::aws::json_error(error.status, &error.kind, &error.message),
    }
}

fn respond(state: &State, call: Call, request: &Request) -> Outcome {
    let media_type = request.header("content-type").unwrap_or_default();
    if request.method != "POST"
        || request.path() != "/"
        || media_type != JSON_1_1
        || call == Call::KmsOther
    {
        return Err(AwsError::new("UnknownOperationException", ""));
    }
    let now = state.aws_clock.now();
    let mut world = state.world();
    let caller = Caller::authenticate(request, "kms", now, &world)?;
    let Ok(Value::Object(input)) = serde_json::from_slice(&request.body) else {
        return Err(AwsError::new(
            "SerializationException",
            "Start of structure or map found where not expected.",
        ));
    };
    let mut operation = Operation {
        state,
        now,
        world: &mut world,
        caller,
        input,
    };
    match call {
        Call::KmsSign => operation.sign(),
        Call::KmsGetPublicKey => operation.public_key(),
        Call::KmsDescribeKey => operation.describe_key(),
        Call::KmsCreateKey => operation.create_key(),
        Call::KmsReplicateKey => operation.replicate_key(),
        Call::KmsGetParametersForImport => operation.parameters_for_import(),
        Call::KmsImportKeyMaterial => operation.import_key_material(),
        Call::KmsDeleteImportedKeyMaterial => operation.delete_imported_key_material(),
        Call::KmsCreateAlias => operation.create_alias(),
        Call::KmsUpdateAlias => operation.update_alias(),
        Call::KmsDeleteAlias => operation.delete_alias(),
        Call::KmsListAliases => operation.list_aliases(),
        Call::KmsListKeys => operation.list_keys(),
        Call::KmsGetKeyPolicy => operation.key_policy(),
        Call::KmsPutKeyPolicy => operation.put_key_policy(),
        Call::KmsTagResource => operation.tag_resource(),
        Call::KmsListResourceTags => operation.list_resource_tags(),
        Call::KmsScheduleKeyDeletion => operation.schedule_key_deletion(),
        Call::KmsCancelKeyDeletion => operation.cancel_key_deletion(),
        Call::KmsDisableKey => operation.disable_key(),
        Call::KmsEnableKey => operation.enable_key(),
        _ => Err(AwsError::new("UnknownOperationException", "")),
    }
}

/// One call in progress.
struct Operation<'a> {
    state: &'a State,
    now: i64,
    world: &'a mut World,
    caller: Caller,
    input: Map<String, Value>,
}

impl Operation<'_> {
    fn sign(&mut self) -> Outcome {
        let message = self.blob("Message")?;
        let algorithm = self.text("SigningAlgorithm")?.to_owned();
        let message_type = self
            .optional_text("MessageType")?
            .unwrap_or("RAW")
            .to_owned();
        if message.is_empty() || message.len() > MAX_MESSAGE {
            let bound = if message.is_empty() {
                "Member must have length greater than or equal to 1"
            } else {
                "Member must have length less than or equal to 4096"
            };
            return Err(validation(&format!(
                "Value at 'message' failed to satisfy constraint: {bound}"
            )));
        }
        one_of("messageType", &message_type, &["RAW", "DIGEST"])?;
        one_of(
            "signingAlgorithm",
            &algorithm,
            &ALGORITHMS.map(|(name, ..)| name),
        )?;
        let context = Context::from([
            ("kms:SigningAlgorithm".to_owned(), vec![algorithm.clone()]),
            ("kms:MessageType".to_owned(), vec![message_type.clone()]),
        ]);
        let key = self.key("KeyId", "kms:Sign", context)?;
        check_enabled(&key)?;
        let Some(material) = key.material.as_ref().filter(|_| key.signs) else {
            return Err(AwsError::new(
                "InvalidKeyUsageException",
                format!(
                    "{} key usage is ENCRYPT_DECRYPT which is not valid for Sign.",
                    key.arn()
                ),
            ));
        };
        let Some((_, digest_length, padding)) =
            ALGORITHMS.iter().find(|(name, ..)| *name == algorithm)
        else {
            return Err(incompatible(&algorithm));
        };
        let signature = if message_type == "RAW" {
            match padding {
                Some(padding) => material.sign_with(*padding, &message),
                None => return Err(incompatible(&algorithm)),
            }
        } else if message.len() != *digest_length {
            return Err(validation("Digest is invalid length for algorithm"));
        } else {
            import::sign_digest(material, &algorithm, &message)
                .ok_or_else(|| incompatible(&algorithm))?
        };
        let text = base64(&signature);
        self.state.secret("KMS signature", &text);
        Ok(json!({"KeyId": key.arn(), "Signature": text, "SigningAlgorithm": algorithm}))
    }

    fn public_key(&mut self) -> Outcome {
        let key = self.key("KeyId", "kms:GetPublicKey", Context::new())?;
        let Some(material) = &key.material else {
            return Err(invalid_state(&key, "pending import"));
        };
        let mut answer = json!({
            "KeyId": key.arn(),
            "PublicKey": base64(&material.public().spki()),
            "KeySpec": "RSA_2048",
            "CustomerMasterKeySpec": "RSA_2048",
            "KeyUsage": usage(&key),
        });
        if key.signs {
            answer["SigningAlgorithms"] = json!(signing_algorithms());
        } else {
            answer["EncryptionAlgorithms"] = json!(["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"]);
        }
        Ok(answer)
    }

    fn describe_key(&mut self) -> Outcome {
        let key = self.key("KeyId", "kms:DescribeKey", Context::new())?;
        Ok(json!({"KeyMetadata": self.metadata(&key)}))
    }

    fn metadata(&self, key: &KmsKey) -> Value {
        let mut metadata = json!({
            "AWSAccountId": ACCOUNT_ID,
            "Arn": key.arn(),
            "CreationDate": key.created,
            "CustomerMasterKeySpec": "RSA_2048",
            "Description": key.description,
            "Enabled": key.state == KeyState::Enabled,
            "KeyId": key.id,
            "KeyManager": "CUSTOMER",
            "KeySpec": "RSA_2048",
            "KeyState": key.state.as_str(),
            "KeyUsage": usage(key),
            "MultiRegion": key.primary_region.is_some(),
            "Origin": key.origin,
        });
        if key.signs {
            metadata["SigningAlgorithms"] = json!(signing_algorithms());
        } else {
            metadata["EncryptionAlgorithms"] = json!(["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"]);
        }
        if key.origin == "EXTERNAL" && key.material.is_some() {
            metadata["ExpirationModel"] = json!("KEY_MATERIAL_DOES_NOT_EXPIRE");
        }
        if let Some(time) = key.deletion {
            metadata["DeletionDate"] = json!(time);
        }
        if let Some(primary) = &key.primary_region {
            let place = |key: &KmsKey| json!({"Arn": key.arn(), "Region": key.region});
            let family: Vec<&KmsKey> = self
                .world
                .keys
                .iter()
                .filter(|known| known.id == key.id)
                .collect();
            let is_primary = |known: &&&KmsKey| known.region == *primary;
            metadata["MultiRegionConfiguration"] = json!({
                "MultiRegionKeyType": if key.region == *primary { "PRIMARY" } else { "REPLICA" },
                "PrimaryKey": family.iter().find(is_primary).map(|key| place(key)),
                "ReplicaKeys": family.iter().filter(|key| !is_primary(key)).map(|key| place(key)).collect::<Vec<_>>(),
            });
        }
        metadata
    }

    /// The key that `field` names, if the caller may do `action` with it.
    fn key(&mut self, field: &str, action: &str, context: Context) -> Result<KmsKey, AwsError> {
        self.placed_key(field, action, context).map(|(_, key)| key)
    }

    /// The same with the key's place in the world. Under way to be created, it counts the call.
    fn placed_key(
        &mut self,
        field: &str,
        action: &str,
        context: Context,
    ) -> Result<(usize, KmsKey), AwsError> {
        let place = self.find(self.text(field)?)?;
        let key = &mut self.world.keys[place];
        self.caller
            .authorize(action, &key.arn(), Some(&key.policy), context)?;
        let mut seen = key.clone();
        if key.creating > 0 {
            key.creating -= 1;
            seen.state = KeyState::Creating;
        }
        Ok((place, seen))
    }

    /// The key that `KeyId` names by id or ARN: what manages keys takes no alias.
    fn managed_key(&mut self, action: &str) -> Result<(usize, KmsKey), AwsError> {
        let name = self.text("KeyId")?;
        if name.contains("alias/") {
            return Err(AwsError::new(
                "NotFoundException",
                format!("Invalid keyId '{name}'"),
            ));
        }
        self.placed_key("KeyId", action, Context::new())
    }

    /// The place of the key that a key id, key ARN, alias name or alias ARN names.
    fn find(&self, name: &str) -> Result<usize, AwsError> {
        let region = self.caller.region.as_str();
        let not_found = |message: String| Err(AwsError::new("NotFoundException", message));
        let local = if name.starts_with("arn:") {
            let parts: Vec<&str> = name.splitn(6, ':').collect();
            let ["arn", "aws", "kms", of_region, account, local] = parts[..] else {
                return not_found(format!("Invalid arn {name}"));
            };
            if of_region != region {
                return not_found(format!("Invalid arn {of_region}"));
            }
            if account != ACCOUNT_ID {
                return Err(AwsError::new(
                    "AccessDeniedException",
                    format!(
                        "User: {} is not authorized to perform this action on resource: {name} because the resource \
                         does not exist in this Region, no resource-based policies allow access, or a \
                         resource-based policy explicitly denies access",
                        self.caller.arn()
                    ),
                ));
            }
            match local.strip_prefix("key/") {
                Some(id) => id,
                None if local.starts_with("alias/") => local,
                None => return not_found(format!("Invalid arn {name}")),
            }
        } else {
            name
        };
        let id = if local.starts_with("alias/") {
            match self
                .world
                .aliases
                .iter()
                .find(|alias| alias.region == region && alias.name == local)
            {
                Some(alias) => alias.key_id.as_str(),
                None => {
                    return not_found(format!(
                        "Alias arn:aws:kms:{region}:{ACCOUNT_ID}:{local} is not found."
                    ));
                }
            }
        } else if is_key_id(local) {
            local
        } else {
            return not_found(format!("Invalid keyId '{local}'"));
        };
        let found = self
            .world
            .keys
            .iter()
            .position(|key| key.region == region && key.id == id);
        found.map_or_else(
            || {
                not_found(format!(
                    "Key 'arn:aws:kms:{region}:{ACCOUNT_ID}:key/{id}' does not exist"
                ))
            },
            Ok,
        )
    }

    fn text(&self, field: &str) -> Result<&str, AwsError> {
        match self.optional_text(field)? {
            Some(text) => Ok(text),
            None => Err(validation(&format!(
                "Value null at '{}' failed to satisfy constraint: Member must not be null",
                lower_first(field)
            ))),
        }
    }

    fn optional_text(&self, field: &str) -> Result<Option<&str>, AwsError> {
        match self.input.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(AwsError::new(
                "SerializationException",
                "Unexpected token where a string was expected",
            )),
        }
    }

    fn blob(&self, field: &str) -> Result<Vec<u8>, AwsError> {
        base64_decode(self.text(field)?)
            .ok_or_else(|| AwsError::new("SerializationException", "Invalid base64 in a blob"))
    }
}

type Padding = Option<&'static dyn RsaEncoding>;

/// What an RSA key may be asked to sign with, and the length of the digest in bytes.
static ALGORITHMS: [(&str, usize, Padding); 8] = [
    (
        "RSASSA_PKCS1_V1_5_SHA_256",
        32,
        Some(&signature::RSA_PKCS1_SHA256),
    ),
    (
        "RSASSA_PKCS1_V1_5_SHA_384",
        48,
        Some(&signature::RSA_PKCS1_SHA384),
    ),
    (
        "RSASSA_PKCS1_V1_5_SHA_512",
        64,
        Some(&signature::RSA_PKCS1_SHA512),
    ),
    ("RSASSA_PSS_SHA_256", 32, Some(&signature::RSA_PSS_SHA256)),
    ("RSASSA_PSS_SHA_384", 48, Some(&signature::RSA_PSS_SHA384)),
    ("RSASSA_PSS_SHA_512", 64, Some(&signature::RSA_PSS_SHA512)),
    // Known to KMS, but of other keys.
    ("ECDSA_SHA_256", 32, None),
    ("ECDSA_SHA_384", 48, None),
];

fn signing_algorithms() -> Vec<&'static str> {
    ALGORITHMS
        .iter()
        .filter(|(_, _, padding)| padding.is_some())
        .map(|(name, ..)| *name)
        .collect()
}

fn usage(key: &KmsKey) -> &'static str {
    if key.signs {
        "SIGN_VERIFY"
    } else {
        "ENCRYPT_DECRYPT"
    }
}

fn check_enabled(key: &KmsKey) -> Result<(), AwsError> {
    match key.state {
        KeyState::Enabled => Ok(()),
        KeyState::Disabled => Err(AwsError::new(
            "DisabledException",
            format!("{} is disabled.", key.arn()),
        )),
        KeyState::PendingImport => Err(invalid_state(key, "pending import")),
        KeyState::PendingDeletion => Err(invalid_state(key, "pending deletion")),
        KeyState::Creating => Err(invalid_state(key, "creating")),
    }
}

fn invalid_state(key: &KmsKey, state: &str) -> AwsError {
    AwsError::new(
        "KMSInvalidStateException",
        format!("{} is {state}.", key.arn()),
    )
}

fn incompatible(algorithm: &str) -> AwsError {
    AwsError::new(
        "InvalidKeyUsageException",
        format!("Algorithm {algorithm} is incompatible with key spec RSA_2048."),
    )
}

fn validation(what: &str) -> AwsError {
    AwsError::new(
        "ValidationException",
        format!("1 validation error detected: {what}"),
    )
}

fn one_of(field: &str, value: &str, allowed: &[&str]) -> Result<(), AwsError> {
    if allowed.contains(&value) {
        return Ok(());
    }
    Err(validation(&format!(
        "Value '{value}' at '{field}' failed to satisfy constraint: Member must satisfy enum value set: [{}]",
        allowed.join(", ")
    )))
}

fn lower_first(field: &str) -> String {
    let mut characters = field.chars();
    characters.next().map_or_else(String::new, |first| {
        first.to_ascii_lowercase().to_string() + characters.as_str()
    })
}

/// A UUID, or `mrk-` and 32 hexadecimal digits.
fn is_key_id(text: &str) -> bool {
    let hex = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    match text.strip_prefix("mrk-") {
        Some(digits) => digits.len() == 32 && hex(digits),
        None => {
            let parts: Vec<&str> = text.split('-').collect();
            parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
                && parts.iter().all(|part| hex(part))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_ids_have_one_of_two_forms() {
        assert!(is_key_id("11111111-1111-4111-8111-111111111111"));
        assert!(is_key_id("mrk-0a1b2c3d4e5f60718293a4b5c6d7e8f9"));
        for wrong in [
            "",
            "github-app",
            "mrk-1",
            "11111111-1111-4111-8111-11111111111g",
        ] {
            assert!(!is_key_id(wrong), "{wrong}");
        }
    }
}
