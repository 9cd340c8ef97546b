//! Reading how many tests a program ran from what it printed.

use anyhow::{Result, bail};

/// Tests of one step.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) passed: u64,
    pub(super) failed: u64,
    /// Tests that did not run though they exist. There must be none.
    pub(super) skipped: u64,
    /// What the program printed, for the case that it failed.
    pub(super) output: String,
}

impl Count {
    /// What stands behind the time on the progress line.
    pub(super) fn remark(&self) -> String {
        let mut text = format!("{} passed", self.passed);
        for (number, what) in [(self.failed, "failed"), (self.skipped, "skipped")] {
            if number > 0 {
                text.push_str(&format!(", {number} {what}"));
            }
        }
        text
    }

    /// Nothing failed, nothing was skipped.
    pub(super) fn verdict(&self) -> Result<()> {
        let Self { failed, skipped, output, .. } = self;
        if *failed > 0 {
            bail!("{output}{failed} failed");
        }
        if *skipped > 0 {
            bail!("{output}{skipped} were skipped; every test runs, or it goes");
        }
        Ok(())
    }
}

/// Sums the lines `test result: ok. 3 passed; 0 failed; 1 ignored; …` of every test binary.
pub(super) fn of_cargo(text: &str) -> Count {
    let mut count = Count::default();
    for line in text.lines() {
        let Some(result) = line.trim().strip_prefix("test result: ") else {
            continue;
        };
        for part in result.split([';', '.']) {
            let mut words = part.split_whitespace();
            let (Some(number), Some(what)) = (words.next(), words.next()) else {
                continue;
            };
            let Ok(number) = number.parse::<u64>() else {
                continue;
            };
            match what {
                "passed" => count.passed += number,
                "failed" => count.failed += number,
                "ignored" => count.skipped += number,
                _ => {}
            }
        }
    }
    count
}

/// Reads the summary of Node's test runner: `ℹ pass 3` (or `# pass 3`), one number a line.
pub(super) fn of_node(text: &str) -> Count {
    let mut count = Count::default();
    for line in text.lines() {
        let Some(rest) = line.strip_prefix("ℹ ").or_else(|| line.strip_prefix("# ")) else {
            continue;
        };
        let mut words = rest.split_whitespace();
        let (Some(what), Some(number), None) = (words.next(), words.next(), words.next()) else {
            continue;
        };
        let Ok(number) = number.parse::<u64>() else {
            continue;
        };
        match what {
            "pass" => count.passed = number,
            "fail" | "cancelled" => count.failed += number,
            "skipped" | "todo" => count.skipped += number,
            _ => {}
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_prints_one_result_for_each_binary() {
        let text = "running 2 tests\ntest result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
                    test result: FAILED. 1 passed; 2 failed; 3 ignored; 0 measured; 0 filtered out; finished in 1.50s\n";
        let count = of_cargo(text);
        assert_eq!((count.passed, count.failed, count.skipped), (13, 2, 3));
        assert!(count.verdict().is_err());
    }

    #[test]
    fn node_prints_its_summary_in_two_ways() {
        let spec = "✔ a (1ms)\nℹ tests 9\nℹ suites 1\nℹ pass 4\nℹ fail 1\nℹ cancelled 1\nℹ skipped 2\nℹ todo 1\nℹ duration_ms 60.7\n";
        let count = of_node(spec);
        assert_eq!((count.passed, count.failed, count.skipped), (4, 2, 3));
        let tap = "ok 1 - a\n# tests 2\n# pass 2\n# fail 0\n# cancelled 0\n# skipped 0\n# todo 0\n";
        assert_eq!(of_node(tap), Count { passed: 2, ..Count::default() });
    }

    #[test]
    fn a_skipped_test_is_not_a_pass() {
        let skipped = Count { passed: 5, skipped: 1, ..Count::default() };
        assert!(skipped.verdict().is_err());
        assert!(Count { passed: 5, ..Count::default() }.verdict().is_ok());
    }
}
