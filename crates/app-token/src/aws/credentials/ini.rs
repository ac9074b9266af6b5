//! The format of AWS's shared config and credentials files.
//!
//! See "Shared config and credentials files" in the AWS SDKs and Tools Reference Guide. Lines further in
//! than the property above them continue it; below an empty property they are settings of their own
//! (`s3 =`), which nothing here needs, and are left out. Quotes mean nothing.

use crate::secret::Secret;

/// Which of the two files: they name profiles differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `[profile NAME]`, and `[default]`; other sections are not profiles.
    Config,
    /// `[NAME]`.
    Credentials,
}

/// The profiles of both files, merged.
#[derive(Default)]
pub(super) struct Profiles(Vec<Section>);

struct Section {
    /// `None` for a section that is no profile.
    name: Option<String>,
    /// `[profile default]`, which hides a `[default]` in the same file.
    prefixed: bool,
    properties: Vec<(String, Secret)>,
}

impl Profiles {
    /// Adds a file. Its properties win over those of the files before it.
    ///
    /// # Errors
    /// The number of the first line that is malformed; not its text, which may hold a secret.
    pub(super) fn add(&mut self, text: &str, kind: Kind) -> Result<(), usize> {
        let mut sections = sections(text, kind)?;
        let hidden = sections.iter().any(|section| section.prefixed);
        sections.retain(|section| section.prefixed || !hidden || !section.is("default"));
        self.0.append(&mut sections);
        Ok(())
    }

    /// Whether there is such a profile.
    pub(super) fn has(&self, profile: &str) -> bool {
        self.0.iter().any(|section| section.is(profile))
    }

    /// A property (in lower case) of a profile, unless it is empty.
    pub(super) fn property(&self, profile: &str, name: &str) -> Option<&Secret> {
        let sections = self.0.iter().rev().filter(|section| section.is(profile));
        let mut properties = sections.flat_map(|section| section.properties.iter().rev());
        let (_, value) = properties.find(|(key, _)| key == name)?;
        Some(value).filter(|value| !value.is_empty())
    }
}

impl Section {
    fn is(&self, profile: &str) -> bool {
        self.name.as_deref() == Some(profile)
    }
}

