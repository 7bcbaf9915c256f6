//! Decisions of a tree as decisions with numbers.

use diag::{Diagnostic, Span};
use ir::schedule::{
    Block, Compare, Decision, DecisionKind, Expectation, Group, Name, Number, Schedule,
};
use syntax::ast;

use super::eval::Sizes;
use super::not_applied;
use crate::errors::schedule as errors;

type Result<T> = std::result::Result<T, Box<Diagnostic>>;

/// The largest size of a block or number of copies that a schedule may name.
const LARGEST: i128 = 1 << 24;

/// What a contract can measure.
const MEASURES: [&str; 3] = ["utilization", "hbm", "cycles"];

/// A whole schedule.
pub(super) fn schedule(tree: &ast::Schedule, span: Span, sizes: &Sizes<'_>) -> Result<Schedule> {
    let mut schedule = Schedule {
        target: tree.target.as_ref().map(|target| name(&target.name)),
        decisions: Vec::new(),
        expects: Vec::new(),
        span,
    };
    for one in &tree.decisions {
        if let Some((word, span)) = not_applied(one) {
            return Err(Box::new(crate::errors::resolve::schedule_not_applied(
                word, span,
            )));
        }
        if let ast::DecisionKind::Expect(all) = &one.kind {
            for expectation in all {
                schedule.expects.push(expect(expectation, sizes)?);
            }
        } else if let Some(kind) = decision(one, sizes)? {
            let span = one.span;
            schedule.decisions.push(Decision { kind, span });
        }
    }
    Ok(schedule)
}

fn decision(one: &ast::Decision, sizes: &Sizes<'_>) -> Result<Option<DecisionKind>> {
    Ok(Some(match &one.kind {
        ast::DecisionKind::Grid { blocks: all, order } => DecisionKind::Grid {
            blocks: blocks(all, sizes)?,
            order: order.map(|order| self::order(order, sizes)).transpose()?,
        },
        ast::DecisionKind::Stream {
            blocks: all,
            inside,
            clauses,
        } => stream(all, inside.as_ref(), clauses, sizes)?,
        ast::DecisionKind::Place { groups, depth } => DecisionKind::Place {
            groups: groups.iter().map(place).collect(),
            depth: depth.map(|depth| number(depth, sizes)).transpose()?,
        },
        ast::DecisionKind::Engine { names: all, engine } => DecisionKind::Engine {
            group: Group {
                names: names(all),
                word: Some(name(engine)),
            },
        },
        ast::DecisionKind::Fuse {
            names: all,
            at,
            engine,
        } => DecisionKind::Fuse {
            group: Group {
                names: names(all),
                word: engine.as_ref().map(name),
            },
            at: names(at),
        },
        ast::DecisionKind::Keep(all) => DecisionKind::Keep { names: names(all) },
        ast::DecisionKind::Split {
            block: one,
            across,
            merge,
        } => DecisionKind::Split {
            block: block(one, sizes)?,
            across: name(across),
            merge: merge.as_ref().map(name),
        },
        ast::DecisionKind::Pad { name: of, to } => DecisionKind::Pad {
            name: name(of),
            to: number(*to, sizes)?,
        },
        // Reported by the parser, or by the caller.
        ast::DecisionKind::Error
        | ast::DecisionKind::Pack { .. }
        | ast::DecisionKind::Recompute(_)
        | ast::DecisionKind::Unroll(_)
        | ast::DecisionKind::SkipWhere(_)
        | ast::DecisionKind::Workspace(_)
        | ast::DecisionKind::Expect(_) => return Ok(None),
    }))
}

fn stream(
    all: &[ast::Block],
    inside: Option<&ast::Block>,
    clauses: &[ast::StreamClause],
    sizes: &Sizes<'_>,
) -> Result<DecisionKind> {
    let (mut places, mut depth) = (Vec::new(), None);
    for clause in clauses {
        match clause {
            ast::StreamClause::Place(groups) => places.extend(groups.iter().map(place)),
            ast::StreamClause::Depth(copies) => depth = Some(number(*copies, sizes)?),
            // Refused before.
            ast::StreamClause::Skew(_) => {}
        }
    }
    Ok(DecisionKind::Stream {
        blocks: blocks(all, sizes)?,
        inside: inside.map(|inside| block(inside, sizes)).transpose()?,
        places,
        depth,
    })
}

