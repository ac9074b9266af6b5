//! The runner's side of its two protocols, written from the rules of actions/runner
//! (`ActionCommand.cs`, `FileCommandManager.cs`) and from nothing of the action's own.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Index;

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

/// What a step left in `GITHUB_OUTPUT` or `GITHUB_STATE`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Entries(BTreeMap<String, String>);

impl Entries {
    /// Reads a file.
    ///
    /// # Errors
    /// Why the runner would fail the step.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut entries = BTreeMap::new();
        let mut rest = text;
        while let Some((line, _)) = next_line(&mut rest) {
            if line.is_empty() {
                continue;
            }
            let (equals, heredoc) = (line.find('='), line.find("<<"));
            match (equals, heredoc) {
                (Some(equals), heredoc) if heredoc.is_none_or(|heredoc| equals < heredoc) => {
                    if equals == 0 {
                        return Err(format!("a name is empty: {line:?}"));
                    }
                    entries.insert(line[..equals].to_owned(), line[equals + 1..].to_owned());
                }
                (_, Some(heredoc)) => {
                    let (name, delimiter) = (&line[..heredoc], &line[heredoc + 2..]);
                    if name.is_empty() || delimiter.is_empty() {
                        return Err(format!("a name or a delimiter is empty: {line:?}"));
                    }
                    let value = up_to(delimiter, &mut rest)?;
                    entries.insert(name.to_owned(), value);
                }
                _ => return Err(format!("neither = nor <<: {line:?}")),
            }
        }
        Ok(Self(entries))
    }

    /// The value of that name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The names, in alphabetical order.
    pub fn names(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Is there nothing?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Index<&str> for Entries {
    type Output = String;

    fn index(&self, name: &str) -> &String {
        self.0
            .get(name)
            .unwrap_or_else(|| panic!("no {name} among {self:?}"))
    }
}

/// Without what is secret.
impl fmt::Debug for Entries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.iter().map(|(name, value)| match name {
            "token" => (name, "***"),
            _ => (name, value),
        });
        f.debug_map().entries(shown).finish()
    }
}

/// The value that ends before a line that is `delimiter`; its last line's end does not belong to it.
fn up_to(delimiter: &str, rest: &mut &str) -> Result<String, String> {
    let mut lines = Vec::new();
    loop {
        match next_line(rest) {
            None => return Err(format!("the delimiter {delimiter:?} does not come again")),
            Some((line, true)) if line == delimiter => return Ok(lines.join("\n")),
            Some((line, ended)) => {
                if !ended {
                    return Err(format!(
                        "the delimiter {delimiter:?} has no line of its own"
                    ));
                }
                lines.push(line);
            }
        }
    }
}

/// The next line, and whether a line feed ended it.
fn next_line<'a>(rest: &mut &'a str) -> Option<(&'a str, bool)> {
    if rest.is_empty() {
        return None;
    }
    match rest.split_once('\n') {
        Some((line, after)) => {
            *rest = after;
            Some((line, true))
        }
        None => Some((std::mem::take(rest), false)),
    }
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
    fn entries_are_read_in_both_styles() {
        let entries = Entries::parse("a=b<<c\n\nd<<E=\n1\n\n2\nE=\nf<<G\nG\n").unwrap();
        assert_eq!(
            entries.iter().collect::<Vec<_>>(),
            [("a", "b<<c"), ("d", "1\n\n2"), ("f", "")]
        );
    }

    #[test]
    fn what_fails_a_step_is_an_error() {
        for text in ["a<<E\n1\n", "a<<E\n1\nE", "nonsense\n", "<<E\nE\n", "=x\n"] {
            assert!(Entries::parse(text).is_err(), "{text:?}");
        }
    }
}
