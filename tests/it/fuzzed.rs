//! The fuzz targets as ordinary tests: over the kept corpus, over mutations of it, and what fuzzing has found.
//!
//! `X402_MANY=<factor>` multiplies the mutations. A failure names the seed and the input that repeat it.

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

use x402_core::error::Code;
use x402_core::server::config::Config;
use x402_core::server::gate::{Facts, Gate, Step};
use x402_core::types::json;
use x402_core::types::time::UnixSeconds;

#[path = "../../fuzz/src/lib.rs"]
pub(crate) mod targets;

use targets::{Random, TARGETS, mutated, seeds};

/// How many times as long the random tests run as they do by default: `X402_MANY`.
pub(crate) fn many() -> u64 {
    std::env::var("X402_MANY").map_or(1, |text| text.parse().expect("X402_MANY is a whole number"))
}

/// What the kept corpus of a target holds, and its seeds.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut paths: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{} is empty", folder.display());
    let mut inputs: Vec<Vec<u8>> = paths.iter().map(|path| fs::read(path).unwrap()).collect();
    inputs.extend(seeds(target));
    inputs
}

/// Runs a target's mutated corpus.
fn hold(target: &str, count: u64) {
    let run = TARGETS.iter().find(|(name, _)| *name == target).unwrap().1;
    let corpus = corpus(target);
    let try_one = |input: &[u8], name: &str| {
        let input = input.to_vec();
        let text = String::from_utf8_lossy(&input).into_owned();
        assert!(catch_unwind(move || run(&input)).is_ok(), "{target}, {name}: {text:?}");
    };
    for (index, input) in corpus.iter().enumerate() {
        try_one(input, &format!("corpus input {index}"));
    }
    for seed in 1..=count.saturating_mul(many()) {
        let mut random = Random::new(seed);
        try_one(&mutated(&corpus, &mut random), &format!("seed {seed}"));
    }
}

#[test]
fn payment_required_never_makes_the_payer_sign_more_than_the_policy_allows() {
    hold("payment_required", 3000);
}

#[test]
fn payment_opens_the_gate_only_when_it_is_the_payers_own() {
    hold("payment", 3000);
}

#[test]
fn path_leads_nowhere_unpaid() {
    hold("path", 300);
}

#[test]
fn settlement_is_believed_only_with_evidence() {
    hold("settlement", 3000);
}

#[test]
fn facilitator_messages_mean_what_they_say() {
    hold("facilitator", 1000);
}

#[test]
fn rpc_answers_prove_what_is_concluded() {
    hold("rpc", 1000);
}

#[test]
fn config_is_refused_or_stands() {
    hold("config", 2000);
}

#[test]
fn price_is_the_number_that_was_written() {
    hold("price", 3000);
}

#[test]
fn signature_has_one_form() {
    hold("signature", 300);
}

#[test]
fn seeds_get_through() {
    // A target that only ever sees refusals proves nothing.
    for (target, wanted) in [
        ("payment_required", 3),
        ("payment", 6),
        ("path", 3),
        ("settlement", 3),
        ("facilitator", 7),
        ("rpc", 6),
        ("config", 2),
        ("price", 7),
        ("signature", 5),
    ] {
        let run = TARGETS.iter().find(|(name, _)| *name == target).unwrap().1;
        let all = seeds(target);
        let refused: Vec<usize> = (0..all.len()).filter(|index| !run(&all[*index])).collect();
        assert!(all.len() >= refused.len().saturating_add(wanted), "{target}: these seeds stop early: {refused:?}");
    }
}

/// A gate with these rules, where everything else is free.
fn gate(routes: &str) -> Gate {
    let text = format!(
        r#"{{ "publicOrigin": "https://shop.example", "origin": {{ "url": "https://origin.example" }},
            "payTo": "0x3c44cdddb6a900fa2b585dd299e03d12fa4293bc", "default": "free", "routes": [{routes}],
            "networks": {{ "eip155:84532": {{ "facilitator": [{{ "url": "https://facilitator.example" }}] }} }} }}"#
    );
    Gate::new(Config::read(&text, &|_| None).unwrap()).unwrap()
}

