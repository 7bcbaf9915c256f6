//! The walk over a tree that gives every name its declaration.

use std::collections::BTreeMap;

use diag::Span;
use syntax::ast::{
    Block, Body, Callable, Decision, DecisionKind, Dim, ExprId, ExprKind, Exprs, File, Generic,
    GenericKind, IndexArg, Item, ItemKind, IxBinder, Member, Monoid, MonoidUse, Name, Param,
    PlaceGroup, RecBody, ReduceHead, Returns, ScanBody, Schedule, Stmt, StmtKind, StreamClause,
    Type,
};

use super::{Def, DefId, DefKind, Names, Use};

/// Walks the main file.
pub(super) fn file(names: &mut Names, file: &File) {
    let mut walk = Walk::new(names, file);
    for item in &file.items {
        walk.item(item);
    }
    for item in &file.items {
        if let ItemKind::Schedule(schedule) = &item.kind {
            walk.schedule(schedule);
        }
    }
}

/// Walks one item of the main file.
pub(super) fn item(names: &mut Names, file: &File, item: &Item) {
    Walk::new(names, file).item(item);
}

struct Walk<'a> {
    names: &'a mut Names,
    exprs: &'a Exprs,
    /// The innermost last.
    scopes: Vec<BTreeMap<String, DefId>>,
    /// The monoid of each local that is a record.
    records: BTreeMap<DefId, String>,
    item: Option<DefId>,
    /// What a declaration belongs to.
    whole: Span,
}

impl<'a> Walk<'a> {
    fn new(names: &'a mut Names, file: &'a File) -> Walk<'a> {
        Walk {
            names,
            exprs: &file.exprs,
            scopes: Vec::new(),
            records: BTreeMap::new(),
            item: None,
            whole: Span::NONE,
        }
    }

    fn item(&mut self, item: &Item) {
        self.item = item.name().and_then(|name| self.names.item(&name.text));
        self.whole = item.span;
        self.scopes = vec![BTreeMap::new()];
        self.records.clear();
        match &item.kind {
            ItemKind::Callable(callable) => self.callable(callable),
            ItemKind::Monoid(monoid) => self.monoid(monoid),
            ItemKind::Const(constant) => {
                self.define_item(&constant.name);
                constant.ty.iter().for_each(|ty| self.ty(ty));
                self.expr(constant.value);
            }
            ItemKind::Assert(condition) => self.expr(*condition),
            ItemKind::Schedule(_) | ItemKind::Use(_) | ItemKind::Error { .. } => {}
        }
    }
}

