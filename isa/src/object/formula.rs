//! Formulas over sizes: `2*M*K`, `K%32 == 0 && N <= 4096`. Text in, a value out.
//!
//! Operators and their precedence are the language's; quotients floor, remainders are not negative, and a comparison is
//! 0 or 1. Arithmetic is checked; any text is answered in bounded time and depth.

/// Why a formula has no value.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// The text is no formula, or names a size that is not there.
    Text,
    /// A value leaves 64 bits, or a divisor is not positive.
    Value,
}

/// Parentheses and signs deeper than this are refused.
const MOST_NESTING: u32 = 64;

/// Binary operators by precedence, loosest first; longer words before their beginnings.
const LEVELS: [&[&str]; 5] = [
    &["||"],
    &["&&"],
    &["==", "!=", "<=", ">=", "<", ">"],
    &["+", "-"],
    &["*", "/", "%"],
];

/// The value of a formula; `of` gives the values of sizes.
pub fn value(text: &str, of: &dyn Fn(&str) -> Option<i64>) -> Result<i64, Flaw> {
    let mut reader = Reader {
        rest: text.trim_start(),
        of,
        nesting: 0,
    };
    let value = reader.level(0)?;
    if reader.rest.is_empty() {
        value.ok_or(Flaw::Value)
    } else {
        Err(Flaw::Text)
    }
}

struct Reader<'a> {
    rest: &'a str,
    of: &'a dyn Fn(&str) -> Option<i64>,
    nesting: u32,
}

/// A value, if it is one; the text goes on being read without.
type Read = Result<Option<i64>, Flaw>;

impl<'a> Reader<'a> {
    fn level(&mut self, level: usize) -> Read {
        let Some(operators) = LEVELS.get(level) else {
            return self.operand();
        };
        let mut left = self.level(level + 1)?;
        while let Some(operator) = operators.iter().find(|o| self.take(o)) {
            let right = self.level(level + 1)?;
            left = left.zip(right).and_then(|(a, b)| apply(operator, a, b));
        }
        Ok(left)
    }

    fn operand(&mut self) -> Read {
        self.nesting += 1;
        if self.nesting > MOST_NESTING {
            return Err(Flaw::Text);
        }
        let value = if self.take("(") {
            let inner = self.level(0)?;
            if !self.take(")") {
                return Err(Flaw::Text);
            }
            inner
        } else if self.take("-") {
            self.operand()?.and_then(i64::checked_neg)
        } else if self.take("!") {
            self.operand()?.map(|value| i64::from(value == 0))
        } else {
            self.word()?
        };
        self.nesting -= 1;
        Ok(value)
    }

    fn word(&mut self) -> Read {
        let part = |c: char| c.is_alphanumeric() || c == '_';
        let end = self.rest.find(|c| !part(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest.trim_start();
        if word.starts_with(|c: char| c.is_ascii_digit()) {
            return word.parse().map(Some).map_err(|_| Flaw::Text);
        }
        (self.of)(word).map(Some).ok_or(Flaw::Text)
    }

    fn take(&mut self, word: &str) -> bool {
        match self.rest.strip_prefix(word) {
            Some(rest) => {
                self.rest = rest.trim_start();
                true
            }
            None => false,
        }
    }
}

fn apply(operator: &str, a: i64, b: i64) -> Option<i64> {
    let truth = |holds: bool| Some(i64::from(holds));
    match operator {
        "||" => truth(a != 0 || b != 0),
        "&&" => truth(a != 0 && b != 0),
        "==" => truth(a == b),
        "!=" => truth(a != b),
        "<=" => truth(a <= b),
        ">=" => truth(a >= b),
        "<" => truth(a < b),
        ">" => truth(a > b),
        "+" => a.checked_add(b),
        "-" => a.checked_sub(b),
        "*" => a.checked_mul(b),
        "/" if b > 0 => a.checked_div_euclid(b),
        "%" if b > 0 => a.checked_rem_euclid(b),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Result<i64, Flaw> {
        value(text, &|name| match name {
            "M" => Some(6),
            "K_2" => Some(64),
            _ => None,
        })
    }

    #[test]
    fn arithmetic_has_the_usual_precedence() {
        assert_eq!(at("2*M + K_2/5 - 1"), Ok(23));
        assert_eq!(at("(M%4) + -(2 - 5)"), Ok(5));
        assert_eq!(at("M - 1 - 2"), Ok(3));
    }

    #[test]
    fn conditions_are_zero_or_one() {
        assert_eq!(at("K_2%32 == 0 && M <= 6"), Ok(1));
        assert_eq!(at("!(M < 6) && (M != 6 || K_2 > 100)"), Ok(0));
    }

    #[test]
    fn flaws_are_told_apart() {
        for text in ["", "M +", "N", "(M", "M)", "3x", "M ? 1", "1 2"] {
            assert_eq!(at(text), Err(Flaw::Text), "{text}");
        }
        for text in ["M/0", "9223372036854775807 + M", "M%(M - 6)"] {
            assert_eq!(at(text), Err(Flaw::Value), "{text}");
        }
        assert_eq!(at(&"(".repeat(1000)), Err(Flaw::Text));
        assert_eq!(at(&format!("{}M", "-".repeat(1000))), Err(Flaw::Text));
    }
}
