//! The gate's own endpoints and the origin contract: what is asked for, who may, what is written.

use serde_json::{Value, json};
use x402_core::error::Code;
use x402_core::ledger::event::{Entry, Event, Policy, RequestHash};
use x402_core::ledger::payment::apply;
use x402_core::ledger::record::{Record, State};
use x402_core::server::answers::status_of;
use x402_core::server::audit::{Found, Page};
use x402_core::server::book::shard;
use x402_core::server::config::Config;
use x402_core::server::context::{Charge, PublicKey};
use x402_core::server::gate::{Answer, Facts, Gate, Step};
use x402_core::server::metrics::{Group, Summary};
use x402_core::server::ops::{Ask, Own, Query};
use x402_core::types::amount::Amount;
use x402_core::types::facilitator::SettleResponse;
use x402_core::types::json::Message;
use x402_core::types::time::UnixSeconds;

use crate::support::{NOW, RELAYER_KEY, USDC, config, gate, header, payment, requirements, secrets};

const TOKEN: &str = "Bearer sixteen characters";
const SEED: &str = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";

fn operated() -> Gate {
    let mut config = config();
    config["admin"] = json!({ "token": "secret:TOKEN" });
    gate(&config)
}

fn get(path: &str) -> Facts<'_> {
    Facts { method: "GET", path, ..Facts::default() }
}

fn status(gate: &Gate, facts: &Facts<'_>) -> u16 {
    match gate.admit(facts, NOW) {
        Step::Answer(answer) => answer.status,
        other => panic!("expected an answer to {facts:?}, got {other:?}"),
    }
}

fn header_of<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.headers.iter().find(|header| header.name == name).map(|header| header.value.as_ref())
}

#[test]
fn nothing_under_the_gates_own_prefix_is_ever_forwarded() {
    for gate in [gate(&config()), operated()] {
        for path in
            ["/.x402", "/.x402/", "/.x402/x", "/%2ex402/x", "/a/../.x402/x", "/.x402//health", "/.x402/jwks.json"]
        {
            assert_eq!(status(&gate, &get(path)), 404, "{path}");
        }
        assert!(matches!(gate.admit(&get("/.x402x"), NOW), Step::Forward(_)));
    }
    for pattern in ["GET /.x402/health", "/.x402/*", "POST /.x402"] {
        let mut config = config();
        config["routes"] = json!([{ "match": pattern, "free": true }]);
        let fault = Config::read(&config.to_string(), &secrets).unwrap_err();
        assert_eq!(fault.code(), Code::GateConfig, "{pattern}");
    }
}

#[test]
fn health_is_for_everybody_and_says_nothing_secret() {
    let Step::Answer(answer) = gate(&config()).admit(&get("/.x402/health"), NOW) else { panic!("an answer") };
    assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"status":"ok","networks":["eip155:84532"]}"#));
    assert_eq!(header_of(&answer, "cache-control"), Some("no-store"));
    assert_eq!(status(&gate(&config()), &Facts { method: "POST", ..get("/.x402/health") }), 405);
    assert_eq!(Gate::unhealthy("/.x402/health").map(|answer| answer.status), Some(503));
    assert_eq!(Gate::unhealthy("/other"), None);
}

#[test]
fn the_operators_endpoints_need_the_token() {
    for path in ["/.x402/metrics", "/.x402/payments"] {
        let shown = Facts { authorization: Some(TOKEN), ..get(path) };
        assert_eq!(status(&gate(&config()), &shown), 404, "without a token in the configuration there is nothing");
        for wrong in
            [None, Some("Bearer sixteen character"), Some("sixteen characters"), Some("Basic sixteen characters")]
        {
            assert_eq!(status(&operated(), &Facts { authorization: wrong, ..get(path) }), 401, "{wrong:?}");
        }
        assert_eq!(status(&operated(), &Facts { method: "POST", ..shown }), 405);
        assert!(matches!(operated().admit(&shown, NOW), Step::Own(_)));
    }
    let Step::Answer(answer) = operated().admit(&get("/.x402/metrics"), NOW) else { panic!("an answer") };
    assert_eq!(header_of(&answer, "www-authenticate"), Some("Bearer"));
}

