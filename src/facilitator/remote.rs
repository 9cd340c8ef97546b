//! Other facilitators: what an answer over HTTP means, whatever its status and body.

use alloc::string::String;

use crate::error::{Code, Error, Result};
use crate::facilitator::{Settlement, Transfer, judge_settle, judge_verify};
use crate::types::facilitator::{SettleResponse, VerifyResponse};
use crate::types::json;

/// What a facilitator makes of a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It would settle.
    Valid,
    /// It is refused, for this reason.
    Invalid(Error),
    /// The facilitator gave no usable answer: another one may be asked.
    Fault(Error),
}

/// Reads the answer of `POST /verify` for a payment; none means that none came. Fields that nobody here knows are let
/// be; what names another payer is the answer to another question.
pub fn verified(transfer: &Transfer, reply: Option<(u16, &str)>) -> Verdict {
    let Some((status, body)) = reply else {
        return Verdict::Fault(Code::GateFacilitatorUnavailable.into());
    };
    // A status of trouble says that the payment was not judged, whatever the body says.
    if status == 429 || status >= 500 {
        return Verdict::Fault(Code::GateFacilitatorUnavailable.into());
    }
    let response: Result<VerifyResponse> = json::read(body, Code::GateFacilitatorFault);
    match response {
        Ok(response) if response.is_valid && status != 200 => Verdict::Fault(Code::GateFacilitatorFault.into()),
        Ok(VerifyResponse { payer: Some(payer), .. }) if !payer.eq_ignore_ascii_case(&transfer.payer) => {
            Verdict::Fault(Code::GateFacilitatorFault.into())
        }
        Ok(response) => match judge_verify(&response) {
            Ok(()) => Verdict::Valid,
            Err(error) if error.code() == Code::UnexpectedVerifyError => Verdict::Fault(error),
            Err(error) => Verdict::Invalid(error),
        },
        Err(_) => Verdict::Fault(Code::GateFacilitatorFault.into()),
    }
}

impl Verdict {
    /// Whether the payment was judged at all.
    pub const fn is_word(&self) -> bool {
        !matches!(self, Self::Fault(_))
    }
}

/// Reads the answer of `POST /settle`; none means that none came. What cannot be read is unknown, never failed: the
/// facilitator may have sent the payment before it stumbled.
pub fn settled(transfer: &Transfer, reply: Option<(u16, &str)>) -> Settlement {
    let Some((status, body)) = reply else {
        return Settlement::Unknown(String::new());
    };
    let response: Result<SettleResponse> = json::read(body, Code::GateFacilitatorFault);
    match (status, response) {
        (200, Ok(response)) => judge_settle(transfer, response),
        // Turned away at the door: too many requests, or a token that is not known there.
        (429, _) => Settlement::Unsent(Code::GateFacilitatorUnavailable.into()),
        (401 | 403, _) => Settlement::Unsent(Code::GateFacilitatorFault.into()),
        (400..500, Ok(response)) if !response.success => judge_settle(transfer, response),
        _ => Settlement::Unknown(String::new()),
    }
}
