//! The cube unit: `mmad` on the packed images of L0A and L0B.

use isa::inst::*;
use isa::types::{Pipe, Space};

use super::at_most;
use super::fixpipe::unit_ready;
use crate::core::{Core, Halt};
use crate::fault::Stop;
use crate::kernel::{self, FRACTAL_WORDS, Product, Start};
use crate::l0::{self, Packed, Side};

const FRACTAL: usize = 512;
/// Bytes of a 16×16 block of L0C.
const BLOCK: usize = 1024;

/// An `mmad` with its operands read and its extents in fractals.
#[derive(Copy, Clone, Debug)]
struct Tile {
    ty: MmadTy,
    m: usize,
    k: usize,
    n: usize,
    m1: usize,
    k1: usize,
    n1: usize,
    a: usize,
    b: usize,
    c: usize,
    init: Init,
}

/// What the accumulation starts from.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Init {
    Accumulate,
    Zero,
    /// The bias table from this byte on.
    Bias(usize),
}

impl CubeUnit for Core<'_> {
    fn mmad(&mut self, i: &Mmad) -> Result<(), Halt> {
        unit_ready(self, i.unit, Pipe::Fix)?;
        let Some(tile) = self.tile(i)? else {
            return Ok(());
        };
        self.settle(&tile);
        self.check_left(&tile)?;
        self.check_right(&tile)?;
        self.check_result(&tile, i.unit)?;
        self.pack(&tile);
        self.multiply(&tile);
        self.mads += (tile.m * tile.n * tile.k) as u64;
        Ok(())
    }
}

