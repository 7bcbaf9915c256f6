//! Sorting by its form: how many items stand before each, and which item has each number.
//!
//! `rank[…, i] = sum(j) if before(x[…, j], x[…, i], j < i) then 1 else 0` and
//! `at[…, k] = max(i where rank[…, i] == k) i` give the places of the first items in the order that `before` states. What
//! that order is follows from the values of the condition in each case that two items can be in, not from how it is
//! written. Items that are then gathered by the places come along.

use ir::algo::{
    Affine, BinaryOp, CmpOp, Expr, ExprKind, Func, Index, ReduceOp, Role, Tensor, UnaryOp,
};
use isa::types::Elem;

use crate::tiling::access::flatten;

/// The most items of a row that fit the unified buffer with their places, twice.
pub(crate) const MOST_ITEMS: i64 = 4096;

/// Definitions that sort rows of one tensor.
#[derive(Clone, Debug)]
pub(crate) struct Sorted {
    /// Counts the items before each.
    pub(crate) rank: usize,
    /// The places, in order.
    pub(crate) places: usize,
    /// Items by place, each from the tensor that is sorted.
    pub(crate) values: Vec<usize>,
    /// The access to the item that is counted, and the index that runs along the row.
    pub(crate) item: Expr,
    /// The index of the items in `item`.
    pub(crate) along: Index,
    /// Whether the greatest comes first.
    pub(crate) descending: bool,
}

/// The sort that begins with a definition.
pub(crate) fn sorted(func: &Func, rank: usize) -> Option<Sorted> {
    if !func.symbols.is_empty() {
        return None;
    }
    let (order, item, along) = counted(func, rank)?;
    let target = func.defs[rank].target;
    let readers: Vec<usize> = (rank + 1..func.defs.len())
        .filter(|&def| reads(func, def, target))
        .collect();
    let [places] = readers.as_slice() else {
        return None;
    };
    let alone = func.tensors[target].role == Role::Let;
    if !alone || !chosen_places(func, *places, rank) {
        return None;
    }
    let values = (places + 1..func.defs.len())
        .filter(|&def| chosen_items(func, def, *places, (rank, item)))
        .collect();
    Some(Sorted {
        rank,
        places: *places,
        values,
        item,
        along,
        descending: order == Standing::Descending,
    })
}

fn reads(func: &Func, def: usize, tensor: Tensor) -> bool {
    func.accesses(func.defs[def].value)
        .into_iter()
        .any(|e| func.access(e).is_some_and(|(t, _)| t == tensor))
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Standing {
    Ascending,
    Descending,
}

/// The order in which a definition counts what stands before each item, with the access to the other item.
fn counted(func: &Func, def: usize) -> Option<(Standing, Expr, Index)> {
    let reduce = func.root_reduce(def)?;
    let (&[axis], ReduceOp::Sum, None) = (reduce.axes.as_slice(), reduce.op, reduce.mask) else {
        return None;
    };
    let ExprKind::Select(condition, one, zero) = func.exprs[reduce.body].kind else {
        return None;
    };
    let own = func.defs[def].indices.as_slice();
    let (&item, _) = own.split_last()?;
    let counts = func.exprs[one].kind == ExprKind::Int(1)
        && func.exprs[zero].kind == ExprKind::Int(0)
        && func.exprs[reduce.body].elem == Elem::I32;
    let length = func.indices[axis].extent;
    let sortable = (2..=MOST_ITEMS).contains(&length) && func.indices[item].extent == length;
    if !counts || !sortable {
        return None;
    }
    let pair = Pair::of(func, def, condition, [axis, item])?;
    [Standing::Descending, Standing::Ascending]
        .into_iter()
        .find(|&order| pair.stands(func, condition, order))
        .map(|order| (order, pair.first, axis))
}

/// Two items of a row: the one that is counted or not, and the one that it is counted for.
struct Pair {
    /// The access to the first.
    first: Expr,
    indices: [Index; 2],
    floats: bool,
}

/// How two items compare.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Case {
    Less,
    Equal,
    Greater,
    FirstNan,
    SecondNan,
    BothNan,
}

