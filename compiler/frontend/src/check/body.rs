//! Bodies: which statement defines what, in which order they are checked, and what is left to say at the end.

use super::agree;
use super::cx::{Cx, Meaning};
use super::definitions::{Definition, assigned, declare_definitions, definition_order};
use super::expr::has_index;
use super::finish::{finish, report_undefined_results};
use super::signature::{declare_generics, read_dims, stored_type};
use super::{Symbol, World, fold, parts};
use crate::errors::{resolve, sizes, types};
use crate::hir::{ExprId, ExprKind, IndexId, Item, ItemId, ItemKind, LocalId, Stmt, StmtKind, Ty};
use crate::poly::Poly;
use diag::{Diagnostic, Span};
use syntax::ast;

/// Checks the body of an item.
pub(crate) fn check(world: &World<'_>, id: ItemId, diagnostics: &mut Vec<Diagnostic>) -> Item {
    let callable = world.callables[id.0];
    let signature = Item::clone(&world.signatures[id.0]);
    let mut cx = Cx::new(world, callable.file, signature);
    enter_signature(&mut cx, callable.ast);
    cx.unread = callable.ast.body.has_errors();
    for condition in &callable.ast.conditions {
        check_condition(&mut cx, *condition);
    }
    file_asserts(&mut cx);
    let definitions = declare_definitions(&mut cx, &callable.ast.body);
    for number in definition_order(&mut cx, &callable.ast.body, &definitions) {
        check_stmt(
            &mut cx,
            &callable.ast.body.stmts[number],
            &definitions[number],
        );
    }
    check_tail(&mut cx, callable.ast);
    report_undefined_results(&mut cx, &callable.ast.body, &definitions);
    agree::propose(&mut cx);
    finish(&mut cx);
    cx.item.incomplete =
        callable.ast.body.has_errors() || cx.diagnostics.iter().any(Diagnostic::is_error);
    diagnostics.append(&mut cx.diagnostics);
    cx.item
}

/// Checks the assertions of all files once, for their mistakes.
pub(crate) fn check_asserts(world: &World<'_>, diagnostics: &mut Vec<Diagnostic>) {
    let Some(any) = world.signatures.last() else {
        return;
    };
    for file in 0..world.files.len() {
        let mut item = Item::clone(any);
        item.sizes.clear();
        item.types.clear();
        item.body = crate::hir::Body::default();
        let mut cx = Cx::new(world, file, item);
        for item in &cx.ast.items {
            if let ast::ItemKind::Assert(condition) = &item.kind {
                check_condition(&mut cx, *condition);
            }
        }
        diagnostics.append(&mut cx.diagnostics);
    }
}

/// Puts the names of the signature into scope again; they were checked before.
fn enter_signature(cx: &mut Cx<'_, '_>, callable: &ast::Callable) {
    let (sizes, types) = (
        std::mem::take(&mut cx.item.sizes),
        std::mem::take(&mut cx.item.types),
    );
    declare_generics(cx, callable);
    (cx.item.sizes, cx.item.types) = (sizes, types);
    let results: &[ast::Param] = match &callable.returns {
        ast::Returns::Named(results) => results,
        ast::Returns::Scalar(_) => &[],
    };
    for (number, param) in callable.params.iter().chain(results).enumerate() {
        cx.declare(&param.name, Meaning::Local(LocalId(number)));
    }
    // Reported with the signature.
    cx.diagnostics.clear();
}

/// Assertions of the file hold for each of its kernels.
fn file_asserts(cx: &mut Cx<'_, '_>) {
    if cx.item.kind != ItemKind::Kernel {
        return;
    }
    let known = cx.diagnostics.len();
    let names = std::mem::take(&mut cx.names);
    for item in &cx.ast.items {
        if let ast::ItemKind::Assert(condition) = &item.kind {
            check_condition(cx, *condition);
        }
    }
    cx.names = names;
    cx.diagnostics.truncate(known);
}

fn check_condition(cx: &mut Cx<'_, '_>, condition: ast::ExprId) {
    cx.forget_reports();
    let e = cx.condition(condition, false);
    if cx.ty(e) != Ty::Error {
        cx.body().conditions.push(e);
    }
}

