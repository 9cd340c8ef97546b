//! Reading source just well enough to tell code from comments, strings and tests.

/// Rust source with comments and the insides of literals blanked; lines and columns stay where they were.
pub(super) fn rust_code(text: &str) -> String {
    let mut out = Blanker::new(text);
    while let Some(byte) = out.peek(0) {
        match byte {
            b'/' if out.peek(1) == Some(b'/') => out.blank_line(),
            b'/' if out.peek(1) == Some(b'*') => out.blank_block(true),
            b'"' => out.blank_string(b'"', true),
            b'r' if !out.inside_word() => out.raw_string(),
            b'\'' => out.blank_char(),
            _ => out.keep(),
        }
    }
    out.finish()
}

/// JavaScript with comments blanked; strings stay, because imports are strings.
pub(super) fn script_code(text: &str) -> String {
    let mut out = Blanker::new(text);
    while let Some(byte) = out.peek(0) {
        match byte {
            b'/' if out.peek(1) == Some(b'/') => out.blank_line(),
            b'/' if out.peek(1) == Some(b'*') => out.blank_block(false),
            b'"' | b'\'' | b'`' => out.keep_string(byte),
            _ => out.keep(),
        }
    }
    out.finish()
}

/// Blanks every item under `#[cfg(test)]` in what [`rust_code`] returned.
pub(super) fn without_tests(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut bytes = code.as_bytes().to_vec();
    let mut from = 0;
    while let Some(found) = code.get(from..).and_then(|rest| rest.find(MARK)) {
        let start = from + found;
        let end = end_of_item(code, start + MARK.len());
        for byte in bytes.iter_mut().take(end).skip(start) {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        from = end.max(start + MARK.len());
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Where the item that begins after `start` ends: behind its block, or behind a `;` that comes before any block.
fn end_of_item(code: &str, start: usize) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate().skip(start) {
        match byte {
            b'{' => depth += 1,
            b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            b';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

/// Positions of a word that stands alone: no letter, digit or underscore on either side.
pub(super) fn words<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let joins = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
    text.match_indices(word).map(|(at, _)| at).filter(move |&at| {
        let bytes = text.as_bytes();
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        !joins(before) && !joins(bytes.get(at + word.len()))
    })
}

/// The line, from 1, of a position.
pub(super) fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

/// Copies bytes, some of them as blanks.
struct Blanker<'a> {
    bytes: &'a [u8],
    at: usize,
    out: Vec<u8>,
}

impl<'a> Blanker<'a> {
    fn new(text: &'a str) -> Self {
        Self { bytes: text.as_bytes(), at: 0, out: Vec::with_capacity(text.len()) }
    }

    fn finish(self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.at + ahead).copied()
    }

    fn keep(&mut self) {
        if let Some(byte) = self.peek(0) {
            self.out.push(byte);
            self.at += 1;
        }
    }

    fn blank(&mut self) {
        if let Some(byte) = self.peek(0) {
            self.out.push(if byte == b'\n' { b'\n' } else { b' ' });
            self.at += 1;
        }
    }

    fn blank_line(&mut self) {
        while self.peek(0).is_some_and(|byte| byte != b'\n') {
            self.blank();
        }
    }

    fn blank_block(&mut self, nested: bool) {
        let mut depth = 0_usize;
        while self.peek(0).is_some() {
            match (self.peek(0), self.peek(1)) {
                (Some(b'/'), Some(b'*')) if nested || depth == 0 => depth += 1,
                (Some(b'*'), Some(b'/')) => depth -= 1,
                _ => {
                    self.blank();
                    continue;
                }
            }
            self.blank();
            self.blank();
            if depth == 0 {
                return;
            }
        }
    }

    /// Keeps the quotes, blanks what is between them.
    fn blank_string(&mut self, quote: u8, escapes: bool) {
        self.keep();
        while let Some(byte) = self.peek(0) {
            if byte == quote {
                self.keep();
                return;
            }
            if escapes && byte == b'\\' {
                self.blank();
            }
            self.blank();
        }
    }

    /// Quotes of `'` and `"` end with their line at the latest, so that an apostrophe in a regular expression does not
    /// swallow the file.
    fn keep_string(&mut self, quote: u8) {
        self.keep();
        while let Some(byte) = self.peek(0) {
            if byte == b'\n' && quote != b'`' {
                return;
            }
            if byte == b'\\' {
                self.keep();
            }
            self.keep();
            if byte == quote {
                return;
            }
        }
    }

    fn inside_word(&self) -> bool {
        let before = self.at.checked_sub(1).and_then(|at| self.bytes.get(at));
        // `br"…"` is a raw string too.
        before.is_some_and(|byte| (byte.is_ascii_alphanumeric() && *byte != b'b') || *byte == b'_')
    }

    /// `r"…"` and `r#"…"#`; anything else that begins with an `r` is kept.
    fn raw_string(&mut self) {
        let mut hashes = 0;
        while self.peek(1 + hashes) == Some(b'#') {
            hashes += 1;
        }
        if self.peek(1 + hashes) != Some(b'"') {
            self.keep();
            return;
        }
        for _ in 0..hashes + 2 {
            self.keep();
        }
        while let Some(byte) = self.peek(0) {
            let closes = byte == b'"' && (1..=hashes).all(|ahead| self.peek(ahead) == Some(b'#'));
            if closes {
                for _ in 0..=hashes {
                    self.keep();
                }
                return;
            }
            self.blank();
        }
    }

    /// A character literal; a lifetime has no closing quote two or more places on.
    fn blank_char(&mut self) {
        let rest = self.bytes.get(self.at + 1..).unwrap_or_default();
        let length = match rest {
            [b'\\', ..] => rest.iter().skip(2).position(|byte| *byte == b'\'').map(|at| at + 2),
            // One character of one to four bytes.
            _ => rest
                .iter()
                .take(5)
                .position(|byte| *byte == b'\'')
                .filter(|at| *at == 1 || rest.first().is_some_and(|byte| !byte.is_ascii())),
        };
        self.keep();
        if let Some(length) = length {
            for _ in 0..length {
                self.blank();
            }
            self.keep();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked_and_lines_stay() {
        let code = rust_code("let a = \"x // y\"; // std::\n/* std /* in */ :: */ let b = 'q'; let c: &'a str;\n");
        assert!(!code.contains("std") && !code.contains("// y") && !code.contains('q'));
        assert!(code.contains("let b = ' ';") && code.contains("&'a str;"));
        assert_eq!(code.lines().count(), 2);
    }

    #[test]
    fn raw_strings_end_at_their_own_hashes() {
        let code = rust_code("let a = r#\"std \" \\\"#; for x in r { std::y }");
        assert_eq!(words(&code, "std").count(), 1);
        let code = rust_code(r#"let quote = '\''; let tick = '"'; std::x"#);
        assert_eq!(words(&code, "std").count(), 1);
    }

    #[test]
    fn tests_are_taken_out_and_what_follows_stays() {
        let code = "fn a() {}\n#[cfg(test)]\nmod tests { fn b() { x.unwrap() } }\nfn c() {}\n#[cfg(test)]\nmod more;\nfn d() {}";
        let left = without_tests(code);
        assert!(left.contains("fn a") && left.contains("fn c") && left.contains("fn d"));
        assert!(!left.contains("unwrap") && !left.contains("more"));
        assert_eq!(left.lines().count(), code.lines().count());
    }

    #[test]
    fn scripts_keep_strings_and_lose_comments() {
        let code = script_code("import \"https://a/b\"; // note\nconst re = /don't/;\n/* gone */ f(); // x");
        assert!(code.contains("https://a/b") && code.contains("f()"));
        assert!(!code.contains("note") && !code.contains("gone"));
    }

    #[test]
    fn a_word_stands_alone() {
        assert_eq!(words("std nostd std_x (std)", "std").count(), 2);
        assert_eq!(line_of("a\nb\nc", 4), 3);
    }
}
