//! Routes: what was asked for (`RouteSpec`), and the live table requests are split by.
//!
//! A weight belongs to a version: every address of a version states the version's weight, or 0 when that one address
//! drains. The share of a version is its weight over the sum of the versions' weights, however many addresses it has.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};

use holdpoint_analysis::histogram::LatencyBounds;
use serde::{Deserialize, Serialize};

use super::Limits;
use super::counters::{Ticket, VersionCounters};
use super::pool::{Occupied, Upstream};
use crate::traffic::VersionStats;

/// Counters of versions that left the route are kept for late readers, for this many versions.
const VERSIONS_KEPT: usize = 16;
const BACKENDS_MAX: usize = 1024;
const WEIGHT_MAX: u32 = 1_000_000;

/// One address that serves one version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backend {
    /// Name of the version; an opaque key of counters and weights.
    pub version: String,
    /// `host:port`.
    pub address: String,
    /// Weight of the *version* (the same on each of its addresses), or 0: no new requests.
    pub weight: u32,
}

/// The wanted state of one route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteSpec {
    /// Rises with every change; a lower one is from a caller that has been overtaken.
    pub generation: u64,
    pub backends: Vec<Backend>,
    /// Adds a `Holdpoint-Version` header to responses. Off unless asked for: it tells strangers what runs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub expose_version: bool,
}

impl RouteSpec {
    /// The state of a route nobody has set yet.
    fn empty() -> Self {
        Self { generation: 0, backends: Vec::new(), expose_version: false }
    }

    /// Why this cannot be served, as a sentence.
    pub fn check(&self) -> Result<(), String> {
        if self.generation == 0 {
            return Err("generation must be at least 1".into());
        }
        if self.backends.len() > BACKENDS_MAX {
            return Err(format!("more than {BACKENDS_MAX} backends"));
        }
        let mut weights: BTreeMap<&str, u32> = BTreeMap::new();
        let mut seen = std::collections::BTreeSet::new();
        for backend in &self.backends {
            let Backend { version, address, weight } = backend;
            if version.is_empty() || version.len() > 128 || !version.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(format!("version {version:?} must be 1 to 128 visible ASCII characters"));
            }
            check_address(address)?;
            if !seen.insert(address.as_str()) {
                return Err(format!("address {address} is listed twice"));
            }
            if *weight > WEIGHT_MAX {
                return Err(format!("weight {weight} is above {WEIGHT_MAX}"));
            }
            if *weight > 0 {
                let stated = *weights.entry(version).or_insert(*weight);
                if stated != *weight {
                    return Err(format!(
                        "version {version} has the weights {stated} and {weight}: a weight is the version's, \
                         the same on each of its addresses (or 0 for an address that drains)"
                    ));
                }
            }
        }
        Ok(())
    }

    fn same_content(&self, other: &Self) -> bool {
        self.backends == other.backends && self.expose_version == other.expose_version
    }
}