fn check_stmt<'a>(cx: &mut Cx<'_, 'a>, stmt: &'a ast::Stmt, definition: &Definition) {
    cx.forget_reports();
    let (findings, first_index) = (cx.diagnostics.len(), cx.item.body.indices.len());
    check_definition(cx, stmt, definition);
    report_products(cx);
    if cx.diagnostics.len() > findings {
        let doubtful = agree::doubtful(cx, findings);
        forget_sizes(cx, |index| doubtful.contains(index));
        // What was reported may be why an index has no size.
        (first_index..cx.item.body.indices.len()).for_each(|number| cx.give_up_on(IndexId(number)));
    }
}

/// Dimensions of the last definition over these indices fit every size: what is wrong with them was reported.
fn forget_sizes(cx: &mut Cx<'_, '_>, of: impl Fn(&IndexId) -> bool) {
    let Some(StmtKind::Indexed {
        target, indices, ..
    }) = cx.item.body.stmts.last().map(|stmt| stmt.kind.clone())
    else {
        return;
    };
    let is_let = target.0 >= cx.item.params + cx.item.results;
    let dims = cx.body()[target].shape.iter_mut().flatten();
    for (dim, index) in dims.zip(&indices) {
        if is_let && of(index) {
            *dim = Poly::poison();
        }
    }
}

/// A product of `i4` is only the body of a sum.
fn report_products(cx: &mut Cx<'_, '_>) {
    for product in std::mem::take(&mut cx.products) {
        let span = cx.span(product);
        cx.report(types::i4_operand("*", span));
    }
}

fn check_definition<'a>(cx: &mut Cx<'_, 'a>, stmt: &'a ast::Stmt, definition: &Definition) {
    if let (ast::StmtKind::Let { value, .. }, [target]) =
        (&stmt.kind, definition.targets.as_slice())
        && let Some(run) = fold::as_fold(cx.ast, *value)
    {
        return fold::check(cx, *target, stmt, run);
    }
    match (&stmt.kind, definition.targets.as_slice()) {
        _ if definition.broken => {}
        (ast::StmtKind::Assert(condition), _) => check_condition(cx, *condition),
        (
            ast::StmtKind::Let {
                indices: Some(indices),
                ty,
                value,
                ..
            },
            [target],
        ) => {
            check_indexed_let(cx, *target, indices, ty.as_ref(), *value, stmt.span);
        }
        (
            ast::StmtKind::Let {
                indices: None,
                ty,
                value,
                name,
            },
            [target],
        ) => {
            check_whole_let(cx, *target, name, ty.as_ref(), *value, stmt.span);
        }
        (ast::StmtKind::LetTuple { value, .. }, targets) => {
            check_tuple(cx, targets, *value, stmt.span)
        }
        (ast::StmtKind::Assign { target, value }, [local]) => {
            let file = cx.ast;
            if let Some(info) = &definition.part {
                let left = (*target, info);
                return parts::check(cx, *local, left, *value, stmt.span);
            }
            match assigned(file, *target) {
                Some((_, _, [])) => check_whole_result(cx, *local, *value, stmt.span),
                Some((_, _, indices)) => {
                    let span = file.exprs.span(*target);
                    check_indexed_result(cx, *local, indices, span, *value, stmt.span);
                }
                None => {}
            }
        }
        (ast::StmtKind::Error | ast::StmtKind::Let { .. } | ast::StmtKind::Assign { .. }, _) => {}
    }
}

fn check_indexed_let(
    cx: &mut Cx<'_, '_>,
    target: LocalId,
    binders: &[ast::IxBinder],
    ty: Option<&ast::Type>,
    value: ast::ExprId,
    span: Span,
) {
    let indices: Vec<_> = binders.iter().map(|ix| cx.binder(ix)).collect();
    let annotated = ty.map(|ty| (stored_type(cx, &ty.name), ty));
    if let Some((_, ty)) = annotated.filter(|(_, ty)| !ty.dims.is_empty()) {
        cx.report(sizes::dims_beside_indices(ty.span));
    }
    let value = cx.expr(value, false);
    let elem = value_type(cx, value, annotated);
    cx.scope.clear();
    if elem == Ty::Error {
        indices.iter().for_each(|index| cx.give_up_on(*index));
    }
    let extent = |index: &IndexId| match cx.conflicted.contains(index) {
        true => Poly::poison(),
        false => cx.item.body[*index].extent.clone(),
    };
    let shape = indices.iter().map(extent).collect();
    let local = &mut cx.body()[target];
    local.ty = elem;
    local.shape = (elem != Ty::Error).then_some(shape);
    if cx.item.kind == ItemKind::ScalarFn {
        cx.report(resolve::not_compiled_yet(
            "a tensor inside a scalar function",
            span,
        ));
    }
    cx.body().stmts.push(Stmt {
        kind: StmtKind::Indexed {
            target,
            indices,
            value,
        },
        span,
    });
}

