//! The one place that writes for people: messages, errors and progress, all on standard error.
//!
//! Whatever was masked is replaced here, at the last moment, so that no path around it is left. Colour
//! is for terminals alone; `NO_COLOR` (<https://no-color.org>) and `--color` decide.

use app_token::error::Error;
use app_token::host::Log;
use app_token::secret::{Redactor, SHORTEST_SECRET};
use std::cell::{Cell, RefCell};
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// How much is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Errors and warnings alone.
    Quiet,
    /// What a person wants to know.
    Normal,
    /// Every request.
    Verbose,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Colour {
    /// On terminals, unless `NO_COLOR` is set or `TERM` is `dumb`
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// What a piece of text is, for its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// It went well.
    Good,
    /// It did not.
    Bad,
    /// It should be changed.
    Warn,
    /// A heading, or what matters in a line.
    Strong,
    /// Beside the point.
    Faint,
    /// What to do.
    Help,
}

impl Paint {
    const fn code(self) -> &'static str {
        match self {
            Self::Good => "32",
            Self::Bad => "1;31",
            Self::Warn => "1;33",
            Self::Strong => "1",
            Self::Faint => "2",
            Self::Help => "1;36",
        }
    }

    /// `text` in this colour, if there is any.
    pub fn on(self, coloured: bool, text: &str) -> String {
        if coloured {
            format!("\u{1b}[{}m{text}\u{1b}[0m", self.code())
        } else {
            text.to_owned()
        }
    }
}

/// Whether `stream` gets colour.
pub fn coloured(choice: Colour, stream_is_terminal: bool) -> bool {
    let unwanted = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    match choice {
        Colour::Always => true,
        Colour::Never => false,
        Colour::Auto => {
            stream_is_terminal
                && !unwanted("NO_COLOR")
                && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
        }
    }
}

/// The time after which something that still runs is told of.
const PATIENCE: Duration = Duration::from_secs(1);

const TURNING: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

/// Standard error.
pub struct Console {
    level: Level,
    coloured: bool,
    terminal: bool,
    masks: RefCell<Redactor>,
    task: RefCell<Option<Task>>,
    drawn: Cell<bool>,
}

struct Task {
    label: String,
    since: Instant,
    told: bool,
}

impl Console {
    /// Standard error, told so much, in such colour.
    pub fn new(level: Level, colour: Colour) -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self {
            level,
            coloured: coloured(colour, terminal),
            terminal,
            masks: RefCell::default(),
            task: RefCell::default(),
            drawn: Cell::new(false),
        }
    }

    /// `text` in this colour, if standard error has any.
    pub fn paint(&self, paint: Paint, text: &str) -> String {
        paint.on(self.coloured, text)
    }

    /// Writes lines, whatever the level.
    pub fn tell(&self, text: &str) {
        self.clear();
        let mut line = self.redacted(text);
        line.push('\n');
        // Nobody is left to tell that standard error is closed.
        let _ = std::io::stderr().lock().write_all(line.as_bytes());
    }

    /// Writes lines, unless it should be quiet.
    pub fn note(&self, text: &str) {
        if self.level >= Level::Normal {
            self.tell(text);
        }
    }

    /// Asks, and leaves the cursor after the question.
    pub fn ask(&self, question: &str) {
        self.clear();
        let _ = std::io::stderr()
            .lock()
            .write_all(self.redacted(question).as_bytes());
    }

    /// Writes an error: what happened, what led to it, what to do. `hint` stands in for the error's own.
    pub fn error(&self, error: &Error, hint: &str) {
        let mut text = format!("{} {error}", self.paint(Paint::Bad, "error:"));
        for cause in &error.causes {
            text.push_str(&format!(
                "\n{} {cause}",
                self.paint(Paint::Bad, "caused by:")
            ));
        }
        text.push_str(&format!("\n{} {hint}", self.paint(Paint::Help, "hint:")));
        self.tell(&text);
    }

    /// Everything masked is replaced.
    pub fn redacted(&self, text: &str) -> String {
        self.masks.borrow().redact(text)
    }

    /// From now on this is what is being done; `None` for nothing. It shows when it takes long.
    pub fn task(&self, label: Option<&str>) {
        self.clear();
        *self.task.borrow_mut() = label.map(|label| Task {
            label: label.to_owned(),
            since: Instant::now(),
            told: false,
        });
    }

    /// Shows the task that takes long: a turning sign on a terminal, one line elsewhere.
    pub fn tick(&self) {
        if self.level == Level::Quiet {
            return;
        }
        let text = {
            let mut task = self.task.borrow_mut();
            let Some(task) = task
                .as_mut()
                .filter(|task| task.since.elapsed() >= PATIENCE)
            else {
                return;
            };
            let elapsed = task.since.elapsed();
            if self.terminal {
                let turn = (elapsed.as_millis() / 100) as usize % TURNING.len();
                let sign = self.paint(Paint::Help, TURNING[turn]);
                let time = self.paint(Paint::Faint, &format!("{} s", elapsed.as_secs()));
                self.drawn.set(true);
                format!("\r\u{1b}[2K{sign} {} {time}", task.label)
            } else if task.told {
                return;
            } else {
                task.told = true;
                format!("{} ...\n", task.label)
            }
        };
        let mut stderr = std::io::stderr().lock();
        let _ = stderr.write_all(self.redacted(&text).as_bytes());
        let _ = stderr.flush();
    }

    /// Takes the progress away, if it shows.
    fn clear(&self) {
        if self.drawn.take() {
            let _ = std::io::stderr().lock().write_all(b"\r\x1b[2K");
        }
    }
}

impl Log for Console {
    fn info(&self, message: &str) {
        self.note(message);
    }

    fn warning(&self, message: &str) {
        self.tell(&format!(
            "{} {message}",
            self.paint(Paint::Warn, "warning:")
        ));
    }

    fn debug(&self, message: &str) {
        if self.level >= Level::Verbose {
            self.tell(&self.paint(Paint::Faint, &format!("debug: {message}")));
        }
    }

    fn mask(&self, value: &str) {
        let mut masks = self.masks.borrow_mut();
        for line in value.split(['\n', '\r']).map(str::trim) {
            if line.len() >= SHORTEST_SECRET {
                masks.add(line);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_hide_the_longest_first() {
        let console = Console::new(Level::Quiet, Colour::Never);
        for mask in ["", "abcd", "abcdef", "abcd", "\r\nlonger\n lines\n", "e"] {
            console.mask(mask);
        }
        assert_eq!(console.redacted("x abcdef abcd y"), "x *** *** y");
        assert_eq!(console.redacted("the longer\tlines"), "the ***\t***");
    }

    #[test]
    fn colour_is_only_added_where_wanted() {
        assert_eq!(Paint::Bad.on(true, "no"), "\u{1b}[1;31mno\u{1b}[0m");
        assert_eq!(Paint::Bad.on(false, "no"), "no");
        assert!(coloured(Colour::Always, false) && !coloured(Colour::Never, true));
    }
}
