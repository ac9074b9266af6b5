//! The extract of GitHub's OpenAPI description: which permissions there are.
//!
//! Source: `components.schemas.app-permissions` in the description of api.github.com, as the npm
//! package `@octokit/openapi` carries it. The package unpacks to over a hundred megabytes, so the
//! few kilobytes that matter are kept in the repository, with the version that they came from.

use std::{fmt, fs, path::Path, process::Command};

use serde::{
    Deserialize, Serialize,
    de::{MapAccess, Visitor},
};

use crate::{
    error::{Result, at, fail},
    paths,
    process::output,
};

/// Where the extract stands in the checkout.
pub const PATH: &str = "xtask/data/app-permissions.json";
const PACKAGE: &str = "@octokit/openapi";
const DESCRIPTION: &str = "package/generated/api.github.com.json";

/// The permissions of a GitHub App in GitHub's own order.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extract {
    /// The package and its version.
    pub source: String,
    /// The permissions.
    pub permissions: Vec<Permission>,
}

/// One permission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permission {
    /// GitHub's name for it, with underscores.
    pub name: String,
    /// The levels it can have, from the least.
    pub levels: Vec<String>,
    /// GitHub's description, as it is.
    pub description: String,
}

impl Extract {
    /// Reads the checkout's extract.
    ///
    /// # Errors
    /// When it is missing or malformed.
    pub fn of_checkout(root: &Path) -> Result<Self> {
        serde_json::from_str(&paths::read(&root.join(PATH))?)
            .map_err(|error| fail(format!("{PATH}: {error}")))
    }

    /// The text of the committed file.
    ///
    /// # Errors
    /// Never in practice: every field has a JSON form.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string_pretty(self)
            .map(|text| text + "\n")
            .map_err(|error| fail(error.to_string()))
    }

    /// Takes the extract out of a whole OpenAPI description.
    ///
    /// # Errors
    /// When the description has no such schema, or one in a form that was never seen.
    pub fn from_description(version: &str, json: &[u8]) -> Result<Self> {
        let document: Document = serde_json::from_slice(json)
            .map_err(|error| fail(format!("{PACKAGE}@{version}: {error}")))?;
        let permissions = document.components.schemas.app_permissions.properties.0;
        for permission in &permissions {
            let known = |level: &String| ["read", "write", "admin"].contains(&level.as_str());
            let plain = |c: char| c.is_ascii_lowercase() || c == '_';
            if !permission.name.chars().all(plain)
                || permission.levels.is_empty()
                || !permission.levels.iter().all(known)
            {
                return Err(fail(format!(
                    "{PACKAGE}@{version}: permission `{}` with levels {:?} has a form that the \
                     code does not know; look at it by hand",
                    permission.name, permission.levels
                )));
            }
        }
        if permissions.is_empty() {
            return Err(fail(format!("{PACKAGE}@{version} lists no permission")));
        }
        Ok(Self {
            source: format!("{PACKAGE}@{version}"),
            permissions,
        })
    }

    fn version(&self) -> Option<&str> {
        self.source.rsplit_once('@').map(|(_, version)| version)
    }
}

/// Fetches the package through npm and takes the extract out of it.
///
/// # Errors
/// When npm or tar is missing or fails, or the description has an unknown form.
pub fn refresh(root: &Path, version: Option<&str>, old: Option<&Extract>) -> Result<Extract> {
    let wanted = version
        .or_else(|| old.and_then(Extract::version))
        .unwrap_or("latest");
    let folder = root.join("target/codegen");
    fs::create_dir_all(&folder).map_err(at("create", &folder))?;

    let packed = output(
        Command::new("npm")
            .args(["pack", "--json", "--pack-destination"])
            .arg(&folder)
            .arg(format!("{PACKAGE}@{wanted}")),
    )?;
    let packed: Vec<Packed> = serde_json::from_slice(&packed)
        .map_err(|error| fail(format!("npm pack answered in an unknown form: {error}")))?;
    let [packed] = packed.as_slice() else {
        return Err(fail("npm pack answered with other than one package"));
    };
    let archive = folder.join(&packed.filename);
    let description = output(
        Command::new("tar")
            .arg("-xzOf")
            .arg(&archive)
            .arg(DESCRIPTION),
    )?;
    fs::remove_file(&archive).map_err(at("remove", &archive))?;
    Extract::from_description(&packed.version, &description)
}

