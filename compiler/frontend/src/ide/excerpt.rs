//! A file with one item and what checking its body looks at: the items that it names and what those say of themselves. Every
//! other item is there by name only, so that a misspelt name is still like it.

use std::collections::BTreeMap;

use syntax::ast::{Expr, File, Item, ItemKind, Shift};

/// The excerpt for an item of a file with this text; its places are those of the file.
pub(super) fn excerpt(file: &File, text: &str, item: usize) -> Option<File> {
    let mut out = File {
        file: file.file,
        ..File::default()
    };
    let taken = taken(file, text, item);
    for (at, one) in file.items.iter().enumerate() {
        if taken[at] {
            let (item, nodes) = copied(file, at, out.exprs.len())?;
            for node in nodes {
                out.exprs.push(node);
            }
            out.items.push(item);
        } else if let Some(name) = declared(one) {
            out.items.push(Item {
                docs: Vec::new(),
                public: one.public,
                kind: ItemKind::Error {
                    name: Some(name.clone()),
                },
                span: one.span,
            });
        }
    }
    Some(out)
}

/// The name that other items may call an item by.
fn declared(item: &Item) -> Option<&syntax::ast::Name> {
    match &item.kind {
        ItemKind::Error { name } => name.as_ref(),
        ItemKind::Callable(_) | ItemKind::Monoid(_) | ItemKind::Const(_) => item.name(),
        ItemKind::Use(_) | ItemKind::Assert(_) | ItemKind::Schedule(_) => None,
    }
}

/// Which items are looked at: the item itself, and through signatures what it names.
fn taken(file: &File, text: &str, item: usize) -> Vec<bool> {
    let mut named: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, one) in file.items.iter().enumerate() {
        if let Some(name) = declared(one) {
            named.entry(&name.text).or_default().push(at);
        }
    }
    let uses = |item: &Item| matches!(item.kind, ItemKind::Use(_));
    let mut taken: Vec<bool> = file.items.iter().map(uses).collect();
    // What a file asserts is known in every body.
    let asserts = |at: &usize| matches!(file.items[*at].kind, ItemKind::Assert(_));
    let mut open: Vec<usize> = (0..file.items.len()).filter(asserts).collect();
    open.push(item);
    while let Some(at) = open.pop() {
        if std::mem::replace(&mut taken[at], true) {
            continue;
        }
        let part = match file.items[at].callable() {
            Some(callable) if at != item => {
                file.items[at].span.start as usize..callable.body.span.start as usize
            }
            Some(_) | None => file.items[at].span.range(),
        };
        let words = text.get(part).unwrap_or_default();
        let words = words.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        open.extend(words.filter_map(|word| named.get(word)).flatten());
    }
    taken
}

/// An item and its expressions, of which the first gets this id.
fn copied(file: &File, item: usize, first: usize) -> Option<(Item, Vec<Expr>)> {
    let bound = |at: usize| file.bounds.get(at).copied();
    let start = match item.checked_sub(1) {
        Some(before) => bound(before)?,
        None => 0,
    };
    let to = Shift {
        bytes: 0,
        ids: i64::try_from(first).ok()? - i64::from(start),
    };
    let mut copy = file.items.get(item)?.clone();
    to.item(&mut copy);
    let mut nodes = file.exprs.range(start..bound(item)?).to_vec();
    nodes.iter_mut().for_each(|node| to.expr(node));
    Some((copy, nodes))
}
