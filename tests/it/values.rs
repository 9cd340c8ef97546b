//! Amounts, networks, addresses and verbatim JSON: what is read, and what is refused.

use x402_core::error::Code;
use x402_core::evm::address::Address;
use x402_core::types::amount::Amount;
use x402_core::types::asset::{self, ASSETS};
use x402_core::types::facilitator::SettleResponse;
use x402_core::types::json::{self, Verbatim, equal, subset};
use x402_core::types::network::Network;
use x402_core::types::required::{PaymentRequired, Version};
use x402_core::types::url;

const MAX: &str = "115792089237316195423570985008687907853269984665640564039457584007913129639935";

#[test]
fn amounts_are_plain_decimal_integers() {
    for good in ["0", "1", "10000", "18446744073709551616", MAX] {
        assert_eq!(Amount::parse(good).unwrap().to_string(), good);
    }
    let above = "115792089237316195423570985008687907853269984665640564039457584007913129639936";
    // S-048, S-049: every lenient spelling another reader might take.
    let lenient =
        ["", "00", "010000", "+1", "-1", "-0", "1e4", "1.0", "0x2710", " 10000 ", "1_0", "1,000", "１００００", "NaN"];
    for bad in lenient.into_iter().chain([above, &"9".repeat(79), &"0".repeat(78)]) {
        assert_eq!(Amount::parse(bad).unwrap_err().code(), Code::InvalidAmount, "{bad}");
    }
}

#[test]
fn amounts_add_and_subtract_without_wrapping() {
    let max = Amount::parse(MAX).unwrap();
    assert_eq!(max.checked_add(1_u64.into()), None);
    assert_eq!(Amount::ZERO.checked_sub(1_u64.into()), None);
    assert_eq!(Amount::from(3_u64).checked_sub(2_u64.into()), Some(1_u64.into()));
    assert_eq!(max.to_u64(), None);
    assert_eq!(Amount::from(u64::MAX).to_u64(), Some(u64::MAX));
}

#[test]
fn whole_tokens_are_exact() {
    for (text, decimals, atomic) in [
        ("0.01", 6, "10000"),
        ("1", 6, "1000000"),
        ("1.000001", 6, "1000001"),
        ("0", 6, "0"),
        ("0.10", 1, "1"),
        ("7", 0, "7"),
    ] {
        let amount = Amount::parse_tokens(text, decimals).unwrap();
        assert_eq!(amount.to_string(), atomic, "{text}");
    }
    assert_eq!(Amount::from(10_000_u64).to_tokens(6), "0.01");
    assert_eq!(Amount::from(1_000_000_u64).to_tokens(6), "1");
    assert_eq!(Amount::ZERO.to_tokens(6), "0");
    assert_eq!(Amount::from(5_u64).to_tokens(0), "5");
    for bad in ["", ".", ".5", "1.", "0.0000001", "1 ", "-1", "1e-3", "1.2.3", "0x1"] {
        assert!(Amount::parse_tokens(bad, 6).is_err(), "{bad}");
    }
}

#[test]
fn networks_are_caip2_and_v1_names() {
    assert_eq!(Network::parse("eip155:8453").unwrap().evm_chain_id(), Some(8453));
    assert_eq!(Network::from_v1_name("base-sepolia").unwrap(), Network::evm(84_532));
    assert_eq!(Network::evm(84_532).v1_name(), Some("base-sepolia"));
    assert_eq!(Network::parse("solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp").unwrap().evm_chain_id(), None);
    // S-265: a leading zero is another spelling of another chain.
    for bad in [
        "",
        "base",
        "eip155:",
        "eip155:084532",
        "eip155:0",
        "eip155:1:2",
        "EIP155:1",
        "eip155:1 ",
        "eip155:99999999999999999999",
    ] {
        assert_eq!(Network::parse(bad).unwrap_err().code(), Code::InvalidNetwork, "{bad}");
    }
    assert!(Network::from_v1_name("eip155:8453").is_err());
}

#[test]
fn addresses_have_one_spelling_per_case() {
    // EIP-55's own examples.
    for checksum in [
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    ] {
        let address = Address::parse(checksum).unwrap();
        assert_eq!(address.to_checksum(), checksum);
        assert_eq!(Address::parse(&checksum.to_ascii_lowercase()).unwrap(), address);
        assert_eq!(Address::from_word(&address.to_word()), Some(address));
    }
    // S-078
    for bad in [
        "0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0X5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed1",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAe",
        "XE7338O073KYGTWWZN0F2WZ0R8PX5ZPPZS",
        "",
    ] {
        assert_eq!(Address::parse(bad).unwrap_err().code(), Code::InvalidAddress, "{bad}");
    }
}

#[test]
fn known_assets_are_well_formed() {
    assert_eq!(ASSETS.len(), 28);
    for known in ASSETS {
        let address = Address::parse(known.address).unwrap();
        assert_eq!(address.to_checksum(), known.address);
        let network = Network::evm(known.chain_id);
        let upper = known.address.to_ascii_uppercase();
        assert_eq!(asset::by_address(&network, &upper), Some(known));
        assert_eq!(asset::by_symbol(&network, &known.symbol.to_ascii_lowercase()), Some(known));
    }
    assert_eq!(asset::default_asset(&Network::evm(42_220)).unwrap().symbol, "USDC");
    assert_eq!(asset::by_symbol(&Network::evm(42_220), "usdt").unwrap().name, "Tether USD");
    assert_eq!(asset::default_asset(&Network::evm(43_113)), None);
    assert_eq!(asset::default_asset(&Network::evm(14)).unwrap().name, "USD₮0");
}

