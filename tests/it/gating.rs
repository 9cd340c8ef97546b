//! The gate's walk: what is priced, what is let through, what is answered.

use serde_json::{Value, json};
use x402_core::error::Code;
use x402_core::ledger::event::Event;
use x402_core::ledger::outcome::Outcome;
use x402_core::ledger::payment::apply;
use x402_core::server::answers::status_of;
use x402_core::server::book::{Claim, Head, Next, Rule, Said};
use x402_core::server::gate::{Answer, Endpoint, Facts, Gate, Sale, Step};
use x402_core::transport::http;
use x402_core::types::amount::Amount;
use x402_core::types::facilitator::SettleResponse;
use x402_core::types::required::{PaymentRequired, Version};

use crate::support::{NOW, config, gate, header, payment, requirements, signed_with};

fn get(path: &str) -> Facts<'_> {
    Facts { method: "GET", path, ..Facts::default() }
}

fn answer(gate: &Gate, facts: &Facts<'_>) -> Answer {
    match gate.admit(facts, NOW) {
        Step::Answer(answer) => answer,
        other => panic!("expected an answer to {facts:?}, got {other:?}"),
    }
}

fn header_of<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.headers.iter().find(|header| header.name == name).map(|header| header.value.as_ref())
}

fn error_of(answer: &Answer) -> String {
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    body["error"].as_str().unwrap().into()
}

#[test]
fn i8_an_unpaid_request_gets_the_terms_of_both_versions() {
    let gate = gate(&config());
    let answer = answer(&gate, &get("/api/paid"));
    assert_eq!(answer.status, 402);
    assert_eq!(header_of(&answer, "cache-control"), Some("no-store"));
    assert_eq!(header_of(&answer, "access-control-allow-origin"), Some("*"));
    let terms = http::read_payment_required(header_of(&answer, "payment-required"), None).unwrap();
    assert_eq!(terms.resource_url.as_deref(), Some("https://api.example.com/api/paid"));
    assert_eq!(terms.error.as_deref(), Some("Payment required"));
    let offered: Value = serde_json::from_str(terms.offers[0].verbatim.as_str()).unwrap();
    assert_eq!(offered, requirements());
    let v1 = PaymentRequired::read(&answer.body, Version::V1).unwrap();
    assert_eq!(v1.offers[0].terms.amount, terms.offers[0].terms.amount);
    assert_eq!(v1.resource_url.as_deref(), Some("https://api.example.com/api/paid"));
    // S-159
    let size: usize = answer.headers.iter().map(|header| header.name.len() + header.value.len() + 4).sum();
    assert!(size + answer.body.len() <= 2048, "{} bytes", size + answer.body.len());
}

#[test]
fn s001_head_is_priced_as_get() {
    let gate = gate(&config());
    let answer = answer(&gate, &Facts { method: "HEAD", ..get("/api/paid") });
    assert_eq!((answer.status, answer.body.as_str()), (402, ""));
    assert!(header_of(&answer, "payment-required").is_some());
}

#[test]
fn s002_other_methods_of_a_priced_path_are_not_allowed() {
    let gate = gate(&config());
    for method in ["PUT", "DELETE", "PROPFIND", "TRACE", "CONNECT", "QUERY", "get", "post", ""] {
        let answer = answer(&gate, &Facts { method, ..get("/api/paid") });
        assert_eq!(answer.status, 405, "{method}");
        assert_eq!(header_of(&answer, "allow"), Some("GET, HEAD, OPTIONS, POST"));
    }
    let any = answer(&gate, &Facts { method: "PROPFIND", ..get("/files/x") });
    assert_eq!(any.status, 402);
    assert_eq!(answer(&gate, &Facts { method: "TRACE", ..get("/files/x") }).status, 405);
}

