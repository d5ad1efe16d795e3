//! Transactions and timeouts while the files run: what is open, what is set, which locks are held.

use super::locks::{Mode, Touch};
use super::tree::Name;
use std::collections::BTreeMap;

/// The timeouts that matter to waiting and to being waited for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timeouts {
    pub lock: bool,
    pub statement: bool,
}

#[derive(Debug, Default)]
pub struct Session {
    /// By `SET`, until the session ends.
    lasting: Timeouts,
    /// By `SET LOCAL`, until the transaction ends.
    local: BTreeMap<&'static str, bool>,
    /// Counts transactions over all files.
    pub transaction: u32,
    /// Whether a BEGIN, or the one around the file, is open.
    pub open: bool,
    /// Whether the open one is an explicit BEGIN of the file, and its line.
    pub begun: Option<u32>,
    /// Locks held, with the line that took them.
    held: BTreeMap<Name, Held>,
    /// The strongest of them, and the strongest on another table: asked for at every statement.
    strongest: [Option<(Name, Held)>; 2],
    /// Values that this transaction added to enums which were there before: (enum, value).
    pub enum_values: Vec<(Name, String)>,
    /// What was said once already in this transaction.
    pub said: Vec<&'static str>,
}

#[derive(Debug, Clone, Copy)]
pub struct Held {
    pub mode: Mode,
    pub line: u32,
}

impl Session {
    /// A new file: a new connection. `assumed` are timeouts that whoever runs the files sets.
    pub fn connect(&mut self, assumed: Timeouts) {
        self.lasting = assumed;
        self.local.clear();
        self.finish();
    }
    /// A new transaction; `open` if it is more than one statement.
    pub fn begin(&mut self, open: bool) {
        self.finish();
        self.open = open;
    }
    fn finish(&mut self) {
        self.transaction += 1;
        self.open = false;
        self.begun = None;
        self.held.clear();
        self.strongest = [None, None];
        self.enum_values.clear();
        self.local.clear();
        self.said.clear();
    }
    pub fn timeouts(&self) -> Timeouts {
        let of = |name, lasting| self.local.get(name).copied().unwrap_or(lasting);
        Timeouts { lock: of("lock_timeout", self.lasting.lock), statement: of("statement_timeout", self.lasting.statement) }
    }
    /// Learns a SET. Returns false where it has no effect: `SET LOCAL` outside of a transaction.
    pub fn set(&mut self, name: &str, value: Option<&str>, local: bool) -> bool {
        if local && !self.open {
            return false;
        }
        let on = value.is_some_and(|value| !is_zero(value));
        let known = match name {
            "lock_timeout" => "lock_timeout",
            "statement_timeout" => "statement_timeout",
            "all" => {
                self.lasting = Timeouts::default();
                self.local.clear();
                return true;
            }
            _ => return true,
        };
        if local {
            self.local.insert(known, on);
        } else {
            self.local.remove(known);
            match known {
                "lock_timeout" => self.lasting.lock = on,
                _ => self.lasting.statement = on,
            }
        }
        true
    }
    pub fn hold(&mut self, touches: &[Touch], line: u32) {
        for touch in touches {
            let held = self.held.entry(touch.table.clone()).or_insert(Held { mode: touch.lock, line });
            if touch.lock > held.mode {
                *held = Held { mode: touch.lock, line };
            }
            let held = *held;
            self.rank(&touch.table, held);
        }
    }
    fn rank(&mut self, table: &str, held: Held) {
        let new = Some((table.to_owned(), held));
        let [first, second] = &mut self.strongest;
        match first {
            Some((name, known)) if name == table => *known = held,
            Some((_, known)) if known.mode >= held.mode => {
                if second.as_ref().is_none_or(|(_, known)| known.mode < held.mode) {
                    *second = new;
                }
            }
            _ => {
                *second = first.take();
                *first = new;
            }
        }
    }
    pub fn held(&self, table: &str) -> Option<Held> {
        self.held.get(table).copied()
    }
    /// The strongest lock held on any table but that one.
    pub fn strongest_held(&self, but: Option<&str>) -> Option<&(Name, Held)> {
        self.strongest.iter().flatten().find(|(table, _)| but != Some(table.as_str()))
    }
    /// True the first time in this transaction.
    pub fn once(&mut self, what: &'static str) -> bool {
        let new = !self.said.contains(&what);
        if new {
            self.said.push(what);
        }
        new
    }
}

fn is_zero(value: &str) -> bool {
    let digits: String = value.trim().chars().take_while(char::is_ascii_digit).collect();
    !digits.is_empty() && digits.bytes().all(|byte| byte == b'0')
}
