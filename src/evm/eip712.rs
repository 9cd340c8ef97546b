//! EIP-712: typed structured data, its hash, and the JSON a wallet is asked to sign.
//!
//! A struct is described once; the digest and the `eth_signTypedData_v4` document both come from that description,
//! so what the wallet shows and what is verified cannot drift apart.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Map, Value as Json, json};

use crate::evm::address::Address;
use crate::evm::hex;
use crate::evm::keccak::{Bytes32, keccak256, keccak256_all};
use crate::types::amount::Amount;

/// A struct type: its name and its members, in order.
#[derive(Debug)]
pub struct StructType {
    /// The type's name.
    pub name: &'static str,
    /// Member name and kind, in the order of the encoding.
    pub members: &'static [(&'static str, Kind)],
}

/// The type of a member.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// An atomic or dynamic type by its Solidity name: `address`, `uint256`, `bytes32`, `string` …
    Plain(&'static str),
    /// Another struct.
    Struct(&'static StructType),
}

/// The value of a member.
#[derive(Clone, Debug)]
pub enum Value {
    /// `address`.
    Address(Address),
    /// Any `uintN`.
    Uint(Amount),
    /// `bytes32`.
    Bytes32(Bytes32),
    /// `string`.
    String(String),
    /// A struct's values, in its type's order.
    Struct(Vec<Value>),
}

/// A domain. Members that are absent are absent from its type too: Permit2's has no version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    /// `name`.
    pub name: String,
    /// `version`, if the contract has one.
    pub version: Option<String>,
    /// `chainId`.
    pub chain_id: u64,
    /// `verifyingContract`, if the domain has one.
    pub verifying_contract: Option<Address>,
}

impl StructType {
    /// `encodeType`: this type, then the types it refers to by name, sorted.
    pub fn encode_type(&self) -> String {
        let mut referenced = Vec::new();
        self.collect(&mut referenced);
        referenced.sort_by_key(|other| other.name);
        let mut out = self.signature();
        for other in referenced {
            out.push_str(&other.signature());
        }
        out
    }

    /// `typeHash`.
    pub fn type_hash(&self) -> Bytes32 {
        keccak256(self.encode_type().as_bytes())
    }

    /// `hashStruct`. Values beyond the members are ignored and missing ones end the encoding: callers in this crate
    /// build both from one place, and a wrong count gives a digest that nobody signed.
    pub fn hash(&self, values: &[Value]) -> Bytes32 {
        let mut encoded = Vec::with_capacity(self.members.len().saturating_add(1).saturating_mul(32));
        encoded.extend_from_slice(&self.type_hash());
        for ((_, kind), value) in self.members.iter().zip(values) {
            let word = match (kind, value) {
                (_, Value::Address(address)) => address.to_word(),
                (_, Value::Uint(amount)) => amount.to_be_bytes(),
                (_, Value::Bytes32(bytes)) => *bytes,
                (_, Value::String(text)) => keccak256(text.as_bytes()),
                (Kind::Struct(inner), Value::Struct(values)) => inner.hash(values),
                (Kind::Plain(_), Value::Struct(_)) => [0; 32],
            };
            encoded.extend_from_slice(&word);
        }
        keccak256(&encoded)
    }

    fn signature(&self) -> String {
        let mut out = String::from(self.name);
        for (index, (member, kind)) in self.members.iter().enumerate() {
            out.push(if index == 0 { '(' } else { ',' });
            out.push_str(kind.name());
            out.push(' ');
            out.push_str(member);
        }
        out.push(')');
        out
    }

    fn collect(&self, into: &mut Vec<&'static Self>) {
        for (_, kind) in self.members {
            if let Kind::Struct(inner) = kind
                && !into.iter().any(|known| known.name == inner.name)
            {
                into.push(inner);
                inner.collect(into);
            }
        }
    }

    fn json_members(&self) -> Json {
        self.members.iter().map(|(name, kind)| json!({ "name": name, "type": kind.name() })).collect()
    }
}

