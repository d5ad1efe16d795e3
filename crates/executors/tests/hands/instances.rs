//! Starting, finding, verifying and stopping instances.

use crate::bench::*;
use holdpoint_executors::process::directory::{Artifact, Directory, ShimSpec, State};
use holdpoint_executors::process::proc;
use holdpoint_executors::spec::*;
use holdpoint_executors::{Observation, observe, start};
use nix::sys::signal::Signal;
use std::time::Duration;

fn state(bench: &Bench, name: &str) -> State {
    Directory::at(bench.root().join("instances").join(name)).state().unwrap()
}

fn verify(instances: &[Instance], version: &str) -> VerifySpec {
    VerifySpec {
        targets: instances.iter().map(|i| i.address.clone()).collect(),
        path: "/healthz".into(),
        version_field: Some("version".into()),
        version: version.into(),
        times: 3,
        interval_ms: 10,
        timeout_s: 1,
        instances: instances.to_vec(),
    }
}

fn stop(instances: &[Instance]) -> StopSpec {
    StopSpec { instances: instances.iter().map(|i| i.name.clone()).collect(), drain_s: 5 }
}

#[tokio::test]
async fn started_twice_is_started_once_then_verified_and_stopped() {
    let bench = Bench::new();
    let spec = StartSpec { instances: 2, ..bench.service("1.2.3", &[]).await };
    let cx = bench.context("att_1");
    let first = instances(run(spec.clone(), &cx).await);
    assert_eq!(first.len(), 2);
    assert_ne!(first[0].address, first[1].address);
    assert!(first.iter().all(|i| alive(i) && i.digest == spec.digest));

    assert_eq!(instances(run(spec.clone(), &cx).await), first, "from the record");
    std::fs::remove_file(bench.root().join("attempts/att_1/outcome.json")).unwrap();
    assert_eq!(instances(run(spec.clone(), &bench.context("att_1")).await), first, "joined");

    // What runs does not follow the file from which it came.
    std::fs::write(bench.blobs().join(spec.digest.replace(':', "-")), "swapped").unwrap();
    outputs(run(verify(&first, "1.2.3"), &bench.context("att_2")).await);
    let wrong = failure(run(verify(&first, "1.2.4"), &bench.context("att_3")).await);
    assert!(wrong.contains("it says that it is version"), "{wrong}");
    let mut other = first.clone();
    other[0].digest = format!("sha256:{}", "0".repeat(64));
    let wrong = failure(run(verify(&other, "1.2.3"), &bench.context("att_4")).await);
    assert!(wrong.contains("digest_mismatch"), "{wrong}");

    let stopped = outputs(run(stop(&first), &bench.context("att_5")).await);
    assert_eq!(stopped["stopped"].as_array().unwrap().len(), 2);
    assert!(first.iter().all(|i| !alive(i)));
    let again = outputs(run(stop(&first), &bench.context("att_6")).await);
    assert_eq!(again["gone"].as_array().unwrap().len(), 2);
    let gone = failure(run(verify(&first, "1.2.3"), &bench.context("att_7")).await);
    assert!(gone.contains("stopped"), "{gone}");
}

#[tokio::test]
async fn an_unhealthy_instance_fails_the_step_and_leaves_nothing_running() {
    let bench = Bench::new();
    let good = bench.service("2.0.0", &[]).await;
    let mut lying = good.clone();
    lying.argv[3] = "1.9.9".into();
    lying.health.timeout_s = 1;
    let mut hanging = good.clone();
    hanging.argv.push("hang".into());
    hanging.health.timeout_s = 1;
    let mut crashing = good.clone();
    crashing.argv.push("crash".into());
    let mut unknown = good.clone();
    unknown.argv.push("${config.absent}".into());
    for (n, (spec, expected)) in [
        (lying, "it says that it is version \"1.9.9\", not \"2.0.0\""),
        (hanging, "no answer yet"),
        (crashing, "exit code 7"),
        (unknown, "nothing is known for ${config.absent}"),
    ]
    .into_iter()
    .enumerate()
    {
        let reason = failure(run(spec, &bench.context(&format!("att_{n}"))).await);
        assert!(reason.contains(expected), "{reason}");
        assert_eq!(bench.processes(), Vec::<i32>::new());
    }
}

#[tokio::test]
async fn a_swapped_artifact_never_runs() {
    let bench = Bench::new();
    let spec = bench.service("1.0.0", &[]).await;
    let path = bench.blobs().join(spec.digest.replace(':', "-"));
    let trace = bench.path().join("ran");
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, format!("#!/bin/sh\ntouch {}\n", trace.display())).unwrap();
    let outcome = run(spec, &bench.context("att_1")).await;
    assert!(failure(outcome).contains("digest_mismatch"));
    assert!(!trace.exists());
    assert_eq!(bench.processes(), Vec::<i32>::new());
}

#[tokio::test]
async fn a_script_runs_from_its_sealed_copy() {
    let bench = Bench::new();
    let file = bench.path().join("script");
    std::fs::write(&file, format!("#!/bin/sh\nexec {} serve \"$1\" \"$2\"\n", example("service"))).unwrap();
    let mut spec = bench.service("1.0.0", &[]).await;
    spec.digest = bench.blob(&file).await;
    spec.argv = ["${artifact}", "${port}", "${version}"].map(String::from).into();
    let running = instances(run(spec.clone(), &bench.context("att_1")).await);
    assert_eq!(running[0].digest, spec.digest);
}

