//! `cargo xtask simulate`: the gate's ledger or the payer's book under random schedules, as many as one likes.
//!
//! The simulators live with the core's tests (`tests/it/simulator`, `tests/it/spending`), which run a few thousand schedules
//! each time. Here the same tests run optimised, and are told by the environment how much to do; what they print behind a bar is
//! the report.

use anyhow::{Context, Result, bail};

use crate::run::{cargo, collect, step, step_with};

/// Who is simulated, and the tests of its promises and of its mutants.
const SUBJECTS: [(&str, &str, &str); 2] = [
    ("gate", "schedules::i1_to_i6_hold_under_every_schedule", "schedules::every_mutant_is_caught"),
    ("payer", "schedules::i9_holds_under_every_schedule", "schedules::every_mutant_of_the_book_is_caught"),
];

const HELP: &str = "\
cargo xtask simulate gate|payer [--schedules N] [--seed S] [--mutants]

  --schedules N  how many schedules to run; 100000 if nothing is said
  --seed S       the seed of the first one; 0 if nothing is said. One schedule of the seed that a violation names shows it
  --mutants      instead, how many schedules each ledger or book that is wrong on purpose survives";

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
struct Plan {
    test: [&'static str; 2],
    schedules: u64,
    seed: u64,
    mutants: bool,
}

/// Runs the simulator and prints its report; any violation is a failure.
pub fn run(words: &[&str]) -> Result<()> {
    if matches!(words, [.., "--help" | "-h"]) {
        println!("{HELP}");
        return Ok(());
    }
    let plan = read(words)?;
    let test = |more: &[&str]| {
        let mut command = cargo();
        command.args(["test", "--quiet", "--release", "--locked", "--package", "x402-core", "--test", "it"]).args(more);
        command
    };
    step("building the simulator", || {
        let (text, fine) = collect(&mut test(&["--no-run"]), false)?;
        if fine { Ok(()) } else { bail!("{text}") }
    })?;
    let [schedules, mutants] = plan.test;
    let name = if plan.mutants { mutants } else { schedules };
    let mut command = test(&["--", "--exact", name, "--nocapture"]);
    command.env("X402_SCHEDULES", plan.schedules.to_string()).env("X402_SEED", plan.seed.to_string());
    let about = if plan.mutants { "every mutant".into() } else { format!("{} schedules", plan.schedules) };
    let (text, fine) = step_with(&about, || collect(&mut command, false), |_| String::new())?;
    let report: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("| ")).collect();
    if report.is_empty() {
        bail!("the simulator said nothing\n{text}");
    }
    println!("{}", report.join("\n"));
    match (fine, plan.mutants) {
        (true, _) => Ok(()),
        (false, false) => bail!("a promise was broken"),
        (false, true) => bail!("a mutant survives"),
    }
}

fn read(words: &[&str]) -> Result<Plan> {
    let subject = |word: &&str| SUBJECTS.iter().find(|(name, ..)| name == word);
    let (Some((_, schedules, mutants)), options) =
        (words.first().and_then(subject), words.get(1..).unwrap_or_default())
    else {
        bail!("what is simulated is the gate or the payer\n\n{HELP}")
    };
    let mut plan = Plan { test: [schedules, mutants], schedules: 100_000, seed: 0, mutants: false };
    let mut options = options.iter();
    while let Some(option) = options.next() {
        let mut number = || -> Result<u64> {
            let text = options.next().with_context(|| format!("`{option}` wants a number"))?;
            text.parse().with_context(|| format!("`{text}` is not a number"))
        };
        match *option {
            "--schedules" => plan.schedules = number()?,
            "--seed" => plan.seed = number()?,
            "--mutants" => plan.mutants = true,
            unknown => bail!("`{unknown}` is no option\n\n{HELP}"),
        }
    }
    Ok(plan)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_become_a_plan() -> Result<()> {
        let told = read(&["gate", "--seed", "7", "--schedules", "1000000", "--mutants"])?;
        let gate = [SUBJECTS[0].1, SUBJECTS[0].2];
        assert_eq!(told, Plan { test: gate, schedules: 1_000_000, seed: 7, mutants: true });
        assert_eq!(read(&["gate"])?, Plan { test: gate, schedules: 100_000, seed: 0, mutants: false });
        assert_eq!(read(&["payer"])?.test, [SUBJECTS[1].1, SUBJECTS[1].2]);
        for wrong in [&["origin"][..], &[], &["gate", "--schedules"], &["gate", "--seed", "x"], &["gate", "--loud"]] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
        Ok(())
    }
}
