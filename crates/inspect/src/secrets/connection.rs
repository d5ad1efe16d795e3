//! Passwords in connection strings: `scheme://user:password@host` (RFC 3986, 3.2.1) and `Server=…;Password=…`.

use super::Hit;
use super::text::placeholder;
use crate::finding::Severity;

/// The longest URL part that is looked at.
const PART_MAX: usize = 256;
/// Passwords that everybody knows stand for one.
const KNOWN: [&str; 22] = [
    "password",
    "passwd",
    "pass",
    "pwd",
    "secret",
    "postgres",
    "root",
    "admin",
    "mysql",
    "guest",
    "test",
    "user",
    "username",
    "mypassword",
    "mypass",
    "foo",
    "bar",
    "foobar",
    "token",
    "x-oauth-basic",
    "pw",
    "hunter2",
];

pub(super) fn find(bytes: &[u8], hits: &mut Vec<Hit>) {
    let mut from = 0;
    while let Some(at) = bytes.get(from..).and_then(|rest| rest.windows(3).position(|window| window == b"://")).map(|at| from + at) {
        from = at + 3;
        url(bytes, at, hits);
    }
    for word in [b"assword=".as_slice(), b"Pwd=", b"pwd="] {
        let mut from = 0;
        while let Some(at) =
            bytes.get(from..).and_then(|rest| rest.windows(word.len()).position(|window| window == word)).map(|at| from + at)
        {
            from = at + word.len();
            pairs(bytes, from, hits);
        }
    }
}

fn url(bytes: &[u8], at: usize, hits: &mut Vec<Hit>) {
    let scheme = bytes.get(..at).unwrap_or_default();
    if !scheme.last().is_some_and(u8::is_ascii_alphanumeric) {
        return;
    }
    let start = at + 3;
    let rest = bytes.get(start..bytes.len().min(start + 2 * PART_MAX)).unwrap_or_default();
    let ends = |byte: &u8| byte.is_ascii_whitespace() || b"\"'`<>\\".contains(byte);
    let authority = rest.get(..rest.iter().position(|byte| ends(byte) || b"/?#".contains(byte)).unwrap_or(rest.len())).unwrap_or_default();
    // A password may hold a slash that nobody encoded; only as far as the same word goes.
    let Some(sign) = authority.iter().rposition(|byte| *byte == b'@') else { return };
    let (user, password) = match authority.iter().position(|byte| *byte == b':') {
        Some(colon) if colon < sign => (authority.get(..colon), authority.get(colon + 1..sign)),
        _ => return,
    };
    let (user, password) = (user.unwrap_or_default(), password.unwrap_or_default());
    let host = String::from_utf8_lossy(authority.get(sign + 1..).unwrap_or_default()).to_ascii_lowercase();
    let host = host.split(':').next().unwrap_or_default();
    if stands_for_one(password, user) || local_or_documented(host) {
        return;
    }
    let from = start + user.len() + 1;
    hits.push(Hit {
        rule: "url-with-password",
        what: "a password in a URL",
        severity: Severity::High,
        start: from,
        end: from + password.len(),
        shown: 0,
    });
}

fn stands_for_one(password: &[u8], user: &[u8]) -> bool {
    let text = String::from_utf8_lossy(password).to_ascii_lowercase();
    text.len() < 4
        || password == user
        || KNOWN.contains(&text.as_str())
        || KNOWN.iter().any(|word| word.len() > 4 && text.strip_prefix(word).is_some_and(|rest| rest.len() <= 3))
        || placeholder(password)
        // `:param`, `[password]`, `(pass)`, `*****`, `#{x}`.
        || text.contains(['[', ']', '(', ')', '*', '#', ',', ' '])
}

/// Hosts that are nobody's: this machine's own, and names kept for documentation (RFC 2606, 6761).
fn local_or_documented(host: &str) -> bool {
    const LOCAL: [&str; 6] = ["localhost", "127.0.0.1", "0.0.0.0", "host", "hostname", "host.docker.internal"];
    host.is_empty()
        || LOCAL.contains(&host)
        || host.starts_with('[')
        || ["example.com", "example.org", "example.net", ".example", ".test", ".invalid", ".localhost"]
            .iter()
            .any(|end| host.ends_with(end))
}

/// `Server=db;User Id=app;Password=…;`: only beside a server.
fn pairs(bytes: &[u8], from: usize, hits: &mut Vec<Hit>) {
    let near = from.saturating_sub(4 * PART_MAX);
    let line_start = bytes.get(near..from).unwrap_or_default().iter().rposition(|byte| *byte == b'\n').map_or(near, |at| near + at + 1);
    let before = String::from_utf8_lossy(bytes.get(line_start..from).unwrap_or_default()).to_ascii_lowercase();
    let rest = bytes.get(from..bytes.len().min(from + PART_MAX)).unwrap_or_default();
    let end = rest.iter().position(|byte| byte.is_ascii_whitespace() || b";\"'`<>&".contains(byte)).unwrap_or(rest.len());
    let password = rest.get(..end).unwrap_or_default();
    let server = ["server=", "data source=", "host=", "addr="].iter().find_map(|word| Some(before.split_once(word)?.1));
    let Some(server) = server else { return };
    let host = server.split([';', ',', ':', ' ']).next().unwrap_or_default();
    if stands_for_one(password, b"") || local_or_documented(host.trim_start_matches("tcp:")) {
        return;
    }
    hits.push(Hit {
        rule: "connection-string-password",
        what: "a password in a connection string",
        severity: Severity::High,
        start: from,
        end: from + password.len(),
        shown: 0,
    });
}
