//! A result that indices cut into boxes becomes one definition a box: what a border, a clamp or a condition on an index
//! says is known inside each.
//!
//! Before: `y[i: 3072] = if i <= 1023 then a[clamp(i, 0, 1023)] else b[clamp(i - 1024, 0, 2047)]`.
//! After: `y.part0[i: 1024] = a[i]` at 0 and `y.part1[i: 2048] = b[i]` at 1024, both in the memory of `y`.
//! Only what no other definition reads, and what reads arguments alone, is cut: nothing else can take part in it.

use std::collections::BTreeMap;

use ir::algo::{
    Affine, Atom, BinaryOp, CmpOp, Def, Expr, ExprData, ExprKind, Func, Index, IndexData, Role,
    Tensor, TensorData,
};
use isa::types::Elem;
use smallvec::SmallVec;

use crate::tiling::access::{collapse, pitches, range};

/// Elements of a result below which cutting it costs more than it saves (we choose).
const LEAST_ELEMENTS: i64 = 1024;
/// Boxes of a result at most (we choose): a frame around a matrix has nine.
const MOST_BOXES: usize = 9;

/// Where the boxes lie, by the tensor that stands for one.
pub(crate) type Parts = BTreeMap<Tensor, Part>;

/// A box of a tensor.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// The tensor whose memory it is.
    pub(crate) whole: Tensor,
    /// Flat offset of its first element.
    pub(crate) start: i64,
    /// Row-major pitches of the whole tensor.
    pitches: Vec<i64>,
}

impl Part {
    /// The distance of rows in memory if the first `rows` dimensions are the rows, and columns lie side by side.
    pub(crate) fn pitch(&self, shape: &[i64], rows: usize) -> Option<i64> {
        let dims: Vec<_> = self
            .pitches
            .iter()
            .copied()
            .zip(shape.iter().copied())
            .collect();
        let (outer, inner) = dims.split_at_checked(rows)?;
        let down = collapse(outer)?;
        matches!(collapse(inner)?, 0 | 1).then_some(down)
    }
}

/// Cuts every result that it pays to cut.
pub(crate) fn run(func: &mut Func) -> Parts {
    let mut parts = Parts::new();
    let defs = std::mem::take(&mut func.defs);
    let alone = |def: &Def| {
        let target = def.target;
        func.tensors[target].role == Role::Result
            && !defs.iter().any(|d| reads(func, d.value, target))
    };
    let cuttable: Vec<bool> = defs.iter().map(alone).collect();
    func.defs = defs;
    let mut cut_defs = Vec::new();
    for (number, cuttable) in cuttable.into_iter().enumerate() {
        let boxes = if cuttable {
            boxes(func, number)
        } else {
            Vec::new()
        };
        let def = func.defs[number].clone();
        if boxes.is_empty() {
            cut_defs.push(def);
        } else {
            for (n, area) in boxes.iter().enumerate() {
                cut_defs.push(cut(func, &def, n, area, &mut parts));
            }
        }
    }
    func.defs = cut_defs;
    parts
}

fn reads(func: &Func, value: Expr, tensor: Tensor) -> bool {
    (func.accesses(value).into_iter()).any(|e| func.access(e).is_some_and(|(t, _)| t == tensor))
}

/// First and last + 1 of each index.
pub(super) type Area = Vec<(i64, i64)>;

/// The boxes of a definition; none if it stays whole.
pub(super) fn boxes(func: &Func, number: usize) -> Vec<Area> {
    let def = &func.defs[number];
    let shape = &func.tensors[def.target].shape;
    let large = shape.iter().product::<i64>() >= LEAST_ELEMENTS;
    let only_arguments = (func.accesses(def.value).into_iter())
        .filter_map(|e| func.access(e))
        .all(|(t, _)| func.tensors[t].role == Role::Param);
    if !large || !only_arguments || func.root_reduce(number).is_some() {
        return Vec::new();
    }
    let mut cuts: Vec<Vec<i64>> = vec![Vec::new(); shape.len()];
    let mut roundabout = false;
    for e in below(func, def.value) {
        roundabout |= cuts_of(func, def, e, &mut cuts);
    }
    for (cuts, &extent) in cuts.iter_mut().zip(shape) {
        cuts.retain(|&at| at > 0 && at < extent);
        cuts.extend([0, extent]);
        cuts.sort_unstable();
        cuts.dedup();
    }
    let count: usize = cuts.iter().map(|cuts| cuts.len() - 1).product();
    if !roundabout || !(2..=MOST_BOXES).contains(&count) || !in_memory(shape, &cuts) {
        return Vec::new();
    }
    let mut boxes: Vec<Area> = vec![Vec::new()];
    for cuts in &cuts {
        let longer = |area: &Area| {
            let pieces = cuts.windows(2).map(|ends| (ends[0], ends[1]));
            let with = |piece| area.iter().copied().chain([piece]).collect::<Area>();
            pieces.map(with).collect::<Vec<_>>()
        };
        boxes = boxes.iter().flat_map(longer).collect();
    }
    boxes
}

