//! The relayer's decisions: the next transaction of one key on one network, and what a node's answer to it means.
//!
//! The key's account nonce has one writer. It keeps [`Account`] durable, writes a signed transaction down before it is
//! sent, and asks here what to do; it decides nothing itself.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::error::{Code, Error, Result};
use crate::evm::address::Address;
use crate::evm::keccak::Bytes32;
use crate::evm::reads::{Answer, Block, Read};
use crate::evm::transaction::Transaction;
use crate::facilitator::SettleCall;
use crate::types::json;

/// What the writer of an account nonce remembers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// The nonce of the next transaction, once one was sent from here.
    pub next_nonce: Option<u64>,
}

/// How an account is kept.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kept {
    format: u32,
    next_nonce: Option<u64>,
}

/// The format of the accounts this code writes and reads.
const FORMAT: u32 = 1;

impl Account {
    /// Reads what was kept.
    ///
    /// # Errors
    /// `facilitator_relayer_unavailable` for a format of another version.
    pub fn read(text: &str) -> Result<Self> {
        const CODE: Code = Code::FacilitatorRelayerUnavailable;
        let Kept { format, next_nonce } = json::read(text, CODE)?;
        if format == FORMAT { Ok(Self { next_nonce }) } else { Err(Error::new(CODE, "kept by another version")) }
    }

    /// Writes what is kept.
    pub fn write(&self) -> String {
        json::write(&Kept { format: FORMAT, next_nonce: self.next_nonce })
    }
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
/// The fee allows for two full blocks before this one: twice the base fee, and the node's priority fee.
///
/// # Errors
/// `gate_chain_fault` for answers of other questions and when the node is on another chain, `facilitator_fee_cap` above the cap, `facilitator_relayer_unavailable` when the key cannot pay for gas.
pub fn plan(
    account: &Account,
    call: &SettleCall,
    chain_id: u64,
    max_fee_cap: u128,
    answers: &[Answer],
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
    let (max_priority_fee_per_gas, max_fee_per_gas) = fees(block, tip.to_u64())?;
    if max_fee_per_gas > max_fee_cap {
        return Err(Code::FacilitatorFeeCap.into());
    }
    let cost = max_fee_per_gas.checked_mul(u128::from(call.gas_limit)).ok_or(Code::FacilitatorFeeCap)?;
    if *balance < cost.into() {
        return Err(Error::new(Code::FacilitatorRelayerUnavailable, "the relayer's balance does not cover the gas"));
    }
    let transaction = Transaction {
        chain_id,
        nonce,
        max_priority_fee_per_gas,
        max_fee_per_gas,
        gas_limit: call.gas_limit,
        to: call.to,
        data: call.data.clone(),
    };
    let next_nonce = Some(nonce.checked_add(1).ok_or(Code::GateChainFault)?);
    Ok((transaction, Account { next_nonce }))
}

fn fees(block: &Block, tip: Option<u64>) -> Result<(u128, u128)> {
    let tip = u128::from(tip.ok_or(Code::GateChainFault)?);
    let most = block.base_fee.checked_mul(2).and_then(|base| base.checked_add(tip)).ok_or(Code::FacilitatorFeeCap)?;
    Ok((tip, most))
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
    /// Its nonce is used by another transaction: the record goes, and another is planned from what the node knows now.
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

/// What follows once a nonce is said to be used, judged by the answers to the transaction's own receipt: a node that took
/// it the first time says the same when it hears it a second time. Only one that surely does not have it has another's.
pub fn follow_used(answers: Option<&[Answer]>) -> Follow {
    match answers {
        Some([Answer::Receipt(None)]) => Follow::Replan,
        _ => Follow::Wait,
    }
}
