//! `path`: whatever path is asked for, nothing that is sold goes to the origin unpaid.
//!
//! Input: the raw path.

use std::collections::BTreeSet;

use x402_core::server::gate::{Facts, Step};
use x402_core::server::path::canonical;
use x402_core::transport::http::PAYMENT_REQUIRED;

use super::gate::clean;
use super::world::{NOW, gate, header, unbase64};

pub fn path(data: &[u8]) -> bool {
    let Ok(raw) = std::str::from_utf8(data) else { return false };
    let facts = Facts { method: "GET", path: raw, ..Facts::default() };
    match gate().admit(&facts, NOW) {
        Step::Answer(answer) => {
            let health = canonical(raw).is_ok_and(|path| path == "/.x402/health") && answer.status == 200;
            assert!(health || [400, 401, 402, 404, 405, 431].contains(&answer.status));
            clean(&answer);
            if answer.status == 402 {
                let terms = unbase64(header(&answer, PAYMENT_REQUIRED).expect("a 402 has terms"));
                let terms: serde_json::Value = serde_json::from_str(&terms).unwrap();
                let asked: u32 = terms["accepts"][0]["amount"].as_str().unwrap().parse().unwrap();
                let priced = canonical(raw).expect("what is priced has a normal form");
                for reading in origin_readings(&priced) {
                    let dearer = price(&reading).is_some_and(|price| price > asked);
                    assert!(!dearer, "{raw:?} costs {asked} as {priced:?}, which may be read as {reading:?}");
                }
            }
            false
        }
        Step::Forward(forwarded) => {
            assert_eq!(canonical(&forwarded).as_ref(), Ok(&forwarded), "the normal form is its own");
            assert!(!forwarded.starts_with("/.x402/"), "what is the gate's own is not forwarded");
            assert!(forwarded.starts_with('/') && forwarded.bytes().all(|byte| byte.is_ascii_graphic()));
            for reading in origin_readings(&forwarded) {
                assert!(
                    price(&reading).is_none(),
                    "{raw:?} went to the origin as {forwarded:?}, which may read {reading:?}"
                );
            }
            true
        }
        Step::Facilitator(_) | Step::Own(_) | Step::Pay(_) | Step::Enter(_) => {
            panic!("nobody paid and nobody showed a token")
        }
    }
}

/// What an origin that looks its handlers up by this text serves there costs, if it is sold at all.
fn price(path: &str) -> Option<u32> {
    let below = |folder: &str| path.strip_prefix(folder).filter(|rest| rest.is_empty() || rest.starts_with('/'));
    let item = path.strip_prefix("/api/item/");
    match path {
        "/api/paid" => Some(10_000),
        "/api/dear" => Some(90_000),
        _ if item.is_some_and(|id| !id.is_empty() && !id.contains('/')) => Some(20_000),
        _ if below("/all").is_some() && below("/all/free").is_none() => Some(30_000),
        _ => None,
    }
}

/// Every text an origin may look up for a path: any few of the steps below, in any order.
pub fn origin_readings(path: &str) -> BTreeSet<String> {
    const MOST: usize = 1500;
    let mut known = BTreeSet::from([path.to_owned()]);
    let mut latest = vec![path.to_owned()];
    for _ in 0..6 {
        let mut found = Vec::new();
        for text in &latest {
            for step in STEPS {
                let next = step(text);
                if known.len() < MOST && known.insert(next.clone()) {
                    found.push(next);
                }
            }
        }
        latest = found;
    }
    known
}

/// What servers, proxies and frameworks do to a path before they look it up.
const STEPS: [fn(&str) -> String; 12] = [
    decoded,
    |text| text.replace('\\', "/"),
    |text| before(text, '?'),
    |text| before(text, '#'),
    |text| before(text, '\0'),
    |text| by_segment(text, |segment| before(segment, ';')),
    |text| by_segment(text, |segment| segment.trim_end_matches(['.', ' ']).to_owned()),
    |text| text.chars().filter(|character| !character.is_control()).collect(),
    without_empty,
    without_dots,
    |text| text.strip_suffix('/').unwrap_or(text).to_owned(),
    str::to_ascii_lowercase,
];

fn before(text: &str, end: char) -> String {
    text.split(end).next().unwrap_or_default().to_owned()
}

fn by_segment(text: &str, change: impl Fn(&str) -> String) -> String {
    // Dot segments are somebody else's step.
    let changed = |segment: &str| if segment.trim_matches('.').is_empty() { segment.into() } else { change(segment) };
    text.split('/').map(changed).collect::<Vec<String>>().join("/")
}

/// Decodes what can be decoded and leaves the rest, as forgiving decoders do.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let escape = text.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        match escape.filter(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit())) {
            Some(hex) => {
                out.push(u8::from_str_radix(hex, 16).unwrap());
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn without_empty(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars() {
        if character != '/' || !out.ends_with('/') {
            out.push(character);
        }
    }
    out
}

/// `remove_dot_segments` of RFC 3986, section 5.2.4: an empty segment is a segment.
fn without_dots(text: &str) -> String {
    let mut out: Vec<&str> = Vec::new();
    let mut parts = text.strip_prefix('/').unwrap_or(text).split('/').peekable();
    while let Some(part) = parts.next() {
        let last = parts.peek().is_none();
        match part {
            "." => {}
            ".." => drop(out.pop()),
            other => {
                out.push(other);
                continue;
            }
        }
        if last {
            out.push("");
        }
    }
    format!("/{}", out.join("/"))
}
