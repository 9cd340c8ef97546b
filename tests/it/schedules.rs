//! The gate's ledger and the payer's book under every schedule: promises I1 to I6 and I9, and the mutants that break them.
// The front door reads what these tests print.
#![allow(clippy::print_stdout)]

use std::env;
use std::time::Instant;

use crate::simulator::mutant::{ALL, Mutant};
use crate::simulator::{Tally, many, run, trace};
use crate::spending;

/// Schedules of an ordinary run; `cargo xtask simulate gate` runs as many as it is told.
const SCHEDULES: u64 = 10_000;

/// A number from the front door; the words are `X402_SCHEDULES` and `X402_SEED`.
fn told(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

#[test]
fn i1_to_i6_hold_under_every_schedule() {
    let (schedules, seed) = (told("X402_SCHEDULES").unwrap_or(SCHEDULES), told("X402_SEED").unwrap_or(0));
    let begun = Instant::now();
    let report = many(seed, schedules, Mutant::None);
    println!("| schedules   {schedules}");
    println!("| violations  {}", report.violations);
    let Tally { settled, failed, doubted, delivered, conflicts, crashes } = report.tally;
    println!("| payments    {settled} settled, {failed} failed; {doubted} times unknown on the way");
    println!("| requests    {delivered} answered, {conflicts} turned away; {crashes} crashes");
    println!("| time        {:.1} s", begun.elapsed().as_secs_f64());
    if let Some((seed, violation)) = report.first {
        for line in trace(seed, Mutant::None) {
            println!("|   {line}");
        }
        println!("| first seed  {seed}");
        panic!("seed {seed}: {}", violation.what);
    }
    let reached = [settled, failed, doubted, delivered, conflicts, crashes];
    assert!(schedules < 100 || reached.iter().all(|count| *count > 0), "the schedules are empty: {reached:?}");
}

#[test]
fn every_mutant_is_caught() {
    let (most, seed) = (told("X402_SCHEDULES").unwrap_or(5 * SCHEDULES), told("X402_SEED").unwrap_or(0));
    let mut alive = Vec::new();
    for mutant in ALL {
        let died = (0..most).find_map(|at| run(seed.wrapping_add(at), *mutant).err().map(|found| (at + 1, found)));
        match died {
            Some((after, found)) => println!("| {:<20} died after {after:>5}: {}", format!("{mutant:?}"), found.what),
            None => {
                println!("| {:<20} survived {most}", format!("{mutant:?}"));
                alive.push(mutant);
            }
        }
    }
    assert!(alive.is_empty(), "these mutants survive: {alive:?}");
}

#[test]
fn i9_holds_under_every_schedule() {
    let (schedules, seed) = (told("X402_SCHEDULES").unwrap_or(3 * SCHEDULES), told("X402_SEED").unwrap_or(0));
    let begun = Instant::now();
    let report = spending::many(seed, schedules);
    println!("| schedules   {schedules}");
    println!("| violations  {}", report.violations);
    let tally = report.tally;
    let spending::Tally { sent, settled, late, refused, presented, waited, proved, crashes } = tally;
    println!("| payments    {sent} sent, {settled} settled, {late} of them against or without the server's word");
    println!(
        "| calls       {refused} refused for a budget, {presented} shared a payment, {waited} waited; {crashes} crashes"
    );
    println!("| chain       {proved} payments proved unused");
    println!("| time        {:.1} s", begun.elapsed().as_secs_f64());
    if let Some((seed, violation)) = report.first {
        for line in spending::trace(seed) {
            println!("|   {line}");
        }
        println!("| first seed  {seed}");
        panic!("seed {seed}: {}", violation.what);
    }
    assert!(schedules < 100 || tally.counts().iter().all(|count| *count > 0), "the schedules are empty: {tally:?}");
}

#[test]
fn every_mutant_of_the_book_is_caught() {
    let (most, seed) = (told("X402_SCHEDULES").unwrap_or(5 * SCHEDULES), told("X402_SEED").unwrap_or(0));
    let mut alive = Vec::new();
    for mutant in spending::mutant::ALL {
        let died =
            (0..most).find_map(|at| spending::run(seed.wrapping_add(at), *mutant).err().map(|found| (at + 1, found)));
        match died {
            Some((after, found)) => println!("| {:<20} died after {after:>5}: {}", format!("{mutant:?}"), found.what),
            None => {
                println!("| {:<20} survived {most}", format!("{mutant:?}"));
                alive.push(mutant);
            }
        }
    }
    assert!(alive.is_empty(), "these mutants survive: {alive:?}");
}
