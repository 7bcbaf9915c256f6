//! Items, statements, monoids and schedules as text.

use super::expr::names;
use super::{Printer, list};
use crate::ast::{
    Block, Body, Callable, CallableKind, Decision, DecisionKind, Dim, Expectation, Generic,
    GenericKind, Item, ItemKind, Member, Monoid, Param, PlaceGroup, RecBody, RecField, Returns,
    Schedule, Stmt, StmtKind, StreamClause, TargetKind, Type,
};

impl Printer<'_> {
    pub(super) fn item(&mut self, item: &Item) {
        for doc in &item.docs {
            let space = if doc.is_empty() { "" } else { " " };
            self.line(0, format_args!("///{space}{doc}"));
        }
        let public = if item.public { "pub " } else { "" };
        match &item.kind {
            ItemKind::Error { name } => {
                let name = name.as_ref().map_or("", |n| &n.text);
                self.line(0, format_args!("<error> {name}"));
            }
            ItemKind::Callable(callable) => self.callable(public, callable),
            ItemKind::Monoid(monoid) => self.monoid(public, monoid),
            ItemKind::Const(c) => {
                let ty =
                    c.ty.as_ref()
                        .map_or(String::new(), |t| format!(": {}", self.ty(t)));
                let value = self.expr(c.value);
                self.line(
                    0,
                    format_args!("{public}const {}{ty} = {value};", c.name.text),
                );
            }
            ItemKind::Assert(condition) => {
                let condition = self.expr(*condition);
                self.line(0, format_args!("assert {condition};"));
            }
            ItemKind::Use(path) => {
                let path: Vec<_> = path.iter().map(|n| n.text.as_str()).collect();
                self.line(0, format_args!("use {};", path.join("::")));
            }
            ItemKind::Schedule(schedule) => self.schedule(schedule),
        }
    }

    fn callable(&mut self, public: &str, callable: &Callable) {
        let kind = match callable.kind {
            CallableKind::Kernel => "kernel",
            CallableKind::Fn => "fn",
        };
        let name = &callable.name.text;
        let generics = generics(&callable.generics);
        let params = list(&callable.params, |p| self.param(p));
        let returns = match &callable.returns {
            Returns::Scalar(ty) => self.ty(ty),
            Returns::Named(results) => match results.as_slice() {
                [one] => self.param(one),
                more => format!("({})", list(more, |p| self.param(p))),
            },
        };
        let conditions = match callable.conditions.as_slice() {
            [] => String::new(),
            some => format!(" where {}", list(some, |e| self.expr(*e))),
        };
        let order = callable
            .order
            .as_ref()
            .map_or(String::new(), |o| format!(" order {}", o.text));
        self.line(
            0,
            format_args!(
                "{public}{kind} {name}{generics}({params}) -> {returns}{conditions}{order} {{"
            ),
        );
        self.body(&callable.body);
        self.line(0, format_args!("}}"));
    }

    fn body(&mut self, body: &Body) {
        for stmt in &body.stmts {
            self.stmt(1, stmt);
        }
        if let Some(tail) = body.tail {
            let tail = self.expr(tail);
            self.line(1, format_args!("{tail}"));
        }
    }

    fn stmt(&mut self, indent: usize, stmt: &Stmt) {
        let text = match &stmt.kind {
            StmtKind::Error => "<error>;".to_owned(),
            StmtKind::Let {
                name,
                indices,
                ty,
                value,
            } => {
                let indices = indices.as_ref();
                let indices = indices.map_or(String::new(), |v| {
                    format!("[{}]", list(v, |ix| self.binder(ix)))
                });
                let ty = ty
                    .as_ref()
                    .map_or(String::new(), |t| format!(": {}", self.ty(t)));
                format!("let {}{indices}{ty} = {};", name.text, self.expr(*value))
            }
            StmtKind::LetTuple {
                names: tuple,
                value,
            } => {
                format!("let ({}) = {};", names(tuple), self.expr(*value))
            }
            StmtKind::Assign { target, value } => {
                format!("{} = {};", self.expr(*target), self.expr(*value))
            }
            StmtKind::Assert(condition) => format!("assert {};", self.expr(*condition)),
        };
        self.line(indent, format_args!("{text}"));
    }

    fn param(&self, param: &Param) -> String {
        format!("{}: {}", param.name.text, self.ty(&param.ty))
    }

    fn ty(&self, ty: &Type) -> String {
        let dims = list(&ty.dims, |dim| match dim {
            Dim::Size(e) => self.expr(*e),
            Dim::Open(name) => format!("..{}", name.text),
        });
        match dims.as_str() {
            "" => ty.name.text.clone(),
            dims => format!("{}[{dims}]", ty.name.text),
        }
    }

    fn monoid(&mut self, public: &str, monoid: &Monoid) {
        let name = &monoid.name.text;
        let generics = generics(&monoid.generics);
        self.line(0, format_args!("{public}monoid {name}{generics} {{"));
        for member in &monoid.members {
            self.member(member);
        }
        self.line(0, format_args!("}}"));
    }

    fn member(&mut self, member: &Member) {
        match member {
            Member::Error(_) => self.line(1, format_args!("<error>;")),
            Member::Field {
                name, ty, identity, ..
            } => {
                let (ty, identity) = (self.ty(ty), self.expr(*identity));
                self.line(1, format_args!("{}: {ty} = {identity};", name.text));
            }
            Member::Merge {
                left, right, body, ..
            } => {
                self.line(1, format_args!("merge({}, {}) {{", left.text, right.text));
                self.rec_body(body);
            }
            Member::Block {
                length,
                params,
                body,
                ..
            } => {
                let params = list(params, |p| self.param(p));
                self.line(1, format_args!("block<{}>({params}) {{", length.text));
                self.rec_body(body);
            }
        }
    }

    fn rec_body(&mut self, body: &RecBody) {
        for stmt in &body.lets {
            self.stmt(2, stmt);
        }
        let fields = list(&body.fields, |f| self.rec_field(f));
        self.line(2, format_args!("{{ {fields} }}"));
        self.line(1, format_args!("}}"));
    }

    fn rec_field(&self, field: &RecField) -> String {
        let indices = field.indices.as_ref();
        let indices = indices.map_or(String::new(), |v| format!("[{}]", names(v)));
        let value = field
            .value
            .map_or(String::new(), |e| format!(": {}", self.expr(e)));
        format!("{}{indices}{value}", field.name.text)
    }

    fn schedule(&mut self, schedule: &Schedule) {
        let target = schedule
            .target
            .as_ref()
            .map_or(String::new(), |t| match t.kind {
                TargetKind::Word => format!(" for {}", t.name.text),
                TargetKind::Text => format!(" for \"{}\"", t.name.text),
            });
        let condition = schedule
            .condition
            .map_or(String::new(), |c| format!(" when {}", self.expr(c)));
        let kernel = &schedule.kernel.text;
        self.line(0, format_args!("schedule {kernel}{target}{condition} {{"));
        for decision in &schedule.decisions {
            let text = self.decision(decision);
            self.line(1, format_args!("{text};"));
        }
        self.line(0, format_args!("}}"));
    }

    fn decision(&self, decision: &Decision) -> String {
        let optional = |word: &str, text: Option<String>| {
            text.map_or(String::new(), |t| format!(" {word} {t}"))
        };
        match &decision.kind {
            DecisionKind::Error => "<error>".to_owned(),
            DecisionKind::Grid { blocks, order } => {
                let order = optional("order", order.map(|e| self.expr(e)));
                format!("grid {}{order}", list(blocks, |b| self.block(b)))
            }
            DecisionKind::Stream {
                blocks,
                inside,
                clauses,
            } => {
                let inside = optional("in", inside.as_ref().map(|b| self.block(b)));
                let clauses: String = clauses.iter().map(|c| self.clause(c)).collect();
                format!(
                    "stream {}{inside}{clauses}",
                    list(blocks, |b| self.block(b))
                )
            }
            DecisionKind::Place { groups, depth } => {
                let depth = optional("depth", depth.map(|e| self.expr(e)));
                format!("place {}{depth}", place_groups(groups))
            }
            DecisionKind::Pack {
                names: tensors,
                layout,
            } => {
                format!("pack {} as {}", names(tensors), layout.text)
            }
            DecisionKind::Engine {
                names: definitions,
                engine,
            } => {
                format!("engine {} = {}", names(definitions), engine.text)
            }
            DecisionKind::Fuse {
                names: definitions,
                at,
                engine,
            } => {
                let engine = optional("engine", engine.as_ref().map(|n| n.text.clone()));
                format!("fuse {} at ({}){engine}", names(definitions), names(at))
            }
            DecisionKind::Keep(definitions) => format!("keep {}", names(definitions)),
            DecisionKind::Recompute(definitions) => format!("recompute {}", names(definitions)),
            DecisionKind::Split {
                block,
                across,
                merge,
            } => {
                let merge = optional("merge", merge.as_ref().map(|n| n.text.clone()));
                format!("split {} across {}{merge}", self.block(block), across.text)
            }
            DecisionKind::Pad { name, to } => format!("pad {} to {}", name.text, self.expr(*to)),
            DecisionKind::Unroll(block) => format!("unroll {}", self.block(block)),
            DecisionKind::SkipWhere(condition) => format!("skip where {}", self.expr(*condition)),
            DecisionKind::Workspace(size) => format!("workspace {}", self.expr(*size)),
            DecisionKind::Expect(list_of) => {
                format!("expect {}", list(list_of, |e| self.expectation(e)))
            }
        }
    }

    fn block(&self, block: &Block) -> String {
        let index = block
            .index
            .as_ref()
            .map_or(String::new(), |n| format!(".{}", n.text));
        format!("{}{index}: {}", block.name.text, self.expr(block.size))
    }

    fn clause(&self, clause: &StreamClause) -> String {
        match clause {
            StreamClause::Place(groups) => format!(" place {}", place_groups(groups)),
            StreamClause::Depth(e) => format!(" depth {}", self.expr(*e)),
            StreamClause::Skew(e) => format!(" skew {}", self.expr(*e)),
        }
    }

    fn expectation(&self, e: &Expectation) -> String {
        let percent = if e.percent { "%" } else { "" };
        let (measure, bound) = (self.expr(e.measure), self.expr(e.bound));
        format!("{measure} {} {bound}{percent}", e.op.as_str())
    }
}

fn generics(generics: &[Generic]) -> String {
    if generics.is_empty() {
        return String::new();
    }
    let text = list(generics, |g| match &g.kind {
        GenericKind::Size => g.name.text.clone(),
        GenericKind::Const => format!("const {}", g.name.text),
        GenericKind::Bound(bound) => format!("{}: {}", g.name.text, bound.text),
        GenericKind::Open => format!("..{}", g.name.text),
    });
    format!("<{text}>")
}

fn place_groups(groups: &[PlaceGroup]) -> String {
    list(groups, |g| {
        let space = g.space.as_ref().map_or("?", |n| &n.text);
        format!("{} in {space}", names(&g.names))
    })
}
