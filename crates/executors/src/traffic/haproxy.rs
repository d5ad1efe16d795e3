//! HAProxy 2.4 and later by its runtime socket: no file is written and nothing is reloaded.
//!
//! The backend belongs to Holdpoint: its servers are slots, declared beforehand and disabled, which are given an
//! address, a weight and a state. For example, for up to 16 instances of `orders`:
//!
//! ```text
//! global
//!     stats socket /run/haproxy/holdpoint.sock mode 660 level admin
//! defaults
//!     mode http
//!     timeout connect 3s
//!     timeout client 60s
//!     timeout server 60s
//!     retries 2
//!     option redispatch
//! frontend shop
//!     bind :8080
//!     default_backend be_orders
//! backend be_orders
//!     balance random                # or roundrobin; `static-rr` and `source` do not take weights while running
//!     server-template hp 1-16 127.0.0.1:1 disabled
//! ```
//!
//! What was set last (generation, slot by slot) is remembered *in HAProxy*, in a process variable: it lives exactly as
//! long as the slots' runtime state does, whoever restarts. Variables need HAProxy's experimental mode on our own
//! connection, which marks the process as tainted in `show info`. A restart or reload of HAProxy begins with all slots
//! disabled; repeating `set` restores it. Two callers must not set one backend at once; the lease of the step sees to that.
//!
//! Less exact than our own proxy:
//! - Weights are 1 to 256 per server: a share is rounded to about 0.4 % of the largest, and never to nothing.
//! - A split is put in force server by server, within one call.
//! - No distribution of latencies, only averages over the last 1024 requests: `latency` is `None`.
//! - A request that HAProxy moved to another server after a refused connection counts on both.
//! - `in_flight` counts sessions, `requests` those the server was chosen for, without the ones the client left.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::Mutex;

use super::{Applied, Drain, RouteStats, TrafficError, VersionStats};
use crate::proxy::{Backend, RouteSpec};

const ANSWER: Duration = Duration::from_secs(5);
const ANSWER_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// HAProxy reads a command line into one buffer of 16 KiB.
const LINE_BYTES_MAX: usize = 15_000;
/// Counts of versions that have no slot any more are carried for this many.
const CARRIED_MAX: usize = 16;

/// Where the runtime socket is, and which backend serves which route.
#[derive(Debug, Clone)]
pub struct HaProxy {
    socket: PathBuf,
    backends: BTreeMap<String, String>,
    turn: Arc<Mutex<()>>,
}

/// What was set last, as it is kept in the process variable.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Memory {
    id: String,
    generation: u64,
    wanted: Vec<Backend>,
    slots: BTreeMap<String, Slot>,
    /// Final counts of slots that were given up, by version; oldest first.
    carried: Vec<(String, Counts)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Slot {
    version: String,
    address: SocketAddr,
    /// The slot's counters when the version moved in.
    base: Counts,
    /// No longer wanted, kept until its last request is over.
    leaving: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Counts {
    requests: u64,
    errors: u64,
    aborted: u64,
    retries: u64,
}

impl Counts {
    fn since(self, base: Self) -> Self {
        Self {
            requests: self.requests.saturating_sub(base.requests),
            errors: self.errors.saturating_sub(base.errors),
            aborted: self.aborted.saturating_sub(base.aborted),
            retries: self.retries.saturating_sub(base.retries),
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            requests: self.requests.saturating_add(other.requests),
            errors: self.errors.saturating_add(other.errors),
            aborted: self.aborted.saturating_add(other.aborted),
            retries: self.retries.saturating_add(other.retries),
        }
    }
}

/// One server as `show stat` tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Server {
    name: String,
    address: String,
    weight: u32,
    status: String,
    in_flight: u64,
    counts: Counts,
}

impl Server {
    fn is_free(&self) -> bool {
        self.status.starts_with("MAINT") && self.in_flight == 0
    }
}

impl HaProxy {
    pub fn new(socket: &Path, backends: BTreeMap<String, String>) -> Result<Self, TrafficError> {
        // The names become part of command lines.
        if let Some(name) = backends.values().find(|name| !is_plain(name)) {
            return Err(TrafficError::Setting(format!("{name:?} is not the name of an HAProxy backend")));
        }
        Ok(Self { socket: socket.to_owned(), backends, turn: Arc::default() })
    }

