//! AB44: at every door where something is parsed: small things that grow, deep things, doubled things, slow things.
//! Each is refused within a second, memory stays bounded, and others are served meanwhile.

use holdpoint_testkit::Client;
use holdpoint_tests::{Program, World};
use serde_json::json;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(1);
const MEMORY_KIB: u64 = 64 << 10;

fn aliases() -> String {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..10 {
        let row = vec![format!("*a{}", n - 1); 10].join(", ");
        writeln!(text, "a{n}: &a{n} [{row}]").expect("written");
    }
    text
}

fn laughs() -> String {
    let mut text = "<?xml version=\"1.0\"?><!DOCTYPE lolz [<!ENTITY a0 \"lol\">".to_owned();
    for n in 1..10 {
        write!(text, "<!ENTITY a{n} \"{}\">", format!("&a{};", n - 1).repeat(10)).expect("written");
    }
    text + "]><testsuites><testsuite name=\"unit\" tests=\"1\"><testcase name=\"&a9;\"/></testsuite></testsuites>"
}

fn memory(pid: u32, what: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the server's status");
    let line = status.lines().find(|line| line.starts_with(what)).expect("a line");
    line.split_whitespace().nth(1).and_then(|text| text.parse().ok()).expect("a number")
}

/// Processor time of the server so far: what a bomb costs, however busy the machine is with other things.
fn worked(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("the server's times");
    // After the command in brackets; utime and stime are fields 14 and 15, in hundredths of a second.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |n: usize| fields.get(n).and_then(|text| text.parse::<u64>().ok()).expect("a number");
    Duration::from_millis(10 * (ticks(11) + ticks(12)))
}

fn documents(text: &str) -> Vec<u8> {
    json!({"documents": [{"file": "a.yaml", "text": text}]}).to_string().into_bytes()
}

