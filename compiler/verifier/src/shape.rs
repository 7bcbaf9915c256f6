//! What an instruction touches with its registers as they are, made once for each way that a program uses it.
//!
//! On-chip bytes become footprints; what it touches in global memory stays relative to the address register, so that one
//! shape serves all iterations of a loop. Also: which bytes must hold values, and which hold values afterwards. All from
//! the instruction table's effects; knows no order.

use std::collections::HashMap;

use isa::chip::Chip;
use isa::effects::Access;
use isa::form::{VecForm, Walk};
use isa::inst::*;
use isa::legal;
use isa::types::{BLOCK_BYTES, FRACTAL_BYTES, PAST_L2, Pipe, Space};
use smallvec::SmallVec;

use crate::footprint::{Footprints, Id};
use crate::moves::{Moves, is_copy, moves};
use crate::offsets::{Arith, Gather, arith};
use crate::refusal::Reason;
use crate::scalar::Registers;

/// A set of on-chip bytes that an instruction touches.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Use {
    pub(crate) operand: &'static str,
    pub(crate) bytes: Id,
    pub(crate) reads: bool,
    pub(crate) writes: bool,
}

/// What an instruction touches in global memory, relative to a register.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Global {
    pub(crate) operand: &'static str,
    pub(crate) pointer: Reg,
    pub(crate) writes: bool,
    /// With base 0.
    pub(crate) pieces: Access,
}

/// The operands of an `mmad`, of whose fractals only some rows and columns count.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Product {
    pub(crate) a: u32,
    pub(crate) b: u32,
    pub(crate) m: u32,
    pub(crate) k: u32,
    pub(crate) n: u32,
    pub(crate) k1: u32,
    pub(crate) k0: u32,
    pub(crate) bits: u32,
    pub(crate) vector: bool,
}

/// What an instruction touches.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub(crate) uses: SmallVec<[Use; 4]>,
    pub(crate) global: SmallVec<[Global; 2]>,
    /// Bytes that must hold values.
    pub(crate) needs: SmallVec<[Id; 3]>,
    /// Bytes that it writes.
    pub(crate) gives: SmallVec<[Id; 2]>,
    pub(crate) moves: Moves,
    pub(crate) product: Option<Product>,
    /// Whether the cube keeps it in order behind its earlier work on the same accumulator.
    pub(crate) chained: bool,
    /// Whether it leaves a number in a special register.
    pub(crate) counts: bool,
    pub(crate) unit: Option<Unit>,
    pub(crate) gather: Option<Gather>,
    /// What it does with integers, and the footprints of `a` and `b`.
    pub(crate) arith: Option<(Arith, Option<Id>, Option<Id>)>,
}

/// Which unit flags of L0C an instruction waits for, and whether it is the last to use them.
#[derive(Clone, Debug)]
pub(crate) struct Unit {
    /// Their numbers.
    pub(crate) flags: Vec<u32>,
    /// Whether they are set, or cleared, afterwards.
    pub(crate) last: bool,
    /// Whether it fills, and so waits for cleared ones.
    pub(crate) fills: bool,
}

type Key = (u8, u32, SmallVec<[u64; 8]>);

/// The shapes of a launch.
#[derive(Debug, Default)]
pub(crate) struct Shapes {
    pub(crate) all: Vec<Shape>,
    ids: HashMap<Key, u32>,
}

impl Shapes {
    /// The shape of an instruction whose shaping registers are known.
    pub(crate) fn of(
        &mut self,
        (kind, pc): (u8, u32),
        (inst, shaping, lane): (&Inst, u32, Pipe),
        regs: &Registers,
        (chip, footprints): (&Chip, &mut Footprints),
    ) -> Result<u32, Reason> {
        let key = (kind, pc, values(inst, shaping, lane, regs));
        if let Some(&id) = self.ids.get(&key) {
            return Ok(id);
        }
        let shape = make(inst, regs, chip, footprints)?;
        let id = self.all.len() as u32;
        self.all.push(shape);
        self.ids.insert(key, id);
        Ok(id)
    }
}

