//! `vinci dis`: an object to the `.vasm` text that makes it again, byte for byte.

use isa::asm::disassemble;
use isa::chip::Chip;

use crate::args::Dis;
use crate::assembly;
use crate::host::Stop;
use crate::session::Session;

/// Disassembles a file.
pub(crate) fn run(args: &Dis, session: &mut Session<'_, '_>) -> Result<(), Stop> {
    let object = assembly::read_object(&args.file, session)?;
    let chip = Chip::builtin(&object.chip);
    let text = disassemble(&object, chip.as_ref());
    session.write(args.output.as_deref().unwrap_or("-"), text.as_bytes())
}
