//! `cargo xtask test`: every check of the repository in order, and the count of all tests as the last line.

mod count;
mod suites;

use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};

use self::count::Count;
use crate::run::{cargo, collect, root, say, show, step_with};
use crate::world::World;
use crate::{build, licences, tidy, tools};

/// What the steps of one run share.
#[derive(Default)]
struct Run {
    /// The local world, started for the first suite that needs it and ended with the run.
    world: Option<World>,
    /// Whether the outputs of the programs are shown as they come.
    live: bool,
}

struct Step {
    /// What a person types.
    name: String,
    /// What it does, for the progress line.
    about: String,
    work: Work,
}

enum Work {
    /// A check that passes or fails as one.
    Check(fn(&Run) -> Result<()>),
    /// Programs that count their own tests.
    Tests(fn(&Run) -> Result<Count>),
    /// Needed by what follows; proves nothing itself.
    Preparation(fn() -> Result<()>),
    /// A folder of JavaScript tests.
    Suite(String),
}

/// `cargo xtask test [NAME…]`: all steps, or only the ones named.
pub fn run(words: &[&str]) -> Result<()> {
    let steps = steps()?;
    if words == ["--list"] {
        for step in &steps {
            println!("{:<12} {}", step.name, step.about);
        }
        return Ok(());
    }
    for word in words {
        if !steps.iter().any(|step| step.name == *word) {
            let names: Vec<&str> = steps.iter().map(|step| step.name.as_str()).collect();
            bail!("`{word}` is no step of the tests; they are {}", names.join(", "));
        }
    }
    let chosen: Vec<Step> =
        steps.into_iter().filter(|step| words.is_empty() || words.contains(&step.name.as_str())).collect();
    tools::prepare()?;
    let mut run = Run { world: None, live: !words.is_empty() };
    let mut total = Count::default();
    let outcome = through(&chosen, &mut run, &mut total);
    // The world ends before the verdict is spoken: its processes must not outlive the last line.
    drop(run);
    if let Err(error) = &outcome {
        say(&format!("\n{error:#}\n"));
    }
    println!("{} passed, {} failed", total.passed, total.failed);
    match outcome {
        Ok(()) => Ok(()),
        Err(_) => std::process::exit(1),
    }
}

fn through(steps: &[Step], run: &mut Run, total: &mut Count) -> Result<()> {
    for (index, step) in steps.iter().enumerate() {
        let mut count = Count::default();
        let outcome = one(step, run, &mut count);
        total.passed += count.passed;
        if let Err(error) = outcome {
            total.failed += count.failed.max(1);
            let left: Vec<&str> = steps.iter().skip(index + 1).map(|step| step.name.as_str()).collect();
            let left = if left.is_empty() { String::new() } else { format!("\nnot run: {}", left.join(", ")) };
            let name = &step.name;
            return Err(anyhow!(
                "{error:#}\n\nthe step `{name}` failed; `cargo xtask test {name}` runs it alone{left}"
            ));
        }
    }
    Ok(())
}

/// Runs one step. `count` is filled even when it fails, so that the tests which did pass are told.
fn one(step: &Step, run: &mut Run, count: &mut Count) -> Result<()> {
    let about = &step.about;
    match &step.work {
        Work::Preparation(work) => work(),
        Work::Check(work) => {
            step_with(about, || work(run), |()| String::new())?;
            count.passed = 1;
            Ok(())
        }
        Work::Tests(work) => {
            *count = step_with(about, || work(run), Count::remark)?;
            count.verdict()
        }
        Work::Suite(folder) => {
            let description = suites::world(&mut run.world)?;
            *count = step_with(about, || suites::run(folder, &description, run.live), Count::remark)?;
            count.verdict()
        }
    }
}

