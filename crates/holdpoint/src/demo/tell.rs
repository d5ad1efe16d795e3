//! What the demo says, as it happens: one line for each thing that is done, and a moving line only where somebody looks.

use crate::out::Out;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::Write as _;
use std::time::Duration;

/// See the module.
pub struct Tell {
    moving: Option<ProgressBar>,
}

impl Tell {
    pub fn new(out: &Out) -> Tell {
        let moving = out.lively().then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template(" {spinner} {wide_msg:.dim} {elapsed:.dim}") {
                bar.set_style(style.tick_strings(&["·", "•", "●", "•", "…"]));
            }
            bar
        });
        Tell { moving }
    }

    fn print(&self, line: &str) {
        let write = || {
            let mut out = std::io::stdout().lock();
            // Whoever closed the other end does not want to hear more.
            let _ = writeln!(out, "{line}").and_then(|()| out.flush());
        };
        match &self.moving {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }
    /// A line as it is.
    pub fn say(&self, line: impl AsRef<str>) {
        self.print(line.as_ref());
    }
    /// It went as it should.
    pub fn done(&self, place: &str, what: impl AsRef<str>) {
        self.print(&format!(" ✓ {place:<10} {}", what.as_ref()));
    }
    /// Holdpoint refused, as it should.
    pub fn refused(&self, place: &str, what: impl AsRef<str>) {
        self.print(&format!(" ✗ {place:<10} {}", what.as_ref()));
    }
    /// It is under way, and worth a line of its own.
    pub fn under_way(&self, place: &str, what: impl AsRef<str>) {
        self.print(&format!(" … {place:<10} {}", what.as_ref()));
    }
    /// More about the line before.
    pub fn more(&self, what: impl AsRef<str>) {
        self.print(&format!("   {:<10} {}", "", what.as_ref()));
    }
    /// What is being waited for; seen on a terminal only.
    pub fn busy(&self, what: impl AsRef<str>) {
        if let Some(bar) = &self.moving {
            if bar.message() != what.as_ref() {
                bar.reset_elapsed();
                bar.set_message(what.as_ref().to_owned());
            }
            bar.enable_steady_tick(Duration::from_millis(120));
        }
    }
    /// Nothing moves any more.
    pub fn still(&self) {
        if let Some(bar) = &self.moving {
            bar.finish_and_clear();
        }
    }
}

/// 41880 -> "41,880"
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The first characters of a commit or digest, as people tell them apart.
pub fn short(id: &str) -> String {
    let (kind, rest) = id.split_once(':').map_or(("", id), |(kind, rest)| (kind, rest));
    let rest: String = rest.chars().take(8).collect();
    if kind.is_empty() { format!("{rest}…") } else { format!("{kind}:{rest}…") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!(["0", "999", "1,000", "41,880", "1,234,567"].map(str::to_owned), [0, 999, 1000, 41_880, 1_234_567].map(grouped));
    }

    #[test]
    fn the_kind_of_a_digest_stays() {
        assert_eq!(("sha256:77e01234…".to_owned(), "4f1c0000…".to_owned()), (short("sha256:77e0123456"), short("4f1c00001")));
    }
}
