//! How a file is laid out: its outline, what can be folded, and the spans around a place.

use diag::Span;
use syntax::ast::{CallableKind, Decision, File, Item, ItemKind, Member, Stmt, StmtKind};

use super::DefKind;

/// A line of a file's outline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline {
    /// The name.
    pub name: String,
    /// What it is; nothing for a schedule.
    pub kind: Option<DefKind>,
    /// Where the name stands.
    pub span: Span,
    /// All of it.
    pub whole: Span,
    /// What is inside.
    pub children: Vec<Outline>,
}

/// Lines that an editor may hide.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Fold {
    /// From the first line to the last.
    pub span: Span,
    /// Whether it is a comment.
    pub comment: bool,
}

/// The outline of a file.
pub fn outline(file: &File) -> Vec<Outline> {
    file.items
        .iter()
        .filter_map(|item| item_outline(file, item))
        .collect()
}

fn item_outline(file: &File, item: &Item) -> Option<Outline> {
    let (name, kind, children) = match &item.kind {
        ItemKind::Callable(callable) => {
            let kind = match callable.kind {
                CallableKind::Kernel => DefKind::Kernel,
                CallableKind::Fn => DefKind::Function,
            };
            let stmts = callable.body.stmts.iter();
            (
                &callable.name,
                Some(kind),
                stmts.flat_map(|stmt| locals(file, stmt)).collect(),
            )
        }
        ItemKind::Monoid(monoid) => {
            let members = monoid.members.iter().filter_map(member).collect();
            (&monoid.name, Some(DefKind::Monoid), members)
        }
        ItemKind::Const(constant) => (&constant.name, Some(DefKind::Constant), Vec::new()),
        ItemKind::Schedule(schedule) => (&schedule.kernel, None, Vec::new()),
        ItemKind::Error { .. } | ItemKind::Assert(_) | ItemKind::Use(_) => return None,
    };
    Some(Outline {
        name: name.text.clone(),
        kind,
        span: name.span,
        whole: item.span,
        children,
    })
}

fn locals(file: &File, stmt: &Stmt) -> Vec<Outline> {
    let names: Vec<(String, DefKind, Span)> = match &stmt.kind {
        StmtKind::Let { name, .. } => vec![(name.text.clone(), DefKind::Local, name.span)],
        StmtKind::LetTuple { names, .. } => {
            let names = names.iter();
            names
                .map(|name| (name.text.clone(), DefKind::Local, name.span))
                .collect()
        }
        StmtKind::Assign { target, .. } => {
            let mut base = *target;
            if let syntax::ast::ExprKind::Index { base: inner, .. } = file.exprs.kind(base) {
                base = *inner;
            }
            let span = file.exprs.span(base);
            let name = file.exprs.kind(base).as_name().map(str::to_owned);
            name.map(|name| (name, DefKind::Result, span))
                .into_iter()
                .collect()
        }
        StmtKind::Assert(_) | StmtKind::Error => Vec::new(),
    };
    let line = |(name, kind, span)| Outline {
        name,
        kind: Some(kind),
        span,
        whole: stmt.span,
        children: Vec::new(),
    };
    names.into_iter().map(line).collect()
}

fn member(member: &Member) -> Option<Outline> {
    let (name, kind, name_span, whole) = match member {
        Member::Field { name, span, .. } => (name.text.clone(), DefKind::Field, name.span, *span),
        Member::Merge { span, .. } => ("merge".to_owned(), DefKind::Function, *span, *span),
        Member::Block { span, .. } => ("block".to_owned(), DefKind::Function, *span, *span),
        Member::Error(_) => return None,
    };
    Some(Outline {
        name,
        kind: Some(kind),
        span: name_span,
        whole,
        children: Vec::new(),
    })
}

/// What can be folded: items, and comments of several lines.
pub fn folds(file: &File, comments: &[syntax::Comment], text: &str) -> Vec<Fold> {
    let mut folds: Vec<Fold> = Vec::new();
    for item in &file.items {
        folds.push(Fold {
            span: item.span,
            comment: false,
        });
    }
    let mut run: Option<Span> = None;
    for comment in comments {
        let joined = run.filter(|run| {
            let between = text.get(run.end as usize..comment.span.start as usize);
            between.is_some_and(|gap| gap.trim().is_empty() && gap.matches('\n').count() == 1)
        });
        if joined.is_none()
            && let Some(span) = run.take()
        {
            folds.push(Fold {
                span,
                comment: true,
            });
        }
        run = Some(joined.unwrap_or(comment.span).to(comment.span));
    }
    folds.extend(run.map(|span| Fold {
        span,
        comment: true,
    }));
    let lines = |fold: &Fold| {
        text.get(fold.span.range())
            .is_some_and(|part| part.contains('\n'))
    };
    folds.retain(lines);
    folds.sort_by_key(|fold| fold.span);
    folds
}

/// The spans around a byte, the innermost first: expressions, statements, items, the file.
pub fn selections(file: &File, offset: u32, length: u32) -> Vec<Span> {
    let covers = |span: &Span| span.start <= offset && offset <= span.end && span.file == file.file;
    let mut spans: Vec<Span> = file
        .exprs
        .iter()
        .map(|(_, expr)| expr.span)
        .filter(covers)
        .collect();
    for item in &file.items {
        spans.extend([item.span].iter().filter(|span| covers(span)));
        match &item.kind {
            ItemKind::Callable(callable) => {
                spans.extend(
                    callable
                        .body
                        .stmts
                        .iter()
                        .map(|stmt| stmt.span)
                        .filter(covers),
                );
                spans.extend(
                    [callable.body.span, callable.signature_span]
                        .iter()
                        .filter(|span| covers(span)),
                );
            }
            ItemKind::Schedule(schedule) => {
                let decisions = schedule.decisions.iter();
                spans.extend(
                    decisions
                        .map(|decision: &Decision| decision.span)
                        .filter(covers),
                );
            }
            ItemKind::Monoid(_)
            | ItemKind::Const(_)
            | ItemKind::Assert(_)
            | ItemKind::Use(_)
            | ItemKind::Error { .. } => {}
        }
    }
    spans.push(Span {
        file: file.file,
        start: 0,
        end: length,
    });
    spans.sort_by_key(|span| (span.end - span.start, span.start));
    spans.dedup();
    // Only those that contain one another: neighbours that touch the byte are not around it.
    let mut around: Vec<Span> = Vec::new();
    for span in spans {
        if around
            .last()
            .is_none_or(|inner| span.start <= inner.start && inner.end <= span.end)
        {
            around.push(span);
        }
    }
    around
}
