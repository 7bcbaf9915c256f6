//! Lines that are read together, again and again: their common state stands once.
//!
//! A kernel reads a matrix in the same pieces all the time, and a piece of it leaves the same state in all of its lines.
//! Such lines make a *column*: the first one's word holds the state, the others' say where it stands. Whatever touches one
//! of them in another way takes the column apart, so nothing else can tell the difference.

use super::{Count, DIRTY, Lines, Part, Touched, USED, VALID, Visit};
use crate::clock::memory::Piece;
use crate::stream::Traffic;

/// In the word of a line that has others' state too; its shape is in `SHAPE`.
const LEADS: u64 = 1 << 17;
/// In the word of a line whose state stands with the one whose number is above `WHERE_SHIFT`.
const FOLLOWS: u64 = 1 << 18;
/// In the words of both.
const TOGETHER: u64 = LEADS | FOLLOWS;
const SHAPE_SHIFT: u32 = 19;
const SHAPE: u64 = 0x1f << SHAPE_SHIFT;
const WHERE_SHIFT: u32 = 32;

/// Rows of a copy that lie alike: each inside one line, whole lines apart.
#[derive(Copy, Clone, Debug)]
pub(in crate::clock) struct Rows {
    /// The first row's line, and the lines from row to row.
    first: usize,
    step: u32,
    /// What each asks of its line.
    pub(super) part: Part,
}

impl Rows {
    /// The lines of a piece.
    #[inline]
    pub(super) fn column(self, piece: Piece) -> Column {
        Column {
            first: self.first + piece.row as usize * self.step as usize,
            shape: Shape {
                count: piece.rows as u32,
                step: self.step,
            },
        }
    }
}

/// Lines at equal distances: so many, so many lines apart.
#[derive(Copy, Clone, Debug)]
pub(super) struct Column {
    pub(super) first: usize,
    shape: Shape,
}

#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
struct Shape {
    count: u32,
    step: u32,
}

/// The shapes that columns have, as many as a word can name.
#[derive(Clone, Debug, Default)]
pub(super) struct Shapes {
    known: [Shape; 32],
    len: usize,
}

impl Shapes {
    /// The number of a shape; none if there are too many.
    fn number(&mut self, shape: Shape) -> Option<u64> {
        let known = &self.known[..self.len];
        let at = known.iter().position(|&known| known == shape);
        let new = (at.is_none() && self.len < self.known.len()).then_some(self.len);
        if let Some(new) = new {
            self.known[new] = shape;
            self.len += 1;
        }
        at.or(new).map(|number| number as u64)
    }

    /// The shape that a word names.
    #[inline]
    fn of(&self, word: u64) -> Shape {
        self.known[((word & SHAPE) >> SHAPE_SHIFT) as usize]
    }
}

impl Column {
    /// The lines.
    fn lines(self) -> impl Iterator<Item = usize> {
        let Shape { count, step } = self.shape;
        let step = step as usize;
        (0..count as usize).map(move |n| self.first + n * step)
    }
}

impl Lines {
    /// How the rows of a copy lie, if it reads and they lie alike.
    pub(in crate::clock) fn rows(&self, traffic: &Traffic) -> Option<Rows> {
        let line = self.line_bytes.bytes;
        let (first, offset) = self.line_bytes.divide(traffic.address);
        let (step, step_offset) = self.line_bytes.divide(traffic.stride);
        let bytes = u64::from(traffic.row_bytes);
        let apart = traffic.rows == 1 || step_offset == 0 && step > 0;
        if traffic.write || traffic.past_l2 || !apart || offset + bytes > line {
            return None;
        }
        let whole = self.sector_bytes.divide(offset).1 != 0;
        let part = match bytes == line {
            true => self.all(),
            false => self.part(offset, offset + bytes, whole),
        };
        Some(Rows {
            first: (first - self.first) as usize,
            step: u32::try_from(step).ok()?,
            part,
        })
    }

