//! The thread that reads the chain source. It never holds up what is signed.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use roastery_wallet::{Source, SourceKind, SourceSettings};

use super::{known::GroupWallet, lock};
use crate::{
    Time,
    service::{Service, ServiceError, now},
    text::panic_message,
};

/// How long nothing is asked of the source after it was read.
const PAUSE: Duration = Duration::from_secs(10);

/// The same for one that is asked for each address.
const LONG_PAUSE: Duration = Duration::from_secs(60);

/// How long one wallet is read before it is the turn of the next: a long one keeps none of the
/// others from being read, and none of their transactions from being sent.
const TURN: Duration = Duration::from_secs(5);

/// A source that is read in turns.
#[derive(Debug)]
struct Turns {
    source: Source,
    /// Whether the last turn has ended before the source's end.
    goes_on: bool,
}

/// How the reading goes.
#[derive(Debug, Default)]
pub(in crate::service) struct Reading {
    /// When the source was last read to its end for a wallet.
    answered: Option<u64>,
    /// Why it was not, the last time, by the names of the groups.
    problems: BTreeMap<String, String>,
    /// Why wallets take no commands.
    pub(in crate::service) closed: Vec<String>,
}

impl Reading {
    /// Notes how it went for a wallet; returns whether that is new.
    fn note(&mut self, group: &str, read: Result<(), String>, now: u64) -> bool {
        match read {
            Ok(()) => {
                self.answered = Some(now);
                self.problems.remove(group).is_some()
            }
            Err(problem) => {
                self.problems.insert(group.to_owned(), problem.clone()) != Some(problem)
            }
        }
    }

    /// What stands in the way, of one wallet or more.
    fn problem(&self) -> Option<String> {
        let mut texts: Vec<&String> = self.problems.values().collect();
        texts.dedup();
        match texts[..] {
            [] => None,
            [one] => Some(one.clone()),
            _ => {
                let named = self.problems.iter().map(|(group, text)| format!("{group}: {text}"));
                Some(named.collect::<Vec<_>>().join("; "))
            }
        }
    }
}

/// The state of the chain source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainStatus {
    /// Its kind.
    pub kind: &'static str,
    /// Where it is.
    pub url: String,
    /// When it was last read to its end.
    pub answered: Option<Time>,
    /// Why it was not, the last time.
    pub problem: Option<String>,
}

impl Service {
    /// The state of the chain source, if there is one.
    pub fn chain_status(&self) -> Option<ChainStatus> {
        let source = self.wallets.source.as_ref()?;
        let reading = lock(&self.wallets.reading);
        Some(ChainStatus {
            kind: source.kind().name(),
            url: source.url().to_owned(),
            answered: reading.answered.map(Time::from_seconds),
            problem: reading.problem(),
        })
    }

    /// What an operator should know of it.
    pub(in crate::service) fn chain_warning(&self) -> Vec<String> {
        let Some(status) = self.chain_status() else { return Vec::new() };
        let ChainStatus { kind, url, answered, problem } = status;
        let since = match answered {
            Some(time) => format!("was last read at {time}"),
            None => "was not read yet".to_owned(),
        };
        let problem = problem.map(|problem| {
            format!(
                "the chain source {kind} at {url} {since}: {problem}; signing goes on without it"
            )
        });
        let closed = lock(&self.wallets.reading).closed.clone();
        let in_clear = self.wallets.source.as_ref().and_then(SourceSettings::in_clear);
        problem.into_iter().chain(closed).chain(in_clear).collect()
    }

    /// Reads the source in a thread of its own, if there is one.
    pub(in crate::service) fn read_chain(self: &Arc<Self>) -> Result<(), ServiceError> {
        if self.wallets.source.is_none() {
            return Ok(());
        }
        let service = self.clone();
        let reading = move || service.read_until_stopped();
        let thread = self.shared.supervisor.essential_thread("the chain source", "chain", reading);
        let failed = |error: std::io::Error| ServiceError::Internal(error.into());
        thread.map(drop).map_err(failed)
    }

    fn read_until_stopped(&self) {
        let pause = match self.wallets.source.as_ref().map(|source| source.kind()) {
            Some(SourceKind::Bitcoind) => PAUSE,
            _ => LONG_PAUSE,
        };
        // Each wallet has its own, which knows what it has shown to that one.
        let mut sources: BTreeMap<String, Turns> = BTreeMap::new();
        while !*self.stop.borrow() {
            let mut all_ended = true;
            for wallet in self.wallets.all() {
                let Some(source) = self.wallets.source() else { return };
                let new = Turns { source, goes_on: false };
                let turns = sources.entry(wallet.descriptor().to_owned()).or_insert(new);
                let read = self.read(&wallet, turns, Instant::now() + TURN);
                turns.goes_on = read == Ok(false);
                all_ended &= !turns.goes_on;
                match read {
                    Ok(true) => self.note(&wallet, Ok(())),
                    Ok(false) => wallet.was_read(false),
                    Err(problem) => self.note(&wallet, Err(problem)),
                }
                self.send_signed(&wallet);
            }
            if all_ended && !*self.stop.borrow() {
                self.wallets.rest(pause);
            }
        }
    }

    fn note(&self, wallet: &GroupWallet, read: Result<(), String>) {
        wallet.was_read(read.is_ok());
        let group = wallet.name();
        if lock(&self.wallets.reading).note(group, read.clone(), now()) {
            match read {
                Ok(()) => tracing::info!(group, "the chain source is read again"),
                Err(problem) => tracing::warn!(group, "the chain source is not read: {problem}"),
            }
        }
    }

    /// Reads a source until then, or to its end, which is what it returns. The error is one line.
    fn read(
        &self,
        wallet: &GroupWallet,
        turns: &mut Turns,
        until: Instant,
    ) -> Result<bool, String> {
        let source = &mut turns.source;
        if !turns.goes_on {
            source.begin();
        }
        while !*self.stop.borrow() {
            if Instant::now() >= until {
                return Ok(false);
            }
            let question = wallet.question();
            // What a source sends must not end the node, whatever a library makes of it.
            let found = catch_unwind(AssertUnwindSafe(|| source.next(&question)));
            let found = found.map_err(|panic| panic_message(&*panic))?;
            let Some(found) = found.map_err(|error| error.to_string())? else { return Ok(true) };
            let taken = catch_unwind(AssertUnwindSafe(|| wallet.take(found)));
            let taken = taken.map_err(|panic| {
                wallet.reopen(&self.shared.store, self.wallets.network);
                panic_message(&*panic)
            })?;
            let kept = wallet.keep_chain(&self.shared.store);
            self.shared.store_state.saw(&kept);
            kept.map_err(|error| error.to_string())?;
            taken.map_err(|error| error.to_string())?;
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_problem_of_one_wallet_stays_while_another_is_read() {
        let mut reading = Reading::default();
        let fails = || Err("no answer".to_owned());
        assert!(reading.note("treasury", fails(), 1));
        assert!(!reading.note("treasury", fails(), 2), "said once");
        assert!(!reading.note("savings", Ok(()), 3));
        assert_eq!((reading.problem().as_deref(), reading.answered), (Some("no answer"), Some(3)));
        reading.note("savings", Err("too many".to_owned()), 4);
        let both = reading.problem().unwrap();
        assert_eq!(both, "savings: too many; treasury: no answer");
        assert!(reading.note("treasury", Ok(()), 5) && reading.note("savings", Ok(()), 6));
        assert_eq!(reading.problem(), None);
    }
}
