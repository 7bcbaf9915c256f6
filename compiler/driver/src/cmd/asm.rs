//! `vinci asm`: a `.vasm` file to an object.

use crate::files::{self, Form};
use crate::host::Stop;
use crate::session::Session;
use crate::{assembly, errors};
use clap::Args;

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

/// Assembles a file.
pub(crate) fn run(args: &Asm, session: &mut Session<'_, '_>) -> Result<(), Stop> {
    Form::Assembly.demand(&args.file)?;
    let file = session.read_text(&args.file)?;
    let object = assembly::assemble(file, &session.sources)?;
    let bytes = object
        .write()
        .map_err(|e| errors::asm::no_object(&args.file, &e))?;
    let output = args.output.clone();
    let output = output.unwrap_or_else(|| files::beside_nothing(&args.file, Form::Object));
    session.write_object(&output, &args.file, &bytes)
}
