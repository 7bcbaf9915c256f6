//! Moves between global memory, L1, UB and L0: bytes and their shadow, never a value.

use isa::img2col::Img2col;
use isa::inst::*;
use isa::nd2nz::Nd2nz;
use isa::types::Space;

use super::at_most;
use super::fill::Runs;
use crate::core::{Core, Halt};
use crate::fault::{FaultKind, Stop};
use crate::gm::{Region, Span};
use crate::l0::Turn;
use crate::memory::{Local, Shadow, copy_blocks};
use crate::report::Path;

type Done = Result<(), Halt>;

pub(super) const BLOCK: usize = 32;
pub(super) const FRACTAL: usize = 512;

/// A strided copy: `count` pieces of `len` bytes, starts `src_step` and `dst_step` bytes apart.
#[derive(Copy, Clone, Debug)]
pub(super) struct Pieces {
    pub(super) count: usize,
    pub(super) len: usize,
    pub(super) src_step: u64,
    pub(super) dst_step: u64,
}

/// The pieces of a copy of whole blocks.
pub(super) fn block_pieces(
    core: &Core<'_>,
    burst: &Burst,
    src_gap: Val<16>,
    dst_gap: Val<16>,
) -> Result<Pieces, Stop> {
    let c = &core.context;
    let count = at_most("burst", burst.count.get(c), 4095, "at most 4095 bursts")?;
    let len = at_most(
        "burst",
        burst.len.get(c),
        65535,
        "at most 65535 blocks a burst",
    )? * BLOCK;
    let src_gap = at_most("src_gap", src_gap.get(c), 65535, "at most 65535 blocks")? * BLOCK;
    let dst_gap = at_most("dst_gap", dst_gap.get(c), 65535, "at most 65535 blocks")? * BLOCK;
    Ok(Pieces {
        count,
        len,
        src_step: (len + src_gap) as u64,
        dst_step: (len + dst_gap) as u64,
    })
}

/// Count and length in bytes of a copy that is exact to the byte.
pub(super) fn byte_burst(core: &Core<'_>, burst: &Burst) -> Result<(usize, usize), Stop> {
    let c = &core.context;
    let count = at_most("burst", burst.count.get(c), 4095, "at most 4095 bursts")?;
    let len = at_most(
        "burst",
        burst.len.get(c),
        2_097_151,
        "at most 2097151 bytes a burst",
    )?;
    Ok((count, len))
}

/// A gap in bytes, which has 32 bits.
pub(super) fn gap_bytes(operand: &'static str, gap: u64) -> Result<u64, Stop> {
    at_most(
        operand,
        gap,
        u64::from(u32::MAX),
        "at most 4294967295 bytes",
    )
    .map(|gap| gap as u64)
}

/// Copies the shadow of a piece of global memory into a local one.
pub(super) fn shadow_in(
    region: &Region<'_>,
    offset: usize,
    to: &mut Shadow,
    at: usize,
    len: usize,
) {
    if region.is_full() || !region.is_watched() {
        to.set(at, len);
        return;
    }
    for piece in (0..len).step_by(BLOCK) {
        let size = BLOCK.min(len - piece);
        to.put_bits(at + piece, size, region.bits(offset + piece, size));
    }
}

