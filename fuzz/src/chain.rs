//! `rpc`: a node that answers anything.
//!
//! Input: a byte that chooses. Below 128, a batch of questions is answered with the rest as the body. From 128 on, the
//! rest makes typed answers for the decisions that follow.

use std::sync::OnceLock;

use x402_core::evm::address::Address;
use x402_core::evm::keccak::keccak256;
use x402_core::evm::reads::{Answer, Block, Log, MAX_ANSWER, Read, Receipt, answers, request};
use x402_core::evm::signature::SecretKey;
use x402_core::facilitator::relayer::{self, Account, Sent};
use x402_core::types::amount::Amount;
use x402_core::types::time::UnixSeconds;

use super::world::{RELAYER_KEY, genuine};
use super::{Bytes, digits};

/// The first choice that makes typed answers.
pub const TYPED: u8 = 128;
const CAP: u128 = 100_000_000_000;

/// The questions that are asked somewhere, one batch after the other.
fn batches() -> &'static [Vec<Read>] {
    static BATCHES: OnceLock<Vec<Vec<Read>>> = OnceLock::new();
    BATCHES.get_or_init(asked)
}

fn asked() -> Vec<Vec<Read>> {
    let relayer = SecretKey::from_bytes(&RELAYER_KEY).unwrap().address();
    let mut batches = vec![genuine()[0].checked.reads(), relayer::reads(relayer)];
    let single = [Read::Receipt([0x33; 32]), Read::Send(vec![2, 0xc0])];
    batches.extend(batches.concat().into_iter().chain(single).map(|read| vec![read]));
    batches
}

pub fn rpc(data: &[u8]) -> bool {
    let mut bytes = Bytes(data);
    let choice = bytes.byte();
    if choice < TYPED {
        let batches = batches();
        let reads = &batches[usize::from(choice) % batches.len()];
        let asked: serde_json::Value = serde_json::from_str(&request(reads)).unwrap();
        assert_eq!(asked.as_array().map(Vec::len), Some(reads.len()));
        let body = bytes.text();
        let Ok(found) = answers(reads, &body) else { return false };
        assert!(body.len() <= MAX_ANSWER);
        assert_eq!(found.len(), reads.len());
        assert!(reads.iter().zip(&found).all(|(read, answer)| fits(read, answer)), "{reads:?} {found:?}");
        decide(&found)
    } else {
        let count = usize::from(choice % 9);
        let found: Vec<Answer> = (0..count).map(|_| answer(&mut bytes)).collect();
        decide(&found)
    }
}

fn fits(read: &Read, answer: &Answer) -> bool {
    match (read, answer) {
        (Read::ChainId | Read::Balance(_) | Read::PendingNonce(_) | Read::PriorityFee, Answer::Quantity(_))
        | (Read::Code(_) | Read::Call { .. } | Read::Send(_), Answer::Bytes(_))
        | (Read::LatestBlock, Answer::Block(_))
        | (Read::Receipt(_), Answer::Receipt(_)) => true,
        (Read::Call { .. }, Answer::Reverted(text)) | (Read::Send(_), Answer::Refused(text)) => {
            text.chars().count() <= 200 && !text.chars().any(char::is_control)
        }
        _ => false,
    }
}

/// Every decision that takes answers, on these; whether one said yes.
fn decide(found: &[Answer]) -> bool {
    let mut yes = concluded(found) | planned(found);
    for answer in found {
        if let Ok(Sent::Accepted) = relayer::sent(answer, &[0x44; 32]) {
            match answer {
                Answer::Bytes(hash) => assert_eq!(hash, &[0x44; 32]),
                Answer::Refused(text) => assert!(text.to_lowercase().contains("already")),
                other => panic!("{other:?} is no acceptance"),
            }
            yes = true;
        }
        if let Answer::Receipt(Some(receipt)) = answer {
            yes |= settled(receipt);
        }
    }
    yes
}

/// A payment is good only on evidence: code, an unused nonce, enough money, a transfer that would work.
fn concluded(found: &[Answer]) -> bool {
    let checked = &genuine()[0].checked;
    if checked.conclude(found).is_err() {
        return false;
    }
    let bytes = |index: usize| match &found[index] {
        Answer::Bytes(bytes) => bytes.as_slice(),
        other => panic!("{other:?} proves nothing"),
    };
    assert_eq!(found.len(), 7);
    assert!(!bytes(0).is_empty());
    let _ = bytes(1);
    assert!(bytes(2)[..32].iter().all(|byte| *byte == 0));
    let balance = digits::from_be_bytes(&bytes(5)[..32]);
    assert!(digits::compare(&balance, "10000").is_ge());
    true
}

