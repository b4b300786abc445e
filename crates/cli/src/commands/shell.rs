//! `floodmark completions` and `floodmark man`.

use anyhow::Result;
use clap::CommandFactory;

use crate::args::Cli;
use crate::{Outcome, out};

pub(crate) fn completions(shell: clap_complete::Shell) -> Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "floodmark", &mut script);
    out::print(&String::from_utf8_lossy(&script))?;
    Ok(Outcome::Done)
}

pub(crate) fn man() -> Result<Outcome> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut page)?;
    out::print(&String::from_utf8_lossy(&page))?;
    Ok(Outcome::Done)
}
