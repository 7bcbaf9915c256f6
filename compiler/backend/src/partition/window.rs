//! Reading definitions as products of a window over an image with weights: convolutions, by the form of their accesses.
//!
//! The image is read at `step · position + apart · element + offset` in one or two neighbouring dimensions, with zeros
//! outside or nothing outside at all; weights lie in the order of the reduction; elements of the window come before
//! channels. What does not fit this form is no window, and is computed another way.

use ir::algo::{
    Affine, Atom, BinaryOp, Expr, ExprKind, Func, Index, Order, Reduce, ReduceOp, Tensor,
};
use isa::types::Elem;

use super::{Factor, Product};
use crate::tiling::access::{Linear, collapse, flatten, pitches, range};

/// A window over an image, both known. Of each pair the first is down, the second across.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    /// Index of the rows of positions, if there is more than one; that of their columns is the product's `m`.
    pub(crate) above: Option<Index>,
    /// Numbers of positions.
    pub(crate) positions: [i64; 2],
    /// Extents of the image.
    pub(crate) image: [i64; 2],
    /// Extents of the window, how far it moves, and how far its elements lie apart.
    pub(crate) extent: [i64; 2],
    pub(crate) step: [i64; 2],
    pub(crate) apart: [i64; 2],
    /// Where the first position's first element stands in the image.
    pub(crate) offset: [i64; 2],
    /// Channels that are summed, and how many fit a block of 32 B.
    pub(crate) channels: i64,
    pub(crate) block: i64,
}

impl Window {
    /// How far the window reaches: from its first element to behind its last.
    pub(crate) fn reach(&self, along: usize) -> i64 {
        self.apart[along] * (self.extent[along] - 1) + 1
    }

    /// Elements of the window.
    pub(crate) fn taps(&self) -> i64 {
        self.extent[0] * self.extent[1]
    }

    /// Channels in whole blocks.
    pub(crate) fn padded(&self) -> i64 {
        let blocks = self.channels.div_euclid(self.block);
        (blocks + i64::from(self.channels % self.block != 0)) * self.block
    }

    /// Columns of zeros to the left.
    pub(crate) fn left(&self) -> i64 {
        -self.offset[1]
    }

    /// Columns of zeros to the right that the last position needs.
    pub(crate) fn right(&self) -> i64 {
        let last = (self.positions[1] - 1) * self.step[1] + self.offset[1];
        (last + self.reach(1) - self.image[1]).max(0)
    }

    /// Rows of zeros below that the last position needs.
    pub(crate) fn below(&self) -> i64 {
        let last = (self.positions[0] - 1) * self.step[0] + self.offset[0];
        (last + self.reach(0) - self.image[0]).max(0)
    }

    /// Whether the machine's fields hold it (davinci-facts §3.4), and every row of positions meets the image.
    fn fits(&self) -> bool {
        let all = |values: [i64; 2], most: i64| values.iter().all(|v| (1..=most).contains(v));
        let bytes = |value: i64| (0..=255).contains(&value);
        let above = -self.offset[0];
        let wide = self.image[1] + self.left() + self.right() - self.reach(1);
        let last = (self.positions[0] - 1) * self.step[0] + self.offset[0];
        all(self.image, 65_535)
            && all(self.positions, 65_535)
            && all(self.extent, 255)
            && all(self.step, 63)
            && all(self.apart, 255)
            && self.taps() * self.block <= 65_535
            && bytes(self.left())
            && bytes(self.right())
            && bytes(self.below())
            && above <= 255
            && wide >= 0
            && wide / self.step[1] + 1 == self.positions[1]
            && above < self.reach(0)
            && last < self.image[0]
    }
}

/// One coordinate: `step · position + apart · element + offset`, and which it is.
#[derive(Copy, Clone, Debug)]
struct Along {
    dim: usize,
    position: Option<(i64, Index)>,
    element: Option<(i64, Index)>,
    offset: i64,
}

/// Which coordinates of an access are channel, rows and columns of an image.
struct Seen {
    channel: Option<Index>,
    down: Option<Along>,
    across: Along,
}

/// Reads a definition as the product of a window over an image with weights.
pub(super) fn window(func: &Func, number: usize) -> Option<Product> {
    let reduce = func.root_reduce(number)?;
    let ExprKind::Binary(BinaryOp::Mul, x, y) = func.exprs[reduce.body].kind else {
        return None;
    };
    if !summed(func, reduce) {
        return None;
    }
    of(func, number, reduce, (x, y)).or_else(|| of(func, number, reduce, (y, x)))
}

