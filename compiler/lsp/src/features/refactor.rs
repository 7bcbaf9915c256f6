//! Refactorings: another text of the same meaning. Each is found by the tree alone and its edits are made when they are asked
//! for; a text that the compiler would refuse is never proposed. Whether the meaning stays is what each file here argues.

mod extract;
mod inline;

use std::ops::Range;

use diag::Diagnostic;
use lsp_types::{
    CodeAction, CodeActionKind, CodeActionOrCommand, Command, TextEdit, WorkspaceEdit,
};
use serde_json::{Value, json};
use syntax::ast::{Callable, CallableKind, Expr, ExprId, File, Item, Stmt, StmtKind};

use super::{commands, hover};
use crate::document::{Analysis, Document, Form};
use crate::server::dispatch::Refused;
use crate::server::state::State;

/// Bytes of a text, and what stands there afterwards.
type Edits = Vec<(Range<usize>, String)>;

/// What can be done at a place.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum What {
    /// The selected expression becomes a definition.
    Extract,
    /// A definition goes, and its value stands where it was used.
    Inline,
    /// A definition says its type.
    WriteType,
}

impl What {
    const ALL: [What; 3] = [What::Extract, What::Inline, What::WriteType];

    fn name(self) -> &'static str {
        match self {
            What::Extract => "extract",
            What::Inline => "inline",
            What::WriteType => "type",
        }
    }

    fn kind(self) -> CodeActionKind {
        match self {
            What::Extract => CodeActionKind::REFACTOR_EXTRACT,
            What::Inline => CodeActionKind::REFACTOR_INLINE,
            What::WriteType => CodeActionKind::REFACTOR_REWRITE,
        }
    }
}

/// The refactorings of a range of a kernel text; edits only for clients that do not ask for them afterwards.
pub(crate) fn actions(
    state: &State,
    document: &Document,
    bytes: &Range<usize>,
    wants: &dyn Fn(&CodeActionKind) -> bool,
) -> Vec<CodeActionOrCommand> {
    if document.form != Form::Kernel {
        return Vec::new();
    }
    let analysis = state.analysis(document);
    if analysis.diagnostics.iter().any(Diagnostic::is_error) {
        return Vec::new();
    }
    let wanted = What::ALL.into_iter().filter(|what| wants(&what.kind()));
    let mut all: Vec<CodeActionOrCommand> = wanted
        .filter_map(|what| action(state, document, what, bytes))
        .map(CodeActionOrCommand::CodeAction)
        .collect();
    if wants(&CodeActionKind::REFACTOR_REWRITE) && state.abilities.applies {
        all.extend(schedule(analysis, document, bytes));
    }
    all
}

fn action(
    state: &State,
    document: &Document,
    what: What,
    bytes: &Range<usize>,
) -> Option<CodeAction> {
    let analysis = state.analysis(document);
    let (title, edits) = edits(analysis, document, what, bytes)?;
    let mut action = CodeAction {
        title,
        kind: Some(what.kind()),
        ..CodeAction::default()
    };
    if state.abilities.resolves_actions {
        action.data = Some(json!({
            "uri": document.uri.as_str(),
            "version": document.version,
            "what": what.name(),
            "start": bytes.start,
            "end": bytes.end,
        }));
    } else {
        action.edit = Some(checked(state, document, edits).ok()?);
    }
    Some(action)
}

/// Gives an action its edit.
pub(crate) fn resolve(state: &mut State, mut action: CodeAction) -> Result<CodeAction, Refused> {
    let Some(data) = action.data.clone() else {
        return Ok(action);
    };
    let word = |key: &str| data.get(key).and_then(Value::as_str).unwrap_or_default();
    let number = |key: &str| {
        let number = data.get(key).and_then(Value::as_u64);
        number.and_then(|number| usize::try_from(number).ok())
    };
    let stale = || Refused::modified("the text has changed since");
    let document = state.documents.get(word("uri")).ok_or_else(stale)?;
    let same = data.get("version").and_then(Value::as_i64) == Some(document.version.into());
    let what = What::ALL
        .into_iter()
        .find(|what| what.name() == word("what"));
    let (Some(what), Some(start), Some(end), true) = (what, number("start"), number("end"), same)
    else {
        return Err(stale());
    };
    let found = edits(state.analysis(document), document, what, &(start..end));
    let (_, edits) = found.ok_or_else(stale)?;
    action.edit = Some(checked(state, document, edits)?);
    Ok(action)
}

fn edits(
    analysis: &Analysis,
    document: &Document,
    what: What,
    bytes: &Range<usize>,
) -> Option<(String, Edits)> {
    match what {
        What::Extract => extract::edits(analysis, document, bytes),
        What::Inline => inline::edits(analysis, document, bytes.start),
        What::WriteType => write_type(analysis, document, bytes.start),
    }
}

/// The edits for the client, if the compiler takes the text that they make.
fn checked(state: &State, document: &Document, edits: Edits) -> Result<WorkspaceEdit, Refused> {
    let mut text = document.text.clone();
    let mut ordered = edits.clone();
    ordered.sort_by_key(|(bytes, _)| std::cmp::Reverse(bytes.start));
    for (bytes, new) in &ordered {
        text.replace_range(bytes.clone(), new);
    }
    let after = document.with_text(text);
    let found = &state.analysis(&after).diagnostics;
    if let Some(error) = found.iter().find(|found| found.is_error()) {
        let message = format!("that would not compile: {}", error.message);
        return Err(Refused::new(message));
    }
    let edit = |(bytes, new_text): (Range<usize>, String)| TextEdit {
        range: document.lines.range(&document.text, bytes),
        new_text,
    };
    Ok(state.edit(document, edits.into_iter().map(edit).collect()))
}

