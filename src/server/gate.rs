//! The gate's walk through a request: from its facts to what happens next, and from what happened to the answer.
//!
//! ```text
//! admit(facts) ─► Answer                     nothing more to do
//!              ├► Forward                    free: to the origin as it is
//!              ├► Facilitator                an endpoint of the facilitator API
//!              ├► Own                        an endpoint of the gate's own
//!              ├► Enter                      a pass: to the origin, unless its book has revoked it
//!              └► Pay(Sale) ─ verify ─ origin ─ charges(status)? ─ settle ─► delivered │ unsettled │ pending
//! ```

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::error::{Code, Result};
use crate::evm::keccak::keccak256;
use crate::extension::payment_identifier;
use crate::facilitator::{self, Checked};
use crate::ledger::alarm::KEEP;
use crate::server::answers::{said, status_of};
use crate::server::config::{Config, NetworkConfig, Unmatched};
use crate::server::context::{PAYMENT_CONTEXT, PAYMENT_SETTLEMENT};
use crate::server::matching;
use crate::server::offer::{Challenge, Identifier, Listing};
use crate::server::ops::{self, Own};
use crate::server::pass::{Entry, PAYMENT_PASS, Wish};
use crate::server::path;
use crate::server::rule::Route;
use crate::transport::http;
use crate::types::payload::PaymentPayload;
use crate::types::required::{Offer, Version};
use crate::types::time::UnixSeconds;

/// A response header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Its name, in lower case.
    pub name: &'static str,
    /// Its value.
    pub value: Cow<'static, str>,
}

impl Header {
    /// A header.
    pub fn new(name: &'static str, value: impl Into<String>) -> Self {
        Self { name, value: Cow::Owned(value.into()) }
    }

    pub(super) const fn fixed(name: &'static str, value: &'static str) -> Self {
        Self { name, value: Cow::Borrowed(value) }
    }
}

/// A whole answer of the gate's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: Vec<Header>,
    /// The body; JSON where it is not empty.
    pub body: String,
    /// Why, for the log; none for the answer to a preflight.
    pub code: Option<Code>,
    /// Answers of one number are equal for as long as the gate lives: an edge may keep its own form of them.
    pub prepared: Option<usize>,
}

/// What the edge knows of a request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts<'a> {
    /// The method, as sent.
    pub method: &'a str,
    /// The path, raw: from the slash to the `?`.
    pub path: &'a str,
    /// The query, raw: what follows the `?`.
    pub query: Option<&'a str>,
    /// Another reading of the path: its [`path::beyond_ascii`] text in Unicode normal form NFKC.
    pub folded: Option<&'a str>,
    /// `PAYMENT-SIGNATURE`.
    pub payment_signature: Option<&'a str>,
    /// `X-PAYMENT`.
    pub x_payment: Option<&'a str>,
    /// `Origin`.
    pub origin: Option<&'a str>,
    /// `Access-Control-Request-Headers`.
    pub requested_headers: Option<&'a str>,
    /// `Authorization`.
    pub authorization: Option<&'a str>,
    /// `Upgrade`.
    pub upgrade: Option<&'a str>,
    /// `Idempotency-Key`.
    pub idempotency_key: Option<&'a str>,
    /// `Cookie`.
    pub cookie: Option<&'a str>,
    /// `PAYMENT-PASS`.
    pub payment_pass: Option<&'a str>,
    /// A word that nobody guesses, where a page is asked for (`Accept` names `text/html`).
    pub page_nonce: Option<&'a str>,
}

impl Facts<'_> {
    /// Whether the method only reads.
    pub(super) fn reads(&self) -> bool {
        matches!(self.method, "GET" | "HEAD")
    }
}

/// What happens next.
#[derive(Debug)]
pub enum Step<'g> {
    /// This answer, at once.
    Answer(Answer),
    /// The origin is asked for this path, and its answer delivered as it is.
    Forward(String),
    /// The facilitator API is asked.
    Facilitator(Endpoint),
    /// Something of the gate's own is asked for; who asks may have it.
    Own(Own),
    /// The request carries a payment that passed every local check.
    Pay(Box<Sale<'g>>),
    /// The request shows a pass for what was paid before.
    Enter(Box<Entry<'g>>),
}

/// An endpoint of the facilitator API; the caller has shown the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `POST /verify`.
    Verify,
    /// `POST /settle`.
    Settle,
    /// `GET /supported`.
    Supported,
}

