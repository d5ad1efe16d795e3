//! Who was seen using what: access logs in the combined format, or JSON lines.
//!
//! A finding gets the consumers that were seen at the operations it hits. It loses nothing for not having any: in the
//! period that was looked at nobody may have come by. Unseen is not unused.

use super::router::Router;
use super::source::Spec;
use crate::document::ReadError;
use crate::finding::{Finding, Severity};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Requests of who does not say a name.
const UNNAMED: &str = "unnamed";
/// Names kept; those beyond are counted under one.
const CONSUMERS_MAX: usize = 10_000;
const OTHERS: &str = "others";
/// Consumers named in a message; the list beside it has all.
const NAMED: usize = 5;

/// Requests of one consumer at one operation.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    requests: u64,
    /// Seconds since 1970, UTC.
    first: Option<i64>,
    last: Option<i64>,
}

impl Seen {
    fn add(&mut self, at: Option<i64>) {
        self.requests += 1;
        if let Some(at) = at {
            self.first = Some(self.first.map_or(at, |first| first.min(at)));
            self.last = Some(self.last.map_or(at, |last| last.max(at)));
        }
    }
    fn join(&mut self, other: &Seen) {
        self.requests += other.requests;
        for at in [other.first, other.last].into_iter().flatten() {
            self.first = Some(self.first.map_or(at, |first| first.min(at)));
            self.last = Some(self.last.map_or(at, |last| last.max(at)));
        }
    }
}

/// What a log tells about a description's operations.
#[derive(Debug, Default)]
pub struct Usage {
    /// Operation -> consumer -> requests.
    operations: BTreeMap<String, BTreeMap<String, Seen>>,
    all: Seen,
    consumers: BTreeSet<String>,
    unmatched: u64,
    unreadable: u64,
}

struct Line<'l> {
    method: std::borrow::Cow<'l, str>,
    path: std::borrow::Cow<'l, str>,
    consumer: Option<String>,
    at: Option<i64>,
}

impl Usage {
    /// Reads a log about the operations of `spec`. Lines that are no request (scanners write what they like) are counted;
    /// a file with more of them than of requests is refused.
    pub fn read(spec: &Spec, name: &str, bytes: &[u8]) -> Result<Self, ReadError> {
        let router = Router::new(spec)?;
        let mut usage = Usage::default();
        let mut first_bad = None;
        for (number, bytes) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let text = String::from_utf8_lossy(bytes);
            let text = text.trim();
            if text.is_empty() {
                continue;
            }
            match if text.starts_with('{') { json_line(text) } else { combined(text) } {
                Some(line) => usage.add(&router, &line),
                None => {
                    usage.unreadable += 1;
                    first_bad.get_or_insert(u32::try_from(number + 1).unwrap_or(u32::MAX));
                }
            }
        }
        match first_bad {
            Some(line) if usage.unreadable > usage.all.requests => {
                let what = "expected JSON lines with method and path, or an access log in the combined format".to_owned();
                Err(ReadError { file: name.to_owned(), line, what })
            }
            _ => Ok(usage),
        }
    }

    fn add(&mut self, router: &Router, line: &Line<'_>) {
        self.all.add(line.at);
        let mut consumer = line.consumer.clone().unwrap_or_else(|| UNNAMED.to_owned());
        if !self.consumers.contains(&consumer) {
            if self.consumers.len() >= CONSUMERS_MAX {
                consumer = OTHERS.to_owned();
            }
            self.consumers.insert(consumer.clone());
        }
        match router.find(&line.method, &line.path) {
            Some(route) => self.operations.entry(route.name()).or_default().entry(consumer).or_default().add(line.at),
            None => self.unmatched += 1,
        }
    }

    /// Adds to every finding who was seen at the operations that it hits.
    pub fn annotate(&self, findings: &mut [Finding]) {
        for finding in findings {
            let Some(Value::Array(operations)) = finding.more.get("operations") else { continue };
            let mut together: BTreeMap<&str, Seen> = BTreeMap::new();
            for operation in operations.iter().filter_map(Value::as_str) {
                for (consumer, seen) in self.operations.get(operation).into_iter().flatten() {
                    together.entry(consumer).or_default().join(seen);
                }
            }
            let list: Vec<Value> = together
                .iter()
                .map(|(consumer, seen)| {
                    json!({"consumer": consumer, "requests": seen.requests, "first": seen.first.map(instant), "last": seen.last.map(instant)})
                })
                .collect();
            if finding.severity != Severity::Info {
                finding.message += &match together.len() {
                    0 => " Nobody was seen using it in the period.".to_owned(),
                    many => {
                        let named: Vec<&str> = together.keys().copied().take(NAMED).collect();
                        let more = if many > NAMED { format!(" and {} more", many - NAMED) } else { String::new() };
                        format!(" Seen using it: {}{more}.", named.join(", "))
                    }
                };
            }
            finding.more.insert("consumers".to_owned(), Value::Array(list));
        }
    }

    /// The period that was looked at.
    pub fn observation(&self) -> Map<String, Value> {
        let days = self.all.first.zip(self.all.last).map(|(first, last)| (last - first) as f64 / 86_400.0);
        let mut map = Map::new();
        map.insert("requests".to_owned(), json!(self.all.requests));
        map.insert("first".to_owned(), json!(self.all.first.map(instant)));
        map.insert("last".to_owned(), json!(self.all.last.map(instant)));
        map.insert("days".to_owned(), json!(days.map(|days| (days * 10.0).round() / 10.0)));
        map.insert("consumers".to_owned(), json!(self.consumers));
        map.insert("unmatched".to_owned(), json!(self.unmatched));
        map.insert("unreadable".to_owned(), json!(self.unreadable));
        map
    }
}

