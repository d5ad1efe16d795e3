//! Kill points: names of the places around a commit at which a test can end the process without warning.
//!
//! Only builds with `debug_assertions` look at the environment: `HOLDPOINT_KILL_POINT="name:before[:n]"` ends this process
//! with SIGKILL at the n-th visit (default: the first), `HOLDPOINT_KILL_VISITS=FILE` appends every visited name to FILE so
//! that a test can tell which names were never reached.

/// Says that the process has come to this point of a named step.
#[cfg(not(debug_assertions))]
pub fn at(_name: &str, _when: &str) {}

/// Says that the process has come to this point of a named step.
#[cfg(debug_assertions)]
pub fn at(name: &str, when: &str) {
    use std::io::Write as _;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};
    static TARGET: OnceLock<Option<(String, u64)>> = OnceLock::new();
    static VISITS: AtomicU64 = AtomicU64::new(0);
    static LIST: OnceLock<Option<std::sync::Mutex<std::fs::File>>> = OnceLock::new();

    let target = TARGET.get_or_init(|| parse(&std::env::var("HOLDPOINT_KILL_POINT").ok()?));
    let list = LIST.get_or_init(|| {
        let path = std::env::var_os("HOLDPOINT_KILL_VISITS")?;
        std::fs::OpenOptions::new().create(true).append(true).open(path).ok().map(std::sync::Mutex::new)
    });
    if target.is_none() && list.is_none() {
        return;
    }
    let point = format!("{name}:{when}");
    if let Some(Ok(mut file)) = list.as_ref().map(|list| list.lock()) {
        let _the_list_is_for_tests = writeln!(file, "{point}");
    }
    if let Some((wanted, nth)) = target
        && *wanted == point
        && VISITS.fetch_add(1, Ordering::SeqCst) + 1 == *nth
    {
        end();
    }
}

#[cfg(debug_assertions)]
fn parse(text: &str) -> Option<(String, u64)> {
    let mut parts = text.splitn(3, ':');
    let (name, when) = (parts.next()?, parts.next()?);
    Some((format!("{name}:{when}"), parts.next().map_or(Some(1), |nth| nth.parse().ok())?))
}

/// SIGKILL to ourselves: no destructor, no flush, as a crash would have it.
#[cfg(debug_assertions)]
#[expect(clippy::disallowed_methods, reason = "a kill point is a crash")]
fn end() -> ! {
    let own = std::process::id().to_string();
    let _then_abort = std::process::Command::new("kill").args(["-KILL", &own]).status();
    std::process::abort()
}

#[cfg(all(test, debug_assertions))]
mod tests {
    #[test]
    fn targets() {
        assert_eq!(super::parse("lease:before"), Some(("lease:before".to_owned(), 1)));
        assert_eq!(super::parse("lease:after:3"), Some(("lease:after".to_owned(), 3)));
        assert_eq!(super::parse("lease"), None);
    }
}
