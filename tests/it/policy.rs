//! What a policy says, rule by rule: what it allows, what it refuses and by which name, and that nothing in it is lost.

use serde_json::{Value, json};
use x402_core::client::audit::Who;
use x402_core::client::book::Book;
use x402_core::client::call::{Call, Identity};
use x402_core::client::choose::{Choice, choose};
use x402_core::client::explain::explain;
use x402_core::client::policy::Policy;
use x402_core::error::Code;
use x402_core::types::json::Message;
use x402_core::types::required::{PaymentRequired, Version};

use crate::support::{NOW, PAY_TO, requirements};

const URL: &str = "https://api.example.com/api/paid?q=1";
const EURO: &str = "0x209693Bc6afc0C5328bA36FaF03C514EF312287C";

fn terms(accepts: &[Value]) -> PaymentRequired {
    let text = json!({ "x402Version": 2, "accepts": accepts }).to_string();
    PaymentRequired::read(&text, Version::V2).unwrap()
}

fn chosen(accepts: &[Value], policy: &Value, call: &Value, url: &str) -> Result<Choice, Code> {
    let policy = Policy::read(&policy.to_string()).map_err(|error| error.code())?;
    let call = Call::read(&call.to_string()).map_err(|error| error.code())?;
    choose(&terms(accepts), &policy, &call, url, url).map_err(|error| error.code())
}

fn judged(policy: &Value) -> Result<Choice, Code> {
    chosen(&[requirements()], policy, &json!({}), URL)
}

fn called(call: &Value) -> Result<Choice, Code> {
    chosen(&[requirements()], &json!({}), call, URL)
}

fn with(pointer: &str, value: Value) -> Value {
    let mut changed = requirements();
    *changed.pointer_mut(pointer).unwrap() = value;
    changed
}

fn euro() -> Value {
    json!({ "network": "eip155:84532", "address": EURO, "symbol": "EURC", "name": "Euro", "version": "1", "decimals": 6 })
}

fn merged(mut value: Value, more: &Value) -> Value {
    value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    value
}

#[test]
fn s301_an_origin_is_held_against_lists_as_it_is_written_in_urls() {
    for fine in ["https://api.example.com", "https://API.example.com/", "https://api.example.com:443"] {
        judged(&json!({ "origins": [fine] })).unwrap();
        assert_eq!(judged(&json!({ "deny": { "origins": [fine] } })).unwrap_err(), Code::PayerOriginNotAllowed);
    }
    // Other schemes, ports and hosts that look alike are other origins.
    for other in [
        "http://api.example.com",
        "https://api.example.com:8443",
        "https://api-example.com",
        "https://xn--api-example-9za.com",
    ] {
        assert_eq!(judged(&json!({ "origins": [other] })).unwrap_err(), Code::PayerOriginNotAllowed, "{other}");
        judged(&json!({ "deny": { "origins": [other] } })).unwrap();
    }
    // A path would be lost, and letters beyond ASCII never stand in a URL.
    for wrong in [
        "api.example.com",
        "https://api.example.com/paid",
        "https://u@api.example.com",
        "https://\u{430}pi.example.com",
    ] {
        assert_eq!(judged(&json!({ "origins": [wrong] })).unwrap_err(), Code::PayerConfig, "{wrong}");
    }
}

#[test]
fn what_is_denied_is_refused_although_it_is_allowed() {
    let both = |key: &str, value: &str| judged(&json!({ key: [value], "deny": { key: [value] } })).unwrap_err();
    assert_eq!(both("networks", "eip155:84532"), Code::PayerNetworkNotAllowed);
    assert_eq!(both("payTo", PAY_TO), Code::PayerPayToNotAllowed);
    assert_eq!(both("origins", "https://api.example.com"), Code::PayerOriginNotAllowed);
    assert_eq!(judged(&json!({ "schemes": ["upto"] })).unwrap_err(), Code::PayerSchemeNotAllowed);
    judged(&json!({ "schemes": ["exact"] })).unwrap();
}

#[test]
fn s260_https_may_be_given_up_and_only_on_purpose() {
    let plain = |policy: Value| chosen(&[requirements()], &policy, &json!({}), "http://10.0.0.1/").map(drop);
    assert_eq!(plain(json!({})), Err(Code::PayerInsecure));
    assert_eq!(plain(json!({ "httpsOnly": true })), Err(Code::PayerInsecure));
    assert_eq!(plain(json!({ "httpsOnly": false })), Ok(()));
}

