//! Kits are made, and words of their paper are typed back.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use roastery_frost::{Point, SigningKey};
use roastery_protocol::{
    KeyId, KeygenId, Seat,
    group::PeerId,
    kit::{Asking, KIT_WORDS, Kit, KitLabel, KitWords},
};
use roastery_store::{KitSecrets, Store, StoreError, open_kit, seal_kit};
use tokio::sync::Notify;
use zeroize::Zeroizing;

use crate::service::{Service, ServiceError, group::service::GroupService};

/// How many words of the paper are typed back.
const TYPED: usize = 2;

/// The words of a kit that was made, once: nothing keeps them.
pub struct NewKit {
    /// The group's name here.
    pub group: String,
    /// The label that is written above the words.
    pub label: KitLabel,
    /// The number of the epoch.
    pub epoch: u32,
    /// The words.
    pub words: KitWords,
    /// The numbers of the words that are to be typed back.
    pub asked: [usize; TYPED],
}

/// Without the words.
impl fmt::Debug for NewKit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { group, label, epoch, .. } = self;
        f.debug_struct("NewKit")
            .field("group", group)
            .field("label", label)
            .field("epoch", epoch)
            .finish_non_exhaustive()
    }
}

/// The kits of this node.
#[derive(Debug, Default)]
pub(in crate::service) struct Kits {
    /// One is sealed at a time: it takes much memory.
    sealing: tokio::sync::Mutex<()>,
    /// The words that were shown and are to be typed back, in memory alone.
    shown: Mutex<BTreeMap<KeyId, Shown>>,
    /// Wakes the task of a key.
    wakes: Mutex<BTreeMap<KeyId, Arc<Notify>>>,
    /// Of which host keys the others are asked for their copies of the kit, for a return.
    collecting: Mutex<BTreeMap<KeyId, BTreeMap<HostBytes, Asking>>>,
}

/// A public host key, compressed.
pub(in crate::service) type HostBytes = [u8; 33];

#[derive(Debug)]
struct Shown {
    kit: Kit,
    words: KitWords,
    asked: [usize; TYPED],
}

impl Kits {
    /// What wakes the task of this key.
    pub(super) fn wake_of(&self, key: KeyId) -> Arc<Notify> {
        let mut wakes = self.wakes.lock().unwrap_or_else(PoisonError::into_inner);
        wakes.entry(key).or_default().clone()
    }

    /// Held while a kit is sealed or opened: it takes much memory.
    pub(in crate::service) async fn one_at_a_time(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.sealing.lock().await
    }

    /// Asks these members for the kits of a host key that they keep, until each has answered.
    pub(in crate::service) fn collect(
        &self,
        key: KeyId,
        host: HostBytes,
        members: impl IntoIterator<Item = PeerId>,
    ) {
        self.collecting().entry(key).or_default().insert(host, Asking::new(members));
    }

    /// Asks for the kits of no other host keys than these any more.
    pub(in crate::service) fn collect_only(&self, hosts: &[HostBytes]) {
        let mut collecting = self.collecting();
        collecting.values_mut().for_each(|of| of.retain(|host, _| hosts.contains(host)));
        collecting.retain(|_, of| !of.is_empty());
    }

    /// Of which host keys of each key the others are asked for copies.
    pub(super) fn collecting(
        &self,
    ) -> MutexGuard<'_, BTreeMap<KeyId, BTreeMap<HostBytes, Asking>>> {
        // No step under the lock leaves an entry incomplete.
        self.collecting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shown(&self) -> MutexGuard<'_, BTreeMap<KeyId, Shown>> {
        // No step under the lock leaves an entry incomplete.
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The own seat of a group whose host key was drawn for the pairing that has founded it.
pub(super) struct OwnSeat {
    pub(super) seat: Seat,
    pub(super) host: Point,
    pub(super) keygen: KeygenId,
}

impl Service {
    /// This node's seat in a group, if the group was founded by lines and this is its certified
    /// first epoch.
    pub(super) async fn seat_with_kit(
        &self,
        group: &GroupService,
    ) -> Result<Option<OwnSeat>, ServiceError> {
        let ([seat], Some(recovery)) = (group.seats.as_slice(), &group.recovery) else {
            return Ok(None);
        };
        let (seat, keygen) = (*seat, recovery.invitation().id());
        let Some(host) = group.group.member(seat).map(|member| member.host_key) else {
            return Ok(None);
        };
        let drawn = self.shared.store(move |store| store.is_pairing_host_key(&host)).await?;
        Ok(drawn.then_some(OwnSeat { seat, host, keygen }))
    }

