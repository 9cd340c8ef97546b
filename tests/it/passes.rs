//! Passes and the paywall: what a pass opens, what it does not, and what a browser is shown.

use serde_json::{Value, json};
use x402_core::error::Code;
use x402_core::ledger::outcome::Outcome;
use x402_core::ledger::record::State;
use x402_core::server::book::{Next, Said};
use x402_core::server::config::Config;
use x402_core::server::gate::{Facts, Gate, Header, Sale, Step};
use x402_core::server::pass::{Doubt, Entry, other_cookies};
use x402_core::transport::http;
use x402_core::types::facilitator::SettleResponse;
use x402_core::types::time::UnixSeconds;

use crate::support::{NOW, PAY_TO, config, payment, requirements, secrets};

fn with(paywall: &Value) -> Value {
    let mut config = config();
    config["paywall"] = paywall.clone();
    config
}

fn gate_of(config: &Value) -> Gate {
    Gate::new(Config::read(&config.to_string(), &own).unwrap()).unwrap()
}

/// Who pays in these tests.
const PAYER: &str = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
/// The address of a node that nobody is told.
const NODE: &str = "https://node.test/a-key-of-its-own";

fn own(name: &str) -> Option<String> {
    match name {
        "PASS" => Some("a key of many letters".into()),
        "NODE" => Some(NODE.into()),
        other => secrets(other),
    }
}

fn walled() -> Gate {
    gate_of(&with(&json!({ "pass": { "key": "secret:PASS" } })))
}

/// The header of an honest payment for `GET /api/paid`.
fn paid() -> String {
    http::encode_message(&payment(&requirements()))
}

fn get<'a>(path: &'a str) -> Facts<'a> {
    Facts { method: "GET", path, ..Facts::default() }
}

/// The headers of the answer to a payment that settled then.
fn delivered(gate: &Gate, sale: &Sale<'_>, key: &str, settled: Option<UnixSeconds>) -> Vec<Header> {
    let settlement = SettleResponse::settled("0x1".into(), "0x2".into(), "eip155:84532".into());
    let outcome = Outcome::Deliver(settled.map(|_| settlement));
    match gate.heed(sale, key, Some(Said { settled, ..Said::plain(outcome) })) {
        Next::Deliver(headers, _) => headers,
        other => panic!("{other:?}"),
    }
}

/// Buys a page and hands over what carries the pass.
fn bought(gate: &Gate, path: &str, wish: &str) -> Vec<(String, String)> {
    let header = paid();
    let facts = Facts { payment_signature: Some(&header), payment_pass: Some(wish), ..get(path) };
    let Step::Pay(sale) = gate.admit(&facts, NOW) else { panic!("no sale") };
    let key = gate.claim(&sale, "GET", "https://origin.example.net/api/paid", b"").key;
    let headers = delivered(gate, &sale, &key, Some(NOW));
    assert!(
        delivered(gate, &sale, &key, None).iter().all(|header| header.name != "payment-pass"),
        "nothing has settled"
    );
    let carries = |name: &str| matches!(name, "payment-pass" | "set-cookie");
    headers.iter().filter(|h| carries(h.name)).map(|h| (h.name.into(), h.value.to_string())).collect()
}

fn token(gate: &Gate) -> String {
    let [(name, token)] = bought(gate, "/api/paid", "token").try_into().unwrap();
    assert_eq!(name, "payment-pass");
    ["Bearer ", &token].concat()
}

