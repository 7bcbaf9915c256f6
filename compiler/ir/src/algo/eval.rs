//! The reference evaluator: what a function's results are, to the bit. It is the oracle for everything below.
//!
//! Two evaluators share one meaning. [`naive`] is the definition, one element at a time; `lanes` computes chunks of
//! elements at once and hands large sums of products to `contract`; both take all arithmetic from `isa::num`, through
//! `scalar` and `column`. `reduction` says where each item of a reduction goes.
//!
//! Rules that the IR's documentation leaves open and that hold here:
//! - A masked item is not evaluated. In lanes it leaves its accumulator alone; in a tree it is the identity.
//! - `max` and `min` are associative to the bit (NaN wins, -0 is below +0), so they need no order.
//! - `argmax` takes NaN for the greatest value and `argmin` for the least; the first such item wins.
//! - A tree's item is the item itself; of an exact product it is the product added to +0, rounded once.
//! - Copies keep the bits of a NaN; any operation gives the canonical one.
//!
//! It reads no files and knows no target.

pub(crate) mod column;
mod contract;
mod lanes;
pub mod naive;
mod reduce;
mod reduction;
pub(crate) mod scalar;
#[cfg(test)]
mod tests;

use std::fmt;

use cranelift_entity::SecondaryMap;
use diag::Span;

pub use super::data::Data;
use super::data::element_count;
use super::{Func, Overflow, Role, Round, Tensor, verify};

/// Why there are no results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvalError {
    /// What kind of failure it is.
    pub kind: EvalErrorKind,
    /// The source it belongs to.
    pub span: Span,
    /// The failure in words: lower case, no full stop.
    pub message: String,
}

/// The kinds of failure.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum EvalErrorKind {
    /// An integer division or remainder by zero that the function's meaning does evaluate.
    DivisionByZero,
    /// An index from data that is out of range, and that the function's meaning does use.
    IndexOutOfRange,
    /// The number of parameters, or the number of bytes of one, is not what the function declares.
    BadInput,
    /// The function breaks an invariant of the IR.
    Invalid,
}

impl EvalError {
    pub(crate) fn new(kind: EvalErrorKind, span: Span, message: impl Into<String>) -> EvalError {
        EvalError {
            kind,
            span,
            message: message.into(),
        }
    }

    pub(crate) fn division_by_zero(span: Span) -> EvalError {
        EvalError::new(
            EvalErrorKind::DivisionByZero,
            span,
            "integer division by zero",
        )
    }

    pub(crate) fn index_out_of_range(span: Span) -> EvalError {
        EvalError::new(
            EvalErrorKind::IndexOutOfRange,
            span,
            "an index from data is out of range",
        )
    }
}

impl fmt::Display for EvalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for EvalError {}

/// Evaluates a function: parameters in the order of the signature in, results in the order of the signature out.
pub fn eval(func: &Func, params: &[Data]) -> Result<Vec<Data>, EvalError> {
    let inputs = Inputs::check(func, params)?;
    lanes::eval(func, inputs)
}

/// Parameters that fit a function that keeps the IR's invariants.
pub(crate) struct Inputs<'a> {
    func: &'a Func,
    params: &'a [Data],
}

impl<'a> Inputs<'a> {
    /// Verifies the function and the size of each parameter.
    pub(crate) fn check(func: &'a Func, params: &'a [Data]) -> Result<Inputs<'a>, EvalError> {
        if let Err(problems) = verify::verify(func) {
            return Err(EvalError::new(
                EvalErrorKind::Invalid,
                func.span,
                problems.join("; "),
            ));
        }
        if func.params.len() != params.len() {
            let message = format!(
                "`{}` has {} parameters, {} were given",
                func.name,
                func.params.len(),
                params.len()
            );
            return Err(EvalError::new(EvalErrorKind::BadInput, func.span, message));
        }
        for (&tensor, data) in func.params.iter().zip(params) {
            check_param(func, tensor, data)?;
        }
        Ok(Inputs { func, params })
    }

    /// Contents by tensor; those that are not parameters are empty.
    pub(crate) fn into_tensors(self) -> SecondaryMap<Tensor, Data> {
        let mut tensors = SecondaryMap::new();
        tensors.resize(self.func.tensors.len());
        for (&tensor, data) in self.func.params.iter().zip(self.params) {
            tensors[tensor] = data.clone();
        }
        tensors
    }
}

fn check_param(func: &Func, tensor: Tensor, data: &Data) -> Result<(), EvalError> {
    let declared = &func.tensors[tensor];
    debug_assert!(
        declared.role == Role::Param,
        "verified: parameters have that role"
    );
    let expected = element_count(&declared.shape)
        .and_then(|count| count.checked_mul(declared.elem.bytes() as usize));
    if expected == Some(data.bytes.len()) {
        return Ok(());
    }
    let message = format!(
        "`{}` needs {} bytes, {} were given",
        declared.name,
        expected.unwrap_or(usize::MAX),
        data.bytes.len()
    );
    Err(EvalError::new(
        EvalErrorKind::BadInput,
        declared.span,
        message,
    ))
}
