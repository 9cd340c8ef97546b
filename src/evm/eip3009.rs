//! EIP-3009: transfers of a token by its holder's signature.

use alloc::vec::Vec;

use crate::evm::abi::{self, Arg};
use crate::evm::address::Address;
use crate::evm::eip712::{Domain, Kind, StructType, TypedData, Value};
use crate::evm::keccak::Bytes32;
use crate::evm::signature::Signature;
use crate::types::amount::Amount;

/// `TransferWithAuthorization`.
pub static TRANSFER_WITH_AUTHORIZATION: StructType =
    StructType { name: "TransferWithAuthorization", members: AUTHORIZATION_MEMBERS };

/// `ReceiveWithAuthorization`, which only the recipient may execute.
pub static RECEIVE_WITH_AUTHORIZATION: StructType =
    StructType { name: "ReceiveWithAuthorization", members: AUTHORIZATION_MEMBERS };

const AUTHORIZATION_MEMBERS: &[(&str, Kind)] = &[
    ("from", Kind::Plain("address")),
    ("to", Kind::Plain("address")),
    ("value", Kind::Plain("uint256")),
    ("validAfter", Kind::Plain("uint256")),
    ("validBefore", Kind::Plain("uint256")),
    ("nonce", Kind::Plain("bytes32")),
];

/// `transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,uint8,bytes32,bytes32)`.
pub const TRANSFER_VRS: [u8; 4] = [0xe3, 0xee, 0x16, 0x0e];
/// `transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,bytes)`.
pub const TRANSFER_BYTES: [u8; 4] = [0xcf, 0x09, 0x29, 0x95];
/// `authorizationState(address,bytes32)`.
pub const AUTHORIZATION_STATE: [u8; 4] = [0xe9, 0x4a, 0x01, 0x02];

/// The terms of a transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization {
    /// Who pays.
    pub from: Address,
    /// Who is paid.
    pub to: Address,
    /// Atomic units.
    pub value: Amount,
    /// Valid in blocks later than this Unix second.
    pub valid_after: Amount,
    /// Valid in blocks earlier than this Unix second.
    pub valid_before: Amount,
    /// Makes the authorization one of a kind for its payer.
    pub nonce: Bytes32,
}

impl Authorization {
    /// What the payer signs, under the token's domain.
    pub fn typed_data(&self, domain: Domain) -> TypedData {
        let message = Vec::from([
            Value::Address(self.from),
            Value::Address(self.to),
            Value::Uint(self.value),
            Value::Uint(self.valid_after),
            Value::Uint(self.valid_before),
            Value::Bytes32(self.nonce),
        ]);
        TypedData { domain, primary: &TRANSFER_WITH_AUTHORIZATION, message }
    }

    /// Calldata of the transfer, signed by a key.
    pub fn transfer_by_key(&self, signature: &Signature) -> Vec<u8> {
        let [from, to, value, after, before, nonce] = self.args();
        let v = u64::from(signature.v()).into();
        let (r, s) = (Arg::Word(signature.r()), Arg::Word(signature.s()));
        abi::call(TRANSFER_VRS, &[from, to, value, after, before, nonce, v, r, s])
    }

    /// Calldata of the transfer, signed by a contract wallet (EIP-1271).
    pub fn transfer_by_contract(&self, signature: &[u8]) -> Vec<u8> {
        let [from, to, value, after, before, nonce] = self.args();
        abi::call(TRANSFER_BYTES, &[from, to, value, after, before, nonce, Arg::Bytes(signature)])
    }

    /// Calldata that asks whether this authorization was used or cancelled.
    pub fn state_call(&self) -> Vec<u8> {
        abi::call(AUTHORIZATION_STATE, &[self.from.into(), Arg::Word(self.nonce)])
    }

    fn args(&self) -> [Arg<'static>; 6] {
        [
            self.from.into(),
            self.to.into(),
            self.value.into(),
            self.valid_after.into(),
            self.valid_before.into(),
            Arg::Word(self.nonce),
        ]
    }
}
