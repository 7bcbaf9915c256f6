//! The state while one signature or body is checked: scopes, inference, diagnostics; names and sizes.

use super::unify::Unifier;
use super::{Symbol, World};
use crate::errors::{resolve, sizes, types};
use crate::hir::{
    Body, Class, Expr, ExprId, ExprKind, Index, IndexId, Item, ItemId, Literal, LocalId, Part, Ty,
};
use crate::poly::Poly;
use diag::{Diagnostic, Span};
use isa::types::Elem;
use std::collections::{BTreeMap, BTreeSet};
use syntax::ast;

/// What a name of the signature or body means.
#[derive(Clone, Debug)]
pub(crate) enum Meaning {
    Local(LocalId),
    /// A size variable, or a `let` of a size.
    Size(Poly),
    /// A type parameter.
    Type,
}

/// An access whose bounds are proved when all extents are known.
pub(crate) struct Pending {
    pub(crate) at: ExprId,
    pub(crate) size: Poly,
    pub(crate) access: sizes::Access,
}

/// Constants may use constants, but not through more than this many.
const MOST_CONSTANTS: usize = 24;

/// Findings in a body beyond which no more names of it are compared with a wrong one.
const MOST_ADVISED: usize = 256;

/// The state.
pub(crate) struct Cx<'w, 'a> {
    pub(crate) world: &'w World<'a>,
    pub(crate) file: usize,
    pub(crate) ast: &'a ast::File,
    pub(crate) item: Item,
    pub(crate) names: BTreeMap<String, (Meaning, Span)>,
    /// Indices in scope, innermost last.
    pub(crate) scope: Vec<(String, IndexId)>,
    pub(crate) unifier: Unifier,
    /// Where each index first got its size, and whether anything used it.
    pub(crate) origins: Vec<Option<(Poly, Span)>>,
    pub(crate) used: Vec<bool>,
    /// Indices about whose sizes or name something was reported.
    pub(crate) conflicted: BTreeSet<IndexId>,
    pub(crate) pending: Vec<Pending>,
    /// Where indices stand alone, so far.
    pub(crate) uses: Vec<super::agree::IndexUse>,
    /// Parts of results, until all are checked.
    pub(crate) parts: BTreeMap<LocalId, Vec<Part>>,
    /// How many index positions surround the expression.
    pub(crate) index_depth: usize,
    /// Whether parts of the body could not be read.
    pub(crate) unread: bool,
    reported: BTreeSet<String>,
    constants: Vec<&'a str>,
    /// Products of `i4` that are no body of a sum so far.
    pub(crate) products: BTreeSet<ExprId>,
    /// Records by name, with the number of their indices.
    pub(crate) records: BTreeMap<String, usize>,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl<'w, 'a> Cx<'w, 'a> {
    pub(crate) fn new(world: &'w World<'a>, file: usize, item: Item) -> Cx<'w, 'a> {
        // A reduction in a signature, which is a mistake, has left its indices.
        let indices = item.body.indices.len();
        Cx {
            world,
            file,
            ast: world.files[file],
            item,
            names: BTreeMap::new(),
            scope: Vec::new(),
            unifier: Unifier::default(),
            origins: vec![None; indices],
            used: vec![true; indices],
            conflicted: BTreeSet::new(),
            pending: Vec::new(),
            uses: Vec::new(),
            parts: BTreeMap::new(),
            index_depth: 0,
            unread: false,
            reported: BTreeSet::new(),
            constants: Vec::new(),
            products: BTreeSet::new(),
            records: BTreeMap::new(),
            diagnostics: Vec::new(),
        }
    }

    pub(crate) fn body(&mut self) -> &mut Body {
        &mut self.item.body
    }

    pub(crate) fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    // ---- expressions ----

    pub(crate) fn push(&mut self, kind: ExprKind, ty: Ty, shape: Vec<Poly>, span: Span) -> ExprId {
        self.item.body.push(Expr {
            kind,
            ty,
            shape,
            span,
        })
    }

    /// A scalar expression.
    pub(crate) fn scalar(&mut self, kind: ExprKind, ty: Ty, span: Span) -> ExprId {
        self.push(kind, ty, Vec::new(), span)
    }

    pub(crate) fn error(&mut self, span: Span) -> ExprId {
        self.scalar(ExprKind::Error, Ty::Error, span)
    }

    /// Reports and stands in for the expression.
    pub(crate) fn fail(&mut self, diagnostic: Diagnostic) -> ExprId {
        let span = diagnostic.span();
        self.report(diagnostic);
        self.error(span)
    }

    pub(crate) fn ty(&self, e: ExprId) -> Ty {
        self.item.body[e].ty
    }

    pub(crate) fn span(&self, e: ExprId) -> Span {
        self.item.body[e].span
    }

    // ---- names ----

    /// Declares a name of the signature or body.
    pub(crate) fn declare(&mut self, name: &ast::Name, meaning: Meaning) {
        match self.names.get(&name.text) {
            Some((_, first)) => {
                let first = *first;
                self.report(resolve::defined_twice(&name.text, name.span, first));
            }
            None => {
                self.names.insert(name.text.clone(), (meaning, name.span));
            }
        }
    }

    /// Declares an index and puts it into scope; `extent` as written.
    pub(crate) fn bind_index(&mut self, name: &ast::Name, extent: Option<(Poly, Span)>) -> IndexId {
        let clashes = self.names.contains_key(&name.text);
        if let Some((meaning, at)) = self.names.get(&name.text) {
            let what = match meaning {
                Meaning::Local(_) => "a tensor or parameter",
                Meaning::Size(_) => "a size",
                Meaning::Type => "an element type",
            };
            let at = *at;
            self.report(resolve::index_clash(&name.text, name.span, at, what));
        } else if let Some(id) = self.index_named(&name.text) {
            let first = self.item.body[id].span;
            self.report(resolve::index_bound_twice(&name.text, name.span, first));
        }
        let size = extent
            .as_ref()
            .map_or_else(|| self.unifier.fresh(), |(size, _)| size.clone());
        let id = IndexId(self.item.body.indices.len());
        if clashes {
            self.conflicted.insert(id);
        }
        self.body().indices.push(Index {
            name: name.text.clone(),
            span: name.span,
            extent: size,
        });
        self.origins.push(extent);
        self.used.push(false);
        self.scope.push((name.text.clone(), id));
        id
    }

    pub(crate) fn index_named(&self, name: &str) -> Option<IndexId> {
        self.scope
            .iter()
            .rev()
            .find(|(n, _)| n == name)
            .map(|(_, id)| *id)
    }

    /// A name in a value or index position.
    pub(crate) fn name(&mut self, name: &str, span: Span, whole: bool) -> ExprId {
        if let Some(id) = self.index_named(name) {
            self.used[id.0] = true;
            return self.scalar(ExprKind::Index(id), Ty::Size, span);
        }
        match self.names.get(name).cloned() {
            Some((Meaning::Local(local), _)) => return self.local(local, span, whole),
            Some((Meaning::Size(size), _)) => {
                return self.scalar(ExprKind::Size(size), Ty::Size, span);
            }
            Some((Meaning::Type, _)) => {
                return self.fail(resolve::not_a_value(name, "an element type", span));
            }
            None => {}
        }
        match (self.world.lookup(self.file, name), name) {
            (Some(Symbol::Const(file, constant)), _) => self.constant(file, constant, span),
            (Some(Symbol::Item(_) | Symbol::Open(_)), _) if self.index_depth > 0 => {
                self.unknown_name(name, span)
            }
            (Some(Symbol::Item(_) | Symbol::Open(_)), _) => {
                self.fail(resolve::not_a_value(name, "a function", span))
            }
            (Some(Symbol::Monoid(_)), _) => self.fail(resolve::not_a_value(name, "a monoid", span)),
            (Some(Symbol::Error), _) => self.error(span),
            (None, "inf") => self.float(f64::INFINITY, span),
            (None, "nan") => self.float(f64::NAN, span),
            (None, _) => self.unknown_name(name, span),
        }
    }

    pub(crate) fn float(&mut self, value: f64, span: Span) -> ExprId {
        let literal = Literal {
            double: value,
            single: value as f32,
        };
        self.scalar(ExprKind::Float(literal), Ty::Float, span)
    }

    pub(crate) fn local(&mut self, id: LocalId, span: Span, whole: bool) -> ExprId {
        let local = &self.item.body[id];
        let (ty, declared, name) = (local.ty, local.span, local.name.clone());
        let Some(shape) = local.shape.clone() else {
            if self.records.contains_key(&name) {
                return self.fail(resolve::record_as_value(&format!("`{name}`"), span));
            }
            return self.error(span);
        };
        if !whole && !shape.is_empty() {
            let found = sizes::not_indexed(&name, shape.len(), span, declared);
            return match self.indices_for(&shape) {
                Some(at) => self.fail(sizes::indexed_by(found, &name, &at, span)),
                None => self.fail(found),
            };
        }
        self.push(ExprKind::Local(id), ty, shape, span)
    }

    /// The indices in scope that have the sizes of a tensor, if each size is that of one alone.
    fn indices_for(&self, shape: &[Poly]) -> Option<Vec<String>> {
        let extent = |index: IndexId| self.unifier.resolve(&self.item.body[index].extent);
        let of_size = |size: &Poly| {
            let size = self.unifier.resolve(size);
            let mut found = (self.scope.iter()).filter(|(_, index)| extent(*index) == size);
            match (found.next(), found.next()) {
                (Some((name, _)), None) => Some(name.clone()),
                _ => None,
            }
        };
        shape.iter().map(of_size).collect()
    }

    fn unknown_name(&mut self, name: &str, span: Span) -> ExprId {
        // A statement that could not be read may define it.
        if !self.unread && self.reported.insert(name.to_owned()) {
            let indices: Vec<&str> = self.scope.iter().map(|(n, _)| n.as_str()).collect();
            let d = if self.index_depth > 0 {
                resolve::unbound_index(name, span, diag::similar(name, indices))
            } else {
                let near = self.near(name, indices);
                resolve::unknown_name(name, span, near)
            };
            self.report(d);
        }
        self.error(span)
    }

    /// The name that was meant. Bodies of thousands of wrong names are not told for each.
    fn near<'n>(&'n self, name: &str, indices: Vec<&'n str>) -> Option<&'n str> {
        let own = self.names.keys().map(String::as_str).chain(indices);
        let own = match self.diagnostics.len() < MOST_ADVISED {
            true => diag::nearest(name, own),
            false => None,
        };
        let other = self.world.nearest(self.file, name);
        let other = other.filter(|(far, _)| own.is_none_or(|(least, _)| *far < least));
        other.or(own).map(|(_, near)| near)
    }

    /// Starts a new definition: unknown names are reported again.
    pub(crate) fn forget_reports(&mut self) {
        self.reported.clear();
    }

    /// The value of a constant, checked where it was declared and placed where it is used.
    fn constant(&mut self, file: usize, constant: &'a ast::Const, span: Span) -> ExprId {
        if self.constants.contains(&constant.name.text.as_str())
            || self.constants.len() >= MOST_CONSTANTS
        {
            return self.fail(resolve::cyclic_constant(&constant.name.text, span));
        }
        self.constants.push(&constant.name.text);
        let outer = (self.file, self.ast, self.index_depth);
        let names = std::mem::take(&mut self.names);
        let scope = std::mem::take(&mut self.scope);
        (self.file, self.ast, self.index_depth) = (file, self.world.files[file], 0);
        let value = self.expr(constant.value, false);
        if let Some(ty) = &constant.ty {
            let wanted = self.elem_type(&ty.name);
            self.coerce(value, wanted, Some((ty.span, "because of this type")));
        }
        (self.file, self.ast, self.index_depth) = outer;
        (self.names, self.scope) = (names, scope);
        self.constants.pop();
        self.body()[value].span = span;
        value
    }

    // ---- types ----

    /// The element type or type parameter of a name.
    pub(crate) fn elem_type(&mut self, name: &ast::Name) -> Ty {
        let param = self.item.types.iter().position(|t| t.name == name.text);
        if let Some(param) = param {
            return Ty::Param(param);
        }
        match (name.text.as_str(), Elem::from_name(&name.text)) {
            ("size", _) => Ty::Size,
            ("i4", _) => Ty::I4,
            (_, Some(elem)) if elem != Elem::I64 => Ty::Elem(elem),
            ("f8e4m3" | "f8e5m2" | "mxfp8" | "mxfp4" | "hf32", _) => {
                self.report(types::not_on_any_target(&name.text, name.span));
                Ty::Error
            }
            (text, _) if matches!(self.names.get(text), Some((Meaning::Size(_), _))) => {
                let declared = self.names.get(text).map_or(name.span, |(_, at)| *at);
                if self.reported.insert(text.to_owned()) {
                    self.report(types::size_as_type(text, name.span, declared));
                }
                Ty::Error
            }
            (text, _) => {
                let known = ELEM_NAMES.iter().copied();
                let known: Vec<&str> = known
                    .chain(self.item.types.iter().map(|t| t.name.as_str()))
                    .collect();
                let d = types::unknown_type(text, name.span, &known);
                self.report(d);
                Ty::Error
            }
        }
    }

    pub(crate) fn ty_name(&self, ty: Ty) -> String {
        let param = |p: usize| self.item.types.get(p).map_or("?", |t| t.name.as_str());
        match ty {
            Ty::Error => "?".to_owned(),
            Ty::Elem(elem) => elem.name().to_owned(),
            Ty::I4 => "i4".to_owned(),
            Ty::Param(p) => param(p).to_owned(),
            Ty::Acc(p) => format!("accumulator of {}", param(p)),
            Ty::Int => "integer literal".to_owned(),
            Ty::Float => "float literal".to_owned(),
            Ty::Size => "size".to_owned(),
        }
    }

    /// The class of a type, if it is numeric.
    pub(crate) fn class(&self, ty: Ty) -> Option<Class> {
        match ty {
            Ty::Elem(elem) if elem.is_float() => Some(Class::Float),
            Ty::Elem(elem) if Class::Int.admits(elem) => Some(Class::Int),
            Ty::Param(p) => self.item.types.get(p).map(|t| t.class),
            Ty::Acc(_) => Some(Class::Num),
            Ty::Float => Some(Class::Float),
            Ty::Int => Some(Class::Int),
            Ty::Elem(_) | Ty::I4 | Ty::Error | Ty::Size => None,
        }
    }

    /// The item of a call, for messages and checks.
    pub(crate) fn signature(&self, id: ItemId) -> &'w Item {
        &self.world.signatures[id.0]
    }
}

/// The element types that compile.
const ELEM_NAMES: [&str; 9] = ["f32", "f16", "bf16", "i32", "i16", "i8", "u8", "i4", "bool"];
