//! The paywall: what a browser is answered that asks for a paid page. It is one page with all it needs in it: the price, who
//! is paid, the wallets the browser has, and a way to the content once it is paid for. It asks nobody but the gate and the
//! wallet.
//!
//! The page holds the documents that a wallet signs, written here: its script fills in who pays, when, and a random number.

mod words;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use serde::Deserialize;

use crate::error::{Code, Result};
use crate::evm::address::Address;
use crate::evm::eip3009::Authorization;
use crate::scheme::exact::evm::Terms;
use crate::server::chain::Chain;
use crate::server::config::{Config, Secrets, fault, in_order};
use crate::server::gate::{Answer, Facts, Gate, Header};
use crate::server::offer::{Listing, SettlePolicy};
use crate::server::pass::{Passes, WirePasses};
use crate::server::paywall::words::WORDS;
use crate::types::amount::Amount;
use crate::types::asset;
use crate::types::json::{Message, array, object};
use crate::types::network::Network;
use crate::types::required::Offer;
use crate::types::time::UnixSeconds;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Bytes of a logo: the whole page stays below 60 kB.
const LOGO_MOST: usize = 24 * 1024;
/// Bytes of a text.
const TEXT_MOST: usize = 2000;
/// The accent on light and on dark ground when the configuration does not say.
const ACCENTS: [&str; 2] = ["#0b6b4b", "#5cd3a3"];

/// How a paywall looks, and the passes it gives.
pub struct Paywall {
    /// The passes.
    pub pass: Passes,
    title: String,
    text: String,
    logo: String,
    accents: [String; 2],
    lang: String,
    dir: Direction,
    words: Vec<(String, String)>,
}

impl fmt::Debug for Paywall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Paywall({:?}, {}, {:?})", self.pass, self.lang, self.dir)
    }
}

/// Which way a language is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Direction {
    #[default]
    Ltr,
    Rtl,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct WirePaywall {
    pass: WirePasses,
    #[serde(default)]
    title: String,
    #[serde(default)]
    text: String,
    #[serde(default)]
    logo: String,
    #[serde(default)]
    accent: Option<String>,
    #[serde(default)]
    accent_dark: Option<String>,
    #[serde(default)]
    lang: Option<String>,
    #[serde(default)]
    dir: Direction,
    #[serde(default, deserialize_with = "in_order")]
    words: Vec<(String, String)>,
}

impl WirePaywall {
    /// # Errors
    /// `gate_invalid_config` with the place and the fault.
    pub(crate) fn check(self, secrets: Secrets<'_>) -> Result<Paywall> {
        for (place, text) in [("paywall.title", &self.title), ("paywall.text", &self.text)] {
            if text.len() > TEXT_MOST {
                return Err(fault(place, "is at most 2000 bytes long"));
            }
        }
        let image = |text: &str| {
            let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=;,:%.-_~()!*'".contains(&byte);
            text.starts_with("data:image/") && text.len() <= LOGO_MOST && text.bytes().all(letter)
        };
        if !self.logo.is_empty() && !image(&self.logo) {
            return Err(fault("paywall.logo", "expected a data:image/ URL of at most 24 kB: the page asks nobody"));
        }
        let colour = |own: &Option<String>, default: &str| match own {
            None => Ok(default.to_string()),
            Some(text) if is_colour(text) => Ok(text.clone()),
            Some(_) => Err(fault("paywall.accent", "expected a colour such as #0b6b4b")),
        };
        let [light, dark] = ACCENTS;
        // An accent without one for the dark is taken for both: its owner chose it.
        let dark = self.accent.as_deref().unwrap_or(dark);
        let lang = self.lang.unwrap_or_else(|| "en".into());
        if lang.is_empty() || lang.len() > 35 || !lang.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        {
            return Err(fault("paywall.lang", "expected a language tag such as en or ar-EG"));
        }
        for (key, text) in &self.words {
            if !WORDS.iter().any(|(known, _)| known == key) || text.len() > TEXT_MOST {
                return Err(fault("paywall.words", &[key.as_str(), " is no word of the page, or too long"].concat()));
            }
        }
        Ok(Paywall {
            pass: self.pass.check(secrets)?,
            accents: [colour(&self.accent, light)?, colour(&self.accent_dark, dark)?],
            title: self.title,
            text: self.text,
            logo: self.logo,
            lang,
            dir: self.dir,
            words: self.words,
        })
    }
}

