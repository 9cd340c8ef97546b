//! What would be paid, and why or why not, without paying.

use alloc::string::String;
use alloc::vec::Vec;

use crate::client::choose::{Choice, choose, judge};
use crate::client::policy::Policy;
use crate::error::{Error, Result};
use crate::types::amount::decimal;
use crate::types::asset;
use crate::types::json::{Message, Object};
use crate::types::required::{Offer, PaymentRequired};

/// Characters of a stranger's text that are repeated.
const MAX_WORD: usize = 100;

/// The decision on a 402.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Whether a payment would be made, if the wallet and the approval agree.
    pub would_pay: bool,
    /// The decision in one sentence.
    pub sentence: String,
    /// The code of the refusal.
    pub reason: Option<&'static str>,
    /// The place in `offers` of the one that would be paid.
    pub chosen: Option<usize>,
    /// Every offer that could be read, in the server's order.
    pub offers: Vec<Judged>,
    /// How many offers could not be read.
    pub unread: usize,
}

/// One offer and what the policy says to it. The texts are the server's, printable and cut at a length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// The scheme.
    pub scheme: String,
    /// The network.
    pub network: String,
    /// The token contract.
    pub asset: String,
    /// The asset's symbol, if it is a known one.
    pub symbol: Option<&'static str>,
    /// Atomic units.
    pub amount: String,
    /// Whole tokens, if the asset is a known one.
    pub tokens: Option<String>,
    /// Who would be paid.
    pub pay_to: String,
    /// Seconds that the offer asks a signature to be valid for; the policy may allow fewer.
    pub max_timeout_seconds: u64,
    /// Whether the policy allows it.
    pub allowed: bool,
    /// The code of the refusal.
    pub reason: Option<&'static str>,
    /// The refusal in one sentence.
    pub sentence: Option<String>,
}

impl Message for Explanation {
    fn members(&self, to: &mut Object) {
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        to.flag("wouldPay", self.would_pay).text("sentence", &self.sentence).optional_text("reason", self.reason);
        if let Some(chosen) = self.chosen {
            to.number("chosen", count(chosen));
        }
        to.list("offers", &self.offers).number("unread", count(self.unread));
    }
}

impl Message for Judged {
    fn members(&self, to: &mut Object) {
        to.text("scheme", &self.scheme).text("network", &self.network).text("asset", &self.asset);
        to.optional_text("symbol", self.symbol).text("amount", &self.amount);
        to.optional_text("tokens", self.tokens.as_deref()).text("payTo", &self.pay_to);
        to.number("maxTimeoutSeconds", self.max_timeout_seconds).flag("allowed", self.allowed);
        to.optional_text("reason", self.reason).optional_text("sentence", self.sentence.as_deref());
    }
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
    let sentence = ["The answer ", &decimal(status.into()), " asks for no payment"].concat();
    Explanation { would_pay: false, sentence, reason: None, chosen: None, offers: Vec::new(), unread: 0 }
}

fn told(decision: &Result<Choice>) -> (String, Option<&'static str>) {
    match decision {
        Ok(choice) => {
            let tokens = choice.terms.amount.to_tokens(choice.asset.decimals);
            let (symbol, network, pay_to) = (choice.asset.symbol, &choice.offer.terms.network, choice.terms.pay_to);
            (
                ["Would pay ", &tokens, " ", symbol, " on ", network.as_str(), " to ", &pay_to.to_checksum()].concat(),
                None,
            )
        }
        Err(error) => (["Would not pay: ", &error.message()].concat(), Some(error.code().as_str())),
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
        network: word(of.network.as_str()),
        asset: word(&of.asset),
        symbol: known.map(|asset| asset.symbol),
        amount: of.amount.text(),
        tokens: known.map(|asset| of.amount.to_tokens(asset.decimals)),
        pay_to: word(&of.pay_to),
        max_timeout_seconds: of.max_timeout_seconds,
        allowed: refusal.is_none(),
        reason: refusal.as_ref().map(|error| error.code().as_str()),
        sentence: refusal.map(|error| error.message()),
    }
}

/// A stranger's text, as far as it is repeated: people and programs read it beside what is true.
pub(crate) fn word(text: &str) -> String {
    let printable = |character: &char| character.is_ascii_graphic() || *character == ' ';
    text.chars().filter(printable).take(MAX_WORD).collect()
}
