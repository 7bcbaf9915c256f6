//! Open lists of dimensions: what is written over `..B` becomes one function or kernel for each number of dimensions.
//!
//! In the instance for two dimensions `x: f32[..B, D]` is `x: f32[B.0, B.1, D]` and `x[..b, d]` is `x[b.0, b.1, d]`, with
//! names that nobody can write. The generic `..B` itself stays in the list: it marks an instance. A call takes the
//! instance that fits its arguments; of a kernel, binding takes the one that fits what is given. Works on syntax alone.

use syntax::ast;

/// Dimensions that an open list stands for at most.
const MOST_DIMENSIONS: usize = 4;

/// The open list of a function or kernel.
pub(crate) fn open_list(callable: &ast::Callable) -> Option<&ast::Name> {
    let open = |g: &&ast::Generic| matches!(g.kind, ast::GenericKind::Open);
    callable.generics.iter().find(open).map(|g| &g.name)
}

/// How many dimensions the list of an instance stands for.
pub(crate) fn dimensions(callable: &ast::Callable) -> usize {
    let Some(list) = open_list(callable) else {
        return 0;
    };
    let prefix = format!("{}.", list.text);
    let own = callable.generics.iter();
    own.filter(|g| g.name.text.starts_with(&prefix)).count()
}

fn is_open(item: &ast::Item) -> bool {
    let ast::ItemKind::Callable(callable) = &item.kind else {
        return false;
    };
    open_list(callable).is_some()
}

/// The file with instances in the places of what is open; nothing if nothing is.
pub(crate) fn expand(file: &ast::File) -> Option<ast::File> {
    if !file.items.iter().any(is_open) {
        return None;
    }
    let mut out = ast::File {
        items: Vec::new(),
        ..file.clone()
    };
    for item in &file.items {
        match &item.kind {
            ast::ItemKind::Callable(callable) if is_open(item) => {
                instances(item, callable, &mut out);
            }
            ast::ItemKind::Callable(_)
            | ast::ItemKind::Monoid(_)
            | ast::ItemKind::Const(_)
            | ast::ItemKind::Assert(_)
            | ast::ItemKind::Use(_)
            | ast::ItemKind::Schedule(_)
            | ast::ItemKind::Error { .. } => out.items.push(item.clone()),
        }
    }
    Some(out)
}

fn instances(item: &ast::Item, callable: &ast::Callable, out: &mut ast::File) {
    for rank in 0..=MOST_DIMENSIONS {
        let mut copier = Copier {
            out,
            rank,
            empty: false,
        };
        let callable = copier.callable(callable);
        // A reduction over no index at all means nothing.
        if !copier.empty {
            out.items.push(ast::Item {
                kind: ast::ItemKind::Callable(callable),
                ..item.clone()
            });
        }
    }
}

struct Copier<'o> {
    out: &'o mut ast::File,
    rank: usize,
    /// Whether a reduction lost all its indices.
    empty: bool,
}

