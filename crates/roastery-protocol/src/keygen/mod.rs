//! The key generation at one node, as a pure state machine: ChillDKG over the mesh, and
//! recovery after it.
//!
//! The members agree on an [`Invitation`] and compare its fingerprint. Each draws a [`Seed`],
//! stores it, and opens a
//! [`Keygen`], which is driven as every [`Machine`] is. A node that holds several seats opens a
//! [`NodeKeygen`], which has one of each.
//!
//! At its end there is a [`Group`] that all members have signed, a secret share that is
//! [taken](Keygen::take_share) out once, and a public [`RecoveryFile`] that brings both back with
//! the host key alone ([`recover_group`]).
//!
//! # A group generates its key
//!
//! Three members, two of whom will have to sign; here a queue stands for the network.
//!
//! ```
//! use std::{collections::VecDeque, sync::Arc, time::Duration};
//!
//! use roastery_frost::SigningKey;
//! use roastery_protocol::{
//!     keygen::{Keygen, Invitation, Opening, Output, Seed, Settings, recover_group},
//!     clock::Moment,
//!     group::{Member, NamedMember, PeerId},
//!     keys::{HostKey, IdentityKey},
//!     machine::{Destination, Machine},
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut rng = getrandom::SysRng;
//! let (mut keys, mut backups) = (Vec::new(), Vec::new());
//! let mut cards = Vec::new();
//! for name in ["anna", "ben", "cleo"] {
//!     let host = SigningKey::generate(&mut rng)?;
//!     backups.push(host.expose_bytes());
//!     let host = HostKey::new(host);
//!     let identity = IdentityKey::new(SigningKey::generate(&mut rng)?);
//!     let (identity_key, peer) = (identity.public_key(), PeerId::new(name)?);
//!     let binding = host.bind(&identity_key, &peer, 0);
//!     let host_key = host.public_key();
//!     let member = Member { host_key, identity_key, peer, sequence: 0, binding };
//!     cards.push(NamedMember { name: name.parse()?, member });
//!     keys.push((host, identity));
//! }
//! // All members have the same invitation; they verify it by comparing this.
//! let invitation = Invitation::new("treasury", 0, 2, cards)?;
//! println!("{}", invitation.fingerprint());
//!
//! let now = Moment { monotonic: Duration::ZERO, wall: Duration::from_secs(1_800_000_000) };
//! let mut keygens = Vec::new();
//! for (host, identity) in keys {
//!     // A node stores the seed, encrypted, before it goes on.
//!     let seed = Seed::generate(&mut rng)?;
//!     let opening = Opening {
//!         invitation: invitation.clone(),
//!         host,
//!         identity: Arc::new(identity),
//!         seed,
//!         signed: None,
//!         settings: Settings::default(),
//!     };
//!     keygens.push(Keygen::open(opening, now)?);
//! }
//!
//! let mut network = VecDeque::new();
//! loop {
//!     for (from, keygen) in invitation.seats().zip(&mut keygens) {
//!         while let Some(output) = keygen.poll_output() {
//!             match output {
//!                 // A node stores it beside the seed, and then says so.
//!                 Output::Persist(transcript) => keygen.persisted(transcript, true, now),
//!                 Output::Send { to, bytes } => {
//!                     let reached = invitation.seats().filter(|seat| match to {
//!                         Destination::Seat(one) => *seat == one,
//!                         Destination::Everyone => *seat != from,
//!                     });
//!                     network.extend(reached.map(|to| (from, to, bytes.clone())));
//!                 }
//!                 Output::Event(event) => println!("{from}: {event:?}"),
//!             }
//!         }
//!     }
//!     let Some((from, to, bytes)) = network.pop_front() else { break };
//!     let peer = &invitation.member(from).ok_or("no such member")?.peer;
//!     // What a message did not do is said in the error; nothing that others send is an error here.
//!     let _ = keygens[to.index()].handle_message(peer, &bytes, now);
//! }
//!
//! for keygen in &mut keygens {
//!     let share = keygen.take_share().ok_or("no share")?;
//!     let group = keygen.group().ok_or("no group")?;
//!     assert!(share.matches(group.keys(), keygen.seat()));
//! }
//!
//! // The host key and a public file bring it all back.
//! let file = keygens[0].recovery_file().ok_or("no file")?.encode();
//! let host = HostKey::new(SigningKey::from_bytes(backups.swap_remove(0))?);
//! let recovered = recover_group(host, &file, None)?;
//! assert_eq!(Some(recovered.group.id()), keygens[1].group().map(|group| group.id()));
//! # Ok(())
//! # }
//! ```
//!
//! # How it goes
//!
//! A member's first message follows from its seed, so there is one of each member, all honest
//! coordinators make the same transcript of them, and it does not matter which coordinator does.
//! The coordinators come in an order that the key generation's id fixes, and the number of live
//! ones doubles with each interval, as in a session. A member sends what it has to all that are
//! live: its first message until it has signed, its signature afterwards. A member that receives a
//! first message and has signed or made a transcript answers with that transcript; a member that
//! holds a transcript and the signatures of all makes the certificate and sends it to all; and a
//! member that has the certificate answers everything with it until the key generation's lifetime
//! is over. So any member can coordinate, one that is silent or withholds something is passed by,
//! and one that was cut off gets the certificate from any other.
//!
//! A member signs one transcript in a key generation. It stores which one before its signature
//! leaves ([`Output::Persist`]), and gets it back when it is opened again ([`Opening::signed`]). So
//! as long as one member is honest there are no two certificates of one key generation. A
//! coordinator sends its transcript when its own signature of it is stored, and so does not send
//! two. A certificate counts only if it holds this node's own encryption nonce, which follows from
//! seed and key generation; so a certificate of another key generation of the same members is
//! invalid.
//!
//! # Faults, and which member is named
//!
//! Coordinators check the proof and the nonce in each first message before they use it, so a
//! coordinator that passes on a wrong one is at fault itself. A wrong share is investigated in two
//! steps: this node asks the coordinator that passed it on, which leaves two members to blame at
//! most; and it collects all first messages itself, which leaves one. Then, and only if this node
//! has signed nothing, key generation ends here as [`StopReason::Faulty`]: without that member
//! there is no key. All else is a [`Suspicion`] in the report, and the key generation goes on.
//!
//! A node that receives another transcript than the one that it has signed asks both coordinators
//! for the first messages that they made them of. Each is signed by its sender, so a member that
//! has sent two is named as soon as both are at one honest node.
//!
//! # What is kept, at most
//!
//! | what | bound |
//! |---|---|
//! | bytes of an envelope, before it is read | that of the longest message for n and t, at most 25,064 |
//! | first messages, of each member | 1 |
//! | different transcripts of a coordinator that are checked | 2 |
//! | such as one peer passes on, beyond these | 1 |
//! | transcripts that signatures of one member are counted for | 2 |
//! | signatures of transcripts that are not known, of each member | 1 |
//! | wrong shares that are investigated, of each coordinator | 1 |
//! | invalid certificates of one sender, before no more are checked | 4 |
//! | coordinators that are asked for the first messages of others | n |
//! | findings | 1 of each kind for each member at fault |
//! | answers to one seat within the minimum reply interval | 8, no two alike |
//!
//! # Secrets
//!
//! The host key and the seed are held until the key generation ends in whichever way, and are
//! overwritten then or on drop. No share is held before the end. ChillDKG's steps are in constant
//! time where [its module](roastery_frost::chilldkg) says so; nothing here branches on a secret.

