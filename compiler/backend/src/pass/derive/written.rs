//! Merges that the author wrote: what a fold's monoid says is what its passes do.
//!
//! Where the fields of a cascade are the record of a fold, its `merge` stands for the derived one. It also stands where
//! algebra finds none: fields are then what they are of a block's items, each reduction by itself. Knows the fold only
//! as [`Merge`]: which tensors its fields are, and a function of one row.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "what is not named is not of the form that is taken"
)]

use std::collections::BTreeMap;

use ir::algo::{Affine, Expr, ExprData, ExprKind, Func, Index, Merge, Role, Tensor, TensorData};
use isa::types::Elem;

use super::members::{Members, Part};
use super::{Cascade, Field};

/// Lets the author's merges stand for those that were derived, where all their fields are the cascade's.
pub(super) fn replace(func: &mut Func, cascade: &mut Cascade) {
    for merge in func.merges.clone() {
        let begins_alike = |(place, tensor): (usize, Tensor)| {
            let field = cascade.fields.iter().find(|field| field.tensor == tensor);
            field.is_some_and(|field| merge.start.get(place) == Some(&field.start))
        };
        if !live(&merge).all(begins_alike) {
            continue;
        }
        if let Some(merged) = import(func, &merge, &cascade.fields, cascade.rows.len()) {
            for (number, value) in merged {
                cascade.fields[number].merge = value;
            }
            cascade.written.push(merge.monoid);
        }
    }
}

/// The cascade whose fields are the record of a fold, with the author's merge.
pub(super) fn cascade(func: &mut Func, members: &Members) -> Option<Cascade> {
    let found = func.merges.iter().find(|merge| {
        let mut fields = live(merge).map(|(_, tensor)| members.parts.get(&tensor));
        fields.any(|part| matches!(part, Some(Part::Field | Part::Product)))
    });
    let merge = found?.clone();
    let mut fields = Vec::new();
    for def in 0..func.defs.len() {
        let tensor = func.defs[def].target;
        if matches!(
            members.parts.get(&tensor),
            Some(Part::Field | Part::Product)
        ) {
            let (place, _) = live(&merge).find(|(_, field)| *field == tensor)?;
            let start = *merge.start.get(place)?;
            fields.push(field(func, members, def, start)?);
        }
    }
    // Every field has a place in the pass.
    live(&merge)
        .all(|(_, tensor)| fields.iter().any(|field| field.tensor == tensor))
        .then_some(())?;
    let merged = import(func, &merge, &fields, members.rows.len())?;
    for (number, value) in merged {
        fields[number].merge = value;
    }
    Some(Cascade {
        rows: members.rows.clone(),
        items: members.items,
        parts: members.parts.clone(),
        fields,
        settled: BTreeMap::new(),
        mask: None,
        vector: members.vector,
        records: BTreeMap::new(),
        written: vec![merge.monoid],
    })
}

/// The fields that something reads, and their places in the record.
fn live(merge: &Merge) -> impl Iterator<Item = (usize, Tensor)> {
    let fields = merge.fields.iter().enumerate();
    fields.filter_map(|(place, field)| Some((place, (*field)?)))
}

/// A field as it is of a block's items, merged as nothing yet.
fn field(func: &mut Func, members: &Members, def: usize, start: f64) -> Option<Field> {
    let tensor = func.defs[def].target;
    let reduce = func.root_reduce(def)?.clone();
    let weights = match members.parts.get(&tensor) {
        Some(Part::Product) => Some(crate::partition::product(func, def)?.a.tensor),
        _ => None,
    };
    let data = func.tensors[tensor].clone();
    if data.elem != Elem::F32 {
        return None;
    }
    let sides = ["first", "later"].map(|word| {
        func.tensors.push(TensorData {
            name: format!("{}.{word}", data.name),
            role: Role::Let,
            ..data.clone()
        })
    });
    Some(Field {
        tensor,
        sides,
        merge: func.defs[def].value,
        start,
        weights,
        shifts: false,
        reduce,
        own: func.defs[def].indices.to_vec(),
    })
}

