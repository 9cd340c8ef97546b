//! Vectors: what others computed, computed here.

use serde_json::json;
use x402_core::error::Code;
use x402_core::evm::eip3009::{RECEIVE_WITH_AUTHORIZATION, TRANSFER_VRS, TRANSFER_WITH_AUTHORIZATION};
use x402_core::evm::hex;
use x402_core::evm::signature::{SecretKey, Signature};
use x402_core::scheme::exact::evm::{Payload, Terms};
use x402_core::types::json::Verbatim;
use x402_core::types::required::{Offer, Version};

use crate::support::{text, vector};

const EIP3009: &str = include_str!("../vectors/eip3009.json");

#[test]
fn eip3009_type_hashes() {
    let v = vector(EIP3009);
    let hashes = &v["typeHashes"];
    let transfer = hex::encode(&TRANSFER_WITH_AUTHORIZATION.type_hash());
    let receive = hex::encode(&RECEIVE_WITH_AUTHORIZATION.type_hash());
    assert_eq!(transfer, text(hashes, "TransferWithAuthorization"));
    assert_eq!(receive, text(hashes, "ReceiveWithAuthorization"));
    let domain = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";
    assert_eq!(hex::encode(&terms(&v).domain.type_hash()), text(hashes, domain));
}

#[test]
fn eip3009_digest_and_signature() {
    let v = vector(EIP3009);
    let terms = terms(&v);
    assert_eq!(hex::encode(&terms.domain.separator()), text(&v, "domainSeparator"));
    let payload = json!({ "authorization": v["authorization"], "signature": v["signature"] });
    let payload = Verbatim::parse(&payload.to_string(), Code::InvalidPayload).unwrap();
    let payload = Payload::read(&payload).unwrap();
    let digest = payload.authorization.typed_data(terms.domain).digest();
    assert_eq!(hex::encode(&digest), text(&v, "digest"));

    let key = SecretKey::parse(text(&v, "privateKey")).unwrap();
    assert_eq!(key.address().to_string(), text(&v, "address"));
    let signature = key.sign(&digest);
    assert_eq!(hex::encode(&signature.to_bytes()), text(&v, "signature"));
    let read = Signature::parse(&payload.signature).unwrap();
    assert_eq!(read.recover(&digest).unwrap(), key.address());
    assert!(payload.authorization.transfer_by_key(&read).starts_with(&TRANSFER_VRS));
}

fn terms(v: &serde_json::Value) -> Terms {
    let requirements = Verbatim::parse(&v["requirements"].to_string(), Code::InvalidPaymentRequired).unwrap();
    let offer = Offer::read(requirements, Version::V2, Code::InvalidPaymentRequired).unwrap();
    Terms::read(&offer.terms).unwrap()
}
