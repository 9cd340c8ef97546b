//! The decisions about one authorization.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::error::Code;
use crate::ledger::event::{Entry, Event, Policy, RequestHash};
use crate::ledger::outcome::Outcome;
use crate::ledger::record::{Delivery, FORMAT, Money, Record, Settle};
use crate::types::facilitator::SettleResponse;
use crate::types::time::UnixSeconds;

/// Seconds that a verification or a settlement may take before whoever does it counts as crashed. An origin has as long as
/// its claim says.
pub const LEASE: u64 = 60;
/// How much work is handed out to those who present one payment; it bounds the log too.
pub const ATTEMPTS: u32 = 32;
/// How many answers of the origin one payment buys, where its answer is too large to be kept and safe to fetch again.
pub const SERVINGS: u32 = 3;

/// Applies an event. A record that is none means that the authorization was never seen; a record that comes back is
/// kept before the outcome is acted upon; none means that nothing changed.
///
/// An event that does not fit changes nothing and is answered [`Outcome::Stale`].
pub fn apply(record: Option<&Record>, event: &Event, now: UnixSeconds) -> (Option<Record>, Outcome) {
    let Some(record) = record else { return first(event, now) };
    if record.format != FORMAT {
        return (None, Outcome::Stale);
    }
    let mut next = record.without_log();
    let lapsed = next.lapse(now);
    let before = next.clone();
    let outcome = next.take(event, now);
    let taken = next != before;
    if !lapsed && !taken {
        return (None, outcome);
    }
    next.log.clone_from(&record.log);
    if lapsed {
        next.log.push(Entry { at: now, event: Event::Tick });
    }
    if taken {
        next.log.push(Entry { at: now, event: event.clone() });
    }
    (Some(next), outcome)
}

fn first(event: &Event, now: UnixSeconds) -> (Option<Record>, Outcome) {
    let &Event::Claim { request, repeatable, policy, amount, expires, patience, straight } = event else {
        return (None, Outcome::Stale);
    };
    // No record, so no promise either: with a better clock the same payment may still be good.
    if expires <= now {
        return (None, Outcome::Released(Code::ExactEvmValidBefore.to_string()));
    }
    let mut record = Record {
        format: FORMAT,
        request,
        repeatable,
        settle: policy.settle(amount),
        amount,
        expires,
        patience,
        attempt: 0,
        servings: 0,
        delivery: Delivery::Idle,
        money: Money::Untouched,
        log: Vec::new(),
    };
    let outcome = record.begin(straight, now);
    record.log.push(Entry { at: now, event: event.clone() });
    (Some(record), outcome)
}

impl Record {
    /// The same without its log, which is long and never decides.
    fn without_log(&self) -> Self {
        Self {
            log: Vec::new(),
            delivery: self.delivery.clone(),
            money: self.money.clone(),
            format: self.format,
            request: self.request,
            repeatable: self.repeatable,
            settle: self.settle,
            amount: self.amount,
            expires: self.expires,
            patience: self.patience,
            attempt: self.attempt,
            servings: self.servings,
        }
    }

    /// Whether a lease has run out. One that ends much later than any can was given under a clock that was wrong.
    const fn is_over(&self, lease: UnixSeconds, now: UnixSeconds) -> bool {
        lease.0 < now.0 || lease.since(now) > self.patience.saturating_add(LEASE).saturating_add(LEASE)
    }

    /// Lets leases run out; whether one did. What may have been done under it decides what follows.
    fn lapse(&mut self, now: UnixSeconds) -> bool {
        let (delivery, money) = (self.delivery.clone(), self.money.clone());
        match delivery {
            Delivery::Claimed { lease } if self.is_over(lease, now) => self.delivery = Delivery::Idle,
            Delivery::Executing { lease } if self.is_over(lease, now) => self.delivery = self.unanswered(true),
            _ => {}
        }
        if matches!(money, Money::Settling { lease } if self.is_over(lease, now)) {
            self.doubt(String::new());
        }
        self.delivery != delivery || self.money != money
    }

