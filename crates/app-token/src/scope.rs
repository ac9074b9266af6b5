//! Who is asked for a token and for what: owner, repositories, repository ids, enterprise and
//! installation id become one [`Target`]. Pure.

use crate::error::{Error, Problem, Result, problem, words};
use crate::list;
use std::fmt;

/// At most so many repositories can one token be narrowed to (GitHub's documentation of
/// "Create an installation access token for an app").
pub const MOST_REPOSITORIES: usize = 500;

/// The login of a user or an organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner(String);

/// The name of a repository, without its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryName(String);

/// The slug of an enterprise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnterpriseSlug(String);

/// The number of an installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InstallationId(u64);

/// Letters, digits, hyphens and underscores (managed users have one before their short code), as GitHub
/// has them; never empty, never more than 100, never starting with a hyphen.
fn is_login(text: &str) -> bool {
    (1..=100).contains(&text.len())
        && !text.starts_with('-')
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

fn is_repository(text: &str) -> bool {
    (1..=100).contains(&text.len())
        && !matches!(text, "." | "..")
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

impl Owner {
    /// Reads a login.
    ///
    /// # Errors
    /// [`problem::OWNER_INVALID`].
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        if is_login(text) {
            return Ok(Self(text.to_owned()));
        }
        Err(Error::new(
            &problem::OWNER_INVALID,
            format!("{:?}", words(text)),
        ))
    }

    /// The login.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether both are the same account.
    pub fn is(&self, login: &str) -> bool {
        self.0.eq_ignore_ascii_case(login)
    }
}

impl RepositoryName {
    /// Reads a name, without its owner.
    ///
    /// # Errors
    /// [`problem::REPOSITORY_INVALID`].
    pub fn parse(text: &str) -> Result<Self> {
        if is_repository(text) {
            return Ok(Self(text.to_owned()));
        }
        Err(Error::new(
            &problem::REPOSITORY_INVALID,
            format!("{:?}", words(text)),
        ))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl EnterpriseSlug {
    /// Reads a slug.
    ///
    /// # Errors
    /// [`problem::ENTERPRISE_INVALID`].
    pub fn parse(text: &str) -> Result<Self> {
        if is_login(text.trim()) {
            return Ok(Self(text.trim().to_owned()));
        }
        Err(Error::new(
            &problem::ENTERPRISE_INVALID,
            format!("{:?}", words(text)),
        ))
    }

    /// The slug.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl InstallationId {
    /// Reads a number above zero.
    ///
    /// # Errors
    /// [`problem::INSTALLATION_ID_INVALID`].
    pub fn parse(text: &str) -> Result<Self> {
        number(text).map(Self).ok_or_else(|| {
            Error::new(
                &problem::INSTALLATION_ID_INVALID,
                format!("{:?}", words(text)),
            )
        })
    }

    /// From GitHub's own answer.
    pub const fn from_number(number: u64) -> Self {
        Self(number)
    }
}

impl fmt::Display for InstallationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A positive number, written in digits alone.
fn number(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|number| digits && *number > 0)
}

/// Whose installation is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Account {
    /// That of a user or an organisation.
    Owner(Owner),
    /// That of an enterprise.
    Enterprise(EnterpriseSlug),
    /// The one with this number.
    Installation {
        /// The number.
        id: InstallationId,
        /// The owner that the user named beside it, to be held against the answer.
        owner: Option<Owner>,
    },
}

/// What of the installation the token shall reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repositories {
    /// Everything that the installation reaches.
    All,
    /// These, by name.
    Names(Vec<RepositoryName>),
    /// These, by number.
    Ids(Vec<u64>),
}

/// Who is asked, and for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Whose installation.
    pub account: Account,
    /// What of it.
    pub repositories: Repositories,
}

/// What the user wrote, and where the job runs. Empty texts count as not given.
#[derive(Clone, Debug, Default)]
pub struct Wanted<'a> {
    /// `owner`.
    pub owner: &'a str,
    /// `repositories`.
    pub repositories: &'a str,
    /// `repository-ids`.
    pub repository_ids: &'a str,
    /// `enterprise`.
    pub enterprise: &'a str,
    /// `installation-id`.
    pub installation_id: &'a str,
    /// The repository that the job runs for, as `owner/name` (`GITHUB_REPOSITORY`).
    pub current: &'a str,
}