impl Core<'_> {
    /// Reads the operands; none if an extent is zero.
    fn tile(&self, i: &Mmad) -> Result<Option<Tile>, Stop> {
        let c = &self.context;
        let extent = |name, value: Val<12>| at_most(name, value.get(c), 4095, "at most 4095");
        let (m, k, n) = (extent("m", i.m)?, extent("k", i.k)?, extent("n", i.n)?);
        if m == 0 || k == 0 || n == 0 {
            return Ok(None);
        }
        let (m1, n1) = (m.div_ceil(16), n.div_ceil(16));
        let k1 = k.div_ceil(i.ty.k0() as usize);
        let place = |name, space: Space, at: Addr, bytes: usize, align| {
            self.memories[space as usize].aligned(name, self.address_of(at), bytes as u64, align)
        };
        let align = &self.launch.chip.align;
        let init = match at_most("init", i.init.get(c), 2, "0, 1 or 2")? {
            0 => Init::Accumulate,
            1 => Init::Zero,
            _ => Init::Bias(place("bias", Space::Bt, i.bias.at, n * 4, align.bt)?),
        };
        Ok(Some(Tile {
            ty: i.ty,
            m,
            k,
            n,
            m1,
            k1,
            n1,
            a: place("a", Space::L0a, i.a.at, m1 * k1 * FRACTAL, align.l0a)?,
            b: place("b", Space::L0b, i.b.at, k1 * n1 * FRACTAL, align.l0b)?,
            c: place("dst", Space::L0c, i.dst.at, m1 * n1 * BLOCK, align.l0c_mmad)?,
            init,
        }))
    }

    fn check_left(&mut self, t: &Tile) -> Result<(), Stop> {
        let whole = t.m.is_multiple_of(16) && t.k == t.k1 * t.ty.k0() as usize;
        self.reads("a", Space::L0a, t.a, t.m1 * t.k1 * FRACTAL, whole)?;
        if whole || !self.launch.sanitize.uninit {
            return Ok(());
        }
        for m1 in 0..t.m1 {
            for k1 in 0..t.k1 {
                self.check_fractal(
                    t,
                    "a",
                    Space::L0a,
                    t.a + (m1 * t.k1 + k1) * FRACTAL,
                    t.m - m1 * 16,
                    k1,
                )?;
            }
        }
        Ok(())
    }

    fn check_right(&mut self, t: &Tile) -> Result<(), Stop> {
        let whole = t.n.is_multiple_of(16) && t.k == t.k1 * t.ty.k0() as usize;
        self.reads("b", Space::L0b, t.b, t.k1 * t.n1 * FRACTAL, whole)?;
        if whole || !self.launch.sanitize.uninit {
            return Ok(());
        }
        for k1 in 0..t.k1 {
            for n1 in 0..t.n1 {
                self.check_fractal(
                    t,
                    "b",
                    Space::L0b,
                    t.b + (k1 * t.n1 + n1) * FRACTAL,
                    t.n - n1 * 16,
                    k1,
                )?;
            }
        }
        Ok(())
    }

    /// Demands values in the rows and columns of a fractal that count.
    fn check_fractal(
        &self,
        t: &Tile,
        operand: &'static str,
        space: Space,
        at: usize,
        rows: usize,
        k1: usize,
    ) -> Result<(), Stop> {
        let k0 = t.ty.k0() as usize;
        let (mut rows, mut columns) = (rows.min(16), (t.k - k1 * k0).min(k0));
        let image = if space == Space::L0a {
            &self.l0a
        } else {
            &self.l0b
        };
        let size = t.ty.bytes() as usize;
        let mut pitch = 32;
        if image.is_turned(at / FRACTAL) {
            std::mem::swap(&mut rows, &mut columns);
            pitch = 16 * size;
        }
        for row in 0..rows {
            self.memories[space as usize].demand(operand, at + row * pitch, columns * size)?;
        }
        Ok(())
    }

    /// Checks the accumulator and the bias, and notes that the accumulator changes.
    fn check_result(&mut self, t: &Tile, unit: UnitFlag) -> Result<(), Stop> {
        if let Init::Bias(at) = t.init {
            self.reads("bias", Space::Bt, at, t.n * 4, true)?;
        }
        if t.init == Init::Accumulate && self.launch.sanitize.uninit {
            for_valid(t, |at, bytes| {
                self.memories[Space::L0c as usize].demand("dst", at, bytes)
            })?;
        }
        // A chain onto the same accumulator is in order when the block is large enough (davinci-facts §3.3).
        let mut known = self.order.known[self.lane];
        if (t.m1 * t.n1) as u64 >= self.launch.chip.cube.barrier_fractals {
            let cube = Pipe::M.index();
            known[cube] = self.order.issued[cube];
        }
        if unit != UnitFlag::Off {
            known[Pipe::Fix.index()] = self.order.issued[Pipe::Fix.index()];
        }
        self.writes_knowing("dst", Space::L0c, t.c, t.m1 * t.n1 * BLOCK, &known)?;
        let l0c = self.memory(Space::L0c);
        for_valid(t, |at, bytes| {
            l0c.shadow.set(at, bytes);
            Ok(())
        })?;
        l0c.touch(t.c + t.m1 * t.n1 * BLOCK);
        Ok(())
    }

    /// Brings the packed images up to date.
    fn pack(&mut self, t: &Tile) {
        let (left, right) = (t.m1 * t.k1 * FRACTAL, t.k1 * t.n1 * FRACTAL);
        let bytes = &self.memories[Space::L0a as usize].bytes;
        self.l0a.pack(t.a, left, t.ty, Side::Rows, bytes);
        let bytes = &self.memories[Space::L0b as usize].bytes;
        self.l0b.pack(t.b, right, t.ty, Side::Columns, bytes);
    }

    /// Turns fractals back that another element size has turned.
    fn settle(&mut self, t: &Tile) {
        let (left, right) = (t.m1 * t.k1 * FRACTAL, t.k1 * t.n1 * FRACTAL);
        let memory = &mut self.memories[Space::L0a as usize];
        self.l0a.settle(memory, t.a, left, t.ty);
        let memory = &mut self.memories[Space::L0b as usize];
        self.l0b.settle(memory, t.b, right, t.ty);
    }

    fn multiply(&mut self, t: &Tile) {
        let [l0c, bt] = self
            .memories
            .get_disjoint_mut([Space::L0c as usize, Space::Bt as usize])
            .expect("two spaces");
        let start = match t.init {
            Init::Accumulate => Start::Kept,
            Init::Zero => Start::Zero,
            Init::Bias(at) => Start::Row(&bt.bytes[at..at + t.n * 4]),
        };
        let c = &mut l0c.bytes[t.c..t.c + t.m1 * t.n1 * BLOCK];
        kernel::multiply(c, start, &product(t, &self.l0a, &self.l0b));
    }
}

/// Calls `visit` for every run of bytes of L0C that the tile's elements take.
fn for_valid(
    t: &Tile,
    mut visit: impl FnMut(usize, usize) -> Result<(), Stop>,
) -> Result<(), Stop> {
    if t.m.is_multiple_of(16) && t.n.is_multiple_of(16) {
        return visit(t.c, t.m1 * t.n1 * BLOCK);
    }
    for n1 in 0..t.n1 {
        let columns = (t.n - n1 * 16).min(16);
        let at = t.c + n1 * t.m1 * BLOCK;
        if columns == 16 {
            visit(at, t.m * 64)?;
            continue;
        }
        for row in 0..t.m {
            visit(at + row * 64, columns * 4)?;
        }
    }
    Ok(())
}

/// The packed operands of a tile.
fn product<'a>(t: &Tile, a: &'a Packed, b: &'a Packed) -> Product<'a> {
    let pairs = t.ty == MmadTy::S8;
    Product {
        step: l0::step(t.ty),
        a: &a.words[t.a / FRACTAL * FRACTAL_WORDS..],
        b: &b.words[t.b / FRACTAL * FRACTAL_WORDS..],
        m: t.m,
        n: t.n,
        fractal_steps: l0::fractal_steps(t.ty),
        steps: if pairs { t.k.div_ceil(2) } else { t.k },
        half_last: pairs && !t.k.is_multiple_of(2),
    }
}
