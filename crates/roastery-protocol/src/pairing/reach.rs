//! Whether a group could sign: at least t members that all reach each other.

use std::collections::BTreeMap;

use roastery_frost::Seat;

use super::Seats;

/// Whether t members are linked, each with each, where two are linked if either says that it
/// reaches the other. The member with the fewest links is left out until all that remain are
/// linked; so a set that is hidden among many half-linked members may be missed, and then more
/// links are waited for.
pub fn is_linked(threshold: usize, reached: &BTreeMap<Seat, Seats>) -> bool {
    let linked = |one: Seat, other: Seat| {
        let says = |from: Seat, to| reached.get(&from).is_some_and(|seats| seats.has(to));
        one == other || says(one, other) || says(other, one)
    };
    let mut left: Vec<Seat> = reached.keys().copied().collect();
    while left.len() >= threshold {
        let links = |seat: Seat| left.iter().filter(|other| linked(seat, **other)).count();
        let fewest = left.iter().copied().map(|seat| (links(seat), seat)).min();
        let Some((links, seat)) = fewest else { return false };
        if links == left.len() {
            return true;
        }
        left.retain(|other| *other != seat);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reached(said: &[(u32, &[u32])]) -> BTreeMap<Seat, Seats> {
        let seat = |number: u32| Seat::new(number).unwrap();
        said.iter()
            .map(|(from, to)| (seat(*from), to.iter().map(|to| seat(*to)).collect()))
            .collect()
    }

    #[test]
    fn t_members_are_linked_if_one_of_each_two_reaches_the_other() {
        assert!(is_linked(2, &reached(&[(0, &[]), (1, &[0]), (2, &[])])));
        assert!(!is_linked(3, &reached(&[(0, &[]), (1, &[0]), (2, &[0])])));
        assert!(is_linked(3, &reached(&[(0, &[]), (1, &[0]), (2, &[0, 1])])));
        assert!(!is_linked(2, &reached(&[(0, &[1])])));
        assert!(!is_linked(2, &reached(&[])));
    }
}
