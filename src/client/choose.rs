//! Which offer of a 402 is paid, if any, and why not the others.

use alloc::string::String;
use alloc::vec::Vec;

use crate::client::call::Call;
use crate::client::policy::{Policy, Token, listed};
use crate::client::trace::{Rule, Trace};
use crate::error::{Code, Error, Result};
use crate::scheme::exact;
use crate::scheme::exact::evm::Terms;
use crate::types::amount::{Amount, decimal};
use crate::types::required::{Offer, PaymentRequired, Version};
use crate::types::url;

/// The offer to pay.
#[derive(Clone, Debug)]
pub struct Choice {
    /// The offer, as it came.
    pub offer: Offer,
    /// Its terms.
    pub terms: Terms,
    /// The token it is paid in.
    pub asset: Token,
    /// Its price in whole tokens, of [`SCALE`](crate::client::policy::SCALE) decimals.
    pub price: Amount,
    /// The origin that is paid.
    pub origin: String,
    /// Every rule it was held against.
    pub rules: Vec<Rule>,
}

/// An offer, the rules it was held against, and what came of it.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// Every rule that was asked.
    pub trace: Trace,
    /// The token and the price of an offer that is allowed, or the refusal.
    pub verdict: Result<(Terms, Token, Amount)>,
}

/// Chooses the offer that the policy prefers among those it allows; among equals the cheapest, then the server's first.
///
/// `asked` is the URL the caller fetched and `answered` the one the 402 came from.
///
/// # Errors
/// `invalid_url` when nothing is known of what was asked, as of a response made by hand; `payer_insecure_url`,
/// `payer_redirected`, `payer_origin_not_allowed`, `payer_version_not_allowed`; the reason when every offer is refused for the
/// same one, else `payer_nothing_acceptable` with each offer's reason.
pub fn choose(required: &PaymentRequired, policy: &Policy, call: &Call, asked: &str, answered: &str) -> Result<Choice> {
    let mut trace = Trace::default();
    let origin = place(required, policy, asked, answered, &mut trace)?;
    let judged: Vec<Judgement> = required.offers.iter().map(|offer| judge(offer, policy, call)).collect();
    let mut best: Option<(Rank, &Offer, &Judgement)> = None;
    for (offer, judgement) in required.offers.iter().zip(&judged) {
        let Ok((_, token, price)) = &judgement.verdict else { continue };
        let rank = rank(policy, token, *price);
        if best.as_ref().is_none_or(|(least, ..)| rank < *least) {
            best = Some((rank, offer, judgement));
        }
    }
    match best {
        Some((_, offer, Judgement { trace: rules, verdict: Ok((terms, asset, price)) })) => {
            trace.0.extend(rules.0.iter().cloned());
            let (terms, asset) = (terms.clone(), asset.clone());
            Ok(Choice { offer: offer.clone(), terms, asset, price: *price, origin, rules: trace.0 })
        }
        _ => Err(refusal(&judged, required.unread)),
    }
}

/// The rules about where the 402 came from. Answers with the origin.
///
/// # Errors
/// The refusal.
pub fn place(
    required: &PaymentRequired,
    policy: &Policy,
    asked: &str,
    answered: &str,
    trace: &mut Trace,
) -> Result<String> {
    if asked.is_empty() {
        let advice = "the response does not say what it answers; explain its URL, or a response as fetch gave it";
        return Err(Error::new(Code::InvalidUrl, advice));
    }
    let secure = !policy.https_only || (url::is_secure(asked) && url::is_secure(answered));
    trace.ask("httpsOnly", if secure { Ok("nobody reads along") } else { Err(Code::PayerInsecure.into()) })?;
    let origin = url::origin(asked)?;
    let same = origin == url::origin(answered)?;
    trace.ask(
        "redirect",
        if same { Ok("the price comes from where it was asked") } else { Err(Code::PayerRedirected.into()) },
    )?;
    let allowed = listed(policy.origins.as_ref(), &policy.deny.origins, &origin);
    trace.ask("origins", allow(allowed, &origin, Code::PayerOriginNotAllowed))?;
    let version = match required.version {
        Version::V1 if !policy.v1 => {
            Err(Error::new(Code::PayerVersionNotAllowed, "set policy.v1 to pay servers of x402 version 1"))
        }
        _ => Ok("this version is allowed"),
    };
    trace.ask("v1", version)?;
    Ok(origin)
}

/// Holds an offer against the policy and the call.
pub fn judge(offer: &Offer, policy: &Policy, call: &Call) -> Judgement {
    let mut trace = Trace::default();
    let verdict = hold(offer, policy, call, &mut trace);
    Judgement { trace, verdict }
}

