//! A database in the form in which packages are looked up: one file, of which a scan reads the directory and what it asks for.
//!
//! Layout: a header of [`HEADER_BYTES`]; blocks, one a package, with its entries; a directory of [`PLACE_BYTES`] a package,
//! sorted by the hash of its key. Header, directory and each block carry a checksum against damage. It is a cache: whoever may
//! write it may write the database.

use super::codec::{Damaged, Reader, Writer};
use super::osv::{self, Advisory, Affected, OsvError};
use super::package;
use sha2::{Digest as _, Sha256};
use std::collections::HashSet;

const MAGIC: &[u8; 8] = b"HPADVS02";
/// Magic, fingerprint, listing, newest, advisories, withdrawn, offset and count of the directory, checksum.
pub const HEADER_BYTES: usize = 8 + 32 + 32 + 8 + 8 + 8 + 8 + 8 + 8;
/// Hash of the key, offset, length, checksum.
const PLACE_BYTES: usize = 8 + 8 + 4 + 4;
/// More packages than this are no database.
const PACKAGES_MAX: usize = 50_000_000;

/// Why an index cannot be used. Building it anew mends all of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IndexError {
    #[error("not an index of advisories of this version")]
    Foreign,
    #[error("the index is damaged")]
    Damaged,
    #[error("the index cannot be read: {0}")]
    Read(String),
}

impl From<Damaged> for IndexError {
    fn from(_: Damaged) -> Self {
        IndexError::Damaged
    }
}

/// What is known of a database as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// SHA-256 over the files' names and contents.
    pub fingerprint: [u8; 32],
    /// SHA-256 over the files' names, sizes and times of change: how a later scan sees that nothing moved.
    pub listing: [u8; 32],
    /// The newest `modified`, in seconds since 1970; 0 without advisories.
    pub newest: i64,
    /// With those withdrawn.
    pub advisories: u64,
    pub withdrawn: u64,
}

/// The listing of a database: names, sizes and times of change (nanoseconds since 1970), in the order of names.
pub fn listing<'a>(files: impl Iterator<Item = (&'a str, u64, i128)>) -> [u8; 32] {
    let mut digest = Sha256::new();
    for (name, bytes, modified) in files {
        digest.update((name.len() as u64).to_le_bytes());
        digest.update(name);
        digest.update(bytes.to_le_bytes());
        digest.update(modified.to_le_bytes());
    }
    digest.finalize().into()
}

/// Records of a part of a database. Parts may be filled side by side and are then put together.
#[derive(Default)]
pub struct Part {
    /// Only these keys are kept; all where it is `None`.
    wanted: Option<HashSet<String>>,
    bytes: Vec<u8>,
    /// (hash, start, end) in `bytes`.
    entries: Vec<(u64, usize, usize)>,
    files: Vec<(String, [u8; 32])>,
    newest: i64,
    advisories: u64,
    withdrawn: u64,
}

fn hash(key: &str) -> u64 {
    first_eight(&Sha256::digest(key.as_bytes()))
}

fn first_eight(digest: &[u8]) -> u64 {
    digest.iter().take(8).fold(0, |value, byte| value << 8 | u64::from(*byte))
}

fn checksum(bytes: &[u8]) -> u32 {
    (first_eight(&Sha256::digest(bytes)) >> 32) as u32
}

impl Part {
    /// A part that keeps only the packages with these keys: all that a scan without an index needs.
    pub fn only(keys: HashSet<String>) -> Self {
        Self { wanted: Some(keys), ..Self::default() }
    }
    /// Takes a file into account for the fingerprint.
    pub fn file(&mut self, name: &str, bytes: &[u8]) {
        self.files.push((name.to_owned(), Sha256::digest(bytes).into()));
    }
    /// Reads a record and keeps it. Withdrawn ones are counted alone.
    pub fn add(&mut self, record: &[u8]) -> Result<(), OsvError> {
        self.put(osv::read(record)?);
        Ok(())
    }
    pub fn put(&mut self, advisory: Advisory) {
        self.advisories += 1;
        self.newest = self.newest.max(advisory.modified);
        if advisory.withdrawn {
            self.withdrawn += 1;
            return;
        }
        for affected in &advisory.affected {
            let mut keys = Vec::new();
            if !affected.name.is_empty() {
                keys.push(package::key(package::split(&affected.ecosystem).0, &affected.name));
            }
            let repositories = affected.ranges.iter().filter(|range| range.kind == osv::RangeKind::Git);
            keys.extend(repositories.map(|range| package::repository_key(&range.repository)));
            keys.sort();
            keys.dedup();
            for key in keys {
                self.put_under(&key, &advisory, affected);
            }
        }
    }
    fn put_under(&mut self, key: &str, advisory: &Advisory, affected: &Affected) {
        if self.wanted.as_ref().is_some_and(|wanted| !wanted.contains(key)) {
            return;
        }
        let start = self.bytes.len();
        let mut writer = Writer(std::mem::take(&mut self.bytes));
        writer.text(key);
        writer.entry(advisory, affected);
        self.bytes = writer.0;
        self.entries.push((hash(key), start, self.bytes.len()));
    }
}