/// Says in words what a refresh changed.
pub fn difference(old: Option<&Extract>, new: &Extract) -> String {
    let mut lines = vec![format!(
        "{}: {} permissions",
        new.source,
        new.permissions.len()
    )];
    let before = old.map_or(&[][..], |old| &old.permissions);
    let find = |among: &[Permission], name: &str| {
        among
            .iter()
            .find(|permission| permission.name == name)
            .cloned()
    };
    for permission in &new.permissions {
        match find(before, &permission.name) {
            None => lines.push(format!(
                "added `{}` ({})",
                permission.name,
                permission.levels.join(", ")
            )),
            Some(past) if past.levels != permission.levels => lines.push(format!(
                "changed `{}` from {} to {}",
                permission.name,
                past.levels.join(", "),
                permission.levels.join(", ")
            )),
            Some(_) => {}
        }
    }
    for past in before {
        if find(&new.permissions, &past.name).is_none() {
            lines.push(format!("removed `{}`", past.name));
        }
    }
    lines.join("\n")
}

#[derive(Deserialize)]
struct Packed {
    filename: String,
    version: String,
}

#[derive(Deserialize)]
struct Document {
    components: Components,
}

#[derive(Deserialize)]
struct Components {
    schemas: Schemas,
}

#[derive(Deserialize)]
struct Schemas {
    #[serde(rename = "app-permissions")]
    app_permissions: Schema,
}

#[derive(Deserialize)]
struct Schema {
    properties: Properties,
}

#[derive(Deserialize)]
struct Property {
    #[serde(rename = "enum")]
    levels: Vec<String>,
    description: String,
}

/// The properties in the order of the file, which a map of serde_json would lose.
struct Properties(Vec<Permission>);

impl<'de> Deserialize<'de> for Properties {
    fn deserialize<D: serde::Deserializer<'de>>(
        deserializer: D,
    ) -> std::result::Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Properties;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a map of permissions")
            }

            fn visit_map<A: MapAccess<'de>>(
                self,
                mut map: A,
            ) -> std::result::Result<Properties, A::Error> {
                let mut permissions = Vec::new();
                while let Some((name, property)) = map.next_entry::<String, Property>()? {
                    permissions.push(Permission {
                        name,
                        levels: property.levels,
                        description: property.description,
                    });
                }
                Ok(Properties(permissions))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn description(properties: &str) -> Vec<u8> {
        format!(
            r#"{{"openapi":"3","components":{{"schemas":{{"other":{{}},
               "app-permissions":{{"type":"object","properties":{{{properties}}}}}}}}}}}"#
        )
        .into_bytes()
    }

    fn permission(name: &str, levels: &[&str]) -> Permission {
        Permission {
            name: name.to_owned(),
            levels: levels.iter().map(|&level| level.to_owned()).collect(),
            description: "D.".to_owned(),
        }
    }

    #[test]
    fn keeps_github_s_order() {
        let extract = Extract::from_description(
            "1.2.3",
            &description(
                r#""zeta":{"type":"string","description":"D.","enum":["write"]},
                   "alpha":{"type":"string","description":"D.","enum":["read","write"]}"#,
            ),
        )
        .unwrap();
        assert_eq!(extract.source, "@octokit/openapi@1.2.3");
        assert_eq!(extract.version(), Some("1.2.3"));
        assert_eq!(
            extract.permissions,
            [
                permission("zeta", &["write"]),
                permission("alpha", &["read", "write"])
            ]
        );
    }

    #[test]
    fn refuses_a_form_that_the_code_does_not_know() {
        for properties in [
            "",
            r#""a":{"description":"D.","enum":[]}"#,
            r#""a":{"description":"D.","enum":["maintain"]}"#,
            r#""a-b":{"description":"D.","enum":["read"]}"#,
            r#""a":{"description":"D."}"#,
        ] {
            assert!(
                Extract::from_description("1", &description(properties)).is_err(),
                "{properties}"
            );
        }
    }

    #[test]
    fn says_what_a_refresh_changed() {
        let extract = |permissions| Extract {
            source: "S".to_owned(),
            permissions,
        };
        let old = extract(vec![permission("a", &["read"]), permission("b", &["read"])]);
        let new = extract(vec![
            permission("b", &["read", "write"]),
            permission("c", &["write"]),
        ]);
        assert_eq!(
            difference(Some(&old), &new),
            "S: 2 permissions\nchanged `b` from read to read, write\nadded `c` (write)\nremoved `a`"
        );
    }

    #[test]
    fn the_committed_extract_is_in_the_form_that_a_refresh_writes() {
        let root = paths::root().unwrap();
        let extract = Extract::of_checkout(&root).unwrap();
        assert_eq!(
            paths::read(&root.join(PATH)).unwrap(),
            extract.to_json().unwrap()
        );
    }
}
