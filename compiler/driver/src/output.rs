//! Files that a command leaves behind: written beside their place under another name, then renamed, so that nobody
//! ever sees half of one and an error leaves nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use diag::Diagnostic;

use crate::errors;

/// Writes a whole file.
pub(crate) fn write_file(path: &Path, shown: &str, bytes: &[u8]) -> Result<(), Diagnostic> {
    let failed = |e: std::io::Error| errors::cannot_write(shown, &e);
    if !is_ordinary(path) {
        return fs::write(path, bytes).map_err(failed);
    }
    let beside = temporary(path);
    unfinished().push(beside.clone());
    let result = fs::write(&beside, bytes).and_then(|()| fs::rename(&beside, path));
    unfinished().retain(|other| *other != beside);
    result.map_err(|e| {
        // The first failure is what matters; the file may not even exist.
        let _ = fs::remove_file(&beside);
        failed(e)
    })
}

/// Files that are being written under their other name.
static UNFINISHED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn unfinished() -> MutexGuard<'static, Vec<PathBuf>> {
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes what is being written: the process ends now.
pub(crate) fn abandon() {
    for path in unfinished().drain(..) {
        // It may not exist yet.
        let _ = fs::remove_file(path);
    }
}

/// Whether renaming onto the path is right: not for devices and pipes such as `/dev/null`.
fn is_ordinary(path: &Path) -> bool {
    fs::metadata(path).map_or(true, |found| found.is_file())
}

fn temporary(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}.part", std::process::id()))
}
