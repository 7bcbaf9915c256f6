//! The registry of codes: one row each, and one page each in `explain/`.
//!
//! Adding a code is one row below and `explain/CODE.md`; without the page the
//! crate does not compile. A number is never used again for something else.
//! Ranges: E01 syntax, E02 names, E03 sizes and types, E04 schedules, E05
//! capacity, layout and what does not compile yet, E06 assembly and objects,
//! E07 command lines, arguments and array files, E08 objects that the verifier
//! refuses, F00 faults of the emulator,
//! W lints, R remarks.

use std::{cmp, fmt, hash};

/// A registered kind of finding. Prints as `E0304`.
#[derive(Copy, Clone)]
pub struct Code(&'static CodeInfo);

/// What the registry knows about a code.
#[derive(Debug)]
pub struct CodeInfo {
    /// The code itself: a letter and four digits.
    pub name: &'static str,
    /// A stable name in words, for lint levels and links.
    pub slug: &'static str,
    /// How findings with this code count.
    pub severity: Severity,
    /// One line that says what is wrong.
    pub title: &'static str,
    /// The page that `--explain` shows, as Markdown.
    pub page: &'static str,
}

/// How a finding counts.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Stops the compilation or the run.
    Error,
    /// Is shown; a lint level may make it an error or hide it.
    Warning,
    /// Tells what the compiler chose; shown on demand.
    Remark,
}

macro_rules! codes {
    ($($code:ident $severity:ident $slug:literal $title:literal;)*) => {
        $(
            #[doc = $title]
            pub const $code: Code = Code(&CodeInfo {
                name: stringify!($code),
                slug: $slug,
                severity: Severity::$severity,
                title: $title,
                page: include_str!(concat!("../explain/", stringify!($code), ".md")),
            });
        )*

        /// All codes in the order of the table.
        pub const ALL: &[Code] = &[$($code),*];
    };
}