mod comparing;
mod completion;
mod first_messages;
mod investigating;
mod invitation;
pub mod message;
mod node;
mod opening;
mod output;
mod receive;
mod recovery;
mod replies;
mod report;
mod seed;
mod settings;
mod signing;
mod suspicion;
mod timers;
mod transcripts;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use roastery_frost::{Seat, SecretShare, chilldkg::HostSecretKey};

pub(crate) use self::invitation::check_cards;
use self::{
    comparing::Comparison,
    first_messages::FirstMessages,
    investigating::OpenInvestigation,
    message::{Body, Envelope, RefusalReason},
    signing::Signing,
    transcripts::Transcripts,
};
pub use self::{
    invitation::{Invitation, InvitationError, MAX_INVITATION, MemberKey},
    node::{NodeKeygen, NodeOpenError, NodeOpening, SeatEvent, SeatOpening, SignedTranscript},
    opening::{OpenError, Opening},
    output::{Event, Output, Rejected, StopReason},
    recovery::{MAX_RECOVERY_FILE, Recovered, RecoveryError, RecoveryFile, recover_group},
    report::{Awaited, AwaitedThing, Report, ReportPhase},
    seed::Seed,
    settings::Settings,
    suspicion::{Misbehaviour, Suspect, Suspicion},
};
use crate::{
    BodyHash, KeygenId, TranscriptHash,
    clock::Moment,
    election::Order,
    group::{Group, PeerId},
    keys::IdentityKey,
    machine::{Backoff, Destination, Link, Machine, ReplyLimiter, Schedule},
};