/// All that the shape depends on.
fn values(inst: &Inst, shaping: u32, lane: Pipe, regs: &Registers) -> SmallVec<[u64; 8]> {
    let mut key = SmallVec::new();
    let mut rest = shaping;
    while rest != 0 {
        key.push(regs.x[rest.trailing_zeros() as usize]);
        rest &= rest - 1;
    }
    match lane {
        Pipe::V => match regs.lanes {
            Lanes::Mask(low, high) => key.extend_from_slice(&[0, low, high]),
            Lanes::Count(count) => key.extend_from_slice(&[1, count]),
        },
        Pipe::M | Pipe::Mte1 | Pipe::Fix => {
            let ctrl = regs.spr(Spr::Ctrl) & !Spr::CTRL_COUNT;
            let shaping = [
                Spr::Fpc,
                Spr::FpcRelu,
                Spr::Fmatrix,
                Spr::FmatrixB,
                Spr::L3dRpt,
            ];
            key.push(ctrl);
            key.extend(shaping.map(|spr| regs.spr(spr)));
        }
        Pipe::S | Pipe::Mte2 | Pipe::Mte3 => {}
    }
    if let Inst::Vnchwconv(i) = inst {
        for list in [i.dst.0, i.dst.0 + 1, i.src.0, i.src.0 + 1] {
            let va = regs.va(list);
            key.extend_from_slice(&[va as u64, (va >> 64) as u64]);
        }
    }
    key
}

fn make(
    inst: &Inst,
    regs: &Registers,
    chip: &Chip,
    footprints: &mut Footprints,
) -> Result<Shape, Reason> {
    legal::check_values(inst, regs, chip).map_err(Reason::Illegal)?;
    let effects = inst.effects(regs);
    let form = VecForm::of(inst);
    let anywhere = |operand: &str| {
        let mut walks = form.iter().flat_map(|form| &form.operands);
        walks.any(|walk| walk.name == operand && walk.walk == Walk::Anywhere)
    };
    let mut shape = Shape {
        uses: SmallVec::new(),
        global: SmallVec::new(),
        needs: SmallVec::new(),
        gives: SmallVec::new(),
        moves: Moves::Values,
        product: product(inst, regs),
        chained: false,
        counts: matches!(
            inst,
            Inst::Vcompress(_) | Inst::Vcompressm(_) | Inst::Vmrg4(_)
        ),
        unit: unit(inst, regs),
        gather: None,
        arith: None,
    };
    let copies = is_copy(inst);
    let partial = leaves_rest(inst);
    for access in &effects {
        if access.space == Space::Gm {
            shape.global.push(global(inst, access, regs)?);
            continue;
        }
        if anywhere(access.operand) {
            continue;
        }
        if access.outer.count.saturating_mul(access.inner.count) > 1 << 20 {
            return Err(Reason::Unknown("an access of more than a million pieces"));
        }
        let bytes = footprints.of(access);
        let (reads, writes) = (access.dir != Dir::Out, access.dir != Dir::In);
        shape.uses.push(Use {
            operand: access.operand,
            bytes,
            reads,
            writes,
        });
        let whole =
            shape.product.is_none() && !matches!(inst, Inst::FixL0cGm(_) | Inst::FixL0cL1(_));
        if reads && !copies && (whole || access.space == Space::Fb) {
            shape.needs.push(bytes);
        }
        if writes && shape.product.is_none() && !partial {
            shape.gives.push(bytes);
        }
    }
    if let Some(cube) = cube(inst, regs, chip, footprints) {
        shape.needs.extend(cube.needs);
        shape.gives.extend(cube.gives);
        shape.chained = cube.chained;
    }
    if copies {
        shape.moves = moves(inst, regs, &effects);
    }
    integers(inst, regs, &mut shape);
    Ok(shape)
}

/// Bytes of L0C that have one unit flag.
pub(crate) const UNIT: u64 = 512;

