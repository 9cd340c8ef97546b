//! The JavaScript suites: folders of `tests/` with `*.test.mjs` in them, run by Node's own test runner.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::count::{self, Count};
use super::counted;
use crate::run::root;
use crate::tools;
use crate::world::{self, World};

/// The order in which suites run, from the parts to the whole; others follow by name.
const ORDER: [&str; 6] = ["world", "package", "workerd", "browser", "attack", "interop"];

/// Folders that hold no suites, whatever lies in them.
const NOT_SUITES: [&str; 2] = ["node_modules", "support"];

/// The suites there are.
pub(super) fn folders() -> Result<Vec<String>> {
    let tests = root().join("tests");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&tests).context("the folder tests could not be read")? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !NOT_SUITES.contains(&name.as_str()) && !files(&name)?.is_empty() {
            found.push(name);
        }
    }
    let place = |name: &String| ORDER.iter().position(|known| known == name).unwrap_or(ORDER.len());
    found.sort_by(|a, b| place(a).cmp(&place(b)).then_with(|| a.cmp(b)));
    Ok(found)
}

fn files(folder: &str) -> Result<Vec<PathBuf>> {
    let folder = root().join("tests").join(folder);
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| format!("{} could not be read", folder.display()))? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(".test.mjs") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The description of the world, which is started when the first suite asks for it.
pub(super) fn world(slot: &mut Option<World>) -> Result<String> {
    let running = match slot.take() {
        Some(running) => running,
        None => world::start(&world::Options::default()).context("the local world did not start")?,
    };
    Ok(slot.insert(running).json())
}

/// Runs one suite, its files one after the other: they share one payer and count its money.
///
/// A suite finds the world in `X402_WORLD`, the front door for a world of its own in `X402_XTASK`, the browser in
/// `CHROMIUM`, and a Node of our version first on `PATH`.
pub(super) fn run(folder: &str, description: &str, live: bool) -> Result<Count> {
    let mut command = Command::new(tools::node()?);
    command
        .current_dir(root())
        .args(["--test", "--test-concurrency=1", "--test-reporter=spec"])
        // A test that hangs is a failure with a name, not a run without an end.
        .arg("--test-timeout=600000")
        .args(files(folder)?)
        .env("X402_WORLD", description)
        .env("X402_XTASK", std::env::current_exe().context("the front door's own file is unknown")?)
        .env("CHROMIUM", tools::chromium()?)
        .env("PATH", tools::path_with_tools()?)
        .env_remove("FORCE_COLOR")
        .env("NO_COLOR", "1");
    let count = counted(live, &mut command, count::of_node)?;
    if count.passed + count.failed + count.skipped == 0 {
        bail!("{}tests/{folder} ran no test at all", count.output);
    }
    Ok(count)
}
