//! Which definitions belong to a cascade: those over its rows and items that read each other at their own indices.
//!
//! Knows shapes and accesses; what is computed is `algebra`'s.

use std::collections::{BTreeMap, BTreeSet};

use ir::algo::{Affine, Func, Index, Role, Tensor};

use super::regroups;
use crate::partition::product;

/// What a member is.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// A matrix product that gives an item each.
    Score,
    /// A value of each item.
    Item,
    /// A reduction over the items.
    Field,
    /// A matrix product over the items.
    Product,
    /// A value of each row.
    Row,
    /// A value made from products when all blocks are merged.
    After,
}

/// Why there is no cascade.
#[derive(Clone, Debug)]
pub(crate) enum Refusal {
    /// Nothing to gain, and nothing to say.
    NoCascade,
    /// It would be one.
    Because(String),
}

/// A cascade whose merge is not known yet.
#[derive(Clone, Debug)]
pub(crate) struct Members {
    /// Extents of the rows.
    pub(crate) rows: Vec<i64>,
    /// Number of items.
    pub(crate) items: i64,
    /// The members.
    pub(crate) parts: BTreeMap<Tensor, Part>,
    /// It has no products.
    pub(crate) vector: bool,
}

/// Finds the members of the cascade that a reduction belongs to.
pub(crate) fn find(func: &Func, seed: Tensor) -> Result<Members, Refusal> {
    let search = |vector| Search::new(func, seed, vector).ok_or(Refusal::NoCascade);
    let members = search(false)?.run(seed)?;
    let products = |part: &Part| matches!(part, Part::Score | Part::Product);
    if members.parts.values().any(products) {
        return Ok(members);
    }
    search(true)?.run(seed)
}

struct Search<'a> {
    func: &'a Func,
    defined: BTreeMap<Tensor, usize>,
    members: Members,
}