impl Core<'_> {
    /// The pieces of a copy as one where they follow each other on both sides, the whole of it is inside, and nobody looks
    /// at every access.
    fn joined(&self, space: Space, local: u64, global: u64, pieces: Pieces) -> Pieces {
        let (len, step) = (pieces.count * pieces.len, pieces.len as u64);
        let follow = pieces.src_step == step && pieces.dst_step == step && pieces.count > 1;
        let inside = || {
            let local = self.memories[space as usize].inside("local", local, len as u64);
            local.is_ok() && self.launch.gm.span("global", global, len as u64).is_ok()
        };
        match follow && !self.is_watched() && inside() {
            true => Pieces {
                count: 1,
                len,
                ..pieces
            },
            false => pieces,
        }
    }

    /// Global memory to a local one.
    fn copy_in(&mut self, space: Space, dst: u64, src: u64, pieces: Pieces) -> Result<(), Stop> {
        let pieces = self.joined(space, dst, src, pieces);
        for n in 0..pieces.count as u64 {
            self.piece_in(
                space,
                dst + n * pieces.dst_step,
                src.wrapping_add(n * pieces.src_step),
                pieces.len,
            )?;
        }
        Ok(())
    }

    fn piece_in(&mut self, space: Space, dst: u64, src: u64, len: usize) -> Result<(), Stop> {
        let at = self
            .memory(space)
            .aligned("dst", dst, len as u64, BLOCK as u64)?;
        if len == 0 {
            return Ok(());
        }
        let span = self.launch.gm.span("src", src, len as u64)?;
        self.gm_reads("src", src, len)?;
        self.writes("dst", space, at, len)?;
        let local = self.memory(space);
        span.region
            .read(span.offset, &mut local.bytes[at..at + len]);
        shadow_in(span.region, span.offset, &mut local.shadow, at, len);
        local.touch(at + len);
        self.count(
            if space == Space::L1 {
                Path::GmL1
            } else {
                Path::GmUb
            },
            len,
        );
        Ok(())
    }

    /// A local memory to global memory; the values must be there.
    fn copy_out(&mut self, space: Space, dst: u64, src: u64, pieces: Pieces) -> Result<(), Stop> {
        let atomic = self.context.spr(Spr::Atomic) & Spr::ATOMIC_OP != 0;
        let pieces = self.joined(space, src, dst, pieces);
        for n in 0..pieces.count as u64 {
            let (dst, src) = (
                dst.wrapping_add(n * pieces.dst_step),
                src + n * pieces.src_step,
            );
            let at = self
                .memory(space)
                .aligned("src", src, pieces.len as u64, BLOCK as u64)?;
            if pieces.len == 0 {
                continue;
            }
            self.reads("src", space, at, pieces.len, true)?;
            if atomic {
                let data = self.memory(space).bytes[at..at + pieces.len].to_vec();
                self.store_gm("dst", dst, &data)?;
            } else {
                let span = self.launch.gm.span("dst", dst, pieces.len as u64)?;
                span.region.writable("dst", dst, pieces.len as u64)?;
                self.gm_writes("dst", dst, pieces.len)?;
                span.region
                    .write(span.offset, &self.memory(space).bytes[at..at + pieces.len]);
                span.region.set(span.offset, pieces.len);
            }
            self.count(
                if space == Space::L1 {
                    Path::L1Gm
                } else {
                    Path::UbGm
                },
                pieces.len,
            );
        }
        Ok(())
    }

    /// Counts bytes for the report.
    pub(super) fn count(&mut self, path: Path, bytes: usize) {
        self.moved[path as usize] += bytes as u64;
    }

    /// Loads fractals from L1, one after the other in the destination with a gap.
    fn load_fractals(&mut self, to: Space, dst: u64, src: u64, load: Fractals) -> Result<(), Stop> {
        let Fractals {
            rep,
            src_stride,
            dst_step,
        } = load;
        if rep == 0 {
            return Ok(());
        }
        let packed = src_stride == 1 && dst_step == 1;
        let (chunks, len) = if packed {
            (1, rep * FRACTAL)
        } else {
            (rep, FRACTAL)
        };
        for n in 0..chunks as u64 {
            let src = src + n * (src_stride * FRACTAL) as u64;
            let dst = dst + n * (dst_step * FRACTAL) as u64;
            let from = self
                .memory(Space::L1)
                .aligned("src", src, len as u64, BLOCK as u64)?;
            let at = self
                .memory(to)
                .aligned("dst", dst, len as u64, FRACTAL as u64)?;
            self.reads("src", Space::L1, from, len, false)?;
            self.writes("dst", to, at, len)?;
            let (l1, l0) = self.two(Space::L1, to);
            copy_blocks(l1, from, l0, at, len);
            self.replaced(to, at, len, Turn::Plain);
            self.count(l0_path(to), len);
        }
        Ok(())
    }

    /// Tells the packed image which fractals are new.
    pub(super) fn replaced(&mut self, to: Space, at: usize, len: usize, turn: Turn) {
        let image = if to == Space::L0a {
            &mut self.l0a
        } else {
            &mut self.l0b
        };
        image.replaced(at, len, turn);
    }

    fn fractals(&self, rep: Rep, src_stride: Val<16>, dst_gap: Val<8>) -> Result<Fractals, Stop> {
        let c = &self.context;
        Ok(Fractals {
            rep: at_most("rep", rep.get(c), 255, "at most 255 fractals")?,
            src_stride: at_most(
                "src_stride",
                src_stride.get(c),
                65535,
                "at most 65535 fractals",
            )?,
            dst_step: 1 + at_most("dst_gap", dst_gap.get(c), 255, "at most 255 fractals")?,
        })
    }

    /// Loads squares from L1 and transposes each.
    fn load_transposed(
        &mut self,
        to: Space,
        dst: u64,
        src: u64,
        load: Fractals,
        square: Square,
    ) -> Result<(), Stop> {
        let halves = square.size.fractals() as usize;
        for n in 0..load.rep as u64 {
            let src = src + n * (load.src_stride * FRACTAL) as u64;
            let dst = dst + n * (load.dst_step * FRACTAL) as u64;
            let mut from = [0; 4];
            let mut at = [0; 4];
            for half in 0..halves {
                let src = src + (half * square.src_pair * FRACTAL) as u64;
                let dst = dst + (half * square.dst_pair * FRACTAL) as u64;
                from[half] =
                    self.memory(Space::L1)
                        .aligned("src", src, FRACTAL as u64, BLOCK as u64)?;
                at[half] = self
                    .memory(to)
                    .aligned("dst", dst, FRACTAL as u64, FRACTAL as u64)?;
                self.reads("src", Space::L1, from[half], FRACTAL, false)?;
                self.writes("dst", to, at[half], FRACTAL)?;
            }
            let (l1, l0) = self.two(Space::L1, to);
            // The image keeps fractals as they came, cut where the squares are; see `l0`.
            let turn = match square.size {
                SquareSize::B16 => {
                    copy_blocks(l1, from[0], l0, at[0], FRACTAL);
                    Turn::Halves
                }
                SquareSize::B8 => {
                    cut_bytes(l1, from, l0, at);
                    Turn::Bytes
                }
                SquareSize::B4 => {
                    transpose_nibbles(l1, from, l0, at);
                    Turn::Plain
                }
                SquareSize::B32 => {
                    cut_words(l1, from, l0, at);
                    Turn::Words
                }
            };
            for &at in &at[..halves] {
                self.replaced(to, at, FRACTAL, turn);
                self.count(l0_path(to), FRACTAL);
            }
        }
        Ok(())
    }
}

