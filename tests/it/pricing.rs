//! Prices, paths, routes and the configuration they stand in.

use serde_json::{Value, json};
use x402_core::error::Code;
use x402_core::server::config::{Config, Unmatched};
use x402_core::server::path;
use x402_core::server::price::Price;
use x402_core::server::routes::Pattern;
use x402_core::types::network::Network;

use crate::support::{PAY_TO, USDC, config, secrets};

fn price(text: Value, network: &str) -> Result<String, Code> {
    let price: Price = serde_json::from_value(text).map_err(|_| Code::InvalidPrice)?;
    price.on(&Network::parse(network).unwrap()).map(|price| price.amount.to_string()).map_err(|error| error.code())
}

#[test]
fn s077_s339_prices_are_exact() {
    let base = |text: &str| price(json!(text), "eip155:8453");
    for (text, atomic) in [
        ("$0.01", "10000"),
        ("1 USDC", "1000000"),
        (" $ 2 ", "2000000"),
        ("0.000001", "1"),
        ("$0.10 usd", "100000"),
        ("12.50 usdc", "12500000"),
    ] {
        assert_eq!(base(text).as_deref(), Ok(atomic), "{text}");
    }
    // I7, S-077, S-339: a price that would round, and what is no price.
    for zero in ["$0", "0", "0.000000", "$0.0000001", "0.0000000001", "1.0000001"] {
        assert_eq!(base(zero), Err(Code::PriceRoundsToZero), "{zero}");
    }
    for bad in ["", "$", "-1", "$-1", ".5", "1.", "1,000", "1e-3", "$0.1+0.2", "USD 1", "0x10", "１"] {
        assert_eq!(base(bad), Err(Code::InvalidPrice), "{bad}");
    }
    assert_eq!(base("1 DOGE"), Err(Code::UnknownAsset));
    assert_eq!(price(json!("$1"), "eip155:43113"), Err(Code::UnknownAsset));
    assert_eq!(price(json!("1 USDT"), "eip155:42220").as_deref(), Ok("1000000"));
}

/// Where the money moves only through a contract that this gate does not call, nothing can be sold.
#[test]
fn s125_a_network_whose_asset_needs_another_contract_is_refused() {
    for network in ["eip155:4326", "eip155:31612", "eip155:723487", "eip155:38833"] {
        assert_eq!(price(json!("$1"), network), Err(Code::UnsupportedScheme), "{network}");
        let mut other = config();
        other["networks"] = json!({ network: other["networks"]["eip155:84532"] });
        let error = Config::read(&other.to_string(), &secrets).unwrap_err();
        assert_eq!(error.code(), Code::GateConfig, "{network}");
    }
}

/// What a token is called and how it signs is not asked of anybody: it is known here, or written down by the owner.
#[test]
fn s186_a_token_is_one_that_the_owner_named() {
    let base = |value: Value| price(value, "eip155:8453");
    let strange = "0xdAC17F958D2ee523a2206206994597C13D831ec7";
    for unknown in [
        json!("1 USDT"),
        json!("1 DAI"),
        json!({ "amount": "1", "asset": strange }),
        json!({ "amount": "1", "asset": strange, "name": "Tether USD" }),
    ] {
        assert_eq!(base(unknown.clone()), Err(Code::UnknownAsset), "{unknown}");
    }
    assert_eq!(
        base(json!({ "amount": "1", "asset": strange, "name": "Tether USD", "version": "1" })).as_deref(),
        Ok("1")
    );
}

/// The facilitator that everybody's examples name moves play money only.
#[test]
fn s338_the_public_test_facilitator_settles_nothing_real() {
    let with = |network: &str, url: &str| {
        let mut other = config();
        other["networks"] = json!({ network: { "facilitator": [{ "url": url }] } });
        Config::read(&other.to_string(), &secrets).map(drop).map_err(|error| error.message())
    };
    let urls = [
        "https://x402.org/facilitator",
        "https://www.x402.org/facilitator/",
        "https://X402.ORG:443",
        "https://x402.org./facilitator",
    ];
    for url in urls {
        for network in ["eip155:8453", "eip155:1", "eip155:137", "eip155:43114"] {
            let refused = with(network, url).unwrap_err();
            assert!(refused.contains(network) && refused.contains("test networks"), "{url} {refused}");
        }
        with("eip155:84532", url).unwrap();
    }
    for other in ["https://x402.org.example.com", "https://facilitator.example.com/x402.org", "https://not-x402.org"] {
        with("eip155:8453", other).unwrap();
    }
}