/// A payment on its way through the gate.
#[derive(Debug)]
pub struct Sale<'g> {
    /// The path that was priced and is forwarded.
    pub path: String,
    /// What is sold.
    pub listing: &'g Listing,
    /// The offer it accepts.
    pub offer: Cow<'g, Offer>,
    /// Whether that is none of the listing's: it may have been before the configuration changed. Such a payment gets what
    /// it bought then, and buys nothing.
    pub earlier: bool,
    /// Where it is paid.
    pub network: &'g NetworkConfig,
    /// The payment, as it came.
    pub payment: PaymentPayload,
    /// The payment, checked.
    pub checked: Checked,
    /// Whether the authorization has ended, but for what it bought before.
    pub late: bool,
    /// What the payer calls this purchase, if it has a name: by a payment identifier, else by an idempotency key.
    pub name: Option<String>,
    /// Whether the request was `HEAD`.
    pub head: bool,
    /// The page that asks, if one does.
    pub page: Option<String>,
    /// What it wants of a pass, if it wants one.
    pub wish: Option<Wish>,
    /// When it was admitted.
    pub at: UnixSeconds,
}

/// A configuration, and the 402s that can be written before anybody asks.
#[derive(Debug)]
pub struct Gate {
    config: Config,
    prepared: Vec<Option<Challenge>>,
}

/// Request headers that are not forwarded: payments, and what would claim to come from the gate or a proxy.
pub const STRIPPED_FROM_REQUEST: &[&str] = &[
    http::PAYMENT_SIGNATURE,
    http::X_PAYMENT,
    http::PAYMENT_REQUIRED,
    http::PAYMENT_RESPONSE,
    http::X_PAYMENT_RESPONSE,
    PAYMENT_CONTEXT,
    PAYMENT_SETTLEMENT,
    PAYMENT_PASS,
    "settlement-overrides",
    "sign-in-with-x",
    "access-control-expose-headers",
    "x-original-url",
    "x-rewrite-url",
    "x-forwarded-prefix",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-http-method-override",
    "x-method-override",
    "x-http-method",
    "forwarded",
    "x-gate-verified",
    "x-payer",
];

/// Response headers of an origin that are not delivered: they are the gate's to send.
pub const STRIPPED_FROM_RESPONSE: &[&str] = &[
    http::PAYMENT_REQUIRED,
    http::PAYMENT_RESPONSE,
    http::X_PAYMENT_RESPONSE,
    PAYMENT_CONTEXT,
    PAYMENT_SETTLEMENT,
    PAYMENT_PASS,
    "settlement-overrides",
    "extension-responses",
];

/// Characters of an `Idempotency-Key` at most.
const MAX_KEY: usize = 255;

const VARY: &str = "PAYMENT-SIGNATURE, X-PAYMENT";
const VARY_ORIGIN: &str = "PAYMENT-SIGNATURE, X-PAYMENT, Origin";

impl Gate {
    /// Prepares a gate.
    ///
    /// # Errors
    /// None for a configuration that was read.
    pub fn new(config: Config) -> Result<Self> {
        let prepared = config.routes.iter().map(|route| prepare(&config, route)).collect::<Result<Vec<_>>>()?;
        Ok(Self { config, prepared })
    }

