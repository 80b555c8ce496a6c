use std::sync::Arc;

use roastery_bitcoin::wallet::Wallet;
use roastery_protocol::request::RefusalReason;
use roastery_testkit::{
    payments::{ordinary, spend_of},
    seat,
};

use super::*;
use crate::{
    config::ApprovalMode,
    service::fixture::{TestNode, warnings},
};

mod coins;
mod payments;