impl Target {
    /// Makes the target of what the user wrote, with a warning where it reaches further than most mean.
    ///
    /// # Errors
    /// The `*-invalid` problem of whichever part is malformed; [`problem::SCOPE_CONFLICT`],
    /// [`problem::REPOSITORY_OWNER_MISMATCH`], [`problem::TOO_MANY_REPOSITORIES`] and
    /// [`problem::CURRENT_REPOSITORY_UNKNOWN`].
    pub fn from_wanted(wanted: &Wanted<'_>) -> Result<(Self, Option<String>)> {
        if given(wanted.enterprise) {
            return enterprise(wanted).map(|target| (target, None));
        }
        if given(wanted.repositories) && given(wanted.repository_ids) {
            return Err(conflict("repositories", "repository-ids"));
        }

        let owner = given(wanted.owner)
            .then(|| Owner::parse(wanted.owner))
            .transpose()?;
        let id = given(wanted.installation_id)
            .then(|| InstallationId::parse(wanted.installation_id))
            .transpose()?;
        let ids = match given(wanted.repository_ids) {
            true => ids(wanted.repository_ids)?,
            false => Vec::new(),
        };
        let narrowed = given(wanted.repositories) || !ids.is_empty();

        // Only what no input names falls back on the current repository.
        let current = if owner.is_none() && id.is_none() {
            Some(current(wanted, narrowed)?)
        } else {
            None
        };
        let expected = owner.as_ref().or(current.as_ref().map(|(owner, _)| owner));
        let names = match given(wanted.repositories) {
            true => names(wanted.repositories, expected)?,
            false => Vec::new(),
        };

        let repositories = match (names, ids, &current) {
            (names, _, _) if !names.is_empty() => Repositories::Names(names),
            (_, ids, _) if !ids.is_empty() => Repositories::Ids(ids),
            (_, _, Some((_, name))) => Repositories::Names(vec![name.clone()]),
            _ => Repositories::All,
        };
        let all = repositories == Repositories::All;
        let warning = all.then(|| too_wide(id, owner.as_ref()));
        let account = match (id, owner, current) {
            (Some(id), owner, _) => Account::Installation { id, owner },
            (None, Some(owner), _) | (None, None, Some((owner, _))) => Account::Owner(owner),
            (None, None, None) => return Err(unknown("")),
        };
        Ok((
            Self {
                account,
                repositories,
            },
            warning,
        ))
    }
}

fn given(text: &str) -> bool {
    !text.trim().is_empty()
}

#[inline(never)]
fn conflict(one: &str, other: &str) -> Error {
    let detail = format!("{one} and {other} are both set");
    Error::new(&problem::SCOPE_CONFLICT, detail)
}

/// An enterprise's installation, which nothing narrows.
#[inline(never)]
fn enterprise(wanted: &Wanted<'_>) -> Result<Target> {
    for (name, text) in [
        ("owner", wanted.owner),
        ("repositories", wanted.repositories),
        ("repository-ids", wanted.repository_ids),
        ("installation-id", wanted.installation_id),
    ] {
        if given(text) {
            return Err(conflict("enterprise", name));
        }
    }
    Ok(Target {
        account: Account::Enterprise(EnterpriseSlug::parse(wanted.enterprise)?),
        repositories: Repositories::All,
    })
}

#[inline(never)]
fn too_wide(id: Option<InstallationId>, owner: Option<&Owner>) -> String {
    let whose = match id {
        Some(id) => format!("installation {id}"),
        None => owner.map_or("", Owner::as_str).to_owned(),
    };
    format!(
        "The token will reach every repository that the App may reach in {whose}. \
         List repositories to narrow it."
    )
}

#[inline(never)]
fn unknown(what: &str) -> Error {
    let detail = if what.is_empty() {
        String::new()
    } else {
        format!("{:?}", words(what))
    };
    Error::new(&problem::CURRENT_REPOSITORY_UNKNOWN, detail).at("GITHUB_REPOSITORY")
}

fn current(wanted: &Wanted<'_>, narrowed: bool) -> Result<(Owner, RepositoryName)> {
    let text = wanted.current.trim();
    // `repositories: my-org/repo-a` alone says the owner as well.
    let text = match text {
        "" if narrowed => list::entries(wanted.repositories)
            .into_iter()
            .find(|e| e.contains('/'))
            .unwrap_or(""),
        text => text,
    };
    let (owner, name) = text.split_once('/').ok_or_else(|| unknown(text))?;
    match (Owner::parse(owner), RepositoryName::parse(name)) {
        (Ok(owner), Ok(name)) => Ok((owner, name)),
        _ => Err(unknown(text)),
    }
}

