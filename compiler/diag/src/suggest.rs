//! "Did you mean": the known name nearest to a mistyped one.

/// Returns the candidate nearest to `name`, if at most a third of the letters
/// (one at least) differ; of equally near ones the first.
pub fn similar<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = name.chars().count();
    let limit = (length / 3).max(1);
    let own = letters(name);
    let mut best = None;
    for candidate in candidates {
        // A name of one letter is near to every other one: no advice there.
        if candidate == name || candidate.is_empty() || length < 2 {
            continue;
        }
        // A replacement makes two letters differ at most. Files of thousands of mistakes and names live on this.
        if (own ^ letters(candidate)).count_ones() as usize > 2 * limit {
            continue;
        }
        let distance = edit_distance(name, candidate, limit);
        if distance <= limit && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
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
    }
}
