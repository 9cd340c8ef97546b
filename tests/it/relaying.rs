//! The relayer's decisions: fees, the next transaction, and what becomes of one that is not mined, dropped, overtaken or
//! taken back.

use x402_core::error::Code;
use x402_core::evm::abi;
use x402_core::evm::address::Address;
use x402_core::evm::reads::{Answer, Block, Log, Read, Receipt};
use x402_core::evm::signature::SecretKey;
use x402_core::evm::transaction::Transaction;
use x402_core::facilitator::SettleCall;
use x402_core::facilitator::evidence::{Authorization, Proof, Stands};
use x402_core::facilitator::fees::Fees;
use x402_core::facilitator::order::{Approach, Order, Reply, approach};
use x402_core::facilitator::record::{Judged, Record, Upkeep};
use x402_core::facilitator::relayer::{Account, Sight, Status, choose};
use x402_core::types::amount::Amount;
use x402_core::types::network::Network;
use x402_core::types::time::UnixSeconds;

use crate::support::{NOW, PAY_TO, RELAYER_KEY, USDC};

const CAP: u128 = 1_000;
const BUMP: u64 = 30;
const CHAIN: u64 = 84_532;

fn event() -> Log {
    Log { address: Address::parse(USDC).unwrap(), topics: vec![[1; 32]], data: vec![] }
}

fn order() -> Order {
    let to = Address::parse(USDC).unwrap();
    let call = SettleCall { to, data: vec![1, 2, 3], gas_limit: 100_000, proof: vec![event().digest()] };
    let network = Network::parse("eip155:84532").unwrap();
    let identity = format!("{USDC}:{PAY_TO}:0x{}", "07".repeat(32));
    Order { network, identity, call, relayer: None, expires: NOW.plus(300), begun_only: false }
}

fn block(number: u64, base_fee: u128) -> Block {
    Block { number, timestamp: 1, base_fee }
}

fn sight(base_fee: u128, mined: u64, pending: u64) -> Sight {
    Sight { chain_id: CHAIN, block: block(100, base_fee), mined, pending, tip: 3 }
}

fn sign(transaction: &Transaction) -> x402_core::evm::transaction::SignedTransaction {
    transaction.sign(&SecretKey::parse(RELAYER_KEY).unwrap()).unwrap()
}

/// A record whose transaction has this nonce, and offers 203 wei of which 3 are the tip.
fn record(nonce: u64) -> Record {
    let transaction = sight(100, 0, 0).transaction(&order().call, nonce, Fees { tip: 3, most: 203 });
    let record = Record::new(&order(), &transaction, sign(&transaction), NOW);
    assert_eq!(Record::read(&record.write()).unwrap(), record);
    record
}

fn receipt(block: u64, success: bool, logs: Vec<Log>) -> Answer {
    Answer::Receipt(Some(Receipt { success, block, logs }))
}

/// Shows a record these receipts of its transactions, in a chain of this height.
fn see(record: &mut Record, height: u64, receipts: &[Answer], confirmations: u64, now: UnixSeconds) -> bool {
    let asked = record.receipts().unwrap();
    assert_eq!(asked.len(), receipts.len());
    let changed = record.see(&block(height, 1), &asked, receipts, confirmations, now);
    assert_eq!(Record::read(&record.write()).unwrap(), *record);
    changed
}

const NONE: Answer = Answer::Receipt(None);

fn is_settled(record: &Record) -> bool {
    matches!(record.reply(NOW, NOW), Some(Reply::Settled { .. }))
}

#[test]
fn s189_fees_have_headroom_and_a_cap() {
    let fees = |base: u128, tip: u128| Fees::estimate(&block(1, base), tip, CAP).map_err(|error| error.code());
    assert_eq!(fees(100, 3), Ok(Fees { tip: 3, most: 203 }));
    assert_eq!(fees(600, 3), Ok(Fees { tip: 3, most: CAP }));
    // 888 and an eighth is 999: with a tip of one the next block can still be paid for.
    assert_eq!(fees(888, 1), Ok(Fees { tip: 1, most: CAP }));
    assert_eq!(fees(888, 2), Err(Code::FacilitatorFeeCap));
    assert_eq!(fees(u128::MAX, 0), Err(Code::FacilitatorFeeCap));
    assert_eq!(fees(0, u128::MAX), Err(Code::FacilitatorFeeCap));
    assert_eq!(fees(0, 0), Ok(Fees { tip: 0, most: 0 }));
}

