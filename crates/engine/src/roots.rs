//! A worker's folder: who it is, and proof that nobody else works in it.
//!
//! The lock on the folder goes with the processes that hold it, so whoever gets it alone knows that every worker which
//! worked here before has ended. It proves nothing of a folder that came from another machine: that gets a new identity.

use serde::{Deserialize, Serialize};
use std::fs::{File, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// See the module. Held as long as the worker works.
pub struct Root {
    /// What only this folder holds.
    pub identity: String,
    /// Other processes have worked here before, and all of them have ended.
    pub alone: bool,
    exclusive: bool,
    lock: File,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    identity: String,
    machine: String,
}

/// What tells this machine from others, as far as it says.
fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).map(|text| text.trim().to_owned()).unwrap_or_default();
    let id = read("/etc/machine-id");
    // Without one, a machine that was started anew passes for another: its leases run out by themselves.
    let id = if id.is_empty() { read("/proc/sys/kernel/random/boot_id") } else { id };
    format!("{id} {}", read("/proc/sys/kernel/hostname"))
}

impl Root {
    /// Claims a folder: alone if nobody else works in it, beside others otherwise. Waits while another process has it alone.
    ///
    /// # Errors
    /// The folder cannot be written or locked.
    pub fn claim(folder: &Path) -> io::Result<Root> {
        std::fs::create_dir_all(folder)?;
        let options = || {
            let mut options = std::fs::OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false).mode(0o600);
            options
        };
        let lock = options().open(folder.join("worker.lock"))?;
        let exclusive = match lock.try_lock() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock) => false,
            Err(TryLockError::Error(why)) => return Err(why),
        };
        if !exclusive {
            lock.lock_shared()?;
        }
        let path = folder.join("worker.json");
        let machine = machine();
        let kept = std::fs::read(&path).ok().and_then(|bytes| serde_json::from_slice::<Kept>(&bytes).ok());
        let (identity, known) = match kept.filter(|kept| kept.machine == machine) {
            Some(kept) => (kept.identity, true),
            None => (format!("{}{}", crate::random_id(), crate::random_id()), false),
        };
        if !known {
            let fresh = folder.join(format!(".worker.json-{}", crate::random_id()));
            let mut file = options().open(&fresh)?;
            file.write_all(&serde_json::to_vec(&Kept { identity: identity.clone(), machine })?)?;
            file.sync_all()?;
            std::fs::rename(&fresh, &path)?;
        }
        Ok(Root { identity, alone: exclusive && known, exclusive, lock })
    }

    /// From now on others may work beside it.
    ///
    /// # Errors
    /// The lock cannot be changed.
    pub fn share(&self) -> io::Result<()> {
        if self.exclusive {
            self.lock.lock_shared()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_comes_second_is_not_alone_and_whoever_comes_back_is() {
        let folder = tempfile::tempdir().unwrap();
        let first = Root::claim(folder.path()).unwrap();
        assert!(!first.alone, "a new folder proves nothing of anybody before");
        first.share().unwrap();
        let second = Root::claim(folder.path()).unwrap();
        assert_eq!((second.alone, &second.identity), (false, &first.identity));
        drop((first, second));
        let again = Root::claim(folder.path()).unwrap();
        assert!(again.alone);
        again.share().unwrap();
        assert!(!Root::claim(folder.path()).unwrap().alone);
    }

    #[test]
    fn a_folder_from_another_machine_has_another_identity() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept { identity: "of the other".to_owned(), machine: "another".to_owned() };
        std::fs::write(folder.path().join("worker.json"), serde_json::to_vec(&kept).unwrap()).unwrap();
        let root = Root::claim(folder.path()).unwrap();
        assert!(!root.alone && root.identity != "of the other");
    }
}
