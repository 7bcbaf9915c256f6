//! Moving a tree: its places by so many bytes, its expressions by so many ids. What a part is does not change.

use diag::Span;

use super::{
    Arg, Block, Body, Callable, Decision, DecisionKind, Dim, Expectation, Expr, ExprId, ExprKind,
    Generic, GenericKind, IndexArg, Item, ItemKind, IxBinder, Member, MonoidUse, Name, Param,
    PlaceGroup, RecBody, RecField, ReduceHead, Returns, ScanBody, Schedule, Stmt, StmtKind,
    StreamClause, Type,
};

/// How far a part of a tree moves.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Shift {
    /// Bytes that every place moves by.
    pub bytes: i64,
    /// What is added to the id of every expression.
    pub ids: i64,
}

fn moved(number: u32, by: i64) -> u32 {
    let sum = i64::from(number).saturating_add(by);
    u32::try_from(sum.max(0)).unwrap_or(u32::MAX)
}

impl Shift {
    /// Moves a place; [`Span::NONE`] stays.
    pub fn span(self, span: &mut Span) {
        if !span.is_none() {
            span.start = moved(span.start, self.bytes);
            span.end = moved(span.end, self.bytes);
        }
    }

    fn id(self, id: &mut ExprId) {
        id.0 = moved(id.0, self.ids);
    }

