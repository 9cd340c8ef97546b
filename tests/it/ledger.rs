//! The ledger's decisions, one by one: the promises it is named after, and what is written down.

use x402_core::error::Code;
use x402_core::ledger::alarm::{Chore, KEEP, due};
use x402_core::ledger::event::{Event, Policy, RequestHash};
use x402_core::ledger::outcome::Outcome;
use x402_core::ledger::payment::{ATTEMPTS, LEASE, SERVINGS, apply, replay, states};
use x402_core::ledger::record::{Delivery, Money, Record, Settle, State};
use x402_core::types::amount::Amount;
use x402_core::types::facilitator::SettleResponse;
use x402_core::types::time::UnixSeconds;

const START: u64 = 1_800_000_000;
const END: u64 = START + 600;

/// A book with one record: what it answers, and what it has on disk.
#[derive(Default)]
struct Book(Option<Record>);

impl Book {
    fn at(&mut self, after: u64, event: &Event) -> Outcome {
        let (next, outcome) = apply(self.0.as_ref(), event, UnixSeconds(START + after));
        if let Some(next) = next {
            assert_eq!(Record::read(&next.write()).as_ref(), Ok(&next), "it is read as it was written");
            assert_eq!(replay(&next.log).as_ref(), Some(&next), "its log is its story");
            self.0 = Some(next);
        }
        outcome
    }

    fn record(&self) -> &Record {
        self.0.as_ref().expect("there is a record")
    }

    fn state(&self) -> State {
        self.record().state()
    }

    /// A book with a payment that was claimed and is being executed under number 1.
    fn executing(sale: &Sale) -> Self {
        let mut book = Self::default();
        assert_eq!(book.at(0, &sale.claim()), Outcome::Verify(1));
        assert_eq!(book.at(1, &VERIFIED), Outcome::Execute(1));
        book
    }

    /// A book with a payment that has settled in advance and is being executed under number 1.
    fn paid_before(repeatable: bool) -> (Self, Sale) {
        let (mut book, sale) = (Self::default(), Sale { policy: Policy::Before, repeatable, ..SALE });
        assert_eq!(book.at(0, &sale.claim()), Outcome::Verify(1));
        assert_eq!(book.at(1, &VERIFIED), Outcome::Settle(1));
        assert_eq!(book.at(2, &settled()), Outcome::Execute(1));
        (book, sale)
    }
}

#[derive(Clone, Copy)]
struct Sale {
    request: u8,
    repeatable: bool,
    policy: Policy,
    straight: bool,
}

const SALE: Sale = Sale { request: 1, repeatable: false, policy: Policy::After, straight: false };

impl Sale {
    fn claim(&self) -> Event {
        Event::Claim {
            request: RequestHash([self.request; 32]),
            repeatable: self.repeatable,
            policy: self.policy,
            amount: Amount::from(10_000_u64),
            expires: UnixSeconds(END),
            straight: self.straight,
        }
    }
}

const VERIFIED: Event = Event::Verified { attempt: 1, present: true };

fn answered(attempt: u32) -> Event {
    Event::Answered { attempt, status: 200, charged: true, kept: true, present: true }
}

fn streamed(attempt: u32) -> Event {
    Event::Answered { attempt, status: 200, charged: true, kept: false, present: true }
}

fn refused_by_origin(attempt: u32) -> Event {
    Event::Answered { attempt, status: 500, charged: false, kept: false, present: true }
}

fn unknown(attempt: u32) -> Event {
    Event::SettleUnknown { attempt, transaction: "0xabc".into() }
}

fn unsent(attempt: u32) -> Event {
    Event::Unsent { attempt, reason: Code::FacilitatorRelayerUnavailable.as_str().into() }
}

fn proof() -> SettleResponse {
    SettleResponse::settled("0xpayer".into(), "0xabc".into(), "eip155:84532".into())
}

fn settled() -> Event {
    Event::Settled { settlement: proof() }
}

