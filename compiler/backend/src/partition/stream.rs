//! Cascades that the cube and the vector cores make together in one pass over the items.
//!
//! Only form counts: which members are products, and of what.

use std::collections::BTreeSet;

use ir::algo::{Func, Tensor};

use super::{Product, product};
use crate::pass::derive::{Cascade, Part};

/// A cascade with its products.
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    /// Fields and what merges them.
    pub(crate) cascade: Cascade,
    /// Every definition that is computed with it.
    pub(crate) defs: Vec<usize>,
    /// Products that give the items.
    pub(crate) scores: Vec<Product>,
    /// Products over the items, and the number of the field of each.
    pub(crate) sums: Vec<(usize, Product)>,
}

/// Channels that one pass may need.
const MOST_CHANNELS: usize = 6;

impl Stream {
    /// Reads a cascade as one pass; none if a product is not the cube's, or if there is one item and nothing to pass over.
    pub(crate) fn new(func: &Func, cascade: &Cascade) -> Option<Stream> {
        if cascade.items < 2 || cascade.vector {
            return None;
        }
        let number = |tensor: Tensor| func.defs.iter().position(|def| def.target == tensor);
        let mut defs: Vec<usize> = (cascade.parts.keys())
            .filter_map(|tensor| number(*tensor))
            .collect();
        defs.sort_unstable();
        let scores: Vec<Product> = (cascade.parts.iter())
            .filter(|(_, part)| **part == Part::Score)
            .map(|(tensor, _)| product(func, number(*tensor)?))
            .collect::<Option<_>>()?;
        let mut sums = Vec::new();
        for (position, field) in cascade.fields.iter().enumerate() {
            if field.weights.is_some() {
                sums.push((position, product(func, number(field.tensor)?)?));
            }
        }
        let stream = Stream {
            cascade: cascade.clone(),
            defs,
            scores,
            sums,
        };
        stream.is_made_by_cube(func).then_some(stream)
    }

    fn is_made_by_cube(&self, func: &Func) -> bool {
        let rows = self.cascade.rows.len();
        let short = |tensor: Tensor| {
            let elem = func.tensors[tensor].elem;
            elem.is_float() && elem.bytes() == 2
        };
        let outside = |tensor: Tensor| !self.cascade.parts.contains_key(&tensor);
        let row_of = |p: &Product| {
            let own = &func.defs[p.def].indices;
            let row = rows.checked_sub(1).and_then(|last| own.get(last)).copied();
            p.m == row || (p.m.is_none() && row.is_some_and(|r| func.indices[r].extent == 1))
        };
        let score = |p: &Product| {
            row_of(p) && outside(p.a.tensor) && outside(p.b.tensor) && short(p.a.tensor)
        };
        let sum = |(_, p): &(usize, Product)| row_of(p) && outside(p.b.tensor) && short(p.b.tensor);
        self.scores.len() + 2 * self.sums.len() <= MOST_CHANNELS
            && self.scores.iter().all(score)
            && self.sums.iter().all(sum)
    }

    /// The product that computes a definition.
    pub(crate) fn product(&self, def: usize) -> Option<&Product> {
        let sums = self.sums.iter().map(|(_, product)| product);
        self.scores.iter().chain(sums).find(|p| p.def == def)
    }

    /// Tensors that must be there before the pass begins.
    pub(crate) fn needs(&self, func: &Func) -> BTreeSet<Tensor> {
        let members = &self.cascade.parts;
        self.defs
            .iter()
            .flat_map(|def| func.accesses(func.defs[*def].value))
            .filter_map(|e| func.access(e))
            .map(|(tensor, _)| tensor)
            .filter(|tensor| !members.contains_key(tensor))
            .collect()
    }
}
