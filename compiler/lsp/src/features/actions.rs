//! Code actions: the fixes that diagnostics carry, and refactorings.

use diag::{Applicability, Diagnostic, Fix};
use lsp_types::{
    CodeAction, CodeActionKind, CodeActionOrCommand, CodeActionParams, CodeActionResponse, TextEdit,
};

use super::diagnostics::findings;
use super::refactor;
use crate::document::{Document, MAIN};
use crate::server::dispatch::Refused;
use crate::server::state::State;

pub(crate) fn actions(
    state: &mut State,
    params: CodeActionParams,
) -> Result<Option<CodeActionResponse>, Refused> {
    let Some(document) = state.document(&params.text_document.uri) else {
        return Ok(None);
    };
    let bytes = document.lines.bytes(&document.text, params.range);
    let wants = |kind: &CodeActionKind| {
        params
            .context
            .only
            .as_ref()
            .is_none_or(|only| only.iter().any(|one| covers(one, kind)))
    };
    let found = findings(state, document);
    let mut actions = Vec::new();
    if wants(&CodeActionKind::QUICKFIX) {
        let here = |found: &&Diagnostic| {
            let span = found.span().range();
            span.start <= bytes.end && bytes.start <= span.end
        };
        for (fix, found) in found
            .iter()
            .filter(here)
            .filter_map(|found| Some((found.fix.as_deref()?, found)))
        {
            actions.push(quick_fix(state, document, fix, found, &params));
        }
    }
    if wants(&CodeActionKind::SOURCE_FIX_ALL) {
        actions.extend(fix_all(state, document, &found));
    }
    actions.extend(refactor::actions(state, document, &bytes, &wants));
    Ok(Some(actions))
}

/// Fixes have their edits already, refactorings are made when they are asked for.
pub(crate) fn resolve(state: &mut State, action: CodeAction) -> Result<CodeAction, Refused> {
    refactor::resolve(state, action)
}

/// Whether a wished kind means another: `source` means `source.fixAll`.
fn covers(wished: &CodeActionKind, kind: &CodeActionKind) -> bool {
    let rest = kind.as_str().strip_prefix(wished.as_str());
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn edits(document: &Document, fix: &Fix) -> Vec<TextEdit> {
    let own = fix.edits.iter().filter(|(span, _)| span.file == MAIN);
    let edit = |(span, text): &(diag::Span, String)| TextEdit {
        range: document.range(*span),
        new_text: text.clone(),
    };
    own.map(edit).collect()
}

fn quick_fix(
    state: &State,
    document: &Document,
    fix: &Fix,
    found: &Diagnostic,
    params: &CodeActionParams,
) -> CodeActionOrCommand {
    let code = found.code.to_string();
    let same = |shown: &&lsp_types::Diagnostic| matches!(&shown.code, Some(lsp_types::NumberOrString::String(text)) if *text == code);
    let diagnostics: Vec<lsp_types::Diagnostic> = params
        .context
        .diagnostics
        .iter()
        .filter(same)
        .cloned()
        .collect();
    CodeActionOrCommand::CodeAction(CodeAction {
        title: fix.message.clone(),
        kind: Some(CodeActionKind::QUICKFIX),
        diagnostics: Some(diagnostics),
        edit: Some(state.edit(document, edits(document, fix))),
        is_preferred: Some(fix.applicability == Applicability::MachineApplicable),
        ..CodeAction::default()
    })
}

/// All fixes that need no second look; of overlapping ones the first.
fn fix_all(
    state: &State,
    document: &Document,
    found: &[Diagnostic],
) -> Option<CodeActionOrCommand> {
    let sure = found.iter().filter_map(|found| found.fix.as_deref());
    let sure = sure.filter(|fix| fix.applicability == Applicability::MachineApplicable);
    let mut taken: Vec<std::ops::Range<usize>> = Vec::new();
    let mut all = Vec::new();
    for fix in sure {
        let free = |span: diag::Span| {
            taken
                .iter()
                .all(|range| span.range().end <= range.start || range.end <= span.range().start)
        };
        if fix.edits.iter().all(|(span, _)| free(*span)) {
            taken.extend(fix.edits.iter().map(|(span, _)| span.range()));
            all.extend(edits(document, fix));
        }
    }
    if all.is_empty() {
        return None;
    }
    Some(CodeActionOrCommand::CodeAction(CodeAction {
        title: "apply every sure fix".to_owned(),
        kind: Some(CodeActionKind::SOURCE_FIX_ALL),
        edit: Some(state.edit(document, all)),
        ..CodeAction::default()
    }))
}
