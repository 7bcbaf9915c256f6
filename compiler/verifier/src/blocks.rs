//! Who used which bytes of one tensor last, and which of its bytes hold values.
//!
//! A unit of 512 bytes keeps who wrote all of it last, and lists of uses of parts since: of several blocks of 32 bytes as a
//! mask, and for each block of one, or of some of its bytes. Large tensors are written unit by unit, so this is small and
//! quick where it matters; single elements meet only those of their own block. Knows no instructions.

use std::collections::HashMap;

use crate::bits::mask;
use crate::gm::{Sort, User, Who};

const BLOCK: u64 = 32;
const UNIT: u64 = 512;

/// Blocks of a unit: whole ones, or some bytes of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    blocks: u16,
    /// All bits, unless it is some bytes of the one block.
    bytes: u32,
}

impl Part {
    const ALL: Part = Part {
        blocks: u16::MAX,
        bytes: u32::MAX,
    };

    fn meets(self, other: Part) -> bool {
        self.blocks & other.blocks != 0 && self.bytes & other.bytes != 0
    }

    /// What is left of it without another.
    fn without(self, other: Part) -> Part {
        match (other.bytes, self.bytes) {
            (u32::MAX, _) => Part {
                blocks: self.blocks & !other.blocks,
                ..self
            },
            (_, u32::MAX) => self,
            _ if self.blocks != other.blocks => self,
            (taken, bytes) => Part {
                bytes: bytes & !taken,
                ..self
            },
        }
    }

    fn is_empty(self) -> bool {
        self.blocks == 0 || self.bytes == 0
    }

    /// The block that it is of, if it is of one.
    fn block(self) -> Option<usize> {
        let alone = self.blocks.is_power_of_two();
        alone.then(|| self.blocks.trailing_zeros() as usize)
    }
}

/// The bytes `from..to` of a unit, cut into a partial block, whole ones and a partial block.
fn parts(from: u64, to: u64) -> [Part; 3] {
    const NONE: Part = Part {
        blocks: 0,
        bytes: 0,
    };
    let some = |from: u64, to: u64| {
        let block = from / BLOCK;
        let first = block * BLOCK;
        Part {
            blocks: 1 << block,
            bytes: mask((from - first) as u32, (to - first) as u32),
        }
    };
    let (first, last) = (from.next_multiple_of(BLOCK), to / BLOCK * BLOCK);
    if first > last {
        return [some(from, to), NONE, NONE];
    }
    let whole = mask((first / BLOCK) as u32, (last / BLOCK) as u32) as u16;
    let whole = if first < last { whole } else { 0 };
    [
        if from < first {
            some(from, first)
        } else {
            NONE
        },
        Part {
            blocks: whole,
            bytes: u32::MAX,
        },
        if last < to { some(last, to) } else { NONE },
    ]
}

/// What is kept of a unit.
#[derive(Clone, Copy, Debug, Default)]
struct Unit {
    /// Who wrote all of it last, one more than its index; 0 for nobody.
    writer: u32,
    /// The first of a list of later uses of several blocks; one more than its index.
    others: u32,
    /// The lists of its single blocks, in `single`; one more than their index.
    single: u32,
    /// Blocks that hold values.
    set: u16,
}

/// The first of the list of each block of a unit; one more than its index.
type Single = [u32; (UNIT / BLOCK) as usize];

/// A list of uses.
#[derive(Clone, Copy, Debug)]
enum List {
    /// Of several blocks of a unit.
    Unit(usize),
    /// Of one block: the place in `single`, and which.
    Block(usize, usize),
}

/// A use of a part of a unit.
#[derive(Clone, Copy, Debug)]
struct Other {
    who: u32,
    part: Part,
    next: u32,
}

/// The bytes of one tensor that may be written.
#[derive(Debug, Default)]
pub(crate) struct Blocks {
    len: u64,
    units: Vec<Unit>,
    others: Vec<Other>,
    single: Vec<Single>,
    /// The first of a list of entries of `others` that are not in use.
    spare: u32,
    /// Of blocks that hold values in part, which bytes.
    partly: HashMap<u64, u32>,
}

/// The other side of a conflict, and the bytes in common.
pub(crate) type Clash = ((u64, u64), Who);

