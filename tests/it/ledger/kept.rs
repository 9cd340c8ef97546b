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