impl Pair {
    /// The accesses of a condition: all of one row, alike but for the two indices.
    fn of(func: &Func, def: usize, condition: Expr, indices: [Index; 2]) -> Option<Pair> {
        let mut rows = Vec::new();
        let mut first = None;
        for load in func.accesses(condition) {
            let (tensor, at, None) = func.load(load)? else {
                return None;
            };
            let (last, outer) = at.split_last()?;
            let along = last.as_index()?;
            let strays = |a: &Affine| indices.iter().any(|&i| mentions(a, i));
            if !indices.contains(&along) || outer.iter().any(strays) {
                return None;
            }
            if along == indices[0] {
                first = Some((load, func.tensors[tensor].elem));
            }
            rows.push(row_of(func, def, tensor, at)?);
        }
        let (first, elem) = first?;
        let alike = rows.windows(2).all(|pair| pair[0] == pair[1]);
        // f32 holds each value of these.
        let exact = match elem {
            Elem::F32 | Elem::F16 | Elem::Bf16 | Elem::I16 | Elem::I8 | Elem::U8 => true,
            Elem::I64 | Elem::I32 | Elem::Bool => false,
        };
        (alike && exact).then_some(Pair {
            first,
            indices,
            floats: elem.is_float(),
        })
    }

    /// Whether the condition holds exactly where the first item stands before the second.
    fn stands(&self, func: &Func, condition: Expr, order: Standing) -> bool {
        let numbers = [Case::Less, Case::Equal, Case::Greater].as_slice();
        let others = [Case::FirstNan, Case::SecondNan, Case::BothNan].as_slice();
        let cases = numbers.iter().chain(if self.floats { others } else { &[] });
        cases.copied().all(|case| {
            let tie = matches!(case, Case::Equal | Case::BothNan);
            let before = match (case, order) {
                (Case::Greater | Case::FirstNan, Standing::Descending)
                | (Case::Less | Case::SecondNan, Standing::Ascending) => true,
                (
                    Case::Less
                    | Case::Equal
                    | Case::Greater
                    | Case::FirstNan
                    | Case::SecondNan
                    | Case::BothNan,
                    Standing::Ascending | Standing::Descending,
                ) => false,
            };
            [CmpOp::Lt, CmpOp::Gt].into_iter().all(|places| {
                let expected = before || (tie && places == CmpOp::Lt);
                self.holds(func, condition, case, places) == Some(expected)
            }) && (!tie || self.holds(func, condition, case, CmpOp::Eq) == Some(false))
        })
    }

    /// The value of a condition, given how the items compare and how their indices do.
    fn holds(&self, func: &Func, e: Expr, case: Case, places: CmpOp) -> Option<bool> {
        let holds = |e| self.holds(func, e, case, places);
        let kind = &func.exprs[e].kind;
        if let ExprKind::Compare(op, a, b) = *kind {
            return self.compared(func, op, [a, b], case, places);
        }
        if let ExprKind::Select(c, a, b) = *kind {
            return if holds(c)? { holds(a) } else { holds(b) };
        }
        if let ExprKind::Binary(op @ (BinaryOp::And | BinaryOp::Or), a, b) = *kind {
            let (a, b) = (holds(a)?, holds(b)?);
            return Some(if op == BinaryOp::And { a && b } else { a || b });
        }
        if let ExprKind::Unary(UnaryOp::Not, a) = *kind {
            return Some(!holds(a)?);
        }
        None
    }

    fn compared(
        &self,
        func: &Func,
        op: CmpOp,
        [a, b]: [Expr; 2],
        case: Case,
        places: CmpOp,
    ) -> Option<bool> {
        if let (ExprKind::Index(a), ExprKind::Index(b)) = (&func.exprs[a].kind, &func.exprs[b].kind)
        {
            let [first, second] = self.indices;
            let ordering = match places {
                CmpOp::Lt => -1,
                CmpOp::Gt => 1,
                CmpOp::Eq | CmpOp::Ne | CmpOp::Le | CmpOp::Ge => 0,
            };
            return if [*a, *b] == [first, second] {
                Some(decided(op, ordering))
            } else if [*a, *b] == [second, first] {
                Some(decided(op, -ordering))
            } else {
                None
            };
        }
        let (a, b) = (self.side(func, a)?, self.side(func, b)?);
        let nan = match case {
            Case::FirstNan => [true, false],
            Case::SecondNan => [false, true],
            Case::BothNan => [true, true],
            Case::Less | Case::Equal | Case::Greater => [false, false],
        };
        if nan[a] || nan[b] {
            return Some(op == CmpOp::Ne);
        }
        let ordering = match case {
            Case::Less => -1,
            Case::Greater => 1,
            Case::Equal | Case::FirstNan | Case::SecondNan | Case::BothNan => 0,
        };
        Some(match (a, b) {
            (0, 1) => decided(op, ordering),
            (1, 0) => decided(op, -ordering),
            _ => decided(op, 0),
        })
    }

