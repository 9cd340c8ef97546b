//! The facilitator's verdicts: every check of scheme exact, in its order, and the proof of a settlement.

use serde_json::{Value, json};
use x402_core::error::Code;
use x402_core::evm::abi;
use x402_core::evm::address::Address;
use x402_core::evm::hex;
use x402_core::evm::keccak::keccak256;
use x402_core::evm::reads::{Answer, Block, Log, Receipt, answers, request};
use x402_core::facilitator::relayer::{Account, Sent, plan, sent};
use x402_core::facilitator::{self, Checked, Rules, Settlement, judge_settle};
use x402_core::types::amount::Amount;
use x402_core::types::facilitator::SettleResponse;
use x402_core::types::time::UnixSeconds;

use crate::support::{NOW, PAY_TO, PAYER_KEY, USDC, offer, payment, read_payment, requirements, signed_with};

fn check(payment: &Value) -> Result<Checked, Code> {
    check_against(payment, &requirements(), &Rules::default())
}

fn check_against(payment: &Value, terms: &Value, rules: &Rules) -> Result<Checked, Code> {
    facilitator::check(&read_payment(payment), &offer(terms), NOW, rules).map_err(|refusal| refusal.error.code())
}

fn refused(payment: &Value) -> Code {
    check(payment).expect_err("should be refused")
}

