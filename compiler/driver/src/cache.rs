//! Schedules that a search has found, kept between runs: a file each, by kernel, sizes, chip and compiler.
//!
//! A file that cannot be read or written is no mistake: the search is made again. Nothing here changes a result, because
//! a search finds the same whenever it is made.

use std::path::{Path, PathBuf};
use std::{env, fs};

use backend::Schedule;
use diag::SourceMap;
use ir::algo::{self, Func};

use crate::kernel;
use crate::settings::Settings;

/// The user's cache folder for this program, by the rules of XDG.
pub(crate) fn folder() -> Option<PathBuf> {
    let absolute = |name: &str| {
        env::var_os(name)
            .map(PathBuf::from)
            .filter(|p| p.is_absolute())
    };
    let base = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")));
    Some(base?.join("vinci").join("schedules"))
}

/// What decides the outcome of a search, as a file name.
pub(crate) fn key(func: &Func, settings: &Settings) -> String {
    let written: Vec<_> = (func.schedules.iter())
        .map(|schedule| &schedule.decisions)
        .collect();
    let text = format!(
        "{}\n{:?}\n{} {}\n{:?}\n{}",
        algo::print::print(func),
        written,
        settings.chip.name,
        settings.chip.version_stamp(),
        settings.budget,
        // Another compiler, or another clock, finds another schedule.
        env!("VINCI_SEARCH"),
    );
    // Two hashes of 64 bits (FNV-1a) with different starts: the same on every host.
    let hash = |start: u64| {
        text.bytes().fold(start, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        })
    };
    let (first, second) = (hash(0xcbf2_9ce4_8422_2325), hash(0x6c62_272e_07bb_0142));
    format!("{first:016x}{second:016x}.vn")
}

/// The kernel with the schedule that was found for it before.
pub(crate) fn read(settings: &Settings, key: &str, func: &Func) -> Option<Func> {
    let path = settings.cache.as_ref()?.join(key);
    let text = fs::read_to_string(path).ok()?;
    let mut sources = SourceMap::new();
    let file = sources.add(key, text.as_str());
    let (tree, found) = kernel::parse(file, &sources);
    let schedules = frontend::schedules(&tree, func).ok()?;
    let usable = found.is_empty() && !schedules.is_empty();
    usable.then(|| Func {
        schedules,
        ..func.clone()
    })
}

/// Keeps a schedule; whole or not at all, also if several programs do it at once.
pub(crate) fn write(settings: &Settings, key: &str, schedule: &Schedule) {
    let Some(folder) = &settings.cache else {
        return;
    };
    let own = folder.join(format!("{key}.{}", std::process::id()));
    if fs::create_dir_all(folder).is_ok() && fs::write(&own, schedule.to_string()).is_ok() {
        finish(&own, &folder.join(key));
    }
}

fn finish(own: &Path, path: &Path) {
    if fs::rename(own, path).is_err() {
        // Another program was faster, or the folder cannot be changed: the next run searches again.
        drop(fs::remove_file(own));
    }
}