fn sections(text: &str, kind: Kind) -> Result<Vec<Section>, usize> {
    let mut sections: Vec<Section> = Vec::new();
    // How far in the property above stands, if there is one.
    let mut above: Option<usize> = None;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (index, line) in text.lines().enumerate() {
        let malformed = index + 1;
        let content = line.trim();
        if content.is_empty() || content.starts_with(['#', ';']) {
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        if above.is_some_and(|above| indent > above) {
            let last = sections
                .last_mut()
                .and_then(|section| section.properties.last_mut());
            if let Some((_, value)) = last.filter(|(_, value)| !value.is_empty()) {
                *value = Secret::new(format!("{}\n{content}", value.expose()));
            }
            continue;
        }
        if let Some(header) = content.strip_prefix('[') {
            let (header, rest) = header.split_once(']').ok_or(malformed)?;
            let rest = rest.trim_start();
            if !rest.is_empty() && !rest.starts_with(['#', ';']) {
                return Err(malformed);
            }
            sections.push(section(header.trim(), kind));
            above = None;
            continue;
        }
        let (name, value) = content.split_once('=').ok_or(malformed)?;
        let name = name.trim().to_ascii_lowercase();
        let section = sections.last_mut().ok_or(malformed)?;
        if name.is_empty() {
            return Err(malformed);
        }
        section
            .properties
            .push((name, Secret::from(without_comment(value).trim())));
        above = Some(indent);
    }
    Ok(sections)
}

fn section(header: &str, kind: Kind) -> Section {
    let prefixed = header
        .split_once(char::is_whitespace)
        .filter(|(word, _)| *word == "profile")
        .map(|(_, name)| name.trim());
    let name = match (kind, prefixed) {
        (Kind::Config, Some(name)) => Some(name),
        (Kind::Config, None) => Some(header).filter(|header| *header == "default"),
        (Kind::Credentials, Some(_)) => None,
        (Kind::Credentials, None) => Some(header),
    };
    Section {
        name: name.map(str::to_owned),
        prefixed: name == Some("default") && prefixed.is_some(),
        properties: Vec::new(),
    }
}

/// A value without the comment behind it, which white space must set apart.
fn without_comment(value: &str) -> &str {
    let mut before = ' ';
    for (index, c) in value.char_indices() {
        if matches!(c, '#' | ';') && before.is_whitespace() {
            return &value[..index];
        }
        before = c;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(files: &[(Kind, &str)]) -> Profiles {
        let mut profiles = Profiles::default();
        for (kind, text) in files {
            profiles.add(text, *kind).unwrap();
        }
        profiles
    }

    fn get(profiles: &Profiles, profile: &str, name: &str) -> Option<String> {
        profiles
            .property(profile, name)
            .map(|value| value.expose().to_owned())
    }

    #[test]
    fn reads_what_the_cli_writes_and_people_make_of_it() {
        let profiles = read(&[(
            Kind::Config,
            "\u{feff}# a comment\r\n; another\r\n\r\n[default] # the usual\r\nregion=eu-west-1\r\n\
             OUTPUT = json\n  # within\n\
             [ profile  team-a ]\n  role_arn = arn:aws:iam::1:role/a=b   ; why\n  region = \"x\"\n\
             s3 =\n    role_arn = nested\n    max = 1\nexternal_id = a#b;c\nempty =\n\
             [sso-session team-b]\nregion = eu-west-2\n[team-c]\nregion = eu-west-3\n",
        )]);
        assert_eq!(
            get(&profiles, "default", "region").as_deref(),
            Some("eu-west-1")
        );
        assert_eq!(get(&profiles, "default", "output").as_deref(), Some("json"));
        let team = |name| get(&profiles, "team-a", name);
        assert_eq!(team("role_arn").as_deref(), Some("arn:aws:iam::1:role/a=b"));
        assert_eq!(team("region").as_deref(), Some("\"x\""));
        assert_eq!(team("external_id").as_deref(), Some("a#b;c"));
        assert_eq!((team("empty"), team("max"), team("s3")), (None, None, None));
        for name in ["team-b", "sso-session team-b", "team-c", "profile team-a"] {
            assert!(!profiles.has(name), "{name}");
        }
    }

    #[test]
    fn the_credentials_file_names_profiles_plainly_and_wins() {
        let profiles = read(&[
            (
                Kind::Config,
                "[profile a]\nregion = r\nrole_arn = of the config\n",
            ),
            (
                Kind::Credentials,
                "[a]\nrole_arn = first\n[profile b]\nx = y\n[a]\nrole_arn = last\n",
            ),
        ]);
        assert_eq!(get(&profiles, "a", "role_arn").as_deref(), Some("last"));
        assert_eq!(get(&profiles, "a", "region").as_deref(), Some("r"));
        assert!(!profiles.has("b") && !profiles.has("profile b"));
    }

    #[test]
    fn a_default_with_the_word_profile_hides_the_one_without() {
        let text = "[profile default]\nregion = a\n[default]\nregion = b\noutput = c\n";
        let profiles = read(&[(Kind::Config, text)]);
        assert_eq!(get(&profiles, "default", "region").as_deref(), Some("a"));
        assert_eq!(get(&profiles, "default", "output"), None);
    }

    #[test]
    fn a_value_over_several_lines_stays_one_value() {
        let profiles = read(&[(Kind::Credentials, "[a]\nx = 1\n  2 = 3\ny = 4\n")]);
        assert_eq!(get(&profiles, "a", "x").as_deref(), Some("1\n2 = 3"));
        assert_eq!(get(&profiles, "a", "y").as_deref(), Some("4"));
    }

    #[test]
    fn a_malformed_line_is_told_by_its_number() {
        for (text, line) in [
            ("x = 1\n", 1),
            ("[a]\n\nhunter2\n", 3),
            ("[a]\n= 1\n", 2),
            ("# c\n[a\n", 2),
            ("[a] b\n", 1),
        ] {
            let outcome = Profiles::default().add(text, Kind::Credentials);
            assert_eq!(outcome, Err(line), "{text}");
        }
    }
}