fn unused(after: u64) -> Event {
    Event::Unused { block: UnixSeconds(START + after) }
}

fn spent(code: Code) -> Outcome {
    Outcome::Spent(code.as_str().into())
}

fn bounded(exposed: u64, bound: u64) -> Policy {
    Policy::Optimistic { exposed: Amount::from(exposed), bound: Amount::from(bound) }
}

#[test]
fn a_paid_request_is_told_state_by_state() {
    let mut book = Book::executing(&SALE);
    assert_eq!(book.at(2, &answered(1)), Outcome::Settle(1));
    assert_eq!(book.at(3, &unknown(1)), Outcome::Pending("0xabc".into()));
    assert_eq!(book.at(9, &settled()), Outcome::Deliver(Some(proof())));
    let told = states(&book.record().log);
    assert_eq!(told, [State::Claimed, State::Verified, State::Settling, State::Unknown, State::Settled]);
    let log = &book.record().log;
    assert!(log.iter().map(|entry| entry.at.0 - START).eq([0, 1, 2, 3, 9]));
}

#[test]
fn i2_a_failure_is_not_charged_and_can_be_tried_again() {
    let mut book = Book::executing(&SALE);
    assert_eq!(book.at(2, &refused_by_origin(1)), Outcome::Deliver(None));
    assert_eq!(book.state(), State::Released);
    assert_eq!(book.at(3, &SALE.claim()), Outcome::Verify(2));
    // A report of the first try counts no more.
    assert_eq!(book.at(3, &Event::Verified { attempt: 2, present: true }), Outcome::Execute(2));
    for late in [VERIFIED, answered(1), refused_by_origin(1), Event::OriginFailed { attempt: 1, asked: false }] {
        assert_eq!(book.at(4, &late), Outcome::Stale);
    }
    assert_eq!(book.at(4, &Event::SettleStarted), Outcome::Stale);
    let refused = Event::Refused { attempt: 2, reason: Code::ExactEvmInsufficientBalance.as_str().into() };
    assert_eq!(book.at(5, &refused), Outcome::Released(Code::ExactEvmInsufficientBalance.as_str().into()));
    assert_eq!(book.at(6, &SALE.claim()), Outcome::Verify(3));
}

#[test]
fn i2_nobody_is_charged_for_an_answer_that_nobody_waits_for() {
    let gone = Event::Answered { attempt: 1, status: 200, charged: true, kept: true, present: false };
    let mut book = Book::executing(&SALE);
    assert_eq!(book.at(2, &gone), Outcome::Done);
    assert_eq!(book.record().money, Money::Untouched);
    // The retry pays for it, and the origin is not asked again.
    assert_eq!(book.at(3, &SALE.claim()), Outcome::Settle(2));
    assert_eq!(book.at(4, &settled()), Outcome::Deliver(Some(proof())));
    assert_eq!(book.at(5, &SALE.claim()), Outcome::Replay(Some(proof())));

    let mut book = Book::default();
    let before = Sale { policy: Policy::Before, ..SALE };
    assert_eq!(book.at(0, &before.claim()), Outcome::Verify(1));
    assert_eq!(book.at(1, &Event::Verified { attempt: 1, present: false }), Outcome::Done);
    assert_eq!(book.state(), State::Released);
}

#[test]
fn i3_one_authorization_is_one_request_one_execution_one_settlement() {
    let mut book = Book::executing(&SALE);
    for _ in 0..200 {
        assert_eq!(book.at(1, &SALE.claim()), Outcome::Busy(5));
        assert_eq!(book.at(1, &Sale { request: 2, ..SALE }.claim()), Outcome::Conflict);
    }
    assert_eq!(book.at(2, &answered(1)), Outcome::Settle(1));
    assert_eq!(book.at(2, &answered(1)), Outcome::Stale);
    assert_eq!(book.at(2, &SALE.claim()), Outcome::Pending(String::new()));
    assert_eq!(book.at(3, &settled()), Outcome::Deliver(Some(proof())));
    for _ in 0..199 {
        assert_eq!(book.at(4, &SALE.claim()), Outcome::Replay(Some(proof())));
    }
    assert_eq!(book.at(4, &Sale { request: 2, ..SALE }.claim()), Outcome::Conflict);
    assert_eq!(book.record().log.len(), 4, "copies are not written down");
}

