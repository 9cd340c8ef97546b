//! The local world: a chain, an origin, the gate in front of it, and the page, on this machine and without a network.
//!
//! ```text
//! page ──► gate (workerd) ──► switches ──► origin (node)
//!            └──────────────► switches ──► chain (anvil, 84532: test USDC, Multicall3)
//! ```
//!
//! The switches (node) pass everything on until the page has them misbehave. They also lead to the gate, for a page that
//! wants a payee who asks for more. The addresses of the description are the parts' own.
//!
//! [`start`] answers when every part has been seen to work; dropping the [`World`] ends every process of it.

mod chain;
mod gate;
mod process;

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use chain::{NETWORK, PAYER, Rpc, USDC};
use chain::{RELAYER, client};
pub use gate::{Route, Secrets};
pub use process::expect_interrupt;

use crate::run::{root, step};
use crate::tools;
use process::Processes;

/// Ports of the world; 0 means any free one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ports {
    /// The gate's.
    pub gate: u16,
    /// The chain's.
    pub rpc: u16,
    /// The page server's.
    pub page: u16,
}

/// How the chain makes blocks.
#[derive(Clone, Copy, Debug)]
pub struct Chain {
    /// A block at once for every transaction, besides those that come with time.
    pub automine: bool,
    /// Seconds between the blocks that come with time.
    pub block_seconds: u32,
}

impl Default for Chain {
    /// Base's two seconds, and no waiting for them.
    fn default() -> Self {
        Self { automine: true, block_seconds: 2 }
    }
}

/// What can be chosen about a world.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Ports.
    pub ports: Ports,
    /// No progress on standard error.
    pub quiet: bool,
    /// Another gate config than the demo's.
    pub gate_config: Option<PathBuf>,
    /// More secrets for the gate, by name; they win over the world's own.
    pub secrets: Secrets,
    /// The chain's blocks.
    pub chain: Chain,
}

/// Text that `--json` prints and suites read. The keys are a promise.
#[derive(Serialize)]
struct Description<'a> {
    gate: &'a str,
    rpc: &'a str,
    network: &'a str,
    asset: &'a str,
    #[serde(rename = "payTo")]
    pay_to: &'a str,
    payer: Payer<'a>,
    facilitator: Facilitator<'a>,
    page: &'a str,
    routes: &'a [Route],
    origin: &'a str,
    switches: &'a str,
}

#[derive(Serialize)]
struct Payer<'a> {
    address: &'a str,
    #[serde(rename = "privateKey")]
    private_key: &'a str,
}

#[derive(Serialize)]
struct Facilitator<'a> {
    url: &'a str,
    token: &'a str,
}

/// A running world. Dropping it ends it.
pub struct World {
    /// URL of the gate.
    pub gate: String,
    /// URL of the chain's JSON-RPC.
    pub rpc: String,
    /// URL of the origin, which a test asks how often it ran.
    pub origin: String,
    /// URL of the page.
    pub page: String,
    /// URL of the switches by which parts misbehave.
    pub switches: String,
    /// Who is paid.
    pub pay_to: String,
    /// The gate's routes.
    pub routes: Vec<Route>,
    processes: Processes,
}

/// The prefix under which the demo config answers as a facilitator, and the token it asks for.
const FACILITATOR_PREFIX: &str = "/facilitator";
const FACILITATOR_TOKEN: &str = "local-world-facilitator-token";
/// What the world's passes are made with.
const PASS_KEY: &str = "local-world-key-of-passes";

impl World {
    /// The description, one line of JSON.
    pub fn json(&self) -> String {
        let facilitator = format!("{}{FACILITATOR_PREFIX}", self.gate);
        let description = Description {
            gate: &self.gate,
            rpc: &self.rpc,
            network: NETWORK,
            asset: USDC,
            pay_to: &self.pay_to,
            payer: Payer { address: PAYER.address, private_key: PAYER.private_key },
            facilitator: Facilitator { url: &facilitator, token: FACILITATOR_TOKEN },
            page: &self.page,
            routes: &self.routes,
            origin: &self.origin,
            switches: &self.switches,
        };
        serde_json::to_string(&description).unwrap_or_default()
    }

    /// Stays until interrupted, until a part fails (an error), or, if asked, until standard input closes.
    pub fn stay(&self, until_stdin_closes: bool) -> Result<()> {
        self.processes.stay(until_stdin_closes)
    }
}

