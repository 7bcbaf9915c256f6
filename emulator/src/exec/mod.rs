//! What instructions do: one file a unit, one method a row of the table. No cycles here.

mod convert;
mod cube;
mod fixpipe;
mod lanes;
mod mte;
mod repeat;
mod scalar;
mod sync;
mod vector;

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
