//! `vinci dis`: an object to the `.vasm` text that makes it again, byte for byte.

use clap::Args;
use isa::asm::disassemble;
use isa::chip::Chip;

use crate::assembly;
use crate::files::Form;
use crate::host::Stop;
use crate::session::Session;

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

/// Disassembles a file.
pub(crate) fn run(args: &Dis, session: &mut Session<'_, '_>) -> Result<(), Stop> {
    Form::Object.demand(&args.file)?;
    let object = assembly::read_object(&args.file, session)?;
    let chip = Chip::builtin(&object.chip);
    let text = disassemble(&object, chip.as_ref());
    session.write(args.output.as_deref().unwrap_or("-"), text.as_bytes())
}
