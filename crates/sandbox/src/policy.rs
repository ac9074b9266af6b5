//! A small judge of IAM policy documents: identity, key and trust policies, explicit denials,
//! wildcards and the conditions that such policies use here.
//!
//! [Evaluation logic](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html)
//! as AWS documents it, within one account.

use std::collections::BTreeMap;

use serde_json::Value;

/// What is asked for.
pub(crate) struct Ask<'a> {
    /// As `kms:Sign`.
    pub(crate) action: &'a str,
    /// The resource's ARN; `*` where the action has none.
    pub(crate) resource: &'a str,
    /// Names by which the asker may stand in a `Principal`: ARNs of role and session, or an
    /// OIDC provider's.
    pub(crate) principals: Vec<String>,
    /// Is the asker an AWS principal of the account, so that the account's root stands for it?
    pub(crate) in_account: bool,
    /// Condition keys with their values.
    pub(crate) context: BTreeMap<String, Vec<String>>,
}

/// What one document says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// An explicit denial.
    Deny,
    /// A permission to the asker by name.
    Allow,
    /// A permission to the account: its identity policies decide.
    Delegate,
    /// Nothing that fits.
    Silent,
}

/// Judges a document that has `Principal` elements (key policies, trust policies).
pub(crate) fn resource_policy(policy: &Value, ask: &Ask) -> Word {
    judge(policy, ask, |statement| principal_word(statement, ask))
}

/// Judges an identity policy.
pub(crate) fn identity_policy(policy: &Value, ask: &Ask) -> Word {
    judge(policy, ask, |_| Word::Allow)
}

fn judge(policy: &Value, ask: &Ask, principal: impl Fn(&Value) -> Word) -> Word {
    let mut word = Word::Silent;
    for statement in list(&policy["Statement"]) {
        let who = principal(statement);
        if who == Word::Silent
            || !covers(statement, "Action", |pattern| {
                like_ignoring_case(pattern, ask.action)
            })
        {
            continue;
        }
        // A trust policy has no resource; a key policy's "*" is the key.
        if statement.get("Resource").is_some()
            && !covers(statement, "Resource", |pattern| like(pattern, ask.resource))
        {
            continue;
        }
        let denies = statement["Effect"] == "Deny";
        match conditions(&statement["Condition"], &ask.context) {
            Some(true) => {}
            Some(false) => continue,
            // A condition that this judge does not know may not widen anything.
            None if denies => {}
            None => continue,
        }
        if denies {
            return Word::Deny;
        }
        if statement["Effect"] == "Allow" && word != Word::Allow {
            word = who;
        }
    }
    word
}

fn principal_word(statement: &Value, ask: &Ask) -> Word {
    let principal = &statement["Principal"];
    if principal == "*" {
        return Word::Allow;
    }
    let mut word = Word::Silent;
    for kind in ["AWS", "Federated"] {
        for name in list(&principal[kind]).into_iter().filter_map(Value::as_str) {
            if name == "*" || ask.principals.iter().any(|known| known == name) {
                return Word::Allow;
            }
            let root = format!("arn:aws:iam::{}:root", crate::world::ACCOUNT_ID);
            if ask.in_account && (name == root || name == crate::world::ACCOUNT_ID) {
                word = Word::Delegate;
            }
        }
    }
    word
}

fn covers(statement: &Value, element: &str, fits: impl Fn(&str) -> bool) -> bool {
    let any = |value: &Value| list(value).into_iter().filter_map(Value::as_str).any(&fits);
    match (
        statement.get(element),
        statement.get(format!("Not{element}")),
    ) {
        (Some(listed), _) => any(listed),
        (None, Some(listed)) => !any(listed),
        (None, None) => false,
    }
}

/// Do all conditions hold? `None` where one is of a kind that is not known here.
fn conditions(block: &Value, context: &BTreeMap<String, Vec<String>>) -> Option<bool> {
    let Value::Object(operators) = block else {
        return Some(true);
    };
    let mut all = true;
    for (operator, keys) in operators {
        for (key, wanted) in keys.as_object()? {
            let found = context
                .iter()
                .find(|(known, _)| known.eq_ignore_ascii_case(key))
                .map(|(_, values)| values.as_slice());
            all &= condition(operator, wanted, found)?;
        }
    }
    Some(all)
}

