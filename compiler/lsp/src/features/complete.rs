//! What could stand at the cursor: names in scope, fields behind a dot, words of the language, instructions.

mod decisions;

use std::collections::BTreeSet;

use frontend::ide::{Def, DefKind, built_in};
use isa::inst::Opcode;
use lsp_types::{
    CompletionItem, CompletionItemKind, CompletionParams, CompletionResponse, Documentation,
    MarkupContent, MarkupKind,
};
use syntax::ast::ReduceOp;

use crate::document::{Analysis, Document, Form};
use crate::server::dispatch::Refused;
use crate::server::state::State;

/// Words of the language that begin or join something, with what each is for.
const WORDS: [(&str, &str); 20] = [
    ("kernel", "an entry point"),
    ("fn", "a function, inlined where it is called"),
    ("monoid", "an accumulator with a merge of its own"),
    ("const", "a named constant"),
    ("schedule", "decisions for a kernel on a target"),
    ("use", "a function of another file"),
    ("pub", "seen by other files"),
    ("let", "a definition"),
    ("assert", "a condition on sizes"),
    ("where", "a condition on sizes, or a mask"),
    ("if", "if c then a else b"),
    ("then", "if c then a else b"),
    ("else", "the other value, or the value of a border"),
    ("as", "a conversion"),
    ("round", "the rounding of a conversion"),
    ("saturate", "a conversion that keeps in range"),
    ("inf", "infinity, or a conversion that keeps it"),
    ("wrap", "a conversion to the low bits"),
    ("fold", "a reduction with a monoid"),
    ("scan", "prefixes"),
];

/// Marks items with a page of the manual, which is sent when it is asked for.
const MANUAL: &str = "manual";

/// Element types.
const TYPES: [&str; 9] = ["f32", "f16", "bf16", "i32", "i16", "i8", "u8", "i4", "bool"];

pub(crate) fn completion(
    state: &mut State,
    params: CompletionParams,
) -> Result<Option<CompletionResponse>, Refused> {
    let place = params.text_document_position;
    let Some(document) = state.document(&place.text_document.uri) else {
        return Ok(None);
    };
    let items = match document.form {
        Form::Kernel => kernel(
            state.analysis(document),
            document,
            document.byte(place.position),
        ),
        Form::Assembly => mnemonics(),
        Form::Tile => tile(document),
    };
    Ok(Some(CompletionResponse::Array(items)))
}

fn item(label: &str, kind: CompletionItemKind, detail: impl Into<String>) -> CompletionItem {
    CompletionItem {
        label: label.to_owned(),
        kind: Some(kind),
        detail: Some(detail.into()),
        ..CompletionItem::default()
    }
}

fn kernel(analysis: &Analysis, document: &Document, byte: u32) -> Vec<CompletionItem> {
    let before = document.text.get(..byte as usize).unwrap_or_default();
    let line = before.rsplit('\n').next().unwrap_or_default();
    if line.trim_start().starts_with("//") || line.contains("//") {
        return Vec::new();
    }
    if let Some(items) = decisions::items(analysis, before) {
        return items;
    }
    let typed = line.trim_end_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
    if typed.ends_with('.') && !typed.ends_with("..") {
        return fields(analysis);
    }
    if typed.trim_end().ends_with(" as") {
        return types(analysis, byte);
    }
    let mut items: Vec<CompletionItem> = Vec::new();
    let mut labels = BTreeSet::new();
    for (rank, id) in analysis.names().visible(byte).into_iter().enumerate() {
        let def = analysis.names().def(id);
        let mut one = declared(analysis, def);
        // The nearest first, whatever the letters.
        one.sort_text = Some(format!("{}{rank:04}", u8::from(def.item.is_none())));
        if labels.insert(one.label.clone()) {
            items.push(one);
        }
    }
    items.extend(
        ReduceOp::ALL.map(|op| item(op.as_str(), CompletionItemKind::OPERATOR, "reduction")),
    );
    items.extend(built_in().map(|word| item(word, CompletionItemKind::FUNCTION, "built in")));
    items.extend(types(analysis, byte));
    items.extend(WORDS.map(|(word, what)| item(word, CompletionItemKind::KEYWORD, what)));
    items
}

