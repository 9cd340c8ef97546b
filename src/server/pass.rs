//! Passes: what a page that was paid for is opened again with, so that a reload is not a second payment.
//!
//! A pass is a word that the gate gives out with a paid answer and knows again: `base64url(claims) "." base64url(tag)`. It is
//! bound to the payer, the host, the rule, the price and the page, or to all pages of the rule where the configuration
//! says so; it ends, and the payer's book can revoke it. It is shown in a cookie or as a bearer token, and opens what is read
//! (`GET`, `HEAD`) and nothing else.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::Deserialize;
use zeroize::Zeroizing;

use crate::error::{Code, Result};
use crate::evm::address::Address;
use crate::evm::hex;
use crate::evm::keccak::{Bytes32, keccak256_all};
use crate::ledger::record::State;
use crate::server::config::{Secrets, bearer, fault};
use crate::server::gate::{Answer, Facts, Gate, Header, same_secret};
use crate::server::offer::Listing;
use crate::transport::base64;
use crate::types::json::{Fields, object};
use crate::types::required::Offer;
use crate::types::time::UnixSeconds;

/// The header in which a request asks for a pass, `cookie` or `token`, and in which the answer says that it gave one:
/// `cookie`, or the token itself.
pub const PAYMENT_PASS: &str = "payment-pass";
/// What the names of its cookies begin with; behind it is what tells the passes of several pages apart.
pub const COOKIE: &str = "x402-pass-";
/// Seconds that a pass lasts when the configuration does not say, and at most: a book remembers what it revoked for as long.
const SECONDS: u64 = 3600;
/// The longest that a pass may last, in seconds.
pub const SECONDS_MOST: u64 = 30 * 86_400;
/// Characters of a pass, and how many cookies of one name are looked at.
const LONGEST: usize = 1024;
const MOST: usize = 8;
/// What keeps the key of passes apart from whatever else its secret is used for.
const PURPOSE: &[u8] = b"x402 gate pass 1";

/// How passes are given.
pub struct Passes {
    key: Zeroizing<Bytes32>,
    /// Seconds that one lasts.
    pub seconds: u64,
    /// What one opens.
    pub covers: Covers,
}

/// What a pass opens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Covers {
    /// The page that was paid for, with its query.
    #[default]
    Page,
    /// Every page of its rule.
    Route,
}

impl fmt::Debug for Passes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Passes({} s, {:?})", self.seconds, self.covers)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WirePasses {
    key: String,
    #[serde(default)]
    seconds: Option<u64>,
    #[serde(default)]
    covers: Covers,
}

impl WirePasses {
    /// # Errors
    /// `gate_invalid_config` when the key is in the open, missing or short, or a pass would last for ever.
    pub(super) fn check(self, secrets: Secrets<'_>) -> Result<Passes> {
        let secret = Zeroizing::new(bearer(&self.key, "paywall.pass.key", secrets)?);
        let seconds = self.seconds.unwrap_or(SECONDS);
        if !(60..=SECONDS_MOST).contains(&seconds) {
            return Err(fault("paywall.pass.seconds", "is between 60 and 2592000"));
        }
        let key = Zeroizing::new(keccak256_all(&[PURPOSE, secret.as_bytes()]));
        Ok(Passes { key, seconds, covers: self.covers })
    }
}

/// What a pass says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pass {
    /// Who paid.
    pub payer: Address,
    /// What the ledger keeps the payment under.
    pub payment: String,
    /// What it opens: see [`Passes`].
    scope: Bytes32,
    /// When its payment settled.
    pub since: UnixSeconds,
    /// When it ends.
    pub until: UnixSeconds,
}

/// A request that shows a pass which is good as far as the gate can tell; the payer's book knows whether it was revoked.
#[derive(Debug)]
pub struct Entry<'g> {
    /// The path that was priced and is forwarded.
    pub path: String,
    /// What was sold.
    pub listing: &'g Listing,
    /// The pass, and the offer it was given for.
    pub shown: Shown<'g>,
    /// The answer when it was revoked: the terms.
    pub refusal: Answer,
    /// The page that asks, if one does.
    pub page: Option<String>,
}

/// What a payer's book is asked about a pass: the payer, the payment and when it settled, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// Who paid.
    pub payer: String,
    /// What the ledger keeps the payment under.
    pub payment: String,
    /// When the payment settled, in Unix seconds.
    pub since: u64,
}

