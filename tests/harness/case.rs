//! One data file: its text, its directives, its snapshot.

use std::fs;
use std::path::{Path, PathBuf};

/// A data file.
pub(crate) struct Case {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// What it holds.
    pub(crate) text: String,
}

impl Case {
    /// Reads a file.
    pub(crate) fn read(path: &str) -> Case {
        let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{path}: {e}"));
        Case {
            path: PathBuf::from(path),
            text,
        }
    }

    /// The values of the `//! key: value` lines at the top, in order. A key that is not in `known` is an error.
    pub(crate) fn directives<'a>(&'a self, key: &str, known: &[&str]) -> Vec<&'a str> {
        let lines = self
            .text
            .lines()
            .take_while(|line| line.is_empty() || line.starts_with("//"));
        let lines = lines
            .filter_map(|line| line.strip_prefix("//!"))
            .map(str::trim);
        let mut values = Vec::new();
        for line in lines {
            let (found, value) = line.split_once(':').unwrap_or((line, ""));
            assert!(
                known.contains(&found),
                "{}: unknown directive `{found}`",
                self.path.display()
            );
            if found == key {
                values.push(value.trim());
            }
        }
        values
    }

    /// The name of the file.
    pub(crate) fn name(&self) -> String {
        self.path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    }

    /// Compares with the snapshot beside the file.
    pub(crate) fn snapshot(&self, text: &str) {
        let folder = self
            .path
            .parent()
            .expect("a file is in a folder")
            .to_path_buf();
        let name = self.name();
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(folder);
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.set_input_file(relative(&self.path));
        settings.bind(|| insta::assert_snapshot!(name, normalised(text)));
    }
}

/// The folder of this package.
pub(crate) fn here() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    here()
        .parent()
        .expect("the package is in a folder")
        .to_path_buf()
}

/// A path from the root, with forward slashes.
pub(crate) fn relative(path: &Path) -> String {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let inside = path.strip_prefix(root()).unwrap_or(&path);
    inside.to_string_lossy().replace('\\', "/")
}

/// Text without what differs between machines: this build's version, where it lies, how fast it is, line endings.
pub(crate) fn normalised(text: &str) -> String {
    let root = root().to_string_lossy().into_owned();
    let text = text.replace("\r\n", "\n").replace(&root, "$ROOT");
    let text = text.replace(env!("CARGO_PKG_VERSION"), "$VERSION");
    let text = without_between(&text, " instructions in ", " on this host");
    without_between(&text, "\"host_seconds\":", "}")
}

/// Replaces what stands between two marks of one line by `…`.
fn without_between(text: &str, before: &str, after: &str) -> String {
    let line = |line: &str| {
        let Some((head, rest)) = line.split_once(before) else {
            return line.to_owned();
        };
        match rest.split_once(after) {
            Some((_, tail)) => format!("{head}{before}…{after}{tail}"),
            None => line.to_owned(),
        }
    };
    let mut lines: Vec<String> = text.lines().map(line).collect();
    if text.ends_with('\n') {
        lines.push(String::new());
    }
    lines.join("\n")
}
