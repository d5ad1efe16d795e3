//! How many durable appends a second: the store beside the same rows in a plain loop.
//!
//! `ledger_bench URL LIMIT_URL IN_FLIGHT SECONDS PAIRS`, with two fresh databases of one engine. Ours: IN_FLIGHT callers, each
//! with a stream of its own, one command at a time with an idempotency key; a sequencer seals every 100 ms and signs. Limit:
//! one connection, transactions of IN_FLIGHT commands, multi-row statements, rows made beforehand: no decisions, no hashes,
//! no locks, no answers. Both with the durability of the database as it is set. The last line is JSON.

use holdpoint_domain::kernel::{Actor, Decision, DocKey, Kind};
use holdpoint_domain::nouns::{Environment, EnvironmentSpec, Fact};
use holdpoint_seal::checkpoint::Checkpoint;
use holdpoint_seal::digest::Digest;
use holdpoint_seal::keys::SigningKey;
use holdpoint_store::{Request, Store};
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

type Failed = Box<dyn std::error::Error>;

fn environment(name: &str, order: u32) -> Fact {
    let spec = json!({"environment": name, "order": order, "variables": {"REGION": "eu-central-1", "TIER": "standard"}});
    Fact::EnvironmentDeclared(serde_json::from_value::<EnvironmentSpec>(spec).unwrap_or_else(|why| panic!("{why}")))
}

async fn caller(store: Store, name: String, stop: Arc<AtomicBool>, done: Arc<AtomicU64>) {
    let mut number = 0u64;
    while !stop.load(Ordering::Relaxed) {
        number += 1;
        let request = Request {
            point: "bench",
            project: "default".to_owned(),
            actor: Actor::engine("bench"),
            route: "bench".to_owned(),
            idempotency: Some((format!("{name}-{number}-{:p}", &*done), Digest::of(b"body"))),
            locks: vec![DocKey::new(Kind::Environment, name.as_str())],
        };
        let name = name.clone();
        let decide = move |view: &holdpoint_domain::kernel::View, _| {
            let order = view.get::<Environment>(&name)?.map_or(0, |environment| environment.spec.order) + 1;
            let mut decision = Decision { answer: json!({"order": order}), ..Decision::default() };
            decision.fact(Kind::Environment, name.as_str(), environment(&name, order));
            Ok(decision)
        };
        if let Err(why) = store.decide(&request, decide).await {
            panic!("{why}");
        }
        done.fetch_add(1, Ordering::Relaxed);
    }
}

/// Seals every 100 ms; returns the longest time in milliseconds that a fact waited.
async fn sequencer(store: Store, stop: Arc<AtomicBool>) -> u64 {
    let key = SigningKey::ed25519(&[2; 32]).unwrap_or_else(|why| panic!("{why}"));
    let sign = |size: u64, root: &Digest| {
        let checkpoint = Checkpoint { origin: "bench.example/log".to_owned(), size, root: *root, extensions: vec![] };
        checkpoint.sign(&key).map_err(|why| why.to_string())
    };
    let (mut previous, mut lag_ms) = (Instant::now(), 0);
    while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        if let Ok(Some(epoch)) = store.lead("sequencer", "bench", Duration::from_secs(60)).await {
            match store.sequence(epoch, 20_000, &sign).await {
                // Everything sealed now was committed after the step before began.
                Ok(_) => lag_ms = lag_ms.max(u64::try_from(previous.elapsed().as_millis()).unwrap_or(u64::MAX)),
                Err(why) => panic!("{why}"),
            }
        }
        previous = began;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    lag_ms
}

async fn ours(store: &Store, in_flight: u64, span: Duration) -> (f64, u64) {
    let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let seals = tokio::spawn(sequencer(store.clone(), Arc::clone(&stop)));
    let callers: Vec<_> = (0..in_flight)
        .map(|number| tokio::spawn(caller(store.clone(), format!("env-{number}"), Arc::clone(&stop), Arc::clone(&done))))
        .collect();
    let began = Instant::now();
    tokio::time::sleep(span).await;
    let rate = done.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await.unwrap_or_else(|why| panic!("{why}"));
    }
    (rate, seals.await.unwrap_or_else(|why| panic!("{why}")))
}

fn places(rows: u64, columns: u64) -> String {
    let row = |row: u64| (1..=columns).map(|column| format!("${}", row * columns + column)).collect::<Vec<_>>().join(",");
    (0..rows).map(|number| format!("({})", row(number))).collect::<Vec<_>>().join(",")
}

