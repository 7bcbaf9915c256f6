//! How much of a buffer holds something: extents that depend on where blocks and loops stand.
//!
//! An extent is the size of a buffer, cut off where a tensor ends: `min(128, 1000 - m)`, and not below 0. It is kept in
//! terms of names, not of values, so that it means the same on the other side of a channel, where `m` is another value.

use std::collections::BTreeMap;

/// What stands for the number of the vector core in its group.
pub(super) const SUBCORE: &str = "%subcore";

/// A sum of multiples of named values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Linear {
    pub(super) constant: i64,
    pub(super) terms: BTreeMap<String, i64>,
}

/// Inclusive least and greatest values of names.
pub(super) type Ranges = BTreeMap<String, (i64, i64)>;

impl Linear {
    pub(super) fn constant(constant: i64) -> Linear {
        Linear {
            constant,
            terms: BTreeMap::new(),
        }
    }

    pub(super) fn name(name: &str) -> Linear {
        Linear {
            constant: 0,
            terms: [(name.to_owned(), 1)].into_iter().collect(),
        }
    }

    /// `self + other · factor`; nothing if a number leaves 64 bits.
    pub(super) fn plus(&self, other: &Linear, factor: i64) -> Option<Linear> {
        let mut sum = self.clone();
        let extra = other.constant.checked_mul(factor)?;
        sum.constant = sum.constant.checked_add(extra)?;
        for (name, times) in &other.terms {
            let slot = sum.terms.entry(name.clone()).or_insert(0);
            *slot = slot.checked_add(times.checked_mul(factor)?)?;
        }
        sum.terms.retain(|_, times| *times != 0);
        Some(sum)
    }

    /// The product, if one side is a constant.
    pub(super) fn times(&self, other: &Linear) -> Option<Linear> {
        match (self.terms.is_empty(), other.terms.is_empty()) {
            (true, _) => Linear::default().plus(other, self.constant),
            (false, true) => Linear::default().plus(self, other.constant),
            (false, false) => None,
        }
    }

    /// Least and greatest value, if they are known.
    pub(super) fn range(&self, ranges: &Ranges) -> Option<(i64, i64)> {
        let (mut low, mut high) = (self.constant, self.constant);
        for (name, times) in &self.terms {
            let (least, greatest) = ranges.get(name)?;
            let ends = (times.checked_mul(*least)?, times.checked_mul(*greatest)?);
            low = low.checked_add(ends.0.min(ends.1))?;
            high = high.checked_add(ends.0.max(ends.1))?;
        }
        Some((low, high))
    }
}

/// `max(0, min(most, limit - at, …))`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) most: i64,
    pub(super) cuts: Vec<Cut>,
}

/// Something ends at `limit`, and the part begins at `at`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) limit: i64,
    pub(super) at: Linear,
}

impl Extent {
    pub(super) fn whole(most: i64) -> Extent {
        let cuts = Vec::new();
        Extent { most, cuts }
    }

    /// The part from `at` on that has at most `most` items.
    pub(super) fn part(&self, at: &Linear, most: i64, ranges: &Ranges) -> Option<Extent> {
        let mut cuts = vec![Cut {
            limit: self.most,
            at: at.clone(),
        }];
        for cut in &self.cuts {
            let at = cut.at.plus(at, 1)?;
            let limit = cut.limit;
            cuts.push(Cut { limit, at });
        }
        Some(Extent { most, cuts }.without_idle(ranges))
    }

    /// Without the cuts that never cut anything off.
    pub(super) fn without_idle(mut self, ranges: &Ranges) -> Extent {
        let most = self.most;
        let idle = |cut: &Cut| {
            let last = cut.at.range(ranges).map(|(_, high)| high);
            last.and_then(|last| last.checked_add(most))
                .is_some_and(|end| end <= cut.limit)
        };
        self.cuts.retain(|cut| !idle(cut));
        self
    }

    /// What one vector core has of rows that the cube core has, and the other way round.
    ///
    /// The index `split` is that of the core's half on the vector side, so a cut by it holds as it is; what does not
    /// depend on it is cut at the place of the half.
    pub(super) fn crossed(&self, split: &str, to_half: bool) -> Option<Extent> {
        let most = match to_half {
            true => self.most / 2,
            false => self.most.checked_mul(2)?,
        };
        let half = if to_half { most } else { self.most };
        let mut cuts = Vec::new();
        for cut in &self.cuts {
            let mut cut = cut.clone();
            if !cut.at.terms.contains_key(split) {
                let way = if to_half { half } else { -half };
                cut.at = cut.at.plus(&Linear::name(SUBCORE), way)?;
            }
            cuts.push(cut);
        }
        Some(Extent { most, cuts })
    }
}
