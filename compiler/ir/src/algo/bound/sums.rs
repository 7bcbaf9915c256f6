//! The error of a sum in f32, by the order in which it is added up.

use super::near::Near;
use crate::algo::Order;

/// The unit roundoff of f32.
const UNIT: f64 = f64::EPSILON * 268_435_456.0;

/// A running sum of items with errors.
#[derive(Clone, Debug, Default)]
pub(super) struct FloatSum {
    /// The sum of finite items.
    sum: f64,
    /// The sum of infinite and NaN items.
    special: f64,
    /// The sum of the magnitudes that finite items may have.
    magnitudes: f64,
    /// The sum of the items' own errors.
    errors: f64,
    /// The error of the ascending sum so far.
    ascending: f64,
    items: usize,
}

impl FloatSum {
    /// A sum of `items` exact products that was added up elsewhere: the sum, the sum of the magnitudes of all partial
    /// sums, the sum of the magnitudes of the products. If each product `rounds`, that is their error.
    pub(super) fn from_parts(parts: [f64; 3], rounds: bool, items: usize) -> FloatSum {
        let [sum, partial, magnitudes] = parts;
        let errors = if rounds { UNIT * magnitudes } else { 0.0 };
        let growth = 1.0 + 2.0 * UNIT * items as f64;
        let fresh = if items > 1 { UNIT * partial } else { 0.0 };
        let ascending = (fresh + errors) * growth;
        let magnitudes = magnitudes + errors;
        FloatSum {
            sum,
            special: 0.0,
            magnitudes,
            errors,
            ascending,
            items,
        }
    }

    /// Adds an item.
    pub(super) fn add(&mut self, item: Near) {
        self.items += 1;
        if !item.value.is_finite() {
            self.special += item.value;
            self.errors += item.error;
            return;
        }
        self.sum += item.value;
        self.magnitudes += item.value.abs() + item.error;
        self.errors += item.error;
        let carried = self.ascending + item.error;
        // The first sum is with zero. An addition never underflows, so the relative error is all there is.
        let fresh = if self.items == 1 {
            0.0
        } else {
            UNIT * (self.sum.abs() + carried)
        };
        self.ascending = carried + fresh;
    }

    /// The sum of all items, of which `count` were in the reduction's range.
    pub(super) fn finish(&self, order: Order, count: usize) -> Near {
        if self.errors == f64::INFINITY || self.magnitudes > f64::from(f32::MAX) {
            return Near {
                value: self.sum + self.special,
                error: f64::INFINITY,
            };
        }
        if !self.special.is_finite() {
            return Near::exact(self.special);
        }
        let additions = match order {
            Order::Ascending => None,
            Order::Lanes(n) => Some(lane_depth(count, n.max(1) as usize)),
            Order::Tree => Some(f64::from(count.next_power_of_two().trailing_zeros())),
            // Any association, and as wide or narrow as it likes.
            Order::Free => Some(count.saturating_sub(1) as f64),
        };
        let rounding = match additions {
            None => self.ascending - self.errors,
            Some(depth) => {
                let growth = depth * UNIT;
                growth * (1.0 + 2.0 * growth) * self.magnitudes
            }
        };
        // The sum in f64 is itself off by as many of its own roundings.
        let own = self.items as f64 * f64::EPSILON * self.magnitudes;
        let exact = self.items <= 1 && self.errors == 0.0;
        let error = if exact {
            0.0
        } else {
            self.errors + rounding + own
        };
        Near {
            value: self.sum,
            error,
        }
    }
}

/// The most additions that round on the way of an item through lanes and their join.
fn lane_depth(count: usize, lanes: usize) -> f64 {
    let rounds = count.div_ceil(lanes).saturating_sub(1);
    let levels = lanes
        .min(count.next_power_of_two())
        .next_power_of_two()
        .trailing_zeros();
    rounds as f64 + f64::from(levels)
}
