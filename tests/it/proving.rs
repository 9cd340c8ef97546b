//! What nodes say: enough to pay with or not, and whether a payment moved as it was signed.

use serde_json::{Value, json};
use x402_core::client::call::{Call, Funds};
use x402_core::client::choose::{choose, judge};
use x402_core::client::policy::Policy;
use x402_core::client::proof::{ask_funds, ask_moved, fundable, funds, moved};
use x402_core::error::Code;
use x402_core::evm::address::Address;
use x402_core::evm::hex;
use x402_core::evm::keccak::keccak256;
use x402_core::types::amount::Amount;
use x402_core::types::network::Network;
use x402_core::types::required::{PaymentRequired, Version};

use crate::support::{PAY_TO, USDC, requirements};

const URL: &str = "https://api.example.com/paid";
const MAINNET_USDC: &str = "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913";
const PAYER: &str = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
const TRANSACTION: &str = "0xabababababababababababababababababababababababababababababababab";

/// A cent on the test network, and half of that on the main one.
fn two() -> PaymentRequired {
    let mut other = requirements();
    other["network"] = json!("eip155:8453");
    other["asset"] = json!(MAINNET_USDC);
    other["amount"] = json!("5000");
    other["extra"]["name"] = json!("USD Coin");
    let text = json!({ "x402Version": 2, "accepts": [requirements(), other] }).to_string();
    PaymentRequired::read(&text, Version::V2).unwrap()
}

fn having(funds: &[(&str, &str, u64)]) -> Call {
    let of = |(network, asset, amount): &(&str, &str, u64)| Funds {
        network: Network::parse(network).unwrap(),
        asset: Address::parse(asset).unwrap(),
        amount: Amount::from(*amount),
    };
    Call { funds: funds.iter().map(of).collect(), ..Call::default() }
}

fn taken(call: &Call) -> Result<String, Code> {
    let choice = choose(&two(), &Policy::default(), call, URL, URL).map_err(|error| error.code())?;
    Ok(choice.offer.terms.network.as_str().into())
}

#[test]
fn the_cheapest_offer_is_taken_that_the_account_can_pay() {
    let (test, main) = (("eip155:84532", USDC), ("eip155:8453", MAINNET_USDC));
    assert_eq!(taken(&Call::default()).unwrap(), main.0, "nobody was asked: the cheapest");
    assert_eq!(taken(&having(&[(main.0, main.1, 5_000)])).unwrap(), main.0, "to the unit");
    assert_eq!(taken(&having(&[(main.0, main.1, 4_999)])).unwrap(), test.0, "what nobody tells of may be enough");
    assert_eq!(taken(&having(&[(main.0, main.1, 4_999), (test.0, test.1, 10_000)])).unwrap(), test.0);
    let poor = having(&[(main.0, main.1, 4_999), (test.0, test.1, 0)]);
    assert_eq!(taken(&poor).unwrap_err(), Code::PayerInsufficientFunds);
    // Why, for a person; and another network's tokens of that name are none of it.
    let judged = judge(&two().offers[1], &Policy::default(), &poor);
    let last = judged.trace.0.last().unwrap();
    assert_eq!((last.rule, last.passed), ("balance", false));
    assert!(last.sentence.ends_with("0.004999 USDC are there, 0.005 are needed"), "{}", last.sentence);
    assert_eq!(taken(&having(&[(test.0, main.1, 0)])).unwrap(), main.0);
}

