//! `cargo xtask demo`: one paid request from end to end, told so that a person can follow the money.

mod print;

use std::io::{IsTerminal as _, Write as _};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::run::{quietly, root, step};
use crate::world::{self, Options, PAYER, Rpc, USDC, World};
use crate::{build, serve, tools};

use print::Page;

/// What the payer's script saw, and what the chain says about it.
struct Story {
    facts: Value,
    before: Balances,
    after: Balances,
    transaction: Value,
}

/// Token balances in atomic units.
#[derive(Clone, Copy)]
struct Balances {
    payer: u128,
    seller: u128,
}

impl Balances {
    fn read(rpc: &Rpc, seller: &str) -> Result<Self> {
        Ok(Self { payer: rpc.balance_of(USDC, PAYER.address)?, seller: rpc.balance_of(USDC, seller)? })
    }
}

/// Builds, starts the world, pays once and tells it; then serves the page unless `--once` is given.
pub fn run(words: &[&str]) -> Result<()> {
    let once = match words {
        [] => false,
        ["--once"] => true,
        other => bail!("cargo xtask demo takes --once or nothing, not {}", other.join(" ")),
    };
    build::all()?;
    let world = world::start(&Options::default())?;
    let story = step("paying", || pay(&world))?;
    let colours = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let mut output = std::io::stdout().lock();
    output.write_all(tell(&story, &world, colours)?.as_bytes())?;
    if !once {
        world::expect_interrupt();
        output.write_all(serve::describe(&world).as_bytes())?;
    }
    output.flush()?;
    drop(output);
    if once { Ok(()) } else { world.stay(false) }
}

/// One paid request, with the balances around it.
fn pay(world: &World) -> Result<Story> {
    let rpc = Rpc::new(&world.rpc);
    let before = Balances::read(&rpc, &world.pay_to)?;
    let mut script = Command::new(tools::node()?);
    script.arg(root().join("tests/support/demo.mjs")).env("X402_WORLD", world.json());
    let facts: Value =
        serde_json::from_str(quietly(&mut script)?.trim()).context("the payer's script told no facts")?;
    let hash = text(&facts, "/settled/transaction");
    ensure!(!hash.is_empty(), "nothing was settled: {facts}");
    let transaction = rpc.call("eth_getTransactionReceipt", &json!([hash]))?;
    let after = Balances::read(&rpc, &world.pay_to)?;
    Ok(Story { facts, before, after, transaction })
}

