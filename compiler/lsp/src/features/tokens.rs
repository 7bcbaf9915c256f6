//! Semantic tokens: the lexer's classes, and names by what they mean.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;

use frontend::ide::DefKind;
use lsp_types::{
    SemanticToken, SemanticTokenModifier, SemanticTokenType, SemanticTokens, SemanticTokensDelta,
    SemanticTokensDeltaParams, SemanticTokensEdit, SemanticTokensFullDeltaResult,
    SemanticTokensLegend, SemanticTokensParams, SemanticTokensRangeParams,
    SemanticTokensRangeResult, SemanticTokensResult,
};
use syntax::classes::{WordClass, classes};

use crate::document::{Document, Form};
use crate::server::dispatch::Refused;
use crate::server::state::State;

/// Types in the order of the legend.
const TYPES: [SemanticTokenType; 14] = [
    SemanticTokenType::KEYWORD,
    SemanticTokenType::FUNCTION,
    SemanticTokenType::CLASS,
    SemanticTokenType::TYPE_PARAMETER,
    SemanticTokenType::TYPE,
    SemanticTokenType::PARAMETER,
    SemanticTokenType::VARIABLE,
    SemanticTokenType::PROPERTY,
    SemanticTokenType::ENUM_MEMBER,
    SemanticTokenType::NUMBER,
    SemanticTokenType::STRING,
    SemanticTokenType::OPERATOR,
    SemanticTokenType::COMMENT,
    SemanticTokenType::MACRO,
];

/// Bits of the modifiers, in the order of the legend.
const DECLARATION: u32 = 1;
const DOCUMENTATION: u32 = 2;
const READONLY: u32 = 4;

pub(crate) fn legend() -> SemanticTokensLegend {
    SemanticTokensLegend {
        token_types: TYPES.to_vec(),
        token_modifiers: vec![
            SemanticTokenModifier::DECLARATION,
            SemanticTokenModifier::DOCUMENTATION,
            SemanticTokenModifier::READONLY,
        ],
    }
}

pub(crate) fn full(
    state: &mut State,
    params: SemanticTokensParams,
) -> Result<Option<SemanticTokensResult>, Refused> {
    let Some(document) = state.document(&params.text_document.uri) else {
        return Ok(None);
    };
    let data = encoded(document, coloured(state, document), 0..document.text.len());
    let result_id = Some(kept(state, params.text_document.uri.as_str(), &data));
    Ok(Some(SemanticTokensResult::Tokens(SemanticTokens {
        result_id,
        data,
    })))
}

/// Keeps what a client is told, under a name that says what it is.
fn kept(state: &mut State, key: &str, data: &[SemanticToken]) -> String {
    let mut hasher = DefaultHasher::new();
    for token in data {
        let place = (token.delta_line, token.delta_start, token.length);
        (place, token.token_type, token.token_modifiers_bitset).hash(&mut hasher);
    }
    let name = format!("{:016x}", hasher.finish());
    let told = (name.clone(), data.to_vec());
    state.tokens.insert(key.to_owned(), told);
    name
}

/// What has changed since a client was told; all of it, if that is not known any more.
pub(crate) fn delta(
    state: &mut State,
    params: SemanticTokensDeltaParams,
) -> Result<Option<SemanticTokensFullDeltaResult>, Refused> {
    let Some(document) = state.document(&params.text_document.uri) else {
        return Ok(None);
    };
    let key = params.text_document.uri.as_str();
    let data = encoded(document, coloured(state, document), 0..document.text.len());
    let told = state.tokens.get(key);
    let told = told.filter(|(name, _)| *name == params.previous_result_id);
    let told = told.map(|(_, told)| told.clone());
    let result_id = Some(kept(state, key, &data));
    Ok(Some(match told {
        Some(told) => SemanticTokensFullDeltaResult::TokensDelta(SemanticTokensDelta {
            result_id,
            edits: changed(&told, &data),
        }),
        None => SemanticTokensFullDeltaResult::Tokens(SemanticTokens { result_id, data }),
    }))
}

/// One edit that makes the new tokens of the old: of what lies between a common beginning and a common end.
fn changed(old: &[SemanticToken], new: &[SemanticToken]) -> Vec<SemanticTokensEdit> {
    let same = |(a, b): &(&SemanticToken, &SemanticToken)| a == b;
    let before = old.iter().zip(new).take_while(same).count();
    let most = old.len().min(new.len()) - before;
    let behind = old.iter().rev().zip(new.iter().rev());
    let behind = behind.take(most).take_while(same).count();
    if before == old.len() && before == new.len() {
        return Vec::new();
    }
    // Tokens are sent as five numbers each.
    let numbers = |count: usize| u32::try_from(5 * count).unwrap_or(u32::MAX);
    vec![SemanticTokensEdit {
        start: numbers(before),
        delete_count: numbers(old.len() - behind - before),
        data: Some(new[before..new.len() - behind].to_vec()),
    }]
}