#[tokio::test]
async fn a_rendered_artifact_is_filled_in_and_given_to_the_program() {
    let bench = Bench::new();
    let file = bench.path().join("config");
    std::fs::write(&file, "port=${port}\nversion=${version}\nother=${config.level} ${untouched}\n").unwrap();
    let mut spec = bench.service("3.0.0", &[]).await;
    spec.digest = bench.blob(&file).await;
    spec.render = true;
    spec.argv = vec![example("service"), "config".into(), "${artifact}".into()];
    spec.config.insert("level".into(), "high".into());
    let running = instances(run(spec, &bench.context("att_1")).await);
    let rendered = bench.root().join("instances").join(&running[0].name).join("rendered");
    assert!(std::fs::read_to_string(rendered).unwrap().ends_with("other=high ${untouched}\n"));
}

#[tokio::test]
async fn an_instance_outlives_its_shim_and_can_still_be_stopped() {
    let bench = Bench::new();
    let spec = bench.service("1.0.0", &[]).await;
    let running = instances(run(spec.clone(), &bench.context("att_1")).await);
    let shim = state(&bench, &running[0].name).shim;
    proc::signal_one(shim.pid, Signal::SIGKILL);
    until("the shim is dead", || !shim.alive()).await;
    outputs(run(verify(&running, "1.0.0"), &bench.context("att_2")).await);
    std::fs::remove_file(bench.root().join("attempts/att_1/outcome.json")).unwrap();
    assert_eq!(instances(run(spec, &bench.context("att_1")).await), running, "joined, not started again");
    let stopped = outputs(run(stop(&running), &bench.context("att_3")).await);
    assert_eq!(stopped["stopped"][0], running[0].name.as_str());
    assert_eq!(bench.processes(), Vec::<i32>::new());
}

#[tokio::test]
async fn a_worker_killed_while_an_instance_comes_up_is_followed_by_one_that_joins() {
    let bench = Bench::new();
    let spec = bench.service("1.0.0", &["slow-start", "1500"]).await;
    let mut worker = bench.worker("att_1", Duration::from_secs(30), &Spec::Start(spec.clone()));
    let directory = Directory::at(bench.root().join("instances/att_1.0"));
    until("the program runs", || directory.state().is_some_and(|s| s.pid.is_some())).await;
    worker.kill().unwrap();
    worker.wait().unwrap();
    let pid = directory.state().unwrap().pid.unwrap();
    let cx = bench.context("att_1");
    assert_eq!(observe(&Spec::Start(spec.clone()), &cx).await, Observation::Running);
    let running = instances(run(spec, &cx).await);
    assert_eq!(running[0].pid, pid);
    assert_eq!(bench.processes(), [pid]);
}

#[tokio::test]
async fn a_taken_port_is_replaced_by_another() {
    let bench = Bench::new();
    let spec = bench.service("1.0.0", &[]).await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    // What a first try looks like whose port somebody took in the meantime.
    let path = bench.blobs().join(spec.digest.replace(':', "-"));
    Directory::at(bench.root().join("instances/att_1.0"))
        .prepare(&ShimSpec {
            argv: spec.argv.clone(),
            artifact: Some(Artifact { path, digest: spec.digest.clone(), name: "orders".into() }),
            port: Some(taken.local_addr().unwrap().port()),
            version: "1.0.0".into(),
            ..ShimSpec::default()
        })
        .unwrap();
    let running = instances(run(spec, &bench.context("att_1")).await);
    assert_eq!(running[0].name, "att_1.0.r1");
    assert_eq!(bench.processes(), [running[0].pid]);
}

#[tokio::test]
async fn cancelled_while_coming_up_ends_everything() {
    let bench = Bench::new();
    let spec = Spec::Start(StartSpec { instances: 2, ..bench.service("1.0.0", &["slow-start", "60000"]).await });
    let cx = bench.context("att_1");
    let cancel = cx.cancel.clone();
    let task = tokio::spawn(async move { start(&spec, &cx).await });
    until("both run", || bench.processes().len() == 2).await;
    cancel.cancel();
    assert!(failure(task.await.unwrap()).contains("cancelled"));
    assert_eq!(bench.processes(), Vec::<i32>::new());
}

#[tokio::test]
async fn names_that_lead_elsewhere_are_refused() {
    let bench = Bench::new();
    for name in ["../x", "/etc", "", ".", "..", "a/b", "-x"] {
        let spec = StopSpec { instances: vec![name.into()], drain_s: 0 };
        let cx = bench.context(&format!("att_{}", name.len()));
        assert!(failure(run(spec, &cx).await).contains("not a plain name"), "{name}");
        let cx = bench.context(name);
        assert!(failure(run(StopSpec::default(), &cx).await).contains("not a plain name"), "{name}");
        std::fs::remove_dir_all(bench.root().join("attempts")).unwrap();
    }
    let spec = StopSpec { instances: vec!["elsewhere".into()], drain_s: 0 };
    assert!(failure(run(spec, &bench.context("att")).await).contains("has no instance"));
}
