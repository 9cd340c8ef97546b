//! What a server asks for: `PaymentRequired` and its offers (specification v2 §5.1, v1 §5.1).

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::error::{Code, Result};
use crate::types::amount::Amount;
use crate::types::json::{Fields, Verbatim};
use crate::types::network::Network;

/// A version of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// Body and `X-PAYMENT` header.
    V1,
    /// `PAYMENT-*` headers.
    V2,
}

impl Version {
    /// The number in `x402Version`.
    pub const fn number(self) -> u8 {
        match self {
            Self::V1 => 1,
            Self::V2 => 2,
        }
    }
}

/// The resource that is sold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceInfo {
    /// Its URL.
    pub url: String,
    /// What it is, for people.
    #[serde(default)]
    pub description: Option<String>,
    /// Its media type.
    #[serde(default)]
    pub mime_type: Option<String>,
}

/// The terms of one offer, as every later step needs them; the text to echo is kept beside them in [`Offer`].
#[derive(Clone, Debug)]
pub struct PaymentRequirements {
    /// The scheme, such as `exact`.
    pub scheme: String,
    /// The network the payment moves on.
    pub network: Network,
    /// The amount in atomic units.
    pub amount: Amount,
    /// The token; on EVM its contract address.
    pub asset: String,
    /// Who is paid.
    pub pay_to: String,
    /// How many seconds the server may take from signature to settlement.
    pub max_timeout_seconds: u64,
    /// The scheme's own terms.
    pub extra: Option<Verbatim>,
}

/// One entry of `accepts`: the terms, and the text a payer echoes as `accepted`.
#[derive(Clone, Debug)]
pub struct Offer {
    /// Which version wrote it.
    pub version: Version,
    /// The terms.
    pub terms: PaymentRequirements,
    /// The entry as it came.
    pub verbatim: Verbatim,
}

impl Offer {
    /// Reads one entry of `accepts` (or `paymentRequirements`).
    ///
    /// # Errors
    /// `code` when a field is missing or of another type; `invalid_network` for an unknown version 1 name.
    pub fn read(verbatim: Verbatim, version: Version, code: Code) -> Result<Self> {
        let fields = Fields::read(verbatim.as_str(), code)?;
        let (network, amount) = match version {
            Version::V2 => (fields.text_as("network", Network::parse)?, "amount"),
            Version::V1 => (Network::from_v1_name(&fields.text("network")?)?, "maxAmountRequired"),
        };
        let terms = PaymentRequirements {
            scheme: fields.text("scheme")?,
            network,
            amount: fields.text_as(amount, Amount::parse)?,
            asset: fields.text("asset")?,
            pay_to: fields.text("payTo")?,
            max_timeout_seconds: fields.number("maxTimeoutSeconds")?,
            extra: fields.optional_verbatim("extra"),
        };
        Ok(Self { version, terms, verbatim })
    }
}

/// A 402 as a payer reads it, of either version.
#[derive(Clone, Debug)]
pub struct PaymentRequired {
    /// The version it was written in.
    pub version: Version,
    /// Why payment is asked for now, if the server says so. Text of a stranger.
    pub error: Option<String>,
    /// The resource's URL as the server names it; version 1 repeats it in every offer.
    pub resource_url: Option<String>,
    /// The resource object to echo (version 2).
    pub resource: Option<Verbatim>,
    /// The offers that could be read, in the server's order.
    pub offers: Vec<Offer>,
    /// How many entries could not be read: other schemes may have other shapes.
    pub unread: usize,
    /// The extensions to echo (version 2).
    pub extensions: Option<Verbatim>,
}

/// Offers considered in one 402; more are not read.
pub const MAX_OFFERS: usize = 32;

impl PaymentRequired {
    /// Reads the JSON of a 402. Entries of `accepts` that cannot be read are counted and left out.
    ///
    /// # Errors
    /// `invalid_payment_required` when the whole cannot be read, `invalid_x402_version` for another version
    /// than `expected`.
    pub fn read(text: &str, expected: Version) -> Result<Self> {
        const CODE: Code = Code::InvalidPaymentRequired;
        let fields = Fields::read(text, CODE)?;
        if fields.number("x402Version")? != u64::from(expected.number()) {
            return Err(Code::InvalidX402Version.into());
        }
        let resource = fields.optional_verbatim("resource");
        let mut resource_url = match &resource {
            Some(resource) => Some(Fields::read(resource.as_str(), CODE)?.text("url")?),
            None => None,
        };
        let entries = fields.list("accepts")?;
        let mut offers = Vec::new();
        for entry in entries.iter().take(MAX_OFFERS) {
            if expected == Version::V1 && resource_url.is_none() {
                let named = Fields::read(entry, CODE).and_then(|entry| entry.optional_text("resource"));
                resource_url = named.ok().flatten();
            }
            let offer = Verbatim::parse(entry, CODE).and_then(|entry| Offer::read(entry, expected, CODE));
            offers.extend(offer.ok());
        }
        let unread = entries.len().saturating_sub(offers.len());
        Ok(Self {
            version: expected,
            error: fields.optional_text("error")?,
            resource_url,
            resource,
            offers,
            unread,
            extensions: fields.optional_verbatim("extensions"),
        })
    }
}
