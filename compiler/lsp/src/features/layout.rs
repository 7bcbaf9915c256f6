//! Formatting, folding, selections.

use frontend::ide::{folds, selections};
use lsp_types::{
    DocumentFormattingParams, DocumentRangeFormattingParams, FoldingRange, FoldingRangeKind,
    FoldingRangeParams, Range, SelectionRange, SelectionRangeParams, TextEdit,
};
use syntax::fmt::TextForm;

use crate::document::{Document, Form, MAIN};
use crate::server::dispatch::Refused;
use crate::server::state::State;

/// The formatted text; nothing if the text has mistakes.
fn formatted(document: &Document) -> Option<String> {
    match document.form {
        Form::Kernel => syntax::fmt::format(TextForm::Kernel, MAIN, &document.text).ok(),
        Form::Tile => syntax::fmt::format(TextForm::Tile, MAIN, &document.text).ok(),
        Form::Assembly => isa::asm::format(&document.text).ok(),
    }
}

/// One edit: from the first line that differs to the last, so that cursors elsewhere stay where they are.
fn difference(document: &Document, after: &str) -> Vec<TextEdit> {
    let before = &document.text;
    if before == after {
        return Vec::new();
    }
    let same = before
        .split_inclusive('\n')
        .zip(after.split_inclusive('\n'));
    let start: usize = same
        .take_while(|(one, other)| one == other)
        .map(|(line, _)| line.len())
        .sum();
    let ends = before[start..]
        .split_inclusive('\n')
        .rev()
        .zip(after[start..].split_inclusive('\n').rev());
    let end: usize = ends
        .take_while(|(one, other)| one == other && one.ends_with('\n'))
        .map(|(line, _)| line.len())
        .sum();
    vec![TextEdit {
        range: document.lines.range(before, start..before.len() - end),
        new_text: after[start..after.len() - end].to_owned(),
    }]
}

pub(crate) fn format(
    state: &mut State,
    params: DocumentFormattingParams,
) -> Result<Option<Vec<TextEdit>>, Refused> {
    let document = state.document(&params.text_document.uri);
    Ok(document.and_then(|document| Some(difference(document, &formatted(document)?))))
}

/// Formats the lines of a range, if that leaves the number of lines before and in it as it is.
pub(crate) fn format_range(
    state: &mut State,
    params: DocumentRangeFormattingParams,
) -> Result<Option<Vec<TextEdit>>, Refused> {
    let Some(document) = state.document(&params.text_document.uri) else {
        return Ok(None);
    };
    let Some(after) = formatted(document) else {
        return Ok(None);
    };
    let old: Vec<&str> = document.text.split_inclusive('\n').collect();
    let new: Vec<&str> = after.split_inclusive('\n').collect();
    if old.len() != new.len() {
        return Ok(Some(difference(document, &after)));
    }
    let (first, last) = (
        params.range.start.line as usize,
        params.range.end.line as usize,
    );
    let mut edits = Vec::new();
    let mut start = 0;
    for (at, (old, new)) in old.iter().zip(&new).enumerate() {
        if (first..=last).contains(&at) && old != new {
            edits.push(TextEdit {
                range: document
                    .lines
                    .range(&document.text, start..start + old.len()),
                new_text: (*new).to_owned(),
            });
        }
        start += old.len();
    }
    Ok(Some(edits))
}

pub(crate) fn folding(
    state: &mut State,
    params: FoldingRangeParams,
) -> Result<Option<Vec<FoldingRange>>, Refused> {
    let Some(document) = state.document(&params.text_document.uri) else {
        return Ok(None);
    };
    if document.form != Form::Kernel {
        return Ok(Some(braces(document)));
    }
    let program = &state.analysis(document).program;
    let fold = |fold: frontend::ide::Fold| folding_range(document.range(fold.span), fold.comment);
    Ok(Some(
        folds(&program.main, &program.comments, &document.text)
            .into_iter()
            .map(fold)
            .collect(),
    ))
}

fn folding_range(range: Range, comment: bool) -> FoldingRange {
    FoldingRange {
        start_line: range.start.line,
        end_line: range.end.line,
        kind: comment.then_some(FoldingRangeKind::Comment),
        ..FoldingRange::default()
    }
}

/// Blocks of the tile form, by their braces.
fn braces(document: &Document) -> Vec<FoldingRange> {
    let mut open = Vec::new();
    let mut found = Vec::new();
    for (number, line) in (0..).zip(document.text.lines()) {
        let code = line.split("//").next().unwrap_or_default();
        for c in code.chars() {
            match c {
                '{' => open.push(number),
                '}' => {
                    if let Some(start) = open.pop()
                        && start < number
                    {
                        found.push(FoldingRange {
                            start_line: start,
                            end_line: number,
                            ..FoldingRange::default()
                        });
                    }
                }
                _ => {}
            }
        }
    }
    found
}

pub(crate) fn selection(
    state: &mut State,
    params: SelectionRangeParams,
) -> Result<Option<Vec<SelectionRange>>, Refused> {
    let Some(document) = state.document(&params.text_document.uri) else {
        return Ok(None);
    };
    let length = u32::try_from(document.text.len()).unwrap_or(u32::MAX);
    let around = |position| {
        let spans = match document.form {
            Form::Kernel => selections(
                &state.analysis(document).program.main,
                document.byte(position),
                length,
            ),
            Form::Tile | Form::Assembly => vec![diag::Span {
                file: MAIN,
                start: 0,
                end: length,
            }],
        };
        let mut outer: Option<SelectionRange> = None;
        for span in spans.into_iter().rev() {
            outer = Some(SelectionRange {
                range: document.range(span),
                parent: outer.map(Box::new),
            });
        }
        outer
    };
    Ok(Some(
        params.positions.into_iter().filter_map(around).collect(),
    ))
}
