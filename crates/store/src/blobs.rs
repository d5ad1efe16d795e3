//! Blobs: bytes named by their digest, as files. A file is visible only when it is whole and synced; a name never comes
//! from a request, only from the digest of the bytes.
//!
//! Facts pin what they name. What nothing pins is condemned first and deleted a good while later, under the same lock
//! that a new upload of the same bytes takes.

use crate::Store;
use crate::database::args;
use crate::error::{Result, StoreError};
use crate::verify::Difference;
use holdpoint_seal::digest::Digest;
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// An upload that was given no other limit ends here: 4 GiB.
pub const BLOB_BYTES_MAX: u64 = 4 << 30;

/// Bytes on their way in. Dropped without [`BlobUpload::finish`], it leaves nothing.
pub struct BlobUpload {
    store: Store,
    file: File,
    path: Temporary,
    hasher: Sha256,
    size: u64,
    limit: u64,
}

/// A piece of the check of blobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScrubbedBlobs {
    /// After which blob the next piece begins; none: all have been read.
    pub next: Option<Digest>,
    pub blobs: u64,
    pub differences: Vec<Difference>,
}

/// What may be wrong with a file.
enum Damage {
    Missing,
    Other(String),
}

/// A file that goes away with its value, unless it was renamed.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _it_was_renamed = std::fs::remove_file(&self.0);
    }
}

impl BlobUpload {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// [`StoreError::Full`]; [`StoreError::Broken`] beyond the limit.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.size = self.size.saturating_add(bytes.len() as u64);
        if self.size > self.limit {
            return Err(StoreError::Broken(format!("the upload has more than {} bytes", self.limit)));
        }
        self.hasher.update(bytes);
        Ok(self.file.write_all(bytes).await?)
    }

    /// Bytes taken so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Makes the blob visible. With `expected`, only if these are its bytes.
    ///
    /// # Errors
    /// [`StoreError::Broken`] for other bytes than expected, [`StoreError::Full`].
    pub async fn finish(mut self, expected: Option<Digest>) -> Result<Digest> {
        let digest = Digest::from_bytes(self.hasher.finalize_reset().into());
        if expected.is_some_and(|expected| expected != digest) {
            return Err(StoreError::Broken(format!("the bytes are {digest}, not what they were said to be")));
        }
        self.file.flush().await?;
        self.file.sync_all().await?;
        let store = self.store.clone();
        let target = store.blob_path(&digest);
        let folder = target.parent().map(Path::to_owned).unwrap_or_default();
        tokio::fs::create_dir_all(&folder).await?;
        let now_us = store.now_us().await?;
        // The row is locked before the file appears, as the sweep locks it before the file goes.
        let mut tx = store.db().begin().await?;
        let sql = "INSERT INTO o_blob (digest, size, pinned, created_us, condemned_us) VALUES ($1, $2, 0, $3, NULL)
             ON CONFLICT (digest) DO UPDATE SET condemned_us = NULL";
        let size = i64::try_from(self.size).unwrap_or(i64::MAX);
        tx.conn().run(sql, args![digest.to_string(), size, now_us]).await?;
        tokio::fs::rename(&self.path.0, &target).await?;
        sync_folder(&folder).await?;
        tx.commit().await?;
        Ok(digest)
    }
}

fn ago(now_us: i64, span: Duration) -> i64 {
    now_us.saturating_sub(i64::try_from(span.as_micros()).unwrap_or(i64::MAX))
}

async fn sync_folder(folder: &Path) -> Result<()> {
    let mut folder = Some(folder);
    // The folders above may be new as well.
    for _ in 0..3 {
        let Some(path) = folder else { break };
        File::open(path).await?.sync_all().await?;
        folder = path.parent();
    }
    Ok(())
}

