//! Texts of a length: kernels of the library, one behind another, and as much C and Python.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use syntax::ast::ItemKind;

/// A text that a server is asked about.
pub(crate) struct Text {
    pub(crate) language: String,
    pub(crate) file: PathBuf,
    pub(crate) text: String,
}

/// A place in a text, both from 0.
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// Kernels that stand first: the cost hints are those of the first.
const FIRST: [&str; 3] = ["gemm.vn", "softmax.vn", "layernorm.vn"];

/// Where the cursor stands for the cost hints: in the first kernel, before this.
const CURSOR: &str = "sum(k)";

impl Text {
    fn new(language: &str, name: &str, text: String) -> Text {
        let folder = std::env::temp_dir().join("vinci-lsp-bench");
        std::fs::create_dir_all(&folder).expect("a folder for texts");
        let file = folder.join(name);
        std::fs::write(&file, &text).expect("the text is written");
        Text {
            language: language.to_owned(),
            file,
            text,
        }
    }

    /// Ends of names all over the text.
    pub(crate) fn places(&self, count: usize) -> Vec<Place> {
        let names = self.text.lines().enumerate().filter_map(|(line, text)| {
            let text = text.trim_end();
            if !text.starts_with("    ") || text.trim_start().starts_with(['/', '#']) {
                return None;
            }
            // The first name of the line.
            let start = text.find(|c: char| c.is_ascii_alphabetic())?;
            let rest = &text[start..];
            let length = rest
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            Some(Place {
                line,
                column: start + length,
            })
        });
        let all: Vec<Place> = names.collect();
        let step = (all.len() / count).max(1);
        let mut places: Vec<Place> = all.into_iter().step_by(step).collect();
        while places.len() < count {
            let again = places.iter().map(|place| Place { ..*place });
            let again: Vec<Place> = again.take(count - places.len()).collect();
            places.extend(again);
        }
        places.truncate(count);
        places
    }

    /// In the first kernel.
    pub(crate) fn cursor(&self) -> Place {
        let at = self
            .text
            .find(CURSOR)
            .expect("the first kernel is a product");
        let before = &self.text[..at];
        Place {
            line: before.matches('\n').count(),
            column: at - before.rfind('\n').map_or(0, |at| at + 1),
        }
    }

    /// The cycles of the first kernel by `vinci run`.
    pub(crate) fn cycles(&self, vinci: &Path) -> u64 {
        let output = Command::new(vinci)
            .arg("run")
            .arg(&self.file)
            .args(["--report", "json", "--kernel", "gemm_0"])
            .output()
            .expect("`vinci run` runs");
        let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
        report["cycles"].as_u64().expect("cycles")
    }
}

/// Kernels of the library.
pub(crate) fn kernels(lines: usize) -> Text {
    let first = FIRST.iter().map(|name| library(name));
    let rest = stdlib::SOURCES.iter().filter(|(path, text)| {
        !FIRST.iter().any(|name| path.ends_with(name)) && !text.contains("\nuse ")
    });
    let files: Vec<&str> = first.chain(rest.map(|(_, text)| *text)).collect();
    let mut sizes: Vec<(&str, &str)> = Vec::new();
    for word in files.iter().flat_map(|text| shape(text)) {
        if let Some((name, value)) = word.split_once('=')
            && sizes.iter().all(|(known, _)| *known != name)
        {
            sizes.push((name, value));
        }
    }
    let sizes: Vec<String> = sizes
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let mut text = format!("//! shape: {}\n", sizes.join(" "));
    let mut count = text.lines().count();
    for (number, file) in files.iter().cycle().enumerate() {
        if count >= lines {
            break;
        }
        let part = numbered(file, number);
        count += part.lines().count();
        text.push_str(&part);
    }
    Text::new("vinci", &format!("kernels_{lines}.vn"), text)
}

fn library(name: &str) -> &'static str {
    let found = stdlib::SOURCES
        .iter()
        .find(|(path, _)| path.ends_with(name));
    found.map_or("", |(_, text)| text)
}

fn shape(text: &str) -> impl Iterator<Item = &str> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("//! shape:"));
    line.unwrap_or_default().split_whitespace()
}

/// A file of the library with a number behind each name that it declares, and without lines about the whole file.
fn numbered(text: &str, number: usize) -> String {
    let parsed = syntax::parse_kernel(diag::FileId(0), text);
    let names = parsed
        .file
        .items
        .iter()
        .filter_map(|item| match &item.kind {
            ItemKind::Callable(callable) => Some(callable.name.text.as_str()),
            ItemKind::Monoid(monoid) => Some(monoid.name.text.as_str()),
            ItemKind::Const(constant) => Some(constant.name.text.as_str()),
            ItemKind::Assert(_)
            | ItemKind::Use(_)
            | ItemKind::Schedule(_)
            | ItemKind::Error { .. } => None,
        });
    let names: Vec<&str> = names.collect();
    let mut out = String::new();
    let lines = text.lines().filter(|line| !line.starts_with("//!"));
    for line in lines {
        let mut rest = line;
        while let Some(start) = rest.find(|c: char| c.is_ascii_alphabetic() || c == '_') {
            let (before, word) = rest.split_at(start);
            let length = word
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .unwrap_or(word.len());
            out.push_str(before);
            out.push_str(&word[..length]);
            if names.contains(&&word[..length]) && !line.trim_start().starts_with("//") {
                out.push_str(&format!("_{number}"));
            }
            rest = &word[length..];
        }
        out.push_str(rest);
        out.push('\n');
    }
    out
}

/// C functions.
pub(crate) fn c(lines: usize) -> Text {
    let one = |number: usize| {
        format!(
            "/* Row by row. */\nstatic void scale_{number}(const float *a, float *b, int rows, int columns) {{\n    for (int r = 0; r < rows; r++) {{\n        float top = a[r * columns];\n        for (int c = 1; c < columns; c++) {{\n            top = a[r * columns + c] > top ? a[r * columns + c] : top;\n        }}\n        for (int c = 0; c < columns; c++) {{\n            b[r * columns + c] = a[r * columns + c] / top;\n        }}\n    }}\n}}\n\n"
        )
    };
    let text: String = (0..lines.div_ceil(13)).map(one).collect();
    Text::new("c", &format!("peer_{lines}.c"), text)
}

/// Python functions.
pub(crate) fn python(lines: usize) -> Text {
    let one = |number: usize| {
        format!(
            "def scale_{number}(a, b, rows, columns):\n    \"\"\"Row by row.\"\"\"\n    for r in range(rows):\n        top = a[r * columns]\n        for c in range(1, columns):\n            top = max(top, a[r * columns + c])\n        for c in range(columns):\n            b[r * columns + c] = a[r * columns + c] / top\n\n\n"
        )
    };
    let text: String = (0..lines.div_ceil(10)).map(one).collect();
    Text::new("python", &format!("peer_{lines}.py"), text)
}
