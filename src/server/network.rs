//! The networks of a gate's configuration: how payments are verified and settled on each.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use serde::Deserialize;

use crate::error::Result;
use crate::evm::address::Address;
use crate::evm::signature::SecretKey;
use crate::facilitator::cdp::CdpKey;
use crate::facilitator::embedded::Sender;
use crate::facilitator::order::Order;
use crate::facilitator::{Rules, relayer};
use crate::server::chain::{Chain, WireChain};
use crate::server::config::{Secrets, fault, resolve};
use crate::types::amount::Amount;
use crate::types::asset::ASSETS;
use crate::types::network::Network;
use crate::types::url;

/// Wei per gas a settlement may cost, unless the network's configuration says otherwise: 100 gwei.
const DEFAULT_MAX_FEE: u64 = 100_000_000_000;
/// Seconds until a transaction that is not mined is replaced, unless the configuration says otherwise.
const DEFAULT_BUMP: u64 = 30;
/// Confirmations at most: what is final needs no more.
const MAX_CONFIRMATIONS: u64 = 256;
/// Seconds that a chain's latest block may be old, unless the configuration says otherwise.
const DEFAULT_BLOCK_AGE: u64 = 600;
/// The public facilitator that the reference packages name by default: it is there for trying things out.
const FOR_TESTNETS: &[&str] = &["x402.org", "www.x402.org"];
/// From which amount on others' settlements are looked up, unless the configuration says otherwise.
const DEFAULT_LOOKED_UP: &str = "$1";

/// One network.
#[derive(Debug)]
pub struct NetworkConfig {
    /// Which.
    pub network: Network,
    /// Its chain id.
    pub chain_id: u64,
    /// JSON-RPC endpoints, first choice first.
    pub rpc: Vec<String>,
    /// Who verifies and settles.
    pub facilitator: Facilitator,
    /// What the verification allows.
    pub rules: Rules,
    /// Wei per gas a settlement may cost.
    pub max_fee_per_gas: u128,
    /// Blocks that a settlement must be under, its own among them, to count.
    pub confirmations: u64,
    /// Seconds until a transaction that is not mined is replaced by one with higher fees.
    pub bump_after: u64,
    /// Seconds that the latest block may be old: a node that is behind, or a chain that stands still, says nothing of now.
    pub max_block_age: u64,
    /// Wei below which a relayer should be funded; many times a settlement's cost if nothing is said.
    pub low_balance: Option<Amount>,
    /// What a wallet is told that does not know it, if it may be told anything.
    pub chain: Option<Chain>,
    /// From which amount on others' settlements are looked up on chain before they count, by asset: of others, any.
    looked_up: Vec<(Address, Amount)>,
}

impl NetworkConfig {
    /// The gate's own relayers and what they may do; none where others settle.
    pub fn senders(&self) -> impl Iterator<Item = (&SecretKey, Sender)> {
        let keys = match &self.facilitator {
            Facilitator::Embedded(keys) => keys.as_slice(),
            Facilitator::Remote(_) => &[],
        };
        keys.iter().map(|key| {
            let (relayer, chain_id) = (key.address(), self.chain_id);
            let (max_fee_per_gas, max_block_age) = (self.max_fee_per_gas, self.max_block_age);
            (key, Sender { relayer, chain_id, max_fee_per_gas, max_block_age })
        })
    }

    /// The relayer for a payment that no relayer has yet.
    pub fn sender_for(&self, identity: &str) -> Option<Sender> {
        let chosen = relayer::choose(identity, self.senders().map(|(_, sender)| sender.relayer))?;
        self.sender(chosen).map(|(_, sender)| sender)
    }

    /// The relayer with this address.
    pub fn sender(&self, relayer: Address) -> Option<(&SecretKey, Sender)> {
        self.senders().find(|(_, sender)| sender.relayer == relayer)
    }

    /// The relayer of an order.
    pub fn sender_of(&self, order: &Order) -> Option<(&SecretKey, Sender)> {
        self.sender(order.relayer?)
    }

    /// Whether another facilitator's settlement of this amount counts only once the chain has shown it.
    pub fn looks_up(&self, asset: Address, amount: Amount) -> bool {
        let bound = self.looked_up.iter().find(|(known, _)| *known == asset);
        !self.rpc.is_empty() && bound.is_none_or(|(_, bound)| amount >= *bound)
    }
}