/// Whether every box is rows at one distance: at most two dimensions are cut, and before the last of them nothing lies but
/// the first.
fn in_memory(shape: &[i64], cuts: &[Vec<i64>]) -> bool {
    let cut: Vec<usize> = (0..shape.len()).filter(|&d| cuts[d].len() > 2).collect();
    match cut.as_slice() {
        [_] => true,
        [first, _] => shape[..*first].iter().all(|&extent| extent == 1),
        _ => false,
    }
}

fn below(func: &Func, root: Expr) -> Vec<Expr> {
    let mut seen = std::collections::BTreeSet::new();
    let mut work = vec![root];
    while let Some(e) = work.pop() {
        if seen.insert(e) {
            work.extend(func.exprs[e].kind.operands());
        }
    }
    seen.into_iter().collect()
}

/// Adds where an expression changes its mind; whether it is an access that no copy can do as it stands.
fn cuts_of(func: &Func, def: &Def, e: Expr, cuts: &mut [Vec<i64>]) -> bool {
    let mut add = |index: Index, at: i64| {
        if let Some(d) = def.indices.iter().position(|i| *i == index) {
            cuts[d].push(at);
        }
    };
    if let ExprKind::Compare(op, a, b) = func.exprs[e].kind {
        if let (ExprKind::Index(i), Some(n)) = (&func.exprs[a].kind, whole(func, b)) {
            match op {
                CmpOp::Le | CmpOp::Gt => add(*i, n.saturating_add(1)),
                CmpOp::Lt | CmpOp::Ge => add(*i, n),
                CmpOp::Eq | CmpOp::Ne => {}
            }
        }
        return false;
    }
    let ExprKind::Load { tensor, at, border } = &func.exprs[e].kind else {
        return false;
    };
    let mut roundabout = false;
    for (coordinate, &size) in at.iter().zip(&func.tensors[*tensor].shape) {
        roundabout |= coordinate
            .terms
            .iter()
            .any(|(_, atom)| matches!(atom, Atom::Clamp(..)));
        if let (Some(_), [(1, Atom::Index(i))]) = (border, coordinate.terms.as_slice()) {
            add(*i, -coordinate.constant);
            add(*i, size.saturating_sub(coordinate.constant));
            roundabout = true;
        }
    }
    roundabout
}

/// The value of a whole number, converted or not.
fn whole(func: &Func, e: Expr) -> Option<i64> {
    if let ExprKind::Cast { value, .. } = func.exprs[e].kind
        && func.exprs[e].elem == Elem::I64
    {
        return whole(func, value);
    }
    let ExprKind::Int(n) = func.exprs[e].kind else {
        return None;
    };
    Some(n)
}

/// The definition of one box.
pub(super) fn cut(
    func: &mut Func,
    def: &Def,
    number: usize,
    area: &Area,
    parts: &mut Parts,
) -> Def {
    let data = func.tensors[def.target].clone();
    let pitches = pitches(&data.shape);
    let start = area
        .iter()
        .zip(&pitches)
        .map(|((lo, _), pitch)| lo * pitch)
        .sum();
    let target = func.tensors.push(TensorData {
        name: format!("{}.part{number}", data.name),
        shape: area.iter().map(|(lo, hi)| hi - lo).collect(),
        role: Role::Let,
        ..data
    });
    let mut moved = BTreeMap::new();
    let mut indices: SmallVec<[Index; 4]> = SmallVec::new();
    for (&old, &(lo, hi)) in def.indices.iter().zip(area) {
        let new = func.indices.push(IndexData {
            extent: hi - lo,
            ..func.indices[old].clone()
        });
        moved.insert(old, (new, lo));
        indices.push(new);
    }
    let mut copier = Copier {
        func,
        moved,
        done: BTreeMap::new(),
    };
    let value = copier.copy(def.value);
    let part = Part {
        whole: def.target,
        start,
        pitches,
    };
    parts.insert(target, part);
    Def {
        target,
        indices,
        value,
        span: def.span,
    }
}

/// Copies expressions into a box.
struct Copier<'a> {
    func: &'a mut Func,
    /// The index of the box, and what is added to it.
    moved: BTreeMap<Index, (Index, i64)>,
    done: BTreeMap<Expr, Expr>,
}

