//! Where each target starts: messages that are in order, and the attacks everybody knows.

use super::chain::typed_seeds;
use super::gate::{ITEM, RAW as RAW_PAYMENT, V1};
use super::payer::{BODY, RAW};
use super::world::{CONFIG, base64, genuine, header, payer, unbase64, unpaid};

const HASH: &str = "0x4444444444444444444444444444444444444444444444444444444444444444";

/// The seeds of a target.
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    match target {
        "payment_required" => payment_required(),
        "payment" => payment(),
        "path" => PATHS.iter().map(|path| path.as_bytes().to_vec()).collect(),
        "settlement" => settlement(),
        "facilitator" => facilitator(),
        "rpc" => rpc(),
        "config" => {
            let with_path = CONFIG.replace("https://shop.example", "https://shop.example/shop.example");
            vec![CONFIG.into(), SMALL_CONFIG.into(), with_path.into()]
        }
        "price" => price(),
        "signature" => signature(),
        _ => Vec::new(),
    }
}

fn chosen(choice: u8, text: &str) -> Vec<u8> {
    [&[choice], text.as_bytes()].concat()
}

fn payment_required() -> Vec<Vec<u8>> {
    let answer = unpaid("/api/paid");
    let terms = header(&answer, x402_core::transport::http::PAYMENT_REQUIRED).unwrap();
    vec![chosen(0, &unbase64(terms)), chosen(RAW, terms), chosen(BODY, &answer.body)]
}

fn payment() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    // A key that one reader takes for a command; the offer's own `extra` hides behind it.
    let hidden = genuine()[0].v2.replace(
        r#""extra":{"name":"USDC","version":"2"}"#,
        r#""extra":{"$serde_json::private::RawValue":"{\"name\":\"USDC\",\"version\":\"2\"}"}"#,
    );
    assert_ne!(hidden, genuine()[0].v2);
    seeds.push(chosen(0, &hidden));
    for (path, of) in [(0, &genuine()[0]), (ITEM, &genuine()[1])] {
        seeds.push(chosen(path, &of.v2));
        seeds.push(chosen(path | V1, &of.v1));
        seeds.push(chosen(path | RAW_PAYMENT, &base64(&of.v2)));
    }
    seeds
}

const PATHS: &[&str] = &[
    "/",
    "/free",
    "/api/paid",
    "/API/Paid/",
    "/api%2Fpaid",
    "/api/%2570aid",
    "/x/%2e%2e/api/./paid",
    "/x/..;/api/paid",
    "/x%2f..%2fapi%5cpaid",
    "/api/item/a%2Fb",
    "/api/item//7;v=1",
    "/api%252fitem%252f7%3fa",
    "/api/paid%23",
    "/api/paid%00.png",
    "/api/paid%20.",
    "/%EF%BC%8Fapi/paid",
    "/facilitator/verify",
    "/free%3F%2F..%2Fapi%2Fpaid",
    "/api/;%2F..%2Fpaid",
    "/api/item/x%2F..%2F..%2Fdear",
    "/all/free/x",
    "/all/free%2F..%2Fx",
    "/API/dear%00/",
    "/%00api%2Fpaid%25zz",
    "/api/item/x/..%1F../dee/",
    "/a%00pi/%25%0070aid",
];

