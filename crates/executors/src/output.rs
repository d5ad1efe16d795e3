//! What a step says: masked, bounded, and handed on in pieces.
//!
//! Masking works on the byte stream, not on lines, so that a secret split over two reads is found. It knows the secret as
//! it is and in the forms in which programs usually print it. It cannot know a secret that a program has changed otherwise.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use bytes::Bytes;
use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;

use crate::context::Secrets;

/// What stands where a secret was.
pub const MASK: &[u8] = b"***";

/// Shorter values are not masked: they would blank out half of every log and are no secrets.
const SECRET_BYTES_MIN: usize = 4;

/// Takes a stream in pieces of any size and gives it back without secrets.
pub struct Masker {
    /// By first byte.
    patterns: Vec<Vec<Vec<u8>>>,
    held: Vec<u8>,
    /// How many of the held bytes belong to a secret that began before them.
    covered: usize,
    /// Whether the last thing put out was a mask that goes on.
    masking: bool,
}

impl Masker {
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let mut all = BTreeSet::new();
        for secret in secrets {
            all.extend(forms(secret));
        }
        let mut patterns = vec![Vec::new(); 256];
        for form in all {
            patterns[usize::from(form[0])].push(form);
        }
        Self { patterns, held: Vec::new(), covered: 0, masking: false }
    }

    /// Adds bytes; what can no longer be the beginning of a secret comes out.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.held.extend_from_slice(bytes);
        self.drain(false)
    }

    /// The stream has ended (or pauses for good): the rest comes out.
    pub fn finish(&mut self) -> Vec<u8> {
        let out = self.drain(true);
        self.masking = false;
        out
    }

    /// A whole text at once.
    pub fn mask(&self, text: &str) -> String {
        let mut once = Masker { patterns: self.patterns.clone(), held: Vec::new(), covered: 0, masking: false };
        let mut out = once.push(text.as_bytes());
        out.extend(once.finish());
        String::from_utf8_lossy(&out).into_owned()
    }

    fn drain(&mut self, last: bool) -> Vec<u8> {
        let held = std::mem::take(&mut self.held);
        let mut out = Vec::with_capacity(held.len());
        let mut at = 0;
        while at < held.len() {
            let rest = &held[at..];
            let mut longest = 0;
            let mut undecided = false;
            for form in &self.patterns[usize::from(rest[0])] {
                if rest.starts_with(form) {
                    longest = longest.max(form.len());
                } else if form.len() > rest.len() && form.starts_with(rest) {
                    undecided = true;
                }
            }
            if undecided && !last {
                break;
            }
            // Overlapping secrets are one masked stretch.
            self.covered = self.covered.max(longest);
            if self.covered == 0 {
                out.push(rest[0]);
                self.masking = false;
            } else {
                if !self.masking {
                    out.extend_from_slice(MASK);
                    self.masking = true;
                }
                self.covered -= 1;
                if self.covered == 0 {
                    self.masking = false;
                }
            }
            at += 1;
        }
        self.held = held[at..].to_vec();
        out
    }
}

/// The ways a secret is written in a log.
fn forms(secret: &str) -> BTreeSet<Vec<u8>> {
    let mut forms = BTreeSet::new();
    if secret.trim().len() < SECRET_BYTES_MIN {
        return forms;
    }
    let mut raw: Vec<&str> = vec![secret, secret.trim()];
    // A key of several lines is printed line by line, with other things between.
    raw.extend(secret.lines().map(str::trim).filter(|line| line.len() >= 8));
    for text in raw {
        let bytes = text.as_bytes();
        forms.insert(bytes.to_vec());
        forms.insert(text.replace('\n', "\r\n").into_bytes());
        forms.extend(base64_forms(bytes));
        forms.insert(hex::encode(bytes).into_bytes());
        forms.insert(hex::encode_upper(bytes).into_bytes());
        for (unreserved, upper, plus) in URL_STYLES {
            forms.insert(url_form(bytes, unreserved, *upper, *plus));
        }
        let json = serde_json::Value::from(text).to_string();
        let json = &json[1..json.len() - 1];
        forms.insert(json.as_bytes().to_vec());
        forms.insert(json.replace('/', "\\/").into_bytes());
        forms.insert(ascii_json(json).into_bytes());
        // What a shell with `set -x` shows.
        forms.insert(text.replace('\'', "'\\''").into_bytes());
        forms.insert(text.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', "\\n").replace('\t', "\\t").into_bytes());
        forms.insert(text.escape_default().to_string().into_bytes());
    }
    forms.retain(|form| form.len() >= SECRET_BYTES_MIN);
    forms
}

/// What stays unescaped besides letters and digits; upper-case hexadecimal digits; blank as plus.
const URL_STYLES: &[(&str, bool, bool)] = &[
    ("-_.~", true, false),
    ("-_.~", false, false),
    ("-_.*", true, true),
    ("-_.!~*'()", true, false),
    ("-_.~!$&'()*+,;=:@/?", true, false),
    ("", true, false),
];

fn url_form(bytes: &[u8], unreserved: &str, upper: bool, plus: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() * 3);
    for byte in bytes {
        match byte {
            b' ' if plus => out.push(b'+'),
            b if b.is_ascii_alphanumeric() || unreserved.as_bytes().contains(b) => out.push(*b),
            b if upper => out.extend(format!("%{b:02X}").bytes()),
            b => out.extend(format!("%{b:02x}").bytes()),
        }
    }
    out
}

