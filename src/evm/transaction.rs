//! EIP-1559 transactions.

use alloc::vec::Vec;

use crate::error::{Code, Result};
use crate::evm::address::Address;
use crate::evm::keccak::{Bytes32, keccak256};
use crate::evm::rlp::List;
use crate::evm::signature::{SecretKey, Signature};
use crate::types::amount::Amount;

/// The type byte of EIP-2718.
const TYPE: u8 = 2;

/// A call of a contract that sends no ether.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// The chain.
    pub chain_id: u64,
    /// The sender's count of earlier transactions.
    pub nonce: u64,
    /// Wei per gas for the block's proposer.
    pub max_priority_fee_per_gas: u128,
    /// Wei per gas at most, base fee included.
    pub max_fee_per_gas: u128,
    /// Gas at most.
    pub gas_limit: u64,
    /// The contract.
    pub to: Address,
    /// Calldata.
    pub data: Vec<u8>,
}

/// A transaction ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedTransaction {
    /// What `eth_sendRawTransaction` takes.
    pub raw: Vec<u8>,
    /// Its hash, known before it is sent.
    pub hash: Bytes32,
}

impl Transaction {
    /// Signs the transaction, and checks that its signature is the key's.
    ///
    /// # Errors
    /// `invalid_signature` if it is not.
    pub fn sign(&self, key: &SecretKey) -> Result<SignedTransaction> {
        let digest = keccak256(&self.encode(None));
        let signature = key.sign(&digest);
        if signature.recover(&digest)? != key.address() {
            return Err(Code::InvalidSignature.into());
        }
        let raw = self.encode(Some(&signature));
        let hash = keccak256(&raw);
        Ok(SignedTransaction { raw, hash })
    }

    fn encode(&self, signature: Option<&Signature>) -> Vec<u8> {
        let mut list = List::new();
        list.uint(&self.chain_id.to_be_bytes())
            .uint(&self.nonce.to_be_bytes())
            .uint(&self.max_priority_fee_per_gas.to_be_bytes())
            .uint(&self.max_fee_per_gas.to_be_bytes())
            .uint(&self.gas_limit.to_be_bytes())
            .bytes(&self.to.0)
            .uint(&Amount::ZERO.to_be_bytes())
            .bytes(&self.data)
            .list(&List::new());
        if let Some(signature) = signature {
            list.uint(&[u8::from(signature.odd_y())]).uint(&signature.r()).uint(&signature.s());
        }
        let mut out = Vec::from([TYPE]);
        out.extend_from_slice(&list.finish());
        out
    }
}
