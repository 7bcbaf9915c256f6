//! Signatures: generic parameters, parameters and results with symbolic shapes.

use super::cx::{Cx, Meaning};
use super::{Callable, World, declare, open};
use crate::errors::{resolve, types};
use crate::hir::{Body, Class, Item, ItemKind, Local, LocalId, Named, Ty, TypeParam};
use crate::poly::Poly;
use diag::Diagnostic;
use std::sync::Arc;
use syntax::ast;

/// Reads every signature that is not known into `world.signatures`.
pub(crate) fn read_all(world: &mut World<'_>, diagnostics: &mut Vec<Diagnostic>) {
    for number in world.checked..world.callables.len() {
        let callable = world.callables[number];
        let mut cx = Cx::new(world, callable.file, blank(&callable));
        read(&mut cx, callable.ast);
        declare::propose(&mut cx, callable.ast);
        let (mut item, found) = (cx.item, cx.diagnostics);
        item.broken = found.iter().any(Diagnostic::is_error);
        let place = callable.ast.name.span;
        let instance = open::open_list(callable.ast).is_some();
        let before = world.callables[..number].last();
        let again = instance && before.is_some_and(|before| before.ast.name.span == place);
        if !again {
            diagnostics.extend(found);
        }
        world.signatures.push(Arc::new(item));
    }
}

fn blank(callable: &Callable<'_>) -> Item {
    let kind = match (callable.ast.kind, &callable.ast.returns) {
        (ast::CallableKind::Kernel, _) => ItemKind::Kernel,
        (ast::CallableKind::Fn, ast::Returns::Named(_)) => ItemKind::TensorFn,
        (ast::CallableKind::Fn, ast::Returns::Scalar(_)) => ItemKind::ScalarFn,
    };
    Item {
        kind,
        name: callable.ast.name.text.clone(),
        name_span: callable.ast.name.span,
        span: callable.span,
        sizes: Vec::new(),
        types: Vec::new(),
        params: 0,
        results: 0,
        scalar: Ty::Error,
        order_free: false,
        body: Body::default(),
        broken: false,
        incomplete: false,
    }
}

fn read(cx: &mut Cx<'_, '_>, callable: &ast::Callable) {
    declare_generics(cx, callable);
    for param in &callable.params {
        let local = read_local(cx, &param.name, &param.ty);
        cx.declare(&param.name, Meaning::Local(local));
    }
    cx.item.params = callable.params.len();
    match &callable.returns {
        ast::Returns::Named(results) => {
            for result in results {
                let local = read_local(cx, &result.name, &result.ty);
                cx.declare(&result.name, Meaning::Local(local));
            }
            cx.item.results = results.len();
        }
        ast::Returns::Scalar(ty) => read_scalar(cx, ty),
    }
    if let Some(order) = &callable.order {
        match order.text.as_str() {
            "free" => cx.item.order_free = true,
            other => cx.report(resolve::unknown_word("order", other, order.span, &["free"])),
        }
    }
}

/// Puts the generic parameters into scope.
pub(crate) fn declare_generics(cx: &mut Cx<'_, '_>, callable: &ast::Callable) {
    for generic in &callable.generics {
        let (name, span) = (generic.name.text.clone(), generic.name.span);
        match &generic.kind {
            ast::GenericKind::Size | ast::GenericKind::Const => {
                let number = u32::try_from(cx.item.sizes.len()).unwrap_or(u32::MAX);
                cx.declare(&generic.name, Meaning::Size(Poly::var(number)));
                let fixed = matches!(generic.kind, ast::GenericKind::Const);
                cx.item.sizes.push(Named { name, span, fixed });
            }
            ast::GenericKind::Bound(class) => {
                let class = match class.text.as_str() {
                    "float" => Class::Float,
                    "int" => Class::Int,
                    "num" => Class::Num,
                    other => {
                        cx.report(types::unknown_class(other, class.span));
                        Class::Num
                    }
                };
                cx.declare(&generic.name, Meaning::Type);
                cx.item.types.push(TypeParam { name, span, class });
            }
            // An instance, whose sizes follow.
            ast::GenericKind::Open => {}
        }
    }
}

fn read_local(cx: &mut Cx<'_, '_>, name: &ast::Name, ty: &ast::Type) -> LocalId {
    let elem = stored_type(cx, &ty.name);
    let shape = read_dims(cx, &ty.dims);
    let shape = (elem != Ty::Error).then_some(shape);
    let local = Local {
        name: name.text.clone(),
        span: name.span.to(ty.span),
        ty: elem,
        shape,
    };
    cx.body().locals.push(local);
    LocalId(cx.item.body.locals.len() - 1)
}

/// The type of something that is stored: not an index.
pub(crate) fn stored_type(cx: &mut Cx<'_, '_>, name: &ast::Name) -> Ty {
    let ty = cx.elem_type(name);
    if ty == Ty::Size {
        cx.report(resolve::not_compiled_yet(
            "a tensor or parameter of sizes",
            name.span,
        ));
        return Ty::Error;
    }
    ty
}

/// Dimensions of a type.
pub(crate) fn read_dims(cx: &mut Cx<'_, '_>, dims: &[ast::Dim]) -> Vec<Poly> {
    dims.iter()
        .map(|dim| match dim {
            ast::Dim::Size(size) => cx.size(*size),
            // Reported where it is declared; an undeclared one is reported here.
            ast::Dim::Open(name) => {
                cx.report(resolve::not_compiled_yet(
                    "an open list of dimensions",
                    name.span,
                ));
                Poly::poison()
            }
        })
        .collect()
}

fn read_scalar(cx: &mut Cx<'_, '_>, ty: &ast::Type) {
    cx.item.scalar = stored_type(cx, &ty.name);
    if !ty.dims.is_empty() {
        let name = cx.item.name.clone();
        cx.report(resolve::unnamed_result(&name, ty.span));
    }
}
