//! When the same payment is sent again: while the server does not know yet what became of it, or where its answer was
//! lost. It is the same authorization each time, so that whatever happens it pays once; and it is sent for as long as it
//! can settle, since until then another one might be the second.

use crate::client::intent::Quote;
use crate::client::receipt::Receipt;
use crate::error::Code;
use crate::types::amount::Amount;
use crate::types::time::UnixSeconds;

/// Seconds between two tries where the server says nothing, and at most whatever it says.
const PAUSE: u64 = 2;
const LONGEST: u64 = 30;
/// How often a request is sent again whose answer was lost.
const LOST: u32 = 3;

/// Seconds after which the payment is sent again, because its answer leaves the outcome open; none when it does not, or
/// when the authorization ends before. `sent` says how often it was sent so far: that somebody else is served for it is
/// an answer to its own earlier copy only.
pub fn after_answer(
    quote: &Quote,
    receipt: &Receipt,
    status: u16,
    retry_after: Option<&str>,
    sent: u32,
    now: UnixSeconds,
) -> Option<u64> {
    let pending = receipt.error_reason.as_deref() == Some(Code::SettlementPending.as_str());
    let copied = sent > 1 && matches!(status, 409 | 425) && retry_after.is_some();
    if !pending && !copied {
        return None;
    }
    let said = retry_after.and_then(|text| text.trim().parse::<u64>().ok());
    while_valid(quote, said.unwrap_or(PAUSE).clamp(1, LONGEST), now)
}

/// Seconds after which the payment is sent again, because no answer came. Only a request that is safe to repeat is: not
/// every server serves one payment once.
pub fn after_loss(quote: &Quote, method: &str, sent: u32, now: UnixSeconds) -> Option<u64> {
    let safe = matches!(method, "GET" | "HEAD");
    if safe && sent <= LOST { while_valid(quote, 1 << sent.saturating_sub(1).min(4), now) } else { None }
}

fn while_valid(quote: &Quote, pause: u64, now: UnixSeconds) -> Option<u64> {
    let end = Amount::parse(&quote.valid_before).ok()?.to_u64()?;
    (now.plus(pause).0 < end).then_some(pause)
}
