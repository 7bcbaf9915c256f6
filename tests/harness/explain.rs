//! The pages of the codes: the failing example gives exactly that code, the mended ones give none.
//!
//! Examples in `vn`, `tile` and `vasm` are compiled, those of faults are run. `console` examples are command lines: each is run
//! in a folder with a few kernels of the library. `text` examples say in words what no text can do.

use std::fs;
use std::path::Path;

use super::case::{Case, root};
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
    for block in blocks(&case.text) {
        let fails = block.words.contains(&"fails");
        let Some(language) = block.words.first().copied() else {
            continue;
        };
        let folder = fresh_folder(&case.path);
        let said = match language {
            "vn" | "tile" | "vasm" => example(&code, language, &block.text, &folder),
            "console" => console(&block.text, &folder),
            _ => continue,
        };
        let codes = codes(&said);
        if fails {
            assert_eq!(codes, [code.as_str()], "{path}:\n{}\n{said}", block.text);
        } else {
            assert!(codes.is_empty(), "{path}:\n{}\n{said}", block.text);
        }
    }
}

/// Compiles an example; what the emulator finds, it finds when it runs.
fn example(code: &str, language: &str, text: &str, folder: &Path) -> String {
    let name = format!("example.{language}");
    fs::write(folder.join(&name), wrapped(language, text)).expect("ours");
    let directive = |key: &str| {
        let mut lines = text.lines();
        lines.find_map(|line| {
            line.strip_prefix("//! ")?
                .strip_prefix(key)?
                .strip_prefix(": ")
        })
    };
    let command = directive("command");
    let command = command.unwrap_or(match code.starts_with('F') {
        true => "vinci run",
        false => "vincic --emit=asm=-",
    });
    let words = command.split_whitespace();
    let words = words.chain([name.as_str(), "--error-format=json"]);
    let args = directive("args").unwrap_or_default();
    let words: Vec<&str> = words.chain(args.split_whitespace()).collect();
    command::run(folder, &words, b"").err
}

/// Runs a command line where a few files lie that pages speak of.
fn console(line: &str, folder: &Path) -> String {
    let copy = |from: &str, to: &str| {
        fs::copy(root().join(from), folder.join(to)).expect("the fixtures are there");
    };
    let gemm = fs::read_to_string(root().join("stdlib/kernels/gemm.vn")).expect("it is there");
    let small = gemm.replacen("M=1024 K=1024 N=1024", "M=4 K=5 N=6", 1);
    fs::write(folder.join("gemm.vn"), small).expect("ours");
    copy("tests/data/gemm_bias_gelu_17x33x65/a.npy", "a.npy");
    copy("tests/data/softmax_3x7_float32/x.npy", "float32.npy");
    copy("README.md", "README.md");
    copy("README.md", "README.md.vo");
    command::run(folder, &["vincic", "gemm.vn"], b"").expect_done();
    let fast = r#"{"rows":[{"kernel":"gemm","target":"910b2","opt":"O1","sizes":{"M":4,"K":5,"N":6},"cycles":9}]}"#;
    fs::write(folder.join("fast.json"), fast).expect("ours");
    let words = line.split_whitespace().chain(["--error-format=json"]);
    command::run(folder, &words.collect::<Vec<_>>(), b"").err
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
