//! Our readers against others', on random input: the same answer, or ours is stricter where it means to be.
//!
//! `X402_MANY=<factor>` multiplies the counts. A failure names the seed that repeats it.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use num_bigint::BigUint;
use serde_json::Value;
use x402_core::error::Code;
use x402_core::transport::http;
use x402_core::types::amount::Amount;
use x402_core::types::json::{self, MAX_DEPTH, Message, Object, Verbatim};

use crate::fuzzed::many;
use crate::fuzzed::targets::Random;

/// A random document: valid most of the time, with keys that repeat and look alike, deep and broken now and then.
fn document(random: &mut Random, depth: usize, out: &mut String) {
    let kinds = if depth == 0 { 6 } else { 8 };
    match random.below(kinds) {
        0 => out.push_str(random.of(&["null", "true", "false", "nul", "True"])),
        1 | 2 => out.push_str(random.of(NUMBERS)),
        3..=5 => string(random, out),
        6 => {
            out.push('[');
            for index in 0..random.below(4) {
                separate(random, index, ',', out);
                document(random, depth.saturating_sub(1), out);
            }
            out.push(']');
        }
        _ => {
            out.push('{');
            for index in 0..random.below(4) {
                separate(random, index, ',', out);
                string(random, out);
                out.push_str(random.of(&[":", ":", ":", " : ", "=", ""]));
                document(random, depth.saturating_sub(1), out);
            }
            out.push('}');
        }
    }
    if random.below(200) == 0 {
        out.push_str(random.of(&["\u{feff}", "//", "}", ",", "\u{0b}", "\u{a0}"]));
    }
}

fn separate(random: &mut Random, index: usize, separator: char, out: &mut String) {
    if index > 0 && random.below(100) > 0 {
        out.push(separator);
    }
    out.push_str(random.of(&["", "", "", " ", "\n", "\t"]));
}

#[rustfmt::skip]
const NUMBERS: &[&str] = &[
    "0", "1", "-1", "10000", "1.0", "1e0", "-0", "0.1", "01", "+1", ".5", "5.", "1e400", "1e-400", "NaN", "0x10",
    "9007199254740993", "18446744073709551615", "18446744073709551616", "-9223372036854775809", "1E+2",
];

#[rustfmt::skip]
const PIECES: &[&str] = &[
    "a", "b", "A", "amount", "é", "🦀", r"\u0061", r"\u00e9", r"\ud83e\udd80", r"\ud800", r"\udc00", r"\n", r"\/",
    r#"\""#, r"\x", r"\u12", "\u{202e}", "\u{0}", "\n", "__proto__",
];

fn string(random: &mut Random, out: &mut String) {
    out.push('"');
    for _ in 0..random.below(3) {
        let common = random.below(4) > 0;
        out.push_str(if common { random.of(&["a", "b", r"\u0061"]) } else { random.of(PIECES) });
    }
    out.push('"');
}

/// How deep a tree is.
fn depth(value: &Value) -> u8 {
    let deepest = match value {
        Value::Array(items) => items.iter().map(depth).max(),
        Value::Object(entries) => entries.values().map(depth).max(),
        _ => return 0,
    };
    deepest.unwrap_or(0).saturating_add(1)
}

/// How many keys stand in a document's text: each is a string before a colon.
fn keys_written(text: &str) -> usize {
    let (mut count, mut inside, mut escaped) = (0_usize, false, false);
    let mut after_string = false;
    for character in text.chars() {
        match character {
            _ if escaped => escaped = false,
            '\\' if inside => escaped = true,
            '"' => {
                after_string = inside;
                inside = !inside;
            }
            ':' if !inside && after_string => count = count.saturating_add(1),
            _ if inside || character.is_whitespace() => {}
            _ => after_string = false,
        }
    }
    count
}

fn keys_kept(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(keys_kept).sum(),
        Value::Object(entries) => entries.values().map(keys_kept).fold(entries.len(), usize::saturating_add),
        _ => 0,
    }
}

