//! Selection: Synced tile IR to instructions, by one structured walk per kind of core.
//!
//! - [`regs`]: where values live; a value keeps one register from its definition to its last use;
//! - [`again`]: which values have none, and are computed anew wherever they are used;
//! - [`code`]: the growing program and arithmetic that folds constants;
//! - [`flow`]: loops, branches, scalars, flags, channels, copies of buffers;
//! - [`dma`]: copies between global memory and the core; [`cube`] and [`window`]: L0 loads, products, the fixpipe;
//! - [`vector`]: how an operation on a matrix becomes repeats; [`ew`], [`masks`],
//!   [`convert`] and [`reduce`]: which instruction it is.
//!
//! Base addresses of tensors are held in registers as far as registers are left: the program is selected once to learn
//! how many are, and once more with them.

mod again;
mod claims;
mod code;
mod convert;
mod cube;
mod dma;
mod ew;
mod flow;
mod masks;
mod past_l2;
mod reduce;
mod regs;
mod sort;
mod transpose;
mod vector;
mod window;

use std::collections::{BTreeMap, BTreeSet};

use diag::{Diagnostic, Span};
use ir::tile::{Buf, Chan, Func, Inst, Op, Tensor, Value};
use isa::chip::Chip;
use isa::inst::{self, Reg};
use isa::object::claims::Step;
use isa::types::{CoreKind, PAST_L2, Space};

use crate::errors;
use crate::plan::access::{self, Place};
use code::Num;
use regs::{Homes, Lives};
use vector::LaneState;

pub use ew::scratch_bytes;

/// A program with the span that each instruction comes from.
#[derive(Clone, Debug, Default)]
pub struct Code {
    /// The instructions.
    pub insts: Vec<inst::Inst>,
    /// One span per instruction.
    pub spans: Vec<Span>,
    /// What is claimed of the words of operations.
    pub claims: Vec<Step>,
}

/// Registers left free when base addresses are held.
const SPARE: usize = 2;

/// Selects the program of one kind of core; empty if no phase has work for it.
pub fn select(func: &Func, chip: &Chip, core: CoreKind) -> Result<Code, Diagnostic> {
    let roots: Vec<_> = access::roots(func)
        .into_iter()
        .filter(|root| root.1 == core)
        .map(|root| root.2)
        .collect();
    if roots.is_empty() {
        return Ok(Code::default());
    }
    let mut again = BTreeSet::new();
    let first = loop {
        match select_holding(func, chip, core, (&roots, &[]), &again) {
            Ok(done) => break done,
            Err(Short { found, instead }) => match instead {
                Some(value) => again.insert(value),
                None => return Err(*found),
            },
        };
    };
    let free = Reg::COUNT.saturating_sub(first.1 + SPARE);
    let held: Vec<Tensor> = tensors_by_use(func, &roots)
        .into_iter()
        .take(free)
        .collect();
    let done = select_holding(func, chip, core, (&roots, &held), &again);
    done.map(|done| done.0).map_err(|short| *short.found)
}

/// Why there is no program, and what could be computed anew for want of registers.
struct Short {
    found: Box<Diagnostic>,
    instead: Option<Value>,
}

fn select_holding(
    func: &Func,
    chip: &Chip,
    core: CoreKind,
    (roots, held): (&[ir::tile::Block], &[Tensor]),
    again: &BTreeSet<Value>,
) -> Result<(Code, usize), Short> {
    let scratch = chip
        .usable_bytes(Space::Ub)
        .saturating_sub(scratch_bytes(func));
    let mut sel = Sel {
        func,
        core,
        code: Code::default(),
        span: Span::NONE,
        inst: None,
        homes: Homes::default(),
        lives: Lives::default(),
        again,
        recipes: BTreeMap::new(),
        bases: BTreeMap::new(),
        past_l2: past_l2::tensors(func, chip),
        slots: BTreeMap::new(),
        slot_of: BTreeMap::new(),
        rings: BTreeMap::new(),
        lanes: LaneState::Unknown,
        scratch: i64::try_from(scratch).unwrap_or(0),
    };
    sel.hold(held).map_err(|found| Short {
        found: Box::new(found),
        instead: None,
    })?;
    for &root in roots {
        sel.phase(root).map_err(|found| Short {
            instead: match found.code == diag::codes::E0505 {
                true => again::choose(func, root, (&sel.homes, &sel.lives), again),
                false => None,
            },
            found: Box::new(found),
        })?;
    }
    sel.push(inst::End {});
    Ok((sel.code, sel.homes.peak()))
}

