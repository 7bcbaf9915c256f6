//! Commands behind the lenses: run a kernel, show a level of it. The answer is text for the client to show.

use lsp_types::ExecuteCommandParams;
use serde_json::{Value, json};

use crate::Level;
use crate::server::dispatch::Refused;
use crate::server::state::State;

/// Runs a kernel in the emulator.
pub(crate) const RUN: &str = "vinci.run";
/// Shows a kernel's tile form.
pub(crate) const SHOW_TILE: &str = "vinci.showTile";
/// Shows a kernel's assembly.
pub(crate) const SHOW_ASSEMBLY: &str = "vinci.showAssembly";
/// All of them.
pub(crate) const NAMES: [&str; 3] = [RUN, SHOW_TILE, SHOW_ASSEMBLY];

/// Arguments are the document's address and the kernel's name.
pub(crate) fn execute(
    state: &mut State,
    params: ExecuteCommandParams,
) -> Result<Option<Value>, Refused> {
    let mut words = params
        .arguments
        .iter()
        .map(|argument| argument.as_str().unwrap_or_default());
    let (uri, kernel) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    let document = state
        .documents
        .get(uri)
        .ok_or_else(|| Refused::new(format!("`{uri}` is not open")))?;
    let source = state.source(document);
    let (language, answer) = match params.command.as_str() {
        RUN => ("text", state.toolchain.run(&source, kernel)),
        SHOW_TILE => (
            "vinci-tile",
            state.toolchain.show(&source, kernel, Level::Tile),
        ),
        SHOW_ASSEMBLY => (
            "vinci-asm",
            state.toolchain.show(&source, kernel, Level::Assembly),
        ),
        other => return Err(Refused::new(format!("`{other}` is no command"))),
    };
    let text = answer.map_err(Refused::new)?;
    Ok(Some(json!({ "language": language, "text": text })))
}
