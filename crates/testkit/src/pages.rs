//! A tiny web server for tests: fixed pages, and a record of what was asked. Also a webhook's other end.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// One request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    pub path: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

type Answer = (u16, &'static str, String);
type Handler = dyn Fn(&Request) -> Answer + Send + Sync;

/// Listens until the test process ends.
pub struct Pages {
    url: String,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Pages {
    /// Serves these paths; others are 404.
    pub fn fixed(pages: &[(&'static str, &'static str, &str)]) -> Self {
        let pages: BTreeMap<&'static str, (&'static str, String)> =
            pages.iter().map(|(path, kind, text)| (*path, (*kind, (*text).to_owned()))).collect();
        Self::start(move |request| match pages.get(request.path.as_str()) {
            Some((kind, text)) => (200, kind, text.clone()),
            None => (404, "text/plain", "not here\n".to_owned()),
        })
    }

    /// Answers with (status, content type, body).
    pub fn start(handler: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (record, handler): (_, Arc<Handler>) = (seen.clone(), Arc::new(handler));
        std::thread::spawn(move || {
            for stream in listener.incoming().filter_map(Result::ok) {
                let (record, handler) = (record.clone(), handler.clone());
                // A caller that hangs up is no concern of the test.
                std::thread::spawn(move || _ = answer(stream, &record, &*handler));
            }
        });
        Self { url, seen }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// What was asked so far.
    pub fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn answer(stream: TcpStream, seen: &Mutex<Vec<Request>>, handler: &Handler) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next().unwrap_or("").to_owned(), words.next().unwrap_or("").to_owned());
    let mut headers = BTreeMap::new();
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim().split_once(':') else { break };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse::<u64>().ok()).unwrap_or(0);
    let mut body = Vec::new();
    reader.by_ref().take(length).read_to_end(&mut body)?;
    let request = Request { method, path, headers, body };
    let (status, kind, text) = handler(&request);
    seen.lock().unwrap_or_else(PoisonError::into_inner).push(request);
    write!(
        reader.get_mut(),
        "HTTP/1.1 {status} answer\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    )
}