#[test]
fn i3_a_crash_repeats_only_what_may_be_repeated() {
    let late = LEASE + 2;
    for (repeatable, straight) in [(false, false), (true, false), (false, true), (true, true)] {
        let sale = Sale { repeatable, straight, ..SALE };
        let mut book = Book::default();
        let first = if straight { Outcome::VerifyThenExecute(1) } else { Outcome::Verify(1) };
        assert_eq!(book.at(0, &sale.claim()), first);
        assert_eq!(book.at(LEASE, &sale.claim()), Outcome::Busy(1));
        if straight {
            assert_eq!(book.at(LEASE, &VERIFIED), Outcome::Stale, "nobody waits for that word");
        }
        match (straight, repeatable) {
            // The origin was not asked, or may be asked again.
            (false, _) => assert_eq!(book.at(late, &sale.claim()), Outcome::Verify(2)),
            (true, true) => assert_eq!(book.at(late, &sale.claim()), Outcome::VerifyThenExecute(2)),
            (true, false) => assert_eq!(book.at(late, &sale.claim()), Outcome::Abandoned),
        }
        if straight && !repeatable {
            assert_eq!(book.state(), State::Abandoned);
        }
    }
    let mut book = Book::executing(&SALE);
    assert_eq!(book.at(2, &Event::OriginFailed { attempt: 1, asked: true }), Outcome::Abandoned);
    let mut book = Book::executing(&SALE);
    let failed = Outcome::Released(Code::GateOriginFailed.as_str().into());
    assert_eq!(book.at(2, &Event::OriginFailed { attempt: 1, asked: false }), failed);
    let mut book = Book::executing(&Sale { repeatable: true, ..SALE });
    assert_eq!(book.at(2, &Event::OriginFailed { attempt: 1, asked: true }), failed);
}

#[test]
fn a_lease_of_a_clock_that_was_wrong_does_not_last() {
    let mut book = Book::default();
    assert_eq!(book.at(3_600, &SALE.claim()), Outcome::Released(Code::ExactEvmValidBefore.as_str().into()));
    assert!(book.0.is_none(), "what has ended is not written down");
    assert_eq!(book.at(500, &SALE.claim()), Outcome::Verify(1));
    assert_eq!(book.at(420, &SALE.claim()), Outcome::Busy(5));
    assert_eq!(book.at(0, &SALE.claim()), Outcome::Verify(2));
}

#[test]
fn i4_unknown_is_neither_failed_nor_begun_again() {
    let mut book = Book::executing(&SALE);
    book.at(2, &answered(1));
    // The book was killed while it settled.
    assert_eq!(book.at(3 + LEASE, &SALE.claim()), Outcome::Pending(String::new()));
    assert_eq!(book.state(), State::Unknown);
    assert_eq!(book.at(100, &unknown(1)), Outcome::Pending("0xabc".into()));
    assert_eq!(book.at(101, &Event::SettleStarted), Outcome::Stale);
    // The chain shows it unused: that proves nothing before its end, whatever the gate's clock says.
    assert_eq!(book.at(700, &unused(599)), Outcome::Pending("0xabc".into()));
    assert_eq!(book.at(701, &SALE.claim()), Outcome::Pending("0xabc".into()));
    let mut moved = Book(book.0.clone());
    assert_eq!(book.at(702, &unused(600)), spent(Code::ExactEvmValidBefore));
    assert_eq!(book.at(703, &SALE.claim()), spent(Code::ExactEvmValidBefore));
    assert_eq!(moved.at(702, &settled()), Outcome::Deliver(Some(proof())));
    assert_eq!(moved.at(703, &SALE.claim()), Outcome::Replay(Some(proof())));
}

