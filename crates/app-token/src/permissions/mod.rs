//! What a token may do: names and levels, as GitHub's OpenAPI description lists them. Pure.
//!
//! `table.rs` is generated from that description by `cargo xtask codegen`. GitHub adds names a few times a
//! year, so a name that the table does not know is passed on, with a warning.

mod table;

pub use table::PERMISSIONS;

use crate::error::{Error, Result, problem, words};
use std::fmt;

/// How much of a permission. Each level includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Look.
    Read,
    /// Look and change.
    Write,
    /// Look, change and manage.
    Admin,
}

impl Level {
    /// GitHub's word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }

    /// Reads GitHub's word, trimmed and in any case.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        [Self::Read, Self::Write, Self::Admin]
            .into_iter()
            .find(|level| text.eq_ignore_ascii_case(level.as_str()))
    }
}

/// A permission that GitHub's description knows.
#[derive(Debug)]
pub struct Permission {
    /// The name, with underscores.
    pub name: &'static str,
    /// The levels it has.
    pub levels: &'static [Level],
    /// What it is for, in GitHub's words.
    pub description: &'static str,
}

impl Permission {
    /// The permission of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        PERMISSIONS
            .iter()
            .find(|permission| permission.name == name)
    }
}

/// The permissions that are asked for: at least one, each once, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permissions(Vec<(String, Level)>);

impl Permissions {
    /// Reads pairs of name and level. Names are taken with hyphens or underscores, in any case; pairs
    /// with an empty level are left out, as an input that was not set. Returns warnings beside.
    ///
    /// # Errors
    /// [`problem::PERMISSION_NAME_INVALID`], [`problem::PERMISSION_LEVEL_INVALID`],
    /// [`problem::PERMISSION_GIVEN_TWICE`] and, where nothing is left, [`problem::PERMISSIONS_MISSING`].
    pub fn parse<'a>(
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<(Self, Vec<String>)> {
        let mut permissions: Vec<(String, Level)> = Vec::new();
        let mut warnings = Vec::new();
        for (name, level) in pairs {
            if level.trim().is_empty() {
                continue;
            }
            let name = name.trim().to_ascii_lowercase().replace('-', "_");
            let sound = name.len() <= 100
                && name
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
                && name.starts_with(|c: char| c.is_ascii_lowercase());
            if !sound {
                return Err(Error::new(
                    &problem::PERMISSION_NAME_INVALID,
                    format!("{:?}", words(&name)),
                ));
            }
            let known = Permission::named(&name);
            let levels = known.map_or(&[Level::Read, Level::Write, Level::Admin][..], |known| {
                known.levels
            });
            let level = Level::parse(level)
                .filter(|level| levels.contains(level))
                .ok_or_else(|| {
                    let names: Vec<_> = levels.iter().map(|level| level.as_str()).collect();
                    Error::new(
                        &problem::PERMISSION_LEVEL_INVALID,
                        format!(
                            "{name} has no level {:?}, but {}",
                            words(level),
                            names.join(", ")
                        ),
                    )
                })?;
            if known.is_none() {
                let guess = nearest(&name)
                    .map(|guess| format!(" Did you mean {guess}?"))
                    .unwrap_or_default();
                warnings.push(format!(
                    "The permission {name} is not in the list that this version knows; GitHub will be asked for it all the same.{guess}"
                ));
            }
            match permissions.binary_search_by(|(known, _)| known.as_str().cmp(&name)) {
                Ok(at) if permissions[at].1 != level => {
                    let (one, other) = (permissions[at].1.as_str(), level.as_str());
                    return Err(Error::new(
                        &problem::PERMISSION_GIVEN_TWICE,
                        format!("{name} as {one} and as {other}"),
                    ));
                }
                Ok(_) => {}
                Err(at) => permissions.insert(at, (name, level)),
            }
        }
        if permissions.is_empty() {
            return Err(Error::new(&problem::PERMISSIONS_MISSING, ""));
        }
        Ok((Self(permissions), warnings))
    }

    /// Names and levels, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Level)> {
        self.0.iter().map(|(name, level)| (name.as_str(), *level))
    }

    /// As GitHub takes them: `{"contents":"read"}`.
    pub fn to_json(&self) -> serde_json::Value {
        self.iter()
            .map(|(name, level)| (name.to_owned(), level.as_str().into()))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }

    /// What `granted` lacks of them, each with what is granted instead: `contents: write (granted: read)`.
    pub fn lacking(&self, granted: &serde_json::Map<String, serde_json::Value>) -> Vec<String> {
        let lacks = |(name, level): (&str, Level)| {
            let have = granted.get(name).and_then(|level| level.as_str());
            let enough = have
                .and_then(Level::parse)
                .is_some_and(|have| have >= level);
            (!enough).then(|| {
                format!(
                    "{name}: {} (granted: {})",
                    level.as_str(),
                    have.unwrap_or("nothing")
                )
            })
        };
        self.iter().filter_map(lacks).collect()
    }
}