codes! {
    E0101 Error "unexpected-token" "unexpected token";
    E0102 Error "unknown-token" "unknown character or token";
    E0103 Error "unclosed" "unclosed delimiter or string";
    E0104 Error "nesting-too-deep" "expression nested too deeply";
    E0105 Error "comparison-chain" "comparisons do not chain";
    E0106 Error "reduction-body" "reduction without a body that it can take";
    E0107 Error "malformed-number" "malformed number";
    E0108 Error "foreign-form" "form of another language";

    E0201 Error "unknown-name" "unknown name";
    E0202 Error "defined-twice" "name defined twice";
    E0203 Error "cyclic-definition" "definition that needs itself";
    E0204 Error "result-definition" "result not defined exactly once";
    E0205 Error "unbound-index" "index that nothing binds";
    E0206 Error "unused-reduction-index" "reduction index that its body does not use";
    E0207 Error "index-name-clash" "index with the name of something else";
    E0208 Error "wrong-item-kind" "item of the wrong kind here";
    E0209 Error "unknown-item" "unknown function, kernel or monoid";
    E0210 Error "monoid-member" "monoid without something that it needs";
    E0211 Error "record-use" "record used as a value, or without that field";
    E0212 Error "unnamed-result" "tensor result without a name";

    E0301 Error "type-mismatch" "types do not match";
    E0302 Error "literal-out-of-range" "literal out of range of its type";
    E0303 Error "wrong-operand-class" "operand of the wrong class";
    E0304 Error "index-two-sizes" "index has two sizes";
    E0305 Error "index-count" "wrong number of indices";
    E0306 Error "index-out-of-bounds" "index may be out of bounds";
    E0307 Error "size-overflow" "size does not fit 64 bits";
    E0308 Error "size-not-bound" "size that nothing binds";
    E0309 Error "condition-fails" "condition on sizes does not hold";
    E0310 Error "shape-mismatch" "shapes do not match";
    E0311 Error "argument-count" "wrong number of arguments";
    E0312 Error "index-without-extent" "index without an extent";
    E0313 Error "unknown-type" "unknown element type";
    E0314 Error "cannot-infer" "generic parameter cannot be inferred";
    E0315 Error "needs-fixed-size" "size that has to be known when it is compiled";

    E0401 Error "schedule-not-applied" "schedule decision that is not applied yet";
    E0402 Error "schedule-value" "value in a schedule that cannot be used";
    E0403 Error "schedule-name" "name in a schedule that no step has";
    E0404 Error "schedule-impossible" "schedule decision that cannot be carried out";
    E0405 Error "schedule-too-large" "schedule decision that needs more memory than there is";
    E0406 Error "expectation-fails" "run that does not keep to the contract of its schedule";

    E0501 Error "buffer-overflow" "does not fit a buffer of the target";
    E0502 Error "not-compiled-yet" "not compiled yet";
    E0503 Error "not-supported-by-target" "not supported by the target";
    E0504 Error "kernel-too-large" "kernel that is too large after its functions are expanded";
    E0505 Error "no-room-in-machine" "more than the machine has registers, counters or bits for";
    E0506 Error "hf32-outside-product" "`hf32` that is no factor of a matrix product";

    E0601 Error "assembly-syntax" "assembly line that cannot be read";
    E0602 Error "operand-out-of-range" "operand out of range";
    E0603 Error "bad-object" "damaged or foreign object file";
    E0604 Error "unknown-mnemonic" "unknown mnemonic";
    E0605 Error "tile-form" "tile form that cannot be read";
    E0606 Error "tile-space" "buffer in a space that an operation does not reach";
    E0607 Error "tile-extent" "extents in a tile form that do not fit";
    E0608 Error "tile-channel" "channel in a tile form that is not used as one";

    E0701 Error "cannot-read-file" "cannot read a file";
    E0702 Error "bad-array-file" "damaged or unsupported array file";
    E0703 Error "argument-shape" "argument has the wrong shape";
    E0704 Error "argument-type" "argument has the wrong element type";
    E0705 Error "unknown-argument" "unknown or missing argument";
    E0706 Error "bad-option-value" "command line value that cannot be used";
    E0707 Error "unknown-target" "unknown target";
    E0708 Error "cannot-write-file" "cannot write a file";
    E0709 Error "check-failed" "result differs from the reference";
    E0710 Error "monoid-law" "monoid that breaks a law";
    E0711 Error "cost-promise" "promise about cost that is not kept";

    E0801 Error "unproved-order" "object with two accesses that nothing orders";
    E0802 Error "unproved-value" "object that uses bytes without a value";
    E0803 Error "unproved-bounds" "object that reaches outside a tensor";
    E0804 Error "unproved-operand" "object that the machine refuses";
    E0805 Error "unproved-flag" "object that misuses a flag or a counter";
    E0806 Error "unproved-progress" "object that comes to a standstill";
    E0807 Error "unproved" "object that cannot be proved";

    F0001 Error "uninitialised-read" "read of memory that nothing wrote";
    F0002 Error "access-out-of-bounds" "access outside a memory or a tensor";
    F0003 Error "misaligned-access" "misaligned address";
    F0004 Error "flag-misuse" "synchronisation flag misused";
    F0005 Error "deadlock" "no pipe can go on";
    F0006 Error "not-modelled" "behaviour that is not modelled";
    F0007 Error "bad-instruction" "word that is no instruction";
    F0008 Error "step-limit" "step limit reached";
    F0009 Error "value-fault" "division by zero or data index out of range";
    F0010 Error "unordered-access" "two accesses that nothing orders";
    F0011 Error "refused-operation" "operand value or control transfer that the machine refuses";
    F0012 Error "not-finite" "first result that is no number";
    F0013 Error "hidden-bytes" "bytes that a data cache hides";

    W0001 Warning "unknown-lint" "lint that does not exist";
    W0002 Warning "unused-definition" "definition that nothing uses";
    W0003 Warning "unused-parameter" "parameter that nothing uses";
    W0004 Warning "unused-import" "import that nothing uses";
    W0005 Warning "unused-item" "private item that nothing uses";
    W0006 Warning "shadowed-name" "name of something else";
    W0007 Warning "precision-loss" "precision that is lost and does not come back";
    W0008 Warning "redundant-cast" "conversion that changes nothing";
    W0009 Warning "unneeded-order" "order that changes nothing";
    W0010 Warning "foreign-schedule" "schedule for a target that is not known";
}