#[test]
fn what_was_never_sent_is_tried_again_by_the_retry() {
    let mut book = Book::executing(&SALE);
    book.at(2, &answered(1));
    let reason = Code::FacilitatorRelayerUnavailable.as_str();
    assert_eq!(book.at(3, &unsent(1)), Outcome::Released(reason.into()));
    assert_eq!(book.state(), State::Served);
    assert_eq!(book.at(4, &SALE.claim()), Outcome::Settle(2));
    // A copy of the first word says nothing about the second try.
    assert_eq!(book.at(5, &unsent(1)), Outcome::Stale);
    assert_eq!(book.at(6, &settled()), Outcome::Deliver(Some(proof())));

    let mut book = Book::executing(&SALE);
    book.at(2, &streamed(1));
    assert_eq!(book.at(3, &unsent(1)), Outcome::Abandoned);
    let mut book = Book::executing(&Sale { repeatable: true, ..SALE });
    book.at(2, &streamed(1));
    assert_eq!(book.at(3, &unsent(1)), Outcome::Released(reason.into()));
    assert_eq!(book.at(4, &Sale { repeatable: true, ..SALE }.claim()), Outcome::Verify(2));
}

#[test]
fn what_has_ended_is_not_begun() {
    let mut book = Book::default();
    book.at(590, &SALE.claim());
    assert_eq!(book.at(600, &VERIFIED), spent(Code::ExactEvmValidBefore));
    assert_eq!(due(book.record(), None).1, Chore::Forget);
    let mut book = Book::default();
    book.at(590, &SALE.claim());
    book.at(591, &VERIFIED);
    assert_eq!(book.at(600, &answered(1)), spent(Code::ExactEvmValidBefore));
    assert_eq!(book.at(601, &settled()), Outcome::Stale);
    let mut book = Book::executing(&SALE);
    book.at(2, &refused_by_origin(1));
    assert_eq!(book.at(600, &SALE.claim()), spent(Code::ExactEvmValidBefore));
    assert_eq!(book.state(), State::Failed);
    let mut book = Book::default();
    book.at(590, &SALE.claim());
    book.at(591, &VERIFIED);
    book.at(592, &answered(1));
    assert_eq!(book.at(600, &unsent(1)), spent(Code::ExactEvmValidBefore));
}

#[test]
fn a_proof_counts_after_a_wrong_word_and_not_without_a_try() {
    let mut book = Book::executing(&SALE);
    assert_eq!(book.at(2, &settled()), Outcome::Stale, "it moved without this gate");
    book.at(3, &answered(1));
    let failed = Event::SettleFailed { attempt: 1, reason: Code::ExactEvmTransactionFailed.as_str().into() };
    assert_eq!(book.at(4, &failed), spent(Code::ExactEvmTransactionFailed));
    assert_eq!(book.at(5, &SALE.claim()), spent(Code::ExactEvmTransactionFailed));
    assert_eq!(book.at(6, &settled()), Outcome::Deliver(Some(proof())));
    assert_eq!(book.at(7, &failed), Outcome::Stale);
    assert_eq!(book.at(8, &SALE.claim()), Outcome::Replay(Some(proof())));
}

