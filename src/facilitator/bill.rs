//! A payment to be settled, as it is kept until it has: how it is settled, and how the chain is asked what became of it.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::error::{Code, Result};
use crate::evm::hex;
use crate::evm::reads::{Answer, Read};
use crate::facilitator::evidence::{Authorization, Proof};
use crate::facilitator::order::Order;
use crate::facilitator::{Settlement, Transfer};
use crate::types::facilitator::SettleResponse;
use crate::types::json;

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

    /// The authorization, to ask the chain about.
    pub fn authorization(&self) -> Authorization<'_> {
        self.order.authorization()
    }

    /// The settlement that is proven.
    pub fn proven(&self, proof: Proof) -> Settlement {
        match proof {
            Proof::Paid(transaction) => {
                let Transfer { payer, network, .. } = self.transfer.clone();
                Settlement::Settled(SettleResponse::settled(payer, transaction, network))
            }
            Proof::Spent(transaction) => Settlement::Failed(Code::ExactEvmNonceUsed.into(), transaction),
        }
    }

    /// What to ask about a settlement that somebody claims, in one batch: the chain's height and the receipt.
    pub fn check(claimed: &SettleResponse) -> Option<[Read; 2]> {
        Some([Read::LatestBlock, Read::Receipt(hex::decode_array(&claimed.transaction).ok()?)])
    }

    /// Judges the answers to [`Bill::check`]; none while the transaction has too few blocks on it. A transaction that
    /// does not make the transfer is no proof of a failure either: somebody named the wrong one.
    pub fn checked(&self, claimed: &SettleResponse, answers: &[Answer], confirmations: u64) -> Option<Settlement> {
        let [Answer::Block(latest), Answer::Receipt(Some(receipt))] = answers else { return None };
        if !receipt.is_under(latest.number, confirmations) {
            return None;
        }
        Some(if receipt.proves(&self.order.call.proof) {
            Settlement::Settled(claimed.clone())
        } else {
            Settlement::Unknown(claimed.transaction.clone())
        })
    }
}
