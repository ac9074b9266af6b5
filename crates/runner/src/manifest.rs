//! `action.yml`, read for its inputs and outputs.
//!
//! The file is the one source for what users see, so its names, descriptions and defaults are read
//! here rather than repeated. Of YAML this reads only what the file needs (block mappings by two
//! spaces, plain and quoted scalars, `>-`), and refuses the rest aloud, so that it never misreads.
//!
//! Format: <https://docs.github.com/en/actions/reference/workflows-and-actions/metadata-syntax>.

use std::collections::BTreeMap;
use std::path::Path;

/// What `action.yml` declares.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// The inputs in the file's order.
    pub inputs: Vec<Input>,
    /// The outputs in the file's order.
    pub outputs: Vec<Output>,
}

/// One input.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Input {
    /// Its name, as users write it.
    pub name: String,
    /// What it means, in Markdown.
    pub description: String,
    /// Whether the file says that it must be given.
    pub required: bool,
    /// What it is when a workflow does not name it, expressions unevaluated.
    pub default: Option<String>,
}

/// One output.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// Its name, as users write it.
    pub name: String,
    /// What it means, in Markdown.
    pub description: String,
}

impl Manifest {
    /// Reads the file of the checkout at `root`.
    ///
    /// # Errors
    /// When it is missing, or holds YAML that this reader does not know.
    pub fn of_checkout(root: &Path) -> Result<Self, String> {
        let path = root.join("action.yml");
        let text = std::fs::read_to_string(&path)
            .map_err(|error| format!("could not read {}: {error}", path.display()))?;
        Self::parse(&text)
    }

    /// Reads the text of an `action.yml`.
    ///
    /// # Errors
    /// When it holds YAML that this reader does not know, with the line's number.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut manifest = Self::default();
        let mut section = "";
        let lines: Vec<&str> = text.lines().collect();
        let mut at = 0;
        while let Some(&line) = lines.get(at) {
            at += 1;
            let content = line.trim_start();
            if content.is_empty() || content.starts_with('#') {
                continue;
            }
            let indent = line.len() - content.len();
            let (key, rest) = content
                .split_once(':')
                .ok_or_else(|| unknown(at, "a line without a key"))?;
            let rest = rest.trim_start();
            let value = match rest {
                ">-" => folded(&lines, &mut at, indent),
                _ => scalar(rest).map_err(|what| unknown(at, what))?,
            };
            match (indent, section) {
                (0, _) => section = key,
                (2, "inputs") => manifest.inputs.push(Input {
                    name: key.to_owned(),
                    ..Input::default()
                }),
                (2, "outputs") => manifest.outputs.push(Output {
                    name: key.to_owned(),
                    ..Output::default()
                }),
                (4, "inputs") => {
                    let input = manifest
                        .inputs
                        .last_mut()
                        .ok_or_else(|| unknown(at, "a property without an input"))?;
                    match key {
                        "description" => input.description = value,
                        "default" => input.default = Some(value),
                        "required" => input.required = value == "true",
                        _ => return Err(unknown(at, "a property that inputs do not have")),
                    }
                }
                (4, "outputs") => {
                    let output = manifest
                        .outputs
                        .last_mut()
                        .ok_or_else(|| unknown(at, "a property without an output"))?;
                    match key {
                        "description" => output.description = value,
                        _ => return Err(unknown(at, "a property that outputs do not have")),
                    }
                }
                (_, "inputs" | "outputs") => {
                    return Err(unknown(at, "an indentation other than 0, 2 or 4"));
                }
                _ => {}
            }
        }
        Ok(manifest)
    }

    /// What the inputs are to a step that has `with`: every declared one, its default where the workflow
    /// does not name it, and whatever else the workflow names. Of expressions the runner's API URL is
    /// known, which is all that this project uses.
    ///
    /// # Errors
    /// When another expression is left.
    pub fn inputs_of_step(
        &self,
        with: &BTreeMap<String, String>,
        api_url: &str,
    ) -> Result<BTreeMap<String, String>, String> {
        let mut inputs = BTreeMap::new();
        for input in &self.inputs {
            let default = input.default.as_deref().unwrap_or_default();
            inputs.insert(
                input.name.clone(),
                default.replace("${{ github.api_url }}", api_url),
            );
        }
        inputs.extend(with.clone());
        match inputs.iter().find(|(_, value)| value.contains("${{")) {
            Some((name, value)) => Err(format!("{name} holds an unknown expression: {value}")),
            None => Ok(inputs),
        }
    }
}

/// The variable that an input becomes: spaces turn to underscores, hyphens stay.
pub fn variable(input: &str) -> String {
    format!("INPUT_{}", input.replace(' ', "_").to_uppercase())
}