/// The definition whose name or left side is at a byte says its type.
fn write_type(analysis: &Analysis, document: &Document, at: usize) -> Option<(String, Edits)> {
    let (_, stmt) = statement(&analysis.program.main, at)?;
    let StmtKind::Let {
        name,
        indices,
        ty: None,
        value,
    } = &stmt.kind
    else {
        return None;
    };
    let value = analysis.program.main.exprs.span(*value);
    if at >= value.start as usize {
        return None;
    }
    let fact = hover::known(analysis, name.span)?;
    let head = document
        .text
        .get(name.span.end as usize..value.start as usize)?;
    let (behind, ty) = match indices {
        Some(_) => (head.rfind(']')? + 1, fact.elem.clone()),
        None => (0, fact.text()),
    };
    let byte = name.span.end as usize + behind;
    let title = format!("write the type of `{}`: `{ty}`", name.text);
    Some((title, vec![(byte..byte, format!(": {ty}"))]))
}

/// A command that writes down the decisions about the kernel whose head is at these bytes.
fn schedule(
    analysis: &Analysis,
    document: &Document,
    bytes: &Range<usize>,
) -> Option<CodeActionOrCommand> {
    let (_, callable) = callable(&analysis.program.main, bytes.start)?;
    let head = callable.signature_span.range();
    if callable.kind != CallableKind::Kernel || !(head.start..=head.end).contains(&bytes.start) {
        return None;
    }
    let title = format!("write the schedule of `{}` down", callable.name.text);
    let command = Command {
        title: title.clone(),
        command: commands::WRITE_SCHEDULE.to_owned(),
        arguments: Some(vec![
            json!(document.uri.as_str()),
            json!(callable.name.text),
        ]),
    };
    Some(CodeActionOrCommand::CodeAction(CodeAction {
        title,
        kind: Some(CodeActionKind::REFACTOR_REWRITE),
        command: Some(command),
        ..CodeAction::default()
    }))
}

/// Puts a schedule behind its kernel, or in the place of `old`.
pub(crate) fn put_schedule(
    state: &State,
    document: &Document,
    kernel: &str,
    schedule: &str,
    old: Option<Range<usize>>,
) -> Option<WorkspaceEdit> {
    let items = &state.analysis(document).program.main.items;
    let own = |item: &&Item| item.name().is_some_and(|name| name.text == kernel);
    let end = items.iter().find(own)?.span.end as usize;
    let (bytes, text) = match old {
        Some(old) => (old, schedule.trim_end().to_owned()),
        None => (end..end, format!("\n\n{}", schedule.trim_end())),
    };
    let edit = TextEdit {
        range: document.lines.range(&document.text, bytes),
        new_text: text,
    };
    Some(state.edit(document, vec![edit]))
}

/// The schedule that a kernel has for a target.
pub(crate) fn schedule_for(file: &File, kernel: &str, target: &str) -> Option<Range<usize>> {
    file.items.iter().find_map(|item| {
        let schedule = item.schedule()?;
        let of = schedule.target.as_ref().map(|of| of.name.text.as_str());
        let same = schedule.kernel.text == kernel && of.is_none_or(|of| of == target);
        same.then(|| item.span.range())
    })
}

/// The target of the one schedule of a text.
pub(crate) fn target(file: &File) -> Option<String> {
    let mut schedules = file.items.iter().filter_map(Item::schedule);
    let target = schedules.find_map(|schedule| schedule.target.as_ref())?;
    Some(target.name.text.clone())
}

/// The kernel or function around a byte.
fn callable(file: &File, at: usize) -> Option<(&Item, &Callable)> {
    let place = file
        .items
        .partition_point(|item| (item.span.end as usize) < at);
    let item = file.items.get(place)?;
    let inside = item.span.start as usize <= at;
    Some((item, item.callable().filter(|_| inside)?))
}

/// The statement around a byte, with its item.
fn statement(file: &File, at: usize) -> Option<(&Item, &Stmt)> {
    let (item, callable) = callable(file, at)?;
    let mut stmts = callable.body.stmts.iter();
    let around = |stmt: &&Stmt| {
        let span = stmt.span.range();
        span.start <= at && at <= span.end
    };
    Some((item, stmts.find(around)?))
}

/// The expressions of an item, with their ids.
fn exprs<'a>(file: &'a File, item: &Item) -> impl Iterator<Item = (ExprId, &'a Expr)> {
    let place = file
        .items
        .partition_point(|other| other.span.end < item.span.end);
    let bound = |at: usize| file.bounds.get(at).copied().unwrap_or_default();
    let first = place.checked_sub(1).map_or(0, bound);
    let nodes = file.exprs.range(first..bound(place));
    (first..).map(ExprId).zip(nodes)
}

/// Lines that are gone with a statement: whole ones, if nothing else stands in them.
fn whole_lines(text: &str, bytes: Range<usize>) -> Range<usize> {
    let start = text[..bytes.start].rfind('\n').map_or(0, |at| at + 1);
    let end = text[bytes.end..].find('\n').map(|at| bytes.end + at + 1);
    let blank = |part: &str| part.trim().is_empty();
    match end {
        Some(end) if blank(&text[start..bytes.start]) && blank(&text[bytes.end..end]) => start..end,
        Some(_) | None => bytes,
    }
}
