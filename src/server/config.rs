//! The gate's configuration (`gate.json`): read once, checked as a whole, or refused with what is wrong.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;

use serde::de::{DeserializeOwned, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::error::{Code, Error, Result};
use crate::evm::address::Address;
use crate::server::context::{OriginContext, WireContext};
use crate::server::cors::Cors;
use crate::server::network::WireNetwork;
use crate::server::ops::{Admin, WireAdmin};
use crate::server::pass::Passes;
use crate::server::paywall::{Paywall, WirePaywall};
use crate::server::rule::{Route, WireRoute};
use crate::types::json;
use crate::types::network::Network;
use crate::types::url;

pub use crate::server::network::{Facilitator, NetworkConfig, RemoteFacilitator};

/// How many books there are, unless the configuration says otherwise.
const DEFAULT_BOOKS: u32 = 64;
/// The largest answer that is kept, in bytes, unless the configuration says otherwise.
const DEFAULT_KEEP_BYTES: u32 = 64 * 1024;
/// Seconds an answer is kept, unless the configuration says otherwise.
const DEFAULT_KEEP_SECONDS: u64 = 86_400;
/// The largest body of a paid request, in bytes, unless the configuration says otherwise.
const DEFAULT_REQUEST_BYTES: u32 = 1024 * 1024;

/// The whole configuration, checked.
#[derive(Debug)]
pub struct Config {
    /// The gate's own origin as clients see it: scheme and host.
    pub public_origin: String,
    /// Where requests go.
    pub origin: Origin,
    /// The networks payments are taken on, first choice first.
    pub networks: Vec<NetworkConfig>,
    /// The rules, first match first.
    pub routes: Vec<Route>,
    /// What happens to requests no rule speaks for.
    pub default: Unmatched,
    /// Which pages may read answers.
    pub cors: Cors,
    /// The facilitator's own endpoints, if they are served.
    pub facilitator_api: Option<FacilitatorApi>,
    /// Whether version 1 is offered and taken.
    pub v1: bool,
    /// What is kept of paid requests.
    pub ledger: LedgerConfig,
    /// How the origin is told that a request is paid, if it is.
    pub origin_context: Option<OriginContext>,
    /// Who may look into the gate, if anybody may.
    pub admin: Option<Admin>,
    /// What browsers are answered that ask for a paid page, if it is a page.
    pub paywall: Option<Paywall>,
}

/// What is kept of paid requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerConfig {
    /// How many books share the payers among them.
    pub books: u32,
    /// The largest answer that is kept, in bytes.
    pub keep_bytes: u32,
    /// Seconds an answer is kept.
    pub keep_seconds: u64,
    /// The largest body of a paid request, in bytes: it is read before the origin is asked, since a payment is bound to
    /// it.
    pub request_bytes: u32,
}

/// Where requests go.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Origin {
    /// To another server.
    Url(String),
    /// To another Worker, by the name of its service binding.
    Service(String),
}

/// What happens to requests no rule speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unmatched {
    /// They go to the origin.
    Free,
    /// They are answered 404.
    Deny,
}

/// The facilitator's own endpoints.
pub struct FacilitatorApi {
    /// The path they are under.
    pub prefix: String,
    /// The bearer token they need.
    pub token: String,
}

