//! The last routes on disk: `DIR/routes.json`, replaced as a whole (temporary file, fsync, rename, fsync of the folder).
//!
//! A file that cannot be read back is set aside under a new name and reported; the proxy then starts without routes
//! rather than not at all. One proxy per folder: `DIR/lock` is held for the life of the process.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::ProxyError;
use super::routes::RouteSpec;

const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Document {
    format: u32,
    routes: BTreeMap<String, RouteSpec>,
}

pub(crate) struct StateFile {
    folder: PathBuf,
    routes: BTreeMap<String, RouteSpec>,
    _lock: File,
}

impl StateFile {
    pub(crate) fn open(folder: &Path) -> Result<Self, ProxyError> {
        let fault = |source| ProxyError::State { path: folder.to_owned(), source };
        fs::create_dir_all(folder).map_err(fault)?;
        let lock = File::options().create(true).truncate(false).write(true).open(folder.join("lock")).map_err(fault)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(ProxyError::Locked { path: folder.to_owned() }),
            Err(fs::TryLockError::Error(source)) => return Err(fault(source)),
        }
        Ok(Self { folder: folder.to_owned(), routes: BTreeMap::new(), _lock: lock })
    }

    /// What was kept by the last run. Routes that nobody listens for now stay in the file.
    pub(crate) fn load(&mut self) -> BTreeMap<String, RouteSpec> {
        let path = self.folder.join("routes.json");
        match fs::read(&path) {
            Ok(bytes) => match parse(&bytes) {
                Ok(routes) => self.routes = routes,
                Err(why) => self.set_aside(&path, &why),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => self.set_aside(&path, &error.to_string()),
        }
        self.routes.clone()
    }

    fn set_aside(&self, path: &Path, why: &str) {
        let mut names = (1..).map(|n: u32| self.folder.join(format!("routes.json.corrupt-{n}")));
        let Some(aside) = names.find(|name| !name.exists()) else { return };
        match fs::rename(path, &aside) {
            Ok(()) => tracing::error!(why, aside = %aside.display(), "the kept routes are unreadable and were set aside"),
            Err(error) => tracing::error!(why, %error, "the kept routes are unreadable and could not be set aside"),
        }
    }

    /// Makes `spec` the kept state of `route`; on an error the old state stands.
    pub(crate) fn save(&mut self, route: &str, spec: &RouteSpec) -> io::Result<()> {
        let mut routes = self.routes.clone();
        routes.insert(route.to_owned(), spec.clone());
        let document = Document { format: FORMAT, routes };
        let bytes = serde_json::to_vec_pretty(&document)?;
        let temporary = self.folder.join("routes.json.new");
        let mut file = File::create(&temporary)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, self.folder.join("routes.json"))?;
        // From here on a restart sees the new state, so it is the state even if the folder's fsync fails.
        self.routes = document.routes;
        File::open(&self.folder)?.sync_all()
    }
}

fn parse(bytes: &[u8]) -> Result<BTreeMap<String, RouteSpec>, String> {
    let document: Document = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if document.format != FORMAT {
        return Err(format!("format {} is not known to this version", document.format));
    }
    for (name, spec) in &document.routes {
        spec.check().map_err(|why| format!("route {name}: {why}"))?;
    }
    Ok(document.routes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unreadable_states_are_set_aside_once() {
        for bad in [
            "",
            "{",
            "[]",
            r#"{"format":9,"routes":{}}"#,
            r#"{"format":1,"routes":{"r":{"generation":1,"backends":[{"version":"","address":"a:1","weight":1}]}}}"#,
        ] {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join("routes.json"), bad).unwrap();
            let mut state = StateFile::open(folder.path()).unwrap();
            assert!(state.load().is_empty(), "{bad}");
            assert!(!folder.path().join("routes.json").exists(), "{bad}");
            let aside = fs::read_dir(folder.path())
                .unwrap()
                .flatten()
                .filter(|entry| entry.file_name().to_string_lossy().starts_with("routes.json.corrupt-"));
            assert_eq!(aside.count(), 1, "{bad}");
        }
    }

    #[test]
    fn one_proxy_per_folder() {
        let folder = tempfile::tempdir().unwrap();
        let first = StateFile::open(folder.path()).unwrap();
        assert!(matches!(StateFile::open(folder.path()), Err(ProxyError::Locked { .. })));
        drop(first);
        assert!(StateFile::open(folder.path()).is_ok());
    }
}
