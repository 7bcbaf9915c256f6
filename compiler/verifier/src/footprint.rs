//! Sets of bytes of the on-chip memories, each kept once, with those that it overlaps.
//!
//! A program touches few different sets of bytes, again and again: buffers at fixed places. So who last touched what is
//! kept per set, and which sets overlap is found once. Knows no instructions and no order.

use std::collections::HashMap;

use isa::effects::Access;
use isa::types::Space;
use smallvec::SmallVec;

/// Names a footprint.
pub(crate) type Id = u32;

/// Bytes of a bucket of the index.
const BUCKET: u32 = 2048;

/// Pieces as a key: most sets have one or two.
type Pieces = SmallVec<[(u32, u32); 2]>;

/// A set of bytes of one memory.
#[derive(Debug)]
pub(crate) struct Footprint {
    pub(crate) space: Space,
    /// Its pieces: start and end, ascending, none touching the next.
    pub(crate) pieces: Vec<(u32, u32)>,
    /// Those that share a byte with it, itself included.
    pub(crate) overlaps: Vec<Id>,
}

impl Footprint {
    /// First byte and the byte after the last.
    pub(crate) fn span(&self) -> (u32, u32) {
        let first = self.pieces.first().map_or(0, |piece| piece.0);
        (first, self.pieces.last().map_or(0, |piece| piece.1))
    }

    /// The first byte that both have.
    pub(crate) fn common(&self, other: &Footprint) -> Option<(u32, u32)> {
        let (mine, theirs) = (self.span(), other.span());
        if self.space != other.space || mine.1 <= theirs.0 || theirs.1 <= mine.0 {
            return None;
        }
        let skip = |pieces: &[(u32, u32)], to: u32| pieces.partition_point(|piece| piece.1 <= to);
        let mut a = self.pieces[skip(&self.pieces, theirs.0)..]
            .iter()
            .peekable();
        let mut b = other.pieces[skip(&other.pieces, mine.0)..]
            .iter()
            .peekable();
        while let (Some(&&x), Some(&&y)) = (a.peek(), b.peek()) {
            let (from, to) = (x.0.max(y.0), x.1.min(y.1));
            if from < to {
                return Some((from, to));
            }
            if x.1 <= y.1 {
                a.next();
            } else {
                b.next();
            }
        }
        None
    }
}

/// All footprints of a launch.
#[derive(Debug, Default)]
pub(crate) struct Footprints {
    pub(crate) all: Vec<Footprint>,
    ids: HashMap<(Space, Pieces), Id>,
    /// By memory, then by bucket.
    index: HashMap<(Space, u32), Vec<Id>>,
}

impl Footprints {
    pub(crate) fn get(&self, id: Id) -> &Footprint {
        &self.all[id as usize]
    }

    /// The footprint of an access that lies inside its memory.
    pub(crate) fn of(&mut self, access: &Access) -> Id {
        let pieces = access.pieces().map(|(start, len)| (start, start + len));
        self.of_pieces(
            access.space,
            pieces.map(|(a, b)| (a as u32, b as u32)).collect(),
        )
    }

    /// The footprint of some bytes of a memory.
    pub(crate) fn of_pieces(&mut self, space: Space, mut pieces: Vec<(u32, u32)>) -> Id {
        merge(&mut pieces);
        let key = (space, SmallVec::from_slice(&pieces));
        if let Some(&id) = self.ids.get(&key) {
            return id;
        }
        let id = self.all.len() as Id;
        self.ids.insert(key, id);
        let new = Footprint {
            space,
            pieces,
            overlaps: Vec::new(),
        };
        self.enter(id, new);
        id
    }

    /// Adds a footprint and tells those that it overlaps.
    fn enter(&mut self, id: Id, mut new: Footprint) {
        let (start, end) = new.span();
        let mut near: Vec<Id> = Vec::new();
        for bucket in start / BUCKET..end.div_ceil(BUCKET).max(start / BUCKET + 1) {
            let list = self.index.entry((new.space, bucket)).or_default();
            near.extend_from_slice(list);
            list.push(id);
        }
        near.sort_unstable();
        near.dedup();
        for other in near {
            let there = &mut self.all[other as usize];
            if new.common(there).is_some() {
                there.overlaps.push(id);
                new.overlaps.push(other);
            }
        }
        new.overlaps.push(id);
        self.all.push(new);
    }
}

/// Sorts pieces and joins those that touch.
pub(crate) fn merge(pieces: &mut Vec<(u32, u32)>) {
    pieces.retain(|piece| piece.0 < piece.1);
    if !pieces.is_sorted() {
        pieces.sort_unstable();
    }
    let mut last = 0;
    for at in 1..pieces.len() {
        let (start, end) = pieces[at];
        if start <= pieces[last].1 {
            pieces[last].1 = pieces[last].1.max(end);
        } else {
            last += 1;
            pieces[last] = (start, end);
        }
    }
    pieces.truncate(last + 1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlaps_are_found_piece_by_piece() {
        let mut all = Footprints::default();
        let comb = all.of_pieces(Space::Ub, vec![(64, 96), (0, 32)]);
        let gaps = all.of_pieces(Space::Ub, vec![(32, 64), (96, 128)]);
        let both = all.of_pieces(Space::Ub, vec![(16, 40)]);
        let other = all.of_pieces(Space::L1, vec![(0, 128)]);
        assert_eq!(all.get(comb).overlaps, [comb, both]);
        assert_eq!(all.get(gaps).overlaps, [gaps, both]);
        assert_eq!(all.get(other).overlaps, [other]);
        assert_eq!(all.get(both).common(all.get(gaps)), Some((32, 40)));
    }

    #[test]
    fn touching_pieces_are_one() {
        let mut all = Footprints::default();
        let whole = all.of_pieces(Space::Ub, vec![(0, 64)]);
        assert_eq!(all.of_pieces(Space::Ub, vec![(32, 64), (0, 32)]), whole);
    }
}