#[test]
fn s056_json_is_read_as_others_read_it_or_refused() {
    let (mut taken, mut stricter) = (0_u64, 0_u64);
    for seed in 1..=20_000_u64.saturating_mul(many()) {
        let mut random = Random::new(seed);
        let mut text = String::new();
        let nesting = random.below(60);
        if nesting > 25 {
            text.push_str(&"[".repeat(nesting));
        }
        document(&mut random, 4, &mut text);
        if nesting > 25 {
            text.push_str(&"]".repeat(nesting));
        }
        let ours = json::check(&text, Code::InvalidPayload);
        let theirs: Result<Value, _> = serde_json::from_str(&text);
        match (ours, theirs) {
            (Ok(()), Ok(tree)) => {
                taken = taken.saturating_add(1);
                assert!(depth(&tree) <= MAX_DEPTH, "seed {seed}: {text}");
                assert_eq!(keys_written(&text), keys_kept(&tree), "seed {seed}, a key was lost: {text}");
                let kept = Verbatim::parse(&text, Code::InvalidPayload).expect("what passes is kept");
                assert_eq!(kept.as_str().trim(), text.trim(), "seed {seed}");
                assert!(json::equal(&kept.value(), &tree), "seed {seed}: {text}");
            }
            (Ok(()), Err(error)) => panic!("seed {seed}: only we read {text}: {error}"),
            (Err(_), Ok(tree)) => {
                stricter = stricter.saturating_add(1);
                let why = depth(&tree) > MAX_DEPTH || keys_written(&text) > keys_kept(&tree);
                assert!(why, "seed {seed}: refused for nothing: {text}");
            }
            (Err(_), Err(_)) => {}
        }
    }
    assert!(taken > 1000 && stricter > 100, "{taken} taken, {stricter} refused by us alone: the test lost its aim");
}

/// Digits of about 2^256, and texts that look like them.
fn digits(random: &mut Random) -> String {
    let length = random.of(&[&1_usize, &2, &20, &76, &77, &78, &79, &90]);
    let mut text: String = (0..*length).map(|_| char::from_digit(small(random, 10), 10).unwrap()).collect();
    match random.below(12) {
        0 => text.insert_str(0, random.of(&["0", "+", "-", " ", "0x", "_"])),
        1 => text.push_str(random.of(&[" ", "_", ".0", "e1", "\u{ff10}", "\u{0661}"])),
        2 => text = "115792089237316195423570985008687907853269984665640564039457584007913129639935".into(),
        3 => text = "115792089237316195423570985008687907853269984665640564039457584007913129639936".into(),
        4 => text.clear(),
        _ => {}
    }
    text
}

fn small(random: &mut Random, end: usize) -> u32 {
    u32::try_from(random.below(end)).unwrap()
}

fn big(text: &str) -> Option<BigUint> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| BigUint::parse_bytes(text.as_bytes(), 10)).flatten()
}

fn limit() -> BigUint {
    BigUint::from(2_u8).pow(256)
}

#[test]
fn s049_amounts_are_the_integers_that_were_written() {
    let mut taken = 0_u64;
    for seed in 1..=20_000_u64.saturating_mul(many()) {
        let mut random = Random::new(seed);
        let text = digits(&mut random);
        // One number has one text: no zeros before it.
        let number = big(&text).filter(|number| *number < limit() && number.to_string() == text);
        let amount = Amount::parse(&text).ok();
        assert_eq!(amount.map(|amount| amount.to_string()), number.as_ref().map(BigUint::to_string), "seed {seed}");
        if let (Some(amount), Some(number)) = (amount, number) {
            taken = taken.saturating_add(1);
            assert_eq!(BigUint::from_bytes_be(&amount.to_be_bytes()), number, "seed {seed}");
            let other = Amount::parse(&(limit() >> small(&mut random, 255)).to_string()).unwrap_or(Amount::ZERO);
            let other_number = BigUint::from_bytes_be(&other.to_be_bytes());
            let sum = amount.checked_add(other).map(|sum| sum.to_string());
            let real = &number + &other_number;
            assert_eq!(sum, (real < limit()).then(|| real.to_string()), "seed {seed}");
            let difference = amount.checked_sub(other).map(|left| left.to_string());
            assert_eq!(
                difference,
                (number >= other_number).then(|| (&number - &other_number).to_string()),
                "seed {seed}"
            );
            assert_eq!(amount.cmp(&other), number.cmp(&other_number), "seed {seed}");
        }
    }
    assert!(taken > 1000, "{taken} taken: the test lost its aim");
}

#[test]
fn tokens_are_exact_decimals() {
    let mut taken = 0_u64;
    for seed in 1..=20_000_u64.saturating_mul(many()) {
        let mut random = Random::new(seed);
        let whole = digits(&mut random);
        let fraction: String = digits(&mut random).chars().take(random.below(22)).collect();
        let text = if random.below(3) == 0 { whole.clone() } else { format!("{whole}.{fraction}") };
        let decimals = u8::try_from(random.below(20)).unwrap();

        let (whole, fraction) = text.split_once('.').unwrap_or((&text, "0"));
        let scale = |exponent: usize| BigUint::from(10_u8).pow(u32::try_from(exponent).unwrap());
        let number = big(whole).zip(big(fraction)).and_then(|(high, low)| {
            let all = (high * scale(fraction.len()) + low) * scale(usize::from(decimals));
            let unit = scale(fraction.len());
            let exact = &all % &unit == BigUint::ZERO;
            Some(all / unit).filter(|number| exact && *number < limit())
        });
        let amount = Amount::parse_tokens(&text, decimals).ok();
        let said = amount.map(|amount| amount.to_string());
        assert_eq!(said, number.map(|number| number.to_string()), "seed {seed}: {text} with {decimals} decimals");
        if let Some(amount) = amount {
            taken = taken.saturating_add(1);
            assert_eq!(Amount::parse_tokens(&amount.to_tokens(decimals), decimals), Ok(amount), "seed {seed}");
        }
    }
    assert!(taken > 1000, "{taken} taken: the test lost its aim");
}

