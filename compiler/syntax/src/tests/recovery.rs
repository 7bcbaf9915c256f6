//! One mistake costs one diagnostic and at most its own item.

use super::{findings, in_body, parse};
use crate::ast::{ItemKind, StmtKind};

#[test]
fn five_mistakes_in_seven_kernels_are_five_diagnostics() {
    let text = "\
kernel a<M>(x: f32[M]) -> y: f32[M] { y[i] = x[i]; }
kernel b<M>(x: f32[M]) -> y: f32[M] {
    let t[i] = x[i]
    y[i] = t[i];
}
kernel c<M>(x: f32[M]) -> y: f32[M] { y[i] = (x[i] + 1.0; }
kernel d<M>(x: f32[M]) -> y: f32[M] { let = 1; y[i] = x[i]; }
kernel e<M>(x: f32[M]) -> y: f32[M] { y[i] = x[i] + * 2.0; }
kernel f<M>(x: f32[M]) -> y: f32[M] { y[i] = x[i];
kernel g<M>(x: f32[M]) -> y: f32[M] { y[i] = x[i]; }
";
    let expected = [
        "3:20 E0101 expected `;` or an operator, found `y`",
        "6:46 E0103 unclosed `(`",
        "7:43 E0101 expected a name, found `=`",
        "8:53 E0101 expected an expression, found `*`",
        "9:37 E0103 unclosed `{`",
    ];
    assert_eq!(findings(text), expected);
    let items = parse(text).file.items;
    assert_eq!(items.len(), 7);
    let names: Vec<_> = items
        .iter()
        .map(|i| i.name().map(|n| n.text.clone()))
        .collect();
    assert_eq!(names[5].as_deref(), Some("f"));
    assert!(matches!(items[5].kind, ItemKind::Error { .. }));
    assert!(matches!(items[6].kind, ItemKind::Callable(_)));
}

#[test]
fn statements_around_a_mistake_are_kept() {
    let text = "kernel k<M>(x: f32[M]) -> y: f32[M] {
        let a = 1;
        let b = 2
        let c = @;
        assert M > ;
        y[i] = x[i];
        let z = 3
    }
    const D = 4;";
    assert_eq!(findings(text).len(), 4);
    let parsed = parse(text);
    let ItemKind::Callable(k) = &parsed.file.items[0].kind else {
        panic!("the kernel is kept");
    };
    let kept = |s: &&crate::ast::Stmt| !matches!(s.kind, StmtKind::Error);
    assert_eq!(k.body.stmts.iter().filter(kept).count(), 2);
    assert!(k.body.has_errors());
    assert_eq!(parsed.file.items.len(), 2);
}

#[test]
fn a_mistake_in_a_signature_costs_that_item_only() {
    for signature in [
        "kernel k<M>(x f32[M]) -> y: f32[M]",
        "kernel k<M(x: f32[M]) -> y: f32[M]",
        "kernel k<const>(x: f32) -> y: f32",
        "kernel (x: f32) -> y: f32",
        "kernel k(x: f32) y: f32",
        "kernel k(x: f32) -> y: f32 where",
        "fn sum(x: f32) -> f32",
        "fn k(<const S>x: f32) -> f32",
        "monoid m<D",
        "schedule k when",
        "pub pub fn k() -> f32",
    ] {
        let body = "{ assert M > 0; let a = b; y[i] = x[i]; }";
        let text = format!("const A = 1;\n{signature} {body}\nconst B = 2;");
        let found = findings(&text);
        assert_eq!(found.len(), 1, "{signature}: {found:?}");
        let items = parse(&text).file.items;
        let constants = items
            .iter()
            .filter(|i| matches!(i.kind, ItemKind::Const(_)));
        assert_eq!(constants.count(), 2, "{signature}");
    }
}

#[test]
fn mistakes_in_monoids_and_schedules_cost_their_member() {
    let monoid = "monoid m {
        a f32 = 0;
        merge(p, q) { let x = 1 let y = 2; { a: p.a + } }
        block<J>(s: f32[J]) { let x = 1; { a: } }
    }
    const B = 2;";
    assert_eq!(findings(monoid).len(), 4, "{:?}", findings(monoid));
    let schedule = "schedule k for 910b2 {
        grid m 128;
        stream k: 64;
        frobnicate k: 3;
        place a in l1
    }
    const B = 2;";
    assert_eq!(findings(schedule).len(), 3, "{:?}", findings(schedule));
    assert_eq!(parse(schedule).file.items.len(), 2);
}

