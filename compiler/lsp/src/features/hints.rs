//! What the compiler knows, between the lines: types and sizes of definitions, cycles of kernels.

use frontend::ide::DefKind;
use lsp_types::{
    CodeLens, CodeLensParams, Command, InlayHint, InlayHintKind, InlayHintLabel, InlayHintParams,
    InlayHintTooltip,
};
use serde_json::json;
use syntax::ast::{ItemKind, StmtKind};

use super::commands;
use crate::Cost;
use crate::document::{Document, Form, MAIN};
use crate::server::dispatch::Refused;
use crate::server::state::State;

/// Types of definitions that do not say them, sizes of indices that are bound without.
pub(crate) fn inlay(
    state: &mut State,
    params: InlayHintParams,
) -> Result<Option<Vec<InlayHint>>, Refused> {
    let Some(document) = state.document(&params.text_document.uri) else {
        return Ok(None);
    };
    if document.form != Form::Kernel {
        return Ok(Some(Vec::new()));
    }
    let analysis = state.analysis(document);
    let bytes = document.lines.bytes(&document.text, params.range);
    let mut hints = Vec::new();
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
                    InlayHintKind::TYPE,
                ));
            }
        }
    }
    Ok(Some(hints))
}

fn hint(
    document: &Document,
    at: usize,
    label: String,
    tooltip: String,
    kind: InlayHintKind,
) -> InlayHint {
    InlayHint {
        position: document.lines.position(&document.text, at),
        label: InlayHintLabel::String(label),
        kind: Some(kind),
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
    if document.form != Form::Kernel {
        return Ok(Some(Vec::new()));
    }
    let analysis = state.analysis(document);
    let kernels = analysis
        .names()
        .defs
        .iter()
        .filter(|def| def.kind == DefKind::Kernel && def.span.file == MAIN);
    let kernels: Vec<(String, lsp_types::Range)> = kernels
        .map(|def| (def.name.clone(), document.range(def.span)))
        .collect();
    let right = !analysis.diagnostics.iter().any(diag::Diagnostic::is_error);
    if right && !kernels.is_empty() {
        state.time(&key);
    }
    let Some(document) = state.documents.get(&key) else {
        return Ok(None);
    };
    let slices = state.analysis(document).slices();
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
        lenses.push(lens("show tile form".to_owned(), commands::SHOW_TILE));
        lenses.push(lens("show assembly".to_owned(), commands::SHOW_ASSEMBLY));
    }
    Ok(Some(lenses))
}

/// `18 412 cycles · 71 % of bound · limited by hbm (M=64 K=64)`.
pub(crate) fn cost_text(cost: &Cost) -> String {
    match &cost.cycles {
        Ok(cycles) => format!(
            "{} cycles · {:.0} % of bound · limited by {} ({})",
            grouped(cycles.cycles),
            cycles.reached * 100.0,
            cycles.bound,
            cost.sizes
        ),
        Err(why) => why.clone(),
    }
}

/// A number in groups of three digits.
fn grouped(number: u64) -> String {
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
