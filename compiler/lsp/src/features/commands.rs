//! Commands behind the lenses: run a kernel, show a level of it, write its schedule down. The answer is text for the client to
//! show; a client that does nothing with answers is told, shown or edited.

use std::path::PathBuf;
use std::sync::Arc;

use lsp_server::RequestId;
use lsp_types::{ExecuteCommandParams, MessageType};
use serde_json::{Value, json};

use super::{contents, navigate, refactor};
use crate::document::MAIN;
use crate::server::dispatch::Refused;
use crate::server::state::{Asked, State, uri_of};
use crate::{Level, Source};

/// Runs a kernel in the emulator.
pub(crate) const RUN: &str = "vinci.run";
/// Shows a kernel's tile form.
pub(crate) const SHOW_TILE: &str = "vinci.showTile";
/// Shows a kernel's assembly.
pub(crate) const SHOW_ASSEMBLY: &str = "vinci.showAssembly";
/// Says why a kernel is cut as it is.
pub(crate) const EXPLAIN_SCHEDULE: &str = "vinci.explainSchedule";
/// Writes the decisions about a kernel behind it.
pub(crate) const WRITE_SCHEDULE: &str = "vinci.writeSchedule";
/// All of them.
pub(crate) const NAMES: [&str; 5] = [
    RUN,
    SHOW_TILE,
    SHOW_ASSEMBLY,
    EXPLAIN_SCHEDULE,
    WRITE_SCHEDULE,
];

/// What is done when a command has its answer, beside giving it.
pub(crate) enum After {
    /// The client's user hears what came out.
    Tell,
    /// The text is shown.
    Show {
        uri: String,
        kernel: String,
        level: Level,
    },
    /// The text is put into the document.
    Put { uri: String, kernel: String },
}

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
    let level = match params.command.as_str() {
        RUN => None,
        SHOW_TILE => Some(Level::Tile),
        SHOW_ASSEMBLY => Some(Level::Assembly),
        EXPLAIN_SCHEDULE => Some(Level::Schedule),
        WRITE_SCHEDULE if state.abilities.applies => Some(Level::Decisions),
        WRITE_SCHEDULE => return Err(Refused::new("the client cannot be asked to edit texts")),
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
    let title = if level.is_none() {
        "running"
    } else {
        "compiling"
    };
    let token = state.begin_progress(own, &id, &format!("{title} {kernel}"));
    let after = after(level, uri, &kernel);
    state.background.start_then(id, token, after, move || {
        let source = job.source();
        let answer = match level {
            None => toolchain.run(&source, &kernel),
            Some(level) => toolchain.show(&source, &kernel, level),
        };
        let text = answer.map_err(Refused::new)?;
        Ok(json!({ "language": language(level), "text": text }))
    });
    Ok(())
}

/// The client's name of the language of an answer.
fn language(level: Option<Level>) -> &'static str {
    match level {
        None => "text",
        Some(Level::Tile) => "vinci-tile",
        Some(Level::Assembly) => "vinci-asm",
        Some(Level::Schedule | Level::Decisions) => "vinci",
    }
}

fn after(level: Option<Level>, uri: &str, kernel: &str) -> After {
    let (uri, kernel) = (uri.to_owned(), kernel.to_owned());
    match level {
        None => After::Tell,
        Some(Level::Decisions) => After::Put { uri, kernel },
        Some(level @ (Level::Tile | Level::Assembly | Level::Schedule)) => {
            After::Show { uri, kernel, level }
        }
    }
}

/// Does what is left to do when a command has its answer.
pub(crate) fn follow(state: &mut State, after: After, answer: &Value) {
    let text = answer["text"].as_str().unwrap_or_default();
    match after {
        After::Tell => {
            let lines = text.lines().filter(|line| !line.is_empty());
            let lines: Vec<&str> = lines.take(TOLD).collect();
            state.tell(MessageType::INFO, &lines.join("\n"));
        }
        After::Show { uri, kernel, level } => show(state, &uri, &kernel, level, text),
        After::Put { uri, kernel } => put(state, &uri, &kernel, text),
    }
}

/// Lines of a report that a user hears of.
const TOLD: usize = 3;

/// Has the client show a level: under an address of its own, or as a file beside those of the library.
fn show(state: &mut State, uri: &str, kernel: &str, level: Level, text: &str) {
    if !state.shows() {
        return;
    }
    let address = if state.abilities.contents {
        let address = contents::address(uri, kernel, level);
        state.virtual_texts.insert(address.clone());
        Some(address)
    } else {
        let folder = state.toolchain.library_folder();
        let name = format!("{kernel}.{}", contents::extension(level));
        let path = folder.map(|folder| folder.join("shown").join(name));
        let path = path.filter(|path| navigate::laid_down(path, text).is_some());
        path.and_then(|path| uri_of(&path))
            .map(|uri| uri.to_string())
    };
    if let Some(address) = address {
        let params = json!({ "uri": address, "takeFocus": false });
        state.ask("window/showDocument", params, Asked::Other);
    }
}

/// Has the client put a schedule behind its kernel; in the place of one that is there only after asking.
fn put(state: &mut State, uri: &str, kernel: &str, schedule: &str) {
    let Some(document) = state.documents.get(uri) else {
        return;
    };
    let file = &state.analysis(document).program.main;
    let parsed = syntax::parse_kernel(MAIN, schedule).file;
    let target = refactor::target(&parsed).unwrap_or_default();
    if refactor::schedule_for(file, kernel, &target).is_none() {
        return replace(state, uri, kernel, schedule, &target);
    }
    let message = format!("`{kernel}` has a schedule for {target}");
    let actions = json!([{ "title": REPLACE }, { "title": "Keep" }]);
    let params = json!({ "type": MessageType::INFO, "message": message, "actions": actions });
    let asked = Asked::Replace {
        uri: uri.to_owned(),
        kernel: kernel.to_owned(),
        schedule: schedule.to_owned(),
    };
    state.ask("window/showMessageRequest", params, asked);
}

/// What a user chooses who wants the new schedule.
const REPLACE: &str = "Replace";

/// The user has chosen.
pub(crate) fn chosen(state: &mut State, answer: &Value, uri: &str, kernel: &str, schedule: &str) {
    if answer["title"] == REPLACE {
        let parsed = syntax::parse_kernel(MAIN, schedule).file;
        let target = refactor::target(&parsed).unwrap_or_default();
        replace(state, uri, kernel, schedule, &target);
    }
}

fn replace(state: &mut State, uri: &str, kernel: &str, schedule: &str, target: &str) {
    let Some(document) = state.documents.get(uri) else {
        return;
    };
    let file = &state.analysis(document).program.main;
    let old = refactor::schedule_for(file, kernel, target);
    if let Some(edit) = refactor::put_schedule(state, document, kernel, schedule, old) {
        let label = format!("the schedule of {kernel}");
        let params = json!({ "label": label, "edit": edit });
        state.ask("workspace/applyEdit", params, Asked::Other);
    }
}

/// A source that a thread can keep.
pub(crate) struct Job {
    path: PathBuf,
    text: String,
    target: Option<String>,
    sizes: Vec<String>,
}

impl Job {
    pub(crate) fn of(source: &Source<'_>) -> Job {
        Job {
            path: source.path.to_owned(),
            text: source.text.to_owned(),
            target: source.target.map(str::to_owned),
            sizes: source.sizes.to_vec(),
        }
    }

    pub(crate) fn source(&self) -> Source<'_> {
        Source {
            path: &self.path,
            text: &self.text,
            target: self.target.as_deref(),
            sizes: &self.sizes,
        }
    }
}