    pub(super) async fn set(&self, route: &str, spec: &RouteSpec) -> Result<Applied, TrafficError> {
        let _turn = self.turn.lock().await;
        let backend = self.backend(route)?;
        let before = self.recall(backend).await?;
        if spec.generation <= before.generation && spec.backends != before.wanted {
            return Err(TrafficError::Overtaken { wanted: spec.generation, current: before.generation });
        }
        let changed = spec.backends != before.wanted || spec.generation > before.generation;
        let servers = self.servers(backend).await?;
        let memory = assign(backend, &before, spec, &servers)?;
        // The intention first: after a crash in the middle the same call repeats what is missing.
        if memory != before {
            self.remember(backend, &memory).await?;
        }
        let commands = commands(backend, &memory, &servers);
        let said = self.run_all(&commands).await?;
        let servers = self.servers(backend).await?;
        if let Some(fault) = first_fault(&memory, &servers) {
            return Err(TrafficError::Protocol(format!("{fault}; HAProxy said: {}", shortened(&said))));
        }
        Ok(Applied { changed, versions: drains(&memory, &servers) })
    }

    pub(super) async fn draining(&self, route: &str) -> Result<BTreeMap<String, Drain>, TrafficError> {
        let backend = self.backend(route)?;
        let memory = self.recall(backend).await?;
        Ok(drains(&memory, &self.servers(backend).await?))
    }

    pub(super) async fn stats(&self, route: &str) -> Result<RouteStats, TrafficError> {
        let backend = self.backend(route)?;
        let memory = self.recall(backend).await?;
        let servers = self.servers(backend).await?;
        let mut counts: BTreeMap<String, (Counts, u64)> = BTreeMap::new();
        for (version, carried) in &memory.carried {
            counts.entry(version.clone()).or_default().0 = *carried;
        }
        for server in &servers {
            let Some(slot) = memory.slots.get(&server.name) else { continue };
            let (sum, in_flight) = counts.entry(slot.version.clone()).or_default();
            *sum = sum.plus(server.counts.since(slot.base));
            *in_flight += server.in_flight;
        }
        let versions = counts
            .into_iter()
            .map(|(version, (Counts { requests, errors, aborted, retries }, in_flight))| {
                let requests = requests.max(errors);
                let stats = VersionStats { requests, errors, aborted, retries, in_flight, latency: None };
                (version, stats)
            })
            .collect();
        Ok(RouteStats { start_id: memory.id, versions })
    }

    fn backend(&self, route: &str) -> Result<&str, TrafficError> {
        self.backends.get(route).map(String::as_str).ok_or_else(|| TrafficError::NoRoute(route.to_owned()))
    }

    async fn servers(&self, backend: &str) -> Result<Vec<Server>, TrafficError> {
        // 4: servers only, -1: all of them.
        let servers = servers(&self.run(&format!("show stat {backend} 4 -1")).await?)?;
        if servers.is_empty() {
            return Err(TrafficError::Refused(format!("HAProxy has no backend {backend} with servers")));
        }
        Ok(servers)
    }

    async fn recall(&self, backend: &str) -> Result<Memory, TrafficError> {
        let said = self.run(&format!("get var {}", variable(backend))).await?;
        // "Variable not found." after a start of HAProxy; otherwise "proc.x: type=str value=<...>".
        let Some((_, rest)) = said.split_once("value=<") else {
            return Ok(Memory { id: self.run_of_haproxy().await?, ..Memory::default() });
        };
        let text = rest.split('>').next().unwrap_or_default();
        let bytes = hex::decode(text).map_err(|error| TrafficError::Protocol(error.to_string()))?;
        serde_json::from_slice(&bytes).map_err(|error| TrafficError::Protocol(error.to_string()))
    }

    async fn remember(&self, backend: &str, memory: &Memory) -> Result<(), TrafficError> {
        let bytes = serde_json::to_vec(memory).map_err(|error| TrafficError::Protocol(error.to_string()))?;
        let command = format!("experimental-mode on; set var {} str({})", variable(backend), hex::encode(bytes));
        if command.len() > LINE_BYTES_MAX {
            return Err(TrafficError::Refused(format!("backend {backend} has more slots than can be kept track of")));
        }
        let said = self.run(&command).await?;
        if self.recall(backend).await? == *memory {
            Ok(())
        } else {
            Err(TrafficError::Refused(format!("HAProxy did not keep the assignment: {}", shortened(&said))))
        }
    }

    /// Tells one run of HAProxy from the next.
    async fn run_of_haproxy(&self) -> Result<String, TrafficError> {
        let info = self.run("show info").await?;
        let field = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap_or_default().trim();
        Ok(format!("haproxy-{}-{}", field("Pid"), field("Start_time_sec")))
    }