#[test]
fn s269_s270_a_token_of_the_policy_must_be_offered_as_the_policy_names_it() {
    let offered = |name: &str, amount: &str| {
        let mut offer = with("/asset", json!(EURO));
        offer["extra"] = json!({ "name": name, "version": "1" });
        offer["amount"] = json!(amount);
        offer
    };
    let paid = |offer: Value, more: Value| {
        let policy = json!({ "assets": [merged(euro(), &more)] });
        chosen(&[offer], &policy, &json!({}), URL).map(|choice| choice.asset.symbol)
    };
    assert_eq!(
        judged(&json!({ "assets": [euro()] })).unwrap_err(),
        Code::PayerConfig,
        "no dollar and no cap of its own"
    );
    let capped = json!({ "maxPerPayment": "5" });
    assert_eq!(paid(offered("Euro", "5000000"), capped.clone()), Ok("EURC".into()));
    assert_eq!(paid(offered("Euro", "5000001"), capped.clone()), Err(Code::PayerOverCap));
    assert_eq!(paid(offered("Evil", "1"), capped), Err(Code::PayerDomainMismatch));
    // What is worth a dollar is under the cap in dollars.
    assert_eq!(paid(offered("Euro", "100000"), json!({ "dollar": true })), Ok("EURC".into()));
    assert_eq!(paid(offered("Euro", "100001"), json!({ "dollar": true })), Err(Code::PayerOverCap));
    for wrong in
        [json!({ "decimals": 19 }), json!({ "address": "0x1" }), json!({ "price": 1 }), json!({ "network": "base" })]
    {
        assert_eq!(paid(offered("Euro", "1"), merged(json!({ "dollar": true }), &wrong)), Err(Code::PayerConfig));
    }
}

#[test]
fn s300_a_call_is_paid_at_the_price_that_was_told_and_no_more() {
    called(&json!({ "maxPrice": "$0.01" })).unwrap();
    assert_eq!(called(&json!({ "maxPrice": "$0.009999" })).unwrap_err(), Code::PayerAboveMaxPrice);
    assert_eq!(called(&json!({ "maxPrice": 1 })).unwrap_err(), Code::PayerConfig);
    assert_eq!(called(&json!({ "maxprice": "$1" })).unwrap_err(), Code::PayerConfig);
    // Without a value in dollars nothing is within a price in dollars.
    let mut offer = with("/asset", json!(EURO));
    offer["extra"] = json!({ "name": "Euro", "version": "1" });
    let policy = json!({ "assets": [merged(euro(), &json!({ "maxPerPayment": "5" }))] });
    let code = chosen(&[offer], &policy, &json!({ "maxPrice": "$100" }), URL).unwrap_err();
    assert_eq!(code, Code::PayerAboveMaxPrice);
}

#[test]
fn s266_what_was_quoted_is_paid_or_what_is_cheaper() {
    let quote = json!({
        "network": "eip155:84532", "asset": requirements()["asset"], "payTo": PAY_TO, "amount": "10000", "sentence": "Pay",
    });
    let against = |more: Value| called(&json!({ "quote": merged(quote.clone(), &more) })).map(drop);
    assert_eq!(against(json!({})), Ok(()));
    assert_eq!(against(json!({ "amount": "10001" })), Ok(()));
    for changed in [
        json!({ "amount": "9999" }),
        json!({ "payTo": EURO }),
        json!({ "asset": EURO }),
        json!({ "network": "eip155:1" }),
    ] {
        assert_eq!(against(changed.clone()), Err(Code::PayerQuoteChanged), "{changed}");
    }
    assert_eq!(against(json!({ "amount": null })), Err(Code::PayerConfig));
}

#[test]
fn what_is_preferred_is_taken_first_and_then_the_cheapest() {
    let base = json!({
        "scheme": "exact", "network": "eip155:8453", "amount": "20000", "asset": "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913",
        "payTo": PAY_TO, "maxTimeoutSeconds": 60, "extra": { "name": "USD Coin", "version": "2" },
    });
    let offers = [requirements(), merged(base.clone(), &json!({ "amount": "30000" })), base];
    let paid = |policy: Value| chosen(&offers, &policy, &json!({}), URL).unwrap().terms.amount.to_string();
    assert_eq!(paid(json!({})), "10000");
    assert_eq!(paid(json!({ "prefer": "cheapest" })), "10000");
    assert_eq!(paid(json!({ "prefer": { "networks": ["eip155:8453"] } })), "20000");
    assert_eq!(paid(json!({ "prefer": { "assets": ["0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"] } })), "20000");
    assert_eq!(paid(json!({ "prefer": { "assets": ["usdc"] } })), "10000");
    // A preference is no limit: what is not named is still paid.
    assert_eq!(paid(json!({ "prefer": { "networks": ["eip155:1"] } })), "10000");
    assert_eq!(judged(&json!({ "prefer": "dearest" })).unwrap_err(), Code::PayerConfig);
}

