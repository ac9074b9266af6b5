//! Workflow commands on standard output, as `ActionCommand.cs` of actions/runner reads them.

use std::collections::BTreeMap;

/// The commands that the runner knows, in either form.
const COMMANDS: [&str; 16] = [
    "add-mask",
    "add-matcher",
    "add-path",
    "debug",
    "echo",
    "endgroup",
    "error",
    "group",
    "internal-set-repo-path",
    "notice",
    "remove-matcher",
    "save-state",
    "set-env",
    "set-output",
    "stop-commands",
    "warning",
];

/// A workflow command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// `error`, `add-mask`, ...
    pub name: String,
    /// What stands between name and text.
    pub properties: BTreeMap<String, String>,
    /// The text, unescaped.
    pub data: String,
}

/// A line of standard output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// The runner acts on it.
    Command(Command),
    /// The runner shows it.
    Text(String),
}

/// Standard output, line by line. The runner ends lines at CR, LF and CRLF.
pub fn lines(stdout: &str) -> Vec<Line> {
    let text = stdout.replace("\r\n", "\n").replace('\r', "\n");
    text.lines().map(Line::parse).collect()
}

/// The commands in standard output.
pub fn commands(stdout: &str) -> Vec<Command> {
    let lines = lines(stdout).into_iter();
    lines
        .filter_map(|line| match line {
            Line::Command(command) => Some(command),
            Line::Text(_) => None,
        })
        .collect()
}

/// An error or a warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Annotation {
    /// Empty where there is none.
    pub title: String,
    /// All lines.
    pub message: String,
}

impl From<&Command> for Annotation {
    fn from(command: &Command) -> Self {
        Self {
            title: command.properties.get("title").cloned().unwrap_or_default(),
            message: command.data.clone(),
        }
    }
}

impl Line {
    /// Reads one line, without its end.
    pub fn parse(line: &str) -> Self {
        new_form(line)
            .or_else(|| old_form(line))
            .map_or_else(|| Self::Text(line.to_owned()), Self::Command)
    }
}

/// `::name key=value,key=value::data`, after white space at most.
fn new_form(line: &str) -> Option<Command> {
    let (head, data) = line.trim_start().strip_prefix("::")?.split_once("::")?;
    let (name, properties) = head.split_once(' ').unwrap_or((head, ""));
    known(name)?;
    let unescape = |text: &str| {
        text.replace("%0D", "\r")
            .replace("%0A", "\n")
            .replace("%3A", ":")
            .replace("%2C", ",")
            .replace("%25", "%")
    };
    let properties = properties.trim().split(',').filter_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        Some((key.to_ascii_lowercase(), unescape(value)))
    });
    Some(Command {
        name: name.to_owned(),
        properties: properties.collect(),
        data: data
            .replace("%0D", "\r")
            .replace("%0A", "\n")
            .replace("%25", "%"),
    })
}

/// `##[name key=value;key=value]data`, wherever it stands in the line.
fn old_form(line: &str) -> Option<Command> {
    let (_, rest) = line.split_once("##[")?;
    let (head, data) = rest.split_once(']')?;
    let name = head.split_once(' ').map_or(head, |(name, _)| name);
    known(name)?;
    Some(Command {
        name: name.to_owned(),
        properties: BTreeMap::new(),
        data: data.to_owned(),
    })
}

fn known(name: &str) -> Option<()> {
    COMMANDS
        .iter()
        .any(|known| known.eq_ignore_ascii_case(name))
        .then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_commands_are_seen() {
        let Line::Command(command) = Line::parse("  ::error title=a%2Cb,file=x::50%25%0Anext::y")
        else {
            panic!("no command");
        };
        assert_eq!(command.name, "error");
        assert_eq!(command.properties["title"], "a,b");
        assert_eq!(command.data, "50%\nnext::y");
        assert!(matches!(
            Line::parse("words ##[add-mask]x"),
            Line::Command(_)
        ));
        for text in [
            "std::fmt::Debug",
            "::unknown::x",
            "a ::error::x",
            "##[x]y",
            "::error",
        ] {
            assert_eq!(Line::parse(text), Line::Text(text.into()));
        }
    }

    #[test]
    fn a_carriage_return_ends_a_line_too() {
        let text = |text: &str| Line::Text(text.into());
        assert_eq!(lines("a\rb\r\nc\n\nd"), ["a", "b", "c", "", "d"].map(text));
        assert_eq!(commands("words\r::debug::x\n")[0].data, "x");
    }
}
