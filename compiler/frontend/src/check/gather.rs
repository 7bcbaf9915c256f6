//! `gather(table, i)[d]` and `scatter(base, indices, source, op: add)`: access by data.

use super::cx::Cx;
use crate::errors::{resolve, sizes, types};
use crate::hir::{Class, ExprId, ExprKind, Scatter, ScatterOp, Ty};
use crate::poly::Poly;
use diag::Span;
use isa::types::Elem;
use syntax::ast;

/// The words after `op:`.
const OPS: [&str; 4] = ["set", "add", "max", "min"];

impl<'a> Cx<'_, 'a> {
    /// `gather(table, index)`: the row of a table that data names.
    pub(super) fn gather_call(&mut self, args: &'a [ast::Arg], span: Span, whole: bool) -> ExprId {
        let depth = std::mem::take(&mut self.index_depth);
        let named = self.no_names(args);
        let [table, index] = args else {
            self.index_depth = depth;
            return self.bad_count("gather", args, 2, span);
        };
        let table = self.expr(table.value, true);
        let index = self.expr(index.value, false);
        self.index_depth = depth;
        let good = self.is_tensor(table, "gather") & self.is_place(index, false);
        if !good || named {
            return self.error(span);
        }
        let ty = self.ty(table);
        let shape: Vec<Poly> = self.item.body[table].shape[1..].to_vec();
        if !whole && !shape.is_empty() {
            return self.fail(sizes::not_indexed("gather", shape.len(), span, Span::NONE));
        }
        self.push(ExprKind::Gather { table, index }, ty, shape, span)
    }

    /// `scatter(base, indices, source, op: add)`: the base with rows of the source put in, the first first.
    pub(super) fn scatter_call(&mut self, args: &'a [ast::Arg], span: Span, whole: bool) -> ExprId {
        let depth = std::mem::take(&mut self.index_depth);
        let mut op = None;
        let mut values = Vec::new();
        for arg in args {
            match &arg.name {
                Some(name) if name.text == "op" => op = self.scatter_op(arg.value),
                Some(name) => {
                    let d = resolve::unknown_word("argument", &name.text, name.span, &["op"]);
                    self.report(d);
                }
                None => values.push(self.expr(arg.value, true)),
            }
        }
        self.index_depth = depth;
        let [base, index, source] = *values.as_slice() else {
            let count = values.len();
            return self.fail(sizes::argument_count("scatter", count, 3, span, Span::NONE));
        };
        let good = self.is_tensor(base, "scatter") & self.is_place(index, true);
        let named = args
            .iter()
            .any(|a| a.name.as_ref().is_some_and(|n| n.text == "op"));
        if !named {
            return self.fail(resolve::unknown_word("operation", "", span, &OPS));
        }
        let Some(op) = op.filter(|_| good) else {
            return self.error(span);
        };
        let ty = self.join_types("scatter", base, source);
        let body = &self.item.body;
        let rows = body[base].shape[1..].iter().cloned();
        let wanted: Vec<Poly> = body[index].shape.iter().cloned().chain(rows).collect();
        let (found, at) = (body[source].shape.clone(), self.span(source));
        let declared = self.span(index);
        if ty == Ty::Error {
            return self.error(span);
        }
        if !self.unify_shapes((&wanted, declared), (&found, at)) {
            let texts = (self.show_shape(&found), self.show_shape(&wanted));
            let what = "the source of a scatter";
            return self.fail(sizes::shape_wanted(
                what,
                (&texts.0, at),
                (&texts.1, declared),
            ));
        }
        let shape = self.item.body[base].shape.clone();
        if !whole {
            return self.fail(sizes::not_indexed("scatter", shape.len(), span, Span::NONE));
        }
        let scatter = Scatter {
            op,
            base,
            index,
            source,
        };
        self.push(ExprKind::Scatter(Box::new(scatter)), ty, shape, span)
    }

    fn scatter_op(&mut self, value: ast::ExprId) -> Option<ScatterOp> {
        let span = self.ast.exprs.span(value);
        match self.ast.exprs.kind(value).as_name() {
            Some("set") => Some(ScatterOp::Set),
            Some("add") => Some(ScatterOp::Add),
            Some("max") => Some(ScatterOp::Max),
            Some("min") => Some(ScatterOp::Min),
            other => {
                let other = other.unwrap_or("this");
                self.report(resolve::unknown_word("operation", other, span, &OPS));
                None
            }
        }
    }

    fn no_names(&mut self, args: &[ast::Arg]) -> bool {
        let named = args.iter().find_map(|arg| arg.name.as_ref());
        if let Some(name) = named {
            self.report(resolve::unknown_word(
                "argument",
                &name.text,
                name.span,
                &[],
            ));
        }
        named.is_some()
    }

    fn bad_count(&mut self, name: &str, args: &'a [ast::Arg], wanted: usize, span: Span) -> ExprId {
        self.abandon_args(args);
        self.fail(sizes::argument_count(
            name,
            args.len(),
            wanted,
            span,
            Span::NONE,
        ))
    }

    /// Whether this has a first dimension to index; reports if not.
    fn is_tensor(&mut self, e: ExprId, name: &str) -> bool {
        let ty = self.settle(e);
        if ty == Ty::Error {
            return false;
        }
        let tensor = !self.item.body[e].shape.is_empty();
        if !tensor {
            let (found, at) = (self.ty_name(ty), self.span(e));
            self.report(types::wrong_operand(
                &format!("`{name}`"),
                "a tensor",
                &found,
                at,
            ));
        }
        tensor
    }

    /// Whether this is an integer from data, or a vector of them; reports if not.
    fn is_place(&mut self, e: ExprId, vector: bool) -> bool {
        if self.ty(e) == Ty::Int {
            self.coerce(e, Ty::Elem(Elem::I32), None);
        }
        let ty = self.ty(e);
        let rank = self.item.body[e].shape.len();
        let integer = ty == Ty::Size || self.class(ty) == Some(Class::Int);
        let good = integer && rank == usize::from(vector);
        if !good && ty != Ty::Error {
            let wanted = if vector {
                "a vector of integers"
            } else {
                "an integer"
            };
            let (found, at) = (self.ty_name(ty), self.span(e));
            self.report(types::wrong_operand(
                "an index from data",
                wanted,
                &found,
                at,
            ));
        }
        good
    }
}
