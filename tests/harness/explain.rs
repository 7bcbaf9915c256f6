//! The pages of the codes: the failing example gives exactly that code, the mended ones give none.
//!
//! Examples in `vn`, `tile` and `vasm` are run. `console` examples are command lines, which `cli` tests; the examples of faults
//! say in words what a program would have to do.

use super::case::Case;
use super::cli::fresh_folder;
use super::command;

/// Runs the examples of a page.
pub(crate) fn check(path: &str) {
    let case = Case::read(path);
    let code = case
        .path
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    for (at, block) in blocks(&case.text).into_iter().enumerate() {
        let fails = block.words.contains(&"fails");
        let Some(language @ ("vn" | "tile" | "vasm")) = block.words.first().copied() else {
            continue;
        };
        if code.starts_with('F') {
            continue;
        }
        let name = format!("example{at}.{language}");
        let folder = fresh_folder(&case.path);
        std::fs::write(folder.join(&name), wrapped(language, &block.text)).expect("ours");
        let args = block
            .text
            .lines()
            .find_map(|line| line.strip_prefix("//! args:"));
        let words: Vec<&str> = ["vincic", &name, "--error-format=json", "--emit=asm=-"]
            .into_iter()
            .chain(args.unwrap_or_default().split_whitespace())
            .collect();
        let ran = command::run(&folder, &words, b"");
        let codes = codes(&ran.err);
        if fails {
            assert_eq!(
                codes,
                [code.as_str()],
                "{path}:\n{}\n{}",
                block.text,
                ran.err
            );
        } else {
            assert!(codes.is_empty(), "{path}:\n{}\n{}", block.text, ran.err);
        }
    }
}

struct Block<'a> {
    words: Vec<&'a str>,
    text: String,
}

fn blocks(page: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(info) = line.strip_prefix("```") else {
            continue;
        };
        let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        blocks.push(Block {
            words: info.split(',').collect(),
            text: body.join("\n") + "\n",
        });
    }
    blocks
}

/// A line of assembly needs a section around it; a kernel without a shape line gets sizes.
fn wrapped(language: &str, text: &str) -> String {
    match language {
        "vasm" if !text.contains(".aic") && !text.contains(".aiv") => {
            format!(".chip 910b2\n.kernel example\n.aic\n{text}")
        }
        "vn" if !text.contains("//! shape:") => format!("{}{text}", sizes(text)),
        _ => text.to_owned(),
    }
}

/// A shape line that gives every size variable of the first kernel 64.
fn sizes(text: &str) -> String {
    let generics = text.split_once("kernel ").and_then(|(_, rest)| {
        let head = rest.split_once('(')?.0;
        Some(head.split_once('<')?.1.trim_end_matches('>'))
    });
    let names = generics.unwrap_or_default().split(',').map(str::trim);
    let names = names.filter(|name| !name.is_empty() && !name.contains(':'));
    let sizes: Vec<String> = names
        .map(|name| format!("{}=64", name.trim_start_matches("const ")))
        .collect();
    if sizes.is_empty() {
        String::new()
    } else {
        format!("//! shape: {}\n", sizes.join(" "))
    }
}

fn codes(lines: &str) -> Vec<String> {
    let code = |line: &str| -> String {
        let value: serde_json::Value =
            serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"));
        value["code"]["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let mut codes: Vec<String> = lines.lines().map(code).collect();
    codes.dedup();
    codes
}