/// Who verifies and settles.
#[derive(Debug)]
pub enum Facilitator {
    /// The gate itself, sending with these keys.
    Embedded(Vec<SecretKey>),
    /// Others, in this order.
    Remote(Vec<RemoteFacilitator>),
}

/// Another facilitator.
#[derive(Clone)]
pub struct RemoteFacilitator {
    /// Its URL, without a trailing slash.
    pub url: String,
    /// Headers sent with each request; values may be secrets.
    pub headers: Vec<(String, String)>,
    /// The key that signs each request's token, if it wants one.
    pub cdp: Option<CdpKey>,
}

impl fmt::Debug for RemoteFacilitator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RemoteFacilitator({}, {} headers)", self.url, self.headers.len())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WireNetwork {
    #[serde(default)]
    rpc: Vec<String>,
    facilitator: WireFacilitator,
    #[serde(default)]
    relayer: Option<OneOrMore>,
    #[serde(default)]
    pub(super) pay_to: Option<String>,
    #[serde(default)]
    contract_wallets: bool,
    #[serde(default)]
    max_fee_per_gas: Option<u64>,
    #[serde(default)]
    confirmations: Option<u64>,
    #[serde(default)]
    bump_after: Option<u64>,
    #[serde(default)]
    max_block_age: Option<u64>,
    #[serde(default)]
    low_balance: Option<Amount>,
    #[serde(default)]
    verify_settlements_from: Option<String>,
    #[serde(default)]
    chain: Option<WireChain>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum WireFacilitator {
    Named(String),
    Remote(Vec<WireRemote>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireRemote {
    url: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    auth: Option<WireAuth>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireAuth {
    cdp: WireCdp,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireCdp {
    key_id: String,
    key_secret: String,
}

impl WireNetwork {
    pub(super) fn check(self, network: Network, place: &str, secrets: Secrets<'_>) -> Result<NetworkConfig> {
        let chain_id = network.evm_chain_id().ok_or_else(|| fault(place, "only eip155 networks are served"))?;
        let mut rpc = Vec::new();
        for entry in &self.rpc {
            let endpoint = resolve(entry, place, secrets)?;
            if !url::is_secure(&endpoint) {
                return Err(fault(place, "an rpc URL must be https (http on this machine only)"));
            }
            rpc.push(endpoint);
        }
        let named = self.rpc.iter().zip(&rpc).filter(|(entry, _)| entry.starts_with("secret:"));
        let secret: Vec<&str> = named.map(|(_, endpoint)| endpoint.as_str()).collect();
        let chain = self.chain.map(|chain| chain.check(chain_id, place, &secret)).transpose()?;
        let looked_up = looked_up(self.verify_settlements_from.as_deref(), &network, place)?;
        let confirmations = within(place, "confirmations", self.confirmations.unwrap_or(1), 1, MAX_CONFIRMATIONS)?;
        let bump_after = within(place, "bumpAfter", self.bump_after.unwrap_or(DEFAULT_BUMP), 1, 3_600)?;
        let max_block_age = self.max_block_age.unwrap_or(DEFAULT_BLOCK_AGE);
        let max_block_age = within(place, "maxBlockAge", max_block_age, 1, 31_536_000)?;
        let mut barred = Vec::new();
        let facilitator = match self.facilitator {
            WireFacilitator::Named(name) if name == "embedded" => {
                let relayer = self.relayer.ok_or_else(|| fault(place, "embedded needs a relayer"))?;
                if rpc.is_empty() {
                    return Err(fault(place, "embedded needs an rpc URL"));
                }
                let keys = relayer.check(place, secrets)?;
                barred.extend(keys.iter().map(SecretKey::address));
                Facilitator::Embedded(keys)
            }
            WireFacilitator::Named(_) => {
                return Err(fault(place, "facilitator is \"embedded\" or a list of { url }"));
            }
            WireFacilitator::Remote(list) if list.is_empty() => {
                return Err(fault(place, "facilitator lists nobody"));
            }
            WireFacilitator::Remote(_) if rpc.is_empty() && self.verify_settlements_from.is_some() => {
                return Err(fault(place, "verifySettlementsFrom needs an rpc URL"));
            }
            WireFacilitator::Remote(list) => {
                let list = list.into_iter().map(|remote| remote.check(&network, place, secrets));
                Facilitator::Remote(list.collect::<Result<Vec<_>>>()?)
            }
        };
        Ok(NetworkConfig {
            network,
            chain_id,
            rpc,
            facilitator,
            rules: Rules { contract_wallets: self.contract_wallets, barred },
            max_fee_per_gas: u128::from(self.max_fee_per_gas.unwrap_or(DEFAULT_MAX_FEE)),
            confirmations,
            bump_after,
            max_block_age,
            low_balance: self.low_balance,
            chain,
            looked_up,
        })
    }
}

impl OneOrMore {
    /// The keys of these secrets, each of them once.
    fn check(self, place: &str, secrets: Secrets<'_>) -> Result<Vec<SecretKey>> {
        let names = match self {
            Self::One(name) => Vec::from([name]),
            Self::More(names) => names,
        };
        let mut keys: Vec<SecretKey> = Vec::new();
        for name in &names {
            if !name.starts_with("secret:") {
                return Err(fault(place, "relayer names a secret: \"secret:NAME\", or a list of them"));
            }
            let key = SecretKey::parse(&resolve(name, place, secrets)?);
            let key = key.map_err(|error| fault(place, error.code().sentence()))?;
            if keys.iter().any(|other| other.address() == key.address()) {
                return Err(fault(place, "two relayers have the same key"));
            }
            keys.push(key);
        }
        if keys.is_empty() { Err(fault(place, "relayer lists no key")) } else { Ok(keys) }
    }
}

impl WireRemote {
    fn check(self, network: &Network, place: &str, secrets: Secrets<'_>) -> Result<RemoteFacilitator> {
        let base = self.url.trim_end_matches('/').to_string();
        if !url::is_secure(&base) {
            return Err(fault(place, "a facilitator's URL must be https (http on this machine only)"));
        }
        let host = url::host(&base)?.to_ascii_lowercase();
        let name = host.split(':').next().unwrap_or_default().trim_end_matches('.');
        if FOR_TESTNETS.contains(&name) && !network.is_testnet() {
            return Err(fault(place, "this facilitator is for test networks: name one that settles here"));
        }
        let authorized = self.headers.keys().any(|name| name.eq_ignore_ascii_case("authorization"));
        if authorized && self.auth.is_some() {
            return Err(fault(place, "a facilitator has either an authorization header or auth"));
        }
        let headers = self.headers.into_iter();
        let headers = headers.map(|(name, value)| Ok((name, resolve(&value, place, secrets)?)));
        let headers = headers.collect::<Result<Vec<_>>>()?;
        let cdp = self.auth.map(|auth| auth.cdp.check(place, secrets)).transpose()?;
        Ok(RemoteFacilitator { url: base, headers, cdp })
    }
}

impl WireCdp {
    fn check(self, place: &str, secrets: Secrets<'_>) -> Result<CdpKey> {
        if !self.key_secret.starts_with("secret:") {
            return Err(fault(place, "keySecret names a secret: \"secret:NAME\""));
        }
        let id = resolve(&self.key_id, place, secrets)?;
        let secret = resolve(&self.key_secret, place, secrets)?;
        CdpKey::parse(&id, &secret).map_err(|error| fault(place, error.detail()))
    }
}

/// What an amount of dollars is in every asset that is known on a network: all of them are dollars.
fn looked_up(dollars: Option<&str>, network: &Network, place: &str) -> Result<Vec<(Address, Amount)>> {
    let chain = network.evm_chain_id();
    let known = ASSETS.iter().filter(|asset| Some(asset.chain_id) == chain);
    let digits = dollars.unwrap_or(DEFAULT_LOOKED_UP).strip_prefix('$').unwrap_or_default();
    let bounds = known.map(|asset| Ok((Address::parse(asset.address)?, Amount::parse_tokens(digits, asset.decimals)?)));
    // A network without a known asset has no bounds; its configuration is held to the same form.
    let read = Amount::parse_tokens(digits, 6).and_then(|_| bounds.collect());
    read.map_err(|_| fault(place, "verifySettlementsFrom is an amount such as \"$1\""))
}

fn within(place: &str, name: &str, value: u64, least: u64, most: u64) -> Result<u64> {
    if (least..=most).contains(&value) {
        Ok(value)
    } else {
        Err(fault(place, &format!("{name} is between {least} and {most}")))
    }
}
