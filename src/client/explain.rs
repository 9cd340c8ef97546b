//! What would be paid, and why or why not, without paying.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::Serialize;

use crate::client::choose::{Choice, choose, judge};
use crate::client::policy::Policy;
use crate::error::{Error, Result};
use crate::types::asset;
use crate::types::required::{Offer, PaymentRequired};

/// Characters of a stranger's text that are repeated.
const MAX_WORD: usize = 100;

/// The decision on a 402.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// Whether a payment would be made, if the wallet and the approval agree.
    pub would_pay: bool,
    /// The decision in one sentence.
    pub sentence: String,
    /// The code of the refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// The place in `offers` of the one that would be paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chosen: Option<usize>,
    /// Every offer that could be read, in the server's order.
    pub offers: Vec<Judged>,
    /// How many offers could not be read.
    pub unread: usize,
}

/// One offer and what the policy says to it. The texts are the server's, cut at a length.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Judged {
    /// The scheme.
    pub scheme: String,
    /// The network.
    pub network: String,
    /// The token contract.
    pub asset: String,
    /// The asset's symbol, if it is a known one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub symbol: Option<&'static str>,
    /// Atomic units.
    pub amount: String,
    /// Whole tokens, if the asset is a known one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<String>,
    /// Who would be paid.
    pub pay_to: String,
    /// Whether the policy allows it.
    pub allowed: bool,
    /// The code of the refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// The refusal in one sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sentence: Option<String>,
}

/// Decides as [`choose`] does and tells it.
pub fn explain(required: &PaymentRequired, policy: &Policy, asked: &str, answered: &str) -> Explanation {
    let offers = required.offers.iter().map(|offer| judged(offer, judge(offer, policy).err())).collect();
    let decision = choose(required, policy, asked, answered);
    let chosen = decision.as_ref().ok().and_then(|choice| place(required, choice));
    let (sentence, reason) = told(&decision);
    Explanation { would_pay: decision.is_ok(), sentence, reason, chosen, offers, unread: required.unread }
}

/// What is said of an answer that asks for nothing.
pub fn nothing_asked(status: u16) -> Explanation {
    let sentence = format!("The answer {status} asks for no payment");
    Explanation { would_pay: false, sentence, reason: None, chosen: None, offers: Vec::new(), unread: 0 }
}

fn told(decision: &Result<Choice>) -> (String, Option<&'static str>) {
    match decision {
        Ok(choice) => {
            let tokens = choice.terms.amount.to_tokens(choice.asset.decimals);
            let (symbol, network, pay_to) = (choice.asset.symbol, &choice.offer.terms.network, choice.terms.pay_to);
            (format!("Would pay {tokens} {symbol} on {network} to {pay_to}"), None)
        }
        Err(error) => (format!("Would not pay: {error}"), Some(error.code().as_str())),
    }
}

fn place(required: &PaymentRequired, choice: &Choice) -> Option<usize> {
    required.offers.iter().position(|offer| offer.verbatim.as_str() == choice.offer.verbatim.as_str())
}

fn judged(offer: &Offer, refusal: Option<Error>) -> Judged {
    let of = &offer.terms;
    let known = asset::by_address(&of.network, &of.asset);
    Judged {
        scheme: word(&of.scheme),
        network: of.network.to_string(),
        asset: word(&of.asset),
        symbol: known.map(|asset| asset.symbol),
        amount: of.amount.to_string(),
        tokens: known.map(|asset| of.amount.to_tokens(asset.decimals)),
        pay_to: word(&of.pay_to),
        allowed: refusal.is_none(),
        reason: refusal.as_ref().map(|error| error.code().as_str()),
        sentence: refusal.map(|error| error.to_string()),
    }
}

fn word(text: &str) -> String {
    text.chars().take(MAX_WORD).collect()
}