    fn take(&mut self, event: &Event, now: UnixSeconds) -> Outcome {
        match event {
            Event::Claim { request, policy, patience, straight, .. } => {
                self.claim(request, *policy, *patience, *straight, now)
            }
            Event::Verified { attempt, present } => self.verified(*attempt, *present, now),
            Event::Refused { attempt, reason } => self.refused(*attempt, reason),
            Event::Answered { attempt, status, charged, kept, present } if self.executes(*attempt) => {
                if *charged {
                    self.served(*status, *kept, *present, now)
                } else {
                    self.answered_free()
                }
            }
            Event::OriginFailed { attempt, asked } if self.executes(*attempt) => self.origin_failed(*asked),
            Event::Answered { .. } | Event::OriginFailed { .. } => Outcome::Stale,
            Event::SettleStarted => self.settle_started(now),
            Event::Settled { settlement } => self.settled(settlement, now),
            Event::Unsent { attempt, reason } if self.settles(*attempt) => self.unsent(reason, now),
            Event::SettleFailed { attempt, reason } if self.settles(*attempt) => self.fail(reason, true),
            Event::SettleUnknown { attempt, transaction } if self.settles(*attempt) => self.doubt(transaction.clone()),
            Event::Unsent { .. } | Event::SettleFailed { .. } | Event::SettleUnknown { .. } => Outcome::Stale,
            Event::Unused { block } => self.unused(*block),
            Event::Dropped => self.dropped(),
            Event::Tick => Outcome::Done,
        }
    }

    fn claim(
        &mut self,
        request: &RequestHash,
        policy: Policy,
        patience: u64,
        straight: bool,
        now: UnixSeconds,
    ) -> Outcome {
        if self.request != *request {
            return Outcome::Conflict;
        }
        match (&self.money, &self.delivery) {
            (Money::Failed { reason, .. }, _) => Outcome::Spent(reason.clone()),
            (Money::Settled { settlement }, Delivery::Answered { kept: true, .. } | Delivery::Waiting { .. }) => {
                Outcome::Replay(Some(settlement.clone()))
            }
            // A kept optimistic answer was delivered before the settlement, and is so again.
            (_, Delivery::Answered { kept: true, .. }) if self.settle == Settle::Optimistic => Outcome::Replay(None),
            (Money::Settling { .. }, _) => Outcome::Pending(String::new()),
            (Money::Unknown { transaction }, _) => Outcome::Pending(transaction.clone()),
            (Money::Untouched, Delivery::Answered { .. }) => Outcome::Pending(String::new()),
            (_, Delivery::Claimed { lease } | Delivery::Executing { lease }) => {
                Outcome::Busy(lease.since(now).clamp(1, 5))
            }
            (Money::Settled { settlement }, delivery) => {
                let owed = *delivery == Delivery::Idle;
                let again = self.repeatable && self.servings < SERVINGS;
                if self.attempt < ATTEMPTS && (owed || again) {
                    self.attempt = self.attempt.saturating_add(1);
                    return self.execute(now);
                }
                Outcome::ReceiptOnly(settlement.clone())
            }
            (Money::Untouched, Delivery::Lost) => Outcome::Abandoned,
            (Money::Untouched, Delivery::Idle | Delivery::Waiting { .. }) => {
                if self.expires <= now {
                    return self.fail(Code::ExactEvmValidBefore.as_str(), false);
                }
                // The last piece of work is kept for what is settled in advance and still owed.
                if self.attempt.saturating_add(1) >= ATTEMPTS {
                    return self.fail(Code::LedgerAttempts.as_str(), false);
                }
                // Nothing of the last try is left: what others owe by now decides anew.
                self.settle = policy.settle(self.amount);
                self.patience = patience;
                self.begin(straight, now)
            }
        }
    }

    /// Hands out the first work of a claim.
    fn begin(&mut self, straight: bool, now: UnixSeconds) -> Outcome {
        self.attempt = self.attempt.saturating_add(1);
        if let Delivery::Waiting { status } = self.delivery {
            self.delivery = Delivery::Answered { status, kept: true };
            return match self.settle {
                Settle::Optimistic => Outcome::Replay(None),
                Settle::After | Settle::Before => self.settle_now(now),
            };
        }
        let lease = now.plus(LEASE);
        if straight && self.settle != Settle::Before {
            self.delivery = Delivery::Executing { lease: lease.plus(self.patience) };
            return Outcome::VerifyThenExecute(self.attempt);
        }
        self.delivery = Delivery::Claimed { lease };
        Outcome::Verify(self.attempt)
    }