/// The story as text; an error when the money did not move as it was signed.
fn tell(story: &Story, world: &World, colours: bool) -> Result<String> {
    let Story { facts, before, after, transaction } = story;
    let get = |path: &str| text(facts, path);
    let milliseconds = |name: &str| facts.pointer(&format!("/milliseconds/{name}")).and_then(Value::as_f64);
    let signed = |field: &str| get(&format!("/signed/payload/authorization/{field}"));
    let amount: u128 = signed("value").parse().context("the signed amount is not a number")?;
    let mut page = Page::new(colours);

    page.title("One paid request, end to end");

    page.step(1, &format!("GET {}", get("/url")), milliseconds("challenge"));
    page.outcome("402 Payment Required");
    page.field("for", &get("/challenge/resource/description"));
    page.field("price", &format!("{} USDC", money(offer(facts, "amount").parse()?)));
    page.field("to", &offer(facts, "payTo"));
    page.field("network", &format!("{}, {}", offer(facts, "network"), offer(facts, "scheme")));
    page.field("asset", &offer(facts, "asset"));

    page.step(2, "The payer decides and signs", milliseconds("sign"));
    page.outcome("TransferWithAuthorization (EIP-3009), typed data (EIP-712)");
    for field in ["from", "to"] {
        page.field(field, &signed(field));
    }
    page.field("value", &format!("{amount} atomic units = {} USDC", money(amount)));
    page.field("valid", &window(&signed("validAfter"), &signed("validBefore")));
    page.field("nonce", &signed("nonce"));
    page.field("signature", &shortened(&get("/signed/payload/signature")));

    page.step(3, "The same request with the payment, until its answer", milliseconds("paid"));
    page.outcome(&format!("{} from the gate: verified, fetched from the origin, settled on the chain", get("/status")));
    page.quote(&get("/body"));

    page.step(4, "The receipt", None);
    page.field("paid", &format!("{} USDC", money(amount)));
    page.field("by", &get("/settled/payer"));
    page.field("transaction", &get("/settled/transaction"));
    page.field("block", &quantity(transaction, "/blockNumber"));
    page.field("gas", &format!("{}, paid by the gate's relayer", quantity(transaction, "/gasUsed")));

    page.heading("Balances, read from the chain (USDC)");
    page.balance("payer", before.payer, after.payer);
    page.balance("seller", before.seller, after.seller);

    ensure!(!text(facts, "/receipt").is_empty(), "the payer knows of no receipt");
    let moved = before.payer.checked_sub(after.payer) == Some(amount)
        && after.seller.checked_sub(before.seller) == Some(amount);
    ensure!(moved, "the balances did not move by the {amount} that were signed\n{}", page.finish());
    ensure!(text(transaction, "/status") == "0x1", "the transaction reverted");
    ensure!(world.pay_to.eq_ignore_ascii_case(&signed("to")), "somebody else was paid");
    page.gap();
    page.line(&format!("Exactly the {amount} atomic units that were signed have moved."));
    let time = |name: &str| milliseconds(name).map_or_else(String::new, |time| format!("{time:.0} ms"));
    page.line(&format!(
        "From the call to the last byte: {}. Loading the package before it: {}.",
        time("all"),
        time("load")
    ));
    Ok(page.finish())
}

/// A field of the offer that was taken, as the challenge made it.
fn offer(facts: &Value, field: &str) -> String {
    text(facts, &format!("/signed/accepted/{field}"))
}

/// A value as text, without quotes; empty if it is not there.
fn text(value: &Value, path: &str) -> String {
    match value.pointer(path) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }
}

/// A JSON-RPC quantity in decimal.
fn quantity(value: &Value, path: &str) -> String {
    let digits = text(value, path);
    u128::from_str_radix(digits.trim_start_matches("0x"), 16).map_or(digits, |number| number.to_string())
}

/// Atomic units of a six-decimals token as a decimal number.
fn money(atomic: u128) -> String {
    format!("{}.{:06}", atomic / 1_000_000, atomic % 1_000_000)
}

/// A signature is shown only as far as it takes to recognise it: it is as good as the money until it is used.
fn shortened(signature: &str) -> String {
    match (signature.get(..10), signature.len().checked_sub(2)) {
        (Some(head), Some(digits)) if digits > 8 => format!("{head}… ({} bytes)", digits / 2),
        _ => String::new(),
    }
}

/// The seconds in which an authorization can be used, as a person counts them.
fn window(after: &str, before: &str) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |time| time.as_secs());
    match (after.parse::<u64>(), before.parse::<u64>()) {
        (Ok(_), Ok(before)) if before > now => {
            format!("until {before}, {} s from now", before - now)
        }
        _ => format!("after {after}, before {before}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_keeps_every_atomic_unit() {
        assert_eq!(money(0), "0.000000");
        assert_eq!(money(10_000), "0.010000");
        assert_eq!(money(999_990_001), "999.990001");
    }

    #[test]
    fn a_signature_is_never_shown_whole() {
        let signature = format!("0x{}", "ab".repeat(65));
        assert_eq!(shortened(&signature), "0xabababab… (65 bytes)");
        assert_eq!(shortened("0x"), "");
    }

    #[test]
    fn quantities_are_decimal() {
        let receipt = json!({ "blockNumber": "0x1f" });
        assert_eq!(quantity(&receipt, "/blockNumber"), "31");
        assert_eq!(quantity(&receipt, "/gone"), "");
    }
}
