//! What the renderers write for usual and for hostile diagnostics.

use super::*;
use crate::codes;
use crate::span::{FileId, Span};

fn sample() -> (SourceMap, Diagnostic) {
    let mut sources = SourceMap::new();
    let file = sources.add("g.vn", "let c = sum(k) a[k] * b[k];\n");
    let diagnostic = Diagnostic::new(codes::E0304, "index `k` has two sizes")
        .primary(Span::new(file, 24..25), "48 here")
        .label(Span::new(file, 17..18), "64 here")
        .note("`a` is f32[64]")
        .help("pad the smaller operand");
    (sources, diagnostic)
}

#[test]
fn text_has_code_labels_and_notes() {
    let (sources, diagnostic) = sample();
    let text = render_text(&[diagnostic], &sources, false);
    let expected = "\
error[E0304]: index `k` has two sizes
  --> g.vn:1:25
  |
1 | let c = sum(k) a[k] * b[k];
  |                  -      ^ 48 here
  |                  |
  |                  64 here
  |
  = note: `a` is f32[64]
  = help: pad the smaller operand

";
    assert_eq!(text, expected);
}

#[test]
fn color_changes_escapes_only() {
    let (sources, diagnostic) = sample();
    let colored = render_text(std::slice::from_ref(&diagnostic), &sources, true);
    assert!(colored.contains("\u{1b}["));
    assert!(colored.contains("two sizes"));
}

#[test]
fn a_fix_is_shown_as_lines_before_and_after() {
    let mut sources = SourceMap::new();
    let file = sources.add("g.vn", "a\nlet c = 5.;\nd\n");
    let found = Diagnostic::new(codes::E0107, "malformed number")
        .primary(Span::new(file, 10..12), "")
        .fix("add a zero", Span::new(file, 12..12), "0");
    let text = render_text(&[found], &sources, false);
    assert!(
        text.ends_with("= help: add a zero\n  |\n2 - let c = 5.;\n2 + let c = 5.0;\n\n"),
        "{text}"
    );
}

#[test]
fn long_lines_are_cut_round_the_label() {
    let mut sources = SourceMap::new();
    let line = format!("{} = wrong + {};\n", "x".repeat(100), "y".repeat(100));
    let file = sources.add("g.vn", format!("short\n{line}"));
    let found = Diagnostic::new(codes::E0201, "unknown name `wrong`")
        .primary(Span::new(file, 109..114), "not found");
    let look = Look {
        color: false,
        columns: Some(60),
    };
    let text = render_text_as(&[found], &sources, look);
    let shown: Vec<&str> = text.lines().collect();
    assert_eq!(shown[1], "  --> g.vn:2:104");
    assert!(
        shown[3].starts_with("2 | …xxx") && shown[3].ends_with("yyy…"),
        "{text}"
    );
    assert!(
        text.lines().all(|line| line.chars().count() <= 60),
        "{text}"
    );
    let caret = |line: &str, c: char| line.chars().position(|other| other == c);
    assert_eq!(caret(shown[4], '^'), caret(shown[3], 'w'), "{text}");
}

#[test]
fn short_form_is_one_line_in_source_order() {
    let (sources, diagnostic) = sample();
    let first =
        Diagnostic::new(codes::E0201, "unknown name `q`").primary(Span::new(FileId(0), 4..5), "");
    let nowhere = Diagnostic::new(codes::E0707, "unknown target `x`");
    let text = render_short(&[nowhere, diagnostic, first], &sources);
    let expected = "\
g.vn:1:5: error[E0201]: unknown name `q`
g.vn:1:25: error[E0304]: index `k` has two sizes
error[E0707]: unknown target `x`
";
    assert_eq!(text, expected);
}

#[test]
fn summary_counts_and_names_the_page() {
    let (_, diagnostic) = sample();
    let one = render_summary(std::slice::from_ref(&diagnostic));
    let expected = "error: aborting due to previous error\n\n\
        For more information about this error, try `vincic --explain E0304`.\n";
    assert_eq!(one, expected);
    let other = Diagnostic::new(codes::E0201, "unknown name `q`");
    let two = render_summary(&[diagnostic, other]);
    assert!(two.starts_with("error: aborting due to 2 previous errors\n"));
    assert!(two.contains("explanations: E0201, E0304.\n"));
    assert_eq!(render_summary(&[]), "");
}

#[test]
fn json_has_the_keys_of_rustc() {
    let (sources, diagnostic) = sample();
    let line = render_json(&diagnostic, &sources);
    assert!(!line.contains('\n'));
    let value: serde_json::Value = serde_json::from_str(&line).expect("is JSON");
    assert_eq!(value["$message_type"], "diagnostic");
    assert_eq!(value["code"]["code"], "E0304");
    assert_eq!(value["level"], "error");
    let span = &value["spans"][0];
    assert_eq!(span["byte_start"], 24);
    assert_eq!(span["column_start"], 25);
    assert_eq!(span["column_end"], 26);
    assert_eq!(span["is_primary"], true);
    assert_eq!(span["text"][0]["highlight_start"], 25);
    assert_eq!(value["children"][1]["level"], "help");
}

#[test]
fn no_span_makes_a_renderer_fail() {
    let mut sources = SourceMap::new();
    let text = "\u{feff}a·\u{1b}\u{9b}b\r\n\t𝄞\n";
    let file = sources.add("odd", text);
    let empty = sources.add("empty", "");
    for file in [file, empty, FileId(7), FileId(u32::MAX)] {
        for start in 0..text.len() as u32 + 3 {
            for end in [0, 1, start, start + 1, start + 9, u32::MAX] {
                let span = Span { file, start, end };
                let d = Diagnostic::new(codes::E0101, "odd\nplace")
                    .primary(span, "here\nand there")
                    .label(Span::NONE, "nowhere")
                    .label(Span { end: start, ..span }, "")
                    .fix("mend", span, "x");
                let text = render_text(std::slice::from_ref(&d), &sources, false);
                assert!(!text.contains('\u{1b}') && !text.contains('\u{9b}'));
                render_json(&d, &sources);
                render_short(std::slice::from_ref(&d), &sources);
            }
        }
    }
}