#[test]
fn s003_preflights_are_answered_here() {
    let gate = gate(&config());
    let facts = Facts {
        method: "OPTIONS",
        origin: Some("https://page.example"),
        requested_headers: Some("payment-signature,x-my-key, Bad\u{1}"),
        ..get("/api/paid")
    };
    let answer = answer(&gate, &facts);
    assert_eq!(answer.status, 204);
    let allowed = header_of(&answer, "access-control-allow-headers").unwrap();
    for name in ["PAYMENT-SIGNATURE", "X-PAYMENT", "Access-Control-Expose-Headers", "x-my-key"] {
        assert!(allowed.split(", ").any(|have| have == name), "{name} in {allowed}");
    }
    assert!(!allowed.contains("Bad"));
    assert!(header_of(&answer, "access-control-expose-headers").unwrap().contains("PAYMENT-REQUIRED"));
}

#[test]
fn what_is_not_sold_follows_the_default() {
    let free = gate(&config());
    assert!(matches!(free.admit(&get("/elsewhere"), NOW), Step::Forward(path) if path == "/elsewhere"));
    assert!(matches!(free.admit(&get("/api/health"), NOW), Step::Forward(_)));
    let mut closed = config();
    closed["default"] = "deny".into();
    let closed = gate(&closed);
    assert_eq!(answer(&closed, &get("/elsewhere")).status, 404);
    assert!(matches!(closed.admit(&get("/api/health"), NOW), Step::Forward(_)));
}

#[test]
fn s007_s008_s009_s011_no_spelling_goes_around_the_price() {
    let gate = gate(&config());
    for (path, status) in [
        ("/api/%70aid", 402),
        ("/%61pi/paid", 402),
        ("/api%2Fpaid", 404),
        ("/api%2fpaid", 404),
        ("/api/%2570aid", 404),
        ("/api/item/a%2Fb", 402),
        ("/api/item/a%5Cb", 402),
        ("/api/item/a\\b", 402),
        ("/api/item/a%0Ab", 402),
        ("/api/item/%E2%80%A8", 402),
        ("/api/item/a%3Fb", 402),
        ("/api/item/a%23b", 402),
        ("/x/../api/paid", 402),
        ("/x/%2e%2e/api/paid", 402),
        ("/x/..;/api/paid", 400),
        ("/api/./paid", 402),
        ("/api/%2e/paid", 402),
        ("//api//paid", 404),
        ("/api/paid/", 404),
        ("/API/PAID", 404),
        ("/api/paid;x=1", 404),
        ("/api/paid%00", 404),
        ("/public/..%2fapi%2fpaid", 404),
        ("/%c0%af", 400),
        ("/api/%zz", 400),
        ("/api/%ff", 400),
    ] {
        assert_eq!(answer(&gate, &get(path)).status, status, "{path}");
    }
    let wide = Facts { folded: Some("/api/paid"), ..get("/%EF%BC%8Fapi/paid") };
    assert_eq!(answer(&gate, &wide).status, 404);
}

/// Many origins answer `/paid/a.css` with what is at `/paid`, and caches keep what ends in `.css`.
#[test]
fn s146_what_no_rule_speaks_for_is_not_free_below_what_is_sold() {
    let mut rules = config();
    let more = json!([{ "match": "GET /api/item/:id/notes/*", "free": true }, { "match": "POST /", "price": "$1" }]);
    rules["routes"].as_array_mut().unwrap().extend(more.as_array().unwrap().clone());
    let gate = gate(&rules);
    for path in [
        "/api/paid/a.css",
        "/api/paid/x.js",
        "/api/paid/a/b/c",
        "/api/paid//a.css",
        "/api/paid%2Fa.css",
        "/api/paid%5Ca.css",
        "/api/paid;v=1/a.css",
        "/api/paid/%252e/a.css",
        "/API/paid/a.css",
        "/api/item/7/a.css",
    ] {
        assert_eq!(answer(&gate, &get(path)).code, Some(Code::GateAmbiguousPath), "{path}");
        // Of whatever method: nobody knows which of them an origin hears.
        assert_eq!(answer(&gate, &Facts { method: "PUT", ..get(path) }).status, 404, "{path}");
    }
    // What an owner has ruled is as it is ruled, and what is beside a sold path, or above it, is free by default. A price
    // for the root is a price for the root.
    for path in [
        "/api/item/7/notes/a.css",
        "/public/a.css",
        "/api/paids",
        "/api/pai",
        "/api/paid.css",
        "/api",
        "/api/",
        "/style.css",
        "/api/health",
    ] {
        assert!(matches!(gate.admit(&get(path), NOW), Step::Forward(_)), "{path}");
    }
}