fn is_colour(text: &str) -> bool {
    let digits = text.strip_prefix('#').unwrap_or_default();
    matches!(digits.len(), 3 | 6) && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

impl Gate {
    /// Turns the answer of a 402 into a page, for a browser that asks for one: its terms stay in the header.
    pub(super) fn as_page(
        &self,
        mut answer: Answer,
        listing: &Listing,
        facts: &Facts<'_>,
        path: &str,
        now: UnixSeconds,
    ) -> Result<Answer> {
        let Some((paywall, nonce)) = self.config().paywall.as_ref().zip(facts.page_nonce) else {
            return Ok(answer);
        };
        if !facts.reads() {
            return Ok(answer);
        }
        answer.prepared = None;
        answer.headers.retain(|header| !matches!(header.name, "content-type" | "vary"));
        answer.headers.push(Header::fixed("vary", "PAYMENT-SIGNATURE, X-PAYMENT, Accept, Cookie, Origin"));
        answer.headers.push(Header::fixed("content-type", "text/html; charset=utf-8"));
        answer.headers.push(Header::fixed("x-content-type-options", "nosniff"));
        answer.headers.push(Header::fixed("referrer-policy", "no-referrer"));
        let own = ["'nonce-", nonce, "'"].concat();
        let policy = [
            "default-src 'none'; script-src ",
            &own,
            "; style-src ",
            &own,
            "; img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ];
        answer.headers.push(Header::new("content-security-policy", policy.concat()));
        answer.body = if facts.method == "HEAD" {
            String::new()
        } else {
            paywall.page(self.config(), listing, &self.url(path), nonce, now)?
        };
        Ok(answer)
    }
}

impl Paywall {
    fn word(&self, key: &str) -> &str {
        let default = WORDS.iter().find(|(known, _)| *known == key).map_or("", |(_, text)| *text);
        self.words.iter().find(|(own, _)| own == key).map_or(default, |(_, text)| text.as_str())
    }

    fn page(&self, of: &Config, listing: &Listing, url: &str, nonce: &str, now: UnixSeconds) -> Result<String> {
        let site = of.public_origin.split_once("://").map_or("", |(_, host)| host);
        let heading = if listing.description.is_empty() { self.word("heading") } else { &listing.description };
        let logo = match self.logo.as_str() {
            "" => String::new(),
            image => ["<img src=\"", &escaped(image), "\" alt=\"\">"].concat(),
        };
        let text = if self.text.is_empty() { String::new() } else { ["<p>", &escaped(&self.text), "</p>"].concat() };
        let [accent, dark] = &self.accents;
        let style = fill(STYLE, &[("accent", accent), ("accent-dark", dark)]);
        let dir = if self.dir == Direction::Rtl { "rtl" } else { "ltr" };
        let many = listing.offers.len() > 1;
        let offers = listing.offers.iter().enumerate();
        let offers = offers.map(|(at, offer)| self.offer(offer, chain(of, offer), many.then_some(at)));
        let offers = offers.collect::<Result<Vec<_>>>()?.concat();
        // Several are a choice, which has a name for those who hear it.
        let costs = ["<h2 id=\"costs\">", &escaped(self.word("costs")), "</h2>"].concat();
        let offers = if many {
            ["<fieldset><legend>", &costs, "</legend>", &offers, "</fieldset>"].concat()
        } else {
            ["<section aria-labelledby=\"costs\">", &costs, &offers, "</section>"].concat()
        };
        let places = [
            ("lang", self.lang.as_str()),
            ("dir", dir),
            ("nonce", nonce),
            ("style", &style),
            ("logo", &logo),
            ("site", &escaped(if self.title.is_empty() { site } else { &self.title })),
            ("heading", &escaped(heading)),
            ("text", &text),
            ("offers", &offers),
            ("code", SCRIPT),
            ("terms", &self.terms(of, listing, url, now)?),
        ];
        let promise = if listing.settle == SettlePolicy::Before { "promiseBefore" } else { "promise" };
        let words = ["choose", "none", "again", "script"].map(|key| (key, escaped(self.word(key))));
        let words = words.into_iter().chain([("promise", escaped(self.word(promise)))]).collect::<Vec<_>>();
        let all: Vec<_> = places.into_iter().chain(words.iter().map(|(key, text)| (*key, text.as_str()))).collect();
        Ok(fill(PAGE, &all))
    }

    /// An offer for a person: in money, with the network, the token and who is paid. `at` is its number where there is a
    /// choice, which then is called by its price and its network.
    fn offer(&self, offer: &Offer, chain: Option<&Chain>, at: Option<usize>) -> Result<String> {
        let terms = Terms::read(&offer.terms)?;
        let known = asset::by_address(&offer.terms.network, &offer.terms.asset);
        let (sum, token) = match known {
            Some(asset) => {
                let tokens = terms.amount.to_tokens(asset.decimals);
                (["$", &tokens].concat(), [&tokens, " ", asset.symbol].concat())
            }
            None => ([&terms.amount.text(), " atomic units"].concat(), terms.domain.name.clone()),
        };
        let sum = escaped(&sum);
        let (sum, id) = match at.map(|at| at.to_string()) {
            None => (["<p class=\"sum\">", &sum, "</p>"].concat(), String::new()),
            Some(at) => {
                let checked = if at == "0" { " checked" } else { "" };
                let parts = [
                    "<input type=\"radio\" name=\"offer\" value=\"",
                    &at,
                    "\" id=\"offer",
                    &at,
                    "\" aria-labelledby=\"sum",
                    &at,
                    " place",
                    &at,
                    "\"",
                    checked,
                    "><label class=\"sum\" for=\"offer",
                    &at,
                    "\" id=\"sum",
                    &at,
                    "\">",
                    &sum,
                    "</label>",
                ];
                (parts.concat(), [" id=\"place", &at, "\""].concat())
            }
        };
        let row = |term: &str, attributes: &str, text: &str| {
            ["<dt>", &escaped(self.word(term)), "</dt><dd", attributes, ">", &escaped(text), "</dd>"].concat()
        };
        Ok([
            "<div class=\"offer\">",
            &sum,
            "<dl>",
            &row("token", "", &token),
            &row("network", &id, &place_name(&offer.terms.network, chain)),
            &row("payee", " class=\"mono\"", &terms.pay_to.to_checksum()),
            "</dl></div>",
        ]
        .concat())
    }

    /// What the script reads: what is signed and what is sent, for each offer, but for who pays, when, and the nonce; and what
    /// a wallet may be told of a network that it does not know.
    fn terms(&self, of: &Config, listing: &Listing, url: &str, now: UnixSeconds) -> Result<String> {
        let offers = listing.offers.iter().map(|offer| {
            let terms = Terms::read(&offer.terms)?;
            let id = offer.terms.network.evm_chain_id().ok_or(Code::GateInternal)?;
            let blank = Authorization {
                from: Address::ZERO,
                to: terms.pay_to,
                value: terms.amount,
                valid_after: Amount::ZERO,
                valid_before: Amount::ZERO,
                nonce: [0; 32],
            };
            Ok(object(|to| {
                to.json("document", &blank.typed_data(terms.domain).write());
                to.json("accepted", offer.verbatim.as_str()).text("chain", &format!("0x{id:x}"));
                to.number("seconds", offer.terms.max_timeout_seconds);
                if let Some(chain) = chain(of, offer) {
                    to.json("network", &chain.told);
                }
            }))
        });
        let offers = offers.collect::<Result<Vec<_>>>()?;
        let terms = object(|to| {
            to.json("offers", &array(offers)).number("now", now.0);
            to.flag("later", matches!(listing.settle, SettlePolicy::Optimistic(_)));
            to.json(
                "resource",
                &object(|to| {
                    to.text("url", url).text("description", &listing.description).text("mimeType", &listing.mime_type);
                }),
            );
            to.json(
                "words",
                &object(|to| {
                    for (key, _) in WORDS {
                        to.text(key, self.word(key));
                    }
                }),
            );
        });
        // Nothing in a script's data may look like markup.
        Ok(terms.replace('<', "\\u003c"))
    }
}

/// What a wallet may be told of the network of an offer.
fn chain<'c>(of: &'c Config, offer: &Offer) -> Option<&'c Chain> {
    of.network(&offer.terms.network).ok()?.chain.as_ref()
}

/// A network for a person: as its owner calls it, or `Base Sepolia` where it has a name of its own, else its identifier.
fn place_name(network: &Network, chain: Option<&Chain>) -> String {
    if let Some(chain) = chain {
        return chain.name.clone();
    }
    let Some(name) = network.v1_name() else { return network.to_string() };
    let capital = |word: &str| {
        let (first, rest) = word.split_at_checked(1).unwrap_or_default();
        [&first.to_ascii_uppercase(), rest].concat()
    };
    name.split('-').map(capital).collect::<Vec<_>>().join(" ")
}

/// A text as HTML shows it.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

/// Fills the places `{{name}}` of a template, once: what is filled in is not looked at again.
fn fill(template: &str, places: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, behind)) = rest.split_once("{{") {
        out.push_str(before);
        let Some((name, after)) = behind.split_once("}}") else { break };
        out.push_str(places.iter().find(|(known, _)| *known == name).map_or("", |(_, text)| text));
        rest = after;
    }
    out.push_str(rest);
    out
}
