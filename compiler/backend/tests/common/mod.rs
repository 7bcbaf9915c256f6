//! Builds tile functions in code, lowers and runs them.

use backend::{Level, Options, lower};
use diag::Span;
use emulator::Outcome;
use ir::tile::{
    Arg, Block, Buf, BufData, CoreQuery, Func, Op, Phase, ScalarOp, Stage, Tensor, TensorData,
    TensorRole, Value, View,
};
use isa::chip::Chip;
use isa::types::{Elem, Layout, Space};

/// A function under construction and the blocks that are open.
pub(crate) struct Build {
    pub(crate) func: Func,
    pub(crate) open: Vec<Block>,
}

impl Build {
    pub(crate) fn new(name: &str, groups: u32) -> Build {
        let func = Func {
            name: name.to_owned(),
            target: "910b2".to_owned(),
            groups,
            stage: Stage::Legal,
            ..Func::default()
        };
        Build {
            func,
            open: Vec::new(),
        }
    }

    pub(crate) fn tensor(
        &mut self,
        name: &str,
        elem: Elem,
        shape: &[i64],
        role: TensorRole,
    ) -> Tensor {
        let shape = shape.iter().copied().collect();
        self.func.tensors.push(TensorData {
            name: name.to_owned(),
            elem,
            shape,
            role,
            span: Span::NONE,
        })
    }

    pub(crate) fn buf(
        &mut self,
        name: &str,
        elem: Elem,
        space: Space,
        depth: u32,
        shape: [i64; 2],
    ) -> Buf {
        let layout = match space {
            Space::L1 | Space::L0c => Layout::NZ,
            Space::L0a => Layout::ZZ,
            Space::L0b => Layout::NZn,
            Space::Gm | Space::Ub | Space::Bt | Space::Fb => Layout::Nd,
        };
        let [rows, cols] = shape;
        self.func.bufs.push(BufData {
            name: name.to_owned(),
            elem,
            space,
            layout,
            depth,
            rows,
            cols,
            addr: None,
            span: Span::NONE,
        })
    }

    pub(crate) fn phase(&mut self, cube: bool, body: impl FnOnce(&mut Build)) {
        let block = self.func.add_block();
        let phase = if cube {
            Phase {
                cube: Some(block),
                vector: None,
            }
        } else {
            Phase {
                cube: None,
                vector: Some(block),
            }
        };
        self.func.phases.push(phase);
        self.within(block, body);
    }

    pub(crate) fn within(&mut self, block: Block, body: impl FnOnce(&mut Build)) {
        self.open.push(block);
        body(self);
        self.open.pop();
    }

    pub(crate) fn push(&mut self, op: Op) {
        let block = *self.open.last().expect("a block is open");
        self.func.push(block, op, Span::NONE);
    }

    pub(crate) fn scalar(&mut self, op: ScalarOp, a: impl Into<Arg>, b: impl Into<Arg>) -> Value {
        let dst = self.func.add_value();
        self.push(Op::Scalar {
            dst,
            op,
            a: a.into(),
            b: b.into(),
        });
        dst
    }

    pub(crate) fn query(&mut self, what: CoreQuery) -> Value {
        let dst = self.func.add_value();
        self.push(Op::Query { dst, what });
        dst
    }

    pub(crate) fn repeat(
        &mut self,
        lo: impl Into<Arg>,
        hi: impl Into<Arg>,
        step: i64,
        body: impl FnOnce(&mut Build, Value),
    ) {
        let var = self.func.add_value();
        let block = self.func.add_block();
        self.push(Op::For {
            var,
            lo: lo.into(),
            hi: hi.into(),
            step,
            body: block,
        });
        self.within(block, |b| body(b, var));
    }

    pub(crate) fn next(&mut self, buf: Buf) {
        self.push(Op::Next { buf });
    }
}

pub(crate) fn at(buf: Buf) -> View {
    View {
        buf,
        row: Arg::Const(0),
        col: Arg::Const(0),
    }
}

/// Lowers in one mode, takes the object through its bytes, and runs it with every check on.
pub(crate) fn run(func: &Func, level: Level, inputs: &[Option<Vec<u8>>]) -> Outcome {
    let chip = Chip::builtin("910b2").expect("a built-in chip");
    let options = Options {
        level,
        verify_each: true,
    };
    let lowered = lower(func.clone(), &chip, options, &|_| None);
    let object = lowered.unwrap_or_else(|found| panic!("{found:?}")).object;
    let bytes = object.write().expect("an object that can be written");
    let read = isa::object::Object::read(&bytes).expect("an object that can be read");
    assert_eq!(read, object);
    emulator::run(&object, inputs, &chip, &emulator::Options::default()).unwrap_or_else(|fault| {
        let listing = |code: &[isa::inst::Inst]| -> String {
            code.iter()
                .enumerate()
                .map(|(pc, inst)| format!("{pc:4} {inst}\n"))
                .collect()
        };
        panic!(
            "{fault:?}\n{}\n{}",
            listing(&object.aic),
            listing(&object.aiv)
        )
    })
}

pub(crate) const MODES: [Level; 2] = [Level::O0, Level::O1];

/// Small integers as f32, different in every place.
pub(crate) fn numbers(count: usize, seed: u32) -> Vec<f32> {
    (0..count as u32)
        .map(|n| ((n.wrapping_mul(2_654_435_761).wrapping_add(seed * 977) >> 20) % 17) as f32 - 8.0)
        .collect()
}

pub(crate) fn f32_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|x| x.to_le_bytes()).collect()
}

pub(crate) fn f16_bytes(values: &[f32]) -> Vec<u8> {
    use isa::num::{Overflow, Round, f32_to_f16};
    values
        .iter()
        .flat_map(|&x| f32_to_f16(x, Round::Even, Overflow::Saturate).to_le_bytes())
        .collect()
}

pub(crate) fn as_f32(bytes: &[u8]) -> Vec<f32> {
    bytes
        .chunks_exact(4)
        .map(|c| f32::from_le_bytes([c[0], c[1], c[2], c[3]]))
        .collect()
}
