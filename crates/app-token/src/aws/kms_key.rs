//! How a KMS key is named: by key id, key ARN, alias name or alias ARN.

use super::region::Region;
use crate::error::{Error, Result, problem, words};
use crate::list;
use crate::secret::misplaced_key;
use std::fmt;

/// The name of a KMS key, in any of the four forms that `Sign` takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KmsKeyId {
    text: String,
    region: Option<Region>,
}

impl KmsKeyId {
    /// Reads one name.
    ///
    /// # Errors
    /// [`problem::KMS_KEY_ID_INVALID`].
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        let malformed = |why: &str| {
            let shown = if text.len() > 200 {
                format!("{} bytes", text.len())
            } else {
                format!("{:?}", words(text))
            };
            Err(Error::new(
                &problem::KMS_KEY_ID_INVALID,
                format!("{shown} {why}"),
            ))
        };
        let fits = |text: &str, more: &[u8]| {
            (1..=256).contains(&text.len())
                && text
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || more.contains(&b))
        };
        let resource = |text: &str| match text.strip_prefix("alias/") {
            Some(name) => fits(name, b"/_-"),
            None => fits(text, b"-"),
        };
        if !text.starts_with("arn:") {
            if !resource(text) {
                return malformed("is neither a key id, nor alias/NAME, nor an ARN");
            }
            return Ok(Self {
                text: text.to_owned(),
                region: None,
            });
        }
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let [_, partition, service, region, account, name] = parts[..] else {
            return malformed("is no whole ARN");
        };
        if service != "kms" {
            return malformed("is not an ARN of KMS");
        }
        // A region by itself is trimmed; within a name nothing is.
        let parsed = Region::parse(region).ok();
        let Some(region) = parsed.filter(|parsed| parsed.as_str() == region) else {
            return malformed("names no region");
        };
        if region.partition().name != partition {
            return malformed("names a region that is not in its partition");
        }
        if account.len() != 12 || !account.bytes().all(|b| b.is_ascii_digit()) {
            return malformed("names no account of twelve digits");
        }
        let sound = match name.strip_prefix("key/") {
            Some(id) => fits(id, b"-"),
            None => name.starts_with("alias/") && resource(name),
        };
        if !sound {
            return malformed("names neither key/ID nor alias/NAME");
        }
        Ok(Self {
            text: text.to_owned(),
            region: Some(region),
        })
    }

    /// Reads a list of names, in order of preference.
    ///
    /// # Errors
    /// [`problem::KMS_KEY_ID_MISSING`] and [`problem::KMS_KEY_ID_INVALID`].
    pub fn parse_list(text: &str) -> Result<Vec<Self>> {
        if let Some(advice) = misplaced_key(text) {
            let detail = format!("{} bytes", text.len());
            return Err(Error::new(&problem::KMS_KEY_ID_INVALID, detail).advise(advice));
        }
        let keys: Vec<Self> = list::entries(text)
            .into_iter()
            .map(Self::parse)
            .collect::<Result<_>>()?;
        if keys.is_empty() {
            return Err(Error::new(&problem::KMS_KEY_ID_MISSING, ""));
        }
        Ok(keys)
    }

    /// The name, as KMS takes it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The region, where the name is an ARN.
    pub fn region(&self) -> Option<&Region> {
        self.region.as_ref()
    }
}

impl fmt::Display for KmsKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_all_four_forms() {
        for (text, region) in [
            ("1234abcd-12ab-34cd-56ef-1234567890ab", None),
            ("mrk-1234abcd12ab34cd56ef1234567890ab", None),
            ("alias/github-app", None),
            ("alias/team/github_app", None),
            (
                "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
                Some("eu-central-1"),
            ),
            (
                "arn:aws-cn:kms:cn-north-1:123456789012:alias/github-app",
                Some("cn-north-1"),
            ),
        ] {
            let key = KmsKeyId::parse(text).unwrap();
            assert_eq!(
                (key.as_str(), key.region().map(Region::as_str)),
                (text, region)
            );
        }
    }

    #[test]
    fn refuses_the_rest_and_says_why() {
        for (text, why) in [
            ("github app", "is neither"),
            ("alias/", "is neither"),
            ("github-app/x", "is neither"),
            ("arn:aws:kms:eu-central-1", "is no whole ARN"),
            (
                "arn:aws:s3:eu-central-1:123456789012:key/x",
                "is not an ARN of KMS",
            ),
            ("arn:aws:kms::123456789012:key/x", "names no region"),
            (
                "arn:aws:kms:\teu-central-1:123456789012:key/x",
                "names no region",
            ),
            (
                "arn:aws:kms:cn-north-1:123456789012:key/x",
                "not in its partition",
            ),
            (
                "arn:aws:kms:eu-central-1:12345678901:key/x",
                "twelve digits",
            ),
            (
                "arn:aws:kms:eu-central-1:123456789012:role/x",
                "names neither",
            ),
            (
                "arn:aws:kms:eu-central-1:123456789012:key/",
                "names neither",
            ),
        ] {
            let error = KmsKeyId::parse(text).unwrap_err();
            assert!(
                error.is(&problem::KMS_KEY_ID_INVALID) && error.detail.contains(why),
                "{error}"
            );
        }
    }

    #[test]
    fn a_list_keeps_its_order() {
        let keys = KmsKeyId::parse_list("alias/b,\n alias/a").unwrap();
        assert_eq!(
            keys.iter().map(KmsKeyId::as_str).collect::<Vec<_>>(),
            ["alias/b", "alias/a"]
        );
        assert!(
            KmsKeyId::parse_list(" ")
                .unwrap_err()
                .is(&problem::KMS_KEY_ID_MISSING)
        );
    }
}
