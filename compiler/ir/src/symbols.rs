//! Sizes that stay symbolic until launch, and how a function holds them.
//!
//! Each such size has a *number*: a prime beyond every number that a kernel is made of. A product of sizes and ordinary
//! factors (an extent, a stride, a number of elements) is held as the product of those numbers. Factors are unique, so
//! products, equality and exact division of extents mean on numbers what they mean on sizes, and passes that do no more
//! than that need not know that a size is symbolic. What is not closed under it (a quotient rounded up, a minimum) has
//! to be computed at run time from the sizes.
//!
//! The numbers are chosen twice, [`Numbering::Rising`] and [`Numbering::Falling`]: a result that is the same under both,
//! with every product written by its names ([`Symbols::show`]), depends on no number.

/// Which numbers the sizes have.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum Numbering {
    /// Later sizes have greater numbers.
    #[default]
    Rising,
    /// Later sizes have smaller ones, all different from those of `Rising`.
    Falling,
}

/// A size that the launch gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// Its name.
    pub name: String,
    /// The prime that stands for it.
    pub number: i64,
    /// The most it may be, if a condition says so.
    pub most: Option<i64>,
}

/// The symbolic sizes of a function, in the order in which the launch passes them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Symbols {
    /// The sizes. Invariant: numbers are distinct primes.
    pub all: Vec<Symbol>,
    /// What the launch has to check, as the text of formulas over names of sizes.
    pub conditions: Vec<String>,
    /// Code reads a size where it uses it, not once before everything else: slower, and short of no registers.
    pub near: bool,
    /// Useful multiply-adds, element operations, and compulsory bytes, as formulas.
    pub work: [String; 3],
}

/// What an unbounded size is taken to be where sizes of blocks are chosen (we choose).
const USUAL: i64 = 4096;
/// Bits that a product of sizes may have, so that its bytes fit 63.
const PRODUCT_BITS: u32 = 57;

impl Symbols {
    /// Numbers for these sizes, none of which divides what `taken` says.
    pub fn new(names: &[String], numbering: Numbering, taken: &dyn Fn(i64) -> bool) -> Symbols {
        let bits = PRODUCT_BITS / u32::try_from(names.len()).unwrap_or(4).clamp(3, 4);
        let (base, parts) = (
            1_i64 << bits,
            2 * i64::try_from(names.len().max(1)).unwrap_or(1),
        );
        // Far apart, so that no quotient by the size of a block is the same for two of them.
        let start = |place: i64| match numbering {
            Numbering::Rising => base + base * place / parts,
            Numbering::Falling => base + base * (parts - 1 - place) / parts,
        };
        let prime = |place: i64| (start(place)..).find(|&n| is_prime(n) && !taken(n));
        let numbers = (0..).map_while(prime);
        let symbol = |(name, number): (&String, i64)| Symbol {
            name: name.clone(),
            number,
            most: None,
        };
        Symbols {
            all: names.iter().zip(numbers).map(symbol).collect(),
            ..Symbols::default()
        }
    }

    /// Whether every size is known.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether a number stands for a product with a symbolic size in it.
    pub fn is_symbolic(&self, number: i64) -> bool {
        number != 0 && self.all.iter().any(|symbol| number % symbol.number == 0)
    }

    /// The ordinary factor, and the place of every symbolic one, with repetitions.
    pub fn factors(&self, number: i64) -> (i64, Vec<usize>) {
        let (mut rest, mut places) = (number, Vec::new());
        if rest == 0 {
            return (0, places);
        }
        for (place, symbol) in self.all.iter().enumerate() {
            while rest % symbol.number == 0 {
                rest /= symbol.number;
                places.push(place);
            }
        }
        (rest, places)
    }

    /// What a number is when the sizes have these values; nothing if it leaves 64 bits.
    pub fn value(&self, number: i64, of: &dyn Fn(usize) -> i64) -> Option<i64> {
        let (rest, places) = self.factors(number);
        places
            .into_iter()
            .try_fold(rest, |product, place| product.checked_mul(of(place)))
    }

    /// The most that a number can be; nothing if a size in it has no bound.
    pub fn most(&self, number: i64) -> Option<i64> {
        let (rest, places) = self.factors(number);
        places.into_iter().try_fold(rest, |product, place| {
            product.checked_mul(self.all.get(place)?.most?)
        })
    }

    /// What a number is taken to be where only speed depends on it.
    pub fn assumed(&self, number: i64) -> i64 {
        let usual = |place: usize| {
            let most = self.all.get(place).and_then(|symbol| symbol.most);
            most.map_or(USUAL, |most| most.clamp(1, USUAL))
        };
        self.value(number, &usual).unwrap_or(i64::MAX >> 20)
    }

    /// The same product under other numbers for the same sizes.
    pub fn renumber(&self, number: i64, to: &Symbols) -> i64 {
        let of = |place: usize| to.all.get(place).map_or(1, |symbol| symbol.number);
        self.value(number, &of).unwrap_or(i64::MAX)
    }

    /// A number as people write it: `2*M*K`.
    pub fn show(&self, number: i64) -> String {
        let (rest, places) = self.factors(number);
        if places.is_empty() {
            return rest.to_string();
        }
        let names = places
            .into_iter()
            .filter_map(|place| self.all.get(place).map(|symbol| symbol.name.clone()));
        let factor = (rest != 1).then(|| rest.to_string());
        factor
            .into_iter()
            .chain(names)
            .collect::<Vec<_>>()
            .join("*")
    }
}

fn is_prime(n: i64) -> bool {
    n > 1 && (2..).take_while(|d| d * d <= n).all(|d| n % d != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(n: usize) -> Vec<String> {
        ["M", "K", "N", "B"][..n]
            .iter()
            .map(|s| (*s).to_owned())
            .collect()
    }

    #[test]
    fn products_are_held_and_shown() {
        let mut s = Symbols::new(&names(3), Numbering::Rising, &|_| false);
        let (m, k) = (s.all[0].number, s.all[1].number);
        assert!(s.is_symbolic(2 * m) && !s.is_symbolic(4096) && !s.is_symbolic(0));
        assert_eq!(s.show(2 * m * k), "2*M*K");
        assert_eq!(s.value(2 * m * k, &|p| [3, 5, 7][p]), Some(30));
        assert_eq!(s.most(m), None);
        s.all[0].most = Some(100);
        assert_eq!(s.most(3 * m), Some(300));
        assert_eq!(s.assumed(m * k), 100 * 4096);
    }

    #[test]
    fn numberings_share_no_number_and_differ_in_order() {
        let rising = Symbols::new(&names(4), Numbering::Rising, &|_| false);
        let falling = Symbols::new(&names(4), Numbering::Falling, &|_| false);
        let number = |s: &Symbols, i: usize| s.all[i].number;
        assert!((0..4).all(|i| (0..4).all(|j| number(&rising, i) != number(&falling, j))));
        assert!(number(&rising, 0) < number(&rising, 1));
        assert!(number(&falling, 0) > number(&falling, 1));
        let n = 6 * number(&rising, 0) * number(&rising, 3);
        let m = rising.renumber(n, &falling);
        assert_eq!(falling.show(m), "6*M*B");
    }

    #[test]
    fn numbers_of_the_kernel_are_left_out() {
        let first = Symbols::new(&names(1), Numbering::Rising, &|_| false).all[0].number;
        let other = Symbols::new(&names(1), Numbering::Rising, &|n| n == first);
        assert_ne!(other.all[0].number, first);
    }
}
