//! What a text says as a whole, seen before any statement is read: who sends, what is stored, what is filled.
//!
//! Works on syntax alone; nesting is bounded by the parser.

use std::collections::BTreeSet;

use isa::types::CoreKind;
use syntax::ast::Name;
use syntax::tile_ast::{
    TileAccess, TileArg, TileCoord, TileCorePart, TileCores, TileFunc, TileItem, TileStmt,
    TileStmtKind,
};

use super::Loader;

impl Loader {
    /// Who sends over each channel, and over which anything is received.
    pub(super) fn find_senders(&mut self, func: &TileFunc) {
        let mut both = BTreeSet::new();
        for item in &func.items {
            let TileItem::Cores(cores) = item else {
                continue;
            };
            for (kind, stmts) in blocks(cores) {
                let cube = kind.text == CoreKind::Cube.name();
                let kind = if cube {
                    CoreKind::Cube
                } else {
                    CoreKind::Vector
                };
                each_stmt(stmts, &mut |stmt| {
                    if let TileStmtKind::Send { chan, .. } = &stmt.kind {
                        let known = self.senders.insert(chan.text.clone(), kind);
                        if known.is_some_and(|known| known != kind) {
                            both.insert(chan.text.clone());
                        }
                    } else if let TileStmtKind::Receive { chan, .. } = &stmt.kind {
                        self.receivers.insert(chan.text.clone());
                    }
                });
            }
        }
        self.senders.retain(|name, _| !both.contains(name));
    }
}

/// The names of tensors that anything is stored to.
pub(super) fn stored(func: &TileFunc) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut look = |stmts: &[TileStmt]| {
        each_stmt(stmts, &mut |stmt| {
            if let TileStmtKind::Put { dst, .. } = &stmt.kind {
                names.insert(dst.name.text.clone());
            } else if let TileStmtKind::Store(transfer) = &stmt.kind {
                names.insert(transfer.dst.name.text.clone());
            } else if let TileStmtKind::Drain { dst, .. } = &stmt.kind {
                names.insert(dst.name.text.clone());
            }
        });
    };
    for item in &func.items {
        if let TileItem::Cores(cores) = item {
            blocks(cores).for_each(|(_, stmts)| look(stmts));
        } else if let TileItem::Phase { blocks, .. } = item {
            blocks.iter().for_each(|(_, stmts)| look(stmts));
        }
    }
    names
}

/// The blocks of a loop over cores, with their kinds.
pub(super) fn blocks(cores: &TileCores) -> impl Iterator<Item = (&Name, &[TileStmt])> {
    cores.parts.iter().filter_map(|part| match part {
        TileCorePart::On(kind, stmts) => Some((kind, stmts.as_slice())),
        TileCorePart::Item(_) => None,
    })
}

/// Every statement, the nested ones too.
fn each_stmt(stmts: &[TileStmt], visit: &mut impl FnMut(&TileStmt)) {
    for stmt in stmts {
        visit(stmt);
        if let TileStmtKind::For { body, .. } = &stmt.kind {
            each_stmt(body, visit);
        } else if let TileStmtKind::If { then, els, .. } | TileStmtKind::When { then, els, .. } =
            &stmt.kind
        {
            each_stmt(then, visit);
            els.iter().for_each(|els| each_stmt(els, visit));
        }
    }
}

/// Every part of a tensor or buffer that is copied or stored.
pub(super) fn each_access(stmts: &[TileStmt], visit: &mut impl FnMut(&TileAccess)) {
    each_stmt(stmts, &mut |stmt| {
        if let TileStmtKind::Copy { src: access, .. } | TileStmtKind::Put { dst: access, .. } =
            &stmt.kind
        {
            visit(access);
        }
    });
}

/// The buffers that operations other than copies write.
pub(super) fn each_computed(stmts: &[TileStmt], visit: &mut impl FnMut(&str)) {
    each_stmt(stmts, &mut |stmt| {
        if let TileStmtKind::Multiply { bufs, .. } | TileStmtKind::Mad { bufs, .. } = &stmt.kind {
            visit(&bufs[0].text);
        } else if let TileStmtKind::Ew { dst, .. }
        | TileStmtKind::Spread { dst, .. }
        | TileStmtKind::Transpose { dst, .. }
        | TileStmtKind::BlockReduce { dst, .. }
        | TileStmtKind::Lanes { dst, .. }
        | TileStmtKind::Gather { dst, .. }
        | TileStmtKind::Sort { dst, .. }
        | TileStmtKind::Accumulate { acc: dst, .. }
        | TileStmtKind::Poke { dst, .. } = &stmt.kind
        {
            visit(&dst.name.text);
        }
    });
}

/// The names of buffers that start a generation by themselves: copies fill them, or somebody turns them.
pub(super) fn filled(stmts: &[TileStmt]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    each_stmt(stmts, &mut |stmt| {
        if let TileStmtKind::Copy { dst, .. }
        | TileStmtKind::Receive { dst, .. }
        | TileStmtKind::Next(dst) = &stmt.kind
        {
            names.insert(dst.text.clone());
        }
    });
    names
}

/// Whether a coordinate is one index and nothing else.
pub(super) fn stands_alone(coordinate: &TileCoord, index: &str) -> bool {
    let TileCoord::At(sum) = coordinate else {
        return false;
    };
    let [(false, factors)] = sum.terms.as_slice() else {
        return false;
    };
    matches!(factors.as_slice(), [TileArg::Name(name)] if name.text == index)
}