#[test]
fn s035_s036_s037_base64_has_one_text_for_one_value() {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let read = |text: &str| http::decode(text, 4096, Code::InvalidPayload).ok();
    let mut taken = 0_u64;
    for seed in 1..=20_000_u64.saturating_mul(many()) {
        let mut random = Random::new(seed);
        let value: String =
            (0..random.below(24)).map(|_| random.of(&["a", "{", "\"", "é", "\u{1f980}", "\0"])).collect();
        let text = http::encode(&value);
        assert_eq!(text, STANDARD.encode(&value), "seed {seed}");
        assert_eq!(read(&text), Some(value.clone()), "seed {seed}");

        // Any one character changed, dropped or added: another value, or none.
        let mut other = text.clone().into_bytes();
        let at = random.below(other.len());
        let usual = ALPHABET[random.below(64)];
        let letter = *random.of(&[&b'=', &b'-', &b'_', &b' ', &b'\n', &b',', &usual, &usual]);
        match random.below(3) {
            0 if at < other.len() => other[at] = letter,
            1 if at < other.len() => drop(other.remove(at)),
            _ => other.insert(at, letter),
        }
        let other = String::from_utf8(other).unwrap();
        let bare = |text: &str| String::from(text.trim_end_matches('='));
        let strict = STANDARD_NO_PAD.decode(bare(&other)).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        match read(&other) {
            Some(found) => {
                taken = taken.saturating_add(1);
                assert_eq!(Some(&found), strict.as_ref(), "seed {seed}: {other}");
                // Padding is the one freedom.
                assert_eq!(found == value, bare(&other) == bare(&text), "seed {seed}: {other} and {text}");
                assert_eq!(bare(&http::encode(&found)), bare(&other), "seed {seed}");
            }
            None => assert!(strict.is_none() || other.contains('='), "seed {seed}: refused for nothing: {other}"),
        }
    }
    assert!(taken > 1000, "{taken} taken: the test lost its aim");
    assert!(read(&"A".repeat(4097)).is_none());
}

/// Every way of writing, on texts that need escapes.
struct Written<'a>(&'a str, u64, bool);

impl Message for Written<'_> {
    fn members(&self, to: &mut Object) {
        let Self(text, number, flag) = *self;
        to.text(text, text).number("number", number).flag("flag", flag).json("json", &json::quoted(text));
        to.optional_text("some", flag.then_some(text)).optional_text("none", None);
        let inner: &[Self] = if flag { &[Self(text, number, false), Self("", 0, false)] } else { &[] };
        to.list("list", inner);
    }
}

fn expected(Written(text, number, flag): &Written<'_>) -> String {
    let text = serde_json::to_string(text).unwrap();
    let some = if *flag { format!(r#","some":{text}"#) } else { String::new() };
    let inner = [Written(&serde_json::from_str::<String>(&text).unwrap(), *number, false), Written("", 0, false)]
        .iter()
        .filter(|_| *flag)
        .map(expected)
        .collect::<Vec<_>>()
        .join(",");
    format!(r#"{{{text}:{text},"number":{number},"flag":{flag},"json":{text}{some},"list":[{inner}]}}"#)
}

#[test]
fn json_is_written_as_others_write_it() {
    for character in (0..=0x2_ffff).filter_map(char::from_u32) {
        let text = String::from(character);
        assert_eq!(json::quoted(&text), serde_json::to_string(&text).unwrap(), "{character:?}");
    }
    for seed in 1..=2_000_u64.saturating_mul(many()) {
        let mut random = Random::new(seed);
        let text: String = (0..random.below(12)).map(|_| random.of(PIECES)).collect();
        let number = *random.of(&[&0_u64, &1, &9, &10, &1_700_000_000, &u64::MAX]);
        let written = Written(&text, number, random.below(2) == 0);
        assert_eq!(written.write(), expected(&written), "seed {seed}");
    }
}