#[test]
fn a_query_is_understood_or_refused() {
    let payer = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
    let text =
        format!("state=unknown,settled&payer={}&network=eip155%3A84532&since=5&until=9&limit=7", payer.to_lowercase());
    let ask = |query: &str, after: &str| {
        let operated = operated();
        let facts = Facts { authorization: Some(TOKEN), query: Some(query), ..get("/.x402/payments") };
        let Step::Own(Own::Payments(query)) = operated.admit(&facts, NOW) else { panic!("{query} is a query") };
        let page = Page::new(&operated, &query);
        let (book, ask) = page.next().unwrap();
        let ask = Ask::read(&ask).unwrap();
        assert_eq!(ask.after, after);
        (book, ask)
    };
    let (book, asked) = ask(&text, "");
    // A payer is in one book.
    assert_eq!((book, asked.states), (shard(payer, 64), vec!["unknown".to_owned(), "settled".to_owned()]));
    assert_eq!(ask("state=settled", "").0, 0);
    assert_eq!((asked.payer, asked.network), (format!(":{payer}"), "eip155:84532:".to_owned()));
    assert_eq!((asked.since, asked.until, asked.limit), (5, 9, 7));
    assert_eq!(ask("cursor=3.a:b", "a:b").0, 3);
    assert_eq!(ask("", "").1.limit, 100);
    for wrong in [
        "state=",
        "state=new",
        "state=settled,",
        "payer=0x1",
        "network=base",
        "since=-1",
        "until=1.5",
        "limit=0",
        "limit=1001",
        "cursor=x",
        "cursor=x.y",
        "format=xml",
        "id=1",
        "other=1",
        "limit",
        "limit=1&limit=1",
        "payer=%zz",
        "state=%ff",
    ] {
        assert_eq!(Query::read(Some(wrong)).unwrap_err().code(), Code::GateInvalidQuery, "{wrong}");
    }
    assert_eq!(status_of(Code::GateInvalidQuery), 400);
}

/// A record that went this way, and what it is kept under.
fn record(events: &[Event]) -> (String, String) {
    let claim = Event::Claim {
        request: RequestHash([7; 32]),
        repeatable: true,
        policy: Policy::After,
        amount: Amount::parse("10000").unwrap(),
        expires: NOW.plus(300),
        patience: 90,
        straight: true,
    };
    let mut record: Option<Record> = None;
    for (at, event) in (0..).zip([claim].iter().chain(events)) {
        record = apply(record.as_ref(), event, NOW.plus(at)).0.or(record);
    }
    let key = format!("eip155:84532:{USDC}:0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266:0x{}", "ab".repeat(32));
    (key, record.unwrap().write())
}

fn served() -> Event {
    Event::Answered { attempt: 1, status: 200, charged: true, kept: true, present: true }
}

fn settled() -> Event {
    Event::Settled { settlement: SettleResponse::settled("0xpayer".into(), "0xhash".into(), "eip155:84532".into()) }
}

fn page(query: &str, books: &[Vec<(String, String)>]) -> Answer {
    let mut config = config();
    config["ledger"] = json!({ "books": books.len() });
    let gate = gate(&config);
    let query = Query::read(Some(query)).unwrap();
    let mut page = Page::new(&gate, &query);
    while let Some((book, ask)) = page.next() {
        let ask = Ask::read(&ask).unwrap();
        let rows = books[book as usize].iter().filter(|(key, _)| *key > ask.after).take(ask.limit as usize);
        page.take(Some(&Found { rows: rows.cloned().collect() }.write())).unwrap();
    }
    page.answer()
}

#[test]
fn a_payment_tells_its_story() {
    let (key, text) = record(&[served(), settled()]);
    let body: Value = serde_json::from_str(&page("", &[vec![(key.clone(), text.clone())]]).body).unwrap();
    let one = &body["payments"][0];
    assert_eq!((&one["id"], &one["state"], &one["amount"]), (&json!(key), &json!("settled"), &json!("10000")));
    assert_eq!((&one["network"], &one["asset"]), (&json!("eip155:84532"), &json!(USDC)));
    assert_eq!((&one["transaction"], &one["status"]), (&json!("0xhash"), &json!(200)));
    assert_eq!((&one["created"], &one["updated"]), (&json!(NOW.0), &json!(NOW.0 + 2)));
    let story: Vec<_> =
        one["log"].as_array().unwrap().iter().map(|e| (e["cause"].as_str(), e["state"].as_str())).collect();
    assert_eq!(
        story,
        [(Some("claim"), Some("verified")), (Some("answered"), Some("settling")), (Some("settled"), Some("settled"))]
    );
    assert_eq!(one["log"][2]["detail"], json!({ "transaction": "0xhash" }));
    assert_eq!(body["next"], Value::Null);
    let lines = page("format=ndjson", &[vec![(key.clone(), text.clone())]]);
    assert_eq!(serde_json::from_str::<Value>(lines.body.strip_suffix('\n').unwrap()).unwrap(), *one);
    let table = page("format=csv", &[vec![(key.clone(), text)]]).body;
    let rows: Vec<&str> = table.split("\r\n").collect();
    assert!(rows[0].starts_with("id,state,network,asset,payer,nonce,amount,settle,created,"), "{}", rows[0]);
    assert!(rows[1].starts_with(&format!("\"{key}\",\"settled\",\"eip155:84532\",")), "{}", rows[1]);
    let (first, last) = (NOW.0, NOW.0 + 2);
    assert!(
        rows[1].contains(&format!("\"{first} claim verified; "))
            && rows[1].ends_with(&format!("{last} settled settled\""))
    );
    assert_eq!(rows.len(), 3);
}