#[test]
fn nodes_are_asked_about_what_may_be_paid_in() {
    let proves = ["eip155:84532".into(), "eip155:8453".into()];
    let policy = Policy::read(r#"{"networks":["eip155:84532"]}"#).unwrap();
    let judged =
        |policy: &Policy| two().offers.iter().map(|offer| judge(offer, policy, &Call::default())).collect::<Vec<_>>();
    let asked = |policy: &Policy, proves: &[String]| fundable(&judged(policy), proves).len();
    assert_eq!(asked(&Policy::default(), &proves), 2);
    assert_eq!(asked(&policy, &proves), 1, "not about what is not allowed");
    assert_eq!(asked(&Policy::default(), &proves[..1]), 1, "nor where no node is known");
    let (usdc, payer) = (Address::parse(USDC).unwrap(), Address::parse(PAYER).unwrap());
    let question: Value = serde_json::from_str(&ask_funds(&usdc, &payer)).unwrap();
    assert_eq!(question["method"], "eth_call");
    assert_eq!(question["params"][0]["to"], USDC);
    let data = format!("0x70a08231{:0>64}", PAYER[2..].to_lowercase());
    assert_eq!((&question["params"][0]["data"], &question["params"][1]), (&json!(data), &json!("latest")));
    let network = || Network::parse("eip155:84532").unwrap();
    let told = funds(network(), usdc, &json!({ "result": format!("0x{:064x}", 7) }).to_string()).unwrap();
    assert_eq!(told.amount, Amount::from(7_u64));
    for silent in ["", "{}", r#"{"result":"0x"}"#, r#"{"result":null}"#, r#"{"error":{"message":"no"}}"#] {
        assert_eq!(funds(network(), usdc, silent).unwrap_err().code(), Code::PayerChainFault, "{silent}");
    }
}

fn paid(transaction: &str) -> String {
    json!({ "id": format!("0x{:064x}", 7), "payer": PAYER, "payTo": PAY_TO, "asset": USDC, "amount": "10000", "transaction": transaction })
        .to_string()
}

/// A receipt of a transfer and of the use of a nonce, as a node writes it.
fn receipt() -> Value {
    let word = |address: &str| format!("0x{:0>64}", address[2..].to_lowercase());
    let topic = |name: &str| hex::encode(&keccak256(name.as_bytes()));
    let transfer = [topic("Transfer(address,address,uint256)"), word(PAYER), word(PAY_TO)];
    let used = [topic("AuthorizationUsed(address,bytes32)"), word(PAYER), format!("0x{:064x}", 7)];
    json!({ "jsonrpc": "2.0", "id": 1, "result": {
        "status": "0x1", "transactionHash": TRANSACTION,
        "logs": [
            { "address": USDC.to_lowercase(), "topics": used, "data": "0x" },
            { "address": USDC.to_lowercase(), "topics": transfer, "data": format!("0x{:064x}", 10_000) },
        ],
    } })
}

#[test]
fn s277_a_transaction_confirms_what_was_signed_and_nothing_else() {
    let question: Value = serde_json::from_str(&ask_moved(&paid(TRANSACTION)).unwrap()).unwrap();
    assert_eq!(
        (&question["method"], &question["params"]),
        (&json!("eth_getTransactionReceipt"), &json!([TRANSACTION]))
    );
    let told = |receipt: &Value| moved(&paid(TRANSACTION), &receipt.to_string()).map_err(|error| error.code());
    assert_eq!(told(&receipt()), Ok(Some(true)));
    assert_eq!(told(&json!({ "jsonrpc": "2.0", "id": 1, "result": null })), Ok(None), "not mined, or not there yet");
    let with = |pointer: &str, value: Value| {
        let mut changed = receipt();
        *changed.pointer_mut(pointer).unwrap() = value;
        changed
    };
    for (pointer, value) in [
        ("/result/status", json!("0x0")),
        ("/result/logs", json!([])),
        ("/result/logs/0/address", json!(PAY_TO)),
        ("/result/logs/0/topics/2", json!(format!("0x{:064x}", 8))),
        ("/result/logs/1/address", json!(PAYER)),
        ("/result/logs/1/topics/1", json!(format!("0x{:064x}", 8))),
        ("/result/logs/1/topics/2", json!(format!("0x{:064x}", 8))),
        ("/result/logs/1/data", json!(format!("0x{:064x}", 9_999))),
        ("/result/logs/1/topics", json!([])),
    ] {
        assert_eq!(told(&with(pointer, value)), Ok(Some(false)), "{pointer}");
    }
    let faults = [json!(null), json!({ "result": "0x" }), json!({ "error": { "code": -1 } }), json!({ "result": {} })];
    for fault in faults.iter().chain([&with("/result/logs/0", json!(1)), &with("/result/status", json!(null))]) {
        assert_eq!(told(fault), Err(Code::PayerChainFault), "{fault}");
    }
}

#[test]
fn s278_without_a_transaction_the_token_is_asked_whether_the_authorization_was_used() {
    let question: Value = serde_json::from_str(&ask_moved(&paid("")).unwrap()).unwrap();
    assert_eq!((&question["method"], &question["params"][1]), (&json!("eth_call"), &json!("latest")));
    let told = |answer: Value| moved(&paid(""), &answer.to_string()).map_err(|error| error.code());
    assert_eq!(told(json!({ "result": format!("0x{:064x}", 1) })), Ok(Some(true)));
    assert_eq!(told(json!({ "result": format!("0x{:064x}", 0) })), Ok(None), "it may still be");
    assert_eq!(told(json!({ "result": format!("0x{:064x}", 2) })), Err(Code::PayerChainFault));
    assert_eq!(ask_moved("{}").unwrap_err().code(), Code::PayerStoreBroken);
}
