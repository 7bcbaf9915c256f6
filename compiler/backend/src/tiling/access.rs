//! Where an access of the algorithm lands in global memory: flat offsets as linear forms of indices.
//!
//! Knows the algorithm IR; knows nothing of buffers or engines.

use std::collections::BTreeMap;

use ir::algo::{Affine, Atom, Func, Index, Tensor};

/// `constant + Σ stride · index`: a flat element offset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Linear {
    pub(crate) constant: i64,
    pub(crate) strides: BTreeMap<Index, i64>,
}

impl Linear {
    /// The stride of an index, 0 if it does not occur.
    pub(crate) fn stride(&self, index: Index) -> i64 {
        self.strides.get(&index).copied().unwrap_or(0)
    }
}

/// The flat offset of an access, if it is linear in its indices.
pub(crate) fn flatten(func: &Func, tensor: Tensor, at: &[Affine]) -> Option<Linear> {
    let pitches = pitches(&func.tensors[tensor].shape);
    let mut linear = Linear::default();
    for (coordinate, pitch) in at.iter().zip(pitches) {
        linear.constant += coordinate.constant * pitch;
        for (factor, atom) in &coordinate.terms {
            let Atom::Index(index) = atom else {
                return None;
            };
            *linear.strides.entry(*index).or_insert(0) += factor * pitch;
        }
    }
    linear
        .strides
        .retain(|&i, stride| *stride != 0 && func.indices[i].extent > 1);
    Some(linear)
}

/// Row-major pitches of a shape, outermost first.
pub(crate) fn pitches(shape: &[i64]) -> Vec<i64> {
    let mut pitches = vec![1; shape.len()];
    for d in (1..shape.len()).rev() {
        pitches[d - 1] = pitches[d] * shape[d];
    }
    pitches
}

/// The stride per step of the flattened position of several dimensions `(stride, extent)`, outermost first, if one
/// stride serves all; 0 if none of them moves the access.
pub(crate) fn collapse(dims: &[(i64, i64)]) -> Option<i64> {
    let moving: Vec<_> = dims.iter().filter(|(_, extent)| *extent > 1).collect();
    let Some((unit, _)) = moving.last() else {
        return Some(0);
    };
    let mut expected = *unit;
    for (stride, extent) in moving.iter().rev() {
        if *stride != expected {
            return None;
        }
        expected = expected.checked_mul(*extent)?;
    }
    Some(*unit)
}

/// The least and greatest value of an affine expression over the box of its indices.
pub(crate) fn range(func: &Func, affine: &Affine) -> (i64, i64) {
    let mut bounds = (affine.constant, affine.constant);
    for (factor, atom) in &affine.terms {
        let (lo, hi) = atom_range(func, atom);
        let (a, b) = (lo.saturating_mul(*factor), hi.saturating_mul(*factor));
        bounds.0 = bounds.0.saturating_add(a.min(b));
        bounds.1 = bounds.1.saturating_add(a.max(b));
    }
    bounds
}

fn atom_range(func: &Func, atom: &Atom) -> (i64, i64) {
    match atom {
        Atom::Index(i) => (0, func.indices[*i].extent - 1),
        Atom::Div(a, n) => {
            let (lo, hi) = range(func, a);
            (lo.div_euclid(*n), hi.div_euclid(*n))
        }
        Atom::Mod(_, n) => (0, n - 1),
        Atom::Clamp(a, lo, hi) => {
            let (x, y) = range(func, a);
            (x.clamp(*lo, *hi), y.clamp(*lo, *hi))
        }
    }
}
