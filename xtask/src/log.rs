//! The log of a step as GitHub's page shows it: commands carried out, masked values hidden.

use app_token_runner::commands;

/// One line that a reader of the log sees.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// What kind of line it is.
    pub kind: Kind,
    /// Its text, masked.
    pub text: String,
}

/// How GitHub's page shows a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// As it is.
    Plain,
    /// In the colour of a notice.
    Notice,
    /// In the colour of a warning.
    Warning,
    /// In the colour of an error.
    Error,
}

/// What a step's output comes to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// What a reader sees.
    pub lines: Vec<Line>,
    /// The values that were masked, in order.
    pub masks: Vec<String>,
}

impl Log {
    /// Reads standard output as the runner does.
    pub fn read(stdout: &str) -> Self {
        let mut log = Self::default();
        for line in commands::lines(stdout) {
            let command = match line {
                commands::Line::Text(text) => {
                    log.show(Kind::Plain, &text);
                    continue;
                }
                commands::Line::Command(command) => command,
            };
            match command.name.as_str() {
                "add-mask" => log.masks.push(command.data),
                "notice" => log.show(Kind::Notice, &command.data),
                "warning" => log.show(Kind::Warning, &command.data),
                "error" => log.show(Kind::Error, &command.data),
                "group" => log.show(Kind::Plain, &command.data),
                // Debug lines are hidden, and an end of a group shows nothing.
                _ => {}
            }
        }
        log
    }

    fn show(&mut self, kind: Kind, text: &str) {
        let text = self.mask(text);
        self.lines.push(Line { kind, text });
    }

    /// The text without the values that were masked so far.
    pub fn mask(&self, text: &str) -> String {
        let values = self.masks.iter().filter(|mask| !mask.is_empty());
        values.fold(text.to_owned(), |text, mask| text.replace(mask, "***"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_sees_what_the_runner_shows() {
        let log = Log::read(
            "hello s3cret\n::add-mask::s3cret\nhello s3cret\n::debug::hidden\n::group::Title\n\
             in it\n::endgroup::\n::warning::100%25 s3cret%0Anext\n::error title=T::bad\n",
        );
        let shown: Vec<(Kind, &str)> = log
            .lines
            .iter()
            .map(|line| (line.kind, line.text.as_str()))
            .collect();
        assert_eq!(
            shown,
            [
                // A mask acts from where it stands.
                (Kind::Plain, "hello s3cret"),
                (Kind::Plain, "hello ***"),
                (Kind::Plain, "Title"),
                (Kind::Plain, "in it"),
                (Kind::Warning, "100% ***\nnext"),
                (Kind::Error, "bad"),
            ]
        );
        assert_eq!(log.masks, ["s3cret"]);
    }
}
