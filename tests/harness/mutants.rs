//! Mutated sources: every kernel and tile form of the repository with tokens or bytes changed, through the front end to what
//! a user would see, and through the back end where it still means something small. The promise: nothing panics.

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use backend::Level;
use diag::SourceMap;
use driver::kernel::Values;
use driver::{Settings, build, kernel, tile};
use ir::algo::Func;
use ir::algo::data::{Random, element_count};
use isa::chip::Chip;

/// The chip that mutants are compiled for.
static CHIP: LazyLock<Chip> =
    LazyLock::new(|| Chip::builtin(Chip::DEFAULT).expect("the default chip is built in"));
/// Elements of one tensor up to which a mutant is compiled: it may have grown any extent.
const SMALL: usize = 4096;
/// Longest text that is mutated.
const LONGEST: usize = 8192;

/// Texts to begin with, and the words that tokens are replaced by.
pub(crate) struct Corpus {
    texts: Vec<(String, bool)>,
    words: Vec<String>,
}

/// Every `.vn` and `.tile` file of the tests and the library, in the order of their paths.
pub(crate) fn corpus(root: &Path) -> Corpus {
    let mut files = Vec::new();
    for folder in [
        "stdlib",
        "tests/kernels",
        "tests/ui",
        "tests/tile",
        "tests/passes",
    ] {
        collect(&root.join(folder), &mut files);
    }
    files.sort();
    let texts = files.iter().filter_map(|path| {
        let text = fs::read_to_string(path).ok()?;
        let is_tile = path
            .extension()
            .is_some_and(|extension| extension == "tile");
        (text.len() <= LONGEST).then_some((text, is_tile))
    });
    let texts: Vec<(String, bool)> = texts.collect();
    let mut words: Vec<String> = texts
        .iter()
        .flat_map(|(text, _)| tokens(text))
        .map(str::to_owned)
        .collect();
    words.sort();
    words.dedup();
    Corpus { texts, words }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).into_iter().flatten();
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|e| e == "vn" || e == "tile") {
            files.push(path);
        }
    }
}

/// Words, numbers and single characters; white space goes with what stands before it.
fn tokens(text: &str) -> Vec<&str> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut all = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let word = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let end = if word == 0 { first.len_utf8() } else { word };
        let after = rest[end..].find(|c: char| !c.is_whitespace());
        let end = after.map_or(rest.len(), |more| end + more);
        all.push(&rest[..end]);
        rest = &rest[end..];
    }
    all
}

fn same_tokens(a: &str, b: &str) -> bool {
    let trimmed = |text| tokens(text).into_iter().map(str::trim);
    trimmed(a).eq(trimmed(b))
}

/// What became of a mutant.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Refused by the front end.
    Refused,
    /// Accepted by the front end, and not compiled: too large, or not its turn.
    Accepted,
    /// Through the back end, whatever that said.
    Compiled,
    /// It panicked.
    Panicked,
}

/// Makes the mutant of a seed and feeds it; a text that panics is written to a folder.
pub(crate) fn feed(corpus: &Corpus, seed: u64, folder: &Path) -> Fate {
    let mut random = Random::new(seed);
    let (text, is_tile) = &corpus.texts[below(&mut random, corpus.texts.len())];
    let mut mutant = text.clone();
    // A change that leaves every token is none.
    for _ in 0..8 {
        if !same_tokens(&mutant, text) {
            break;
        }
        mutant = match below(&mut random, 3) {
            0 => bytes_changed(text, &mut random),
            _ => tokens_changed(text, &corpus.words, &mut random),
        };
    }
    let deep = below(&mut random, 4) == 0;
    let fate = catch_unwind(AssertUnwindSafe(|| match is_tile {
        true => feed_tile(&mutant, deep),
        false => feed_kernel(&mutant, deep),
    }));
    fate.unwrap_or_else(|_| {
        fs::create_dir_all(folder).expect("a folder for what panics");
        let name = format!("{seed}.{}", if *is_tile { "tile" } else { "vn" });
        fs::write(folder.join(name), mutant).expect("a folder that takes files");
        Fate::Panicked
    })
}