impl Copier<'_> {
    fn copy(&mut self, e: Expr) -> Expr {
        if let Some(&done) = self.done.get(&e) {
            return done;
        }
        let new = self.copied(e);
        self.done.insert(e, new);
        new
    }

    fn copied(&mut self, e: Expr) -> Expr {
        let data = self.func.exprs[e].clone();
        let kind = match data.kind {
            ExprKind::Float(_) | ExprKind::Int(_) | ExprKind::Reduce(_) => return e,
            ExprKind::Index(i) => return self.index(e, i),
            ExprKind::Load { tensor, at, border } => return self.load(e, tensor, &at, border),
            ExprKind::Gather {
                tensor,
                index,
                dim,
                at,
                border,
            } => ExprKind::Gather {
                tensor,
                index: self.copy(index),
                dim,
                at: at.iter().map(|a| self.affine(a)).collect(),
                border: border.map(|b| self.copy(b)),
            },
            ExprKind::Unary(op, a) => ExprKind::Unary(op, self.copy(a)),
            ExprKind::Binary(op, a, b) => ExprKind::Binary(op, self.copy(a), self.copy(b)),
            ExprKind::Compare(op, a, b) => ExprKind::Compare(op, self.copy(a), self.copy(b)),
            ExprKind::Select(c, a, b) => match self.known(c) {
                Some(true) => return self.copy(a),
                Some(false) => return self.copy(b),
                None => ExprKind::Select(self.copy(c), self.copy(a), self.copy(b)),
            },
            ExprKind::Cast {
                value,
                round,
                overflow,
            } => ExprKind::Cast {
                value: self.copy(value),
                round,
                overflow,
            },
        };
        self.push(e, kind)
    }

    fn push(&mut self, like: Expr, kind: ExprKind) -> Expr {
        let ExprData { elem, span, .. } = self.func.exprs[like];
        self.func.exprs.push(ExprData { kind, elem, span })
    }

    fn index(&mut self, e: Expr, index: Index) -> Expr {
        let Some(&(new, lo)) = self.moved.get(&index) else {
            return e;
        };
        let own = self.push(e, ExprKind::Index(new));
        if lo == 0 {
            return own;
        }
        let first = self.push(e, ExprKind::Int(lo));
        self.push(e, ExprKind::Binary(BinaryOp::Add, own, first))
    }

    /// A condition on an index that the box decides.
    fn known(&self, condition: Expr) -> Option<bool> {
        let ExprKind::Compare(op, a, b) = self.func.exprs[condition].kind else {
            return None;
        };
        let (ExprKind::Index(i), Some(n)) = (&self.func.exprs[a].kind, whole(self.func, b)) else {
            return None;
        };
        let &(new, lo) = self.moved.get(i)?;
        let hi = lo + self.func.indices[new].extent - 1;
        match op {
            CmpOp::Le if hi <= n => Some(true),
            CmpOp::Le if lo > n => Some(false),
            CmpOp::Lt if hi < n => Some(true),
            CmpOp::Lt if lo >= n => Some(false),
            CmpOp::Ge if lo >= n => Some(true),
            CmpOp::Ge if hi < n => Some(false),
            CmpOp::Gt if lo > n => Some(true),
            CmpOp::Gt if hi <= n => Some(false),
            CmpOp::Le | CmpOp::Lt | CmpOp::Ge | CmpOp::Gt | CmpOp::Eq | CmpOp::Ne => None,
        }
    }

    fn load(&mut self, e: Expr, tensor: Tensor, at: &[Affine], border: Option<Expr>) -> Expr {
        let at: SmallVec<[Affine; 4]> = at.iter().map(|a| self.affine(a)).collect();
        let shape = self.func.tensors[tensor].shape.clone();
        let spans: Vec<(i64, i64)> = at.iter().map(|a| range(self.func, a)).collect();
        let outside = |((lo, hi), size): (&(i64, i64), &i64)| *hi < 0 || lo >= size;
        let inside = |((lo, hi), size): (&(i64, i64), &i64)| *lo >= 0 && hi < size;
        let border = match border {
            Some(border) if spans.iter().zip(&shape).any(outside) => return self.copy(border),
            Some(border) if !spans.iter().zip(&shape).all(inside) => Some(self.copy(border)),
            Some(_) | None => None,
        };
        self.push(e, ExprKind::Load { tensor, at, border })
    }

    fn affine(&self, affine: &Affine) -> Affine {
        let mut sum = Affine::constant(affine.constant);
        for (factor, atom) in &affine.terms {
            match atom {
                Atom::Index(i) => {
                    let (new, lo) = self.moved.get(i).copied().unwrap_or((*i, 0));
                    add(&mut sum, *factor, Atom::Index(new));
                    sum.constant += factor * lo;
                }
                Atom::Clamp(a, low, high) => {
                    let inner = self.affine(a);
                    let (lo, hi) = range(self.func, &inner);
                    if lo >= *low && hi <= *high {
                        for (f, atom) in inner.terms {
                            add(&mut sum, factor * f, atom);
                        }
                        sum.constant += factor * inner.constant;
                    } else {
                        add(&mut sum, *factor, Atom::Clamp(Box::new(inner), *low, *high));
                    }
                }
                Atom::Div(a, n) => add(&mut sum, *factor, Atom::Div(Box::new(self.affine(a)), *n)),
                Atom::Mod(a, n) => add(&mut sum, *factor, Atom::Mod(Box::new(self.affine(a)), *n)),
            }
        }
        sum
    }
}

/// Adds a term; like ones become one.
fn add(sum: &mut Affine, factor: i64, atom: Atom) {
    match sum.terms.iter_mut().find(|(_, known)| *known == atom) {
        Some((known, _)) => *known += factor,
        None => sum.terms.push((factor, atom)),
    }
    sum.terms.retain(|(factor, _)| *factor != 0);
}