/// A secret inside a longer text (`user:secret`) begins at any of three places of a base64 group: the characters that
/// depend on the secret alone are the same whatever is before and after it.
fn base64_forms(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = vec![];
    for engine in [&STANDARD, &URL_SAFE] {
        let whole = engine.encode(bytes);
        forms.push(whole.trim_end_matches('=').as_bytes().to_vec());
        forms.push(whole.into_bytes());
        for before in 0..3_usize {
            let padded: Vec<u8> = std::iter::repeat_n(0, before).chain(bytes.iter().copied()).collect();
            let text = engine.encode(&padded).into_bytes();
            let (from, to) = ((before * 8).div_ceil(6), padded.len() * 8 / 6);
            // Fewer characters would also stand for something else.
            if to >= from + 8 {
                forms.push(text[from..to].to_vec());
            }
        }
    }
    forms
}

fn ascii_json(json: &str) -> String {
    let mut out = String::new();
    for c in json.chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    out
}

/// Keeps the beginning and the end of a stream, in bounded memory, and says how much is missing between.
pub struct HeadAndTail {
    head_left: usize,
    tail_max: usize,
    tail: VecDeque<u8>,
    dropped: u64,
}

impl HeadAndTail {
    pub fn new(head_max: usize, tail_max: usize) -> Self {
        Self { head_left: head_max, tail_max, tail: VecDeque::new(), dropped: 0 }
    }

    /// The part of `bytes` to be written at once; the rest is kept for the end, or dropped.
    pub fn push<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let (now, later) = bytes.split_at(bytes.len().min(self.head_left));
        self.head_left -= now.len();
        let later_kept = &later[later.len().saturating_sub(self.tail_max)..];
        let over = (self.tail.len() + later_kept.len()).saturating_sub(self.tail_max);
        self.tail.drain(..over.min(self.tail.len()));
        self.dropped += (later.len() - later_kept.len() + over) as u64;
        self.tail.extend(later_kept);
        now
    }

    /// The end: a marker where something is missing, then the last bytes.
    pub fn finish(&mut self) -> Vec<u8> {
        let tail: Vec<u8> = self.tail.drain(..).collect();
        if self.dropped == 0 {
            return tail;
        }
        let mut out = format!("\n[holdpoint: {} bytes left out here]\n", self.dropped).into_bytes();
        out.extend(tail);
        out
    }

    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

/// Where an executor puts live output: masked, in order, at most `capacity` pieces waiting.
#[derive(Clone)]
pub struct OutputSink {
    masker: Arc<Mutex<Masker>>,
    sender: mpsc::Sender<Bytes>,
}

/// Largest piece handed on at once.
pub const PIECE_BYTES_MAX: usize = 64 * 1024;

impl OutputSink {
    /// The receiver gets pieces of at most 64 KiB; when it is slow, [`OutputSink::write`] waits.
    pub fn new(capacity: usize, secrets: &Secrets) -> (Self, mpsc::Receiver<Bytes>) {
        let (sender, receiver) = mpsc::channel(capacity.max(1));
        (Self { masker: Arc::new(Mutex::new(Masker::new(secrets.values()))), sender }, receiver)
    }

    /// For those who do not listen.
    pub fn discard() -> Self {
        Self::new(1, &Secrets::default()).0
    }

    pub async fn write(&self, bytes: &[u8]) {
        let out = self.masker.lock().unwrap_or_else(PoisonError::into_inner).push(bytes);
        self.send(out).await;
    }

    pub async fn line(&self, text: &str) {
        self.write(format!("{text}\n").as_bytes()).await;
    }

