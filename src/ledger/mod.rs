//! The ledger: what became of every authorization, as a pure function.
//!
//! `(record, event, now) → (record, outcome)`. One writer reads, decides and writes without anything in between, and does
//! what the outcome says. Whatever crashes, the record says what may have happened, and nothing that may have happened is
//! done a second time: not the origin's work, not the settlement.
//!
//! A [`Record`](record::Record) has two halves, because a request and its money end separately:
//!
//! ```text
//! the request     claim           verified           answered
//! (Delivery)  ·──────────► Claimed ──────► Executing ──────────► Answered   the answer is kept where it is small enough
//!                 ▲            │ refused        │ failed, free ─► Idle       presented again: one more try
//!                 └── Idle ◄───┘ lease          │ client gone ──► Waiting    presented again: settled and delivered
//!                                               └ lease, reset ─► Lost       not repeatable: never tried again
//!
//! the money       settle          the word, or the chain
//! (Money)     Untouched ─────► Settling ──────────────────► Settled          a proof counts however late it comes
//!                 ▲               │ lease, silence ─► Unknown ─► Settled      the chain shows the transfer
//!                 └── unsent ─────┴───────────────────┘   └────► Failed       a block past its end shows it unused
//! ```
//!
//! One word for both is [`State`](record::State): no record is *new*, then *claimed*, *verified* (the origin works),
//! *served* (answered, not charged), *settling*, and *settled*, *failed* or *unknown*. *Owed* is settled and not answered,
//! *released* and *abandoned* are what did not come to a charge.
//!
//! | policy | after the verification | the answer leaves |
//! | --- | --- | --- |
//! | `after` | origin, then settlement | with the proof |
//! | `before` | settlement, then origin | with the proof; a failure of the origin says that it is paid, and the same payment is served when it comes again |
//! | `optimistic` | origin | at once; the settlement follows by itself until it settles or fails. What would exceed the payer's bound is served as `after` |
//!
//! # Rules worth knowing
//!
//! - An authorization belongs to the first request that comes with it ([`RequestHash`](event::RequestHash)); any other is
//!   [`Outcome::Conflict`](outcome::Outcome::Conflict) for ever.
//! - Work has a number. A report under an old number changes nothing and delivers nothing.
//! - A worker has a lease. When it runs out, a verification is done again, a safe request may be sent again, an unsafe
//!   one is lost, a settlement is unknown.
//! - Nothing settles for a client that is known to have gone: the word comes with the report before the settlement, and the
//!   answer waits for the retry, which pays for it. A client that goes later has bought what is kept for it.
//! - *Unknown* ends by a proof, by the transaction's failure, by an [`Unused`](event::Event::Unused) block that is past the
//!   authorization's end, or by [`Unsent`](event::Event::Unsent) from one who cannot be wrong; never by a clock of ours.
//! - [`Outcome::Spent`](outcome::Outcome::Spent) and `Abandoned` are promises: this payment is not charged any more. Whoever
//!   hears them may pay anew.
//! - The log is the record: [`log::replay`] makes it again, [`log::states`] tells it as a story. What changes nothing
//!   is not written down, so that a thousand copies cost no disk.
//!
//! # How a durable object uses it
//!
//! Storage in an object is synchronous: reading the row, [`payment::apply`] and writing the row happen in one turn, with no
//! `await` between. An outcome is acted on after the write; the runtime lets nothing leave before it is on disk. The kept
//! answer is written in the same turn as the event that says it is kept.
//!
//! 1. *The gate claims*: [`Event::Claim`](event::Event::Claim) with `straight` set; for an optimistic route the object adds
//!    what the payer's other records expose, in that turn. `VerifyThenExecute` goes back to the gate, and so does whatever
//!    ends the request. `Busy` and `Pending` wait for the work or settlement that this object has in memory, if it has, and
//!    claim again when it ends; so does the retry whose claim is answered `Settle`.
//! 2. *The gate reports* [`Event::Answered`](event::Event::Answered) with the answer if it is small enough, or
//!    `Refused`, or `OriginFailed`. On `Settle` the object settles by itself, applies what it hears, and answers the gate
//!    with the outcome of that: `Deliver`, `Spent`, `Pending`, `Released`.
//!
//! A settlement in advance takes one hop more: the claim is answered `Verify`, the gate reports
//! [`Event::Verified`](event::Event::Verified), the object settles and answers `Execute`. Where the request must not be sent
//! twice it answers `Again`, and the gate claims once more: one that ended while the money moved has not lost the work. For the
//! same reason such a request is never `straight`: one that ended while the payment was verified has not lost it either.
//!
//! The alarm does what [`alarm::due`] says, and is set to the earliest of it. An object that starts anew finds no settlement
//! of its own in memory, and may apply [`Event::SettleUnknown`](event::Event::SettleUnknown) to records that are *settling*
//! at once instead of waiting for their lease.

pub mod alarm;
pub mod event;
pub mod log;
pub mod outcome;
pub mod payment;
pub mod record;
