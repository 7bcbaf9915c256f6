//! No text makes the parser panic, hang or overflow its stack.

use super::parse;
use crate::ast::{ExprKind, MAX_DEPTH};
use crate::print_ast;

/// A small generator with fixed seeds: xorshift.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n as u64).expect("smaller than n")
    }
}

/// Parses, prints and renders a text, and checks what holds for every tree.
fn survive(text: &str) {
    let parsed = parse(text);
    print_ast(&parsed.file);
    let mut depths: Vec<u32> = Vec::new();
    for (id, node) in parsed.file.exprs.iter() {
        let mut depth = 0;
        node.kind.operands(|operand| {
            assert!(operand < id, "operands come first");
            depth = depth.max(depths[operand.0 as usize]);
        });
        depths.push(depth + 1);
        assert!(depth < MAX_DEPTH, "no expression is too deep");
        assert!(node.span.range().end <= text.len());
        assert!(text.is_char_boundary(node.span.range().start));
    }
    let mut sources = diag::SourceMap::new();
    sources.add("t", text);
    let shown = &parsed.diagnostics[..parsed.diagnostics.len().min(5)];
    diag::render_text(shown, &sources, false);
}

const WORDS: &[&str] = &[
    "pub",
    "kernel",
    "fn",
    "monoid",
    "schedule",
    "tile",
    "use",
    "const",
    "let",
    "assert",
    "where",
    "when",
    "if",
    "then",
    "else",
    "as",
    "for",
    "in",
    "true",
    "false",
    "sum",
    "max",
    "fold",
    "scan",
    "order",
    "round",
    "merge",
    "block",
    "grid",
    "stream",
    "place",
    "expect",
    "inf",
    "x",
    "y",
    "M",
    "1",
    "2.5",
    "1e-5",
    "192KiB",
    "\"s\"",
    "\"",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ";",
    ":",
    "::",
    ".",
    "..",
    "->",
    "=",
    "==",
    "!=",
    "<",
    "<=",
    ">",
    "+",
    "-",
    "*",
    "/",
    "%",
    "^",
    "!",
    "&&",
    "||",
    "?",
    "@",
    "&",
    "// c\n",
    "/// d\n",
    "//! k: v\n",
    "/*",
    "*/",
    "é",
    "\u{feff}",
    "\r\n",
    "1.",
];

#[test]
fn soups_of_tokens() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..3000 {
        let length = random.below(60);
        let words: Vec<_> = (0..length)
            .map(|_| WORDS[random.below(WORDS.len())])
            .collect();
        survive(&words.join(if random.below(2) == 0 { " " } else { "" }));
    }
}

#[test]
fn soups_of_bytes() {
    let mut random = Random(0x1234_5678_9abc_def1);
    for _ in 0..3000 {
        let length = random.below(80);
        let bytes: Vec<u8> = (0..length)
            .map(|_| random.next().to_le_bytes()[3])
            .collect();
        survive(&String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn damaged_kernels() {
    let corpus = include_str!("corpus.vn");
    let ends: Vec<usize> = corpus.char_indices().map(|(at, _)| at).collect();
    let mut random = Random(0xfeed_beef_cafe_d00d);
    for _ in 0..400 {
        let from = ends[random.below(ends.len())];
        let to = corpus.floor_char_boundary((from + random.below(30)).min(corpus.len()));
        let word = WORDS[random.below(WORDS.len())];
        survive(&format!(
            "{}{word}{}",
            &corpus[..from],
            &corpus[to.max(from)..]
        ));
    }
    for end in ends.iter().step_by(7) {
        survive(&corpus[..*end]);
    }
}

#[test]
fn bombs() {
    let many = 20_000;
    for (opening, closing) in [
        ("(", ")"),
        ("[", "]"),
        ("x[", "]"),
        ("f(", ")"),
        ("-", ""),
        ("!", ""),
        ("- !", ""),
        ("if a then ", ""),
        ("if ", ""),
        ("if a then b else ", ""),
        ("sum(k) ", ""),
        ("max(", ")"),
        ("a ^ ", ""),
        ("a ^ -", ""),
        ("(x else ", ")"),
        ("a + ", ""),
        ("a < ", ""),
        ("a || b && c == d + e * -(", ")"),
        ("{", "}"),
        ("}", ""),
        (")", ""),
        ("a as t ", ""),
        ("@ ", ""),
        (";", ""),
        ("x ", ""),
        ("let ", ""),
        ("y = sum(i); ", ""),
        ("a.", ""),
        ("x, ", ""),
        ("1 ", ""),
        ("pub ", ""),
        ("kernel ", ""),
        ("\"", ""),
        ("/*", ""),
        ("?", ""),
        ("[:", "]"),
    ] {
        for tail in [
            String::new(),
            closing.repeat(many),
            ")".repeat(many),
            "@ 1 ".repeat(many),
            ";".to_owned(),
        ] {
            let text = format!(
                "kernel k(x: f32) -> y: f32 {{ y = {}{tail}; }}\nconst c = 1;",
                opening.repeat(many)
            );
            let parsed = parse(&text);
            let made = parsed.file.exprs.len() + parsed.diagnostics.len();
            assert!(
                made <= text.len(),
                "{opening:?} then {:?}: {made} nodes and findings",
                tail.get(..2)
            );
        }
    }
}

#[test]
fn nesting_is_reported_once_and_at_the_limit() {
    let nested = |n: usize| {
        let text = format!(
            "const c = {}1{};\nconst d = 2;",
            "(".repeat(n),
            ")".repeat(n)
        );
        let parsed = parse(&text);
        let codes: Vec<_> = parsed.diagnostics.iter().map(|d| d.code).collect();
        (codes, parsed.file.items.len())
    };
    assert_eq!(nested(255), (vec![], 2));
    assert_eq!(nested(256), (vec![diag::codes::E0104], 2));
    assert_eq!(nested(257), (vec![diag::codes::E0104], 2));
    assert_eq!(nested(100_000), (vec![diag::codes::E0104], 2));
    let chain = format!("const c = 1{};", " + 1".repeat(100_000));
    let parsed = parse(&chain);
    assert_eq!(parsed.diagnostics.len(), 1);
    let errors = parsed
        .file
        .exprs
        .iter()
        .filter(|(_, e)| matches!(e.kind, ExprKind::Error));
    assert!(errors.count() > 1000);
    let calls = format!(
        "const c = {};",
        "f(1, -2, a^3) * (".repeat(50) + "1" + &")".repeat(50)
    );
    assert!(parse(&calls).diagnostics.is_empty());
    let flat = format!("const c = f({});", "-a^2, ".repeat(5000));
    assert!(parse(&flat).diagnostics.is_empty());
}

#[test]
fn a_large_file_parses_whole() {
    let kernel = "\
/// doc
pub kernel gemm<M, K, N>(a: f16[M, K], b: f16[K, N], bias: f32[N]) -> y: f16[M, N] {
    let acc[m, n]: f32 = sum(k) a[m, k] * b[k, n];
    let t[m, n] = if acc[m, n] > 0.0 then acc[m, n] else 0.0;
    let u[m, n] = max(t[m, n], bias[n]) - (sum(k) t[m, k] * 2.0);
    y[m, n] = gelu(u[m, n] + bias[n]) as f16;
}

";
    let text = kernel.repeat(10_000 / 8);
    let parsed = parse(&text);
    assert!(parsed.diagnostics.is_empty());
    assert_eq!(parsed.file.items.len(), 10_000 / 8);
}
