//! The README's tables, between `<!-- codegen:NAME:start -->` and `<!-- codegen:NAME:end -->`.

use std::fmt::Write as _;

use super::{
    extract::Extract,
    render::{input_name, levels, replace_block, summary},
};
use app_token_runner::Manifest;

use crate::error::Result;

/// The README with each of its tables made anew.
///
/// # Errors
/// When a table's markers are missing.
pub fn render(readme: &str, manifest: &Manifest, extract: &Extract) -> Result<String> {
    let mut readme = readme.to_owned();
    for (name, table) in [
        ("inputs", inputs(manifest)),
        ("outputs", outputs(manifest)),
        ("permissions", permissions(extract)),
    ] {
        readme = replace_block(
            "README.md",
            &readme,
            &format!("<!-- codegen:{name}:start -->"),
            &format!("<!-- codegen:{name}:end -->"),
            &table,
        )?;
    }
    Ok(readme)
}

fn inputs(manifest: &Manifest) -> String {
    let mut table = "| Input | What it means | Default |\n|---|---|---|\n".to_owned();
    for input in &manifest.inputs {
        // The permissions have a table of their own.
        if input.name.starts_with("permission-") {
            continue;
        }
        let default = match &input.default {
            Some(default) => format!("`{default}`"),
            None if input.required => "required".to_owned(),
            None => String::new(),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(
            table,
            "| `{}` | {} | {} |",
            input.name,
            cell(&input.description),
            cell(&default)
        );
    }
    table
}

fn outputs(manifest: &Manifest) -> String {
    let mut table = "| Output | What it holds |\n|---|---|\n".to_owned();
    for output in &manifest.outputs {
        let _ = writeln!(
            table,
            "| `{}` | {} |",
            output.name,
            cell(&output.description)
        );
    }
    table
}

fn permissions(extract: &Extract) -> String {
    let mut table = "| Input | Levels | What the token may do |\n|---|---|---|\n".to_owned();
    for permission in &extract.permissions {
        let _ = writeln!(
            table,
            "| `{}` | {} | {} |",
            input_name(permission),
            levels(permission),
            cell(&summary(permission))
        );
    }
    table
}

/// Text that stays in its cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', "<br>")
}

#[cfg(test)]
mod tests {
    use super::*;
    use app_token_runner::manifest::{Input, Output};

    #[test]
    fn the_tables_come_from_the_manifest_and_keep_to_their_cells() {
        let manifest = Manifest {
            inputs: vec![
                Input {
                    name: "a".to_owned(),
                    description: "x | y\nz".to_owned(),
                    required: true,
                    default: None,
                },
                Input {
                    name: "b".to_owned(),
                    description: "B.".to_owned(),
                    required: false,
                    default: Some("false".to_owned()),
                },
                Input {
                    name: "permission-contents".to_owned(),
                    ..Input::default()
                },
            ],
            outputs: vec![Output {
                name: "token".to_owned(),
                description: "T.".to_owned(),
            }],
        };
        let extract = Extract {
            source: "S".to_owned(),
            permissions: Vec::new(),
        };
        let empty: String = ["inputs", "outputs", "permissions"]
            .map(|name| format!("<!-- codegen:{name}:start -->\n<!-- codegen:{name}:end -->\n"))
            .concat();
        assert_eq!(
            render(&empty, &manifest, &extract).unwrap(),
            "<!-- codegen:inputs:start -->\n\
             | Input | What it means | Default |\n|---|---|---|\n\
             | `a` | x \\| y<br>z | required |\n\
             | `b` | B. | `false` |\n\
             <!-- codegen:inputs:end -->\n\
             <!-- codegen:outputs:start -->\n\
             | Output | What it holds |\n|---|---|\n\
             | `token` | T. |\n\
             <!-- codegen:outputs:end -->\n\
             <!-- codegen:permissions:start -->\n\
             | Input | Levels | What the token may do |\n|---|---|---|\n\
             <!-- codegen:permissions:end -->\n"
        );
    }
}
