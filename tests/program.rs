//! The service under release: a web server of forty lines that says its version, and reports about it.

/// A version of the service. Its bytes say which it is and how it behaves, so every version has a digest of its own.
#[derive(Debug, Clone)]
pub struct Program {
    version: String,
    /// Of so many requests to `/work` one fails; 0: none.
    fails_one_in: u32,
    /// What `/healthz` says instead of the version.
    claims: Option<String>,
}

impl Program {
    pub fn new(version: &str) -> Self {
        Self { version: version.to_owned(), fails_one_in: 0, claims: None }
    }

    /// One of `requests` to `/work` is answered with 500.
    #[must_use]
    pub fn failing_one_in(mut self, requests: u32) -> Self {
        self.fails_one_in = requests;
        self
    }

    /// It says that it is another version.
    #[must_use]
    pub fn claiming(mut self, version: &str) -> Self {
        self.claims = Some(version.to_owned());
        self
    }

    pub fn version(&self) -> &str {
        &self.version
    }

    /// What is uploaded.
    pub fn bytes(&self) -> Vec<u8> {
        let said = self.claims.as_ref().unwrap_or(&self.version);
        SOURCE.replace("@VERSION@", &self.version).replace("@SAID@", said).replace("@FAILS@", &self.fails_one_in.to_string()).into_bytes()
    }
}

/// No library beyond sockets: starting it takes some 20 ms.
const SOURCE: &str = r#"# web @VERSION@
import socket, sys, threading
FAILS, lock, asked = @FAILS@, threading.Lock(), 0

def answer(path):
    global asked
    if path == "/healthz":
        return 200, '{"version": "@SAID@"}'
    if path != "/work":
        return 404, '{}'
    with lock:
        asked += 1
        bad = FAILS and asked % FAILS == 0
    return (500 if bad else 200), '{"worked": "@VERSION@"}'

def serve(peer):
    lines = peer.makefile("rb")
    try:
        while True:
            first = lines.readline().split()
            if len(first) < 2:
                return
            length, last = 0, False
            while header := lines.readline().strip().lower():
                if header.startswith(b"content-length:"):
                    length = int(header.split(b":")[1])
                last = last or header == b"connection: close"
            lines.read(length)
            status, body = answer(first[1].decode())
            peer.sendall(f"HTTP/1.1 {status} said\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
            if last:
                return
    except OSError:
        pass
    finally:
        peer.close()

listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=128)
while True:
    peer, _ = listener.accept()
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    threading.Thread(target=serve, args=(peer,), daemon=True).start()
"#;

/// A JUnit report of a suite.
pub fn junit(suite: &str, passed: u32, failed: u32) -> Vec<u8> {
    let mut cases = String::new();
    for n in 0..passed {
        cases.push_str(&format!(r#"<testcase classname="{suite}" name="passes {n}" time="0.01"/>"#));
    }
    for n in 0..failed {
        cases
            .push_str(&format!(r#"<testcase classname="{suite}" name="fails {n}" time="0.01"><failure message="4 is not 5"/></testcase>"#));
    }
    let total = passed + failed;
    format!(
        r#"<?xml version="1.0"?><testsuites><testsuite name="{suite}" tests="{total}" failures="{failed}">{cases}</testsuite></testsuites>"#
    )
    .into_bytes()
}

/// A SARIF log of a scanner with so many errors.
pub fn sarif(tool: &str, errors: u32) -> Vec<u8> {
    let results: Vec<serde_json::Value> = (0..errors)
        .map(|n| {
            serde_json::json!({
                "ruleId": "unchecked-index", "level": "error", "message": {"text": "an index that is not checked"},
                "locations": [{"physicalLocation": {"artifactLocation": {"uri": "src/parcel.py"}, "region": {"startLine": 10 + n}}}],
            })
        })
        .collect();
    serde_json::json!({"version": "2.1.0", "runs": [{"tool": {"driver": {"name": tool, "version": "1.2.3"}}, "results": results}]})
        .to_string()
        .into_bytes()
}
