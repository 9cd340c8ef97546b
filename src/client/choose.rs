//! Which offer of a 402 is paid, if any, and why not the others.

use alloc::string::String;
use alloc::vec::Vec;

use crate::client::policy::Policy;
use crate::error::{Code, Error, Result};
use crate::scheme::exact;
use crate::scheme::exact::evm::Terms;
use crate::types::amount::{Amount, decimal};
use crate::types::asset::{self, Asset};
use crate::types::required::{Offer, PaymentRequired, Version};
use crate::types::url;

/// The offer to pay.
#[derive(Clone, Debug)]
pub struct Choice {
    /// The offer, as it came.
    pub offer: Offer,
    /// Its terms.
    pub terms: Terms,
    /// The asset it is paid in.
    pub asset: &'static Asset,
}

/// Chooses the cheapest offer the policy allows; among equals the server's first.
///
/// `asked` is the URL the caller fetched and `answered` the one the 402 came from.
///
/// # Errors
/// `invalid_url` when nothing is known of what was asked, as of a response made by hand; `payer_insecure_url`, `payer_redirected`, `payer_version_not_allowed`; the reason when every offer is refused for the
/// same one, else `payer_nothing_acceptable` with each offer's reason.
pub fn choose(required: &PaymentRequired, policy: &Policy, asked: &str, answered: &str) -> Result<Choice> {
    if asked.is_empty() {
        let advice = "the response does not say what it answers; explain its URL, or a response as fetch gave it";
        return Err(Error::new(Code::InvalidUrl, advice));
    }
    if !url::is_secure(asked) || !url::is_secure(answered) {
        return Err(Code::PayerInsecure.into());
    }
    if url::origin(asked)? != url::origin(answered)? {
        return Err(Code::PayerRedirected.into());
    }
    if required.version == Version::V1 && !policy.v1 {
        return Err(Error::new(Code::PayerVersionNotAllowed, "set policy.v1 to pay servers of x402 version 1"));
    }
    let judged: Vec<Result<Choice>> = required.offers.iter().map(|offer| judge(offer, policy)).collect();
    let mut best: Option<(&Choice, Amount)> = None;
    for choice in judged.iter().flatten() {
        let price = dollars(choice);
        if best.is_none_or(|(_, least)| price < least) {
            best = Some((choice, price));
        }
    }
    match best {
        Some((choice, _)) => Ok(choice.clone()),
        None => Err(refusal(&judged, required.unread)),
    }
}

/// Whether the policy allows this offer.
///
/// # Errors
/// The reason it does not.
pub fn judge(offer: &Offer, policy: &Policy) -> Result<Choice> {
    let of = &offer.terms;
    if of.scheme != exact::SCHEME || of.network.evm_chain_id().is_none() {
        return Err(Code::UnsupportedScheme.into());
    }
    if policy.networks.as_ref().is_some_and(|allowed| !allowed.contains(&of.network)) {
        return Err(Error::new(Code::PayerNetworkNotAllowed, of.network.as_str()));
    }
    let terms = Terms::read(of)?;
    let asset = asset::by_address(&of.network, &of.asset)
        .ok_or_else(|| Error::new(Code::PayerAssetNotAllowed, terms.asset.to_checksum()))?;
    let same_domain = terms.domain.name == asset.name && terms.domain.version.as_deref() == Some(asset.version);
    if !same_domain || asset.method != asset::TransferMethod::Eip3009 {
        return Err(Code::PayerDomainMismatch.into());
    }
    if policy.pay_to.as_ref().is_some_and(|allowed| !allowed.contains(&terms.pay_to)) {
        return Err(Error::new(Code::PayerPayToNotAllowed, terms.pay_to.to_checksum()));
    }
    if of.max_timeout_seconds == 0 {
        return Err(Code::PayerValidity.into());
    }
    if of.amount > policy.cap_in(asset) {
        let price = [&of.amount.to_tokens(asset.decimals), " ", asset.symbol, " is above ", &policy.max_per_payment];
        return Err(Error::new(Code::PayerOverCap, price.concat()));
    }
    Ok(Choice { offer: offer.clone(), terms, asset })
}

/// The price in a unit that all dollar assets share: 10^-18.
fn dollars(choice: &Choice) -> Amount {
    Amount::parse_tokens(&choice.terms.amount.to_tokens(choice.asset.decimals), 18).unwrap_or(Amount::ZERO)
}

fn refusal(judged: &[Result<Choice>], unread: usize) -> Error {
    let errors: Vec<&Error> = judged.iter().filter_map(|judgement| judgement.as_ref().err()).collect();
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