    async fn run_all(&self, commands: &[String]) -> Result<String, TrafficError> {
        let mut said = String::new();
        let mut line = String::new();
        for command in commands {
            if line.len() + command.len() + 2 > LINE_BYTES_MAX {
                said += &self.run(&std::mem::take(&mut line)).await?;
            }
            if !line.is_empty() {
                line += "; ";
            }
            line += command;
        }
        if !line.is_empty() {
            said += &self.run(&line).await?;
        }
        Ok(said)
    }

    async fn run(&self, line: &str) -> Result<String, TrafficError> {
        let at = || self.socket.display().to_string();
        let unreachable = |source| TrafficError::Unreachable { at: at(), source };
        let mut stream = UnixStream::connect(&self.socket).await.map_err(unreachable)?;
        let exchange = async {
            stream.write_all(format!("{line}\n").as_bytes()).await?;
            let mut said = String::new();
            stream.take(ANSWER_BYTES_MAX).read_to_string(&mut said).await?;
            std::io::Result::Ok(said)
        };
        match tokio::time::timeout(ANSWER, exchange).await {
            Ok(Ok(said)) if said.contains("Permission denied") => {
                Err(TrafficError::Setting(format!("{}: the socket needs `level admin`", at())))
            }
            Ok(Ok(said)) => Ok(said),
            _ => Err(TrafficError::Indeterminate { at: at() }),
        }
    }
}

/// Who gets which slot. Addresses that stay keep theirs, so that their counters go on.
fn assign(backend: &str, before: &Memory, spec: &RouteSpec, servers: &[Server]) -> Result<Memory, TrafficError> {
    let mut memory = before.clone();
    memory.generation = memory.generation.max(spec.generation);
    memory.wanted = spec.backends.clone();
    let mut wanted: Vec<(String, SocketAddr)> = Vec::new();
    for Backend { version, address, .. } in &spec.backends {
        let address = address.parse().map_err(|_| TrafficError::Refused(format!("HAProxy needs IP:port, not {address}")))?;
        wanted.push((version.clone(), address));
    }
    for (name, slot) in &mut memory.slots {
        let place = wanted.iter().position(|(version, address)| *version == slot.version && *address == slot.address);
        slot.leaving = place.is_none();
        if let Some(place) = place {
            wanted.remove(place);
        }
        debug_assert!(is_plain(name));
    }
    let mut free: Vec<&Server> = Vec::new();
    for server in servers {
        match memory.slots.get(&server.name) {
            None if server.is_free() => free.push(server),
            None => {}
            // Given up earlier, and its last request is over by now.
            Some(slot) if slot.leaving && server.is_free() => {
                carry(&mut memory.carried, &slot.version, server.counts.since(slot.base));
                memory.slots.remove(&server.name);
                free.push(server);
            }
            Some(_) => {}
        }
    }
    if free.len() < wanted.len() {
        return Err(TrafficError::NoSlots { backend: backend.to_owned(), needed: wanted.len(), free: free.len() });
    }
    for ((version, address), server) in wanted.into_iter().zip(free) {
        let slot = Slot { version, address, base: server.counts, leaving: false };
        memory.slots.insert(server.name.clone(), slot);
    }
    forget(&mut memory);
    Ok(memory)
}

fn carry(carried: &mut Vec<(String, Counts)>, version: &str, counts: Counts) {
    match carried.iter_mut().find(|(name, _)| name == version) {
        Some((_, sum)) => *sum = sum.plus(counts),
        None => carried.push((version.to_owned(), counts)),
    }
}

fn forget(memory: &mut Memory) {
    let present: BTreeSet<String> = memory.slots.values().map(|slot| slot.version.clone()).collect();
    while memory.carried.len() > CARRIED_MAX {
        let Some(at) = memory.carried.iter().position(|(version, _)| !present.contains(version)) else { return };
        memory.carried.remove(at);
    }
}