fn below(random: &mut Random, limit: usize) -> usize {
    random.between(0, limit as i64 - 1) as usize
}

fn tokens_changed(text: &str, words: &[String], random: &mut Random) -> String {
    let mut tokens = tokens(text);
    for _ in 0..=below(random, 3) {
        if tokens.is_empty() {
            break;
        }
        let (a, b) = (below(random, tokens.len()), below(random, tokens.len()));
        let word = words[below(random, words.len())].as_str();
        match below(random, 6) {
            0 => drop(tokens.remove(a)),
            1 => tokens.insert(a, tokens[b]),
            2 => tokens.swap(a, b),
            3 => tokens.insert(a, word),
            _ => tokens[a] = word,
        }
    }
    tokens.concat()
}

fn bytes_changed(text: &str, random: &mut Random) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..=below(random, 3) {
        let (a, b) = (
            below(random, bytes.len().max(1)),
            below(random, bytes.len().max(1)),
        );
        let (a, b) = (a.min(b), a.max(b));
        match below(random, 6) {
            0 => bytes.truncate(a),
            1 => drop(bytes.drain(a..b.min(a + 30))),
            2 => {
                let piece = bytes[a..b.min(a + 30)].to_vec();
                bytes.splice(a..a, piece);
            }
            3 if a < bytes.len() => bytes[a] ^= 1 << below(random, 8),
            4 if a < bytes.len() => bytes[a] = random.next() as u8,
            _ => bytes.extend_from_slice(b"99999999999999999999"),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn feed_kernel(text: &str, deep: bool) -> Fate {
    let mut sources = SourceMap::new();
    let file = sources.add("mutant.vn", text);
    let loaded = match kernel::load(file, &mut sources, &mut Vec::new()) {
        Ok(loaded) => loaded,
        Err(found) => {
            assert!(!diag::render_text(&found, &sources, false).is_empty());
            return Fate::Refused;
        }
    };
    let mut fate = Fate::Accepted;
    for kernel in loaded.kernels() {
        let sizes = kernel
            .sizes
            .iter()
            .zip([3, 5, 2, 4, 17, 1].into_iter().cycle());
        let values = Values {
            sizes: sizes.map(|(name, size)| (name.clone(), size)).collect(),
            ..Values::default()
        };
        let func = match loaded.bind(&kernel, &values, &BTreeMap::new()) {
            Ok(func) => func,
            Err(found) => {
                assert!(!diag::render_text(&found, &sources, false).is_empty());
                continue;
            }
        };
        if deep && is_small(&func) {
            fate = Fate::Compiled;
            let settings = Settings::new(CHIP.clone(), Level::O0);
            if let Err(found) = build::compile(&func, &settings, &sources) {
                assert!(!diag::render_text(&found, &sources, false).is_empty());
            }
        }
    }
    fate
}

fn is_small(func: &Func) -> bool {
    let small = |shape: &[i64]| element_count(shape).is_some_and(|count| count <= SMALL);
    func.tensors.values().all(|tensor| small(&tensor.shape))
        && func.indices.values().all(|index| index.extent <= 64)
}

fn feed_tile(text: &str, deep: bool) -> Fate {
    let mut sources = SourceMap::new();
    let file = sources.add("mutant.tile", text);
    match tile::load(file, &sources) {
        Err(found) => {
            assert!(!diag::render_text(&found, &sources, false).is_empty());
            Fate::Refused
        }
        Ok(_) if !deep => Fate::Accepted,
        Ok(func) => {
            let settings = Settings::new(CHIP.clone(), Level::O0);
            if let Err(found) = build::lower(func, &settings, &sources) {
                assert!(!diag::render_text(&found, &sources, false).is_empty());
            }
            Fate::Compiled
        }
    }
}