impl Store {
    /// Begins an upload of at most `limit` bytes.
    pub async fn blob_upload(&self, limit: u64) -> Result<BlobUpload> {
        let mut random = [0u8; 16];
        getrandom::fill(&mut random).map_err(|why| StoreError::Broken(format!("no randomness: {why}")))?;
        let folder = self.inner.blobs.join("incoming");
        tokio::fs::create_dir_all(&folder).await?;
        let path = Temporary(folder.join(hex::encode(random)));
        let file = tokio::fs::OpenOptions::new().write(true).create_new(true).open(&path.0).await?;
        Ok(BlobUpload { store: self.clone(), file, path, hasher: Sha256::new(), size: 0, limit: limit.min(BLOB_BYTES_MAX) })
    }

    /// Stores bytes that are already here.
    pub async fn blob_put(&self, bytes: &[u8]) -> Result<Digest> {
        let digest = Digest::of(bytes);
        let mut upload = self.blob_upload(BLOB_BYTES_MAX).await?;
        upload.write(bytes).await?;
        upload.finish(Some(digest)).await
    }

    /// The bytes, checked against their name; none where there is no such blob.
    ///
    /// # Errors
    /// [`StoreError::Broken`] when the file was changed.
    pub async fn blob_get(&self, digest: &Digest) -> Result<Option<Vec<u8>>> {
        match tokio::fs::read(self.blob_path(digest)).await {
            Ok(bytes) if Digest::of(&bytes) == *digest => Ok(Some(bytes)),
            Ok(_) => Err(StoreError::Broken(format!("blob {digest} was changed on disk"))),
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(why) => Err(why.into()),
        }
    }

    /// The open file and its size, for sending large blobs; who reads checks the digest.
    pub async fn blob_open(&self, digest: &Digest) -> Result<Option<(File, u64)>> {
        match File::open(self.blob_path(digest)).await {
            Ok(file) => {
                let size = file.metadata().await?.len();
                Ok(Some((file, size)))
            }
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(why) => Err(why.into()),
        }
    }

    /// The size of a stored blob.
    pub async fn blob_size(&self, digest: &Digest) -> Result<Option<u64>> {
        let row = self.db().row("SELECT size FROM o_blob WHERE digest = $1", args![digest.to_string()]).await?;
        row.map(|row| row.count(0)).transpose()
    }

    /// Keeps a blob for good, as a fact's pin does; false where it is not stored.
    pub async fn blob_pin(&self, digest: &Digest) -> Result<bool> {
        let sql = "UPDATE o_blob SET pinned = 1, condemned_us = NULL WHERE digest = $1";
        Ok(self.db().write(sql, args![digest.to_string()]).await? > 0)
    }

    /// Erases a blob whatever pins it: for personal data that must go. Proofs hold, for facts only name its digest.
    pub async fn blob_erase(&self, digest: &Digest) -> Result<bool> {
        let mut tx = self.db().begin().await?;
        let gone = tx.conn().run("DELETE FROM o_blob WHERE digest = $1", args![digest.to_string()]).await?;
        self.remove_file(digest).await?;
        tx.commit().await?;
        Ok(gone > 0)
    }

    /// Condemns what nothing pins and is older than `grace`; names, with their sizes, at most 1000 that were condemned longer
    /// than `wait` ago and are still unpinned: what [`Store::blob_delete`] may delete.
    pub async fn blob_doomed(&self, grace: Duration, wait: Duration) -> Result<Vec<(Digest, u64)>> {
        let now_us = self.now_us().await?;
        let sql = "UPDATE o_blob SET condemned_us = $1 WHERE pinned = 0 AND condemned_us IS NULL AND created_us <= $2";
        self.db().write(sql, args![now_us, ago(now_us, grace)]).await?;
        let sql = "SELECT digest, size FROM o_blob WHERE pinned = 0 AND condemned_us <= $1 ORDER BY digest LIMIT 1000";
        let rows = self.db().rows(sql, args![ago(now_us, wait)]).await?;
        rows.iter()
            .map(|row| {
                let text = row.text(0)?;
                let digest = text.parse().map_err(|_| StoreError::Broken(format!("a blob's digest cannot be read: {text:?}")))?;
                Ok((digest, row.count(1)?))
            })
            .collect()
    }