    fn execute(&mut self, now: UnixSeconds) -> Outcome {
        self.delivery = Delivery::Executing { lease: now.plus(self.patience) };
        Outcome::Execute(self.attempt)
    }

    fn settle_now(&mut self, now: UnixSeconds) -> Outcome {
        let lease = now.plus(LEASE);
        self.money = Money::Settling { lease };
        // Who waits for a settlement in advance waits as long as it may take.
        if let Delivery::Claimed { lease: waits } = &mut self.delivery {
            *waits = lease;
        }
        Outcome::Settle(self.attempt)
    }

    fn fail(&mut self, reason: &str, tried: bool) -> Outcome {
        self.money = Money::Failed { reason: reason.into(), tried };
        if matches!(self.delivery, Delivery::Claimed { .. }) {
            self.delivery = Delivery::Idle;
        }
        Outcome::Spent(reason.into())
    }

    /// What an execution without an answer leaves.
    const fn unanswered(&self, asked: bool) -> Delivery {
        if asked && !self.repeatable { Delivery::Lost } else { Delivery::Idle }
    }

    /// Whether a report is of the verification that is under way.
    fn verifies(&self, attempt: u32) -> bool {
        attempt == self.attempt
            && self.money == Money::Untouched
            && matches!(self.delivery, Delivery::Claimed { .. } | Delivery::Executing { .. })
    }

    /// Whether a report is of the execution that is under way.
    const fn executes(&self, attempt: u32) -> bool {
        attempt == self.attempt && matches!(self.delivery, Delivery::Executing { .. })
    }

    /// Whether a report is of the settlement whose outcome is still open.
    const fn settles(&self, attempt: u32) -> bool {
        attempt == self.attempt && matches!(self.money, Money::Settling { .. } | Money::Unknown { .. })
    }

    fn verified(&mut self, attempt: u32, present: bool, now: UnixSeconds) -> Outcome {
        if !self.verifies(attempt) || !matches!(self.delivery, Delivery::Claimed { .. }) {
            return Outcome::Stale;
        }
        if !present {
            self.delivery = Delivery::Idle;
            return Outcome::Done;
        }
        if self.expires <= now {
            return self.fail(Code::ExactEvmValidBefore.as_str(), false);
        }
        match self.settle {
            Settle::Before => self.settle_now(now),
            Settle::After | Settle::Optimistic => self.execute(now),
        }
    }

    fn refused(&mut self, attempt: u32, reason: &str) -> Outcome {
        if !self.verifies(attempt) {
            return Outcome::Stale;
        }
        self.delivery = Delivery::Idle;
        Outcome::Released(reason.into())
    }

    /// The origin gave an answer that is not charged for: it has failed, or sold nothing.
    fn answered_free(&mut self) -> Outcome {
        self.delivery = Delivery::Idle;
        match &self.money {
            Money::Settled { settlement } => Outcome::Owed(settlement.clone()),
            _ => Outcome::Deliver(None),
        }
    }

    fn served(&mut self, status: u16, kept: bool, present: bool, now: UnixSeconds) -> Outcome {
        self.servings = self.servings.saturating_add(1);
        if let Money::Settled { settlement } = &self.money {
            self.delivery = Delivery::Answered { status, kept };
            return Outcome::Deliver(Some(settlement.clone()));
        }
        if self.expires <= now {
            self.delivery = Delivery::Lost;
            return self.fail(Code::ExactEvmValidBefore.as_str(), false);
        }
        if !present {
            self.delivery = self.set_aside(status, kept);
            return Outcome::Done;
        }
        self.delivery = Delivery::Answered { status, kept };
        if self.settle == Settle::Optimistic { Outcome::Deliver(None) } else { self.settle_now(now) }
    }

