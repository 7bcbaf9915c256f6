//! Parsing again after an edit gives what parsing the whole text gives.

use std::path::Path;

use super::parse;
use crate::{Parsed, edit, parse_again};

/// What may be written over a few characters.
const PIECES: [&str; 22] = [
    "",
    "",
    "",
    "x",
    "x",
    "[",
    "}",
    "{",
    "é",
    "\n",
    "sum(k) ",
    "let ",
    "kernel ",
    ";",
    "/*",
    "*/",
    "\"",
    "as f16",
    "..",
    "(",
    "// ",
    "assert 1 == 1; ",
];

fn library() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../stdlib/kernels");
    let names = [
        "gemm.vn",
        "softmax.vn",
        "layernorm.vn",
        "attention.vn",
        "conv2d.vn",
        "rope.vn",
        "elementwise.vn",
    ];
    let texts = names
        .iter()
        .map(|name| std::fs::read_to_string(folder.join(name)));
    let texts: String = texts.map(Result::unwrap_or_default).collect();
    // Most edits should be in bodies: only some comments stay.
    let lines = texts.split_inclusive('\n').enumerate();
    let kept = lines.filter(|(number, line)| !line.starts_with("//") || number % 7 == 0);
    kept.map(|(_, line)| line).collect()
}

fn shown(parsed: &Parsed) -> String {
    format!("{parsed:?}")
}

/// A small generator with a fixed seed.
fn draw(state: &mut u64, below: usize) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    usize::try_from(*state % below.max(1) as u64).expect("below a size")
}

#[test]
fn the_result_is_that_of_the_whole_text() {
    let library = library();
    let mut text = library.clone();
    let mut parsed = parse(&text);
    let mut state = 88_172_645_463_325_252;
    let mut taken = 0;
    let edits = 300;
    for number in 0..edits {
        if number % 4 == 0 {
            text.clone_from(&library);
            parsed = parse(&text);
        }
        let old = text.clone();
        let marks: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        let start = draw(&mut state, marks.len());
        let end = (start + draw(&mut state, 4)).min(marks.len() - 1);
        let piece = PIECES[draw(&mut state, PIECES.len())];
        text.replace_range(marks[start]..marks[end], piece);
        let again = edit(&parsed.file, &old, &text)
            .is_some_and(|edit| parse_again(&mut parsed, &edit, &text));
        let fresh = parse(&text);
        if again {
            taken += 1;
            assert!(
                shown(&parsed) == shown(&fresh),
                "edit {number}: `{piece}` at {start}:\n{text}"
            );
        } else {
            parsed = fresh;
        }
    }
    assert!(
        taken * 3 > edits,
        "only {taken} of {edits} edits inside of bodies"
    );
}
