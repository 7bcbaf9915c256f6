//! The proof that the tiler took no number for a size that the launch gives.

use diag::Span;
use ir::tile;

/// Where two tile forms of one function differ that were made under different numbers for its symbolic sizes: there a
/// number was taken for a size.
pub(super) fn first_difference(a: &tile::Func, b: &tile::Func) -> Option<Span> {
    if tile::print(a) == tile::print(b) {
        return None;
    }
    let mut pairs = a.insts.values().zip(b.insts.values());
    let found = pairs.find(|(a, b)| format!("{:?}", a.op) != format!("{:?}", b.op));
    Some(found.map_or(Span::NONE, |(inst, _)| inst.span))
}
