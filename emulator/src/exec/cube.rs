//! The cube unit: `mmad` and `gemv` on the packed images of L0A and L0B; see `plain` for the types without one.

use isa::inst::*;
use isa::types::{Pipe, Space};

use super::at_most;
use super::plain;
use crate::core::{Core, Halt};
use crate::fault::{FaultKind, Stop};
use crate::kernel::{self, FRACTAL_WORDS, Product, Start, Step};
use crate::l0::{Image, Packed, Side};
use crate::unit::Blocks;

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
    /// The left operand is a plain vector.
    vector: bool,
    /// What is packed of either operand; none for s4.
    images: Option<[Image; 2]>,
}

impl Tile {
    /// Fractals of L0A that the left operand takes.
    fn left_fractals(&self) -> usize {
        match self.vector {
            true => self.k1.div_ceil(16),
            false => self.m1 * self.k1,
        }
    }

    /// Bytes of L0A that it takes.
    fn left_bytes(&self) -> usize {
        match self.vector {
            true => self.k1 * 32,
            false => self.m1 * self.k1 * FRACTAL,
        }
    }
}

/// The operands of `mmad`, of which `gemv` has all but m.
struct Operands {
    ty: MmadTy,
    dst: Addr,
    a: Addr,
    b: Addr,
    k: Val<12>,
    n: Val<12>,
    init: CInit,
    bias: Addr,
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
        let operands = Operands {
            ty: i.ty,
            dst: i.dst.at,
            a: i.a.at,
            b: i.b.at,
            k: i.k,
            n: i.n,
            init: i.init,
            bias: i.bias.at,
        };
        let m = at_most("m", i.m.get(&self.context), 4095, "at most 4095")?;
        match self.tile(&operands, m, false)? {
            Some(tile) => self.product(&tile, i.unit),
            None => Ok(()),
        }
    }

    fn gemv(&mut self, i: &Gemv) -> Result<(), Halt> {
        if matches!(i.ty, MmadTy::S4 | MmadTy::F16F16) {
            return Err(Halt::Fault(Box::new(FaultKind::IllegalValue {
                operand: "ty",
                value: i.ty as i64,
                expected: "a type that has the vector form",
            })));
        }
        let operands = Operands {
            ty: i.ty,
            dst: i.dst.at,
            a: i.a.at,
            b: i.b.at,
            k: i.k,
            n: i.n,
            init: i.init,
            bias: i.bias.at,
        };
        match self.tile(&operands, 1, true)? {
            Some(tile) => self.product(&tile, i.unit),
            None => Ok(()),
        }
    }
}