/// The way from L1 to a buffer of L0.
pub(super) fn l0_path(to: Space) -> Path {
    if to == Space::L0a {
        Path::L1L0a
    } else {
        Path::L1L0b
    }
}

/// The repeat part of an L0 load, in fractals.
#[derive(Copy, Clone, Debug)]
struct Fractals {
    rep: usize,
    src_stride: usize,
    dst_step: usize,
}

/// The element part of a transposing load.
#[derive(Copy, Clone, Debug)]
struct Square {
    size: SquareSize,
    src_pair: usize,
    dst_pair: usize,
}

/// Cuts 32 rows of 32 bytes, which lie in two fractals one below the other, into a left and a right half.
fn cut_bytes(l1: &Local, from: [usize; 4], l0: &mut Local, at: [usize; 4]) {
    for row in 0..BLOCK {
        let src = from[row / 16] + row % 16 * BLOCK;
        for (half, at) in at[..2].iter().enumerate() {
            let (src, dst) = (src + half * 16, at + row * 16);
            l0.bytes[dst..dst + 16].copy_from_slice(&l1.bytes[src..src + 16]);
            let bits = l1.shadow.bits(src, 16);
            l0.shadow.put_bits(dst, 16, bits);
        }
    }
    l0.touch(at[0].max(at[1]) + FRACTAL);
}

/// Cuts 16 rows of 16 words, which lie in two fractals side by side, into an upper and a lower half.
fn cut_words(l1: &Local, from: [usize; 4], l0: &mut Local, at: [usize; 4]) {
    for row in 0..16 {
        for (half, from) in from[..2].iter().enumerate() {
            let src = from + row * BLOCK;
            let dst = at[row / 8] + row % 8 * 2 * BLOCK + half * BLOCK;
            copy_blocks(l1, src, l0, dst, BLOCK);
        }
    }
    l0.touch(at[0].max(at[1]) + FRACTAL);
}

