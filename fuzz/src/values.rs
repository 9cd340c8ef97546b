//! `price` and `signature`: the small decoders everything else stands on.

use x402_core::client::policy::Policy;
use x402_core::evm::address::Address;
use x402_core::evm::hex;
use x402_core::evm::signature::{SecretKey, Signature};
use x402_core::server::price::Price;
use x402_core::types::amount::Amount;
use x402_core::types::asset::ASSETS;
use x402_core::types::network::Network;

use super::{Bytes, digits};

/// Input: a byte that chooses the reader, a byte of decimals, then the text.
pub fn price(data: &[u8]) -> bool {
    let mut bytes = Bytes(data);
    let (choice, decimals) = (bytes.byte(), bytes.byte());
    let text = bytes.text();
    match choice % 4 {
        0 => {
            let wanted = digits::is_digits(&text) && digits::plain(&text) == text && digits::atomic(&text, 0).is_some();
            let read = Amount::parse(&text);
            assert_eq!(read.is_ok(), wanted, "{text:?}");
            if let Ok(amount) = read {
                assert_eq!(amount.to_string(), text);
                assert_eq!(digits::from_be_bytes(&amount.to_be_bytes()), text);
                assert_eq!(Amount::from_be_bytes(&amount.to_be_bytes()), amount);
                assert_eq!(amount.to_u64().map(|small| small.to_string()), text.parse::<u64>().ok().map(|_| text));
            }
            read.is_ok()
        }
        1 => {
            let read = Amount::parse_tokens(&text, decimals).ok();
            assert_eq!(read.map(|amount| amount.to_string()), digits::atomic(&text, decimals), "{text:?} {decimals}");
            if let Some(amount) = read {
                let tokens = amount.to_tokens(decimals);
                assert_eq!(Amount::parse_tokens(&tokens, decimals), Ok(amount));
                assert!(!tokens.contains('.') || !tokens.ends_with(['0', '.']));
            }
            read.is_some()
        }
        2 => {
            let Ok(price) = serde_json::from_str::<Price>(&text) else { return false };
            ASSETS.iter().filter(|asset| on(&price, &Network::evm(asset.chain_id))).count() > 0
        }
        _ => cap(&text),
    }
}

/// What a price means is the number that was written, or nothing.
fn on(price: &Price, network: &Network) -> bool {
    let wanted = match price {
        Price::Money(text) => plain_money(text).zip(ASSETS.iter().find(|a| Some(a.chain_id) == network.evm_chain_id())),
        Price::Atomic(_) => None,
    };
    let Ok(found) = price.on(network) else {
        if let Some((number, asset)) = wanted
            && digits::atomic(number, asset.decimals).is_some_and(|amount| amount != "0")
        {
            assert!(asset.method != x402_core::types::asset::TransferMethod::Eip3009, "{price:?} on {network}");
        }
        return false;
    };
    assert!(!found.amount.is_zero());
    let address = Address::parse(&found.asset).unwrap();
    match price {
        Price::Money(text) => {
            let number: String =
                text.chars().skip_while(|c| !c.is_ascii_digit()).take_while(|c| !c.is_whitespace()).collect();
            let asset = ASSETS.iter().find(|a| Some(a.chain_id) == network.evm_chain_id() && a.address == found.asset);
            let asset = asset.expect("money is a known asset's");
            assert_eq!(digits::atomic(&number, asset.decimals), Some(found.amount.to_string()), "{text:?}");
            assert_eq!((found.name.as_str(), found.version.as_str()), (asset.name, asset.version));
        }
        Price::Atomic(atomic) => {
            assert_eq!(atomic.amount, found.amount);
            assert!(atomic.asset.is_none_or(|asset| asset == address));
        }
    }
    true
}

/// The number of the form everybody writes: `$1.50`.
fn plain_money(text: &str) -> Option<&str> {
    let number = text.strip_prefix('$')?;
    digits::atomic(number, 18).map(|_| number)
}

/// A cap is never more than was written.
fn cap(text: &str) -> bool {
    let policy = serde_json::json!({ "maxPerPayment": text }).to_string();
    let Ok(policy) = Policy::read(&policy) else { return false };
    let number = text.trim().trim_start_matches('$').trim_start();
    let exact = digits::atomic(number, 18).expect("a cap is a number");
    assert_eq!(policy.max_per_payment.to_string(), exact);
    for asset in ASSETS {
        let Some(token) = policy.token(&Network::evm(asset.chain_id), asset.address) else { continue };
        // The last amount below the cap, and the first above it.
        let kept = exact.len().saturating_sub(usize::from(18 - asset.decimals));
        let last = Amount::parse(exact.get(..kept).filter(|digits| !digits.is_empty()).unwrap_or("0")).unwrap();
        assert!(token.scaled(last).is_some_and(|price| policy.cap(&token, price).is_ok()), "{text:?}");
        let Some(next) = last.checked_add(1_u64.into()) else { continue };
        assert!(token.scaled(next).is_none_or(|price| policy.cap(&token, price).is_err()), "{text:?}");
    }
    true
}

