//! The ledger's decisions, one by one.

mod kept;
mod optimistic;
mod promises;

use x402_core::error::Code;
use x402_core::ledger::alarm::{Chore, KEEP, KEEP_REFUSED, due};
use x402_core::ledger::event::{Event, Policy, RequestHash};
use x402_core::ledger::log::{replay, states};
use x402_core::ledger::outcome::Outcome;
use x402_core::ledger::payment::{ATTEMPTS, LEASE, SERVINGS, apply};
use x402_core::ledger::record::{Delivery, Money, Record, Settle, State};
use x402_core::types::amount::Amount;
use x402_core::types::facilitator::SettleResponse;
use x402_core::types::time::UnixSeconds;

pub(super) const START: u64 = 1_800_000_000;
pub(super) const END: u64 = START + 600;
pub(super) const PATIENCE: u64 = 100;

/// A book with one record: what it answers, and what it has on disk.
#[derive(Default)]
pub(super) struct Book(pub(super) Option<Record>);

impl Book {
    pub(super) fn at(&mut self, after: u64, event: &Event) -> Outcome {
        let (next, outcome) = apply(self.0.as_ref(), event, UnixSeconds(START + after));
        if let Some(next) = next {
            assert_eq!(Record::read(&next.write()).as_ref(), Ok(&next), "it is read as it was written");
            assert_eq!(replay(&next.log).as_ref(), Some(&next), "its log is its story");
            self.0 = Some(next);
        }
        outcome
    }

    pub(super) fn record(&self) -> &Record {
        self.0.as_ref().expect("there is a record")
    }

    pub(super) fn state(&self) -> State {
        self.record().state()
    }

    /// A book with a payment that was claimed and is being executed under number 1.
    pub(super) fn executing(sale: &Sale) -> Self {
        let mut book = Self::default();
        assert_eq!(book.at(0, &sale.claim()), Outcome::Verify(1));
        assert_eq!(book.at(1, &VERIFIED), Outcome::Execute(1));
        book
    }

    /// A book with a payment that has settled in advance and is being executed, under number 1 where that may be repeated and
    /// under number 2 where the work was claimed anew.
    pub(super) fn paid_before(repeatable: bool) -> (Self, Sale) {
        let (mut book, sale) = (Self::default(), Sale { policy: Policy::Before, repeatable, ..SALE });
        assert_eq!(book.at(0, &sale.claim()), Outcome::Verify(1));
        assert_eq!(book.at(1, &VERIFIED), Outcome::Settle(1));
        if repeatable {
            assert_eq!(book.at(2, &settled()), Outcome::Execute(1));
        } else {
            assert_eq!(book.at(2, &settled()), Outcome::Again);
            assert_eq!(book.at(2, &sale.claim()), Outcome::Execute(2));
        }
        (book, sale)
    }
}

#[derive(Clone, Copy)]
pub(super) struct Sale {
    pub(super) request: u8,
    pub(super) repeatable: bool,
    pub(super) policy: Policy,
    pub(super) straight: bool,
}

pub(super) const SALE: Sale = Sale { request: 1, repeatable: false, policy: Policy::After, straight: false };

impl Sale {
    pub(super) fn claim(&self) -> Event {
        Event::Claim {
            request: RequestHash([self.request; 32]),
            repeatable: self.repeatable,
            policy: self.policy,
            amount: Amount::from(10_000_u64),
            expires: UnixSeconds(END),
            patience: PATIENCE,
            straight: self.straight,
        }
    }
}

pub(super) const VERIFIED: Event = Event::Verified { attempt: 1, present: true };

pub(super) fn answered(attempt: u32) -> Event {
    Event::Answered { attempt, status: 200, charged: true, kept: true, present: true }
}

pub(super) fn streamed(attempt: u32) -> Event {
    Event::Answered { attempt, status: 200, charged: true, kept: false, present: true }
}

pub(super) fn refused_by_origin(attempt: u32) -> Event {
    Event::Answered { attempt, status: 500, charged: false, kept: false, present: true }
}

pub(super) fn unknown(attempt: u32) -> Event {
    Event::SettleUnknown { attempt, transaction: "0xabc".into() }
}

pub(super) fn unsent(attempt: u32) -> Event {
    Event::Unsent { attempt, reason: Code::FacilitatorRelayerUnavailable.as_str().into() }
}

pub(super) fn proof() -> SettleResponse {
    SettleResponse::settled("0xpayer".into(), "0xabc".into(), "eip155:84532".into())
}

pub(super) fn settled() -> Event {
    Event::Settled { settlement: proof() }
}

pub(super) fn unused(after: u64) -> Event {
    Event::Unused { block: UnixSeconds(START + after) }
}

pub(super) fn spent(code: Code) -> Outcome {
    Outcome::Spent(code.as_str().into())
}

pub(super) fn bounded(exposed: u64, bound: u64) -> Policy {
    Policy::Optimistic { exposed: Amount::from(exposed), bound: Amount::from(bound) }
}
