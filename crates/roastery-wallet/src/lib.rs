//! What a chain knows of a group's coins, and the transactions that spend them.
//!
//! A [`ChainWallet`] is a value without I/O: it takes what a [`Source`] has found, says what is
//! there as a [`View`], and makes transactions, which the group then signs like any other PSBT. It
//! holds no secret. A source is not trusted with more than it can know: what it sends is bounded
//! before it is decoded, transactions and blocks are compared with their ids, and nothing that it
//! says lets a node sign.

mod amount;
mod draft;
mod labels;
mod source;
mod view;
mod wallet;

pub use self::{
    amount::{AmountError, MOST_FEE_RATE, btc, fee_rate, parse_btc, payee},
    draft::{Draft, DraftError},
    labels::{Label, LabelError, LabelKind, Labels, MAX_LABELS_FILE, MOST_LABELS},
    source::{
        Found, Login, MOST_TRANSACTIONS, Patience, Question, Source, SourceError, SourceKind,
        SourceSettings, UrlError, http_agent,
    },
    view::{Balance, Coin, Entry, LiveView, Paid, View},
    wallet::{ChainWallet, MOST_UNUSED, OpenError, TakeError},
};
