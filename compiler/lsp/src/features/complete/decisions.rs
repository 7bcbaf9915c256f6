//! What may stand in a schedule: decisions, names and indices of the kernel, memories, engines, and sizes of blocks that are no
//! larger than what they cut. By the words before the cursor, so that a decision is completed while it is no decision yet.

use std::collections::BTreeSet;

use frontend::ide::{Def, DefKind};
use isa::chip::Chip;
use lsp_types::{CompletionItem, CompletionItemKind};

use super::item;
use crate::document::Analysis;
use crate::features::hover;

/// Decisions, with what each is for.
const VERBS: [(&str, &str); 14] = [
    ("grid", "cuts a result into blocks for the cores"),
    ("stream", "cuts a reduction into steps"),
    (
        "place",
        "says which memory holds something, and how many times",
    ),
    ("pack", "says the layout of a tensor"),
    ("engine", "computes on the cube or the vector unit"),
    ("fuse", "computes something where it is used"),
    ("keep", "keeps a value in the core's memory"),
    ("recompute", "computes a value again instead of keeping it"),
    ("split", "gives parts of a reduction to several cores"),
    ("pad", "rounds a size up"),
    ("unroll", "writes out steps of a loop"),
    ("skip", "leaves out blocks that a mask makes empty"),
    ("workspace", "limits global memory beside the arguments"),
    ("expect", "says what a run must reach"),
];

/// Memories of a core.
const MEMORIES: [&str; 5] = ["l1", "l0a", "l0b", "l0c", "ub"];

/// Sizes that fill whole fractals and whole vectors.
const SIZES: [u64; 8] = [16, 32, 64, 128, 256, 512, 1024, 2048];

/// What may stand behind a text that ends in a schedule; nothing if it does not.
pub(super) fn items(analysis: &Analysis, before: &str) -> Option<Vec<CompletionItem>> {
    let start = match before.rfind("\nschedule ") {
        Some(at) => at + 1,
        None if before.starts_with("schedule ") => 0,
        None => return None,
    };
    let schedule = &before[start..];
    if schedule.contains("\n}") {
        return None;
    }
    let typed = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let Some((head, body)) = schedule.split_once('{') else {
        return Some(head_items(analysis, schedule.trim_end_matches(typed)));
    };
    let kernel = head.split_whitespace().nth(1).unwrap_or_default();
    let decision = body.rsplit(';').next().unwrap_or_default();
    let before = decision.trim_end_matches(typed);
    Some(match before.trim() {
        "" => VERBS
            .map(|(verb, what)| item(verb, CompletionItemKind::KEYWORD, what))
            .into(),
        before => behind(analysis, kernel, before),
    })
}

/// Kernels behind `schedule`, chips behind `for`.
fn head_items(analysis: &Analysis, before: &str) -> Vec<CompletionItem> {
    match before.split_whitespace().last() {
        Some("for") => Chip::names()
            .map(|name| item(name, CompletionItemKind::CONSTANT, "chip"))
            .collect(),
        Some("schedule") => {
            let defs = analysis.names().defs.iter();
            let kernels = defs.filter(|def| def.kind == DefKind::Kernel);
            kernels
                .map(|def| item(&def.name, CompletionItemKind::FUNCTION, "kernel"))
                .collect()
        }
        Some(_) | None => Vec::new(),
    }
}

/// What may follow words of a decision.
fn behind(analysis: &Analysis, kernel: &str, before: &str) -> Vec<CompletionItem> {
    let verb = before.split_whitespace().next().unwrap_or_default();
    let last = before.split_whitespace().last().unwrap_or_default();
    let small = ["1", "2", "3", "4"];
    match (verb, last) {
        (_, "in") if verb != "stream" || before.contains("place") => MEMORIES
            .map(|name| item(name, CompletionItemKind::ENUM_MEMBER, "memory"))
            .into(),
        ("engine", "=") | ("fuse", "engine") => ["cube", "vector"]
            .map(|name| item(name, CompletionItemKind::ENUM_MEMBER, "engine"))
            .into(),
        (_, "depth" | "skew") => small
            .map(|number| item(number, CompletionItemKind::VALUE, "number"))
            .into(),
        _ if last.ends_with(':') => {
            let index = last
                .trim_end_matches(':')
                .rsplit('.')
                .next()
                .unwrap_or_default();
            sizes(extent(analysis, kernel, index))
        }
        ("pad", "to") => sizes(None),
        _ => names(analysis, kernel, before.ends_with('.')),
    }
}

/// Sizes of blocks of an index: the last is the first that holds all of it.
fn sizes(extent: Option<u64>) -> Vec<CompletionItem> {
    let detail = match extent {
        Some(extent) => format!("of {extent}"),
        None => "size".to_owned(),
    };
    let enough = SIZES
        .iter()
        .position(|size| Some(*size) >= extent && extent.is_some());
    let count = enough.map_or(SIZES.len(), |at| at + 1);
    SIZES[..count]
        .iter()
        .map(|size| item(&size.to_string(), CompletionItemKind::VALUE, detail.clone()))
        .collect()
}

/// The size of a kernel's index at the first shape of the text.
fn extent(analysis: &Analysis, kernel: &str, index: &str) -> Option<u64> {
    let def = own(analysis, kernel).find(|def| def.kind == DefKind::Index && def.name == index)?;
    let size = hover::known(analysis, def.span)?.text();
    if let Ok(number) = size.parse() {
        return Some(number);
    }
    let directives = analysis.program.main.directives.iter();
    let shape = directives.into_iter().find(|line| line.key == "shape")?;
    let mut words = shape
        .value
        .split_whitespace()
        .filter_map(|word| word.split_once('='));
    words.find(|(name, _)| *name == size)?.1.parse().ok()
}

/// What a kernel declares.
fn own<'a>(analysis: &'a Analysis, kernel: &str) -> impl Iterator<Item = &'a Def> {
    let names = analysis.names();
    let id = names.item(kernel);
    names
        .defs
        .iter()
        .filter(move |def| id.is_some() && def.item == id)
}

/// Definitions and indices of a kernel; behind a dot indices alone.
fn names(analysis: &Analysis, kernel: &str, indices_only: bool) -> Vec<CompletionItem> {
    let mut seen = BTreeSet::new();
    let mut items = Vec::new();
    for def in own(analysis, kernel) {
        let (kind, what) = match def.kind {
            DefKind::Index => (CompletionItemKind::VALUE, "index"),
            DefKind::Param | DefKind::Result | DefKind::Local if !indices_only => {
                (CompletionItemKind::VARIABLE, hover::word(def.kind))
            }
            DefKind::Param
            | DefKind::Result
            | DefKind::Local
            | DefKind::Kernel
            | DefKind::Function
            | DefKind::Monoid
            | DefKind::Constant
            | DefKind::Size
            | DefKind::Type
            | DefKind::Field => continue,
        };
        if seen.insert(def.name.clone()) {
            items.push(item(&def.name, kind, what));
        }
    }
    items
}
