//! Assembly texts and object files to objects, with findings where they are none.

use diag::{Diagnostic, FileId, SourceMap};
use isa::object::Object;

use crate::errors;
use crate::session::Session;

/// Assembles a text.
pub(crate) fn assemble(file: FileId, sources: &SourceMap) -> Result<Object, Vec<Diagnostic>> {
    isa::asm::assemble(sources.text(file))
        .map_err(|found| found.iter().map(|e| errors::asm::line(file, e)).collect())
}

/// Reads an object file.
pub(crate) fn read_object(path: &str, session: &mut Session<'_, '_>) -> Result<Object, Diagnostic> {
    let bytes = session.read_bytes(path)?;
    Object::read(&bytes).map_err(|e| errors::asm::bad_object(path, &e))
}
