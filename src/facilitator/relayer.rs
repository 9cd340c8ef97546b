//! The relayer's decisions: the next transaction of one key on one network, and what a node's answer to it means.
//!
//! The key's account nonce has one writer. It keeps [`Account`] durable, writes a signed transaction down before it is
//! sent, and asks here what to do; it decides nothing itself.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::error::{Code, Error, Result};
use crate::evm::address::Address;
use crate::evm::keccak::{Bytes32, keccak256_all};
use crate::evm::reads::{Answer, Block, Read};
use crate::evm::transaction::Transaction;
use crate::facilitator::SettleCall;
use crate::facilitator::fees::Fees;
use crate::types::amount::Amount;
use crate::types::json;
use crate::types::time::UnixSeconds;

/// How many settlements a balance should be good for, at the fee of the last one, unless the configuration says what is
/// low.
const RUNWAY: u128 = 100;

/// What the writer of an account nonce remembers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// The nonce of the next transaction, once one was sent from here.
    pub next_nonce: Option<u64>,
    /// What it held when that was last asked, in wei.
    pub balance: Option<Amount>,
    /// When that was.
    pub asked: Option<UnixSeconds>,
    /// What it should hold, in wei: the cost of many settlements at the fee of the last one.
    pub runway: Option<Amount>,
}

/// How an account is kept.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kept {
    format: u32,
    next_nonce: Option<u64>,
    balance: Option<Amount>,
    asked: Option<UnixSeconds>,
    runway: Option<Amount>,
}

/// The format of the accounts this code writes and reads.
const FORMAT: u32 = 2;

impl Account {
    /// Reads what was kept.
    ///
    /// # Errors
    /// `facilitator_relayer_unavailable` for a format of another version.
    pub fn read(text: &str) -> Result<Self> {
        let Kept { next_nonce, balance, asked, runway, .. } =
            json::read_kept(text, FORMAT, Code::FacilitatorRelayerUnavailable)?;
        Ok(Self { next_nonce, balance, asked, runway })
    }

    /// Writes what is kept.
    pub fn write(&self) -> String {
        let Self { next_nonce, balance, asked, runway } = *self;
        json::write(&Kept { format: FORMAT, next_nonce, balance, asked, runway })
    }

    /// The account as it was before, when the transaction with this nonce was not sent after all: unless another took the
    /// next nonce meanwhile, it is free again.
    #[must_use]
    pub fn without(self, nonce: u64) -> Self {
        let last = self.next_nonce == nonce.checked_add(1);
        Self { next_nonce: if last { Some(nonce) } else { self.next_nonce }, ..self }
    }

    /// Whether it should be funded: it holds less than this, or less than many settlements at the last one's fee.
    pub fn is_low(&self, bound: Option<Amount>) -> bool {
        match (self.balance, bound.or(self.runway)) {
            (Some(balance), Some(bound)) => balance < bound,
            _ => false,
        }
    }
}

/// How a relayer is doing, for whoever watches it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The account.
    pub address: Address,
    /// What it held when that was last known, in wei, in decimal digits.
    pub balance: Option<String>,
    /// Payments whose outcome is not known.
    pub pending: u64,
    /// Seconds since the oldest of them was begun.
    pub oldest: Option<u64>,
    /// Whether it should be funded.
    pub low: bool,
}

impl Status {
    /// The status of an account with so many pending payments, the oldest begun then.
    pub fn new(
        address: Address,
        account: &Account,
        (pending, oldest): (u64, Option<UnixSeconds>),
        low: Option<Amount>,
        now: UnixSeconds,
    ) -> Self {
        let balance = account.balance.map(|balance| balance.to_string());
        let oldest = oldest.map(|begun| now.since(begun));
        Self { address, balance, pending, oldest, low: account.is_low(low) }
    }

    /// Reads a status.
    ///
    /// # Errors
    /// `gate_internal` for text that this version did not write.
    pub fn read(text: &str) -> Result<Self> {
        json::read(text, Code::GateInternal)
    }

    /// Writes it.
    pub fn write(&self) -> String {
        json::write(self)
    }
}

/// Which of some relayers a payment is for. It is the same one as long as it is there at all, whoever else comes and
/// goes: of every pair one is preferred by the payment's own hash.
pub fn choose(identity: &str, relayers: impl Iterator<Item = Address>) -> Option<Address> {
    relayers.max_by_key(|relayer| keccak256_all(&[identity.as_bytes(), &relayer.0]))
}

/// What must be asked before a transaction is built, in one batch.
pub fn reads(relayer: Address) -> Vec<Read> {
    Vec::from([
        Read::ChainId,
        Read::PendingNonce(relayer),
        Read::LatestBlock,
        Read::PriorityFee,
        Read::Balance(relayer),
    ])
}