    /// Reads the same sectors of every line of a column.
    #[inline]
    pub(super) fn read_column(&mut self, column: Column, part: Part, visit: Visit) -> Touched {
        let word = self.lines[column.first];
        let all_there = part.mask & !(word as u8) == 0;
        self.together = word & LEADS != 0 && all_there && self.shapes.of(word) == column.shape;
        if !self.together {
            return self.read_lines(column, part, visit);
        }
        let used = if part.keep { USED } else { 0 };
        self.lines[column.first] =
            word & (VALID | DIRTY | USED | LEADS | SHAPE) | visit.stamp | used;
        let bytes = u64::from(column.shape.count) * part.size;
        Touched {
            bytes,
            shared: if visit.is_shared(word) { bytes } else { 0 },
        }
    }

    /// Reads the lines of a column one after the other.
    #[inline(never)]
    fn read_lines(&mut self, column: Column, part: Part, visit: Visit) -> Touched {
        let mut out = Count::default();
        out.touched.bytes = u64::from(column.shape.count) * part.size;
        for line in column.lines() {
            self.read(line, part, visit, &mut out);
        }
        // What is read for the first time may not be read again.
        if out.missed.fetched == 0 {
            self.join(column);
        }
        self.close(out)
    }

    /// Lets lines of one state stand together.
    #[inline(never)]
    fn join(&mut self, column: Column) {
        let word = self.lines[column.first];
        let alike = column.lines().all(|line| self.lines[line] == word);
        if !alike || column.shape.count < 2 {
            return;
        }
        let Some(number) = self.shapes.number(column.shape) else {
            return;
        };
        for line in column.lines() {
            self.lines[line] = FOLLOWS | (column.first as u64) << WHERE_SHIFT;
        }
        self.lines[column.first] = word | LEADS | number << SHAPE_SHIFT;
    }

    /// Gives every line of the column that a line belongs to a state of its own, if it belongs to one.
    #[inline]
    pub(super) fn part_company(&mut self, line: usize) {
        if self.lines[line] & TOGETHER != 0 {
            self.take_apart(line);
        }
    }

    #[cold]
    #[inline(never)]
    fn take_apart(&mut self, line: usize) {
        let first = match self.lines[line] & FOLLOWS != 0 {
            true => (self.lines[line] >> WHERE_SHIFT) as usize,
            false => line,
        };
        let word = self.lines[first];
        let shape = self.shapes.of(word);
        for line in (Column { first, shape }).lines() {
            self.lines[line] = word & !(TOGETHER | SHAPE);
        }
    }
}

#[cfg(test)]
mod tests {
    use isa::chip::Chip;
    use isa::cost::GmPath;

    use super::*;

    /// Numbers that look random.
    struct Xorshift(u64);

    impl Xorshift {
        fn below(&mut self, limit: u64) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0 % limit
        }
    }

    #[test]
    fn lines_that_stand_together_behave_like_lines_that_do_not() {
        let mut chip = Chip::builtin(Chip::DEFAULT).expect("the default chip is built in");
        chip.memory.l2_bytes = 512 * 100;
        let new = || Lines::new(&chip, (0, 512 * 400));
        let (mut together, mut apart) = (new(), new());
        let (mut random, mut columns) = (Xorshift(88_172_645_463_325_252), 0);
        for now in 0..200_000_u64 {
            let row_bytes = [32, 128, 512, 512, 512, 700][random.below(6) as usize];
            let traffic = Traffic {
                // Mostly the same few pieces, so that columns come about and are met again.
                address: [0, 512 * 64, 512 * 65, 512 * 128, 96][random.below(5) as usize],
                stride: 512 * [1, 2, 4][random.below(3) as usize],
                rows: 8,
                row_bytes,
                setup: 0,
                path: GmPath::L1,
                write: random.below(20) == 0,
                past_l2: false,
            };
            let piece = Piece {
                row: 0,
                rows: [8, 8, 8, 3][random.below(4) as usize],
                offset: 0,
                bytes: u64::from(row_bytes),
            };
            let visit = Visit::new(now * 5, random.below(4) as usize, 100);
            let rows = together.rows(&traffic);
            let one = together.touch(&traffic, rows, piece, visit);
            let other = apart.touch(&traffic, None, piece, visit);
            columns += u64::from(together.together);
            assert_eq!((one.bytes, one.shared), (other.bytes, other.shared));
            let (one, other) = (together.missed(), apart.missed());
            let counts = |missed: super::super::Missed| (missed.fetched, missed.evicted);
            assert_eq!(one.map(counts), other.map(counts));
        }
        assert!(columns > 1000, "{columns}");
    }
}