#[test]
fn what_a_facilitator_says_is_no_formula_in_the_table() {
    let doubt = Event::SettleUnknown { attempt: 1, transaction: "=HYPERLINK(\"http://x\")".into() };
    let table = page("format=csv", &[vec![record(&[served(), doubt])]]).body;
    assert!(table.contains(",\"'=HYPERLINK(\"\"http://x\"\")\","), "{table}");
}

#[test]
fn what_cannot_be_read_is_shown_as_that() {
    let body = page("", &[vec![("a:b:c:d:e".into(), r#"{"format":99}"#.into())]]).body;
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        body["payments"],
        json!([{ "id": "a:b:c:d:e", "network": "a:b", "asset": "c", "payer": "d", "nonce": "e", "reason": "ledger_format" }])
    );
}

#[test]
fn pages_follow_one_another_and_miss_nothing() {
    let (_, text) = record(&[]);
    let keys = |book: usize| (0..book * 3).map(|n| (format!("k{book}{n:02}"), text.clone())).collect::<Vec<_>>();
    let books: Vec<_> = (0..5).map(keys).collect();
    let all: Vec<String> = books.iter().flatten().map(|(key, _)| key.clone()).collect();
    for limit in [1, 2, 3, 4, 7, 29, 30, 31] {
        let (mut found, mut query) = (Vec::new(), format!("limit={limit}&format=json"));
        loop {
            let answer = page(&query, &books);
            let body: Value = serde_json::from_str(&answer.body).unwrap();
            let ids = body["payments"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned());
            found.extend(ids);
            let Some(next) = body["next"].as_str() else { break };
            assert_eq!(header_of(&answer, "link"), Some(format!("<{next}>; rel=\"next\"").as_str()));
            query = next.strip_prefix("/.x402/payments?").unwrap().to_owned();
        }
        assert_eq!(found, all, "{limit} a page");
    }
    let gate = operated();
    let query = Query::read(None).unwrap();
    for lost in [None, Some("x"), Some("{}")] {
        assert_eq!(Page::new(&gate, &query).take(lost).unwrap_err().code(), Code::GateBookUnavailable);
    }
    let id = format!("id=eip155:84532:{USDC}:0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266:0x{}", "ab".repeat(32));
    let query = Query::read(Some(&id)).unwrap();
    let mut one = Page::new(&gate, &query);
    assert_eq!(Ask::read(&one.next().unwrap().1).unwrap().key, id[3..]);
    one.take(Some(r#"{"rows":[]}"#)).unwrap();
    assert_eq!(one.next(), None, "no other book can have it");
}

fn group(state: State, amount: &str, count: u64, kept: bool, oldest: u64) -> Group {
    let token = format!("eip155:84532:{USDC}");
    Group { state: state.as_str().into(), token, amount: amount.into(), count, kept, oldest }
}

#[test]
fn metrics_add_up_and_a_counter_never_lacks_a_book() {
    let gate = operated();
    let one = Summary {
        groups: vec![
            group(State::Settled, "10000", 3, true, 9),
            group(State::Settled, "10000", 40, false, 0),
            group(State::Unknown, "5", 2, true, NOW.0 - 100),
        ],
        answers: 4,
    };
    let two = Summary {
        groups: vec![group(State::Owed, "250", 2, true, 8), group(State::Unknown, "5", 1, true, NOW.0 - 9)],
        answers: 0,
    };
    let relayer = r#"{"address":"0xr\"","balance":"123","low":true,"other":1}"#.to_owned();
    let books = [Some(one.write()), Some(two.write())];
    let relayers = [("eip155:84532".to_owned(), Some(relayer)), ("eip155:1".to_owned(), None)];
    let Answer { status, body, headers, .. } = gate.metrics(&books, &relayers, NOW);
    assert_eq!(status, 200);
    assert!(headers.iter().any(|header| header.value.starts_with("application/openmetrics-text")));
    let of = format!("network=\"eip155:84532\",asset=\"{USDC}\"");
    for line in [
        format!("x402_settled_total{{{of}}} 45"),
        format!("x402_settled_units_total{{{of}}} 430500"),
        format!("x402_payments{{state=\"settled\",{of}}} 3"),
        format!("x402_payments_units{{state=\"unknown\",{of}}} 15"),
        "x402_unknown 3".into(),
        "x402_unknown_oldest_seconds 100".into(),
        "x402_book_payments{book=\"0\"} 5".into(),
        "x402_book_answers{book=\"0\"} 4".into(),
        "x402_books_unreachable 0".into(),
        "x402_relayer_balance_wei{network=\"eip155:84532\",relayer=\"0xr\\\"\"} 123".into(),
        "x402_relayer_low{network=\"eip155:84532\",relayer=\"0xr\\\"\"} 1".into(),
        "x402_relayer_up{network=\"eip155:1\",relayer=\"\"} 0".into(),
    ] {
        assert!(body.lines().any(|have| have == line), "{line}\n{body}");
    }
    assert!(body.ends_with("\n# EOF\n") && !body.contains("x402_relayer_pending"));
    let partial = gate.metrics(&[Some(one.write()), None], &[], NOW).body;
    assert!(partial.contains("x402_books_unreachable 1") && !partial.contains("x402_settled"), "{partial}");
    let huge = group(State::Settled, &Amount::from_be_bytes(&[255; 32]).to_string(), u64::MAX, true, 0);
    let most = gate.metrics(&[Some(Summary { groups: vec![huge], answers: 0 }.write())], &[], UnixSeconds(0)).body;
    assert!(most.contains(&format!(" {}\n", Amount::from_be_bytes(&[255; 32]))), "a sum that has no end stays there");
}

fn with_context(settle: &str) -> Gate {
    let mut config = config();
    config["originContext"] = json!({ "key": "secret:SEED" });
    config["routes"][1]["settle"] = json!(settle);
    let all = |name: &str| if name == "SEED" { Some(SEED.into()) } else { secrets(name) };
    Gate::new(Config::read(&config.to_string(), &all).unwrap()).unwrap()
}

#[test]
fn a_context_says_what_was_paid() {
    let gate = with_context("after");
    let value = header(&payment(&requirements()));
    let Step::Pay(sale) = gate.admit(&Facts { payment_signature: Some(&value), ..get("/api/paid") }, NOW) else {
        panic!("should be sold")
    };
    let key = PublicKey { kid: "name".into(), x: "public".into() };
    let input = gate.context(&sale, &key, "GET", "request", "payment", NOW);
    let read = |part: &str| -> Value {
        assert!(part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{part}");
        let padded = format!("{part}{}", "=".repeat((4 - part.len() % 4) % 4)).replace('-', "+").replace('_', "/");
        serde_json::from_str(&x402_core::transport::http::decode(&padded, 4096, Code::GateInternal).unwrap()).unwrap()
    };
    let (head, claims) = input.split_once('.').unwrap();
    assert_eq!(read(head), json!({ "alg": "EdDSA", "typ": "JWT", "kid": "name" }));
    assert_eq!(
        read(claims),
        json!({
            "iss": "https://api.example.com", "aud": "https://api.example.com/api/paid", "iat": NOW.0, "nbf": NOW.0,
            "exp": NOW.0 + 120, "jti": "request", "scheme": "exact", "amount": "10000", "network": "eip155:84532",
            "asset": USDC, "payTo": crate::support::PAY_TO, "payer": sale.checked.payer(), "method": "GET",
            "payment": "payment",
        })
    );
    assert_eq!(Gate::signed_context("a.b", &[0xfb, 0xff]), "a.b.-_8");
    let keys = gate.keys(&key, None);
    assert_eq!(
        serde_json::from_str::<Value>(&keys.body).unwrap(),
        json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": "name", "x": "public" }] })
    );
    assert!(matches!(gate.admit(&get("/.x402/jwks.json"), NOW), Step::Own(Own::Keys)));
    assert!(!format!("{:?}", gate.config()).contains(&SEED[2..20]));
}

#[test]
fn i2_an_origin_charges_the_price_or_nothing() {
    let base64 = |text: &str| x402_core::transport::http::encode(text);
    let charge = |settle: &str, status: u16, said: Option<&str>| {
        let gate = with_context(settle);
        let value = header(&payment(&requirements()));
        let facts = Facts { payment_signature: Some(&value), ..get("/api/paid") };
        let Step::Pay(sale) = gate.admit(&facts, NOW) else { panic!("should be sold") };
        Gate::charge(&sale, status, said)
    };
    let odd = Some(Code::GateOriginSettlement);
    assert_eq!(charge("after", 200, None), (Charge::Price, None));
    assert_eq!(
        charge("after", 404, Some(r#"{"amount":"10000"}"#)),
        (Charge::Nothing, None),
        "a failure is not charged"
    );
    for whole in [r#"{"amount":"10000"}"#, r#"{"amount":10000}"#, &base64(r#"{ "amount": "10000", "more": 1 }"#)] {
        assert_eq!(charge("after", 200, Some(whole)), (Charge::Price, None), "{whole}");
    }
    for nothing in [r#"{"amount":"0"}"#, r#"{"amount":0}"#, &base64(r#"{"amount":"0"}"#)] {
        assert_eq!(charge("after", 201, Some(nothing)), (Charge::Nothing, None), "{nothing}");
        assert_eq!(charge("before", 201, Some(nothing)), (Charge::Price, odd), "what has moved has moved");
    }
    for wrong in [
        r#"{"amount":"9999"}"#,
        r#"{"amount":"10001"}"#,
        r#"{"amount":-1}"#,
        r#"{"amount":0.5}"#,
        "{}",
        "0",
        "",
        "===",
        r#"{"amount":"0"}, {"amount":"0"}"#,
        r#"{"amount":"0","amount":"10000"}"#,
    ] {
        assert_eq!(charge("after", 200, Some(wrong)), (Charge::Fault, odd), "{wrong}");
        assert_eq!(charge("before", 200, Some(wrong)), (Charge::Price, odd), "{wrong}");
    }
}

#[test]
fn a_key_is_read_in_every_form_and_shown_in_none() {
    let der = |prefix: &str, behind: &str| {
        let bytes = x402_core::evm::hex::decode(&format!("0x{prefix}{SEED}{behind}")).unwrap();
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(bytes)
    };
    let plain = der("302e020100300506032b657004220420", "");
    let with_public = der("3051020101300506032b657004220420", &format!("812100{}", "11".repeat(32)));
    let pem =
        |body: &str, end: &str| format!("-----BEGIN PRIVATE KEY-----{end}{body}{end}-----END PRIVATE KEY-----{end}");
    let read = |secret: String, named: &str| {
        let mut config = config();
        config["originContext"] = json!({ "key": named });
        Config::read(&config.to_string(), &|name| if name == "SEED" { Some(secret.clone()) } else { secrets(name) })
    };
    let forms = [
        SEED.into(),
        format!("0x{SEED}"),
        plain.clone(),
        with_public,
        pem(&plain, "\n"),
        pem(&plain, "\\n"),
        pem(&plain, "\r\n"),
    ];
    for form in forms {
        let config = read(form.clone(), "secret:SEED").unwrap();
        let key = x402_core::evm::hex::encode(&config.origin_context.unwrap().pkcs8);
        assert_eq!(key, format!("0x302e020100300506032b657004220420{SEED}"), "{form}");
    }
    let rsa = der("302e020100300506032b657104220420", "");
    for wrong in [
        "".into(),
        "00".repeat(32),
        SEED[2..].into(),
        format!("{SEED}00"),
        rsa,
        plain[4..].into(),
        RELAYER_KEY[..40].into(),
        "words".into(),
    ] {
        let fault = read(wrong.clone(), "secret:SEED").unwrap_err();
        assert_eq!(fault.code(), Code::GateConfig);
        assert!(wrong.is_empty() || !fault.to_string().contains(&wrong), "{fault}");
    }
    assert!(read(String::new(), SEED).is_err(), "a key is not written in a configuration");
}

#[test]
fn a_log_entry_is_told_as_what_it_is() {
    let (_, text) = record(&[served(), Event::Unsent { attempt: 1, reason: "gate_chain_fault".into() }]);
    let record = Record::read(&text).unwrap();
    let last: &Entry = record.log.last().unwrap();
    assert!(matches!(last.event, Event::Unsent { .. }));
    let body: Value = serde_json::from_str(&page("", &[vec![("a:b:c:d:e".into(), text)]]).body).unwrap();
    let told = &body["payments"][0]["log"][2];
    assert_eq!(told["detail"], json!({ "attempt": 1, "reason": "gate_chain_fault" }));
    assert_eq!((told["cause"].as_str(), told["state"].as_str()), (Some("unsent"), Some("served")));
}