#[test]
fn paid_in_advance_an_answer_is_owed_until_it_is_given() {
    let (mut book, sale) = Book::paid_before(false);
    assert_eq!(book.at(3, &refused_by_origin(1)), Outcome::Owed(proof()));
    assert_eq!(book.state(), State::Owed);
    assert_eq!(book.at(700, &sale.claim()), Outcome::Execute(2));
    assert_eq!(book.at(701, &Event::OriginFailed { attempt: 2, asked: false }), Outcome::Owed(proof()));
    assert_eq!(book.at(702, &sale.claim()), Outcome::Execute(3));
    assert_eq!(book.at(703, &answered(3)), Outcome::Deliver(Some(proof())));
    assert_eq!(book.at(704, &sale.claim()), Outcome::Replay(Some(proof())));
    let told = states(&book.record().log);
    assert_eq!(told.iter().filter(|state| **state == State::Owed).count(), 5);

    // What may have been done is not done again: only the receipt is left.
    let (mut book, sale) = Book::paid_before(false);
    assert_eq!(book.at(3, &Event::OriginFailed { attempt: 1, asked: true }), Outcome::ReceiptOnly(proof()));
    assert_eq!(book.at(4, &sale.claim()), Outcome::ReceiptOnly(proof()));
    // The origin fails for ever: it is not asked for ever.
    let (mut book, sale) = Book::paid_before(true);
    for attempt in 1..ATTEMPTS {
        assert_eq!(book.at(3, &refused_by_origin(attempt)), Outcome::Owed(proof()));
        assert_eq!(book.at(4, &sale.claim()), Outcome::Execute(attempt + 1));
    }
    book.at(5, &refused_by_origin(ATTEMPTS));
    assert_eq!(book.at(6, &sale.claim()), Outcome::ReceiptOnly(proof()));
}

#[test]
fn a_settlement_in_advance_that_was_given_up_waiting_for_is_served_on_retry() {
    let (mut book, sale) = (Book::default(), Sale { policy: Policy::Before, straight: true, ..SALE });
    assert_eq!(book.at(0, &sale.claim()), Outcome::Verify(1), "a settlement in advance always reports");
    assert_eq!(book.at(80, &VERIFIED), Outcome::Settle(1));
    assert_eq!(book.at(100, &sale.claim()), Outcome::Pending(String::new()));
    let mut patient = Book(book.0.clone());
    assert_eq!(patient.at(160, &settled()), Outcome::Execute(1));
    assert_eq!(book.at(101, &unknown(1)), Outcome::Pending("0xabc".into()));
    assert_eq!(
        book.at(102, &Event::SettleUnknown { attempt: 1, transaction: String::new() }),
        Outcome::Pending("0xabc".into())
    );
    assert_eq!(book.at(160, &settled()), Outcome::Done);
    assert_eq!(book.at(161, &sale.claim()), Outcome::Execute(2));
    let mut away = Book::default();
    away.at(0, &sale.claim());
    away.at(1, &VERIFIED);
    assert_eq!(away.at(2, &unsent(1)), Outcome::Released(Code::FacilitatorRelayerUnavailable.as_str().into()));
    assert_eq!(away.at(3, &sale.claim()), Outcome::Verify(2));
}

#[test]
fn an_answer_that_is_not_kept_is_fetched_again_a_few_times_where_that_is_safe() {
    let sale = Sale { repeatable: true, ..SALE };
    let mut book = Book::executing(&sale);
    book.at(2, &streamed(1));
    assert_eq!(book.at(3, &settled()), Outcome::Deliver(Some(proof())));
    for attempt in 2..=SERVINGS {
        assert_eq!(book.at(4, &sale.claim()), Outcome::Execute(attempt));
        assert_eq!(book.at(5, &streamed(attempt)), Outcome::Deliver(Some(proof())));
    }
    assert_eq!(book.at(6, &sale.claim()), Outcome::ReceiptOnly(proof()));
    let mut book = Book::executing(&SALE);
    book.at(2, &answered(1));
    book.at(3, &settled());
    assert_eq!(book.at(4, &Event::Dropped), Outcome::Done);
    assert_eq!(book.at(5, &SALE.claim()), Outcome::ReceiptOnly(proof()));
    let mut book = Book::executing(&SALE);
    book.at(2, &Event::Answered { attempt: 1, status: 200, charged: true, kept: true, present: false });
    assert_eq!(book.at(3, &Event::Dropped), Outcome::Done);
    assert_eq!(book.at(4, &SALE.claim()), Outcome::Abandoned);
}

