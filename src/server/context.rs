//! The origin contract: how an origin knows that a request is paid, and how it says that one is not to be charged.
//!
//! `PAYMENT-CONTEXT` goes to the origin with a paid request: a JWT (RFC 7519) signed with Ed25519 (RFC 8037). The header's
//! name, its lifetime and the claims `iat`, `nbf`, `exp`, `aud`, `scheme` and `amount` are those of Cloudflare's
//! Monetization Gateway, so that one origin works behind either gate; `iss` and `jti` are registered claims of RFC 7519
//! that it does not send; `network`, `asset`, `payTo`, `payer`, `method` and `payment` are ours.
//!
//! `PAYMENT-SETTLEMENT` comes back from the origin: JSON `{ "amount": "…" }` or base64 of it, in atomic units. What is
//! sold at an exact price is charged whole or not at all, so two amounts mean something: the price and nothing.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::Deserialize;
use zeroize::Zeroizing;

use crate::error::{Code, Result};
use crate::evm::address::Address;
use crate::evm::hex;
use crate::server::config::{Secrets, fault, resolve};
use crate::server::gate::{Answer, Gate, Header, Sale};
use crate::server::offer::SettlePolicy;
use crate::server::pass::{Entry, Shown};
use crate::transport::base64;
use crate::types::amount::Amount;
use crate::types::json::{Fields, array, object};
use crate::types::required::Offer;
use crate::types::time::UnixSeconds;

/// The header that an origin gets with a paid request.
pub const PAYMENT_CONTEXT: &str = "payment-context";
/// The header in which an origin says what it charges.
pub const PAYMENT_SETTLEMENT: &str = "payment-settlement";
/// Seconds that a context is valid for.
const LIFETIME: u64 = 120;
/// The form of a PKCS #8 key of Ed25519 (RFC 8410) up to its 32 bytes; the version (here 0) may be 1, with the public key
/// behind.
const PKCS8: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

/// How the gate signs for its origin.
pub struct OriginContext {
    /// The private key, PKCS #8 version 0 as the Web Cryptography API takes it.
    pub pkcs8: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for OriginContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OriginContext")
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WireContext {
    key: String,
}

impl WireContext {
    /// # Errors
    /// `gate_invalid_config` when the key is in the open, missing or none.
    pub(super) fn check(self, secrets: Secrets<'_>) -> Result<OriginContext> {
        const PLACE: &str = "originContext.key";
        let text = Zeroizing::new(resolve(&self.key, PLACE, secrets)?);
        if !self.key.starts_with("secret:") {
            return Err(fault(PLACE, "names a secret: \"secret:NAME\""));
        }
        let seed =
            seed(&text).ok_or_else(|| fault(PLACE, "expected an Ed25519 key: PKCS #8, or its 32 bytes in hex"))?;
        Ok(OriginContext { pkcs8: Zeroizing::new([&PKCS8, seed.as_slice()].concat()) })
    }
}

/// The 32 bytes of a private key: in hex with or without `0x`, as PKCS #8 in PEM, or as the base64 within.
fn seed(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let text = text.trim();
    let digits = text.strip_prefix("0x").unwrap_or(text);
    // The base64 of a whole key has 64 letters too.
    let bytes = if digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        hex::decode(&["0x", digits].concat()).ok()?
    } else {
        // An environment may have put the line breaks of a PEM file in words.
        let lines = text.split("\\n").flat_map(str::lines).map(str::trim);
        let body = Zeroizing::new(lines.filter(|line| !line.starts_with("-----")).collect::<String>());
        let der = Zeroizing::new(base64::decode(&body)?);
        let (head, rest) = der.split_at_checked(PKCS8.len())?;
        let [0x30, length, 2, 1, 0 | 1, form @ ..] = head else {
            return None;
        };
        if usize::from(*length).checked_add(2)? != der.len() || Some(form) != PKCS8.get(5..) {
            return None;
        }
        rest.get(..32)?.to_vec()
    };
    (bytes.len() == 32 && bytes.iter().any(|byte| *byte != 0)).then(|| Zeroizing::new(bytes))
}

/// The public half of the key, as the edge has it from the platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// Its name: the thumbprint of RFC 7638.
    pub kid: String,
    /// Its 32 bytes in base64url.
    pub x: String,
}

/// What an origin is told of.
struct Paid<'p> {
    path: &'p str,
    offer: &'p Offer,
    payer: Address,
    payment: &'p str,
    /// Whether it was paid before, and a pass opened it again.
    pass: bool,
}

/// What an origin's answer is charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charge {
    /// The price.
    Price,
    /// Nothing; it is delivered as it is.
    Nothing,
    /// Nothing, and it is not delivered: the origin asks for another amount than was sold.
    Fault,
}