/// Tensors that operations of these blocks address, the most used (by loop depth) first.
fn tensors_by_use(func: &Func, roots: &[ir::tile::Block]) -> Vec<Tensor> {
    let mut weights: BTreeMap<Tensor, u64> = BTreeMap::new();
    for &root in roots {
        weigh(func, root, 1, &mut weights);
    }
    let mut order: Vec<(Tensor, u64)> = weights.into_iter().collect();
    order.sort_by_key(|&(tensor, weight)| (std::cmp::Reverse(weight), tensor));
    order.into_iter().map(|(tensor, _)| tensor).collect()
}

fn weigh(func: &Func, block: ir::tile::Block, weight: u64, weights: &mut BTreeMap<Tensor, u64>) {
    for &inst in &func.blocks[block].insts {
        let op = &func.insts[inst].op;
        for access in access::accesses(func, op) {
            if let Place::Tensor(tensor) = access.place {
                let sum = weights.entry(tensor).or_default();
                *sum = sum.saturating_add(weight);
            }
        }
        let inner = if matches!(op, Op::For { .. }) {
            weight.saturating_mul(8)
        } else {
            weight
        };
        op.blocks()
            .into_iter()
            .for_each(|nested| weigh(func, nested, inner, weights));
    }
}

/// The state of one selection.
struct Sel<'f> {
    func: &'f Func,
    core: CoreKind,
    code: Code,
    /// Span of the operation that is being selected.
    span: Span,
    inst: Option<Inst>,
    homes: Homes,
    lives: Lives,
    /// Values that have no register, and how those are computed that are known by now.
    again: &'f BTreeSet<Value>,
    recipes: BTreeMap<Value, Inst>,
    /// Base addresses that are held.
    bases: BTreeMap<Tensor, Reg>,
    /// Arguments that are read past L2.
    past_l2: BTreeSet<Tensor>,
    /// Counter of each group of buffers that turn together.
    slots: BTreeMap<flow::SlotKey, Reg>,
    slot_of: BTreeMap<Buf, flow::SlotKey>,
    /// Offset of the next slot of each channel in its group's ring.
    rings: BTreeMap<Chan, Reg>,
    lanes: LaneState,
    /// First byte of the blocks that hold scalars for instructions without a scalar form.
    scratch: i64,
}

type Done = Result<(), Diagnostic>;

