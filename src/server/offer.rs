//! Offers: what a 402 says.
//!
//! Everything about a route's offers is fixed by the configuration, so their JSON is written once and joined with
//! what a request adds: the URL and the reason.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::{Code, Result};
use crate::extension::payment_identifier;
use crate::scheme::exact;
use crate::server::price::AssetAmount;
use crate::transport::http;
use crate::types::amount::Amount;
use crate::types::json::{self, Verbatim};
use crate::types::network::Network;
use crate::types::required::{Offer, Version};

/// `PaymentRequirements` of version 2, in the reference's order of keys.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireOffer<'a> {
    scheme: &'a str,
    network: &'a str,
    amount: &'a str,
    asset: &'a str,
    pay_to: &'a str,
    max_timeout_seconds: u64,
    extra: WireExtra<'a>,
}

#[derive(Serialize)]
struct WireExtra<'a> {
    name: &'a str,
    version: &'a str,
}

/// What one route sells, ready to be written.
#[derive(Clone, Debug)]
pub struct Listing {
    /// The rule, as the configuration writes it.
    pub rule: String,
    /// What it is, for people.
    pub description: String,
    /// The answer's media type.
    pub mime_type: String,
    /// The offers of version 2, first choice first.
    pub offers: Vec<Offer>,
    /// The same offers for version 1, where their network had a name there; empty when version 1 is off.
    pub offers_v1: Vec<Offer>,
    /// When its payments settle.
    pub settle: SettlePolicy,
    /// Whether its payers are asked to name their purchases.
    pub identifier: Identifier,
}

/// Whether payers are asked to name their purchases by a payment identifier. One that is given is always heeded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Identifier {
    /// They are not asked.
    #[default]
    Unasked,
    /// They may.
    Optional,
    /// They must, by it or by an `Idempotency-Key`.
    Required,
}

/// When a rule's payments settle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettlePolicy {
    /// After the origin has answered and before its answer leaves.
    After,
    /// Before the origin is asked.
    Before,
    /// After the answer has left, as long as the payer owes no more than this, in atomic units on each network.
    Optimistic(Vec<(Network, Amount)>),
}

/// Writes an offer of scheme exact.
///
/// # Errors
/// None for a price that was read from a configuration.
pub fn exact_offer(network: &Network, price: &AssetAmount, pay_to: &str, max_timeout_seconds: u64) -> Result<Offer> {
    let verbatim = Verbatim::of(&WireOffer {
        scheme: exact::SCHEME,
        network: network.as_str(),
        amount: &alloc::string::ToString::to_string(&price.amount),
        asset: &price.asset,
        pay_to,
        max_timeout_seconds,
        extra: WireExtra { name: &price.name, version: &price.version },
    })?;
    Offer::read(verbatim, Version::V2, Code::GateConfig)
}

impl Listing {
    /// The version 1 form of an offer, which repeats the resource in each entry; none where version 1 had no name
    /// for the network.
    ///
    /// # Errors
    /// None for an offer of this module.
    pub fn offer_v1(&self, offer: &Offer, url: &str) -> Result<Option<Offer>> {
        let Some(name) = offer.terms.network.v1_name() else {
            return Ok(None);
        };
        let terms = &offer.terms;
        let verbatim = Verbatim::of(&json!({
            "scheme": terms.scheme,
            "network": name,
            "maxAmountRequired": terms.amount,
            "resource": url,
            "description": self.description,
            "mimeType": self.mime_type,
            "payTo": terms.pay_to,
            "maxTimeoutSeconds": terms.max_timeout_seconds,
            "asset": terms.asset,
            "extra": terms.extra,
        }))?;
        Offer::read(verbatim, Version::V1, Code::GateConfig).map(Some)
    }

    /// The terms for this URL: the `PAYMENT-REQUIRED` header, and a body that version 1 reads.
    ///
    /// # Errors
    /// None for a listing of this crate.
    pub fn challenge(&self, url: &str, error: &str, speaks_v1: bool) -> Result<Challenge> {
        let accepts: Vec<&Verbatim> = self.offers.iter().map(|offer| &offer.verbatim).collect();
        let required = WireRequired {
            x402_version: Version::V2.number(),
            error,
            resource: WireResource { url, description: &self.description, mime_type: &self.mime_type },
            accepts,
            extensions: match self.identifier {
                Identifier::Unasked => None,
                asked => Some(payment_identifier::declaration(asked == Identifier::Required)),
            },
        };
        let mut accepts_v1 = Vec::new();
        if speaks_v1 {
            for offer in &self.offers {
                accepts_v1.extend(self.offer_v1(offer, url)?.map(|offer| offer.verbatim));
            }
        }
        let body = json!({ "x402Version": Version::V1.number(), "error": error, "accepts": accepts_v1 });
        Ok(Challenge { header: http::encode_message(&required), body: json::write(&body) })
    }
}

/// A 402's terms, as they travel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// The value of `PAYMENT-REQUIRED`.
    pub header: String,
    /// The JSON body.
    pub body: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireRequired<'a> {
    x402_version: u8,
    error: &'a str,
    resource: WireResource<'a>,
    accepts: Vec<&'a Verbatim>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extensions: Option<Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireResource<'a> {
    url: &'a str,
    description: &'a str,
    mime_type: &'a str,
}
