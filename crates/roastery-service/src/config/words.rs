//! Commands with their arguments.

use serde::{Deserialize, Deserializer, de::Error};

/// Reads a command. What is written in place of a list is not shown: its arguments may be secret.
pub(super) fn words<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    Vec::deserialize(from).map_err(|_| {
        D::Error::custom("a command is a list of words: [\"program\", \"argument\"] is allowed")
    })
}

/// The same where there may be none.
pub(super) fn some_words<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<Vec<String>>, D::Error> {
    words(from).map(Some)
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn a_command_that_is_no_list_is_refused_without_its_arguments() {
        let hook = "[[hooks]]\nname = \"pager\"\non = [\"signed\"]\n";
        for before in ["[policy]\n", "[policy.change]\n", hook] {
            let text = format!("{before}command = \"notify --token s3cr3t\"\n");
            let error = Config::parse(&text, |_| None).unwrap_err().to_string();
            assert!(error.contains("a command is a list of words"), "{error}");
            assert!(!error.contains("s3cr3t"), "{error}");
        }
    }
}