/// The element type of a definition: as annotated, or that of the value.
fn value_type(cx: &mut Cx<'_, '_>, value: ExprId, annotated: Option<(Ty, &ast::Type)>) -> Ty {
    if let Some((wanted, ty)) = annotated {
        let good = cx.coerce(value, wanted, Some((ty.span, "because of this type")));
        return if good { wanted } else { Ty::Error };
    }
    let ty = cx.settle(value);
    if ty == Ty::Size {
        let span = cx.span(value);
        let d = types::wrong_operand("a definition", "a value of an element type", "size", span);
        cx.report(d.help("convert it: `… as i32`"));
        return Ty::Error;
    }
    ty
}

fn check_whole_let(
    cx: &mut Cx<'_, '_>,
    target: LocalId,
    name: &ast::Name,
    ty: Option<&ast::Type>,
    value: ast::ExprId,
    span: Span,
) {
    let value = cx.expr(value, true);
    let size = match cx.ty(value) {
        Ty::Size => cx.to_poly(value).filter(|p| !has_index(p)),
        Ty::Error | Ty::Elem(_) | Ty::I4 | Ty::Param(_) | Ty::Acc(_) | Ty::Int | Ty::Float => None,
    };
    if let (Some(size), None) = (size, ty) {
        // A `let` of a size is another name for it.
        cx.names
            .insert(name.text.clone(), (Meaning::Size(size), name.span));
        return;
    }
    let annotated = ty.map(|ty| (stored_type(cx, &ty.name), ty));
    let elem = value_type(cx, value, annotated);
    let shape = cx.item.body[value].shape.clone();
    if let Some((_, ty)) = annotated.filter(|(_, ty)| !ty.dims.is_empty()) {
        let wanted = read_dims(cx, &ty.dims);
        wanted_shape(cx, &format!("`{}`", name.text), value, &wanted, ty.span);
    }
    if cx.item.kind == ItemKind::ScalarFn && !shape.is_empty() {
        cx.report(resolve::not_compiled_yet(
            "a tensor inside a scalar function",
            span,
        ));
    }
    let local = &mut cx.body()[target];
    local.ty = elem;
    local.shape = (elem != Ty::Error).then_some(shape);
    cx.body().stmts.push(Stmt {
        kind: StmtKind::Whole { target, value },
        span,
    });
}

/// A value that stands for a whole tensor must have its shape.
fn wanted_shape(cx: &mut Cx<'_, '_>, what: &str, value: ExprId, wanted: &[Poly], declared: Span) {
    if cx.ty(value) == Ty::Error {
        return;
    }
    let (shape, span) = (cx.item.body[value].shape.clone(), cx.span(value));
    // One value is broadcast to any shape.
    if shape.is_empty() && !wanted.is_empty() {
        return;
    }
    if !cx.unify_shapes((wanted, declared), (&shape, span)) {
        let texts = (cx.show_shape(&shape), cx.show_shape(wanted));
        cx.report(sizes::shape_wanted(
            &format!("the value of {what}"),
            (&texts.0, span),
            (&texts.1, declared),
        ));
    }
}

fn check_whole_result(cx: &mut Cx<'_, '_>, target: LocalId, value: ast::ExprId, span: Span) {
    let value = cx.expr(value, true);
    let (ty, declared, name) = (
        cx.item.body[target].ty,
        cx.item.body[target].span,
        cx.item.body[target].name.clone(),
    );
    cx.coerce(value, ty, Some((declared, "because of this result")));
    if let Some(shape) = cx.item.body[target].shape.clone() {
        wanted_shape(cx, &format!("`{name}`"), value, &shape, declared);
    }
    cx.body().stmts.push(Stmt {
        kind: StmtKind::Whole { target, value },
        span,
    });
}

