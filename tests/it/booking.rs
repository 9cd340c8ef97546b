//! The payer's book and log as a store keeps them: what an update writes, what is refused, what the chain ends.

use serde_json::{Value, json};
use x402_core::client::audit::{Facts, Who, plain, verify};
use x402_core::client::book::{Book, Event, Outcome, apply};
use x402_core::client::call::{Call, Identity};
use x402_core::client::choose::choose;
use x402_core::client::desk::{Stored, Update, claim, kind, left, quoted, received};
use x402_core::client::explain::explain;
use x402_core::client::intent::{Intent, Quote};
use x402_core::client::policy::Policy;
use x402_core::client::proof::{ask_block, ask_used, block, proved, unproven};
use x402_core::client::receipt::read;
use x402_core::error::Code;
use x402_core::evm::signature::SecretKey;
use x402_core::types::amount::Amount;
use x402_core::types::json::Message;
use x402_core::types::required::{PaymentRequired, Version};
use x402_core::types::time::UnixSeconds;

use crate::support::{NOW, PAY_TO, PAYER_KEY, requirements};

const URL: &str = "https://api.example.com/paid?mail=a@example.com#top";
const OTHER: &str = "0x209693Bc6afc0C5328bA36FaF03C514EF312287C";

/// A store in memory, and the payer in front of it.
struct Desk {
    policy: Policy,
    who: Who,
    book: Option<String>,
    log: Vec<String>,
    nonce: u8,
    provable: bool,
}

impl Desk {
    fn new(policy: &Value) -> Self {
        let policy = Policy::read(&policy.to_string()).unwrap();
        let who = Who { owner: Some("ops@example.com".into()), task: Some("t1".into()), proves: Vec::new() };
        Self { policy, who, book: None, log: Vec::new(), nonce: 0, provable: false }
    }

    fn stored(&self) -> Stored<'_> {
        Stored { book: self.book.as_deref(), last: self.log.last().map(String::as_str) }
    }

    fn update(&mut self, event: &Event, name: &str, facts: &Facts, now: UnixSeconds) -> Outcome {
        let update = self.stored().update(&self.policy, &self.who, (event, name, facts), now).unwrap();
        self.written(update)
    }

    fn written(&mut self, Update { book, entries, outcome }: Update) -> Outcome {
        self.book = Some(book);
        self.log.extend(entries);
        outcome
    }

    fn book(&self) -> Book {
        self.stored().book().unwrap()
    }

    fn required(pay_to: &str) -> PaymentRequired {
        let mut offer = requirements();
        offer["payTo"] = json!(pay_to);
        PaymentRequired::read(&json!({ "x402Version": 2, "accepts": [offer] }).to_string(), Version::V2).unwrap()
    }

    /// A quote and its reservation.
    fn wanted(&mut self, pay_to: &str, identity: Option<Identity>, asked: bool, now: UnixSeconds) -> (Quote, Event) {
        let required = Self::required(pay_to);
        let choice = choose(&required, &self.policy, &Call::default(), URL, URL).unwrap();
        let of = (kind(&choice, &self.who), choice.price);
        let from = SecretKey::parse(PAYER_KEY).unwrap().address();
        self.nonce = self.nonce.wrapping_add(1).max(1);
        let quote = Intent::new(&required, choice, &self.policy, from, now, [self.nonce; 32], URL).unwrap().quote;
        let event = claim(&quote, of, (identity, self.provable), asked, (now, now));
        (quote, event)
    }

    fn reserve(&mut self, now: UnixSeconds) -> Result<Quote, Code> {
        let (quote, event) = self.wanted(PAY_TO, None, false, now);
        match self.update(&event, "reserved", &quoted(&quote, "https://api.example.com", &plain(URL)), now) {
            Outcome::Reserved(_) => Ok(quote),
            Outcome::Refused(error, _) => Err(error.code()),
            other => panic!("{other:?}"),
        }
    }

    fn send(&mut self, quote: &Quote, now: UnixSeconds) -> Outcome {
        let event = Event::Send { id: quote.id.clone(), payment: "header".into(), ends: Default::default() };
        self.update(&event, "sent", &Facts::default().text("id", &quote.id), now)
    }

    fn log(&self) -> Vec<Value> {
        self.log.iter().map(|entry| serde_json::from_str(entry).unwrap()).collect()
    }
}

