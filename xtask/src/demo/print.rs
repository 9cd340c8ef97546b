//! The demo's page of text: numbered steps, aligned fields, a table of balances. Colours only where they are wanted.

use std::fmt::Write as _;

const BOLD: &str = "1";
const DIM: &str = "2";
const GREEN: &str = "32";
const CYAN: &str = "36";

/// Where the milliseconds of a step end.
const WIDTH: usize = 86;
/// Where fields begin.
const INDENT: &str = "     ";

/// Text being written.
pub struct Page {
    text: String,
    colours: bool,
}

impl Page {
    /// An empty page.
    pub fn new(colours: bool) -> Self {
        Self { text: String::new(), colours }
    }

    fn paint(&self, style: &str, text: &str) -> String {
        if self.colours { format!("\x1b[{style}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// One line as it is.
    pub fn line(&mut self, line: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "  {line}");
    }

    /// An empty line.
    pub fn gap(&mut self) {
        self.text.push('\n');
    }

    /// The first line.
    pub fn title(&mut self, title: &str) {
        let title = self.paint(BOLD, title);
        self.gap();
        self.line(&title);
    }

    /// A line over a table.
    pub fn heading(&mut self, heading: &str) {
        let heading = self.paint(BOLD, heading);
        self.gap();
        self.line(&heading);
    }

    /// A numbered step with its time at the right margin.
    pub fn step(&mut self, number: u8, what: &str, milliseconds: Option<f64>) {
        let time = milliseconds.map(|time| format!("{time:.1} ms")).unwrap_or_default();
        let taken = what.chars().count() + time.chars().count();
        let space = " ".repeat(WIDTH.saturating_sub(taken).max(2));
        let line = format!(
            "{}  {}{space}{}",
            self.paint(CYAN, &number.to_string()),
            self.paint(BOLD, what),
            self.paint(CYAN, &time)
        );
        self.gap();
        self.line(line.trim_end());
    }

    /// What came of the step.
    pub fn outcome(&mut self, what: &str) {
        let line = format!("   {}", self.paint(GREEN, what));
        self.line(&line);
    }

    /// A name and a value; nothing when there is no value.
    pub fn field(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            let line = format!("{INDENT}{}{value}", self.paint(DIM, &format!("{name:<13}")));
            self.line(&line);
        }
    }

    /// A body as it came, wrapped to the page.
    pub fn quote(&mut self, body: &str) {
        let width = WIDTH.saturating_sub(INDENT.len());
        for line in body.trim_end().lines() {
            let letters: Vec<char> = line.chars().collect();
            for piece in letters.chunks(width) {
                let piece: String = piece.iter().collect();
                let line = format!("{INDENT}{}", self.paint(DIM, &piece));
                self.line(&line);
            }
        }
    }

    /// A balance before and after, in atomic units of six decimals.
    pub fn balance(&mut self, who: &str, before: u128, after: u128) {
        let (sign, change) = if after < before { ('-', before - after) } else { ('+', after - before) };
        let name = self.paint(DIM, &format!("{who:<13}"));
        let change = self.paint(GREEN, &format!("{sign}{}", super::money(change)));
        let line = format!("{INDENT}{name}{:>14}  →  {:>14}    {change}", super::money(before), super::money(after));
        self.line(&line);
    }

    /// The text.
    pub fn finish(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_has_no_escapes_and_its_times_line_up() {
        let mut page = Page::new(false);
        page.step(1, "GET something", Some(1.25));
        page.step(2, "The payer decides and signs", Some(123.0));
        let text = page.finish();
        assert!(!text.contains('\x1b'));
        let ends: Vec<usize> = text.lines().filter(|line| !line.is_empty()).map(|line| line.chars().count()).collect();
        assert!(ends.iter().all(|end| Some(end) == ends.first()), "{ends:?}");
    }

    #[test]
    fn a_long_body_is_wrapped_and_kept_whole() {
        let mut page = Page::new(false);
        page.quote(&"x".repeat(200));
        let text = page.finish();
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH + 2));
        assert_eq!(text.matches('x').count(), 200);
    }

    #[test]
    fn balances_show_the_change_in_both_directions() {
        let mut page = Page::new(false);
        page.balance("payer", 1_000_000, 990_000);
        page.balance("seller", 0, 10_000);
        let text = page.finish();
        assert!(text.contains("-0.010000") && text.contains("+0.010000"));
    }
}
