//! What an expression varies with, and which expressions are equal.

use super::{Emitter, Internal, Kind, Known, Place};
use ir::algo::{Affine, Atom, Expr, ExprKind, Index};

impl Emitter<'_> {
    /// What an expression varies with under the present places.
    pub(crate) fn kind(&mut self, expr: Expr) -> Kind {
        self.forget_outdated();
        self.kind_below(expr)
    }

    /// Each expression once: many share their operands.
    fn kind_below(&mut self, expr: Expr) -> Kind {
        if let Some(kind) = self.known.kinds.get(&expr) {
            return *kind;
        }
        let data = &self.algo.exprs[expr];
        let own = match &data.kind {
            ExprKind::Index(i) => self.place_kind(*i),
            ExprKind::Load { tensor, at, .. } => match self.internal.get(tensor) {
                Some(&Internal::Map(value)) => self.kind_below(value),
                Some(Internal::Ready(_, kind) | Internal::Pending(kind)) => *kind,
                Some(Internal::Block { .. }) => Kind::Full,
                None => self.access_kind(at),
            },
            ExprKind::Gather { at, .. } => self.access_kind(at),
            ExprKind::Float(_)
            | ExprKind::Int(_)
            | ExprKind::Unary(..)
            | ExprKind::Binary(..)
            | ExprKind::Compare(..)
            | ExprKind::Select(..)
            | ExprKind::Cast { .. }
            | ExprKind::Reduce(_) => Kind::Uniform,
        };
        let kind = data
            .kind
            .operands()
            .map(|e| self.kind_below(e))
            .fold(own, Kind::join);
        self.known.kinds.insert(expr, kind);
        kind
    }

    fn access_kind(&self, at: &[Affine]) -> Kind {
        at.iter()
            .map(|a| self.affine_kind(a))
            .fold(Kind::Uniform, Kind::join)
    }

    pub(super) fn place_kind(&self, index: Index) -> Kind {
        match self.place.get(&index) {
            Some(Place::Row(_)) => Kind::Row,
            Some(Place::Col(_)) => Kind::Col,
            Some(Place::Fixed(_)) | None => Kind::Uniform,
        }
    }

    pub(super) fn affine_kind(&self, affine: &Affine) -> Kind {
        affine
            .terms
            .iter()
            .map(|(_, atom)| match atom {
                Atom::Index(i) => self.place_kind(*i),
                Atom::Div(a, _) | Atom::Mod(a, _) | Atom::Clamp(a, _, _) => self.affine_kind(a),
            })
            .fold(Kind::Uniform, Kind::join)
    }

    /// A number that equal expressions share under the present places.
    pub(super) fn number(&mut self, expr: Expr) -> u32 {
        self.forget_outdated();
        self.number_of(expr)
    }

    /// What is known holds under the present places and tensors only.
    fn forget_outdated(&mut self) {
        let changes = (self.place.changes, self.internal.changes);
        if self.known.changes != changes {
            self.known = Known {
                changes,
                ..Known::default()
            };
        }
    }

    fn number_of(&mut self, expr: Expr) -> u32 {
        if let Some(number) = self.known.numbers.get(&expr) {
            return *number;
        }
        let number = self.new_number(expr);
        self.known.numbers.insert(expr, number);
        number
    }

    fn new_number(&mut self, expr: Expr) -> u32 {
        let data = &self.algo.exprs[expr];
        if let ExprKind::Load { tensor, .. } = &data.kind
            && let Some(Internal::Map(value)) = self.internal.get(tensor)
        {
            return self.number_of(*value);
        }
        let operands: Vec<u32> = data.kind.operands().map(|e| self.number_of(e)).collect();
        let own = match &data.kind {
            ExprKind::Float(x) => format!("float {:x}", x.to_bits()),
            ExprKind::Int(x) => format!("int {x}"),
            ExprKind::Index(i) => format!("index {:?}", self.place.get(i)),
            ExprKind::Load { tensor, at, .. } if self.internal.contains_key(tensor) => {
                format!("own {tensor} {}", at.len())
            }
            ExprKind::Load { tensor, at, .. } => {
                let at: Vec<String> = at.iter().map(|a| self.affine_text(a)).collect();
                format!("load {tensor} {at:?}")
            }
            ExprKind::Gather {
                tensor, dim, at, ..
            } => {
                let at: Vec<String> = at.iter().map(|a| self.affine_text(a)).collect();
                format!("gather {tensor} {dim} {at:?}")
            }
            ExprKind::Unary(op, _) => format!("{op:?}"),
            ExprKind::Binary(op, _, _) => format!("{op:?}"),
            ExprKind::Compare(op, _, _) => format!("cmp {op:?}"),
            ExprKind::Select(..) => "select".to_owned(),
            ExprKind::Cast {
                round, overflow, ..
            } => format!("cast {round:?} {overflow:?}"),
            ExprKind::Reduce(_) => format!("reduce {expr}"),
        };
        let key = format!("{own} {operands:?} {}", data.elem);
        let next = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX);
        *self.numbers.entry(key).or_insert(next)
    }

    pub(super) fn affine_text(&self, affine: &Affine) -> String {
        let mut text = affine.constant.to_string();
        for (factor, atom) in &affine.terms {
            let atom = match atom {
                Atom::Index(i) => format!("{:?}", self.place.get(i)),
                Atom::Div(a, n) => format!("({})/{n}", self.affine_text(a)),
                Atom::Mod(a, n) => format!("({})%{n}", self.affine_text(a)),
                Atom::Clamp(a, lo, hi) => format!("clamp({},{lo},{hi})", self.affine_text(a)),
            };
            text.push_str(&format!("+{factor}*{atom}"));
        }
        text
    }
}
