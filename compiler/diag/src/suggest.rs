//! "Did you mean": the known name nearest to a mistyped one.

use std::collections::BTreeMap;

/// Returns the candidate nearest to `name`, if at most a third of the letters
/// (one at least) differ; of equally near ones the first.
pub fn similar<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    nearest(name, candidates).map(|(_, candidate)| candidate)
}

/// The same with the number of changes.
pub fn nearest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<(usize, &'a str)> {
    let mut search = Search::new(name);
    for candidate in candidates {
        search.look_at(letters(candidate), candidate);
    }
    search.best
}

/// Names that many are compared with: those of other lengths and letters are left out without being read.
#[derive(Clone, Debug, Default)]
pub struct Known<'a> {
    /// By the number of letters, each with its place among all and its set of letters.
    by_length: BTreeMap<usize, Vec<(usize, u64, &'a str)>>,
}

impl<'a> Known<'a> {
    /// Takes names in their order.
    pub fn new(names: impl IntoIterator<Item = &'a str>) -> Known<'a> {
        let mut known = Known::default();
        for (place, name) in names.into_iter().enumerate() {
            let of_length = known.by_length.entry(name.chars().count()).or_default();
            of_length.push((place, letters(name), name));
        }
        known
    }

    /// What [`nearest`] gives of the names.
    pub fn nearest(&self, name: &str) -> Option<(usize, &'a str)> {
        let mut search = Search::new(name);
        let lengths = search.length.saturating_sub(search.limit)..=search.length + search.limit;
        let mut best: Option<(usize, usize, &'a str)> = None;
        for (_, names) in self.by_length.range(lengths) {
            search.best = None;
            for (_, letters, candidate) in names {
                search.look_at(*letters, candidate);
            }
            let place = |found: &str| names.iter().find(|(_, _, name)| *name == found);
            if let Some((distance, found)) = search.best
                && let Some((place, ..)) = place(found)
                && best.is_none_or(|(d, p, _)| (distance, *place) < (d, p))
            {
                best = Some((distance, *place, found));
            }
        }
        best.map(|(distance, _, found)| (distance, found))
    }
}

/// The nearest candidate so far.
struct Search<'n, 'a> {
    name: &'n str,
    length: usize,
    limit: usize,
    letters: u64,
    best: Option<(usize, &'a str)>,
}

impl<'n, 'a> Search<'n, 'a> {
    fn new(name: &'n str) -> Search<'n, 'a> {
        let length = name.chars().count();
        Search {
            name,
            length,
            limit: (length / 3).max(1),
            letters: letters(name),
            best: None,
        }
    }

    fn look_at(&mut self, letters: u64, candidate: &'a str) {
        // A name of one letter is near to every other one: no advice there.
        if candidate == self.name || candidate.is_empty() || self.length < 2 {
            return;
        }
        // A replacement makes two letters differ at most. Files of thousands of mistakes and names live on this.
        if (self.letters ^ letters).count_ones() as usize > 2 * self.limit {
            return;
        }
        let distance = edit_distance(self.name, candidate, self.limit);
        if distance <= self.limit && self.best.is_none_or(|(least, _)| distance < least) {
            self.best = Some((distance, candidate));
        }
    }
}

/// The set of letters of a name, each of 64 for the letters that share it.
fn letters(name: &str) -> u64 {
    name.chars()
        .fold(0, |set, letter| set | 1 << (u32::from(letter) % 64))
}

/// Counts the insertions, deletions, replacements and swaps of neighbours that
/// turn `a` into `b`; anything above `limit` is `limit + 1`.
pub fn edit_distance(a: &str, b: &str, limit: usize) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    if a.len().abs_diff(b.len()) > limit {
        return limit + 1;
    }
    let mut before_last: Vec<usize> = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let replaced = last[j] + usize::from(x != y);
            let mut least = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                least = least.min(before_last[j - 1] + 1);
            }
            row.push(least);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()].min(limit + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_within_a_third_wins() {
        let names = ["bias", "scale", "acc"];
        assert_eq!(similar("sacle", names), Some("scale"));
        assert_eq!(similar("bais", names), Some("bias"));
        assert_eq!(similar("weights", names), None);
        assert_eq!(similar("b", names), None);
        assert_eq!(similar("acc", ["acc"]), None);
        let known = Known::new(["bias", "scale", "acc", "bia"]);
        for name in ["sacle", "bais", "weights", "b", "acc", "biass", "bi"] {
            let plain = nearest(name, ["bias", "scale", "acc", "bia"]);
            assert_eq!(known.nearest(name), plain, "{name}");
        }
    }
}
