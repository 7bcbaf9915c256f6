//! Ranges of the integers in UB, as far as gathers need them: which bytes a gather can reach.
//!
//! A list of offsets is made by a few instructions: a count, products and sums with constants, limits. Each footprint keeps
//! the least and the greatest 32-bit value that its last writer can have left in it; whatever else writes there ends that.
//! Knows no order.

use isa::inst::*;
use isa::types::Space;

use crate::footprint::{Footprints, Id};

/// Least and greatest value.
pub(crate) type Range = (i64, i64);

/// Any 32-bit value.
const ANY: Range = (i32::MIN as i64, i32::MAX as i64);

/// What an instruction does with integers of 32 bits.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Arith {
    /// Numbers from the scalar on, so many.
    Count(i64),
    Fill,
    Same,
    Add,
    Sub,
    Mul,
    Max,
    Min,
    ScalarAdd,
    ScalarMul,
    ScalarMax,
    ScalarMin,
    ShiftLeft,
    ShiftRight,
}

/// What a gather reads: its table's first byte, the bytes of an element, and where the offsets are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gather {
    pub(crate) table: u32,
    pub(crate) elem: u32,
    pub(crate) offsets: Id,
}

/// The arithmetic of an instruction on integers, if it is any of it.
pub(crate) fn arith(inst: &Inst, elements: i64) -> Option<Arith> {
    let (ty, arith) = if let Inst::Viota(i) = inst {
        (i.ty, Arith::Count(elements))
    } else if let Inst::Vdup(i) = inst {
        (i.ty, Arith::Fill)
    } else if let Inst::Vcopy(i) = inst {
        (i.ty, Arith::Same)
    } else if let Inst::Vadd(i) = inst {
        (i.ty, Arith::Add)
    } else if let Inst::Vsub(i) = inst {
        (i.ty, Arith::Sub)
    } else if let Inst::Vmul(i) = inst {
        (i.ty, Arith::Mul)
    } else if let Inst::Vmax(i) = inst {
        (i.ty, Arith::Max)
    } else if let Inst::Vmin(i) = inst {
        (i.ty, Arith::Min)
    } else if let Inst::Vadds(i) = inst {
        (i.ty, Arith::ScalarAdd)
    } else if let Inst::Vmuls(i) = inst {
        (i.ty, Arith::ScalarMul)
    } else if let Inst::Vmaxs(i) = inst {
        (i.ty, Arith::ScalarMax)
    } else if let Inst::Vmins(i) = inst {
        (i.ty, Arith::ScalarMin)
    } else if let Inst::Vshl(i) = inst {
        return (i.ty == ShiftTy::S32).then_some(Arith::ShiftLeft);
    } else if let Inst::Vshr(i) = inst {
        return (i.ty == ShiftTy::S32).then_some(Arith::ShiftRight);
    } else {
        return None;
    };
    (ty == VecTy::S32).then_some(arith)
}

/// The scalar operand of such an instruction.
pub(crate) fn scalar(inst: &Inst) -> Option<VecScalar> {
    if let Inst::Vadds(Vadds { scalar, .. })
    | Inst::Vmuls(Vmuls { scalar, .. })
    | Inst::Vmaxs(Vmaxs { scalar, .. })
    | Inst::Vmins(Vmins { scalar, .. })
    | Inst::Vshl(Vshl { scalar, .. })
    | Inst::Vshr(Vshr { scalar, .. })
    | Inst::Vdup(Vdup { scalar, .. })
    | Inst::Viota(Viota { scalar, .. }) = *inst
    {
        return Some(scalar);
    }
    None
}

/// The range of a result; none if it may leave 32 bits and wrap.
fn result(arith: Arith, a: Range, b: Range, scalar: Range) -> Option<Range> {
    let fits = |range: Range| (range.0 >= ANY.0 && range.1 <= ANY.1).then_some(range);
    let product = |x: Range, y: Range| {
        let all = [x.0 * y.0, x.0 * y.1, x.1 * y.0, x.1 * y.1];
        let least = all.iter().copied().min().unwrap_or(0);
        (least, all.iter().copied().max().unwrap_or(0))
    };
    let sum = |x: Range, y: Range| (x.0 + y.0, x.1 + y.1);
    let max = |x: Range, y: Range| (x.0.max(y.0), x.1.max(y.1));
    let min = |x: Range, y: Range| (x.0.min(y.0), x.1.min(y.1));
    let amount = || (scalar.0 == scalar.1).then_some((scalar.0 & 31) as u32);
    fits(match arith {
        Arith::Count(elements) => (scalar.0, scalar.1 + elements.max(1) - 1),
        Arith::Fill => scalar,
        Arith::Same => a,
        Arith::Add => sum(a, b),
        Arith::Sub => (a.0 - b.1, a.1 - b.0),
        Arith::Mul => product(a, b),
        Arith::Max => max(a, b),
        Arith::Min => min(a, b),
        Arith::ScalarAdd => sum(a, scalar),
        Arith::ScalarMul => product(a, scalar),
        Arith::ScalarMax => max(a, scalar),
        Arith::ScalarMin => min(a, scalar),
        Arith::ShiftLeft => {
            let by = amount()?;
            (a.0 << by, a.1 << by)
        }
        Arith::ShiftRight => {
            let by = amount()?;
            (a.0 >> by, a.1 >> by)
        }
    })
}