pub(crate) fn range(
    state: &mut State,
    params: SemanticTokensRangeParams,
) -> Result<Option<SemanticTokensRangeResult>, Refused> {
    let Some(document) = state.document(&params.text_document.uri) else {
        return Ok(None);
    };
    let bytes = document.lines.bytes(&document.text, params.range);
    let data = encoded(document, coloured(state, document), bytes);
    Ok(Some(SemanticTokensRangeResult::Tokens(SemanticTokens {
        result_id: None,
        data,
    })))
}

/// A token with its type and modifiers.
type Coloured = (Range<usize>, SemanticTokenType, u32);

fn coloured(state: &State, document: &Document) -> Vec<Coloured> {
    if document.form == Form::Assembly {
        return assembly(&document.text);
    }
    let names = (document.form == Form::Kernel).then(|| state.analysis(document).names());
    let word = |(range, class): (Range<usize>, WordClass)| {
        let start = u32::try_from(range.start).unwrap_or(u32::MAX);
        let meaning = names.and_then(|names| {
            let at = names
                .uses
                .binary_search_by_key(&start, |found| found.span.start)
                .ok()?;
            let found = names.uses[at];
            Some(named(names.def(found.def).kind, found.defines))
        });
        let (kind, modifiers) = meaning.or_else(|| plain(class, &document.text[range.clone()]))?;
        Some((range, kind, modifiers))
    };
    classes(&document.text)
        .into_iter()
        .filter_map(word)
        .collect()
}

fn named(kind: DefKind, defines: bool) -> (SemanticTokenType, u32) {
    let modifiers = if defines { DECLARATION } else { 0 };
    match kind {
        DefKind::Kernel | DefKind::Function => (SemanticTokenType::FUNCTION, modifiers),
        DefKind::Monoid => (SemanticTokenType::CLASS, modifiers),
        DefKind::Constant => (SemanticTokenType::VARIABLE, modifiers | READONLY),
        DefKind::Size | DefKind::Type => (SemanticTokenType::TYPE_PARAMETER, modifiers),
        DefKind::Param | DefKind::Result => (SemanticTokenType::PARAMETER, modifiers),
        DefKind::Local => (SemanticTokenType::VARIABLE, modifiers),
        DefKind::Index => (SemanticTokenType::ENUM_MEMBER, modifiers),
        DefKind::Field => (SemanticTokenType::PROPERTY, modifiers),
    }
}

fn plain(class: WordClass, text: &str) -> Option<(SemanticTokenType, u32)> {
    Some(match class {
        WordClass::Keyword => (SemanticTokenType::KEYWORD, 0),
        WordClass::Reduction => (SemanticTokenType::MACRO, 0),
        WordClass::Number => (SemanticTokenType::NUMBER, 0),
        WordClass::Text => (SemanticTokenType::STRING, 0),
        WordClass::Operator => (SemanticTokenType::OPERATOR, 0),
        WordClass::Comment => (SemanticTokenType::COMMENT, 0),
        WordClass::Doc => (SemanticTokenType::COMMENT, DOCUMENTATION),
        WordClass::Name if isa::types::Elem::from_name(text).is_some() || text == "i4" => {
            (SemanticTokenType::TYPE, 0)
        }
        WordClass::Name => return None,
    })
}

/// Directives, mnemonics and comments of assembly.
fn assembly(text: &str) -> Vec<Coloured> {
    let mut tokens = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let code = line.find("//").unwrap_or(line.trim_end().len());
        let indent = line.len() - line.trim_start().len();
        let word = line[indent.min(code)..code]
            .split_whitespace()
            .next()
            .unwrap_or_default();
        if !word.is_empty() {
            let kind = match word {
                _ if word.starts_with('.') => SemanticTokenType::KEYWORD,
                _ if word.ends_with(':') => SemanticTokenType::ENUM_MEMBER,
                _ => SemanticTokenType::FUNCTION,
            };
            tokens.push((start + indent..start + indent + word.len(), kind, 0));
        }
        let end = line.trim_end().len();
        if code < end {
            tokens.push((start + code..start + end, SemanticTokenType::COMMENT, 0));
        }
        start += line.len();
    }
    tokens
}

/// The protocol's numbers: each token relative to the one before. Tokens do not span lines.
fn encoded(document: &Document, tokens: Vec<Coloured>, within: Range<usize>) -> Vec<SemanticToken> {
    let (mut line, mut character) = (0, 0);
    let mut data = Vec::new();
    for (range, kind, modifiers) in tokens {
        if range.end <= within.start || range.start >= within.end {
            continue;
        }
        let Some(token_type) = TYPES.iter().position(|known| *known == kind) else {
            continue;
        };
        let at = document.lines.position(&document.text, range.start);
        let text = &document.text[range];
        let delta_start = if at.line == line {
            at.character - character
        } else {
            at.character
        };
        data.push(SemanticToken {
            delta_line: at.line - line,
            delta_start,
            length: document.lines.encoding().length(text.trim_end()),
            token_type: u32::try_from(token_type).unwrap_or(0),
            token_modifiers_bitset: modifiers,
        });
        (line, character) = (at.line, at.character);
    }
    data
}
