//! The Roastery daemon.
//!
//! [`Service`] is a running node: its groups over one libp2p bus, its store, its key generations,
//! and the policy that decides what it signs. [`api`] is its HTTP interface, [`config`] its
//! configuration, [`files`] the files that members exchange.

pub mod api;
mod blocking;
mod command;
pub mod config;
pub mod daemon;
mod descriptors;
pub mod files;
pub mod init;
pub mod limits;
mod log;
mod manager;
mod metrics;
pub mod own_card;
pub mod passkey;
pub mod policy;
pub mod recovering;
mod service;
pub mod text;
mod time;
pub mod users;
pub mod view;
pub mod words;

pub use self::{
    command::NoStatus,
    descriptors::TooFewDescriptors,
    metrics::Metrics,
    service::{
        AuditCuts, BegunEnrolment, BoxError, Brought, CardAddresses, ChainStatus, Challenge,
        ChangeStatus, CurrentState, DecidedAbout, DraftSubject, DraftWhat, DraftedTransaction,
        EnrolmentState, EpochsStatus, EraseWish, ExaminedTransaction, Failure, FailureKind,
        GroupStatus, HeldProof, HookStatus, HookTest, HostKeyVerdict, KeptCopy, KeygenPhase,
        KeygenStatus, KitHolder, KitStatus, KnownRequest, KnownStep, LineOf, LoggedChange,
        LoggedShare, LowerEpoch, MemberDecision, MemberDecisions, MemberStatus, NewKit, NewPairing,
        NewReturn, NodeStatus, NotSeen, OutputVersion, OwnReturnStatus, PaidOutput, PairingMember,
        PairingPhase, PairingStatus, Payment, PaymentDetails, PeerStatus, PolicyStatus,
        RecordedAct, RecordedActs, RecordedIn, RemoteAct, RemoteWish, RequestCounts,
        RequestDetails, RequestDraft, RequestFilter, RequestPage, RequestWarning, ReturnLineStatus,
        Returned, ReturnsStatus, Role, Ruling, Seen, Sending, SendingState, Service, ServiceError,
        ServiceEvent, SessionStatus, SettingsInForce, SignedForm, State, Step, StepKind, Summary,
        TextSigner, WalletDraft, WalletStatus, approval_text, check_hooks, fingerprint,
        nothing_to_cut, too_young,
    },
    time::Time,
};
