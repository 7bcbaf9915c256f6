//! `nd2nz`: rows of global memory written to L1 as fractals.

use isa::inst::*;
use isa::types::Space;

use super::at_most;
use super::mte::BLOCK;
use crate::core::Core;
use crate::fault::Stop;
use crate::gm::{Region, Span};
use crate::memory::Local;
use crate::report::Path;

impl Core<'_> {
    /// Reads rows of global memory and writes them as fractals.
    pub(super) fn nd2nz(&mut self, i: &Nd2nzGmL1) -> Result<(), Stop> {
        let c = &self.context;
        let n = at_most("n", i.n.get(c), 16384, "at most 16384 rows")?;
        let d = at_most("d", i.d.get(c), 65535, "at most 65535 columns")?;
        let src_stride = at_most(
            "src_stride",
            i.src_stride.get(c),
            65535,
            "at most 65535 elements",
        )?;
        let dst_rows = at_most("dst_rows", i.dst_rows.get(c), 16384, "at most 16384 rows")?;
        let (dst, src) = (self.address_of(i.dst), self.address_of(i.src));
        let size = i.size.bytes() as usize;
        let row_bytes = d * size;
        if n == 0 || d == 0 {
            return Ok(());
        }
        let columns = row_bytes.div_ceil(BLOCK);
        let column_bytes = dst_rows * BLOCK;
        let extent = (columns - 1) * column_bytes + n * BLOCK;
        let base = self
            .memory(Space::L1)
            .aligned("dst", dst, extent as u64, BLOCK as u64)?;
        for column in 0..columns {
            self.writes("dst", Space::L1, base + column * column_bytes, n * BLOCK)?;
        }
        let place = Fractals2d {
            base,
            columns,
            column_bytes,
            row_bytes,
        };
        let (reach, pitch) = ((n - 1) * src_stride * size + row_bytes, src_stride * size);
        if let Ok(span) = self.launch.gm.span("src", src, reach as u64) {
            let done = match span.region.lend(span.offset, reach) {
                Some(rows) => {
                    place.put_rows(self.memory(Space::L1), rows, pitch, n);
                    true
                }
                None if !self.is_watched() => {
                    self.put_rows_of(&place, span, pitch, n);
                    true
                }
                None => false,
            };
            if done {
                let l1 = self.memory(Space::L1);
                for column in 0..columns {
                    l1.shadow.set(base + column * column_bytes, n * BLOCK);
                }
                l1.touch(base + extent);
                self.count(Path::GmL1, n * row_bytes);
                return Ok(());
            }
        }
        let mut row = std::mem::take(&mut self.scratch);
        row.clear();
        row.resize(columns * BLOCK, 0);
        for r in 0..n {
            let address = src.wrapping_add((r * src_stride * size) as u64);
            let span = self.launch.gm.span("src", address, row_bytes as u64)?;
            self.gm_reads("src", address, row_bytes)?;
            let l1 = &mut self.memories[Space::L1 as usize];
            match span.region.lend(span.offset, row_bytes) {
                Some(bytes) => place.put_row(l1, r, bytes),
                None => {
                    span.region.read(span.offset, &mut row[..row_bytes]);
                    place.put_row(l1, r, &row[..row_bytes]);
                    for column in 0..columns {
                        let bits = padded_bits(span.region, span.offset, row_bytes, column);
                        l1.shadow
                            .set_block((base + column * column_bytes) / BLOCK + r, bits);
                    }
                }
            }
        }
        self.scratch = row;
        let from_input = self
            .launch
            .gm
            .span("src", src, row_bytes as u64)?
            .region
            .is_full();
        let l1 = self.memory(Space::L1);
        if from_input {
            for column in 0..columns {
                l1.shadow.set(base + column * column_bytes, n * BLOCK);
            }
        }
        l1.touch(base + extent);
        self.count(Path::GmL1, n * row_bytes);
        Ok(())
    }

    /// Copies rows that the program may change, a few at a time, and writes them as fractals.
    fn put_rows_of(&mut self, place: &Fractals2d, from: Span<'_>, pitch: usize, count: usize) {
        let row_bytes = place.row_bytes;
        let mut rows = std::mem::take(&mut self.scratch);
        rows.resize(rows.len().max(TOGETHER * row_bytes), 0);
        for first in (0..count).step_by(TOGETHER) {
            let some = TOGETHER.min(count - first);
            let offset = from.offset + first * pitch;
            if pitch == row_bytes {
                from.region.read(offset, &mut rows[..some * row_bytes]);
            } else {
                for (n, row) in rows.chunks_exact_mut(row_bytes).take(some).enumerate() {
                    from.region.read(offset + n * pitch, row);
                }
            }
            let place = Fractals2d {
                base: place.base + first * BLOCK,
                ..*place
            };
            place.put_rows(self.memory(Space::L1), &rows, row_bytes, some);
        }
        self.scratch = rows;
    }
}