/// Puts parts together: the bytes of an index. The order of parts and records makes no difference.
pub fn build(parts: &[Part], listing: [u8; 32]) -> Vec<u8> {
    let mut entries: Vec<(u64, &[u8])> = Vec::new();
    let mut files: Vec<&(String, [u8; 32])> = Vec::new();
    let mut summary = Summary { listing, ..Summary::default() };
    for part in parts {
        entries.extend(part.entries.iter().map(|(hash, start, end)| (*hash, part.bytes.get(*start..*end).unwrap_or_default())));
        files.extend(&part.files);
        summary.newest = summary.newest.max(part.newest);
        summary.advisories += part.advisories;
        summary.withdrawn += part.withdrawn;
    }
    entries.sort_unstable();
    files.sort_unstable();
    let mut fingerprint = Sha256::new();
    for (name, digest) in files {
        fingerprint.update((name.len() as u64).to_le_bytes());
        fingerprint.update(name);
        fingerprint.update(digest);
    }
    summary.fingerprint = fingerprint.finalize().into();

    let mut bytes = vec![0; HEADER_BYTES];
    let mut directory = Vec::new();
    let mut count = 0u64;
    for block in entries.chunk_by(|a, b| a.0 == b.0) {
        let start = bytes.len();
        block.iter().for_each(|(_, entry)| bytes.extend_from_slice(entry));
        let written = bytes.get(start..).unwrap_or_default();
        directory.extend_from_slice(&block.first().map_or(0, |(hash, _)| *hash).to_le_bytes());
        directory.extend_from_slice(&(start as u64).to_le_bytes());
        directory.extend_from_slice(&(written.len() as u32).to_le_bytes());
        directory.extend_from_slice(&checksum(written).to_le_bytes());
        count += 1;
    }
    let mut header = Vec::with_capacity(HEADER_BYTES);
    header.extend_from_slice(MAGIC);
    header.extend_from_slice(&summary.fingerprint);
    header.extend_from_slice(&summary.listing);
    header.extend_from_slice(&summary.newest.to_le_bytes());
    for number in [summary.advisories, summary.withdrawn, bytes.len() as u64, count] {
        header.extend_from_slice(&number.to_le_bytes());
    }
    let digest = Sha256::new().chain_update(&header).chain_update(&directory).finalize();
    header.extend_from_slice(&first_eight(&digest).to_le_bytes());
    if let Some(place) = bytes.get_mut(..HEADER_BYTES) {
        place.copy_from_slice(&header);
    }
    bytes.extend_from_slice(&directory);
    bytes
}

/// Reads so many bytes at a place of the index.
pub type ReadAt<'a> = dyn Fn(u64, usize) -> Result<Vec<u8>, String> + Sync + 'a;

/// An index that was opened.
pub struct Index<'a> {
    pub summary: Summary,
    directory: Vec<u8>,
    read: Box<ReadAt<'a>>,
}

fn number(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|eight| eight.try_into().ok()).map_or(0, u64::from_le_bytes)
}

fn short(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map_or(0, u32::from_le_bytes)
}

impl<'a> Index<'a> {
    /// Opens an index of `length` bytes.
    pub fn open(length: u64, read: Box<ReadAt<'a>>) -> Result<Self, IndexError> {
        if length < HEADER_BYTES as u64 {
            return Err(IndexError::Foreign);
        }
        let header = read(0, HEADER_BYTES).map_err(IndexError::Read)?;
        if !header.starts_with(MAGIC) || header.len() != HEADER_BYTES {
            return Err(IndexError::Foreign);
        }
        let (offset, count) = (number(&header, 96), number(&header, 104));
        let count = usize::try_from(count).ok().filter(|count| *count <= PACKAGES_MAX).ok_or(IndexError::Damaged)?;
        if offset.checked_add((count * PLACE_BYTES) as u64) != Some(length) {
            return Err(IndexError::Damaged);
        }
        let directory = read(offset, count * PLACE_BYTES).map_err(IndexError::Read)?;
        let digest = Sha256::new().chain_update(header.get(..112).unwrap_or_default()).chain_update(&directory).finalize();
        if first_eight(&digest) != number(&header, 112) || directory.len() != count * PLACE_BYTES {
            return Err(IndexError::Damaged);
        }
        let part = |from: usize| header.get(from..from + 32).and_then(|bytes| bytes.try_into().ok()).unwrap_or_default();
        let summary = Summary {
            fingerprint: part(8),
            listing: part(40),
            newest: number(&header, 72).cast_signed(),
            advisories: number(&header, 80),
            withdrawn: number(&header, 88),
        };
        Ok(Self { summary, directory, read })
    }
    /// Opens what [`build`] has made and is still in memory.
    pub fn of_bytes(bytes: &'a [u8]) -> Result<Self, IndexError> {
        let read = move |offset: u64, length: usize| {
            let start = usize::try_from(offset).map_err(|why| why.to_string())?;
            let end = start.checked_add(length).ok_or("a length beyond memory")?;
            bytes.get(start..end).map(<[u8]>::to_vec).ok_or_else(|| "a place beyond its end".to_owned())
        };
        Self::open(bytes.len() as u64, Box::new(read))
    }

    /// All advisories about the package with this key.
    pub fn about(&self, key: &str) -> Result<Vec<(Advisory, Affected)>, IndexError> {
        let wanted = hash(key);
        let count = self.directory.len() / PLACE_BYTES;
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = low + (high - low) / 2;
            if number(&self.directory, middle * PLACE_BYTES) < wanted { low = middle + 1 } else { high = middle }
        }
        let at = low * PLACE_BYTES;
        if low >= count || number(&self.directory, at) != wanted {
            return Ok(Vec::new());
        }
        let length = short(&self.directory, at + 16) as usize;
        let block = (self.read)(number(&self.directory, at + 8), length).map_err(IndexError::Read)?;
        if block.len() != length || checksum(&block) != short(&self.directory, at + 20) {
            return Err(IndexError::Damaged);
        }
        let mut reader = Reader(&block);
        let mut found = Vec::new();
        while !reader.0.is_empty() {
            let own = reader.text()? == key;
            let entry = reader.entry()?;
            // Two packages may share a hash, never a key.
            if own {
                found.push(entry);
            }
        }
        Ok(found)
    }
}
