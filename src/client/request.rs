//! What is sent: nothing that is paid already, and the payment only to where it was asked for.

use crate::client::policy::Policy;
use crate::error::{Code, Error, Result};
use crate::transport::http::{self, MAX_BODY};
use crate::types::json::Fields;
use crate::types::required::PaymentRequired;

/// Refuses a request that carries a payment before it is sent.
///
/// # Errors
/// `payer_already_paid`.
pub fn refuse_paid(carries_payment: bool) -> Result<()> {
    if carries_payment { Err(Code::PayerAlreadyPaid.into()) } else { Ok(()) }
}

/// The terms of a 402, or nothing when it is a 402 of something else.
///
/// # Errors
/// What [`http::read_payment_required`] says of terms that are x402's and cannot be read.
pub fn terms(header: Option<&str>, body: Option<&str>) -> Result<Option<PaymentRequired>> {
    if header.is_none() {
        let Some(body) = body.filter(|body| body.len() <= MAX_BODY) else { return Ok(None) };
        let named = Fields::read(body, Code::InvalidPaymentRequired).is_ok_and(|fields| fields.has("x402Version"));
        if !named {
            return Ok(None);
        }
    }
    http::read_payment_required(header, body).map(Some)
}

/// Reads a `PAYMENT-REQUIRED` header, or the JSON body in which version 1 asks.
///
/// # Errors
/// What [`http::read_payment_required`] says.
pub fn read_terms(text: &str) -> Result<PaymentRequired> {
    let is_body = text.trim_start().starts_with('{');
    if is_body { http::read_payment_required(None, Some(text)) } else { http::read_payment_required(Some(text), None) }
}

/// The URL that the paid request goes to: the one that quoted the price. `repeats` says whether the body can be sent twice.
///
/// # Errors
/// `payer_redirected` when a redirect came before the quote and the request was not a `GET` or `HEAD`: what the redirect
/// made of it is not known, so it cannot be repeated. `payer_body_not_replayable`.
pub fn paid_url<'a>(
    method: &str,
    asked: &'a str,
    answered: &'a str,
    redirected: bool,
    repeats: bool,
) -> Result<&'a str> {
    if !repeats {
        return Err(Code::PayerBodyNotReplayable.into());
    }
    match (redirected, method) {
        (false, _) => Ok(asked),
        (true, "GET" | "HEAD") => Ok(answered),
        (true, method) => Err(Error::new(Code::PayerRedirected, [method, " was redirected before the 402"].concat())),
    }
}

/// Whether terms are looked for in the body: only version 1 asks there, and only when the header does not.
pub const fn reads_body(policy: &Policy, has_header: bool) -> bool {
    policy.v1 && !has_header
}

/// Whether calling again with the same arguments may end otherwise and cannot pay twice.
pub fn retryable(code: Code) -> bool {
    matches!(code, Code::PayerWalletFailed | Code::PayerNoRandomness)
}
