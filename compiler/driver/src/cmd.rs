//! The commands, one file each: its arguments for clap and `run(args, session)`.
//!
//! A new command of `vinci` is a file in `cmd/` and a row in the table below; nothing else needs to know it.

pub(crate) mod asm;
pub(crate) mod bench;
pub(crate) mod check;
pub(crate) mod chips;
pub(crate) mod compile;
pub(crate) mod completions;
pub(crate) mod debug;
pub(crate) mod dis;
pub(crate) mod explain;
pub(crate) mod explain_schedule;
pub(crate) mod fix;
pub(crate) mod fmt;
pub(crate) mod isa;
pub(crate) mod ladder;
pub(crate) mod lsp;
pub(crate) mod man;
pub(crate) mod new;
pub(crate) mod profile;
pub(crate) mod run;
pub(crate) mod sweep;
pub(crate) mod test;
pub(crate) mod verify;

use clap::{ArgAction, Parser, Subcommand};

use crate::args::{ENVIRONMENT, Findings};
use crate::host::Stop;
use crate::session::Session;

/// Runs Vinci kernels in the emulator, and everything around it.
#[derive(Parser, Clone, Debug)]
#[command(
    name = "vinci",
    after_long_help = ENVIRONMENT,
    disable_version_flag = true,
    arg_required_else_help = false
)]
pub(crate) struct Vinci {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) findings: Findings,
    /// Prints the version
    #[arg(short = 'V', long)]
    pub(crate) version: bool,
    /// With -V: says more
    #[arg(short = 'v', long, action = ArgAction::Count)]
    pub(crate) verbose: u8,
}

/// The words after `vinci`: what `--help` says, the arguments, the file. They are listed in this order.
macro_rules! commands {
    ($(#[doc = $what:literal] $command:ident = $file:ident::$args:ident;)*) => {
        /// The commands of `vinci`.
        #[derive(Subcommand, Clone, Debug)]
        pub(crate) enum Command {
            $(#[doc = $what] $command(Box<$file::$args>),)*
        }

        impl Command {
            /// Runs the command.
            pub(crate) fn run(&self, session: &mut Session<'_, '_>) -> Result<(), Stop> {
                match self {
                    $(Command::$command(args) => $file::run(args, session),)*
                }
            }
        }
    };
}

commands! {
    #[doc = "Makes a folder with a kernel that runs and its test"]
    New = new::New;

    #[doc = "Compiles if needed, emulates, checks and reports"]
    Run = run::Run;

    #[doc = "Where the cycles went: waits of every pipe, critical path, what more of a resource would bring"]
    Profile = profile::ProfileArgs;

    #[doc = "Why these sizes: what was chosen, what binds, and what its neighbours would cost or lack"]
    ExplainSchedule = explain_schedule::ExplainSchedule;

    #[doc = "The same kernel from -O0 upwards, one decision a rung, and what each bought"]
    Ladder = ladder::Ladder;

    #[doc = "Runs a file step by step at a prompt"]
    Debug = debug::Debug;

    #[doc = "Proves that no order of execution changes a result, or shows one that does"]
    Verify = verify::Verify;

    #[doc = "Checks sources without generating code"]
    Check = check::Check;

    #[doc = "Applies the fixes that findings propose, where there is no doubt"]
    Fix = fix::Fix;

    #[doc = "Runs kernels at their shapes and against the arrays that they name"]
    Test = test::Test;

    #[doc = "Gives `.vn`, `.tile` and `.vasm` files their one layout"]
    Fmt = fmt::Fmt;

    #[doc = "Measures one kernel over chips, levels and shapes"]
    Sweep = sweep::Sweep;

    #[doc = "Measures kernels at their shapes, and compares with earlier measurements"]
    Bench = bench::Bench;

    #[doc = "Assembles a `.vasm` file to an object"]
    Asm = asm::Asm;

    #[doc = "Disassembles an object to a `.vasm` file"]
    Dis = dis::Dis;

    #[doc = "Lists the chips, or says everything about one"]
    Chips = chips::Chips;

    #[doc = "The instruction set, or the manual page of one instruction"]
    Isa = isa::Isa;

    #[doc = "Serves editors: the language server, on standard input and output"]
    Lsp = lsp::Lsp;

    #[doc = "Explains a code, for example E0304"]
    Explain = explain::Explain;

    #[doc = "Prints a script that completes command lines in a shell"]
    Completions = completions::Completions;

    #[doc = "Prints manual pages, or writes them to a folder"]
    Man = man::Man;
}