fn json_line(text: &str) -> Option<Line<'_>> {
    let value: Value = serde_json::from_str(text).ok()?;
    let word = |key: &str| value.get(key).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
    let at = ["time", "timestamp", "at"].iter().find_map(|key| word(key)).and_then(|text| seconds(&text));
    Some(Line { method: word("method")?.into(), path: word("path")?.into(), consumer: word("consumer"), at })
}

/// `host ident user [time] "METHOD path HTTP/1.1" status bytes "referer" "agent"`. The consumer is the user, else the
/// agent's first product.
fn combined(text: &str) -> Option<Line<'_>> {
    let (head, rest) = text.split_once(" [")?;
    let (time, rest) = rest.split_once(']')?;
    let (_, rest) = rest.split_once('"')?;
    let (request, rest) = rest.split_once('"')?;
    let mut words = request.split(' ');
    let (method, path) = (words.next()?, words.next()?);
    let plain =
        !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase()) && (path.starts_with('/') || path.contains("://"));
    if !plain {
        return None;
    }
    let path = match path.split_once("://") {
        Some((_, rest)) => rest.find('/').and_then(|slash| rest.get(slash..)).unwrap_or("/"),
        None => path,
    };
    let user = head.rsplit(' ').next().filter(|user| !user.is_empty() && *user != "-");
    let agent = rest.rsplit('"').nth(1).and_then(|agent| agent.split(['/', ' ']).next()).filter(|agent| !agent.is_empty() && *agent != "-");
    let consumer = user.or(agent).map(str::to_owned);
    Some(Line { method: method.into(), path: path.into(), consumer, at: log_time(time) })
}

/// `10/Oct/2000:13:55:36 -0700`.
fn log_time(text: &str) -> Option<i64> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (date, rest) = text.split_once(':')?;
    let mut parts = date.split('/');
    let day: i64 = parts.next()?.parse().ok()?;
    let name = parts.next()?;
    let month = MONTHS.iter().position(|month| *month == name)? as i64 + 1;
    let year: i64 = parts.next()?.parse().ok()?;
    let (time, zone) = rest.split_once(' ').unwrap_or((rest, "+0000"));
    let zone = if zone.len() == 5 { format!("{}:{}", zone.get(..3)?, zone.get(3..)?) } else { zone.to_owned() };
    joined(year, month, day, time, &zone)
}

/// RFC 3339.
fn seconds(text: &str) -> Option<i64> {
    let (date, rest) = text.split_once(['T', 't', ' '])?;
    let mut parts = date.split('-');
    let (year, month, day) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let zone = rest.find(['Z', 'z', '+', '-'])?;
    joined(year, month, day, rest.get(..zone)?, rest.get(zone..)?)
}

fn joined(year: i64, month: i64, day: i64, time: &str, zone: &str) -> Option<i64> {
    let mut parts = time.split(':');
    let (hour, minute): (i64, i64) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let second: i64 = parts.next().map_or(Some(0), |second| second.split('.').next()?.parse().ok())?;
    let offset = match zone {
        "Z" | "z" => 0,
        zone => {
            let (hours, minutes) = zone.get(1..)?.split_once(':')?;
            let minutes = hours.parse::<i64>().ok()? * 60 + minutes.parse::<i64>().ok()?;
            if zone.starts_with('-') { -minutes } else { minutes }
        }
    };
    let fits = (1..=12).contains(&month) && (1..=31).contains(&day) && (0..24).contains(&hour) && (0..60).contains(&minute);
    let fits = fits && (0..=60).contains(&second) && (0..=9999).contains(&year) && offset.abs() < 24 * 60;
    fits.then(|| days(year, month, day) * 86_400 + (hour * 60 + minute - offset) * 60 + second)
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar: years begin in March, so the leap day is the last one.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn instant(at: i64) -> String {
    let (days, second) = (at.div_euclid(86_400) + 719_468, at.rem_euclid(86_400));
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let (day, month) = (of_year - (153 * shifted + 2) / 5 + 1, if shifted < 10 { shifted + 3 } else { shifted - 9 });
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_read_and_written() {
        for (text, expected) in [
            ("2000-02-29T23:59:59Z", "2000-02-29T23:59:59Z"),
            ("2026-11-25T01:30:00+02:00", "2026-11-24T23:30:00Z"),
            ("1969-12-31T23:59:59.9Z", "1969-12-31T23:59:59Z"),
            ("2024-12-31 12:00:00-05:30", "2024-12-31T17:30:00Z"),
        ] {
            assert_eq!(seconds(text).map(instant).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(log_time("10/Oct/2000:13:55:36 -0700").map(instant).as_deref(), Some("2000-10-10T20:55:36Z"));
        for text in ["2026-13-01T00:00:00Z", "2026-01-01", "now", "2026-01-01T00:00:00"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