/// A sum over several indices in ascending order, in a type that the cube takes.
fn summed(func: &Func, reduce: &Reduce) -> bool {
    let order = matches!(reduce.order, Order::Ascending | Order::Free);
    let elem = match func.exprs[reduce.body].elem {
        Elem::F16 | Elem::Bf16 | Elem::I8 => reduce.exact_product,
        Elem::F32 => true,
        Elem::I64 | Elem::I32 | Elem::I16 | Elem::U8 | Elem::Bool => false,
    };
    reduce.op == ReduceOp::Sum && reduce.mask.is_none() && reduce.axes.len() > 1 && order && elem
}

fn of(func: &Func, number: usize, reduce: &Reduce, (x, w): (Expr, Expr)) -> Option<Product> {
    let def = &func.defs[number];
    let (image, at, border) = func.load(x)?;
    let (weights, weights_at, None) = func.load(w)? else {
        return None;
    };
    let n = def.indices.last().copied()?;
    let weights_at = flatten(func, weights, weights_at)?;
    let free = |i: Index| i != n && def.indices.contains(&i) && weights_at.stride(i) == 0;
    let seen = coordinates(func, reduce, at, &free)?;
    let window = geometry(func, image, &seen)?;
    let zeros = border.is_none_or(|e| zero(func, e));
    let ordered = in_order(func, reduce, &seen);
    let others = others_stay(func, reduce, (image, at), &seen, n);
    let b = weights_factor(func, reduce, (weights, weights_at), n)?;
    let whole_blocks = window.channels % window.block == 0;
    if !(zeros && ordered && others && window.fits()) || (b.k_major && !whole_blocks) {
        return None;
    }
    let index = |along: Option<Along>| along.and_then(|a| a.position).map(|p| p.1);
    let (above, m) = (index(seen.down), index(Some(seen.across)));
    if !row_behind_row(func, number, (above, m), window.positions[1]) {
        return None;
    }
    let outer = def.indices.iter().copied();
    let outer = outer.filter(|&i| i != n && Some(i) != m && Some(i) != above);
    Some(Product {
        hf32: false,
        def: number,
        // Where a row has one position, the positions are the rows.
        m: m.or(above),
        n,
        k: *reduce.axes.last()?,
        outer: outer.collect(),
        a: image_factor(func, (image, at), &seen)?,
        b,
        window: Some(Box::new(Window {
            above: m.and(above),
            ..window
        })),
    })
}

fn zero(func: &Func, e: Expr) -> bool {
    matches!(func.exprs[e].kind, ExprKind::Float(x) if x.to_bits() == 0)
        || matches!(func.exprs[e].kind, ExprKind::Int(0))
}

fn coordinates(
    func: &Func,
    reduce: &Reduce,
    at: &[Affine],
    free: &dyn Fn(Index) -> bool,
) -> Option<Seen> {
    let axis = |i: Index| reduce.axes.contains(&i);
    let last = at.last()?;
    let channel = match terms(func, last)?.as_slice() {
        [(1, i)] if axis(*i) && last.constant == 0 => Some(*i),
        _ => None,
    };
    let moved = |dim: usize| {
        let terms = terms(func, &at[dim])?;
        let element = terms.iter().find(|(_, i)| axis(*i)).copied();
        let position = terms.iter().find(|(_, i)| free(*i)).copied();
        let known = usize::from(element.is_some()) + usize::from(position.is_some());
        (known > 0 && known == terms.len()).then_some(Along {
            dim,
            position,
            element,
            offset: at[dim].constant,
        })
    };
    let rest = at.len() - usize::from(channel.is_some());
    let across = (0..rest).rev().find_map(moved)?;
    let down = across.dim.checked_sub(1).and_then(moved);
    Some(Seen {
        channel,
        down,
        across,
    })
}

/// Indices that move a coordinate, with their factors; none if it is not linear.
fn terms(func: &Func, coordinate: &Affine) -> Option<Vec<(i64, Index)>> {
    let mut terms = Vec::new();
    for (factor, atom) in &coordinate.terms {
        let Atom::Index(index) = atom else {
            return None;
        };
        if func.indices[*index].extent > 1 {
            terms.push((*factor, *index));
        }
    }
    Some(terms)
}

