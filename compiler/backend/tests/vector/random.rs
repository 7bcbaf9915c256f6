//! Random vector programs: every order that flags allow gives what barriers give, and no check of the emulator objects.
//!
//! Programs nest loops and branches, use buffers across them and on every pipe of a vector core, and turn buffers at
//! several places. Every store goes to a place of its own, so that a result shows each of them.

use super::common::{Build, MODES, at, f32_bytes, numbers, run};
use ir::algo::CmpOp;
use ir::tile::{Arg, Buf, CoreQuery, EwOp, Op, Operand, ScalarOp, Tensor, TensorRole, Value, View};
use isa::types::{Elem, Space};

const COLS: i64 = 64;
const LOADS: i64 = 16;
const TRIPS: i64 = 3;
const PLACES: i64 = 243;
const DEEPEST: usize = 3;

struct Random {
    state: u64,
}

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.state = self
            .state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.state >> 33) as usize) % limit
    }
}

struct Program {
    random: Random,
    bufs: Vec<Buf>,
    /// Buffers that hold something, and those that may not turn here because a block around uses them.
    live: Vec<bool>,
    kept: Vec<bool>,
    vars: Vec<Value>,
    x: Tensor,
    y: Tensor,
    stores: i64,
}

impl Program {
    fn block(&mut self, b: &mut Build, depth: usize, length: usize) {
        for _ in 0..length {
            match self.random.below(9) {
                0 | 1 => self.load(b),
                2 | 3 => self.add(b),
                4 => self.store(b),
                5 => self.poke(b),
                6 => self.peek(b),
                7 if depth < DEEPEST => self.nested(b, depth, true),
                8 if depth < DEEPEST => self.nested(b, depth, false),
                _ => self.add(b),
            }
        }
    }

    /// A buffer to fill: one that turns now, or one that already lives.
    fn fill(&mut self, b: &mut Build) -> Buf {
        let number = self.random.below(self.bufs.len());
        if !self.kept[number] && (!self.live[number] || self.random.below(2) == 0) {
            b.next(self.bufs[number]);
            self.live[number] = true;
        }
        if !self.live[number] {
            b.next(self.bufs[number]);
            self.live[number] = true;
        }
        self.bufs[number]
    }

    fn any_live(&mut self) -> Option<Buf> {
        let live: Vec<Buf> = self
            .bufs
            .iter()
            .zip(&self.live)
            .filter(|(_, live)| **live)
            .map(|(buf, _)| *buf)
            .collect();
        let number = self.random.below(live.len().max(1));
        live.get(number).copied()
    }

    fn load(&mut self, b: &mut Build) {
        let from = self.random.below(LOADS as usize) as i64 * COLS;
        let dst = at(self.fill(b));
        let (rows, cols, pitch) = (Arg::Const(1), Arg::Const(COLS), Arg::Const(COLS));
        b.push(Op::Load {
            dst,
            tensor: self.x,
            at: from.into(),
            rows,
            cols,
            pitch,
        });
    }

    fn add(&mut self, b: &mut Build) {
        let (Some(one), Some(two)) = (self.any_live(), self.any_live()) else {
            return self.load(b);
        };
        // A buffer that turns now holds nothing to read.
        let dst = self.fill(b);
        let source = |buf: Buf| {
            if buf == dst {
                Operand::Bits(1f32.to_bits())
            } else {
                Operand::Full(at(buf))
            }
        };
        let (a, second) = match (source(one), source(two)) {
            (Operand::Bits(_), Operand::Bits(_)) => {
                let (op, a) = (EwOp::Copy, Operand::Bits(2f32.to_bits()));
                return b.push(Op::Ew {
                    op,
                    dst: at(dst),
                    a,
                    b: None,
                    c: None,
                    rows: 1.into(),
                    cols: COLS.into(),
                });
            }
            pair => pair,
        };
        let (op, rows, cols) = (EwOp::Add, Arg::Const(1), Arg::Const(COLS));
        b.push(Op::Ew {
            op,
            dst: at(dst),
            a,
            b: Some(second),
            c: None,
            rows,
            cols,
        });
    }

    /// The place of a store: its number, then the turns of the loops around it.
    fn store(&mut self, b: &mut Build) {
        let Some(src) = self.any_live() else {
            return;
        };
        if self.stores == PLACES / 27 {
            return;
        }
        let mut place = Arg::Const(0);
        for &var in &self.vars.clone() {
            let scaled = b.scalar(ScalarOp::Mul, place, TRIPS);
            place = b.scalar(ScalarOp::Add, scaled, var).into();
        }
        let first = self.stores * 27;
        self.stores += 1;
        let row = b.scalar(ScalarOp::Add, place, first);
        let to = b.scalar(ScalarOp::Mul, row, COLS);
        let (rows, cols, pitch) = (Arg::Const(1), Arg::Const(COLS), Arg::Const(COLS));
        b.push(Op::Store {
            tensor: self.y,
            at: to.into(),
            src: at(src),
            rows,
            cols,
            pitch,
        });
    }

