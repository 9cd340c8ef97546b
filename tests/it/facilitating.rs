//! Other facilitators: whether they are asked, what proves who asks, and what their answers mean.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use x402_core::error::Code;
use x402_core::evm::address::Address;
use x402_core::evm::hex;
use x402_core::evm::reads::{Answer, Block, Log, Receipt};
use x402_core::facilitator::bill::{Bill, By};
use x402_core::facilitator::breaker::Breaker;
use x402_core::facilitator::cdp::{Algorithm, CdpKey};
use x402_core::facilitator::order::Order;
use x402_core::facilitator::remote::{self, Verdict};
use x402_core::facilitator::{SettleCall, Settlement, Transfer};
use x402_core::server::config::{Config, Facilitator};
use x402_core::types::amount::Amount;
use x402_core::types::facilitator::SettleResponse;
use x402_core::types::network::Network;

use crate::support::{NOW, PAY_TO, PAYER_KEY, RELAYER_KEY, USDC, config};

/// One P-256 key, made for this test, as SEC 1 and as PKCS #8.
const SEC1: &str = "MHcCAQEEIPwyei0EqmuR6LArQkdzSQnFfRxoNH77Mhay6/4RUwjCoAoGCCqGSM49AwEHoUQDQgAEZ+DdOhW7bmTUmo4C+VZv\
    +sNXYJXF8fxLR7l2I5rk8Onlwyv73cErBZUEwPPF3Qnv+Kf5MqjSyGjpG+dvgrkAbw==";
const PKCS8: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg/DJ6LQSqa5HosCtCR3NJCcV9HGg0fvsyFrLr/hFTCMKhRANCAARn\
    4N06FbtuZNSajgL5Vm/6w1dglcXx/EtHuXYjmuTw6eXDK/vdwSsFlQTA88XdCe/4p/kyqNLIaOkb52+CuQBv";
const SCALAR: &str = "0xfc327a2d04aa6b91e8b02b4247734909c57d1c68347efb3216b2ebfe115308c2";

