//! What the compiler knows, between the lines: types and sizes of definitions, cycles of kernels.

use std::collections::BTreeMap;
use std::ops::Range;

use frontend::ide::DefKind;
use lsp_types::{
    CodeLens, CodeLensParams, Command, InlayHint, InlayHintKind, InlayHintLabel, InlayHintParams,
    InlayHintTooltip,
};
use serde_json::json;
use syntax::ast::{ItemKind, StmtKind};

use super::{commands, diagnostics};
use crate::Cost;
use crate::document::{Document, Form, MAIN, Slice};
use crate::server::dispatch::Refused;
use crate::server::state::State;

/// Types of definitions that do not say them, sizes of indices that are bound without.
pub(crate) fn inlay(
    state: &mut State,
    params: InlayHintParams,
) -> Result<Option<Vec<InlayHint>>, Refused> {
    let key = params.text_document.uri.as_str().to_owned();
    let Some(document) = state.documents.get(&key) else {
        return Ok(None);
    };
    let bytes = document.lines.bytes(&document.text, params.range);
    let mut hints = costs(state, &key, &bytes);
    if let Some(document) = state.documents.get(&key)
        && document.form == Form::Kernel
    {
        types(state, document, &bytes, &mut hints);
    }
    if state.abilities.resolves_hints {
        for hint in &mut hints {
            hint.tooltip = None;
            hint.data = Some(json!(key));
        }
    }
    Ok(Some(hints))
}

/// The tooltip of a hint, for clients that ask for it when it is to be seen.
pub(crate) fn resolve(state: &mut State, mut hint: InlayHint) -> Result<InlayHint, Refused> {
    let key = hint.data.as_ref().and_then(|data| data.as_str());
    let Some(key) = key.map(str::to_owned) else {
        return Ok(hint);
    };
    let Some(document) = state.documents.get(&key) else {
        return Err(Refused::modified("the text is closed"));
    };
    let at = document.byte(hint.position) as usize;
    let bytes = at..at + 1;
    let mut all = costs(state, &key, &bytes);
    if let Some(document) = state.documents.get(&key)
        && document.form == Form::Kernel
    {
        types(state, document, &bytes, &mut all);
    }
    let label = |one: &InlayHint| match &one.label {
        InlayHintLabel::String(text) => text.clone(),
        InlayHintLabel::LabelParts(_) => String::new(),
    };
    let same = |one: &InlayHint| one.position == hint.position && label(one) == label(&hint);
    hint.tooltip = all.into_iter().find(same).and_then(|one| one.tooltip);
    Ok(hint)
}

/// What kernels take of the memories, and what their lines cost.
fn costs(state: &mut State, key: &str, bytes: &Range<usize>) -> Vec<InlayHint> {
    let mut hints = Vec::new();
    let Some(document) = state.documents.get(key) else {
        return hints;
    };
    let slices = state.slices(document).to_vec();
    for slice in &slices {
        let Some(document) = state.documents.get(key) else {
            return hints;
        };
        let place = document.range(slice.span).start;
        let cost = state.costs.of(key, slice).filter(|(_, fresh)| *fresh);
        if let Some((cost, _)) = cost
            && let Ok(cycles) = &cost.cycles
            && !cycles.memory.is_empty()
        {
            let text = format!(" {}", cycles.memory);
            let tooltip = format!("most at once, on one core; {}", cost_text(cost));
            hints.extend(at_end(document, place.line, bytes, text, tooltip));
        }
        // Lines only of what is looked at: each kernel is a run of its own.
        let near = slices.len() == 1 || state.is_near(key, slice);
        let byte = slice.span.start;
        let Some((start, slice, lines)) = near.then(|| state.lines(key, byte)).flatten() else {
            continue;
        };
        let Some(document) = state.documents.get(key) else {
            return hints;
        };
        // What is executed for the kernel as a whole stands at its head.
        for cost in lines.iter().filter(|cost| cost.path > 0) {
            if let Some(line) = slice.document_line(start, cost.line) {
                let pipe = cost.busy.first().map_or("", |(pipe, _)| pipe);
                let text = format!(" {} cycles · {pipe}", grouped(cost.path));
                let tooltip = super::hover::line_text(cost);
                hints.extend(at_end(document, line, bytes, text, tooltip));
            }
        }
    }
    hints
}