impl Core<'_> {
    /// Multiplies once the unit flags let it.
    fn product(&mut self, tile: &Tile, unit: UnitFlag) -> Result<(), Halt> {
        let result = Blocks {
            at: tile.c,
            rows: tile.m,
            column_bytes: tile.m1 * BLOCK,
            columns: tile.n1,
        };
        self.unit_wait(unit, &result, false)?;
        self.settle(tile);
        self.check_left(tile)?;
        self.check_right(tile)?;
        self.check_result(tile, unit, &result)?;
        self.pack(tile);
        self.multiply(tile);
        self.unit_done(unit, &result, true);
        self.mads += (tile.m * tile.n * tile.k) as u64;
        Ok(())
    }

    /// Reads the operands; none if an extent is zero.
    fn tile(&self, i: &Operands, m: usize, vector: bool) -> Result<Option<Tile>, Stop> {
        let c = &self.context;
        let extent = |name, value: Val<12>| at_most(name, value.get(c), 4095, "at most 4095");
        let (k, n) = (extent("k", i.k)?, extent("n", i.n)?);
        if m == 0 || k == 0 || n == 0 {
            return Ok(None);
        }
        let (m1, n1) = (m.div_ceil(16), n.div_ceil(16));
        let ctrl = c.spr(Spr::Ctrl);
        let k1 = i.ty.k_fractals(k as u64, ctrl) as usize;
        let left_bytes = if vector { k1 * 32 } else { m1 * k1 * FRACTAL };
        let place = |name, space: Space, at: Addr, bytes: usize, align| {
            self.memories[space as usize].aligned(name, self.local_address(at), bytes as u64, align)
        };
        let align = &self.launch.chip.align;
        let init = match at_most("init", i.init.get(c), 2, "0, 1 or 2")? {
            0 => Init::Accumulate,
            1 => Init::Zero,
            _ => Init::Bias(place("bias", Space::Bt, i.bias, n * 4, align.bt)?),
        };
        Ok(Some(Tile {
            ty: i.ty,
            m,
            k,
            n,
            m1,
            k1,
            n1,
            a: place("a", Space::L0a, i.a, left_bytes, align.l0a)?,
            b: place("b", Space::L0b, i.b, k1 * n1 * FRACTAL, align.l0b)?,
            c: place("dst", Space::L0c, i.dst, m1 * n1 * BLOCK, align.l0c_mmad)?,
            init,
            vector,
            images: Image::of(i.ty, Side::Rows, ctrl)
                .zip(Image::of(i.ty, Side::Columns, ctrl))
                .map(<[Image; 2]>::from),
        }))
    }

    fn check_left(&mut self, t: &Tile) -> Result<(), Stop> {
        if t.vector {
            self.reads("a", Space::L0a, t.a, t.left_bytes(), false)?;
            if self.launch.sanitize.uninit {
                let bytes = (t.k * t.ty.bits() as usize).div_ceil(8);
                self.memories[Space::L0a as usize].demand("a", t.a, bytes)?;
            }
            return Ok(());
        }
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
        let (mut rows, mut columns) = (rows.min(16), t.k.saturating_sub(k1 * k0).min(k0));
        let image = if space == Space::L0a {
            &self.l0a
        } else {
            &self.l0b
        };
        let size = t.ty.bits() as usize / 8;
        let mut pitch = 32;
        if image.is_turned(at / FRACTAL) {
            std::mem::swap(&mut rows, &mut columns);
            pitch = 16 * size;
        }
        let bytes = (columns * t.ty.bits() as usize).div_ceil(8);
        for row in 0..rows {
            self.memories[space as usize].demand(operand, at + row * pitch, bytes)?;
        }
        Ok(())
    }

    /// Checks the accumulator and the bias, and notes that the accumulator changes.
    fn check_result(&mut self, t: &Tile, unit: UnitFlag, result: &Blocks) -> Result<(), Stop> {
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
            self.unit_teach(result, &mut known);
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
        let Some([left, right]) = t.images else {
            return;
        };
        let bytes = &self.memories[Space::L0a as usize].bytes;
        self.l0a
            .pack(t.a, t.left_fractals() * FRACTAL, left, Side::Rows, bytes);
        let bytes = &self.memories[Space::L0b as usize].bytes;
        self.l0b
            .pack(t.b, t.k1 * t.n1 * FRACTAL, right, Side::Columns, bytes);
    }

    /// Turns fractals back that another element size has turned, and those of a plain vector.
    fn settle(&mut self, t: &Tile) {
        let read = t.images.map(|_| t.ty.bits() as usize / 8);
        let left = if t.vector { None } else { read };
        let memory = &mut self.memories[Space::L0a as usize];
        self.l0a
            .settle(memory, t.a, t.left_fractals() * FRACTAL, left);
        let memory = &mut self.memories[Space::L0b as usize];
        self.l0b.settle(memory, t.b, t.k1 * t.n1 * FRACTAL, read);
    }

    fn multiply(&mut self, t: &Tile) {
        let panel = t
            .images
            .and_then(|[left, _]| left_panel(t, &self.l0a, left));
        let [l0a, l0b, l0c, bt] = self
            .memories
            .get_disjoint_mut([Space::L0a, Space::L0b, Space::L0c, Space::Bt].map(|s| s as usize))
            .expect("four spaces");
        let start = match t.init {
            Init::Accumulate => Start::Kept,
            Init::Zero => Start::Zero,
            Init::Bias(at) => Start::Row(&bt.bytes[at..at + t.n * 4]),
        };
        let c = &mut l0c.bytes[t.c..t.c + t.m1 * t.n1 * BLOCK];
        let Some([left, _]) = t.images else {
            let a = plain::nibbles(&l0a.bytes[t.a..][..t.m1 * t.k1 * FRACTAL]);
            let b = plain::nibbles(&l0b.bytes[t.b..][..t.k1 * t.n1 * FRACTAL]);
            return plain::multiply_nibbles(c, start, [&a, &b], [t.m, t.k, t.n]);
        };
        let mut product = product(t, left, &self.l0a, &self.l0b);
        if let Some(panel) = &panel {
            product.a = panel;
        }
        match t.ty {
            MmadTy::F16F16 => plain::multiply_halves(c, start, &product),
            MmadTy::F16
            | MmadTy::Bf16
            | MmadTy::F32
            | MmadTy::S8
            | MmadTy::U8
            | MmadTy::U8S8
            | MmadTy::S4 => kernel::multiply(c, start, &product),
        }
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
fn product<'a>(t: &Tile, image: Image, a: &'a Packed, b: &'a Packed) -> Product<'a> {
    let pairs = image.step() == Step::Pairs;
    Product {
        step: image.step(),
        a: &a.words[t.a / FRACTAL * FRACTAL_WORDS..],
        b: &b.words[t.b / FRACTAL * FRACTAL_WORDS..],
        m: t.m,
        n: t.n,
        fractal_steps: image.fractal_steps(),
        steps: if pairs { t.k.div_ceil(2) } else { t.k },
        half_last: pairs && !t.k.is_multiple_of(2),
    }
}

/// The left operand in the packed form of a matrix, where the buffer has it in another: a plain vector, whose blocks
/// become the first rows of fractals along k, or rows of fractals with padding along k.
fn left_panel(t: &Tile, a: &Packed, image: Image) -> Option<Vec<u32>> {
    let (first, steps) = (t.a / FRACTAL, image.fractal_steps());
    let needed = t.k.div_ceil(t.ty.k0() as usize);
    if t.vector {
        let mut panel = vec![0; t.k1 * FRACTAL_WORDS];
        for k1 in 0..t.k1 {
            let from = (first + k1 / 16) * FRACTAL_WORDS + k1 % 16 * steps;
            let row = &a.words[from..from + steps];
            panel[k1 * FRACTAL_WORDS..][..steps].copy_from_slice(row);
        }
        return Some(panel);
    }
    if needed == t.k1 {
        return None;
    }
    let rows = (0..t.m1).map(|m1| (first + m1 * t.k1) * FRACTAL_WORDS);
    Some(
        rows.flat_map(|from| &a.words[from..from + needed * FRACTAL_WORDS])
            .copied()
            .collect(),
    )
}