/// Transposes 64 rows of 64 half bytes that lie in four fractals; a byte holds the even column in its low half.
fn transpose_nibbles(l1: &Local, from: [usize; 4], l0: &mut Local, at: [usize; 4]) {
    let place = |row: usize, byte: usize| (row / 16, row % 16 * BLOCK + byte);
    let read = |row: usize, column: usize| {
        let (part, byte) = place(row, column / 2);
        let at = from[part] + byte;
        let known = l1.shadow.bits(at, 1) == 1;
        (l1.bytes[at] >> (column % 2 * 4) & 0xf, known)
    };
    for row in 0..64 {
        for byte in 0..BLOCK {
            let (low, low_known) = read(2 * byte, row);
            let (high, high_known) = read(2 * byte + 1, row);
            let (part, offset) = place(row, byte);
            l0.bytes[at[part] + offset] = low | high << 4;
            let known = u32::from(low_known && high_known);
            l0.shadow.put_bits(at[part] + offset, 1, known);
        }
    }
    for at in at {
        l0.touch(at + FRACTAL);
    }
}

impl Mte1Unit for Core<'_> {
    fn fill_l0a(&mut self, i: &FillL0a) -> Done {
        let runs = Runs {
            rep: i.rep,
            len: i.len,
            gap: i.gap,
            unit: FRACTAL,
        };
        let dst = self.address_of(i.dst.at);
        Ok(self.fill(Space::L0a, dst, i.size, i.value, runs)?)
    }

    fn fill_l0b(&mut self, i: &FillL0b) -> Done {
        let runs = Runs {
            rep: i.rep,
            len: i.len,
            gap: i.gap,
            unit: FRACTAL,
        };
        let dst = self.address_of(i.dst.at);
        Ok(self.fill(Space::L0b, dst, i.size, i.value, runs)?)
    }

    fn fill_l1(&mut self, i: &FillL1) -> Done {
        let runs = Runs {
            rep: i.rep,
            len: i.len,
            gap: i.gap,
            unit: BLOCK,
        };
        let dst = self.address_of(i.dst.at);
        Ok(self.fill(Space::L1, dst, i.size, i.value, runs)?)
    }

    fn mov_l1_bt_f16(&mut self, i: &MovL1BtF16) -> Done {
        let (dst, src) = (self.address_of(i.dst.at), self.address_of(i.src.at));
        Ok(self.widen_bias(dst, src, i.len)?)
    }

    fn ld3d_a(&mut self, i: &Ld3dA) -> Done {
        let image = Img2col::unpack(i.size, i.part, i.window, &self.context);
        let (dst, src) = (self.address_of(i.dst.at), self.address_of(i.src.at));
        Ok(self.load_image(Space::L0a, dst, src, image)?)
    }

    fn ld3d_b(&mut self, i: &Ld3dB) -> Done {
        let image = Img2col::unpack(i.size, i.part, i.window, &self.context);
        let (dst, src) = (self.address_of(i.dst.at), self.address_of(i.src.at));
        Ok(self.load_image(Space::L0b, dst, src, image)?)
    }

    fn ld2d_a(&mut self, i: &Ld2dA) -> Done {
        let load = self.fractals(i.rep, i.src_stride, i.dst_gap)?;
        let (dst, src) = (self.address_of(i.dst.at), self.address_of(i.src.at));
        Ok(self.load_fractals(Space::L0a, dst, src, load)?)
    }

    fn ld2d_b(&mut self, i: &Ld2dB) -> Done {
        let load = self.fractals(i.rep, i.src_stride, i.dst_gap)?;
        let (dst, src) = (self.address_of(i.dst.at), self.address_of(i.src.at));
        Ok(self.load_fractals(Space::L0b, dst, src, load)?)
    }

    fn ld2dt_a(&mut self, i: &Ld2dtA) -> Done {
        let load = self.fractals(i.rep, i.src_stride, i.dst_gap)?;
        let square = self.square(i.size, i.src_pair, i.dst_pair)?;
        let (dst, src) = (self.address_of(i.dst.at), self.address_of(i.src.at));
        Ok(self.load_transposed(Space::L0a, dst, src, load, square)?)
    }

    fn ld2dt_b(&mut self, i: &Ld2dtB) -> Done {
        let load = self.fractals(i.rep, i.src_stride, i.dst_gap)?;
        let square = self.square(i.size, i.src_pair, i.dst_pair)?;
        let (dst, src) = (self.address_of(i.dst.at), self.address_of(i.src.at));
        Ok(self.load_transposed(Space::L0b, dst, src, load, square)?)
    }

    fn mov_l1_bt(&mut self, i: &MovL1Bt) -> Done {
        let (dst, src) = (self.address_of(i.dst.at), self.address_of(i.src.at));
        Ok(self.table_copy(Space::Bt, dst, src, i.len)?)
    }
}