/// A hint behind a line of the document, if that is asked for.
fn at_end(
    document: &Document,
    line: u32,
    bytes: &Range<usize>,
    text: String,
    tooltip: String,
) -> Option<InlayHint> {
    let end = lsp_types::Position {
        line,
        character: u32::MAX,
    };
    let at = document.byte(end) as usize;
    let inside = bytes.start <= at && at <= bytes.end;
    inside.then(|| hint(document, at, text, tooltip, None))
}

/// Types of definitions that do not say them, sizes of indices that are bound without.
fn types(state: &State, document: &Document, bytes: &Range<usize>, hints: &mut Vec<InlayHint>) {
    let analysis = state.analysis(document);
    for item in &analysis.program.main.items {
        let ItemKind::Callable(callable) = &item.kind else {
            continue;
        };
        for stmt in &callable.body.stmts {
            let StmtKind::Let {
                name,
                indices,
                ty: None,
                ..
            } = &stmt.kind
            else {
                continue;
            };
            let Some(fact) = super::hover::known(analysis, name.span) else {
                continue;
            };
            // Behind the indices, or behind the name.
            let rest = document
                .text
                .get(name.span.end as usize..stmt.span.end as usize)
                .unwrap_or_default();
            let behind = if indices.is_some() {
                rest.find(']').map_or(0, |at| at + 1)
            } else {
                0
            };
            let at = name.span.end as usize + behind;
            if bytes.contains(&at) {
                let text = if indices.is_some() {
                    fact.elem.clone()
                } else {
                    fact.text()
                };
                hints.push(hint(
                    document,
                    at,
                    format!(": {text}"),
                    fact.text(),
                    Some(InlayHintKind::TYPE),
                ));
            }
        }
    }
}

fn hint(
    document: &Document,
    at: usize,
    label: String,
    tooltip: String,
    kind: Option<InlayHintKind>,
) -> InlayHint {
    InlayHint {
        position: document.lines.position(&document.text, at),
        label: InlayHintLabel::String(label),
        kind,
        text_edits: None,
        tooltip: Some(InlayHintTooltip::String(tooltip)),
        padding_left: Some(false),
        padding_right: Some(false),
        data: None,
    }
}

/// Above each kernel: run it (with its cycles, when they are known), show its tile form, show its assembly.
pub(crate) fn lenses(
    state: &mut State,
    params: CodeLensParams,
) -> Result<Option<Vec<CodeLens>>, Refused> {
    let key = params.text_document.uri.as_str().to_owned();
    let Some(document) = state.documents.get(&key) else {
        return Ok(None);
    };
    let kernels: Vec<(String, lsp_types::Range)> = match document.form {
        Form::Kernel => {
            let defs = state.analysis(document).names().defs.iter();
            let kernels = defs.filter(|d| d.kind == DefKind::Kernel && d.span.file == MAIN);
            kernels
                .map(|def| (def.name.clone(), document.range(def.span)))
                .collect()
        }
        Form::Tile | Form::Assembly => {
            let whole = document.whole().into_iter();
            whole
                .map(|slice| (slice.kernel.clone(), document.range(slice.span)))
                .collect()
        }
    };
    let found = diagnostics::findings(state, document);
    let right = !found.iter().any(diag::Diagnostic::is_error);
    if right && !kernels.is_empty() {
        state.time(&key);
    }
    let Some(document) = state.documents.get(&key) else {
        return Ok(None);
    };
    let form = document.form;
    let document_number = (kernels.len() > MOST_AT_ONCE).then(|| state.lens_number(&key));
    let Some(document) = state.documents.get(&key) else {
        return Ok(None);
    };
    let slices = state.slices(document).iter();
    let slices: BTreeMap<&str, &Slice> =
        slices.map(|slice| (slice.kernel.as_str(), slice)).collect();
    let mut lenses = Vec::new();
    for (kernel, range) in kernels {
        // Of a long text every kernel can be run, and the levels are shown of that under the cursor.
        let slice = slices.get(kernel.as_str()).copied();
        let near = slice.is_some_and(|slice| state.is_near(&key, slice));
        let whole = document_number.is_none() || near;
        let shown = |what: Lens| what.of(form) && (whole || what == Lens::Run);
        for (at, what) in LENSES.iter().enumerate().filter(|(_, what)| shown(**what)) {
            let data = document_number.map(|number| json!([number, at, kernel]));
            let command = data
                .is_none()
                .then(|| what.command(state, &key, &kernel, slice));
            lenses.push(CodeLens {
                range,
                command,
                data,
            });
        }
    }
    Ok(Some(lenses))
}

