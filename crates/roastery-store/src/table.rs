//! The tables whose values are sealed, and their records.

use borsh::{BorshDeserialize, BorshSerialize};
use redb::TableDefinition;

pub(super) type Rows = TableDefinition<'static, &'static [u8], &'static [u8]>;

/// The tables whose values are sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Table {
    Keys,
    Groups,
    Shares,
    EpochKeys,
    NewEpochKeys,
    HostKeys,
    HostKeySecrets,
    Plans,
    Names,
    Keygens,
    Requests,
    Changes,
    ChangesLength,
    Messages,
    Evidence,
    Bars,
    Pairings,
    Incarnations,
    Audit,
    AuditLength,
    AuditBegin,
    AuditCuts,
    Epochs,
    ChangeLog,
    ChangeLogLength,
    Backups,
    Wallets,
    Acts,
    ActsHead,
    Tokens,
    Outbox,
    Hooks,
    Told,
    HostKeyFiles,
    PairingHostKeys,
    OwnKits,
    KeptKits,
    Passkeys,
    ReturnLines,
    Returns,
}

impl Table {
    pub(super) const ALL: [Table; 40] = [
        Table::Keys,
        Table::Groups,
        Table::Shares,
        Table::EpochKeys,
        Table::NewEpochKeys,
        Table::HostKeys,
        Table::HostKeySecrets,
        Table::Plans,
        Table::Names,
        Table::Keygens,
        Table::Requests,
        Table::Changes,
        Table::ChangesLength,
        Table::Messages,
        Table::Evidence,
        Table::Bars,
        Table::Pairings,
        Table::Incarnations,
        Table::Audit,
        Table::AuditLength,
        Table::AuditBegin,
        Table::AuditCuts,
        Table::Epochs,
        Table::ChangeLog,
        Table::ChangeLogLength,
        Table::Backups,
        Table::Wallets,
        Table::Acts,
        Table::ActsHead,
        Table::Tokens,
        Table::Outbox,
        Table::Hooks,
        Table::Told,
        Table::HostKeyFiles,
        Table::PairingHostKeys,
        Table::OwnKits,
        Table::KeptKits,
        Table::Passkeys,
        Table::ReturnLines,
        Table::Returns,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Table::Keys => "keys",
            Table::Groups => "groups",
            Table::Shares => "shares",
            Table::EpochKeys => "epoch-keys",
            Table::NewEpochKeys => "new-epoch-keys",
            Table::HostKeys => "host-keys",
            Table::HostKeySecrets => "host-key-secrets",
            Table::Plans => "plans",
            Table::Names => "names",
            Table::Keygens => "ceremonies",
            Table::Requests => "requests",
            Table::Changes => "changes",
            Table::ChangesLength => "changes-length",
            Table::Messages => "messages",
            Table::Evidence => "evidence",
            Table::Bars => "bars",
            Table::Pairings => "pairings",
            Table::Incarnations => "incarnations",
            Table::Audit => "audit",
            Table::AuditLength => "audit-length",
            Table::AuditBegin => "audit-begin",
            Table::AuditCuts => "audit-cuts",
            Table::Epochs => "epochs",
            Table::ChangeLog => "change-log",
            Table::ChangeLogLength => "change-log-length",
            Table::Backups => "backups",
            Table::Wallets => "wallets",
            Table::Acts => "acts",
            Table::ActsHead => "acts-head",
            Table::Tokens => "tokens",
            Table::Outbox => "outbox",
            Table::Hooks => "hooks",
            Table::Told => "told",
            Table::HostKeyFiles => "host-key-files",
            Table::PairingHostKeys => "pairing-host-keys",
            Table::OwnKits => "own-kits",
            Table::KeptKits => "kept-kits",
            Table::Passkeys => "passkeys",
            Table::ReturnLines => "return-lines",
            Table::Returns => "returns",
        }
    }

    pub(super) const fn rows(self) -> Rows {
        TableDefinition::new(self.name())
    }
}

/// A record of a table.
pub(super) trait Record: BorshSerialize + BorshDeserialize {
    const TABLE: Table;
}