impl Pass {
    /// What its book is asked.
    pub fn doubt(&self) -> Doubt {
        Doubt { payer: self.payer.to_checksum(), payment: self.payment.clone(), since: self.since.0 }
    }
}

impl Doubt {
    /// Reads what [`Doubt::write`] wrote.
    ///
    /// # Errors
    /// `gate_internal` for text that this version did not write.
    pub fn read(text: &str) -> Result<Self> {
        let fields = Fields::read(text, Code::GateInternal)?;
        Ok(Self { payer: fields.text("payer")?, payment: fields.text("payment")?, since: fields.number("since")? })
    }

    /// As text.
    pub fn write(&self) -> String {
        object(|to| {
            to.text("payer", &self.payer).text("payment", &self.payment).number("since", self.since);
        })
    }

    /// Whether a pass still stands, by when its payment's or its payer's passes were last revoked, and by what became of
    /// the payment where that is still known: one that did not move opens nothing.
    pub fn stands(&self, revoked: Option<u64>, state: Option<State>) -> bool {
        let moved = matches!(state, None | Some(State::Settled | State::Owed));
        moved && revoked.is_none_or(|at| at < self.since)
    }
}

/// A pass that a request shows.
#[derive(Debug)]
pub struct Shown<'g> {
    /// What it says.
    pub pass: Pass,
    /// The offer that it was given for.
    pub offer: &'g Offer,
}

/// How a request carries its pass, or wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Carrier {
    Cookie,
    Token,
}

/// What a request wants of a pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    carrier: Carrier,
    scope: Bytes32,
    /// The cookie's path.
    place: String,
}

impl Passes {
    /// What a pass for a page of a listing is bound to.
    fn scope(&self, host: &str, listing: &Listing, offer: &Offer, path: &str, query: Option<&str>) -> Bytes32 {
        let page = match self.covers {
            Covers::Route => String::new(),
            Covers::Page => [path, "?", query.unwrap_or_default()].concat(),
        };
        // No part but the last may hold a line break: they come from a configuration's JSON, checked, and from a URL.
        let parts = [host, &listing.rule, offer.verbatim.as_str(), &page].join("\n");
        keccak256_all(&[parts.as_bytes()])
    }

    fn write(&self, pass: &Pass) -> String {
        let claims = object(|to| {
            to.text("payer", &pass.payer.to_checksum()).text("payment", &pass.payment);
            to.text("scope", &hex::encode(&pass.scope)).number("since", pass.since.0).number("until", pass.until.0);
        });
        let claims = base64::encode_url(claims.as_bytes());
        let tag = self.tag(&claims);
        [claims.as_str(), ".", &tag].concat()
    }

    /// Keccak's sponge makes a keyed hash of a key before the message: it has no state that an outsider could go on from.
    fn tag(&self, claims: &str) -> String {
        base64::encode_url(&keccak256_all(&[self.key.as_slice(), claims.as_bytes()]))
    }

    fn read(&self, text: &str) -> Option<Pass> {
        let (claims, tag) = text.split_once('.').filter(|_| text.len() <= LONGEST)?;
        if !same_secret(tag, &self.tag(claims)) {
            return None;
        }
        let json = base64::decode_url(claims)?;
        let fields = Fields::read(core::str::from_utf8(&json).ok()?, Code::GateInternal).ok()?;
        Some(Pass {
            payer: fields.text_as("payer", Address::parse).ok()?,
            payment: fields.text("payment").ok()?,
            scope: fields.text_as("scope", hex::decode_array).ok()?,
            since: UnixSeconds(fields.number("since").ok()?),
            until: UnixSeconds(fields.number("until").ok()?),
        })
    }
}

/// The passes for this scope that a request shows.
fn shown<'f>(facts: &Facts<'f>, scope: &Bytes32) -> impl Iterator<Item = &'f str> {
    let own = cookie_name(scope);
    let cookies = facts.cookie.unwrap_or_default().split(';').filter_map(|cookie| cookie.trim().split_once('='));
    let cookies = cookies.filter(move |(name, _)| *name == own).map(|(_, value)| value);
    let token = facts.authorization.and_then(bearer_of);
    token.into_iter().chain(cookies.take(MOST))
}

