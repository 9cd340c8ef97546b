//! What is written down, and what the alarm makes of it.

use super::*;

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

/// Who is never paid by anybody must not fill the books; who paid is not forgotten for it.
#[test]
fn s137_what_was_only_refused_is_forgotten_soon_and_what_was_verified_is_not() {
    let refused = |attempt: u32| Event::Refused { attempt, reason: "invalid_exact_evm_insufficient_balance".into() };
    let mut book = Book::default();
    book.at(0, &SALE.claim());
    book.at(1, &refused(1));
    assert_eq!(due(book.record(), None), (UnixSeconds(START + 1 + KEEP_REFUSED), Chore::Forget));
    book.at(5, &SALE.claim());
    assert_eq!(due(book.record(), None).1, Chore::Lapse, "somebody works on it");
    book.at(6, &refused(2));
    assert_eq!(due(book.record(), None), (UnixSeconds(START + 6 + KEEP_REFUSED), Chore::Forget));
    // A worker that was given up may still speak: its number must not be another's.
    let mut lapsed = Book::default();
    lapsed.at(0, &SALE.claim());
    lapsed.at(LEASE + 1, &Event::Tick);
    lapsed.at(LEASE + 2, &SALE.claim());
    lapsed.at(LEASE + 3, &refused(2));
    assert_eq!(due(lapsed.record(), None), (UnixSeconds(END + KEEP), Chore::Forget));
    // The origin was asked once: whatever comes then, the authorization stays known.
    let mut executed = Book::executing(&SALE);
    executed.at(2, &refused_by_origin(1));
    assert_eq!((executed.state(), due(executed.record(), None).0), (State::Released, UnixSeconds(END + KEEP)));
    executed.at(3, &SALE.claim());
    executed.at(4, &refused(2));
    assert_eq!(due(executed.record(), None), (UnixSeconds(END + KEEP), Chore::Forget));
}

/// However long an answer is kept, its authorization is remembered until no clock takes it for a good one.
#[test]
fn s132_an_authorization_is_remembered_longer_than_it_lives() {
    let mut book = Book::executing(&SALE);
    book.at(2, &answered(1));
    book.at(3, &settled());
    let (at, chore) = due(book.record(), None);
    assert_eq!((at, chore), (UnixSeconds(END + KEEP), Chore::Forget));
    // An hour is the longest that a rule gives, and a day the longest that clocks may be apart.
    assert!(at.since(UnixSeconds(END)) >= 86_400);
    // Its answer may be gone long before: then it is a receipt, never a second sale.
    book.at(4, &Event::Dropped);
    assert_eq!(book.at(10, &SALE.claim()), Outcome::ReceiptOnly(proof()));
    assert_eq!(book.at(END - START + 5, &SALE.claim()), Outcome::ReceiptOnly(proof()));
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
