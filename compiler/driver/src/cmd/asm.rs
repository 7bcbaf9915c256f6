//! `vinci asm`: a `.vasm` file to an object.

use crate::args::Asm;
use crate::files::{self, Form};
use crate::host::Stop;
use crate::session::Session;
use crate::{assembly, errors};

/// Assembles a file.
pub(crate) fn run(args: &Asm, session: &mut Session<'_, '_>) -> Result<(), Stop> {
    let file = session.read_text(&args.file)?;
    let object = assembly::assemble(file, &session.sources)?;
    let bytes = object
        .write()
        .map_err(|e| errors::asm::no_object(&args.file, &e))?;
    let output = args.output.clone();
    let output = output.unwrap_or_else(|| files::beside_nothing(&args.file, Form::Object));
    session.write_object(&output, &args.file, &bytes)
}