    /// Makes a kit of this node's seat in a group, in place of the one before, under fresh words.
    /// They are in the answer and nowhere else; the sealed kit goes to the other members.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotFound`]; [`ServiceError::Conflict`] if the host key is not here.
    pub async fn make_kit(&self, name: &str) -> Result<NewKit, ServiceError> {
        let group = self.find_group(name)?;
        let _sealing = self.kits.sealing.lock().await;
        let OwnSeat { seat, host, keygen } =
            self.seat_with_kit(&group).await?.ok_or_else(|| {
                let reason = "this group was not founded by lines (roastery invite): its host key is in the file host-key of this node, or in a file of roastery hostkey export";
                ServiceError::Conflict(reason.into())
            })?;
        let (words, asked) = draw()?;
        let sealed_under = words.clone();
        let (key, epoch) = (group.group.key_id(), group.group.epoch().number());
        let of = (group.group.id(), epoch, seat);
        let make = move |store: &Store| {
            let Some(host) = store.host_key(&host)? else { return Ok(None) };
            let keys = store.keys()?.filter(|keys| !keys.identities.is_empty());
            let Some(mut keys) = keys else { return Ok(None) };
            let identity = keys.identities.swap_remove(0);
            let secrets = KitSecrets { host, identity, transport: keys.transport, keygen };
            let kit = seal_kit(of, &secrets, &sealed_under)?;
            // What is given away is opened once: it brings back what is here.
            let opened = open_kit(&kit, &sealed_under)?;
            if !is_same(&opened.host, &secrets.host)
                || !is_same(&opened.identity, &secrets.identity)
            {
                return Err(StoreError::WrongPassphrase);
            }
            store.keep_own_kit(key, &kit)?;
            Ok(Some(kit))
        };
        let kit = self.shared.store(make).await?.ok_or_else(|| {
            let reason = "the host key of this group is not on this machine any more: the kit that is kept elsewhere brings the seat back, with the words on its paper";
            ServiceError::Conflict(reason.into())
        })?;
        let label = kit.label();
        let shown = Shown { kit, words: words.clone(), asked };
        self.kits.shown().insert(key, shown);
        self.kits.wake_of(key).notify_one();
        Ok(NewKit { group: group.name.clone(), label, epoch, words, asked })
    }

    /// Takes words of the paper, by their numbers. When all that were asked for are right, and
    /// enough members keep the kit, the host key leaves this machine.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Invalid`] names the word that is wrong; [`ServiceError::Conflict`] if no
    /// words are to be typed back: none were made since the start of the node.
    pub async fn confirm_kit(
        &self,
        name: &str,
        typed: &[(usize, Zeroizing<String>)],
    ) -> Result<(), ServiceError> {
        let group = self.find_group(name)?;
        let key = group.group.key_id();
        let kit = {
            let shown = self.kits.shown();
            let shown = shown.get(&key).ok_or_else(|| {
                let reason = "no words are to be typed back: they were not made since the node was started; roastery kit words makes new ones; destroy the paper before them";
                ServiceError::Conflict(reason.into())
            })?;
            for number in shown.asked {
                let mut of = typed.iter().filter(|(typed, _)| *typed == number);
                if !of.any(|(_, word)| shown.words.is_word(number, word)) {
                    let reason = format!(
                        "word {number} is not the one that was shown: look at the paper, and correct it there if it is wrong"
                    );
                    return Err(ServiceError::Invalid(reason.into()));
                }
            }
            shown.kit.clone()
        };
        let confirmed = kit.clone();
        self.shared.store(move |store| store.confirm_own_kit(&confirmed)).await?;
        self.kits.shown().retain(|_, shown| shown.kit != kit);
        self.kits.wake_of(key).notify_one();
        Ok(())
    }

    /// The sealed kit of this node in a group, or the newest one of the member that is called so.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotFound`] if there is no such group or member, or no kit of it here.
    pub async fn kit_file(&self, name: &str, of: Option<&str>) -> Result<Kit, ServiceError> {
        let group = self.find_group(name)?;
        let id = group.group.id();
        if let Some(of) = of {
            let mut members = group.group.members().iter();
            let called = |peer| self.shared.name_of(peer).eq_ignore_ascii_case(of);
            let member = members.find(|member| called(&member.peer));
            let host = member
                .map(|member| member.host_key)
                .ok_or_else(|| ServiceError::NotFound { what: "member", name: of.to_owned() })?;
            let kept = self.shared.store(move |store| store.kept_kits_of(&host)).await?;
            return kept.into_iter().next().ok_or_else(|| ServiceError::NotFound {
                what: "kit of the member",
                name: of.to_owned(),
            });
        }
        let own = self.shared.store(|store| store.own_kits()).await?;
        let own = own.into_iter().find(|own| own.kit.group() == id).map(|own| own.kit);
        own.ok_or_else(|| ServiceError::NotFound {
            what: "kit of the group",
            name: name.to_owned(),
        })
    }
}

fn is_same(one: &SigningKey, other: &SigningKey) -> bool {
    one.plain_public_key() == other.plain_public_key()
}

fn draw() -> Result<(KitWords, [usize; TYPED]), ServiceError> {
    let none = |_| ServiceError::Internal("the system gave no randomness".into());
    let mut random = Zeroizing::new([0; 13]);
    getrandom::fill(random.as_mut()).map_err(none)?;
    let mut places = [0; 2];
    getrandom::fill(&mut places).map_err(none)?;
    let first = usize::from(places[0]) % KIT_WORDS;
    // Another one than the first.
    let second = (first + 1 + usize::from(places[1]) % (KIT_WORDS - 1)) % KIT_WORDS;
    let (low, high) = (first.min(second), first.max(second));
    Ok((KitWords::from_random(&random), [low + 1, high + 1]))
}
