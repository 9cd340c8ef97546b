//! What a server says became of a payment, held against what was signed.

use alloc::string::{String, ToString};

use serde::Serialize;

use crate::client::intent::Quote;
use crate::error::Code;
use crate::evm::hex;
use crate::transport::http;
use crate::types::amount::Amount;
use crate::types::facilitator::SettleResponse;
use crate::types::network::Network;

/// The outcome of a payment, as the server tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// Whether the server says that the payment moved.
    pub success: bool,
    /// Whether all it says agrees with what was signed. It is still the server's word: the chain is the proof.
    pub consistent: bool,
    /// Why it did not move, in the server's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_reason: Option<String>,
    /// The transaction; empty if none was named.
    pub transaction: String,
    /// The network.
    pub network: String,
    /// Who paid.
    pub payer: String,
    /// Who was paid.
    pub pay_to: String,
    /// The token contract.
    pub asset: String,
    /// Atomic units that were signed for; what moved is at most this.
    pub amount: String,
    /// Whole tokens that were signed for.
    pub tokens: String,
    /// The asset's symbol.
    pub symbol: &'static str,
    /// The URL that was paid for.
    pub url: String,
}

/// What is known of a payment whose answer says nothing readable about it: it may have moved or may still.
pub fn unconfirmed(quote: &Quote) -> Receipt {
    let reason = Code::InvalidPaymentResponse.as_str();
    let settlement = SettleResponse {
        success: false,
        error_reason: Some(reason.into()),
        payer: None,
        transaction: String::new(),
        network: String::new(),
        amount: None,
    };
    Receipt { consistent: false, ..receipt(settlement, quote) }
}

/// The receipt of an answer: its settlement header, if there is one that can be read.
pub fn read(header: Option<&str>, quote: &Quote) -> Receipt {
    match header.map(http::read_settlement) {
        Some(Ok(settlement)) => receipt(settlement, quote),
        _ => unconfirmed(quote),
    }
}

/// Holds a settlement against the quote it answers.
pub fn receipt(settlement: SettleResponse, quote: &Quote) -> Receipt {
    let payer = settlement.payer.as_deref().is_none_or(|payer| payer.eq_ignore_ascii_case(&quote.payer));
    let known = Network::from_v1_name(&settlement.network).map(|network| network.to_string());
    let network = settlement.network == quote.network || known.is_ok_and(|network| network == quote.network);
    let moved = settlement.transaction.as_str();
    let transaction = hex::decode_array::<32>(moved).is_ok_and(|hash| hash != [0; 32]);
    let signed = Amount::parse(&quote.amount).unwrap_or(Amount::ZERO);
    let amount = settlement.amount.is_none_or(|amount| amount <= signed);
    Receipt {
        success: settlement.success,
        consistent: payer && network && amount && (transaction || !settlement.success),
        error_reason: settlement.error_reason,
        transaction: settlement.transaction,
        network: quote.network.clone(),
        payer: quote.payer.clone(),
        pay_to: quote.pay_to.clone(),
        asset: quote.asset.clone(),
        amount: quote.amount.clone(),
        tokens: quote.tokens.clone(),
        symbol: quote.symbol,
        url: quote.url.clone(),
    }
}