#[test]
fn atomic_prices_name_their_token() {
    let base = |value: Value| price(value, "eip155:84532");
    assert_eq!(base(json!({ "amount": "10000" })).as_deref(), Ok("10000"));
    assert_eq!(base(json!({ "amount": "10000", "asset": USDC })).as_deref(), Ok("10000"));
    let own = json!({ "amount": "7", "asset": PAY_TO, "name": "Mine", "version": "1" });
    assert_eq!(base(own).as_deref(), Ok("7"));
    assert_eq!(base(json!({ "amount": "7", "asset": PAY_TO })), Err(Code::UnknownAsset));
    assert_eq!(base(json!({ "amount": "0" })), Err(Code::PriceRoundsToZero));
    assert_eq!(base(json!({ "amount": 10000 })), Err(Code::InvalidPrice));
    assert_eq!(base(json!({ "amount": "1", "decimals": 6 })), Err(Code::InvalidPrice));
}

#[test]
fn paths_have_one_normal_form() {
    for (raw, normal) in [
        ("/", "/"),
        ("/a/b", "/a/b"),
        ("/a/b/", "/a/b/"),
        ("/api/%70aid", "/api/paid"),
        ("/a%2fb", "/a%2Fb"),
        ("/a\\b", "/a%5Cb"),
        ("/x/../api/./paid", "/api/paid"),
        ("/x/%2e%2E/api/%2e/paid", "/api/paid"),
        ("/../..", "/"),
        ("/a/..", "/"),
        ("/a//b", "/a//b"),
        ("/caf\u{e9}", "/caf%C3%A9"),
        ("/a%0Ab", "/a%0Ab"),
        ("/api/%2570aid", "/api/%2570aid"),
        ("/a;b=1", "/a;b=1"),
    ] {
        assert_eq!(path::canonical(raw).unwrap(), normal, "{raw}");
        assert_eq!(path::canonical(normal).unwrap(), normal, "{normal} is not a fixed point");
    }
    // S-009, S-011
    for bad in ["", "a", "/%", "/%2", "/%zz", "/%ff", "/%c0%af", "/x/..;/paid", "/..;a/b"] {
        assert_eq!(path::canonical(bad).unwrap_err().code(), Code::GateMalformedPath, "{bad}");
    }
    assert_eq!(path::canonical(&format!("/{}", "a".repeat(9000))).unwrap_err().code(), Code::TooLarge);
}

#[test]
fn readings_find_what_an_origin_might_see() {
    let sold = Pattern::parse("/api/paid").unwrap();
    let might_be_sold = |raw: &str| {
        let readings = path::readings(&path::canonical(raw).unwrap());
        readings.iter().any(|reading| reading.climbs || sold.might_match(reading))
    };
    for raw in [
        "/api%2Fpaid",
        "/api%5cpaid",
        "/api/%2570aid",
        "/API/Paid",
        "/api//paid",
        "/api/paid/",
        "/api/paid.",
        "/api/paid;v=1",
        "/api/paid%00.css",
        "/api/paid%3Fx",
        "/x%2f..%2fapi/paid",
        "/api/%252570aid",
        "/%2e%2e%2fapi%2fpaid",
        "/api/paid%20",
    ] {
        assert!(might_be_sold(raw), "{raw}");
    }
    for raw in ["/api", "/api/paid/x", "/api/paid%2Fx", "/api/pay", "/api%2Fpaidx", "/x%3F/api/paid", "/paid"] {
        assert!(!might_be_sold(raw), "{raw}");
    }
    assert_eq!(path::beyond_ascii("/caf%C3%A9").as_deref(), Some("/café"));
    assert_eq!(path::beyond_ascii("/cafe"), None);
}

#[test]
fn patterns_speak_for_whole_segments() {
    let matches = |pattern: &str, path: &str| Pattern::parse(pattern).unwrap().matches(path);
    for (pattern, path) in [
        ("GET /a/b", "/a/b"),
        ("/a/*", "/a"),
        ("/a/*", "/a/"),
        ("/a/*", "/a/b/c"),
        ("/*", "/"),
        ("*  /*", "/x"),
        ("/a/:id/c", "/a/x%2Fy/c"),
        ("/%61", "/a"),
        ("/", "/"),
    ] {
        assert!(matches(pattern, path), "{pattern} {path}");
    }
    for (pattern, path) in [
        ("/a/b", "/a/b/"),
        ("/a/b", "/a"),
        ("/a/*", "/ab"),
        ("/a/:id", "/a/"),
        ("/a/:id", "/a/b/c"),
        ("/a", "/A"),
        ("/", "/a"),
    ] {
        assert!(!matches(pattern, path), "{pattern} {path}");
    }
    for bad in ["", "GET", "GET a", "get /a", "/a*", "/a/*/b", "/:", "/%zz", "/a/../b"] {
        assert_eq!(Pattern::parse(bad).unwrap_err().code(), Code::GateConfig, "{bad}");
    }
    let get = Pattern::parse("GET /a").unwrap();
    assert!(get.takes("GET") && get.takes("HEAD") && !get.takes("get") && !get.takes("POST"));
    // A slash at the end is no way around a price.
    let slash = Pattern::parse("/a/").unwrap();
    assert!(path::readings("/a").iter().all(|reading| slash.might_match(reading)));
}

