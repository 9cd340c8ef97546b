//! Repeatable randomness, and mutations without an engine.

/// Marsaglia's xorshift with 64 bits of state.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        // Neighbouring seeds shall not begin alike, and the state is never zero.
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn draw(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `end`; zero if that is zero.
    pub fn below(&mut self, end: usize) -> usize {
        (self.draw() >> 16) as usize % end.max(1)
    }

    /// One of these.
    pub fn of<'a, T: ?Sized>(&mut self, list: &[&'a T]) -> &'a T {
        list[self.below(list.len())]
    }
}

/// Pieces that decoders treat in their own way.
#[rustfmt::skip]
const PIECES: &[&str] = &[
    "%2f", "%5C", "%2e%2e", "%00", "%3F", "%25", ";", "..", "\\", "\"", "{", "}", "[", "]", ",", ":", "null", "true",
    "-0", "1e400", "0x", "\\u0000", "\\ud800", "é", "\u{202e}", "amount", "extra", "=", "+", "/", "exact", "eip155:1",
    "$0.01",
];

/// One of the corpus with a few things changed.
pub fn mutated(corpus: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut input = corpus[random.below(corpus.len())].clone();
    for _ in 0..=random.below(4) {
        let at = random.below(input.len() + 1);
        let end = input.len().min(at + random.below(16));
        match random.below(6) {
            0 if at < input.len() => input[at] = random.draw().to_le_bytes()[0],
            1 if at < input.len() => input[at] ^= 1 << random.below(8),
            2 => drop(input.drain(at..end)),
            3 => drop(input.splice(at..at, input[at..end].to_vec())),
            4 => {
                let other = &corpus[random.below(corpus.len())];
                let from = random.below(other.len() + 1);
                let to = other.len().min(from + random.below(64));
                drop(input.splice(at..end, other[from..to].iter().copied()));
            }
            _ => drop(input.splice(at..end, random.of(PIECES).bytes())),
        }
    }
    input
}