fn geometry(func: &Func, image: Tensor, seen: &Seen) -> Option<Window> {
    let data = &func.tensors[image];
    let extent = |term: Option<(i64, Index)>| term.map_or(1, |(_, i)| func.indices[i].extent);
    let factor = |term: Option<(i64, Index)>| term.map_or(1, |(factor, _)| factor);
    let both = |of: &dyn Fn(&Along) -> i64, flat: i64| {
        [seen.down.as_ref().map_or(flat, of), of(&seen.across)]
    };
    let window = Window {
        above: None,
        positions: both(&|a| extent(a.position), 1),
        image: both(&|a| data.shape[a.dim], 1),
        extent: both(&|a| extent(a.element), 1),
        step: both(&|a| factor(a.position), 1),
        apart: both(&|a| factor(a.element), 1),
        offset: both(&|a| a.offset, 0),
        channels: seen.channel.map_or(1, |i| func.indices[i].extent),
        block: 32 / i64::try_from(data.elem.bytes()).ok()?,
    };
    Some(window)
}

/// Elements of the window come row by row, and channels last.
fn in_order(func: &Func, reduce: &Reduce, seen: &Seen) -> bool {
    let element = |along: Option<Along>| along.and_then(|a| a.element).map(|e| e.1);
    let wanted = [element(seen.down), element(Some(seen.across)), seen.channel];
    let moving = |&i: &Index| func.indices[i].extent > 1;
    let axes = reduce.axes.iter().copied().filter(moving);
    axes.eq(wanted.into_iter().flatten())
}

/// Whether all other coordinates stay inside and know nothing of window and columns of the result.
fn others_stay(
    func: &Func,
    reduce: &Reduce,
    (image, at): (Tensor, &[Affine]),
    seen: &Seen,
    n: Index,
) -> bool {
    let down = seen.down.map(|d| d.dim);
    let moved = [seen.down, Some(seen.across)];
    let positions = moved.into_iter().flatten().filter_map(|a| a.position);
    let positions: Vec<Index> = positions.map(|p| p.1).collect();
    at.iter().enumerate().all(|(d, coordinate)| {
        let size = func.tensors[image].shape[d];
        let (least, most) = range(func, coordinate);
        let inside = least >= 0 && most < size;
        let channel = seen.channel.is_some() && d + 1 == at.len();
        let strange = |i: &Index| reduce.axes.contains(i) || positions.contains(i) || *i == n;
        Some(d) == down
            || d == seen.across.dim
            || (channel && inside)
            || terms(func, coordinate)
                .is_some_and(|terms| inside && !terms.iter().any(|(_, i)| strange(i)))
    })
}

/// Positions follow each other in the result: row behind row.
fn row_behind_row(
    func: &Func,
    number: usize,
    (above, m): (Option<Index>, Option<Index>),
    wide: i64,
) -> bool {
    let def = &func.defs[number];
    let result = pitches(&func.tensors[def.target].shape);
    let pitch_of = |i: Index| {
        let place = def.indices.iter().position(|&d| d == i)?;
        result.get(place).copied()
    };
    match (above.map(pitch_of), m.map(pitch_of)) {
        (Some(above), Some(m)) => above == m.map(|m| m * wide),
        (Some(_) | None, None) | (None, Some(_)) => true,
    }
}

/// The weights, if the reduction goes through them in even steps.
fn weights_factor(
    func: &Func,
    reduce: &Reduce,
    (tensor, at): (Tensor, Linear),
    n: Index,
) -> Option<Factor> {
    let axes = reduce
        .axes
        .iter()
        .map(|&i| (at.stride(i), func.indices[i].extent));
    let moving: Vec<(i64, i64)> = axes.filter(|(_, extent)| *extent > 1).collect();
    let unit = match moving.is_empty() {
        true => 1,
        false => collapse(&moving)?,
    };
    let (k_major, pitch) = match (unit, at.stride(n)) {
        (1, pitch) if pitch >= 0 => (false, pitch),
        (pitch, 0 | 1) if pitch > 0 => (true, pitch),
        _ => return None,
    };
    Some(Factor {
        tensor,
        at,
        k_major,
        pitch,
        grouped: Vec::new(),
        chosen: None,
    })
}

/// The image: its offset is that of the first element that a position could ask for, without the window's own.
fn image_factor(func: &Func, (tensor, at): (Tensor, &[Affine]), seen: &Seen) -> Option<Factor> {
    let mut linear = flatten(func, tensor, at)?;
    let steps = pitches(&func.tensors[tensor].shape);
    for along in [seen.down, Some(seen.across)].into_iter().flatten() {
        linear.constant -= along.offset * steps.get(along.dim)?;
    }
    Some(Factor {
        tensor,
        at: linear,
        k_major: false,
        pitch: *steps.get(seen.across.dim)?,
        grouped: Vec::new(),
        chosen: None,
    })
}