    /// Deletes those of these blobs that were condemned longer than `wait` ago and are still unpinned.
    pub async fn blob_delete(&self, doomed: &[(Digest, u64)], wait: Duration) -> Result<()> {
        let before = ago(self.now_us().await?, wait);
        for (digest, _) in doomed {
            let mut tx = self.db().begin().await?;
            // Looked at again under lock: it may have been pinned or uploaded anew.
            let sql = "DELETE FROM o_blob WHERE digest = $1 AND pinned = 0 AND condemned_us <= $2";
            if tx.conn().run(sql, args![digest.to_string(), before]).await? == 0 {
                tx.rollback().await;
                continue;
            }
            self.remove_file(digest).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Reads blobs after `after`, in the order of their digests, until `bytes` are read (one blob at least), and says which
    /// are not what they are named.
    pub async fn scrub_blobs(&self, after: Option<Digest>, bytes: u64) -> Result<ScrubbedBlobs> {
        let from = after.map(|digest| digest.to_string()).unwrap_or_default();
        let sql = "SELECT digest, size FROM o_blob WHERE digest > $1 ORDER BY digest LIMIT 1000";
        let rows = self.db().rows(sql, args![from]).await?;
        let mut done = ScrubbedBlobs { next: None, blobs: 0, differences: Vec::new() };
        let (mut left, full) = (bytes, rows.len() == 1000);
        let mut missing = Vec::new();
        for (number, row) in rows.iter().enumerate() {
            let (text, size) = (row.text(0)?, row.count(1)?);
            let digest: Digest = text.parse().map_err(|_| StoreError::Broken(format!("a blob's digest cannot be read: {text:?}")))?;
            match self.damage(&digest, size).await? {
                None => {}
                Some(Damage::Missing) => missing.push(digest),
                Some(Damage::Other(sentence)) => done.differences.push(Difference { place: format!("blob {digest}"), sentence }),
            }
            done.blobs += 1;
            left = left.saturating_sub(size);
            if (left == 0 && number + 1 < rows.len()) || (full && number + 1 == rows.len()) {
                done.next = Some(digest);
                break;
            }
        }
        if !missing.is_empty() {
            // A sweep takes the file first and commits then: what is being swept is gone from the list a moment later.
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        for digest in missing {
            let listed = self.blob_size(&digest).await?.is_some();
            if listed && !tokio::fs::try_exists(self.blob_path(&digest)).await.unwrap_or(false) {
                done.differences.push(Difference { place: format!("blob {digest}"), sentence: "its file is not there".to_owned() });
            }
        }
        Ok(done)
    }

    /// What is wrong with a blob's file.
    async fn damage(&self, digest: &Digest, size: u64) -> Result<Option<Damage>> {
        let unreadable = |why: std::io::Error| Ok(Some(Damage::Other(format!("its file cannot be read: {why}"))));
        let mut file = match File::open(self.blob_path(digest)).await {
            Ok(file) => file,
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => return Ok(Some(Damage::Missing)),
            Err(why) => return unreadable(why),
        };
        let (mut hasher, mut read, mut piece) = (Sha256::new(), 0_u64, vec![0_u8; 128 << 10]);
        loop {
            match file.read(&mut piece).await {
                Ok(0) => break,
                Ok(length) => {
                    hasher.update(piece.get(..length).unwrap_or_default());
                    read += length as u64;
                }
                Err(why) => return unreadable(why),
            }
        }
        if Digest::from_bytes(hasher.finalize().into()) == *digest {
            return Ok(None);
        }
        let sentence = if read == size { "its bytes were changed".to_owned() } else { format!("its file has {read} bytes, not {size}") };
        Ok(Some(Damage::Other(sentence)))
    }

    async fn remove_file(&self, digest: &Digest) -> Result<()> {
        match tokio::fs::remove_file(self.blob_path(digest)).await {
            Err(why) if why.kind() != std::io::ErrorKind::NotFound => Err(why.into()),
            _ => Ok(()),
        }
    }

    /// `DIR/sha256/ab/cdef…`
    fn blob_path(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        let (folder, name) = hex.split_at(2);
        self.inner.blobs.join("sha256").join(folder).join(name)
    }
}
