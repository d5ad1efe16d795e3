//! What the kernel says about processes, from `/proc`: identity, descendants, and their end.
//!
//! A process is known by pid *and* start time, within one boot; a pid alone proves nothing.

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::Duration;

/// Marks every process of a directory in its environment, so that strays are found after their supervisor has died.
pub const MARK: &str = "HOLDPOINT_DIR";

/// One process, beyond doubt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub pid: i32,
    /// Clock ticks after boot, field 22 of `/proc/PID/stat`.
    pub start_time: u64,
    pub boot: String,
}

/// Nanoseconds since boot, sleep included.
pub fn boot_clock() -> u64 {
    match clock_gettime(ClockId::CLOCK_BOOTTIME) {
        Ok(at) => u64::try_from(Duration::from(at).as_nanos()).unwrap_or(u64::MAX),
        // The clock exists on every Linux since 2.6.39. Without it every lease has ended.
        Err(_) => u64::MAX,
    }
}

/// Differs after every boot, so that pids and start times of another boot are not believed.
pub fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|id| id.trim().to_owned()).unwrap_or_default()
}

/// The fields of `/proc/PID/stat` that matter here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    pub pid: i32,
    pub state: char,
    pub parent: i32,
    pub group: i32,
    pub start_time: u64,
}

/// The name in the second field may hold blanks and parentheses; the fields after it begin at the last `)`.
pub fn parse_stat(text: &str) -> Option<Stat> {
    let pid = text.split(' ').next()?.parse().ok()?;
    let mut fields = text[text.rfind(')')? + 1..].split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    let group = fields.next()?.parse().ok()?;
    let start_time = fields.nth(16)?.parse().ok()?;
    Some(Stat { pid, state, parent, group, start_time })
}

pub fn stat(pid: i32) -> Option<Stat> {
    parse_stat(&String::from_utf8_lossy(&std::fs::read(format!("/proc/{pid}/stat")).ok()?))
}

impl Identity {
    /// Of a process that runs now.
    pub fn of(pid: i32) -> Option<Self> {
        stat(pid).map(|stat| Self { pid, start_time: stat.start_time, boot: boot_id() })
    }

    /// Whether this very process still runs. A zombie does not.
    pub fn alive(&self) -> bool {
        self.boot == boot_id() && stat(self.pid).is_some_and(|s| s.start_time == self.start_time && !matches!(s.state, 'Z' | 'X'))
    }
}

fn every() -> Vec<Stat> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return vec![] };
    entries.flatten().filter_map(|e| e.file_name().to_str()?.parse().ok()).filter_map(stat).collect()
}

/// All below `pid`, nearest first, without `pid` itself and without zombies.
pub fn descendants(pid: i32) -> Vec<i32> {
    let all = every();
    let mut found = vec![pid];
    let mut next = 0;
    while next < found.len() {
        let parent = found[next];
        found.extend(all.iter().filter(|s| s.parent == parent).map(|s| s.pid));
        next += 1;
    }
    found.remove(0);
    found.retain(|pid| all.iter().any(|s| s.pid == *pid && !matches!(s.state, 'Z' | 'X')));
    found
}

/// Running processes whose environment names the directory. Another user's processes cannot be looked into and are not ours.
pub fn marked(dir: &Path) -> Vec<i32> {
    let wanted = format!("{MARK}={}", dir.display()).into_bytes();
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    every()
        .into_iter()
        .filter(|s| !matches!(s.state, 'Z' | 'X') && s.pid != own)
        .filter(|s| {
            std::fs::read(format!("/proc/{}/environ", s.pid)).is_ok_and(|environ| environ.split(|b| *b == 0).any(|entry| entry == wanted))
        })
        .map(|s| s.pid)
        .collect()
}

/// Sends a signal to a process group; a group that is gone is no error.
pub fn signal_group(group: i32, signal: Signal) {
    if group > 1 {
        match killpg(Pid::from_raw(group), signal) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(error) => tracing::warn!(group, %error, "cannot signal a process group"),
        }
    }
}

pub fn signal_one(pid: i32, signal: Signal) {
    if pid > 1 {
        let _ = kill(Pid::from_raw(pid), signal);
    }
}

/// Kills whatever still carries the directory's mark, until nothing does. Answers how many there were.
pub async fn kill_marked(dir: &Path) -> usize {
    let mut killed = 0;
    // A process may fork while it is being looked for; a few rounds end any that does not do it on purpose for ever.
    for _ in 0..50 {
        let found = marked(dir);
        if found.is_empty() {
            break;
        }
        killed += found.len();
        for pid in found {
            signal_one(pid, Signal::SIGKILL);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    killed
}

/// Whether the listener of a TCP port is `pid` or below it. None: it cannot be told (a process of another user).
pub fn owns_port(pid: i32, port: u16) -> Option<bool> {
    let mut inodes = vec![];
    for table in ["tcp", "tcp6"] {
        let text = std::fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            // local_address, state 0A = LISTEN, inode: proc_net_tcp in the kernel's documentation.
            if let [_, local, _, "0A", ..] = fields[..]
                && local.rsplit(':').next().and_then(|p| u16::from_str_radix(p, 16).ok()) == Some(port)
                && let Some(inode) = fields.get(9)
            {
                inodes.push(format!("socket:[{inode}]"));
            }
        }
    }
    if inodes.is_empty() {
        return None;
    }
    for pid in std::iter::once(pid).chain(descendants(pid)) {
        for entry in std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?.flatten() {
            if std::fs::read_link(entry.path()).is_ok_and(|to| inodes.iter().any(|i| to.as_os_str() == i.as_str())) {
                return Some(true);
            }
        }
    }
    Some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_blanks_does_not_shift_the_fields() {
        let text = "42 (a) b (c) S 7 42 42 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 12345 1 1";
        let expected = Stat { pid: 42, state: 'S', parent: 7, group: 42, start_time: 12345 };
        assert_eq!(parse_stat(text), Some(expected));
        assert_eq!(parse_stat("42 (a"), None);
    }

    #[test]
    fn identity_needs_pid_start_time_and_boot() {
        let own = Identity::of(i32::try_from(std::process::id()).unwrap()).unwrap();
        assert!(own.alive());
        assert!(!Identity { start_time: own.start_time + 1, ..own.clone() }.alive());
        assert!(!Identity { boot: "another".into(), ..own }.alive());
    }
}