fn types(analysis: &Analysis, byte: u32) -> Vec<CompletionItem> {
    let params = analysis
        .names()
        .visible(byte)
        .into_iter()
        .map(|id| analysis.names().def(id));
    let params = params.filter(|def| def.kind == DefKind::Type);
    let params = params.map(|def| {
        item(
            &def.name,
            CompletionItemKind::TYPE_PARAMETER,
            "element type",
        )
    });
    params
        .chain(TYPES.map(|name| item(name, CompletionItemKind::STRUCT, "element type")))
        .collect()
}

fn fields(analysis: &Analysis) -> Vec<CompletionItem> {
    let fields = analysis
        .names()
        .defs
        .iter()
        .filter(|def| def.kind == DefKind::Field);
    let mut items: Vec<CompletionItem> = fields.map(|def| declared(analysis, def)).collect();
    items.dedup_by(|one, other| one.label == other.label);
    items
}

fn declared(analysis: &Analysis, def: &Def) -> CompletionItem {
    let kind = match def.kind {
        DefKind::Kernel | DefKind::Function => CompletionItemKind::FUNCTION,
        DefKind::Monoid => CompletionItemKind::CLASS,
        DefKind::Constant => CompletionItemKind::CONSTANT,
        DefKind::Size | DefKind::Type => CompletionItemKind::TYPE_PARAMETER,
        DefKind::Param | DefKind::Result | DefKind::Local => CompletionItemKind::VARIABLE,
        DefKind::Index => CompletionItemKind::VALUE,
        DefKind::Field => CompletionItemKind::FIELD,
    };
    let known = super::hover::known(analysis, def.span);
    let detail = match known {
        Some(fact) => fact.text(),
        None => match analysis.sources.get(def.span.file) {
            Some(file) if def.item.is_none() => {
                super::hover::head(file.text.get(def.whole.range()).unwrap_or_default())
            }
            Some(_) | None => super::hover::word(def.kind).to_owned(),
        },
    };
    let mut one = item(&def.name, kind, detail);
    if !def.docs.is_empty() {
        one.documentation = Some(Documentation::String(def.docs.join("\n")));
    }
    one
}

fn mnemonics() -> Vec<CompletionItem> {
    let all = (0..=u8::MAX).filter_map(Opcode::from_code);
    let one = |opcode: Opcode| {
        let summary = isa::inst::info(opcode).summary();
        let mut one = item(opcode.mnemonic(), CompletionItemKind::FUNCTION, summary);
        one.data = Some(MANUAL.into());
        one
    };
    all.map(one).collect()
}

/// Words that the text has already: buffers, tensors and values are declared in it.
fn tile(document: &Document) -> Vec<CompletionItem> {
    let word = |c: char| !c.is_ascii_alphanumeric() && c != '_';
    let mut words: Vec<&str> = document
        .text
        .split(word)
        .filter(|word| word.len() > 1)
        .collect();
    words.retain(|word| !word.starts_with(|c: char| c.is_ascii_digit()));
    words.sort_unstable();
    words.dedup();
    words
        .into_iter()
        .map(|word| item(word, CompletionItemKind::TEXT, "word of this text"))
        .collect()
}

/// The manual page of an instruction; what else there is to say is in the list already.
pub(crate) fn resolve(_: &mut State, mut item: CompletionItem) -> Result<CompletionItem, Refused> {
    let opcode = Opcode::from_mnemonic(&item.label);
    if let Some(opcode) = opcode.filter(|_| item.data == Some(MANUAL.into())) {
        item.documentation = Some(Documentation::MarkupContent(MarkupContent {
            kind: MarkupKind::Markdown,
            value: isa::docs::render_one(isa::inst::info(opcode)),
        }));
    }
    Ok(item)
}