    /// Which of the two items an access is.
    fn side(&self, func: &Func, e: Expr) -> Option<usize> {
        let ExprKind::Load { at, .. } = &func.exprs[e].kind else {
            return None;
        };
        let index = at.last().and_then(Affine::as_index)?;
        self.indices.iter().position(|i| *i == index)
    }
}

/// A comparison of two numbers of which the sign of the difference is known.
fn decided(op: CmpOp, sign: i32) -> bool {
    match op {
        CmpOp::Eq => sign == 0,
        CmpOp::Ne => sign != 0,
        CmpOp::Lt => sign < 0,
        CmpOp::Le => sign <= 0,
        CmpOp::Gt => sign > 0,
        CmpOp::Ge => sign >= 0,
    }
}

/// Which row of a tensor an access is in: the tensor, the offset, and a stride for each index of the definition but the
/// last.
fn row_of(
    func: &Func,
    def: usize,
    tensor: Tensor,
    at: &[Affine],
) -> Option<(Tensor, i64, Vec<i64>)> {
    let linear = flatten(func, tensor, at)?;
    let (_, outer) = func.defs[def].indices.split_last()?;
    let strides = outer.iter().map(|&i| linear.stride(i)).collect();
    Some((tensor, linear.constant, strides))
}

fn mentions(affine: &Affine, index: Index) -> bool {
    let mut found = std::collections::BTreeSet::new();
    affine.visit_indices(&mut |index| {
        found.insert(index);
    });
    found.contains(&index)
}

/// Whether `at[…, k] = max(i where rank[…, i] == k) i`.
fn chosen_places(func: &Func, def: usize, rank: usize) -> bool {
    let data = &func.defs[def];
    let Some(reduce) = func.root_reduce(def) else {
        return false;
    };
    let (&[axis], ReduceOp::Max, Some(mask)) = (reduce.axes.as_slice(), reduce.op, reduce.mask)
    else {
        return false;
    };
    let Some((&number, outer)) = data.indices.split_last() else {
        return false;
    };
    let ExprKind::Compare(CmpOp::Eq, a, b) = func.exprs[mask].kind else {
        return false;
    };
    let ranks = |e: Expr| {
        let ExprKind::Load {
            tensor,
            at,
            border: None,
        } = &func.exprs[e].kind
        else {
            return false;
        };
        let expected = outer.iter().copied().chain([axis]);
        *tensor == func.defs[rank].target && is_at(at, expected)
    };
    let equal = (ranks(a) && is_index(func, b, number)) || (ranks(b) && is_index(func, a, number));
    let fits = func.indices[number].extent <= func.indices[axis].extent;
    equal && fits && is_index(func, reduce.body, axis) && func.exprs[data.value].elem == Elem::I32
}

/// Whether an expression is an index as i32.
fn is_index(func: &Func, e: Expr, index: Index) -> bool {
    if let ExprKind::Cast { value, .. } = func.exprs[e].kind {
        return func.exprs[e].elem == Elem::I32 && is_index(func, value, index);
    }
    func.exprs[e].kind == ExprKind::Index(index)
}

fn is_at(at: &[Affine], indices: impl Iterator<Item = Index>) -> bool {
    at.iter().map(|a| a.as_index()).eq(indices.map(Some))
}

/// Whether a definition is the items that the places name.
fn chosen_items(func: &Func, def: usize, places: usize, (rank, item): (usize, Expr)) -> bool {
    let data = &func.defs[def];
    let ExprKind::Gather {
        tensor,
        index,
        dim,
        at,
        border: None,
    } = &func.exprs[data.value].kind
    else {
        return false;
    };
    let ExprKind::Load {
        tensor: named,
        at: named_at,
        border: None,
    } = &func.exprs[*index].kind
    else {
        return false;
    };
    let own = data.indices.iter().copied();
    let by_places = *named == func.defs[places].target && is_at(named_at, own);
    let shape = |def: usize| &func.tensors[func.defs[def].target].shape;
    let last = at.last().is_some_and(|a| *a == Affine::constant(0));
    let rows = func
        .access(item)
        .and_then(|(t, at)| row_of(func, rank, t, at));
    by_places
        && last
        && dim + 1 == at.len()
        && shape(def) == shape(places)
        && rows.is_some()
        && rows == row_of(func, def, *tensor, at)
}