/// What is known of the integers in the UB of a core.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Ranges {
    /// By footprint.
    known: Vec<Option<Range>>,
}

impl Ranges {
    pub(crate) fn reset(&mut self) {
        self.known.clear();
    }

    /// A footprint is written; what its bytes hold then, if that is known.
    pub(crate) fn put(&mut self, footprints: &Footprints, bytes: Id, range: Option<Range>) {
        let needed = footprints.all.len();
        if self.known.len() < needed {
            self.known.resize(needed, None);
        }
        let footprint = footprints.get(bytes);
        if footprint.space != Space::Ub {
            return;
        }
        for &other in &footprint.overlaps {
            self.known[other as usize] = None;
        }
        self.known[bytes as usize] = range;
    }

    /// The range of what lies in a footprint: that of known ones which cover it together, else anything.
    pub(crate) fn of(&self, footprints: &Footprints, bytes: Id) -> Range {
        let known = |id: Id| self.known.get(id as usize).copied().flatten();
        if let Some(range) = known(bytes) {
            return range;
        }
        let wanted = footprints.get(bytes);
        let mut hull: Option<Range> = None;
        let mut left = wanted.pieces.clone();
        for &other in &wanted.overlaps {
            let Some(range) = known(other) else { continue };
            hull = Some(hull.map_or(range, |hull| (hull.0.min(range.0), hull.1.max(range.1))));
            left = without(left, &footprints.get(other).pieces);
        }
        match hull {
            Some(hull) if left.is_empty() => hull,
            Some(_) | None => ANY,
        }
    }

    /// The range of a result.
    pub(crate) fn result(
        &self,
        footprints: &Footprints,
        arith: Arith,
        (a, b): (Option<Id>, Option<Id>),
        scalar: Option<i32>,
    ) -> Option<Range> {
        let of = |id: Option<Id>| id.map_or(ANY, |id| self.of(footprints, id));
        let scalar = scalar.map_or(ANY, |value| (value.into(), value.into()));
        result(arith, of(a), of(b), scalar)
    }
}

/// Pieces without those of another list.
fn without(pieces: Vec<(u32, u32)>, other: &[(u32, u32)]) -> Vec<(u32, u32)> {
    let mut left = Vec::new();
    for (mut start, end) in pieces {
        let first = other.partition_point(|piece| piece.1 <= start);
        for &(from, to) in &other[first..] {
            if from >= end {
                break;
            }
            if from > start {
                left.push((start, from));
            }
            start = start.max(to);
        }
        if start < end {
            left.push((start, end));
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_offsets_stays_in_its_table() {
        let mut footprints = Footprints::default();
        let list = footprints.of_pieces(Space::Ub, vec![(0, 256)]);
        let half = footprints.of_pieces(Space::Ub, vec![(128, 256)]);
        let mut ranges = Ranges::default();
        let count = ranges.result(&footprints, Arith::Count(64), (None, None), Some(0));
        ranges.put(&footprints, list, count);
        let times = ranges.result(&footprints, Arith::ScalarMul, (Some(list), None), Some(-4));
        ranges.put(&footprints, list, times);
        let turned = ranges.result(&footprints, Arith::ScalarAdd, (Some(half), None), Some(252));
        assert_eq!(turned, Some((0, 252)));
        ranges.put(&footprints, half, None);
        assert_eq!(ranges.of(&footprints, list), ANY);
    }

    #[test]
    fn pieces_are_taken_away() {
        assert_eq!(
            without(vec![(0, 10), (20, 30)], &[(2, 4), (8, 25)]),
            [(0, 2), (4, 8), (25, 30)]
        );
    }
}