impl Walk<'_> {
    fn define_item(&mut self, name: &Name) {
        if let Some(def) = self.names.item(&name.text) {
            self.push(name.span, def, true);
        }
    }

    fn push(&mut self, span: Span, def: DefId, defines: bool) {
        self.names.uses.push(Use { span, def, defines });
    }

    fn declare(&mut self, name: &Name, kind: DefKind) -> DefId {
        self.names.defs.push(Def {
            name: name.text.clone(),
            kind,
            span: name.span,
            whole: self.whole,
            item: self.item,
            docs: Vec::new(),
        });
        let def = DefId(self.names.defs.len() - 1);
        if let Some(scope) = self.scopes.last_mut() {
            scope.insert(name.text.clone(), def);
        }
        self.push(name.span, def, true);
        def
    }

    fn find(&self, name: &str) -> Option<DefId> {
        let local = self.scopes.iter().rev().find_map(|scope| scope.get(name));
        local.copied().or_else(|| self.names.item(name))
    }

    fn refer(&mut self, text: &str, span: Span) {
        if let Some(def) = self.find(text) {
            self.push(span, def, false);
        }
    }

    fn name(&mut self, name: &Name) {
        self.refer(&name.text, name.span);
    }

    /// Runs in a scope of its own.
    fn scoped(&mut self, body: impl FnOnce(&mut Self)) {
        self.scopes.push(BTreeMap::new());
        body(self);
        self.scopes.pop();
    }

    fn generics(&mut self, generics: &[Generic]) {
        for generic in generics {
            let kind = match generic.kind {
                GenericKind::Bound(_) => DefKind::Type,
                GenericKind::Size | GenericKind::Const | GenericKind::Open => DefKind::Size,
            };
            self.declare(&generic.name, kind);
        }
    }

    fn ty(&mut self, ty: &Type) {
        self.name(&ty.name);
        for dim in &ty.dims {
            match dim {
                Dim::Size(size) => self.expr(*size),
                Dim::Open(name) => self.name(name),
            }
        }
    }

    fn params(&mut self, params: &[Param], kind: DefKind) {
        for param in params {
            self.declare(&param.name, kind);
            self.ty(&param.ty);
        }
    }

    fn callable(&mut self, callable: &Callable) {
        self.define_item(&callable.name);
        self.generics(&callable.generics);
        self.params(&callable.params, DefKind::Param);
        match &callable.returns {
            Returns::Scalar(ty) => self.ty(ty),
            Returns::Named(results) => self.params(results, DefKind::Result),
        }
        callable.conditions.iter().for_each(|c| self.expr(*c));
        self.body(&callable.body);
    }

    /// Locals first: definitions may stand in any order.
    fn body(&mut self, body: &Body) {
        self.locals(&body.stmts);
        body.stmts.iter().for_each(|stmt| self.stmt(stmt));
        body.tail.iter().for_each(|tail| self.expr(*tail));
    }

    fn locals(&mut self, stmts: &[Stmt]) {
        let item = self.whole;
        for stmt in stmts {
            self.whole = stmt.span;
            match &stmt.kind {
                StmtKind::Let { name, value, .. } => {
                    let def = self.declare(name, DefKind::Local);
                    if let Some(monoid) = self.monoid_of(*value) {
                        self.records.insert(def, monoid);
                    }
                }
                StmtKind::LetTuple { names, .. } => {
                    for name in names {
                        self.declare(name, DefKind::Local);
                    }
                }
                StmtKind::Assign { .. } | StmtKind::Assert(_) | StmtKind::Error => {}
            }
        }
        self.whole = item;
    }

    /// The monoid whose record an expression gives.
    fn monoid_of(&self, value: ExprId) -> Option<String> {
        let kind = self.exprs.kind(self.exprs.unparen(value));
        let monoid = if let ExprKind::Fold { monoid, .. } = kind {
            monoid
        } else if let ExprKind::Scan { body, .. } = kind
            && let ScanBody::Monoid(monoid) = body
        {
            monoid
        } else {
            return None;
        };
        Some(monoid.name.text.clone())
    }

    fn stmt(&mut self, stmt: &Stmt) {
        let item = std::mem::replace(&mut self.whole, stmt.span);
        self.scoped(|walk| match &stmt.kind {
            StmtKind::Let {
                indices, ty, value, ..
            } => {
                let indices = indices.iter().flatten();
                indices.for_each(|index| walk.binder(index));
                ty.iter().for_each(|ty| walk.ty(ty));
                walk.expr(*value);
            }
            StmtKind::LetTuple { value, .. } => walk.expr(*value),
            StmtKind::Assign { target, value } => {
                walk.left_side(*target);
                walk.expr(*value);
            }
            StmtKind::Assert(condition) => walk.expr(*condition),
            StmtKind::Error => {}
        });
        self.whole = item;
    }

    fn binder(&mut self, index: &IxBinder) {
        self.declare(&index.name, DefKind::Index);
        index.extent.iter().for_each(|extent| self.expr(*extent));
    }

    /// `y[r, 2*p]`: names that mean nothing yet are the definition's indices.
    fn left_side(&mut self, target: ExprId) {
        let ExprKind::Index { base, args } = self.exprs.kind(target) else {
            return self.left_name(target);
        };
        self.left_name(*base);
        for arg in args {
            match arg {
                IndexArg::Expr(e) => self.left_index(*e),
                IndexArg::Open(name) => {
                    self.declare(name, DefKind::Index);
                }
                IndexArg::All(_) => {}
            }
        }
    }

    fn left_name(&mut self, target: ExprId) {
        if let ExprKind::Name(text) = self.exprs.kind(target)
            && let Some(def) = self.find(text)
        {
            self.push(self.exprs.span(target), def, true);
        }
    }

    fn left_index(&mut self, expr: ExprId) {
        let kind = self.exprs.kind(expr);
        let Some(text) = kind.as_name() else {
            return kind.operands(|operand| self.left_index(operand));
        };
        let span = self.exprs.span(expr);
        if self.find(text).is_some() {
            return self.refer(text, span);
        }
        let text = text.to_owned();
        self.declare(&Name { text, span }, DefKind::Index);
    }

    fn expr(&mut self, expr: ExprId) {
        match self.exprs.kind(expr) {
            ExprKind::Name(text) => self.refer(text, self.exprs.span(expr)),
            ExprKind::Call { callee, args } => {
                self.name(callee);
                args.iter().for_each(|arg| self.expr(arg.value));
            }
            ExprKind::Reduce { head, body, .. } => self.scoped(|walk| {
                walk.head(head);
                walk.expr(*body);
            }),
            ExprKind::Fold { head, monoid } => self.scoped(|walk| {
                walk.head(head);
                walk.monoid_use(monoid);
            }),
            ExprKind::Scan { index, body } => self.scoped(|walk| {
                // The index of a scan is one of the left side.
                walk.name(&index.name);
                index.extent.iter().for_each(|extent| walk.expr(*extent));
                match body {
                    ScanBody::Reduce { body, .. } => walk.expr(*body),
                    ScanBody::Monoid(monoid) => walk.monoid_use(monoid),
                }
            }),
            ExprKind::Index { base, args } => {
                self.expr(*base);
                for arg in args {
                    match arg {
                        IndexArg::Expr(e) => self.expr(*e),
                        IndexArg::Open(name) => self.name(name),
                        IndexArg::All(_) => {}
                    }
                }
            }
            ExprKind::Field { base, field } => {
                self.expr(*base);
                self.field(*base, field);
            }
            ExprKind::Cast { value, cast } => {
                self.expr(*value);
                self.name(&cast.to);
            }
            kind @ (ExprKind::Error
            | ExprKind::Int(_)
            | ExprKind::Float(_)
            | ExprKind::NumLetters(_)
            | ExprKind::Bool(_)
            | ExprKind::Hole
            | ExprKind::Paren(_)
            | ExprKind::Border { .. }
            | ExprKind::Unary { .. }
            | ExprKind::Binary { .. }
            | ExprKind::If { .. }) => kind.operands(|operand| self.expr(operand)),
        }
    }

    fn head(&mut self, head: &ReduceHead) {
        head.indices.iter().for_each(|index| self.binder(index));
        head.masks.iter().for_each(|mask| self.expr(*mask));
    }

    fn monoid_use(&mut self, monoid: &MonoidUse) {
        self.name(&monoid.name);
        monoid.generics.iter().for_each(|size| self.expr(*size));
        monoid.args.iter().for_each(|arg| self.expr(arg.value));
    }

    /// `st[h].o`: the field of the record's monoid.
    fn field(&mut self, base: ExprId, field: &Name) {
        let mut base = self.exprs.unparen(base);
        while let ExprKind::Index { base: inner, .. } = self.exprs.kind(base) {
            base = *inner;
        }
        let record = self
            .exprs
            .kind(base)
            .as_name()
            .and_then(|name| self.find(name));
        let monoid = record.and_then(|record| self.records.get(&record));
        let monoid = monoid.and_then(|name| self.names.item(name));
        let Some(monoid) = monoid else {
            return;
        };
        let found = self.names.defs.iter().position(|def| {
            def.kind == DefKind::Field && def.item == Some(monoid) && def.name == field.text
        });
        if let Some(def) = found {
            self.push(field.span, DefId(def), false);
        }
    }

    fn monoid(&mut self, monoid: &Monoid) {
        self.define_item(&monoid.name);
        self.generics(&monoid.generics);
        for member in &monoid.members {
            if let Member::Field {
                name,
                ty,
                identity,
                span,
            } = member
            {
                self.whole = *span;
                self.declare(name, DefKind::Field);
                self.ty(ty);
                self.expr(*identity);
            }
        }
        for member in &monoid.members {
            match member {
                Member::Merge {
                    left,
                    right,
                    body,
                    span,
                } => {
                    self.whole = *span;
                    self.scoped(|walk| {
                        for operand in [left, right] {
                            let def = walk.declare(operand, DefKind::Param);
                            walk.records.insert(def, monoid.name.text.clone());
                        }
                        walk.record(body);
                    });
                }
                Member::Block {
                    length,
                    params,
                    body,
                    span,
                } => {
                    self.whole = *span;
                    self.scoped(|walk| {
                        walk.declare(length, DefKind::Size);
                        walk.params(params, DefKind::Param);
                        walk.record(body);
                    });
                }
                Member::Field { .. } | Member::Error(_) => {}
            }
        }
    }

    fn record(&mut self, body: &RecBody) {
        // A `let` of a field's name hides the field.
        let fields = self.scopes.first().cloned().unwrap_or_default();
        self.locals(&body.lets);
        body.lets.iter().for_each(|stmt| self.stmt(stmt));
        for field in &body.fields {
            self.scoped(|walk| {
                match field.value {
                    // `{ m }` is both the field and the local.
                    None => walk.name(&field.name),
                    Some(_) => {
                        if let Some(&def) = fields.get(&field.name.text) {
                            walk.push(field.name.span, def, true);
                        }
                    }
                }
                let indices = field.indices.iter().flatten();
                for index in indices {
                    walk.declare(index, DefKind::Index);
                }
                field.value.iter().for_each(|value| walk.expr(*value));
            });
        }
    }

    fn schedule(&mut self, schedule: &Schedule) {
        self.name(&schedule.kernel);
        let kernel = self.names.item(&schedule.kernel.text);
        // Everything of the kernel by name; an index that several definitions have is the first of them.
        let mut scope = BTreeMap::new();
        for (at, def) in self.names.defs.iter().enumerate() {
            if kernel.is_some() && def.item == kernel {
                scope.entry(def.name.clone()).or_insert(DefId(at));
            }
        }
        self.scopes = vec![scope];
        schedule.condition.iter().for_each(|c| self.expr(*c));
        schedule
            .decisions
            .iter()
            .for_each(|decision| self.decision(decision));
    }

    fn decision(&mut self, decision: &Decision) {
        match &decision.kind {
            DecisionKind::Error => {}
            DecisionKind::Grid { blocks, order } => {
                blocks.iter().for_each(|block| self.block(block));
                order.iter().for_each(|order| self.expr(*order));
            }
            DecisionKind::Stream {
                blocks,
                inside,
                clauses,
            } => {
                blocks
                    .iter()
                    .chain(inside)
                    .for_each(|block| self.block(block));
                for clause in clauses {
                    match clause {
                        StreamClause::Place(groups) => self.groups(groups),
                        StreamClause::Depth(size) | StreamClause::Skew(size) => self.expr(*size),
                    }
                }
            }
            DecisionKind::Place { groups, depth } => {
                self.groups(groups);
                depth.iter().for_each(|depth| self.expr(*depth));
            }
            DecisionKind::Pack { names, .. }
            | DecisionKind::Engine { names, .. }
            | DecisionKind::Keep(names)
            | DecisionKind::Recompute(names) => names.iter().for_each(|name| self.name(name)),
            DecisionKind::Fuse { names, at, .. } => {
                names.iter().chain(at).for_each(|name| self.name(name));
            }
            DecisionKind::Split { block, .. } | DecisionKind::Unroll(block) => self.block(block),
            DecisionKind::Pad { name, to } => {
                self.name(name);
                self.expr(*to);
            }
            DecisionKind::SkipWhere(e) | DecisionKind::Workspace(e) => self.expr(*e),
            DecisionKind::Expect(all) => {
                for one in all {
                    self.expr(one.measure);
                    self.expr(one.bound);
                }
            }
        }
    }

    fn block(&mut self, block: &Block) {
        self.name(&block.name);
        block.index.iter().for_each(|name| self.name(name));
        self.expr(block.size);
    }

    fn groups(&mut self, groups: &[PlaceGroup]) {
        for group in groups {
            group.names.iter().for_each(|name| self.name(name));
        }
    }
}
