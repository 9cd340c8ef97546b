//! Delivered first, settled later, within a bound.

use super::*;

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
