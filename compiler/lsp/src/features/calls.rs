//! Who calls whom.

use frontend::ide::{DefId, DefKind, Use};
use lsp_types::{
    CallHierarchyIncomingCall, CallHierarchyIncomingCallsParams, CallHierarchyItem,
    CallHierarchyOutgoingCall, CallHierarchyOutgoingCallsParams, CallHierarchyPrepareParams,
    SymbolKind, TextDocumentIdentifier, TextDocumentPositionParams,
};

use super::diagnostics::location;
use super::navigate::name_at;
use crate::document::{Analysis, Document, MAIN};
use crate::server::dispatch::Refused;
use crate::server::state::State;

fn is_item(kind: DefKind) -> bool {
    matches!(kind, DefKind::Kernel | DefKind::Function | DefKind::Monoid)
}

fn item(
    state: &State,
    document: &Document,
    analysis: &Analysis,
    id: DefId,
) -> Option<CallHierarchyItem> {
    let def = analysis.names().def(id);
    let sources = Some(&analysis.sources);
    let whole = location(state, document, sources, def.whole)?;
    Some(CallHierarchyItem {
        name: def.name.clone(),
        kind: SymbolKind::FUNCTION,
        tags: None,
        detail: None,
        uri: whole.uri,
        range: whole.range,
        selection_range: location(state, document, sources, def.span)?.range,
        data: None,
    })
}

pub(crate) fn prepare(
    state: &mut State,
    params: CallHierarchyPrepareParams,
) -> Result<Option<Vec<CallHierarchyItem>>, Refused> {
    let Some((document, analysis, found)) = name_at(state, &params.text_document_position_params)
    else {
        return Ok(None);
    };
    let found = is_item(analysis.names().def(found.def).kind)
        .then(|| item(state, document, analysis, found.def))
        .flatten();
    Ok(found.map(|item| vec![item]))
}

/// The item that an answer of ours names, if it is in an open document.
fn again<'a>(
    state: &'a State,
    item: &CallHierarchyItem,
) -> Option<(&'a Document, &'a Analysis, DefId)> {
    let place = TextDocumentPositionParams {
        text_document: TextDocumentIdentifier {
            uri: item.uri.clone(),
        },
        position: item.selection_range.start,
    };
    let (document, analysis, found) = name_at(state, &place)?;
    Some((document, analysis, found.def))
}

/// The places in a file where one item names others.
fn calls(analysis: &Analysis) -> impl Iterator<Item = (DefId, Use)> + '_ {
    let items = analysis
        .names()
        .defs
        .iter()
        .enumerate()
        .filter(|(_, def)| def.span.file == MAIN && is_item(def.kind));
    items.flat_map(move |(at, def)| {
        let inside = move |found: &&Use| {
            def.whole.start <= found.span.start && found.span.end <= def.whole.end && !found.defines
        };
        let named = move |found: &&Use| is_item(analysis.names().def(found.def).kind);
        analysis
            .names()
            .uses
            .iter()
            .filter(inside)
            .filter(named)
            .map(move |found| (DefId(at), *found))
    })
}

pub(crate) fn incoming(
    state: &mut State,
    params: CallHierarchyIncomingCallsParams,
) -> Result<Option<Vec<CallHierarchyIncomingCall>>, Refused> {
    let Some((document, analysis, id)) = again(state, &params.item) else {
        return Ok(None);
    };
    let mut found: Vec<CallHierarchyIncomingCall> = Vec::new();
    for (caller, place) in calls(analysis).filter(|(_, place)| place.def == id) {
        let range = document.range(place.span);
        let name = &analysis.names().def(caller).name;
        match found.iter_mut().find(|call| call.from.name == *name) {
            Some(call) => call.from_ranges.push(range),
            None => found.extend(item(state, document, analysis, caller).map(|from| {
                CallHierarchyIncomingCall {
                    from,
                    from_ranges: vec![range],
                }
            })),
        }
    }
    Ok(Some(found))
}

pub(crate) fn outgoing(
    state: &mut State,
    params: CallHierarchyOutgoingCallsParams,
) -> Result<Option<Vec<CallHierarchyOutgoingCall>>, Refused> {
    let Some((document, analysis, id)) = again(state, &params.item) else {
        return Ok(None);
    };
    let mut found: Vec<CallHierarchyOutgoingCall> = Vec::new();
    for (_, place) in calls(analysis).filter(|(caller, _)| *caller == id) {
        let range = document.range(place.span);
        let name = &analysis.names().def(place.def).name;
        match found.iter_mut().find(|call| call.to.name == *name) {
            Some(call) => call.from_ranges.push(range),
            None => found.extend(item(state, document, analysis, place.def).map(|to| {
                CallHierarchyOutgoingCall {
                    to,
                    from_ranges: vec![range],
                }
            })),
        }
    }
    Ok(Some(found))
}
