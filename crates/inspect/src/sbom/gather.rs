//! From files to one inventory: which files of a folder or image are of interest, and what they say together.

use super::distribution::Distribution;
use super::lock::{self, Inventory, ReadError, Unresolved};

/// Folders that hold copies of what the lock file beside them names, or nothing of the product.
pub const SKIPPED_FOLDERS: [&str; 9] = [".git", "node_modules", "target", "vendor", ".venv", "venv", ".tox", "__pycache__", "dist-info"];

/// A file with its path, which has `/` and does not begin with one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    pub path: String,
    pub bytes: Vec<u8>,
}

/// Why a set of files gives no inventory.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GatherError {
    #[error("{path}: {why}")]
    File { path: String, why: ReadError },
    #[error("no lock file or package database was found; known are {}", names())]
    Nothing,
}

/// The formats' names, for people.
pub fn names() -> String {
    lock::FORMATS.iter().map(|format| format.name).collect::<Vec<_>>().join(", ")
}

/// Whether a file is worth reading, named by itself.
pub fn wanted(path: &str) -> bool {
    lock::format_of(path).is_some() || is_os_release(path)
}

/// Whether a file of an image is: what is installed, and lock files outside of installed packages.
pub fn wanted_in_image(path: &str) -> bool {
    lock::is_installed(path) || (wanted(path) && !path.split('/').any(|folder| SKIPPED_FOLDERS.contains(&folder)))
}

fn is_os_release(path: &str) -> bool {
    path.ends_with("etc/os-release") || path.ends_with("usr/lib/os-release")
}

/// What stands before `var/lib/dpkg/…` or `lib/apk/…`: the root of the system.
fn system_root(path: &str) -> Option<&str> {
    ["var/lib/dpkg/", "usr/lib/apk/db/", "lib/apk/db/"].iter().find_map(|inner| path.find(inner)).and_then(|at| path.get(..at))
}

/// What a file that cannot be read means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// An error: it is the product's own.
    Refused,
    /// Something unresolved: images carry the test data of others.
    Unresolved,
}

/// Reads all; the same files in any order give the same inventory.
pub fn inventory(mut files: Vec<File>, broken: Broken) -> Result<Inventory, GatherError> {
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let text = |path: &str| {
        let file = files.iter().find(|file| file.path == path)?;
        Distribution::read(&String::from_utf8_lossy(&file.bytes))
    };
    let mut gathered = Inventory::default();
    let mut read_any = false;
    for file in &files {
        // go.mod names the build list; go.sum beside it only adds what was considered.
        let beside = file.path.strip_suffix("go.sum").map(|folder| format!("{folder}go.mod"));
        if beside.is_some_and(|module| files.iter().any(|other| other.path == module)) {
            continue;
        }
        let Some(read) = lock::read(&file.path, &file.bytes) else { continue };
        read_any = true;
        let mut inventory = match (read, broken) {
            (Ok(inventory), _) => inventory,
            (Err(why), Broken::Refused) => return Err(GatherError::File { path: file.path.clone(), why }),
            (Err(why), Broken::Unresolved) => {
                let (what, why, line) = ("this file".to_owned(), format!("it cannot be read: {}", why.what), why.line);
                gathered.unresolved.push(Unresolved { what, why, file: Some(file.path.clone()), line });
                continue;
            }
        };
        if let Some(root) = system_root(&file.path) {
            let found = text(&format!("{root}etc/os-release")).or_else(|| text(&format!("{root}usr/lib/os-release")));
            if let Some(distribution) = found {
                inventory = distribution.place(inventory);
            }
        }
        gathered.absorb(inventory, &file.path);
    }
    if read_any { Ok(gathered) } else { Err(GatherError::Nothing) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> File {
        File { path: path.to_owned(), bytes: text.as_bytes().to_vec() }
    }

    #[test]
    fn files_come_together() {
        let module = "module m\nrequire example.org/a v1.0.0\n";
        let sums = "example.org/b v9.0.0 h1:AA=\n";
        let files = vec![
            file("api/go.sum", sums),
            file("api/go.mod", module),
            file("root/etc/os-release", "ID=alpine\nVERSION_ID=3.20.1\n"),
            file("root/lib/apk/db/installed", "P:musl\nV:1\nA:x86_64\n"),
            file("x/requirements.txt", "b==1\na>=1\n"),
            file("y/requirements.txt", "b==1\n"),
        ];
        let mut backwards = files.clone();
        backwards.reverse();
        let gathered = inventory(files, Broken::Refused).expect("an inventory");
        assert_eq!(inventory(backwards, Broken::Refused).as_ref(), Ok(&gathered));
        let told: Vec<(&str, Option<&str>)> = gathered.components.iter().map(|one| (one.reference.as_str(), one.file.as_deref())).collect();
        assert_eq!(
            told,
            [
                ("pkg:golang/example.org/a@v1.0.0", Some("api/go.mod")),
                ("pkg:apk/alpine/musl@1?arch=x86_64&distro=alpine-3.20.1", Some("root/lib/apk/db/installed")),
                ("pkg:pypi/b@1", Some("x/requirements.txt")),
                ("pkg:pypi/a", Some("x/requirements.txt")),
            ]
        );
        assert_eq!(gathered.unresolved[0].file.as_deref(), Some("x/requirements.txt"));
        assert_eq!(inventory(vec![file("a.txt", "")], Broken::Refused), Err(GatherError::Nothing));
        let broken = inventory(vec![file("p/Cargo.lock", "[")], Broken::Refused).expect_err("broken").to_string();
        assert!(broken.starts_with("p/Cargo.lock: line 1"), "{broken}");
        let lenient = inventory(vec![file("p/Cargo.lock", "[")], Broken::Unresolved).expect("an inventory");
        assert_eq!(lenient.unresolved[0].file.as_deref(), Some("p/Cargo.lock"));
    }
}