    /// What an answer leaves that nobody was charged for and nobody got.
    const fn set_aside(&self, status: u16, kept: bool) -> Delivery {
        if kept { Delivery::Waiting { status } } else { self.unanswered(true) }
    }

    fn origin_failed(&mut self, asked: bool) -> Outcome {
        self.delivery = self.unanswered(asked);
        let lost = self.delivery == Delivery::Lost;
        match &self.money {
            Money::Settled { settlement } if lost => Outcome::ReceiptOnly(settlement.clone()),
            Money::Settled { settlement } => Outcome::Owed(settlement.clone()),
            _ if lost => Outcome::Abandoned,
            _ => Outcome::Released(Code::GateOriginFailed.to_string()),
        }
    }

    fn settle_started(&mut self, now: UnixSeconds) -> Outcome {
        if self.money != Money::Untouched || !matches!(self.delivery, Delivery::Answered { .. }) {
            return Outcome::Stale;
        }
        self.attempt = self.attempt.saturating_add(1);
        self.settle_now(now)
    }

    /// A proof counts, whoever has it and however late, once this gate has tried. A payment that moved without the gate
    /// pays for nothing here: it may have been served elsewhere.
    fn settled(&mut self, settlement: &SettleResponse, now: UnixSeconds) -> Outcome {
        match &self.money {
            Money::Settling { .. } | Money::Unknown { .. } | Money::Failed { tried: true, .. } => {
                self.money = Money::Settled { settlement: settlement.clone() };
            }
            Money::Settled { .. } => {}
            Money::Untouched | Money::Failed { tried: false, .. } => return Outcome::Stale,
        }
        match (&self.delivery, &self.money) {
            (Delivery::Answered { .. }, Money::Settled { settlement }) => Outcome::Deliver(Some(settlement.clone())),
            (Delivery::Claimed { .. }, _) if self.repeatable => self.execute(now),
            // What must not be asked for twice is handed out to one who is still there, and not to one who waited long.
            (Delivery::Claimed { .. }, _) => {
                self.delivery = Delivery::Idle;
                Outcome::Again
            }
            _ => Outcome::Done,
        }
    }

    fn unsent(&mut self, reason: &str, now: UnixSeconds) -> Outcome {
        self.money = Money::Untouched;
        if self.expires <= now {
            return self.fail(Code::ExactEvmValidBefore.as_str(), false);
        }
        self.delivery = match self.delivery {
            Delivery::Claimed { .. } => Delivery::Idle,
            Delivery::Answered { status, kept } if self.settle != Settle::Optimistic => self.set_aside(status, kept),
            ref other => other.clone(),
        };
        match self.delivery {
            Delivery::Answered { .. } => Outcome::Done,
            Delivery::Lost => Outcome::Abandoned,
            _ => Outcome::Released(reason.into()),
        }
    }

    /// Nobody knows: who waited in advance does not wait any longer.
    fn doubt(&mut self, transaction: String) -> Outcome {
        if matches!(self.delivery, Delivery::Claimed { .. }) {
            self.delivery = Delivery::Idle;
        }
        match &mut self.money {
            Money::Unknown { transaction: known } if transaction.is_empty() => Outcome::Pending(known.clone()),
            money => {
                *money = Money::Unknown { transaction: transaction.clone() };
                Outcome::Pending(transaction)
            }
        }
    }

    /// Only in a final block that is too late for it does an unused authorization prove that it never moves.
    fn unused(&mut self, block: UnixSeconds) -> Outcome {
        match (&self.money, &self.delivery) {
            (Money::Unknown { .. }, _) if block >= self.expires => self.fail(Code::ExactEvmValidBefore.as_str(), true),
            (Money::Unknown { transaction }, _) => Outcome::Pending(transaction.clone()),
            (Money::Untouched, Delivery::Answered { .. }) if block >= self.expires => {
                self.fail(Code::ExactEvmValidBefore.as_str(), false)
            }
            _ => Outcome::Stale,
        }
    }

    fn dropped(&mut self) -> Outcome {
        match &mut self.delivery {
            Delivery::Answered { kept, .. } => *kept = false,
            Delivery::Waiting { .. } => self.delivery = self.unanswered(true),
            _ => {}
        }
        Outcome::Done
    }
}
