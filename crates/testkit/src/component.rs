//! What may be missing on a machine, and the only way to do without it: `HOLDPOINT_SKIP=chromium,postgres`.
//!
//! A test asks with [`needs!`](crate::needs) before it starts anything. What was skipped is printed last by `make test`.

use std::io::Write as _;

/// Components that HOLDPOINT_SKIP may name.
pub const COMPONENTS: [&str; 4] = ["postgres", "chromium", "haproxy", "nginx"];

/// Returns from the test, as skipped, where HOLDPOINT_SKIP names one of these components.
#[macro_export]
macro_rules! needs {
    ($($component:literal),+ $(,)?) => {
        if $crate::component::skipped(&[$($component),+], module_path!()) {
            return;
        }
    };
}

/// Whether HOLDPOINT_SKIP names one of `components`; notes it for the end of the run. Use [`needs!`](crate::needs).
pub fn skipped(components: &[&str], test: &str) -> bool {
    let skip = std::env::var("HOLDPOINT_SKIP").unwrap_or_default();
    let listed: Vec<&str> = skip.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    for name in listed.iter().chain(components) {
        assert!(COMPONENTS.contains(name), "HOLDPOINT_SKIP and needs! know {COMPONENTS:?}, not {name:?}");
    }
    let Some(component) = components.iter().find(|component| listed.contains(component)) else { return false };
    let name = std::thread::current().name().unwrap_or(test).to_owned();
    let note = format!("{component}: {name}\n");
    eprint!("skipped, without {note}");
    if let Some(log) = std::env::var_os("HOLDPOINT_SKIPPED_LOG") {
        let file = std::fs::OpenOptions::new().append(true).create(true).open(&log);
        file.and_then(|mut file| file.write_all(note.as_bytes())).expect("HOLDPOINT_SKIPPED_LOG can be written");
    }
    true
}

/// A program of the machine: the first of `candidates` that is there.
pub(crate) fn program(component: &str, candidates: &[&str]) -> std::path::PathBuf {
    candidates.iter().map(std::path::PathBuf::from).find(|path| path.is_file()).unwrap_or_else(|| {
        panic!("{component} is missing (looked for {candidates:?}): `make setup` installs it, HOLDPOINT_SKIP={component} does without")
    })
}