/// What the log says of them: `contents: read, issues: write`.
impl fmt::Display for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, level)) in self.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(f, "{comma}{name}: {}", level.as_str())?;
        }
        Ok(())
    }
}

/// The known name that `name` may have been meant for: one that differs in at most a third of it.
pub fn nearest(name: &str) -> Option<&'static str> {
    PERMISSIONS
        .iter()
        .map(|known| (distance(name, known.name), known.name))
        .filter(|(distance, known)| *distance <= known.len() / 3)
        .min()
        .map(|(_, known)| known)
}

/// How many letters have to be changed, added or taken away (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let substituted = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_levels_are_folded() {
        let (permissions, warnings) = Permissions::parse([
            ("Pull-Requests", " WRITE "),
            ("contents", "read"),
            ("issues", " "),
        ])
        .unwrap();
        assert_eq!(
            permissions.to_string(),
            "contents: read, pull_requests: write"
        );
        assert_eq!(
            permissions.to_json().to_string(),
            r#"{"contents":"read","pull_requests":"write"}"#
        );
        assert!(warnings.is_empty());
    }

    #[test]
    fn a_level_that_a_known_permission_lacks_is_refused() {
        for (name, level) in [
            ("workflows", "read"),
            ("organization_plan", "write"),
            ("contents", "admin"),
            ("contents", "r"),
        ] {
            let error = Permissions::parse([(name, level)]).unwrap_err();
            assert!(error.is(&problem::PERMISSION_LEVEL_INVALID), "{error}");
        }
        assert_eq!(
            Permissions::parse([("workflows", "read")])
                .unwrap_err()
                .detail,
            r#"workflows has no level "read", but write"#
        );
        assert!(Permissions::parse([("organization_projects", "admin")]).is_ok());
        let twice = |one, other| {
            Permissions::parse([("pull-requests", one), ("pull_requests", other)])
                .map(|(permissions, _)| permissions.to_string())
                .map_err(|error| error.detail)
        };
        assert_eq!(twice("read", "READ").unwrap(), "pull_requests: read");
        assert_eq!(
            twice("read", "write").unwrap_err(),
            "pull_requests as read and as write"
        );
    }

    #[test]
    fn an_unknown_name_goes_through_with_a_guess() {
        let (permissions, warnings) =
            Permissions::parse([("pull-request", "read"), ("telepathy", "write")]).unwrap();
        assert_eq!(
            permissions.to_string(),
            "pull_request: read, telepathy: write"
        );
        assert!(
            warnings[0].ends_with("Did you mean pull_requests?"),
            "{warnings:?}"
        );
        assert!(!warnings[1].contains("Did you mean"));
    }

    #[test]
    fn nothing_is_not_enough_and_nonsense_is_refused() {
        assert!(
            Permissions::parse([])
                .unwrap_err()
                .is(&problem::PERMISSIONS_MISSING)
        );
        assert!(
            Permissions::parse([("contents", "")])
                .unwrap_err()
                .is(&problem::PERMISSIONS_MISSING)
        );
        for name in ["", "a b", "1a", "a\"", "é", &"a".repeat(101)] {
            assert!(
                Permissions::parse([(name, "read")])
                    .unwrap_err()
                    .is(&problem::PERMISSION_NAME_INVALID)
            );
        }
    }

    #[test]
    fn what_lacks_is_named_with_what_is_granted() {
        let (permissions, _) = Permissions::parse([
            ("contents", "write"),
            ("issues", "read"),
            ("metadata", "read"),
        ])
        .unwrap();
        let granted = [("contents", "read"), ("metadata", "write")]
            .map(|(n, l)| (n.to_owned(), l.to_owned()));
        assert_eq!(
            permissions.lacking(
                &granted
                    .into_iter()
                    .map(|(name, level)| (name, level.into()))
                    .collect()
            ),
            [
                "contents: write (granted: read)",
                "issues: read (granted: nothing)"
            ]
        );
    }

    #[test]
    fn the_table_is_whole() {
        assert_eq!(PERMISSIONS.len(), 55);
        assert_eq!(
            Permission::named("workflows").unwrap().levels,
            [Level::Write]
        );
    }
}