fn enters<'g>(gate: &'g Gate, facts: &Facts<'_>, now: UnixSeconds) -> Option<Box<Entry<'g>>> {
    match gate.admit(facts, now) {
        Step::Enter(entry) => Some(entry),
        Step::Answer(answer) => {
            assert_eq!(answer.status, 402, "{:?}", answer.code);
            None
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_pass_opens_what_was_paid_for_until_it_ends() {
    let gate = walled();
    let shown = token(&gate);
    let facts = Facts { authorization: Some(&shown), ..get("/api/paid") };
    let entry = enters(&gate, &facts, NOW).expect("it opens");
    let doubt = entry.shown.pass.doubt();
    assert_eq!(doubt.payer, PAYER, "whose book is asked");
    assert!(doubt.payment.starts_with("eip155:84532:") && doubt.payment.matches(':').count() > 2, "about this payment");
    assert_eq!(doubt.since, NOW.0);
    assert!(gate.is_pass(&shown) && gate.is_pass(&shown.replace("Bearer", "bearer")), "the origin does not see it");
    assert!(!gate.is_pass("Bearer of-the-origin") && !gate.is_pass("Basic eDp5"));
    assert_eq!(entry.refusal.status, 402, "should its book have revoked it");
    assert!(enters(&gate, &Facts { method: "HEAD", ..facts }, NOW).is_some());
    assert!(enters(&gate, &facts, NOW.plus(3599)).is_some());
    assert!(enters(&gate, &facts, NOW.plus(3600)).is_none(), "an hour is over");
}

#[test]
fn a_pass_lasts_from_the_settlement_however_often_its_answer_is_asked_for() {
    let gate = walled();
    let header = paid();
    let late = NOW.plus(3000);
    let facts = Facts { payment_signature: Some(&header), payment_pass: Some("token"), ..get("/api/paid") };
    let Step::Pay(sale) = gate.admit(&facts, late) else { panic!("no sale") };
    let given = |settled| delivered(&gate, &sale, "eip155:84532:0x1:0x2:0x3", Some(settled));
    let pass = given(NOW).into_iter().find(|header| header.name == "payment-pass").unwrap();
    let shown = ["Bearer ", &pass.value].concat();
    let facts = Facts { authorization: Some(&shown), ..get("/api/paid") };
    assert!(enters(&gate, &facts, NOW.plus(3599)).is_some());
    assert!(enters(&gate, &facts, NOW.plus(3600)).is_none(), "not a second longer than the first one");
    let over = given(UnixSeconds(late.0 - 3600));
    assert!(over.iter().all(|header| header.name != "payment-pass"), "and none when that is over");
}

#[test]
fn the_cookie_of_a_path_that_a_browser_writes_otherwise_is_for_all_paths() {
    let gate = walled();
    for (path, place) in [("/api/paid", "/api/paid"), ("/api/%70aid", "/")] {
        let given = bought(&gate, path, "cookie");
        assert!(given[0].1.contains(&format!("; Path={place}; ")), "{path}: {}", given[0].1);
    }
}

#[test]
fn a_pass_opens_nothing_else() {
    let gate = walled();
    let shown = token(&gate);
    let facts = Facts { authorization: Some(&shown), ..get("/api/paid") };
    assert!(enters(&gate, &Facts { method: "POST", ..facts }, NOW).is_none(), "another rule, and it writes");
    assert!(enters(&gate, &Facts { path: "/api/item/1", ..facts }, NOW).is_none(), "another page");
    assert!(enters(&gate, &Facts { query: Some("page=2"), ..facts }, NOW).is_none(), "another query");
    let mut any = with(&json!({ "pass": { "key": "secret:PASS" } }));
    any["routes"][1]["match"] = "* /api/paid".into();
    let any = gate_of(&any);
    let wide = token(&any);
    let wide = Facts { authorization: Some(&wide), ..facts };
    assert!(enters(&any, &wide, NOW).is_some());
    assert!(enters(&any, &Facts { method: "POST", ..wide }, NOW).is_none(), "the same rule, and it writes");
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut other = with(&json!({ "pass": { "key": "secret:PASS" } }));
        change(&mut other);
        enters(&gate_of(&other), &facts, NOW).is_some()
    };
    assert!(changed(&|_| ()), "the same configuration");
    assert!(!changed(&|of| of["routes"][1]["price"] = "$0.02".into()), "another price");
    assert!(!changed(&|of| of["payTo"] = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8".into()), "another payee");
    assert!(!changed(&|of| of["publicOrigin"] = "https://other.example.com".into()), "another host");
    assert!(!changed(&|of| of["routes"][1]["match"] = "GET /api/:any".into()), "another rule");
    assert_ne!(PAY_TO, "0x70997970C51812dc3A010C7d01b50e0d17dc79C8");
}

#[test]
fn a_pass_that_was_touched_is_none() {
    let gate = walled();
    let shown = token(&gate);
    for at in "Bearer ".len()..shown.len() {
        let mut forged = shown.clone().into_bytes();
        forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(forged).unwrap();
        let facts = Facts { authorization: Some(&forged), ..get("/api/paid") };
        assert!(enters(&gate, &facts, NOW).is_none(), "letter {at}");
    }
    for text in ["", ".", "a.b", &"x".repeat(5000), &shown["Bearer ".len()..shown.len() - 1]] {
        let text = ["Bearer ", text].concat();
        assert!(enters(&gate, &Facts { authorization: Some(&text), ..get("/api/paid") }, NOW).is_none());
    }
    let stranger = |name: &str| if name == "PASS" { Some("another key of letters".into()) } else { secrets(name) };
    let text = with(&json!({ "pass": { "key": "secret:PASS" } })).to_string();
    let other = Gate::new(Config::read(&text, &stranger).unwrap()).unwrap();
    assert!(enters(&other, &Facts { authorization: Some(&shown), ..get("/api/paid") }, NOW).is_none());
}

#[test]
fn a_cookie_is_the_browsers_alone() {
    let gate = walled();
    let given = bought(&gate, "/api/paid", "cookie");
    let [(_, cookie), (_, said)] = given.try_into().unwrap();
    assert_eq!(said, "cookie", "the page learns only that there is one");
    let (pair, rest) = cookie.split_once("; ").unwrap();
    assert_eq!(rest, "Path=/api/paid; Max-Age=3600; HttpOnly; SameSite=Lax; Secure");
    let all = ["a=1; ", pair, "; b=2"].concat();
    assert!(enters(&gate, &Facts { cookie: Some(&all), ..get("/api/paid") }, NOW).is_some());
    assert_eq!(other_cookies(&all), "a=1; b=2");
    assert_eq!(other_cookies(pair), "");
    // Passes for other pages hide nothing, however many there are.
    let many = ["x402-pass-00000000=a.b; ".repeat(100).as_str(), pair].concat();
    assert!(enters(&gate, &Facts { cookie: Some(&many), ..get("/api/paid") }, NOW).is_some());
}

#[test]
fn a_pass_may_cover_its_rule() {
    let gate = gate_of(&with(&json!({ "pass": { "key": "secret:PASS", "covers": "route", "seconds": 60 } })));
    let shown = token(&gate);
    let facts = Facts { authorization: Some(&shown), query: Some("page=2"), ..get("/api/paid") };
    assert!(enters(&gate, &facts, NOW).is_some());
    assert!(enters(&gate, &Facts { path: "/api/item/1", ..facts }, NOW).is_none());
    assert!(enters(&gate, &facts, NOW.plus(60)).is_none());
}

#[test]
fn nobody_asked_or_nobody_gives() {
    let header = paid();
    let unasked = Facts { payment_signature: Some(&header), ..get("/api/paid") };
    let open = walled();
    let Step::Pay(sale) = open.admit(&unasked, NOW) else { panic!("no sale") };
    assert!(sale.wish.is_none(), "no pass that nobody asked for");
    let gate = gate_of(&config());
    assert!(bought(&gate, "/api/paid", "token").is_empty(), "without a paywall there are no passes");
    let shown = token(&walled());
    assert!(enters(&gate, &Facts { authorization: Some(&shown), ..get("/api/paid") }, NOW).is_none());
}

#[test]
fn a_book_lets_a_pass_stand_or_not() {
    let doubt = Doubt { payer: "0x1".into(), payment: "a:b".into(), since: 100 };
    assert_eq!(Doubt::read(&doubt.write()).unwrap(), doubt);
    assert!(doubt.stands(None, Some(State::Settled)) && doubt.stands(None, Some(State::Owed)));
    assert!(doubt.stands(None, None), "what is forgotten had settled");
    assert!(doubt.stands(Some(99), None), "revoked before it was given");
    assert!(!doubt.stands(Some(100), None) && !doubt.stands(Some(101), None));
    for state in State::ALL {
        let moved = matches!(state, State::Settled | State::Owed);
        assert_eq!(doubt.stands(None, Some(state)), moved, "{}", state.as_str());
    }
}

#[test]
fn a_browser_is_shown_a_page_and_a_program_is_not() {
    let mut config =
        with(&json!({ "pass": { "key": "secret:PASS" }, "title": "A & B", "text": "<b>x</b>", "dir": "rtl",
        "lang": "ar", "words": { "choose": "ادفع بواسطة" }, "accent": "#123456" }));
    config["routes"][1]["description"] = "</script><script>alert(1)</script>".into();
    let gate = gate_of(&config);
    let facts = Facts { page_nonce: Some("word"), ..get("/api/paid") };
    let Step::Answer(page) = gate.admit(&facts, NOW) else { panic!("no answer") };
    let header = |name: &str| page.headers.iter().find(|header| header.name == name).map(|h| h.value.as_ref());
    assert_eq!(page.status, 402);
    assert_eq!(header("content-type"), Some("text/html; charset=utf-8"));
    assert!(header("payment-required").is_some(), "the terms stay in the header");
    assert!(header("content-security-policy").unwrap().starts_with("default-src 'none'; script-src 'nonce-word'"));
    assert_eq!(header("cache-control"), Some("no-store"));
    for part in [
        "A &amp; B",
        "&lt;b&gt;x&lt;/b&gt;",
        "lang=\"ar\" dir=\"rtl\"",
        "ادفع بواسطة",
        "$0.01",
        "0.01 USDC",
        "Base Sepolia",
        PAY_TO,
        "#123456",
    ] {
        assert!(page.body.contains(part), "{part}");
    }
    assert_eq!(page.body.matches("<script").count(), 2, "no text becomes a script");
    assert!(page.body.len() < 60_000 && !page.body.contains("{{"), "{}", page.body.len());
    let data = page.body.split_once("id=\"terms\">").unwrap().1.split_once("</script>").unwrap().0;
    let data: Value = serde_json::from_str(data).unwrap();
    assert_eq!(data["offers"][0]["document"]["message"]["value"], "10000");
    assert_eq!(data["offers"][0]["accepted"], requirements());
    assert_eq!(data["offers"][0]["chain"], "0x14a34");

    let Step::Answer(head) = gate.admit(&Facts { method: "HEAD", ..facts }, NOW) else { panic!("no answer") };
    assert!(head.body.is_empty());
    let Step::Answer(program) = gate.admit(&get("/api/paid"), NOW) else { panic!("no answer") };
    assert!(program.body.starts_with('{'));
    let Step::Answer(post) = gate.admit(&Facts { method: "POST", ..facts }, NOW) else { panic!("no answer") };
    assert!(post.body.starts_with('{'), "a form is not a page");
}

#[test]
fn a_paywall_that_is_wrong_says_where() {
    let own = |name: &str| if name == "SHORT" { Some("short".into()) } else { secrets(name) };
    let wrong = [
        (json!({}), "pass"),
        (json!({ "pass": { "key": "open, and long enough" } }), "paywall.pass.key"),
        (json!({ "pass": { "key": "secret:SHORT" } }), "paywall.pass.key"),
        (json!({ "pass": { "key": "secret:TOKEN", "seconds": 59 } }), "paywall.pass.seconds"),
        (json!({ "pass": { "key": "secret:TOKEN" }, "logo": "https://example.com/a.png" }), "paywall.logo"),
        (json!({ "pass": { "key": "secret:TOKEN" }, "logo": "data:image/png;base64,\"onerror=" }), "paywall.logo"),
        (json!({ "pass": { "key": "secret:TOKEN" }, "accent": "red;}" }), "paywall.accent"),
        (json!({ "pass": { "key": "secret:TOKEN" }, "lang": "en\"" }), "paywall.lang"),
        (json!({ "pass": { "key": "secret:TOKEN" }, "words": { "no": "x" } }), "paywall.words"),
    ];
    for (paywall, place) in wrong {
        let error = Config::read(&with(&paywall).to_string(), &own).expect_err(place);
        assert_eq!(error.code(), Code::GateConfig);
        assert!(error.detail().contains(place), "{} for {place}", error.detail());
    }
}

/// What a wallet may be told of the test network.
fn chain() -> Value {
    json!({
        "chainName": "Test <chain>",
        "rpcUrls": ["https://node.test/public", "http://localhost:8545"],
        "nativeCurrency": { "name": "Ether", "symbol": "ETH", "decimals": 18 },
        "blockExplorerUrls": ["https://explorer.test"],
    })
}

fn told(chain: &Value) -> Value {
    let mut config = with(&json!({ "pass": { "key": "secret:PASS" } }));
    config["networks"]["eip155:84532"]["rpc"] = json!(["secret:NODE"]);
    config["networks"]["eip155:84532"]["chain"] = chain.clone();
    config
}

/// The data that a page's script reads.
fn data(page: &str) -> Value {
    let data = page.split_once("id=\"terms\">").unwrap().1.split_once("</script>").unwrap().0;
    serde_json::from_str(data).unwrap()
}

fn page(gate: &Gate) -> String {
    let Step::Answer(page) = gate.admit(&Facts { page_nonce: Some("word"), ..get("/api/paid") }, NOW) else {
        panic!("no answer")
    };
    page.body
}

#[test]
fn a_wallet_is_told_what_the_owner_says_of_a_network_and_nothing_else() {
    let bare = page(&walled());
    assert_eq!(data(&bare)["offers"][0]["network"], Value::Null, "nothing was said");
    let body = page(&gate_of(&told(&chain())));
    let mut parameter = chain();
    parameter["chainId"] = "0x14a34".into();
    assert_eq!(data(&body)["offers"][0]["network"], parameter);
    assert!(body.contains("Test &lt;chain&gt;</dd>"), "its owner's name for it");
    assert!(!body.contains(NODE), "the gate's own node");
}

#[test]
fn what_a_wallet_cannot_be_told_is_refused_without_being_shown() {
    let long = ["https://node.test/", &"x".repeat(500)].concat();
    let same = [NODE, "/"].concat();
    let wrong = [
        ("chainName", json!(" ")),
        ("chainName", json!("x".repeat(101))),
        ("rpcUrls", json!([])),
        ("rpcUrls", json!(["http://canary.test"])),
        ("rpcUrls", json!(["https://canary:word@node.test"])),
        ("rpcUrls", json!(["https://node.test/canary x"])),
        ("rpcUrls", json!(["secret:NODE"])),
        ("rpcUrls", json!(["https://node.test", NODE])),
        ("rpcUrls", json!([same])),
        ("rpcUrls", json!(vec!["https://node.test"; 9])),
        ("blockExplorerUrls", json!(["javascript:canary"])),
        ("iconUrls", json!(["data:image/png;base64,canary"])),
        ("iconUrls", json!([long])),
        ("nativeCurrency", json!({ "name": "", "symbol": "ETH", "decimals": 18 })),
        ("nativeCurrency", json!({ "name": "Ether", "symbol": "", "decimals": 18 })),
        ("nativeCurrency", json!({ "name": "Ether", "symbol": "x".repeat(12), "decimals": 18 })),
        ("nativeCurrency", json!({ "name": "Ether", "symbol": "ETH", "decimals": 37 })),
    ];
    for (key, value) in wrong {
        let mut config = chain();
        config[key] = value.clone();
        let error = Config::read(&told(&config).to_string(), &own).expect_err(key);
        assert_eq!(error.code(), Code::GateConfig);
        let said = error.detail();
        assert!(said.contains("networks.eip155:84532.chain: ") && said.contains(key), "{said} for {value}");
        assert!(!said.contains("canary") && !said.contains("node.test"), "{said}");
    }
    for key in ["chainName", "rpcUrls", "nativeCurrency"] {
        let mut config = chain();
        config.as_object_mut().unwrap().remove(key);
        assert_eq!(Config::read(&told(&config).to_string(), &own).expect_err(key).code(), Code::GateConfig);
    }
    let mut config = chain();
    config["chainId"] = "0x1".into();
    assert!(Config::read(&told(&config).to_string(), &own).is_err(), "the network's name says it");
}

#[test]
fn several_offers_are_a_choice_that_has_names() {
    let mut config = with(&json!({ "pass": { "key": "secret:PASS" } }));
    config["networks"]["eip155:8453"] = config["networks"]["eip155:84532"].clone();
    let body = page(&gate_of(&config));
    assert_eq!(body.matches("<fieldset>").count(), 1);
    assert!(body.contains("<legend><h2 id=\"costs\">It costs</h2></legend>"));
    for at in 0..2 {
        let radio = format!("id=\"offer{at}\" aria-labelledby=\"sum{at} place{at}\"");
        assert!(body.contains(&radio) && body.contains(&format!("for=\"offer{at}\" id=\"sum{at}\"")), "{radio}");
        assert!(body.contains(&format!("<dd id=\"place{at}\">")));
    }
    assert!(!page(&walled()).contains("<fieldset"), "one is no choice");
}