/// The weight of each slot that takes requests: the version's share, divided among its servers, at most 256.
fn weights(memory: &Memory) -> BTreeMap<&str, u32> {
    let mut shares: Vec<(&str, f64)> = Vec::new();
    for (name, slot) in memory.slots.iter().filter(|(_, slot)| !slot.leaving) {
        let of = |backend: &&Backend| backend.version == slot.version && backend.weight > 0;
        let servers = memory.wanted.iter().filter(of).count();
        let own =
            memory.wanted.iter().find(|backend| of(backend) && backend.address.parse::<SocketAddr>().is_ok_and(|at| at == slot.address));
        let share = own.map_or(0.0, |own| f64::from(own.weight) / servers as f64);
        shares.push((name, share));
    }
    let largest = shares.iter().map(|(_, share)| *share).fold(0.0, f64::max);
    shares
        .into_iter()
        .map(|(name, share)| {
            let weight = if share > 0.0 { (share / largest * 256.0).round().clamp(1.0, 256.0) } else { 0.0 };
            (name, weight as u32)
        })
        .collect()
}

/// New servers first, then those that give way: there is always somebody to serve.
fn commands(backend: &str, memory: &Memory, servers: &[Server]) -> Vec<String> {
    let weights = weights(memory);
    let (mut first, mut last) = (Vec::new(), Vec::new());
    for server in servers {
        let name = &server.name;
        let Some(slot) = memory.slots.get(name) else { continue };
        if slot.leaving {
            last.push(format!("set server {backend}/{name} state maint"));
            continue;
        }
        if server.address != slot.address.to_string() {
            let (ip, port) = (slot.address.ip(), slot.address.port());
            first.push(format!("set server {backend}/{name} addr {ip} port {port}"));
        }
        match weights.get(name.as_str()).copied().unwrap_or_default() {
            0 => last.push(format!("set server {backend}/{name} state drain")),
            weight => {
                first.push(format!("set server {backend}/{name} weight {weight}"));
                first.push(format!("set server {backend}/{name} state ready"));
            }
        }
    }
    first.append(&mut last);
    first
}

/// What HAProxy does not do as it was told, as a sentence.
fn first_fault(memory: &Memory, servers: &[Server]) -> Option<String> {
    let weights = weights(memory);
    memory.slots.iter().find_map(|(name, slot)| {
        let Some(server) = servers.iter().find(|server| server.name == *name) else {
            return Some(format!("server {name} is gone"));
        };
        let weight = weights.get(name.as_str()).copied().unwrap_or_default();
        let (in_maintenance, in_drain) = (server.status.starts_with("MAINT"), server.status.starts_with("DRAIN"));
        let as_told = if slot.leaving {
            in_maintenance
        } else {
            let state = if weight == 0 { in_drain } else { !in_maintenance && !in_drain && server.weight == weight };
            state && server.address == slot.address.to_string()
        };
        let Server { status, address, weight: has, .. } = server;
        (!as_told).then(|| format!("server {name} is {status} with weight {has} at {address}, not as set"))
    })
}

fn drains(memory: &Memory, servers: &[Server]) -> BTreeMap<String, Drain> {
    let mut drains: BTreeMap<String, Drain> = BTreeMap::new();
    for server in servers {
        let Some(slot) = memory.slots.get(&server.name) else { continue };
        let drain = drains.entry(slot.version.clone()).or_insert(Drain { weight: 0, in_flight: 0 });
        drain.in_flight += server.in_flight;
        if !server.status.starts_with("MAINT") && !server.status.starts_with("DRAIN") {
            drain.weight += server.weight;
        }
    }
    drains
}

/// Reads the CSV of `show stat`, by the names in its first line.
fn servers(csv: &str) -> Result<Vec<Server>, TrafficError> {
    let mut lines = csv.lines();
    let Some(header) = lines.next().and_then(|line| line.strip_prefix("# ")) else {
        // An unknown backend is answered with a sentence.
        return Err(TrafficError::Refused(shortened(csv)));
    };
    let columns: Vec<&str> = header.split(',').collect();
    let mut servers = Vec::new();
    for line in lines.filter(|line| !line.trim().is_empty()) {
        let cells: Vec<&str> = line.split(',').collect();
        let text = |column: &str| columns.iter().position(|name| *name == column).and_then(|at| cells.get(at)).copied().unwrap_or_default();
        let number = |column: &str| text(column).parse::<u64>().unwrap_or_default();
        let in_flight = number("scur") + number("qcur");
        let aborted = number("cli_abrt");
        servers.push(Server {
            name: text("svname").to_owned(),
            address: text("addr").to_owned(),
            weight: u32::try_from(number("uweight")).unwrap_or_default(),
            status: text("status").to_owned(),
            in_flight,
            counts: Counts {
                requests: number("lbtot").saturating_sub(number("scur")).saturating_sub(aborted),
                errors: number("hrsp_5xx") + number("econ") + number("eresp"),
                aborted,
                retries: number("wretr") + number("wredis"),
            },
        });
    }
    // Names become part of command lines; a configuration's own names are plain.
    servers.retain(|server| is_plain(&server.name));
    Ok(servers)
}