fn check_indexed_result(
    cx: &mut Cx<'_, '_>,
    target: LocalId,
    args: &[ast::IndexArg],
    left: Span,
    value: ast::ExprId,
    span: Span,
) {
    let local = cx.item.body[target].clone();
    let mut indices = Vec::new();
    for arg in args {
        let ast::IndexArg::Expr(e) = arg else {
            continue;
        };
        let e = cx.ast.exprs.unparen(*e);
        if let ast::ExprKind::Name(text) = cx.ast.exprs.kind(e) {
            let name = ast::Name {
                text: text.clone(),
                span: cx.ast.exprs.span(e),
            };
            indices.push(cx.bind_index(&name, None));
        }
    }
    match &local.shape {
        Some(shape) if shape.len() == indices.len() => {
            for (index, size) in indices.iter().zip(shape) {
                let at = cx.item.body[*index].span;
                cx.unify_index(*index, size, at);
            }
        }
        Some(shape) => {
            cx.report(sizes::index_count(
                &local.name,
                indices.len(),
                shape.len(),
                left,
                local.span,
            ));
            indices.iter().for_each(|index| cx.give_up_on(*index));
        }
        None => indices.iter().for_each(|index| cx.give_up_on(*index)),
    }
    let value = cx.expr(value, false);
    cx.scope.clear();
    cx.coerce(
        value,
        local.ty,
        Some((local.span, "because of this result")),
    );
    cx.body().stmts.push(Stmt {
        kind: StmtKind::Indexed {
            target,
            indices,
            value,
        },
        span,
    });
}

fn check_tuple(cx: &mut Cx<'_, '_>, targets: &[LocalId], value: ast::ExprId, span: Span) {
    let file = cx.ast;
    let value = file.exprs.unparen(value);
    let at = file.exprs.span(value);
    let ast::ExprKind::Call { callee, args } = file.exprs.kind(value) else {
        let value = cx.expr(value, true);
        if cx.ty(value) != Ty::Error {
            cx.report(types::wrong_operand(
                "`let (…)`",
                "a call with several results",
                "value",
                at,
            ));
        }
        return;
    };
    let id = match cx.world.lookup(cx.file, &callee.text) {
        Some(Symbol::Item(id) | Symbol::Open(id))
            if cx.signature(id).kind == ItemKind::TensorFn =>
        {
            id
        }
        _ => {
            // Either reports, or is a single value.
            let value = cx.expr(value, true);
            if cx.ty(value) != Ty::Error {
                cx.report(sizes::result_count(&callee.text, targets.len(), 1, at));
            }
            return;
        }
    };
    let Some(call) = cx.check_call(id, callee, args, at, true) else {
        return;
    };
    let item = cx.signature(call.item);
    if item.results != targets.len() {
        cx.report(sizes::result_count(
            &item.name,
            targets.len(),
            item.results,
            at,
        ));
        return;
    }
    for (target, result) in targets.iter().zip(item.result_locals()) {
        let dims = result.shape.iter().flatten();
        let shape = dims
            .map(|d| super::unify::substitute(d, &call.sizes))
            .collect();
        let ty = super::call::substitute_type(result.ty, &call.types);
        let local = &mut cx.body()[*target];
        (local.ty, local.shape) = (ty, Some(shape));
    }
    let value = cx.push(
        ExprKind::TensorCall(Box::new(call)),
        Ty::Size,
        Vec::new(),
        at,
    );
    cx.body().stmts.push(Stmt {
        kind: StmtKind::Tuple {
            targets: targets.to_vec(),
            value,
        },
        span,
    });
}

fn check_tail(cx: &mut Cx<'_, '_>, callable: &ast::Callable) {
    cx.forget_reports();
    let scalar = cx.item.kind == ItemKind::ScalarFn;
    match (callable.body.tail, scalar) {
        // The signature was reported.
        _ if matches!(&callable.returns, ast::Returns::Scalar(ty) if !ty.dims.is_empty()) => {}
        (Some(tail), true) => {
            let value = cx.expr(tail, false);
            let wanted = cx.item.scalar;
            let because = match &callable.returns {
                ast::Returns::Scalar(ty) => ty.span,
                ast::Returns::Named(_) => cx.item.name_span,
            };
            cx.coerce(value, wanted, Some((because, "because of this result")));
            cx.body().tail = Some(value);
        }
        (Some(tail), false) => {
            let span = cx.ast.exprs.span(tail);
            if !matches!(cx.ast.exprs.kind(tail), ast::ExprKind::Error) {
                cx.report(resolve::tail_in_tensor_body(span));
            }
        }
        (None, true) if !callable.body.has_errors() => {
            let (name, span) = (cx.item.name.clone(), cx.item.name_span);
            cx.report(resolve::tail_missing(&name, span));
        }
        (None, _) => {}
    }
}
