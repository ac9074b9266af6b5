//! Other programs, run to their end.

use std::{
    env,
    io::{self, Write as _},
    process::{Command, Stdio},
    thread,
};

use crate::error::{Failure, Result, fail};

/// The cargo that runs this program, so that one toolchain does everything.
///
/// `cargo xtask` has told this program about its own package. ring's build script looks at that, so that
/// cargo would compile it, and all that uses it, again with each change between here and a plain cargo.
pub fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(&name);
        }
    }
    cargo
}

/// Runs a command that prints to the terminal itself.
///
/// # Errors
/// When it cannot be started or does not end well.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .map_err(|error| not_started(command, &error))?;
    if status.success() {
        Ok(())
    } else {
        Err(fail(format!("`{}` failed ({status})", line(command))))
    }
}

/// Runs a command and gives back what it wrote to standard output.
///
/// # Errors
/// As [`run`], with what it wrote to standard error.
pub fn output(command: &mut Command) -> Result<Vec<u8>> {
    filter(command, b"")
}

/// Runs a command that reads `input` and gives back what it wrote to standard output.
///
/// # Errors
/// As [`output`].
pub fn filter(command: &mut Command, input: &[u8]) -> Result<Vec<u8>> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| not_started(command, &error))?;
    let stdin = child.stdin.take();
    let output = thread::scope(|scope| {
        // From a thread of its own: a pipe holds less than the input, and the output needs reading
        // meanwhile. A program that reads no further than it must is no error.
        scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(input)));
        child.wait_with_output()
    })
    .map_err(|error| not_started(command, &error))?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(fail(format!(
            "`{}` failed ({}): {}",
            line(command),
            output.status,
            String::from_utf8_lossy(&output.stderr).trim_end()
        )))
    }
}

/// How many bytes are left after `gzip -9`.
///
/// # Errors
/// When there is no gzip.
pub fn gzipped_size(contents: &[u8]) -> Result<usize> {
    let mut gzip = Command::new("gzip");
    gzip.args(["-9", "--no-name", "--stdout"]);
    filter(&mut gzip, contents).map(|small| small.len())
}

fn line(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|part| part.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

fn not_started(command: &Command, error: &io::Error) -> Failure {
    fail(format!("could not run `{}`: {error}", line(command)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_takes_and_gives_more_than_a_pipe_holds() {
        let input = vec![b'x'; 1 << 20];
        assert_eq!(filter(&mut Command::new("cat"), &input).unwrap(), input);
        let size = gzipped_size(&input).unwrap();
        assert!((1_000..2_000).contains(&size), "{size}");
    }

    #[test]
    fn a_failure_carries_the_command_and_its_words() {
        let error = output(Command::new("git").args(["no-such-command"])).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("`git no-such-command` failed"), "{error}");
        assert!(error.contains("is not a git command"), "{error}");
        assert!(run(&mut Command::new("no-such-program-here")).is_err());
    }
}