/// Starts everything and waits until it works: the chain holds its contracts and the payer's money, the origin
/// answers, and the gate serves what is free and asks for payment for what is not.
pub fn start(options: &Options) -> Result<World> {
    let processes = Processes::new()?;
    let chain = || chain::start(&processes, &options.chain, options.ports.rpc);
    let rpc = part(options, "starting the chain", chain)?;
    let origin = || start_script(&processes, "origin", &[]);
    let origin = part(options, "starting the origin", origin)?;
    let description = processes.directory().join("world.json");
    let file = description.to_string_lossy();
    let switches = || start_script(&processes, "switches", &["--world", &file]);
    let switches = part(options, "starting the switches", switches)?;
    let gate = || start_gate(&processes, options, &format!("{switches}/node"), &format!("{switches}/origin"));
    let (gate, config) = part(options, "starting the gate", gate)?;
    let page = || start_page(&processes, options.ports.page, &description);
    let page = part(options, "starting the page server", page)?;
    let (pay_to, routes) = (config.pay_to, config.routes);
    let world = World { gate, rpc, origin, page, switches, pay_to, routes, processes };
    fs::write(&description, world.json())?;
    if options.gate_config.is_none() {
        works(&world)?;
    }
    Ok(world)
}

fn part<T>(options: &Options, name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    if options.quiet { work() } else { step(name, work) }
}

fn start_page(processes: &Processes, port: u16, description: &Path) -> Result<String> {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let (www, pkg) = (text(&root().join("www")), text(&root().join("pkg")));
    let (file, port) = (text(description), port.to_string());
    let arguments = ["--root", &www, "--pkg", &pkg, "--world", &file, "--port", &port];
    start_script(processes, "static", &arguments)
}

/// Starts one of the support scripts and reads the address it prints.
fn start_script(processes: &Processes, name: &'static str, arguments: &[&str]) -> Result<String> {
    let script = root().join(format!("tests/support/{name}.mjs"));
    let node = tools::node()?;
    let (node, script) = (node.to_string_lossy(), script.to_string_lossy());
    let mut command = vec![&*node, &*script];
    command.extend(arguments);
    processes.start(name, &command, &[])?;
    let log = processes.log(name);
    processes.until(name, || {
        let text = fs::read_to_string(&log).ok()?;
        let line: Line = text.lines().find_map(|line| serde_json::from_str(line).ok())?;
        Some(line.origin)
    })
}

/// The line a script prints when it listens.
#[derive(Deserialize)]
struct Line {
    #[serde(alias = "page", alias = "switches")]
    origin: String,
}

/// Starts the gate. It has to know its own address before it runs, so a free port is chosen first; should somebody take
/// it in between, another one is.
fn start_gate(processes: &Processes, options: &Options, rpc: &str, origin: &str) -> Result<(String, gate::Config)> {
    let demo = root().join("worker/gate.demo.json");
    let file = options.gate_config.as_ref().unwrap_or(&demo);
    let mut secrets = options.secrets.clone();
    for (name, value) in [
        ("RELAYER_KEY", RELAYER.private_key),
        ("RPC_URL", rpc),
        ("FACILITATOR_TOKEN", FACILITATOR_TOKEN),
        ("PASS_KEY", PASS_KEY),
    ] {
        if !secrets.iter().any(|(given, _)| given == name) {
            secrets.push((name.to_owned(), value.to_owned()));
        }
    }
    for last in [false, false, true] {
        let port = if options.ports.gate == 0 { free_port()? } else { options.ports.gate };
        let address = format!("127.0.0.1:{port}");
        let url = format!("http://{address}");
        let config = gate::config(file, &url, origin)?;
        gate::start(processes, &config, &secrets, &address)?;
        match gate::listening(processes) {
            Ok(()) => return Ok((url, config)),
            Err(_) if !last && options.ports.gate == 0 && gate::port_was_taken(processes) => {
                processes.end("workerd");
            }
            Err(error) => return Err(error),
        }
    }
    bail!("the gate found no free port")
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Sees the world work from outside: one free route served through the gate, one paid route refused with terms.
fn works(world: &World) -> Result<()> {
    let client = client();
    let get = |path: &str| -> Result<(u16, String)> {
        let mut answer = client.get(format!("{}{path}", world.gate)).call()?;
        Ok((answer.status().as_u16(), answer.body_mut().read_to_string()?))
    };
    let paid = world.routes.iter().find(|route| route.method == "GET" && route.price.is_some());
    let paid = paid.context("the demo config has no paid GET route")?;
    for (path, wanted) in [("/free", 200), (&*paid.path, 402)] {
        let (status, body) = get(path)?;
        if status != wanted {
            let log = fs::read_to_string(world.processes.log("workerd")).unwrap_or_default();
            bail!("the gate answers GET {path} with {status} instead of {wanted}: {body}\n{log}");
        }
    }
    let page: Value = client.get(format!("{}/world.json", world.page)).call()?.body_mut().read_json()?;
    let known = page.get("gate").and_then(Value::as_str);
    ensure!(known == Some(&world.gate), "the page server does not know this world");
    Ok(())
}
