//! What was approved from elsewhere within a day, in the store: a restart forgets none of it.

use bitcoin::Amount;
use roastery_store::{MAX_REMOTE_APPROVALS, RemoteApproval};

use crate::passkey::RemoteError;

const DAY: u64 = 24 * 60 * 60;

/// Adds an approval to those of the last day, if that is within the limit of its key. One that is
/// counted already, with as much, is counted once.
pub(super) fn with(
    mut approvals: Vec<RemoteApproval>,
    new: RemoteApproval,
    most: u64,
) -> Result<Vec<RemoteApproval>, RemoteError> {
    // What a clock that was set back has noted in the future counts.
    approvals.retain(|one| one.at.saturating_add(DAY) > new.at);
    let is_same = |one: &RemoteApproval| (one.key, one.session) == (new.key, new.session);
    let before = approvals.iter().filter(|one| one.key == new.key && !is_same(one));
    let before = before.fold(0, |sum: u64, one| sum.saturating_add(one.satoshi));
    if before.saturating_add(new.satoshi) > most {
        let sat = Amount::from_sat;
        let (amount, before, most) = (sat(new.satoshi), sat(before), sat(most));
        return Err(RemoteError::AboveDay { amount, before, most });
    }
    if let Some(counted) = approvals.iter_mut().find(|one| is_same(one)) {
        counted.at = counted.at.max(new.at);
        counted.satoshi = counted.satoshi.max(new.satoshi);
        return Ok(approvals);
    }
    if approvals.len() >= MAX_REMOTE_APPROVALS {
        return Err(RemoteError::TooManyApproved(MAX_REMOTE_APPROVALS));
    }
    approvals.push(new);
    Ok(approvals)
}

#[cfg(test)]
mod tests {
    use roastery_protocol::SessionId;

    use super::*;

    fn approval(session: u8, at: u64, satoshi: u64) -> RemoteApproval {
        RemoteApproval { key: [1; 32], session: SessionId::from_bytes([session; 32]), at, satoshi }
    }

    #[test]
    fn the_sum_of_a_day_is_of_one_key_and_counts_each_request_once() {
        let now = 10 * DAY;
        let one = with(Vec::new(), approval(1, now, 60), 100).unwrap();
        let above = with(one.clone(), approval(2, now + 9, 41), 100).unwrap_err();
        let sat = Amount::from_sat;
        let expected = RemoteError::AboveDay { amount: sat(41), before: sat(60), most: sat(100) };
        assert_eq!(above, expected);
        let both = with(one.clone(), approval(2, now + 9, 40), 100).unwrap();
        assert_eq!(both.len(), 2);
        // The same once more, also with more of it.
        assert_eq!(with(one.clone(), approval(1, now, 60), 60).unwrap(), one);
        assert_eq!(with(one.clone(), approval(1, now, 99), 100).unwrap()[0].satoshi, 99);
        assert_eq!(with(one.clone(), approval(1, now, 5), 100).unwrap()[0].satoshi, 60);
        let other = RemoteApproval { key: [2; 32], ..approval(2, now, 100) };
        with(one.clone(), other, 100).unwrap();
        // A day later it counts no more, and a clock that was set back frees nothing.
        let later = with(one.clone(), approval(2, now + DAY, 100), 100).unwrap();
        assert_eq!(later, [approval(2, now + DAY, 100)]);
        with(one.clone(), approval(2, now + DAY - 1, 100), 100).unwrap_err();
        with(one, approval(2, now - 5 * DAY, 100), 100).unwrap_err();
        with(Vec::new(), approval(1, now, 1), 0).unwrap_err();
        with(vec![approval(1, now, u64::MAX)], approval(2, now, 1), u64::MAX - 1).unwrap_err();
    }

    #[test]
    fn more_than_are_kept_are_refused_and_none_is_forgotten() {
        let all: Vec<_> = (0..MAX_REMOTE_APPROVALS)
            .map(|number| {
                let mut session = [0; 32];
                session[..8].copy_from_slice(&number.to_be_bytes());
                RemoteApproval { session: SessionId::from_bytes(session), ..approval(0, 9, 1) }
            })
            .collect();
        let more = with(all, approval(9, 9, 1), u64::MAX).unwrap_err();
        assert_eq!(more, RemoteError::TooManyApproved(MAX_REMOTE_APPROVALS));
    }
}
