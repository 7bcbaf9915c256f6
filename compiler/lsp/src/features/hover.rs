//! What stands under the cursor: its declaration, type, sizes and documentation; in assembly the instruction's manual page.

use frontend::ide::{DefKind, Fact};
use lsp_types::{Hover, HoverContents, HoverParams, MarkupContent, MarkupKind};

use super::navigate::{name_at, word_at};
use crate::LineCost;
use crate::document::{Analysis, Document, Form};
use crate::server::dispatch::Refused;
use crate::server::state::State;

pub(crate) fn hover(state: &mut State, params: HoverParams) -> Result<Option<Hover>, Refused> {
    let place = params.text_document_position_params;
    let Some(document) = state.document(&place.text_document.uri) else {
        return Ok(None);
    };
    let byte = document.byte(place.position);
    let answer = match document.form {
        Form::Kernel => match name_at(state, &place) {
            Some((document, analysis, found)) => Some((
                found.span,
                declaration(state, document, analysis, found.def),
            )),
            None => expression(state.analysis(document), &document.text, byte),
        },
        Form::Assembly => manual(document, byte as usize),
        Form::Tile => declared_word(document, byte as usize),
    };
    let answer = answer.map(|(span, text)| (Some(document.range(span)), text));
    let cost = line_cost(state, place.text_document.uri.as_str(), byte);
    let (range, value) = match (answer, cost) {
        (Some((range, text)), Some(cost)) => (range, format!("{text}\n\n---\n{cost}")),
        (Some(answer), None) => answer,
        (None, Some(cost)) => (None, cost),
        (None, None) => return Ok(None),
    };
    Ok(Some(Hover {
        contents: HoverContents::Markup(contents(state, value)),
        range,
    }))
}

/// The text as the client draws it.
fn contents(state: &State, value: String) -> MarkupContent {
    if state.abilities.markdown {
        return MarkupContent {
            kind: MarkupKind::Markdown,
            value,
        };
    }
    let lines = value.lines().filter(|line| !line.starts_with("```"));
    let lines: Vec<&str> = lines.collect();
    MarkupContent {
        kind: MarkupKind::PlainText,
        value: lines.join("\n"),
    }
}

/// The instructions and cycles of the line of a byte, if they are known.
fn line_cost(state: &mut State, key: &str, byte: u32) -> Option<String> {
    let (start, slice, lines) = state.lines(key, byte)?;
    let document = state.documents.get(key)?;
    let span = diag::Span::new(crate::document::MAIN, byte as usize..byte as usize);
    let line = slice.line(start, document.range(span).start.line)?;
    let cost = lines.iter().find(|cost| cost.line == line)?;
    Some(line_text(cost))
}

/// Instructions that are named; the others are counted.
const NAMED: usize = 4;

/// `12 instructions: vadd × 8, … · 40 of 900 cycles on the critical path · busiest: V, 60 cycles over all cores`.
pub(crate) fn line_text(cost: &LineCost) -> String {
    let grouped = super::hints::grouped;
    let all: u64 = cost.instructions.iter().map(|(_, count)| count).sum();
    let named = cost.instructions.iter().take(NAMED);
    let mut named: Vec<String> = named
        .map(|(mnemonic, count)| format!("`{mnemonic}` × {}", grouped(*count)))
        .collect();
    if cost.instructions.len() > NAMED {
        named.push("…".to_owned());
    }
    let path = format!(
        "{} of {} cycles on the critical path",
        grouped(cost.path),
        grouped(cost.cycles)
    );
    let busy = cost.busy.first().map_or(String::new(), |(pipe, cycles)| {
        format!(
            " · busiest: {pipe}, {} cycles over all cores",
            grouped(*cycles)
        )
    });
    format!(
        "this line: {} instructions ({}) · {path}{busy}",
        grouped(all),
        named.join(", ")
    )
}

