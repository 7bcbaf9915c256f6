//! The front end: syntax trees in, checked programs and the algorithm IR out.
//!
//! - [`check()`] says everything that can be said without values of sizes: names, types, symbolic shapes, bounds that hold
//!   or fail for all sizes. It reports many mistakes in one go, and one mistake once.
//! - [`bind`] takes values for the sizes and element types of one kernel, expands its functions and gives
//!   [`ir::algo::Func`]; mistakes that only the values show are reported there.
//! - [`load`] reads the tile form into tile IR.
//!
//! - [`schedules()`] gives the decisions that were written for a bound kernel; what they mean is the back end's to say.
//!
//! Pure: no files, no clock, no panic on any tree. Knows nothing of targets and instructions. Start with
//! `hir` (what a checked program is), then `check` and `lower`; wording is in `errors`.

mod affine;
mod check;
mod errors;
mod hir;
pub mod ide;
mod lints;
pub mod load;
mod lower;
mod poly;
pub mod program;
mod schedules;
#[cfg(test)]
mod tests;

pub use check::Prelude;
pub use hir::Class;
pub use lower::laws::{Laws, Pair};
pub use schedules::schedules;

use diag::{Diagnostic, Span};
use hir::{Item, ItemKind, Local, Ty};
use ir::algo::Func;
use isa::types::Elem;
use poly::{Atom, Poly};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use syntax::ast;

/// The files of one compilation.
#[derive(Copy, Clone)]
pub struct Sources<'a> {
    /// The user's file.
    pub main: &'a ast::File,
    /// What every file sees without `use`.
    pub prelude: Option<&'a Prelude>,
    /// Files that `use` can name, with the name of each.
    pub library: &'a [(&'a str, &'a ast::File)],
}

/// A checked program.
#[derive(Clone, Debug)]
pub struct Checked {
    /// What was found, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
    items: Vec<Arc<Item>>,
    /// The file of each item; 0 is the main file.
    files: Vec<usize>,
}

/// What a kernel takes and gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelInfo {
    /// Its name.
    pub name: String,
    /// Where its name stands.
    pub span: Span,
    /// Size variables in the order of the signature.
    pub sizes: Vec<String>,
    /// Those of them that cannot be left to the launch: `const` ones and open lists.
    pub fixed: Vec<String>,
    /// Element type parameters in the order of the signature.
    pub types: Vec<TypeInfo>,
    /// Parameters in the order of the signature.
    pub params: Vec<ValueInfo>,
    /// Results in the order of the signature.
    pub results: Vec<ValueInfo>,
}

/// An element type parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeInfo {
    /// Its name.
    pub name: String,
    /// What it may be.
    pub class: Class,
}

/// A parameter or result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueInfo {
    /// Its name.
    pub name: String,
    /// Its element type.
    pub elem: ElemInfo,
    /// Its dimensions as text: `M`, `2*K`; empty for a scalar.
    pub dims: Vec<String>,
    /// Where it is declared.
    pub span: Span,
}

/// An element type, or the parameter that stands for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ElemInfo {
    /// Known.
    Elem(Elem),
    /// `i4`: bytes with two elements each along the last dimension, the first in the low half, rows padded.
    I4,
    /// Chosen when the kernel is bound.
    Param(String),
}

/// Values for a kernel's sizes and types. What is not given is inferred.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bindings {
    /// Size variables by name.
    pub sizes: BTreeMap<String, i64>,
    /// Open lists of sizes by name; a list of one may stand among the sizes.
    pub lists: BTreeMap<String, Vec<i64>>,
    /// Size variables that stay symbolic: the launch gives them.
    pub symbolic: BTreeSet<String>,
    /// Element type and shape of parameters by name.
    pub params: BTreeMap<String, (Elem, Vec<i64>)>,
    /// Element type parameters by name.
    pub types: BTreeMap<String, Elem>,
}

impl Class {
    /// The type to take where nothing else says which: the commonest of the class.
    pub fn default_elem(self) -> Elem {
        match self {
            Class::Float | Class::Num => Elem::F16,
            Class::Int => Elem::I8,
        }
    }
}

/// Checks a file together with what it can call.
pub fn check(sources: &Sources<'_>) -> Checked {
    let (items, files, mut diagnostics) = check::run(sources);
    diagnostics.sort_by_key(|d| (d.span().file != sources.main.file, d.span()));
    Checked {
        diagnostics,
        items,
        files,
    }
}

/// Binds sizes and element types and lowers one kernel of the main file.
///
/// The result satisfies [`ir::algo::verify::verify`]. An error list is never empty.
pub fn bind(checked: &Checked, kernel: &str, given: &Bindings) -> Result<Func, Vec<Diagnostic>> {
    if checked.has_errors() {
        return Err(checked.diagnostics.clone());
    }
    let instances: Vec<&Item> = (checked.main_items())
        .filter(|item| item.name == kernel)
        .collect();
    match instances.first() {
        Some(first) => match lower::ranks::choose(&instances, given)? {
            Some((item, given)) => lower::bind(&checked.items, item, &given),
            None => lower::bind(&checked.items, first, given),
        },
        None => {
            let known: Vec<&str> = checked
                .main_kernels()
                .map(|item| item.name.as_str())
                .collect();
            Err(vec![errors::resolve::unknown_kernel(kernel, &known)])
        }
    }
}