fn hold(offer: &Offer, policy: &Policy, call: &Call, trace: &mut Trace) -> Result<(Terms, Token, Amount)> {
    let of = &offer.terms;
    let spoken = of.scheme == exact::SCHEME && of.network.evm_chain_id().is_some();
    let scheme = match (spoken, listed(policy.schemes.as_ref(), &[], &of.scheme)) {
        (true, true) => Ok([&of.scheme, ALLOWED].concat()),
        (true, false) => Err(Code::PayerSchemeNotAllowed.into()),
        (false, _) => Err(Code::UnsupportedScheme.into()),
    };
    trace.ask("schemes", scheme)?;
    let network = listed(policy.networks.as_ref(), &policy.deny.networks, &of.network);
    trace.ask("networks", allow(network, of.network.as_str(), Code::PayerNetworkNotAllowed))?;
    let terms = Terms::read(of)?;
    let token = policy.token(&of.network, &of.asset);
    let known = match &token {
        Some(token) => Ok([&token.symbol, " is known"].concat()),
        None => Err(Error::new(Code::PayerAssetNotAllowed, terms.asset.to_checksum())),
    };
    trace.ask("assets", known)?;
    let token = token.ok_or(Code::PayerAssetNotAllowed)?;
    let same_domain = terms.domain.name == token.name && terms.domain.version.as_ref() == Some(&token.version);
    trace.ask(
        "domain",
        if same_domain { Ok("the token is named as it is") } else { Err(Code::PayerDomainMismatch.into()) },
    )?;
    let pay_to = listed(policy.pay_to.as_ref(), &policy.deny.pay_to, &terms.pay_to);
    trace.ask("payTo", allow(pay_to, &terms.pay_to.to_checksum(), Code::PayerPayToNotAllowed))?;
    let seconds = of.max_timeout_seconds.min(policy.max_validity_seconds);
    let lives = if seconds > 0 { Ok([&decimal(seconds), " s"].concat()) } else { Err(Code::PayerValidity.into()) };
    trace.ask("maxValiditySeconds", lives)?;
    let price = token.scaled(of.amount).ok_or(Code::PayerOverCap)?;
    trace.ask("maxPerPayment", policy.cap(&token, price))?;
    trace.ask("maxPrice", call.price(&token, price))?;
    trace.ask("quote", call.quoted(&of.network, &terms))?;
    if let Some(said) = call.covers(&token, &terms) {
        trace.ask("balance", said)?;
    }
    Ok((terms, token, price))
}

/// What a 402 that is not paid falls foul of: the rule about where it came from, or the one of each offer.
pub fn why_not(required: &PaymentRequired, policy: &Policy, call: &Call, asked: &str, answered: &str) -> Vec<Rule> {
    let mut trace = Trace::default();
    if place(required, policy, asked, answered, &mut trace).is_ok() {
        trace.0 = required.offers.iter().filter_map(|offer| judge(offer, policy, call).trace.0.pop()).collect();
    }
    trace.0.retain(|rule| !rule.passed);
    trace.0
}

const ALLOWED: &str = " is allowed";

fn allow(allowed: bool, what: &str, code: Code) -> Result<String> {
    if allowed { Ok([what, ALLOWED].concat()) } else { Err(Error::new(code, what)) }
}

/// What is smaller is taken: the places in the policy's preferences, then the price. What has no price in dollars comes
/// behind what has one.
type Rank = (usize, usize, bool, Amount);

fn rank(policy: &Policy, token: &Token, price: Amount) -> Rank {
    let prefer = &policy.prefer;
    let network = prefer.networks.iter().position(|of| *of == token.network);
    let named = |of: &String| of.eq_ignore_ascii_case(&token.symbol) || of.eq_ignore_ascii_case(&token.address);
    let asset = prefer.assets.iter().position(named);
    (network.unwrap_or(usize::MAX), asset.unwrap_or(usize::MAX), !token.dollar, price)
}

fn refusal(judged: &[Judgement], unread: usize) -> Error {
    let errors: Vec<&Error> = judged.iter().filter_map(|judgement| judgement.verdict.as_ref().err()).collect();
    if let [first, rest @ ..] = errors.as_slice()
        && rest.iter().all(|error| error.code() == first.code())
    {
        return (*first).clone();
    }
    let mut reasons: Vec<String> = errors.iter().map(|error| error.code().as_str().into()).collect();
    if unread > 0 {
        reasons.push([&decimal(u64::try_from(unread).unwrap_or(u64::MAX)), " that cannot be read"].concat());
    }
    if reasons.is_empty() {
        reasons.push("the server offers nothing".into());
    }
    Error::new(Code::PayerNothingAcceptable, reasons.join(", "))
}