/// `row`, `swizzle(4)`, `?`.
fn order(id: ast::ExprId, sizes: &Sizes<'_>) -> Result<(Name, Option<Number>)> {
    let span = sizes.file.exprs.span(id);
    let kind = sizes.file.exprs.kind(id);
    if let Some(word) = kind.as_name() {
        let text = word.to_owned();
        return Ok((Name { text, span }, None));
    }
    if let ast::ExprKind::Call { callee, args } = kind
        && let [argument] = args.as_slice()
    {
        return Ok((name(callee), Some(number(argument.value, sizes)?)));
    }
    if matches!(kind, ast::ExprKind::Hole) {
        let text = "?".to_owned();
        return Ok((Name { text, span }, None));
    }
    Err(errors::no_order(span))
}

fn blocks(all: &[ast::Block], sizes: &Sizes<'_>) -> Result<Vec<Block>> {
    all.iter().map(|one| block(one, sizes)).collect()
}

fn block(one: &ast::Block, sizes: &Sizes<'_>) -> Result<Block> {
    let (def, index) = match &one.index {
        Some(index) => (Some(one.name.text.clone()), index.text.clone()),
        None => (None, one.name.text.clone()),
    };
    Ok(Block {
        def,
        index,
        size: number(one.size, sizes)?,
        span: one.span,
    })
}

/// A size from 1 on, or `?`.
fn number(id: ast::ExprId, sizes: &Sizes<'_>) -> Result<Number> {
    let span = sizes.file.exprs.span(id);
    if matches!(sizes.file.exprs.kind(id), ast::ExprKind::Hole) {
        return Ok(Number { value: None, span });
    }
    let value = sizes.value(id)?;
    match i64::try_from(value) {
        Ok(size) if (1..=LARGEST).contains(&value) => Ok(Number {
            value: Some(size),
            span,
        }),
        Ok(_) | Err(_) => Err(errors::out_of_range(value, LARGEST, span)),
    }
}

fn name(of: &ast::Name) -> Name {
    Name {
        text: of.text.clone(),
        span: of.span,
    }
}

fn names(all: &[ast::Name]) -> Vec<Name> {
    all.iter().map(name).collect()
}

fn place(group: &ast::PlaceGroup) -> Group {
    Group {
        names: names(&group.names),
        word: group.space.as_ref().map(name),
    }
}

fn expect(one: &ast::Expectation, sizes: &Sizes<'_>) -> Result<Expectation> {
    let exprs = &sizes.file.exprs;
    let place = exprs.span(one.measure);
    let measure = exprs.kind(one.measure).as_name().unwrap_or_default();
    if !MEASURES.contains(&measure) {
        return Err(errors::unknown_measure(place, &MEASURES));
    }
    let op = match one.op {
        ast::BinaryOp::Lt => Compare::Less,
        ast::BinaryOp::Le => Compare::AtMost,
        ast::BinaryOp::Gt => Compare::Greater,
        ast::BinaryOp::Ge => Compare::AtLeast,
        ast::BinaryOp::Add
        | ast::BinaryOp::Sub
        | ast::BinaryOp::Mul
        | ast::BinaryOp::Div
        | ast::BinaryOp::Rem
        | ast::BinaryOp::Pow
        | ast::BinaryOp::Eq
        | ast::BinaryOp::Ne
        | ast::BinaryOp::And
        | ast::BinaryOp::Or => return Err(errors::no_bound(one.span)),
    };
    let (value, of_ideal) = bound(one.bound, sizes)?;
    let percent = if one.percent { 100.0 } else { 1.0 };
    Ok(Expectation {
        measure: measure.to_owned(),
        op,
        bound: value / percent,
        of_ideal,
        span: one.span,
    })
}

/// A number, or a number times `ideal`.
fn bound(id: ast::ExprId, sizes: &Sizes<'_>) -> Result<(f64, bool)> {
    let exprs = &sizes.file.exprs;
    let id = exprs.unparen(id);
    let span = exprs.span(id);
    let kind = exprs.kind(id);
    if let ast::ExprKind::Float(text) = kind {
        let value = text.parse().map_err(|_| errors::no_bound(span))?;
        return Ok((value, false));
    }
    if kind.as_name() == Some("ideal") {
        return Ok((1.0, true));
    }
    if let ast::ExprKind::Binary {
        op: ast::BinaryOp::Mul,
        lhs,
        rhs,
        ..
    } = kind
    {
        let ((a, one), (b, other)) = (bound(*lhs, sizes)?, bound(*rhs, sizes)?);
        return match one && other {
            true => Err(errors::no_bound(span)),
            false => Ok((a * b, one || other)),
        };
    }
    // Sizes below 2^53 are exact.
    Ok((sizes.value(id)? as f64, false))
}
