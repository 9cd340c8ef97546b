//! The promises about money, each in a story that would break it.

use super::*;

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
    for (repeatable, straight) in [(false, false), (true, false), (false, true), (true, true)] {
        let sale = Sale { repeatable, straight, ..SALE };
        let mut book = Book::default();
        let (first, lease) =
            if straight { (Outcome::VerifyThenExecute(1), LEASE + PATIENCE) } else { (Outcome::Verify(1), LEASE) };
        let late = lease + 1;
        assert_eq!(book.at(0, &sale.claim()), first);
        assert_eq!(book.at(lease, &sale.claim()), Outcome::Busy(1));
        if straight {
            assert_eq!(book.at(lease, &VERIFIED), Outcome::Stale, "nobody waits for that word");
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
    for (repeatable, outcome) in [(false, Outcome::Abandoned), (true, Outcome::Verify(2))] {
        let sale = Sale { repeatable, ..SALE };
        let mut book = Book::executing(&sale);
        assert_eq!(book.at(1 + PATIENCE, &sale.claim()), Outcome::Busy(1));
        assert_eq!(book.at(2 + PATIENCE, &sale.claim()), outcome);
        assert_eq!(book.at(3 + PATIENCE, &answered(1)), Outcome::Stale);
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
    assert_eq!(book.at(340, &SALE.claim()), Outcome::Busy(5));
    assert_eq!(book.at(339, &SALE.claim()), Outcome::Verify(2));
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
    assert_eq!((&book.record().delivery, due(book.record(), None).1), (&Delivery::Lost, Chore::Forget));
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
    assert_eq!(book.at(3, &refused_by_origin(2)), Outcome::Owed(proof()));
    assert_eq!(book.state(), State::Owed);
    assert_eq!(book.at(700, &sale.claim()), Outcome::Execute(3));
    assert_eq!(book.at(701, &Event::OriginFailed { attempt: 3, asked: false }), Outcome::Owed(proof()));
    assert_eq!(book.at(702, &sale.claim()), Outcome::Execute(4));
    assert_eq!(book.at(703, &answered(4)), Outcome::Deliver(Some(proof())));
    assert_eq!(book.at(704, &sale.claim()), Outcome::Replay(Some(proof())));
    let told = states(&book.record().log);
    assert_eq!(told.iter().filter(|state| **state == State::Owed).count(), 6);

    // What may have been done is not done again: only the receipt is left.
    let (mut book, sale) = Book::paid_before(false);
    assert_eq!(book.at(3, &Event::OriginFailed { attempt: 2, asked: true }), Outcome::ReceiptOnly(proof()));
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
    assert_eq!(book.at(50, &VERIFIED), Outcome::Settle(1));
    assert_eq!(book.at(100, &sale.claim()), Outcome::Pending(String::new()));
    let mut patient = Book(book.0.clone());
    assert_eq!(patient.at(110, &settled()), Outcome::Again);
    assert_eq!((patient.state(), patient.at(110, &sale.claim())), (State::Owed, Outcome::Execute(2)));
    assert_eq!(book.at(101, &unknown(1)), Outcome::Pending("0xabc".into()));
    assert_eq!(book.record().delivery, Delivery::Idle, "nobody waits any more");
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
    for attempt in 1..ATTEMPTS {
        assert_eq!(book.at(1, &SALE.claim()), Outcome::Verify(attempt));
        book.at(2, &Event::Refused { attempt, reason: "invalid_exact_evm_insufficient_balance".into() });
    }
    assert_eq!(book.at(3, &SALE.claim()), spent(Code::LedgerAttempts));
    assert_eq!(book.at(4, &settled()), Outcome::Stale);
}

#[test]
fn i2_what_settled_in_advance_is_not_lost_with_the_one_who_waited_for_it() {
    let sale = Sale { policy: Policy::Before, ..SALE };
    for refusals in [0, ATTEMPTS - 2] {
        let mut book = Book::default();
        for attempt in 1..=refusals {
            book.at(0, &sale.claim());
            book.at(0, &Event::Refused { attempt, reason: "invalid_exact_evm_insufficient_balance".into() });
        }
        let attempt = refusals + 1;
        assert_eq!(book.at(0, &sale.claim()), Outcome::Verify(attempt));
        book.at(1, &Event::Verified { attempt, present: true });
        // Whoever waited is gone, and hears nothing of it.
        assert_eq!(book.at(30, &settled()), Outcome::Again);
        assert_eq!(book.at(500, &sale.claim()), Outcome::Execute(attempt + 1));
    }
}
