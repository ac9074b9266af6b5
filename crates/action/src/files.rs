//! The files through which a step hands values on: `GITHUB_OUTPUT` and `GITHUB_STATE`.
//!
//! Each entry is written as `NAME<<DELIMITER`, the value, `DELIMITER`, which the runner takes for any
//! value; the delimiter is random, so that no value can hold it and end its own entry.

use app_token::error::{Error, Result, problem};
use app_token::host::Host;

/// One of the runner's files.
pub struct RunnerFile<'a> {
    host: &'a Host,
    variable: &'static str,
    path: String,
}

/// Random bytes in a delimiter.
const DELIMITER_BYTES: usize = 16;

impl<'a> RunnerFile<'a> {
    /// The file that `variable` names; it must be there and take what is written.
    ///
    /// # Errors
    /// [`problem::RUNNER_FILE_UNWRITABLE`].
    pub fn open(host: &'a Host, variable: &'static str) -> Result<Self> {
        let path = host.env.var(variable).ok_or_else(|| {
            Error::new(&problem::RUNNER_FILE_UNWRITABLE, "the variable is not set").at(variable)
        })?;
        let file = Self {
            host,
            variable,
            path,
        };
        file.append("")?;
        Ok(file)
    }

    /// Adds these entries, in one piece.
    ///
    /// # Errors
    /// [`problem::VALUE_MULTILINE`] for a value with a line break: none of ours has one, so it was put
    /// there. [`problem::RUNNER_FILE_UNWRITABLE`].
    pub fn write(&self, entries: &[(&str, &str)]) -> Result<()> {
        let mut bytes = [0; DELIMITER_BYTES];
        self.host.random.fill(&mut bytes);
        let delimiter: String = ["delimiter_".to_owned()]
            .into_iter()
            .chain(bytes.iter().map(|byte| format!("{byte:02x}")))
            .collect();
        let mut text = zeroize::Zeroizing::new(String::new());
        for (name, value) in entries {
            if value.contains(['\n', '\r']) || value.contains(&delimiter) {
                return Err(Error::new(&problem::VALUE_MULTILINE, *name).at(self.variable));
            }
            for part in [*name, "<<", &delimiter, "\n", value, "\n", &delimiter, "\n"] {
                text.push_str(part);
            }
        }
        self.append(&text)
    }

    fn append(&self, text: &str) -> Result<()> {
        self.host.files.append(&self.path, text).map_err(|error| {
            Error::new(
                &problem::RUNNER_FILE_UNWRITABLE,
                app_token::error::words(&error.0),
            )
            .at(self.variable)
        })
    }
}
