//! Was every promise kept? Compares journals with the database of the orders service.

use crate::journal::Entry;
use rusqlite::{Connection, OpenFlags};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

/// Examples are keys, at most 20 of each kind. `ok`: nothing missing, nothing twice, nothing different.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Audit {
    pub ok: bool,
    /// Distinct keys that were sent and that were acknowledged at least once.
    pub sent: usize,
    pub acknowledged: usize,
    /// Of the acknowledged, those that are in the database exactly once as they were acknowledged.
    pub stored: usize,
    pub missing: usize,
    pub twice: usize,
    pub different: usize,
    /// Sent, not acknowledged: allowed to be there once, or not at all.
    pub unacknowledged_stored: usize,
    pub unacknowledged_absent: usize,
    pub examples: BTreeMap<&'static str, Vec<String>>,
}

/// What one key was told: the acknowledged order ids, and the basket it stands for.
#[derive(Default)]
struct Promise<'a> {
    orders: BTreeSet<&'a str>,
    basket: Option<(&'a str, u32)>,
}

pub fn audit(entries: &[Entry], database: &Path) -> rusqlite::Result<Audit> {
    let mut promises: BTreeMap<&str, Promise<'_>> = BTreeMap::new();
    for entry in entries {
        let Some(key) = entry.key.as_deref() else { continue };
        let promise = promises.entry(key).or_default();
        if entry.acknowledged() {
            promise.orders.insert(entry.order.as_deref().unwrap_or(""));
        }
        promise.basket = promise.basket.or(entry.sku.as_deref().zip(entry.qty));
    }
    let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    let mut rows = connection.prepare("SELECT 'o-' || id, sku, qty FROM orders WHERE key = ?1")?;
    let mut sorted: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
    for (key, promise) in &promises {
        let found: Vec<(String, String, u32)> =
            rows.query_map([key], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect::<Result<_, _>>()?;
        sorted.entry(judge(promise, &found)).or_default().push((*key).to_owned());
    }
    let count = |name: &str| sorted.get(name).map_or(0, Vec::len);
    let bad = ["missing", "twice", "different"];
    Ok(Audit {
        ok: bad.iter().all(|name| count(name) == 0),
        sent: promises.len(),
        acknowledged: promises.values().filter(|promise| !promise.orders.is_empty()).count(),
        stored: count("stored"),
        missing: count("missing"),
        twice: count("twice"),
        different: count("different"),
        unacknowledged_stored: count("unacknowledged, stored"),
        unacknowledged_absent: count("unacknowledged, absent"),
        examples: bad.into_iter().filter_map(|name| sorted.get(name).map(|keys| (name, keys.iter().take(20).cloned().collect()))).collect(),
    })
}

fn judge(promise: &Promise<'_>, found: &[(String, String, u32)]) -> &'static str {
    match (promise.orders.len(), found) {
        (_, [_, _, ..]) => "twice",
        (0, []) => "unacknowledged, absent",
        (0, [_]) => "unacknowledged, stored",
        (_, []) => "missing",
        // Two acknowledgements of one key have to name the same order.
        (acknowledged, [(id, sku, qty)]) => {
            let same_basket = promise.basket.is_none_or(|basket| basket == (sku.as_str(), *qty));
            if acknowledged == 1 && promise.orders.contains(id.as_str()) && same_basket { "stored" } else { "different" }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(key: &str, status: u16, order: &str) -> Entry {
        Entry {
            n: 0,
            kind: "checkout".to_owned(),
            intended_us: 0,
            latency_us: 0,
            status,
            key: Some(key.to_owned()),
            order: (!order.is_empty()).then(|| order.to_owned()),
            sku: Some("mug-blue".to_owned()),
            qty: Some(1),
            error: None,
        }
    }

    fn audit_of(name: &str, rows: &str, entries: &[Entry]) -> Audit {
        let path = std::env::temp_dir().join(format!("audit-test-{name}-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let connection = Connection::open(&path).unwrap();
        connection
            .execute_batch(&format!("CREATE TABLE orders (id INTEGER PRIMARY KEY, key TEXT, sku TEXT, qty INTEGER); {rows}"))
            .unwrap();
        let audit = audit(entries, &path).unwrap();
        std::fs::remove_file(&path).unwrap();
        audit
    }

    #[test]
    fn kept_promises_are_counted() {
        let rows = "INSERT INTO orders VALUES (1, 'a', 'mug-blue', 1), (2, 'b', 'mug-blue', 1)";
        let entries = [entry("a", 201, "o-1"), entry("a", 200, "o-1"), entry("b", 0, ""), entry("c", 502, "")];
        let audit = audit_of("kept", rows, &entries);
        assert!(audit.ok);
        assert_eq!(
            (3, 1, 1, 1, 1),
            (audit.sent, audit.acknowledged, audit.stored, audit.unacknowledged_stored, audit.unacknowledged_absent)
        );
    }

    #[test]
    fn an_acknowledged_order_that_is_not_there_is_missing() {
        let audit = audit_of("missing", "", &[entry("a", 201, "o-1")]);
        assert_eq!((false, 1, vec!["a".to_owned()]), (audit.ok, audit.missing, audit.examples["missing"].clone()));
    }

    #[test]
    fn an_order_that_is_there_twice_is_found_also_when_unacknowledged() {
        let rows = "INSERT INTO orders VALUES (1, 'a', 'mug-blue', 1), (2, 'a', 'mug-blue', 1)";
        assert_eq!(1, audit_of("twice", rows, &[entry("a", 502, "")]).twice);
    }

    #[test]
    fn another_id_or_basket_is_different() {
        let rows = "INSERT INTO orders VALUES (1, 'a', 'mug-blue', 1), (2, 'b', 'mug-blue', 9)";
        let audit = audit_of("different", rows, &[entry("a", 201, "o-7"), entry("b", 201, "o-2")]);
        assert_eq!((false, 2), (audit.ok, audit.different));
    }
}