#[test]
fn verbatim_json_is_echoed_to_the_byte() {
    let text = r#"{ "z":1.10, "a":[1e2 ,"é"],"big":123456789012345678901234567890 }"#;
    let json = Verbatim::parse(text, Code::InvalidPayload).unwrap();
    assert_eq!(json::write(&json), text);
}

#[test]
fn ambiguous_json_is_refused() {
    let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    json::check(&deep(32), Code::InvalidPayload).unwrap();
    // S-044, S-046, S-050 and friends.
    for bad in [
        r#"{"amount":"1","amount":"10000"}"#,
        r#"{"a":{"to":1,"to":2}}"#,
        r#"[{"a":1,"\u0061":2}]"#,
        &deep(33),
        &deep(20_000),
        r#""\ud800""#,
        "{} {}",
        "",
        "nul",
        "[1,]",
        "01",
    ] {
        let error = json::check(bad, Code::InvalidPayload).unwrap_err();
        assert_eq!(error.code(), Code::InvalidPayload);
        assert!(error.detail().starts_with("line "), "a payment's text must not reach an error: {error}");
    }
}

#[test]
fn messages_are_objects() {
    // The fields of a settlement in their order, as an array: another reader would refuse it.
    let array = r#"[true, null, null, "0x1", "eip155:1", null]"#;
    let error = json::read::<SettleResponse>(array, Code::InvalidPaymentResponse).unwrap_err();
    assert!(error.detail().starts_with("expected an object"), "{error}");
}

#[test]
fn trees_compare_as_javascript_would() {
    let tree = |text: &str| serde_json::from_str(text).unwrap();
    assert!(equal(&tree(r#"{"a":1,"b":[1.0]}"#), &tree(r#"{"b":[1],"a":1.0}"#)));
    assert!(!equal(&tree(r#"{"a":1}"#), &tree(r#"{"a":"1"}"#)));
    assert!(!equal(&tree(r#"{"a":null}"#), &tree("{}")));
    assert!(subset(&tree(r#"{"a":{"b":1}}"#), &tree(r#"{"a":{"b":1,"c":2},"d":3}"#)));
    assert!(!subset(&tree(r#"{"a":[1]}"#), &tree(r#"{"a":[1,2]}"#)));
}

#[test]
fn strange_offers_are_left_out_and_counted() {
    let text = r#"{"x402Version":2,"resource":{"url":"https://a.example/"},"accepts":[
        {"scheme":"exact","network":"eip155:8453","amount":"1","asset":"a","payTo":"b","maxTimeoutSeconds":60,"extra":{"x":1}},
        {"scheme":"exact","network":"eip155:8453","amount":1,"asset":"a","payTo":"b","maxTimeoutSeconds":60},
        {"scheme":"exact","network":"eip155:8453","amount":"1","asset":"a","payTo":"b","maxTimeoutSeconds":"60"},
        {"scheme":"exact","network":"eip155:8453","amount":"1","asset":"a","payTo":"b","maxTimeoutSeconds":1.5},
        {"scheme":"exact","network":"eip155:8453","amount":"1","asset":"a","payTo":"b","maxTimeoutSeconds":-1},
        7]}"#;
    let required = PaymentRequired::read(text, Version::V2).unwrap();
    assert_eq!((required.offers.len(), required.unread), (1, 5));
    assert_eq!(required.resource_url.as_deref(), Some("https://a.example/"));
    assert_eq!(PaymentRequired::read(text, Version::V1).unwrap_err().code(), Code::InvalidX402Version);
}

#[test]
fn at_most_32_offers_are_considered() {
    let offer =
        r#"{"scheme":"exact","network":"eip155:8453","amount":"1","asset":"a","payTo":"b","maxTimeoutSeconds":60}"#;
    let text = format!(r#"{{"x402Version":2,"accepts":[{}]}}"#, vec![offer; 10_000].join(","));
    let required = PaymentRequired::read(&text, Version::V2).unwrap();
    assert_eq!((required.offers.len(), required.unread), (32, 9968));
}

#[test]
fn urls_are_compared_by_origin() {
    assert_eq!(url::origin("HTTPS://API.example.com:443/x").unwrap(), "https://api.example.com");
    assert_eq!(url::origin("http://a.example:8080/?q").unwrap(), "http://a.example:8080");
    // S-345: what looks like a known host but is not.
    assert_eq!(url::origin("https://api.example.com.attacker.test/").unwrap(), "https://api.example.com.attacker.test");
    assert!(url::origin("https://api.example.com@attacker.test/").is_err());
    for secure in [
        "https://a.example",
        "http://localhost:1/",
        "http://127.0.0.1:80",
        "http://[::1]:8080/x",
        "http://x.localhost/",
    ] {
        assert!(url::is_secure(secure), "{secure}");
    }
    for plain in [
        "http://a.example",
        "http://127.0.0.1.evil.test/",
        "http://127.0.0.+1/",
        "http://127.evil.test",
        "ftp://localhost",
        "http://[::2]/",
        "//x",
        "",
    ] {
        assert!(!url::is_secure(plain), "{plain}");
    }
}
