//! What clocks, chains, tokens and sizes may do to a payment: each of them is judged from what is known, at one moment.

use serde_json::{Value, json};
use x402_core::error::Code;
use x402_core::evm::abi;
use x402_core::evm::address::Address;
use x402_core::evm::hex;
use x402_core::evm::reads::{Answer, Block, Receipt};
use x402_core::evm::signature::SecretKey;
use x402_core::facilitator::embedded::{Sender, Standing, conclude};
use x402_core::facilitator::{self, Checked, Rules, remote};
use x402_core::scheme::exact::evm::events;
use x402_core::server::gate::{Facts, Step};
use x402_core::types::amount::Amount;
use x402_core::types::facilitator::SettleResponse;
use x402_core::types::time::UnixSeconds;

use crate::support::{NOW, RELAYER_KEY, config, gate, header, offer, payment, read_payment, requirements, signed_with};

/// Seconds that a latest block may be old, in these tests.
const AGE: u64 = 600;

fn check_at(payment: &Value, now: UnixSeconds, rules: &Rules) -> Result<Checked, Code> {
    facilitator::check(&read_payment(payment), &offer(&requirements()), now, rules)
        .map_err(|refusal| refusal.error.code())
}

fn word(value: u64) -> Answer {
    Answer::Bytes(Amount::from(value).to_be_bytes().to_vec())
}

/// What a chain in order says of an honest payment, its latest block of this second.
fn chain(block: u64) -> Vec<Answer> {
    let of_payment =
        [Answer::Bytes(vec![1]), Answer::Bytes(vec![]), word(0), word(0), word(0), word(10_000), Answer::Bytes(vec![])];
    let head = Block { number: 100, timestamp: block, base_fee: 7 };
    let quantity = |value: u64| Answer::Quantity(value.into());
    let of_relayer = [quantity(84_532), quantity(5), Answer::Block(head), quantity(1), quantity(u64::MAX)];
    of_payment.into_iter().chain(of_relayer).collect()
}

fn judged(answers: &[Answer], now: UnixSeconds) -> Result<Standing, Code> {
    let checked = check_at(&payment(&requirements()), NOW, &Rules::default()).unwrap();
    let relayer = SecretKey::parse(RELAYER_KEY).unwrap().address();
    let sender = Sender { relayer, chain_id: 84_532, max_fee_per_gas: 1_000, max_block_age: AGE };
    conclude(&checked, &checked.call(), &sender, answers, now).map_err(|error| error.code())
}

#[test]
fn s195_a_node_that_is_behind_is_not_believed() {
    assert_eq!(judged(&chain(NOW.0), NOW), Ok(Standing::Good));
    assert_eq!(judged(&chain(NOW.0 - AGE), NOW), Ok(Standing::Good));
    // Whatever it says of the payment: it says it of the past.
    let mut used = chain(NOW.0 - AGE - 1);
    used[2] = word(1);
    for stale in [chain(NOW.0 - AGE - 1), chain(0), used] {
        assert_eq!(judged(&stale, NOW), Err(Code::GateChainFault));
    }
    // A block that is ahead of this clock is the newest there is.
    assert_eq!(judged(&chain(NOW.0 + 3_600), NOW), Ok(Standing::Good));
}

#[test]
fn s197_on_a_chain_that_stands_still_nothing_is_sold() {
    let halted = chain(NOW.0);
    assert_eq!(judged(&halted, NOW.plus(AGE)), Ok(Standing::Good));
    assert_eq!(judged(&halted, NOW.plus(AGE + 1)), Err(Code::GateChainFault));
    // It goes on, and so does the sale.
    assert_eq!(judged(&chain(NOW.0 + AGE), NOW.plus(AGE + 1)), Ok(Standing::Good));
}

#[test]
fn s142_s181_clocks_that_are_a_minute_apart_decide_alike() {
    // A payer signs for five minutes, and for a minute back: whoever judges it within a minute finds it good.
    let honest = payment(&requirements());
    for now in [NOW.minus(60), NOW.minus(10), NOW, NOW.plus(10), NOW.plus(60)] {
        check_at(&honest, now, &Rules::default()).unwrap();
    }
    // Where they differ, they do by no more than they are apart, and the later one is the stricter.
    let short = signed_with(&requirements(), |a| a["validBefore"] = (NOW.0 + 66).to_string().into());
    check_at(&short, NOW.plus(60), &Rules::default()).unwrap();
    assert_eq!(check_at(&short, NOW.plus(61), &Rules::default()).unwrap_err(), Code::ExactEvmValidBefore);
}