fn condition(operator: &str, wanted: &Value, found: Option<&[String]>) -> Option<bool> {
    if operator == "Null" {
        let absent = list(wanted)
            .first()
            .is_some_and(|value| **value == true || **value == "true");
        return Some(absent == found.is_none());
    }
    let (quantifier, operator) = match operator.split_once(':') {
        Some((quantifier, rest)) => (Some(quantifier), rest),
        None => (None, operator),
    };
    let (operator, if_exists) = match operator.strip_suffix("IfExists") {
        Some(rest) => (rest, true),
        None => (operator, false),
    };
    let (operator, negated) = match operator {
        "StringNotEquals" => ("StringEquals", true),
        "StringNotLike" => ("StringLike", true),
        "ArnNotLike" | "ArnNotEquals" => ("StringLike", true),
        "ArnLike" | "ArnEquals" => ("StringLike", false),
        other => (other, false),
    };
    let fits = |value: &String| {
        list(wanted).into_iter().any(|pattern| {
            let pattern = match pattern {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            match operator {
                "StringLike" => like(&pattern, value),
                "StringEqualsIgnoreCase" | "Bool" => pattern.eq_ignore_ascii_case(value),
                _ => pattern == *value,
            }
        })
    };
    if ![
        "StringEquals",
        "StringLike",
        "StringEqualsIgnoreCase",
        "Bool",
    ]
    .contains(&operator)
    {
        return None;
    }
    let Some(values) = found else {
        return Some(if_exists || negated || quantifier == Some("ForAllValues"));
    };
    Some(match quantifier {
        Some("ForAllValues") => values.iter().all(|value| fits(value) != negated),
        Some("ForAnyValue") | None => values.iter().any(|value| fits(value) != negated),
        Some(_) => return None,
    })
}

fn list(value: &Value) -> Vec<&Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(items) => items.iter().collect(),
        one => vec![one],
    }
}

fn like_ignoring_case(pattern: &str, text: &str) -> bool {
    like(&pattern.to_ascii_lowercase(), &text.to_ascii_lowercase())
}

/// `*` stands for any characters, `?` for one.
fn like(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut from) = (0, 0);
    let mut star = None;
    while from < text.len() {
        if at < pattern.len() && pattern[at] == b'*' {
            star = Some((at, from));
            at += 1;
        } else if at < pattern.len() && (pattern[at] == b'?' || pattern[at] == text[from]) {
            at += 1;
            from += 1;
        } else if let Some((star_at, star_from)) = star {
            star = Some((star_at, star_from + 1));
            at = star_at + 1;
            from = star_from + 1;
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::world;

    fn ask<'a>(action: &'a str, principal: &str, context: &[(&str, &str)]) -> Ask<'a> {
        Ask {
            action,
            resource: "arn:aws:kms:us-east-1:123456789012:key/k",
            principals: vec![principal.into()],
            in_account: true,
            context: context
                .iter()
                .map(|(key, value)| ((*key).into(), vec![(*value).into()]))
                .collect(),
        }
    }

    const ROLE: &str = "arn:aws:iam::123456789012:role/app-token-signer";
    const PINNED: [(&str, &str); 2] = [
        ("kms:SigningAlgorithm", "RSASSA_PKCS1_V1_5_SHA_256"),
        ("kms:MessageType", "RAW"),
    ];

    #[test]
    fn the_key_policy_lets_the_role_sign_as_pinned_and_no_more() {
        let policy = world::signing_key_policy();
        assert_eq!(
            resource_policy(&policy, &ask("kms:Sign", ROLE, &PINNED)),
            Word::Allow
        );
        let digest = [PINNED[0], ("kms:MessageType", "DIGEST")];
        assert_eq!(
            resource_policy(&policy, &ask("kms:Sign", ROLE, &digest)),
            Word::Delegate
        );
        assert_eq!(
            resource_policy(&policy, &ask("kms:GetPublicKey", ROLE, &[])),
            Word::Delegate
        );
        assert_eq!(
            resource_policy(&policy, &ask("kms:Sign", "arn:other", &PINNED)),
            Word::Delegate
        );
    }

    #[test]
    fn a_denial_wins_over_any_permission() {
        let policy = json!({"Statement": [
            {"Effect": "Allow", "Action": "*", "Resource": "*"},
            {"Effect": "Deny", "Action": ["kms:Si*"], "Resource": "arn:aws:kms:*"},
        ]});
        assert_eq!(
            identity_policy(&policy, &ask("kms:Sign", ROLE, &[])),
            Word::Deny
        );
        assert_eq!(
            identity_policy(&policy, &ask("kms:DescribeKey", ROLE, &[])),
            Word::Allow
        );
    }

    #[test]
    fn conditions_hold_or_not() {
        let context = BTreeMap::from([("k:Sub".to_owned(), vec!["repo:o/r:ref".to_owned()])]);
        let cases = [
            (json!({"StringLike": {"k:sub": "repo:o/*"}}), Some(true)),
            (
                json!({"StringEquals": {"k:sub": ["x", "repo:o/r:ref"]}}),
                Some(true),
            ),
            (json!({"StringEquals": {"k:sub": "repo:o/*"}}), Some(false)),
            (json!({"StringEquals": {"k:aud": "x"}}), Some(false)),
            (json!({"StringEqualsIfExists": {"k:aud": "x"}}), Some(true)),
            (json!({"StringNotLike": {"k:sub": "repo:o/*"}}), Some(false)),
            (json!({"Null": {"k:aud": "true"}}), Some(true)),
            (
                json!({"ForAllValues:StringEquals": {"k:aud": "x"}}),
                Some(true),
            ),
            (json!({"DateGreaterThan": {"k:sub": "2020-01-01"}}), None),
        ];
        for (block, expected) in cases {
            assert_eq!(conditions(&block, &context), expected, "{block}");
        }
    }

    #[test]
    fn patterns_match_as_in_iam() {
        for (pattern, text, fits) in [
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c*", "abcd", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("a*b", "acccx", false),
            ("*b*b", "abab", true),
        ] {
            assert_eq!(like(pattern, text), fits, "{pattern} {text}");
        }
    }
}
