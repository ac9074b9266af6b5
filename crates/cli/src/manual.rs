//! `completions` and `man`: what a shell and man(1) want, made from the same description as the help.

use crate::args::{Cli, Completions, Man};
use crate::{Status, output, problem};
use app_token::error::{Error, Result};
use clap::CommandFactory;
use std::process::ExitCode;

pub fn completions(args: &Completions) -> Status {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "app-token", &mut text);
    output::write_page(&String::from_utf8_lossy(&text))?;
    Ok(ExitCode::SUCCESS)
}

pub fn man(args: &Man) -> Status {
    let failed = |error: std::io::Error| Error::new(&problem::OUTPUT_FAILED, error.to_string());
    match &args.out {
        None => output::write_page(&page(Cli::command())?)?,
        Some(folder) => {
            std::fs::create_dir_all(folder).map_err(failed)?;
            clap_mangen::generate_to(Cli::command(), folder).map_err(failed)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn page(command: clap::Command) -> Result<String> {
    let mut text = Vec::new();
    clap_mangen::Man::new(command)
        .render(&mut text)
        .map_err(|error| Error::new(&problem::OUTPUT_FAILED, error.to_string()))?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}
