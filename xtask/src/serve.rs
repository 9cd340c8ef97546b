//! `cargo xtask serve`: the local world until interrupted.

use std::io::Write as _;

use anyhow::{Context, Result, anyhow, bail};

use crate::build;
use crate::world::{self, Options, World};

/// What this command understands.
const USAGE: &str = "\
cargo xtask serve [options]      the local world until interrupted
  --json                         one line of JSON when everything is ready, nothing else on standard output
  --config FILE                  gate config; http://gate.localhost and http://origin.localhost in it are filled in
  --secret NAME=VALUE            one more secret for the gate (repeatable)
  --gate-port N  --rpc-port N  --page-port N      fixed ports instead of free ones
  --no-build                     run what was built last
  --until-stdin-closes           end with standard input, for a program that starts a world for itself
";

struct Arguments {
    options: Options,
    json: bool,
    build: bool,
    until_stdin_closes: bool,
}

/// Runs the command.
pub fn run(words: &[&str]) -> Result<()> {
    if words.contains(&"--help") {
        print!("{USAGE}");
        return Ok(());
    }
    let arguments = parse(words)?;
    if arguments.build {
        build::all()?;
    }
    let world = world::start(&arguments.options)?;
    let text = if arguments.json { format!("{}\n", world.json()) } else { describe(&world) };
    world::expect_interrupt();
    let mut output = std::io::stdout().lock();
    output.write_all(text.as_bytes())?;
    output.flush()?;
    drop(output);
    world.stay(arguments.until_stdin_closes)
}

fn parse(words: &[&str]) -> Result<Arguments> {
    let mut parsed = Arguments { options: Options::default(), json: false, build: true, until_stdin_closes: false };
    let mut rest = words.iter().copied();
    while let Some(argument) = rest.next() {
        let mut value = || rest.next().with_context(|| format!("{argument} needs a value\n\n{USAGE}"));
        let options = &mut parsed.options;
        match argument {
            "--json" => parsed.json = true,
            "--no-build" => parsed.build = false,
            "--until-stdin-closes" => parsed.until_stdin_closes = true,
            "--config" => options.gate_config = Some(value()?.into()),
            "--gate-port" => options.ports.gate = port(value()?)?,
            "--rpc-port" => options.ports.rpc = port(value()?)?,
            "--page-port" => options.ports.page = port(value()?)?,
            "--secret" => {
                let (name, secret) = value()?.split_once('=').context("--secret wants NAME=VALUE")?;
                options.secrets.push((name.to_owned(), secret.to_owned()));
            }
            other => bail!("unknown option {other}\n\n{USAGE}"),
        }
    }
    parsed.options.quiet = parsed.json;
    Ok(parsed)
}

fn port(text: &str) -> Result<u16> {
    text.parse().map_err(|_| anyhow!("{text} is not a port"))
}

/// The world for a person.
pub fn describe(world: &World) -> String {
    let routes: String = world
        .routes
        .iter()
        .map(|route| {
            let price = route.price.as_deref().unwrap_or("free");
            format!("    {:<5} {:<10} {price}\n", route.method, route.path)
        })
        .collect();
    format!(
        "\n  page    {page}\n  gate    {gate}\n{routes}  chain   {rpc}   {network}\n  payer   {payer}\n\n  Ctrl-C ends it all.\n",
        page = world.page,
        gate = world.gate,
        rpc = world.rpc,
        network = world::NETWORK,
        payer = world::PAYER.address,
    )
}
