//! Zip archives of advisories (PKWARE APPNOTE 6.3.10), read from their central directory, with every size known beforehand.
//!
//! Names are never used as paths; an archive whose names would leave a folder is refused all the same, because nobody means
//! well with them. Deliberately absent: encryption, split archives, compression other than deflate.

use super::osv::RECORD_BYTES_MAX;

/// More files than this are no database.
pub const ENTRIES_MAX: usize = 5_000_000;
/// Text compresses to a twentieth, not to a thousandth.
const RATIO_MAX: u64 = 200;
/// What any archive may unpack to, however small it is.
const TOTAL_FREE: u64 = 16 << 20;

/// Why an archive is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    #[error("not a zip archive, or one that is cut off")]
    Shape,
    #[error("the archive has more than {ENTRIES_MAX} files")]
    Entries,
    #[error("{name}: {bytes} bytes unpacked; a record has at most {RECORD_BYTES_MAX}")]
    Record { name: String, bytes: u64 },
    #[error("the archive would unpack to {bytes} bytes, more than {RATIO_MAX} times its size: refused as a bomb")]
    Bomb { bytes: u64 },
    #[error("{0:?}: a name that leaves its folder")]
    Name(String),
    #[error("{name}: {why}")]
    Entry { name: String, why: &'static str },
}

/// One file of the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub name: String,
    /// Where its local header begins.
    offset: usize,
    packed: usize,
    /// Bytes when unpacked.
    pub size: usize,
    deflated: bool,
    crc: u32,
}