fn budget(max: &str, per: &str) -> Value {
    json!({ "budgets": [{ "max": max, "per": per }] })
}

#[test]
fn s275_what_is_reserved_counts_like_what_is_paid() {
    let mut desk = Desk::new(&budget("$0.05", "hour"));
    for _ in 0..5 {
        desk.reserve(NOW).unwrap();
    }
    assert_eq!(desk.reserve(NOW), Err(Code::PayerOverBudget));
    let last = desk.log().pop().unwrap();
    assert_eq!((&last["event"], &last["code"]), (&json!("refused"), &json!("payer_over_budget")));
    let rule = last["rules"].as_array().unwrap().last().unwrap();
    assert_eq!(rule["sentence"], "the payment would exceed a budget: 0.01 of 0 left in 0.05 per hour");
    let told = left(&desk.book(), &desk.policy, None, NOW)[0].write();
    assert_eq!(told, r#"{"max":"0.05","per":"hour","spent":"0.05","left":"0"}"#);
    // What would not be paid is explained so, and nothing is written for it.
    let (book, required) = (desk.book(), Desk::required(PAY_TO));
    let told = explain(&required, &desk.policy, &Call::default(), (URL, URL), (&book, &desk.who, NOW));
    assert_eq!((told.would_pay, told.reason), (false, Some("payer_over_budget")));
    assert_eq!(told.rules.last().map(|rule| (rule.rule, rule.passed)), Some(("budgets", false)));
}

#[test]
fn f64_what_was_never_sent_is_given_back_when_it_is_worth_nothing() {
    let mut desk = Desk::new(&budget("$0.01", "ever"));
    let quote = desk.reserve(NOW).unwrap();
    let end = UnixSeconds(quote.valid_before.parse().unwrap());
    assert_eq!(desk.reserve(end), Err(Code::PayerOverBudget), "clocks may differ by half a minute");
    let next = desk.reserve(end.plus(30)).unwrap();
    let log = desk.log();
    let released: Vec<_> = log.iter().filter(|entry| entry["event"] == "released").collect();
    assert_eq!((released.len(), &released[0]["id"], &released[0]["reason"]), (1, &json!(quote.id), &json!("expired")));
    // Whoever comes too late does not send.
    assert!(
        matches!(desk.send(&quote, end.plus(31)), Outcome::Refused(error, _) if error.code() == Code::PayerReservationLost)
    );
    assert!(matches!(desk.send(&next, end.plus(31)), Outcome::Done));
}

#[test]
fn f63_a_clock_that_is_set_back_refills_nothing() {
    let mut desk = Desk::new(&budget("$0.01", "hour"));
    let quote = desk.reserve(NOW).unwrap();
    desk.send(&quote, NOW);
    for now in [NOW.minus(3600), NOW.minus(86_400), NOW.plus(3600), UnixSeconds(0)] {
        assert_eq!(desk.reserve(now), Err(Code::PayerOverBudget));
    }
    // An hour after the last second in which it could settle.
    desk.reserve(NOW.plus(300 + 30 + 3600)).unwrap();
}

#[test]
fn s278_what_was_sent_counts_whatever_the_server_says_and_is_released_only_as_never_sent() {
    let mut desk = Desk::new(&budget("$0.01", "month"));
    let quote = desk.reserve(NOW).unwrap();
    desk.send(&quote, NOW);
    let receipt = read(None, &quote);
    desk.update(
        &Event::Answered { id: quote.id.clone(), paid: false },
        "receipt",
        &received(&quote.id, 402, &receipt),
        NOW,
    );
    desk.update(&Event::Release { id: quote.id.clone() }, "", &Facts::default(), NOW);
    assert_eq!(desk.reserve(NOW.plus(86_400 * 3)), Err(Code::PayerOverBudget));
    let free = desk.reserve(NOW.plus(86_400 * 31)).unwrap();
    desk.update(&Event::Release { id: free.id }, "released", &Facts::default(), NOW.plus(86_400 * 31));
    desk.reserve(NOW.plus(86_400 * 31)).unwrap();
}

#[test]
fn only_the_chain_gives_back_what_was_sent() {
    let mut desk = Desk { provable: true, ..Desk::new(&budget("$0.01", "ever")) };
    let quote = desk.reserve(NOW).unwrap();
    desk.send(&quote, NOW);
    let end = NOW.0 + 300;
    let answer = |time: u64| {
        json!({ "jsonrpc": "2.0", "id": 1, "result": { "number": "0x10", "timestamp": format!("{time:#x}") } })
            .to_string()
    };
    assert!(ask_block().contains(r#""method":"eth_getBlockByNumber","params":["finalized",false]"#));
    let (early, late) = (block(&answer(end - 1)).unwrap(), block(&answer(end)).unwrap());
    let network = "eip155:84532";
    let book = desk.book();
    assert_eq!(unproven(&book, network, &early).count(), 0);
    assert_eq!(unproven(&book, "eip155:8453", &late).count(), 0);
    let open = unproven(&book, network, &late).next().unwrap();
    let asked: Value = serde_json::from_str(&ask_used(open, &late).unwrap()).unwrap();
    let data = asked["params"][0]["data"].as_str().unwrap();
    // The selector is EIP-3009's `authorizationState(address,bytes32)`.
    assert_eq!((&data[..10], data.len(), &data[74..]), ("0xe94a0102", 2 + 8 + 128, &quote.id[2..]));
    assert_eq!((&asked["params"][0]["to"], &asked["params"][1]), (&requirements()["asset"], &json!("0x10")));
    let word = |last: &str| json!({ "result": format!("0x{}{last}", "0".repeat(63)) }).to_string();
    for lie in [json!({ "error": {} }).to_string(), json!({ "result": "0x" }).to_string(), word("2"), "no".into()] {
        assert_eq!(proved(&quote.id, &lie, &late).unwrap_err().code(), Code::PayerChainFault);
    }
    for lie in [
        "{}",
        r#"{"result":null}"#,
        r#"{"result":{"number":"0x","timestamp":"0x1"}}"#,
        r#"{"result":{"number":"0x1","timestamp":"0x+1"}}"#,
    ] {
        assert_eq!(block(lie).unwrap_err().code(), Code::PayerChainFault);
    }
    // Used is spent; unused before the end says nothing.
    let used = proved(&quote.id, &word("1"), &late).unwrap();
    let mut spent = Desk { log: desk.log.clone(), book: desk.book.clone(), ..Desk::new(&budget("$0.01", "ever")) };
    spent.update(&used, "settled", &Facts::default(), NOW);
    assert_eq!((spent.book().open.len(), spent.book().sums.len()), (0, 1));
    desk.update(&proved(&quote.id, &word("0"), &early).unwrap(), "", &Facts::default(), NOW);
    assert_eq!(desk.reserve(NOW), Err(Code::PayerOverBudget));
    desk.update(&proved(&quote.id, &word("0"), &late).unwrap(), "released", &Facts::default(), NOW);
    desk.reserve(NOW).unwrap();
}

#[test]
fn one_request_has_one_payment() {
    let mut desk = Desk::new(&json!({}));
    let identity = |lasting| Some(Identity { hash: [u8::from(lasting); 32], lasting });
    for lasting in [false, true] {
        let (first, event) = desk.wanted(PAY_TO, identity(lasting), false, NOW);
        assert!(matches!(desk.update(&event, "reserved", &Facts::default(), NOW), Outcome::Reserved(_)));
        let (_, twin) = desk.wanted(PAY_TO, identity(lasting), false, NOW);
        assert!(matches!(desk.update(&twin, "reserved", &Facts::default(), NOW), Outcome::Wait));
        desk.send(&first, NOW);
        let presented = |outcome| match outcome {
            Outcome::Present(open) => (open.id, open.payment),
            other => panic!("{other:?}"),
        };
        let wanted = (first.id.clone(), Some("header".to_owned()));
        assert_eq!(presented(desk.update(&twin, "reserved", &Facts::default(), NOW)), wanted);
        desk.update(&Event::Answered { id: first.id.clone(), paid: true }, "receipt", &Facts::default(), NOW);
        // A purchase with a name is presented after its answer too; another request is another payment.
        let again = desk.update(&twin, "reserved", &Facts::default(), NOW.plus(10));
        if lasting {
            assert_eq!(presented(again), wanted);
        } else {
            assert!(matches!(again, Outcome::Reserved(_)));
        }
    }
    // The payment is kept no longer than it can be presented.
    let mut book = desk.book();
    assert!(book.open.iter().any(|open| open.payment.is_some()));
    desk.update(&Event::Tick, "", &Facts::default(), NOW.plus(400));
    book = desk.book();
    assert!(book.open.iter().all(|open| open.payment.is_none()));
}

#[test]
fn s266_an_origin_that_names_another_recipient_is_refused_or_asked_about() {
    let mut desk = Desk::new(&json!({ "pinRecipients": true }));
    let first = desk.reserve(NOW).unwrap();
    // Nothing was sent yet, so nobody is pinned.
    let (_, other) = desk.wanted(OTHER, None, false, NOW);
    assert!(matches!(desk.update(&other, "", &Facts::default(), NOW), Outcome::Reserved(_)));
    desk.send(&first, NOW);
    let refused =
        |outcome| matches!(outcome, Outcome::Refused(error, _) if error.code() == Code::PayerRecipientChanged);
    let (_, other) = desk.wanted(OTHER, None, false, NOW);
    assert!(refused(desk.update(&other, "", &Facts::default(), NOW)));
    let (_, other) = desk.wanted(OTHER, None, true, NOW);
    let Outcome::Reserved(trace) = desk.update(&other, "", &Facts::default(), NOW) else { panic!("it is asked about") };
    assert!(trace.0[0].sentence.contains("asked about"));
    desk.reserve(NOW).unwrap();
}

#[test]
fn f66_a_book_that_is_not_as_it_was_written_is_not_believed() {
    let mut desk = Desk::new(&budget("$1", "day"));
    desk.reserve(NOW).unwrap();
    let good = desk.book.clone().unwrap();
    let broken = |book: Option<&str>, last: Option<&str>| Stored { book, last }.book().unwrap_err().code();
    let last = desk.log.last().cloned().unwrap();
    let changed = [
        good.replace("reserved", "paid"),
        good.replace("\"open\":[", "\"open\":[ "),
        good[..good.len() - 1].into(),
        format!("{good} "),
        String::new(),
        "{}".into(),
        json!({ "format": 1 }).to_string(),
    ];
    for text in &changed {
        assert_eq!(broken(Some(text), None), Code::PayerStoreBroken, "{text}");
    }
    assert_eq!(broken(None, Some(&last)), Code::PayerStoreBroken, "the log is there and the book is not");
    assert_eq!(broken(Some(&good), Some(&last.replace("reserved", "refused"))), Code::PayerStoreBroken);
    desk.reserve(NOW).unwrap();
    assert_eq!(broken(Some(&good), desk.log.last().map(String::as_str)), Code::PayerStoreBroken, "an older book");
    // The owner begins anew, and the log goes on.
    let count = desk.log.len();
    desk.book = Some("lost".into());
    let update = desk.stored().reset(&desk.who, NOW);
    desk.written(update);
    assert_eq!((desk.log.len(), &desk.log()[count]["event"]), (count + 1, &json!("reset")));
    verify(&desk.log.join("\n"), 1).unwrap();
    desk.reserve(NOW).unwrap();
}

#[test]
fn the_log_says_who_paid_whom_for_what_and_holds_together() {
    let mut desk = Desk::new(&budget("$1", "day"));
    let quote = desk.reserve(NOW).unwrap();
    desk.send(&quote, NOW);
    let receipt = read(None, &quote);
    desk.update(
        &Event::Answered { id: quote.id.clone(), paid: false },
        "receipt",
        &received(&quote.id, 200, &receipt),
        NOW,
    );
    let log = desk.log();
    let names: Vec<_> = log.iter().map(|entry| entry["event"].as_str().unwrap()).collect();
    assert_eq!(names, ["reserved", "sent", "receipt"]);
    let first = &log[0];
    // S-306: what stands in a query is nobody's business.
    assert_eq!(first["url"], "https://api.example.com/paid");
    assert_eq!((&first["owner"], &first["task"], &first["seq"]), (&json!("ops@example.com"), &json!("t1"), &json!(1)));
    assert_eq!((&first["amount"], &first["payTo"], &first["id"]), (&json!("10000"), &json!(PAY_TO), &json!(quote.id)));
    assert!(first["rules"].as_array().unwrap().iter().any(|rule| rule["rule"] == "budgets"));
    assert!(!desk.log.join("").contains("header"), "a payment never stands in the log");

    let lines = desk.log.join("\n");
    assert_eq!(verify(&lines, 1).unwrap().map(|(seq, _)| seq), Some(3));
    assert_eq!(
        verify(&desk.log[1..].join("\n"), 2).unwrap().map(|(seq, _)| seq),
        Some(3),
        "its beginning is kept elsewhere"
    );
    assert_eq!(verify(&desk.log[1..].join("\n"), 1).unwrap_err().code(), Code::PayerLogBroken, "it was cut off");
    assert_eq!(verify("", 1), Ok(None));
    let without = [desk.log[0].as_str(), &desk.log[2]].join("\n");
    let swapped = [desk.log[1].as_str(), &desk.log[0]].join("\n");
    let changed = lines.replace("\"10000\"", "\"10\"");
    let restarted = lines.replacen("\"seq\":1,", "\"seq\":2,", 1);
    for wrong in [without, swapped, changed, restarted, lines.replace("hash", "hush"), format!("{lines}\n\n")] {
        assert_eq!(verify(&wrong, 1).unwrap_err().code(), Code::PayerLogBroken);
    }
}

#[test]
fn a_book_of_many_payments_stays_small_and_counts_them_all() {
    let mut desk = Desk::new(&budget("$1000000", "ever"));
    let Event::Reserve(claim) = desk.wanted(PAY_TO, None, false, NOW).1 else { panic!("a reservation") };
    let mut book = Book::default();
    for turn in 0..2_000 {
        let now = NOW.plus(turn * 7);
        let mut claim = claim.clone();
        claim.open.id = turn.to_string();
        claim.open.until = now.plus(330);
        let id = claim.open.id.clone();
        let sent = Event::Send { id: id.clone(), payment: String::new(), ends: Default::default() };
        for event in [Event::Reserve(claim), sent, Event::Answered { id, paid: true }] {
            book = apply(&book, &desk.policy, &event, now).book;
        }
    }
    assert_eq!(book.sums.len(), 1);
    assert!(book.sums[0].runs.len() < 150, "{} runs", book.sums[0].runs.len());
    let now = NOW.plus(14_000);
    assert_eq!(left(&book, &desk.policy, None, now)[0].spent.to_tokens(18), "20");
    // What counts in a window is what could have settled in it, or a little more.
    let counted = Policy::read(&budget("$1000000", "hour").to_string()).unwrap();
    let spent = left(&book, &counted, None, now)[0].spent;
    let (least, most) = ((3_600 + 330) / 7 * 10_000, (3_600 + 330) / 7 * 10_000 * 18 / 16);
    let spent: u64 = Amount::parse_tokens(&spent.to_tokens(18), 6).unwrap().to_u64().unwrap();
    assert!((least..=most).contains(&spent), "{least} {spent} {most}");
}