    fn ids<'a>(self, ids: impl IntoIterator<Item = &'a mut ExprId>) {
        ids.into_iter().for_each(|id| self.id(id));
    }

    fn name(self, name: &mut Name) {
        self.span(&mut name.span);
    }

    fn names<'a>(self, names: impl IntoIterator<Item = &'a mut Name>) {
        names.into_iter().for_each(|name| self.name(name));
    }

    /// Moves an item; its expressions lie in the arena and are moved apart.
    pub fn item(self, item: &mut Item) {
        self.span(&mut item.span);
        match &mut item.kind {
            ItemKind::Error { name } => self.names(name),
            ItemKind::Callable(callable) => self.callable(callable),
            ItemKind::Monoid(monoid) => {
                self.name(&mut monoid.name);
                self.generics(&mut monoid.generics);
                monoid.members.iter_mut().for_each(|one| self.member(one));
            }
            ItemKind::Const(constant) => {
                self.name(&mut constant.name);
                constant.ty.iter_mut().for_each(|ty| self.ty(ty));
                self.id(&mut constant.value);
            }
            ItemKind::Assert(condition) => self.id(condition),
            ItemKind::Use(path) => self.names(path),
            ItemKind::Schedule(schedule) => self.schedule(schedule),
        }
    }

    fn callable(self, callable: &mut Callable) {
        self.name(&mut callable.name);
        self.generics(&mut callable.generics);
        self.params(&mut callable.params);
        match &mut callable.returns {
            Returns::Scalar(ty) => self.ty(ty),
            Returns::Named(results) => self.params(results),
        }
        self.ids(&mut callable.conditions);
        self.names(&mut callable.order);
        self.body(&mut callable.body);
        self.span(&mut callable.signature_span);
    }

    fn generics(self, generics: &mut [Generic]) {
        for generic in generics {
            self.name(&mut generic.name);
            match &mut generic.kind {
                GenericKind::Bound(class) => self.name(class),
                GenericKind::Size | GenericKind::Const | GenericKind::Open => {}
            }
        }
    }

    fn params(self, params: &mut [Param]) {
        for param in params {
            self.name(&mut param.name);
            self.ty(&mut param.ty);
            self.span(&mut param.span);
        }
    }

    fn ty(self, ty: &mut Type) {
        self.name(&mut ty.name);
        for dim in &mut ty.dims {
            match dim {
                Dim::Size(size) => self.id(size),
                Dim::Open(name) => self.name(name),
            }
        }
        self.span(&mut ty.span);
    }

    fn body(self, body: &mut Body) {
        body.stmts.iter_mut().for_each(|stmt| self.stmt(stmt));
        self.ids(&mut body.tail);
        self.span(&mut body.span);
    }

    fn stmt(self, stmt: &mut Stmt) {
        self.span(&mut stmt.span);
        match &mut stmt.kind {
            StmtKind::Error => {}
            StmtKind::Let {
                name,
                indices,
                ty,
                value,
            } => {
                self.name(name);
                let indices = indices.iter_mut().flatten();
                indices.for_each(|index| self.binder(index));
                ty.iter_mut().for_each(|ty| self.ty(ty));
                self.id(value);
            }
            StmtKind::LetTuple { names, value } => {
                self.names(names);
                self.id(value);
            }
            StmtKind::Assign { target, value } => self.ids([target, value]),
            StmtKind::Assert(condition) => self.id(condition),
        }
    }

    fn binder(self, index: &mut IxBinder) {
        self.name(&mut index.name);
        self.ids(&mut index.extent);
    }

    fn member(self, member: &mut Member) {
        match member {
            Member::Error(span) => self.span(span),
            Member::Field {
                name,
                ty,
                identity,
                span,
            } => {
                self.name(name);
                self.ty(ty);
                self.id(identity);
                self.span(span);
            }
            Member::Merge {
                left,
                right,
                body,
                span,
            } => {
                self.names([left, right]);
                self.record(body);
                self.span(span);
            }
            Member::Block {
                length,
                params,
                body,
                span,
            } => {
                self.name(length);
                self.params(params);
                self.record(body);
                self.span(span);
            }
        }
    }

    fn record(self, body: &mut RecBody) {
        body.lets.iter_mut().for_each(|stmt| self.stmt(stmt));
        for RecField {
            name,
            indices,
            value,
            span,
        } in &mut body.fields
        {
            self.name(name);
            self.names(indices.iter_mut().flatten());
            self.ids(value);
            self.span(span);
        }
        self.span(&mut body.span);
    }

    fn schedule(self, schedule: &mut Schedule) {
        self.name(&mut schedule.kernel);
        let target = schedule.target.iter_mut();
        self.names(target.map(|target| &mut target.name));
        self.ids(&mut schedule.condition);
        for Decision { kind, span } in &mut schedule.decisions {
            self.span(span);
            self.decision(kind);
        }
    }

    fn decision(self, kind: &mut DecisionKind) {
        match kind {
            DecisionKind::Error => {}
            DecisionKind::Grid { blocks, order } => {
                self.blocks(blocks);
                self.ids(order);
            }
            DecisionKind::Stream {
                blocks,
                inside,
                clauses,
            } => {
                self.blocks(blocks.iter_mut().chain(inside));
                for clause in clauses {
                    match clause {
                        StreamClause::Place(groups) => self.groups(groups),
                        StreamClause::Depth(size) | StreamClause::Skew(size) => self.id(size),
                    }
                }
            }
            DecisionKind::Place { groups, depth } => {
                self.groups(groups);
                self.ids(depth);
            }
            DecisionKind::Pack { names, layout } => self.names(names.iter_mut().chain([layout])),
            DecisionKind::Engine { names, engine } => {
                self.names(names.iter_mut().chain([engine]));
            }
            DecisionKind::Fuse { names, at, engine } => {
                self.names(names.iter_mut().chain(at).chain(engine));
            }
            DecisionKind::Keep(names) | DecisionKind::Recompute(names) => self.names(names),
            DecisionKind::Split {
                block,
                across,
                merge,
            } => {
                self.blocks([block]);
                self.name(across);
                self.names(merge);
            }
            DecisionKind::Pad { name, to } => {
                self.name(name);
                self.id(to);
            }
            DecisionKind::Unroll(block) => self.blocks([block]),
            DecisionKind::SkipWhere(e) | DecisionKind::Workspace(e) => self.id(e),
            DecisionKind::Expect(all) => {
                for Expectation {
                    measure,
                    op: _,
                    bound,
                    percent: _,
                    span,
                } in all
                {
                    self.ids([measure, bound]);
                    self.span(span);
                }
            }
        }
    }

    fn blocks<'a>(self, blocks: impl IntoIterator<Item = &'a mut Block>) {
        for block in blocks {
            self.name(&mut block.name);
            self.names(&mut block.index);
            self.id(&mut block.size);
            self.span(&mut block.span);
        }
    }

    fn groups(self, groups: &mut [PlaceGroup]) {
        for group in groups {
            self.names(group.names.iter_mut().chain(&mut group.space));
        }
    }

    /// Moves an expression of the arena.
    pub fn expr(self, expr: &mut Expr) {
        self.span(&mut expr.span);
        match &mut expr.kind {
            ExprKind::Error
            | ExprKind::Name(_)
            | ExprKind::Int(_)
            | ExprKind::Float(_)
            | ExprKind::NumLetters(_)
            | ExprKind::Bool(_)
            | ExprKind::Hole => {}
            ExprKind::Paren(inner) => self.id(inner),
            ExprKind::Call { callee, args } => {
                self.name(callee);
                self.args(args);
            }
            ExprKind::Reduce {
                op: _,
                op_span,
                head,
                body,
            } => {
                self.span(op_span);
                self.head(head);
                self.id(body);
            }
            ExprKind::Fold { head, monoid } => {
                self.head(head);
                self.monoid_use(monoid);
            }
            ExprKind::Scan { index, body } => {
                self.binder(index);
                match body {
                    ScanBody::Reduce {
                        op: _,
                        op_span,
                        body,
                    } => {
                        self.span(op_span);
                        self.id(body);
                    }
                    ScanBody::Monoid(monoid) => self.monoid_use(monoid),
                }
            }
            ExprKind::Index { base, args } => {
                self.id(base);
                for arg in args {
                    match arg {
                        IndexArg::Expr(e) => self.id(e),
                        IndexArg::All(span) => self.span(span),
                        IndexArg::Open(name) => self.name(name),
                    }
                }
            }
            ExprKind::Field { base, field } => {
                self.id(base);
                self.name(field);
            }
            ExprKind::Border { access, otherwise } => self.ids([access, otherwise]),
            ExprKind::Unary { op: _, operand } => self.id(operand),
            ExprKind::Binary {
                op: _,
                op_span,
                lhs,
                rhs,
            } => {
                self.span(op_span);
                self.ids([lhs, rhs]);
            }
            ExprKind::Cast { value, cast } => {
                self.id(value);
                self.name(&mut cast.to);
                self.names(&mut cast.round);
                let overflow = cast.overflow.iter_mut();
                overflow.for_each(|(_, span)| self.span(span));
            }
            ExprKind::If {
                condition,
                then,
                otherwise,
            } => self.ids([condition, then, otherwise]),
        }
    }

    fn args(self, args: &mut [Arg]) {
        for arg in args {
            self.names(&mut arg.name);
            self.id(&mut arg.value);
        }
    }

    fn head(self, head: &mut ReduceHead) {
        head.indices.iter_mut().for_each(|index| self.binder(index));
        self.ids(head.masks.iter_mut().chain(&mut head.order));
        self.span(&mut head.span);
    }

    fn monoid_use(self, monoid: &mut MonoidUse) {
        self.name(&mut monoid.name);
        self.ids(&mut monoid.generics);
        self.args(&mut monoid.args);
        self.span(&mut monoid.span);
    }
}
