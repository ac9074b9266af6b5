//! `exec`: runs a command with a token, and revokes the token after, whatever happened.
//!
//! Signals are caught from before the mint to after the revocation. Until the command runs they end the
//! program within seconds, with the token revoked if there is one; while it runs they are passed on to it,
//! and its end decides.

use crate::args::Exec;
use crate::native::Native;
use crate::{Status, create, problem};
use app_token::error::Error;
use app_token::github::token::Revoked;
use std::cell::{Cell, RefCell};
use std::process::{Command, ExitCode, ExitStatus};

pub fn run(native: &Native, args: &Exec) -> Status {
    let mut signals = signals::Signals::new()?;
    let came = Cell::new(None);
    let made = {
        let signals = RefCell::new(&mut signals);
        let stopped = || {
            let before = came.get();
            came.set(before.or_else(|| signals.borrow_mut().arrived()));
            came.get().is_some()
        };
        create::make_unless(native, &args.token, &args.token.scope, false, stopped)
    };
    let made = match (made, came.get()) {
        (Ok(Some(made)), _) => made,
        (Ok(None), Some(signal)) => return Ok(ExitCode::from(ended_by(signal))),
        (Err(error), Some(signal)) => {
            native.host.log.warning(&error.to_string());
            return Ok(ExitCode::from(ended_by(signal)));
        }
        (Ok(None), None) => return Ok(ExitCode::FAILURE),
        (Err(error), None) => return Err(error),
    };
    create::tell(native, &made);
    let token = &made.minted.token.secret;
    let outcome = match came.get().or_else(|| signals.arrived()) {
        Some(signal) => Ok(ended_by(signal)),
        None => {
            let mut command = Command::new(&args.command[0]);
            command
                .args(&args.command[1..])
                .env("GH_TOKEN", token.expose())
                .env("GITHUB_TOKEN", token.expose());
            signals.run(&mut command).map(|status| code(&status))
        }
    };
    // Whatever it was that happened.
    match create::revoke(native, &made.order.api, token) {
        Ok(Revoked::Now) => native.host.log.info("The token is revoked."),
        Ok(Revoked::Before) => native
            .host
            .log
            .info("The token was revoked or expired already."),
        Err(error) => native.host.log.warning(&format!(
            "The token could not be revoked; it ends by itself at {}. {error}",
            made.minted.token.expires_at,
        )),
    }
    match outcome {
        Ok(code) => Ok(ExitCode::from(code)),
        Err(error) => {
            let name = args.command[0].to_string_lossy();
            let failed = Error::new(
                &problem::COMMAND_NOT_STARTED,
                format!("{}: {error}", app_token::error::words(&name)),
            );
            native.console.error(&failed, &problem::hint(&failed));
            Ok(ExitCode::from(match error.kind() {
                std::io::ErrorKind::NotFound => NOT_FOUND,
                _ => NOT_RUN,
            }))
        }
    }
}

/// The command could not be run, as shells say it.
const NOT_RUN: u8 = 126;
/// There is no such command, as shells say it.
const NOT_FOUND: u8 = 127;

/// The status that shells give a command that a signal ended.
fn ended_by(signal: i32) -> u8 {
    u8::try_from(128 + signal).unwrap_or(u8::MAX)
}

/// The command's status as this program's.
fn code(status: &ExitStatus) -> u8 {
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt;
        if let Some(signal) = status.signal() {
            return ended_by(signal);
        }
    }
    status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(1)
}

#[cfg(unix)]
mod signals {
    use app_token::error::{Error, Result, problem};
    use rustix::process::{Pid, Signal, getpgrp, kill_process};
    use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
    use std::process::{Child, Command, ExitStatus};

    /// What people and supervisors send.
    const PASSED_ON: [i32; 6] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2];

    pub struct Signals(signal_hook::iterator::Signals);

    impl Signals {
        pub fn new() -> Result<Self> {
            signal_hook::iterator::Signals::new(PASSED_ON.iter().chain(&[SIGCHLD]))
                .map(Self)
                .map_err(|error| Error::new(&problem::INTERNAL, format!("signals: {error}")))
        }

        /// A signal that came while no command was running.
        pub fn arrived(&mut self) -> Option<i32> {
            self.0.pending().find(|signal| PASSED_ON.contains(signal))
        }

        /// Runs the command to its end, passing signals on to it.
        pub fn run(&mut self, command: &mut Command) -> std::io::Result<ExitStatus> {
            let mut child = command.spawn()?;
            loop {
                if let Some(status) = child.try_wait()? {
                    return Ok(status);
                }
                // Its end is a signal too, and one that came before this line is still there.
                for signal in self.0.wait() {
                    if signal != SIGCHLD && !sent_by_the_terminal(signal) {
                        pass_on(&child, signal);
                    }
                }
            }
        }
    }

    /// A terminal sends these two to everybody in the foreground, so the command has got it already. To
    /// send it again would make one Ctrl-C two.
    fn sent_by_the_terminal(signal: i32) -> bool {
        (signal == SIGINT || signal == SIGQUIT)
            && std::fs::File::open("/dev/tty")
                .ok()
                .and_then(|terminal| rustix::termios::tcgetpgrp(terminal).ok())
                .is_some_and(|foreground| foreground == getpgrp())
    }

    fn pass_on(child: &Child, signal: i32) {
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        if let (Some(pid), Some(signal)) = (pid, Signal::from_named_raw(signal)) {
            // It may have ended in between.
            let _ = kill_process(pid, signal);
        }
    }
}

#[cfg(not(unix))]
mod signals {
    use app_token::error::Result;
    use std::process::{Command, ExitStatus};

    /// Consoles elsewhere send Ctrl-C to every process themselves.
    pub struct Signals;

    impl Signals {
        pub fn new() -> Result<Self> {
            Ok(Self)
        }

        pub fn arrived(&mut self) -> Option<i32> {
            None
        }

        pub fn run(&mut self, command: &mut Command) -> std::io::Result<ExitStatus> {
            command.spawn()?.wait()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn statuses_and_signals_become_what_shells_make_of_them() {
        use std::os::unix::process::ExitStatusExt;
        assert_eq!(code(&ExitStatus::from_raw(7 << 8)), 7);
        assert_eq!(code(&ExitStatus::from_raw(15)), 143);
        assert_eq!(ended_by(2), 130);
    }
}