impl Core<'_> {
    fn square(
        &self,
        size: SquareSize,
        src_pair: Val<12>,
        dst_pair: Val<8>,
    ) -> Result<Square, Stop> {
        let c = &self.context;
        Ok(Square {
            size,
            src_pair: at_most("src_pair", src_pair.get(c), 4095, "at most 4095 fractals")?,
            dst_pair: at_most("dst_pair", dst_pair.get(c), 255, "at most 255 fractals")?,
        })
    }

    /// L1 to the bias table or the fixpipe buffer, whole blocks.
    pub(super) fn table_copy(
        &mut self,
        to: Space,
        dst: u64,
        src: u64,
        len: Val<8>,
    ) -> Result<(), Stop> {
        let len = at_most("len", len.get(&self.context), 255, "at most 255 blocks")? * BLOCK;
        let align = self.launch.chip.alignment(to);
        let from = self
            .memory(Space::L1)
            .aligned("src", src, len as u64, BLOCK as u64)?;
        let at = self.memory(to).aligned("dst", dst, len as u64, align)?;
        self.reads("src", Space::L1, from, len, false)?;
        self.writes("dst", to, at, len)?;
        let (l1, table) = self.two(Space::L1, to);
        copy_blocks(l1, from, table, at, len);
        self.count(
            if to == Space::Bt {
                Path::L1Bt
            } else {
                Path::L1Fb
            },
            len,
        );
        Ok(())
    }

    /// Reads rows of global memory and writes them as fractals.
    fn nd2nz(&mut self, i: &Nd2nzGmL1) -> Result<(), Stop> {
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
        let (dst, src) = (self.address_of(i.dst.at), self.address_of(i.src.at));
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
}

