//! What was asked and what was answered, one JSON object per line.
//!
//! The journal is written by this side only, so it can contradict the shop.

use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;

/// One request. `intended_us` is the planned start (since 1970 UTC), `latency_us` counts from it to the
/// last byte. Status 0: no answer, and `error` says why. `order` is the acknowledged order's id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub n: u64,
    pub kind: String,
    pub intended_us: u64,
    pub latency_us: u64,
    pub status: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qty: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Entry {
    /// The shop said that this order is placed.
    pub fn acknowledged(&self) -> bool {
        self.key.is_some() && matches!(self.status, 200 | 201)
    }

    pub fn failed(&self) -> bool {
        !(200..300).contains(&self.status)
    }
}

pub struct Journal(BufWriter<File>);

impl Journal {
    pub fn create(path: &Path) -> std::io::Result<Journal> {
        Ok(Journal(BufWriter::new(File::create(path)?)))
    }

    pub fn write(&mut self, entry: &Entry) -> std::io::Result<()> {
        serde_json::to_writer(&mut self.0, entry)?;
        self.0.write_all(b"\n")
    }

    pub fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }

    /// Everything is on disk when this returns.
    pub fn close(mut self) -> std::io::Result<()> {
        self.0.flush()?;
        self.0.get_ref().sync_all()
    }
}

/// All entries. A last line without its end is what a kill leaves behind, and is skipped.
pub fn read(path: &Path) -> std::io::Result<Vec<Entry>> {
    let mut reader = BufReader::new(File::open(path)?);
    let mut entries = Vec::new();
    let mut line = String::new();
    while reader.read_line(&mut line)? > 0 {
        if !line.ends_with('\n') {
            break;
        }
        entries.push(serde_json::from_str(&line)?);
        line.clear();
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(n: u64, status: u16) -> Entry {
        let (kind, key, order) = ("checkout".to_owned(), Some(format!("key-{n}")), Some(format!("o-{n}")));
        Entry { n, kind, intended_us: 1, latency_us: 2, status, key, order, sku: None, qty: None, error: None }
    }

    #[test]
    fn what_was_written_is_read_and_half_a_line_is_skipped() {
        let path = std::env::temp_dir().join(format!("journal-test-{}", std::process::id()));
        let mut journal = Journal::create(&path).unwrap();
        journal.write(&entry(1, 201)).unwrap();
        journal.write(&entry(2, 502)).unwrap();
        journal.close().unwrap();
        let mut file = File::options().append(true).open(&path).unwrap();
        file.write_all(b"{\"n\":3,\"ki").unwrap();
        let entries = read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(vec![entry(1, 201), entry(2, 502)], entries);
    }

    #[test]
    fn only_a_good_answer_acknowledges() {
        assert!(entry(1, 201).acknowledged() && entry(1, 200).acknowledged());
        assert!(!entry(1, 502).acknowledged() && !entry(1, 0).acknowledged());
    }
}
