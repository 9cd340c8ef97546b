//! What the relayer keeps of an order: one record per authorization, so that it settles once, whatever is asked how often
//! and whatever crashes in between.
//!
//! ```text
//! new ─► pending ─ see(receipts) ─► settled ─ see: the receipt is gone ─► pending
//!          │  └─ upkeep(sight) ─► the same bytes again │ replace: same nonce, higher fees │ ask for evidence
//!          └─ judge(evidence) ─► settled │ failed │ another nonce
//! ```
//!
//! Every transaction that was ever signed for it stays in the record: whichever of them is mined counts.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::error::{Code, Result};
use crate::evm::hex;
use crate::evm::keccak::Bytes32;
use crate::evm::reads::{Answer, Block, Read};
use crate::evm::transaction::{SignedTransaction, Transaction};
use crate::facilitator::evidence::{Authorization, Proof, Stands};
use crate::facilitator::fees::Fees;
use crate::facilitator::order::{Order, Reply};
use crate::facilitator::relayer::Sight;
use crate::facilitator::{SettleCall, text};
use crate::types::json;
use crate::types::time::UnixSeconds;

/// The format of the records this code writes and reads.
const FORMAT: u32 = 2;
/// Seconds an order waits for its receipt before it is answered as pending.
pub const WAIT: u64 = 20;
/// Seconds without a receipt after which the same bytes are sent again.
const RESEND: u64 = 10;
/// Seconds after its expiry that a payment is still looked for, and its record kept.
const KEEP: u64 = 86_400;
/// Seconds that a settlement is looked at again, in case its block is replaced by one without it.
const WATCH: u64 = 1_800;
/// Seconds that a nonce must have been gone for without a receipt before it counts as used by a stranger: the nodes
/// behind one address may not all be of the same mind.
const PATIENCE: u64 = 5;
/// Transactions of a record at most; from then on they are only sent again.
const ATTEMPTS: usize = 16;

/// A transaction that was signed for a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attempt {
    nonce: u64,
    fees: Fees,
    #[serde(with = "text")]
    raw: Vec<u8>,
    transaction: String,
    signed: UnixSeconds,
}

impl Attempt {
    fn new(transaction: &Transaction, signed: SignedTransaction, now: UnixSeconds) -> Self {
        Self {
            nonce: transaction.nonce,
            fees: Fees { tip: transaction.max_priority_fee_per_gas, most: transaction.max_fee_per_gas },
            raw: signed.raw,
            transaction: hex::encode(&signed.hash),
            signed: now,
        }
    }

    fn hash(&self) -> Result<Bytes32> {
        hex::decode_array(&self.transaction).map_err(|_| Code::FacilitatorRelayerUnavailable.into())
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "is")]
enum State {
    Pending,
    Settled { transaction: String },
    Failed { transaction: String, reason: String },
}

/// What is seen of the transactions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Seen {
    /// None is in a block.
    #[default]
    Nowhere,
    /// One is, under too few others.
    Shallow,
    /// One is, and it failed: whether another made the transfer is asked for.
    Reverted,
    /// One is, and decides.
    Deep,
}

/// What is kept of a payment from before it is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    format: u32,
    call: SettleCall,
    /// Oldest first; never empty.
    attempts: Vec<Attempt>,
    state: State,
    seen: Seen,
    /// Whether the account went past the nonce, by whichever transaction.
    passed: bool,
    /// Since when the nonce is gone and nobody knows by what.
    strange: Option<UnixSeconds>,
    /// When the state was last decided.
    decided: Option<UnixSeconds>,
    begun: UnixSeconds,
    expires: UnixSeconds,
}

/// What a record that is looked after needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upkeep {
    /// A transaction to sign, add to the record and send.
    pub replace: Option<Transaction>,
    /// Whether what was signed is sent again.
    pub resend: bool,
    /// Whether the chain is asked how the authorization stands.
    pub evidence: bool,
}

/// What evidence leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    /// Nothing new.
    Open,
    /// The record is decided.
    Decided,
    /// It can only be settled by a transaction with another nonce.
    Renumber,
}

impl Record {
    /// The record of an order whose transaction is signed and not sent yet.
    pub fn new(order: &Order, transaction: &Transaction, signed: SignedTransaction, now: UnixSeconds) -> Self {
        Self {
            format: FORMAT,
            call: order.call.clone(),
            attempts: Vec::from([Attempt::new(transaction, signed, now)]),
            state: State::Pending,
            seen: Seen::Nowhere,
            passed: false,
            strange: None,
            decided: None,
            begun: now,
            expires: order.expires,
        }
    }

