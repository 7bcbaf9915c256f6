//! What the compiler knows, between the lines: types and sizes of definitions, cycles of kernels.

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
use crate::document::{Document, Form, MAIN};
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
    Ok(Some(hints))
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
    let slices = state.slices(document);
    let mut lenses = Vec::new();
    for (kernel, range) in kernels {
        let slice = slices.iter().find(|slice| slice.kernel == kernel);
        let cost = slice.and_then(|slice| state.costs.of(&key, slice));
        let run = match cost {
            Some((cost, true)) => format!("run in emulator · {}", cost_text(cost)),
            Some(_) | None => "run in emulator".to_owned(),
        };
        let arguments = vec![json!(key), json!(kernel)];
        let lens = |title: String, command: &str| CodeLens {
            range,
            command: Some(Command {
                title,
                command: command.to_owned(),
                arguments: Some(arguments.clone()),
            }),
            data: None,
        };
        lenses.push(lens(run, commands::RUN));
        // Each form shows those that it becomes.
        if document.form == Form::Kernel {
            lenses.push(lens("show tile form".to_owned(), commands::SHOW_TILE));
        }
        if document.form != Form::Assembly {
            lenses.push(lens("show assembly".to_owned(), commands::SHOW_ASSEMBLY));
        }
    }
    Ok(Some(lenses))
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
