//! The same kernel with an argument that lies otherwise in memory: for comparisons with kernels whose arguments do.

use ir::algo::{ExprKind, Func};

/// A kernel whose parameter with this number, a matrix, is stored by columns.
pub(super) fn by_columns(func: &Func, param: usize) -> Func {
    let mut func = func.clone();
    let Some(&matrix) = func.params.get(param) else {
        return func;
    };
    func.tensors[matrix].shape.reverse();
    for expr in func.exprs.values_mut() {
        if let ExprKind::Load { tensor, at, .. } = &mut expr.kind
            && *tensor == matrix
        {
            at.reverse();
        }
    }
    func
}