#[test]
fn budgets_are_read_to_the_letter_or_refused() {
    let read = |budget: Value| Policy::read(&json!({ "budgets": [budget] }).to_string()).map_err(|error| error.code());
    let told = |budget: Value| read(budget).unwrap().budgets[0].write();
    assert_eq!(told(json!({ "max": "$2", "per": "day" })), r#"{"max":"2","per":"day"}"#);
    assert_eq!(told(json!({ "max": "0.5", "per": 90 })), r#"{"max":"0.5","per":90}"#);
    let all = json!({
        "max": "$1", "per": "task", "origin": "https://A.example:443", "network": "eip155:1",
        "asset": EURO.to_lowercase(), "payTo": PAY_TO,
    });
    let wanted = format!(
        r#"{{"max":"1","per":"task","origin":"https://a.example","network":"eip155:1","asset":"{EURO}","payTo":"{PAY_TO}"}}"#
    );
    assert_eq!(told(all), wanted);
    for wrong in [
        json!({ "max": "$2" }),
        json!({ "per": "day" }),
        json!({ "max": "$2", "per": "year" }),
        json!({ "max": "$2", "per": 0 }),
        json!({ "max": "$2", "per": -1 }),
        json!({ "max": 2, "per": "day" }),
        json!({ "max": "$2", "per": "day", "orgin": "https://a.example" }),
        json!({ "max": "$2", "per": "day", "origin": null }),
        json!("$2"),
    ] {
        assert_eq!(read(wrong.clone()), Err(Code::PayerConfig), "{wrong}");
    }
    // Dollars do not count what is no dollar: such a token needs a budget that names it.
    let policy =
        |asset: Value| json!({ "assets": [merged(euro(), &json!({ "maxPerPayment": "5" }))], "budgets": [asset] });
    assert_eq!(judged(&policy(json!({ "max": "$2", "per": "day" }))).unwrap_err(), Code::PayerConfig);
    judged(&policy(json!({ "max": "2", "per": "day", "asset": EURO }))).unwrap();
}

#[test]
fn every_rule_is_told_with_what_it_said() {
    let policy = Policy::read(r#"{ "networks": ["eip155:84532"] }"#).unwrap();
    let (book, who) = (Book::default(), Who::default());
    let new = (&book, &who, NOW);
    let dear = with("/amount", json!("900000"));
    let told = explain(&terms(&[dear, requirements()]), &policy, &Call::default(), (URL, URL), new);
    assert_eq!((told.would_pay, told.chosen), (true, Some(1)));
    let names: Vec<_> = told.rules.iter().map(|rule| rule.rule).collect();
    assert_eq!(
        names,
        [
            "httpsOnly",
            "redirect",
            "origins",
            "v1",
            "schemes",
            "networks",
            "assets",
            "domain",
            "payTo",
            "maxValiditySeconds",
            "maxPerPayment",
            "maxPrice",
            "quote"
        ]
    );
    assert!(told.rules.iter().all(|rule| rule.passed && !rule.sentence.is_empty()));
    let last = told.offers[0].rules.last().unwrap();
    assert_eq!((last.rule, last.passed), ("maxPerPayment", false));
    assert_eq!(last.sentence, "the price is above the cap for one payment: 0.9 USDC is above 0.1");
    assert_eq!(told.offers[0].sentence.as_deref(), Some(last.sentence.as_str()));
    // Where the 402 came from is refused before any offer is looked at.
    let moved = explain(&terms(&[requirements()]), &policy, &Call::default(), (URL, "https://evil.example/"), new);
    let last = moved.rules.last().unwrap();
    assert_eq!((moved.would_pay, last.rule, last.passed), (false, "redirect", false));
}

#[test]
fn two_calls_are_one_request_when_nothing_in_them_differs() {
    let with = |headers, key, body: &[u8]| Identity::of("POST", URL, key, (headers, body), true).unwrap();
    let of = |method, url, key, body: &[u8], flight| Identity::of(method, url, key, ("", body), flight);
    let one = of("POST", URL, None, b"order", true).unwrap();
    assert_eq!(of("POST", URL, None, b"order", true), Some(one));
    assert_eq!(of("POST", URL, None, b"order", false), None, "each call is its own request unless it says otherwise");
    for other in [
        of("PUT", URL, None, b"order", true),
        of("POST", "https://api.example.com/api/paid?q=2", None, b"order", true),
        of("POST", URL, None, b"orders", true),
        of("POST", URL, Some("order"), b"", true),
    ] {
        assert_ne!(other.unwrap().hash, one.hash);
    }
    // Two tenants of one server are two requests, and so are two formats. A renewed token is no other purchase.
    assert_ne!(with("authorization,a", None, b"order"), with("authorization,b", None, b"order"));
    assert_eq!(with("authorization,a", Some("k1"), b"order"), with("authorization,b", Some("k1"), b"order"));
    // A key names the purchase, whatever the body says.
    let named = of("POST", URL, Some("k1"), b"a", false).unwrap();
    assert_eq!(of("POST", URL, Some("k1"), b"b", true), Some(named));
    assert!(named.lasting && !one.lasting);
}
