//! Files that a command leaves behind: written beside their place under another name, then renamed, so that nobody
//! ever sees half of one and an error leaves nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use diag::Diagnostic;

use crate::errors;

/// Writes a whole file.
pub(crate) fn write_file(path: &Path, shown: &str, bytes: &[u8]) -> Result<(), Diagnostic> {
    Staged::write(path, shown, bytes)?.keep()
}

/// A file that is written and has not its own name yet. It goes if it is dropped without being kept.
pub(crate) struct Staged {
    path: PathBuf,
    /// What the path is called in findings.
    shown: String,
    place: Place,
}

/// Where the bytes of a file are.
enum Place {
    /// In a file of another name.
    Beside(PathBuf),
    /// Still here: a device takes them when all else is well.
    Here(Vec<u8>),
    Kept,
}

impl Staged {
    /// Writes a file under another name.
    pub(crate) fn write(path: &Path, shown: &str, bytes: &[u8]) -> Result<Staged, Diagnostic> {
        let staged = |place: Place| Staged {
            path: path.to_owned(),
            shown: shown.to_owned(),
            place,
        };
        if !is_ordinary(path) {
            return Ok(staged(Place::Here(bytes.to_vec())));
        }
        let beside = temporary(path);
        unfinished().push(beside.clone());
        let written = fs::write(&beside, bytes);
        let staged = staged(Place::Beside(beside));
        match written {
            Ok(()) => Ok(staged),
            // The first failure is what matters; the file may not even exist.
            Err(e) => Err(errors::cannot_write(shown, &e)),
        }
    }

    /// Gives it its own name.
    pub(crate) fn keep(mut self) -> Result<(), Diagnostic> {
        let kept = match &self.place {
            Place::Beside(beside) => fs::rename(beside, &self.path),
            Place::Here(bytes) => fs::write(&self.path, bytes),
            Place::Kept => Ok(()),
        };
        kept.map_err(|e| errors::cannot_write(&self.shown, &e))?;
        if let Place::Beside(beside) = std::mem::replace(&mut self.place, Place::Kept) {
            unfinished().retain(|other| *other != beside);
        }
        Ok(())
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if let Place::Beside(beside) = &self.place {
            // It may not exist.
            let _ = fs::remove_file(beside);
            unfinished().retain(|other| other != beside);
        }
    }
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

/// Files that this process has written under other names: two outputs of one command may be called the same.
static COUNT: AtomicU64 = AtomicU64::new(0);

fn temporary(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    path.with_file_name(format!(".{name}.{}-{number}.part", std::process::id()))
}
