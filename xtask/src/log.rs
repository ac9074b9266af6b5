//! The log of a step as GitHub's page shows it: commands carried out, masked values hidden.

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
        for line in stdout.lines() {
            match command(line) {
                None => log.show(Kind::Plain, line),
                Some(("add-mask", value)) => log.masks.push(unescape(value)),
                Some(("notice", text)) => log.show(Kind::Notice, &unescape(text)),
                Some(("warning", text)) => log.show(Kind::Warning, &unescape(text)),
                Some(("error", text)) => log.show(Kind::Error, &unescape(text)),
                Some(("group", title)) => log.show(Kind::Plain, &unescape(title)),
                // Debug lines are hidden, and an end of a group shows nothing.
                Some(_) => {}
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

/// A workflow command's name and data.
fn command(line: &str) -> Option<(&str, &str)> {
    let (command, data) = line.strip_prefix("::")?.split_once("::")?;
    Some((command.split(' ').next().unwrap_or(command), data))
}

fn unescape(data: &str) -> String {
    data.replace("%0D", "\r")
        .replace("%0A", "\n")
        .replace("%25", "%")
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
