//! Standard output as the runner reads it: workflow commands, and lines for people.
//!
//! See "Workflow commands for GitHub Actions" in GitHub's documentation, and `ActionCommand` in the
//! source of actions/runner. Whatever is printed passes through here, and whatever was masked before is
//! taken out of it: a server may repeat a secret in its answer.

use app_token::host::Log;
use app_token::secret::{Redactor, SHORTEST_SECRET};
use std::cell::RefCell;

/// The log of a job.
pub struct Commands<W> {
    write: W,
    debug: bool,
    secrets: RefCell<Redactor>,
}

impl<W: Fn(&str)> Commands<W> {
    /// Prints through `write`, which gets whole lines with their ends. Debug lines only if `debug`.
    pub fn new(write: W, debug: bool) -> Self {
        Self {
            write,
            debug,
            secrets: RefCell::default(),
        }
    }

    /// An error that ends the step.
    pub fn error(&self, title: &str, message: &str) {
        self.command("error", title, message);
    }

    /// A warning under a title.
    pub fn titled_warning(&self, title: &str, message: &str) {
        self.command("warning", title, message);
    }

    fn command(&self, name: &str, title: &str, message: &str) {
        let title = match title {
            "" => String::new(),
            title => format!(" title={}", property(&self.redacted(title))),
        };
        (self.write)(&format!(
            "::{name}{title}::{}\n",
            data(&self.redacted(message))
        ));
    }

    fn redacted(&self, message: &str) -> String {
        self.secrets.borrow().redact(message)
    }
}

impl<W: Fn(&str)> Log for Commands<W> {
    fn info(&self, message: &str) {
        // The runner reads a lone carriage return as the end of a line, too.
        let message = self.redacted(message);
        for line in message.split(['\n', '\r']).filter(|line| !line.is_empty()) {
            // The runner takes a line that starts with `::` for a command, and one that holds `##[`
            // anywhere.
            let guard = if line.trim_start().starts_with("::") {
                "> "
            } else {
                ""
            };
            (self.write)(&format!("{guard}{}\n", line.replace("##[", "## [")));
        }
    }

    fn warning(&self, message: &str) {
        self.command("warning", "", message);
    }

    fn debug(&self, message: &str) {
        if self.debug {
            self.command("debug", "", message);
        }
    }

    fn debugging(&self) -> bool {
        self.debug
    }

    fn mask(&self, value: &str) {
        // The runner masks line by line, and ends lines at a lone carriage return, too.
        for line in value
            .split(['\n', '\r'])
            .map(str::trim)
            .filter(|line| !line.is_empty())
        {
            let mut secrets = self.secrets.borrow_mut();
            if line.len() < SHORTEST_SECRET || secrets.add(line) {
                (self.write)(&format!("::add-mask::{}\n", data(line)));
            }
        }
    }
}

/// Escapes a command's text.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// Escapes a command's property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(debug: bool, use_it: impl FnOnce(&Commands<&dyn Fn(&str)>)) -> String {
        let output = RefCell::new(String::new());
        let write = |text: &str| output.borrow_mut().push_str(text);
        use_it(&Commands::new(&write, debug));
        output.into_inner()
    }

    #[test]
    fn commands_are_escaped() {
        let text = printed(false, |log| log.error("a:b,c%", "100%\r\nnext: x, y"));
        assert_eq!(text, "::error title=a%3Ab%2Cc%25::100%25%0D%0Anext: x, y\n");
    }

    #[test]
    fn nothing_that_is_told_becomes_a_command() {
        let text = printed(false, |log| {
            log.info("x\n::error::gotcha\n  ##[error]gotcha\ny\r::debug::gotcha\nz ##[error]gotcha")
        });
        assert_eq!(
            text,
            "x\n> ::error::gotcha\n  ## [error]gotcha\ny\n> ::debug::gotcha\nz ## [error]gotcha\n"
        );
    }

    #[test]
    fn what_was_masked_is_gone_from_everything_after() {
        let text = printed(true, |log| {
            log.mask("hunter2");
            log.mask("hunter2-and-more");
            log.mask("hunter2");
            log.mask("");
            log.info("it is hunter2-and-more");
            log.warning("hunter2!");
            log.debug("hunter2?");
            log.error("hunter2", "hunter2");
        });
        assert_eq!(
            text,
            "::add-mask::hunter2\n::add-mask::hunter2-and-more\nit is ***\n::warning::***!\n\
             ::debug::***?\n::error title=***::***\n"
        );
    }

    #[test]
    fn what_was_masked_is_gone_where_it_is_cut_off_too() {
        let text = printed(false, |log| {
            log.mask("eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJpYXQiOjE3.c2lnbmF0dXJl");
            log.error(
                "",
                "it starts \"eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJpYXQ\"",
            );
        });
        assert!(text.ends_with("\n::error::it starts \"***\"\n"), "{text}");
    }

    #[test]
    fn every_line_of_a_secret_is_masked() {
        assert_eq!(
            printed(false, |log| log.mask("one%\r\n two \n\nthree\rfour")),
            "::add-mask::one%25\n::add-mask::two\n::add-mask::three\n::add-mask::four\n"
        );
    }

    #[test]
    fn debug_lines_are_printed_under_debug_alone() {
        assert_eq!(printed(false, |log| log.debug("x")), "");
    }
}
