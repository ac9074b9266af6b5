//! The inputs that action.yml declares, with their defaults, as the runner reads them.

use std::path::PathBuf;
use std::sync::LazyLock;

/// An input of action.yml.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// As workflows write it.
    pub name: String,
    /// Empty where there is none; expressions unevaluated.
    pub default: String,
}

/// All inputs, in the file's order.
pub fn inputs() -> &'static [Input] {
    static INPUTS: LazyLock<Vec<Input>> = LazyLock::new(|| {
        let path = root().join("action.yml");
        parse(&std::fs::read_to_string(path).expect("action.yml is there"))
    });
    &INPUTS
}

/// The checkout.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Of YAML only the form that action.yml has: names indented by two, their properties by four.
fn parse(text: &str) -> Vec<Input> {
    let mut inputs: Vec<Input> = Vec::new();
    let section = text.lines().skip_while(|line| *line != "inputs:").skip(1);
    for line in section.take_while(|line| line.is_empty() || line.starts_with(' ')) {
        let content = line.trim_start();
        if content.starts_with('#') {
            continue;
        }
        match line.len() - content.len() {
            2 => {
                let name = content.strip_suffix(':').expect("a name and a colon");
                inputs.push(Input {
                    name: name.to_owned(),
                    default: String::new(),
                });
            }
            4 => {
                if let (Some(value), Some(input)) =
                    (content.strip_prefix("default: "), inputs.last_mut())
                {
                    input.default = value.trim().trim_matches(['"', '\'']).to_owned();
                }
            }
            _ => {}
        }
    }
    inputs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_defaults_are_read() {
        let of = |name: &str| inputs().iter().find(|input| input.name == name).unwrap();
        assert_eq!(of("github-api-url").default, "${{ github.api_url }}");
        assert_eq!(of("skip-token-revoke").default, "false");
        assert_eq!(of("aws-audience").default, "sts.amazonaws.com");
        assert_eq!(of("permission-contents").default, "");
        assert!(inputs().len() > 60, "{}", inputs().len());
    }
}