/// One key generation at one node. See the [module](self).
///
/// Dropping it zeroizes its secrets, as ending it does.
#[derive(Debug)]
pub struct Keygen {
    fixed: Fixed,
    /// `None` once the key generation has ended.
    secrets: Option<Secrets>,
    phase: Phase,
    expiry: Duration,
    schedule: Schedule,
    /// The live coordinators but this node.
    links: BTreeMap<Seat, LiveCoordinator>,
    /// Since when it is this node's turn, if it is.
    coordinating: Option<Duration>,
    first_messages: FirstMessages,
    transcripts: Transcripts,
    signing: Signing,
    made: Option<OwnTranscript>,
    investigations: BTreeMap<Seat, OpenInvestigation>,
    collecting: Option<Backoff>,
    comparisons: BTreeMap<Seat, Comparison>,
    findings: Vec<Suspicion>,
    wrong_certificates: BTreeMap<Seat, u8>,
    refusals: BTreeMap<Seat, RefusalReason>,
    awaited_at_end: Vec<Awaited>,
    disconnected: BTreeSet<PeerId>,
    replies: ReplyLimiter<BodyHash>,
    outbox: VecDeque<Output>,
}

/// What never changes.
#[derive(Debug)]
struct Fixed {
    invitation: Invitation,
    seat: Seat,
    identity: Arc<IdentityKey>,
    settings: Settings,
    order: Order,
    longest_envelope: usize,
    first_message: Envelope,
    pubnonce: [u8; 33],
}

#[derive(Debug)]
struct Secrets {
    host: HostSecretKey,
    seed: Seed,
}

#[derive(Debug)]
enum Phase {
    Running,
    Done { file: Box<RecoveryFile>, share: Option<SecretShare>, certificate: Envelope },
    Ended(StopReason),
}

/// Another coordinator that is live.
#[derive(Debug)]
struct LiveCoordinator {
    since: Duration,
    repeat: Backoff,
}

/// The transcript that this node has made from the first messages.
#[derive(Debug)]
struct OwnTranscript {
    hash: TranscriptHash,
    envelope: Envelope,
    /// When it is repeated, once it is signed here and shown to the others.
    shown: Option<Backoff>,
}

impl Keygen {
    /// Ends the key generation here. Secrets are zeroized; see [`StopReason`] for what may still
    /// come of it elsewhere.
    pub fn stop(&mut self, now: Moment) {
        self.expire(now);
        if matches!(self.phase, Phase::Running) {
            self.refuse(RefusalReason::Operator);
        }
        self.end(StopReason::Cancelled);
    }