/// The same rows without an engine. A macro, for the two connections have different types.
macro_rules! limit {
    ($conn:expr, $begin:literal, $in_flight:expr, $span:expr, $round:expr) => {{
        let facts = format!("INSERT INTO facts (project, stream, position, type, v, at_us, actor, via, prev, hash, body) VALUES {}", places($in_flight, 11));
        let docs = format!(
            "INSERT INTO p_doc (project, kind, key, position, hash, live, state, opened_us, at_us) VALUES {} ON CONFLICT (project, kind, key) DO UPDATE
             SET position = excluded.position, hash = excluded.hash, state = excluded.state, at_us = excluded.at_us",
            places($in_flight, 9)
        );
        let answers = format!("INSERT INTO o_idempotency (project, principal, route, key, body_digest, answer, at_us) VALUES {}", places($in_flight, 7));
        let hash = Digest::of(b"x").to_string();
        let body = environment("env-1", 1).write().2.to_string();
        let state = json!({"spec": environment("env-1", 1).write().2, "retired": false}).to_string();
        let (mut number, began) = (0u64, Instant::now());
        while began.elapsed() < $span {
            number += 1;
            let at_us = number as i64;
            sqlx::raw_sql($begin).execute(&mut $conn).await?;
            let mut query = sqlx::query(AssertSqlSafe(answers.clone()));
            for of in 0..$in_flight {
                query = query.bind("default").bind("engine:bench").bind("bench").bind(format!("{}-{of}-{number}", $round)).bind(hash.clone());
                query = query.bind(json!({"answer": {"order": number}, "facts": [["environment/env-1", number, hash, "EnvironmentDeclared"]]}).to_string()).bind(at_us);
            }
            query.execute(&mut $conn).await?;
            let mut query = sqlx::query(AssertSqlSafe(docs.clone()));
            for of in 0..$in_flight {
                query = query.bind("default").bind("environment").bind(format!("{}-{of}", $round)).bind(at_us).bind(hash.clone()).bind(1i64);
                query = query.bind(state.clone()).bind(at_us).bind(at_us);
            }
            query.execute(&mut $conn).await?;
            let mut query = sqlx::query(AssertSqlSafe(facts.clone()));
            for of in 0..$in_flight {
                query = query.bind("default").bind(format!("environment/{}-{of}", $round)).bind(at_us).bind("EnvironmentDeclared").bind(1i64).bind(at_us);
                query = query.bind("engine:bench").bind("engine").bind(hash.clone()).bind(hash.clone()).bind(body.clone());
            }
            query.execute(&mut $conn).await?;
            sqlx::raw_sql("COMMIT").execute(&mut $conn).await?;
        }
        (number * $in_flight) as f64 / began.elapsed().as_secs_f64()
    }};
}

async fn limit(url: &str, in_flight: u64, span: Duration, round: u32) -> Result<f64, Failed> {
    if url.starts_with("sqlite:") {
        use sqlx::ConnectOptions as _;
        use std::str::FromStr as _;
        let options = sqlx::sqlite::SqliteConnectOptions::from_str(url)?.synchronous(sqlx::sqlite::SqliteSynchronous::Full);
        let mut conn = options.connect().await?;
        return Ok(limit!(conn, "BEGIN IMMEDIATE", in_flight, span, round));
    }
    let mut conn = sqlx::PgConnection::connect(url).await?;
    Ok(limit!(conn, "BEGIN", in_flight, span, round))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[tokio::main]
async fn main() -> Result<(), Failed> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, limit_url, in_flight, seconds, pairs] = arguments.as_slice() else {
        return Err("URL LIMIT_URL IN_FLIGHT SECONDS PAIRS".into());
    };
    let (in_flight, span, pairs): (u64, _, u32) = (in_flight.parse()?, Duration::from_secs_f64(seconds.parse()?), pairs.parse()?);
    let folder = tempfile::tempdir()?;
    let store = Store::open(url, folder.path()).await?;
    drop(Store::open(limit_url, folder.path()).await?);
    ours(&store, in_flight, Duration::from_millis(300)).await;
    let (mut our, mut their, mut lag_ms) = (Vec::new(), Vec::new(), 0);
    for round in 0..pairs {
        let (rate, lag) = ours(&store, in_flight, span).await;
        lag_ms = lag_ms.max(lag);
        our.push(rate);
        their.push(limit(limit_url, in_flight, span, round).await?);
        eprintln!("pair {round}: ours {:.0}/s, limit {:.0}/s, sealed within {lag} ms", our[round as usize], their[round as usize]);
    }
    let differences = store.rebuild_compare().await?;
    if !differences.is_empty() {
        return Err(format!("the ledger does not agree with itself: {differences:?}").into());
    }
    let engine = if url.starts_with("sqlite:") { "sqlite" } else { "postgres" };
    let (our, their) = (median(our), median(their));
    println!(
        "{}",
        json!({
            "job": format!("ledger-{engine}-{in_flight}"), "unit": "appends/s", "ours": our.round(), "limit": their.round(),
            "limit_name": "same rows, plain loop, multi-row, no engine", "ratio_to_limit": (our / their * 100.0).round() / 100.0,
            "sealed_within_ms": lag_ms, "pairs": pairs, "in_flight": in_flight, "facts": store.counts().await?.facts,
            "profile": if cfg!(debug_assertions) { "dev" } else { "release" },
        })
    );
    Ok(())
}