fn unit(inst: &Inst, regs: &Registers) -> Option<Unit> {
    let (unit, fills, at, (m, n), rows) = if let Inst::Mmad(i) = inst {
        let m = i.m.get(regs);
        let rows = m.next_multiple_of(16);
        (i.unit, true, i.dst.at, (m, i.n.get(regs)), rows)
    } else if let Inst::Gemv(i) = inst {
        (i.unit, true, i.dst.at, (1, i.n.get(regs)), 16)
    } else if let Inst::FixL0cGm(FixL0cGm {
        unit,
        src,
        m,
        n,
        src_rows,
        ..
    })
    | Inst::FixL0cL1(FixL0cL1 {
        unit,
        src,
        m,
        n,
        src_rows,
        ..
    }) = *inst
    {
        let extents = (m.get(regs), n.get(regs));
        (unit, false, src.at, extents, src_rows.get(regs))
    } else {
        return None;
    };
    let column = |column: u64| {
        let first = at.get(regs) + column * rows * 64;
        first / UNIT..(first + m * 64).div_ceil(UNIT)
    };
    let flags = (0..n.div_ceil(16)).flat_map(column);
    let idle = product(inst, regs).is_some_and(|p| p.m == 0 || p.k == 0 || p.n == 0);
    (unit != UnitFlag::Off && !idle).then(|| Unit {
        flags: flags.map(|flag| flag as u32).collect(),
        last: unit == UnitFlag::Last,
        fills,
    })
}

/// Whether values decide how much of its result an instruction writes.
fn leaves_rest(inst: &Inst) -> bool {
    if let Inst::Vmrg4(i) = inst {
        return i.end != MergeEnd::All;
    }
    matches!(inst, Inst::Vcompress(_) | Inst::Vcompressm(_))
}

/// What an instruction does with integers, and what it gathers.
fn integers(inst: &Inst, regs: &Registers, shape: &mut Shape) {
    let named = |operand: &str| {
        let mut uses = shape.uses.iter().filter(|use_| use_.operand == operand);
        // In several pieces its values are not followed.
        uses.next()
            .filter(|_| uses.next().is_none())
            .map(|use_| use_.bytes)
    };
    if let Some(form) = VecForm::of(inst) {
        let elements = match regs.lanes() {
            Lanes::Count(count) => count,
            Lanes::Mask(..) => form.lanes * form.repeats(regs),
        };
        let arith = arith(inst, i64::try_from(elements).unwrap_or(i64::MAX >> 1));
        shape.arith = arith.map(|arith| (arith, named("a"), named("b")));
    }
    let (table, elem) = if let Inst::Vgather(i) = inst {
        (i.src.at, i.size.bytes())
    } else if let Inst::Vgatherb(i) = inst {
        (i.src.at, BLOCK_BYTES)
    } else {
        return;
    };
    shape.gather = named("offsets").map(|offsets| Gather {
        table: table.get(regs) as u32,
        elem: elem as u32,
        offsets,
    });
}

/// An access to global memory, relative to the register that names it.
fn global(inst: &Inst, access: &Access, regs: &Registers) -> Result<Global, Reason> {
    let places = inst.memory();
    let named = places.iter().find(|place| place.operand == access.operand);
    let pointer = match named.map(|place| place.at) {
        Some(Addr::Reg(reg)) => reg,
        Some(Addr::Imm(_)) | None => {
            return Err(Reason::Unknown(
                "an address of global memory in no register",
            ));
        }
    };
    Ok(Global {
        operand: access.operand,
        pointer,
        writes: access.dir != Dir::In,
        pieces: Access {
            base: access.base.wrapping_sub(regs.reg(pointer) & !PAST_L2),
            ..*access
        },
    })
}