fn pem(label: &str, body: &str) -> String {
    let lines: Vec<&str> = body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

fn transfer() -> Transfer {
    Transfer { payer: PAY_TO.into(), network: "eip155:84532".into(), amount: Amount::from(10_000_u64) }
}

#[test]
fn s170_a_facilitator_that_fails_again_and_again_is_left_alone_for_a_while() {
    let mut breaker = Breaker::default();
    let at = |seconds: u64| NOW.plus(seconds);
    for _ in 0..10 {
        // A word, good or bad, makes up for what came before.
        breaker.heard(false, at(0));
        breaker.heard(false, at(0));
        breaker.heard(true, at(0));
    }
    assert!(breaker.admits(at(0)));
    for _ in 0..3 {
        assert!(breaker.admits(at(0)));
        breaker.heard(false, at(0));
    }
    assert!(!breaker.admits(at(0)) && !breaker.admits(at(14)));
    // Late answers to what was asked before change nothing but a good word.
    breaker.heard(false, at(10));
    // One trial at a time.
    assert!(breaker.admits(at(15)) && !breaker.admits(at(15)) && !breaker.admits(at(29)));
    breaker.heard(false, at(16));
    assert!(!breaker.admits(at(45)) && breaker.admits(at(46)));
    // A trial that never ends is followed by another.
    assert!(!breaker.admits(at(60)) && breaker.admits(at(61)));
    breaker.heard(true, at(62));
    assert!(breaker.admits(at(62)) && breaker.admits(at(62)));
    // The pause is bounded.
    let (mut now, mut pauses) = (100, Vec::new());
    for _ in 0..3 {
        breaker.heard(false, at(now));
    }
    for _ in 0..8 {
        let begun = now;
        while !breaker.admits(at(now)) {
            now += 1;
        }
        pauses.push(now - begun);
        breaker.heard(false, at(now));
    }
    assert_eq!(pauses, [15, 30, 60, 120, 240, 300, 300, 300]);
}

#[test]
fn a_token_is_for_one_request_and_two_minutes() {
    let key = CdpKey::parse("organizations/1/apiKeys/2", &pem("EC PRIVATE KEY", SEC1)).unwrap();
    let unsigned = key.unsigned("POST", "https://api.cdp.coinbase.com/platform/v2/x402/verify", "n0", NOW);
    let parts: Vec<Value> = unsigned
        .split('.')
        .map(|part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap())
        .collect();
    let id = "organizations/1/apiKeys/2";
    assert_eq!(parts[0], json!({ "alg": "ES256", "kid": id, "typ": "JWT", "nonce": "n0" }));
    let uris = ["POST api.cdp.coinbase.com/platform/v2/x402/verify"];
    let now = NOW.0;
    let claims = json!({ "sub": id, "iss": "cdp", "uris": uris, "iat": now, "nbf": now, "exp": now + 120 });
    assert_eq!(parts[1], claims);
    let token = CdpKey::token(&unsigned, &[0xfb; 64]).unwrap();
    let (body, signature) = token.rsplit_once('.').unwrap();
    assert_eq!((body, URL_SAFE_NO_PAD.decode(signature).unwrap()), (unsigned.as_str(), vec![0xfb; 64]));
    assert!(CdpKey::token(&unsigned, &[1; 63]).is_err());
}

#[test]
fn keys_of_both_kinds_become_pkcs8() {
    let scalar = hex::decode(SCALAR).unwrap();
    let texts =
        [pem("EC PRIVATE KEY", SEC1), pem("PRIVATE KEY", PKCS8), pem("EC PRIVATE KEY", SEC1).replace('\n', "\\n")];
    for text in texts {
        let key = CdpKey::parse("id", &text).unwrap();
        assert_eq!(key.algorithm(), Algorithm::Es256);
        assert_eq!(key.pkcs8().len(), 67);
        assert!(key.pkcs8().ends_with(&scalar));
    }
    // RFC 8410 §10.3, its seed beside a public key of no meaning.
    let whole = STANDARD.decode("MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC").unwrap();
    let secret = STANDARD.encode([&whole[16..], &[7; 32]].concat());
    let key = CdpKey::parse("id", &format!("{secret}\n")).unwrap();
    assert_eq!((key.algorithm(), key.pkcs8()), (Algorithm::EdDsa, whole.as_slice()));
    assert_eq!(format!("{key:?}"), "CdpKey(EdDSA)");

    let other_curve = "MHQCAQEEIEz0XGMBr4gxuhCCSsl9oDXUdd7zElnask0p0WI7/9pyoAcGBSuBBAAKoUQDQgAE0i0+/RDnG03ZLyfDRwS9Czu/\
        Gk/o/mIskzQCvzjSYtoN/63Js1ST5eik94Bm0fvtkQ7EDhVtIOgRI/McC+kEMA==";
    let zero = SEC1.replace(&SEC1[9..52], &"A".repeat(43));
    let bad = [
        String::new(),
        "secret".into(),
        STANDARD.encode([1; 63]),
        STANDARD.encode([1; 65]),
        pem("EC PRIVATE KEY", other_curve),
        pem("EC PRIVATE KEY", &zero),
        pem("EC PRIVATE KEY", &SEC1[..40]),
        pem("PRIVATE KEY", "!!!!"),
        "-----BEGIN EC PRIVATE KEY-----".into(),
    ];
    for secret in bad {
        assert_eq!(CdpKey::parse("id", &secret).unwrap_err().code(), Code::GateConfig, "{secret}");
    }
    assert!(CdpKey::parse("", &pem("PRIVATE KEY", PKCS8)).is_err());
}

#[test]
fn s166_a_word_on_another_payer_is_no_word() {
    let verified = |body: &Value| remote::verified(&transfer(), Some((200, body.to_string().as_str())));
    assert_eq!(verified(&json!({ "isValid": true })), Verdict::Valid);
    assert_eq!(
        verified(&json!({ "isValid": true, "payer": PAY_TO.to_lowercase(), "more": [1, { "x": null }] })),
        Verdict::Valid
    );
    for valid in [true, false] {
        let other =
            json!({ "isValid": valid, "payer": USDC, "invalidReason": "invalid_exact_evm_insufficient_balance" });
        assert!(!verified(&other).is_word(), "{other}");
    }
    let refused =
        json!({ "isValid": false, "payer": PAY_TO, "invalidReason": "invalid_exact_evm_insufficient_balance" });
    assert!(matches!(verified(&refused), Verdict::Invalid(_)) && verified(&refused).is_word());
}

#[test]
fn s165_a_claimed_settlement_is_held_against_the_chain() {
    let event = Log { address: Address::parse(USDC).unwrap(), topics: vec![[1; 32]], data: vec![] };
    let to = Address::parse(USDC).unwrap();
    let call = SettleCall { to, data: vec![], gas_limit: 1, proof: vec![event.digest()] };
    let network = Network::parse("eip155:84532").unwrap();
    let identity = String::new();
    let order = Order { network, identity, call, relayer: None, expires: NOW, begun_only: false };
    let by = By::Remote { url: "https://f.example".into(), message: String::new() };
    let bill = Bill { transfer: transfer(), order, by };
    assert_eq!(Bill::read(&bill.write()).unwrap(), bill);
    let hash = hex::encode(&[3; 32]);
    let claimed = SettleResponse::settled(PAY_TO.into(), hash.clone(), "eip155:84532".into());
    assert!(Bill::check(&SettleResponse { transaction: "0x".into(), ..claimed.clone() }).is_none());
    assert_eq!(Bill::check(&claimed).unwrap().len(), 2);
    let answers = |height: u64, receipt: Option<Receipt>| {
        [Answer::Block(Block { number: height, timestamp: 1, base_fee: 0 }), Answer::Receipt(receipt)]
    };
    let mined = |success, logs| Some(Receipt { success, block: 7, logs });
    let checked = |answers: &[Answer], deep| bill.checked(&claimed, answers, deep);
    assert_eq!(checked(&answers(7, None), 1), None);
    assert_eq!(checked(&answers(7, mined(true, vec![event.clone()])), 2), None);
    let settled = Some(Settlement::Settled(claimed.clone()));
    assert_eq!(checked(&answers(8, mined(true, vec![event.clone()])), 2), settled);
    // The wrong transaction proves no failure either.
    let unknown = Some(Settlement::Unknown(hash));
    assert_eq!(checked(&answers(8, mined(true, vec![])), 1), unknown);
    assert_eq!(checked(&answers(8, mined(false, vec![event])), 1), unknown);
}

#[test]
fn networks_are_configured_as_a_whole_or_not_at_all() {
    let secrets = |name: &str| match name {
        "K1" => Some(RELAYER_KEY.to_owned()),
        "K2" => Some(PAYER_KEY.to_owned()),
        "TOKEN" => Some("sixteen characters".into()),
        "CDP" => Some(pem("EC PRIVATE KEY", SEC1)),
        "BAD" => Some("not a key".into()),
        _ => None,
    };
    let read = |network: Value| {
        let mut text = config();
        text["networks"] = json!({ "eip155:84532": network });
        Config::read(&text.to_string(), &secrets)
    };
    let embedded = |more: Value| {
        let mut network =
            json!({ "rpc": ["http://127.0.0.1:1"], "facilitator": "embedded", "relayer": ["secret:K1", "secret:K2"] });
        network.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        read(network)
    };
    let of = embedded(json!({ "confirmations": 3, "bumpAfter": 5, "lowBalance": "1000" })).unwrap();
    let network = &of.networks[0];
    assert_eq!((network.confirmations, network.bump_after, network.low_balance), (3, 5, Some(Amount::from(1_000_u64))));
    assert_eq!((network.senders().count(), network.rules.barred.len()), (2, 2));
    let chosen = network.sender_for("a payment").unwrap();
    assert_eq!(network.sender(chosen.relayer).unwrap().1.relayer, chosen.relayer);
    assert!(network.sender(Address::ZERO).is_none());
    let one = embedded(json!({ "relayer": "secret:K1" })).unwrap();
    assert_eq!(
        (one.networks[0].senders().count(), one.networks[0].confirmations, one.networks[0].bump_after),
        (1, 1, 30)
    );
    for bad in [
        json!({ "relayer": [] }),
        json!({ "relayer": ["secret:K1", "secret:K1"] }),
        json!({ "relayer": ["secret:K1", RELAYER_KEY] }),
        json!({ "relayer": ["secret:K1", "secret:NONE"] }),
        json!({ "relayer": null }),
        json!({ "confirmations": 0 }),
        json!({ "confirmations": 257 }),
        json!({ "bumpAfter": 0 }),
        json!({ "lowBalance": 5 }),
        json!({ "verifySettlementsFrom": "1" }),
    ] {
        assert_eq!(embedded(bad.clone()).unwrap_err().code(), Code::GateConfig, "{bad}");
    }

    let remote = |other: Value, more: Value| {
        let mut network = json!({ "facilitator": [other] });
        network.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        read(network)
    };
    let url = "https://f.example";
    let cdp = |id: &str, secret: &str| json!({ "url": url, "auth": { "cdp": { "keyId": id, "keySecret": secret } } });
    let of = remote(cdp("some-id", "secret:CDP"), json!({})).unwrap();
    let Facilitator::Remote(list) = &of.networks[0].facilitator else { panic!() };
    assert!(list[0].cdp.is_some() && !format!("{of:?}").contains("MHcC"));
    for bad in [
        cdp("some-id", "secret:BAD"),
        cdp("some-id", "secret:NONE"),
        cdp("", "secret:CDP"),
        cdp("some-id", SEC1),
        json!({ "url": url, "auth": {} }),
        json!({ "url": url, "auth": { "cdp": { "keyId": "x", "keySecret": "secret:CDP" } }, "headers": { "Authorization": "x" } }),
    ] {
        let error = remote(bad.clone(), json!({})).unwrap_err();
        assert_eq!(error.code(), Code::GateConfig, "{bad}");
        assert!(!error.to_string().contains("not a key"));
    }

    // S-165: what is looked up on chain.
    let plain = || json!({ "url": url });
    let usdc = Address::parse(USDC).unwrap();
    let looks = |more: Value, asset: Address, amount: u64| {
        remote(plain(), more).unwrap().networks[0].looks_up(asset, Amount::from(amount))
    };
    let rpc = json!({ "rpc": ["http://127.0.0.1:1"] });
    assert!(!looks(rpc.clone(), usdc, 999_999) && looks(rpc.clone(), usdc, 1_000_000));
    assert!(looks(rpc, Address::ZERO, 1));
    assert!(looks(json!({ "rpc": ["http://127.0.0.1:1"], "verifySettlementsFrom": "$0" }), usdc, 0));
    assert!(!looks(json!({}), usdc, u64::MAX));
    for bad in ["$", "$-1", "1", "$1e3", "$ 1"] {
        let network = json!({ "rpc": ["http://127.0.0.1:1"], "verifySettlementsFrom": bad });
        assert_eq!(remote(plain(), network).unwrap_err().code(), Code::GateConfig, "{bad}");
    }
    assert!(remote(plain(), json!({ "verifySettlementsFrom": "$1" })).is_err());
}
