//! The facilitator inside the gate: what it asks of the chain before anything is done for a payment.

use alloc::vec::Vec;

use crate::error::{Code, Error, Result};
use crate::evm::address::Address;
use crate::evm::reads::{Answer, Block, Read};
use crate::facilitator::relayer::{self, Account};
use crate::facilitator::{Checked, SettleCall};
use crate::types::time::UnixSeconds;

/// The account that would send the settlement, and what it may cost.
#[derive(Clone, Copy, Debug)]
pub struct Sender {
    /// The account.
    pub relayer: Address,
    /// The chain it is on.
    pub chain_id: u64,
    /// Wei per gas a settlement may cost.
    pub max_fee_per_gas: u128,
    /// Seconds that the chain's latest block may be old.
    pub max_block_age: u64,
}

/// What the chain says of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It would settle now.
    Good,
    /// Its authorization was used. It is good only if the relayer here used it and nobody was served for it.
    Used,
}

/// What must be asked, in one batch: about the payment, and whether it could be sent at all.
pub fn reads(checked: &Checked, sender: &Sender) -> Vec<Read> {
    let mut reads = checked.reads();
    reads.extend(relayer::reads(sender.relayer));
    reads
}

/// Judges the answers to [`reads`]. A gate that could not settle says so before anybody works for the payment.
///
/// # Errors
/// The scheme's reason, or those of [`relayer::plan`]; `gate_chain_fault` also where the latest block is old.
pub fn conclude(
    checked: &Checked,
    call: &SettleCall,
    sender: &Sender,
    answers: &[Answer],
    now: UnixSeconds,
) -> Result<Standing> {
    let of_payment = checked.reads().len();
    let (of_payment, of_relayer) = answers.split_at_checked(of_payment).ok_or(Code::GateChainFault)?;
    // A node that is behind, or a chain that stands still, does not tell what was used since or can settle in time.
    let age = |block: &Block| now.since(UnixSeconds(block.timestamp));
    let stale = |answer: &Answer| matches!(answer, Answer::Block(block) if age(block) > sender.max_block_age);
    if of_relayer.iter().any(stale) {
        return Err(Error::new(Code::GateChainFault, "the latest block is old"));
    }
    let found = checked.conclude(of_payment);
    match found {
        Err(error) if error.code() == Code::ExactEvmNonceUsed => Ok(Standing::Used),
        Err(error) => Err(error),
        Ok(()) => {
            let (chain, cap) = (sender.chain_id, sender.max_fee_per_gas);
            relayer::plan(&Account::default(), call, chain, cap, of_relayer, now).map(|_| Standing::Good)
        }
    }
}
