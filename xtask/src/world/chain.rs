//! The local chain: anvil under Base Sepolia's chain id, with the contracts stock clients and servers look for at
//! the addresses where they look for them.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Value, json};
use ureq::Agent;

use super::Chain;
use super::process::Processes;
use crate::run::target_dir;
use crate::tools;

/// Base Sepolia, CAIP-2.
pub const NETWORK: &str = "eip155:84532";
const CHAIN_ID: &str = "84532";
/// Circle's USDC on Base Sepolia; the asset stock clients know for this network.
pub const USDC: &str = "0x036CbD53842c5426634e7929541eC2318f3dCF7e";
/// The same address on nearly every EVM chain.
const MULTICALL3: &str = "0xcA11bde05977b3631167028862bE2a173976CA11";
/// What the payer starts with: 1 000 USDC in atomic units. Ether it has from the chain's genesis.
const PAYER_FUNDS: u128 = 1_000_000_000;

/// An account of the public test mnemonic that every anvil starts with: worth nothing anywhere, known to everyone.
pub struct Account {
    /// EIP-55 address.
    pub address: &'static str,
    /// Its key, as hex.
    pub private_key: &'static str,
}

/// Pays.
pub const PAYER: Account = Account {
    address: "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
    private_key: "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
};
/// Sends settlements for the gate and pays their gas.
pub const RELAYER: Account = Account {
    address: "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
    private_key: "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
};

/// An HTTP client for the world's own servers: no proxy, no redirects, a status is an answer.
pub fn client() -> Agent {
    Agent::config_builder()
        .proxy(None)
        .max_redirects(0)
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(10)))
        .build()
        .into()
}

/// A JSON-RPC endpoint.
pub struct Rpc {
    client: Agent,
    url: String,
}

impl Rpc {
    /// For the endpoint at `url`.
    pub fn new(url: &str) -> Self {
        Self { client: client(), url: url.to_owned() }
    }

    /// One call; the node's error is the error.
    pub fn call(&self, method: &str, params: &Value) -> Result<Value> {
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let mut answer: Value = self.client.post(&self.url).send_json(request)?.body_mut().read_json()?;
        match (answer.get_mut("result").map(Value::take), answer.get("error")) {
            (Some(result), None) => Ok(result),
            (_, error) => bail!("{method}: {}", error.unwrap_or(&Value::Null)),
        }
    }

    /// A token balance in atomic units.
    pub fn balance_of(&self, asset: &str, owner: &str) -> Result<u128> {
        let data = format!("0x70a08231{}", word(owner));
        let answer = self.call("eth_call", &json!([{ "to": asset, "data": data }, "latest"]))?;
        quantity(&answer)
    }

    /// Sends from one of the node's unlocked accounts and waits until it is mined.
    fn transact(&self, processes: &Processes, to: &str, data: &str) -> Result<()> {
        let transaction = json!([{ "from": PAYER.address, "to": to, "data": data }]);
        let hash = self.call("eth_sendTransaction", &transaction)?;
        let receipt = processes.until("a transaction of the local chain", || {
            self.call("eth_getTransactionReceipt", &json!([hash])).ok().filter(Value::is_object)
        })?;
        match receipt.get("status").and_then(Value::as_str) {
            Some("0x1") => Ok(()),
            _ => bail!("transaction {hash} reverted"),
        }
    }
}

/// An address as one ABI word, without 0x.
fn word(address: &str) -> String {
    format!("{:0>64}", address.trim_start_matches("0x").to_lowercase())
}

fn quantity(value: &Value) -> Result<u128> {
    let digits = value.as_str().and_then(|text| text.strip_prefix("0x")).unwrap_or("");
    u128::from_str_radix(digits.trim_start_matches('0'), 16)
        .or_else(
            |error| {
                if digits.chars().all(|digit| digit == '0') && !digits.is_empty() { Ok(0) } else { Err(error) }
            },
        )
        .map_err(|_| anyhow!("not a number: {value}"))
}

/// Starts anvil, places the contracts, funds the payer, and answers the endpoint's URL.
pub fn start(processes: &Processes, chain: &Chain, port: u16) -> Result<String> {
    let anvil = tools::anvil()?;
    let anvil = anvil.to_string_lossy();
    let port = port.to_string();
    let mut command = vec![&*anvil, "--chain-id", CHAIN_ID, "--host", "127.0.0.1", "--port", &port];
    let seconds = chain.block_seconds.to_string();
    // Blocks also come with time, as on the real chain: a simulated call sees the newest block's clock, and on a chain that
    // only mines when asked that clock stands still.
    if chain.automine {
        command.extend(["--mixed-mining", "--block-time", &seconds]);
    } else {
        command.extend(["--block-time", &seconds]);
    }
    processes.start("anvil", &command, &[])?;
    let log = processes.log("anvil");
    let address = processes.until("the chain's address", || {
        let text = fs::read_to_string(&log).ok()?;
        text.lines().find_map(|line| line.strip_prefix("Listening on ")).map(|address| address.trim().to_owned())
    })?;
    let url = format!("http://{address}");
    let rpc = Rpc::new(&url);
    processes.until("the chain's first answer", || rpc.call("eth_chainId", &json!([])).ok())?;
    // The log has told the address; what follows would only make it grow.
    rpc.call("anvil_setLoggingEnabled", &json!([false]))?;
    for (name, at) in [("TestUSDC", USDC), ("Multicall3", MULTICALL3)] {
        let code = runtime_code(name)?;
        rpc.call("anvil_setCode", &json!([at, code]))?;
    }
    rpc.transact(processes, USDC, &format!("0x40c10f19{}{PAYER_FUNDS:064x}", word(PAYER.address)))?;
    match rpc.balance_of(USDC, PAYER.address)? {
        PAYER_FUNDS => Ok(url),
        other => bail!("the payer holds {other} after minting {PAYER_FUNDS}"),
    }
}

/// The deployed bytecode of a compiled contract.
fn runtime_code(name: &str) -> Result<String> {
    let path = target_dir()?.join(format!("contracts/{name}.json"));
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let artifact: Value = serde_json::from_str(&text)?;
    match artifact.get("deployedBytecode").and_then(Value::as_str) {
        Some(code) if code.len() > 2 => Ok(code.to_owned()),
        _ => bail!("{}: no deployedBytecode", path.display()),
    }
}