#[test]
fn s189_a_replacement_offers_an_eighth_more_of_both_within_the_cap() {
    let raised = |fees: Fees, base: u128, tip: u128| fees.raised(&block(1, base), tip, CAP);
    assert_eq!(raised(Fees { tip: 8, most: 160 }, 1, 1), Some(Fees { tip: 9, most: 180 }));
    assert_eq!(raised(Fees { tip: 3, most: 203 }, 100, 3), Some(Fees { tip: 4, most: 229 }));
    // A spike is followed at once, not by eighths.
    assert_eq!(raised(Fees { tip: 3, most: 203 }, 400, 50), Some(Fees { tip: 50, most: 850 }));
    assert_eq!(raised(Fees { tip: 3, most: 203 }, 900, 3), Some(Fees { tip: 4, most: CAP }));
    assert_eq!(raised(Fees { tip: 3, most: 900 }, 1, 1), None);
    assert_eq!(raised(Fees { tip: 0, most: 0 }, 0, 0), Some(Fees { tip: 1, most: 1 }));
    assert_eq!(raised(Fees { tip: u128::MAX, most: u128::MAX }, 0, 0), None);
    for (tip, most) in [(1, 7), (9, 65), (17, 333)] {
        let of = raised(Fees { tip, most }, 0, 0).unwrap();
        assert!(of.tip * 8 >= tip * 9 && of.most * 8 >= most * 9, "{of:?}");
    }
}

#[test]
fn s189_what_is_stuck_is_replaced_under_its_nonce_and_any_of_its_transactions_counts() {
    let mut record = record(5);
    let late = NOW.plus(BUMP);
    // Too early; and while another's nonce is before it, unless its own fee is too low for any block.
    assert_eq!(record.upkeep(&sight(100, 5, 6), CAP, BUMP, NOW.plus(5)), Upkeep::default());
    assert_eq!(record.upkeep(&sight(100, 4, 6), CAP, BUMP, late).replace, None);
    assert!(record.upkeep(&sight(204, 4, 6), CAP, BUMP, late).replace.is_some());
    let upkeep = record.upkeep(&sight(100, 5, 6), CAP, BUMP, late);
    let replacement = upkeep.replace.unwrap();
    assert_eq!((replacement.nonce, replacement.max_fee_per_gas, replacement.max_priority_fee_per_gas), (5, 229, 4));
    assert_eq!((replacement.data.as_slice(), replacement.chain_id), (&[1_u8, 2, 3][..], CHAIN));
    record.add(&replacement, sign(&replacement), late);
    assert_eq!((record.attempts(), record.send().len()), (2, 2));
    // The next one waits as long again.
    assert_eq!(record.upkeep(&sight(100, 5, 6), CAP, BUMP, late.plus(5)), Upkeep::default());
    for mined in [[receipt(9, true, vec![event()]), NONE], [NONE, receipt(9, true, vec![event()])]] {
        let mut one = record.clone();
        assert!(see(&mut one, 9, &mined, 1, late));
        assert!(is_settled(&one));
        // What is mined is left alone.
        assert_eq!(one.upkeep(&sight(100, 6, 6), CAP, BUMP, late.plus(99)), Upkeep::default());
    }
}

#[test]
fn f22_above_the_cap_the_same_bytes_are_sent_and_attempts_are_bounded() {
    let mut record = record(5);
    let upkeep = record.upkeep(&sight(100, 5, 6), 210, BUMP, NOW.plus(BUMP));
    assert_eq!((upkeep.replace, upkeep.resend), (None, true));
    let mut now = NOW;
    for _ in 0..40 {
        now = now.plus(BUMP);
        let upkeep = record.upkeep(&sight(1, 5, 6), u128::MAX, BUMP, now);
        if let Some(replacement) = upkeep.replace {
            record.add(&replacement, sign(&replacement), now);
        } else {
            assert!(upkeep.resend);
        }
    }
    assert_eq!(record.attempts(), 16);
}