fn settlement() -> Vec<Vec<u8>> {
    let payer = payer().address();
    let good = format!(
        r#"{{"success":true,"payer":"{payer}","transaction":"{HASH}","network":"eip155:84532","amount":"10000"}}"#
    );
    let old = format!(r#"{{"success":true,"transaction":"{HASH}","network":"base-sepolia","payer":"{payer}"}}"#);
    let failed = r#"{"success":false,"errorReason":"é🦀","transaction":"","network":"eip155:84532"}"#;
    vec![chosen(0, &good), chosen(0, &old), chosen(0, failed), chosen(RAW, &base64(&good))]
}

fn facilitator() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for of in genuine() {
        let body = |payment: &str, offer: &str, version: u8| {
            format!(r#"{{"x402Version":{version},"paymentPayload":{payment},"paymentRequirements":{offer}}}"#)
        };
        let answer = unpaid(of.path);
        let terms = unbase64(header(&answer, x402_core::transport::http::PAYMENT_REQUIRED).unwrap());
        for (terms, payment, version) in [(terms.as_str(), &of.v2, 2), (&answer.body, &of.v1, 1)] {
            let terms: serde_json::Value = serde_json::from_str(terms).unwrap();
            seeds.push(chosen(0, &body(payment, &terms["accepts"][0].to_string(), version)));
        }
    }
    seeds.push(chosen(1, r#"{"isValid":true,"payer":"0x"}"#));
    seeds.push(chosen(1, r#"{"isValid":false,"invalidReason":"invalid_exact_evm_signature"}"#));
    seeds.extend(settlement().into_iter().take(3).map(|seed| [&[2], &seed[1..]].concat()));
    seeds.push(chosen(2, r#"{"success":false,"errorReason":"settlement_pending","transaction":"","network":""}"#));
    seeds.push(chosen(
        3,
        r#"{"kinds":[{"x402Version":2,"scheme":"exact","network":"eip155:84532"}],"extensions":[],"signers":{"eip155:*":["0x"]}}"#,
    ));
    seeds
}

fn rpc() -> Vec<Vec<u8>> {
    let reply = |id: usize, result: &str| format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#);
    let word = |digits: &str| format!(r#""0x{digits:0>64}""#);
    let block = r#"{"number":"0x10","timestamp":"0x6b49d200","baseFeePerGas":"0x3b9aca00"}"#;
    let asked = format!("0x{}", "33".repeat(32));
    let receipt = format!(
        r#"{{"transactionHash":"{asked}","status":"0x1","blockNumber":"0x11","logs":[{{"address":"0x036CbD53842c5426634e7929541eC2318f3dCF7e","topics":["{HASH}"],"data":"0x"}}]}}"#
    );
    let string = format!(r#""0x{:0>64}{:0>64}{:0<64}""#, "20", "4", "55534443");
    let verify =
        [r#""0x60""#.into(), r#""0x""#.into(), word("0"), string.clone(), string, word("ffffff"), r#""0x""#.into()];
    let plan = [r#""0x14a34""#, r#""0x7""#, block, r#""0xf4240""#, r#""0xde0b6b3a7640000""#].map(String::from);
    let batch = |results: &[String]| {
        let replies: Vec<String> = results.iter().enumerate().map(|(id, result)| reply(id, result)).collect();
        format!("[{}]", replies.join(","))
    };
    let error = r#"[{"id":0,"error":{"code":3,"message":"execution reverted","data":"0x"}}]"#;
    // The batches' places: two whole ones, the twelve questions of those, a receipt, a transaction.
    let mut seeds = vec![
        chosen(0, &batch(&verify)),
        chosen(1, &batch(&plan)),
        chosen(3, error),
        chosen(14, &batch(&[receipt])),
        chosen(14, &batch(&["null".into()])),
        chosen(15, r#"[{"id":0,"error":{"code":-32000,"message":"nonce too low"}}]"#),
    ];
    seeds.extend(typed_seeds());
    seeds
}

const SMALL_CONFIG: &str = r#"{"publicOrigin":"http://a","origin":{"service":"B"},"payTo":"0x3c44cdddb6a900fa2b585dd299e03d12fa4293bc","networks":{"eip155:1":{"facilitator":[{"url":"https://f"}]}},"default":"deny","routes":[{"match":"GET /a/*","price":"1 USDC"},{"match":"POST /b","price":"0.5","payTo":"0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"}],"cors":{"origins":["https://page.example"]},"v1":false}"#;

fn price() -> Vec<Vec<u8>> {
    let texts = [
        (0, "10000"),
        (0, super::digits::MAX_UINT256),
        (0, "0x2710"),
        (1, "0.010000"),
        (1, "115792089237316195423570985008687907853269984665640564039457.584007913129639935"),
        (2, r#""$0.01""#),
        (2, r#"" 1.5 usdc ""#),
        (2, r#""$0.0000001""#),
        (2, r#"{"amount":"1","asset":"0x036CbD53842c5426634e7929541eC2318f3dCF7e","name":"A","version":"1"}"#),
        (3, "$0.10"),
        (3, "0.1234567890123456789"),
    ];
    texts.iter().map(|(choice, text)| [&[*choice, 18], text.as_bytes()].concat()).collect()
}

fn signature() -> Vec<Vec<u8>> {
    let digest = [0x99; 32];
    let good = payer().sign(&digest).to_bytes();
    let with = |signature: &[u8]| [&[0], digest.as_slice(), signature].concat();
    let mut compact = good[..64].to_vec();
    compact[32] |= (good[64] - 27) << 7;
    let key = [[1_u8].as_slice(), &digest, "11".repeat(32).as_bytes()].concat();
    let text = |text: &str| chosen(2, text);
    vec![
        with(&good),
        with(&compact),
        key,
        text("0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"),
        text("eip155:84532"),
        text("0x00ff"),
    ]
}
