//! The rows of a piece, split into their lines: those that lie alike as columns of lines, others one after the other.

use super::group::{LANES, Span};
use super::{Count, Lines, Part, Touched, Visit};
use crate::clock::memory::{PIECE_BYTES, Piece};
use crate::kernel::bring_near;
use crate::stream::Traffic;

/// Rows of a copy that lie alike: each in one line or two, whole lines apart; or lines that rows without gaps fill.
#[derive(Copy, Clone, Debug)]
pub(in crate::clock) struct Rows {
    /// The first row's line, and the lines from row to row.
    first: u64,
    step: u32,
    /// Whether what is counted here as a row is a line that rows fill, and so many bytes of the copy.
    fills: bool,
    /// What each asks of its line, and of the one behind it. Of a line that rows fill, the first row counts as read at
    /// once with others; behind it the line was read by the same core last.
    one: Part,
    other: Part,
    /// Where the states of the next lines are looked for.
    guess: [u32; 2],
}

impl Rows {
    /// The first lines of a number of rows.
    #[inline]
    fn span(&self, row: u64, count: u64) -> Span {
        Span::new(self.first + row * u64::from(self.step), self.step, count)
    }
}

/// The lines of a contiguous row: perhaps a part of one, whole ones, perhaps a part of one.
#[derive(Copy, Clone, Debug)]
struct Row {
    first: Part,
    whole: u64,
    last: Part,
    bytes: u64,
    /// What is asked of whole lines.
    all: Part,
}

/// Bytes of a piece of a copy without gaps.
fn grain(row_bytes: u64, piece_rows: u64) -> u64 {
    match row_bytes > PIECE_BYTES {
        true => PIECE_BYTES,
        false => piece_rows * row_bytes,
    }
}

impl Lines {
    /// How the rows of a copy lie, if they lie alike, and which of them are looked up together.
    pub(in crate::clock) fn rows(&mut self, traffic: &Traffic, piece_rows: u64) -> Option<Rows> {
        let filled = self.filled(traffic, piece_rows);
        let mut rows = filled.or_else(|| self.alike(traffic))?;
        // States of lines that are asked for one after the other stand so.
        if rows.other.mask != 0 && self.whereabouts(rows.first + 1) == 0 {
            self.introduce_rows(&rows, u64::from(traffic.rows), piece_rows, Span::behind);
        }
        if self.whereabouts(rows.first) == 0 {
            let (all, piece_rows) = match rows.fills {
                true => self.filled_lines(traffic, piece_rows),
                false => (u64::from(traffic.rows), piece_rows),
            };
            self.introduce_rows(&rows, all, piece_rows, |span| span);
        }
        rows.guess = [rows.first, rows.first + 1].map(|line| self.whereabouts(line));
        Some(rows)
    }

    #[cold]
    fn introduce_rows(
        &mut self,
        rows: &Rows,
        all: u64,
        piece_rows: u64,
        lines: impl Fn(Span) -> Span,
    ) {
        let mut row = 0;
        while row < all {
            let piece_end = all.min(row + piece_rows);
            while row < piece_end {
                let count = LANES.min(piece_end - row);
                self.introduce(lines(rows.span(row, count)));
                row += count;
            }
        }
    }

    /// Lines that a copy without gaps fills: in all, and in a piece.
    fn filled_lines(&self, traffic: &Traffic, piece_rows: u64) -> (u64, u64) {
        let (rows, row_bytes) = (u64::from(traffic.rows), u64::from(traffic.row_bytes));
        let lines = |bytes: u64| self.line_bytes.divide(bytes).0;
        (lines(rows * row_bytes), lines(grain(row_bytes, piece_rows)))
    }

    /// The lines that the rows of a copy fill, if they leave no gaps and every piece of it ends where a line does.
    fn filled(&self, traffic: &Traffic, piece_rows: u64) -> Option<Rows> {
        let (rows, row_bytes) = (u64::from(traffic.rows), u64::from(traffic.row_bytes));
        let dense = traffic.stride == row_bytes || rows == 1;
        let whole = |bytes: u64| self.line_bytes.divide(bytes).1 == 0;
        let sectors = self.sector_bytes.divide(row_bytes).1 == 0;
        let even = whole(row_bytes) || sectors && self.line_bytes.bytes.is_multiple_of(row_bytes);
        let ends = whole(grain(row_bytes, piece_rows)) && whole(rows * row_bytes);
        let first = self.line_bytes.divide(traffic.address).0;
        (dense && even && ends && whole(traffic.address)).then(|| Rows {
            first: first - self.first,
            step: 1,
            fills: true,
            one: Part {
                mask: self.full,
                keep: !traffic.past_l2,
                size: self.line_bytes.bytes.min(row_bytes),
            },
            other: Part::NONE,
            guess: [0; 2],
        })
    }

