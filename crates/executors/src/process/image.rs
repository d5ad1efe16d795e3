//! The bytes that run are the bytes that were hashed.
//!
//! The artifact is opened once, copied from that descriptor into a sealed memory file while it is hashed, and executed from
//! there. Whoever swaps or rewrites the file on disk, at whatever moment, changes nothing: seals forbid any further write.

use nix::fcntl::{FcntlArg, FdFlag, OFlag, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use sha2::{Digest as _, Sha256};
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// A sealed copy and what it is.
#[derive(Debug)]
pub struct Image {
    file: File,
    /// `sha256:` and 64 hexadecimal digits.
    pub digest: String,
    pub bytes: u64,
}

/// Larger artifacts are refused: they are held in memory.
pub const IMAGE_BYTES_MAX: u64 = 2 << 30;

impl Image {
    /// Copies and hashes the file. The copy bears the name, in `/proc/PID/exe`.
    pub fn load(path: &Path, name: &str) -> io::Result<Self> {
        let mut source = File::options().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path)?;
        if !source.metadata()?.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        let name = CString::new(name.chars().filter(|c| *c != '\0').take(60).collect::<String>()).unwrap_or_default();
        let mut file = File::from(memfd_create(name.as_c_str(), MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?);
        let mut hash = Sha256::new();
        let mut bytes = 0;
        let mut buffer = vec![0; 1 << 18];
        loop {
            let n = source.read(&mut buffer)?;
            if n == 0 {
                break;
            }
            bytes += n as u64;
            if bytes > IMAGE_BYTES_MAX {
                return Err(io::Error::other("it is too large"));
            }
            hash.update(&buffer[..n]);
            file.write_all(&buffer[..n])?;
        }
        let seals = SealFlag::F_SEAL_SEAL | SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_WRITE;
        fcntl(&file, FcntlArg::F_ADD_SEALS(seals))?;
        // A script's interpreter opens the path after the exec, so the descriptor must survive it.
        fcntl(&file, FcntlArg::F_SETFD(FdFlag::empty()))?;
        Ok(Self { file, digest: format!("sha256:{}", hex::encode(hash.finalize())), bytes })
    }

    /// The path under which the process that inherits the descriptor sees the copy.
    pub fn path(&self) -> String {
        format!("/proc/self/fd/{}", self.file.as_raw_fd())
    }

    /// The copy as text.
    pub fn text(&mut self) -> io::Result<String> {
        let mut text = String::new();
        self.file.rewind()?;
        self.file.read_to_string(&mut text)?;
        Ok(text)
    }
}

/// `sha256:…` of a file, from one open descriptor.
pub fn digest_of(path: &Path) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 1 << 18];
    loop {
        let n = file.read(&mut buffer)?;
        if n == 0 {
            return Ok(format!("sha256:{}", hex::encode(hash.finalize())));
        }
        hash.update(&buffer[..n]);
    }
}

/// Whether two spellings name one digest: with or without `sha256:`, case of the digits aside.
pub fn same_digest(a: &str, b: &str) -> bool {
    let bare = |d: &str| d.strip_prefix("sha256:").unwrap_or(d).to_ascii_lowercase();
    bare(a).len() == 64 && bare(a) == bare(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_copy_cannot_be_written_and_does_not_follow_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, "one").unwrap();
        let mut image = Image::load(&path, "a").unwrap();
        std::fs::write(&path, "two").unwrap();
        assert_eq!(image.text().unwrap(), "one");
        assert!(image.file.write_all(b"x").is_err());
        assert!(same_digest(&image.digest, "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"));
        assert!(!same_digest("", ""));
        assert!(Image::load(dir.path(), "a").is_err());
    }
}
