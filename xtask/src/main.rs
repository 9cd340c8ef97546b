//! The one front door of the repository: `cargo xtask <command>`.

mod attack;
mod bench;
mod build;
mod demo;
mod interop;
mod licences;
mod run;
mod serve;
mod simulate;
mod size;
mod test;
mod tidy;
mod tools;
mod world;

use std::process::ExitCode;

use anyhow::{Result, bail};

const HELP: &str = "\
cargo xtask <command>

  demo [--once]                build, start the local world, pay once and tell it, then serve the page until interrupted
  serve [--json] [options]     the local world (chain, origin, gate, page) until interrupted; `serve --help` lists options
  build [pkg|gate|contracts]   compile the npm package's wasm, the gate, the test contracts (all three by default)
  interop [--only words]       every client pays every gate it can on the local chain; target/interop.json
  bench                        ours beside the reference packages, interleaved; target/bench.json
  test [NAME…]                 every check and every test, or the steps named; `test --list` names them
  attack [ID…] [options]       the catalogue of attacks against the gate, or a URL; target/attack.json; `attack --help`
  simulate gate [options]      the ledger under random schedules; `simulate --help` lists options
  size                         what a page downloads and what an owner uploads; target/size.json
  tidy                         read the source for broken house rules
  licences                     look at the licence of every crate and npm package
  setup                        fetch what a fresh machine lacks: targets, npm packages, Chromium
  help                         this page";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match dispatch(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Each command takes the words behind its name.
fn dispatch(words: &[&str]) -> Result<()> {
    match words {
        ["build", rest @ ..] => build::run(rest),
        ["demo", rest @ ..] => demo::run(rest),
        ["serve", rest @ ..] => serve::run(rest),
        ["interop", rest @ ..] => interop::run(rest),
        ["bench", rest @ ..] => bench::run(rest),
        ["test", rest @ ..] => test::run(rest),
        ["attack", rest @ ..] => attack::run(rest),
        ["simulate", rest @ ..] => simulate::run(rest),
        ["size", rest @ ..] => size::run(rest),
        ["licences"] => licences::run(),
        ["tidy"] => tidy::run(),
        ["setup"] => tools::setup(),
        [] | ["help" | "--help" | "-h"] => {
            println!("{HELP}");
            Ok(())
        }
        [unknown, ..] => bail!("`{unknown}` is no command; `cargo xtask help` lists them"),
    }
}