    /// Puts out what was held back because it might have been the beginning of a secret.
    pub async fn flush(&self) {
        let out = self.masker.lock().unwrap_or_else(PoisonError::into_inner).finish();
        self.send(out).await;
    }

    /// A text for a reason or an output, masked.
    pub fn masked(&self, text: &str) -> String {
        self.masker.lock().unwrap_or_else(PoisonError::into_inner).mask(text)
    }

    async fn send(&self, out: Vec<u8>) {
        let mut out = Bytes::from(out);
        while !out.is_empty() {
            let piece = out.split_to(out.len().min(PIECE_BYTES_MAX));
            // Nobody listens any more: the step goes on all the same.
            if self.sender.send(piece).await.is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECRET: &str = "s3cr\"et/with +ümlaut\\and'quote";

    fn through(secrets: &[&str], text: &[u8], cuts: usize) -> String {
        let mut masker = Masker::new(secrets.iter().copied());
        let mut out = Vec::new();
        for piece in text.chunks(cuts) {
            out.extend(masker.push(piece));
        }
        out.extend(masker.finish());
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn a_secret_is_masked_in_every_form_at_every_chunk_border() {
        let basic = STANDARD.encode(format!("user:{SECRET}"));
        let json = serde_json::to_string(SECRET).unwrap();
        let url: String = reqwest::Url::parse_with_params("http://x/", [("q", SECRET)]).unwrap().query().unwrap().into();
        for (name, form) in [
            ("plain", SECRET.to_owned()),
            ("base64", STANDARD.encode(SECRET)),
            ("base64 of a longer text", basic),
            ("base64url", URL_SAFE.encode(SECRET)),
            ("hex", hex::encode(SECRET)),
            ("HEX", hex::encode_upper(SECRET)),
            ("url", url.trim_start_matches("q=").to_owned()),
            ("json", json.trim_matches('"').to_owned()),
        ] {
            for cuts in [1, 2, 3, 5, 7, 64] {
                let out = through(&[SECRET], format!("before {form} after").as_bytes(), cuts);
                assert!(out.starts_with("before ") && out.ends_with(" after") && out.contains("***"), "{name}/{cuts}: {out}");
                assert!(!out.contains(&form), "{name}/{cuts}: {out}");
                assert!(out.len() < 40, "{name}/{cuts}: {out}");
            }
        }
    }

    #[test]
    fn lines_of_a_key_and_overlapping_secrets_are_masked() {
        assert_eq!(through(&["-----BEGIN\nAAAABBBBCCCC\nDDDDEEEEFFFF"], b"x AAAABBBBCCCC y\nDDDDEEEEFFFF", 4), "x *** y\n***");
        assert_eq!(through(&["abcdef", "defghi"], b"1abcdefghi2", 3), "1***2");
        assert_eq!(through(&["abcdef", "abcdefgh"], b"1abcdefgX abcdefgh", 1), "1***gX ***");
        assert_eq!(through(&["abc"], b"abc", 1), "abc", "too short to be a secret");
    }

    proptest! {
        #[test]
        fn what_is_no_secret_passes_unchanged_and_what_is_never_passes(
            before in "[x-z]{0,20}", after in "[x-z]{0,20}", cuts in 1_usize..9,
        ) {
            let out = through(&["hunter2!"], format!("{before}hunter2!{after}").as_bytes(), cuts);
            prop_assert_eq!(out, format!("{before}***{after}"));
        }

        #[test]
        fn head_and_tail_are_bounded_and_account_for_every_byte(pieces in proptest::collection::vec(0_usize..300, 0..40)) {
            let mut kept = HeadAndTail::new(500, 200);
            let (mut total, mut written) = (0, 0);
            for size in pieces {
                written += kept.push(&vec![7; size]).len();
                total += size;
                prop_assert!(kept.tail.len() <= 200);
            }
            let dropped = usize::try_from(kept.dropped()).unwrap();
            let tail = kept.finish().iter().filter(|b| **b == 7).count();
            prop_assert_eq!(written + tail + dropped, total);
            prop_assert!(written <= 500 && tail <= 200);
        }
    }

    #[tokio::test]
    async fn a_slow_reader_slows_the_writer_and_a_lost_one_does_not_stop_it() {
        let (sink, mut receiver) = OutputSink::new(2, &Secrets::default());
        let writer = tokio::spawn(async move {
            sink.write(&vec![b'x'; PIECE_BYTES_MAX * 5]).await;
        });
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        assert!(!writer.is_finished());
        receiver.recv().await.unwrap();
        drop(receiver);
        writer.await.unwrap();
    }
}
