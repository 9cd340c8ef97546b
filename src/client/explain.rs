//! What would be paid, and why or why not, without paying.

use alloc::string::String;
use alloc::vec::Vec;

use crate::client::audit::Who;
use crate::client::book::Book;
use crate::client::call::Call;
use crate::client::choose::{Choice, Judgement, choose, judge, place};
use crate::client::desk::afford;
use crate::client::policy::Policy;
use crate::client::trace::{Rule, Trace};
use crate::error::Result;
use crate::types::amount::decimal;
use crate::types::json::{Message, Object};
use crate::types::required::{Offer, PaymentRequired};
use crate::types::time::UnixSeconds;

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
    /// Every rule that the offer that would be paid was held against; if there is none, those about where it came from.
    pub rules: Vec<Rule>,
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
    pub symbol: Option<String>,
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
    /// Every rule about it that was asked.
    pub rules: Vec<Rule>,
}

impl Message for Explanation {
    fn members(&self, to: &mut Object) {
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        to.flag("wouldPay", self.would_pay).text("sentence", &self.sentence).optional_text("reason", self.reason);
        if let Some(chosen) = self.chosen {
            to.number("chosen", count(chosen));
        }
        to.list("offers", &self.offers).number("unread", count(self.unread)).list("rules", &self.rules);
    }
}

impl Message for Judged {
    fn members(&self, to: &mut Object) {
        to.text("scheme", &self.scheme).text("network", &self.network).text("asset", &self.asset);
        to.optional_text("symbol", self.symbol.as_deref()).text("amount", &self.amount);
        to.optional_text("tokens", self.tokens.as_deref()).text("payTo", &self.pay_to);
        to.number("maxTimeoutSeconds", self.max_timeout_seconds).flag("allowed", self.allowed);
        to.optional_text("reason", self.reason).optional_text("sentence", self.sentence.as_deref());
        to.list("rules", &self.rules);
    }
}

/// Decides as [`choose`] and then the book do, and tells it. Nothing is reserved.
pub fn explain(
    required: &PaymentRequired,
    policy: &Policy,
    call: &Call,
    (asked, answered): (&str, &str),
    (book, who, now): (&Book, &Who, UnixSeconds),
) -> Explanation {
    let offers = required.offers.iter().map(|offer| judged(offer, policy, judge(offer, policy, call))).collect();
    let mut rules = Vec::new();
    let decision = match choose(required, policy, call, asked, answered) {
        Ok(choice) => {
            let (more, held) = afford(book, policy, &choice, who, now);
            rules = [&choice.rules[..], &more].concat();
            held.map(|()| choice)
        }
        Err(error) => {
            let mut trace = Trace::default();
            // Its refusal is the decision's.
            place(required, policy, asked, answered, &mut trace).ok();
            rules.extend(trace.0);
            Err(error)
        }
    };
    let chosen = decision.as_ref().ok().and_then(|choice| position(required, choice));
    let (sentence, reason) = told(&decision);
    Explanation { would_pay: decision.is_ok(), sentence, reason, chosen, offers, unread: required.unread, rules }
}

/// What is said of an answer that asks for nothing.
pub fn nothing_asked(status: u16) -> Explanation {
    let sentence = match status {
        402 => {
            "The answer 402 has no terms that can be read: if they are of version 1, set policy.v1; if this is a page, \
                its server must name PAYMENT-REQUIRED in Access-Control-Expose-Headers"
                .into()
        }
        _ => ["The answer ", &decimal(status.into()), " asks for no payment"].concat(),
    };
    Explanation {
        would_pay: false,
        sentence,
        reason: None,
        chosen: None,
        offers: Vec::new(),
        unread: 0,
        rules: Vec::new(),
    }
}

fn told(decision: &Result<Choice>) -> (String, Option<&'static str>) {
    match decision {
        Ok(choice) => {
            let tokens = choice.terms.amount.to_tokens(choice.asset.decimals);
            let (symbol, network, pay_to) = (&choice.asset.symbol, &choice.offer.terms.network, choice.terms.pay_to);
            (
                ["Would pay ", &tokens, " ", symbol, " on ", network.as_str(), " to ", &pay_to.to_checksum()].concat(),
                None,
            )
        }
        Err(error) => (["Would not pay: ", &error.message()].concat(), Some(error.code().as_str())),
    }
}

fn position(required: &PaymentRequired, choice: &Choice) -> Option<usize> {
    required.offers.iter().position(|offer| offer.verbatim.as_str() == choice.offer.verbatim.as_str())
}

fn judged(offer: &Offer, policy: &Policy, judgement: Judgement) -> Judged {
    let of = &offer.terms;
    let known = policy.token(&of.network, &of.asset);
    let refusal = judgement.verdict.err();
    Judged {
        scheme: word(&of.scheme),
        network: word(of.network.as_str()),
        asset: word(&of.asset),
        tokens: known.as_ref().map(|token| of.amount.to_tokens(token.decimals)),
        symbol: known.map(|token| token.symbol),
        amount: of.amount.text(),
        pay_to: word(&of.pay_to),
        max_timeout_seconds: of.max_timeout_seconds,
        allowed: refusal.is_none(),
        reason: refusal.as_ref().map(|error| error.code().as_str()),
        sentence: refusal.map(|error| error.message()),
        rules: judgement.trace.0,
    }
}

/// A stranger's text, as far as it is repeated: people and programs read it beside what is true.
pub(crate) fn word(text: &str) -> String {
    let printable = |character: &char| character.is_ascii_graphic() || *character == ' ';
    text.chars().filter(printable).take(MAX_WORD).collect()
}