impl Gate {
    /// What the platform signs so that the origin knows that this request is paid: the JWT's header and claims. `id` is
    /// the request's, `payment` what the ledger keeps the payment under.
    pub fn context(
        &self,
        sale: &Sale<'_>,
        key: &PublicKey,
        method: &str,
        id: &str,
        payment: &str,
        now: UnixSeconds,
    ) -> String {
        let payer = sale.checked.identity().payer;
        let paid = Paid { path: &sale.path, offer: &sale.offer, payer, payment, pass: false };
        self.context_of(&paid, key, method, id, now)
    }

    /// The same for a request that a pass opened: what was paid before.
    pub fn context_of_pass(
        &self,
        entry: &Entry<'_>,
        key: &PublicKey,
        method: &str,
        id: &str,
        now: UnixSeconds,
    ) -> String {
        let Shown { pass, offer, .. } = &entry.shown;
        let paid = Paid { path: &entry.path, offer, payer: pass.payer, payment: &pass.payment, pass: true };
        self.context_of(&paid, key, method, id, now)
    }

    fn context_of(&self, paid: &Paid<'_>, key: &PublicKey, method: &str, id: &str, now: UnixSeconds) -> String {
        let terms = &paid.offer.terms;
        let asset = Address::parse(&terms.asset).map_or_else(|_| terms.asset.clone(), Address::to_checksum);
        let header = object(|to| {
            to.text("alg", "EdDSA").text("kid", &key.kid).text("typ", "JWT");
        });
        let claims = object(|to| {
            to.text("iss", &self.config().public_origin).text("aud", &self.url(paid.path));
            to.number("iat", now.0).number("nbf", now.0).number("exp", now.plus(LIFETIME).0).text("jti", id);
            to.text("scheme", &terms.scheme).text("amount", &terms.amount.text());
            to.text("network", terms.network.as_str()).text("asset", &asset);
            to.text("payTo", &terms.pay_to).text("payer", &paid.payer.to_checksum());
            to.text("method", method).text("payment", paid.payment);
            if paid.pass {
                to.flag("pass", true);
            }
        });
        [part(&header), part(&claims)].join(".")
    }

    /// The whole `PAYMENT-CONTEXT`: what was signed, and the signature.
    pub fn signed_context(input: &str, signature: &[u8]) -> String {
        [input, &base64::encode_url(signature)].join(".")
    }

    /// The answer that publishes the key: a JWK set (RFC 7517, RFC 8037).
    pub fn keys(&self, key: &PublicKey, page: Option<&str>) -> Answer {
        let jwk = object(|to| {
            to.text("kty", "OKP").text("crv", "Ed25519").text("use", "sig").text("alg", "EdDSA");
            to.text("kid", &key.kid).text("x", &key.x);
        });
        let mut headers = self.config().cors.headers(page);
        headers.push(Header::fixed("cache-control", "public, max-age=300"));
        headers.push(Header::fixed("content-type", "application/jwk-set+json"));
        let body = object(|to| {
            to.json("keys", &array([jwk]));
        });
        Answer { status: 200, headers, body, code: None, prepared: None }
    }

    /// What is charged for an origin's answer with this status and `PAYMENT-SETTLEMENT`, and what the owner should hear
    /// about it. Only a success is charged. Money that moved before the origin was asked has moved: then the header
    /// changes nothing.
    pub fn charge(sale: &Sale<'_>, status: u16, settlement: Option<&str>) -> (Charge, Option<Code>) {
        let Some(settlement) = settlement.filter(|_| Self::charges(status)) else {
            return (if Self::charges(status) { Charge::Price } else { Charge::Nothing }, None);
        };
        let amount = amount_of(settlement);
        if amount == Some(sale.checked.amount()) {
            return (Charge::Price, None);
        }
        match (sale.listing.settle == SettlePolicy::Before, amount) {
            (true, _) => (Charge::Price, Some(Code::GateOriginSettlement)),
            (false, Some(Amount::ZERO)) => (Charge::Nothing, None),
            (false, _) => (Charge::Fault, Some(Code::GateOriginSettlement)),
        }
    }
}

/// The amount that an origin asks for; none if that cannot be read.
fn amount_of(header: &str) -> Option<Amount> {
    const CODE: Code = Code::GateOriginSettlement;
    let header = header.trim();
    let decoded;
    let text = if header.starts_with('{') {
        header
    } else {
        decoded = base64::decode(header)?;
        core::str::from_utf8(&decoded).ok()?
    };
    let fields = Fields::read(text, CODE).ok()?;
    let amount = fields.verbatim("amount").ok()?;
    // A number may stand for the string: of whole units only.
    let digits = fields.text("amount").unwrap_or_else(|_| amount.as_str().into());
    Amount::parse(&digits).ok()
}

fn part(text: &str) -> String {
    base64::encode_url(text.as_bytes())
}
