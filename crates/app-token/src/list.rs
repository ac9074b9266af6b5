//! Lists as people write them in workflows: entries separated by commas or line breaks.

/// The entries of a list, trimmed, in order, without empty ones and without repetitions to the letter.
pub fn entries(text: &str) -> Vec<&str> {
    let mut seen: Vec<&str> = Vec::new();
    for entry in text
        .split([',', '\n', '\r'])
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
    {
        if !seen.contains(&entry) {
            seen.push(entry);
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::entries;

    #[test]
    fn commas_lines_spaces_and_repetitions() {
        assert_eq!(entries("a, b\r\n c ,,\n\n a\nA"), ["a", "b", "c", "A"]);
        assert!(entries(" \n, ").is_empty());
    }
}
