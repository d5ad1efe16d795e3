//! Sends the visits of a timetable at their time and hands every answer to the recorder.

use crate::figures::{Figures, Summary};
use crate::journal::{Entry, Journal};
use crate::timetable::{Timetable, Visit, Wish};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Method, Request};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use std::future::Future;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub struct Plan {
    /// Addresses of storefronts, without a slash at their end; visitors take them in turn.
    pub urls: Vec<String>,
    /// Requests per second.
    pub rate: f64,
    /// Share of writes.
    pub writes: f64,
    /// None: until the stop signal.
    pub lasts: Option<Duration>,
    pub seed: u64,
    /// A request without an answer by then counts as failed.
    pub timeout: Duration,
    pub journal: Option<PathBuf>,
    /// Replaced every second; without it progress goes to standard error.
    pub status: Option<PathBuf>,
}

/// Above this many unanswered requests a visit is counted as failed instead of sent.
const CROWDED: usize = 4000;
/// Orders and keys remembered for later visits.
const REMEMBERED: usize = 2000;

type Http = Client<HttpConnector, Full<Bytes>>;
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A checkout as it was sent, so that it can be sent again.
#[derive(Clone)]
struct Basket {
    key: String,
    sku: String,
    qty: u32,
}

#[derive(Default)]
struct Memory {
    orders: Vec<String>,
    baskets: Vec<Basket>,
}

struct Crowd {
    http: Http,
    urls: Vec<String>,
    run: String,
    timeout: Duration,
    memory: Mutex<Memory>,
    in_flight: AtomicUsize,
    answers: Sender<Entry>,
}

/// Runs the plan to its end, or until `stop` is ready, and waits for the answers under way.
pub async fn run(plan: Plan, stop: impl Future<Output = ()>) -> Result<Summary, Failure> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let http: Http = Client::builder(TokioExecutor::new()).pool_idle_timeout(Duration::from_secs(10)).build(connector);
    let skus = catalogue(&http, plan.urls.first().ok_or("no address")?).await?;
    let journal = plan.journal.as_deref().map(Journal::create).transpose()?;
    let (answers, received) = channel();
    let unix = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let crowd = Arc::new(Crowd {
        http,
        urls: plan.urls,
        run: format!("{:x}-{:x}", unix.as_millis(), std::process::id()),
        timeout: plan.timeout,
        memory: Mutex::default(),
        in_flight: AtomicUsize::new(0),
        answers,
    });
    let (start, start_us) = (Instant::now(), u64::try_from(unix.as_micros())?);
    let recorder = {
        let crowd = Arc::downgrade(&crowd);
        let in_flight = move || crowd.upgrade().map_or(0, |crowd| crowd.in_flight.load(Ordering::Relaxed));
        std::thread::spawn(move || record(&received, journal, plan.status, start, in_flight))
    };
    let timetable = Timetable::new(plan.seed, skus, plan.rate, plan.writes);
    send(&crowd, timetable, plan.lasts, start, start_us, stop).await;
    let seconds = start.elapsed().as_secs_f64();
    let patience = Instant::now() + crowd.timeout + Duration::from_secs(1);
    while crowd.in_flight.load(Ordering::Relaxed) > 0 && Instant::now() < patience {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(crowd);
    let figures = recorder.join().map_err(|_| "the recorder died")??;
    Ok(figures.summary(seconds))
}

async fn catalogue(http: &Http, url: &str) -> Result<Vec<String>, Failure> {
    let answer = http.get(format!("{url}/").parse()?).await?;
    let status = answer.status();
    let body = answer.into_body().collect().await?.to_bytes();
    let articles: Vec<Value> = serde_json::from_slice(&body).map_err(|_| format!("{url}/ answered {status} and no catalogue"))?;
    let skus: Vec<String> = articles.iter().filter_map(|article| article["sku"].as_str().map(str::to_owned)).collect();
    if skus.is_empty() { Err(format!("the catalogue at {url}/ is empty").into()) } else { Ok(skus) }
}