impl fmt::Debug for FacilitatorApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FacilitatorApi({})", self.prefix)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireConfig {
    #[serde(default, rename = "$schema")]
    _schema: Option<IgnoredAny>,
    public_origin: String,
    origin: Origin,
    pay_to: String,
    #[serde(deserialize_with = "in_order")]
    networks: Vec<(Network, WireNetwork)>,
    routes: Vec<WireRoute>,
    default: Unmatched,
    #[serde(default)]
    cors: WireCors,
    #[serde(default)]
    facilitator_api: Option<WireApi>,
    #[serde(default = "yes")]
    v1: bool,
    #[serde(default)]
    ledger: WireLedger,
    #[serde(default)]
    origin_context: Option<WireContext>,
    #[serde(default)]
    admin: Option<WireAdmin>,
    #[serde(default)]
    paywall: Option<WirePaywall>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct WireLedger {
    books: Option<u32>,
    keep_bytes: Option<u32>,
    keep_seconds: Option<u64>,
    request_bytes: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireCors {
    origins: Vec<String>,
}

impl Default for WireCors {
    fn default() -> Self {
        Self { origins: Vec::from(["*".into()]) }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireApi {
    prefix: String,
    token: String,
}

const fn yes() -> bool {
    true
}

/// A JSON object as pairs in the order they were written: the first network is the first choice.
pub(super) fn in_order<'de, D: Deserializer<'de>, K: DeserializeOwned, V: DeserializeOwned>(
    deserializer: D,
) -> Result<Vec<(K, V)>, D::Error> {
    struct Pairs<K, V>(PhantomData<(K, V)>);
    impl<'de, K: DeserializeOwned, V: DeserializeOwned> Visitor<'de> for Pairs<K, V> {
        type Value = Vec<(K, V)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut pairs = Vec::new();
            while let Some(pair) = map.next_entry()? {
                pairs.push(pair);
            }
            Ok(pairs)
        }
    }
    deserializer.deserialize_map(Pairs(PhantomData))
}

/// Finds a secret by its name.
pub type Secrets<'a> = &'a dyn Fn(&str) -> Option<String>;

impl Config {
    /// Reads and checks a configuration. `"secret:NAME"` stands for the secret of that name.
    ///
    /// # Errors
    /// `gate_invalid_config` with the place and the fault; no secret is part of it.
    pub fn read(text: &str, secrets: Secrets<'_>) -> Result<Self> {
        let wire: WireConfig = json::read(text, Code::GateConfig)?;
        let pay_to = recipient(&wire.pay_to, "payTo")?;
        let public_origin = wire.public_origin.trim_end_matches('/').to_string();
        let host = url::host(&public_origin).map_err(|_| fault("publicOrigin", "expected https://host"))?;
        if public_origin.split_once("://").is_none_or(|(_, rest)| rest != host) {
            return Err(fault("publicOrigin", "expected scheme and host, without a path"));
        }
        if let Origin::Url(url) = &wire.origin {
            url::host(url).map_err(|_| fault("origin.url", "expected an http or https URL"))?;
        }
        let mut networks = Vec::new();
        let mut payees = Vec::new();
        for (network, of) in wire.networks {
            let place = format!("networks.{network}");
            let own = of.pay_to.as_deref().map(|text| recipient(text, &place)).transpose()?;
            payees.push((network.clone(), own.unwrap_or(pay_to)));
            networks.push(of.check(network, &place, secrets)?);
        }
        if networks.is_empty() {
            return Err(fault("networks", "name at least one"));
        }
        let routes = wire.routes.into_iter().enumerate();
        let routes = routes.map(|(index, route)| route.check(index, &payees, wire.v1)).collect::<Result<Vec<_>>>()?;
        let cors = match wire.cors.origins.as_slice() {
            [] => Cors::Off,
            [any] if any == "*" => Cors::Any,
            listed if listed.iter().any(|origin| origin == "*") => {
                return Err(fault("cors.origins", "give \"*\" alone or a list of origins"));
            }
            listed => Cors::Origins(listed.to_vec()),
        };
        let facilitator_api = wire.facilitator_api.map(|api| api.check(secrets)).transpose()?;
        Ok(Self {
            public_origin,
            origin: wire.origin,
            networks,
            routes,
            default: wire.default,
            cors,
            facilitator_api,
            v1: wire.v1,
            ledger: wire.ledger.check()?,
            origin_context: wire.origin_context.map(|context| context.check(secrets)).transpose()?,
            admin: wire.admin.map(|admin| admin.check(secrets)).transpose()?,
            paywall: wire.paywall.map(|paywall| paywall.check(secrets)).transpose()?,
        })
    }

    /// Where a request for this path and query goes at the origin. A service has no address of its own and sees the
    /// gate's.
    pub fn target(&self, path: &str, query: Option<&str>) -> String {
        let base = match &self.origin {
            Origin::Url(url) => url.trim_end_matches('/'),
            Origin::Service(_) => &self.public_origin,
        };
        let query = query.map_or_else(String::new, |query| ["?", query].concat());
        [base, path, &query].concat()
    }

    /// How passes are given, if they are.
    pub fn passes(&self) -> Option<&Passes> {
        self.paywall.as_ref().map(|paywall| &paywall.pass)
    }

    /// The configuration of a network.
    ///
    /// # Errors
    /// `invalid_network` when it is not served here.
    pub fn network(&self, network: &Network) -> Result<&NetworkConfig> {
        self.networks.iter().find(|known| known.network == *network).ok_or_else(|| Code::InvalidNetwork.into())
    }
}

impl WireLedger {
    fn check(self) -> Result<LedgerConfig> {
        let of = LedgerConfig {
            books: self.books.unwrap_or(DEFAULT_BOOKS),
            keep_bytes: self.keep_bytes.unwrap_or(DEFAULT_KEEP_BYTES),
            keep_seconds: self.keep_seconds.unwrap_or(DEFAULT_KEEP_SECONDS),
            request_bytes: self.request_bytes.unwrap_or(DEFAULT_REQUEST_BYTES),
        };
        let bounds = [
            ("ledger.books", of.books, 1, 4096),
            ("ledger.keepBytes", of.keep_bytes, 0, 1024 * 1024),
            ("ledger.requestBytes", of.request_bytes, 0, 32 * 1024 * 1024),
        ];
        for (place, value, least, most) in bounds {
            if !(least..=most).contains(&value) {
                return Err(fault(place, &format!("is between {least} and {most}")));
            }
        }
        Ok(of)
    }
}

impl WireApi {
    fn check(self, secrets: Secrets<'_>) -> Result<FacilitatorApi> {
        let prefix = self.prefix.trim_end_matches('/').to_string();
        if !prefix.starts_with('/') {
            return Err(fault("facilitatorApi.prefix", "expected a path such as /facilitator"));
        }
        Ok(FacilitatorApi { prefix, token: bearer(&self.token, "facilitatorApi.token", secrets)? })
    }
}

/// A bearer token: it names a secret that nobody guesses.
pub(super) fn bearer(text: &str, place: &str, secrets: Secrets<'_>) -> Result<String> {
    let token = resolve(text, place, secrets)?;
    if !text.starts_with("secret:") || token.len() < 16 {
        return Err(fault(place, "names a secret of at least 16 characters"));
    }
    Ok(token)
}

pub(super) fn fault(place: &str, what: &str) -> Error {
    Error::new(Code::GateConfig, format!("{place}: {what}"))
}

pub(super) fn recipient(text: &str, place: &str) -> Result<Address> {
    match Address::parse(text) {
        Ok(Address::ZERO) => Err(fault(place, "the zero address cannot be paid")),
        Ok(address) => Ok(address),
        Err(error) => Err(fault(place, error.code().sentence())),
    }
}

pub(super) fn resolve(text: &str, place: &str, secrets: Secrets<'_>) -> Result<String> {
    match text.strip_prefix("secret:") {
        Some(name) => secrets(name)
            .filter(|secret| !secret.is_empty())
            .ok_or_else(|| fault(place, &format!("the secret {name} is not set"))),
        None => Ok(text.into()),
    }
}
