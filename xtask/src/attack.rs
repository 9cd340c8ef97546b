//! `cargo xtask attack`: the catalogue of attacks, against the gate in workerd or against one that runs somewhere.
//!
//! A case is a test whose name begins with its number (`S-001`, `F-05`, `I1`), wherever in `tests` it stands. This runs
//! the files that hold the cases asked for, gathers what `tests/attack/lib/witness.mjs` writes down of each, and tells it.
//! What needs nobody but the core is a function of `tests/it` whose name begins with the number (`s071_…`, `s_071_…`).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::run::{cargo, collect, root, say, step_with, target_dir};
use crate::world::{self, Options};
use crate::{build, tools};

const HELP: &str = "\
cargo xtask attack [ID…] [--target URL --pay KEY]

  ID…           numbers of cases (S-001, F-05, I1); all of the gate's and the core's if nothing is said
  --target URL  attack this priced URL, of whichever gate, with the cases that need nothing but HTTP
  --pay KEY     the key of a payer that holds what it costs, as 0x and 64 hex digits; or X402_PAY in the environment

Writes target/attack.json: id, title, result and the answers of each case. Any failure ends with 1.";

/// The folders whose cases are the gate's.
const FOLDERS: [&str; 2] = ["tests/workerd", "tests/attack"];
/// The file whose cases need nothing but a URL.
const BLACKBOX: &str = "tests/attack/blackbox.test.mjs";
/// The core's tests, on a command line of cargo's.
const CORE: [&str; 6] = ["test", "--locked", "--package", "x402-core", "--test", "it"];

/// What is asked for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Plan {
    ids: Vec<String>,
    target: Option<String>,
    pay: Option<String>,
}

/// What became of one case.
#[derive(Debug, Serialize, Deserialize)]
struct Case {
    id: String,
    title: String,
    result: String,
    answers: Vec<Answer>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    status: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<String>,
}

/// Runs the cases and prints the table; any failure is an error.
pub fn run(words: &[&str]) -> Result<()> {
    if matches!(words, [.., "--help" | "-h"]) {
        println!("{HELP}");
        return Ok(());
    }
    let plan = read(words)?;
    let found = files(&plan)?;
    let of_core = if plan.target.is_none() { core_tests(&plan.ids)? } else { Vec::new() };
    if found.is_empty() && of_core.is_empty() {
        bail!("no test is named by {}", plan.ids.join(", "));
    }
    tools::prepare()?;
    let witness = target_dir()?.join("attack.jsonl");
    fs::write(&witness, "").with_context(|| witness.display().to_string())?;
    let world = if plan.target.is_none() && !found.is_empty() {
        build::run(&[])?;
        Some(world::start(&Options::default()).context("the local world did not start")?)
    } else {
        None
    };
    let mut failed = Vec::new();
    for file in &found {
        let mut command = command(&plan, file, &witness)?;
        if let Some(world) = &world {
            command.env("X402_WORLD", world.json());
        }
        let name = file.strip_prefix(root()).unwrap_or(file).display().to_string();
        let (text, fine) = step_with(&name, || collect(&mut command, false), |_| String::new())?;
        if !fine {
            say(&text);
            failed.push(name);
        }
    }
    drop(world);
    let mut all = fs::read_to_string(&witness)?;
    if !of_core.is_empty() {
        let (text, fine) = step_with("the core", || try_core(&of_core), |_| String::new())?;
        if !fine {
            say(&text);
            failed.push("the core".to_owned());
        }
        all.push_str(&core_told(&text)?);
    }
    let cases = told(&all, &plan.ids)?;
    report(&cases, &plan)?;
    let bad = cases.iter().filter(|case| case.result != "passed").count();
    println!("{} cases, {bad} failed", cases.len());
    let silent: Vec<&String> = plan.ids.iter().filter(|id| cases.iter().all(|case| case.id != **id)).collect();
    if bad > 0 || !failed.is_empty() || !silent.is_empty() {
        bail!("not every attack was withstood (files: {failed:?}; no case ran: {silent:?})");
    }
    Ok(())
}

