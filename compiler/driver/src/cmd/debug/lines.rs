//! The lines of a session at the prompt: from an editor on a terminal, else from standard input.

use super::PROMPT;
use crate::host::{Host, Stop};

/// Bytes of a line that is read.
const LINE: usize = 1 << 16;

/// Where lines come from.
pub(super) enum Lines {
    Editor(Box<rustyline::DefaultEditor>),
    Plain,
}

impl Lines {
    pub(super) fn new(host: &Host<'_>) -> Lines {
        let editor = host.in_is_terminal.then(rustyline::DefaultEditor::new);
        match editor {
            Some(Ok(editor)) => Lines::Editor(Box::new(editor)),
            Some(Err(_)) | None => Lines::Plain,
        }
    }

    /// The next line; none at the end.
    pub(super) fn next(&mut self, host: &mut Host<'_>) -> Result<Option<String>, Stop> {
        match self {
            Lines::Editor(editor) => loop {
                match editor.readline(PROMPT) {
                    Ok(line) => {
                        // A line that is not remembered does no harm.
                        let _ = editor.add_history_entry(&line);
                        return Ok(Some(line));
                    }
                    Err(rustyline::error::ReadlineError::Interrupted) => {}
                    Err(_) => return Ok(None),
                }
            },
            Lines::Plain => {
                let line = read_line(host);
                if let Some(line) = &line {
                    host.print(&format!("{PROMPT}{line}\n"))?;
                }
                Ok(line)
            }
        }
    }
}

/// A line of standard input without its end; none when it ends.
fn read_line(host: &mut Host<'_>) -> Option<String> {
    let mut line = Vec::new();
    let mut byte = [0];
    while line.len() < LINE {
        match host.input.read(&mut byte) {
            Ok(1..) if byte[0] == b'\n' => break,
            Ok(1..) => line.push(byte[0]),
            Ok(0) | Err(_) if line.is_empty() => return None,
            Ok(0) | Err(_) => break,
        }
    }
    Some(String::from_utf8_lossy(&line).trim_end().to_owned())
}
