//! Expressions as text. Parentheses are nodes of their own, so none are added.

use super::{Printer, list};
use crate::ast::{
    Arg, Cast, ExprId, ExprKind, IndexArg, IxBinder, MonoidUse, Name, ReduceHead, ScanBody,
};

impl Printer<'_> {
    /// The text of an expression. Recursive: expressions are 256 nodes deep at most.
    pub(super) fn expr(&self, id: ExprId) -> String {
        match self.exprs.kind(id) {
            ExprKind::Error => "<error>".to_owned(),
            ExprKind::Name(text) | ExprKind::Float(text) | ExprKind::NumLetters(text) => {
                text.clone()
            }
            ExprKind::Int(value) => value.to_string(),
            ExprKind::Bool(value) => value.to_string(),
            ExprKind::Hole => "?".to_owned(),
            ExprKind::Paren(inner) => format!("({})", self.expr(*inner)),
            ExprKind::Call { callee, args } => format!("{}({})", callee.text, self.args(args)),
            ExprKind::Reduce { op, head, body, .. } => {
                format!("{}({}) {}", op.as_str(), self.head(head), self.expr(*body))
            }
            ExprKind::Fold { head, monoid } => {
                format!("fold({}) {}", self.head(head), self.monoid_use(monoid))
            }
            ExprKind::Scan { index, body } => self.scan(index, body),
            ExprKind::Index { base, args } => {
                format!(
                    "{}[{}]",
                    self.expr(*base),
                    list(args, |a| self.index_arg(a))
                )
            }
            ExprKind::Field { base, field } => format!("{}.{}", self.expr(*base), field.text),
            ExprKind::Border { access, otherwise } => {
                format!("({} else {})", self.expr(*access), self.expr(*otherwise))
            }
            ExprKind::Unary { op, operand } => format!("{}{}", op.as_str(), self.expr(*operand)),
            ExprKind::Binary { op, lhs, rhs, .. } => {
                format!("{} {} {}", self.expr(*lhs), op.as_str(), self.expr(*rhs))
            }
            ExprKind::Cast { value, cast } => {
                format!("{} as {}", self.expr(*value), cast_text(cast))
            }
            ExprKind::If {
                condition,
                then,
                otherwise,
            } => format!(
                "if {} then {} else {}",
                self.expr(*condition),
                self.expr(*then),
                self.expr(*otherwise)
            ),
        }
    }

    pub(super) fn binder(&self, binder: &IxBinder) -> String {
        let dots = if binder.open { ".." } else { "" };
        let extent = binder
            .extent
            .map_or(String::new(), |e| format!(": {}", self.expr(e)));
        format!("{dots}{}{extent}", binder.name.text)
    }

    fn args(&self, args: &[Arg]) -> String {
        list(args, |arg| match &arg.name {
            Some(name) => format!("{}: {}", name.text, self.expr(arg.value)),
            None => self.expr(arg.value),
        })
    }

    fn index_arg(&self, arg: &IndexArg) -> String {
        match arg {
            IndexArg::Expr(e) => self.expr(*e),
            IndexArg::All(_) => ":".to_owned(),
            IndexArg::Open(name) => format!("..{}", name.text),
        }
    }

    /// The masks stand behind the last indices, one each: which index a mask stands
    /// behind means nothing. At most one is left for the order.
    fn head(&self, head: &ReduceHead) -> String {
        let first_masked = head.indices.len().saturating_sub(head.masks.len());
        let mut masks = head.masks.iter();
        let mut mask = || masks.next().map(|m| format!(" where {}", self.expr(*m)));
        let mut args: Vec<String> = Vec::new();
        for (at, index) in head.indices.iter().enumerate() {
            let mask = if at < first_masked { None } else { mask() };
            args.push(self.binder(index) + &mask.unwrap_or_default());
        }
        if let Some(order) = head.order {
            args.push(format!("order: {}", self.expr(order)) + &mask().unwrap_or_default());
        }
        args.join(", ")
    }

    fn monoid_use(&self, monoid: &MonoidUse) -> String {
        let generics = match monoid.generics.as_slice() {
            [] => String::new(),
            some => format!("<{}>", list(some, |e| self.expr(*e))),
        };
        format!(
            "{}{generics}({})",
            monoid.name.text,
            self.args(&monoid.args)
        )
    }

    fn scan(&self, index: &IxBinder, body: &ScanBody) -> String {
        let index = self.binder(index);
        match body {
            ScanBody::Reduce { op, body, .. } => {
                format!("scan({index}, {}) {}", op.as_str(), self.expr(*body))
            }
            ScanBody::Monoid(monoid) => format!("scan({index}) {}", self.monoid_use(monoid)),
        }
    }
}

fn cast_text(cast: &Cast) -> String {
    let mut text = cast.to.text.clone();
    if let Some(round) = &cast.round {
        text += &format!(" round {}", round.text);
    }
    if let Some((overflow, _)) = cast.overflow {
        text += &format!(" {}", overflow.as_str());
    }
    text
}

pub(super) fn names(names: &[Name]) -> String {
    list(names, |n| n.text.clone())
}
