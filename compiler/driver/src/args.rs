//! The command lines as clap reads them. Values are only text here; `session.rs` and the commands give them meaning.

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Shapes of findings.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ErrorFormat {
    /// Snippets for people
    #[default]
    Human,
    /// One line a finding
    Short,
    /// One JSON object a line, with rustc's keys
    Json,
}

/// When to colour findings.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On terminals, unless `NO_COLOR` is set
    #[default]
    Auto,
    /// Even into files
    Always,
    /// Not at all
    Never,
}

/// How findings are shown.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Findings {
    /// How to show what is wrong
    #[arg(
        long,
        value_name = "FORMAT",
        value_enum,
        default_value_t,
        global = true
    )]
    pub(crate) error_format: ErrorFormat,
    /// When to colour it
    #[arg(long, value_name = "WHEN", value_enum, default_value_t, global = true)]
    pub(crate) color: Color,
}

/// What decides the code of a kernel.
#[derive(Args, Clone, Debug)]
pub(crate) struct Compile {
    /// The chip, or a chip file; 910b2 if nothing is said
    #[arg(long, value_name = "NAME|FILE.toml")]
    pub(crate) target: Option<String>,
    /// Which kernel of the file
    #[arg(long, value_name = "NAME")]
    pub(crate) kernel: Option<String>,
    /// A size or an element type of the kernel; `NAME=?` leaves a size to the launch
    #[arg(short = 'D', value_name = "NAME=VALUE")]
    pub(crate) define: Vec<String>,
    /// Leaves every size that `-D` does not give to the launch
    #[arg(long)]
    pub(crate) dynamic: bool,
    /// Optimisation level: 0, 1 or 3; `-O` alone is 3
    #[arg(short = 'O', value_name = "LEVEL", overrides_with = "opt")]
    pub(crate) opt: Option<String>,
    /// Code generation option; `-C help` lists them
    #[arg(short = 'C', value_name = "KEY[=VALUE]")]
    pub(crate) codegen: Vec<String>,
    /// For compiler developers; `-Z help` lists them
    #[arg(short = 'Z', value_name = "KEY[=VALUE]")]
    pub(crate) unstable: Vec<String>,
}

/// Compiles Vinci kernels for modelled Ascend chips.
#[derive(Parser, Clone, Debug)]
#[command(
    name = "vincic",
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
    /// What to write: ast, algo, schedule, tile, memory, sync, asm, obj
    #[arg(long, value_name = "KIND[=PATH],…", value_delimiter = ',')]
    pub(crate) emit: Vec<String>,
    #[command(flatten)]
    pub(crate) compile: Compile,
    /// Explains a code, for example E0304
    #[arg(long, value_name = "CODE")]
    pub(crate) explain: Option<String>,
    /// Prints knowledge: target-list, chip, kernels, error-codes
    #[arg(long, value_name = "WHAT")]
    pub(crate) print: Option<String>,
    #[command(flatten)]
    pub(crate) findings: Findings,
    /// Prints the version
    #[arg(short = 'V', long)]
    pub(crate) version: bool,
    /// With -V: says more
    #[arg(short = 'v', long)]
    pub(crate) verbose: bool,
}

/// Runs Vinci kernels in the emulator, and everything around it.
#[derive(Parser, Clone, Debug)]
#[command(
    name = "vinci",
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
    #[arg(short = 'v', long)]
    pub(crate) verbose: bool,
}

/// The commands of `vinci`.
#[derive(Subcommand, Clone, Debug)]
pub(crate) enum Command {
    /// Compiles if needed, emulates, checks and reports
    Run(Box<Run>),
    /// Runs a file step by step at a prompt
    Debug(Box<Debug>),
    /// Checks sources without generating code
    Check(Check),
    /// Gives `.vn`, `.tile` and `.vasm` files their one layout
    Fmt(Fmt),
    /// Assembles a `.vasm` file to an object
    Asm(Asm),
    /// Disassembles an object to a `.vasm` file
    Dis(Dis),
    /// Lists the chips, or says everything about one
    Chips(Chips),
    /// The instruction set, or the manual page of one instruction
    Isa(Isa),
    /// Serves editors: the language server, on standard input and output
    Lsp,
    /// Explains a code, for example E0304
    Explain(Explain),
}