#[test]
fn configurations_are_read_whole() {
    let read = Config::read(&config().to_string(), &secrets).unwrap();
    assert_eq!(read.default, Unmatched::Free);
    assert_eq!(read.routes.len(), 6);
    let listing = read.routes[1].listing.as_ref().unwrap();
    assert_eq!(listing.offers[0].terms.amount.to_string(), "10000");
    let written = listing.offers[0].verbatim.as_str();
    assert_eq!(
        written,
        format!(
            r#"{{"scheme":"exact","network":"eip155:84532","amount":"10000","asset":"{USDC}","payTo":"{PAY_TO}","maxTimeoutSeconds":300,"extra":{{"name":"USDC","version":"2"}}}}"#
        )
    );
    // Nothing that is printed holds a secret.
    let shown = format!("{read:?}");
    assert!(!shown.contains("sixteen") && !shown.contains("59c6995e"), "{shown}");
}

#[test]
fn the_first_network_is_the_first_offer() {
    let mut both = config();
    let remote = json!({ "facilitator": [{ "url": "https://f.example/" }] });
    both["networks"] = json!({});
    let text = both
        .to_string()
        .replace(r#""networks":{}"#, &format!(r#""networks":{{"eip155:8453":{remote},"eip155:1":{remote}}}"#));
    let read = Config::read(&text, &secrets).unwrap();
    let listing = read.routes[1].listing.as_ref().unwrap();
    let networks: Vec<_> = listing.offers.iter().map(|offer| offer.terms.network.as_str()).collect();
    assert_eq!(networks, ["eip155:8453", "eip155:1"]);
}

#[test]
fn configurations_that_are_wrong_say_where() {
    let wrong = |path: &str, value: Value, says: &str| {
        let mut changed = config();
        *changed.pointer_mut(path).unwrap_or_else(|| panic!("{path}")) = value;
        let error = Config::read(&changed.to_string(), &secrets).unwrap_err();
        assert_eq!(error.code(), Code::GateConfig, "{path}");
        assert!(error.detail().contains(says), "{path}: {}", error.detail());
    };
    wrong("/payTo", json!("0x0000000000000000000000000000000000000000"), "payTo");
    wrong("/payTo", json!("0x3c44CdDdB6a900fa2b585dd299e03d12FA4293BC"), "payTo");
    wrong("/payTo", json!(USDC), "token itself");
    wrong("/publicOrigin", json!("api.example.com"), "publicOrigin");
    wrong("/publicOrigin", json!("https://api.example.com/base"), "publicOrigin");
    wrong("/origin", json!({ "url": "https://user:pass@origin.example" }), "origin.url");
    wrong("/default", json!("open"), "open");
    wrong("/networks/eip155:84532/rpc", json!(["http://rpc.example"]), "https");
    wrong("/networks/eip155:84532/rpc", json!([]), "rpc");
    wrong("/networks/eip155:84532/relayer", json!("secret:NOBODY"), "NOBODY");
    wrong("/networks/eip155:84532/relayer", json!(crate::support::RELAYER_KEY), "secret:NAME");
    wrong("/networks/eip155:84532/facilitator", json!("auto"), "embedded");
    wrong("/networks/eip155:84532/facilitator", json!([]), "nobody");
    wrong("/networks/eip155:84532/facilitator", json!([{ "url": "http://f.example" }]), "https");
    wrong("/networks", json!({}), "at least one");
    wrong(
        "/networks",
        json!({ "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp": { "facilitator": [{ "url": "https://f.example" }] } }),
        "eip155",
    );
    wrong("/routes/1/price", json!("$0.0000001"), "routes[1]");
    wrong("/routes/1/price", json!("cheap"), "routes[1]");
    wrong("/routes/0/free", json!(false), "either a price");
    wrong("/routes/1/match", json!("GET api"), "slash");
    wrong("/facilitatorApi/token", json!("plain text token"), "facilitatorApi");
    // An unknown key is a rule that is not applied: refused. So are repeated keys and a missing default.
    let mut unknown = config();
    unknown["routes"][1]["settel"] = json!("before");
    assert!(Config::read(&unknown.to_string(), &secrets).unwrap_err().detail().contains("settel"));
    let mut missing = config();
    missing.as_object_mut().unwrap().remove("default");
    assert!(Config::read(&missing.to_string(), &secrets).unwrap_err().detail().contains("default"));
    let twice = config().to_string().replacen('{', r#"{"default":"deny","#, 1);
    assert!(Config::read(&twice, &secrets).unwrap_err().detail().contains("twice"));
    for text in ["", "{", "[]", "null"] {
        assert_eq!(Config::read(text, &secrets).unwrap_err().code(), Code::GateConfig);
    }
}
