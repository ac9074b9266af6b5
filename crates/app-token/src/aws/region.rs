//! Regions, and the partitions that they belong to.

use crate::error::{Error, Result, problem, words};
use crate::host::Env;
use std::fmt;

/// A region's code, such as `eu-central-1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region(String);

/// A separate AWS, with its own accounts, credentials and host names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition {
    /// As ARNs name it.
    pub name: &'static str,
    /// The end of its host names.
    pub suffix: &'static str,
    /// The end of its host names that answer over IPv6 as well.
    pub dual_stack_suffix: &'static str,
}

/// The partitions by the start of their regions' codes (the SDKs' `partitions.json`); the last takes
/// all others.
const PARTITIONS: [(&str, Partition); 7] = [
    (
        "cn-",
        Partition {
            name: "aws-cn",
            suffix: "amazonaws.com.cn",
            dual_stack_suffix: "api.amazonwebservices.com.cn",
        },
    ),
    (
        "us-gov-",
        Partition {
            name: "aws-us-gov",
            suffix: "amazonaws.com",
            dual_stack_suffix: "api.aws",
        },
    ),
    (
        "us-isob-",
        Partition {
            name: "aws-iso-b",
            suffix: "sc2s.sgov.gov",
            dual_stack_suffix: "api.aws.scloud",
        },
    ),
    (
        "us-isof-",
        Partition {
            name: "aws-iso-f",
            suffix: "csp.hci.ic.gov",
            dual_stack_suffix: "api.aws.hci.ic.gov",
        },
    ),
    (
        "us-iso-",
        Partition {
            name: "aws-iso",
            suffix: "c2s.ic.gov",
            dual_stack_suffix: "api.aws.ic.gov",
        },
    ),
    (
        "eusc-",
        Partition {
            name: "aws-eusc",
            suffix: "amazonaws.eu",
            dual_stack_suffix: "api.amazonwebservices.eu",
        },
    ),
    (
        "",
        Partition {
            name: "aws",
            suffix: "amazonaws.com",
            dual_stack_suffix: "api.aws",
        },
    ),
];

impl Region {
    /// Reads a region's code: lower-case words and a number, joined by hyphens.
    ///
    /// # Errors
    /// [`problem::REGION_INVALID`].
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        let sound = (1..=32).contains(&text.len())
            && text.split('-').count() >= 2
            && text.split('-').all(|part| !part.is_empty())
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if sound {
            return Ok(Self(text.to_owned()));
        }
        Err(Error::new(
            &problem::REGION_INVALID,
            format!("{:?}", words(text)),
        ))
    }

    /// The region that the user named: `input`, else `AWS_REGION`, else `AWS_DEFAULT_REGION`.
    ///
    /// # Errors
    /// [`problem::REGION_INVALID`], saying where it stood.
    pub fn configured(input: &str, env: &dyn Env) -> Result<Option<Self>> {
        if !input.trim().is_empty() {
            return Self::parse(input)
                .map_err(|error| error.at("aws-region"))
                .map(Some);
        }
        for name in ["AWS_REGION", "AWS_DEFAULT_REGION"] {
            if let Some(text) = env.var(name) {
                return Self::parse(&text).map_err(|error| error.at(name)).map(Some);
            }
        }
        Ok(None)
    }

    /// The code.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The partition it belongs to.
    pub fn partition(&self) -> Partition {
        let found = PARTITIONS
            .iter()
            .find(|(start, _)| self.0.starts_with(start));
        found.map_or(PARTITIONS[PARTITIONS.len() - 1].1, |(_, partition)| {
            *partition
        })
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::env;
    use std::collections::BTreeMap;

    #[test]
    fn the_input_wins_then_the_variables_in_order() {
        let both = env(&[
            ("AWS_REGION", "eu-west-1"),
            ("AWS_DEFAULT_REGION", "eu-west-2"),
        ]);
        let of = |input: &str, env: &BTreeMap<String, String>| {
            Region::configured(input, env)
                .unwrap()
                .map(|region| region.to_string())
        };
        assert_eq!(of("us-east-1", &both).as_deref(), Some("us-east-1"));
        assert_eq!(of("", &both).as_deref(), Some("eu-west-1"));
        assert_eq!(
            of(
                " ",
                &env(&[("AWS_REGION", ""), ("AWS_DEFAULT_REGION", "eu-west-2")])
            )
            .as_deref(),
            Some("eu-west-2")
        );
        assert_eq!(of("", &env(&[])), None);
        assert_eq!(
            Region::configured("", &env(&[("AWS_REGION", "x/y")]))
                .unwrap_err()
                .place,
            "AWS_REGION"
        );
    }

    #[test]
    fn what_would_change_a_host_name_is_refused() {
        for text in [
            "",
            "eu",
            "eu-central-1.evil.example",
            "eu_central_1",
            "EU-CENTRAL-1",
            "-a",
            "a-",
            "a b-1",
            "a/b-1",
        ] {
            assert!(
                Region::parse(text)
                    .unwrap_err()
                    .is(&problem::REGION_INVALID),
                "{text}"
            );
        }
    }

    #[test]
    fn partitions_are_told_by_the_start() {
        for (region, partition) in [
            ("eu-central-1", "aws"),
            ("cn-north-1", "aws-cn"),
            ("us-gov-west-1", "aws-us-gov"),
            ("us-iso-east-1", "aws-iso"),
            ("us-isob-east-1", "aws-iso-b"),
            ("eusc-de-east-1", "aws-eusc"),
        ] {
            assert_eq!(Region::parse(region).unwrap().partition().name, partition);
        }
    }
}