#[test]
fn s188_f21_what_a_node_does_not_have_is_sent_again() {
    let mut record = record(5);
    assert!(record.upkeep(&sight(100, 5, 5), CAP, BUMP, NOW.plus(1)).resend);
    assert!(record.upkeep(&sight(100, 3, 4), CAP, BUMP, NOW.plus(1)).resend);
    assert!(!record.upkeep(&sight(100, 5, 6), CAP, BUMP, NOW.plus(1)).resend);
    // It may be with that node only.
    assert!(record.upkeep(&sight(100, 5, 6), CAP, BUMP, NOW.plus(10)).resend);
    assert_eq!(record.send().len(), 1);
}

#[test]
fn f17_a_nonce_that_a_stranger_used_is_given_up_only_for_an_unused_authorization() {
    let base = record(5);
    let stranger = |record: &mut Record| {
        // Not at the first look: another node may not know the receipt yet.
        assert_eq!(record.upkeep(&sight(100, 6, 6), CAP, BUMP, NOW.plus(12)), Upkeep::default());
        let upkeep = record.upkeep(&sight(100, 6, 6), CAP, BUMP, NOW.plus(17));
        assert_eq!(upkeep, Upkeep { evidence: true, ..Upkeep::default() });
    };
    let now = NOW.plus(17);
    let mut unused = base.clone();
    stranger(&mut unused);
    for stands in [Stands::Open, Stands::Unused(NOW)] {
        assert_eq!(unused.clone().judge(stands, None, now), Judged::Renumber);
    }
    let next = sight(100, 6, 6).transaction(&order().call, 6, Fees { tip: 3, most: 203 });
    unused.add(&next, sign(&next), now);
    // Both are looked for; only the new one is sent.
    assert_eq!((unused.receipts().unwrap().len(), unused.send().len()), (2, 1));
    assert!(!unused.upkeep(&sight(100, 6, 7), CAP, BUMP, now.plus(1)).evidence);
    let mut first = unused.clone();
    see(&mut first, 9, &[receipt(9, true, vec![event()]), NONE], 1, now);
    assert!(is_settled(&first));
    // The old one failing says nothing about the new one.
    see(&mut unused, 9, &[receipt(9, false, vec![]), NONE], 1, now);
    assert!(unused.is_pending() && !unused.is_in_doubt());
    see(&mut unused, 9, &[receipt(9, false, vec![]), receipt(9, true, vec![event()])], 1, now);
    assert!(is_settled(&unused));

    let mut used = base.clone();
    stranger(&mut used);
    assert_eq!(used.judge(Stands::Used(9), None, now), Judged::Open);
    assert_eq!(used.clone().judge(Stands::Used(9), Some(Proof::Paid("0x01".into())), now), Judged::Decided);
    assert_eq!(used.judge(Stands::Used(9), Some(Proof::Spent("0x01".into())), now), Judged::Decided);
    let reason = Code::ExactEvmNonceUsed.as_str().into();
    assert_eq!(used.reply(NOW, now), Some(Reply::Failed { transaction: "0x01".into(), reason }));
    assert_eq!(used.due(BUMP, now), None);

    // Expired: not sent again, and failed once its end is final.
    let mut over = base;
    stranger(&mut over);
    let end = NOW.plus(301);
    assert_eq!(over.judge(Stands::Open, None, end), Judged::Open);
    assert_eq!(over.judge(Stands::Unused(NOW.plus(299)), None, end), Judged::Open);
    assert_eq!(over.judge(Stands::Unused(NOW.plus(300)), None, end), Judged::Decided);
    assert!(matches!(over.reply(NOW, end), Some(Reply::Failed { .. })));
}

#[test]
fn s124_f27_a_failed_transaction_is_a_settlement_where_another_made_the_transfer() {
    let mut record = record(5);
    assert!(see(&mut record, 9, &[receipt(9, false, vec![])], 1, NOW));
    assert!(record.is_pending() && record.is_in_doubt());
    let mut moved = record.clone();
    assert_eq!(moved.judge(Stands::Used(9), Some(Proof::Paid("0x02".into())), NOW), Judged::Decided);
    assert_eq!(moved.reply(NOW, NOW), Some(Reply::Settled { transaction: "0x02".into() }));
    // A later look at its own transaction does not take that back.
    see(&mut moved, 20, &[receipt(9, false, vec![])], 1, NOW);
    see(&mut moved, 20, &[NONE], 1, NOW);
    assert!(is_settled(&moved));
    assert_eq!(record.judge(Stands::Open, None, NOW), Judged::Decided);
    let Some(Reply::Failed { reason, transaction }) = record.reply(NOW, NOW) else { panic!() };
    assert_eq!((reason.as_str(), transaction.len()), ("invalid_exact_evm_transaction_failed", 66));
    assert_eq!(record.due(BUMP, NOW), None);
}

