//! What editors are told: names, facts, outlines.

use diag::{FileId, SourceMap};
use syntax::parse_kernel;

use crate::ide::{DefKind, facts, folds, names, outline, selections};
use crate::{Prelude, Sources, check};

const TEXT: &str = "\
/// Twice.
fn twice(x: f32) -> f32 { 2.0 * x }

kernel k<M, N, T: float>(a: T[M, N], b: f32[N]) -> y: f32[M, N] {
    let s[m] = sum(n where n < 3) twice(a[m, n] as f32) * b[n];
    let t[m, n]: f32 = s[m] + b[n];
    y[m, n] = t[m, n];
}

schedule k for 910b2 {
    grid m: 128;
    place t in ub;
}
";

/// Checks the text, with the prelude, and gives the words at which a name stands with `kind name → line of the declaration`.
fn resolved(text: &str) -> Vec<String> {
    let mut sources = SourceMap::new();
    let main = parse_kernel(sources.add("main.vn", text), text).file;
    let prelude = parse_kernel(
        sources.add("prelude.vn", stdlib::PRELUDE.1),
        stdlib::PRELUDE.1,
    )
    .file;
    let prelude = Prelude::new(prelude);
    let names = names(&Sources {
        main: &main,
        prelude: Some(&prelude),
        library: &[],
    });
    let place = |found: &crate::ide::Use| {
        let def = names.def(found.def);
        assert_eq!(&text[found.span.range()], def.name, "the word is the name");
        let (line, _) = sources.line_col(found.span.file, found.span.range().start);
        let (to, _) = sources.line_col(def.span.file, def.span.range().start);
        let mark = if found.defines { "=" } else { "" };
        let from = if def.span.file == FileId(0) {
            ""
        } else {
            "prelude "
        };
        format!("{line} {:?} {}{mark} {from}{to}", def.kind, def.name)
    };
    names.uses.iter().map(place).collect()
}

#[test]
fn every_name_finds_its_declaration() {
    let found = resolved(TEXT);
    let on = |line: &str| -> Vec<&str> {
        let start = format!("{line} ");
        let on = found.iter().filter_map(|found| found.strip_prefix(&start));
        on.collect()
    };
    assert_eq!(on("2"), ["Function twice= 2", "Param x= 2", "Param x 2"]);
    assert_eq!(
        on("5"),
        [
            "Local s= 5",
            "Index m= 5",
            "Index n= 5",
            "Index n 5",
            "Function twice 2",
            "Param a 4",
            "Index m 5",
            "Index n 5",
            "Param b 4",
            "Index n 5"
        ]
    );
    assert_eq!(
        on("7"),
        [
            "Result y= 4",
            "Index m= 7",
            "Index n= 7",
            "Local t 6",
            "Index m 7",
            "Index n 7"
        ]
    );
    assert_eq!(on("11"), ["Index m 5"]);
    assert_eq!(on("12"), ["Local t 6"]);
    let prelude = resolved("kernel k<M>(x: f32[M]) -> y: f32[M] { y[m] = gelu(x[m]); }");
    assert!(
        prelude
            .iter()
            .any(|found| found.contains("Function gelu prelude"))
    );
}

#[test]
fn records_know_their_fields() {
    let found = resolved(
        "monoid add { s: f32 = 0.0; merge(p, q) { { s: p.s + q.s } } block<J>(x: f32[J]) { { s: sum(j) x[j] } } }
kernel k<M, N>(x: f32[M, N]) -> y: f32[M] { let st[m] = fold(n) add(x[m, n]); y[m] = st[m].s; }",
    );
    let fields = found.iter().filter(|found| found.contains("Field s"));
    assert_eq!(fields.count(), 6, "{found:?}");
}

#[test]
fn renaming_takes_the_schedule_along() {
    let main = parse_kernel(FileId(0), TEXT).file;
    let names = names(&Sources {
        main: &main,
        prelude: None,
        library: &[],
    });
    let at = |word: &str| {
        names
            .at(TEXT.find(word).expect("there") as u32)
            .expect("a name")
            .def
    };
    let index = at("m] = sum");
    assert_eq!(names.def(index).kind, DefKind::Index);
    assert_eq!(names.together(index).len(), 3, "one a definition");
    assert_eq!(
        names.together(at("n where")).len(),
        1,
        "no schedule names it"
    );
}

#[test]
fn types_and_sizes_are_told() {
    let main = parse_kernel(FileId(0), TEXT).file;
    let checked = check(&Sources {
        main: &main,
        prelude: None,
        library: &[],
    });
    let facts = facts(&checked);
    let of = |word: &str| {
        let start = TEXT.find(word).expect("there") as u32;
        let fact = facts
            .iter()
            .find(|fact| fact.span.start == start && fact.kind.is_some());
        fact.map(crate::ide::Fact::text)
    };
    assert_eq!(of("s[m] = sum").as_deref(), Some("f32[M]"));
    assert_eq!(of("a: T").as_deref(), Some("T[M, N]"));
    assert_eq!(of("n where").as_deref(), Some("N"));
}

#[test]
fn outline_folds_and_selections() {
    let parsed = parse_kernel(FileId(0), TEXT);
    let lines = outline(&parsed.file);
    let names: Vec<&str> = lines.iter().map(|line| line.name.as_str()).collect();
    assert_eq!(names, ["twice", "k", "k"]);
    assert_eq!(lines[1].children.len(), 3);
    assert_eq!(folds(&parsed.file, &parsed.comments, TEXT).len(), 2);
    let offset = TEXT.find("n] as").expect("there") as u32;
    let spans = selections(&parsed.file, offset, TEXT.len() as u32);
    let parts: Vec<&str> = spans.iter().map(|span| &TEXT[span.range()]).collect();
    assert_eq!(parts[..2], ["n", "a[m, n]"]);
    assert_eq!(parts.last(), Some(&TEXT));
}

#[test]
fn damaged_texts_have_names_too() {
    for cut in (0..TEXT.len()).filter(|&at| TEXT.is_char_boundary(at)) {
        let found = resolved(&TEXT[..cut]);
        assert!(found.len() < 60);
    }
}
