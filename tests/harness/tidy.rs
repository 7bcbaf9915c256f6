//! House rules that a compiler does not check: file headers, no `unwrap` in pure crates, every code and every instruction
//! tested, no orphan.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::case::{here, relative, root};
use super::command;

/// Crates that never panic on input.
const PURE: [&str; 7] = [
    "isa/src",
    "emulator/src",
    "compiler/diag/src",
    "compiler/syntax/src",
    "compiler/ir/src",
    "compiler/frontend/src",
    "compiler/backend/src",
];

/// Codes that no file of this folder can make come out, and why.
const WITHOUT_CASE: &[(&str, &str)] = &[
    (
        "E0503",
        "every target has every element type and instruction that compiles so far",
    ),
    ("E0709", "only a wrong compiler makes it come out"),
    (
        "F0007",
        "an object is decoded when it is read, so a word that is none is E0603",
    ),
];

#[test]
fn tidy_every_source_file_says_what_it_owns() {
    for path in sources() {
        let text = read(&path);
        let first = text
            .lines()
            .find(|line| !line.trim().is_empty())
            .unwrap_or_default();
        assert!(
            first.starts_with("//!"),
            "{} has no header",
            relative(&path)
        );
    }
}

#[test]
fn tidy_pure_crates_never_unwrap() {
    for folder in PURE {
        for path in files(&root().join(folder), "rs") {
            let name = relative(&path);
            if name.contains("/tests/") || name.ends_with("/tests.rs") {
                continue;
            }
            let text = read(&path);
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            let line = code
                .lines()
                .position(|l| l.contains(".unwrap()") && !is_comment(l));
            assert!(
                line.is_none(),
                "{name}:{}: unwrap in a pure crate",
                line.unwrap_or(0) + 1
            );
        }
    }
}

#[test]
fn tidy_no_leftovers() {
    // Put together here, so that this file passes its own test.
    let note = ["TO", "DO"].concat();
    let numbered = format!("{note}(#");
    let stubs = [["todo", "!("], ["unimplemented", "!("], ["#[", "ignore"]].map(|w| w.concat());
    for path in sources() {
        let name = relative(&path);
        for (line, text) in (1..).zip(read(&path).lines()) {
            let todo = text.contains(&note) && !text.contains(&numbered);
            let stub = stubs.iter().any(|w| text.contains(w));
            assert!(!todo && !stub, "{name}:{line}: {text}");
        }
    }
}

#[test]
fn tidy_every_code_has_a_case() {
    let mut said = String::new();
    for folder in ["ui", "cli", "shell"] {
        for extension in ["vn", "txt", "snap"] {
            for path in files(&here().join(folder), extension) {
                said.push_str(&read(&path));
            }
        }
    }
    for path in files(&root().join("emulator/tests"), "rs") {
        said.push_str(&read(&path));
    }
    let excused: BTreeSet<&str> = WITHOUT_CASE.iter().map(|(code, _)| *code).collect();
    let missing: Vec<String> = diag::codes::ALL
        .iter()
        .map(ToString::to_string)
        .filter(|code| !said.contains(code.as_str()) && !excused.contains(code.as_str()))
        .collect();
    assert!(missing.is_empty(), "codes without a case: {missing:?}");
}

/// How many codes of errors and faults must come out of a wrong program of `ui`.
const LEAST_ANNOUNCED: usize = 60;

/// Each announcement of a file in `ui` comes true, or its test fails; so what is announced there is tested.
#[test]
fn tidy_sixty_codes_have_a_page_and_a_wrong_program() {
    let mut announced = BTreeSet::new();
    for extension in ["vn", "tile", "vasm"] {
        for path in files(&here().join("ui"), extension) {
            let text = read(&path);
            let marks = text.lines().filter_map(|line| line.split_once("//~"));
            for (_, mark) in marks {
                let words = mark.trim_start_matches(['^', '?']);
                announced.extend(words.split_whitespace().next().map(str::to_owned));
            }
        }
    }
    let counted: Vec<&str> = (diag::codes::ALL.iter())
        .map(|code| code.as_str())
        .filter(|code| code.starts_with(['E', 'F']) && announced.contains(*code))
        .filter(|code| {
            let page = format!("compiler/diag/explain/{code}.md");
            root().join(page).is_file()
        })
        .collect();
    let count = counted.len();
    assert!(count >= LEAST_ANNOUNCED, "only {count}: {counted:?}");
}

#[test]
fn tidy_every_instruction_has_a_case() {
    for info in isa::inst::INFO {
        let (pipe, mnemonic) = (info.pipe.name(), info.mnemonic);
        let path = here().join(format!("asm/{pipe}/{mnemonic}.vasm"));
        assert!(
            path.is_file(),
            "`{mnemonic}` needs a test asm/{pipe}/{mnemonic}.vasm"
        );
        let text = read(&path);
        let uses = |line: &str| {
            let word = line.split_whitespace().next().unwrap_or_default();
            word.split('.').next() == Some(mnemonic)
        };
        assert!(
            text.lines().any(uses),
            "{} does not use `{mnemonic}`",
            relative(&path)
        );
    }
}

#[test]
fn tidy_our_own_kernels_are_formatted() {
    let folders = [
        "stdlib",
        "tests/kernels",
        "tests/tile",
        "tests/passes",
        "tests/asm",
    ];
    let words = ["vinci", "fmt", "--check"].iter().chain(&folders);
    let words: Vec<&str> = words.copied().collect();
    let text = command::run(&root(), &words, b"").text();
    assert_eq!(text, "", "`vinci fmt` would change this");
}

#[test]
fn tidy_no_snapshot_without_its_file() {
    for folder in [here(), root().join("stdlib/kernels")] {
        for snapshot in files(&folder, "snap") {
            let of = snapshot.with_extension("");
            assert!(of.is_file(), "{} belongs to nothing", relative(&snapshot));
        }
    }
}

#[test]
fn tidy_the_top_level_is_as_drawn() {
    const KNOWN: [&str; 10] = [
        "ARCHITECTURE.md",
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE",
        "README.md",
        "compiler",
        "emulator",
        "isa",
        "stdlib",
        "tests",
    ];
    for entry in fs::read_dir(root()).expect("the root is readable") {
        let name = entry
            .expect("readable")
            .file_name()
            .to_string_lossy()
            .into_owned();
        let known =
            KNOWN.contains(&name.as_str()) || name.starts_with('.') || name.starts_with("target");
        assert!(known, "`{name}` is new at the top level");
    }
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}

/// Every source file of the workspace.
fn sources() -> Vec<PathBuf> {
    let folders = ["isa", "emulator", "stdlib/src", "compiler", "tests"];
    folders
        .iter()
        .flat_map(|folder| files(&root().join(folder), "rs"))
        .collect()
}

/// Every file below a folder with that extension, in order.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else {
        return found;
    };
    let mut entries: Vec<PathBuf> = entries
        .map(|entry| entry.expect("readable").path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            if path.file_name().is_none_or(|name| name != "target") {
                found.extend(files(&path, extension));
            }
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    found
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}
