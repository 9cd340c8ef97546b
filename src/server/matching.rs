//! Which offer a payment accepts.
//!
//! Version 2 echoes the offer: every field but `extra` must be equal, and `extra` may only have been added to (the
//! reference's rule, 2.27.0). Version 1 names scheme and network.

use serde_json::Value;

use crate::error::{Code, Result};
use crate::extension::payment_identifier;
use crate::server::offer::{Identifier, Listing};
use crate::types::json::{equal, subset};
use crate::types::payload::PaymentPayload;
use crate::types::required::{Offer, Version};

/// The offer this payment accepts: the gate's own terms, never the payer's copy of them.
///
/// # Errors
/// `No matching payment requirements`; `invalid_payload` when what it echoes is no offer at all.
pub fn accepted<'a>(listing: &'a Listing, payment: &PaymentPayload) -> Result<&'a Offer> {
    let found = match payment {
        PaymentPayload::V2(v2) => {
            Offer::read(v2.accepted.clone(), Version::V2, Code::InvalidPayload)?;
            let accepted = v2.accepted.value();
            listing.offers.iter().find(|offer| echoes(&offer.verbatim.value(), &accepted))
        }
        PaymentPayload::V1(v1) => listing.offers_v1.iter().find(|offer| {
            offer.terms.scheme == v1.scheme && offer.terms.network.v1_name() == Some(v1.network.as_str())
        }),
    };
    found.ok_or_else(|| Code::NoMatchingRequirements.into())
}

/// Whether the payment leaves what the listing says of its extensions as it is. What the listing says nothing of means
/// nothing here, and may be whatever a payer likes.
///
/// # Errors
/// `extension_echo_mismatch`.
pub fn extensions(listing: &Listing, payment: &PaymentPayload) -> Result<()> {
    let echoed = match payment {
        PaymentPayload::V2(payment) if listing.identifier != Identifier::Unasked => {
            let required = listing.identifier == Identifier::Required;
            payment_identifier::is_echoed(payment.extensions.as_ref(), required)
        }
        _ => true,
    };
    if echoed { Ok(()) } else { Err(Code::ExtensionEchoMismatch.into()) }
}

/// The terms that a payment names, where they are none of the listing's: they may have been offered before the
/// configuration changed, and what they bought then is still their payer's. Version 1 names no terms.
pub fn earlier(payment: &PaymentPayload) -> Option<Offer> {
    match payment {
        PaymentPayload::V2(v2) => Offer::read(v2.accepted.clone(), Version::V2, Code::InvalidPayload).ok(),
        PaymentPayload::V1(_) => None,
    }
}

fn echoes(offered: &Value, accepted: &Value) -> bool {
    let (Value::Object(offered), Value::Object(accepted)) = (offered, accepted) else {
        return false;
    };
    offered.len() == accepted.len()
        && offered.iter().all(|(key, value)| {
            accepted.get(key).is_some_and(|echo| if key == "extra" { subset(value, echo) } else { equal(value, echo) })
        })
}
