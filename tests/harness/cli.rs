//! Transcripts: each `$ command` of a `.txt` file runs in a fresh folder; the snapshot holds what it said.
//!
//! Lines that begin with `#` are comments, `copy PATH` brings a file of the repository into the folder, `file NAME`
//! begins a file that goes up to a line `end`, and `< TEXT` lines after a command are its standard input.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use super::case::{Case, relative, root};
use super::command;

/// Runs the transcript of a file.
pub(crate) fn check(path: &str) {
    let case = Case::read(path);
    let folder = fresh_folder(&case.path);
    let mut transcript = String::new();
    let mut lines = case.text.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(command) = line.strip_prefix("$ ") {
            let given = std::iter::from_fn(|| lines.next_if(|next| next.starts_with("< ")));
            let given: Vec<&str> = given.map(|line| &line[2..]).collect();
            transcript.push_str(&run(command, &folder, &given.join("\n")));
        } else if let Some(copied) = line.strip_prefix("copy ") {
            copy(copied, &folder);
        } else if let Some(name) = line.strip_prefix("file ") {
            let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "end").collect();
            let path = folder.join(name);
            let parent = path.parent().expect("it lies in the folder");
            fs::create_dir_all(parent).expect("the folder is ours");
            fs::write(path, body.join("\n") + "\n").expect("the folder is ours");
        } else {
            assert!(
                line.is_empty() || line.starts_with('#'),
                "{path}: `{line}` is no directive"
            );
        }
    }
    case.snapshot(&transcript);
}

fn run(command: &str, folder: &Path, input: &str) -> String {
    let words: Vec<&str> = command.split_whitespace().collect();
    let ran = command::run(folder, &words, input.as_bytes());
    let mut text = format!("$ {command}\n[status {}]\n", ran.status.code());
    for (name, stream) in [("out", ran.text()), ("err", ran.err)] {
        if !stream.is_empty() {
            writeln!(text, "---- {name}\n{}", stream.trim_end()).expect("strings take all");
        }
    }
    text.push('\n');
    text
}

/// An empty folder of this test's own.
pub(crate) fn fresh_folder(case: &Path) -> PathBuf {
    let name = relative(case).replace(['/', '.'], "_");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    // It is there only if the test ran before.
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("cargo's folder for tests can be written");
    folder
}

fn copy(from: &str, folder: &Path) {
    let source = root().join(from);
    let name = source.file_name().expect("a file is copied");
    fs::copy(&source, folder.join(name)).unwrap_or_else(|e| panic!("{from}: {e}"));
}