    /// How the rows of a copy lie, if they lie alike.
    fn alike(&self, traffic: &Traffic) -> Option<Rows> {
        let (first, offset) = self.line_bytes.divide(traffic.address);
        let (step, step_offset) = self.line_bytes.divide(traffic.stride);
        let row = self.split(offset, u64::from(traffic.row_bytes), traffic);
        if u64::from(traffic.row_bytes) > PIECE_BYTES {
            return None;
        }
        let (one, other) = match (row.first.mask != 0, row.whole, row.last.mask != 0) {
            (true, 0, _) => (row.first, row.last),
            (true, 1, false) => (row.first, row.all),
            (false, 1, _) => (row.all, row.last),
            (false, 2, false) => (row.all, row.all),
            _ => return None,
        };
        // Rows that share lines are looked up one after the other, and two lines a row are written so.
        let step = if traffic.rows == 1 { 2 } else { step };
        let apart = if other.mask == 0 {
            step > 0
        } else {
            step > 1 && !traffic.write
        };
        (apart && (step_offset == 0 || traffic.rows == 1)).then_some(Rows {
            first: first - self.first,
            step: u32::try_from(step).ok()?,
            fills: false,
            one,
            other,
            guess: [0; 2],
        })
    }

    /// Looks up the sectors of the rows of a piece, one row after the other.
    #[inline]
    pub(in crate::clock) fn touch(
        &mut self,
        traffic: &Traffic,
        rows: Option<&mut Rows>,
        piece: &Piece,
        visit: &Visit,
    ) -> Touched {
        let mut out = Count::default();
        match rows {
            Some(rows) => self.touch_columns(traffic, rows, piece, visit, &mut out),
            None => self.touch_rows(traffic, piece, visit, &mut out),
        }
        self.bytes(out)
    }

    /// Brings the states near that a piece will ask for first.
    #[inline]
    pub(in crate::clock) fn expect(&self, traffic: &Traffic, rows: Option<&Rows>, piece: &Piece) {
        let Some(rows) = rows else {
            let start = traffic.address + piece.row * traffic.stride + piece.offset;
            let line = self.line_bytes.divide(start).0 - self.first;
            return bring_near(&self.groups, self.whereabouts(line) as usize);
        };
        bring_near(&self.groups, rows.guess[0] as usize);
        bring_near(&self.groups, rows.guess[1] as usize);
    }

    #[inline]
    fn touch_columns(
        &mut self,
        traffic: &Traffic,
        rows: &mut Rows,
        piece: &Piece,
        visit: &Visit,
        out: &mut Count,
    ) {
        let (mut row, end) = match rows.fills {
            false => {
                out.bytes = piece.rows * (rows.one.size + rows.other.size);
                (piece.row, piece.row + piece.rows)
            }
            true => {
                out.bytes = piece.rows * piece.bytes;
                let start = piece.row * u64::from(traffic.row_bytes) + piece.offset;
                let line = |bytes: u64| self.line_bytes.divide(bytes).0;
                (line(start), line(start + out.bytes))
            }
        };
        while row < end {
            let count = LANES.min(end - row);
            let span = rows.span(row, count);
            row += count;
            if traffic.write {
                self.write(span, rows.one.mask, out);
            } else if rows.other.mask == 0 {
                self.read_guessed(span, &mut rows.guess[0], &rows.one, visit, out);
            } else {
                self.read_pairs(span, &mut rows.guess, (&rows.one, &rows.other), visit, out);
            }
        }
    }

    /// Looks up rows of any sort.
    #[inline(never)]
    fn touch_rows(&mut self, traffic: &Traffic, piece: &Piece, visit: &Visit, out: &mut Count) {
        for row in piece.row..piece.row + piece.rows {
            let start = traffic.address + row * traffic.stride + piece.offset;
            let (line, offset) = self.line_bytes.divide(start);
            let row = self.split(offset, piece.bytes, traffic);
            self.touch_row(line - self.first, &row, (traffic.write, visit), out);
        }
    }

    fn touch_row(
        &mut self,
        mut line: u64,
        row: &Row,
        (write, visit): (bool, &Visit),
        out: &mut Count,
    ) {
        let mut touch = |line: u64, count: u64, part: &Part| match write {
            true => self.write(Span::new(line, 1, count), part.mask, out),
            false => self.read(Span::new(line, 1, count), part, visit, out),
        };
        if row.first.mask != 0 {
            touch(line, 1, &row.first);
            line += 1;
        }
        let end = line + row.whole;
        while line < end {
            let count = LANES.min(end - line);
            touch(line, count, &row.all);
            line += count;
        }
        if row.last.mask != 0 {
            touch(line, 1, &row.last);
        }
        out.bytes += row.bytes;
    }

    /// The lines of a row of `bytes` that begins at an offset in its first line.
    fn split(&self, offset: u64, bytes: u64, traffic: &Traffic) -> Row {
        let (line, keep) = (self.line_bytes.bytes, !traffic.past_l2);
        // A read that begins inside a sector asks for whole lines.
        let widened = !traffic.write && self.sector_bytes.divide(offset).1 != 0;
        let end = offset + bytes;
        let mut row = Row {
            first: Part::NONE,
            whole: 0,
            last: Part::NONE,
            bytes: 0,
            all: self.all().kept_if(keep),
        };
        let mut from = 0;
        if offset > 0 || end < line {
            row.first = self.part(offset, end.min(line), widened).kept_if(keep);
            from = line;
        }
        if end > from {
            let (lines, left) = self.line_bytes.divide(end - from);
            row.whole = lines;
            if left > 0 {
                row.last = self.part(0, left, widened).kept_if(keep);
            }
        }
        row.bytes = row.whole * line + row.first.size + row.last.size;
        row
    }
}