#[test]
fn s331_one_moment_decides_and_leaves_time_to_settle() {
    let end = NOW.0 + 300;
    let honest = signed_with(&requirements(), |a| a["validBefore"] = end.to_string().into());
    let good: Vec<u64> =
        (NOW.0 - 65..=end + 5).filter(|now| check_at(&honest, UnixSeconds(*now), &Rules::default()).is_ok()).collect();
    // From the second it says, to six before its end; one clock that stands still for a second changes nothing.
    assert_eq!((good[0], *good.last().unwrap(), good.len() as u64), (NOW.0 - 60, end - 6, end - 6 - (NOW.0 - 60) + 1));
    // The same request at the same moment is the same decision.
    let gate = gate(&config());
    let header = header(&honest);
    let facts = Facts { method: "GET", path: "/api/paid", payment_signature: Some(&header), ..Facts::default() };
    let told = |now| format!("{:?}", gate.admit(&facts, now));
    for now in [NOW, UnixSeconds(end - 6), UnixSeconds(end - 5)] {
        assert_eq!(told(now), told(now));
    }
}

#[test]
fn s333_no_number_is_cut_to_32_or_64_bits() {
    let at = |field: &str, value: u128| signed_with(&requirements(), |a| a[field] = value.to_string().into());
    for high in [1_u128 << 32, 1 << 53, 1 << 63, 1 << 64, 1 << 96] {
        // What would be the price, or a good time, if the high bits were lost.
        assert_eq!(
            check_at(&at("value", high + 10_000), NOW, &Rules::default()).unwrap_err(),
            Code::ExactEvmValueMismatch
        );
        assert_eq!(
            check_at(&at("validBefore", high + u128::from(NOW.0) + 60), NOW, &Rules::default()).unwrap_err(),
            Code::ExactEvmValidBefore
        );
        assert_eq!(
            check_at(&at("validAfter", high), NOW, &Rules::default()).unwrap_err(),
            if high > u128::from(NOW.0) { Code::ExactEvmValidAfter } else { panic!("{high} is not in the future") }
        );
        let mut rules = config();
        rules["routes"][1]["price"] = json!({ "amount": (high + 1).to_string() });
        let gate = gate(&rules);
        let Step::Answer(answer) = gate.admit(&Facts { method: "GET", path: "/api/paid", ..Facts::default() }, NOW)
        else {
            panic!("should be a challenge")
        };
        assert!(answer.body.contains(&format!("\"maxAmountRequired\":\"{}\"", high + 1)), "{}", answer.body);
    }
    // And none can be: the compiler is told so.
    let lints = include_str!("../../Cargo.toml");
    assert!(lints.contains("as_conversions = \"deny\"") && lints.contains("arithmetic_side_effects = \"deny\""));
}

#[test]
fn s186_a_token_that_moves_less_than_was_signed_was_not_paid() {
    let checked = check_at(&payment(&requirements()), NOW, &Rules::default()).unwrap();
    let Checked::ExactEvm(exact) = &checked;
    let told = events(exact);
    let receipt = |logs| Receipt { success: true, block: 1, logs };
    checked.settled(&receipt(told.clone())).unwrap();
    // A fee on the way, a part that goes elsewhere, a hook's event in another's name, an address that is rounded.
    let with = |change: &dyn Fn(&mut Vec<x402_core::evm::reads::Log>)| {
        let mut logs = told.clone();
        change(&mut logs);
        checked.settled(&receipt(logs)).map_err(|error| error.code())
    };
    let mismatch = Err(Code::ExactEvmTransferEventMismatch);
    assert_eq!(with(&|logs| logs[0].data = Amount::from(9_900_u64).to_be_bytes().to_vec()), mismatch);
    assert_eq!(with(&|logs| logs[0].data = Amount::from(10_100_u64).to_be_bytes().to_vec()), mismatch);
    assert_eq!(with(&|logs| logs[0].topics[2] = Address([9; 20]).to_word()), mismatch);
    assert_eq!(with(&|logs| logs[0].address = Address([9; 20])), mismatch);
    assert_eq!(with(&|logs| logs[0].data.clear()), mismatch);
    // More events than these are the token's own business.
    let extra = told[0].clone();
    with(&|logs| logs.insert(0, extra.clone())).unwrap();
    // One that answers nothing where others answer true is as good: what counts is that it does not revert.
    let mut answers = chain(NOW.0);
    answers[1] = Answer::Bytes(vec![]);
    assert_eq!(judged(&answers, NOW), Ok(Standing::Good));
    // One whose domain was changed under its payers says so.
    let text = |text: &str| {
        let mut data = [Amount::from(32_u64).to_be_bytes(), Amount::from(text.len() as u64).to_be_bytes()].concat();
        data.extend(text.bytes().chain(std::iter::repeat_n(0, 32 - text.len())));
        Answer::Bytes(data)
    };
    let reverted = Answer::Reverted("FiatTokenV2: invalid signature".into());
    (answers[1], answers[3], answers[4]) = (reverted, text("USDC"), text("3"));
    assert_eq!(judged(&answers, NOW), Err(Code::ExactEvmTokenVersion));
}