fn product(inst: &Inst, regs: &Registers) -> Option<Product> {
    let (ty, a, b, m, k, n, vector) = if let Inst::Mmad(i) = inst {
        (i.ty, i.a.at, i.b.at, i.m.get(regs), i.k, i.n, false)
    } else if let Inst::Gemv(i) = inst {
        (i.ty, i.a.at, i.b.at, 1, i.k, i.n, true)
    } else {
        return None;
    };
    let (k, n) = (k.get(regs), n.get(regs));
    Some(Product {
        a: a.get(regs) as u32,
        b: b.get(regs) as u32,
        m: m as u32,
        k: k as u32,
        n: n as u32,
        k1: ty.k_fractals(k, regs.spr(Spr::Ctrl)) as u32,
        k0: ty.k0() as u32,
        bits: ty.bits() as u32,
        vector,
    })
}

/// What cube and fixpipe demand and give in L0C, where rows and columns beyond the tile do not count.
struct Cube {
    needs: SmallVec<[Id; 3]>,
    gives: SmallVec<[Id; 2]>,
    chained: bool,
}

fn cube(inst: &Inst, regs: &Registers, chip: &Chip, footprints: &mut Footprints) -> Option<Cube> {
    let mut cube = Cube {
        needs: SmallVec::new(),
        gives: SmallVec::new(),
        chained: false,
    };
    if let Some(p) = product(inst, regs) {
        let (dst, init, bias) = if let Inst::Mmad(i) = inst {
            (i.dst.at, i.init, i.bias.at)
        } else if let Inst::Gemv(i) = inst {
            (i.dst.at, i.init, i.bias.at)
        } else {
            return None;
        };
        if p.m == 0 || p.k == 0 || p.n == 0 {
            return Some(cube);
        }
        let (m1, n1) = (p.m.div_ceil(16), p.n.div_ceil(16));
        let tile = tile(dst.get(regs) as u32, (p.m, p.n), m1 * 16);
        let tile = footprints.of_pieces(Space::L0c, tile);
        cube.gives.push(tile);
        match init.get(regs) {
            0 => cube.needs.push(tile),
            1 => {}
            _ => {
                let at = bias.get(regs) as u32;
                let words = footprints.of_pieces(Space::Bt, vec![(at, at + p.n * 4)]);
                cube.needs.push(words);
            }
        }
        cube.chained = u64::from(m1 * n1) >= chip.cube.barrier_fractals;
        return Some(cube);
    }
    if let Inst::FixL0cGm(FixL0cGm {
        src,
        m,
        n,
        src_rows,
        ..
    })
    | Inst::FixL0cL1(FixL0cL1 {
        src,
        m,
        n,
        src_rows,
        ..
    }) = *inst
    {
        let extents = (m.get(regs) as u32, n.get(regs) as u32);
        let tile = tile(src.at.get(regs) as u32, extents, src_rows.get(regs) as u32);
        cube.needs.push(footprints.of_pieces(Space::L0c, tile));
        return Some(cube);
    }
    None
}

/// The elements of an m×n tile in L0C, whose columns of fractals have so many rows.
fn tile(at: u32, (m, n): (u32, u32), rows: u32) -> Vec<(u32, u32)> {
    let mut pieces = Vec::new();
    for column in 0..n.div_ceil(16) {
        let start = at + column * rows * 64;
        let wide = (n - column * 16).min(16);
        if wide == 16 {
            pieces.push((start, start + m * 64));
            continue;
        }
        pieces.extend((0..m).map(|row| (start + row * 64, start + row * 64 + wide * 4)));
    }
    pieces
}

impl Product {
    /// The fractals of the left or right operand with the rows and columns of each that count.
    pub(crate) fn fractals(&self, left: bool) -> impl Iterator<Item = (u32, u32, u32)> + use<> {
        let p = *self;
        let fractal = FRACTAL_BYTES as u32;
        let (base, extent) = if left { (p.a, p.m) } else { (p.b, p.n) };
        let across = extent.div_ceil(16);
        (0..across).flat_map(move |outer| {
            (0..p.k1).map(move |k| {
                // Left fractals lie along k first, right ones along n first.
                let place = if left {
                    outer * p.k1 + k
                } else {
                    k * across + outer
                };
                let rows = (extent - outer * 16).min(16);
                let columns = p.k.saturating_sub(k * p.k0).min(p.k0);
                (base + place * fractal, rows, columns)
            })
        })
    }
}