fn read(words: &[&str]) -> Result<Plan> {
    let mut plan = Plan { pay: std::env::var("X402_PAY").ok(), ..Plan::default() };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value =
            || words.next().map(|text| (*text).to_owned()).with_context(|| format!("`{word}` wants a value"));
        match *word {
            "--target" => plan.target = Some(value()?),
            "--pay" => plan.pay = Some(value()?),
            id if is_id(id) => plan.ids.push(id.to_owned()),
            unknown => bail!("`{unknown}` is neither an option nor the number of a case\n\n{HELP}"),
        }
    }
    if plan.target.is_some() && plan.pay.is_none() {
        bail!("who attacks a target pays for what is sold there: --pay KEY\n\n{HELP}");
    }
    Ok(plan)
}

fn is_id(word: &str) -> bool {
    let number = word.strip_prefix("S-").or_else(|| word.strip_prefix("F-")).or_else(|| word.strip_prefix('I'));
    number.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The files that hold the cases.
fn files(plan: &Plan) -> Result<Vec<PathBuf>> {
    if plan.target.is_some() {
        return Ok(Vec::from([root().join(BLACKBOX)]));
    }
    let mut found = Vec::new();
    for folder in FOLDERS {
        let folder = root().join(folder);
        for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            if !path.to_string_lossy().ends_with(".test.mjs") {
                continue;
            }
            let text = fs::read_to_string(&path)?;
            // Behind its number stands a title, or another number.
            let holds = |id: &String| text.contains(&format!("{id} ")) || text.contains(&format!("\"{id}\":"));
            if plan.ids.is_empty() || plan.ids.iter().any(holds) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The core's tests of these numbers, or all that have one.
fn core_tests(ids: &[String]) -> Result<Vec<String>> {
    let mut command = cargo();
    let (text, fine) = collect(command.args(CORE).args(["--", "--list", "--format", "terse"]), false)?;
    if !fine {
        bail!("the core's tests could not be built\n{text}");
    }
    let names = text.lines().filter_map(|line| line.strip_suffix(": test"));
    let wanted = |name: &&str| numbers(name).0.iter().any(|id| ids.is_empty() || ids.contains(id));
    Ok(names.filter(wanted).map(str::to_owned).collect())
}

fn try_core(names: &[String]) -> Result<(String, bool)> {
    let mut command = cargo();
    // Each under its whole name, and each told in a line of its own.
    collect(command.args(CORE).args(["--", "--exact", "--format", "pretty"]).args(names), false)
}

/// The numbers that a test of the core's begins with, and the rest of its name as words: `gating::s007_f_05_no_spelling` is
/// S-007 and F-05, "no spelling".
fn numbers(name: &str) -> (Vec<String>, String) {
    let mut ids = Vec::new();
    let mut rest = name.rsplit("::").next().unwrap_or_default();
    while let Some(letter) = ["s", "f", "i"].into_iter().find(|letter| rest.starts_with(letter)) {
        let behind = rest.trim_start_matches(letter);
        let behind = behind.strip_prefix('_').unwrap_or(behind);
        let (digits, after) = behind.split_once('_').unwrap_or((behind, ""));
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            break;
        }
        let dash = if letter == "i" { "" } else { "-" };
        ids.push([&letter.to_uppercase(), dash, digits].concat());
        rest = after;
    }
    (ids, rest.replace('_', " "))
}

/// The lines of the test runner in the words of the witness.
fn core_told(text: &str) -> Result<String> {
    let mut out = String::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("test ")) {
        let Some((name, result)) = line.split_once(" ... ") else { continue };
        let result = if result.starts_with("ok") { "passed" } else { "failed" };
        let (ids, title) = numbers(name);
        for id in ids {
            let case = Case { id, title: title.clone(), result: result.into(), answers: Vec::new(), error: None };
            out.push_str(&serde_json::to_string(&case)?);
            out.push('\n');
        }
    }
    Ok(out)
}

fn command(plan: &Plan, file: &Path, witness: &Path) -> Result<Command> {
    let mut command = Command::new(tools::node()?);
    command.current_dir(root()).arg("--import").arg(root().join("tests/attack/lib/witness.mjs")).args([
        "--test",
        "--test-reporter=spec",
        "--test-timeout=600000",
    ]);
    if !plan.ids.is_empty() {
        command.arg(format!("--test-name-pattern=\\b({})\\b", plan.ids.join("|"))).env("X402_IDS", plan.ids.join("+"));
    }
    command
        .arg(file)
        .env("X402_WITNESS", witness)
        .env("X402_XTASK", std::env::current_exe().context("the front door's own file is unknown")?)
        .env("CARGO_TARGET_DIR", target_dir()?)
        .env("PATH", tools::path_with_tools()?)
        .env("NO_COLOR", "1");
    if let (Some(target), Some(pay)) = (&plan.target, &plan.pay) {
        command.env("X402_TARGET", target).env("X402_PAY", pay);
    }
    Ok(command)
}

/// What was written down, in the order of the numbers.
fn told(text: &str, ids: &[String]) -> Result<Vec<Case>> {
    let lines = text.lines().map(|line| serde_json::from_str(line).with_context(|| format!("`{line}`")));
    let mut cases = lines.collect::<Result<Vec<Case>>>()?;
    cases.retain(|case| ids.is_empty() || ids.contains(&case.id));
    cases.sort_by_key(|case| {
        let digits = case.id.trim_start_matches(|letter: char| !letter.is_ascii_digit());
        (case.id.chars().next(), digits.parse::<u32>().unwrap_or_default())
    });
    Ok(cases)
}

fn report(cases: &[Case], plan: &Plan) -> Result<()> {
    for case in cases {
        let answers: Vec<String> = case
            .answers
            .iter()
            .map(|answer| {
                [&answer.status.to_string(), answer.code.as_deref().unwrap_or_default()].join(" ").trim().to_owned()
            })
            .collect();
        println!("{:<6} {:<6} {}", case.id, case.result, case.title);
        if !answers.is_empty() {
            println!("              {}", answers.join(", "));
        }
        if let Some(error) = &case.error {
            println!("              {}", error.replace('\n', " "));
        }
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for case in cases {
        *counts.entry(&case.result).or_default() += 1;
    }
    let target = plan.target.as_deref().unwrap_or("the gate in workerd");
    let whole = json!({ "target": target, "counts": counts, "cases": cases });
    let path = target_dir()?.join("attack.json");
    fs::write(&path, serde_json::to_string_pretty(&whole)?).with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_become_a_plan() -> Result<()> {
        let told = read(&["S-001", "F-05", "I1", "--target", "https://gate.test/data", "--pay", "0x01"])?;
        assert_eq!(told.ids, ["S-001", "F-05", "I1"]);
        assert_eq!((told.target.as_deref(), told.pay.as_deref()), (Some("https://gate.test/data"), Some("0x01")));
        for wrong in [&["S-"][..], &["--target"], &["X-1"], &["--loud"]] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
        Ok(())
    }

    #[test]
    fn the_core_s_tests_have_their_numbers_in_their_names() -> Result<()> {
        let (ids, title) = numbers("gating::s007_s008_no_spelling");
        assert_eq!((ids, title.as_str()), (Vec::from(["S-007", "S-008"].map(String::from)), "no spelling"));
        assert_eq!(numbers("a::b::s_071_f05_i2_x").0, ["S-071", "F-05", "I2"]);
        for none in ["crypto::signatures_have_one_form", "fuzzed::is_s007", "i", "s_x", "f", ""] {
            assert_eq!(numbers(none).0, [""; 0], "{none}");
        }
        let text = "\nrunning 2 tests\ntest a::s007_s008_x ... ok\ntest a::f05_y ... FAILED\n\ntest result: FAILED.";
        let told = told(&core_told(text)?, &[])?;
        let short: Vec<(&str, &str)> = told.iter().map(|case| (case.id.as_str(), case.result.as_str())).collect();
        assert_eq!(short, [("F-05", "failed"), ("S-007", "passed"), ("S-008", "passed")]);
        Ok(())
    }

    #[test]
    fn cases_are_told_by_number() -> Result<()> {
        let text = r#"{"id":"S-128","title":"b","result":"passed","answers":[{"status":402,"code":"x"}]}
{"id":"S-9","title":"a","result":"failed","answers":[],"error":"oops"}
{"id":"F-01","title":"c","result":"passed","answers":[]}"#;
        let ids: Vec<String> = told(text, &[])?.into_iter().map(|case| case.id).collect();
        assert_eq!(ids, ["F-01", "S-9", "S-128"]);
        assert_eq!(told(text, &["S-9".to_owned()])?.len(), 1);
        Ok(())
    }
}