/// The merged value of each field of a monoid, by its number among the cascade's.
fn import(
    func: &mut Func,
    merge: &Merge,
    fields: &[Field],
    rows: usize,
) -> Option<Vec<(usize, Expr)>> {
    let mut merged = Vec::new();
    for (place, tensor) in live(merge) {
        let number = fields.iter().position(|field| field.tensor == tensor)?;
        let result = *merge.func.results.get(place)?;
        let own = fields[number].own.clone();
        let (outer, inner) = own.split_at(rows.min(own.len()));
        let mut row = Row {
            func,
            merge,
            fields,
            outer,
        };
        merged.push((number, row.defined(result, inner)?));
    }
    Some(merged)
}

/// The author's function for one row, where the rows of a cascade are.
struct Row<'a> {
    func: &'a mut Func,
    merge: &'a Merge,
    fields: &'a [Field],
    /// The indices of the row.
    outer: &'a [Index],
}

impl Row<'_> {
    /// The value of a definition of the author's function at these indices.
    fn defined(&mut self, tensor: Tensor, at: &[Index]) -> Option<Expr> {
        let defs = &self.merge.func.defs;
        let def = defs.iter().find(|def| def.target == tensor)?;
        let known = def.indices.iter().copied();
        let map: BTreeMap<Index, Index> = known.zip(at.iter().copied()).collect();
        self.value(def.value, &map)
    }

    fn value(&mut self, e: Expr, map: &BTreeMap<Index, Index>) -> Option<Expr> {
        let data = self.merge.func.exprs[e].clone();
        let kind = match data.kind {
            ExprKind::Load {
                tensor,
                at,
                border: None,
            } => {
                let at = at.iter().map(|at| map.get(&at.as_index()?).copied());
                return self.load(tensor, &at.collect::<Option<Vec<Index>>>()?);
            }
            ExprKind::Index(index) => ExprKind::Index(*map.get(&index)?),
            ExprKind::Unary(op, a) => ExprKind::Unary(op, self.value(a, map)?),
            ExprKind::Binary(op, a, b) => {
                ExprKind::Binary(op, self.value(a, map)?, self.value(b, map)?)
            }
            ExprKind::Compare(op, a, b) => {
                ExprKind::Compare(op, self.value(a, map)?, self.value(b, map)?)
            }
            ExprKind::Select(c, a, b) => ExprKind::Select(
                self.value(c, map)?,
                self.value(a, map)?,
                self.value(b, map)?,
            ),
            ExprKind::Cast {
                value,
                round,
                overflow,
            } => ExprKind::Cast {
                value: self.value(value, map)?,
                round,
                overflow,
            },
            kind @ (ExprKind::Float(_) | ExprKind::Int(_)) => kind,
            _ => return None,
        };
        let (elem, span) = (data.elem, data.span);
        Some(self.func.exprs.push(ExprData { kind, elem, span }))
    }

    /// A field of one of the two records, or what the author's function defines on the way.
    fn load(&mut self, tensor: Tensor, at: &[Index]) -> Option<Expr> {
        let params = &self.merge.func.params;
        let Some(param) = params.iter().position(|param| *param == tensor) else {
            return self.defined(tensor, at);
        };
        let count = self.merge.fields.len();
        let wanted = (*self.merge.fields.get(param % count.max(1))?)?;
        let field = self.fields.iter().find(|field| field.tensor == wanted)?;
        let side = *field.sides.get(param / count.max(1))?;
        let data = &self.func.tensors[side];
        let (elem, span) = (data.elem, data.span);
        let at = self.outer.iter().chain(at);
        let kind = ExprKind::Load {
            tensor: side,
            at: at.map(|index| Affine::index(*index)).collect(),
            border: None,
        };
        Some(self.func.exprs.push(ExprData { kind, elem, span }))
    }
}