/// The page of a code, as Markdown.
pub fn explain(code: Code) -> &'static str {
    code.info().page
}

impl Code {
    /// Finds a code by its name in any case, an error by its digits alone, a lint by its name in words: `E0304`,
    /// `e0304`, `0304`, `unused_definition`.
    pub fn lookup(text: &str) -> Option<Code> {
        let same = |code: &&Code| {
            let name = code.as_str();
            let lint =
                code.severity() == Severity::Warning && code.slug() == text.replace('_', "-");
            lint || name.eq_ignore_ascii_case(text) || name.strip_prefix('E') == Some(text)
        };
        ALL.iter().find(same).copied()
    }

    /// The registry entry.
    pub fn info(self) -> &'static CodeInfo {
        self.0
    }

    /// The code as text: `E0304`.
    pub fn as_str(self) -> &'static str {
        self.0.name
    }

    /// The stable name in words.
    pub fn slug(self) -> &'static str {
        self.0.slug
    }

    /// How findings with this code count.
    pub fn severity(self) -> Severity {
        self.0.severity
    }

    /// One line that says what is wrong.
    pub fn title(self) -> &'static str {
        self.0.title
    }
}

impl Severity {
    /// The word that diagnostics begin with.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Remark => "remark",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0.name)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name)
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

// A code is its name: comparing the pages too would only cost time.
impl PartialEq for Code {
    fn eq(&self, other: &Code) -> bool {
        self.0.name == other.0.name
    }
}

impl Eq for Code {}

impl PartialOrd for Code {
    fn partial_cmp(&self, other: &Code) -> Option<cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Code {
    fn cmp(&self, other: &Code) -> cmp::Ordering {
        self.0.name.cmp(other.0.name)
    }
}

impl hash::Hash for Code {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.0.name.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_ascending_and_well_formed() {
        for pair in ALL.windows(2) {
            assert!(
                pair[0].as_str() < pair[1].as_str(),
                "{} is out of place",
                pair[1]
            );
        }
        let mut slugs: Vec<_> = ALL.iter().map(|c| c.slug()).collect();
        slugs.sort_unstable();
        slugs.dedup();
        assert_eq!(slugs.len(), ALL.len());
        for code in ALL {
            let name = code.as_str();
            assert_eq!(name.len(), 5, "{name}");
            assert!(name[1..].bytes().all(|b| b.is_ascii_digit()), "{name}");
        }
    }

    #[test]
    fn lookup_takes_any_case_and_bare_digits_of_errors() {
        assert_eq!(Code::lookup("E0304"), Some(E0304));
        assert_eq!(Code::lookup("e0304"), Some(E0304));
        assert_eq!(Code::lookup("0304"), Some(E0304));
        assert_eq!(Code::lookup("f0005"), Some(F0005));
        assert_eq!(Code::lookup("0005"), None);
        assert_eq!(Code::lookup(""), None);
    }

    #[test]
    fn every_page_has_a_heading_and_a_failing_example() {
        for code in ALL {
            let page = explain(*code);
            let heading = format!("# {code}: {}\n", code.title());
            assert!(
                page.starts_with(&heading),
                "{code}: the page begins with `{heading}`"
            );
            assert!(page.contains(",fails\n"), "{code}: a failing example");
            assert!(
                page.contains("## How to mend it\n"),
                "{code}: how to mend it"
            );
        }
    }
}