#[test]
fn ab44_bombs_are_refused_at_every_door() {
    let world = World::start();
    let release = world.release(&Program::new("1.0.0"));
    let root = world.api("root");
    let subject = format!("subject={}", release.digest);
    let deep = |open: &str, middle: &str, close: &str| format!("{}{middle}{}", open.repeat(100_000), close.repeat(100_000));
    let keys: String = (0..1_000_000).fold("{".to_owned(), |mut text, n| {
        write!(text, "\"k{n}\":1,").expect("written");
        text
    }) + "\"z\":1}";
    let (apply, releases) = ("/v1/apply?dry_run=true", "/v1/releases");
    let (junit, sarif) = (format!("/v1/evidence?kind=junit&suite=unit&{subject}"), format!("/v1/evidence?kind=sarif&{subject}"));
    let json_kind = "application/json";
    let bombs: Vec<(&str, &str, &str, Vec<u8>)> = vec![
        ("YAML aliases", apply, json_kind, documents(&aliases())),
        ("YAML depth", apply, json_kind, documents(&deep("[", "", "]"))),
        ("YAML depth by lines", apply, json_kind, documents(&(0..2000).map(|n| format!("{}a:\n", " ".repeat(n))).collect::<String>())),
        ("YAML keys", apply, json_kind, documents(&(0..40_000).map(|n| format!("k{n}: 1\n")).collect::<String>())),
        ("YAML merge keys", apply, json_kind, documents("a: &a {x: 1}\nb: {<<: [*a, *a, *a, *a]}\n")),
        ("many YAML documents", apply, json_kind, documents(&"---\nperson: x\n".repeat(50_000))),
        ("JSON depth", releases, json_kind, deep("[", "1", "]").into_bytes()),
        ("JSON depth of objects", releases, json_kind, deep("{\"a\":", "1", "}").into_bytes()),
        ("JSON keys", releases, json_kind, keys.into_bytes()),
        ("JSON keys twice", releases, json_kind, br#"{"service":"web","service":"other","version":"1"}"#.to_vec()),
        ("JSON number", releases, json_kind, format!("{{\"version\":{}}}", "9".repeat(900_000)).into_bytes()),
        ("JSON exponent", releases, json_kind, br#"{"version":1e999999999}"#.to_vec()),
        ("JSON half a pair", releases, json_kind, br#"{"service":"\ud800","version":"1","components":{}}"#.to_vec()),
        ("XML entities", &junit, "application/xml", laughs().into_bytes()),
        ("XML of a file", &junit, "application/xml", br#"<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><testsuites><testsuite name="unit" tests="1"><testcase name="&x;"/></testsuite></testsuites>"#.to_vec()),
        ("XML depth", &junit, "application/xml", deep("<testsuite>", "", "</testsuite>").into_bytes()),
        ("XML attributes", &junit, "application/xml", format!("<testsuites {}/>", (0..200_000).map(|n| format!("a{n}=\"\" ")).collect::<String>()).into_bytes()),
        ("SARIF depth", &sarif, json_kind, format!("{{\"version\":\"2.1.0\",\"runs\":{}}}", deep("[", "", "]")).into_bytes()),
        ("DSSE depth", "/v1/evidence?kind=dsse", json_kind, deep("{\"payload\":", "1", "}").into_bytes()),
        ("many releases' parameters", "/v1/gates/check", json_kind, vec![b' '; 1_000_000]),
    ];
    let pid = world.server.pid();
    // What the first requests of each kind cost for good is no bomb's.
    root.upload("POST", apply, json_kind, documents("person: x\n"));
    let before = memory(pid, "VmHWM").max(memory(pid, "VmRSS"));
    let mut slow = Vec::new();
    for (name, path, kind, body) in bombs {
        let began = worked(pid);
        let answer = root.upload("POST", path, kind, body);
        let took = worked(pid).saturating_sub(began);
        eprintln!("{name}: {} after {} ms", answer.status, took.as_millis());
        // Attributes that nobody asks for are read over; everything else is refused.
        let fine = (400..500).contains(&answer.status) || (name == "XML attributes" && answer.status == 201);
        assert!(fine, "{name}: {} {}", answer.status, answer.text());
        assert!(!answer.text().contains("root:x:0"), "{name} reads a file");
        if took > LIMIT {
            slow.push(format!("{name}: {took:?}"));
        }
    }
    let grown = memory(pid, "VmHWM").saturating_sub(before);
    eprintln!("memory grew by {} MiB", grown >> 10);
    assert!(slow.is_empty(), "{slow:?}");
    assert!(grown < MEMORY_KIB, "memory grew by {} MiB", grown >> 10);
}

/// A body that says it is large is refused before it is sent; one that does not say so, when it is too long.
#[test]
fn ab44_a_gigabyte_is_not_read() {
    let world = World::start();
    let token = world.token("root");
    let address = world.server.url().trim_start_matches("http://").to_owned();
    let before = memory(world.server.pid(), "VmRSS");
    let mut declared = std::net::TcpStream::connect(&address).expect("connected");
    declared.set_read_timeout(Some(Duration::from_secs(5))).expect("set");
    write!(declared, "POST /v1/releases HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: 1073741824\r\n\r\n").expect("sent");
    let mut answer = [0; 32];
    let began = Instant::now();
    let read = declared.read(&mut answer).expect("an answer");
    assert!(String::from_utf8_lossy(&answer[..read]).starts_with("HTTP/1.1 413"), "{:?}", String::from_utf8_lossy(&answer[..read]));
    assert!(began.elapsed() < LIMIT);
    let mut chunked = std::net::TcpStream::connect(&address).expect("connected");
    chunked.set_read_timeout(Some(Duration::from_secs(5))).expect("set");
    write!(chunked, "POST /v1/releases HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n").expect("sent");
    let piece = [b' '; 65536];
    let mut sent = 0;
    while sent < 1 << 30
        && write!(chunked, "10000\r\n").and_then(|()| chunked.write_all(&piece)).and_then(|()| chunked.write_all(b"\r\n")).is_ok()
    {
        sent += piece.len();
    }
    assert!(sent < 64 << 20, "{sent} bytes were read");
    let after = memory(world.server.pid(), "VmRSS");
    assert!(after.saturating_sub(before) < MEMORY_KIB, "memory grew from {before} to {after} KiB");
}

/// A refusal reaches also the client that is still writing: the connection is not reset over unread bytes.
#[test]
fn ab44_the_refusal_reaches_who_is_still_writing() {
    let world = World::start();
    let root = world.api("root");
    let body = vec![b' '; 12 << 20];
    for round in 0..30 {
        // The first route reads nothing of such a body; the second does not even ask who it is.
        let answer = root.upload("POST", "/v1/releases", "application/json", body.clone());
        assert_eq!(answer.status, 413, "round {round}: {}", answer.text());
        let answer = Client::new(world.server.url()).upload("POST", "/v1/evidence?kind=junit", "application/xml", body.clone());
        assert_eq!(answer.status, 401, "round {round}: {}", answer.text());
    }
}

/// Those who send a byte a second do not keep others waiting.
#[test]
fn ab44_slow_callers_hold_up_nobody() {
    let world = World::start();
    let address = world.server.url().trim_start_matches("http://").to_owned();
    let mut slow: Vec<std::net::TcpStream> = (0..200)
        .map(|_| {
            let mut stream = std::net::TcpStream::connect(&address).expect("connected");
            stream.write_all(b"POST /v1/session HTTP/1.1\r\nHost: ").expect("sent");
            stream
        })
        .collect();
    let client = Client::new(world.server.url());
    let mut worst = Duration::ZERO;
    for round in 0..40 {
        for stream in &mut slow {
            // The server may have hung up already: all the better.
            _ = stream.write_all(&[b'a' + u8::try_from(round % 26).unwrap_or(0)]);
        }
        let began = Instant::now();
        assert_eq!(client.get("/healthz").status, 200);
        worst = worst.max(began.elapsed());
    }
    assert!(worst < LIMIT, "somebody waited {worst:?}");
}
