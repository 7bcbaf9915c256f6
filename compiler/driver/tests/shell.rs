//! Transcripts of the real binaries in a real shell: `tests/shell/*.txt`, each with its snapshot beside it.
//!
//! Each `$ LINE` is run by `sh` in a folder of the file's own, where `vinci` and `vincic` are on the path and nothing in the
//! environment changes what they print. The snapshot has the status of the line, standard output and standard error;
//! escapes are shown as `␛`. `#`, `copy PATH`, `file NAME` … `end` and `< TEXT` are as in `tests/cli`.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

#[test]
fn transcripts() {
    let folder = root().join("tests/shell");
    let entries = fs::read_dir(&folder).expect("the transcripts are there");
    let mut files: Vec<PathBuf> = entries.map(|e| e.expect("readable").path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "txt"));
    files.sort();
    for path in files {
        check(&path);
    }
}

fn check(path: &Path) {
    let text = fs::read_to_string(path).expect("readable");
    let stem = path.file_stem().expect("a file").to_string_lossy();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("shell_{stem}"));
    // It is there only if the test ran before.
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("cargo's folder for tests can be written");
    let mut transcript = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(command) = line.strip_prefix("$ ") {
            let given = std::iter::from_fn(|| lines.next_if(|next| next.starts_with("< ")));
            let given: Vec<&str> = given.map(|line| &line[2..]).collect();
            let ran = run(command, &folder, &given.join("\n"));
            describe(command, &ran, &mut transcript);
        } else if let Some(copied) = line.strip_prefix("copy ") {
            let name = Path::new(copied).file_name().expect("a file is copied");
            fs::copy(root().join(copied), folder.join(name)).expect("there is such a file");
        } else if let Some(name) = line.strip_prefix("file ") {
            let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "end").collect();
            fs::write(folder.join(name), body.join("\n") + "\n").expect("the folder is ours");
        } else {
            let known = line.is_empty() || line.starts_with('#');
            assert!(known, "{}: `{line}` is no directive", path.display());
        }
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(path.parent().expect("a file is in a folder"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let name = path
        .file_name()
        .expect("a file")
        .to_string_lossy()
        .into_owned();
    settings.bind(|| insta::assert_snapshot!(name, normalised(&transcript)));
}

fn run(command: &str, folder: &Path, input: &str) -> Output {
    let binaries = Path::new(env!("CARGO_BIN_EXE_vinci"))
        .parent()
        .expect("a folder");
    let paths = std::env::var("PATH").unwrap_or_default();
    let mut child = Command::new("sh")
        .args(["-c", command])
        .current_dir(folder)
        .env_clear()
        .env("PATH", format!("{}:{paths}", binaries.display()))
        .env("TERM", "xterm")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("there is a shell");
    let mut stdin = child.stdin.take().expect("it is piped");
    // A command that reads nothing may be gone already.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().expect("it ends")
}

fn describe(command: &str, ran: &Output, transcript: &mut String) {
    let status = ran
        .status
        .code()
        .map_or("by a signal".to_owned(), |code| code.to_string());
    writeln!(transcript, "$ {command}\n[status {status}]").expect("strings take all");
    for (name, stream) in [("out", &ran.stdout), ("err", &ran.stderr)] {
        if !stream.is_empty() {
            let text = String::from_utf8_lossy(stream);
            writeln!(transcript, "---- {name}\n{}", text.trim_end()).expect("strings take all");
        }
    }
    transcript.push('\n');
}

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here
        .ancestors()
        .nth(2)
        .expect("the package is two folders down");
    root.to_path_buf()
}

/// Text without what differs between machines and builds.
fn normalised(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\u{1b}', "␛");
    let text = text.replace(&root().to_string_lossy().into_owned(), "$ROOT");
    let text = text.replace(env!("CARGO_PKG_VERSION"), "$VERSION");
    let lines: Vec<String> = text.lines().map(line).collect();
    lines.join("\n") + "\n"
}

/// What a line says of time, process and commit is replaced by `…`.
fn line(text: &str) -> String {
    let mut text = text.to_owned();
    for (before, after) in [
        (" instructions in ", " on this host"),
        ("\"host_seconds\":", ","),
        ("\"gflops\":", "}"),
        ("-ice-", ".txt"),
    ] {
        if let Some((head, rest)) = text.split_once(before)
            && let Some((_, tail)) = rest.split_once(after)
        {
            text = format!("{head}{before}…{after}{tail}");
        }
    }
    for key in ["commit-hash: ", "commit-date: ", "host: "] {
        if text.starts_with(key) {
            text = format!("{key}…");
        }
    }
    text
}