fn planned(found: &[Answer]) -> bool {
    let call = &genuine()[0].call;
    let account = Account { next_nonce: Some(7), ..Account::default() };
    let Ok((transaction, next)) = relayer::plan(&account, call, 84_532, CAP, found, UnixSeconds(1)) else {
        return false;
    };
    assert_eq!((transaction.chain_id, transaction.to, &transaction.data), (84_532, call.to, &call.data));
    assert!(transaction.nonce >= 7 && next.next_nonce == transaction.nonce.checked_add(1));
    assert!(transaction.max_fee_per_gas <= CAP && transaction.max_priority_fee_per_gas <= transaction.max_fee_per_gas);
    let Answer::Quantity(balance) = &found[4] else { panic!("no balance") };
    let cost = transaction.max_fee_per_gas * u128::from(transaction.gas_limit);
    assert!(digits::compare(&balance.to_string(), &cost.to_string()).is_ge());
    let signed = transaction.sign(&SecretKey::from_bytes(&RELAYER_KEY).unwrap()).unwrap();
    assert_eq!((signed.raw[0], signed.hash), (2, keccak256(&signed.raw)));
    true
}

/// Paid means: the token itself says that this money moved and that this nonce was used.
fn settled(receipt: &Receipt) -> bool {
    let genuine = &genuine()[0];
    if genuine.checked.settled(receipt).is_err() {
        return false;
    }
    assert!(receipt.success);
    let identity = genuine.checked.identity();
    let of_token = || receipt.logs.iter().filter(|log| log.address == genuine.call.to);
    let moved = of_token().any(|log| {
        log.topics.first() == Some(&keccak256(b"Transfer(address,address,uint256)"))
            && log.topics.get(1).is_some_and(|from| from[12..] == identity.payer.0)
            && digits::from_be_bytes(&log.data) == "10000"
    });
    let used = of_token().any(|log| log.topics.get(2) == Some(&identity.nonce));
    assert!(moved && used);
    true
}

/// A typed answer; likely values are among its choices.
fn answer(bytes: &mut Bytes<'_>) -> Answer {
    match bytes.byte() % 12 {
        0 => Answer::Bytes(Vec::new()),
        1 => Answer::Bytes(vec![0; 32]),
        2 => Answer::Bytes(Amount::from(u64::from(bytes.byte()) << 8).to_be_bytes().to_vec()),
        3 => {
            let count = usize::from(bytes.byte());
            Answer::Bytes(bytes.take(count).to_vec())
        }
        4 => Answer::Quantity(Amount::from_be_bytes(&bytes.array())),
        5 => Answer::Quantity(84_532_u64.into()),
        6 => Answer::Quantity(u64::from_be_bytes(bytes.array()).into()),
        7 => Answer::Reverted(String::new()),
        8 => Answer::Refused(["already known", "nonce too low", "no"][usize::from(bytes.byte()) % 3].into()),
        9 => Answer::Block(Block {
            number: u64::from(bytes.byte()),
            timestamp: u64::from_be_bytes(bytes.array()),
            base_fee: u128::from_be_bytes(bytes.array()),
        }),
        10 => Answer::Receipt(None),
        _ => {
            let (success, count) = (bytes.byte() & 3 != 0, usize::from(bytes.byte() & 3));
            let logs = (0..count).map(|_| log(bytes)).collect();
            Answer::Receipt(Some(Receipt { success, block: 1, logs }))
        }
    }
}

/// One of the two events that prove the payment, with at most one of its parts changed.
fn log(bytes: &mut Bytes<'_>) -> Log {
    let genuine = &genuine()[0];
    let identity = genuine.checked.identity();
    let pay_to = Address::parse(&genuine.quote.pay_to.to_lowercase()).unwrap();
    let mut log = if bytes.byte() & 1 == 0 {
        let topics = vec![keccak256(b"Transfer(address,address,uint256)"), identity.payer.to_word(), pay_to.to_word()];
        Log { address: genuine.call.to, topics, data: Amount::from(10_000_u64).to_be_bytes().to_vec() }
    } else {
        let topics = vec![keccak256(b"AuthorizationUsed(address,bytes32)"), identity.payer.to_word(), identity.nonce];
        Log { address: genuine.call.to, topics, data: Vec::new() }
    };
    let part = bytes.byte();
    match part % 8 {
        0 => log.address = Address(bytes.array()),
        1 => log.topics[usize::from(part >> 3) % 3] = bytes.array(),
        2 => log.data = bytes.array::<32>().to_vec(),
        3 => drop(log.topics.pop()),
        _ => {}
    }
    log
}

/// Answers that a working chain gives, one after the other, as this target's bytes.
pub fn typed_seeds() -> Vec<Vec<u8>> {
    let word = |byte: u8| vec![2, byte];
    // Code, simulation, unused, name, version, balance, no code.
    let good = [vec![3, 1, 0x60], vec![0], vec![1], vec![0], vec![0], word(0xff), vec![0]].concat();
    let mut balance = vec![4];
    balance.extend(Amount::from(u128::MAX).to_be_bytes());
    let mut block = vec![9, 1];
    block.extend(1_800_000_000_u64.to_be_bytes());
    block.extend(1_000_000_000_u128.to_be_bytes());
    let number = |value: u64| [vec![6], value.to_be_bytes().to_vec()].concat();
    let plan = [vec![5], number(9), block, number(1_000_000), balance].concat();
    let receipt = vec![11, 1, 2, 0, 7, 1, 7];
    let batch = |count: u8, body: Vec<u8>| {
        let choice = (TYPED..=u8::MAX).find(|choice| choice % 9 == count).unwrap();
        [vec![choice], body].concat()
    };
    vec![batch(7, good), batch(5, plan), batch(1, receipt), batch(1, vec![8, 0])]
}