impl Core<'_> {
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
        let whole = if self.row_bytes.is_multiple_of(BLOCK) {
            count / TOGETHER * TOGETHER
        } else {
            0
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

impl Mte2Unit for Core<'_> {
    fn mov_gm_l1(&mut self, i: &MovGmL1) -> Done {
        let pieces = block_pieces(self, &i.burst, i.src_gap, i.dst_gap)?;
        let (dst, src) = (self.address_of(i.dst.at), self.address_of(i.src.at));
        Ok(self.copy_in(Space::L1, dst, src, pieces)?)
    }

    fn nd2nz_gm_l1(&mut self, i: &Nd2nzGmL1) -> Done {
        Ok(self.nd2nz(i)?)
    }

    fn mov_gm_l0a(&mut self, i: &MovGmL0a) -> Done {
        let load = self.fractals(i.rep, i.src_stride, i.dst_gap)?;
        let (dst, src) = (self.address_of(i.dst.at), self.address_of(i.src.at));
        Ok(self.load_direct(
            Space::L0a,
            dst,
            src,
            [load.rep, load.src_stride, load.dst_step],
        )?)
    }

    fn mov_gm_l0b(&mut self, i: &MovGmL0b) -> Done {
        let load = self.fractals(i.rep, i.src_stride, i.dst_gap)?;
        let (dst, src) = (self.address_of(i.dst.at), self.address_of(i.src.at));
        Ok(self.load_direct(
            Space::L0b,
            dst,
            src,
            [load.rep, load.src_stride, load.dst_step],
        )?)
    }

    fn nd2nzx_gm_l1(&mut self, i: &Nd2nzxGmL1) -> Done {
        let matrices = Nd2nz::of(&Inst::Nd2nzxGmL1(*i), &self.context);
        let (dst, src) = (self.address_of(i.dst.at), self.address_of(i.src.at));
        match matrices {
            Some(matrices) => Ok(self.nd2nz_matrices(dst, src, matrices)?),
            None => Ok(()),
        }
    }

    fn movpadlr_gm_ub(&mut self, i: &MovpadlrGmUb) -> Done {
        Ok(self.copy_padded(i)?)
    }

    fn mov_gm_ub(&mut self, i: &MovGmUb) -> Done {
        let pieces = block_pieces(self, &i.burst, i.src_gap, i.dst_gap)?;
        let (dst, src) = (self.address_of(i.dst.at), self.address_of(i.src.at));
        Ok(self.copy_in(Space::Ub, dst, src, pieces)?)
    }

    fn movpad_gm_ub(&mut self, i: &MovpadGmUb) -> Done {
        let c = &self.context;
        let (count, len) = byte_burst(self, &i.burst)?;
        let src_gap = gap_bytes("src_gap", i.src_gap.get(c))?;
        let dst_gap = at_most("dst_gap", i.dst_gap.get(c), 65535, "at most 65535 blocks")?;
        let size = i.size.bytes() as usize;
        let pad = c.spr(Spr::PadVal).to_le_bytes();
        let (dst, src) = (self.address_of(i.dst.at), self.address_of(i.src.at));
        if !len.is_multiple_of(size) {
            return Err(Halt::Fault(Box::new(FaultKind::IllegalValue {
                operand: "burst",
                value: len as i64,
                expected: "a whole number of elements",
            })));
        }
        let padded = len.next_multiple_of(BLOCK);
        if padded == len {
            let pieces = Pieces {
                count,
                len,
                src_step: len as u64 + src_gap,
                dst_step: (len + dst_gap * BLOCK) as u64,
            };
            return Ok(self.copy_in(Space::Ub, dst, src, pieces)?);
        }
        for n in 0..count as u64 {
            let src = src.wrapping_add(n * (len as u64 + src_gap));
            let dst = dst + n * (padded + dst_gap * BLOCK) as u64;
            self.memory(Space::Ub)
                .aligned("dst", dst, padded as u64, BLOCK as u64)?;
            self.piece_in(Space::Ub, dst, src, len)?;
            let rest = dst as usize + len..dst as usize + padded;
            if !rest.is_empty() {
                self.writes("dst", Space::Ub, rest.start, rest.len())?;
            }
            let ub = self.memory(Space::Ub);
            for element in ub.bytes[rest.clone()].chunks_exact_mut(size) {
                element.copy_from_slice(&pad[..size]);
            }
            ub.shadow.set(rest.start, rest.len());
            ub.touch(rest.end);
        }
        Ok(())
    }
}

impl Mte3Unit for Core<'_> {
    fn mov_ub_gm(&mut self, i: &MovUbGm) -> Done {
        let pieces = block_pieces(self, &i.burst, i.src_gap, i.dst_gap)?;
        let (dst, src) = (self.address_of(i.dst.at), self.address_of(i.src.at));
        Ok(self.copy_out(Space::Ub, dst, src, pieces)?)
    }

    fn movpad_ub_gm(&mut self, i: &MovpadUbGm) -> Done {
        let c = &self.context;
        let (count, len) = byte_burst(self, &i.burst)?;
        let src_gap = at_most("src_gap", i.src_gap.get(c), 65535, "at most 65535 blocks")?;
        let pieces = Pieces {
            count,
            len,
            src_step: (len.next_multiple_of(BLOCK) + src_gap * BLOCK) as u64,
            dst_step: len as u64 + gap_bytes("dst_gap", i.dst_gap.get(c))?,
        };
        let (dst, src) = (self.address_of(i.dst.at), self.address_of(i.src.at));
        Ok(self.copy_out(Space::Ub, dst, src, pieces)?)
    }

    fn mov_l1_gm(&mut self, i: &MovL1Gm) -> Done {
        let pieces = block_pieces(self, &i.burst, i.src_gap, i.dst_gap)?;
        let (dst, src) = (self.address_of(i.dst.at), self.address_of(i.src.at));
        Ok(self.copy_out(Space::L1, dst, src, pieces)?)
    }
}