/// A number of `N` bytes, little endian.
fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<u64> {
    let part = bytes.get(at..at.checked_add(N)?)?;
    Some(part.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

/// The central directory: where it begins, how many files it names.
fn directory(bytes: &[u8]) -> Option<(usize, u64)> {
    // The end record has 22 bytes and a comment of at most 65,535.
    let from = bytes.len().saturating_sub(22 + 65_535);
    let at = (from..=bytes.len().checked_sub(22)?).rev().find(|at| bytes.get(*at..*at + 4) == Some(b"PK\x05\x06"))?;
    let (mut count, mut offset) = (number::<2>(bytes, at + 10)?, number::<4>(bytes, at + 16)?);
    let locator = at.checked_sub(20).filter(|at| bytes.get(*at..*at + 4) == Some(b"PK\x06\x07"));
    if let Some(locator) = locator {
        let end = usize::try_from(number::<8>(bytes, locator + 8)?).ok()?;
        if bytes.get(end..end.checked_add(4)?) != Some(b"PK\x06\x06") {
            return None;
        }
        count = number::<8>(bytes, end + 32)?;
        offset = number::<8>(bytes, end + 48)?;
    }
    Some((usize::try_from(offset).ok()?, count))
}

/// Sizes and offset that do not fit into 32 bits stand in the extra field 1.
fn wide(extra: &[u8], values: &mut [u64]) -> Option<()> {
    let mut at = 0;
    while let (Some(tag), Some(length)) = (number::<2>(extra, at), number::<2>(extra, at + 2)) {
        if tag == 1 {
            let mut place = at + 4;
            for value in values.iter_mut().filter(|value| **value == u64::from(u32::MAX)) {
                *value = number::<8>(extra, place)?;
                place += 8;
            }
            return Some(());
        }
        at += 4 + usize::try_from(length).ok()?;
    }
    Some(())
}

fn leaves_its_folder(name: &str) -> bool {
    name.starts_with('/') || name.contains(['\\', '\0']) || name.split('/').any(|part| part == "..") || name.get(1..2) == Some(":")
}

/// The files of an archive, folders left out. Nothing is unpacked yet.
pub fn entries(bytes: &[u8]) -> Result<Vec<Entry>, ArchiveError> {
    let (mut at, count) = directory(bytes).ok_or(ArchiveError::Shape)?;
    let count = usize::try_from(count).ok().filter(|count| *count <= ENTRIES_MAX).ok_or(ArchiveError::Entries)?;
    let mut entries = Vec::new();
    let (mut total, mut packed_total) = (0u64, 0u64);
    for _ in 0..count {
        let header = bytes.get(at..).filter(|rest| rest.starts_with(b"PK\x01\x02")).ok_or(ArchiveError::Shape)?;
        let of = |place: usize| number::<2>(header, place).and_then(|length| usize::try_from(length).ok()).ok_or(ArchiveError::Shape);
        let (name, extra, comment) = (of(28)?, of(30)?, of(32)?);
        let text = header.get(46..46 + name).ok_or(ArchiveError::Shape)?;
        let name_text = String::from_utf8_lossy(text).into_owned();
        let mut values = [number::<4>(header, 24), number::<4>(header, 20), number::<4>(header, 42)].map(Option::unwrap_or_default);
        wide(header.get(46 + name..46 + name + extra).ok_or(ArchiveError::Shape)?, &mut values).ok_or(ArchiveError::Shape)?;
        let [size, packed, offset] = values;
        at += 46 + name + extra + comment;
        if leaves_its_folder(&name_text) {
            return Err(ArchiveError::Name(name_text));
        }
        if name_text.ends_with('/') {
            continue;
        }
        let refuse = |why| ArchiveError::Entry { name: name_text.clone(), why };
        if of(8)? & 1 != 0 {
            return Err(refuse("encrypted"));
        }
        let deflated = match of(10)? {
            0 => false,
            8 => true,
            _ => return Err(refuse("compressed in a way other than deflate")),
        };
        if size > RECORD_BYTES_MAX as u64 {
            return Err(ArchiveError::Record { name: name_text, bytes: size });
        }
        total = total.saturating_add(size);
        packed_total = packed_total.saturating_add(packed);
        if total > TOTAL_FREE.saturating_add((bytes.len() as u64).saturating_mul(RATIO_MAX)) {
            return Err(ArchiveError::Bomb { bytes: total });
        }
        // Files that share their bytes are how small archives become large ones.
        if packed_total > bytes.len() as u64 {
            return Err(refuse("its bytes are another file's, too"));
        }
        let fits = |value| usize::try_from(value).map_err(|_| ArchiveError::Shape);
        entries.push(Entry {
            offset: fits(offset)?,
            packed: fits(packed)?,
            size: fits(size)?,
            deflated,
            crc: number::<4>(header, 16).and_then(|crc| u32::try_from(crc).ok()).ok_or(ArchiveError::Shape)?,
            name: name_text,
        });
    }
    Ok(entries)
}

/// Unpacks one file; `inflate` may be used again for the next.
pub fn unpack(bytes: &[u8], entry: &Entry, inflate: &mut flate2::Decompress) -> Result<Vec<u8>, ArchiveError> {
    let bad = |why| ArchiveError::Entry { name: entry.name.clone(), why };
    let header = bytes.get(entry.offset..).filter(|rest| rest.starts_with(b"PK\x03\x04")).ok_or(bad("no header of its own"))?;
    let length = |at| number::<2>(header, at).and_then(|length| usize::try_from(length).ok()).ok_or(bad("cut off"));
    let start = 30 + length(26)? + length(28)?;
    let packed = header.get(start..start + entry.packed).ok_or(bad("cut off"))?;
    let unpacked = if entry.deflated {
        // One byte more than announced: what is longer shows, and is not unpacked.
        let mut unpacked = Vec::with_capacity(entry.size + 1);
        inflate.reset(false);
        let status = inflate.decompress_vec(packed, &mut unpacked, flate2::FlushDecompress::Finish);
        if !matches!(status, Ok(flate2::Status::StreamEnd)) {
            return Err(bad("damaged, or longer than announced"));
        }
        unpacked
    } else {
        packed.to_vec()
    };
    if unpacked.len() != entry.size {
        return Err(bad("another length than announced"));
    }
    let mut crc = flate2::Crc::new();
    crc.update(&unpacked);
    if crc.sum() != entry.crc {
        return Err(bad("its checksum is wrong"));
    }
    Ok(unpacked)
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use std::io::Write as _;

    /// A zip archive with these files; `forge` may change what the directory says of (size, packed).
    pub fn zip(files: &[(&str, &[u8])], forge: impl Fn(u32) -> u32) -> Vec<u8> {
        let (mut bytes, mut directory) = (Vec::new(), Vec::new());
        for (name, content) in files {
            let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
            encoder.write_all(content).unwrap();
            let packed = encoder.finish().unwrap();
            let mut crc = flate2::Crc::new();
            crc.update(content);
            let offset = bytes.len() as u32;
            let size = forge(content.len() as u32);
            let mut middle = Vec::new();
            middle.extend_from_slice(&[20, 0, 0, 0, 8, 0, 0, 0, 0, 0]);
            for number in [crc.sum(), packed.len() as u32, size] {
                middle.extend_from_slice(&number.to_le_bytes());
            }
            middle.extend_from_slice(&(name.len() as u16).to_le_bytes());
            middle.extend_from_slice(&[0, 0]);
            bytes.extend_from_slice(b"PK\x03\x04");
            bytes.extend_from_slice(&middle);
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(&packed);
            directory.extend_from_slice(b"PK\x01\x02\x14\x00");
            directory.extend_from_slice(&middle);
            directory.extend_from_slice(&[0; 10]);
            directory.extend_from_slice(&offset.to_le_bytes());
            directory.extend_from_slice(name.as_bytes());
        }
        let (offset, length, count) = (bytes.len() as u32, directory.len() as u32, files.len() as u16);
        bytes.extend_from_slice(&directory);
        bytes.extend_from_slice(b"PK\x05\x06\0\0\0\0");
        bytes.extend_from_slice(&count.to_le_bytes());
        bytes.extend_from_slice(&count.to_le_bytes());
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&offset.to_le_bytes());
        bytes.extend_from_slice(&[0, 0]);
        bytes
    }

    fn all(bytes: &[u8]) -> Result<Vec<(String, Vec<u8>)>, ArchiveError> {
        let mut inflate = flate2::Decompress::new(false);
        entries(bytes)?.into_iter().map(|entry| Ok((entry.name.clone(), unpack(bytes, &entry, &mut inflate)?))).collect()
    }

    #[test]
    fn files_come_out_as_they_went_in() {
        let bytes = zip(&[("a.json", b"{}"), ("npm/b.json", b"[1,2,3]")], |size| size);
        assert_eq!(all(&bytes).unwrap(), [("a.json".to_owned(), b"{}".to_vec()), ("npm/b.json".to_owned(), b"[1,2,3]".to_vec())]);
    }

    #[test]
    fn names_that_leave_are_refused() {
        for name in ["../x.json", "/etc/x.json", "a/../../x.json", "C:x.json", "a\\..\\x.json"] {
            assert_eq!(all(&zip(&[(name, b"{}")], |size| size)), Err(ArchiveError::Name(name.to_owned())));
        }
    }

    #[test]
    fn bombs_do_not_go_off() {
        let zeros = vec![b'0'; 40 << 20];
        let bytes = zip(&[("bomb.json", &zeros)], |size| size);
        assert!(bytes.len() < 100_000);
        assert!(matches!(all(&bytes), Err(ArchiveError::Bomb { .. })));
        // One that lies about its size is cut off where the lie ends.
        let lying = zip(&[("bomb.json", &zeros)], |_| 100);
        assert!(matches!(all(&lying), Err(ArchiveError::Entry { why: "damaged, or longer than announced", .. })));
        let large = zip(&[("large.json", b"{}")], |_| (RECORD_BYTES_MAX + 1) as u32);
        assert!(matches!(all(&large), Err(ArchiveError::Record { .. })));
    }

    #[test]
    fn damage_is_seen() {
        let whole = zip(&[("a.json", b"{\"id\": 12345678}")], |size| size);
        assert_eq!(all(b"PK"), Err(ArchiveError::Shape));
        assert_eq!(all(&whole[..whole.len() - 30]), Err(ArchiveError::Shape));
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x41;
            if let Ok(files) = all(&damaged) {
                // Only times, names and comments may differ without being seen.
                assert!(files.is_empty() || files[0].1 == b"{\"id\": 12345678}", "byte {at}");
            }
        }
    }
}