/// The word for what a declaration is.
pub(crate) const fn word(kind: DefKind) -> &'static str {
    match kind {
        DefKind::Kernel => "kernel",
        DefKind::Function => "fn",
        DefKind::Monoid => "monoid",
        DefKind::Constant => "const",
        DefKind::Size => "size",
        DefKind::Type => "type",
        DefKind::Param => "parameter",
        DefKind::Result => "result",
        DefKind::Local => "let",
        DefKind::Index => "index",
        DefKind::Field => "field",
    }
}

/// A declaration with what is known of it.
fn declaration(
    state: &State,
    document: &Document,
    analysis: &Analysis,
    id: frontend::ide::DefId,
) -> String {
    let def = analysis.names().def(id);
    let signature = match def.kind {
        DefKind::Kernel | DefKind::Function | DefKind::Monoid | DefKind::Constant => {
            let text = analysis
                .sources
                .get(def.span.file)
                .map_or("", |file| &file.text);
            head(text.get(def.whole.range()).unwrap_or_default())
        }
        DefKind::Size | DefKind::Type | DefKind::Field => {
            format!("{} {}", word(def.kind), def.name)
        }
        DefKind::Index => match known(analysis, def.span) {
            Some(fact) => format!("index {} in 0..{}", def.name, fact.text()),
            None => format!("index {}", def.name),
        },
        DefKind::Param | DefKind::Result | DefKind::Local => match known(analysis, def.span) {
            Some(fact) => format!("{} {}: {}", word(def.kind), def.name, fact.text()),
            None => format!("{} {}", word(def.kind), def.name),
        },
    };
    let mut text = format!("```vinci\n{signature}\n```");
    if !def.docs.is_empty() {
        text = format!("{text}\n\n{}", def.docs.join("\n"));
    }
    if def.kind == DefKind::Kernel {
        let slice = analysis
            .slices()
            .iter()
            .find(|slice| slice.span == def.whole);
        let cost = slice.and_then(|slice| state.costs.of(document.uri.as_str(), slice));
        if let Some((cost, fresh)) = cost {
            let age = if fresh {
                ""
            } else {
                ", before the last change"
            };
            text = format!("{text}\n\n{}{age}", super::hints::cost_text(cost));
        }
    }
    text
}

/// A declaration without its body.
pub(crate) fn head(text: &str) -> String {
    let end = text.find('{').unwrap_or(text.len());
    text[..end].trim_end().trim_end_matches(';').to_owned()
}

pub(crate) fn known(analysis: &Analysis, span: diag::Span) -> Option<Fact> {
    analysis.found.declared(span)
}

/// The type of the smallest expression around a byte.
fn expression(analysis: &Analysis, text: &str, byte: u32) -> Option<(diag::Span, String)> {
    let fact = analysis.found.expression(byte)?;
    let shown = text.get(fact.span.range())?;
    if shown.contains('\n') {
        return None;
    }
    Some((
        fact.span,
        format!("```vinci\n{shown}: {}\n```", fact.text()),
    ))
}

/// The lines that declare a name of tile form.
fn declared_word(document: &Document, byte: usize) -> Option<(diag::Span, String)> {
    let places = super::words::places(document, byte);
    let here = (places.iter()).find(|p| p.bytes.start <= byte && byte <= p.bytes.end)?;
    // A tensor and a buffer may share a name.
    let declared = places.iter().filter(|place| place.declares);
    let lines: Vec<String> = declared
        .map(|place| super::words::line(&document.text, place))
        .collect();
    let line = lines.join("\n");
    let span = diag::Span::new(crate::document::MAIN, here.bytes.clone());
    Some((span, format!("```vinci-tile\n{line}\n```")))
}

/// The manual page of the instruction under the cursor.
fn manual(document: &Document, byte: usize) -> Option<(diag::Span, String)> {
    let word = word_at(&document.text, byte)?;
    let text = &document.text[word.clone()];
    let mut names = [text, text.split('.').next().unwrap_or_default()].into_iter();
    let opcode = names.find_map(isa::inst::Opcode::from_mnemonic)?;
    let page = isa::docs::render_one(isa::inst::info(opcode));
    Some((diag::Span::new(crate::document::MAIN, word), page))
}
