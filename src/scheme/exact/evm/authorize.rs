//! The payer's part: the authorization to sign.

use crate::error::{Code, Result};
use crate::evm::address::Address;
use crate::evm::eip3009::Authorization;
use crate::evm::keccak::Bytes32;
use crate::scheme::exact::evm::Terms;
use crate::types::time::UnixSeconds;

/// Seconds the start of validity lies before now: clocks of payer and chain differ.
const START_MARGIN: u64 = 60;

/// Builds the authorization for an offer, valid from a minute ago until the offer's timeout or `max_validity`
/// seconds, whichever is sooner.
///
/// # Errors
/// `payer_validity` when the offer leaves no time, `payer_no_randomness` when the nonce is all zeros: 32 random bytes
/// never are.
pub fn authorize(
    terms: &Terms,
    from: Address,
    now: UnixSeconds,
    max_validity: u64,
    nonce: Bytes32,
) -> Result<Authorization> {
    let validity = terms.max_timeout_seconds.min(max_validity);
    if validity == 0 {
        return Err(Code::PayerValidity.into());
    }
    if nonce == [0; 32] {
        return Err(Code::PayerNoRandomness.into());
    }
    Ok(Authorization {
        from,
        to: terms.pay_to,
        value: terms.amount,
        valid_after: now.minus(START_MARGIN).0.into(),
        valid_before: now.plus(validity).0.into(),
        nonce,
    })
}