const ORDER: &str = "0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
const HALF: &str = "0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0";

/// Input: a byte that chooses; then a digest and a signature, a key's text and a digest, or text for the hex readers.
pub fn signature(data: &[u8]) -> bool {
    let mut bytes = Bytes(data);
    match bytes.byte() % 3 {
        0 => {
            let digest = bytes.array();
            parsed(bytes.0, &digest)
        }
        1 => {
            let digest = bytes.array();
            let Ok(key) = SecretKey::parse(&bytes.text()) else { return false };
            let signature = key.sign(&digest);
            assert_eq!(signature.recover(&digest), Ok(key.address()));
            assert!(format!("{key:?}").contains(&key.address().to_checksum()));
            parsed(&signature.to_bytes(), &digest)
        }
        _ => texts(&bytes.text()),
    }
}

fn parsed(bytes: &[u8], digest: &[u8; 32]) -> bool {
    let Ok(signature) = Signature::parse(bytes) else { return false };
    let [order, half] = [ORDER, HALF].map(|text| hex::decode_array::<32>(text).unwrap());
    let (r, s) = (signature.r(), signature.s());
    assert!(r != [0; 32] && s != [0; 32] && r < order && s <= half, "both scalars in range, s low");
    let canonical = signature.to_bytes();
    assert!(canonical[64] == 27 || canonical[64] == 28);
    assert_eq!(Signature::parse(&canonical).ok(), Some(signature));
    if bytes.len() == 65 {
        assert_eq!(bytes[..64], canonical[..64]);
        assert_eq!(bytes[64] % 27, canonical[64] % 27);
    }
    let compact = compact(&canonical);
    assert_eq!(Signature::parse(&compact).ok(), Some(signature));
    if bytes.len() == 64 {
        assert_eq!(bytes, compact);
    }

    // The same signature in its other form, (r, n - s, v ^ 1), is not read.
    let mut other = canonical;
    other[32..64].copy_from_slice(&minus(&order, &s));
    other[64] = 55 - canonical[64];
    assert!(Signature::parse(&other).is_err());

    let signer = signature.recover(digest);
    assert_eq!(signer, signature.recover(digest));
    if let Ok(signer) = signer {
        let mut flipped = canonical;
        flipped[64] = 55 - canonical[64];
        assert_ne!(Signature::parse(&flipped).unwrap().recover(digest), Ok(signer));
        assert_ne!(signer, Address::ZERO);
    }
    true
}

fn compact(canonical: &[u8; 65]) -> [u8; 64] {
    let mut out = [0; 64];
    out.copy_from_slice(&canonical[..64]);
    out[32] |= (canonical[64] - 27) << 7;
    out
}

fn minus(a: &[u8; 32], b: &[u8; 32]) -> [u8; 32] {
    let mut out = [0; 32];
    let mut borrow = 0;
    for at in (0..32).rev() {
        let difference = i32::from(a[at]) - i32::from(b[at]) - borrow;
        borrow = i32::from(difference < 0);
        out[at] = (difference & 0xff) as u8;
    }
    out
}

fn texts(text: &str) -> bool {
    let mut read = false;
    if let Ok(bytes) = hex::decode(text) {
        assert_eq!(hex::encode(&bytes), text.to_ascii_lowercase());
        read = true;
    }
    if let Ok(address) = Address::parse(text) {
        assert_eq!(text.len(), 42);
        assert_eq!(address.to_checksum().to_lowercase(), text.to_lowercase());
        assert!(text == address.to_checksum() || text == text.to_lowercase());
        assert_eq!(Address::from_word(&address.to_word()), Some(address));
    }
    if let Ok(network) = Network::parse(text) {
        assert_eq!(network.as_str(), text);
        read = true;
        if let Some(id) = network.evm_chain_id() {
            assert_eq!(Network::evm(id), network);
        }
        if let Some(name) = network.v1_name() {
            assert_eq!(Network::from_v1_name(name), Ok(network));
        }
    }
    read
}