impl Copier<'_> {
    fn names(&self, list: &ast::Name) -> Vec<ast::Name> {
        let name = |n: usize| ast::Name {
            text: format!("{}.{n}", list.text),
            span: list.span,
        };
        (0..self.rank).map(name).collect()
    }

    fn callable(&mut self, callable: &ast::Callable) -> ast::Callable {
        let mut generics = Vec::new();
        for generic in &callable.generics {
            generics.push(generic.clone());
            if let ast::GenericKind::Open = generic.kind {
                let size = |name| ast::Generic {
                    name,
                    kind: ast::GenericKind::Size,
                };
                generics.extend(self.names(&generic.name).into_iter().map(size));
            }
        }
        let params = callable.params.iter().map(|p| self.param(p)).collect();
        let returns = match &callable.returns {
            ast::Returns::Scalar(ty) => ast::Returns::Scalar(self.ty(ty)),
            ast::Returns::Named(results) => {
                ast::Returns::Named(results.iter().map(|p| self.param(p)).collect())
            }
        };
        let conditions = callable.conditions.iter().map(|e| self.expr(*e)).collect();
        let stmts = callable.body.stmts.iter().map(|s| self.stmt(s)).collect();
        let tail = callable.body.tail.map(|e| self.expr(e));
        ast::Callable {
            generics,
            params,
            returns,
            conditions,
            body: ast::Body {
                stmts,
                tail,
                span: callable.body.span,
            },
            ..callable.clone()
        }
    }

    fn param(&mut self, param: &ast::Param) -> ast::Param {
        ast::Param {
            ty: self.ty(&param.ty),
            ..param.clone()
        }
    }

    fn ty(&mut self, ty: &ast::Type) -> ast::Type {
        let mut dims = Vec::new();
        for dim in &ty.dims {
            match dim {
                ast::Dim::Size(size) => dims.push(ast::Dim::Size(self.expr(*size))),
                ast::Dim::Open(list) => {
                    for name in self.names(list) {
                        dims.push(ast::Dim::Size(self.name(name)));
                    }
                }
            }
        }
        ast::Type { dims, ..ty.clone() }
    }

    fn name(&mut self, name: ast::Name) -> ast::ExprId {
        self.out.exprs.push(ast::Expr {
            kind: ast::ExprKind::Name(name.text),
            span: name.span,
        })
    }

    fn stmt(&mut self, stmt: &ast::Stmt) -> ast::Stmt {
        let kind = match &stmt.kind {
            ast::StmtKind::Error => ast::StmtKind::Error,
            ast::StmtKind::Let {
                name,
                indices,
                ty,
                value,
            } => ast::StmtKind::Let {
                name: name.clone(),
                indices: indices.as_ref().map(|indices| self.binders(indices)),
                ty: ty.as_ref().map(|ty| self.ty(ty)),
                value: self.expr(*value),
            },
            ast::StmtKind::LetTuple { names, value } => ast::StmtKind::LetTuple {
                names: names.clone(),
                value: self.expr(*value),
            },
            ast::StmtKind::Assign { target, value } => {
                let target = self.expr(*target);
                ast::StmtKind::Assign {
                    target,
                    value: self.expr(*value),
                }
            }
            ast::StmtKind::Assert(condition) => ast::StmtKind::Assert(self.expr(*condition)),
        };
        ast::Stmt {
            kind,
            span: stmt.span,
        }
    }

    fn binders(&mut self, binders: &[ast::IxBinder]) -> Vec<ast::IxBinder> {
        let mut all = Vec::new();
        for binder in binders {
            if binder.open {
                let one = |name| ast::IxBinder {
                    name,
                    open: false,
                    extent: None,
                };
                all.extend(self.names(&binder.name).into_iter().map(one));
            } else {
                all.push(self.binder(binder));
            }
        }
        all
    }

    fn binder(&mut self, binder: &ast::IxBinder) -> ast::IxBinder {
        ast::IxBinder {
            extent: binder.extent.map(|e| self.expr(e)),
            ..binder.clone()
        }
    }

    fn head(&mut self, head: &ast::ReduceHead) -> ast::ReduceHead {
        let indices = self.binders(&head.indices);
        self.empty |= indices.is_empty() && !head.indices.is_empty();
        ast::ReduceHead {
            indices,
            masks: head.masks.iter().map(|e| self.expr(*e)).collect(),
            order: head.order.map(|e| self.expr(e)),
            span: head.span,
        }
    }

    fn args(&mut self, args: &[ast::Arg]) -> Vec<ast::Arg> {
        let arg = |arg: &ast::Arg| ast::Arg {
            name: arg.name.clone(),
            value: self.expr(arg.value),
        };
        args.iter().map(arg).collect()
    }

    fn monoid(&mut self, monoid: &ast::MonoidUse) -> ast::MonoidUse {
        ast::MonoidUse {
            generics: monoid.generics.iter().map(|e| self.expr(*e)).collect(),
            args: self.args(&monoid.args),
            ..monoid.clone()
        }
    }

    fn index_args(&mut self, args: &[ast::IndexArg]) -> Vec<ast::IndexArg> {
        let mut all = Vec::new();
        for arg in args {
            match arg {
                ast::IndexArg::Expr(e) => all.push(ast::IndexArg::Expr(self.expr(*e))),
                ast::IndexArg::All(span) => all.push(ast::IndexArg::All(*span)),
                ast::IndexArg::Open(list) => {
                    for name in self.names(list) {
                        all.push(ast::IndexArg::Expr(self.name(name)));
                    }
                }
            }
        }
        all
    }

    /// A copy of an expression; expressions are no deeper than the parser allows.
    fn expr(&mut self, id: ast::ExprId) -> ast::ExprId {
        let ast::Expr { kind, span } = self.out.exprs[id].clone();
        let kind = match kind {
            ast::ExprKind::Error
            | ast::ExprKind::Name(_)
            | ast::ExprKind::Int(_)
            | ast::ExprKind::Float(_)
            | ast::ExprKind::NumLetters(_)
            | ast::ExprKind::Bool(_)
            | ast::ExprKind::Hole => kind,
            ast::ExprKind::Paren(inner) => ast::ExprKind::Paren(self.expr(inner)),
            ast::ExprKind::Call { callee, args } => ast::ExprKind::Call {
                callee,
                args: self.args(&args),
            },
            ast::ExprKind::Reduce {
                op,
                op_span,
                head,
                body,
            } => ast::ExprKind::Reduce {
                op,
                op_span,
                head: self.head(&head),
                body: self.expr(body),
            },
            ast::ExprKind::Fold { head, monoid } => ast::ExprKind::Fold {
                head: self.head(&head),
                monoid: self.monoid(&monoid),
            },
            ast::ExprKind::Scan { index, body } => ast::ExprKind::Scan {
                index: self.binder(&index),
                body: match body {
                    ast::ScanBody::Reduce { op, op_span, body } => ast::ScanBody::Reduce {
                        op,
                        op_span,
                        body: self.expr(body),
                    },
                    ast::ScanBody::Monoid(monoid) => ast::ScanBody::Monoid(self.monoid(&monoid)),
                },
            },
            ast::ExprKind::Index { base, args } => {
                let args = self.index_args(&args);
                if args.is_empty() {
                    return self.expr(base);
                }
                ast::ExprKind::Index {
                    base: self.expr(base),
                    args,
                }
            }
            ast::ExprKind::Field { base, field } => ast::ExprKind::Field {
                base: self.expr(base),
                field,
            },
            ast::ExprKind::Border { access, otherwise } => ast::ExprKind::Border {
                access: self.expr(access),
                otherwise: self.expr(otherwise),
            },
            ast::ExprKind::Unary { op, operand } => ast::ExprKind::Unary {
                op,
                operand: self.expr(operand),
            },
            ast::ExprKind::Binary {
                op,
                op_span,
                lhs,
                rhs,
            } => ast::ExprKind::Binary {
                op,
                op_span,
                lhs: self.expr(lhs),
                rhs: self.expr(rhs),
            },
            ast::ExprKind::Cast { value, cast } => ast::ExprKind::Cast {
                value: self.expr(value),
                cast,
            },
            ast::ExprKind::If {
                condition,
                then,
                otherwise,
            } => ast::ExprKind::If {
                condition: self.expr(condition),
                then: self.expr(then),
                otherwise: self.expr(otherwise),
            },
        };
        self.out.exprs.push(ast::Expr { kind, span })
    }
}