/// The price is the path's and the method's: nothing in a query is another price.
#[test]
fn s012_no_query_changes_the_price() {
    let gate = gate(&config());
    let plain = answer(&gate, &get("/api/paid"));
    for query in [
        "tier=free&tier=pro",
        "tier[]=pro",
        "TIER=pro",
        "tier=free;tier=pro",
        "price=0",
        "amount=1&amount=10000",
        "%00",
        "",
    ] {
        let asked = answer(&gate, &Facts { query: Some(query), ..get("/api/paid") });
        assert_eq!(asked, plain, "{query}");
    }
}

/// A payment says what it accepts, not which one: a number beside it is nobody's.
#[test]
fn s083_an_offer_is_matched_by_its_terms_not_by_a_number() {
    let mut rules = config();
    rules["networks"]["eip155:8453"] = json!({ "facilitator": [{ "url": "https://facilitator.example.com" }] });
    let gate = gate(&rules);
    for index in [json!(0), json!(1), json!(99), json!(-1), json!("0"), json!(null)] {
        let mut good = payment(&requirements());
        good["acceptIndex"] = index.clone();
        good["payload"]["acceptIndex"] = index.clone();
        let good = header(&good);
        let Step::Pay(sale) = gate.admit(&Facts { payment_signature: Some(&good), ..get("/api/paid") }, NOW) else {
            panic!("{index} should be sold on its terms")
        };
        assert_eq!(sale.offer.terms.network.as_str(), "eip155:84532");
        let mut cheap = payment(&requirements());
        cheap["acceptIndex"] = index.clone();
        cheap["accepted"]["amount"] = "1".into();
        let cheap = header(&cheap);
        let refused = answer(&gate, &Facts { payment_signature: Some(&cheap), ..get("/api/paid") });
        assert_eq!(error_of(&refused), "No matching payment requirements", "{index}");
    }
}

/// What the server said of its extension is said back as it was; what it said nothing of means nothing here, whatever
/// a payer makes of it (the reference's rule, so that its clients are served).
#[test]
fn s081_an_extension_is_echoed_as_it_was_said() {
    let mut rules = config();
    rules["routes"][1]["identifier"] = "required".into();
    let gate = gate(&rules);
    let id = "pay_0123456789abcdef";
    let tried = |extensions: Value| {
        let mut one = payment(&requirements());
        one["extensions"] = extensions;
        let one = header(&one);
        match gate.admit(&Facts { payment_signature: Some(&one), idempotency_key: Some("k"), ..get("/api/paid") }, NOW)
        {
            Step::Answer(answer) => Err((answer.status, error_of(&answer))),
            _ => Ok(()),
        }
    };
    let of = |info: Value| json!({ "payment-identifier": { "info": info } });
    for good in [
        of(json!({ "required": true, "id": id })),
        of(json!({ "required": true })),
        json!({}),
        json!({ "unknown": { "info": 1 } }),
    ] {
        assert_eq!(tried(good.clone()), Ok(()), "{good}");
    }
    for bad in [
        of(json!({ "required": false, "id": id })),
        of(json!({ "id": id })),
        of(json!(null)),
        json!({ "payment-identifier": {} }),
        json!({ "payment-identifier": true }),
    ] {
        assert_eq!(tried(bad.clone()), Err((402, "extension_echo_mismatch".into())), "{bad}");
    }
}

