//! The command line of `vincic`.

use clap::{ArgAction, Parser};

use crate::args::{Compile, ENVIRONMENT, Findings, ReportForm};

/// Compiles Vinci kernels for modelled Ascend chips.
#[derive(Parser, Clone, Debug)]
#[command(
    name = "vincic",
    after_long_help = ENVIRONMENT,
    disable_version_flag = true,
    arg_required_else_help = false
)]
pub(crate) struct Vincic {
    /// A `.vn`, `.tile` or `.vasm` file, or `-` for standard input (as `.vn`)
    #[arg(value_name = "INPUT")]
    pub(crate) input: Vec<String>,
    /// Where the output goes; `-` is standard output
    #[arg(short = 'o', value_name = "FILE")]
    pub(crate) output: Option<String>,
    /// The folder that outputs without a path go to
    #[arg(long, value_name = "DIR")]
    pub(crate) out_dir: Option<String>,
    /// What to write: ast, algo, schedule, tile, memory, sync, asm, obj, remarks, dep-info; `--emit help` lists them
    #[arg(long, value_name = "KIND[=PATH],…", value_delimiter = ',')]
    pub(crate) emit: Vec<String>,
    #[command(flatten)]
    pub(crate) compile: Compile,
    /// Names a path otherwise in findings and line tables, so that objects do not tell where they were built
    #[arg(long, value_name = "FROM=TO")]
    pub(crate) remap_path_prefix: Vec<String>,
    /// Explains a code, for example E0304
    #[arg(long, value_name = "CODE")]
    pub(crate) explain: Option<String>,
    /// Prints knowledge: target-list, chip, kernels, error-codes, lints and more; `--print help` lists it
    #[arg(long, value_name = "WHAT[=FILE]")]
    pub(crate) print: Option<String>,
    #[command(flatten)]
    pub(crate) findings: Findings,
    /// Prints the version
    #[arg(short = 'V', long)]
    pub(crate) version: bool,
    /// Says how long each phase took and how large each level is, on standard error
    #[arg(long, value_name = "FORM", value_enum)]
    pub(crate) stats: Option<ReportForm>,
    /// Says what was written; twice (`-vv`) also how long each phase took; with -V more about the version
    #[arg(short = 'v', long, action = ArgAction::Count)]
    pub(crate) verbose: u8,
}