    fn element(&mut self) -> Option<View> {
        let col = Arg::Const(self.random.below(COLS as usize) as i64);
        self.any_live().map(|buf| View {
            buf,
            row: Arg::Const(0),
            col,
        })
    }

    fn poke(&mut self, b: &mut Build) {
        if let Some(dst) = self.element() {
            b.push(Op::Poke {
                dst,
                value: Arg::Const(i64::from(3f32.to_bits())),
            });
        }
    }

    fn peek(&mut self, b: &mut Build) {
        if let (Some(src), Some(to)) = (self.element(), self.element()) {
            let dst = b.func.add_value();
            b.push(Op::PeekBuf { dst, src });
            b.push(Op::Poke {
                dst: to,
                value: dst.into(),
            });
        }
    }

    /// A loop, of no turns at times, or a branch on the turn of the innermost loop.
    fn nested(&mut self, b: &mut Build, depth: usize, repeats: bool) {
        let (live, kept) = (self.live.clone(), self.kept.clone());
        self.kept = live
            .iter()
            .zip(&kept)
            .map(|(live, kept)| *live || *kept)
            .collect();
        let length = 2 + self.random.below(6);
        if repeats {
            let trips = self.random.below(TRIPS as usize + 1) as i64;
            b.repeat(0, trips, 1, |b, var| {
                self.vars.push(var);
                self.block(b, depth + 1, length);
                self.vars.pop();
            });
        } else if let Some(&var) = self.vars.last() {
            let odd = self.random.below(2) as i64;
            let cond = b.scalar(ScalarOp::Cmp(CmpOp::Eq), var, odd).into();
            let then = b.func.add_block();
            b.push(Op::If {
                cond,
                then,
                els: None,
            });
            b.within(then, |b| self.block(b, depth + 1, length));
        }
        // What turned inside is over; what lived before lives on.
        self.live = live;
        self.kept = kept;
    }
}

fn program(seed: u64) -> ir::tile::Func {
    let mut b = Build::new("random", 1);
    let x = b.tensor("x", Elem::F32, &[LOADS, COLS], TensorRole::In);
    let y = b.tensor("y", Elem::F32, &[PLACES, COLS], TensorRole::Out);
    let zero = b.buf("zero", Elem::F32, Space::Ub, 1, [PLACES, COLS]);
    let mut random = Random { state: seed };
    let bufs: Vec<Buf> = (0..5)
        .map(|n| {
            let depth = 1 + random.below(3) as u32;
            b.buf(&format!("b{n}"), Elem::F32, Space::Ub, depth, [1, COLS])
        })
        .collect();
    let none = vec![false; bufs.len()];
    let mut program = Program {
        random,
        bufs,
        live: none.clone(),
        kept: none,
        vars: Vec::new(),
        x,
        y,
        stores: 0,
    };
    let alone = |b: &mut Build, body: &mut dyn FnMut(&mut Build)| {
        let core = b.query(CoreQuery::Core);
        let cond = b.scalar(ScalarOp::Cmp(CmpOp::Eq), core, 0).into();
        let then = b.func.add_block();
        b.push(Op::If {
            cond,
            then,
            els: None,
        });
        b.within(then, body);
    };
    b.phase(false, |b| {
        alone(b, &mut |b| {
            b.next(zero);
            let (a, rows, cols) = (Operand::Bits(0), Arg::Const(PLACES), Arg::Const(COLS));
            b.push(Op::Ew {
                op: EwOp::Copy,
                dst: at(zero),
                a,
                b: None,
                c: None,
                rows,
                cols,
            });
            b.push(Op::Store {
                tensor: y,
                at: 0.into(),
                src: at(zero),
                rows,
                cols,
                pitch: cols,
            });
        });
    });
    b.phase(false, |b| {
        alone(b, &mut |b| program.block(b, 0, 14));
    });
    b.func
}

#[test]
fn flags_order_what_barriers_order() {
    let x = f32_bytes(&numbers((LOADS * COLS) as usize, 19));
    for seed in 0..150 {
        let func = program(seed);
        let [slow, fast] = MODES.map(|level| run(&func, level, &[Some(x.clone()), None]).tensors);
        assert!(slow == fast, "seed {seed}");
    }
}
