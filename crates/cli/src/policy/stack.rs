//! The whole stack: the templates of infra/ with what is known filled in as defaults.
//!
//! A template marks each place with a comment, `# default: NAME`; the templates are sound as they stand
//! there, and ask for the values.

use std::fmt::Write;

const CLOUDFORMATION: &str = include_str!("../../../../infra/cloudformation.yaml");
const TERRAFORM: &str = include_str!("../../../../infra/terraform/main.tf");

/// The provider that the templates name.
const PROVIDER: &str = "token.actions.githubusercontent.com";

/// What is known.
pub struct Values<'a> {
    pub provider: &'a str,
    pub audience: &'a str,
    pub repository_ids: &'a [String],
    pub subjects: &'a [String],
    pub workflow_refs: &'a [String],
    pub environments: &'a [String],
}

impl Values<'_> {
    /// Name, values, whether nothing given means an empty list (and not a question), in templates' order.
    fn lists(&self) -> [(&'static str, &[String], bool); 4] {
        [
            ("repository-ids", self.repository_ids, false),
            ("subjects", self.subjects, false),
            ("workflow-refs", self.workflow_refs, false),
            ("environments", self.environments, true),
        ]
    }
}

/// As a CloudFormation template.
pub fn cloudformation(values: &Values<'_>) -> String {
    let list = |values: &[String]| quoted(&values.join(","));
    fill(CLOUDFORMATION, values, "    Default: ", list)
}

/// As a Terraform module.
pub fn terraform(values: &Values<'_>) -> String {
    let list = |values: &[String]| {
        let all: Vec<String> = values.iter().map(|value| quoted(value)).collect();
        format!("[{}]", all.join(", "))
    };
    fill(TERRAFORM, values, "  default     = ", list)
}

/// YAML and HCL read JSON's strings; HCL's templates start with these two, doubled to mean themselves.
fn quoted(text: &str) -> String {
    let text = serde_json::Value::from(text).to_string();
    text.replace("${", "$${").replace("%{", "%%{")
}

fn fill(
    template: &str,
    values: &Values<'_>,
    start: &str,
    list: impl Fn(&[String]) -> String,
) -> String {
    let mut filled = String::with_capacity(template.len());
    for line in template.lines() {
        let Some(name) = line.trim().strip_prefix("# default: ") else {
            let _ = writeln!(filled, "{}", line.replace(PROVIDER, values.provider));
            continue;
        };
        if name == "audience" {
            let _ = writeln!(filled, "{start}{}", quoted(values.audience));
        }
        for (_, known, optional) in values.lists().iter().filter(|(of, _, _)| *of == name) {
            if !known.is_empty() || *optional {
                let _ = writeln!(filled, "{start}{}", list(known));
            }
        }
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::documents;

    fn values<'a>(one: &'a [String], none: &'a [String]) -> Values<'a> {
        Values {
            provider: "ghes.example/_services/token",
            audience: "aud",
            repository_ids: one,
            subjects: one,
            workflow_refs: none,
            environments: none,
        }
    }

    #[test]
    fn what_is_known_is_filled_in_and_the_rest_is_asked() {
        let one = ["1".to_owned(), "${x}".to_owned()];
        let filled = cloudformation(&values(&one, &[]));
        assert_eq!(filled.matches("Default: \"1,$${x}\"").count(), 2);
        assert!(
            filled.contains("    Default: \"\"\n") && filled.contains("    Default: \"aud\"\n")
        );
        let filled = terraform(&values(&one, &[]));
        assert_eq!(
            filled.matches("default     = [\"1\", \"$${x}\"]").count(),
            2
        );
        assert!(filled.contains("default     = []") && !filled.contains("# default"));
        assert!(filled.contains("ghes.example/_services/token") && !filled.contains(PROVIDER));
    }

    #[test]
    fn every_mark_is_known() {
        for template in [CLOUDFORMATION, TERRAFORM] {
            let marks = template
                .lines()
                .filter_map(|line| line.trim().strip_prefix("# default: "));
            let marks: Vec<_> = marks.collect();
            assert_eq!(
                marks,
                [
                    "repository-ids",
                    "subjects",
                    "workflow-refs",
                    "environments",
                    "audience"
                ]
            );
        }
    }

    #[test]
    fn the_templates_have_the_key_policy_that_import_sets() {
        let policy = documents::key("aws", "123456789012", &[]);
        let mut expected: Vec<_> = policy["Statement"][0]["Action"]
            .as_array()
            .unwrap()
            .iter()
            .map(|action| action.as_str().unwrap().to_owned())
            .collect();
        expected.push("kms:Sign".to_owned());
        for template in [CLOUDFORMATION, TERRAFORM] {
            let words = template.split(|c: char| !(c.is_ascii_alphanumeric() || ":*".contains(c)));
            let actions = words.filter(|word| {
                word.starts_with("kms:")
                    && !["kms:SigningAlgorithm", "kms:MessageType"]
                        .contains(&word.trim_end_matches(':'))
            });
            let actions: Vec<_> = actions.map(str::to_owned).collect();
            assert_eq!(actions, expected);
        }
    }
}
