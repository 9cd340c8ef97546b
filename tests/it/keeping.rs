//! What the payer's book keeps of very many kinds of payments, and who may forget what.

use x402_core::client::book::{Book, Claim, Event, Kind, Open, Outcome, State, apply};
use x402_core::client::policy::Policy;
use x402_core::types::amount::Amount;
use x402_core::types::time::UnixSeconds;

use crate::support::NOW;

fn policy(text: &str) -> Policy {
    Policy::read(text).unwrap()
}

fn kind(origin: &str, pay_to: &str, task: &str) -> Kind {
    Kind {
        origin: origin.into(),
        network: "eip155:84532".into(),
        asset: "0x036CbD53842c5426634e7929541eC2318f3dCF7e".into(),
        pay_to: pay_to.into(),
        task: Some(task.into()),
        dollar: true,
    }
}

/// Pays one whole token, by the reserving payer's policy; whoever ends it has another.
fn pay(book: &Book, reserving: &Policy, ending: &Policy, kind: Kind, at: u64) -> Book {
    let (now, id) = (NOW.plus(at), at.to_string());
    let until = now.plus(60);
    let open = Open { id: id.clone(), kind, amount: one(), until, valid_before: until, ..Open::default() };
    assert_eq!(open.state, State::Reserved);
    let mut book = apply(book, reserving, &Event::Reserve(Box::new(Claim { open, asked: false })), now).book;
    for event in [
        Event::Send { id: id.clone(), payment: String::new(), ends: Default::default() },
        Event::Answered { id, paid: true },
    ] {
        book = apply(&book, ending, &event, now).book;
    }
    book
}

fn one() -> Amount {
    Amount::parse_tokens("1", 18).unwrap()
}

fn spent(book: &Book, policy: &Policy, task: &str, at: u64) -> String {
    book.budgets(policy, Some(task), UnixSeconds(NOW.0 + at)).next().unwrap().1.to_tokens(18)
}

#[test]
fn a_task_is_remembered_whoever_ends_its_payments() {
    let (limited, other) = (policy(r#"{"budgets":[{"max":"$5","per":"task"}]}"#), Policy::default());
    let book = pay(&Book::default(), &limited, &other, kind("https://a.example", "p", "t1"), 0);
    let book = pay(&book, &other, &other, kind("https://a.example", "p", "t1"), 1);
    assert_eq!(spent(&book, &limited, "t1", 9), "2");
    assert_eq!(spent(&book, &limited, "t2", 9), "0");
}

#[test]
fn a_server_that_names_new_recipients_makes_no_book_large_and_no_budget_forget() {
    let text = r#"{"budgets":[{"max":"$9999","per":"task"},{"max":"$9999","per":"day","origin":"https://a.example"},
        {"max":"$9999","per":"ever","payTo":"0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"}]}"#;
    let limited = policy(text);
    let mut book = pay(&Book::default(), &limited, &limited, kind("https://b.example", "p", "before"), 0);
    for at in 1..=1_500 {
        book = pay(&book, &limited, &limited, kind("https://a.example", &format!("p{at}"), "t"), at);
    }
    assert_eq!(book.sums.len(), 512);
    assert!(book.write().len() < 200_000, "{} bytes", book.write().len());
    assert_eq!(Book::read(&book.write()).unwrap(), book);
    assert_eq!(
        (spent(&book, &limited, "t", 1_501), spent(&book, &limited, "before", 1_501)),
        ("1500".into(), "1".into())
    );
    let now = NOW.plus(1_501);
    let counted: Vec<String> = book.budgets(&limited, None, now).map(|(_, spent)| spent.to_tokens(18)).collect();
    assert_eq!(counted[1], "1500", "what an origin took is known");
    // Whose recipient is not kept may have been anybody: that counts too much rather than too little.
    let coarse: u64 = counted[2].parse().unwrap();
    assert!((900..1_500).contains(&coarse), "{coarse}");
    // The latest are kept as they are.
    assert!(book.sums.iter().any(|sum| sum.kind.pay_to == "p1500"));
}

#[test]
fn what_was_paid_lately_is_kept_as_it_is_whoever_has_many_names() {
    let limited = policy(
        r#"{"pinRecipients":true,"budgets":[{"max":"$9999","per":"ever","payTo":"0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"}]}"#,
    );
    let mut book = Book::default();
    for at in 0..600 {
        book = pay(&book, &limited, &limited, kind(&format!("https://{at}.example"), "p", "t"), at);
    }
    assert_eq!(book.sums.len(), 512);
    // All but the oldest have their recipient still; those are put together, one by one.
    assert_eq!(book.sums.iter().filter(|sum| sum.kind.pay_to == "p").count(), 511);
    assert_eq!(spent(&book, &limited, "t", 601), "89");
    let again = |origin: &str, pay_to: &str| {
        let until = NOW.plus(700);
        let open = Open { id: "x".into(), kind: kind(origin, pay_to, "t"), amount: one(), until, ..Open::default() };
        let event = Event::Reserve(Box::new(Claim { open, asked: false }));
        matches!(apply(&book, &limited, &event, NOW.plus(601)).outcome, Outcome::Reserved(_))
    };
    assert!(again("https://599.example", "p"));
    assert!(!again("https://599.example", "q"), "another recipient than lately");
    assert!(again("https://0.example", "q"), "the oldest is forgotten");
    // One that had several recipients, whose names are not all kept, may be paid at any.
    for at in 600..1_300 {
        book = pay(&book, &Policy::default(), &limited, kind("https://many.example", &format!("r{at}"), "t"), at);
    }
    assert_eq!(
        book.sums.iter().filter(|sum| sum.kind.pay_to == "p").count(),
        510,
        "beside the first of them they make room among themselves"
    );
}

#[test]
fn the_last_five_hundred_tasks_are_remembered_and_their_money_always() {
    let limited = policy(r#"{"budgets":[{"max":"$9999","per":"task"},{"max":"$9999","per":"ever"}]}"#);
    let mut book = Book::default();
    for at in 0..700 {
        book = pay(&book, &limited, &limited, kind("https://a.example", "p", &format!("t{at}")), at);
    }
    assert_eq!(book.sums.len(), 512);
    for (task, remembered) in [("t699", "1"), ("t200", "1"), ("t0", "0")] {
        assert_eq!(spent(&book, &limited, task, 701), remembered, "{task}");
    }
    let ever = book.budgets(&limited, None, NOW.plus(701)).nth(1).unwrap().1;
    assert_eq!(ever.to_tokens(18), "700");
}