fn unknown(line: usize, what: &str) -> String {
    format!("action.yml, line {line}: {what}; only a part of YAML is read here")
}

/// A scalar on the line of its key.
fn scalar(text: &str) -> Result<String, &'static str> {
    match text.chars().next() {
        None => Ok(String::new()),
        Some('"') => {
            serde_json::from_str(text).map_err(|_| "a double-quoted string that JSON refuses")
        }
        Some('\'') => text
            .strip_prefix('\'')
            .and_then(|rest| rest.strip_suffix('\''))
            .map(|inner| inner.replace("''", "'"))
            .ok_or("a single-quoted string without its end"),
        Some('|' | '>' | '&' | '*' | '!' | '[' | '{' | '%' | '@' | '`') => {
            Err("a kind of value that is not read here")
        }
        Some(_) if text.contains(" #") || text.contains(": ") => {
            Err("a plain value with a comment or a colon; quote it")
        }
        Some(_) => Ok(text.trim_end().to_owned()),
    }
}

/// The lines of a `>-` block: joined by spaces, an empty line between paragraphs.
fn folded(lines: &[&str], at: &mut usize, indent: usize) -> String {
    let mut value = String::new();
    let mut paragraph = false;
    while let Some(&line) = lines.get(*at) {
        let content = line.trim();
        if content.is_empty() {
            paragraph = !value.is_empty();
        } else if line.len() - line.trim_start().len() > indent {
            if paragraph {
                value.push('\n');
            } else if !value.is_empty() {
                value.push(' ');
            }
            value.push_str(content);
            paragraph = false;
        } else {
            break;
        }
        *at += 1;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_inputs_and_outputs_with_every_kind_of_value() {
        let manifest = Manifest::parse(
            "name: It\n\
             # a comment\n\
             inputs:\n\
             \x20 one-two:\n\
             \x20   description: >-\n\
             \x20     First line\n\
             \x20     and second: here.\n\
             \n\
             \x20     A paragraph.\n\
             \x20   required: true\n\
             \x20 three:\n\
             \x20   description: \"say \\\"it\\\"\"\n\
             \x20   default: ${{ github.api_url }}\n\
             outputs:\n\
             \x20 token:\n\
             \x20   description: 'it''s'\n\
             runs:\n\
             \x20 using: node24\n",
        )
        .unwrap();
        assert_eq!(
            manifest,
            Manifest {
                inputs: vec![
                    Input {
                        name: "one-two".to_owned(),
                        description: "First line and second: here.\nA paragraph.".to_owned(),
                        required: true,
                        default: None,
                    },
                    Input {
                        name: "three".to_owned(),
                        description: "say \"it\"".to_owned(),
                        required: false,
                        default: Some("${{ github.api_url }}".to_owned()),
                    },
                ],
                outputs: vec![Output {
                    name: "token".to_owned(),
                    description: "it's".to_owned(),
                }],
            }
        );
    }

    #[test]
    fn refuses_what_it_would_misread() {
        for text in [
            "inputs:\n  a:\n    description: |\n      x\n",
            "inputs:\n  a:\n    description: one # two\n",
            "inputs:\n  a:\n    descripton: one\n",
            "inputs:\n    description: one\n",
            "inputs:\n  a:\n     description: one\n",
            "inputs:\n  a\n",
        ] {
            assert!(Manifest::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn reads_the_project_s_own_file() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
        let manifest = Manifest::of_checkout(Path::new(root)).unwrap();
        assert!(
            manifest
                .inputs
                .iter()
                .any(|input| input.name == "kms-key-id" && input.required)
        );
        assert!(manifest.outputs.iter().any(|output| output.name == "token"));
        for (name, description) in manifest
            .inputs
            .iter()
            .map(|input| (&input.name, &input.description))
            .chain(
                manifest
                    .outputs
                    .iter()
                    .map(|output| (&output.name, &output.description)),
            )
        {
            assert!(!description.is_empty(), "`{name}` has no description");
        }
    }

    #[test]
    fn a_step_gets_every_input_and_what_else_the_workflow_names() {
        let manifest = Manifest::parse(
            "inputs:\n  two-words:\n    default: x\n  url:\n    default: ${{ github.api_url }}\n",
        )
        .unwrap();
        let with = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
        let inputs = manifest.inputs_of_step(&with("new", "1"), "u").unwrap();
        let pairs: Vec<(&str, &str)> = inputs.iter().map(|(n, v)| (&**n, &**v)).collect();
        assert_eq!(pairs, [("new", "1"), ("two-words", "x"), ("url", "u")]);
        assert!(
            manifest
                .inputs_of_step(&with("url", "${{ x }}"), "u")
                .is_err()
        );
        assert_eq!(variable("two words-more"), "INPUT_TWO_WORDS-MORE");
    }
}