    /// Reads what was kept.
    ///
    /// # Errors
    /// `facilitator_relayer_unavailable` for a format of another version: it is not for this code to judge.
    pub fn read(text: &str) -> Result<Self> {
        json::read_kept(text, FORMAT, Code::FacilitatorRelayerUnavailable)
    }

    /// Writes what is kept.
    pub fn write(&self) -> String {
        json::write(self)
    }

    /// Whether it is of this very call.
    pub fn is_of(&self, call: &SettleCall) -> bool {
        self.call == *call
    }

    /// The call it is of.
    pub const fn call(&self) -> &SettleCall {
        &self.call
    }

    /// Its authorization, to ask the chain about.
    pub const fn authorization<'a>(&'a self, identity: &'a str) -> Authorization<'a> {
        Authorization { identity, call: &self.call }
    }

    /// Whether the outcome is not known.
    pub fn is_pending(&self) -> bool {
        self.state == State::Pending
    }

    /// How many transactions were signed for it.
    pub const fn attempts(&self) -> usize {
        self.attempts.len()
    }

    /// When it was begun.
    pub const fn begun(&self) -> UnixSeconds {
        self.begun
    }

    /// The questions whether any of its transactions was mined.
    ///
    /// # Errors
    /// `facilitator_relayer_unavailable` for a record that this code did not write.
    pub fn receipts(&self) -> Result<Vec<Read>> {
        self.attempts.iter().map(|attempt| attempt.hash().map(Read::Receipt)).collect()
    }

    /// What was signed for its newest nonce, for a node, oldest first.
    pub fn send(&self) -> Vec<Read> {
        let nonce = self.nonce();
        let current = self.attempts.iter().filter(|attempt| Some(attempt.nonce) == nonce);
        current.map(|attempt| Read::Send(attempt.raw.clone())).collect()
    }

    fn nonce(&self) -> Option<u64> {
        self.attempts.last().map(|attempt| attempt.nonce)
    }

    /// The newest transaction.
    fn transaction(&self) -> String {
        self.attempts.last().map(|attempt| attempt.transaction.clone()).unwrap_or_default()
    }

    /// Takes another transaction that was signed for it and not sent yet.
    pub fn add(&mut self, transaction: &Transaction, signed: SignedTransaction, now: UnixSeconds) {
        if self.nonce() != Some(transaction.nonce) {
            (self.strange, self.seen, self.passed) = (None, Seen::Nowhere, false);
        }
        self.attempts.push(Attempt::new(transaction, signed, now));
    }

    /// Takes the answers to [`Record::receipts`] in a chain that was of this height before they were asked for; whether
    /// that changed anything.
    pub fn see(
        &mut self,
        latest: &Block,
        asked: &[Read],
        answers: &[Answer],
        confirmations: u64,
        now: UnixSeconds,
    ) -> bool {
        let before = self.clone();
        let mut found = Vec::new();
        for (read, answer) in asked.iter().zip(answers) {
            if let (Read::Receipt(hash), Answer::Receipt(Some(receipt))) = (read, answer) {
                found.push((hex::encode(hash), receipt));
            }
        }
        let paid = found.iter().find(|(_, receipt)| receipt.proves(&self.call.proof));
        let Some((transaction, receipt)) = paid.or(found.first()) else {
            // What was in a block and is in none any more was taken back, unless it was another's transaction that paid.
            let own = match &self.state {
                State::Settled { transaction } => self.attempts.iter().any(|of| of.transaction == *transaction),
                State::Pending => true,
                State::Failed { .. } => false,
            };
            if own && asked.len() == self.attempts.len() && self.seen != Seen::Nowhere {
                (self.state, self.seen, self.passed, self.decided) = (State::Pending, Seen::Nowhere, false, None);
            }
            return *self != before;
        };
        let current = self.attempts.iter().any(|of| Some(of.nonce) == self.nonce() && of.transaction == *transaction);
        let deep = receipt.is_under(latest.number, confirmations);
        self.strange = None;
        self.seen = if deep { Seen::Deep } else { Seen::Shallow };
        if paid.is_some() {
            self.passed = deep;
            if deep {
                self.decide(State::Settled { transaction: transaction.clone() }, now);
            } else if matches!(self.state, State::Settled { .. }) {
                self.state = State::Pending;
            }
        } else if current && deep {
            self.passed = true;
            if receipt.success {
                let reason = Code::ExactEvmTransferEventMismatch.as_str().into();
                self.decide(State::Failed { transaction: transaction.clone(), reason }, now);
            } else if self.is_pending() {
                self.seen = Seen::Reverted;
            }
        } else if !current {
            // An earlier nonce's transaction failed; the newest one's is still to come.
            self.seen = Seen::Nowhere;
        }
        *self != before
    }

