//! A payment to be settled, as it is kept until it has: how it is settled, and how the chain is asked what became of it.
//!
//! ```text
//! standing() ─► one batch ─ stands(answers) ─► Unused(time) │ Open
//!                                            └► Used ─ search() ─► receipts() ─ proof(receipts) ─► Settled │ Failed
//! ```

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::error::{Code, Result};
use crate::evm::abi;
use crate::evm::address::Address;
use crate::evm::eip3009::AUTHORIZATION_STATE;
use crate::evm::hex;
use crate::evm::keccak::{Bytes32, keccak256};
use crate::evm::reads::{Answer, Read, Receipt};
use crate::facilitator::order::Order;
use crate::facilitator::{Settlement, Transfer};
use crate::types::facilitator::SettleResponse;
use crate::types::json;
use crate::types::time::UnixSeconds;

/// How many blocks back a settlement is searched for. Nodes bound the range of a search; on a chain with a block in two
/// seconds this is five hours.
const SEARCHED: u64 = 9_000;
/// How many transactions are looked at: an authorization is used once, and cancelled at most once.
const LOOKED_AT: usize = 4;

/// A payment to be settled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bill {
    /// What moves.
    pub transfer: Transfer,
    /// The call that moves it, and what proves that it did.
    pub order: Order,
    /// Who settles it.
    pub by: By,
}

/// Who settles a payment: the one who verified it, and nobody else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum By {
    /// The relayer here.
    Relayer,
    /// Another facilitator.
    Remote {
        /// Its URL, as the configuration names it.
        url: String,
        /// The body of `POST /settle`.
        message: String,
    },
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

/// What a transaction that failed says of a payment, given how its authorization stands behind it, if anybody could say:
/// only an unused one has not moved. A transfer also fails because another transaction has made it before.
pub fn reconsider(settlement: Settlement, stands: Option<Stands>) -> Settlement {
    match (settlement, stands) {
        (Settlement::Failed(_, transaction), None | Some(Stands::Used(_))) => Settlement::Unknown(transaction),
        (settlement, _) => settlement,
    }
}

/// Whether [`reconsider`] has a say in a settlement.
pub fn is_in_question(settlement: &Settlement) -> bool {
    matches!(settlement, Settlement::Failed(error, _) if error.code() == Code::ExactEvmTransactionFailed)
}

impl Bill {
    /// Reads a bill.
    ///
    /// # Errors
    /// `gate_internal` for text that this version did not write.
    pub fn read(text: &str) -> Result<Self> {
        json::read(text, Code::GateInternal)
    }

    /// Writes a bill.
    pub fn write(&self) -> String {
        json::write(self)
    }

    /// What to ask about the authorization: now, and at the last final block.
    ///
    /// # Errors
    /// `gate_internal` for a bill that this code did not write.
    pub fn standing(&self) -> Result<Vec<Read>> {
        let (payer, nonce) = self.authorization()?;
        let data = abi::call(AUTHORIZATION_STATE, &[payer.into(), abi::Arg::Word(nonce)]);
        let to = self.order.call.to;
        let of_now = Read::Call { to, data: data.clone() };
        Ok(Vec::from([of_now, Read::LatestBlock, Read::CallFinal { to, data }, Read::FinalBlock]))
    }

    /// Judges the answers to [`Bill::standing`].
    ///
    /// # Errors
    /// `gate_chain_fault` when they are not those of the questions.
    pub fn stands(answers: &[Answer]) -> Result<Stands> {
        let [Answer::Bytes(now), Answer::Block(latest), finally, Answer::Block(last)] = answers else {
            return Err(Code::GateChainFault.into());
        };
        if abi::read_bool(now).ok_or(Code::GateChainFault)? {
            return Ok(Stands::Used(latest.number));
        }
        let unused = matches!(finally, Answer::Bytes(state) if abi::read_bool(state) == Some(false));
        Ok(if unused { Stands::Unused(UnixSeconds(last.timestamp)) } else { Stands::Open })
    }

    /// Where to look for the transaction that used the authorization, in a chain of this height.
    ///
    /// # Errors
    /// `gate_internal` for a bill that this code did not write.
    pub fn search(&self, height: u64) -> Result<Read> {
        let (payer, nonce) = self.authorization()?;
        Ok(Read::Logs {
            of: self.order.call.to,
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

    /// What the transactions that were found prove; none where they prove nothing.
    pub fn proof(&self, asked: &[Read], answers: &[Answer]) -> Option<Settlement> {
        let mut verdict = None;
        for (read, answer) in asked.iter().zip(answers) {
            let (Read::Receipt(hash), Answer::Receipt(Some(receipt))) = (read, answer) else { continue };
            let transaction = hex::encode(hash);
            if self.is_paid_by(receipt) {
                let Transfer { payer, network, .. } = self.transfer.clone();
                return Some(Settlement::Settled(SettleResponse::settled(payer, transaction, network)));
            }
            // Used, and not for this payment: it cannot be used again.
            verdict = Some(Settlement::Failed(Code::ExactEvmNonceUsed.into(), transaction));
        }
        verdict
    }

    fn is_paid_by(&self, receipt: &Receipt) -> bool {
        let emitted: Vec<Bytes32> = receipt.logs.iter().map(|log| log.digest()).collect();
        let proof = &self.order.call.proof;
        receipt.success && !proof.is_empty() && proof.iter().all(|event| emitted.contains(event))
    }

    /// The payer and the nonce, from the order's identity.
    fn authorization(&self) -> Result<(Address, Bytes32)> {
        let mut parts = self.order.identity.split(':').skip(1);
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

/// The key a book keeps a payment under: its network and its identity there.
pub fn key(order: &Order) -> String {
    [order.network.to_string().as_str(), ":", &order.identity].concat()
}