    /// The key generation's id: the hash of the invitation.
    pub fn id(&self) -> KeygenId {
        self.fixed.invitation.id()
    }

    /// The invitation that all members agreed on.
    pub fn invitation(&self) -> &Invitation {
        &self.fixed.invitation
    }

    /// This node's seat.
    pub fn seat(&self) -> Seat {
        self.fixed.seat
    }

    /// The group, once it exists.
    pub fn group(&self) -> Option<&Arc<Group>> {
        self.recovery_file().map(RecoveryFile::group)
    }

    /// The file that, with the host key, recovers group and share, once there is a certificate.
    pub fn recovery_file(&self) -> Option<&RecoveryFile> {
        match &self.phase {
            Phase::Done { file, .. } => Some(file),
            _ => None,
        }
    }

    /// Moves this seat's secret share out, once.
    pub fn take_share(&mut self) -> Option<SecretShare> {
        match &mut self.phase {
            Phase::Done { share, .. } => share.take(),
            _ => None,
        }
    }

    /// The certificate answers every message of the key generation until here, on the monotonic
    /// clock; then it may be dropped.
    pub fn expires_at(&self) -> Duration {
        self.expiry
    }

    fn send(&mut self, to: Destination, envelope: &Envelope) {
        self.outbox.push_back(Output::Send { to, bytes: envelope.as_bytes().clone() });
    }

    fn event(&mut self, event: Event) {
        self.outbox.push_back(Output::Event(event));
    }

    fn seal(&self, body: &Body) -> Envelope {
        Envelope::seal(self.id(), self.fixed.seat, body, &self.fixed.identity)
    }

    /// Records a finding, once of each kind and member at fault.
    fn suspect(&mut self, finding: Suspicion) {
        let same = |known: &Suspicion| {
            known.suspect == finding.suspect
                && std::mem::discriminant(&known.misbehaviour)
                    == std::mem::discriminant(&finding.misbehaviour)
        };
        if !self.findings.iter().any(same) {
            self.findings.push(finding);
            self.event(Event::Found(finding));
        }
    }
}

impl Machine for Keygen {
    type Event = Event;
    type Address = Seat;
    /// The transcript that this node has signed, stored beside its seed.
    type Record = TranscriptHash;
    type Rejected = Rejected;

    /// The most costly message is the last first message at a coordinator: n checks of shares, and
    /// n additions of t points. A transcript costs n key exchanges and n checks of proofs, a
    /// certificate n checks of signatures.
    fn handle_message(&mut self, from: &PeerId, bytes: &[u8], now: Moment) -> Result<(), Rejected> {
        self.expire(now);
        let result = self.receive(from, bytes, now);
        self.escalate(now);
        result
    }

    fn handle_timeout(&mut self, now: Moment) {
        self.wake(now);
    }

    /// A coordinator that is gone is passed over without delay; one that has come back is sent
    /// again what it may have missed.
    fn handle_link(&mut self, peer: &PeerId, link: Link, now: Moment) {
        if !self.fixed.invitation.is_member(peer) {
            return;
        }
        let back = match link {
            Link::Up => self.disconnected.remove(peer),
            // No interval of a key generation depends on it.
            Link::RoundTrip(_) => return,
            Link::Down => {
                self.disconnected.insert(peer.clone());
                false
            }
        };
        self.expire(now);
        if back {
            self.reconnected(peer, now);
        }
        self.escalate(now);
    }

    /// The signature leaves once its transcript is stored. If that has failed, the signature waits:
    /// the caller may try again and call this again.
    fn persisted(&mut self, transcript: TranscriptHash, kept: bool, now: Moment) {
        self.expire(now);
        if kept {
            self.release(transcript, now);
        }
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outbox.pop_front()
    }

    fn next_timeout(&self) -> Option<Duration> {
        match self.phase {
            Phase::Running => self.timers().min(),
            Phase::Done { .. } | Phase::Ended(_) => None,
        }
    }
}