#[inline(never)]
fn names(text: &str, owner: Option<&Owner>) -> Result<Vec<RepositoryName>> {
    some_entry(text, &problem::REPOSITORY_INVALID)?;
    let mut names: Vec<RepositoryName> = Vec::new();
    let mut first_owner: Option<Owner> = owner.cloned();
    for entry in list::entries(text) {
        let name = match entry.split_once('/') {
            None => entry,
            Some((of, name)) => {
                let of = Owner::parse(of).map_err(|_| {
                    Error::new(&problem::REPOSITORY_INVALID, format!("{:?}", words(entry)))
                })?;
                match &first_owner {
                    Some(owner) if !owner.is(of.as_str()) => {
                        let detail = format!("{} is not one of {}'s", words(entry), owner.as_str());
                        return Err(Error::new(&problem::REPOSITORY_OWNER_MISMATCH, detail));
                    }
                    Some(_) => {}
                    // An installation is known by its number: the entries have to agree with each other.
                    None => first_owner = Some(of),
                }
                name
            }
        };
        let name = RepositoryName::parse(name)
            .map_err(|_| Error::new(&problem::REPOSITORY_INVALID, format!("{:?}", words(entry))))?;
        // `repo-a` and `my-org/repo-a` are one repository.
        if !names
            .iter()
            .any(|known| known.0.eq_ignore_ascii_case(&name.0))
        {
            names.push(name);
        }
    }
    check_count(names.len())?;
    Ok(names)
}

/// A list of separators alone was to name something, such as two variables that are empty: the token
/// would reach everything instead.
fn some_entry(text: &str, problem: &'static Problem) -> Result<()> {
    if list::entries(text).is_empty() {
        return Err(Error::new(problem, format!("{:?} names none", words(text))));
    }
    Ok(())
}

#[inline(never)]
fn ids(text: &str) -> Result<Vec<u64>> {
    some_entry(text, &problem::REPOSITORY_ID_INVALID)?;
    let ids: Vec<u64> = list::entries(text)
        .into_iter()
        .map(|entry| {
            number(entry).ok_or_else(|| {
                Error::new(
                    &problem::REPOSITORY_ID_INVALID,
                    format!("{:?}", words(entry)),
                )
            })
        })
        .collect::<Result<_>>()?;
    check_count(ids.len())?;
    Ok(ids)
}

fn check_count(count: usize) -> Result<()> {
    if count > MOST_REPOSITORIES {
        return Err(Error::new(
            &problem::TOO_MANY_REPOSITORIES,
            format!("{count} entries"),
        ));
    }
    Ok(())
}

