//! Layers one upon the other: later ones add, replace and delete (OCI image specification, "Layer filesystem changeset").
//!
//! Only files that name components are kept. Links are not followed, so none can lead anywhere.

use super::tar::{Headers, Kind, inner_path, padding, skip};
use super::{File, ImageError, gather};
use flate2::read::MultiGzDecoder;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::{BufReader, Read};

/// All layers together, decompressed.
const TOTAL_MAX: u64 = 64 << 30;
/// All kept files together.
const KEPT_MAX: u64 = 1 << 30;
/// A layer that is larger than this …
const BOMB_FROM: u64 = 64 << 20;
/// … and so many times larger than its compressed bytes is a bomb.
const BOMB_RATIO: u64 = 200;

/// Bytes on their way, counted and hashed.
pub struct Checked<'a> {
    inner: Box<dyn Read + 'a>,
    hasher: Sha256,
    count: u64,
    expected: Option<String>,
}

impl<'a> Checked<'a> {
    pub fn new(inner: Box<dyn Read + 'a>, expected: Option<&str>) -> Self {
        Self { inner, hasher: Sha256::new(), count: 0, expected: expected.map(str::to_owned) }
    }
    /// Reads what is left and compares.
    pub fn finish(mut self, name: &str) -> Result<(), ImageError> {
        std::io::copy(&mut self, &mut std::io::sink()).map_err(|why| ImageError::Read { name: name.to_owned(), why: why.to_string() })?;
        let Some(expected) = self.expected.take() else { return Ok(()) };
        let found = format!("sha256:{}", super::super::lock::hex(&self.hasher.finalize()));
        if found == expected.to_ascii_lowercase() { Ok(()) } else { Err(ImageError::Digest { name: name.to_owned(), expected, found }) }
    }
}

impl Read for Checked<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hasher.update(buffer.get(..count).unwrap_or_default());
        self.count += count as u64;
        Ok(count)
    }
}

#[derive(Default)]
pub struct Layers {
    files: BTreeMap<String, Vec<u8>>,
    kept: u64,
    total: u64,
}

impl Layers {
    pub fn apply(&mut self, name: &str, checked: Checked<'_>) -> Result<(), ImageError> {
        let wrong = |why| ImageError::Archive { name: name.to_owned(), why };
        let mut reader = BufReader::with_capacity(64 << 10, checked);
        let magic = {
            use std::io::BufRead as _;
            let begin = reader.fill_buf().map_err(|why| ImageError::Read { name: name.to_owned(), why: why.to_string() })?;
            begin.get(..4).unwrap_or(begin).to_vec()
        };
        if magic.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            return Err(wrong("is compressed with zstd, which is not read"));
        }
        if magic.starts_with(&[0x1f, 0x8b]) {
            let mut decoder = MultiGzDecoder::new(reader);
            self.walk(&mut decoder, &mut |decoder| decoder.get_ref().get_ref().count).map_err(wrong)?;
            reader = decoder.into_inner();
        } else {
            self.walk(&mut reader, &mut |reader| reader.get_ref().count).map_err(wrong)?;
        }
        reader.into_inner().finish(name)
    }

    /// `compressed` tells how many bytes of the blob have been taken so far.
    fn walk<R: Read>(&mut self, reader: &mut R, compressed: &mut dyn FnMut(&R) -> u64) -> Result<(), &'static str> {
        let mut headers = Headers::new();
        let mut size = 0_u64;
        let mut opaque: Vec<String> = Vec::new();
        let mut added: Vec<(String, Vec<u8>)> = Vec::new();
        while let Some(entry) = headers.next(reader)? {
            let path = inner_path(&entry.name)?;
            size = size.saturating_add(entry.size + 512);
            self.total = self.total.saturating_add(entry.size + 512);
            let keep = entry.kind == Kind::File && gather::wanted_in_image(&path) && !path.contains("/.wh.") && !path.starts_with(".wh.");
            if keep {
                self.kept = self.kept.saturating_add(entry.size);
                if self.kept > KEPT_MAX {
                    return Err("lock files and package databases are too large");
                }
                let mut bytes = Vec::new();
                reader.by_ref().take(entry.size).read_to_end(&mut bytes).map_err(|_| "the layer cannot be decompressed")?;
                if bytes.len() as u64 != entry.size {
                    return Err("the layer ends within a file");
                }
                skip(reader, padding(entry.size))?;
                added.push((path, bytes));
            } else {
                self.delete(&path, entry.kind, &mut opaque, &mut added);
                // In pieces, so that a bomb ends early.
                let mut left = entry.size + padding(entry.size);
                while left > 0 {
                    let piece = left.min(16 << 20);
                    skip(reader, piece)?;
                    left -= piece;
                    check(size - left.min(size), compressed(reader))?;
                }
            }
            check(size, compressed(reader))?;
            if self.total > TOTAL_MAX {
                return Err("the image is too large");
            }
        }
        // Whiteouts are about the layers below, wherever they stand in this one.
        for folder in opaque {
            self.files.retain(|path, _| !below(path, &folder));
        }
        self.files.extend(added);
        Ok(())
    }

    fn delete(&mut self, path: &str, kind: Kind, opaque: &mut Vec<String>, added: &mut Vec<(String, Vec<u8>)>) {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        if name == ".wh..wh..opq" {
            opaque.push(folder.to_owned());
        } else if let Some(gone) = name.strip_prefix(".wh.") {
            let gone = if folder.is_empty() { gone.to_owned() } else { format!("{folder}/{gone}") };
            self.files.retain(|path, _| *path != gone && !below(path, &gone));
        } else if kind != Kind::Folder {
            // A file or link takes the place of what was there, a whole folder too.
            self.files.retain(|own, _| own != path && !below(own, path));
            added.retain(|(own, _)| own != path && !below(own, path));
        }
    }

    pub fn into_files(self) -> Vec<File> {
        self.files.into_iter().map(|(path, bytes)| File { path, bytes }).collect()
    }
}

fn check(decompressed: u64, compressed: u64) -> Result<(), &'static str> {
    if decompressed > BOMB_FROM && decompressed / BOMB_RATIO > compressed { Err("the layer grows beyond measure") } else { Ok(()) }
}

/// Everything is below the empty path.
fn below(path: &str, folder: &str) -> bool {
    folder.is_empty() || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}