/// The laws of every monoid of the main file, on blocks of these numbers of items.
///
/// What cannot be expanded has no laws here; a kernel that folds with it says why.
pub fn laws(checked: &Checked, lengths: [i64; 3]) -> Vec<Laws> {
    if checked.has_errors() {
        return Vec::new();
    }
    let own = checked.items.iter().zip(&checked.files).enumerate();
    let own = own.filter(|(_, (_, file))| **file == 0);
    let named: Vec<(&str, hir::ItemId)> = own
        .map(|(number, (item, _))| (item.name.as_str(), hir::ItemId(number)))
        .collect();
    let find = |monoid: &str, part: &str| {
        let name = check::monoids::function(monoid, part);
        let found = named.iter().find(|(known, _)| *known == name);
        found.map(|(_, id)| *id)
    };
    let mut all = Vec::new();
    for (name, block) in &named {
        let Some(monoid) = name.strip_suffix(".block") else {
            continue;
        };
        let parts = (
            find(monoid, check::monoids::IDENTITY),
            find(monoid, check::monoids::MERGE),
        );
        let (Some(identity), Some(merge)) = parts else {
            continue;
        };
        let parts = lower::laws::Parts {
            identity,
            merge,
            block: *block,
        };
        let place = (monoid, checked.items[block.0].name_span);
        all.extend(lower::laws::laws(&checked.items, parts, place, lengths));
    }
    all
}

impl Checked {
    /// Whether any finding is an error; then nothing can be bound.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }

    /// The kernels of the main file in the order of the text.
    pub fn kernels(&self) -> Vec<KernelInfo> {
        self.main_kernels().map(kernel_info).collect()
    }

    /// The kernels of the main file; of one over an open list of dimensions an instance.
    fn main_kernels(&self) -> impl Iterator<Item = &Item> {
        let mut last = None;
        // The last instance is the one for most dimensions; any shows the signature.
        let kernels: Vec<&Item> = self.main_items().collect();
        let mut kernels: Vec<&Item> = (kernels.into_iter().rev())
            .filter(|item| last.replace(item.name_span) != Some(item.name_span))
            .collect();
        kernels.reverse();
        kernels.into_iter()
    }

    fn main_items(&self) -> impl Iterator<Item = &Item> {
        let items = self.items.iter().zip(&self.files);
        items
            .filter(|(item, file)| **file == 0 && item.kind == ItemKind::Kernel)
            .map(|(item, _)| &**item)
    }
}

fn kernel_info(item: &Item) -> KernelInfo {
    let types = item.types.iter().map(|t| TypeInfo {
        name: t.name.clone(),
        class: t.class,
    });
    KernelInfo {
        name: item.name.clone(),
        span: item.name_span,
        sizes: size_names(item),
        fixed: fixed_names(item),
        types: types.collect(),
        params: item
            .param_locals()
            .iter()
            .map(|l| value_info(item, l))
            .collect(),
        results: item
            .result_locals()
            .iter()
            .map(|l| value_info(item, l))
            .collect(),
    }
}

/// The size variables as written: an open list once.
fn size_names(item: &Item) -> Vec<String> {
    let written = |size: &hir::Named| match size.name.split_once('.') {
        Some((list, "0")) => Some(list.to_owned()),
        Some(_) => None,
        None => Some(size.name.clone()),
    };
    item.sizes.iter().filter_map(written).collect()
}

fn fixed_names(item: &Item) -> Vec<String> {
    let fixed = item
        .sizes
        .iter()
        .filter(|s| s.fixed || s.name.contains('.'));
    let name = |size: &hir::Named| size.name.split('.').next().map(str::to_owned);
    fixed.filter_map(name).collect()
}

fn value_info(item: &Item, local: &Local) -> ValueInfo {
    let elem = match local.ty {
        Ty::Elem(elem) => ElemInfo::Elem(elem),
        Ty::I4 => ElemInfo::I4,
        Ty::Param(p) => ElemInfo::Param(
            item.types
                .get(p)
                .map(|t| t.name.clone())
                .unwrap_or_default(),
        ),
        Ty::Error | Ty::Acc(_) | Ty::Int | Ty::Float | Ty::Size => ElemInfo::Elem(Elem::F32),
    };
    let name = |atom: &Atom| match atom {
        Atom::Var(v) => item
            .sizes
            .get(*v as usize)
            .map_or_else(|| "?".to_owned(), |s| s.name.clone()),
        Atom::Unknown(_) | Atom::Index(_) | Atom::Div(..) | Atom::Mod(..) => "?".to_owned(),
    };
    let dims = local
        .shape
        .iter()
        .flatten()
        .map(|size: &Poly| size.display(&name))
        .filter_map(|dim| match dim.split_once('.') {
            Some((list, "0")) => Some(format!("..{list}")),
            Some(_) => None,
            None => Some(dim),
        })
        .collect();
    ValueInfo {
        name: local.name.clone(),
        elem,
        dims,
        span: local.span,
    }
}
