//! The sizes of a launch: what arguments and `-D` make of the sizes that an object leaves open.
//!
//! Knows the object's formulas, nothing of files; a source says itself what its sizes are (`kernel.rs`).

use std::collections::BTreeMap;

use diag::Diagnostic;
use isa::object::{KernelMeta, Object, ParamDir, formula};

use crate::errors::launch as errors;

/// Sizes by name, and where each was learned.
type Known = BTreeMap<String, (u64, String)>;

/// The object with these values for the sizes that it leaves to the launch; others are not looked at.
pub(crate) fn bound(object: Object, sizes: &BTreeMap<String, u64>) -> Result<Object, Diagnostic> {
    if object.kernel.launch.is_empty() {
        return Ok(object);
    }
    let kernel = &object.kernel;
    let values = kernel.launch.sizes.iter().map(|name| {
        let value = sizes.get(name).copied();
        value.ok_or_else(|| errors::size_not_given(&kernel.name, name))
    });
    let values = values.collect::<Result<Vec<u64>, _>>()?;
    let bound = kernel.bound(&values);
    let bound = bound.map_err(|why| errors::refused(kernel, &values, &why))?;
    Ok(Object {
        kernel: bound,
        ..object
    })
}

/// The sizes of a launch, from `-D` and from the shapes of the arrays that are given.
pub(crate) fn sizes(
    kernel: &KernelMeta,
    defined: &BTreeMap<String, i64>,
    arrays: &BTreeMap<String, (String, Vec<u64>)>,
) -> Result<BTreeMap<String, u64>, Diagnostic> {
    let mut known = Known::new();
    for (name, &value) in defined {
        if !kernel.launch.sizes.contains(name) {
            return Err(errors::no_size_of_launch(kernel, name));
        }
        let size = u64::try_from(value).unwrap_or(0);
        known.insert(name.clone(), (size, format!("`-D {name}`")));
    }
    let dimensions: Vec<Dimension<'_>> = dimensions(kernel, arrays);
    // A dimension may need sizes that a later one gives.
    for _ in 0..=kernel.launch.sizes.len() {
        for dimension in &dimensions {
            if let Some((name, size)) = dimension.solve(kernel, &known) {
                known.insert(name, (size, dimension.place()));
            }
        }
    }
    for dimension in &dimensions {
        let value = formula::value(dimension.text, &|name| value_of(&known, name));
        if let (Ok(value), [name]) = (value, &dimension.names(kernel)[..])
            && u64::try_from(value) != Ok(dimension.extent)
            && let Some((first, place)) = known.get(*name)
        {
            let new = (dimension.extent, dimension.place());
            return Err(errors::two_sizes(dimension.text, (*first, place), &new));
        }
    }
    Ok(known
        .into_iter()
        .map(|(name, (size, _))| (name, size))
        .collect())
}

fn value_of(known: &Known, name: &str) -> Option<i64> {
    known
        .get(name)
        .and_then(|(size, _)| i64::try_from(*size).ok())
}

/// One dimension of an array that is given.
struct Dimension<'a> {
    param: &'a str,
    number: usize,
    /// What the object says of it.
    text: &'a str,
    extent: u64,
}

fn dimensions<'a>(
    kernel: &'a KernelMeta,
    arrays: &BTreeMap<String, (String, Vec<u64>)>,
) -> Vec<Dimension<'a>> {
    let params = kernel.params.iter().zip(&kernel.launch.shapes);
    let inputs = params.filter(|(param, _)| param.dir == ParamDir::In);
    let mut all = Vec::new();
    for (param, shape) in inputs {
        let Some((_, actual)) = arrays.get(&param.name) else {
            continue;
        };
        for (number, (text, &extent)) in shape.iter().zip(actual).enumerate() {
            all.push(Dimension {
                param: &param.name,
                number,
                text,
                extent,
            });
        }
    }
    all
}

impl<'a> Dimension<'a> {
    fn place(&self) -> String {
        format!("dimension {} of `{}`", self.number, self.param)
    }

    /// The sizes that the extent names.
    fn names(&self, kernel: &KernelMeta) -> Vec<&'a str> {
        let words = self
            .text
            .split(|c: char| !(c.is_alphanumeric() || c == '_'));
        words
            .filter(|word| kernel.launch.sizes.iter().any(|size| size == word))
            .collect()
    }

    /// The only size that is not known yet, if the extent is a multiple of it.
    fn solve(&self, kernel: &KernelMeta, known: &Known) -> Option<(String, u64)> {
        let mut open = self.names(kernel);
        open.retain(|name| !known.contains_key(*name));
        let [name] = open[..] else {
            return None;
        };
        let one = |of: &str| match of == name {
            true => Some(1),
            false => value_of(known, of),
        };
        let factor = u64::try_from(formula::value(self.text, &one).ok()?).ok()?;
        let divides = factor > 0 && self.extent.is_multiple_of(factor);
        divides.then(|| (name.to_owned(), self.extent / factor))
    }
}
