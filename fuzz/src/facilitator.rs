//! `facilitator`: both ends of the facilitator API.
//!
//! Input: a byte that chooses the message, then its JSON: a request as our API reads it, or another facilitator's
//! answer as our gate reads it.

use x402_core::error::{Code, Error};
use x402_core::evm::address::Address;
use x402_core::evm::keccak::keccak256_all;
use x402_core::evm::reads::Read;
use x402_core::facilitator::{self as core, Checked, Rules, Settlement};
use x402_core::types::amount::Amount;
use x402_core::types::facilitator::{SettleResponse, SupportedResponse, VerifyResponse};
use x402_core::types::json::{self, Message};

use super::Bytes;
use super::world::{NOW, genuine, payer};

pub fn facilitator(data: &[u8]) -> bool {
    let mut bytes = Bytes(data);
    let choice = bytes.byte();
    let text = bytes.text();
    match choice % 4 {
        0 => asked(&text),
        1 => verified(&text),
        2 => settled(&text),
        _ => {
            let Ok(supported) = json::read::<SupportedResponse>(&text, Code::GateFacilitatorFault) else {
                return false;
            };
            assert_eq!(json::read(&json::write(&supported), Code::GateFacilitatorFault), Ok(supported));
            true
        }
    }
}

/// A request names its own terms: what passes must be signed for exactly those.
fn asked(body: &str) -> bool {
    let Ok((payment, offer)) = core::read_request(body) else { return false };
    assert_eq!(payment.version(), offer.version);
    let again = core::write_request(&payment, &offer).expect("what was read can be written");
    let (reread, _) = core::read_request(&again).expect("what was written can be read");
    assert_eq!(reread.write(), payment.write());
    let mut passed = false;
    for contract_wallets in [false, true] {
        let rules = Rules { contract_wallets, barred: Vec::from([Address([0x55; 20])]) };
        let Ok(checked) = core::check(&payment, &offer, NOW, &rules) else { continue };
        let Checked::ExactEvm(exact) = &checked;
        let of = &exact.payload.authorization;
        assert_eq!((of.to, of.value), (exact.terms.pay_to, exact.terms.amount));
        assert_eq!((exact.terms.pay_to.to_checksum(), exact.terms.asset.to_checksum()), named(&offer.terms));
        assert!(of.from != Address::ZERO && of.from != of.to && of.from != Address([0x55; 20]));
        assert!(of.valid_after <= NOW.0.into() && of.valid_before >= (NOW.0 + 6).into());
        assert!(exact.signature.is_some() || contract_wallets);
        if let Some(signature) = &exact.signature {
            assert_eq!(signature.recover(&digest(exact)), Ok(of.from), "the payer signed these very terms");
            assert_eq!(of.from, payer().address(), "nobody else's key is known here");
        }
        let reads = checked.reads();
        assert_eq!(reads.len(), 7);
        assert!(reads.contains(&Read::Call { to: exact.terms.asset, data: checked.call().data }));
        passed |= !contract_wallets;
    }
    passed
}

fn named(terms: &x402_core::types::required::PaymentRequirements) -> (String, String) {
    let checksum = |text: &str| Address::parse(&text.to_lowercase()).unwrap().to_checksum();
    (checksum(&terms.pay_to), checksum(&terms.asset))
}

/// EIP-712 over again, by hand, for the one type there is.
fn digest(exact: &x402_core::scheme::exact::evm::Checked) -> [u8; 32] {
    let (of, domain) = (&exact.payload.authorization, &exact.terms.domain);
    let hash = |text: &str| keccak256_all(&[text.as_bytes()]);
    let separator = keccak256_all(&[
        &hash("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
        &hash(&domain.name),
        &hash(domain.version.as_deref().unwrap()),
        &Amount::from(domain.chain_id).to_be_bytes(),
        &exact.terms.asset.to_word(),
    ]);
    let message = keccak256_all(&[
        &hash(
            "TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)",
        ),
        &of.from.to_word(),
        &of.to.to_word(),
        &of.value.to_be_bytes(),
        &of.valid_after.to_be_bytes(),
        &of.valid_before.to_be_bytes(),
        &of.nonce,
    ]);
    keccak256_all(&[&[0x19, 0x01], &separator, &message])
}

fn verified(body: &str) -> bool {
    let Ok(response) = json::read::<VerifyResponse>(body, Code::GateFacilitatorFault) else { return false };
    assert_eq!(core::judge_verify(&response).is_ok(), response.is_valid);
    let valid = response.is_valid;
    assert_eq!(json::read(&response.write(), Code::GateFacilitatorFault), Ok(response));
    valid
}

/// A claim of success without evidence is neither success nor failure.
fn settled(body: &str) -> bool {
    let Ok(response) = json::read::<SettleResponse>(body, Code::GateFacilitatorFault) else { return false };
    let again: Result<SettleResponse, Error> = json::read(&response.write(), Code::GateFacilitatorFault);
    assert_eq!(again.as_ref(), Ok(&response));
    let genuine = &genuine()[0];
    match core::judge_settle(&genuine.checked.transfer(), response.clone()) {
        Settlement::Settled(settled) => {
            assert_eq!(settled, response);
            assert!(settled.success && settled.network == "eip155:84532");
            let hash = settled.transaction.strip_prefix("0x").unwrap();
            assert!(hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()));
            assert!(hash.bytes().any(|byte| byte != b'0'));
            let payer = settled.payer.unwrap_or_else(|| genuine.quote.payer.clone());
            assert_eq!(payer.to_lowercase(), genuine.quote.payer.to_lowercase());
            true
        }
        Settlement::Failed(error, transaction) => {
            assert!(!response.success && error.code() != Code::SettlementPending);
            assert_eq!(transaction, response.transaction);
            false
        }
        Settlement::Unknown(transaction) => {
            assert_eq!(transaction, response.transaction);
            false
        }
        Settlement::Unsent(_) => panic!("the facilitator was asked"),
    }
}
