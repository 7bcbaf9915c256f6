//! Built-in functions: the operations of the IR.

use super::ast_arg;
use super::cx::Cx;
use crate::errors::{resolve, sizes, types};
use crate::hir::{Class, ExprId, ExprKind, Ty};
use diag::Span;
use ir::algo::{BinaryOp, Round, UnaryOp};
use isa::types::Elem;
use syntax::ast;

/// Functions that the IR has as operations.
pub(crate) const PRIMITIVES: [&str; 16] = [
    "exp", "log", "sqrt", "abs", "floor", "ceil", "round", "trunc", "max", "min", "clamp",
    "bit_and", "bit_or", "bit_xor", "bit_not", "shl",
];

impl<'a> Cx<'_, 'a> {
    /// A call of a name that no file declares.
    pub(super) fn primitive(
        &mut self,
        callee: &'a ast::Name,
        args: &'a [ast::Arg],
        span: Span,
        whole: bool,
    ) -> ExprId {
        let name = callee.text.as_str();
        match name {
            "gather" => return self.gather_call(args, span, whole),
            "scatter" => return self.scatter_call(args, span, whole),
            _ => {}
        }
        let Some(count) = arity(name) else {
            self.abandon_args(args);
            if ast::ReduceOp::from_word(name).is_some() {
                let d = resolve::not_callable(name, "a reduction without a body", callee.span);
                return self.fail(d);
            }
            let known = self.world.names(self.file).into_iter().chain(PRIMITIVES);
            return self.fail(resolve::unknown_item(
                "function",
                name,
                callee.span,
                diag::similar(name, known),
            ));
        };
        if let Some(named) = args.iter().find_map(ast_arg) {
            let d = resolve::unknown_word("size or type argument", &named.text, named.span, &[]);
            self.report(d);
        }
        let values: Vec<ExprId> = args.iter().map(|arg| self.expr(arg.value, whole)).collect();
        if values.len() != count {
            return self.fail(sizes::argument_count(
                name,
                values.len(),
                count,
                span,
                Span::NONE,
            ));
        }
        match (name, values.as_slice()) {
            ("max", [a, b]) => self.arithmetic(BinaryOp::Max, "max", *a, *b, span),
            ("min", [a, b]) => self.arithmetic(BinaryOp::Min, "min", *a, *b, span),
            ("bit_and", [a, b]) => self.arithmetic(BinaryOp::And, "bit_and", *a, *b, span),
            ("bit_or", [a, b]) => self.arithmetic(BinaryOp::Or, "bit_or", *a, *b, span),
            ("bit_xor", [a, b]) => self.arithmetic(BinaryOp::Xor, "bit_xor", *a, *b, span),
            ("shl", [a, b]) => self.arithmetic(BinaryOp::Shl, "shl", *a, *b, span),
            ("shr", [a, b]) => self.arithmetic(BinaryOp::Shr, "shr", *a, *b, span),
            ("clamp", [x, low, high]) => {
                let bounded = self.arithmetic(BinaryOp::Max, "clamp", *x, *low, span);
                self.arithmetic(BinaryOp::Min, "clamp", bounded, *high, span)
            }
            (_, [x]) => self.unary_primitive(name, *x, span),
            _ => self.error(span),
        }
    }

    fn unary_primitive(&mut self, name: &str, x: ExprId, span: Span) -> ExprId {
        let Some((op, class)) = unary_operation(name) else {
            return self.error(span);
        };
        // `exp(1)` is meant as a float.
        if self.ty(x) == Ty::Int && class == Class::Float {
            self.coerce(x, Ty::Elem(Elem::F32), None);
        }
        let ty = self.settle(x);
        let shape = self.item.body[x].shape.clone();
        if ty == Ty::Error {
            return self.error(span);
        }
        if !self.class(ty).is_some_and(|own| class.includes(own)) {
            let wanted = match class {
                Class::Float => "a float",
                Class::Int => "an integer",
                Class::Num => "a number",
            };
            let (found, at) = (self.ty_name(ty), self.span(x));
            return self.fail(types::wrong_operand(
                &format!("`{name}`"),
                wanted,
                &found,
                at,
            ));
        }
        self.push(ExprKind::Unary(op, x), ty, shape, span)
    }
}

fn arity(name: &str) -> Option<usize> {
    match name {
        "max" | "min" | "bit_and" | "bit_or" | "bit_xor" | "shl" | "shr" => Some(2),
        "clamp" => Some(3),
        _ => unary_operation(name).map(|_| 1),
    }
}

fn unary_operation(name: &str) -> Option<(UnaryOp, Class)> {
    Some(match name {
        "exp" => (UnaryOp::Exp, Class::Float),
        "log" => (UnaryOp::Ln, Class::Float),
        "sqrt" => (UnaryOp::Sqrt, Class::Float),
        "abs" => (UnaryOp::Abs, Class::Num),
        "floor" => (UnaryOp::Round(Round::Floor), Class::Float),
        "ceil" => (UnaryOp::Round(Round::Ceil), Class::Float),
        "round" => (UnaryOp::Round(Round::Even), Class::Float),
        "trunc" => (UnaryOp::Round(Round::Trunc), Class::Float),
        "bit_not" => (UnaryOp::BitNot, Class::Int),
        _ => return None,
    })
}