/// A `Cookie` header without passes: they are between the browser and the gate.
pub fn other_cookies(cookie: &str) -> String {
    let others = cookie.split(';').map(str::trim).filter(|one| {
        let name = one.split_once('=').map_or(*one, |(name, _)| name);
        !name.is_empty() && !name.starts_with(COOKIE)
    });
    others.collect::<Vec<_>>().join("; ")
}

impl Gate {
    /// The pass for this page that a request shows.
    pub(super) fn pass<'g>(
        &self,
        facts: &Facts<'_>,
        listing: &'g Listing,
        path: &str,
        now: UnixSeconds,
    ) -> Option<Shown<'g>> {
        let passes = self.config().passes()?;
        if !facts.reads() {
            return None;
        }
        let host = &self.config().public_origin;
        listing.offers.iter().find_map(|offer| {
            let scope = passes.scope(host, listing, offer, path, facts.query);
            shown(facts, &scope).find_map(|text| {
                let pass = passes.read(text).filter(|pass| now < pass.until && pass.scope == scope)?;
                Some(Shown { pass, offer })
            })
        })
    }

    /// What a sale's request wants of a pass, if it wants one.
    pub(super) fn wish(&self, facts: &Facts<'_>, listing: &Listing, offer: &Offer, path: &str) -> Option<Wish> {
        let (passes, carrier) = self.config().passes().zip(carrier(facts))?;
        // Version 1 has another form of the same offer.
        let network = &offer.terms.network;
        let offer = listing.offers.iter().find(|own| own.terms.network == *network).unwrap_or(offer);
        let scope = passes.scope(&self.config().public_origin, listing, offer, path, facts.query);
        // A browser holds the cookie against the path as it wrote it, and a path that would end the attribute is left out:
        // the cookie's name tells pages apart too.
        let plain = !path.contains([';', ',']) && facts.path == path;
        let place = if passes.covers == Covers::Page && plain { path.into() } else { "/".into() };
        Some(Wish { carrier, scope, place })
    }

    /// The headers that carry the pass of a payment which settled then: it lasts from then on, however often its answer is
    /// asked for. None when nobody wants one, or when it is over.
    pub(super) fn give(
        &self,
        wish: Option<&Wish>,
        payer: Address,
        payment: &str,
        settled: UnixSeconds,
        now: UnixSeconds,
    ) -> Vec<Header> {
        let Some((passes, Wish { carrier, scope, place })) = self.config().passes().zip(wish) else {
            return Vec::new();
        };
        let until = settled.plus(passes.seconds);
        if now >= until {
            return Vec::new();
        }
        let pass = Pass { payer, payment: payment.into(), scope: *scope, since: settled, until };
        let text = passes.write(&pass);
        match carrier {
            Carrier::Token => Vec::from([Header::new(PAYMENT_PASS, text)]),
            Carrier::Cookie => {
                let secure = if self.config().public_origin.starts_with("https:") { "; Secure" } else { "" };
                let seconds = crate::types::amount::decimal(until.since(now).min(passes.seconds));
                let name = cookie_name(scope);
                let cookie =
                    [&name, "=", &text, "; Path=", place, "; Max-Age=", &seconds, "; HttpOnly; SameSite=Lax", secure];
                // The cookie is the browser's; the page learns only that there is one.
                Vec::from([Header::new("set-cookie", cookie.concat()), Header::fixed(PAYMENT_PASS, "cookie")])
            }
        }
    }

    /// The headers of an answer that a pass opened.
    pub fn opened(&self, entry: &Entry<'_>) -> Vec<Header> {
        self.common(entry.page.as_deref(), "private, no-store")
    }

    /// Whether a request's bearer token is a pass, good for something or not: it is the gate's, and no origin gets it.
    pub fn is_pass(&self, authorization: &str) -> bool {
        self.config().passes().zip(bearer_of(authorization)).is_some_and(|(passes, text)| passes.read(text).is_some())
    }
}

/// What a cookie for this scope is called.
fn cookie_name(scope: &Bytes32) -> String {
    let digits = hex::encode(scope.get(..4).unwrap_or_default());
    [COOKIE, digits.trim_start_matches("0x")].concat()
}

/// The token of an `Authorization` header; the scheme's case means nothing (RFC 9110).
fn bearer_of(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn carrier(facts: &Facts<'_>) -> Option<Carrier> {
    match facts.payment_pass.filter(|_| facts.reads()) {
        Some("cookie") => Some(Carrier::Cookie),
        Some("token") => Some(Carrier::Token),
        _ => None,
    }
}
