//! The names that operators give to tokens and hooks.

/// The longest such name, in bytes.
pub(crate) const MAX_LABEL: usize = 24;

/// What such a name may have, for messages.
pub(crate) const LABEL_RULE: &str =
    "1 to 24 small letters, digits and hyphens, no hyphen first or last";

/// Whether a name has what it may have.
pub(crate) fn is_label(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let ends = |c: char| c != '-' && allowed(c);
    (1..=MAX_LABEL).contains(&name.len())
        && name.chars().all(allowed)
        && name.starts_with(ends)
        && name.ends_with(ends)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_small_letters_digits_and_hyphens_between_them() {
        let longest = "a".repeat(MAX_LABEL);
        for good in ["a", "9", "phone", "ops-2", &longest] {
            assert!(is_label(good), "{good}");
        }
        let longer = "a".repeat(MAX_LABEL + 1);
        for bad in ["", "-", "-a", "a-", "A", "a b", "a_b", "é", "a/b", &longer] {
            assert!(!is_label(bad), "{bad}");
        }
        assert!(LABEL_RULE.contains(&MAX_LABEL.to_string()));
    }
}