/// Builds the next transaction of the account.
///
/// # Errors
/// `gate_chain_fault` for answers of other questions and when the node is on another chain, `facilitator_fee_cap` above the cap, `facilitator_relayer_unavailable` when the key cannot pay for gas.
pub fn plan(
    account: &Account,
    call: &SettleCall,
    chain_id: u64,
    max_fee_cap: u128,
    answers: &[Answer],
    now: UnixSeconds,
) -> Result<(Transaction, Account)> {
    let [
        Answer::Quantity(chain),
        Answer::Quantity(pending),
        Answer::Block(block),
        Answer::Quantity(tip),
        Answer::Quantity(balance),
    ] = answers
    else {
        return Err(Code::GateChainFault.into());
    };
    if chain.to_u64() != Some(chain_id) {
        return Err(Error::new(Code::GateChainFault, "the node is on another chain"));
    }
    let pending = pending.to_u64().ok_or(Code::GateChainFault)?;
    let nonce = account.next_nonce.map_or(pending, |next| next.max(pending));
    let tip = tip.to_u64().ok_or(Code::GateChainFault)?;
    let fees = Fees::estimate(block, tip.into(), max_fee_cap)?;
    let cost = fees.most.checked_mul(u128::from(call.gas_limit)).ok_or(Code::FacilitatorFeeCap)?;
    if *balance < cost.into() {
        return Err(Error::new(Code::FacilitatorRelayerUnavailable, "the relayer's balance does not cover the gas"));
    }
    let next_nonce = Some(nonce.checked_add(1).ok_or(Code::GateChainFault)?);
    let runway = cost.checked_mul(RUNWAY).map(Amount::from);
    let after = Account { next_nonce, balance: Some(*balance), asked: Some(now), runway };
    Ok((transaction(chain_id, call, nonce, fees), after))
}

fn transaction(chain_id: u64, call: &SettleCall, nonce: u64, fees: Fees) -> Transaction {
    Transaction {
        chain_id,
        nonce,
        max_priority_fee_per_gas: fees.tip,
        max_fee_per_gas: fees.most,
        gas_limit: call.gas_limit,
        to: call.to,
        data: call.data.clone(),
    }
}

/// What a node says of the account, for those of its transactions that are not mined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sight {
    /// The chain.
    pub chain_id: u64,
    /// Its latest block.
    pub block: Block,
    /// How many transactions of the account are mined.
    pub mined: u64,
    /// How many there are with those that wait.
    pub pending: u64,
    /// Wei per gas that get a transaction into a block.
    pub tip: u128,
}

impl Sight {
    /// What must be asked, in one batch, before any question for a receipt: what the node says of the account then holds
    /// for the receipts too.
    pub fn reads(relayer: Address) -> [Read; 5] {
        [Read::ChainId, Read::LatestBlock, Read::MinedNonce(relayer), Read::PendingNonce(relayer), Read::PriorityFee]
    }

    /// Reads the answers to [`Sight::reads`], and those that follow.
    ///
    /// # Errors
    /// `gate_chain_fault` for answers of other questions and when the node is on another chain.
    pub fn read(chain_id: u64, answers: &[Answer]) -> Result<(Self, &[Answer])> {
        let [
            Answer::Quantity(chain),
            Answer::Block(block),
            Answer::Quantity(mined),
            Answer::Quantity(pending),
            Answer::Quantity(tip),
            rest @ ..,
        ] = answers
        else {
            return Err(Code::GateChainFault.into());
        };
        match (chain.to_u64() == Some(chain_id), mined.to_u64(), pending.to_u64(), tip.to_u64()) {
            (true, Some(mined), Some(pending), Some(tip)) => {
                Ok((Self { chain_id, block: block.clone(), mined, pending, tip: tip.into() }, rest))
            }
            _ => Err(Code::GateChainFault.into()),
        }
    }

    /// A transaction of the account.
    pub fn transaction(&self, call: &SettleCall, nonce: u64, fees: Fees) -> Transaction {
        transaction(self.chain_id, call, nonce, fees)
    }
}

/// What became of a transaction that was handed to a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The node has it.
    Accepted,
    /// The node did not take it and it cannot be mined as it is: the nonce is free again.
    Refused(String),
    /// The account nonce is used: by this transaction, seen before, or by another.
    NonceUsed,
}

/// Reads a node's answer to [`Read::Send`]. No answer at all is not judged here: what was sent may have arrived.
///
/// # Errors
/// `gate_chain_fault` when the node names another hash than the transaction's.
pub fn sent(answer: &Answer, hash: &Bytes32) -> Result<Sent> {
    match answer {
        Answer::Bytes(bytes) if bytes == hash => Ok(Sent::Accepted),
        Answer::Refused(text) => {
            let text = text.to_ascii_lowercase();
            // The words are those of geth, reth, erigon, nethermind and anvil.
            if text.contains("already known") || text.contains("already imported") {
                Ok(Sent::Accepted)
            } else if text.contains("nonce too low") || text.contains("underpriced") {
                Ok(Sent::NonceUsed)
            } else {
                Ok(Sent::Refused(text))
            }
        }
        _ => Err(Code::GateChainFault.into()),
    }
}

/// What follows from handing a transaction to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follow {
    /// The node has it, or may have it: its receipt is looked for.
    Wait,
    /// Its nonce is used: if not by itself, the record goes, and another is planned from what the node knows now.
    Replan,
    /// It cannot be mined: the record goes, and the account is as it was before.
    Withdraw,
}

/// Judges the answers to one [`Read::Send`]; none means that no node answered, and that it may have arrived.
pub fn follow(answers: Option<&[Answer]>, hash: &Bytes32) -> Follow {
    let answer = answers.and_then(|answers| answers.first());
    match answer.map(|answer| sent(answer, hash)) {
        Some(Ok(Sent::NonceUsed)) => Follow::Replan,
        Some(Ok(Sent::Refused(_))) => Follow::Withdraw,
        Some(Ok(Sent::Accepted) | Err(_)) | None => Follow::Wait,
    }
}
