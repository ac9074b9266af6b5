//! Lists as people write them in workflows: entries separated by commas or line breaks.

/// The entries of a list, trimmed, in order, without empty ones and without repetitions (ignoring
/// case, as GitHub does with names).
pub fn entries(text: &str) -> Vec<&str> {
    let mut seen: Vec<&str> = Vec::new();
    for entry in text
        .split([',', '\n', '\r'])
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
    {
        if !seen
            .iter()
            .any(|earlier| earlier.eq_ignore_ascii_case(entry))
        {
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
        assert_eq!(entries("a, b\r\n c ,,\n\n A\nd"), ["a", "b", "c", "d"]);
        assert!(entries(" \n, ").is_empty());
    }
}
