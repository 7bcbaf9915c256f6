//! The loads from L1 to L0A, L0B and the tables: fractals as they are, or squares that are transposed on the way.

use isa::img2col::Img2col;
use isa::inst::*;
use isa::types::Space;

use super::at_most;
use super::fill::Runs;
use super::mte::{BLOCK, FRACTAL};
use crate::core::{Core, Halt};
use crate::fault::Stop;
use crate::l0::Turn;
use crate::memory::{Local, copy_blocks};
use crate::report::Path;

type Done = Result<(), Halt>;

/// The repeat part of a fill, in units of so many bytes.
macro_rules! runs {
    ($i:ident, $unit:expr) => {
        Runs {
            rep: $i.rep,
            len: $i.len,
            gap: $i.gap,
            unit: $unit,
        }
    };
}

impl Core<'_> {
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

    pub(super) fn fractals(
        &self,
        rep: Rep,
        src_stride: Val<16>,
        dst_gap: Val<8>,
    ) -> Result<Fractals, Stop> {
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
pub(super) struct Fractals {
    pub(super) rep: usize,
    pub(super) src_stride: usize,
    pub(super) dst_step: usize,
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
        let dst = self.address_of(i.dst);
        Ok(self.fill(Space::L0a, dst, i.size, i.value, runs!(i, FRACTAL))?)
    }

    fn fill_l0b(&mut self, i: &FillL0b) -> Done {
        let dst = self.address_of(i.dst);
        Ok(self.fill(Space::L0b, dst, i.size, i.value, runs!(i, FRACTAL))?)
    }

    fn fill_l1(&mut self, i: &FillL1) -> Done {
        let dst = self.address_of(i.dst);
        Ok(self.fill(Space::L1, dst, i.size, i.value, runs!(i, BLOCK))?)
    }

    fn mov_l1_bt_f16(&mut self, i: &MovL1BtF16) -> Done {
        let (dst, src) = (self.address_of(i.dst), self.address_of(i.src));
        Ok(self.widen_bias(dst, src, i.len)?)
    }

    fn ld3d_a(&mut self, i: &Ld3dA) -> Done {
        let image = Img2col::unpack(i.size, i.part, i.window, &self.context);
        let (dst, src) = (self.address_of(i.dst), self.address_of(i.src));
        Ok(self.load_image(Space::L0a, dst, src, image)?)
    }

    fn ld3d_b(&mut self, i: &Ld3dB) -> Done {
        let image = Img2col::unpack(i.size, i.part, i.window, &self.context);
        let (dst, src) = (self.address_of(i.dst), self.address_of(i.src));
        Ok(self.load_image(Space::L0b, dst, src, image)?)
    }

    fn ld2d_a(&mut self, i: &Ld2dA) -> Done {
        let load = self.fractals(i.rep, i.src_stride, i.dst_gap)?;
        let (dst, src) = (self.address_of(i.dst), self.address_of(i.src));
        Ok(self.load_fractals(Space::L0a, dst, src, load)?)
    }

    fn ld2d_b(&mut self, i: &Ld2dB) -> Done {
        let load = self.fractals(i.rep, i.src_stride, i.dst_gap)?;
        let (dst, src) = (self.address_of(i.dst), self.address_of(i.src));
        Ok(self.load_fractals(Space::L0b, dst, src, load)?)
    }

    fn ld2dt_a(&mut self, i: &Ld2dtA) -> Done {
        let load = self.fractals(i.rep, i.src_stride, i.dst_gap)?;
        let square = self.square(i.size, i.src_pair, i.dst_pair)?;
        let (dst, src) = (self.address_of(i.dst), self.address_of(i.src));
        Ok(self.load_transposed(Space::L0a, dst, src, load, square)?)
    }

    fn ld2dt_b(&mut self, i: &Ld2dtB) -> Done {
        let load = self.fractals(i.rep, i.src_stride, i.dst_gap)?;
        let square = self.square(i.size, i.src_pair, i.dst_pair)?;
        let (dst, src) = (self.address_of(i.dst), self.address_of(i.src));
        Ok(self.load_transposed(Space::L0b, dst, src, load, square)?)
    }

    fn mov_l1_bt(&mut self, i: &MovL1Bt) -> Done {
        let (dst, src) = (self.address_of(i.dst), self.address_of(i.src));
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
}
