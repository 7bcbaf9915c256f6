//! Calls: of functions against their signatures, with sizes and types inferred, and of the built-in primitives.

use super::cx::Cx;
use super::unify::{Solution, Unified, solve, substitute};
use super::{Symbol, open};
use crate::errors::{resolve, sizes, types};
use crate::hir::{Call, Class, ExprId, ExprKind, Item, ItemId, ItemKind, Ty};
use crate::poly::Poly;
use diag::Span;
use isa::types::Elem;
use syntax::ast;

/// Generic arguments of a call while they are inferred.
struct Inference {
    sizes: Vec<Option<Poly>>,
    types: Vec<Option<Ty>>,
}

impl<'a> Cx<'_, 'a> {
    pub(crate) fn call(
        &mut self,
        callee: &'a ast::Name,
        args: &'a [ast::Arg],
        span: Span,
        whole: bool,
    ) -> ExprId {
        let name = callee.text.as_str();
        if self.names.contains_key(name) || self.index_named(name).is_some() {
            self.abandon_args(args);
            return self.fail(resolve::not_callable(
                name,
                "a tensor, size or index",
                callee.span,
            ));
        }
        match self.world.lookup(self.file, name) {
            Some(Symbol::Item(item) | Symbol::Open(item)) => {
                self.call_item(item, callee, args, span, whole)
            }
            Some(Symbol::Const(..)) => {
                self.abandon_args(args);
                self.fail(resolve::not_callable(name, "a constant", callee.span))
            }
            Some(Symbol::Monoid(_)) => {
                self.abandon_args(args);
                self.fail(resolve::not_callable(name, "a monoid", callee.span))
            }
            Some(Symbol::Error) => {
                self.abandon_args(args);
                self.error(span)
            }
            None => self.primitive(callee, args, span, whole),
        }
    }

    /// Checks arguments whose function is not known, for the names in them.
    pub(super) fn abandon_args(&mut self, args: &'a [ast::Arg]) {
        for arg in args {
            self.expr(arg.value, true);
        }
    }

    fn call_item(
        &mut self,
        id: ItemId,
        callee: &'a ast::Name,
        args: &'a [ast::Arg],
        span: Span,
        whole: bool,
    ) -> ExprId {
        let item = self.signature(id);
        if item.kind == ItemKind::Kernel {
            self.abandon_args(args);
            return self.fail(resolve::kernel_called(
                &item.name,
                callee.span,
                item.name_span,
            ));
        }
        let Some(call) = self.check_call(id, callee, args, span, whole) else {
            return self.error(span);
        };
        // Of a function over an open list, the instance that fits.
        let item = self.signature(call.item);
        let subject = |ty: Ty| substitute_type(ty, &call.types);
        match item.kind {
            ItemKind::ScalarFn => {
                let ty = subject(item.scalar);
                let Some(shape) = self.lifted_shape(item, &call) else {
                    return self.error(span);
                };
                self.push(ExprKind::ScalarCall(Box::new(call)), ty, shape, span)
            }
            ItemKind::TensorFn | ItemKind::Kernel => {
                let [result] = item.result_locals() else {
                    let count = item.results;
                    return self.fail(sizes::several_results(&item.name, count, span));
                };
                let dims = result.shape.clone().unwrap_or_default();
                let shape: Vec<Poly> = dims.iter().map(|d| substitute(d, &call.sizes)).collect();
                let ty = subject(result.ty);
                if !whole && !shape.is_empty() {
                    return self.fail(sizes::not_indexed(
                        &item.name,
                        shape.len(),
                        span,
                        item.name_span,
                    ));
                }
                self.push(ExprKind::TensorCall(Box::new(call)), ty, shape, span)
            }
        }
    }

    /// Checks the arguments and infers sizes and types. Nothing if something was reported.
    pub(crate) fn check_call(
        &mut self,
        id: ItemId,
        callee: &'a ast::Name,
        args: &'a [ast::Arg],
        span: Span,
        whole: bool,
    ) -> Option<Call> {
        let item = self.signature(id);
        if item.broken {
            self.abandon_args(args);
            return None;
        }
        let world = self.world;
        let widest = world.instances(id).last().unwrap_or(id);
        let depth = std::mem::take(&mut self.index_depth);
        let params = world.signatures[widest.0].param_locals();
        let positional: Vec<&ast::Arg> = args.iter().filter(|a| a.name.is_none()).collect();
        let mut values = Vec::new();
        for (number, arg) in positional.iter().enumerate() {
            let rank = params
                .get(number)
                .and_then(|p| p.shape.as_ref())
                .map_or(0, Vec::len);
            // Scalar parameters of scalar functions lift; those of tensor functions take one value.
            let tensors = rank > 0 || (whole && item.kind == ItemKind::ScalarFn);
            values.push(self.expr(arg.value, tensors));
        }
        self.index_depth = depth;
        if self.wrong_count(item, &values, span) {
            return None;
        }
        let id = self.instance(id, &values, callee)?;
        let item = self.signature(id);
        let mut found = Inference {
            sizes: vec![None; item.sizes.len()],
            types: vec![None; item.types.len()],
        };
        if !self.named_args(item, args, &mut found) {
            return None;
        }
        self.finish_call(id, values, found, (callee.span, span))
    }

    /// The instance of a function over an open list of dimensions that the arguments fit.
    fn instance(&mut self, first: ItemId, values: &[ExprId], callee: &ast::Name) -> Option<ItemId> {
        let world = self.world;
        if open::open_list(world.callables[first.0].ast).is_none() {
            return Some(first);
        }
        let ranks: Vec<Option<usize>> = (values.iter())
            .map(|e| (self.ty(*e) != Ty::Error).then(|| self.item.body[*e].shape.len()))
            .collect();
        if ranks.contains(&None) {
            return None;
        }
        let fits = |id: &ItemId| {
            let params = world.signatures[id.0].param_locals().iter().zip(&ranks);
            let mut params = params.filter_map(|(p, rank)| Some((p.shape.as_ref()?.len(), *rank)));
            params.all(|(declared, rank)| declared == 0 || Some(declared) == rank)
        };
        let found = world.instances(first).find(fits);
        if found.is_none() {
            let shown: Vec<String> = (values.iter())
                .map(|e| format!("`{}`", self.show_shape(&self.item.body[*e].shape)))
                .collect();
            let declared = world.signatures[first.0].name_span;
            let d = sizes::no_instance(&callee.text, &shown.join(", "), callee.span, declared);
            self.report(d);
        }
        found
    }

    /// Reports arguments that are too many or too few.
    fn wrong_count(&mut self, item: &Item, values: &[ExprId], span: Span) -> bool {
        let params = item.params;
        if values.len() == params {
            return false;
        }
        let given = values.len();
        let name = item.name.rsplit('.').next().unwrap_or(&item.name);
        self.report(sizes::argument_count(
            name,
            given,
            params,
            span,
            item.name_span,
        ));
        true
    }

    /// The call of a monoid's block: arguments that were checked, and sizes in the order of the monoid.
    pub(super) fn block_call(
        &mut self,
        id: ItemId,
        monoid: &'a ast::MonoidUse,
        values: Vec<ExprId>,
    ) -> Option<Call> {
        let item = self.signature(id);
        if item.broken {
            return None;
        }
        let mut found = Inference {
            sizes: vec![None; item.sizes.len()],
            types: vec![None; item.types.len()],
        };
        let (mut sizes, mut types) = (0, 0);
        for generic in &monoid.generics {
            let name = self.ast.exprs.kind(*generic).as_name();
            let is_type = name.is_some_and(|n| Elem::from_name(n).is_some() || self.is_type(n));
            let room = if is_type {
                types += 1;
                types <= item.types.len()
            } else {
                sizes += 1;
                // The last size is the number of items.
                sizes < item.sizes.len()
            };
            if !room {
                let span = self.ast.exprs.span(*generic);
                let known: Vec<&str> = item.sizes.iter().map(|s| s.name.as_str()).collect();
                let known = &known[..known.len().saturating_sub(1)];
                let text = name.unwrap_or("this");
                self.report(resolve::unknown_word("generic argument", text, span, known));
                return None;
            }
            if is_type {
                found.types[types - 1] = self.type_arg(*generic);
            } else {
                found.sizes[sizes - 1] = Some(self.size(*generic));
            }
        }
        self.finish_call(id, values, found, (monoid.name.span, monoid.span))
    }

    fn is_type(&self, name: &str) -> bool {
        self.item.types.iter().any(|t| t.name == name)
    }

    fn finish_call(
        &mut self,
        id: ItemId,
        values: Vec<ExprId>,
        mut found: Inference,
        (callee, span): (Span, Span),
    ) -> Option<Call> {
        let item = self.signature(id);
        if self.wrong_count(item, &values, span) {
            return None;
        }
        let mut good = self.infer_types(item, &values, callee, &mut found);
        good &= self.infer_sizes(item, &values, callee, &mut found);
        let errors = values.iter().any(|v| self.ty(*v) == Ty::Error);
        if !good || errors {
            return None;
        }
        let sizes = found.sizes.into_iter().collect::<Option<Vec<_>>>()?;
        let types = found.types.into_iter().collect::<Option<Vec<_>>>()?;
        Some(Call {
            item: id,
            sizes,
            types,
            args: values,
        })
    }

    /// `K: 8` and `T: f16`.
    fn named_args(&mut self, item: &Item, args: &'a [ast::Arg], found: &mut Inference) -> bool {
        let mut good = true;
        for arg in args {
            let Some(name) = &arg.name else { continue };
            let size = item.sizes.iter().position(|s| s.name == name.text);
            let ty = item.types.iter().position(|t| t.name == name.text);
            match (size, ty) {
                (Some(size), _) => found.sizes[size] = Some(self.size(arg.value)),
                (None, Some(ty)) => {
                    found.types[ty] = self.type_arg(arg.value);
                    good &= found.types[ty].is_some();
                }
                (None, None) => {
                    let known = item.sizes.iter().map(|s| s.name.as_str());
                    let known: Vec<&str> = known
                        .chain(item.types.iter().map(|t| t.name.as_str()))
                        .collect();
                    self.report(resolve::unknown_word(
                        "size or type argument",
                        &name.text,
                        name.span,
                        &known,
                    ));
                    good = false;
                }
            }
        }
        good
    }

    /// An element type given by name.
    fn type_arg(&mut self, value: ast::ExprId) -> Option<Ty> {
        let span = self.ast.exprs.span(value);
        let ast::ExprKind::Name(text) = self.ast.exprs.kind(value) else {
            let found = "expression";
            self.report(types::wrong_operand(
                "this argument",
                "an element type",
                found,
                span,
            ));
            return None;
        };
        Some(self.elem_type(&ast::Name {
            text: text.clone(),
            span,
        }))
    }

    fn infer_types(
        &mut self,
        item: &Item,
        values: &[ExprId],
        callee: Span,
        found: &mut Inference,
    ) -> bool {
        let params = item.param_locals();
        // Typed arguments decide; literals follow, and default where nothing else decides.
        for literals in [false, true] {
            for (param, value) in params.iter().zip(values) {
                let Ty::Param(p) = param.ty else { continue };
                if found.types[p].is_some()
                    || matches!(self.ty(*value), Ty::Int | Ty::Float) != literals
                {
                    continue;
                }
                let ty = self.settle(*value);
                found.types[p] = (ty != Ty::Error).then_some(ty);
            }
        }
        let mut good = true;
        for (param, ty) in item.types.iter().zip(&found.types) {
            match ty {
                Some(ty) => {
                    good &= self.check_class(*ty, param.class, &param.name, callee, param.span)
                }
                None if values.iter().any(|v| self.ty(*v) == Ty::Error) => good = false,
                None => {
                    self.report(sizes::cannot_infer(
                        "element type",
                        &param.name,
                        callee,
                        param.span,
                    ));
                    good = false;
                }
            }
        }
        for (param, value) in params.iter().zip(values) {
            let wanted = if let Ty::Param(p) = param.ty {
                found.types[p].unwrap_or(Ty::Error)
            } else {
                param.ty
            };
            good &= self.coerce(
                *value,
                wanted,
                Some((param.span, "because of this parameter")),
            );
        }
        good
    }

    fn check_class(&mut self, ty: Ty, class: Class, param: &str, at: Span, declared: Span) -> bool {
        let met = self.class(ty).is_some_and(|own| class.includes(own));
        if !met && ty != Ty::Error {
            let name = self.ty_name(ty);
            self.report(types::class_not_met(
                &name,
                class.name(),
                param,
                at,
                declared,
            ));
        }
        met
    }

    fn infer_sizes(
        &mut self,
        item: &Item,
        values: &[ExprId],
        callee: Span,
        found: &mut Inference,
    ) -> bool {
        let params = item.param_locals();
        let mut pairs: Vec<(Poly, Poly, usize)> = Vec::new();
        let mut good = true;
        for (number, (param, value)) in params.iter().zip(values).enumerate() {
            let declared = param.shape.clone().unwrap_or_default();
            let actual = self.item.body[*value].shape.clone();
            if self.ty(*value) == Ty::Error {
                good = false;
                continue;
            }
            if declared.is_empty() {
                continue;
            }
            if declared.len() != actual.len() {
                self.shape_error(item, number, *value, found);
                good = false;
                continue;
            }
            pairs.extend(
                declared
                    .into_iter()
                    .zip(actual)
                    .map(|(d, a)| (d, a, number)),
            );
        }
        self.solve_sizes(&pairs, found);
        if !good {
            return false;
        }
        for (number, size) in found.sizes.iter().enumerate() {
            if size.is_none() {
                let var = &item.sizes[number];
                self.report(sizes::cannot_infer("size", &var.name, callee, var.span));
                return false;
            }
        }
        self.check_sizes(item, values, &pairs, found)
    }

    /// Fills in every size variable that one dimension determines.
    fn solve_sizes(&mut self, pairs: &[(Poly, Poly, usize)], found: &mut Inference) {
        let mut progress = true;
        while progress {
            progress = false;
            for (declared, actual, _) in pairs {
                let actual = self.unifier.resolve(actual);
                let known = |v: u32| found.sizes.get(v as usize).cloned().flatten();
                if let Solution::Gives(var, value) = solve(declared, &actual, &known)
                    && let Some(slot) = found.sizes.get_mut(var as usize)
                {
                    *slot = Some(value);
                    progress = true;
                }
            }
        }
    }

    fn check_sizes(
        &mut self,
        item: &Item,
        values: &[ExprId],
        pairs: &[(Poly, Poly, usize)],
        found: &Inference,
    ) -> bool {
        let sizes: Vec<Poly> = found.sizes.iter().flatten().cloned().collect();
        let params = item.param_locals();
        let mut bad = Vec::new();
        for (declared, actual, number) in pairs {
            let wanted = substitute(declared, &sizes);
            match self.unifier.unify(&wanted, actual) {
                Unified::Same => {}
                Unified::Different => bad.push(*number),
                Unified::Later => {
                    let (at, declared) = (self.span(values[*number]), params[*number].span);
                    let what = format!("a dimension of `{}`", params[*number].name);
                    self.later(what, (wanted, declared), (actual.clone(), at));
                }
            }
        }
        bad.dedup();
        for number in &bad {
            self.shape_error(item, *number, values[*number], found);
        }
        bad.is_empty()
    }

    fn shape_error(&mut self, item: &Item, number: usize, value: ExprId, found: &Inference) {
        let param = &item.param_locals()[number];
        let unknown = |n: usize| found.sizes.get(n).cloned().flatten();
        let wanted: Vec<String> = param
            .shape
            .iter()
            .flatten()
            .map(|dim| {
                let values: Vec<Poly> = (0..item.sizes.len())
                    .map(|n| unknown(n).unwrap_or_else(Poly::poison))
                    .collect();
                self.show(&substitute(dim, &values))
            })
            .collect();
        let wanted = format!("[{}]", wanted.join(", "));
        let actual = self.show_shape(&self.item.body[value].shape);
        let what = format!("the argument for `{}`", param.name);
        let span = self.span(value);
        self.report(sizes::shape_wanted(
            &what,
            (&actual, span),
            (&wanted, param.span),
        ));
    }

    /// The common shape of the arguments for scalar parameters.
    fn lifted_shape(&mut self, item: &Item, call: &Call) -> Option<Vec<Poly>> {
        let scalars = item.param_locals().iter().zip(&call.args);
        let scalars: Vec<ExprId> = scalars
            .filter(|(p, _)| p.shape.as_ref().is_some_and(Vec::is_empty))
            .map(|(_, e)| *e)
            .collect();
        self.common_shape(&scalars)
    }

    /// The shape of what is not one value; nothing if they differ, which was reported.
    pub(crate) fn common_shape(&mut self, values: &[ExprId]) -> Option<Vec<Poly>> {
        let shaped = values
            .iter()
            .copied()
            .filter(|e| !self.item.body[*e].shape.is_empty());
        let shaped: Vec<ExprId> = shaped.collect();
        let Some(first) = shaped.first() else {
            return Some(Vec::new());
        };
        for other in &shaped[1..] {
            self.join_shapes(*first, *other)?;
        }
        Some(self.item.body[*first].shape.clone())
    }
}

/// The type of the callee in the caller's terms.
pub(crate) fn substitute_type(ty: Ty, types: &[Ty]) -> Ty {
    match ty {
        Ty::Param(p) => types.get(p).copied().unwrap_or(Ty::Error),
        Ty::Acc(p) => match types.get(p) {
            Some(Ty::Elem(elem)) if elem.is_float() => Ty::Elem(Elem::F32),
            Some(Ty::Elem(_)) => Ty::Elem(Elem::I32),
            Some(Ty::Param(q)) => Ty::Acc(*q),
            _ => Ty::Error,
        },
        Ty::Error | Ty::Elem(_) | Ty::I4 | Ty::Int | Ty::Float | Ty::Size => ty,
    }
}
