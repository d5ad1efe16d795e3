//! A bearer token that cannot be printed by accident.

use std::fmt;
use std::io;
use std::path::Path;

/// A secret shared by a load balancer's admin API and its callers.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// Reads a token from a file; surrounding white space is ignored, 16 characters are the least.
    pub fn read(path: &Path) -> io::Result<Self> {
        Self::new(&std::fs::read_to_string(path)?)
    }

    /// Takes a token as it is written in a file.
    pub fn new(text: &str) -> io::Result<Self> {
        let token = text.trim();
        if token.len() < 16 || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a token has at least 16 visible ASCII characters on one line"));
        }
        Ok(Self(token.to_owned()))
    }

    /// Whether `offered` is the token; the time taken tells at most the length.
    pub fn is(&self, offered: &[u8]) -> bool {
        let token = self.0.as_bytes();
        let mut differs = u8::from(token.len() != offered.len());
        for (index, byte) in token.iter().enumerate() {
            differs |= byte ^ offered.get(index).copied().unwrap_or_default();
        }
        std::hint::black_box(differs) == 0
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_token_is_the_token() {
        let token = Token::new(" 0123456789abcdef\n").unwrap();
        assert!(token.is(b"0123456789abcdef"));
        for wrong in ["", "0123456789abcde", "0123456789abcdef0", "0123456789abcdeg", "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"] {
            assert!(!token.is(wrong.as_bytes()), "{wrong:?}");
        }
        assert_eq!(format!("{token:?}"), "Token(…)");
        for bad in ["", "short", "0123456789abcdef 0123456789abcdef"] {
            assert!(Token::new(bad).is_err(), "{bad:?}");
        }
    }
}
