//! What instructions do: one file a unit, one method a row of the table. No cycles here.

mod atomic;
mod compare;
mod convert;
mod cube;
mod direct;
mod drain;
mod extremes;
mod fill;
mod fixpipe;
mod fused;
mod gather;
mod img2col;
mod items;
mod lanes;
mod mixed;
mod mte;
mod mte1;
mod nd2nz;
mod plain;
mod reduce;
mod repeat;
mod rows;
mod scalar;
mod select;
mod sort;
mod sync;
mod transpose;
mod vector;
mod vector_state;

pub(crate) use scalar::LOOP_DEPTH;
pub(crate) use vector_state::VectorState;

use isa::inst::{Addr, Placed};

use crate::core::Core;
use crate::fault::{FaultKind, Stop};

/// An operand value that must not exceed a limit of the instruction (davinci-facts §7.3).
pub(crate) fn at_most(
    operand: &'static str,
    value: u64,
    limit: u64,
    expected: &'static str,
) -> Result<usize, Stop> {
    if value > limit {
        return Err(Box::new(FaultKind::IllegalValue {
            operand,
            value: value as i64,
            expected,
        }));
    }
    Ok(value as usize)
}

/// Beyond every memory; sums of an address and the reach of an instruction stay far from overflow.
const FAR: u64 = 1 << 48;

impl Core<'_> {
    /// The address of an operand; what lies beyond every memory counts as [`FAR`].
    fn address_of<P: Placed>(&self, place: P) -> u64 {
        place.start().get_in(P::SPACE, &self.context).min(FAR)
    }

    /// The address of an operand in a memory of the core.
    fn local_address(&self, at: Addr) -> u64 {
        at.get(&self.context).min(FAR)
    }
}
