//! A command line in the little that the commands here need: flags, and options with a value.

use crate::error::{Result, fail};

/// The arguments of one command, taken out one by one; what is left at the end is an error.
pub struct Args {
    left: Vec<String>,
}

impl Args {
    /// Takes the arguments after the command's name.
    pub fn new(arguments: &[String]) -> Self {
        Self {
            left: arguments.to_vec(),
        }
    }

    /// Takes `name` out and says whether it was there.
    pub fn flag(&mut self, name: &str) -> bool {
        let before = self.left.len();
        self.left.retain(|argument| argument != name);
        self.left.len() != before
    }

    /// Takes `name VALUE` or `name=VALUE` out.
    ///
    /// # Errors
    /// When the value is missing.
    pub fn value(&mut self, name: &str) -> Result<Option<String>> {
        match self.optional_value(name) {
            Some(None) => Err(fail(format!("{name} needs a value"))),
            Some(value) => Ok(value),
            None => Ok(None),
        }
    }

    /// Takes `name`, `name VALUE` or `name=VALUE` out. The outer option says whether the name was
    /// there, the inner one whether a value followed it.
    pub fn optional_value(&mut self, name: &str) -> Option<Option<String>> {
        let prefix = format!("{name}=");
        let index = self
            .left
            .iter()
            .position(|argument| argument == name || argument.starts_with(&prefix))?;
        let argument = self.left.remove(index);
        if let Some(value) = argument.strip_prefix(&prefix) {
            return Some(Some(value.to_owned()));
        }
        let has_value = self
            .left
            .get(index)
            .is_some_and(|next| !next.starts_with("--"));
        Some(has_value.then(|| self.left.remove(index)))
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// When an argument is left that nobody asked for.
    pub fn finish(self) -> Result<()> {
        match self.left.first() {
            Some(argument) => Err(fail(format!(
                "`{argument}` means nothing here; see `cargo xtask help`"
            ))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Args {
        Args::new(
            &line
                .split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>(),
        )
    }

    #[test]
    fn takes_flags_and_values_in_any_order() {
        let mut args = args("--runs 5 --tls --peer=a/b.js");
        assert!(args.flag("--tls"));
        assert_eq!(args.value("--runs"), Ok(Some("5".to_owned())));
        assert_eq!(args.value("--peer"), Ok(Some("a/b.js".to_owned())));
        assert!(args.finish().is_ok());
    }

    #[test]
    fn an_optional_value_is_not_taken_from_the_next_option() {
        let mut args = args("--refresh --check");
        assert_eq!(args.optional_value("--refresh"), Some(None));
        assert!(args.flag("--check"));
        assert_eq!(args.optional_value("--refresh"), None);
    }

    #[test]
    fn a_missing_value_and_an_unknown_argument_are_errors() {
        assert!(args("--runs").value("--runs").is_err());
        assert!(args("--what").finish().is_err());
    }
}
