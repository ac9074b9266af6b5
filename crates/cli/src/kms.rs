//! What a person does to keys: the operations of KMS beside Sign.
//!
//! See the API reference of AWS KMS. Only this program needs them, so they are not in the
//! library.

use crate::key::pem::PublicKey;
use crate::problem;
use app_token::aws::credentials::Credentials;
use app_token::aws::error::AwsError;
use app_token::aws::kms::{self, Operation, SigningKey};
use app_token::aws::kms_key::KmsKeyId;
use app_token::aws::region::Region;
use app_token::error::{Error, Result, problem as library, words};
use app_token::http::Response;
use app_token::http::client::{Client, Limits};
use app_token::http::url::Url;
use app_token::secret::Secret;
use base64ct::{Base64, Encoding};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// As for making a token, but a person may take an hour over many keys.
pub const ADMIN: Limits = Limits {
    overall: Duration::from_secs(3600),
    ..Limits::MINT
};

macro_rules! operations {
    ($($name:ident = $text:literal;)+) => {
        $(const $name: Operation = Operation {
            target: concat!("TrentService.", $text),
            what: concat!("KMS ", $text),
        };)+
    };
}

operations! {
    CREATE_ALIAS = "CreateAlias";
    CREATE_KEY = "CreateKey";
    DESCRIBE_KEY = "DescribeKey";
    GET_KEY_POLICY = "GetKeyPolicy";
    GET_PARAMETERS_FOR_IMPORT = "GetParametersForImport";
    GET_PUBLIC_KEY = "GetPublicKey";
    IMPORT_KEY_MATERIAL = "ImportKeyMaterial";
    LIST_ALIASES = "ListAliases";
    LIST_KEYS = "ListKeys";
    LIST_RESOURCE_TAGS = "ListResourceTags";
    PUT_KEY_POLICY = "PutKeyPolicy";
    REPLICATE_KEY = "ReplicateKey";
    TAG_RESOURCE = "TagResource";
    UPDATE_ALIAS = "UpdateAlias";
}

/// KMS in one region.
#[derive(Clone)]
pub struct Kms<'a> {
    pub client: &'a Client,
    pub credentials: &'a Credentials,
    pub region: Region,
    pub endpoint: Url,
}

/// What DescribeKey says.
#[derive(Clone, Debug)]
pub struct KeyInfo {
    pub id: String,
    pub arn: String,
    pub state: String,
    pub spec: String,
    pub usage: String,
    pub origin: String,
    pub multi_region: bool,
}

impl KeyInfo {
    fn read(metadata: &Value) -> Option<Self> {
        let text = |name: &str| metadata.get(name).and_then(Value::as_str).map(words);
        Some(Self {
            id: text("KeyId")?,
            arn: text("Arn")?,
            state: text("KeyState").unwrap_or_default(),
            spec: text("KeySpec")
                .or_else(|| text("CustomerMasterKeySpec"))
                .unwrap_or_default(),
            usage: text("KeyUsage").unwrap_or_default(),
            origin: text("Origin").unwrap_or_default(),
            multi_region: metadata
                .get("MultiRegion")
                .and_then(Value::as_bool)
                .unwrap_or(false),
        })
    }

    /// Whether an App's private key can be imported into it.
    pub fn is_suitable(&self) -> bool {
        self.spec == "RSA_2048" && self.usage == "SIGN_VERIFY" && self.origin == "EXTERNAL"
    }

    /// Why it is not.
    pub fn describe(&self) -> String {
        format!(
            "{} is {}, {}, origin {}",
            self.id, self.spec, self.usage, self.origin
        )
    }

    /// Whether it waits for its material.
    pub fn is_pending(&self) -> bool {
        self.state == "PendingImport"
    }

    /// The account, as the ARN names it.
    pub fn account(&self) -> &str {
        self.arn.split(':').nth(4).unwrap_or_default()
    }

    /// The partition, as the ARN names it.
    pub fn partition(&self) -> &str {
        self.arn.split(':').nth(1).unwrap_or("aws")
    }
}

/// For wrapping: good for 24 hours, for this key.
pub struct ImportParameters {
    pub token: String,
    pub wrapping_key: Vec<u8>,
}

