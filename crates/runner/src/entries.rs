//! The files behind `GITHUB_OUTPUT` and `GITHUB_STATE`, as `FileCommandManager.cs` of actions/runner
//! reads them.

use std::fmt;
use std::ops::Index;

/// What a step left in `GITHUB_OUTPUT` or `GITHUB_STATE`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Entries(Vec<(String, String)>);

impl Entries {
    /// Reads a file.
    ///
    /// # Errors
    /// Why the runner would fail the step.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut entries = Vec::new();
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
                    entries.push((line[..equals].to_owned(), line[equals + 1..].to_owned()));
                }
                (_, Some(heredoc)) => {
                    let (name, delimiter) = (&line[..heredoc], &line[heredoc + 2..]);
                    if name.is_empty() || delimiter.is_empty() {
                        return Err(format!("a name or a delimiter is empty: {line:?}"));
                    }
                    let value = up_to(delimiter, &mut rest)?;
                    entries.push((name.to_owned(), value));
                }
                _ => return Err(format!("neither = nor <<: {line:?}")),
            }
        }
        Ok(Self(entries))
    }

    /// The value of that name; of several, the last one, as the runner has it.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.find(name).map(String::as_str)
    }

    fn find(&self, name: &str) -> Option<&String> {
        let mut entries = self.0.iter().rev();
        entries
            .find(|(known, _)| known == name)
            .map(|(_, value)| value)
    }

    /// The names, in alphabetical order.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.iter().map(|(name, _)| name).collect();
        names.sort_unstable();
        names
    }

    /// Names and values, in the file's order.
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

    #[expect(
        clippy::panic,
        reason = "an index that is not there is a mistake of the test that uses it"
    )]
    fn index(&self, name: &str) -> &String {
        self.find(name)
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
    fn entries_are_read_in_both_styles() {
        let entries = Entries::parse("a=b<<c\n\nd<<E=\n1\n\n2\nE=\nf<<G\nG\n").unwrap();
        assert_eq!(
            entries.iter().collect::<Vec<_>>(),
            [("a", "b<<c"), ("d", "1\n\n2"), ("f", "")]
        );
        let entries = Entries::parse("b=1\na=2\nb=3").unwrap();
        assert_eq!(entries.get("b"), Some("3"));
        assert_eq!(entries.get("c"), None);
    }

    #[test]
    fn what_fails_a_step_is_an_error() {
        for text in ["a<<E\n1\n", "a<<E\n1\nE", "nonsense\n", "<<E\nE\n", "=x\n"] {
            assert!(Entries::parse(text).is_err(), "{text:?}");
        }
    }
}