async fn send(
    crowd: &Arc<Crowd>,
    timetable: Timetable,
    lasts: Option<Duration>,
    start: Instant,
    start_us: u64,
    stop: impl Future<Output = ()>,
) {
    tokio::pin!(stop);
    for (n, Visit { at, wish }) in (0u64..).zip(timetable) {
        let over = lasts.is_some_and(|lasts| at >= lasts);
        let until = start + lasts.map_or(at, |lasts| lasts.min(at));
        tokio::select! {
            biased;
            () = &mut stop => return,
            () = tokio::time::sleep_until(until.into()) => {}
        }
        if over {
            return;
        }
        let intended_us = start_us + u64::try_from(at.as_micros()).unwrap_or(u64::MAX);
        let crowded = crowd.in_flight.fetch_add(1, Ordering::Relaxed) >= CROWDED;
        let crowd = Arc::clone(crowd);
        tokio::spawn(async move {
            let mut entry = if crowded { turned_away() } else { crowd.visit(n, wish).await };
            entry.n = n;
            entry.intended_us = intended_us;
            entry.latency_us = u64::try_from((start + at).elapsed().as_micros()).unwrap_or(u64::MAX);
            let _ = crowd.answers.send(entry);
            crowd.in_flight.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

fn blank(kind: &str) -> Entry {
    Entry {
        n: 0,
        kind: kind.to_owned(),
        intended_us: 0,
        latency_us: 0,
        status: 0,
        key: None,
        order: None,
        sku: None,
        qty: None,
        error: None,
    }
}

fn turned_away() -> Entry {
    Entry { error: Some(format!("not sent: {CROWDED} requests were unanswered")), ..blank("crowded") }
}

impl Crowd {
    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn visit(&self, n: u64, wish: Wish) -> Entry {
        match wish {
            Wish::Front => self.read(n, "front", "/").await,
            Wish::Product { sku, qty } => {
                let entry = self.read(n, "product", &format!("/product/{sku}?qty={qty}")).await;
                Entry { sku: Some(sku), qty: Some(qty), ..entry }
            }
            Wish::Order { which } => {
                let order = choose(&self.memory().orders, which);
                match order {
                    Some(id) => self.read(n, "order", &format!("/order/{id}")).await,
                    None => self.read(n, "front", "/").await,
                }
            }
            Wish::Checkout { sku, qty } => self.buy(n, Basket { key: format!("{}-{n:07}", self.run), sku, qty }).await,
            Wish::Again { which } => {
                let basket = choose(&self.memory().baskets, which);
                match basket {
                    Some(basket) => self.buy(n, basket).await,
                    None => self.read(n, "front", "/").await,
                }
            }
        }
    }

    async fn read(&self, n: u64, kind: &str, path: &str) -> Entry {
        let (status, _, error) = self.ask(n, Method::GET, path, Bytes::new()).await;
        Entry { status, error, ..blank(kind) }
    }

    async fn buy(&self, n: u64, basket: Basket) -> Entry {
        remember(&mut self.memory().baskets, basket.clone());
        let body = json!({
            "key": basket.key,
            "customer": format!("customer-{}", basket.key.bytes().fold(0u32, |sum, byte| (sum * 31 + u32::from(byte)) % 500)),
            "sku": basket.sku,
            "qty": basket.qty,
            "card": {"number": "4111 1111 1111 1111", "expires": "12/39"},
        });
        let (status, answer, error) = self.ask(n, Method::POST, "/checkout", Bytes::from(body.to_string())).await;
        let order = answer["id"].as_str().map(str::to_owned);
        let entry =
            Entry { status, error, key: Some(basket.key), order, sku: Some(basket.sku), qty: Some(basket.qty), ..blank("checkout") };
        if let (true, Some(order)) = (entry.acknowledged(), &entry.order) {
            remember(&mut self.memory().orders, order.clone());
        }
        entry
    }

    /// Status 0 and a reason when there was no answer.
    async fn ask(&self, n: u64, method: Method, path: &str, body: Bytes) -> (u16, Value, Option<String>) {
        match tokio::time::timeout(self.timeout, self.exchange(n, method, path, body)).await {
            Ok(Ok((status, body))) => (status, serde_json::from_slice(&body).unwrap_or(Value::Null), None),
            Ok(Err(failure)) => (0, Value::Null, Some(failure.to_string())),
            Err(_) => (0, Value::Null, Some("no answer in time".to_owned())),
        }
    }

    async fn exchange(&self, n: u64, method: Method, path: &str, body: Bytes) -> Result<(u16, Bytes), Failure> {
        let turn = usize::try_from(n)? % self.urls.len();
        let url = &self.urls[turn];
        let request = Request::builder()
            .method(method)
            .uri(format!("{url}{path}"))
            .header("content-type", "application/json")
            .body(Full::new(body))?;
        let answer = self.http.request(request).await?;
        let status = answer.status().as_u16();
        Ok((status, answer.into_body().collect().await?.to_bytes()))
    }
}

fn choose<T: Clone>(from: &[T], which: u64) -> Option<T> {
    let count = u64::try_from(from.len()).ok().filter(|count| *count > 0)?;
    from.get(usize::try_from(which % count).ok()?).cloned()
}

fn remember<T>(list: &mut Vec<T>, item: T) {
    if list.len() >= REMEMBERED {
        list.swap_remove(0);
    }
    list.push(item);
}

/// Writes the journal and the progress; ends when nobody can send an answer any more.
fn record(
    received: &Receiver<Entry>,
    mut journal: Option<Journal>,
    status: Option<PathBuf>,
    start: Instant,
    in_flight: impl Fn() -> usize,
) -> Result<Figures, Failure> {
    let mut figures = Figures::default();
    let mut second = 1;
    loop {
        let tick = start + Duration::from_secs(second);
        match received.recv_timeout(tick.saturating_duration_since(Instant::now())) {
            Ok(entry) => {
                figures.add(&entry);
                if let Some(journal) = &mut journal {
                    journal.write(&entry)?;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if Instant::now() >= tick {
            let line = serde_json::to_string(&figures.progress(second, in_flight()))?;
            show(status.as_deref(), &line)?;
            if let Some(journal) = &mut journal {
                journal.flush()?;
            }
            second = start.elapsed().as_secs() + 1;
        }
    }
    if let Some(journal) = journal {
        journal.close()?;
    }
    Ok(figures)
}

/// A reader of the status file never sees half a line: the file is replaced as a whole.
fn show(status: Option<&std::path::Path>, line: &str) -> std::io::Result<()> {
    let Some(path) = status else {
        eprintln!("{line}");
        return Ok(());
    };
    let next = path.with_extension("next");
    std::fs::write(&next, format!("{line}\n"))?;
    std::fs::rename(next, path)
}