fn steps() -> Result<Vec<Step>> {
    let step = |name: &str, about: &str, work: Work| Step { name: name.to_owned(), about: about.to_owned(), work };
    let mut steps = vec![
        step("fmt", "formatting", Work::Check(formatting)),
        step("tidy", "house rules", Work::Check(|_| tidy::run())),
        step("licences", "licences", Work::Check(|_| licences::run())),
        step("clippy", "clippy on every crate", Work::Check(clippy)),
        step("no-std", "the core without std", Work::Check(no_std)),
        step("docs", "the core's documentation", Work::Check(docs)),
        step("core", "the core's tests", Work::Tests(|run| rust_tests(run, &["x402-core"]))),
        step("xtask", "the front door's tests", Work::Tests(|run| rust_tests(run, &["xtask"]))),
        step("build", "what is shipped", Work::Preparation(build::all)),
    ];
    if edges_have_tests()? {
        let work = Work::Tests(|run| rust_tests(run, &["x402-wasm", "x402-gate"]));
        steps.push(step("edges", "the edges' tests outside their runtimes", work));
    }
    for folder in suites::folders()? {
        let about = format!("tests/{folder}");
        steps.push(Step { name: folder.clone(), about, work: Work::Suite(folder) });
    }
    Ok(steps)
}

/// Whether a binding crate holds Rust tests. Edges are tested in their runtimes; compiling their trees for the host takes
/// minutes, which is only spent when something runs.
fn edges_have_tests() -> Result<bool> {
    let mut waiting = vec![root().join("pkg/src"), root().join("worker/src")];
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(&folder).with_context(|| format!("{} could not be read", folder.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                waiting.push(path);
            } else if std::fs::read_to_string(&path).is_ok_and(|text| text.contains("#[test]")) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

fn formatting(run: &Run) -> Result<()> {
    succeed(run, cargo().args(["fmt", "--all", "--check"])).context("`cargo fmt --all` puts this right")
}

/// The host's crates with their tests, and the wasm crates for the target they are made for.
fn clippy(run: &Run) -> Result<()> {
    let mut host = cargo();
    host.args(["clippy", "--quiet", "--locked", "--all-targets"]);
    host.args(["--package", "x402-core", "--package", "xtask", "--", "--deny", "warnings"]);
    succeed(run, &mut host)?;
    let mut wasm = cargo();
    wasm.args(["clippy", "--quiet", "--locked", "--target", tools::WASM]);
    wasm.args(["--package", "x402-wasm", "--package", "x402-gate", "--", "--deny", "warnings"]);
    succeed(run, &mut wasm)?;
    // The same crate as its verifier is made of it.
    let mut verify = cargo();
    verify.args(["clippy", "--quiet", "--locked", "--target", tools::WASM]);
    verify.args(["--package", "x402-wasm", "--no-default-features", "--", "--deny", "warnings"]);
    succeed(run, &mut verify)
}

fn no_std(run: &Run) -> Result<()> {
    let mut command = cargo();
    command.args(["build", "--quiet", "--locked", "--package", "x402-core", "--lib"]);
    command.args(["--target", tools::NO_STD]);
    succeed(run, &mut command).context("the core needs std somewhere")
}

fn docs(run: &Run) -> Result<()> {
    let mut command = cargo();
    command.env("RUSTDOCFLAGS", "--deny warnings");
    command.args(["doc", "--quiet", "--locked", "--no-deps", "--package", "x402-core"]);
    succeed(run, &mut command)
}

fn rust_tests(run: &Run, packages: &[&str]) -> Result<Count> {
    let mut command = cargo();
    command.args(["test", "--locked", "--no-fail-fast"]);
    for package in packages {
        command.args(["--package", package]);
    }
    counted(run.live, &mut command, count::of_cargo)
}

fn succeed(run: &Run, command: &mut Command) -> Result<()> {
    let (text, fine) = collect(command, run.live)?;
    if !fine {
        bail!("{}`{}` failed", shown(&text, run.live), show(command));
    }
    Ok(())
}

/// Runs a command that prints counts. What failed is part of the answer, so that the last line can tell it.
fn counted(live: bool, command: &mut Command, read: fn(&str) -> Count) -> Result<Count> {
    let (text, fine) = collect(command, live)?;
    let mut count = read(&text);
    if !fine {
        count.failed = count.failed.max(1);
    }
    count.output = shown(&text, live);
    Ok(count)
}

/// What was shown while it came is not said twice.
fn shown(text: &str, live: bool) -> String {
    if live { String::new() } else { format!("{text}\n") }
}