/// `vinci run`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Run {
    /// A `.vn`, `.tile`, `.vasm` or `.vo` file
    #[arg(value_name = "FILE")]
    pub(crate) file: String,
    #[command(flatten)]
    pub(crate) compile: Compile,
    /// An argument: an array file, or the value of a scalar; what is not given is drawn
    #[arg(
        long = "arg",
        value_name = "NAME=FILE.npy|VALUE",
        allow_hyphen_values = true
    )]
    pub(crate) args: Vec<String>,
    /// Writes a result to an array file
    #[arg(long = "out", value_name = "NAME=FILE.npy")]
    pub(crate) outs: Vec<String>,
    /// Compares with the reference evaluator; on when an argument is drawn
    #[arg(long)]
    pub(crate) check: bool,
    /// Tells the cycles without computing values; arguments are needed only if one of them decides the cycles
    #[arg(long, conflicts_with_all = ["check", "outs"])]
    pub(crate) timing_only: bool,
    /// The form of the report
    #[arg(long, value_name = "FORM", value_enum, default_value_t)]
    pub(crate) report: ReportForm,
    /// What drawn arguments depend on
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Host threads of the emulator; 0 takes all. Results do not depend on it
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub(crate) threads: usize,
    /// Instructions one core may execute before the run is called endless
    #[arg(long, value_name = "NUMBER", default_value_t = 1 << 27)]
    pub(crate) max_steps: u64,
    /// In which of the allowed orders instructions execute; the cycles are the same for all
    #[arg(
        long,
        value_name = "in-order|adversarial:SEED",
        default_value = "in-order"
    )]
    pub(crate) schedule: String,
    /// What to look for while emulating: all (mistakes), none, or some of uninit, hazards, flags; and nan, inf for the
    /// first such result, with stop to stop at it. Alone it means all
    #[arg(
        long,
        value_name = "WHAT,…",
        value_delimiter = ',',
        num_args = 0..,
        require_equals = true,
        default_missing_value = "all",
        default_value = "all"
    )]
    pub(crate) sanitize: Vec<String>,
}

/// `vinci debug`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Debug {
    /// A `.vn`, `.tile`, `.vasm` or `.vo` file
    #[arg(value_name = "FILE")]
    pub(crate) file: String,
    #[command(flatten)]
    pub(crate) compile: Compile,
    /// An argument: an array file, or the value of a scalar; what is not given is drawn
    #[arg(
        long = "arg",
        value_name = "NAME=FILE.npy|VALUE",
        allow_hyphen_values = true
    )]
    pub(crate) args: Vec<String>,
    /// What drawn arguments depend on
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Instructions one core may execute before the run is called endless
    #[arg(long, value_name = "NUMBER", default_value_t = 1 << 27)]
    pub(crate) max_steps: u64,
    /// In which of the allowed orders instructions execute
    #[arg(
        long,
        value_name = "in-order|adversarial:SEED",
        default_value = "in-order"
    )]
    pub(crate) schedule: String,
    /// What to look for, as for `vinci run`
    #[arg(
        long,
        value_name = "WHAT,…",
        value_delimiter = ',',
        num_args = 0..,
        require_equals = true,
        default_missing_value = "all",
        default_value = "all"
    )]
    pub(crate) sanitize: Vec<String>,
}

/// Forms of a report.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportForm {
    /// A table for people
    #[default]
    Text,
    /// One JSON object, schema 1
    Json,
}

/// `vinci check`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Check {
    /// `.vn`, `.tile` or `.vasm` files
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<String>,
}

/// `vinci fmt`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Fmt {
    /// `.vn`, `.tile` or `.vasm` files, folders of such, or `-` for a `.vn` text from standard input
    #[arg(value_name = "FILE|FOLDER", required = true)]
    pub(crate) files: Vec<String>,
    /// Writes nothing, shows what would change, and ends with status 1 if anything would
    #[arg(long)]
    pub(crate) check: bool,
}

/// `vinci asm`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Asm {
    /// A `.vasm` file, or `-`
    #[arg(value_name = "FILE")]
    pub(crate) file: String,
    /// The object; without it the file's name with `.vo` in this folder
    #[arg(short = 'o', value_name = "FILE")]
    pub(crate) output: Option<String>,
}

/// `vinci dis`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Dis {
    /// A `.vo` file
    #[arg(value_name = "FILE")]
    pub(crate) file: String,
    /// The assembly; without it standard output
    #[arg(short = 'o', value_name = "FILE")]
    pub(crate) output: Option<String>,
}

/// `vinci chips`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Chips {
    /// One of them, or a chip file
    #[arg(value_name = "NAME|FILE.toml")]
    pub(crate) name: Option<String>,
}

/// `vinci isa`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Isa {
    /// An instruction; without it the whole list
    #[arg(value_name = "MNEMONIC")]
    pub(crate) mnemonic: Option<String>,
}

/// `vinci explain`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Explain {
    /// The code
    #[arg(value_name = "CODE")]
    pub(crate) code: String,
}