#[test]
fn s185_a_receipt_without_the_events_is_a_failure() {
    let mut record = record(5);
    see(&mut record, 9, &[receipt(9, true, vec![])], 1, NOW);
    assert!(matches!(record.reply(NOW, NOW), Some(Reply::Failed { .. })));
}

#[test]
fn s187_f20_settled_is_so_many_blocks_deep_and_may_be_taken_back() {
    let mut record = record(5);
    let good = || receipt(10, true, vec![event()]);
    assert!(see(&mut record, 10, &[good()], 3, NOW));
    see(&mut record, 11, &[good()], 3, NOW);
    assert!(record.is_pending());
    // In a block, it needs nothing; and its failing is no sooner believed than its success.
    assert_eq!(record.upkeep(&sight(100, 6, 6), CAP, BUMP, NOW.plus(99)), Upkeep::default());
    let mut failed = record.clone();
    see(&mut failed, 11, &[receipt(10, false, vec![])], 3, NOW);
    assert!(!failed.is_in_doubt());
    // Gone from a shallow block, it is sent again.
    let mut shallow = record.clone();
    assert!(see(&mut shallow, 11, &[NONE], 3, NOW));
    assert!(shallow.upkeep(&sight(100, 5, 5), CAP, BUMP, NOW.plus(1)).resend);
    // A node that lags behind the block names no height that counts.
    see(&mut record, 9, &[good()], 3, NOW);
    assert!(record.is_pending());
    assert!(see(&mut record, 12, &[good()], 3, NOW));
    assert!(is_settled(&record));
    assert!(!see(&mut record, 13, &[good()], 3, NOW));
    // Looked at again ever less often, until it stands.
    let looks = |now: u64| record.due(BUMP, NOW.plus(now)).map(|due| due.0 - NOW.0);
    assert_eq!([looks(0), looks(10), looks(20), looks(40)], [Some(10), Some(20), Some(40), Some(80)]);
    assert_eq!(looks(1_800), None);
    // Taken back after all: pending, and sent again.
    assert!(see(&mut record, 13, &[NONE], 3, NOW.plus(20)));
    assert!(record.is_pending());
    assert!(record.upkeep(&sight(100, 5, 5), CAP, BUMP, NOW.plus(20)).resend);
    assert!(record.due(BUMP, NOW.plus(20)).is_some());
    assert!(see(&mut record, 20, &[receipt(15, true, vec![event()])], 3, NOW.plus(30)));
    assert!(is_settled(&record));
}

#[test]
fn a_nonce_is_filled_even_when_its_payment_is_decided() {
    // Somebody else made the transfer while ours was not mined: nobody may wait behind it for ever.
    let mut record = record(5);
    assert_eq!(record.judge(Stands::Used(9), Some(Proof::Paid("0x03".into())), NOW), Judged::Decided);
    assert!(record.due(BUMP, NOW).is_some());
    assert!(record.upkeep(&sight(100, 5, 5), CAP, BUMP, NOW.plus(1)).resend);
    assert!(record.upkeep(&sight(100, 5, 6), CAP, BUMP, NOW.plus(BUMP)).replace.is_some());
    see(&mut record, 12, &[receipt(12, false, vec![])], 1, NOW);
    assert!(is_settled(&record));
}

#[test]
fn an_order_leads_to_one_record() {
    let (kept, order) = (record(5), order());
    assert!(matches!(approach(None, &order, NOW), Approach::Send));
    assert!(matches!(approach(Some(kept.clone()), &order, NOW), Approach::Wait));
    let unsent = |kept: Option<Record>, order: &Order, now| match approach(kept, order, now) {
        Approach::Reply(Reply::Unsent { reason }) => reason,
        other => panic!("{other:?}"),
    };
    let begun = Order { begun_only: true, ..order.clone() };
    assert_eq!(unsent(None, &begun, NOW), Code::ExactEvmNonceUsed.as_str());
    assert_eq!(unsent(None, &order, order.expires), Code::ExactEvmValidBefore.as_str());
    let other = Order { call: SettleCall { data: vec![9], ..order.call.clone() }, ..order.clone() };
    assert_eq!(unsent(Some(kept), &other, NOW), Code::ExactEvmNonceUsed.as_str());
    let text = order.write();
    assert_eq!(Order::read(&text).unwrap(), order);
    assert!(Record::read(&record(5).write().replace("\"format\":2", "\"format\":1")).is_err());
}

