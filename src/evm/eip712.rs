//! EIP-712: typed structured data, its hash, and the JSON a wallet is asked to sign.
//!
//! A struct is described once; the digest and the `eth_signTypedData_v4` document both come from that description,
//! so what the wallet shows and what is verified cannot drift apart.

use alloc::string::String;
use alloc::vec::Vec;

use crate::evm::address::Address;
use crate::evm::hex;
use crate::evm::keccak::{Bytes32, keccak256, keccak256_all};
use crate::types::amount::Amount;
use crate::types::json::{Message, Object, quoted};

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
            encoded.extend_from_slice(&value.word(*kind));
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
                let place = into.partition_point(|known| known.name < inner.name);
                into.insert(place, inner);
                inner.collect(into);
            }
        }
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
        for (_, kind, value) in self.members() {
            encoded.extend_from_slice(&value.word(Kind::Plain(kind)));
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
}

/// The document for `eth_signTypedData_v4`: `types`, `domain`, `primaryType`, `message`.
impl Message for TypedData {
    fn members(&self, to: &mut Object) {
        to.json("types", &Types(self).write()).json("domain", &self.domain.write());
        to.text("primaryType", self.primary.name);
        to.json("message", &Values(self.primary, &self.message).write());
    }
}

impl Message for Domain {
    fn members(&self, to: &mut Object) {
        for (name, kind, value) in self.members() {
            match value {
                // Wallets and viem take the chain id as a number.
                Value::Uint(id) => to.json(name, &id.text()),
                value => to.json(name, &value.json(Kind::Plain(kind))),
            };
        }
    }
}

/// The types of a document, the domain's own among them.
struct Types<'a>(&'a TypedData);

impl Message for Types<'_> {
    fn members(&self, to: &mut Object) {
        let of = self.0;
        let domain = of.domain.members();
        let domain: Vec<_> = domain.iter().map(|(name, kind, _)| MemberType { name, kind }).collect();
        to.list("EIP712Domain", &domain);
        let mut referenced = Vec::new();
        of.primary.collect(&mut referenced);
        for used in core::iter::once(of.primary).chain(referenced) {
            let members = used.members.iter().map(|(name, kind)| MemberType { name, kind: kind.name() });
            to.list(used.name, &members.collect::<Vec<_>>());
        }
    }
}

/// A member as `types` lists it.
struct MemberType {
    name: &'static str,
    kind: &'static str,
}

impl Message for MemberType {
    fn members(&self, to: &mut Object) {
        to.text("name", self.name).text("type", self.kind);
    }
}

/// The values of a struct, by their names.
struct Values<'a>(&'static StructType, &'a [Value]);

impl Message for Values<'_> {
    fn members(&self, to: &mut Object) {
        for ((name, kind), value) in self.0.members.iter().zip(self.1) {
            to.json(name, &value.json(*kind));
        }
    }
}

impl Value {
    /// The value as JSON: text where JSON has no type of its own.
    fn json(&self, kind: Kind) -> String {
        match (kind, self) {
            (Kind::Struct(inner), Self::Struct(values)) => Values(inner, values).write(),
            (Kind::Plain(_), Self::Struct(_)) => "null".into(),
            (_, Self::Address(address)) => quoted(&address.to_checksum()),
            (_, Self::Uint(amount)) => quoted(&amount.text()),
            (_, Self::Bytes32(bytes)) => quoted(&hex::encode(bytes)),
            (_, Self::String(text)) => quoted(text),
        }
    }

    /// The value's word in the encoding of its struct.
    fn word(&self, kind: Kind) -> Bytes32 {
        match (kind, self) {
            (Kind::Struct(inner), Self::Struct(values)) => inner.hash(values),
            (Kind::Plain(_), Self::Struct(_)) => [0; 32],
            (_, Self::Address(address)) => address.to_word(),
            (_, Self::Uint(amount)) => amount.to_be_bytes(),
            (_, Self::Bytes32(bytes)) => *bytes,
            (_, Self::String(text)) => keccak256(text.as_bytes()),
        }
    }
}
