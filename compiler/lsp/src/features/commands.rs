//! Commands behind the lenses: run a kernel, show a level of it. The answer is text for the client to show.

use std::path::PathBuf;
use std::sync::Arc;

use lsp_server::RequestId;
use lsp_types::ExecuteCommandParams;
use serde_json::json;

use crate::server::dispatch::Refused;
use crate::server::state::State;
use crate::{Level, Source};

/// Runs a kernel in the emulator.
pub(crate) const RUN: &str = "vinci.run";
/// Shows a kernel's tile form.
pub(crate) const SHOW_TILE: &str = "vinci.showTile";
/// Shows a kernel's assembly.
pub(crate) const SHOW_ASSEMBLY: &str = "vinci.showAssembly";
/// Says why a kernel is cut as it is.
pub(crate) const EXPLAIN_SCHEDULE: &str = "vinci.explainSchedule";
/// All of them.
pub(crate) const NAMES: [&str; 4] = [RUN, SHOW_TILE, SHOW_ASSEMBLY, EXPLAIN_SCHEDULE];

/// Arguments are the document's address and the kernel's name. A thread works on it.
pub(crate) fn execute(
    state: &mut State,
    id: RequestId,
    params: ExecuteCommandParams,
) -> Result<(), Refused> {
    let mut words = params
        .arguments
        .iter()
        .map(|argument| argument.as_str().unwrap_or_default());
    let (uri, kernel) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default().to_owned(),
    );
    let (language, title) = match params.command.as_str() {
        RUN => ("text", "running"),
        SHOW_TILE => ("vinci-tile", "compiling"),
        SHOW_ASSEMBLY => ("vinci-asm", "compiling"),
        EXPLAIN_SCHEDULE => ("vinci", "compiling"),
        other => return Err(Refused::new(format!("`{other}` is no command"))),
    };
    let document = state
        .documents
        .get(uri)
        .ok_or_else(|| Refused::new(format!("`{uri}` is not open")))?;
    let job = Job::of(&state.source(document));
    let toolchain = Arc::clone(&state.toolchain);
    let own = params.work_done_progress_params.work_done_token;
    let own = own.and_then(|token| serde_json::to_value(token).ok());
    let token = state.begin_progress(own, &id, &format!("{title} {kernel}"));
    state.background.start(id, token, move || {
        let source = job.source();
        let answer = match language {
            "text" => toolchain.run(&source, &kernel),
            "vinci" => toolchain.show(&source, &kernel, Level::Schedule),
            "vinci-tile" => toolchain.show(&source, &kernel, Level::Tile),
            _ => toolchain.show(&source, &kernel, Level::Assembly),
        };
        let text = answer.map_err(Refused::new)?;
        Ok(json!({ "language": language, "text": text }))
    });
    Ok(())
}

/// A source that a thread can keep.
struct Job {
    path: PathBuf,
    text: String,
    target: Option<String>,
    sizes: Vec<String>,
}

impl Job {
    fn of(source: &Source<'_>) -> Job {
        Job {
            path: source.path.to_owned(),
            text: source.text.to_owned(),
            target: source.target.map(str::to_owned),
            sizes: source.sizes.to_vec(),
        }
    }

    fn source(&self) -> Source<'_> {
        Source {
            path: &self.path,
            text: &self.text,
            target: self.target.as_deref(),
            sizes: &self.sizes,
        }
    }
}
