//! Assembly texts and object files to objects, with findings where they are none.

use diag::{Diagnostic, FileId, SourceMap};
use isa::object::{LineRow, Object};

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

/// Gives an object without line tables those of its own assembly text: each instruction is its own source.
pub(crate) fn add_lines(object: &mut Object, path: &str, sources: &SourceMap) {
    let text = sources.iter().find(|(_, source)| source.name == path);
    let (Some((_, source)), true) = (text, object.files.is_empty()) else {
        return;
    };
    let [cube, vector] = rows(&source.text);
    // Whoever counts otherwise than the assembler says nothing rather than something wrong.
    if cube.len() == object.aic.len() && vector.len() == object.aiv.len() {
        object.files = vec![path.to_owned()];
        (object.lines_aic, object.lines_aiv) = (cube, vector);
    }
}

/// The instructions of each section's text.
fn rows(text: &str) -> [Vec<LineRow>; 2] {
    let mut rows = [Vec::new(), Vec::new()];
    let mut section = None;
    let mut start = 0;
    for (raw, number) in text.split('\n').zip(1..) {
        let content = raw.split("//").next().unwrap_or_default();
        let trimmed = content.trim();
        let indent = content.len() - content.trim_start().len();
        match (trimmed, section) {
            (".aic", _) => section = Some(0),
            (".aiv", _) => section = Some(1),
            (word, Some(at)) if !is_instruction(word) => section = Some(at),
            (word, Some(at)) => {
                let list: &mut Vec<LineRow> = &mut rows[at];
                let begin = start + indent;
                list.push(LineRow {
                    pc: list.len() as u32,
                    file: 0,
                    line: number,
                    col: indent as u32 + 1,
                    byte_start: begin as u32,
                    byte_end: (begin + word.len()) as u32,
                });
            }
            (_, None) => {}
        }
        start += raw.len() + 1;
    }
    rows
}

/// Whether a line, trimmed, is neither empty nor a directive nor a label.
fn is_instruction(line: &str) -> bool {
    !(line.is_empty() || line.starts_with('.') || line.ends_with(':'))
}
