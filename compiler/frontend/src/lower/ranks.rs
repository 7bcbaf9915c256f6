//! Which instance of a kernel over an open list of dimensions is meant: the one whose ranks the arguments have, or
//! whose number of dimensions the list has that was given.

use crate::Bindings;
use crate::errors::sizes;
use crate::hir::Item;
use diag::Diagnostic;

/// Chooses the instance, and gives its sizes their own names; nothing if the kernel has no open list.
pub(crate) fn choose<'a>(
    instances: &[&'a Item],
    given: &Bindings,
) -> Result<Option<(&'a Item, Bindings)>, Vec<Diagnostic>> {
    let Some(list) = instances.iter().find_map(|item| open_list(item)) else {
        return Ok(None);
    };
    let wanted = given_list(given, list);
    let fitting: Vec<&Item> = (instances.iter().copied())
        .filter(|item| fits(item, given))
        .filter(|item| wanted.as_ref().is_none_or(|w| w.len() == dimensions(item)))
        .collect();
    let found = match fitting.as_slice() {
        [only] => *only,
        [] => return Err(vec![no_rank(instances, given, list)]),
        // Nothing that is given has the list.
        [first, ..] => return Err(vec![sizes::list_not_bound(list, first.name_span)]),
    };
    let mut own = given.clone();
    own.lists.remove(list);
    own.sizes.remove(list);
    for (number, size) in wanted.into_iter().flatten().enumerate() {
        own.sizes.insert(format!("{list}.{number}"), size);
    }
    Ok(Some((found, own)))
}

/// The name of the list, from a size of the instance.
fn open_list(item: &Item) -> Option<&str> {
    let mut lists = item
        .sizes
        .iter()
        .filter_map(|size| size.name.split_once('.'));
    lists.next().map(|(list, _)| list)
}

fn dimensions(item: &Item) -> usize {
    let own = item.sizes.iter().filter(|size| size.name.contains('.'));
    own.count()
}

fn given_list(given: &Bindings, list: &str) -> Option<Vec<i64>> {
    let single = given.sizes.get(list).map(|size| vec![*size]);
    given.lists.get(list).cloned().or(single)
}

/// Whether every array has the rank of its parameter.
fn fits(item: &Item, given: &Bindings) -> bool {
    item.param_locals().iter().all(|param| {
        let declared = param.shape.as_ref().map(Vec::len);
        let actual = given.params.get(&param.name).map(|(_, shape)| shape.len());
        actual.is_none() || declared.is_none() || actual == declared
    })
}

/// Says which argument has a rank that no instance has, or that the list contradicts the arrays.
fn no_rank(instances: &[&Item], given: &Bindings, list: &str) -> Diagnostic {
    let first = instances[0];
    for (number, param) in first.param_locals().iter().enumerate() {
        let Some((_, shape)) = given.params.get(&param.name) else {
            continue;
        };
        let ranks = instances.iter().filter_map(|item| {
            let param = item.param_locals().get(number)?;
            param.shape.as_ref().map(Vec::len)
        });
        let ranks: Vec<usize> = ranks.collect();
        if !ranks.contains(&shape.len()) {
            let least = ranks.iter().min().copied().unwrap_or(0);
            let most = ranks.iter().max().copied().unwrap_or(0);
            return sizes::argument_ranks(&param.name, shape.len(), (least, most), param.span);
        }
    }
    sizes::lists_differ(list, first.name_span)
}