#[test]
fn an_honest_payment_passes() {
    let checked = check(&payment(&requirements())).unwrap();
    assert_eq!(checked.payer(), "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
    assert_eq!(checked.network(), "eip155:84532");
    assert_eq!(checked.call().to, Address::parse(USDC).unwrap());
}

#[test]
fn s059_s061_s072_s073_s074_terms_that_were_not_signed_are_refused() {
    let with = |change: &dyn Fn(&mut Value)| refused(&signed_with(&requirements(), change));
    // S-059, S-061, S-072, S-073, S-074, with signatures that are the payer's own.
    assert_eq!(with(&|a| a["value"] = "1".into()), Code::ExactEvmValueMismatch);
    assert_eq!(with(&|a| a["value"] = "10001".into()), Code::ExactEvmValueMismatch);
    assert_eq!(with(&|a| a["to"] = USDC.into()), Code::ExactEvmRecipientMismatch);
    let at = |seconds: i64| (i64::try_from(NOW.0).unwrap() + seconds).to_string();
    assert_eq!(with(&|a| a["validBefore"] = at(-1).into()), Code::ExactEvmValidBefore);
    assert_eq!(with(&|a| a["validBefore"] = at(5).into()), Code::ExactEvmValidBefore);
    assert_eq!(with(&|a| a["validBefore"] = at(601).into()), Code::ExactEvmValidBefore);
    let forever = "115792089237316195423570985008687907853269984665640564039457584007913129639935";
    assert_eq!(with(&|a| a["validBefore"] = forever.into()), Code::ExactEvmValidBefore);
    assert_eq!(with(&|a| a["validAfter"] = at(1).into()), Code::ExactEvmValidAfter);
    for good in [6, 600] {
        check(&signed_with(&requirements(), |a| a["validBefore"] = at(good).into())).unwrap();
    }
}

#[test]
fn s064_s065_s090_s102_signatures_of_anything_else_are_refused() {
    // S-102: somebody else's address; S-064, S-065: another chain, another domain.
    let mut other = payment(&requirements());
    other["payload"]["authorization"]["from"] = PAY_TO.into();
    assert_eq!(refused(&other), Code::ExactEvmSignature);
    for (pointer, value) in [
        ("/network", json!("eip155:8453")),
        ("/extra/name", json!("USD Coin")),
        ("/extra/version", json!("1")),
        ("/asset", json!("0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913")),
    ] {
        let mut foreign = requirements();
        *foreign.pointer_mut(pointer).unwrap() = value;
        let mut payment = payment(&foreign);
        payment["accepted"] = requirements();
        assert_eq!(refused(&payment), Code::ExactEvmSignature, "{pointer}");
    }
    // S-090: lengths, and a wallet that is not deployed.
    for (signature, code) in [
        ("0x".to_string(), Code::ExactEvmSignature),
        (format!("0x{}", "11".repeat(130)), Code::ExactEvmSignature),
        (format!("0x{}{}", "00".repeat(96), "6492".repeat(16)), Code::Eip6492FactoryNotAllowed),
    ] {
        let mut payment = payment(&requirements());
        payment["payload"]["signature"] = signature.into();
        assert_eq!(refused(&payment), code);
    }
}

#[test]
fn checks_come_in_the_scheme_s_order() {
    let mut terms = requirements();
    terms["scheme"] = "upto".into();
    let mut wrong = payment(&requirements());
    assert_eq!(check_against(&wrong, &terms, &Rules::default()).unwrap_err(), Code::UnsupportedScheme);
    wrong["accepted"]["scheme"] = "upto".into();
    wrong["accepted"]["network"] = "eip155:8453".into();
    assert_eq!(refused(&wrong), Code::ExactEvmScheme);
    wrong["accepted"]["scheme"] = "exact".into();
    let mut bare = requirements();
    bare["extra"] = json!({});
    assert_eq!(check_against(&wrong, &bare, &Rules::default()).unwrap_err(), Code::ExactEvmMissingDomain);
    assert_eq!(refused(&wrong), Code::ExactEvmNetworkMismatch);
    let mut late = signed_with(&requirements(), |a| a["to"] = USDC.into());
    late["payload"]["authorization"]["validBefore"] = "1".into();
    assert_eq!(refused(&late), Code::ExactEvmSignature);
}

#[test]
fn s076_barred_accounts_cannot_pay() {
    // S-076
    let payer = x402_core::evm::signature::SecretKey::parse(PAYER_KEY).unwrap().address();
    let rules = Rules { barred: vec![payer], ..Rules::default() };
    let payment = payment(&requirements());
    assert_eq!(check_against(&payment, &requirements(), &rules).unwrap_err(), Code::FacilitatorPayerNotAllowed);
    let mut own = requirements();
    own["payTo"] = payer.to_checksum().into();
    assert_eq!(
        check_against(&signed_with(&own, |_| {}), &own, &Rules::default()).unwrap_err(),
        Code::FacilitatorPayerNotAllowed
    );
}

#[test]
fn s048_s049_s068_s084_payload_shapes_are_strict() {
    // S-048, S-049, S-068, S-084
    let pointer = |pointer: &str, value: Value| {
        let mut payment = payment(&requirements());
        *payment.pointer_mut(pointer).unwrap() = value;
        payment
    };
    for payment in [
        pointer("/payload", Value::Null),
        pointer("/payload", json!([])),
        pointer("/payload", json!({})),
        pointer("/payload/authorization", Value::Null),
        pointer("/payload/authorization", json!(["0x0", "0x0", "1", "1", "1", "0x0"])),
        pointer("/payload/authorization/value", json!(10000)),
        pointer("/payload/authorization/value", json!("0x2710")),
        pointer("/payload/authorization/validBefore", json!(1_900_000_000)),
        pointer("/payload/authorization/nonce", json!("0x07")),
        pointer("/payload/authorization/from", json!("0xF39Fd6e51aad88F6F4ce6aB8827279cffFb92266")),
        pointer("/payload/signature", json!("887688")),
        pointer("/payload/signature", json!(format!("0x{}", "00".repeat(9000)))),
    ] {
        assert_eq!(refused(&payment), Code::InvalidPayload, "{payment}");
    }
    let mut both = payment(&requirements());
    both["payload"]["permit2Authorization"] = json!({});
    assert_eq!(refused(&both), Code::InvalidPayload);
}

fn verdict(change: impl Fn(&mut Vec<Answer>)) -> Result<(), Code> {
    let checked = check(&payment(&requirements())).unwrap();
    assert_eq!(checked.reads().len(), 7);
    let text = |text: &str| {
        let mut data = Amount::from(32_u64).to_be_bytes().to_vec();
        data.extend(Amount::from(u64::try_from(text.len()).unwrap()).to_be_bytes());
        data.extend(text.bytes().chain(std::iter::repeat_n(0, 32 - text.len())));
        Answer::Bytes(data)
    };
    let number = |value: u64| Answer::Bytes(Amount::from(value).to_be_bytes().to_vec());
    let mut answers = vec![
        Answer::Bytes(vec![1]),
        Answer::Bytes(vec![]),
        number(0),
        text("USDC"),
        text("2"),
        number(10_000),
        Answer::Bytes(vec![]),
    ];
    change(&mut answers);
    checked.conclude(&answers).map_err(|error| error.code())
}

/// A chain that answers otherwise.
type Change<'a> = &'a dyn Fn(&mut Vec<Answer>);

#[test]
fn the_chain_has_the_last_word() {
    let number = |value: u64| Answer::Bytes(Amount::from(value).to_be_bytes().to_vec());
    let reverted = || Answer::Reverted("execution reverted".into());
    let nameless = || Answer::Bytes([Amount::from(32_u64).to_be_bytes(), [0; 32]].concat());
    verdict(|_| {}).unwrap();
    let cases: [(Change<'_>, Code); 9] = [
        (&|a| a[0] = Answer::Bytes(vec![]), Code::AssetNotDeployed),
        (&|a| a[2] = reverted(), Code::ExactEvmEip3009NotSupported),
        (&|a| a[2] = Answer::Bytes(vec![]), Code::ExactEvmEip3009NotSupported),
        (&|a| a[2] = number(1), Code::ExactEvmNonceUsed),
        (&|a| (a[1], a[3]) = (reverted(), nameless()), Code::ExactEvmTokenName),
        (&|a| (a[1], a[4]) = (reverted(), a[3].clone()), Code::ExactEvmTokenVersion),
        (&|a| (a[1], a[5]) = (reverted(), number(9_999)), Code::ExactEvmInsufficientBalance),
        (&|a| a[5] = number(9_999), Code::ExactEvmInsufficientBalance),
        (&|a| a[1] = reverted(), Code::ExactEvmSimulationFailed),
    ];
    for (change, code) in cases {
        assert_eq!(verdict(change), Err(code));
    }
    // Answers of other questions are no verdict at all.
    assert_eq!(verdict(|a| drop(a.pop())), Err(Code::GateChainFault));
    assert_eq!(verdict(|a| a[0] = Answer::Quantity(1_u64.into())), Err(Code::GateChainFault));
}

#[test]
fn contract_wallets_pay_only_where_allowed_and_deployed() {
    let mut by_contract = payment(&requirements());
    by_contract["payload"]["signature"] = format!("0x{}", "ab".repeat(100)).into();
    assert_eq!(refused(&by_contract), Code::ExactEvmSignature);
    let rules = Rules { contract_wallets: true, ..Rules::default() };
    let checked = check_against(&by_contract, &requirements(), &rules).unwrap();
    assert_eq!(checked.call().data[..4], [0xcf, 0x09, 0x29, 0x95]);
    let number = |value: u64| Answer::Bytes(Amount::from(value).to_be_bytes().to_vec());
    let mut answers = vec![
        Answer::Bytes(vec![1]),
        Answer::Bytes(vec![]),
        number(0),
        number(0),
        number(0),
        number(10_000),
        Answer::Bytes(vec![]),
    ];
    assert_eq!(checked.conclude(&answers).unwrap_err().code(), Code::ExactEvmSignature);
    answers[6] = Answer::Bytes(vec![0x60]);
    checked.conclude(&answers).unwrap();
}

#[test]
fn s185_a_receipt_proves_the_transfer_and_its_nonce() {
    // S-185: status alone is no proof, nor is one event, nor another contract's.
    let checked = check(&payment(&requirements())).unwrap();
    let identity = checked.identity();
    let asset = identity.asset;
    let transfer = Log {
        address: asset,
        topics: vec![
            keccak256(b"Transfer(address,address,uint256)"),
            identity.payer.to_word(),
            Address::parse(PAY_TO).unwrap().to_word(),
        ],
        data: Amount::from(10_000_u64).to_be_bytes().to_vec(),
    };
    let used = Log {
        address: asset,
        topics: vec![keccak256(b"AuthorizationUsed(address,bytes32)"), identity.payer.to_word(), identity.nonce],
        data: vec![],
    };
    let judge = |success: bool, logs: Vec<Log>| {
        checked.settled(&Receipt { success, block: 1, logs }).map_err(|error| error.code())
    };
    judge(true, vec![used.clone(), transfer.clone()]).unwrap();
    assert_eq!(judge(false, vec![used.clone(), transfer.clone()]), Err(Code::ExactEvmTransactionFailed));
    let mismatch = Err(Code::ExactEvmTransferEventMismatch);
    assert_eq!(judge(true, vec![]), mismatch);
    assert_eq!(judge(true, vec![used.clone()]), mismatch);
    assert_eq!(judge(true, vec![transfer.clone()]), mismatch);
    let less = Log { data: Amount::from(9_999_u64).to_be_bytes().to_vec(), ..transfer.clone() };
    assert_eq!(judge(true, vec![used.clone(), less]), mismatch);
    let foreign = Log { address: Address::ZERO, ..transfer };
    assert_eq!(judge(true, vec![used, foreign]), mismatch);
}

#[test]
fn s183_batches_are_answered_in_order_or_not_at_all() {
    let checked = check(&payment(&requirements())).unwrap();
    let reads = checked.reads();
    let calls: Vec<Value> = serde_json::from_str(&request(&reads)).unwrap();
    assert_eq!(calls.len(), 7);
    assert_eq!(calls[1]["method"], "eth_call");
    let reply = |id: usize| json!({ "jsonrpc": "2.0", "id": id, "result": format!("0x0{id}") });
    let body = |replies: Vec<Value>| Value::from(replies).to_string();
    let backwards = body((0..7).rev().map(reply).collect());
    assert_eq!(answers(&reads, &backwards).unwrap()[3], Answer::Bytes(vec![3]));
    let mut reverting: Vec<Value> = (0..7).map(reply).collect();
    reverting[1] = json!({ "id": 1, "error": { "code": 3, "message": "execution reverted: no", "data": "0x" } });
    assert_eq!(answers(&reads, &body(reverting)).unwrap()[1], Answer::Reverted("execution reverted: no".into()));
    // S-183
    let mut faulty: Vec<Vec<Value>> = vec![(0..6).map(reply).collect(), (1..8).map(reply).collect(), vec![]];
    for result in [json!(null), json!("01"), json!("0xzz"), json!(1), json!("0x123")] {
        let mut replies: Vec<Value> = (0..7).map(reply).collect();
        replies[0]["result"] = result;
        faulty.push(replies);
    }
    let mut limited: Vec<Value> = (0..7).map(reply).collect();
    limited[1] = json!({ "id": 1, "error": { "code": -32005, "message": "rate limit" } });
    faulty.push(limited);
    let mut twice: Vec<Value> = (0..7).map(reply).collect();
    twice[6]["id"] = 5.into();
    faulty.push(twice);
    let texts = faulty.into_iter().map(body).chain(["<html>".into(), "{}".into(), String::new(), " ".repeat(300_000)]);
    for text in texts {
        assert_eq!(answers(&reads, &text).unwrap_err().code(), Code::GateChainFault);
    }
}

#[test]
fn the_relayer_counts_caps_and_refuses() {
    let call = check(&payment(&requirements())).unwrap().call();
    let answers = |chain: u64, pending: u64, base_fee: u128, balance: u128| {
        vec![
            Answer::Quantity(chain.into()),
            Answer::Quantity(pending.into()),
            Answer::Block(Block { number: 1, timestamp: 1, base_fee }),
            Answer::Quantity(3_u64.into()),
            Answer::Quantity(balance.into()),
        ]
    };
    let rich = u128::MAX;
    let next = |account: Account, answers: &[Answer]| {
        plan(&account, &call, 84_532, 1_000, answers, NOW).map_err(|error| error.code())
    };
    let (first, account) = next(Account::default(), &answers(84_532, 5, 100, rich)).unwrap();
    assert_eq!((first.nonce, first.max_fee_per_gas, first.max_priority_fee_per_gas), (5, 203, 3));
    // What was sent from here counts before the node knows it; what was sent elsewhere counts when the node does.
    assert_eq!(next(account, &answers(84_532, 5, 100, rich)).unwrap().0.nonce, 6);
    assert_eq!(next(account, &answers(84_532, 9, 100, rich)).unwrap().0.nonce, 9);
    assert_eq!(next(account, &answers(1, 5, 100, rich)), Err(Code::GateChainFault));
    // S-189: near the cap the headroom shrinks to what the next block may cost; beyond that nothing is sold.
    assert_eq!(next(account, &answers(84_532, 5, 886, rich)).unwrap().0.max_fee_per_gas, 1_000);
    assert_eq!(next(account, &answers(84_532, 5, 887, rich)), Err(Code::FacilitatorFeeCap));
    assert_eq!(next(account, &answers(84_532, 5, u128::MAX, rich)), Err(Code::FacilitatorFeeCap));
    let cost = 203 * u128::from(call.gas_limit);
    assert_eq!(next(account, &answers(84_532, 5, 100, cost - 1)), Err(Code::FacilitatorRelayerUnavailable));
    next(account, &answers(84_532, 5, 100, cost)).unwrap();

    let hash = [9; 32];
    assert_eq!(sent(&Answer::Bytes(hash.into()), &hash).unwrap(), Sent::Accepted);
    assert_eq!(sent(&Answer::Refused("already known".into()), &hash).unwrap(), Sent::Accepted);
    assert_eq!(sent(&Answer::Refused("nonce too low: next 4".into()), &hash).unwrap(), Sent::NonceUsed);
    assert!(matches!(sent(&Answer::Refused("insufficient funds".into()), &hash).unwrap(), Sent::Refused(_)));
    assert!(sent(&Answer::Bytes(vec![8; 32]), &hash).is_err());
}

#[test]
fn s163_s164_s166_another_facilitator_s_success_needs_evidence() {
    // S-163, S-164, S-166
    let checked = check(&payment(&requirements())).unwrap();
    let hash = hex::encode(&[1; 32]);
    let good = SettleResponse::settled(checked.payer().to_lowercase(), hash.clone(), "eip155:84532".into());
    assert_eq!(judge_settle(&checked.transfer(), good.clone()), Settlement::Settled(good.clone()));
    for bad in [
        SettleResponse { transaction: String::new(), ..good.clone() },
        SettleResponse { transaction: hex::encode(&[0; 32]), ..good.clone() },
        SettleResponse { transaction: "abc".into(), ..good.clone() },
        SettleResponse { payer: Some(PAY_TO.into()), ..good.clone() },
        SettleResponse { network: "eip155:8453".into(), ..good.clone() },
        SettleResponse { amount: Some(Amount::from(1_u64)), ..good.clone() },
    ] {
        assert!(matches!(judge_settle(&checked.transfer(), bad.clone()), Settlement::Unknown(_)), "{bad:?}");
    }
    let failed = |reason: &str| {
        let response = SettleResponse { success: false, error_reason: Some(reason.into()), ..good.clone() };
        judge_settle(&checked.transfer(), response)
    };
    // What a payment that moved can cause too is no failure.
    assert!(
        matches!(failed("insufficient_funds"), Settlement::Failed(error, _) if error.code() == Code::InsufficientFunds)
    );
    for perhaps in ["settlement_pending", "invalid_exact_evm_nonce_already_used", "made up"] {
        assert_eq!(failed(perhaps), Settlement::Unknown(hash.clone()), "{perhaps}");
    }
    assert!(
        matches!(failed("invalid_exact_evm_insufficient_balance"), Settlement::Failed(error, _) if error.code() == Code::ExactEvmInsufficientBalance)
    );
    // S-166: another payment's failure is no failure of this one.
    let other = SettleResponse {
        success: false,
        error_reason: Some("invalid_exact_evm_insufficient_balance".into()),
        payer: Some(PAY_TO.into()),
        ..good
    };
    assert_eq!(judge_settle(&checked.transfer(), other), Settlement::Unknown(String::new()));
    assert!(abi::read_amount(&[]).is_none());
}

#[test]
fn a_payment_whose_time_is_over_is_checked_as_in_its_last_moment() {
    let terms = offer(&requirements());
    let late = |payment: &Value, now: u64| {
        facilitator::check_late(&read_payment(payment), &terms, UnixSeconds(now), &Rules::default())
            .map(|(checked, late)| (checked.expires().0, late))
            .map_err(|refusal| refusal.error.code())
    };
    let paid = payment(&requirements());
    let end = check(&paid).map(|checked| checked.expires().0).unwrap_or_default();
    assert_eq!(late(&paid, end + 1), Ok((end, true)));
    assert_eq!(late(&paid, end - 1), Ok((end, true)), "the last seconds are the settlement's");
    assert_eq!(late(&paid, NOW.0), Ok((end, false)));
    let mut stranger = paid;
    stranger["payload"]["authorization"]["nonce"] = json!(format!("0x{}", "77".repeat(32)));
    assert_eq!(late(&stranger, end + 1), Err(Code::ExactEvmSignature));
}
