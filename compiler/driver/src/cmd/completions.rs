//! `vinci completions`: scripts that complete our command lines in a shell, made from the same definition as `--help`.

use clap::{Args, CommandFactory, ValueEnum};
use clap_complete::{Shell, generate};

use super::Vinci;
use super::compile::Vincic;
use crate::host::Stop;
use crate::session::Session;

/// `vinci completions`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_name = "SHELL", value_enum)]
    pub(crate) shell: Shell,
    /// The command that is completed
    #[arg(long = "for", value_name = "COMMAND", value_enum, default_value_t)]
    pub(crate) command: Binary,
}

/// Our commands.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Binary {
    /// Everything around the compiler
    #[default]
    Vinci,
    /// The compiler
    Vincic,
}

impl Binary {
    /// Its name and its definition.
    pub(super) fn definition(self) -> (&'static str, clap::Command) {
        match self {
            Binary::Vinci => ("vinci", Vinci::command()),
            Binary::Vincic => ("vincic", Vincic::command()),
        }
    }
}

/// Prints the script.
pub(crate) fn run(args: &Completions, session: &mut Session<'_, '_>) -> Result<(), Stop> {
    let (name, mut definition) = args.command.definition();
    let mut script = Vec::new();
    generate(args.shell, &mut definition, name, &mut script);
    session.host.print_bytes(&script)
}
