//! What is correct parses without a word, to the tree that was meant.

use super::{findings, parse};
use crate::ast::{BinaryOp, ExprKind, ItemKind, StmtKind};
use crate::{CommentKind, print_ast};

const CORPUS: &str = include_str!("corpus.vn");

#[test]
fn the_corpus_parses_without_diagnostics() {
    assert_eq!(findings(CORPUS), Vec::<String>::new());
}

#[test]
fn what_is_printed_parses_to_the_same_text() {
    let printed = print_ast(&parse(CORPUS).file);
    assert_eq!(findings(&printed), Vec::<String>::new());
    let again = print_ast(&parse(&printed).file);
    assert_eq!(printed, again);
    assert!(printed.contains("let e[r, c] = exp(x[r, c] - top[r]);\n"));
    assert!(printed.contains("max(p: 2, q: 2 where q <= p) x[2 * i + p, 2 * j + q];\n"));
    assert!(printed.contains("st[h, i] = fold(j) attend<D>(s[h, i, j], v[h, j, :]);\n"));
    assert!(printed.contains("expect utilization >= 80%, hbm <= 1.10 * ideal, time < 20us;\n"));
    assert!(printed.contains("schedule attention for \"910premium-a\" {\n"));
}

#[test]
fn directives_docs_and_comments_are_kept() {
    let parsed = parse(CORPUS);
    let directives = parsed.file.directives.iter();
    let directives: Vec<_> = directives
        .map(|d| (d.key.as_str(), d.value.as_str()))
        .collect();
    assert_eq!(
        directives,
        [("shape", "M=4 N=5 K=6"), ("check-with", "seed 7")]
    );
    let docs = &parsed.file.items[0].docs;
    assert_eq!(
        docs,
        &["y = gelu(a·b + bias)", "", "With a second paragraph."]
    );
    assert!(parsed.file.items[1].docs.is_empty());
    let count = |kind| parsed.comments.iter().filter(|c| c.kind == kind).count();
    assert_eq!(count(CommentKind::Inner), 3);
    assert_eq!(count(CommentKind::Doc), 3);
    assert_eq!(count(CommentKind::Line), 2);
}

/// The expression of `const c = …;` with all parentheses written.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the operators alone matter here"
)]
fn shape(expr: &str) -> String {
    let parsed = parse(&format!("const c = {expr};"));
    assert!(
        parsed.diagnostics.is_empty(),
        "{expr}: {:?}",
        parsed.diagnostics
    );
    let ItemKind::Const(constant) = &parsed.file.items[0].kind else {
        panic!("{expr} is not the value of a constant");
    };
    // Every node is put in brackets, from the innermost outwards.
    let exprs = &parsed.file.exprs;
    let mut texts: Vec<String> = Vec::new();
    for (_, node) in exprs.iter() {
        let of = |id: &crate::ast::ExprId| texts[id.0 as usize].clone();
        texts.push(match &node.kind {
            ExprKind::Name(text) => text.clone(),
            ExprKind::Int(value) => value.to_string(),
            ExprKind::Binary { op, lhs, rhs, .. } => {
                format!("[{} {} {}]", of(lhs), op.as_str(), of(rhs))
            }
            ExprKind::Unary { op, operand } => format!("[{}{}]", op.as_str(), of(operand)),
            ExprKind::Cast { value, cast } => format!("[{} as {}]", of(value), cast.to.text),
            ExprKind::Reduce { op, body, .. } => format!("[{} {}]", op.as_str(), of(body)),
            ExprKind::If {
                condition,
                then,
                otherwise,
            } => {
                format!("[{} ? {} : {}]", of(condition), of(then), of(otherwise))
            }
            other => {
                let mut text = String::new();
                other.operands(|id| text += &of(&id));
                text
            }
        });
    }
    texts[constant.value.0 as usize].clone()
}

#[test]
fn operators_bind_as_the_table_says() {
    for (text, meant) in [
        ("a + b * c", "[a + [b * c]]"),
        ("a - b - c", "[[a - b] - c]"),
        ("a ^ b ^ c", "[a ^ [b ^ c]]"),
        ("-a ^ b", "[-[a ^ b]]"),
        ("-a as t * b", "[[[-a] as t] * b]"),
        ("a * b as t", "[a * [b as t]]"),
        ("a < b && c == d || e", "[[[a < b] && [c == d]] || e]"),
        ("!a && b", "[[!a] && b]"),
        ("if a then b else c + d", "[a ? b : [c + d]]"),
        ("(sum(k) a * b as t) + c", "[[sum [a * [b as t]]] + c]"),
        ("sum(k) max(j) a / -b", "[sum [max [a / [-b]]]]"),
        ("sum(k) if a then b else c + d", "[sum [a ? b : [c + d]]]"),
    ] {
        assert_eq!(shape(text), meant, "{text}");
    }
}

#[test]
fn calls_and_reductions_are_told_apart() {
    let parsed =
        parse("fn f(a: f32) -> f32 { let m = max(a, b); let n = max(i) x[i]; max(m, n) - 1.0 }");
    assert!(parsed.diagnostics.is_empty());
    let ItemKind::Callable(f) = &parsed.file.items[0].kind else {
        panic!("not a function");
    };
    let kind = |i: usize| {
        let StmtKind::Let { value, .. } = &f.body.stmts[i].kind else {
            panic!("statement {i} is not a let");
        };
        parsed.file.exprs.kind(*value)
    };
    assert!(matches!(kind(0), ExprKind::Call { .. }));
    assert!(matches!(kind(1), ExprKind::Reduce { .. }));
    let tail = f.body.tail.map(|t| parsed.file.exprs.kind(t));
    assert!(matches!(
        tail,
        Some(ExprKind::Binary {
            op: BinaryOp::Sub,
            ..
        })
    ));
}

#[test]
fn bytes_before_and_between_lines_do_not_matter() {
    let text = "\u{feff}//! shape: M=4\r\n/// doc\r\nkernel k<M>(x: f32[M]) -> y: f32[M] {\r\n    y = x;\r\n}\r\n";
    let parsed = parse(text);
    assert!(parsed.diagnostics.is_empty());
    assert_eq!(parsed.file.directives[0].value, "M=4");
    assert_eq!(parsed.file.items[0].docs, ["doc"]);
}