fn is_plain(name: &str) -> bool {
    (1..=100).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b':'))
}

/// The name of the variable that belongs to a backend: variable names have fewer characters than backend names.
fn variable(backend: &str) -> String {
    let mut name = String::from("proc.holdpoint_");
    for byte in backend.bytes() {
        // Writing to a String does not fail.
        let _ = write!(name, "{byte:02x}");
    }
    name
}

fn shortened(said: &str) -> String {
    said.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backend(version: &str, port: u16, weight: u32) -> Backend {
        Backend { version: version.into(), address: format!("127.0.0.1:{port}"), weight }
    }

    fn free(name: &str) -> Server {
        Server {
            name: name.into(),
            address: "127.0.0.1:1".into(),
            weight: 1,
            status: "MAINT".into(),
            in_flight: 0,
            counts: Counts { requests: 10, errors: 1, aborted: 0, retries: 0 },
        }
    }

    fn assigned(spec: Vec<Backend>, slots: usize) -> Result<Memory, TrafficError> {
        let servers: Vec<Server> = (0..slots).map(|n| free(&format!("hp{n}"))).collect();
        let spec = RouteSpec { generation: 1, backends: spec, expose_version: false };
        assign("be", &Memory::default(), &spec, &servers)
    }

    #[test]
    fn a_share_is_divided_among_the_servers_of_a_version() {
        for (spec, expected) in [
            (vec![backend("1", 1, 95), backend("2", 2, 5)], vec![256, 13]),
            (vec![backend("1", 1, 95), backend("1", 2, 95), backend("2", 3, 5)], vec![256, 256, 27]),
            (vec![backend("1", 1, 95), backend("1", 2, 0), backend("2", 3, 5)], vec![256, 0, 13]),
            (vec![backend("1", 1, 100_000), backend("2", 2, 1)], vec![256, 1]),
            (vec![backend("1", 1, 0), backend("2", 2, 0)], vec![0, 0]),
        ] {
            let memory = assigned(spec.clone(), 4).unwrap();
            let got: Vec<u32> = weights(&memory).into_values().collect();
            assert_eq!(got, expected, "{spec:?}");
        }
    }

    #[test]
    fn too_few_slots_change_nothing() {
        let needed = assigned(vec![backend("1", 1, 1), backend("1", 2, 1), backend("2", 3, 1)], 2);
        assert!(matches!(needed, Err(TrafficError::NoSlots { needed: 3, free: 2, .. })));
    }

    #[test]
    fn hostile_names_reach_no_command_line() {
        for name in ["be;shutdown", "be\nshow", "a b", "", "be/../x"] {
            let backends = BTreeMap::from([("r".to_owned(), name.to_owned())]);
            assert!(HaProxy::new(Path::new("/s"), backends).is_err(), "{name:?}");
        }
        let csv = "# pxname,svname,scur\nbe,hp1;disable,0\nbe,hp2,0\n";
        assert_eq!(servers(csv).unwrap().len(), 1);
        // Versions are only ever inside the hexadecimal memory.
        let memory = assigned(vec![backend("1;disable server be/hp1", 1, 1)], 1).unwrap();
        assert!(!commands("be", &memory, &[free("hp0")]).join("\n").contains("disable"));
    }

    #[test]
    fn a_slot_is_given_up_only_when_its_last_request_is_over() {
        let spec = |generation, backends| RouteSpec { generation, backends, expose_version: false };
        let first = assign("be", &Memory::default(), &spec(1, vec![backend("1", 1, 1)]), &[free("a"), free("b")]).unwrap();
        let mut busy = free("a");
        busy.in_flight = 1;
        busy.status = "no check".into();
        let second = assign("be", &first, &spec(2, vec![backend("2", 2, 1)]), &[busy, free("b")]).unwrap();
        assert!(second.slots["a"].leaving);
        assert_eq!(second.slots["b"].version, "2");
        let mut ended = free("a");
        ended.counts.requests = 17;
        let third = assign("be", &second, &spec(3, vec![backend("2", 2, 1)]), &[ended, free("b")]).unwrap();
        assert!(!third.slots.contains_key("a"));
        assert_eq!(third.carried, [("1".to_owned(), Counts { requests: 7, ..Counts::default() })]);
    }
}