#[test]
fn a_payment_is_not_presented_for_ever() {
    let mut book = Book::default();
    for attempt in 1..=ATTEMPTS {
        assert_eq!(book.at(1, &SALE.claim()), Outcome::Verify(attempt));
        book.at(2, &Event::Refused { attempt, reason: "invalid_exact_evm_insufficient_balance".into() });
    }
    assert_eq!(book.at(3, &SALE.claim()), spent(Code::LedgerAttempts));
    assert_eq!(book.at(4, &settled()), Outcome::Stale);
}

#[test]
fn optimistic_delivers_first_within_the_bound() {
    let sale = Sale { policy: bounded(0, 10_000), straight: true, ..SALE };
    let mut book = Book::default();
    assert_eq!(book.at(0, &sale.claim()), Outcome::VerifyThenExecute(1));
    assert_eq!(book.record().exposure(), Amount::from(10_000_u64), "it counts from its claim");
    assert_eq!(book.at(1, &answered(1)), Outcome::Deliver(None));
    assert_eq!(due(book.record(), None), (UnixSeconds(START + 1), Chore::Settle));
    assert_eq!(book.at(1, &sale.claim()), Outcome::Replay(None));
    assert_eq!(book.at(2, &Event::SettleStarted), Outcome::Settle(2));
    assert_eq!(book.at(2, &Event::SettleStarted), Outcome::Stale);
    assert_eq!(book.at(3, &unsent(2)), Outcome::Done);
    assert_eq!(due(book.record(), None), (UnixSeconds(START + 3 + 10), Chore::Settle));
    assert_eq!(book.at(13, &Event::SettleStarted), Outcome::Settle(3));
    let mut lost = Book(book.0.clone());
    assert_eq!(book.at(14, &settled()), Outcome::Deliver(Some(proof())));
    assert_eq!(book.record().exposure(), Amount::ZERO);
    let failed = Event::SettleFailed { attempt: 3, reason: Code::ExactEvmNonceUsed.as_str().into() };
    assert_eq!(lost.at(14, &failed), spent(Code::ExactEvmNonceUsed));
    assert_eq!(lost.record().exposure(), Amount::from(10_000_u64), "a loss stays counted");
    assert_eq!(lost.at(15, &sale.claim()), spent(Code::ExactEvmNonceUsed));
}

#[test]
fn optimistic_beyond_the_bound_settles_first() {
    for (exposed, bound, settle) in [
        (0, 10_000, Settle::Optimistic),
        (10_000, 20_000, Settle::Optimistic),
        (10_001, 20_000, Settle::After),
        (0, 9_999, Settle::After),
        (0, 0, Settle::After),
    ] {
        assert_eq!(bounded(exposed, bound).settle(Amount::from(10_000_u64)), settle, "{exposed} {bound}");
    }
    let most = Amount::from_be_bytes(&[255; 32]);
    let endless = Policy::Optimistic { exposed: most, bound: most };
    assert_eq!(endless.settle(Amount::from(1_u64)), Settle::After);
    assert_eq!(Record::exposed([most, Amount::from(1_u64)]), most);
    assert_eq!(Record::exposed([]), Amount::ZERO);
    let after = Book::executing(&Sale { policy: bounded(1, 10_000), ..SALE });
    assert_eq!((after.record().settle, after.record().exposure()), (Settle::After, Amount::ZERO));
    // Every try asks anew.
    let mut book = Book::executing(&Sale { policy: bounded(0, 10_000), ..SALE });
    book.at(2, &refused_by_origin(1));
    assert_eq!(book.record().exposure(), Amount::ZERO);
    assert_eq!(book.at(3, &Sale { policy: bounded(1, 10_000), ..SALE }.claim()), Outcome::Verify(2));
    assert_eq!(book.record().settle, Settle::After);
    // An answer that waits for its payer is delivered first too, if the bound allows it by then.
    for (exposed, outcome) in [(0, Outcome::Replay(None)), (1, Outcome::Settle(2))] {
        let mut book = Book::executing(&Sale { policy: bounded(0, 10_000), ..SALE });
        book.at(2, &Event::Answered { attempt: 1, status: 200, charged: true, kept: true, present: false });
        assert_eq!(book.record().exposure(), Amount::ZERO);
        assert_eq!(book.at(3, &Sale { policy: bounded(exposed, 10_000), ..SALE }.claim()), outcome);
    }
}