#[test]
fn an_honest_payment_is_sold() {
    let gate = gate(&config());
    let payment = header(&payment(&requirements()));
    let facts = Facts { payment_signature: Some(&payment), ..get("/api/%70aid") };
    let Step::Pay(sale) = gate.admit(&facts, NOW) else { panic!("should be sold") };
    assert_eq!(sale.path, "/api/paid");
    assert_eq!(sale.offer.terms.amount.to_string(), "10000");

    let settled = SettleResponse::settled(sale.checked.payer(), "0x1".into(), sale.checked.network().into());
    let headers = gate.delivered(&sale, Some(&settled));
    let find = |name: &str| headers.iter().find(|header| header.name == name).map(|header| header.value.to_string());
    assert_eq!(http::read_settlement(&find("payment-response").unwrap()).unwrap(), settled);
    assert_eq!(find("cache-control").as_deref(), Some("private, no-store"));

    // I4: an unknown outcome is no 402; a definite failure is one, and neither invites a fresh payment by terms.
    let pending = gate.pending(&sale, "0xabc".into());
    assert_eq!((pending.status, header_of(&pending, "retry-after")), (503, Some("2")));
    let response = http::read_settlement(header_of(&pending, "payment-response").unwrap()).unwrap();
    assert_eq!(
        (response.success, response.error_reason.as_deref(), response.transaction.as_str()),
        (false, Some("settlement_pending"), "0xabc")
    );
    let unsettled = gate.unsettled(&sale, Code::ExactEvmInsufficientBalance, String::new());
    assert_eq!(unsettled.status, 402);
    assert!(header_of(&unsettled, "payment-response").is_some() && header_of(&unsettled, "payment-required").is_none());
    let refused = gate.refused(&sale, Code::ExactEvmNonceUsed);
    let terms = http::read_payment_required(header_of(&refused, "payment-required"), None).unwrap();
    assert_eq!(terms.error.as_deref(), Some("invalid_exact_evm_nonce_already_used"));
}

#[test]
fn payments_of_version_1_are_sold_where_allowed() {
    let payload = payment(&requirements())["payload"].clone();
    let v1 = header(&json!({ "x402Version": 1, "scheme": "exact", "network": "base-sepolia", "payload": payload }));
    let facts = Facts { x_payment: Some(&v1), ..get("/api/paid") };
    let both = gate(&config());
    let Step::Pay(sale) = both.admit(&facts, NOW) else { panic!("should be sold") };
    assert_eq!(sale.checked.network(), "base-sepolia");
    let mut only_v2 = config();
    only_v2["v1"] = false.into();
    let only_v2 = gate(&only_v2);
    let refused = answer(&only_v2, &facts);
    assert_eq!((refused.status, error_of(&refused).as_str()), (402, "Payment required"));
    assert!(PaymentRequired::read(&refused.body, Version::V1).unwrap().offers.is_empty());
}

#[test]
fn s019_s033_s037_s039_s040_payment_headers_are_read_strictly() {
    let gate = gate(&config());
    let status = |text: &str| answer(&gate, &Facts { payment_signature: Some(text), ..get("/api/paid") }).status;
    // S-033, S-037, S-040
    for empty in ["", "  ", "\t"] {
        assert_eq!(status(empty), 402, "{empty:?}");
    }
    for bad in ["!", "abc def", "e30=, e30=", "e30=", "bnVsbA==", "W10="] {
        assert_eq!(status(bad), 400, "{bad}");
    }
    assert_eq!(status(&"A".repeat(16 * 1024 + 1)), 431);
    // S-039
    let good = header(&payment(&requirements()));
    let two = Facts { payment_signature: Some(&good), x_payment: Some("e30="), ..get("/api/paid") };
    assert_eq!(error_of(&answer(&gate, &two)), "gate_two_payments");
    // S-019
    let upgrade = Facts { payment_signature: Some(&good), upgrade: Some("websocket"), ..get("/api/paid") };
    assert_eq!(answer(&gate, &upgrade).status, 400);
    assert_eq!(answer(&gate, &Facts { upgrade: Some("websocket"), ..get("/api/paid") }).status, 402);
}

