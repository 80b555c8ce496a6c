use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use thiserror::Error;

use super::{ANNOUNCE_MAX, Event, Output, Reading, Record, Reported, Switch};
use crate::{
    PlanId,
    change::{
        Added, EpochFile, EpochOrder, EpochRefused, Lineage, PersonsWord, Receipts,
        journal::Journal, machine::Settings,
    },
    clock::Moment,
    group::Group,
    keys::IdentityKey,
    machine::{Backoff, ReplyLimiter},
    member::Incarnation,
};

/// Everything that the switch needs to be opened.
#[derive(Debug)]
pub struct Opening {
    /// The first group that the node knows: that of the key generation, or the parent of the plan
    /// that it has accepted as a joiner. Its roster has the newest bindings.
    pub root: Arc<Group>,
    /// The identity keys of this node in all its seats. The machine finds the seats.
    pub identities: Vec<Arc<IdentityKey>>,
    /// The recovery files that are stored, in any order.
    pub files: Vec<EpochFile>,
    /// The places of all shares and host keys in the store: of adopted epochs, of signed
    /// transcripts ([`EpochOrder::of`]), of host keys of plans ([`EpochOrder::last_of`]), and of
    /// the first group ([`EpochOrder::of_root`]).
    pub held: BTreeSet<EpochOrder>,
    /// The plans that the person of this node has approved or accepted by hand.
    pub words: BTreeMap<PlanId, PersonsWord>,
    /// All records that were stored for this key.
    pub stored: Vec<Record>,
    /// This start of the node, greater than all that were stored before. Receipts count in it.
    pub incarnation: Incarnation,
    /// Intervals of what is repeated.
    pub settings: Settings,
}

/// Why the switch cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// A stored recovery file does not verify.
    #[error("the stored recovery file of epoch {epoch}: {why}")]
    File {
        /// The number of the epoch that it is of.
        epoch: u32,
        /// What is wrong with it.
        why: EpochRefused,
    },
}

impl Switch {
    /// Opens the switch, for the first time or again with what was stored. A file whose parent is
    /// missing is passed over with [`Event::ParentMissing`]: the peers are asked for both.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if a stored file is of another key or does not verify under its parent.
    pub fn open(opening: Opening, now: Moment) -> Result<Self, OpenError> {
        let Opening { root, identities, mut files, held, words, stored, .. } = opening;
        let mut lineage = Lineage::new(root);
        files.sort_by_key(|file| file.plan().epoch());
        let mut outbox = VecDeque::new();
        for file in files {
            let epoch = file.plan().epoch();
            match lineage.verify(&file).map(|epoch| lineage.add(epoch)) {
                Ok(Added { dropped, .. }) => {
                    let told = dropped.into_iter().map(|fork| Output::Event(Event::Dropped(fork)));
                    outbox.extend(told);
                }
                Err(EpochRefused::Known) => {}
                Err(EpochRefused::UnknownParent { .. }) => {
                    let plan = file.plan().id();
                    outbox.push_back(Output::Event(Event::ParentMissing { epoch, plan }));
                }
                Err(why) => return Err(OpenError::File { epoch, why }),
            }
        }
        let current = lineage.get(lineage.current());
        let receipts = current.map(|epoch| Receipts::new(epoch.plan(), epoch.order().transcript()));
        let settings = opening.settings;
        // What is on the disk decides: a share that is not held was not adopted, and one that is
        // held was not erased, whatever an older or newer record says.
        let is_true = |record: &Record| match record {
            Record::Adopted(epoch) => held.contains(epoch),
            Record::Erased { what, .. } => !held.contains(what),
            // Of an epoch that was not given back nothing is stored that could be verified.
            Record::Certified(epoch) => lineage.get(*epoch).is_some(),
            Record::Acknowledged(_) => true,
        };
        let stored: Vec<Record> = stored.into_iter().filter(is_true).collect();
        let said = stored.iter().filter_map(|record| match record {
            Record::Adopted(epoch) => Some(Reported::Adopted(*epoch)),
            Record::Acknowledged(epoch) => Some(Reported::Acknowledged(*epoch)),
            Record::Certified(_) | Record::Erased { .. } => None,
        });
        let mut switch = Self {
            said: said.collect(),
            journal: Journal::stored(stored.iter().copied()),
            lineage,
            rosters: BTreeMap::new(),
            identities,
            held,
            words,
            acknowledged: BTreeSet::new(),
            lacking: BTreeSet::new(),
            receipts,
            incarnation: opening.incarnation,
            counter: 0,
            questions: 0,
            wish: None,
            reading: Reading::default(),
            asked: BTreeMap::new(),
            wrong: BTreeMap::new(),
            useless: BTreeMap::new(),
            told: BTreeMap::new(),
            announcing: Backoff::new(now.monotonic, settings.repeat_min, ANNOUNCE_MAX),
            replies: ReplyLimiter::default(),
            settings,
            outbox,
        };
        switch.announce();
        switch.progress(now);
        Ok(switch)
    }
}
