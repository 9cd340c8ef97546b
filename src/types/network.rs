//! Networks: CAIP-2 identifiers, and the names x402 version 1 used.

use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, de};

use crate::error::{Code, Error, Result};
use crate::types::amount::decimal;

/// A CAIP-2 network identifier such as `eip155:8453`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Network(String);

/// Version 1's names and the EVM chains they meant (WIRE: legacy 1.2.0 and the reference's v1 tables).
const V1_NAMES: &[(&str, u64)] = &[
    ("ethereum", 1),
    ("sepolia", 11_155_111),
    ("abstract", 2741),
    ("abstract-testnet", 11_124),
    ("base-sepolia", 84_532),
    ("base", 8453),
    ("avalanche-fuji", 43_113),
    ("avalanche", 43_114),
    ("iotex", 4689),
    ("sei", 1329),
    ("sei-testnet", 1328),
    ("polygon", 137),
    ("polygon-amoy", 80_002),
    ("peaq", 3338),
    ("story", 1514),
    ("educhain", 41_923),
    ("skale-base-sepolia", 324_705_682),
    ("megaeth", 4326),
    ("monad", 143),
    ("stable", 988),
    ("stable-testnet", 2201),
    ("celo", 42_220),
    ("flare", 14),
];

/// Chains whose money is worth nothing.
const TESTNETS: &[u64] = &[
    11_124,
    84_532,
    43_113,
    1328,
    80_002,
    324_705_682,
    2201,
    421_614,
    31_611,
    72_344,
    181_228,
    51,
    11_142_220,
    11_155_111,
];

impl Network {
    /// Reads a CAIP-2 identifier: `namespace:reference`, `[-a-z0-9]{3,8}:[-_a-zA-Z0-9]{1,32}`.
    /// A reference of the namespace `eip155` must be a chain id without leading zeros.
    ///
    /// # Errors
    /// `invalid_network`.
    pub fn parse(text: &str) -> Result<Self> {
        let (namespace, reference) = text.split_once(':').ok_or(Code::InvalidNetwork)?;
        let namespace_ok = (3..=8).contains(&namespace.len())
            && namespace.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        let reference_ok = (1..=32).contains(&reference.len())
            && reference.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        let chain_ok = namespace != "eip155" || chain_id(reference).is_some();
        if namespace_ok && reference_ok && chain_ok { Ok(Self(text.into())) } else { Err(Code::InvalidNetwork.into()) }
    }

    /// The EVM chain with this id.
    pub fn evm(chain_id: u64) -> Self {
        Self(["eip155:", &decimal(chain_id)].concat())
    }

    /// Whether it is known as one whose money is worth nothing.
    pub fn is_testnet(&self) -> bool {
        self.evm_chain_id().is_some_and(|id| TESTNETS.contains(&id))
    }

    /// The network a version 1 name stands for.
    ///
    /// # Errors
    /// `invalid_network` for a name that version 1 did not have.
    pub fn from_v1_name(name: &str) -> Result<Self> {
        let row = V1_NAMES.iter().find(|(known, _)| *known == name);
        row.map(|(_, id)| Self::evm(*id)).ok_or_else(|| Code::InvalidNetwork.into())
    }

    /// The name version 1 has for this network, if any.
    pub fn v1_name(&self) -> Option<&'static str> {
        let id = self.evm_chain_id()?;
        V1_NAMES.iter().find(|(_, known)| *known == id).map(|(name, _)| *name)
    }

    /// The chain id of an `eip155` network.
    pub fn evm_chain_id(&self) -> Option<u64> {
        self.0.strip_prefix("eip155:").and_then(chain_id)
    }

    /// The identifier.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn chain_id(reference: &str) -> Option<u64> {
    let plain = reference.bytes().all(|byte| byte.is_ascii_digit()) && !reference.starts_with('0');
    if plain { reference.parse().ok() } else { None }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(|error: Error| de::Error::custom(error.code()))
    }
}