    /// The configuration.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Decides what happens to a request.
    pub fn admit(&self, facts: &Facts<'_>, now: UnixSeconds) -> Step<'_> {
        self.step(facts, now).unwrap_or_else(|error| Step::Answer(self.failure(error.code(), facts.origin)))
    }

    fn step(&self, facts: &Facts<'_>, now: UnixSeconds) -> Result<Step<'_>> {
        if let Some(step) = self.facilitator_step(facts) {
            return step;
        }
        let path = path::canonical(facts.path)?;
        if let Some(own) = ops::own_path(&path) {
            return self.own_step(own, facts);
        }
        let fitting = || self.config.routes.iter().enumerate().filter(|(_, route)| route.pattern.matches(&path));
        let sold_here = fitting().any(|(_, route)| route.listing.is_some());
        if facts.method == "OPTIONS" && sold_here {
            return Ok(Step::Answer(self.preflight(facts, &path)));
        }
        let refused = facts.method == "TRACE" || facts.method == "CONNECT";
        let found = fitting().find(|(_, route)| !refused && route.pattern.takes(facts.method));
        let (index, route) = match found {
            Some(found) => found,
            None if sold_here => return Ok(Step::Answer(self.not_allowed(facts, &path))),
            None => {
                self.refuse_ambiguous(&path, facts, None)?;
                return match self.config.default {
                    Unmatched::Free => Ok(Step::Forward(path)),
                    Unmatched::Deny => Err(Code::GateNotFound.into()),
                };
            }
        };
        self.refuse_ambiguous(&path, facts, Some(index))?;
        let Some(listing) = &route.listing else {
            return Ok(Step::Forward(path));
        };
        let head = facts.method == "HEAD";
        let terms = |code| {
            let answer = self.challenge(index, listing, &path, code, head, facts.origin)?;
            self.as_page(answer, listing, facts, &path, now)
        };
        let Some((header, version)) = self.payment_of(facts)? else {
            let refusal = terms(Code::PaymentRequired)?;
            let Some(shown) = self.pass(facts, listing, &path, now).filter(|_| facts.upgrade.is_none()) else {
                return Ok(Step::Answer(refusal));
            };
            let page = facts.origin.map(String::from);
            return Ok(Step::Enter(Box::new(Entry { path, listing, shown, refusal, page })));
        };
        if facts.upgrade.is_some() {
            return Err(Code::GateUpgradeRefused.into());
        }
        match self.sale(facts, now, listing, path.clone(), http::read_payment(header, version)?) {
            Ok(sale) => Ok(Step::Pay(Box::new(sale))),
            Err(error) if status_of(error.code()) == 402 => Ok(Step::Answer(terms(error.code())?)),
            Err(error) => Err(error),
        }
    }

    fn sale<'g>(
        &'g self,
        facts: &Facts<'_>,
        now: UnixSeconds,
        listing: &'g Listing,
        path: String,
        payment: PaymentPayload,
    ) -> Result<Sale<'g>> {
        let (offer, refused) = match matching::accepted(listing, &payment) {
            Ok(offer) => {
                matching::extensions(listing, &payment)?;
                (Cow::Borrowed(offer), None)
            }
            Err(error) => match matching::earlier(&payment) {
                Some(offer) if error.code() == Code::NoMatchingRequirements => (Cow::Owned(offer), Some(error)),
                _ => return Err(error),
            },
        };
        let (checked, late, network) = match (self.checked(&payment, &offer, now), &refused) {
            (Ok(found), _) => found,
            // Terms that were never offered may be anything.
            (Err(_), Some(refused)) => return Err(refused.clone()),
            (Err(error), None) => return Err(error),
        };
        let page = facts.origin.map(String::from);
        let name = name(facts, &payment)?;
        if name.is_none() && listing.identifier == Identifier::Required {
            return Err(Code::GateIdentifierRequired.into());
        }
        let earlier = refused.is_some();
        // A pass is for the price of today.
        let wish = if earlier { None } else { self.wish(facts, listing, &offer, &path) };
        let (late, head, at) = (late || earlier, facts.method == "HEAD", now);
        Ok(Sale { path, listing, offer, earlier, network, payment, checked, late, name, head, page, wish, at })
    }

    /// A payment that is good under an offer as far as the gate can tell, and whether its authorization has ended: the book
    /// knows what such a one is still worth, which is nothing unless it was used here.
    fn checked(
        &self,
        payment: &PaymentPayload,
        offer: &Offer,
        now: UnixSeconds,
    ) -> Result<(Checked, bool, &NetworkConfig)> {
        let network = self.config.network(&offer.terms.network)?;
        let found = facilitator::check_late(payment, offer, now, &network.rules);
        let (checked, late) = found.map_err(|refusal| refusal.error)?;
        if now > checked.expires().plus(KEEP) {
            return Err(Code::ExactEvmValidBefore.into());
        }
        Ok((checked, late, network))
    }

