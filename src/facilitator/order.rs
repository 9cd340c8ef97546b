//! Orders to a relayer, and what it says to them. Whether a request is served for it is the book's to say.
//!
//! ```text
//! approach(record, order) ─► Reply       known: answer
//!                         ├► Wait        sent before, or by another order: look for the receipt
//!                         └► Send ─ plan ─ sign ─ Record::new kept ─ sent to a node ─► Wait
//! ```

use alloc::string::{String, ToString};

use serde::{Deserialize, Serialize};

use crate::error::{Code, Error, Result};
use crate::evm::address::Address;
use crate::evm::hex;
use crate::facilitator::evidence::Authorization;
use crate::facilitator::record::Record;
use crate::facilitator::{Checked, SettleCall, Settlement, Transfer};
use crate::types::facilitator::SettleResponse;
use crate::types::json;
use crate::types::network::Network;
use crate::types::time::UnixSeconds;

/// Settle this.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// Where.
    pub network: Network,
    /// What makes the payment one of a kind there.
    pub identity: String,
    /// How.
    pub call: SettleCall,
    /// The account that sends it, of those the network has: chosen once, and asked again about it for as long as it is
    /// of interest. None where others settle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relayer: Option<Address>,
    /// From when on it cannot settle any more.
    pub expires: UnixSeconds,
    /// Whether only a settlement that was begun before is meant: the authorization is used on chain already.
    pub begun_only: bool,
}

impl Order {
    /// The order that settles a payment.
    pub fn new(network: &Network, checked: &Checked, call: SettleCall, relayer: Option<Address>) -> Self {
        let identity = identity(checked);
        let expires = checked.expires();
        Self { network: network.clone(), identity, call, relayer, expires, begun_only: false }
    }

    /// The authorization, to ask the chain about.
    pub fn authorization(&self) -> Authorization<'_> {
        Authorization { identity: &self.identity, call: &self.call }
    }

    /// Reads an order.
    ///
    /// # Errors
    /// `gate_internal` for text that this version did not write.
    pub fn read(text: &str) -> Result<Self> {
        json::read(text, Code::GateInternal)
    }

    /// Writes an order.
    pub fn write(&self) -> String {
        json::write(self)
    }
}

/// What makes a payment one of a kind on its network, as orders name it: asset, payer and nonce.
pub fn identity(checked: &Checked) -> String {
    let of = checked.identity();
    [of.asset.to_string(), of.payer.to_string(), hex::encode(&of.nonce)].join(":")
}

/// What a payment is kept under in its book: its network, and what makes it one of a kind there.
pub fn key(network: &Network, checked: &Checked) -> String {
    [network.as_str(), ":", &identity(checked)].concat()
}

/// What the relayer says to an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "outcome")]
pub enum Reply {
    /// The payment moved.
    Settled {
        /// In this transaction.
        transaction: String,
    },
    /// The transaction failed.
    Failed {
        /// This one.
        transaction: String,
        /// A code's string.
        reason: String,
    },
    /// Not known yet.
    Pending {
        /// The transaction to look for.
        transaction: String,
    },
    /// Nothing was sent for this order.
    Unsent {
        /// A code's string.
        reason: String,
    },
}

impl Reply {
    /// Nothing was sent, for this reason.
    pub fn unsent(code: Code) -> Self {
        Self::Unsent { reason: code.as_str().into() }
    }

    /// Writes a reply.
    pub fn write(&self) -> String {
        json::write(self)
    }

    /// What a reply means for a payment; none means that none came, and that the relayer may have sent it.
    pub fn settlement(reply: Option<&str>, transfer: &Transfer) -> Settlement {
        let code = |reason: &str| Error::from(Code::parse(reason).unwrap_or(Code::UnexpectedSettleError));
        match reply.and_then(|text| json::read(text, Code::GateInternal).ok()) {
            Some(Self::Settled { transaction }) => {
                let (payer, network) = (transfer.payer.clone(), transfer.network.clone());
                Settlement::Settled(SettleResponse::settled(payer, transaction, network))
            }
            Some(Self::Failed { transaction, reason }) => Settlement::Failed(code(&reason), transaction),
            Some(Self::Pending { transaction }) => Settlement::Unknown(transaction),
            Some(Self::Unsent { reason }) => Settlement::Unsent(code(&reason)),
            None => Settlement::Unknown(String::new()),
        }
    }
}

/// What an order leads to.
#[derive(Debug)]
pub enum Approach {
    /// This, at once.
    Reply(Reply),
    /// A transaction is planned, kept and sent.
    Send,
    /// It was sent before: its receipt is looked for.
    Wait,
}

/// Decides what an order leads to, given what is kept of its payment.
pub fn approach(kept: Option<Record>, order: &Order, now: UnixSeconds) -> Approach {
    let Some(record) = kept else {
        return if order.begun_only {
            Approach::Reply(Reply::unsent(Code::ExactEvmNonceUsed))
        } else if order.expires <= now {
            Approach::Reply(Reply::unsent(Code::ExactEvmValidBefore))
        } else {
            Approach::Send
        };
    };
    if !record.is_of(&order.call) {
        return Approach::Reply(Reply::unsent(Code::ExactEvmNonceUsed));
    }
    Approach::Wait
}