/// Kernels whose lenses are sent whole. Those of a longer text are made when they are to be seen.
const MOST_AT_ONCE: usize = 64;

/// A lens above each kernel.
#[derive(Copy, Clone, PartialEq, Eq)]
enum Lens {
    Run,
    Tile,
    Assembly,
}

const LENSES: [Lens; 3] = [Lens::Run, Lens::Tile, Lens::Assembly];

impl Lens {
    /// Whether texts of a form have it: each form shows those that it becomes.
    fn of(self, form: Form) -> bool {
        match self {
            Lens::Run => true,
            Lens::Tile => form == Form::Kernel,
            Lens::Assembly => form != Form::Assembly,
        }
    }

    fn command(self, state: &State, key: &str, kernel: &str, slice: Option<&Slice>) -> Command {
        let (title, command) = match self {
            Lens::Run => match slice.and_then(|slice| state.costs.of(key, slice)) {
                Some((cost, true)) => {
                    let title = format!("run in emulator · {}", cost_text(cost));
                    (title, commands::RUN)
                }
                Some(_) | None => ("run in emulator".to_owned(), commands::RUN),
            },
            Lens::Tile => ("show tile form".to_owned(), commands::SHOW_TILE),
            Lens::Assembly => ("show assembly".to_owned(), commands::SHOW_ASSEMBLY),
        };
        Command {
            title,
            command: command.to_owned(),
            arguments: Some(vec![json!(key), json!(kernel)]),
        }
    }
}

/// Gives a lens its command, for the clients' sake that see only a part of a long text.
pub(crate) fn resolve_lens(state: &mut State, mut lens: CodeLens) -> Result<CodeLens, Refused> {
    let data = lens.data.take();
    let number = |at: usize| {
        let number = data.as_ref()?.get(at)?.as_u64()?;
        usize::try_from(number).ok()
    };
    let kernel = data.as_ref().and_then(|data| data.get(2)?.as_str());
    let (Some(of), Some(what), Some(kernel)) = (number(0), number(1), kernel) else {
        return Ok(lens);
    };
    let gone = || Refused::modified("the text is closed");
    let key = state.lens_documents.get(of).ok_or_else(gone)?;
    let document = state.documents.get(key).ok_or_else(gone)?;
    let what = LENSES.get(what).ok_or_else(gone)?;
    let slices = state.slices(document).iter();
    let slice = slices.into_iter().find(|slice| slice.kernel == kernel);
    lens.command = Some(what.command(state, key, kernel, slice));
    Ok(lens)
}

/// `18 412 cycles · 71 % of bound · limited by hbm (M=64 K=64)`.
pub(crate) fn cost_text(cost: &Cost) -> String {
    match &cost.cycles {
        Ok(cycles) => {
            let text = format!(
                "{} cycles · {:.0} % of bound · limited by {}",
                grouped(cycles.cycles),
                cycles.reached * 100.0,
                cycles.bound,
            );
            match cost.sizes.as_str() {
                "" => text,
                sizes => format!("{text} ({sizes})"),
            }
        }
        Err(why) => why.clone(),
    }
}

/// A number in groups of three digits.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}
