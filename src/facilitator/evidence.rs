//! What the chain says of an authorization: whether it was used, by which transaction, and for what.
//!
//! ```text
//! standing() ─► one batch ─ stands(answers) ─► Unused(time) │ Open
//!                                            └► Used(height) ─ search() ─► receipts() ─ proof() ─► Paid │ Spent
//! ```

use alloc::string::String;
use alloc::vec::Vec;

use crate::error::{Code, Result};
use crate::evm::abi;
use crate::evm::address::Address;
use crate::evm::eip3009::AUTHORIZATION_STATE;
use crate::evm::hex;
use crate::evm::keccak::{Bytes32, keccak256};
use crate::evm::reads::{Answer, Read};
use crate::facilitator::SettleCall;
use crate::types::time::UnixSeconds;

/// How many blocks back a settlement is searched for. Nodes bound the range of a search; on a chain with a block in two
/// seconds this is five hours.
const SEARCHED: u64 = 9_000;
/// How many transactions are looked at: an authorization is used once, and cancelled at most once.
const LOOKED_AT: usize = 4;

/// An authorization that a call was made for.
#[derive(Clone, Copy, Debug)]
pub struct Authorization<'a> {
    /// Asset, payer and nonce, as an order names them.
    pub identity: &'a str,
    /// The call.
    pub call: &'a SettleCall,
}

/// How an authorization stands on chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stands {
    /// Unused, also in the last final block, whose time this is.
    Unused(UnixSeconds),
    /// Unused by now, or not for good.
    Open,
    /// Used or cancelled; the height of the latest block.
    Used(u64),
}

impl Stands {
    /// Judges the answers to [`Authorization::standing`].
    ///
    /// # Errors
    /// `gate_chain_fault` when they are not those of the questions.
    pub fn read(answers: &[Answer]) -> Result<Self> {
        let [Answer::Bytes(now), Answer::Block(latest), finally, Answer::Block(last)] = answers else {
            return Err(Code::GateChainFault.into());
        };
        if abi::read_bool(now).ok_or(Code::GateChainFault)? {
            return Ok(Self::Used(latest.number));
        }
        let unused = matches!(finally, Answer::Bytes(state) if abi::read_bool(state) == Some(false));
        Ok(if unused { Self::Unused(UnixSeconds(last.timestamp)) } else { Self::Open })
    }
}

/// What the transactions prove that used an authorization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// It paid, in this transaction.
    Paid(String),
    /// It was cancelled, or moved something else: it cannot be used again.
    Spent(String),
}

impl Authorization<'_> {
    /// What to ask about it: now, and at the last final block.
    ///
    /// # Errors
    /// `gate_internal` for an identity that this code did not write.
    pub fn standing(&self) -> Result<Vec<Read>> {
        let (payer, nonce) = self.parts()?;
        let data = abi::call(AUTHORIZATION_STATE, &[payer.into(), abi::Arg::Word(nonce)]);
        let to = self.call.to;
        let of_now = Read::Call { to, data: data.clone() };
        Ok(Vec::from([of_now, Read::LatestBlock, Read::CallFinal { to, data }, Read::FinalBlock]))
    }

    /// Where to look for the transaction that used it, in a chain of this height.
    ///
    /// # Errors
    /// `gate_internal` for an identity that this code did not write.
    pub fn search(&self, height: u64) -> Result<Read> {
        let (payer, nonce) = self.parts()?;
        Ok(Read::Logs {
            of: self.call.to,
            events: Vec::from([used(), cancelled()]),
            topics: Vec::from([payer.to_word(), nonce]),
            from: height.saturating_sub(SEARCHED),
        })
    }

    /// The transactions that a search found.
    pub fn receipts(answer: &Answer) -> Vec<Read> {
        match answer {
            Answer::Logs(found) => found.iter().take(LOOKED_AT).map(|(_, hash)| Read::Receipt(*hash)).collect(),
            _ => Vec::new(),
        }
    }

    /// What the transactions that were found prove in a chain of this height; none where they prove nothing yet.
    pub fn proof(&self, asked: &[Read], answers: &[Answer], height: u64, confirmations: u64) -> Option<Proof> {
        let mut verdict = None;
        for (read, answer) in asked.iter().zip(answers) {
            let (Read::Receipt(hash), Answer::Receipt(Some(receipt))) = (read, answer) else { continue };
            if !receipt.is_under(height, confirmations) {
                continue;
            }
            let transaction = hex::encode(hash);
            if receipt.proves(&self.call.proof) {
                return Some(Proof::Paid(transaction));
            }
            verdict = Some(Proof::Spent(transaction));
        }
        verdict
    }

    /// The payer and the nonce.
    fn parts(&self) -> Result<(Address, Bytes32)> {
        let mut parts = self.identity.split(':').skip(1);
        match (parts.next().map(Address::parse), parts.next().map(hex::decode_array)) {
            (Some(Ok(payer)), Some(Ok(nonce))) => Ok((payer, nonce)),
            _ => Err(Code::GateInternal.into()),
        }
    }
}

fn used() -> Bytes32 {
    keccak256(b"AuthorizationUsed(address,bytes32)")
}

fn cancelled() -> Bytes32 {
    keccak256(b"AuthorizationCanceled(address,bytes32)")
}
