//! Rows of any sort, looked up line by line: long ones, those that lie now so and now so in their lines, and writes.

use super::{Count, Lines, Part, Touched, Visit};
use crate::clock::memory::Piece;
use crate::stream::Traffic;

/// The lines of a contiguous row: perhaps a part of one, whole ones, perhaps a part of one.
#[derive(Copy, Clone, Debug)]
struct Row {
    first: Part,
    whole: usize,
    last: Part,
    bytes: u64,
    /// Whether whole lines are kept.
    keep: bool,
}

impl Row {
    /// The same, kept only if `keep` says so.
    fn kept_if(self, keep: bool) -> Row {
        let part = |part: Part| Part {
            keep: part.keep && keep,
            ..part
        };
        Row {
            first: part(self.first),
            last: part(self.last),
            keep,
            ..self
        }
    }
}

impl Lines {
    /// Looks up rows of any sort.
    #[inline(never)]
    pub(super) fn touch_rows(&mut self, traffic: &Traffic, piece: Piece, visit: Visit) -> Touched {
        let start = traffic.address + piece.row * traffic.stride + piece.offset;
        let (step, step_offset) = self.line_bytes.divide(traffic.stride);
        let (first, mut offset) = self.line_bytes.divide(start);
        let (mut index, write) = (first - self.first, traffic.write);
        let line = self.line_bytes.bytes;
        let mut out = Count::default();
        let mut row = self
            .split(offset, piece.bytes, write)
            .kept_if(!traffic.past_l2);
        if !write
            && step_offset == 0
            && let Some(parts) = self.short(&row)
        {
            out.touched.bytes = piece.rows * row.bytes;
            self.read_short((index, step, piece.rows), parts, visit, &mut out);
            return self.close(out);
        }
        for _ in 0..piece.rows {
            match write {
                true => self.write_row(index as usize, &row, &mut out),
                false => self.read_row(index as usize, &row, visit, &mut out),
            }
            // Rows a whole number of lines apart lie alike in their lines.
            index = index.wrapping_add(step);
            if step_offset != 0 {
                offset += step_offset;
                if offset >= line {
                    offset -= line;
                    index = index.wrapping_add(1);
                }
                row = self
                    .split(offset, piece.bytes, write)
                    .kept_if(!traffic.past_l2);
            }
        }
        self.close(out)
    }

    /// The lines of a row that has one or two.
    fn short(&self, row: &Row) -> Option<(Part, Part)> {
        let all = Part {
            keep: row.keep,
            ..self.all()
        };
        match (row.first.mask != 0, row.whole, row.last.mask != 0) {
            (true, 0, _) => Some((row.first, row.last)),
            (true, 1, false) => Some((row.first, all)),
            (false, 1, _) => Some((all, row.last)),
            (false, 2, false) => Some((all, all)),
            _ => None,
        }
    }

    /// The lines of a row of `bytes` that begins at an offset in its first line.
    fn split(&self, offset: u64, bytes: u64, write: bool) -> Row {
        let line = self.line_bytes.bytes;
        // A read that begins inside a sector asks for whole lines, and what it uses only a part of is not kept.
        let whole = !write && self.sector_bytes.divide(offset).1 != 0;
        let end = offset + bytes;
        let mut row = Row {
            first: Part::NONE,
            whole: 0,
            last: Part::NONE,
            bytes: 0,
            keep: true,
        };
        let mut from = 0;
        if offset > 0 || end < line {
            row.first = self.part(offset, end.min(line), whole);
            from = line;
        }
        if end > from {
            let (lines, left) = self.line_bytes.divide(end - from);
            row.whole = lines as usize;
            if left > 0 {
                row.last = self.part(0, left, whole);
            }
        }
        row.bytes = row.whole as u64 * line + row.first.size + row.last.size;
        row
    }

    /// Reads rows that lie alike, each of them a line or parts of two: most are so.
    fn read_short(
        &mut self,
        (mut index, step, rows): (u64, u64, u64),
        (one, other): (Part, Part),
        visit: Visit,
        out: &mut Count,
    ) {
        for _ in 0..rows {
            self.read(index as usize, one, visit, out);
            if other.mask != 0 {
                self.read(index as usize + 1, other, visit, out);
            }
            index = index.wrapping_add(step);
        }
    }

    #[inline]
    fn read_row(&mut self, mut index: usize, row: &Row, visit: Visit, out: &mut Count) {
        out.touched.bytes += row.bytes;
        if row.first.mask != 0 {
            self.read(index, row.first, visit, out);
            index += 1;
        }
        let all = Part {
            keep: row.keep,
            ..self.all()
        };
        for line in index..index + row.whole {
            self.read(line, all, visit, out);
        }
        if row.last.mask != 0 {
            self.read(index + row.whole, row.last, visit, out);
        }
    }

    #[inline]
    fn write_row(&mut self, mut index: usize, row: &Row, out: &mut Count) {
        out.touched.bytes += row.bytes;
        if row.first.mask != 0 {
            self.write(index, row.first.mask, out);
            index += 1;
        }
        for line in index..index + row.whole {
            self.write(line, self.full, out);
        }
        if row.last.mask != 0 {
            self.write(index + row.whole, row.last.mask, out);
        }
    }
}