/// What a payment for terms of before gets that is new to its book, in which it begins nothing.
fn bought_nothing_before(gate: &Gate, sale: &Sale<'_>) -> Answer {
    assert!(sale.earlier && sale.late);
    let claim = gate.claim(sale, "GET", "https://origin.example.net/api/paid", b"");
    let (record, outcome) = apply(None, &claim.event(Amount::ZERO), claim.time(NOW));
    assert!(record.is_none(), "nothing is written down");
    match gate.heed(sale, &claim.key, Some(Said::plain(outcome))) {
        Next::Answer(answer) => answer,
        other => panic!("{other:?}"),
    }
}

#[test]
fn i4_f43_a_payment_for_the_price_of_before_is_still_known() {
    let gate = gate(&config());
    let mut old = requirements();
    old["amount"] = "9000".into();
    let kept = header(&signed_with(&old, |_| {}));
    let Step::Pay(sale) = gate.admit(&Facts { payment_signature: Some(&kept), ..get("/api/paid") }, NOW) else {
        panic!("its signature is good")
    };
    let word = |outcome| match gate.heed(&sale, "key", Some(Said::plain(outcome))) {
        Next::Answer(answer) => (answer.status, error_of(&answer)),
        other => panic!("{other:?}"),
    };
    assert_eq!(word(Outcome::Pending(String::new())), (503, "settlement_pending".into()), "not a 402");
    let settlement = SettleResponse::settled("0x1".into(), "0x2".into(), "eip155:84532".into());
    let head = Head { status: 200, headers: Vec::new() };
    let said = Said { head: Some(head), ..Said::plain(Outcome::Replay(Some(settlement))) };
    assert!(matches!(gate.heed(&sale, "key", Some(said)), Next::Replay(..)), "what it bought is its payer's");
    // A stranger's signature, or none, asks no book.
    let mut forged = signed_with(&old, |_| {});
    forged["payload"]["authorization"]["value"] = "9001".into();
    let forged = header(&forged);
    let answer = answer(&gate, &Facts { payment_signature: Some(&forged), ..get("/api/paid") });
    assert_eq!((answer.status, error_of(&answer).as_str()), (402, "No matching payment requirements"));
}

#[test]
fn s059_s061_s062_s064_s067_s069_s070_other_terms_are_no_match() {
    let gate = gate(&config());
    for (pointer, value) in [
        ("/amount", json!("1")),
        ("/amount", json!("10001")),
        ("/payTo", json!("0x3c44cdddb6a900fa2b585dd299e03d12fa4293bc")),
        ("/payTo", json!("0x209693Bc6afc0C5328bA36FaF03C514EF312287C")),
        ("/asset", json!("0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913")),
        ("/network", json!("eip155:8453")),
        ("/scheme", json!("upto")),
        ("/maxTimeoutSeconds", json!(99_999)),
        ("/extra/name", json!("USD Coin")),
    ] {
        let mut other = requirements();
        *other.pointer_mut(pointer).unwrap() = value;
        let payment = if pointer == "/scheme" { payment(&requirements()) } else { signed_with(&other, |_| {}) };
        let mut payment = payment;
        payment["accepted"] = other;
        let header = header(&payment);
        let facts = Facts { payment_signature: Some(&header), ..get("/api/paid") };
        let answer = match gate.admit(&facts, NOW) {
            Step::Answer(answer) => answer,
            // Signed for terms that may have been offered before: the book is asked what they bought, and nothing else.
            Step::Pay(sale) => bought_nothing_before(&gate, &sale),
            other => panic!("{other:?}"),
        };
        assert_eq!((answer.status, error_of(&answer).as_str()), (402, "No matching payment requirements"), "{pointer}");
    }
    // A key beside the known ones is another offer; a key inside `extra` is the payer's to add.
    let mut beside = payment(&requirements());
    beside["accepted"]["note"] = 1.into();
    let beside = header(&beside);
    let Step::Pay(sale) = gate.admit(&Facts { payment_signature: Some(&beside), ..get("/api/paid") }, NOW) else {
        panic!("its signature is good")
    };
    assert_eq!(bought_nothing_before(&gate, &sale).status, 402);
    let mut inside = payment(&requirements());
    inside["accepted"]["extra"]["note"] = 1.into();
    let inside = header(&inside);
    assert!(matches!(gate.admit(&Facts { payment_signature: Some(&inside), ..get("/api/paid") }, NOW), Step::Pay(_)));
}