    /// The body that asks another facilitator about a sale. Version 1 names the resource in its terms.
    ///
    /// # Errors
    /// None for a sale of this gate.
    pub fn facilitator_request(&self, sale: &Sale<'_>) -> Result<String> {
        let v1 = match sale.payment.version() {
            Version::V2 => None,
            Version::V1 => {
                let network = &sale.offer.terms.network;
                let offer = sale.listing.offers.iter().find(|offer| offer.terms.network == *network);
                let url = self.url(&sale.path);
                offer.map(|offer| sale.listing.offer_v1(offer, &url)).transpose()?.flatten()
            }
        };
        facilitator::write_request(&sale.payment, v1.as_ref().unwrap_or(&sale.offer))
    }

    /// The payment header of a request, if it has one.
    fn payment_of<'f>(&self, facts: &Facts<'f>) -> Result<Option<(&'f str, Version)>> {
        let given = |header: Option<&'f str>| header.map(str::trim).filter(|value| !value.is_empty());
        let v1 = given(facts.x_payment).filter(|_| self.config.v1);
        match (given(facts.payment_signature), v1) {
            (Some(_), Some(_)) => Err(Code::GateTwoPayments.into()),
            (Some(header), None) => Ok(Some((header, Version::V2))),
            (None, Some(header)) => Ok(Some((header, Version::V1))),
            (None, None) => Ok(None),
        }
    }

    /// Refuses a path that an origin might read as one that another rule sells. `found` is the rule that speaks for it.
    fn refuse_ambiguous(&self, path: &str, facts: &Facts<'_>, found: Option<usize>) -> Result<()> {
        let own = found.and_then(|index| self.config.routes.get(index)).map(|route| &route.pattern);
        if own.is_some_and(|own| own.literal().is_some()) {
            return Ok(());
        }
        let mut readings = path::readings(path);
        readings.extend(facts.folded.iter().flat_map(|folded| path::readings(folded)));
        // A hidden climb may end anywhere.
        let sells = self.config.routes.iter().any(|route| route.listing.is_some());
        if sells && readings.iter().any(|reading| reading.climbs) {
            return Err(Code::GateAmbiguousPath.into());
        }
        for (index, route) in self.config.routes.iter().enumerate() {
            let other = &route.pattern;
            if route.listing.is_none() || own.is_some_and(|own| own.is_beside(other)) {
                continue;
            }
            // Where every origin reads the rule's own path, the order of the rules has decided.
            let first = found.is_some_and(|found| found < index) || !other.takes(facts.method);
            let decided = |reading| first && own.is_some_and(|own| own.must_match(reading));
            // What no rule speaks for is not free under a path that is sold.
            // A rule for everything does not speak for what lies below a sold path any more than no rule does.
            let below = |reading| own.is_none_or(|own| own.is_wider(other)) && other.might_be_above(reading);
            if readings.iter().any(|reading| (other.might_match(reading) && !decided(reading)) || below(reading)) {
                return Err(Code::GateAmbiguousPath.into());
            }
        }
        Ok(())
    }

    fn facilitator_step(&self, facts: &Facts<'_>) -> Option<Result<Step<'_>>> {
        let api = self.config.facilitator_api.as_ref()?;
        let endpoint = facts.path.strip_prefix(api.prefix.as_str())?;
        let (endpoint, method) = match endpoint {
            "/verify" => (Endpoint::Verify, "POST"),
            "/settle" => (Endpoint::Settle, "POST"),
            "/supported" => (Endpoint::Supported, "GET"),
            _ => return None,
        };
        if !shows(facts, &api.token) {
            return Some(Err(Code::FacilitatorUnauthorized.into()));
        }
        Some(if facts.method == method {
            Ok(Step::Facilitator(endpoint))
        } else {
            Err(Code::GateMethodNotAllowed.into())
        })
    }

    pub(super) fn url(&self, path: &str) -> String {
        [self.config.public_origin.as_str(), path].concat()
    }

    fn challenge(
        &self,
        index: usize,
        listing: &Listing,
        path: &str,
        code: Code,
        head: bool,
        page: Option<&str>,
    ) -> Result<Answer> {
        let prepared = self.prepared.get(index).and_then(Option::as_ref).filter(|_| code == Code::PaymentRequired);
        let challenge = match prepared {
            Some(challenge) => challenge.clone(),
            None => listing.challenge(&self.url(path), code.as_str(), self.config.v1)?,
        };
        let mut answer = self.terms(challenge, code, head, page);
        if prepared.is_some() && !self.config.cors.varies() {
            answer.prepared = Some(index.saturating_mul(2).saturating_add(usize::from(head)));
        }
        Ok(answer)
    }

    pub(super) fn terms(&self, challenge: Challenge, code: Code, head: bool, page: Option<&str>) -> Answer {
        let mut answer = self.answer(402, code, page);
        answer.headers.push(Header::new(http::PAYMENT_REQUIRED, challenge.header));
        answer.headers.push(Header::fixed("content-type", "application/json"));
        if !head {
            answer.body = challenge.body;
        }
        answer
    }

    fn preflight(&self, facts: &Facts<'_>, path: &str) -> Answer {
        let methods = self.methods(path).join(", ");
        let mut headers = self.config.cors.preflight(facts.origin, &methods, facts.requested_headers);
        headers.push(Header::new("allow", methods));
        headers.push(Header::fixed("cache-control", "no-store"));
        headers.push(Header::fixed("vary", "Origin, Access-Control-Request-Headers"));
        Answer { status: 204, headers, body: String::new(), code: None, prepared: None }
    }

    fn not_allowed(&self, facts: &Facts<'_>, path: &str) -> Answer {
        let mut answer = self.failure(Code::GateMethodNotAllowed, facts.origin);
        answer.headers.push(Header::new("allow", self.methods(path).join(", ")));
        answer
    }

    /// The methods the rules for this path speak for.
    fn methods(&self, path: &str) -> Vec<String> {
        let mut methods: Vec<String> = Vec::new();
        for route in self.config.routes.iter().filter(|route| route.pattern.matches(path)) {
            match route.pattern.method.as_deref() {
                Some("GET") => methods.extend(["GET".into(), "HEAD".into()]),
                Some(method) => methods.push(method.into()),
                None => methods.extend(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"].map(String::from)),
            }
        }
        methods.push("OPTIONS".into());
        methods.sort();
        methods.dedup();
        methods
    }

    pub(super) fn said(&self, status: u16, code: Code, page: Option<&str>) -> Answer {
        let mut answer = self.answer(status, code, page);
        answer.headers.push(Header::fixed("content-type", "application/json"));
        answer.body = said(code);
        answer
    }

    fn answer(&self, status: u16, code: Code, page: Option<&str>) -> Answer {
        let headers = self.common(page, "no-store");
        Answer { status, headers, body: String::new(), code: Some(code), prepared: None }
    }

    pub(super) fn common(&self, page: Option<&str>, cache: &'static str) -> Vec<Header> {
        let mut headers = self.config.cors.headers(page);
        headers.push(Header::fixed("cache-control", cache));
        headers.push(Header::fixed("vary", if self.config.cors.varies() { VARY_ORIGIN } else { VARY }));
        headers
    }
}

/// What a payer calls a purchase.
fn name(facts: &Facts<'_>, payment: &PaymentPayload) -> Result<Option<String>> {
    let extensions = match payment {
        PaymentPayload::V2(payment) => payment.extensions.as_ref(),
        PaymentPayload::V1(_) => None,
    };
    if let Some(id) = payment_identifier::id(extensions)? {
        return Ok(Some(["id:", &id].concat()));
    }
    match facts.idempotency_key {
        None => Ok(None),
        Some(key) if (1..=MAX_KEY).contains(&key.len()) => Ok(Some(["key:", key].concat())),
        Some(_) => Err(Code::GateInvalidIdentifier.into()),
    }
}

fn prepare(config: &Config, route: &Route) -> Result<Option<Challenge>> {
    match (&route.listing, route.pattern.literal()) {
        (Some(listing), Some(path)) => {
            let url = format!("{}{path}", config.public_origin);
            listing.challenge(&url, Code::PaymentRequired.as_str(), config.v1).map(Some)
        }
        _ => Ok(None),
    }
}

/// Whether a request shows this bearer token.
pub(super) fn shows(facts: &Facts<'_>, token: &str) -> bool {
    let shown = facts.authorization.and_then(|value| value.strip_prefix("Bearer "));
    shown.is_some_and(|shown| same_secret(shown, token))
}

/// Compares secrets by their hashes, so that the time it takes says nothing about how much of one was right.
pub fn same_secret(shown: &str, known: &str) -> bool {
    keccak256(shown.as_bytes()) == keccak256(known.as_bytes())
}
