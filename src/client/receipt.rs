//! What a server says became of a payment, held against what was signed.

use alloc::string::String;

use crate::client::explain::word;
use crate::client::intent::Quote;
use crate::error::Code;
use crate::evm::hex;
use crate::transport::http;
use crate::types::amount::Amount;
use crate::types::facilitator::SettleResponse;
use crate::types::json::{Message, Object};
use crate::types::network::Network;

/// The outcome of a payment, as the server tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The authorization's nonce, in hex: its name in the book and the log.
    pub id: String,
    /// Whether the server says that the payment moved.
    pub success: bool,
    /// Whether all it says agrees with what was signed. It is still the server's word: the chain is the proof.
    pub consistent: bool,
    /// Why it did not move, in the server's words: at most 100 printable characters.
    pub error_reason: Option<String>,
    /// The transaction; empty if the server named none, or something that is none.
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
    pub symbol: String,
    /// The URL that was paid for.
    pub url: String,
}

impl Message for Receipt {
    fn members(&self, to: &mut Object) {
        to.text("id", &self.id).flag("success", self.success).flag("consistent", self.consistent);
        to.optional_text("errorReason", self.error_reason.as_deref());
        to.text("transaction", &self.transaction).text("network", &self.network);
        to.text("payer", &self.payer).text("payTo", &self.pay_to).text("asset", &self.asset);
        to.text("amount", &self.amount)
            .text("tokens", &self.tokens)
            .text("symbol", &self.symbol)
            .text("url", &self.url);
    }
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
    let known = Network::from_v1_name(&settlement.network).ok();
    let network =
        [settlement.network.as_str(), known.as_ref().map_or("", Network::as_str)].contains(&quote.network.as_str());
    let named = hex::decode_array::<32>(&settlement.transaction).is_ok_and(|hash| hash != [0; 32]);
    let signed = Amount::parse(&quote.amount).unwrap_or(Amount::ZERO);
    let amount = settlement.amount.is_none_or(|amount| amount <= signed);
    Receipt {
        id: quote.id.clone(),
        success: settlement.success,
        consistent: payer && network && amount && (named || !settlement.success),
        error_reason: settlement.error_reason.as_deref().map(word),
        transaction: if named { settlement.transaction } else { String::new() },
        network: quote.network.clone(),
        payer: quote.payer.clone(),
        pay_to: quote.pay_to.clone(),
        asset: quote.asset.clone(),
        amount: quote.amount.clone(),
        tokens: quote.tokens.clone(),
        symbol: quote.symbol.clone(),
        url: quote.url.clone(),
    }
}