impl Blocks {
    /// So many bytes, none with a value.
    pub(crate) fn new(len: u64) -> Option<Blocks> {
        let units = usize::try_from(len.div_ceil(UNIT)).ok()?;
        Some(Blocks {
            len,
            units: vec![Unit::default(); units],
            ..Blocks::default()
        })
    }

    /// Enters a use of a range and finds what it conflicts with.
    pub(crate) fn touch(
        &mut self,
        users: &[Who],
        (user, number): (&User<'_>, u32),
        (start, end): (u64, u64),
    ) -> Option<Clash> {
        // What lies behind the last byte belongs to it.
        let end = if end == self.len {
            end.next_multiple_of(UNIT)
        } else {
            end
        };
        let mut at = start;
        while at < end {
            let unit = at / UNIT;
            let base = unit * UNIT;
            let stop = end.min(base + UNIT);
            for part in parts(at - base, stop - base) {
                if part.is_empty() {
                    continue;
                }
                if let Some(who) = self.conflict(users, (user, number), unit as usize, part) {
                    return Some(((at, stop.min(self.len)), who));
                }
                self.note(users, (user, number), unit as usize, part);
            }
            at = stop;
        }
        None
    }

    /// The earlier use that a use of a part conflicts with.
    fn conflict(
        &self,
        users: &[Who],
        (user, number): (&User<'_>, u32),
        unit: usize,
        part: Part,
    ) -> Option<Who> {
        let entry = self.units[unit];
        if entry.writer != 0 && entry.writer != number {
            let writer = users[entry.writer as usize - 1];
            if user.conflicts(&writer) {
                return Some(writer);
            }
        }
        for list in self.lists(unit, part) {
            let mut next = self.first(list);
            while next != 0 {
                let other = self.others[next as usize - 1];
                if other.who != number && other.part.meets(part) {
                    let who = users[other.who as usize - 1];
                    if user.conflicts(&who) {
                        return Some(who);
                    }
                }
                next = other.next;
            }
        }
        None
    }

    /// The lists with uses of blocks of a part.
    fn lists(&self, unit: usize, part: Part) -> impl Iterator<Item = List> + use<> {
        let single = (self.units[unit].single as usize).checked_sub(1);
        let mut blocks = if single.is_some() { part.blocks } else { 0 };
        let next = move || {
            let block = blocks.trailing_zeros() as usize;
            blocks &= blocks.checked_sub(1)?;
            Some(List::Block(single?, block))
        };
        std::iter::once(List::Unit(unit)).chain(std::iter::from_fn(next))
    }

    fn first(&self, list: List) -> u32 {
        match list {
            List::Unit(unit) => self.units[unit].others,
            List::Block(single, block) => self.single[single][block],
        }
    }

    fn set_first(&mut self, list: List, first: u32) {
        match list {
            List::Unit(unit) => self.units[unit].others = first,
            List::Block(single, block) => self.single[single][block] = first,
        }
    }

    /// The list that keeps a use of a part.
    fn list_of(&mut self, unit: usize, part: Part) -> List {
        let Some(block) = part.block() else {
            return List::Unit(unit);
        };
        if self.units[unit].single == 0 {
            self.single.push(Single::default());
            self.units[unit].single = self.single.len() as u32;
        }
        List::Block(self.units[unit].single as usize - 1, block)
    }

    fn note(&mut self, users: &[Who], (user, number): (&User<'_>, u32), unit: usize, part: Part) {
        if user.who.sort != Sort::Read {
            self.give(unit, part);
        }
        let all = user.who.sort == Sort::Write;
        let stands_for = |who: u32| {
            let who = &users[who as usize - 1];
            // All others come before a write, so who follows it follows them.
            let same = who.core == user.who.core && who.lane == user.who.lane;
            all || same && who.sort == user.who.sort
        };
        for list in self.lists(unit, part) {
            // Bytes are taken only from what is of one block.
            if part.bytes == u32::MAX || matches!(list, List::Block(..)) {
                self.trim(list, part, stands_for);
            }
        }
        if all && part == Part::ALL {
            self.units[unit].writer = number;
            return;
        }
        let list = self.list_of(unit, part);
        let next = self.first(list);
        let other = self.enter(Other {
            who: number,
            part,
            next,
        });
        self.set_first(list, other);
    }

    /// Takes a part away from those later uses of a list that a newer one stands for.
    fn trim(&mut self, list: List, part: Part, stands_for: impl Fn(u32) -> bool) {
        let mut before = 0;
        let mut next = self.first(list);
        while next != 0 {
            let at = next as usize - 1;
            let other = self.others[at];
            // Most uses are of other parts: those are passed by without a look at who they are.
            if !other.part.meets(part) {
                before = next;
                next = other.next;
                continue;
            }
            let left = match stands_for(other.who) {
                true => other.part.without(part),
                false => other.part,
            };
            if left.is_empty() {
                match before {
                    0 => self.set_first(list, other.next),
                    _ => self.others[before as usize - 1].next = other.next,
                }
                self.others[at].next = self.spare;
                self.spare = next;
            } else {
                self.others[at].part = left;
                before = next;
            }
            next = other.next;
        }
    }

    fn enter(&mut self, other: Other) -> u32 {
        if self.spare == 0 {
            self.others.push(other);
            return self.others.len() as u32;
        }
        let place = self.spare;
        let entry = &mut self.others[place as usize - 1];
        self.spare = entry.next;
        *entry = other;
        place
    }

    /// Says that a part holds values now.
    fn give(&mut self, unit: usize, part: Part) {
        if part.bytes == u32::MAX {
            self.units[unit].set |= part.blocks;
            return;
        }
        let block = unit as u64 * (UNIT / BLOCK) + u64::from(part.blocks.trailing_zeros());
        let bytes = self.partly.entry(block).or_default();
        *bytes |= part.bytes;
        if *bytes == u32::MAX {
            self.units[unit].set |= part.blocks;
        }
    }

    /// Whether somebody has used a unit that a range touches.
    pub(crate) fn is_used(&self, (start, end): (u64, u64)) -> bool {
        let units = (start / UNIT) as usize..end.div_ceil(UNIT) as usize;
        let used = |unit: &Unit| {
            let single = (unit.single as usize).checked_sub(1);
            let one =
                single.is_some_and(|single| self.single[single].iter().any(|&use_| use_ != 0));
            unit.writer != 0 || unit.others != 0 || one
        };
        self.units[units].iter().any(used)
    }

    /// The first byte of a range without a value.
    pub(crate) fn hole(&self, (start, end): (u64, u64)) -> Option<u64> {
        let mut at = start;
        while at < end {
            let unit = at / UNIT;
            let base = unit * UNIT;
            let stop = end.min(base + UNIT);
            for part in parts(at - base, stop - base) {
                let mut blocks = part.blocks & !self.units[unit as usize].set;
                while blocks != 0 && part.bytes != 0 {
                    let block = unit * (UNIT / BLOCK) + u64::from(blocks.trailing_zeros());
                    let held = self.partly.get(&block).copied().unwrap_or(0);
                    let missing = part.bytes & !held;
                    if missing != 0 {
                        return Some(block * BLOCK + u64::from(missing.trailing_zeros()));
                    }
                    blocks &= blocks - 1;
                }
            }
            at = stop;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_cut_into_blocks() {
        let part = |blocks, bytes| Part { blocks, bytes };
        let none = part(0, 0);
        assert_eq!(parts(0, 512)[1], Part::ALL);
        assert_eq!(
            parts(40, 100),
            [
                part(2, 0xffff_ff00),
                part(4, u32::MAX),
                part(8, 0x0000_000f)
            ]
        );
        assert_eq!(parts(4, 8), [part(1, 0xf0), none, none]);
        assert!(parts(32, 64)[0].is_empty() && parts(32, 64)[2].is_empty());
    }

    #[test]
    fn a_part_is_taken_away() {
        let part = |blocks, bytes| Part { blocks, bytes };
        let whole = part(0b110, u32::MAX);
        assert_eq!(whole.without(part(0b10, u32::MAX)), part(0b100, u32::MAX));
        assert_eq!(whole.without(part(0b10, 0xff)), whole);
        assert!(part(0b10, 0xff).without(part(0b10, 0xff)).is_empty());
        assert!(!part(0b10, 0xff).meets(part(0b10, 0xff00)));
    }
}
