//! The parameters of the call around the cursor.

use frontend::ide::DefKind;
use lsp_types::{
    ParameterInformation, ParameterLabel, SignatureHelp, SignatureHelpParams, SignatureInformation,
};

use super::navigate::word_at;
use crate::document::Form;
use crate::server::dispatch::Refused;
use crate::server::state::State;

/// How far back a call is looked for.
const REACH: usize = 4096;

pub(crate) fn help(
    state: &mut State,
    params: SignatureHelpParams,
) -> Result<Option<SignatureHelp>, Refused> {
    let place = params.text_document_position_params;
    let Some(document) = state.document(&place.text_document.uri) else {
        return Ok(None);
    };
    if document.form != Form::Kernel {
        return Ok(None);
    }
    let byte = document.byte(place.position) as usize;
    let Some((callee, active)) = call_around(&document.text, byte) else {
        return Ok(None);
    };
    let analysis = state.analysis(document);
    let Some(def) = analysis
        .names()
        .item(&callee)
        .map(|id| analysis.names().def(id))
    else {
        return Ok(None);
    };
    if !matches!(def.kind, DefKind::Function | DefKind::Monoid) {
        return Ok(None);
    }
    let text = analysis
        .sources
        .get(def.span.file)
        .map_or("", |file| &file.text);
    let label = super::hover::head(text.get(def.whole.range()).unwrap_or_default());
    let parameters = parameters(&label);
    let active = u32::try_from(active).unwrap_or(0);
    Ok(Some(SignatureHelp {
        signatures: vec![SignatureInformation {
            label,
            documentation: Some(lsp_types::Documentation::String(def.docs.join("\n")))
                .filter(|_| !def.docs.is_empty()),
            parameters: Some(parameters),
            active_parameter: Some(active),
        }],
        active_signature: Some(0),
        active_parameter: Some(active),
    }))
}

/// The name before the innermost open parenthesis, and the number of the argument.
fn call_around(text: &str, byte: usize) -> Option<(String, usize)> {
    let from = byte.saturating_sub(REACH);
    let from = (from..=byte).find(|&at| text.is_char_boundary(at))?;
    let before = text.get(from..byte)?;
    let (mut depth, mut commas) = (0_usize, 0);
    for (at, c) in before.char_indices().rev() {
        match c {
            ')' | ']' => depth += 1,
            '(' if depth == 0 => {
                let word = word_at(text, from + at)?;
                return Some((text[word].to_owned(), commas));
            }
            '[' if depth == 0 => return None,
            '(' | '[' => depth -= 1,
            ',' if depth == 0 => commas += 1,
            ';' | '{' | '}' => return None,
            _ => {}
        }
    }
    None
}

/// The parts of a signature between its parentheses.
fn parameters(label: &str) -> Vec<ParameterInformation> {
    let Some(open) = label.find('(') else {
        return Vec::new();
    };
    let mut depth = 0_usize;
    let mut parts = vec![String::new()];
    for c in label[open + 1..].chars() {
        match c {
            ')' if depth == 0 => break,
            ',' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            '[' | '(' => depth += 1,
            ']' | ')' => depth -= 1,
            _ => {}
        }
        if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    let parts = parts
        .into_iter()
        .map(|part| part.trim().to_owned())
        .filter(|part| !part.is_empty());
    let info = |part| ParameterInformation {
        label: ParameterLabel::Simple(part),
        documentation: None,
    };
    parts.map(info).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_and_parameters() {
        assert_eq!(
            call_around("y = f(a[1, 2], b", 16),
            Some(("f".to_owned(), 1))
        );
        assert_eq!(call_around("y = f(a); g", 11), None);
        assert_eq!(call_around("é(", 3), None);
        assert_eq!(parameters("fn f(x: f32[M, N], g: f32) -> f32").len(), 2);
    }
}