#[test]
fn every_syntax_code_is_reached() {
    for (body, expected) in [
        ("y = x x;", "E0101 expected `;` or an operator, found `x`"),
        (
            "y = x + sum(k) x[k];",
            "E0101 expected `;` or an operator, found `x`",
        ),
        ("y = ?;", "E0101 `?` stands in a schedule only"),
        (
            "y = sum(2 * i) x[i];",
            "E0101 expected the name of an index",
        ),
        (
            "y = scan(i, plus) x[i];",
            "E0101 expected a reduction, found `plus`",
        ),
        ("y = x @ 2.0;", "E0102 unknown token `@`"),
        (
            "y = x /* twice */ + x;",
            "E0102 the language has no block comments",
        ),
        ("y = (x;", "E0103 unclosed `(`"),
        (
            "y[i = x;",
            "E0101 expected `,`, `]` or an operator, found `=`",
        ),
        (
            "y = if x < 1 < 2 then x else x;",
            "E0105 comparisons do not chain",
        ),
        ("y = sum(i);", "E0106 reduction `sum` has no body"),
        ("y = max(i: 2) + 1;", "E0106 reduction `max` has no body"),
        (
            "y = sum(i) -x[i];",
            "E0106 the body of reduction `sum` begins with `-`",
        ),
        (
            "y = max(i, j) -x[i, j] * 2;",
            "E0106 the body of reduction `max` begins with `-`",
        ),
        (
            "y[i] = if x[i] > 0.0 { x[i] } else { 0.0 };",
            "E0108 `if` chooses between two values, without braces",
        ),
        ("y = x * 2x;", "E0107 malformed number `2x`"),
        (
            "y = x * 1.;",
            "E0107 number with no digits behind its point",
        ),
    ] {
        assert_eq!(in_body(body), [expected], "{body}");
    }
    assert_eq!(in_body("y = max(a, b) - x[i];"), Vec::<String>::new());
    let big = format!("y = {};", "9".repeat(60));
    assert_eq!(in_body(&big), ["E0107 integer has too many digits"]);
    assert_eq!(
        findings("const a = \"x;"),
        ["1:11 E0103 string without an end"]
    );
}

#[test]
fn a_loop_of_another_language_is_one_mistake() {
    let text = "kernel k<M>(x: f32[M]) -> y: f32[M] {
        for i in 0..3 { y[i] = x[i]; }
        let t = 2;
    }
    const D = 4;";
    assert_eq!(findings(text), ["2:9 E0108 there are no loops"]);
    assert_eq!(parse(text).file.items.len(), 2);
}

#[test]
fn advice_fits_the_mistake() {
    for (text, advice) in [
        ("kernel k(x: f32) -> f32 { y = x; }", "have names"),
        ("fn f() -> f32 { 1 + if a then b else c }", "parentheses"),
        ("fn f() -> f32 { 1 + sum(k) x[k] }", "parentheses"),
        ("fn f() -> f32 { x[i] else 0 }", "a border is written"),
        ("fn f() -> f32 { let if = 1; 2 }", "`if` is a reserved word"),
        (
            "fn f() -> f32 { while a { 1 } 2 }",
            "runs over its whole extent",
        ),
        ("schedule k { streem k: 64; }", "did you mean `stream`?"),
        ("fn f() -> f32 { a & b }", "`&&` joins booleans"),
    ] {
        let found = parse(text).diagnostics;
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        let notes = found[0].notes.iter();
        assert!(
            notes.map(|n| n.text.as_str()).any(|n| n.contains(advice)),
            "{text}: {found:?}"
        );
    }
}

#[test]
fn many_mistakes_end_the_reading_of_a_file() {
    let found = parse(&format!("fn f() -> f32 {{ {} 1 }}", "; ".repeat(1000))).diagnostics;
    assert_eq!(found.len(), 200);
    assert_eq!(found[199].notes.len(), 1);
}

#[test]
fn the_fix_for_a_negated_body_is_the_parentheses() {
    let text = "fn f(x: f32) -> f32 { max(i, j) -x[i, j] }";
    let found = parse(text).diagnostics;
    let fix = found[0].fix.as_ref().expect("there is a fix");
    let (span, replacement) = &fix.edits[0];
    let mut fixed = text.to_owned();
    fixed.replace_range(span.range(), replacement);
    assert_eq!(fixed, "fn f(x: f32) -> f32 { max(i, j) (-x[i, j]) }");
    assert!(parse(&fixed).diagnostics.is_empty());
}

#[test]
fn the_pages_of_syntax_codes_show_what_they_say() {
    for code in diag::codes::ALL
        .iter()
        .filter(|c| c.as_str().starts_with("E01"))
    {
        let mut blocks = diag::explain(*code).split("```vn");
        let text = |block: Option<&str>| {
            let block = block.expect("two examples");
            let (_, body) = block.split_once('\n').expect("a fence ends its line");
            body.split("```").next().unwrap_or("").to_owned()
        };
        blocks.next();
        let failing = parse(&text(blocks.next())).diagnostics;
        assert_eq!(failing.len(), 1, "{code}: {failing:?}");
        assert_eq!(failing[0].code, *code);
        let fixed = parse(&text(blocks.next())).diagnostics;
        assert!(fixed.is_empty(), "{code}: {fixed:?}");
    }
}

#[test]
fn the_vn_examples_of_all_pages_are_syntactically_correct() {
    for code in diag::codes::ALL
        .iter()
        .filter(|c| !c.as_str().starts_with("E01"))
    {
        for block in diag::explain(*code).split("```vn").skip(1) {
            let Some((",fails" | "", body)) = block.split_once('\n') else {
                continue;
            };
            let body = body.split("```").next().unwrap_or("");
            assert!(
                parse(body).diagnostics.is_empty(),
                "{code}: {:?}",
                findings(body)
            );
        }
    }
}