#[test]
fn the_chain_s_word_on_an_authorization() {
    let order = order();
    let authorization = order.authorization();
    let reads = authorization.standing().unwrap();
    assert_eq!(reads.len(), 4);
    let bool = |value: u8| Answer::Bytes([[0; 31].as_slice(), &[value]].concat());
    let at = |number: u64, timestamp: u64| Answer::Block(Block { number, timestamp, base_fee: 0 });
    let stands = |now: u8, finally: Answer| Stands::read(&[bool(now), at(9, 50), finally, at(1, 40)]).unwrap();
    assert_eq!(stands(1, bool(0)), Stands::Used(9));
    assert_eq!(stands(0, bool(0)), Stands::Unused(UnixSeconds(40)));
    assert_eq!(stands(0, bool(1)), Stands::Open);
    assert!(Stands::read(&[bool(0)]).is_err());
    let hash = [8; 32];
    let asked = Authorization::receipts(&Answer::Logs(vec![(event(), hash)]));
    assert_eq!(asked, [Read::Receipt(hash)]);
    let proof = |answer: Answer, height, confirmations| authorization.proof(&asked, &[answer], height, confirmations);
    assert!(matches!(proof(receipt(9, true, vec![event()]), 9, 1), Some(Proof::Paid(_))));
    assert!(matches!(proof(receipt(9, true, vec![]), 9, 1), Some(Proof::Spent(_))));
    assert_eq!(proof(receipt(9, true, vec![event()]), 9, 2), None);
    assert_eq!(proof(NONE, 9, 1), None);
    let strange = Authorization { identity: "nobody", call: &order.call };
    assert!(strange.standing().is_err() && abi::read_bool(&[]).is_none());
}

#[test]
fn a_payment_keeps_its_relayer() {
    let all: Vec<Address> = (1..=4_u8).map(|byte| Address([byte; 20])).collect();
    let mut count = [0; 4];
    for payment in 0..400 {
        let identity = format!("payment {payment}");
        let chosen = choose(&identity, all.iter().copied()).unwrap();
        count[usize::from(chosen.0[0]) - 1] += 1;
        // In whatever order they are named; and one that comes or goes moves only its own payments.
        assert_eq!(choose(&identity, all.iter().rev().copied()), Some(chosen));
        let without = choose(&identity, all.iter().copied().filter(|one| *one != all[3])).unwrap();
        assert!(without == chosen || chosen == all[3]);
    }
    assert!(count.iter().all(|&count| count > 60), "{count:?}");
    assert_eq!(choose("payment", [].into_iter()), None);
}

#[test]
fn s191_an_account_knows_when_it_is_low() {
    let balance = |wei: u64| Account {
        balance: Some(Amount::from(wei)),
        asked: Some(NOW),
        runway: Some(Amount::from(1_000_u64)),
        ..Account::default()
    };
    assert!(!Account::default().is_low(Some(Amount::from(5_u64))));
    assert!(balance(999).is_low(None) && !balance(1_000).is_low(None));
    assert!(balance(4).is_low(Some(Amount::from(5_u64))) && !balance(999).is_low(Some(Amount::from(5_u64))));
    let account = balance(999);
    assert_eq!(Account::read(&account.write()).unwrap(), account);
    assert!(Account::read("{\"format\":1}").is_err());
    let status = Status::new(Address([1; 20]), &account, (2, Some(NOW)), None, NOW.plus(7));
    assert_eq!((status.pending, status.oldest, status.low, status.balance.as_deref()), (2, Some(7), true, Some("999")));
    assert_eq!(Status::read(&status.write()).unwrap(), status);
    // A withdrawn nonce is free again, unless the next one is taken.
    let next = |next_nonce| Account { next_nonce: Some(next_nonce), ..account };
    assert_eq!(next(6).without(5), next(5));
    assert_eq!(next(7).without(5), next(7));
}
