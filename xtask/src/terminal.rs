//! Colour, where a person looks at it.

use std::{
    fmt::{self, Display},
    io::{IsTerminal as _, stdout},
};

/// Whether standard output takes colour, asked once.
#[derive(Clone, Copy)]
pub struct Style {
    colour: bool,
}

impl Style {
    /// Colour on a terminal, unless it is a dumb one or the person wants none.
    ///
    /// See <https://no-color.org>.
    pub fn of_stdout() -> Self {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self {
            colour: stdout().is_terminal() && !set("NO_COLOR") && !dumb,
        }
    }

    /// No colour.
    #[cfg(test)]
    pub fn plain() -> Self {
        Self { colour: false }
    }

    /// A heading.
    pub fn bold<T: Display>(self, text: T) -> Painted<T> {
        self.paint("1", text)
    }

    /// What matters less.
    pub fn dim<T: Display>(self, text: T) -> Painted<T> {
        self.paint("2", text)
    }

    /// A name or a place.
    pub fn cyan<T: Display>(self, text: T) -> Painted<T> {
        self.paint("36", text)
    }

    /// Good.
    pub fn green<T: Display>(self, text: T) -> Painted<T> {
        self.paint("32", text)
    }

    /// Odd.
    pub fn yellow<T: Display>(self, text: T) -> Painted<T> {
        self.paint("33", text)
    }

    /// Bad.
    pub fn red<T: Display>(self, text: T) -> Painted<T> {
        self.paint("31", text)
    }

    fn paint<T: Display>(self, code: &'static str, text: T) -> Painted<T> {
        Painted {
            code: self.colour.then_some(code),
            text,
        }
    }
}

/// Text with its colour. Width and alignment count the text alone.
pub struct Painted<T> {
    code: Option<&'static str>,
    text: T,
}

impl<T: Display> Display for Painted<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            None => self.text.fmt(formatter),
            Some(code) => {
                write!(formatter, "\x1b[{code}m")?;
                self.text.fmt(formatter)?;
                formatter.write_str("\x1b[0m")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_does_not_count_towards_the_width() {
        let colour = Style { colour: true };
        assert_eq!(
            format!("{:>4}|", colour.green("ok")),
            "\x1b[32m  ok\x1b[0m|"
        );
        assert_eq!(format!("{:>4}|", Style::plain().green("ok")), "  ok|");
    }
}