#[test]
fn s100_a_wallet_that_is_not_deployed_is_never_deployed_here() {
    let magic = "6492".repeat(16);
    let good = payment(&requirements())["payload"]["signature"].as_str().unwrap()[2..].to_owned();
    let factory = Address::parse(requirements()["asset"].as_str().unwrap()).unwrap();
    let call = hex::encode(&abi::call(
        abi::selector("transfer(address,uint256)"),
        &[Address([6; 20]).into(), Amount::from(1_u64).into()],
    ));
    let wrapped = format!("{}{}{good}", &hex::encode(&factory.to_word())[2..], &call[2..]);
    let nested = format!("{wrapped}{magic}{magic}");
    for contract_wallets in [false, true] {
        let rules = Rules { contract_wallets, ..Rules::default() };
        let refused = |signature: &str| {
            let mut one = payment(&requirements());
            one["payload"]["signature"] = format!("0x{signature}").into();
            check_at(&one, NOW, &rules).map(|checked| checked.call().to)
        };
        for text in [&format!("{wrapped}{magic}"), &nested, &magic, &format!("{good}{magic}")] {
            assert_eq!(refused(text), Err(Code::Eip6492FactoryNotAllowed));
        }
        // Cut short it is a wallet's own signature: the token's business, and only the token is ever called.
        let cut = format!("{wrapped}{}", &magic[..62]);
        match refused(&cut) {
            Ok(to) => assert!(contract_wallets && to == factory),
            Err(code) => assert!(!contract_wallets && code == Code::ExactEvmSignature),
        }
    }
}

#[test]
fn s353_what_is_sent_to_the_chain_is_bounded() {
    let rules = Rules { contract_wallets: true, ..Rules::default() };
    let with = |bytes: usize| {
        let mut one = payment(&requirements());
        one["payload"]["signature"] = format!("0x{}", "ab".repeat(bytes)).into();
        check_at(&one, NOW, &rules).map(|checked| checked.call())
    };
    let most = with(8 * 1024 - 1).unwrap();
    assert!(most.data.len() <= 8 * 1024 + 10 * 32 && most.gas_limit <= 300_000);
    assert_eq!(with(8 * 1024), Err(Code::InvalidPayload));
    // A key's signature is 65 bytes, and its call has one length.
    let call = check_at(&payment(&requirements()), NOW, &Rules::default()).unwrap().call();
    assert_eq!(call.data.len(), 4 + 9 * 32);
}

#[test]
fn s323_depth_is_bounded_wherever_text_comes_from() {
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let objects = |depth: usize| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
    for depth in [33, 1_000, 20_000, 100_000] {
        for nest in [deep(depth), objects(depth)] {
            // A payer's, in each of its fields; an operator's; a facilitator's; a node's.
            for field in ["extensions", "resource", "accepted", "payload", "more"] {
                let text = payment(&requirements()).to_string().replacen('{', &format!("{{\"{field}\":{nest},"), 1);
                assert!(x402_core::types::payload::PaymentPayload::read(&text).is_err(), "{field} {depth}");
            }
            let settings = config().to_string().replacen('{', &format!("{{\"more\":{nest},"), 1);
            assert!(x402_core::server::config::Config::read(&settings, &crate::support::secrets).is_err());
            let settled = format!("{{\"success\":true,\"transaction\":\"0x\",\"network\":\"x\",\"more\":{nest}}}");
            assert!(SettleResponse::read(&settled, Code::InvalidPaymentResponse).is_err());
            let checked = check_at(&payment(&requirements()), NOW, &Rules::default()).unwrap();
            let said = format!("{{\"isValid\":true,\"more\":{nest}}}");
            assert!(matches!(remote::verified(&checked.transfer(), Some((200, &said))), remote::Verdict::Fault(_)));
            let replies = format!("[{{\"id\":0,\"result\":{nest}}}]");
            assert!(x402_core::evm::reads::answers(&checked.reads()[..1], &replies).is_err());
        }
    }
}