impl<'a> Search<'a> {
    fn new(func: &'a Func, seed: Tensor, vector: bool) -> Option<Search<'a>> {
        let defs = func.defs.iter().enumerate();
        let defined: BTreeMap<Tensor, usize> = defs.map(|(n, def)| (def.target, n)).collect();
        let reduce = func.root_reduce(*defined.get(&seed)?)?;
        let axis = *reduce.axes.first()?;
        Some(Search {
            func,
            defined,
            members: Members {
                rows: func.tensors[seed].shape.to_vec(),
                items: func.indices[axis].extent,
                parts: BTreeMap::new(),
                vector,
            },
        })
    }

    fn run(mut self, seed: Tensor) -> Result<Members, Refusal> {
        self.members.parts.insert(seed, Part::Field);
        self.sources(seed);
        self.readers();
        while let Some(source) = self.source_of_all().filter(|_| self.members.vector) {
            self.members.parts.insert(source, Part::Field);
            self.sources(source);
            self.readers();
        }
        self.complete()?;
        Ok(self.members)
    }

    /// A reduction over the same items that a member depends on, and that is none yet.
    fn source_of_all(&self) -> Option<Tensor> {
        let mut open: Vec<Tensor> = self.members.parts.keys().copied().collect();
        let mut seen: BTreeSet<Tensor> = open.iter().copied().collect();
        while let Some(tensor) = open.pop() {
            let Some(&number) = self.defined.get(&tensor) else {
                continue;
            };
            for (source, _) in self.accesses(number) {
                let Some(&from) = self.defined.get(&source) else {
                    continue;
                };
                if seen.insert(source) {
                    if self.func.root_reduce(from).is_some() && self.is_field(from) {
                        return Some(source);
                    }
                    open.push(source);
                }
            }
        }
        None
    }

    /// Whether a reduction is one over the items, with a value for each row.
    fn is_field(&self, number: usize) -> bool {
        let shape = &self.func.tensors[self.func.defs[number].target].shape;
        let Some(reduce) = self.func.root_reduce(number) else {
            return false;
        };
        let extent = |axis: &Index| self.func.indices[*axis].extent;
        shape[..] == self.members.rows[..]
            && reduce.axes.len() == 1
            && reduce.axes.first().map(extent) == Some(self.members.items)
            && regroups(self.func, number)
            && self.reads_fit(number)
    }

    /// Takes in what reads members.
    fn readers(&mut self) {
        for number in 0..self.func.defs.len() {
            let target = self.func.defs[number].target;
            if !self.members.parts.contains_key(&target)
                && self.reads_member(number)
                && let Some(part) = self.part(number)
            {
                self.members.parts.insert(target, part);
                if part == Part::Field {
                    self.sources(target);
                }
            }
        }
    }

    /// Takes in the items that a reduction reads.
    fn sources(&mut self, reduction: Tensor) {
        let mut open = vec![reduction];
        while let Some(tensor) = open.pop() {
            let Some(&number) = self.defined.get(&tensor) else {
                continue;
            };
            for (source, at) in self.accesses(number) {
                let Some(&from) = self.defined.get(&source) else {
                    continue;
                };
                let known = self.members.parts.contains_key(&source);
                if known || !self.is_item(source) || !self.at_item(number, &at) {
                    continue;
                }
                let part = match self.func.root_reduce(from) {
                    None => Part::Item,
                    Some(_) if product(self.func, from).is_some() => Part::Score,
                    Some(_) => continue,
                };
                if part == Part::Item && !self.reads_fit(from) {
                    continue;
                }
                self.members.parts.insert(source, part);
                if part == Part::Item {
                    open.push(source);
                }
            }
        }
    }

    fn reads_member(&self, number: usize) -> bool {
        let parts = &self.members.parts;
        (self.accesses(number).iter()).any(|(tensor, _)| parts.contains_key(tensor))
    }

    /// What a definition that reads members is; none if it stands outside.
    fn part(&self, number: usize) -> Option<Part> {
        let rows = self.members.rows.len();
        let shape = &self.func.tensors[self.func.defs[number].target].shape;
        if !shape.starts_with(&self.members.rows) || !self.reads_fit(number) {
            return None;
        }
        let reads = |wanted: &[Part]| {
            let part = |tensor: &Tensor| self.members.parts.get(tensor).copied();
            let accesses = self.accesses(number);
            let found = accesses.iter().filter_map(|(tensor, _)| part(tensor));
            found.into_iter().any(|part| wanted.contains(&part))
        };
        let Some(reduce) = self.func.root_reduce(number) else {
            let items = reads(&[Part::Item, Part::Score]);
            return match shape.len() - rows {
                0 => Some(Part::Row),
                1 if reads(&[Part::Product, Part::After]) => (!items).then_some(Part::After),
                1 if (items || self.members.vector)
                    && shape.last() == Some(&self.members.items) =>
                {
                    Some(Part::Item)
                }
                _ => None,
            };
        };
        let axis = *reduce.axes.first()?;
        let over_items = reduce.axes.len() == 1
            && self.func.indices[axis].extent == self.members.items
            && regroups(self.func, number);
        match shape.len() - rows {
            0 if over_items => Some(Part::Field),
            1 if over_items => self.sums_items(number).then_some(Part::Product),
            _ => None,
        }
    }

    /// Whether a definition is a matrix product whose left factor is an item map.
    fn sums_items(&self, number: usize) -> bool {
        let Some(product) = product(self.func, number) else {
            return false;
        };
        let own = &self.func.defs[number].indices;
        let part = |tensor| self.members.parts.get(&tensor).copied();
        let rows = self.members.rows.len();
        let row = rows.checked_sub(1).and_then(|last| own.get(last)).copied();
        let alone = row.is_some_and(|row| self.func.indices[row].extent == 1);
        part(product.a.tensor) == Some(Part::Item)
            && part(product.b.tensor).is_none()
            && own.get(rows) == Some(&product.n)
            && (product.m == row || (product.m.is_none() && alone))
    }

    /// Whether every member is read at the indices of the reader.
    fn reads_fit(&self, number: usize) -> bool {
        self.accesses(number)
            .iter()
            .all(|(tensor, at)| match self.members.parts.get(tensor) {
                None => true,
                Some(Part::Score | Part::Item) => self.at_item(number, at),
                Some(Part::Field | Part::Row) => self.at_row(number, at),
                Some(Part::Product) => self.at_last(number, at),
                Some(Part::After)
                    if self.func.tensors[*tensor].shape[..] == self.members.rows[..] =>
                {
                    self.at_row(number, at)
                }
                Some(Part::After) => self.at_last(number, at),
            })
    }

    fn at_row(&self, number: usize, at: &[Affine]) -> bool {
        let own = &self.func.defs[number].indices;
        at.len() == self.members.rows.len() && is_at(at, own)
    }

    fn at_item(&self, number: usize, at: &[Affine]) -> bool {
        let own = &self.func.defs[number].indices;
        let rows = self.members.rows.len();
        let item = match self.func.root_reduce(number) {
            Some(reduce) => reduce.axes.first().copied(),
            None => own.get(rows).copied(),
        };
        at.len() == rows + 1 && is_at(&at[..rows], own) && at[rows].as_index() == item
    }

    fn at_last(&self, number: usize, at: &[Affine]) -> bool {
        let own = &self.func.defs[number].indices;
        at.len() == self.members.rows.len() + 1 && is_at(at, own)
    }

    /// Whether a tensor has an element for each row and item.
    fn is_item(&self, tensor: Tensor) -> bool {
        let shape = &self.func.tensors[tensor].shape;
        let items = shape.last() == Some(&self.members.items);
        items && shape.len() == self.members.rows.len() + 1 && shape.starts_with(&self.members.rows)
    }

    fn accesses(&self, number: usize) -> Vec<(Tensor, Vec<Affine>)> {
        self.func
            .accesses(self.func.defs[number].value)
            .into_iter()
            .filter_map(|e| self.func.access(e))
            .map(|(tensor, at)| (tensor, at.to_vec()))
            .collect()
    }

    /// Whether a reduction depends on another one.
    fn depends_on_itself(&self) -> bool {
        let parts = &self.members.parts;
        let fields = parts.iter().filter(|(_, part)| **part == Part::Field);
        let mut open: Vec<Tensor> = fields.map(|(tensor, _)| *tensor).collect();
        let mut seen = BTreeSet::new();
        while let Some(tensor) = open.pop() {
            let Some(&number) = self.defined.get(&tensor) else {
                continue;
            };
            for (source, _) in self.accesses(number) {
                match parts.get(&source) {
                    Some(Part::Field) => return true,
                    Some(_) if seen.insert(source) => open.push(source),
                    Some(_) | None => {}
                }
            }
        }
        false
    }

    /// Items may be seen by members only: no memory holds them.
    fn complete(&self) -> Result<(), Refusal> {
        let parts = &self.members.parts;
        let has = |wanted: Part| parts.values().any(|part| *part == wanted);
        if !has(Part::Score) && !has(Part::Product) {
            // Items are computed again wherever they are needed.
            return match !self.members.vector || self.depends_on_itself() {
                true => Ok(()),
                false => Err(Refusal::NoCascade),
            };
        }
        if self.members.vector {
            return Err(Refusal::NoCascade);
        }
        let inner: BTreeSet<Tensor> = (parts.iter())
            .filter(|(_, part)| matches!(part, Part::Score | Part::Item))
            .map(|(tensor, _)| *tensor)
            .collect();
        for tensor in &inner {
            let data = &self.func.tensors[*tensor];
            if data.role == Role::Result {
                let text = format!("`{}` is a result with all its items", data.name);
                return Err(Refusal::Because(text));
            }
        }
        for (number, def) in self.func.defs.iter().enumerate() {
            if parts.contains_key(&def.target) {
                continue;
            }
            let seen = self.accesses(number);
            if let Some((tensor, _)) = seen.iter().find(|(tensor, _)| inner.contains(tensor)) {
                let [reader, read] = [def.target, *tensor].map(|t| &self.func.tensors[t].name);
                let masked = (self.func.root_reduce(number)).is_some_and(|r| r.mask.is_some());
                let text = match masked {
                    true => format!(
                        "the mask of `{reader}` is not of the items alone, and what is masked may be infinite; \
                         `let s[i, j] = if … then … else -inf;` and no mask make one pass"
                    ),
                    false => format!("`{reader}` reads the items of `{read}` outside the pass"),
                };
                return Err(Refusal::Because(text));
            }
        }
        Ok(())
    }
}

/// Whether coordinates are the first indices of a definition.
fn is_at(at: &[Affine], own: &[Index]) -> bool {
    at.len() <= own.len() && (at.iter().zip(own)).all(|(at, own)| at.as_index() == Some(*own))
}