impl Sel<'_> {
    /// Selects one operation and frees what it used last.
    fn op(&mut self, inst: Inst) -> Done {
        let func = self.func;
        let data = &func.insts[inst];
        self.inst = Some(inst);
        self.span = data.span;
        let (first, parts) = (self.here(), self.claims(&data.op)?);
        match &data.op {
            Op::Scalar { dst, op, a, b } => self.scalar(*dst, *op, *a, *b)?,
            Op::Query { dst, what } => self.query(*dst, *what)?,
            Op::For {
                var,
                lo,
                hi,
                step,
                body,
            } => self.repeat(inst, *var, [*lo, *hi], *step, *body)?,
            Op::If { cond, then, els } => self.branch(*cond, *then, *els)?,
            Op::Next { buf } => self.turn(*buf)?,
            Op::Peek { dst, tensor, at } => self.peek(*dst, *tensor, *at)?,
            Op::PeekBuf { dst, src } => self.peek_buf(*dst, *src)?,
            Op::Poke { dst, value } => self.poke(*dst, *value)?,
            Op::Load {
                dst,
                tensor,
                at,
                rows,
                cols,
                pitch,
            } => self.load(*dst, *tensor, *at, [*rows, *cols, *pitch])?,
            Op::Store {
                tensor,
                at,
                src,
                rows,
                cols,
                pitch,
            } => self.store(*src, *tensor, *at, [*rows, *cols, *pitch])?,
            Op::LoadTile {
                dst,
                src,
                rows,
                cols,
                transposed,
            } => self.load_tile(*dst, *src, [*rows, *cols], *transposed)?,
            Op::LoadWindow {
                dst,
                src,
                rows,
                cols,
                window,
            } => self.load_window(*dst, *src, [*rows, *cols], window)?,
            Op::LoadWords { dst, src, cols } => self.load_words(*dst, *src, *cols)?,
            Op::Mad {
                c,
                a,
                b,
                m,
                k,
                n,
                init,
                hf32,
            } => self.mad([*c, *a, *b], [*m, *k, *n], *init, *hf32)?,
            Op::Drain {
                tensor,
                at,
                src,
                rows,
                cols,
                pitch,
                cast,
                relu,
            } => {
                self.drain(*tensor, *at, *src, [*rows, *cols, *pitch], *cast, *relu)?;
            }
            Op::Ew {
                op,
                dst,
                a,
                b,
                c,
                rows,
                cols,
            } => self.ew(*op, *dst, [Some(*a), *b, *c], [*rows, *cols])?,
            Op::Spread { dst, src, rows } => self.spread(*dst, *src, *rows)?,
            Op::Transpose {
                dst,
                src,
                rows,
                cols,
            } => self.transpose(*dst, *src, [*rows, *cols])?,
            Op::Gather {
                dst,
                src,
                at,
                rows,
                cols,
            } => self.gather([*dst, *src, *at], [*rows, *cols])?,
            Op::Sort {
                dst,
                keys,
                places,
                rows,
                cols,
            } => self.sort([*dst, *keys, *places], [*rows, *cols])?,
            Op::Accumulate {
                op,
                acc,
                src,
                rows,
                cols,
            } => self.accumulate(*op, *acc, *src, [*rows, *cols])?,
            Op::BlockReduce {
                op,
                dst,
                src,
                rows,
                cols,
            } => self.block_reduce(*op, [*dst, *src], [*rows, *cols])?,
            Op::Lanes { op, dst, acc, rows } => self.join_lanes(*op, *dst, *acc, *rows)?,
            Op::Acquire { dst, chan } | Op::Take { dst, chan } => self.ring_slot(*dst, *chan)?,
            // The counters that stand beside them do the work.
            Op::Publish { .. } | Op::Release { .. } => {}
            Op::SetFlag { src, dst, id, slot } => self.set_flag([*src, *dst], *id, *slot)?,
            Op::WaitFlag { src, dst, id, slot } => self.wait_flag([*src, *dst], *id, *slot)?,
            Op::Barrier { pipe } => self.barrier(*pipe),
            Op::SyncAll => self.sync_all(),
            Op::SetCross { pipe, id } => self.set_cross(*pipe, *id),
            Op::WaitCross { pipe, id } => self.wait_cross(*pipe, *id),
        }
        self.homes.end_temporaries();
        self.homes.expire(self.lives.end_of(inst));
        let end = self.here();
        if !parts.is_empty() && first < end {
            self.code.claims.push(Step { first, end, parts });
        }
        Ok(())
    }

    /// A diagnostic that this operation has no instruction.
    fn missing(&self, what: &str) -> Diagnostic {
        match self.inst {
            Some(inst) => errors::no_instruction(self.func, inst, what),
            None => errors::too_many_scalars(self.span),
        }
    }

    /// Loads the base addresses that are held through the program.
    fn hold(&mut self, held: &[Tensor]) -> Done {
        for &tensor in held {
            let reg = self.lasting()?;
            self.load_base(tensor, reg)?;
            self.bases.insert(tensor, reg);
        }
        self.homes.end_temporaries();
        Ok(())
    }

    /// The address of a tensor's first element.
    fn base(&mut self, tensor: Tensor) -> Result<Num, Diagnostic> {
        if let Some(&reg) = self.bases.get(&tensor) {
            return Ok(Num::Reg(reg));
        }
        let reg = self.temporary()?;
        self.load_base(tensor, reg)?;
        Ok(Num::Reg(reg))
    }

    fn load_base(&mut self, tensor: Tensor, reg: Reg) -> Done {
        self.load_word(tensor.as_u32(), reg);
        if self.past_l2.contains(&tensor) {
            let past = self.temporary()?;
            self.set(past, Num::Const(PAST_L2.cast_signed()));
            self.push(inst::Add {
                dst: inst::XOut(reg),
                a: inst::XVal::Reg(reg),
                b: inst::XVal::Reg(past),
            });
        }
        Ok(())
    }

    /// Loads a word of the parameter block: addresses of tensors, then sizes.
    fn load_word(&mut self, word: u32, reg: Reg) {
        let offset = 8 * i64::from(word);
        self.push(inst::Rdspr {
            dst: inst::XOut(reg),
            spr: inst::Spr::ParaBase,
        });
        self.push(inst::Ld {
            size: inst::MemSize::B64,
            mem: inst::ScalarMem::Gm,
            dst: inst::XOut(reg),
            base: inst::XIn(reg),
            offset: inst::SImm(offset),
        });
    }
}