fn status(gate: &Gate, path: &str) -> Option<u16> {
    match gate.admit(&Facts { method: "GET", path, ..Facts::default() }, UnixSeconds(1)) {
        Step::Answer(answer) => Some(answer.status),
        _ => None,
    }
}

#[test]
fn what_an_origin_may_climb_to_is_not_forwarded() {
    let gate = gate(r#"{ "match": "/api/paid", "price": "$0.01" }, { "match": "/:shop/door", "price": "$0.01" }"#);
    for path in [
        // An escaped `?` ends the path for some and is a letter for others, and so with what follows.
        "/free%3F%2F..%2Fapi%2Fpaid",
        "/free%23%2F..%2Fapi%2Fpaid",
        "/free%00%2F..%2Fapi%2Fpaid",
        // A segment that some drop and others count.
        "/api/;%2F..%2Fpaid",
        "/api/%2F..%2Fpaid",
        "/api/%01%2F..%2Fpaid",
        "/api/a%5C..%2F..%2Fpaid",
        "/api/x/..%1F../paid",
        // Some drop what is no character and go on, some end there, some decode what they can.
        "/%00api%2Fpaid",
        "/api/%25%0970aid",
        "/%25zz%252F..%252Fapi%252Fpaid",
        // The name of a shop may be anything.
        "/%3Fa%2Fdoor",
        "/;a%2Fdoor",
    ] {
        assert_eq!(status(&gate, path), Some(404), "{path}");
    }
    for path in ["/", "/free", "/a%2Fb", "/caf%C3%A9", "/a;b", "/a%3Fb", "/@scope%2Fname", "/a/b.c/"] {
        assert_eq!(status(&gate, path), None, "{path}");
    }
}

#[test]
fn a_cheap_path_is_no_way_to_a_dear_one() {
    let gate = gate(
        r#"{ "match": "/api/dear", "price": "$5" }, { "match": "/api/:id", "price": "$0.01" },
            { "match": "POST /api/:id", "price": "$1" }, { "match": "/api/:id/all", "price": "$9" }"#,
    );
    for path in ["/api/x%2F..%2Fdear", "/api/Dear", "/api/dear%3F", "/api/dear;", "/api/x%2Fall"] {
        assert_eq!(status(&gate, path), Some(404), "{path}");
    }
    for path in ["/api/dear", "/api/cheap", "/api/a%2Fb", "/api/a%3Fb", "/api/caf%C3%A9"] {
        assert_eq!(status(&gate, path), Some(402), "{path}");
    }
}

#[test]
fn a_free_folder_in_a_sold_one_stays_free() {
    let gate = gate(r#"{ "match": "/docs/free/*", "free": true }, { "match": "/docs/*", "price": "$0.01" }"#);
    for path in ["/docs/free", "/docs/free/", "/docs/free/a", "/docs/free/caf%C3%A9%2Fb?"] {
        assert_eq!(status(&gate, path), None, "{path}");
    }
    for (path, wanted) in [("/docs/a", 402), ("/docs/free%2F..%2Fa", 404), ("/docs/free/..%2Fa", 404)] {
        assert_eq!(status(&gate, path), Some(wanted), "{path}");
    }
}

#[test]
fn an_origin_of_ones_own_has_no_path() {
    let text = targets::CONFIG.replace("https://shop.example", "https://shop.example/shop.example");
    let error = Config::read(&text, &targets::secret).unwrap_err();
    assert!(error.detail().starts_with("publicOrigin"), "{error}");
}

#[test]
fn no_key_is_a_command_to_the_reader() {
    for key in ["$serde_json::private::RawValue", r"\u0024serde_json::private::RawValue"] {
        let text = format!(r#"{{ "extra": {{ "{key}": "{{\"name\":\"USDC\"}}" }} }}"#);
        assert!(json::check(&text, Code::InvalidPayload).is_err(), "{text}");
    }
}
