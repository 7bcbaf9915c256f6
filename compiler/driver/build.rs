//! Tells the version which commit it was built from, and the cache of schedules which sources the search is made of. Only
//! optimised builds ask for the commit: the others would be built again with every one.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// What a search depends on besides the kernel and the chip, beside this package.
const SEARCH: [&str; 5] = [
    "../ir/src",
    "../backend/src",
    "../search/src",
    "../../isa/src",
    "../../emulator/src",
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-env=VINCI_SEARCH={:016x}", sources());
    if env::var("OPT_LEVEL").is_ok_and(|level| level == "0") {
        return;
    }
    let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]) else {
        return;
    };
    println!("cargo::rerun-if-changed={log}");
    if let (Some(commit), Some(date)) = (
        git(&["rev-parse", "--short=9", "HEAD"]),
        git(&["log", "-1", "--format=%cs"]),
    ) {
        println!("cargo::rustc-env=VINCI_COMMIT={commit}");
        println!("cargo::rustc-env=VINCI_COMMIT_DATE={date}");
    }
}

/// A number for the contents of everything that decides what a search finds (FNV-1a).
fn sources() -> u64 {
    let mut files = Vec::new();
    for folder in SEARCH {
        println!("cargo::rerun-if-changed={folder}");
        list(Path::new(folder), &mut files);
    }
    files.sort();
    let texts = files.iter().filter_map(|file| fs::read(file).ok());
    texts.flatten().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// The files below a folder.
fn list(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => list(&path, files),
            false => files.push(path),
        }
    }
}

/// What git answers; nothing without git or outside a repository.
fn git(args: &[&str]) -> Option<String> {
    let ran = Command::new("git").args(args).output().ok()?;
    let said = String::from_utf8(ran.stdout).ok()?.trim().to_owned();
    (ran.status.success() && !said.is_empty()).then_some(said)
}
