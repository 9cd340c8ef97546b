//! Orders to a relayer, and what it keeps of each: one record per authorization, so that it is sent once, whatever is
//! asked how often and whatever crashes in between. Whether a request is served for it is the book's to say.
//!
//! ```text
//! approach(record, order) ─► Reply       known: answer
//!                         ├► Wait        sent before, or by another order: look for the receipt
//!                         └► Send ─ plan ─ sign ─ Record::new kept ─ sent to a node ─► Wait
//! Record::look(receipt) ─ Record::reply ─► settled │ failed │ pending
//! ```

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::error::{Code, Error, Result};
use crate::evm::hex;
use crate::evm::keccak::Bytes32;
use crate::evm::reads::{Answer, Read};
use crate::evm::transaction::SignedTransaction;
use crate::facilitator::{Checked, SettleCall, Settlement, Transfer, text};
use crate::types::facilitator::SettleResponse;
use crate::types::json;
use crate::types::network::Network;
use crate::types::time::UnixSeconds;

/// The format of the records this code writes and reads.
const FORMAT: u32 = 1;
/// Seconds an order waits for its receipt before it is answered as pending.
pub const WAIT: u64 = 20;
/// Seconds without a receipt after which the same bytes are sent again.
const RESEND: u64 = 10;
/// Seconds after its expiry that a payment is still looked for, and its record kept.
const KEEP: u64 = 86_400;

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
    /// From when on it cannot settle any more.
    pub expires: UnixSeconds,
    /// Whether only a settlement that was begun before is meant: the authorization is used on chain already.
    pub begun_only: bool,
}

impl Order {
    /// The order that settles a payment.
    pub fn new(network: &Network, checked: &Checked, call: SettleCall, begun_only: bool) -> Self {
        let of = checked.identity();
        let identity = [of.asset.to_string(), of.payer.to_string(), hex::encode(&of.nonce)].join(":");
        let expires = checked.expires();
        Self { network: network.clone(), identity, call, expires, begun_only }
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

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "is")]
enum State {
    Pending,
    Settled,
    Failed { reason: String },
}

/// What is kept of a payment from before it is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    format: u32,
    call: SettleCall,
    /// The account nonce of its transaction.
    nonce: u64,
    #[serde(with = "text")]
    raw: Vec<u8>,
    transaction: String,
    state: State,
    begun: UnixSeconds,
    expires: UnixSeconds,
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
    if record.call != order.call {
        return Approach::Reply(Reply::unsent(Code::ExactEvmNonceUsed));
    }
    Approach::Wait
}

impl Record {
    /// The record of an order whose transaction is signed and not sent yet.
    pub fn new(order: Order, nonce: u64, signed: SignedTransaction, now: UnixSeconds) -> Self {
        Self {
            format: FORMAT,
            call: order.call,
            nonce,
            raw: signed.raw,
            transaction: hex::encode(&signed.hash),
            state: State::Pending,
            begun: now,
            expires: order.expires,
        }
    }

    /// Reads what was kept.
    ///
    /// # Errors
    /// `facilitator_relayer_unavailable` for a format of another version: it is not for this code to judge.
    pub fn read(text: &str) -> Result<Self> {
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        const CODE: Code = Code::FacilitatorRelayerUnavailable;
        let Format { format } = json::read(text, CODE)?;
        if format == FORMAT { json::read(text, CODE) } else { Err(Error::new(CODE, "kept by another version")) }
    }

    /// Writes what is kept.
    pub fn write(&self) -> String {
        json::write(self)
    }

    /// Whether the outcome is not known.
    pub fn is_pending(&self) -> bool {
        self.state == State::Pending
    }

    /// The account nonce of its transaction.
    pub const fn nonce(&self) -> u64 {
        self.nonce
    }

    /// The transaction's hash.
    ///
    /// # Errors
    /// `facilitator_relayer_unavailable` for a record that this code did not write.
    pub fn hash(&self) -> Result<Bytes32> {
        hex::decode_array(&self.transaction).map_err(|_| Code::FacilitatorRelayerUnavailable.into())
    }

    /// The question whether it was mined.
    ///
    /// # Errors
    /// Those of [`Record::hash`].
    pub fn receipt(&self) -> Result<Read> {
        self.hash().map(Read::Receipt)
    }

    /// The same bytes for a node, again.
    pub fn send(&self) -> Read {
        Read::Send(self.raw.clone())
    }

    /// Takes the answer to [`Record::receipt`]; whether that changed anything.
    pub fn look(&mut self, answer: &Answer) -> bool {
        let Answer::Receipt(Some(receipt)) = answer else {
            return false;
        };
        let emitted: Vec<Bytes32> = receipt.logs.iter().map(|log| log.digest()).collect();
        let proven = !self.call.proof.is_empty() && self.call.proof.iter().all(|event| emitted.contains(event));
        let failed = |code: Code| State::Failed { reason: code.as_str().into() };
        let state = match (receipt.success, proven) {
            (true, true) => State::Settled,
            (true, false) => failed(Code::ExactEvmTransferEventMismatch),
            (false, _) => failed(Code::ExactEvmTransactionFailed),
        };
        let changed = self.is_pending();
        if changed {
            self.state = state;
        }
        changed
    }

    /// The answer to an order that waited from `since` until `now`, if there is one.
    pub fn reply(&self, since: UnixSeconds, now: UnixSeconds) -> Option<Reply> {
        let transaction = self.transaction.clone();
        match &self.state {
            State::Settled => Some(Reply::Settled { transaction }),
            State::Failed { reason } => Some(Reply::Failed { transaction, reason: reason.clone() }),
            State::Pending if now.since(since) < WAIT => None,
            State::Pending => Some(Reply::Pending { transaction }),
        }
    }

    /// Whether its bytes should be sent again: they may have been lost on the way, and sending them twice is harmless.
    pub fn is_late(&self, now: UnixSeconds) -> bool {
        self.is_pending() && now.since(self.begun) >= RESEND
    }

    /// Whether it says nothing any more that anybody needs.
    pub fn is_old(&self, now: UnixSeconds) -> bool {
        now > self.expires.plus(KEEP)
    }

    /// Seconds until it should be looked for again, the longer the older it is; none when it is decided or given up.
    pub fn next_look(&self, now: UnixSeconds) -> Option<u64> {
        let age = now.since(self.begun);
        (self.is_pending() && !self.is_old(now)).then(|| (age / 10).clamp(5, 300))
    }
}
