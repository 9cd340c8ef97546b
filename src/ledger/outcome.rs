//! What an edge does next.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::types::facilitator::SettleResponse;

/// What the one who reported an event does next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// Verify the payment; report under this number.
    Verify(u32),
    /// Verify the payment and, if it is good, ask the origin; report under this number what comes first, the refusal or
    /// the answer.
    VerifyThenExecute(u32),
    /// Ask the origin; report under this number.
    Execute(u32),
    /// The payment settled in advance: claim again for the work.
    Again,
    /// Settle the payment; report under this number.
    Settle(u32),
    /// Deliver the origin's answer in hand: with the proof, or without one because it is not charged or settles later.
    Deliver(Option<SettleResponse>),
    /// Deliver the answer that is kept, with the proof if there is one yet.
    Replay(Option<SettleResponse>),
    /// The payment settled in advance and the origin failed: say both. The same payment is served when it comes again.
    Owed(SettleResponse),
    /// The payment settled and there is no answer left to deliver: only the proof.
    ReceiptOnly(SettleResponse),
    /// Somebody works on this very request: wait for them, or come again after these seconds.
    Busy(u64),
    /// Whether the money moved is not known yet: wait for the settlement, or come again. The transaction, if one is known.
    Pending(String),
    /// Nothing was charged, for this reason, and the same payment can be presented again.
    Released(String),
    /// The authorization is of no use any more, for this reason. It was not charged and will not be.
    Spent(String),
    /// The origin may have been asked and must not be asked again. Nothing was charged and nothing will be.
    Abandoned,
    /// The authorization is bound to another request.
    Conflict,
    /// The record went on without the reporter, who delivers nothing.
    Stale,
    /// Nothing more to do.
    Done,
}
