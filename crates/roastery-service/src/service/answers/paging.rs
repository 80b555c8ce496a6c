//! Pages of requests: what a list costs is bounded, whatever members have proposed.

use roastery_store::{KeptRequest, StoreError};

/// A page ends when the requests that were examined for it have this many bytes together.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// A page ends when so many requests were examined for it.
const MOST_LOOKED_AT: usize = 4096;

/// A page, and where the next one begins if there may be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::service) struct Page<T> {
    pub(in crate::service) entries: Vec<T>,
    pub(in crate::service) next: Option<u64>,
}

/// Examines requests from position `before` on, the latest first, until `limit` are shown or enough
/// were examined. `list` returns some that changed before a position, and none after the last one.
pub(in crate::service) fn page<T>(
    mut before: u64,
    limit: usize,
    mut list: impl FnMut(u64) -> Result<Vec<KeptRequest>, StoreError>,
    show: impl Fn(KeptRequest) -> Option<T>,
) -> Result<Page<T>, StoreError> {
    let (mut entries, mut bytes, mut looked_at) = (Vec::new(), 0, 0);
    loop {
        let listed = list(before)?;
        if listed.is_empty() {
            return Ok(Page { entries, next: None });
        }
        for kept in listed {
            before = kept.position;
            bytes += kept.size();
            looked_at += 1;
            entries.extend(show(kept));
            if entries.len() >= limit || bytes >= MOST_BYTES || looked_at >= MOST_LOOKED_AT {
                return Ok(Page { entries, next: Some(before) });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use roastery_protocol::{
        GroupId,
        request::{Derivation, MessageToSign, SigningRequest, Subject},
    };

    use super::*;

    /// Reads so many requests with so many bytes each, in short pages.
    fn look(count: u64, bytes: usize, limit: usize, shown: fn(u64) -> bool) -> Page<u64> {
        let derivation = Derivation::key_path_only();
        let messages = vec![MessageToSign { message: [1; 32], derivation }];
        let request = SigningRequest::new(GroupId::from_bytes([2; 32]), [1; 32], 9, messages);
        let subject = Subject::Transaction(vec![0; bytes]);
        let kept = KeptRequest::proposed(request.unwrap(), subject, None, 7);
        let list = |before: u64| {
            let some = (1..=count.min(before - 1)).rev().take(16);
            Ok(some.map(|position| KeptRequest { position, ..kept.clone() }).collect())
        };
        let show = |kept: KeptRequest| shown(kept.position).then_some(kept.position);
        page(u64::MAX, limit, list, show).unwrap()
    }

    #[test]
    fn a_page_of_large_requests_ends_after_4_mib_and_says_where_the_next_one_begins() {
        let page = look(200, 1024 * 1024, 200, |_| true);
        assert_eq!(page, Page { entries: vec![200, 199, 198, 197], next: Some(197) });
    }

    #[test]
    fn a_page_for_which_nothing_is_found_ends_all_the_same_and_says_where_it_has_come_to() {
        let last = 10_000 - MOST_LOOKED_AT as u64 + 1;
        assert_eq!(look(10_000, 0, 50, |_| false), Page { entries: vec![], next: Some(last) });
        assert_eq!(look(100, 0, 50, |_| false), Page { entries: vec![], next: None });
    }

    #[test]
    fn a_page_is_full_at_its_limit_and_the_last_one_says_that_it_is() {
        assert_eq!(look(5, 0, 2, |_| true), Page { entries: vec![5, 4], next: Some(4) });
        assert_eq!(look(2, 0, 3, |_| true), Page { entries: vec![2, 1], next: None });
    }
}
