//! Sizes that the launch gives: what an object says about them, and the object that comes of their values.
//!
//! Extents, conditions and work are [`formula`]s over the names of sizes, as text, so that they can be
//! read in the object and in assembly.

use super::{KernelMeta, formula};
use std::fmt;

/// What the launch of a kernel with symbolic sizes needs to know; empty for a kernel whose sizes are fixed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Launch {
    /// Names of the sizes, in the order of their words behind the addresses of the parameter block.
    pub sizes: Vec<String>,
    /// Extents of each parameter.
    pub shapes: Vec<Vec<String>>,
    /// What must hold of the sizes.
    pub conditions: Vec<String>,
    /// Useful multiply-adds, element operations, and compulsory bytes.
    pub work: [String; 3],
}

/// Why a kernel cannot be launched with these sizes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LaunchError {
    /// There are more or fewer values than sizes.
    Count(usize, usize),
    /// A size is below 1.
    Size(String, u64),
    /// A condition does not hold.
    Condition(String),
    /// A formula has no value: it leaves 64 bits or divides by zero.
    Value(String),
}

impl fmt::Display for LaunchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LaunchError::Count(given, wanted) => write!(f, "{given} values for {wanted} sizes"),
            LaunchError::Size(name, value) => write!(f, "size `{name}` is {value}"),
            LaunchError::Condition(text) => write!(f, "`{text}` does not hold"),
            LaunchError::Value(text) => write!(f, "`{text}` has no value"),
        }
    }
}

impl std::error::Error for LaunchError {}

impl Launch {
    /// Whether every size is fixed.
    pub fn is_empty(&self) -> bool {
        self.sizes.is_empty()
    }

    /// The first text that is no formula over the sizes.
    pub(super) fn flaw(&self) -> Option<&str> {
        let texts = self.shapes.iter().flatten().chain(&self.conditions);
        let work = self.work.iter().filter(|text| !text.is_empty());
        let known = |name: &str| self.sizes.iter().any(|size| size == name).then_some(1);
        texts
            .chain(work)
            .find(|text| formula::value(text, &known) == Err(formula::Flaw::Text))
            .map(String::as_str)
    }
}

impl KernelMeta {
    /// The kernel with values for the sizes that the launch gives, in the order of [`Launch::sizes`].
    ///
    /// # Errors
    /// Sizes that the kernel does not take.
    pub fn bound(&self, values: &[u64]) -> Result<KernelMeta, LaunchError> {
        let launch = &self.launch;
        if values.len() != launch.sizes.len() {
            return Err(LaunchError::Count(values.len(), launch.sizes.len()));
        }
        let pairs = || launch.sizes.iter().zip(values.iter().copied());
        if let Some((name, value)) = pairs().find(|(_, value)| *value == 0) {
            return Err(LaunchError::Size(name.clone(), value));
        }
        let of = |name: &str| {
            let found = pairs().find(|(size, _)| *size == name);
            found.and_then(|(_, value)| i64::try_from(value).ok())
        };
        let number = |text: &String| {
            let value = formula::value(text, &of).ok();
            value
                .and_then(|n| u64::try_from(n).ok())
                .ok_or_else(|| LaunchError::Value(text.clone()))
        };
        for condition in &launch.conditions {
            match formula::value(condition, &of) {
                Ok(0) => return Err(LaunchError::Condition(condition.clone())),
                Ok(_) => {}
                Err(_) => return Err(LaunchError::Value(condition.clone())),
            }
        }
        let mut kernel = self.clone();
        for (name, value) in &mut kernel.sizes {
            if let Some((_, given)) = pairs().find(|(size, _)| *size == name) {
                *value = given;
            }
        }
        for (param, shape) in kernel.params.iter_mut().zip(&launch.shapes) {
            param.shape = shape.iter().map(number).collect::<Result<_, _>>()?;
        }
        let [mads, vector_ops, bytes] = &launch.work;
        let work = |text: &String| number(text).unwrap_or(0);
        kernel.mads = work(mads);
        kernel.vector_ops = work(vector_ops);
        kernel.compulsory_bytes = work(bytes);
        Ok(kernel)
    }

    /// Words of the parameter block behind the addresses: the sizes that the launch gives. 0 if one was not given.
    pub fn launch_words(&self) -> impl Iterator<Item = u64> + '_ {
        self.launch.sizes.iter().map(|name| {
            let found = self.sizes.iter().find(|(size, _)| size == name);
            found.map_or(0, |(_, value)| *value)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::{ParamDir, ParamMeta};
    use crate::types::Elem;

    fn kernel() -> KernelMeta {
        let text = |s: &str| s.to_owned();
        KernelMeta {
            params: vec![ParamMeta {
                name: text("a"),
                elem: Elem::F16,
                shape: vec![0, 0],
                dir: ParamDir::In,
            }],
            sizes: vec![(text("M"), 0), (text("G"), 4)],
            launch: Launch {
                sizes: vec![text("M")],
                shapes: vec![vec![text("2*M"), text("7")]],
                conditions: vec![text("M%3 == 0"), text("M <= 9")],
                work: [text("M*M"), text("0"), text("28*M")],
            },
            ..KernelMeta::default()
        }
    }

    #[test]
    fn values_give_shapes_and_work() {
        let bound = kernel().bound(&[6]).unwrap();
        assert_eq!(bound.params[0].shape, [12, 7]);
        assert_eq!((bound.mads, bound.compulsory_bytes), (36, 168));
        assert_eq!(bound.launch_words().collect::<Vec<_>>(), [6]);
        assert_eq!(bound.sizes[1].1, 4);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let failed = |values: &[u64]| kernel().bound(values).unwrap_err();
        assert_eq!(failed(&[5]), LaunchError::Condition("M%3 == 0".to_owned()));
        assert_eq!(failed(&[12]), LaunchError::Condition("M <= 9".to_owned()));
        assert_eq!(failed(&[]), LaunchError::Count(0, 1));
        assert_eq!(failed(&[0]), LaunchError::Size("M".to_owned(), 0));
    }
}