    fn decide(&mut self, state: State, now: UnixSeconds) {
        if self.state != state {
            (self.state, self.decided) = (state, Some(now));
        }
    }

    /// Whether its own transactions cannot tell what became of it, so that the chain has to be asked at once.
    pub fn is_in_doubt(&self) -> bool {
        self.is_pending() && self.seen == Seen::Reverted
    }

    /// What it needs, by what a node says of the account. Whether the node has this transaction in its pool is not asked
    /// (`eth_getTransactionByHash`): the account's two nonces and the receipts decide everything here, and the same bytes sent
    /// once too often do no harm.
    pub fn upkeep(&mut self, sight: &Sight, cap: u128, patience: u64, now: UnixSeconds) -> Upkeep {
        let mut upkeep = Upkeep { evidence: self.is_in_doubt(), ..Upkeep::default() };
        let Some(last) = self.attempts.last() else { return upkeep };
        if self.seen != Seen::Nowhere || self.passed {
            return upkeep;
        }
        if sight.mined > last.nonce {
            if self.is_pending() {
                let since = *self.strange.get_or_insert(now);
                upkeep.evidence = now.since(since) >= PATIENCE;
            } else {
                self.passed = true;
            }
            return upkeep;
        }
        self.strange = None;
        upkeep.evidence = self.is_pending() && now >= self.expires;
        let age = now.since(last.signed);
        // The nonce that is next, or a fee that no block would take: the others only wait for those before them.
        let stuck = last.nonce == sight.mined || last.fees.most < sight.block.base_fee;
        if age >= patience && stuck && self.attempts.len() < ATTEMPTS {
            let fees = last.fees.raised(&sight.block, sight.tip, cap);
            upkeep.replace = fees.map(|fees| sight.transaction(&self.call, last.nonce, fees));
        }
        upkeep.resend = upkeep.replace.is_none() && (sight.pending <= last.nonce || age >= RESEND);
        upkeep
    }

    /// Takes how the authorization stands and, where it was used, by what.
    pub fn judge(&mut self, stands: Stands, proof: Option<Proof>, now: UnixSeconds) -> Judged {
        let failed = |transaction: String, code: Code| State::Failed { transaction, reason: code.as_str().into() };
        let state = match (stands, proof) {
            (Stands::Used(_), Some(Proof::Paid(transaction))) => State::Settled { transaction },
            (Stands::Used(_), Some(Proof::Spent(transaction))) => failed(transaction, Code::ExactEvmNonceUsed),
            (Stands::Used(_), None) => return Judged::Open,
            (Stands::Unused(_) | Stands::Open, _) if self.seen == Seen::Reverted => {
                failed(self.transaction(), Code::ExactEvmTransactionFailed)
            }
            (Stands::Unused(last), _) if last >= self.expires => failed(String::new(), Code::ExactEvmValidBefore),
            // After its end it is only a question of when the end is final.
            _ if self.strange.is_some() && now < self.expires && self.attempts.len() < ATTEMPTS => {
                return Judged::Renumber;
            }
            _ => return Judged::Open,
        };
        self.decide(state, now);
        // The nonce of one that is decided without being mined is still to be filled.
        self.passed = self.strange.is_some() || self.seen != Seen::Nowhere;
        Judged::Decided
    }

    /// The answer to an order that waited from `since` until `now`, if there is one.
    pub fn reply(&self, since: UnixSeconds, now: UnixSeconds) -> Option<Reply> {
        match self.state.clone() {
            State::Settled { transaction } => Some(Reply::Settled { transaction }),
            State::Failed { transaction, reason } => Some(Reply::Failed { transaction, reason }),
            State::Pending if now.since(since) < WAIT => None,
            State::Pending => Some(Reply::Pending { transaction: self.transaction() }),
        }
    }

    /// From when on it says nothing any more that anybody needs.
    pub const fn old(&self) -> UnixSeconds {
        self.expires.plus(KEEP)
    }

    /// When it should be looked at again; none when nothing can change any more. What is not mined is looked for ever
    /// less often, and so is what is, in case it is taken back.
    pub fn due(&self, patience: u64, now: UnixSeconds) -> Option<UnixSeconds> {
        let open = self.is_pending() || !self.passed;
        let pause = match (open, self.decided) {
            (true, _) => (now.since(self.begun) / 10).clamp(5, 300).min(patience.max(1)),
            (false, Some(decided)) if matches!(self.state, State::Settled { .. }) && now < decided.plus(WATCH) => {
                now.since(decided).max(10)
            }
            (false, _) => return None,
        };
        (now <= self.old()).then(|| now.plus(pause))
    }
}