pub(crate) fn name_is_allowed(name: &str) -> bool {
    (1..=100).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

fn check_address(address: &str) -> Result<(), String> {
    let fault = || format!("address {address:?} is not host:port");
    let (host, port) = address.rsplit_once(':').ok_or_else(fault)?;
    if port.parse::<u16>().ok().is_none_or(|port| port == 0) {
        return Err(fault());
    }
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let is_name =
        (1..=253).contains(&host.len()) && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
    if is_name || bare.parse::<IpAddr>().is_ok() { Ok(()) } else { Err(fault()) }
}

/// One version of the live table.
pub(crate) struct Version {
    pub(crate) name: String,
    pub(crate) weight: u32,
    /// The addresses that take requests in this table, then those that drain.
    upstreams: Vec<Arc<Upstream>>,
    active: usize,
    pub(crate) counters: Arc<VersionCounters>,
    turn: AtomicUsize,
}

impl Version {
    /// The least busy upstream that takes requests and is not in `tried`; ties go round. One that has just refused is
    /// taken only if there is no other, and so is one that was closed since this table was in force: whoever chose the
    /// version before the change is still to be served.
    pub(crate) fn choose(&self, tried: &[Arc<Upstream>]) -> Option<Occupied> {
        let active = self.upstreams.get(..self.active)?;
        let offset = self.turn.fetch_add(1, Relaxed);
        let mut best = None;
        for step in 0..active.len() {
            let Some(upstream) = active.get(offset.wrapping_add(step) % active.len()) else { continue };
            if tried.iter().any(|other| Arc::ptr_eq(other, upstream)) {
                continue;
            }
            let rank = (!upstream.takes_new(), upstream.is_shunned(), upstream.in_flight());
            if best.as_ref().is_none_or(|(least, _)| rank < *least) {
                best = Some((rank, upstream));
            }
        }
        best.map(|(_, upstream)| Occupied::new(upstream.clone()))
    }
}

struct Table {
    spec: RouteSpec,
    versions: Vec<Arc<Version>>,
    weights: u64,
    /// Also of versions that have left; the names in order of departure are in `departed`.
    counters: BTreeMap<String, Arc<VersionCounters>>,
    departed: Vec<String>,
}

/// Where a request goes.
pub(crate) struct Picked {
    pub(crate) version: Arc<Version>,
    pub(crate) ticket: Ticket,
    pub(crate) first: Occupied,
    pub(crate) expose_version: bool,
}

/// What became of a wanted state.
pub(crate) enum Judged {
    /// It is what is served already.
    Same,
    /// It is to be saved, then applied.
    New,
    /// Somebody with a higher generation, or with other content for the same one, was here before.
    Overtaken,
}

/// One route: its table and what was refused before a version was chosen.
pub(crate) struct Route {
    pub(crate) name: String,
    table: RwLock<Table>,
    bounds: Arc<LatencyBounds>,
    idle_per_backend: usize,
    /// Requests refused as malformed, or because no version has a weight.
    pub(crate) refused: AtomicU64,
}

impl Route {
    pub(crate) fn new(name: &str, kept: Option<&RouteSpec>, limits: &Limits) -> Self {
        let route = Self {
            name: name.to_owned(),
            table: RwLock::new(Table {
                spec: RouteSpec::empty(),
                versions: Vec::new(),
                weights: 0,
                counters: BTreeMap::new(),
                departed: Vec::new(),
            }),
            bounds: Arc::new(LatencyBounds::standard()),
            idle_per_backend: limits.idle_per_backend,
            refused: AtomicU64::new(0),
        };
        if let Some(spec) = kept {
            route.apply(spec.clone());
        }
        route
    }

    /// Draws a version by weight, opens its ticket and takes a place at an address. All of it happens under the lock that
    /// `apply` takes for writing: once a new table is in force, nobody is between having chosen and being counted, and
    /// `in_flight == 0` means drained.
    pub(crate) fn pick(&self) -> Option<Picked> {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        if table.weights == 0 {
            return None;
        }
        let mut at = random_below(table.weights);
        for version in &table.versions {
            let weight = u64::from(version.weight);
            if at < weight {
                let ticket = Ticket::open(&version.counters);
                let first = version.choose(&[])?;
                return Some(Picked { version: version.clone(), ticket, first, expose_version: table.spec.expose_version });
            }
            at -= weight;
        }
        None
    }

    pub(crate) fn judge(&self, wanted: &RouteSpec) -> Judged {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        if wanted.generation > table.spec.generation {
            Judged::New
        } else if wanted.same_content(&table.spec) {
            Judged::Same
        } else {
            Judged::Overtaken
        }
    }

    /// Puts `spec` in force. Pools of addresses that stay are kept; those of drained ones are closed.
    pub(crate) fn apply(&self, spec: RouteSpec) {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let table = &mut *table;
        let mut old: BTreeMap<(String, String), Arc<Upstream>> = BTreeMap::new();
        for version in &table.versions {
            for upstream in &version.upstreams {
                old.insert((version.name.clone(), upstream.address.clone()), upstream.clone());
            }
        }
        let mut active: BTreeMap<String, Vec<Arc<Upstream>>> = BTreeMap::new();
        let mut draining: BTreeMap<String, Vec<Arc<Upstream>>> = BTreeMap::new();
        let mut weights: BTreeMap<String, u32> = BTreeMap::new();
        for Backend { version, address, weight } in &spec.backends {
            let upstream =
                old.remove(&(version.clone(), address.clone())).unwrap_or_else(|| Arc::new(Upstream::new(address, self.idle_per_backend)));
            upstream.open(*weight > 0);
            let side = if *weight > 0 { &mut active } else { &mut draining };
            side.entry(version.clone()).or_default().push(upstream);
            let stated = weights.entry(version.clone()).or_default();
            *stated = (*stated).max(*weight);
        }
        for upstream in old.values() {
            upstream.open(false);
        }
        table.versions = weights
            .into_iter()
            .map(|(name, weight)| {
                let mut upstreams = active.remove(&name).unwrap_or_default();
                let taking = upstreams.len();
                upstreams.append(&mut draining.remove(&name).unwrap_or_default());
                let counters =
                    table.counters.entry(name.clone()).or_insert_with(|| Arc::new(VersionCounters::new(self.bounds.clone()))).clone();
                Arc::new(Version { name, weight, upstreams, active: taking, counters, turn: AtomicUsize::new(0) })
            })
            .collect();
        table.weights = table.versions.iter().map(|version| u64::from(version.weight)).sum();
        table.spec = spec;
        table.forget_long_departed();
    }

    pub(crate) fn spec(&self) -> RouteSpec {
        self.table.read().unwrap_or_else(PoisonError::into_inner).spec.clone()
    }

    pub(crate) fn upstreams(&self) -> Vec<Arc<Upstream>> {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        table.versions.iter().flat_map(|version| version.upstreams.iter().cloned()).collect()
    }

    /// Weight and requests in flight of every version, also of those that have left the route.
    pub(crate) fn draining(&self) -> BTreeMap<String, (u32, u64)> {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        let mut state: BTreeMap<String, (u32, u64)> =
            table.counters.iter().map(|(name, counters)| (name.clone(), (0, counters.in_flight()))).collect();
        for version in &table.versions {
            if let Some(entry) = state.get_mut(&version.name) {
                entry.0 = version.weight;
            }
        }
        state
    }

    pub(crate) fn stats(&self) -> BTreeMap<String, VersionStats> {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        table.counters.iter().map(|(name, counters)| (name.clone(), counters.read())).collect()
    }
}

impl Table {
    fn forget_long_departed(&mut self) {
        let present = |name: &String| self.versions.iter().any(|version| version.name == *name);
        self.departed.retain(|name| !present(name));
        let newly: Vec<String> = self.counters.keys().filter(|name| !present(name) && !self.departed.contains(name)).cloned().collect();
        self.departed.extend(newly);
        while self.departed.len() > VERSIONS_KEPT {
            // A version with requests in flight is kept: its drained state must stay readable.
            let idle = self.departed.iter().position(|name| self.counters.get(name).is_none_or(|counters| counters.in_flight() == 0));
            let Some(at) = idle else { break };
            let name = self.departed.remove(at);
            self.counters.remove(&name);
        }
    }
}

/// Uniform below `bound` (not 0), from a generator per thread: a fair split needs no secrecy.
/// SplitMix64 (Steele, Lea, Flood 2014) with Lemire's reduction; the bias is below 2^-40 for our bounds.
fn random_below(bound: u64) -> u64 {
    thread_local! {
        static STATE: std::cell::Cell<u64> = std::cell::Cell::new(seed());
    }
    let word = STATE.with(|state| {
        let next = state.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
        state.set(next);
        let mut z = next;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    });
    u64::try_from((u128::from(word) * u128::from(bound)) >> 64).unwrap_or_default()
}

fn seed() -> u64 {
    let mut bytes = [0u8; 8];
    if getrandom::fill(&mut bytes).is_err() {
        // Without the system's randomness the split is still fair, only predictable.
        let here = std::ptr::from_ref(&bytes) as usize;
        return here as u64;
    }
    u64::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(backends: &[(&str, &str, u32)]) -> RouteSpec {
        let backends = backends
            .iter()
            .map(|(version, address, weight)| Backend { version: (*version).into(), address: (*address).into(), weight: *weight })
            .collect();
        RouteSpec { generation: 1, backends, expose_version: false }
    }

    #[test]
    fn what_may_be_asked_for() {
        for (backends, allowed) in [
            (vec![], true),
            (vec![("1", "127.0.0.1:80", 5), ("1", "127.0.0.1:81", 5), ("1", "[::1]:81", 0)], true),
            (vec![("1", "localhost:80", 0)], true),
            (vec![("1", "127.0.0.1:80", 5), ("1", "127.0.0.1:81", 6)], false),
            (vec![("1", "127.0.0.1:80", 5), ("2", "127.0.0.1:80", 5)], false),
            (vec![("", "127.0.0.1:80", 5)], false),
            (vec![("a\r\nb", "127.0.0.1:80", 5)], false),
            (vec![("1", "127.0.0.1", 5)], false),
            (vec![("1", "127.0.0.1:0", 5)], false),
            (vec![("1", "a b:80", 5)], false),
            (vec![("1", "127.0.0.1:80", WEIGHT_MAX + 1)], false),
        ] {
            assert_eq!(spec(&backends).check().is_ok(), allowed, "{backends:?}");
        }
    }

    #[test]
    fn draws_follow_the_weights() {
        let route = Route::new("r", Some(&spec(&[("a", "h:1", 95), ("b", "h:2", 5), ("c", "h:3", 0)])), &Limits::default());
        let mut hits: BTreeMap<String, u32> = BTreeMap::new();
        for _ in 0..100_000 {
            let picked = route.pick().unwrap();
            *hits.entry(picked.version.name.clone()).or_default() += 1;
        }
        assert!(!hits.contains_key("c"));
        // 6 standard deviations of a binomial(100000, 0.05).
        assert!((hits["b"] as i64 - 5_000).abs() < 414, "{hits:?}");
    }

    #[test]
    fn counters_of_departed_versions_are_bounded() {
        let route = Route::new("r", None, &Limits::default());
        let mut held = Vec::new();
        for n in 0..200u64 {
            let name = format!("v{n}");
            let mut next = spec(&[(&name, "h:1", 1)]);
            next.generation = n + 1;
            route.apply(next);
            if n == 3 {
                held.push(route.pick().unwrap());
            }
        }
        let stats = route.stats();
        assert_eq!(stats.len(), VERSIONS_KEPT + 1);
        assert_eq!(stats["v3"].in_flight, 1, "a version with requests in flight is never forgotten");
    }
}
