//! The policies, as the JSON that AWS takes. Pure.

use serde_json::{Value, json};

/// Who may do what with the key: these roles sign (or, where none is named, whom the account's IAM
/// policies let), with the one algorithm and message type that GitHub's JWTs need; the account
/// administers, and cannot sign by that.
pub fn key(partition: &str, account: &str, sign_roles: &[String]) -> Value {
    let root = format!("arn:{partition}:iam::{account}:root");
    let signers: Value = match sign_roles {
        [] => root.as_str().into(),
        [one] => one.as_str().into(),
        several => several.to_vec().into(),
    };
    json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "AdministrationWithoutSigning",
                "Effect": "Allow",
                "Principal": { "AWS": root },
                "Action": [
                    "kms:CancelKeyDeletion",
                    "kms:CreateAlias",
                    "kms:DeleteAlias",
                    "kms:DeleteImportedKeyMaterial",
                    "kms:DescribeKey",
                    "kms:DisableKey",
                    "kms:EnableKey",
                    "kms:GetKeyPolicy",
                    "kms:GetParametersForImport",
                    "kms:GetPublicKey",
                    "kms:ImportKeyMaterial",
                    "kms:List*",
                    "kms:PutKeyPolicy",
                    "kms:ReplicateKey",
                    "kms:ScheduleKeyDeletion",
                    "kms:TagResource",
                    "kms:UntagResource",
                    "kms:UpdateAlias",
                    "kms:UpdateKeyDescription",
                ],
                "Resource": "*",
            },
            {
                "Sid": "SignJwtsOnly",
                "Effect": "Allow",
                "Principal": { "AWS": signers },
                "Action": "kms:Sign",
                "Resource": "*",
                "Condition": { "StringEquals": {
                    "kms:MessageType": "RAW",
                    "kms:SigningAlgorithm": "RSASSA_PKCS1_V1_5_SHA_256",
                } },
            },
        ],
    })
}

/// What the role may do: sign with these keys.
pub fn role(keys: &[String]) -> Value {
    let resource: Value = match keys {
        [one] => one.as_str().into(),
        several => several.to_vec().into(),
    };
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Sid": "SignJwtsOnly",
            "Effect": "Allow",
            "Action": "kms:Sign",
            "Resource": resource,
            "Condition": { "StringEquals": {
                "kms:MessageType": "RAW",
                "kms:SigningAlgorithm": "RSASSA_PKCS1_V1_5_SHA_256",
            } },
        }],
    })
}

/// Which workflows may assume the role.
pub struct Trust<'a> {
    pub partition: &'a str,
    pub account: &'a str,
    pub provider: &'a str,
    pub audience: &'a str,
    pub repository_ids: &'a [String],
    pub subjects: &'a [String],
    pub workflow_refs: &'a [String],
    pub environments: &'a [String],
}

/// The trust policy. Several values of one condition mean any of them; several conditions mean all.
pub fn trust(trust: &Trust<'_>) -> Value {
    let Trust {
        partition,
        account,
        provider,
        ..
    } = trust;
    let mut exact = serde_json::Map::new();
    let mut like = serde_json::Map::new();
    let any = |values: &[String]| -> Value {
        match values {
            [one] => one.as_str().into(),
            several => several.to_vec().into(),
        }
    };
    exact.insert(format!("{provider}:aud"), trust.audience.into());
    if !trust.subjects.is_empty() {
        like.insert(format!("{provider}:sub"), any(trust.subjects));
    }
    for (claim, values) in [
        ("repository_id", trust.repository_ids),
        ("environment", trust.environments),
        ("job_workflow_ref", trust.workflow_refs),
    ] {
        if values.is_empty() {
            continue;
        }
        let patterns =
            claim == "job_workflow_ref" && values.iter().any(|value| value.contains(['*', '?']));
        let conditions = if patterns { &mut like } else { &mut exact };
        conditions.insert(format!("{provider}:{claim}"), any(values));
    }
    let mut condition = json!({ "StringEquals": exact });
    if !like.is_empty() {
        condition["StringLike"] = like.into();
    }
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": {
                "Federated": format!("arn:{partition}:iam::{account}:oidc-provider/{provider}"),
            },
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": condition,
        }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_administers_and_only_the_roles_sign() {
        let role = "arn:aws:iam::123456789012:role/r".to_owned();
        let policy = key("aws", "123456789012", std::slice::from_ref(&role));
        let [admin, sign] = &policy["Statement"].as_array().unwrap()[..] else {
            panic!()
        };
        assert_eq!(admin["Principal"]["AWS"], "arn:aws:iam::123456789012:root");
        let actions = admin["Action"].as_array().unwrap();
        // What would let the account sign, or hand the right on unseen.
        for action in ["kms:Sign", "kms:*", "kms:CreateGrant"] {
            assert!(!actions.iter().any(|one| one == action));
        }
        assert!(actions.iter().any(|one| one == "kms:PutKeyPolicy"));
        assert_eq!(sign["Principal"]["AWS"], role.as_str());
        assert_eq!(sign["Action"], "kms:Sign");
        let pinned = &sign["Condition"]["StringEquals"];
        assert_eq!(pinned["kms:SigningAlgorithm"], "RSASSA_PKCS1_V1_5_SHA_256");
        assert_eq!(pinned["kms:MessageType"], "RAW");
    }

    #[test]
    fn without_roles_the_account_s_iam_policies_decide() {
        let policy = key("aws-cn", "123456789012", &[]);
        let root = "arn:aws-cn:iam::123456789012:root";
        assert_eq!(policy["Statement"][1]["Principal"]["AWS"], root);
    }

    #[test]
    fn trust_is_by_audience_and_by_every_claim_that_was_named() {
        let one = |text: &str| vec![text.to_owned()];
        let (ids, refs, environments) = (
            vec!["1".to_owned(), "2".to_owned()],
            one("o/r/.github/workflows/a.yml@refs/heads/*"),
            one("production"),
        );
        let wanted = Trust {
            partition: "aws",
            account: "123456789012",
            provider: "p.example",
            audience: "sts.amazonaws.com",
            repository_ids: &ids,
            subjects: &[],
            workflow_refs: &refs,
            environments: &environments,
        };
        let policy = trust(&wanted);
        let condition = &policy["Statement"][0]["Condition"];
        assert_eq!(
            condition["StringEquals"]["p.example:aud"],
            "sts.amazonaws.com"
        );
        assert_eq!(
            condition["StringEquals"]["p.example:repository_id"],
            json!(["1", "2"])
        );
        assert_eq!(
            condition["StringEquals"]["p.example:environment"],
            "production"
        );
        assert_eq!(
            condition["StringLike"]["p.example:job_workflow_ref"],
            refs[0].as_str()
        );
        let exact = one("o/r/.github/workflows/a.yml@refs/heads/main");
        let policy = trust(&Trust {
            workflow_refs: &exact,
            ..wanted
        });
        let condition = &policy["Statement"][0]["Condition"];
        assert_eq!(
            condition["StringEquals"]["p.example:job_workflow_ref"],
            exact[0].as_str()
        );
        assert!(condition.get("StringLike").is_none());
    }
}
