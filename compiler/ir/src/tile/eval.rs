//! The tile IR's evaluator: what a function's results are, to the bit, and whether it reads what it may.
//!
//! It is the oracle that passes kept the values. All arithmetic is `isa::num`'s, through the columns of the algorithm
//! evaluator, so that both levels cannot disagree. It knows no target, no layout and no time: buffers are plain matrices,
//! flags and barriers do nothing.
//!
//! Phases run in order, the groups of a phase one after the other. The cores of a group run in turns: each until it ends
//! or waits for a channel, so data may flow both ways. A channel has its declared depth. Every element is tracked:
//! reading one that nothing wrote since its buffer's `Next`, or since its slot was acquired, is an error, and so is a
//! result that is not written.
//!
//! Start with [`eval`]; `core.rs` steps through blocks, `cube.rs` and `vector.rs` compute, `store.rs` is memory.

mod core;
mod cube;
mod store;
mod vector;

use std::fmt;

use cranelift_entity::SecondaryMap;
use diag::Span;
use isa::types::CoreKind;

use self::core::{Core, Status};
use self::store::Store;
use super::{Block, Chan, Func, Phase, Tensor, TensorRole, verify};
pub use crate::algo::data::Data;
use crate::algo::data::element_count;

/// Operations beyond this number are not executed: nothing that is worth evaluating needs as many.
const MAX_STEPS: u64 = 1 << 28;
/// Bytes of tensors, or of one buffer, beyond this number are not allocated.
const MAX_BYTES: usize = 1 << 33;

/// Why there are no results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvalError {
    /// What kind of failure it is.
    pub kind: EvalErrorKind,
    /// The operation's source.
    pub span: Span,
    /// The failure in words: lower case, no full stop.
    pub message: String,
}

/// The kinds of failure.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum EvalErrorKind {
    /// The function does not verify.
    Invalid,
    /// The inputs are not those that the function declares.
    BadInput,
    /// An element is read that nothing wrote.
    Uninitialised,
    /// An access leaves a buffer or a tensor, or an extent is negative.
    OutOfBounds,
    /// Division by zero, or a scalar outside of what its operation takes.
    Value,
    /// No core of a group can go on, or slots of a channel are left over.
    Deadlock,
    /// Too many operations or bytes.
    Limit,
}

impl fmt::Display for EvalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for EvalError {}

/// A failure that does not know its operation yet.
type Fault = (EvalErrorKind, String);

/// Evaluates a function. `inputs` has one entry for each argument and result in the order of the signature: the contents
/// of arguments, `None` for results. Gives the results in the order of the signature.
pub fn eval(func: &Func, inputs: &[Option<Data>]) -> Result<Vec<Data>, EvalError> {
    verify(func, &|_| u64::MAX)
        .map_err(|problems| nowhere((EvalErrorKind::Invalid, problems.join("; "))))?;
    let mut machine = Machine {
        func,
        tensors: tensors(func, inputs).map_err(nowhere)?,
        rings: SecondaryMap::new(),
        steps: 0,
    };
    for phase in &func.phases {
        for group in 0..i64::from(func.groups) {
            machine.group(phase, group)?;
        }
    }
    machine.results()
}

fn nowhere((kind, message): Fault) -> EvalError {
    EvalError {
        kind,
        span: Span::NONE,
        message,
    }
}