#[test]
fn s054_errors_echo_nothing() {
    let gate = gate(&config());
    let mut hostile = payment(&requirements());
    hostile["accepted"]["network"] = "eip155:1\r\nX-Evil: <script>".into();
    hostile["accepted"]["scheme"] = "<script>".into();
    let hostile = header(&hostile);
    let answer = answer(&gate, &Facts { payment_signature: Some(&hostile), ..get("/api/paid") });
    let text = format!("{:?}{}", answer.headers, answer.body);
    assert!(!text.contains("<script") && !text.contains("Evil"), "{text}");
}

#[test]
fn only_success_is_charged() {
    // I2, F-35
    for status in 100..600 {
        assert_eq!(Gate::charges(status), (200..300).contains(&status), "{status}");
    }
}

#[test]
fn the_facilitator_api_needs_its_token() {
    let gate = gate(&config());
    let call = |method, path, authorization| Facts { method, path, authorization, ..Facts::default() };
    let bearer = Some("Bearer sixteen characters");
    assert!(matches!(
        gate.admit(&call("POST", "/facilitator/verify", bearer), NOW),
        Step::Facilitator(Endpoint::Verify)
    ));
    assert!(matches!(
        gate.admit(&call("POST", "/facilitator/settle", bearer), NOW),
        Step::Facilitator(Endpoint::Settle)
    ));
    assert!(matches!(
        gate.admit(&call("GET", "/facilitator/supported", bearer), NOW),
        Step::Facilitator(Endpoint::Supported)
    ));
    for wrong in [
        None,
        Some("Bearer "),
        Some("sixteen characters"),
        Some("Bearer sixteen character"),
        Some("Bearer sixteen characters "),
    ] {
        assert_eq!(answer(&gate, &call("POST", "/facilitator/settle", wrong)).status, 401, "{wrong:?}");
    }
    assert_eq!(answer(&gate, &call("GET", "/facilitator/settle", bearer)).status, 405);
}

#[test]
fn no_reason_opens_the_gate() {
    for code in Code::ALL {
        assert!((400..600).contains(&status_of(*code)), "{code}");
        assert_eq!(Code::parse(code.as_str()), Some(*code), "{code} is spelled twice");
    }
    assert_eq!(Gate::misconfigured().status, 500);
}

#[test]
fn f39_only_what_may_be_sent_twice_goes_from_its_verification_straight_to_the_origin() {
    let gate = gate(&config());
    let payment = header(&payment(&requirements()));
    let facts = Facts { payment_signature: Some(&payment), ..get("/api/paid") };
    let Step::Pay(sale) = gate.admit(&facts, NOW) else { panic!("should be sold") };
    for (method, rule, expected) in [
        ("GET", Rule::After, true),
        ("HEAD", Rule::Optimistic(Amount::ZERO), true),
        ("GET", Rule::Before, false),
        ("POST", Rule::After, false),
        ("POST", Rule::Optimistic(Amount::ZERO), false),
        ("POST", Rule::Before, false),
    ] {
        let claim = Claim { rule, ..gate.claim(&sale, method, "https://origin.test/api/paid", b"") };
        let Event::Claim { straight, .. } = claim.event(Amount::ZERO) else { panic!("it is a claim") };
        assert_eq!(straight, expected, "{method} {rule:?}");
    }
}