/// Where the rows of a matrix go as fractals.
#[derive(Copy, Clone, Debug)]
struct Fractals2d {
    base: usize,
    columns: usize,
    column_bytes: usize,
    row_bytes: usize,
}

/// Rows that go to L1 together: their blocks fill whole lines of the host's cache.
const TOGETHER: usize = 8;

impl Fractals2d {
    /// Writes rows that lie `pitch` bytes apart.
    fn put_rows(&self, l1: &mut Local, data: &[u8], pitch: usize, count: usize) {
        let row = |r: usize| &data[r * pitch..][..self.row_bytes];
        // Where columns meet, a later row stays, so that rows must come one by one.
        let apart = self.columns == 1 || self.column_bytes >= TOGETHER * BLOCK;
        let whole = match self.row_bytes.is_multiple_of(BLOCK) && apart {
            true => count / TOGETHER * TOGETHER,
            false => 0,
        };
        for first in (0..whole).step_by(TOGETHER) {
            let rows: [&[[u8; BLOCK]]; TOGETHER] =
                std::array::from_fn(|r| &row(first + r).as_chunks::<BLOCK>().0[..self.columns]);
            for column in 0..self.columns {
                let at = self.base + column * self.column_bytes + first * BLOCK;
                let blocks = l1.bytes[at..at + TOGETHER * BLOCK]
                    .as_chunks_mut::<BLOCK>()
                    .0;
                for (block, row) in blocks.iter_mut().zip(rows) {
                    *block = row[column];
                }
            }
        }
        for r in whole..count {
            self.put_row(l1, r, row(r));
        }
    }

    /// Writes a row block by block, the last filled with zeros.
    fn put_row(&self, l1: &mut Local, row: usize, data: &[u8]) {
        let first = self.base + row * BLOCK;
        let (blocks, rest) = data.as_chunks::<BLOCK>();
        for (column, block) in blocks.iter().enumerate() {
            let at = first + column * self.column_bytes;
            l1.bytes[at..at + BLOCK].copy_from_slice(block);
        }
        if !rest.is_empty() {
            let at = first + (self.columns - 1) * self.column_bytes;
            l1.bytes[at..at + rest.len()].copy_from_slice(rest);
            l1.bytes[at + rest.len()..at + BLOCK].fill(0);
        }
        debug_assert_eq!(data.len(), self.row_bytes, "one whole row");
    }
}

/// The shadow of one block of a row; the zeros behind the row's end are values.
fn padded_bits(region: &Region<'_>, offset: usize, row_bytes: usize, column: usize) -> u32 {
    let first = column * BLOCK;
    let size = BLOCK.min(row_bytes - first);
    let bits = region.bits(offset + first, size);
    match size {
        BLOCK => bits,
        _ => bits | u32::MAX << size,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_together_are_rows_one_by_one() {
        let data: Vec<u8> = (0..24 * 96).map(|n| (n * 37 % 251) as u8).collect();
        for column_rows in [0, 1, 4, 7, 8, 16, 24, 30] {
            let place = Fractals2d {
                base: 64,
                columns: 3,
                column_bytes: column_rows * BLOCK,
                row_bytes: 96,
            };
            let mut together = Local::new(Space::L1, 4096, false);
            let mut one_by_one = together.clone();
            place.put_rows(&mut together, &data, 96, 24);
            for (row, bytes) in data.chunks_exact(96).enumerate() {
                place.put_row(&mut one_by_one, row, bytes);
            }
            assert_eq!(together.bytes, one_by_one.bytes, "{column_rows} rows");
        }
    }
}