impl Kms<'_> {
    /// As [`SigningKey::describe`].
    pub fn name(&self, key: &str) -> String {
        format!("{key} in {}", self.region)
    }

    async fn send(&self, operation: Operation, body: &Value, limits: Limits) -> Result<Response> {
        let at = (&self.endpoint, &self.region);
        let body = Secret::new(body.to_string());
        kms::send(self.client, self.credentials, at, operation, &body, limits).await
    }

    async fn call(&self, operation: Operation, body: &Value, about: &str) -> Result<Value> {
        let response = self.send(operation, body, ADMIN).await?;
        self.read(operation, &response, about)
    }

    fn read(&self, operation: Operation, response: &Response, about: &str) -> Result<Value> {
        if response.status != 200 {
            return Err(self.refusal(operation, response, about));
        }
        if response.body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&response.body).map_err(|_| {
            Error::new(&library::KMS_UNUSABLE, response.not_json()).at(self.endpoint.to_string())
        })
    }

    fn refusal(&self, operation: Operation, response: &Response, about: &str) -> Error {
        let error = kms::refusal(response);
        let name = operation.what.trim_start_matches("KMS ");
        let place = if about.is_empty() {
            self.region.to_string()
        } else {
            self.name(about)
        };
        let error = if error.is(&library::KMS_ACCESS_DENIED) {
            Error {
                problem: &problem::KMS_RIGHT_MISSING,
                detail: format!("kms:{name}; {}", error.detail),
                ..error
            }
        } else if error.is(&library::KMS_REFUSED) {
            Error {
                problem: &problem::KMS_OPERATION_REFUSED,
                detail: format!("{name}; {}", error.detail),
                ..error
            }
        } else {
            Error {
                detail: format!("{name}; {}", error.detail),
                ..error
            }
        };
        error.at(place)
    }

    fn unusable(&self, operation: Operation, why: &str) -> Error {
        let detail = format!("{}: {why}", operation.what);
        Error::new(&library::KMS_UNUSABLE, detail).at(self.endpoint.to_string())
    }

    /// The key behind this id, ARN or alias; `None` if there is none.
    pub async fn describe(&self, key: &str) -> Result<Option<KeyInfo>> {
        let response = self
            .send(DESCRIBE_KEY, &json!({ "KeyId": key }), ADMIN)
            .await?;
        if AwsError::of(&response).is_some_and(|error| error.code == "NotFoundException") {
            return Ok(None);
        }
        let answer = self.read(DESCRIBE_KEY, &response, key)?;
        KeyInfo::read(&answer["KeyMetadata"])
            .map(Some)
            .ok_or_else(|| self.unusable(DESCRIBE_KEY, "no KeyMetadata"))
    }

    /// The public half of a key. `None` if it is no RSA key.
    pub async fn public_key(&self, key: &str) -> Result<Option<PublicKey>> {
        let answer = self
            .call(GET_PUBLIC_KEY, &json!({ "KeyId": key }), key)
            .await?;
        let der = self.bytes(GET_PUBLIC_KEY, &answer, "PublicKey")?;
        Ok(PublicKey::from_spki(&der))
    }

    fn bytes(&self, operation: Operation, answer: &Value, name: &str) -> Result<Vec<u8>> {
        let text = answer[name].as_str().unwrap_or_default();
        let bytes = Base64::decode_vec(text).unwrap_or_default();
        if bytes.is_empty() {
            return Err(self.unusable(operation, &format!("no {name}")));
        }
        Ok(bytes)
    }

    /// Makes a key for an App's private key. Tried once: if the answer is lost, the key is found by its
    /// tags when the same command is run again, and a second try could make a second key.
    pub async fn create_key(
        &self,
        description: &str,
        tags: &Value,
        multi_region: bool,
    ) -> Result<KeyInfo> {
        let body = json!({
            "Description": description,
            "KeySpec": "RSA_2048",
            "KeyUsage": "SIGN_VERIFY",
            "MultiRegion": multi_region,
            "Origin": "EXTERNAL",
            "Tags": tags,
        });
        let response = self.send(CREATE_KEY, &body, ADMIN.tries(1)).await?;
        let answer = self.read(CREATE_KEY, &response, "")?;
        KeyInfo::read(&answer["KeyMetadata"])
            .ok_or_else(|| self.unusable(CREATE_KEY, "no KeyMetadata"))
    }

    /// Makes a replica of a primary key of this region in another one.
    pub async fn replicate(
        &self,
        key: &str,
        to: &Region,
        description: &str,
        tags: &Value,
    ) -> Result<()> {
        let body = json!({
            "KeyId": key,
            "ReplicaRegion": to.as_str(),
            "Description": description,
            "Tags": tags,
        });
        self.call(REPLICATE_KEY, &body, key).await.map(drop)
    }

    pub async fn import_parameters(&self, key: &str) -> Result<ImportParameters> {
        let body = json!({
            "KeyId": key,
            "WrappingAlgorithm": "RSA_AES_KEY_WRAP_SHA_256",
            "WrappingKeySpec": "RSA_4096",
        });
        let answer = self.call(GET_PARAMETERS_FOR_IMPORT, &body, key).await?;
        let token = answer["ImportToken"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        if token.is_empty() {
            return Err(self.unusable(GET_PARAMETERS_FOR_IMPORT, "no ImportToken"));
        }
        Ok(ImportParameters {
            token,
            wrapping_key: self.bytes(GET_PARAMETERS_FOR_IMPORT, &answer, "PublicKey")?,
        })
    }

    /// Imports wrapped material, for good.
    pub async fn import(&self, key: &str, token: &str, wrapped: &[u8]) -> Result<()> {
        let body = json!({
            "KeyId": key,
            "ImportToken": token,
            "EncryptedKeyMaterial": Base64::encode_string(wrapped),
            "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE",
        });
        let response = self.send(IMPORT_KEY_MATERIAL, &body, ADMIN).await?;
        let code = AwsError::of(&response)
            .map(|error| error.code)
            .unwrap_or_default();
        if code == "IncorrectKeyMaterialException" {
            let error = self.refusal(IMPORT_KEY_MATERIAL, &response, key);
            return Err(Error {
                problem: &problem::KEY_HAS_OTHER_MATERIAL,
                ..error
            });
        }
        self.read(IMPORT_KEY_MATERIAL, &response, key).map(drop)
    }

    /// Has the key sign.
    ///
    /// # Errors
    /// The library's, for Sign.
    pub async fn sign(&self, key: &str, message: &str) -> Result<Vec<u8>> {
        let key = SigningKey {
            id: KmsKeyId::parse(key)?,
            region: self.region.clone(),
            endpoint: self.endpoint.clone(),
        };
        let signed = kms::sign(self.client, self.credentials, &key, message, ADMIN).await?;
        Ok(signed.bytes)
    }

    pub async fn policy(&self, key: &str) -> Result<Value> {
        let body = json!({ "KeyId": key, "PolicyName": "default" });
        let answer = self.call(GET_KEY_POLICY, &body, key).await?;
        let text = answer["Policy"].as_str().unwrap_or_default();
        serde_json::from_str(text).map_err(|_| self.unusable(GET_KEY_POLICY, "no policy"))
    }

    pub async fn put_policy(&self, key: &str, policy: &Value) -> Result<()> {
        let body = json!({ "KeyId": key, "PolicyName": "default", "Policy": policy.to_string() });
        self.call(PUT_KEY_POLICY, &body, key).await.map(drop)
    }

    pub async fn create_alias(&self, alias: &str, key: &str) -> Result<()> {
        let body = json!({ "AliasName": alias, "TargetKeyId": key });
        let response = self.send(CREATE_ALIAS, &body, ADMIN).await?;
        let taken =
            AwsError::of(&response).is_some_and(|error| error.code == "AlreadyExistsException");
        // A try whose answer was lost made it.
        if taken
            && self
                .describe(alias)
                .await?
                .is_some_and(|info| info.id == key)
        {
            return Ok(());
        }
        self.read(CREATE_ALIAS, &response, alias).map(drop)
    }

    pub async fn update_alias(&self, alias: &str, key: &str) -> Result<()> {
        let body = json!({ "AliasName": alias, "TargetKeyId": key });
        self.call(UPDATE_ALIAS, &body, alias).await.map(drop)
    }

    /// The aliases that lead to a key; of very many, some.
    pub async fn aliases(&self, key: &str) -> Result<Vec<String>> {
        let answer = self
            .call(LIST_ALIASES, &json!({ "KeyId": key }), key)
            .await?;
        let aliases = answer["Aliases"].as_array().into_iter().flatten();
        Ok(aliases
            .filter_map(|alias| alias["AliasName"].as_str().map(words))
            .collect())
    }

    /// The ids of all keys of this account and region.
    pub async fn keys(&self) -> Result<Vec<String>> {
        let mut keys = Vec::new();
        let mut body = json!({ "Limit": 1000 });
        loop {
            let answer = self.call(LIST_KEYS, &body, "").await?;
            let page = answer["Keys"].as_array().into_iter().flatten();
            keys.extend(page.filter_map(|key| key["KeyId"].as_str().map(str::to_owned)));
            match answer["NextMarker"].as_str() {
                Some(marker) if answer["Truncated"] == true => body["Marker"] = marker.into(),
                _ => return Ok(keys),
            }
        }
    }

    pub async fn tags(&self, key: &str) -> Result<BTreeMap<String, String>> {
        let answer = self
            .call(LIST_RESOURCE_TAGS, &json!({ "KeyId": key }), key)
            .await?;
        let tags = answer["Tags"].as_array().into_iter().flatten();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Ok(tags
            .map(|tag| (text(&tag["TagKey"]), text(&tag["TagValue"])))
            .collect())
    }

    pub async fn tag(&self, key: &str, tags: &Value) -> Result<()> {
        let body = json!({ "KeyId": key, "Tags": tags });
        self.call(TAG_RESOURCE, &body, key).await.map(drop)
    }
}