/// What the log says of it: `my-org: repo-a, repo-b`.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.account {
            Account::Owner(owner) => f.write_str(owner.as_str())?,
            Account::Enterprise(slug) => write!(f, "enterprise {}", slug.as_str())?,
            Account::Installation { id, .. } => write!(f, "installation {id}")?,
        }
        match &self.repositories {
            Repositories::All => f.write_str(", everything in it"),
            Repositories::Names(names) => {
                let names: Vec<_> = names.iter().map(RepositoryName::as_str).collect();
                write!(f, ": {}", names.join(", "))
            }
            Repositories::Ids(ids) => {
                let ids: Vec<_> = ids.iter().map(u64::to_string).collect();
                write!(f, ": repository ids {}", ids.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(wanted: Wanted<'_>) -> Result<String> {
        Target::from_wanted(&wanted).map(|(target, _)| target.to_string())
    }

    fn fails(wanted: Wanted<'_>, expected: &crate::error::Problem) {
        let error = of(wanted).unwrap_err();
        assert!(error.is(expected), "{error}");
    }

    const CURRENT: Wanted<'static> = Wanted {
        owner: "",
        repositories: "",
        repository_ids: "",
        enterprise: "",
        installation_id: "",
        current: "my-org/here",
    };

    #[test]
    fn nothing_given_means_the_current_repository_alone() {
        assert_eq!(of(CURRENT).unwrap(), "my-org: here");
        assert_eq!(Target::from_wanted(&CURRENT).unwrap().1, None);
        fails(Wanted::default(), &problem::CURRENT_REPOSITORY_UNKNOWN);
        fails(
            Wanted {
                current: "a/b/c",
                ..CURRENT
            },
            &problem::CURRENT_REPOSITORY_UNKNOWN,
        );
    }

    #[test]
    fn owner_alone_means_the_whole_installation_with_a_warning() {
        let (target, warning) = Target::from_wanted(&Wanted {
            owner: "other",
            ..CURRENT
        })
        .unwrap();
        assert_eq!(target.to_string(), "other, everything in it");
        assert!(warning.unwrap().contains("every repository"));
    }

    #[test]
    fn repositories_alone_belong_to_the_current_owner() {
        assert_eq!(
            of(Wanted {
                repositories: "a\nMY-ORG/b, A",
                ..CURRENT
            })
            .unwrap(),
            "my-org: a, b"
        );
        fails(
            Wanted {
                repositories: "a, other/b",
                ..CURRENT
            },
            &problem::REPOSITORY_OWNER_MISMATCH,
        );
        assert_eq!(
            of(Wanted {
                repositories: "your-org/a",
                ..Wanted::default()
            })
            .unwrap(),
            "your-org: a"
        );
    }

    #[test]
    fn owner_and_repositories_are_both_kept() {
        let wanted = Wanted {
            owner: "other",
            repositories: "a,other/b,Other/A",
            ..CURRENT
        };
        assert_eq!(of(wanted).unwrap(), "other: a, b");
        fails(
            Wanted {
                owner: "other",
                repositories: "my-org/a",
                ..CURRENT
            },
            &problem::REPOSITORY_OWNER_MISMATCH,
        );
    }

    #[test]
    fn a_list_of_separators_alone_is_not_everything() {
        for owner in ["", "other"] {
            fails(
                Wanted {
                    owner,
                    repositories: ",\n ,",
                    ..CURRENT
                },
                &problem::REPOSITORY_INVALID,
            );
            fails(
                Wanted {
                    owner,
                    repository_ids: ",",
                    ..CURRENT
                },
                &problem::REPOSITORY_ID_INVALID,
            );
        }
    }

    #[test]
    fn an_enterprise_stands_alone() {
        assert_eq!(
            of(Wanted {
                enterprise: "acme",
                ..CURRENT
            })
            .unwrap(),
            "enterprise acme, everything in it"
        );
        for wanted in [
            Wanted {
                owner: "o",
                ..CURRENT
            },
            Wanted {
                repositories: "r",
                ..CURRENT
            },
            Wanted {
                repository_ids: "1",
                ..CURRENT
            },
            Wanted {
                installation_id: "1",
                ..CURRENT
            },
        ] {
            fails(
                Wanted {
                    enterprise: "acme",
                    ..wanted
                },
                &problem::SCOPE_CONFLICT,
            );
        }
    }

    #[test]
    fn an_installation_id_needs_no_owner() {
        let (target, warning) = Target::from_wanted(&Wanted {
            installation_id: "42",
            ..CURRENT
        })
        .unwrap();
        assert_eq!(target.to_string(), "installation 42, everything in it");
        assert!(warning.is_some());
        assert_eq!(
            of(Wanted {
                installation_id: "42",
                repositories: "x/a, X/b, c",
                ..CURRENT
            })
            .unwrap(),
            "installation 42: a, b, c"
        );
        fails(
            Wanted {
                installation_id: "42",
                repositories: "x/a, y/b",
                ..CURRENT
            },
            &problem::REPOSITORY_OWNER_MISMATCH,
        );
        for text in ["0", "-1", "+1", "4 2", "x", "99999999999999999999"] {
            fails(
                Wanted {
                    installation_id: text,
                    ..CURRENT
                },
                &problem::INSTALLATION_ID_INVALID,
            );
        }
    }

    #[test]
    fn repository_ids_are_numbers_of_some_owner() {
        assert_eq!(
            of(Wanted {
                repository_ids: "1, 2\n1",
                ..CURRENT
            })
            .unwrap(),
            "my-org: repository ids 1, 2"
        );
        fails(
            Wanted {
                repository_ids: "1, x",
                ..CURRENT
            },
            &problem::REPOSITORY_ID_INVALID,
        );
        fails(
            Wanted {
                repository_ids: "1",
                repositories: "a",
                ..CURRENT
            },
            &problem::SCOPE_CONFLICT,
        );
        fails(
            Wanted {
                repository_ids: "1",
                ..Wanted::default()
            },
            &problem::CURRENT_REPOSITORY_UNKNOWN,
        );
    }

    #[test]
    fn names_are_checked_before_they_come_near_a_url() {
        for owner in [
            "a/b",
            "-a",
            "a b",
            "a\nb",
            "..",
            "a.b",
            "é",
            "a%2f",
            &"a".repeat(101),
        ] {
            fails(Wanted { owner, ..CURRENT }, &problem::OWNER_INVALID);
        }
        for repositories in [
            "..",
            ".",
            "a b",
            "my-org/",
            "/a",
            "my-org/a/b",
            "a?b",
            "a%2e",
            "é",
            &"a".repeat(101),
        ] {
            fails(
                Wanted {
                    repositories,
                    ..CURRENT
                },
                &problem::REPOSITORY_INVALID,
            );
        }
        let many: Vec<_> = (0..501).map(|n| format!("r{n}")).collect();
        fails(
            Wanted {
                repositories: &many.join(","),
                ..CURRENT
            },
            &problem::TOO_MANY_REPOSITORIES,
        );
        assert!(
            of(Wanted {
                repositories: &many[..500].join(","),
                ..CURRENT
            })
            .is_ok()
        );
    }
}