#[test]
fn an_optimistic_answer_that_is_not_kept_ends_with_the_chain() {
    let sale = Sale { policy: bounded(0, 10_000), ..SALE };
    let mut book = Book::executing(&sale);
    assert_eq!(book.at(2, &streamed(1)), Outcome::Deliver(None));
    assert_eq!(book.at(3, &sale.claim()), Outcome::Pending(String::new()));
    assert_eq!(book.at(4, &unused(599)), Outcome::Stale);
    assert_eq!(book.at(700, &unused(600)), spent(Code::ExactEvmValidBefore));
    assert_eq!(book.record().exposure(), Amount::from(10_000_u64));
}

#[test]
fn chores_come_when_they_are_due() {
    let mut book = Book::default();
    book.at(0, &SALE.claim());
    assert_eq!(due(book.record(), None), (UnixSeconds(START + LEASE + 1), Chore::Lapse));
    assert_eq!(book.at(LEASE + 1, &Event::Tick), Outcome::Done);
    assert_eq!(due(book.record(), None), (UnixSeconds(END + KEEP), Chore::Forget));
    let mut book = Book::executing(&SALE);
    book.at(2, &answered(1));
    assert_eq!(due(book.record(), None), (UnixSeconds(START + 2 + LEASE + 1), Chore::Lapse));
    book.at(3, &unknown(1));
    assert_eq!(due(book.record(), None), (UnixSeconds(START + 3), Chore::Reconcile));
    for (looked, next) in [(3, 8), (103, 113), (9_003, 9_303)] {
        assert_eq!(due(book.record(), Some(UnixSeconds(START + looked))).0, UnixSeconds(START + next));
    }
    book.at(20, &settled());
    assert_eq!(due(book.record(), None), (UnixSeconds(END + KEEP), Chore::Forget));
}

#[test]
fn i5_a_record_of_another_version_is_nobodys_to_use() {
    let mut record = Book::executing(&SALE).0.unwrap();
    let text = record.write();
    for other in [
        text.replacen("\"format\":1", "\"format\":2", 1),
        text.replacen("\"repeatable\":false", "\"repeatable\":0", 1),
        text.replacen("0101", "0x01", 1),
        text.replacen("0101", "01", 1),
        "{}".into(),
        String::new(),
    ] {
        assert_eq!(Record::read(&other).map_err(|error| error.code()), Err(Code::LedgerFormat), "{other}");
    }
    record.format = 2;
    for event in [SALE.claim(), answered(1), settled(), Event::Tick] {
        assert_eq!(apply(Some(&record), &event, UnixSeconds(START + 2)), (None, Outcome::Stale));
    }
    assert_eq!(Book::default().at(0, &answered(1)), Outcome::Stale);
}

#[test]
fn i10_what_is_written_down_is_short_and_holds_no_signature() {
    let mut book = Book::executing(&SALE);
    book.at(2, &answered(1));
    book.at(3, &settled());
    let text = book.record().write();
    let start = r#"{"format":1,"request":"0101"#;
    assert!(text.starts_with(start) && text.len() < 1_100 && !text.contains("signature"), "{} {text}", text.len());
    assert!(text.contains(
        r#""delivery":{"answered":{"status":200,"kept":true}},"money":{"settled":{"settlement":{"success":true"#
    ));
    assert_eq!(book.record().delivery, Delivery::Answered { status: 200, kept: true });
    assert_eq!(RequestHash::parse(&RequestHash([171; 32]).to_string()), Ok(RequestHash([171; 32])));
    assert!(RequestHash::parse(&"AB".repeat(32)).is_err() && RequestHash::parse("ab").is_err());
}
