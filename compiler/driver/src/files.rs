//! What the extension of a file says, and what an output is called if nobody names it.

use std::path::Path;

use diag::Diagnostic;

use crate::errors;

/// Forms of a kernel in files.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// `.vn`: the language.
    Kernel,
    /// `.tile`: the tile form.
    Tile,
    /// `.vasm`: assembly.
    Assembly,
    /// `.vo`: an object.
    Object,
}

impl Form {
    const ALL: [Form; 4] = [Form::Kernel, Form::Tile, Form::Assembly, Form::Object];

    /// The extension without its dot.
    pub(crate) const fn extension(self) -> &'static str {
        match self {
            Form::Kernel => "vn",
            Form::Tile => "tile",
            Form::Assembly => "vasm",
            Form::Object => "vo",
        }
    }

    /// The form of a path; standard input holds the language.
    pub(crate) fn of(path: &str) -> Result<Form, Diagnostic> {
        if path == "-" {
            return Ok(Form::Kernel);
        }
        let extension = Path::new(path).extension().unwrap_or_default();
        let form = Form::ALL
            .into_iter()
            .find(|form| extension == form.extension());
        form.ok_or_else(|| errors::unknown_extension(path, "`.vn`, `.tile`, `.vasm`, `.vo`"))
    }
}

impl Form {
    /// Refuses a file that has another form; standard input has the one that is asked for.
    pub(crate) fn demand(self, path: &str) -> Result<(), Diagnostic> {
        if path == "-" || Form::of(path) == Ok(self) {
            return Ok(());
        }
        let wanted = format!("`.{}`", self.extension());
        Err(errors::unknown_extension(path, &wanted))
    }
}

/// The stem of a path; standard input has none and is called `out`.
pub(crate) fn stem(path: &str) -> String {
    let stem = Path::new(path)
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy();
    if path == "-" || stem.is_empty() {
        "out".to_owned()
    } else {
        stem.into_owned()
    }
}

/// The file in the current folder that has the input's name and the form's extension, as rustc names its outputs.
pub(crate) fn beside_nothing(input: &str, form: Form) -> String {
    format!("{}.{}", stem(input), form.extension())
}
