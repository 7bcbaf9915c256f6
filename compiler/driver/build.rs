//! Tells the version which commit it was built from. Only optimised builds ask: the others would be built again with
//! every commit.

use std::env;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
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

/// What git answers; nothing without git or outside a repository.
fn git(args: &[&str]) -> Option<String> {
    let ran = Command::new("git").args(args).output().ok()?;
    let said = String::from_utf8(ran.stdout).ok()?.trim().to_owned();
    (ran.status.success() && !said.is_empty()).then_some(said)
}
