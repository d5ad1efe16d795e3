//! Benchmark: pipelines of five durable no-op stages per second, in process, through the engine's own lease and outcome.
//!
//! usage: pipelines URL COUNT IN_FLIGHT [FOLDER]; prints one JSON line. With FOLDER, the data folder of a server, the ledger is
//! sealed to its end and a server can be started on it. Opening a pipeline is one durable commit, leasing its
//! first stage another, and each outcome one, which also leases the stage after it. The stages' work is nothing, as in the peer's benchmark.

use holdpoint_domain::kernel::{Action, ActionChange, Actor, Decision, DocKey, Kind, Timestamp, View};
use holdpoint_domain::nouns::{Fact, Purpose, ServiceSpec, Step, StepSpec};
use holdpoint_engine::Engine;
use holdpoint_engine::keys::Keys;
use holdpoint_executors::spec::Outcome;
use holdpoint_store::{Request, Store};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const STAGES: usize = 5;

fn request(point: &'static str, locks: Vec<DocKey>) -> Request {
    Request { point, project: "default".to_owned(), actor: Actor::engine("bench"), route: point.to_owned(), idempotency: None, locks }
}

fn open_run(id: &str) -> Decision {
    let spec = |n: usize| StepSpec::Command {
        argv: vec!["true".to_owned()],
        component: None,
        variables: BTreeMap::new(),
        probe: vec![],
        junit: None,
        timeout: holdpoint_domain::kernel::Span::from_s(60 + n as u64),
    };
    let steps = (0..STAGES).map(|n| Step::new(format!("s{n}"), format!("stage {n}"), spec(n), true, true)).collect();
    let mut decision = Decision::default();
    decision.fact(
        Kind::Run,
        id,
        Fact::RunOpened {
            id: id.parse().expect("an id"),
            purpose: Purpose::Build,
            release: None,
            service: "bench".to_owned(),
            environment: None,
            version: "1".to_owned(),
            pool: "default".to_owned(),
            manifest_digest: None,
            components: BTreeMap::new(),
            previous: None,
            steps,
            report: None,
            by: None,
        },
    );
    decision.actions.push(ActionChange::Enqueue(Action {
        run: id.to_owned(),
        step: "s0".to_owned(),
        pool: "default".to_owned(),
        not_before: None,
    }));
    decision
}

#[tokio::main]
async fn main() {
    let args: Vec<String> = std::env::args().collect();
    let (url, count, in_flight): (String, usize, usize) =
        (args[1].clone(), args[2].parse().expect("a number"), args[3].parse().expect("a number"));
    let kept = args.get(4).map(std::path::PathBuf::from);
    let folder = kept.clone().unwrap_or_else(|| std::env::temp_dir().join(format!("holdpoint-bench-{}", std::process::id())));
    std::fs::create_dir_all(&folder).expect("a folder");
    let store = Store::open(&url, &folder.join("blobs")).await.expect("a store");
    let origin = format!("holdpoint/{}", store.instance());
    let keys = Keys::load_or_make(&folder.join("keys"), &origin).expect("keys");
    let engine = Engine::new(store.clone(), keys, "default");
    let tasks = engine.run();
    let service: ServiceSpec =
        serde_json::from_value(serde_json::json!({"service": "bench", "pipeline": "none", "components": {}})).expect("a service");
    store
        .decide(&request("organisation.apply", vec![DocKey::new(Kind::Service, "bench")]), move |view: &View, _: Timestamp| {
            view.position(&DocKey::new(Kind::Service, "bench"))?;
            let mut decision = Decision::default();
            decision.fact(Kind::Service, "bench", Fact::ServiceDeclared(service.clone()));
            Ok(decision)
        })
        .await
        .expect("declared");

    let started = Instant::now();
    let next = Arc::new(AtomicUsize::new(0));
    let ended = Arc::new(AtomicUsize::new(0));
    let opened: Arc<Mutex<BTreeMap<String, Instant>>> = Arc::default();
    let first: Arc<Mutex<Vec<f64>>> = Arc::default();
    let mut loops = Vec::new();
    for slot in 0..in_flight {
        let (engine, store, next, ended, opened, first) =
            (engine.clone(), store.clone(), next.clone(), ended.clone(), opened.clone(), first.clone());
        loops.push(tokio::spawn(async move {
            loop {
                let n = next.fetch_add(1, Ordering::SeqCst);
                if n >= count {
                    break;
                }
                let id = format!("run_bench{n}");
                opened.lock().expect("no panic").insert(id.clone(), Instant::now());
                let key = id.clone();
                store
                    .decide(&request("run.open", vec![DocKey::new(Kind::Run, id.as_str())]), move |_: &View, _: Timestamp| {
                        Ok(open_run(&key))
                    })
                    .await
                    .expect("opened");
                let asking =
                    holdpoint_engine::protocol::Asking { pool: "default".to_owned(), worker: format!("bench/{slot}"), identity: None };
                // Whatever pipeline is ready is worked on to its end, as a worker does: each outcome brings the next step.
                let mut lease = loop {
                    if let Some(lease) = engine.lease(&asking, Duration::from_secs(1)).await.expect("a lease") {
                        break Some(lease);
                    }
                };
                while let Some(step) = lease {
                    if step.step == "s0" {
                        let since = opened.lock().expect("no panic").get(&step.run).copied().expect("opened");
                        first.lock().expect("no panic").push(since.elapsed().as_secs_f64() * 1000.0);
                    }
                    let token = engine.attempt_by_secret(&step.attempt, &step.secret).expect("a token");
                    let done = Outcome::Done { outputs: serde_json::json!({}) };
                    lease = engine.outcome(&token, step.token, done, false, None, true).await.expect("taken").next;
                    let last = step.step == format!("s{}", STAGES - 1);
                    assert_eq!(last, lease.is_none(), "each stage brings the next");
                    ended.fetch_add(usize::from(last), Ordering::SeqCst);
                }
            }
        }));
    }
    for one in loops {
        one.await.expect("no panic");
    }
    let seconds = started.elapsed().as_secs_f64();
    assert_eq!(ended.load(Ordering::SeqCst), count, "every pipeline ended");
    // The first start of a server finds a sealed ledger, as after any orderly stop.
    let mut counts = store.counts().await.expect("counts");
    while kept.is_some() && counts.unsealed > 0 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        counts = store.counts().await.expect("counts");
    }
    let mut first = first.lock().expect("no panic").clone();
    first.sort_by(f64::total_cmp);
    println!(
        "{}",
        serde_json::json!({"pipelines_per_s": count as f64 / seconds, "count": count, "in_flight": in_flight, "stages": STAGES,
            "facts": counts.facts, "durable_commits_per_pipeline": 2 + STAGES, "first_stage_p50_ms": first[first.len() / 2]})
    );
    engine.stop();
    for task in tasks {
        task.abort();
    }
    if kept.is_none() {
        let _gone = std::fs::remove_dir_all(&folder);
    }
}