impl Kind {
    const fn name(&self) -> &'static str {
        match self {
            Self::Plain(name) => name,
            Self::Struct(inner) => inner.name,
        }
    }
}

impl Value {
    fn json(&self, kind: Kind) -> Json {
        match (self, kind) {
            (Self::Address(address), _) => address.to_string().into(),
            (Self::Uint(amount), _) => amount.to_string().into(),
            (Self::Bytes32(bytes), _) => hex::encode(bytes).into(),
            (Self::String(text), _) => text.as_str().into(),
            (Self::Struct(values), Kind::Struct(inner)) => struct_json(inner, values),
            (Self::Struct(_), Kind::Plain(_)) => Json::Null,
        }
    }
}

fn struct_json(of: &StructType, values: &[Value]) -> Json {
    let pairs = of.members.iter().zip(values);
    Json::Object(pairs.map(|((name, kind), value)| (name.to_string(), value.json(*kind))).collect())
}

impl Domain {
    /// The members this domain has, with their types and values.
    fn members(&self) -> Vec<(&'static str, &'static str, Value)> {
        let mut members = Vec::from([("name", "string", Value::String(self.name.clone()))]);
        if let Some(version) = &self.version {
            members.push(("version", "string", Value::String(version.clone())));
        }
        members.push(("chainId", "uint256", Value::Uint(self.chain_id.into())));
        if let Some(contract) = self.verifying_contract {
            members.push(("verifyingContract", "address", Value::Address(contract)));
        }
        members
    }

    /// The type hash of this domain's own `EIP712Domain`.
    pub fn type_hash(&self) -> Bytes32 {
        let members = self.members();
        let listed: Vec<String> = members.iter().map(|(name, kind, _)| [*kind, " ", *name].concat()).collect();
        keccak256(["EIP712Domain(", &listed.join(","), ")"].concat().as_bytes())
    }

    /// `domainSeparator`.
    pub fn separator(&self) -> Bytes32 {
        let mut encoded = self.type_hash().to_vec();
        for (_, _, value) in self.members() {
            let word = match value {
                Value::Address(address) => address.to_word(),
                Value::Uint(amount) => amount.to_be_bytes(),
                Value::String(text) => keccak256(text.as_bytes()),
                Value::Bytes32(_) | Value::Struct(_) => [0; 32],
            };
            encoded.extend_from_slice(&word);
        }
        keccak256(&encoded)
    }
}

/// A value of a struct type under a domain: what is signed.
#[derive(Clone, Debug)]
pub struct TypedData {
    /// The domain.
    pub domain: Domain,
    /// The primary type.
    pub primary: &'static StructType,
    /// Its values, in the type's order.
    pub message: Vec<Value>,
}

impl TypedData {
    /// The 32 bytes that are signed: `keccak256(0x1901 ‖ domainSeparator ‖ hashStruct(message))`.
    pub fn digest(&self) -> Bytes32 {
        keccak256_all(&[&[0x19, 0x01], &self.domain.separator(), &self.primary.hash(&self.message)])
    }

    /// The document for `eth_signTypedData_v4`: `types`, `domain`, `primaryType`, `message`.
    pub fn to_json(&self) -> Json {
        let members = self.domain.members();
        let domain_type: Json = members.iter().map(|(name, kind, _)| json!({ "name": name, "type": kind })).collect();
        let domain: Map<String, Json> = members
            .iter()
            .map(|(name, kind, value)| match (*name, value) {
                // Wallets and viem take the chain id as a number.
                ("chainId", _) => (name.to_string(), self.domain.chain_id.into()),
                (_, value) => (name.to_string(), value.json(Kind::Plain(kind))),
            })
            .collect();
        let mut types = Map::new();
        types.insert("EIP712Domain".into(), domain_type);
        types.insert(self.primary.name.into(), self.primary.json_members());
        let mut referenced = Vec::new();
        self.primary.collect(&mut referenced);
        for other in referenced {
            types.insert(other.name.into(), other.json_members());
        }
        json!({
            "types": types,
            "domain": domain,
            "primaryType": self.primary.name,
            "message": struct_json(self.primary, &self.message),
        })
    }
}
