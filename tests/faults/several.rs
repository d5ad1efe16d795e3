//! F03, F04: several workers in one pool, and workers that are started again on what they left.

use crate::stage::{PATIENCE, pause};
use crate::workers::{Bed, wait};
use holdpoint_testkit::process::eventually;
use holdpoint_testkit::{Options, Postgres, needs};
use serde_json::Value;
use std::time::{Duration, Instant};

/// Worker of the last attempt of every step of one kind, by the step's id.
fn who(run: &Value, kind: &str) -> Vec<String> {
    let steps = run["steps"].as_array().cloned().unwrap_or_default();
    let of_kind = steps.iter().filter(|step| step["id"].as_str().is_some_and(|id| id.contains(kind)));
    let worker = |step: &Value| step["worker"].as_str()?.split('/').next().map(str::to_owned);
    of_kind.filter_map(worker).collect()
}

/// Two workers share a pool; each stops and checks what it has started itself, however often versions follow each other.
#[test]
fn f03_instances_are_stopped_and_checked_by_whoever_started_them() {
    let bed = Bed::start(|_| "      - {name: nothing, command: [\"true\"]}\n".to_owned());
    let _hands = [bed.worker("east"), bed.worker("west")];
    let mut before: Option<String> = None;
    for n in 0..5 {
        let run = bed.deploy(&format!("1.{n}.0"));
        let view = bed.until(&run, "the run ends", |run| run["state"] == "ended");
        assert_eq!(view["result"], "succeeded", "{view:#}");
        let started = who(&view, ".start");
        assert_eq!(who(&view, "verify"), started, "{view:#}");
        if let Some(before) = before {
            assert_eq!(who(&view, "stop-old"), [before], "{view:#}");
        }
        before = started.first().cloned();
    }
}

/// The one that has the instances dies: the run is held and says for whom it waits. It comes back, and the run goes on.
#[test]
fn f03_a_run_waits_for_the_worker_that_has_the_instances() {
    let bed = Bed::start(|folder| {
        format!("      - name: gate\n        command: [\"/bin/sh\", \"-c\", \"while test -e {folder}/shut; do sleep 0.05; done\"]\n")
    });
    let mut east = bed.worker("east");
    let first = bed.deploy("1.0.0");
    assert_eq!(bed.until(&first, "the run ends", |run| run["state"] == "ended")["result"], "succeeded");
    std::fs::write(bed.folder.path().join("shut"), "").expect("a file");
    let _west = bed.worker("west");
    east.kill();
    let second = bed.deploy("1.1.0");
    std::fs::remove_file(bed.folder.path().join("shut")).expect("it is there");
    let held = bed.until(&second, "the run is held", |run| run["state"] == "held" || run["state"] == "ended");
    assert_eq!(held["cause"]["code"], "ORC-014", "{held:#}");
    assert!(held["cause"]["sentence"].as_str().is_some_and(|text| text.contains("worker east")), "{held:#}");
    assert!(who(&held, "verify").iter().all(|worker| worker == "west"), "{held:#}");
    east.start(None);
    let view = bed.until(&second, "the run ends", |run| run["state"] == "ended");
    assert_eq!(view["result"], "succeeded", "{view:#}");
    assert_eq!(who(&view, "stop-old"), ["east"], "{view:#}");
}

/// How long a server that was killed in the middle of a step needs until its own worker has the step again.
fn taken_up_again(bed: &mut Bed) -> Duration {
    let run = bed.deploy("1.0.0");
    bed.begun();
    pause(Duration::from_millis(500));
    let first = bed.run(&run)["steps"][0]["started"].clone();
    bed.server.kill();
    let began = Instant::now();
    bed.server.restart();
    bed.until(&run, "it is taken up again", |run| run["steps"][0]["started"] != first && run["steps"][0]["finished"].is_null());
    let took = began.elapsed();
    std::fs::write(bed.folder.path().join("go"), "").expect("a file");
    let view = bed.until(&run, "the run ends", |run| run["state"] == "ended");
    assert_eq!(view["result"], "succeeded", "{view:#}");
    assert_eq!(bed.lines(), ["begun"], "the step was begun twice");
    eprintln!("taken up again after {:.1} s", took.as_secs_f64());
    took
}

/// A lease has 15 s; the worker in the server's own process proves that it is the same one, and does not wait for its end.
#[test]
fn f04_the_servers_own_worker_takes_up_at_once_what_it_had() {
    let mut bed = Bed::on(Options::default(), |folder| wait(folder, false));
    let took = taken_up_again(&mut bed);
    assert!(took < Duration::from_secs(10), "{took:?}");
}

/// On PostgreSQL another server might lead: it is waited for, but not long.
#[test]
fn f04_on_postgres_as_well() {
    needs!("postgres");
    let database = Postgres::start();
    let options = Options { database: Some(database.url()), ..Options::default() };
    let mut bed = Bed::on(options, |folder| wait(folder, false));
    // A name has to have stood for a folder for a while.
    pause(Duration::from_secs(3));
    let took = taken_up_again(&mut bed);
    assert!(took < Duration::from_secs(10), "{took:?}");
}

/// A worker that is started again while another works in the same folder proves nothing: nobody's step is taken away.
#[test]
fn f03_a_second_worker_on_the_same_folder_takes_nothing_away() {
    let bed = Bed::start(|folder| wait(folder, false));
    let first = bed.worker("one");
    let run = bed.deploy("1.0.0");
    bed.begun();
    let leased = bed.run(&run)["steps"][0]["started"].clone();
    let beside = crate::stage::Hand::on(bed.server.url(), &bed.server.pool_key(), "one", Some(first.data.clone()));
    pause(Duration::from_secs(3));
    let view = bed.run(&run);
    assert_eq!(view["steps"][0]["started"], leased, "{view:#}");
    std::fs::write(bed.folder.path().join("go"), "").expect("a file");
    let view = bed.until(&run, "the run ends", |run| run["state"] == "ended");
    assert_eq!((view["result"].as_str(), bed.lines().len()), (Some("succeeded"), 1), "{view:#}");
    drop(beside);
    eventually("its program has ended", PATIENCE, || (bed.run(&run)["state"] == "ended").then_some(()));
}
