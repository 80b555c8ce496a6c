//! The users of this machine.

use std::fs;

/// The users that this process sees: within a user namespace others are all one.
const SEEN: &str = "/proc/self/uid_map";

/// The number of a user; `None` if there is none of this name. The system may ask a directory of
/// the network: this may wait.
pub fn number_of(name: &str) -> Option<u32> {
    Some(uzers::get_user_by_name(name)?.uid())
}

/// The name of a user; `None` if the system has none for it. This may wait, too.
pub(crate) fn name_of(number: u32) -> Option<String> {
    Some(uzers::get_user_by_uid(number)?.name().to_string_lossy().into_owned())
}

/// Whether this process sees users of this number as they are.
pub fn is_seen(number: u32) -> bool {
    // Without the file there are no namespaces.
    fs::read_to_string(SEEN).map_or(true, |map| is_mapped(&map, number))
}

/// The map has a line for each range: its first number here, the first outside, how many.
fn is_mapped(map: &str, number: u32) -> bool {
    map.lines().any(|line| {
        let mut numbers = line.split_whitespace().map(str::parse::<u64>);
        let (Some(Ok(first)), Some(Ok(_)), Some(Ok(count))) =
            (numbers.next(), numbers.next(), numbers.next())
        else {
            return false;
        };
        (first..first.saturating_add(count)).contains(&u64::from(number))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_a_user_of_every_machine_and_has_number_0() {
        assert_eq!(number_of("root"), Some(0));
        assert_eq!(name_of(0).as_deref(), Some("root"));
        for none in ["", "no such user", "root\0"] {
            assert_eq!(number_of(none), None, "{none:?}");
        }
    }

    #[test]
    fn a_unit_with_users_of_its_own_sees_itself_and_root_and_no_other() {
        let private = "         0          0          1\n       990        990          1\n";
        let whole = "         0          0 4294967295\n";
        for (map, number, seen) in [
            (private, 0, true),
            (private, 990, true),
            (private, 1000, false),
            (private, 991, false),
            (whole, 1000, true),
            ("", 0, false),
            ("x y z\n", 0, false),
        ] {
            assert_eq!(is_mapped(map, number), seen, "{number} in {map:?}");
        }
    }
}
