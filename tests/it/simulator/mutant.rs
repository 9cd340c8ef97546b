//! Ledgers that are wrong on purpose: a simulator that does not catch them proves nothing.

use x402_core::ledger::event::{Event, Policy};
use x402_core::ledger::outcome::Outcome;
use x402_core::ledger::payment::{SERVINGS, apply};
use x402_core::ledger::record::{Delivery, Money, Record, Settle};
use x402_core::types::amount::Amount;
use x402_core::types::time::UnixSeconds;

macro_rules! mutants {
    ($($(#[doc = $what:literal])+ $name:ident,)*) => {
        /// What is broken.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Mutant {
            /// Nothing.
            None,
            $($(#[doc = $what])+ $name,)*
        }

        /// Every mutant.
        pub(crate) const ALL: &[Mutant] = &[$(Mutant::$name,)*];
    };
}

mutants! {
    /// A claim keeps nobody else out.
    DropClaim,
    /// A claim is not stored.
    SkipClaimStore,
    /// The start of a settlement is not stored.
    SkipSettlingStore,
    /// The origin's answer is not stored.
    SkipAnswerStore,
    /// A pending settlement is begun again by a retry.
    SettleTwice,
    /// An unsafe request is sent again after a crash.
    RepeatUnsafe,
    /// A request that broke off counts as never begun.
    ForgetAsking,
    /// A settlement that was cut off counts as never begun.
    ForgetSettling,
    /// A settlement of unknown outcome counts as never begun.
    UnknownIsUnsent,
    /// An unknown outcome counts as a failure.
    UnknownIsFailed,
    /// An authorization that is unused today counts as one that stays so.
    ExpiryIgnoresEnd,
    /// An authorization that has ended counts as unused, whatever the chain shows.
    ExpiryIgnoresChain,
    /// A payment buys any request.
    IgnoreRequest,
    /// A worker that lost its lease delivers all the same.
    StaleDelivers,
    /// Reports count under any number.
    IgnoreAttempt,
    /// Work that is handed out again has its old number.
    SameNumber,
    /// The answer leaves before the settlement.
    DeliverEarly,
    /// The settlement begins before the origin has answered.
    SettleEarly,
    /// An answer that is a failure is charged.
    ChargeFailure,
    /// An answer that nobody waits for is charged.
    ChargeAbsent,
    /// A refused payment counts as verified.
    RefusedIsVerified,
    /// A settled payment that was not served is refused on retry.
    ForgetDebt,
    /// What a payer owes already does not count.
    NoBound,
    /// What was delivered and never paid does not count.
    ForgiveLoss,
    /// A payment buys any number of answers.
    ServeForever,
    /// A proof that comes late is not believed.
    ForgetProof,
}

impl Mutant {
    /// What a record exposes.
    pub(crate) fn exposure(self, record: &Record) -> Amount {
        let forgiven = self == Self::ForgiveLoss && matches!(record.money, Money::Failed { .. });
        if forgiven { Amount::ZERO } else { record.exposure() }
    }

    /// What is reported of a payment that was refused.
    pub(crate) fn refusal(self, attempt: u32) -> Event {
        match self {
            Self::RefusedIsVerified => Event::Verified { attempt, present: true },
            _ => Event::Refused { attempt, reason: "refused".into() },
        }
    }
}

/// The ledger, with the mutant's fault.
pub(crate) fn apply_with(
    mutant: Mutant,
    record: Option<&Record>,
    event: &Event,
    now: UnixSeconds,
) -> (Option<Record>, Outcome) {
    if mutant == Mutant::None {
        return apply(record, event, now);
    }
    let (kept, mut record, mut event) = (record, record.cloned(), event.clone());
    before(mutant, record.as_mut(), &mut event, now);
    let (mut next, outcome) = apply(record.as_ref(), &event, now);
    if next.is_none() && record.as_ref() != kept {
        next.clone_from(&record);
    }
    if mutant == Mutant::ExpiryIgnoresChain
        && let Some(of) = next.as_ref().or(record.as_ref())
        && of.expires <= now
        && matches!(of.money, Money::Unknown { .. })
    {
        next = Some(Record { money: Money::Failed { reason: "ended".into(), tried: true }, ..of.clone() });
    }
    after(mutant, record.as_ref(), &event, next, outcome)
}

fn before(mutant: Mutant, record: Option<&mut Record>, event: &mut Event, now: UnixSeconds) {
    if let (Mutant::NoBound, Event::Claim { policy: Policy::Optimistic { exposed, .. }, .. }) = (mutant, &mut *event) {
        *exposed = Amount::ZERO;
    }
    let Some(record) = record else { return };
    match (mutant, &mut *event) {
        (Mutant::RepeatUnsafe, _) if matches!(record.delivery, Delivery::Executing { lease } if lease < now) => {
            record.delivery = Delivery::Idle;
        }
        (Mutant::ForgetSettling, _) if matches!(record.money, Money::Settling { lease } if lease < now) => {
            record.money = Money::Untouched;
            record.delivery = Delivery::Idle;
        }
        (Mutant::ForgetAsking, Event::OriginFailed { asked, .. }) => *asked = false,
        (Mutant::UnknownIsUnsent, Event::SettleUnknown { attempt, .. }) => {
            *event = Event::Unsent { attempt: *attempt, reason: "unknown".into() };
        }
        (Mutant::UnknownIsFailed, Event::SettleUnknown { attempt, .. }) => {
            *event = Event::SettleFailed { attempt: *attempt, reason: "unknown".into() };
        }
        (Mutant::ExpiryIgnoresEnd, Event::Unused { block }) => *block = record.expires,
        (Mutant::IgnoreRequest, Event::Claim { request, .. }) => *request = record.request,
        (
            Mutant::IgnoreAttempt,
            Event::Verified { attempt, .. }
            | Event::Refused { attempt, .. }
            | Event::Answered { attempt, .. }
            | Event::OriginFailed { attempt, .. }
            | Event::Unsent { attempt, .. }
            | Event::SettleFailed { attempt, .. }
            | Event::SettleUnknown { attempt, .. },
        ) => *attempt = record.attempt,
        (Mutant::ChargeFailure, Event::Answered { charged, .. }) if record.settle != Settle::Before => *charged = true,
        (Mutant::ChargeAbsent, Event::Answered { present, .. }) => *present = true,
        (Mutant::ServeForever, _) => record.servings = record.servings.min(SERVINGS - 1),
        _ => {}
    }
}

fn after(
    mutant: Mutant,
    record: Option<&Record>,
    event: &Event,
    mut next: Option<Record>,
    mut outcome: Outcome,
) -> (Option<Record>, Outcome) {
    let settles = matches!(outcome, Outcome::Settle(_));
    match (mutant, event) {
        (Mutant::DropClaim, Event::Claim { .. }) if matches!(outcome, Outcome::Busy(_)) => {
            outcome = Outcome::Execute(record.map_or(1, |record| record.attempt));
        }
        (Mutant::SameNumber, _) => {
            if let (Some(record), Some(next)) = (record, &mut next) {
                next.attempt = record.attempt;
                match &mut outcome {
                    Outcome::Verify(number)
                    | Outcome::VerifyThenExecute(number)
                    | Outcome::Execute(number)
                    | Outcome::Settle(number) => *number = record.attempt,
                    _ => {}
                }
            }
        }
        (Mutant::SkipClaimStore, Event::Claim { .. }) => next = None,
        (Mutant::SkipSettlingStore, _) if settles => {
            if let Some(next) = &mut next {
                next.money = Money::Untouched;
            }
        }
        (Mutant::SkipAnswerStore, Event::Answered { .. }) => {
            if let Some(next) = &mut next {
                next.delivery = Delivery::Idle;
            }
        }
        (Mutant::SettleTwice, Event::Claim { .. }) if matches!(outcome, Outcome::Pending(_)) => {
            outcome = Outcome::Settle(record.map_or(1, |record| record.attempt));
        }
        (Mutant::StaleDelivers, Event::Answered { charged: true, .. }) if outcome == Outcome::Stale => {
            outcome = Outcome::Deliver(None);
        }
        (Mutant::DeliverEarly, Event::Answered { charged: true, .. }) if settles => outcome = Outcome::Deliver(None),
        (Mutant::SettleEarly, Event::Verified { .. }) => {
            if let (Outcome::Execute(attempt), Some(next)) = (&outcome, &mut next) {
                next.money = Money::Settling { lease: UnixSeconds(u64::MAX) };
                outcome = Outcome::Settle(*attempt);
            }
        }
        (Mutant::ForgetDebt, Event::Claim { .. }) if matches!(outcome, Outcome::Execute(_)) => {
            outcome = Outcome::Spent("settled already".into());
            next = None;
        }
        (Mutant::ForgetProof, Event::Settled { .. })
            if record.is_some_and(|of| matches!(of.money, Money::Failed { .. } | Money::Unknown { .. })) =>
        {
            next = None;
            outcome = Outcome::Stale;
        }
        _ => {}
    }
    (next, outcome)
}