fn tensors(func: &Func, inputs: &[Option<Data>]) -> Result<SecondaryMap<Tensor, Store>, Fault> {
    let mut tensors = SecondaryMap::new();
    let mut inputs = inputs.iter();
    let mut total = 0_usize;
    for (tensor, data) in &func.tensors {
        let count = element_count(&data.shape).unwrap_or(usize::MAX);
        let size = count.saturating_mul(data.elem.bytes() as usize);
        total = total.saturating_add(size);
        if total > MAX_BYTES {
            return Err((
                EvalErrorKind::Limit,
                format!("tensor `{}` is too large to evaluate", data.name),
            ));
        }
        let given = if data.role == TensorRole::Work {
            None
        } else {
            inputs.next()
        };
        tensors[tensor] = match (data.role, given.and_then(Option::as_ref)) {
            (TensorRole::In, Some(input)) if input.bytes.len() == size => {
                Store::filled(data.elem, input.clone())
            }
            (TensorRole::In, _) => {
                return Err((
                    EvalErrorKind::BadInput,
                    format!("argument `{}` needs {size} bytes", data.name),
                ));
            }
            (TensorRole::Out | TensorRole::Work, _) => Store::empty(data.elem, count, None),
        };
    }
    Ok(tensors)
}

/// Global memory and the channels of the group at hand.
struct Machine<'f> {
    func: &'f Func,
    tensors: SecondaryMap<Tensor, Store>,
    rings: SecondaryMap<Chan, Ring>,
    steps: u64,
}

/// How far producers and consumers of a channel are; of the vector cores one number each.
#[derive(Clone, Debug, Default)]
struct Ring {
    acquired: [i64; 2],
    published: [i64; 2],
    taken: [i64; 2],
    released: [i64; 2],
}

impl Machine<'_> {
    /// Runs a phase on one group.
    fn group(&mut self, phase: &Phase, group: i64) -> Result<(), EvalError> {
        self.rings = SecondaryMap::new();
        let core =
            |kind, sub, block: Option<Block>| block.map(|block| Core::new(kind, group, sub, block));
        let cores = [
            core(CoreKind::Cube, 0, phase.cube),
            core(CoreKind::Vector, 0, phase.vector),
            core(CoreKind::Vector, 1, phase.vector),
        ];
        let mut running: Vec<Core> = cores.into_iter().flatten().collect();
        while !running.is_empty() {
            let before = self.steps;
            let mut waiting = Vec::new();
            let mut blocked = None;
            for mut core in running {
                if let Status::Waits(span) = core.run(self)? {
                    blocked = blocked.or(Some(span));
                    waiting.push(core);
                }
            }
            running = waiting;
            if let Some(span) = blocked
                && self.steps == before
            {
                let message =
                    format!("every core of group {group} that is not done waits for a channel");
                return Err(EvalError {
                    kind: EvalErrorKind::Deadlock,
                    span,
                    message,
                });
            }
        }
        self.rings_are_even(group)
    }

    /// Checks that every slot went its whole way.
    fn rings_are_even(&self, group: i64) -> Result<(), EvalError> {
        for (chan, data) in &self.func.chans {
            let ring = &self.rings[chan];
            let (sent, got) = (
                sides(&ring.published, data.from),
                sides(&ring.released, other(data.from)),
            );
            if sent.iter().chain(got).any(|&n| n != sent[0]) {
                let message = format!(
                    "slots of channel `{}` are left over in group {group}: {sent:?} sent, {got:?} given back",
                    data.name
                );
                return Err(nowhere((EvalErrorKind::Deadlock, message)));
            }
        }
        Ok(())
    }

    fn results(mut self) -> Result<Vec<Data>, EvalError> {
        let mut results = Vec::new();
        for (tensor, data) in &self.func.tensors {
            if data.role == TensorRole::Out {
                let store = std::mem::take(&mut self.tensors[tensor]);
                let data = store.into_data().map_err(|(kind, place)| EvalError {
                    kind,
                    span: data.span,
                    message: format!("{place} of result `{}` is not written", data.name),
                })?;
                results.push(data);
            }
        }
        Ok(results)
    }
}

fn other(kind: CoreKind) -> CoreKind {
    match kind {
        CoreKind::Cube => CoreKind::Vector,
        CoreKind::Vector => CoreKind::Cube,
    }
}

/// The numbers of the cores of a kind.
fn sides(counts: &[i64; 2], kind: CoreKind) -> &[i64] {
    match kind {
        CoreKind::Cube => &counts[..1],
        CoreKind::Vector => counts,
    }
}
