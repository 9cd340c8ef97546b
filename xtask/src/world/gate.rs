//! The gate of the local world: the built Worker in raw workerd, as it would run on Cloudflare but for the address.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::Value;

use super::process::Processes;
use crate::run::root;
use crate::tools;

/// In a gate config, these stand for the world's own addresses. Names below `localhost` are loopback by RFC 6761, so
/// the file stays a valid config as it is.
pub const GATE_PLACE: &str = "http://gate.localhost";
/// The origin's place.
pub const ORIGIN_PLACE: &str = "http://origin.localhost";

/// What the gate's runtime is asked to behave like; the Worker's own config names the same date.
const COMPATIBILITY_DATE: &str = "2026-10-01";

/// One paid route, as the world's description lists it.
#[derive(Clone, Debug, Serialize)]
pub struct Route {
    /// HTTP method.
    pub method: String,
    /// Path pattern of the config.
    pub path: String,
    /// Price as the config writes it; none where the config says that the route is free.
    pub price: Option<String>,
}

/// A gate config with the world's addresses filled in.
pub struct Config {
    /// The text the gate reads.
    pub text: String,
    /// Who is paid, if the config is readable and says so.
    pub pay_to: String,
    /// Its routes, as far as they can be read.
    pub routes: Vec<Route>,
}

/// Reads a config and fills in the addresses. A config that is not valid JSON is handed to the gate as it is: what the
/// gate does with it is the gate's business.
pub fn config(file: &Path, gate: &str, origin: &str) -> Result<Config> {
    let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let text = text.replace(GATE_PLACE, gate).replace(ORIGIN_PLACE, origin);
    let value: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
    let pay_to = value.get("payTo").and_then(Value::as_str).unwrap_or_default().to_owned();
    let routes = value.get("routes").and_then(Value::as_array).map(|routes| routes.iter().filter_map(route).collect());
    Ok(Config { text, pay_to, routes: routes.unwrap_or_default() })
}

fn route(value: &Value) -> Option<Route> {
    let (method, path) = value.get("match")?.as_str()?.split_once(' ')?;
    let free = value.get("free").and_then(Value::as_bool).unwrap_or(false);
    let price = match value.get("price") {
        _ if free => None,
        Some(Value::String(price)) => Some(price.clone()),
        Some(other) => Some(other.to_string()),
        None => return None,
    };
    Some(Route { method: method.to_owned(), path: path.trim().to_owned(), price })
}

/// Text bindings: secrets by name.
pub type Secrets = Vec<(String, String)>;

/// Writes the runtime's files below the world's directory and starts workerd on them.
pub fn start(processes: &Processes, config: &Config, secrets: &Secrets, address: &str) -> Result<()> {
    let directory = processes.directory().join("gate");
    fs::create_dir_all(directory.join("objects"))?;
    let modules = copy_modules(&root().join("worker"), &directory)?;
    fs::write(directory.join("gate.json"), &config.text)?;
    let file = directory.join("config.capnp");
    fs::write(&file, capnp(&modules, secrets, &directory.join("objects"), address))?;
    let workerd = tools::workerd()?;
    let (workerd, file) = (workerd.to_string_lossy(), file.to_string_lossy());
    processes.start("workerd", &[&workerd, "serve", "--control-fd=1", &file], &[])
}

/// Waits until workerd reports its socket; the port it reports is the one it was given.
pub fn listening(processes: &Processes) -> Result<()> {
    let log = processes.log("workerd");
    processes.until("the gate's socket", || {
        let text = fs::read_to_string(&log).ok()?;
        text.lines().any(|line| line.starts_with('{') && line.contains("\"listen\"")).then_some(())
    })
}

/// Whether workerd ended because somebody else took its port between the choice and the start.
pub fn port_was_taken(processes: &Processes) -> bool {
    fs::read_to_string(processes.log("workerd")).is_ok_and(|text| text.contains("in use"))
}

/// A module of the Worker: its name in imports, and the field of workerd's `Module` that says what it is.
struct Module {
    name: String,
    kind: &'static str,
}

/// Copies the Worker's entry and what was built for it, so that a later build does not change a running world.
fn copy_modules(worker: &Path, to: &Path) -> Result<Vec<Module>> {
    let mut modules = vec![Module { name: "index.mjs".to_owned(), kind: "esModule" }];
    copy(worker, to, "index.mjs")?;
    let built = worker.join("build");
    let mut files = Vec::new();
    list(&built, &mut files).with_context(|| format!("{}: is the gate built?", built.display()))?;
    files.sort();
    for file in files {
        let kind = match file.extension().and_then(|extension| extension.to_str()) {
            Some("js" | "mjs") => "esModule",
            Some("wasm") => "wasm",
            _ => continue,
        };
        let name = file.strip_prefix(worker)?.to_string_lossy().into_owned();
        copy(worker, to, &name)?;
        modules.push(Module { name, kind });
    }
    modules.push(Module { name: "gate.json".to_owned(), kind: "text" });
    Ok(modules)
}

fn copy(from: &Path, to: &Path, name: &str) -> Result<()> {
    let target = to.join(name);
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent)?;
    }
    let source = from.join(name);
    fs::copy(&source, target).with_context(|| source.display().to_string())?;
    Ok(())
}

fn list(directory: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            list(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// The runtime's config: one Worker, its secrets, its durable objects on disk, and a way out that reaches this machine.
fn capnp(modules: &[Module], secrets: &Secrets, objects: &Path, address: &str) -> String {
    let module = |module: &Module| format!("    (name = {0}, {1} = embed {0}),\n", quoted(&module.name), module.kind);
    let modules: String = modules.iter().map(module).collect();
    let binding =
        |(name, value): &(String, String)| format!("    (name = {}, text = {}),\n", quoted(name), quoted(value));
    let bindings: String = secrets.iter().map(binding).collect();
    let (objects, address) = (quoted(&objects.to_string_lossy()), quoted(address));
    format!(
        r#"using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "gate", worker = .gate),
    (name = "internet", network = (allow = ["public", "private"])),
    (name = "objects", disk = (path = {objects}, writable = true)),
  ],
  sockets = [(name = "http", address = {address}, http = (), service = "gate")],
);

const gate :Workerd.Worker = (
  compatibilityDate = "{COMPATIBILITY_DATE}",
  compatibilityFlags = ["enable_request_signal"],
  modules = [
{modules}  ],
  bindings = [
    (name = "RELAYER", durableObjectNamespace = "Relayer"),
    (name = "BOOK", durableObjectNamespace = "Book"),
{bindings}  ],
  durableObjectNamespaces = [
    (className = "Relayer", uniqueKey = "x402-relayer", enableSql = true),
    (className = "Book", uniqueKey = "x402-book", enableSql = true),
  ],
  durableObjectStorage = (localDisk = "objects"),
);
"#
    )
}

/// A Cap'n Proto string literal.
fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{escaped}\"")
}
