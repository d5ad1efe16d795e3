//! Commands: arguments, environment, ends of every kind, output, and what the loss of a worker does.

use crate::bench::*;
use base64::Engine as _;
use holdpoint_executors::process::directory::{Directory, Mode, Seen, ShimSpec};
use holdpoint_executors::process::proc;
use holdpoint_executors::process::shim::{LOG_HEAD_BYTES_MAX, LOG_TAIL_BYTES_MAX};
use holdpoint_executors::spec::*;
use holdpoint_executors::{Deadline, Observation, Secrets, cancel, observe, start};
use nix::sys::signal::Signal;
use std::time::{Duration, Instant};

fn command<const N: usize>(argv: [&str; N]) -> CommandSpec {
    CommandSpec { argv: argv.map(String::from).into(), timeout_s: 30, ..CommandSpec::default() }
}

fn sh(script: &str) -> CommandSpec {
    command(["sh", "-c", script])
}

fn run_dir(bench: &Bench, attempt: &str) -> Directory {
    Directory::at(bench.root().join("attempts").join(attempt).join("run"))
}

#[tokio::test]
async fn every_value_stays_one_argument() {
    let bench = Bench::new();
    let values = [
        "$(id)",
        "`id`",
        ";id",
        "a\nb",
        "--upload-pack=id",
        "-x",
        "@/etc/passwd",
        "",
        " ",
        "a b",
        "*",
        "~",
        "\"'\\",
        "%s%n",
        "&& id",
        "| id",
        "> x",
        "$HOME",
        "é\u{202e}",
        "${unknown}",
        "${version}",
    ];
    let mut spec = command(["service", "arguments"]);
    spec.argv[0] = example("service");
    spec.argv.extend(values.map(String::from));
    spec.version = "$(id) ${port}".into();
    outputs(run(spec, &bench.context("att_1")).await);
    let heard: Vec<String> = serde_json::from_str(&bench.heard().await).unwrap();
    let mut expected = values.map(String::from);
    expected[20] = "$(id) ${port}".into();
    assert_eq!(heard, expected);
    let zero = command(["echo", "a\0b"]);
    assert!(failure(run(zero, &bench.context("att_2")).await).contains("could not be started"));
}

#[tokio::test]
async fn the_environment_is_clean() {
    let bench = Bench::new();
    let mut spec = command(["env"]);
    spec.env.insert("MINE".into(), "${env.LEVEL}".into());
    spec.variables.insert("LEVEL".into(), "high".into());
    let mut cx = bench.context("att_1");
    cx.base_env.insert("CARGO_HOME".into(), "/cargo".into());
    outputs(run(spec, &cx).await);
    let heard = bench.heard().await;
    let mut names: Vec<&str> = heard.lines().filter_map(|line| line.split('=').next()).collect();
    names.sort_unstable();
    assert_eq!(names, ["CARGO_HOME", "HOLDPOINT_DIR", "HOME", "LANG", "MINE", "PATH"]);
    assert!(heard.contains("MINE=high\n"));
}

#[tokio::test]
async fn ends_are_told_apart() {
    let bench = Bench::new();
    for (n, (spec, expected)) in [
        (sh("exit 3"), "exit code 3"),
        (sh("kill -9 $$"), "signal 9"),
        (command(["/no/such/program"]), "could not be started"),
        (command([]), "argv is empty"),
        (CommandSpec { timeout_s: 1, ..sh("trap '' TERM; sleep 60 & sleep 60") }, "did not end within 1 s"),
        (CommandSpec { directory: Some("..".into()), ..sh("true") }, "leads out"),
        (CommandSpec { directory: Some("/etc".into()), ..sh("true") }, "leads out"),
        (CommandSpec { artifact: Some(format!("sha256:{}", "0".repeat(64))), ..sh("true") }, "there is no blob"),
    ]
    .into_iter()
    .enumerate()
    {
        let reason = failure(run(spec, &bench.context(&format!("att_{n}"))).await);
        assert!(reason.contains(expected), "{reason}");
        assert_eq!(bench.processes(), Vec::<i32>::new(), "{expected}");
    }
}

#[tokio::test]
async fn what_a_command_leaves_behind_is_ended_also_when_it_left_the_group() {
    let bench = Bench::new();
    let spec = sh("setsid sleep 98321 & (setsid setsid env -i sleep 98321 &) ; sleep 98321 & sleep 0.3; echo done");
    outputs(run(spec, &bench.context("att_1")).await);
    assert!(bench.heard().await.contains("done"));
    let left = std::process::Command::new("pgrep").args(["-f", "^sleep 98321$"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&left.stdout), "");
}

#[tokio::test]
async fn reports_and_artifacts_are_kept_by_the_digest_of_their_bytes() {
    let bench = Bench::new();
    let mut spec = sh("echo '<testsuite/>' > report.xml; mkdir out; printf bits > out/program; ln -s /etc/passwd link");
    spec.junit = vec!["report.xml".into()];
    spec.artifacts.insert("program".into(), "out/program".into());
    let kept = outputs(run(spec.clone(), &bench.context("att_1")).await);
    let digest = kept["artifacts"]["program"].as_str().unwrap();
    assert_eq!(std::fs::read(bench.blobs().join(digest.replace(':', "-"))).unwrap(), b"bits");
    assert_eq!(kept["junit"][0]["path"], "report.xml");
    for (n, path) in ["link", "../run/spec.json", "/etc/passwd", "absent", "out"].into_iter().enumerate() {
        let mut spec = spec.clone();
        spec.artifacts.insert("program".into(), path.into());
        failure(run(spec, &bench.context(&format!("att_2{n}"))).await);
    }
    // A failed test run still has its report.
    spec.argv[2].push_str("; exit 1");
    spec.artifacts.clear();
    match run(spec, &bench.context("att_3")).await {
        Outcome::Failed { outputs, .. } => assert!(outputs["junit"][0]["digest"].is_string()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn started_twice_at_once_it_runs_once() {
    let bench = Bench::new();
    let trace = bench.path().join("trace");
    let spec = Spec::Command(sh(&format!("echo x >> {}; sleep 0.5", trace.display())));
    let (one, two) = (bench.context("att_1"), bench.context("att_1"));
    let (a, b) = tokio::join!(start(&spec, &one), start(&spec, &two));
    assert_eq!(a, b);
    outputs(a);
    outputs(start(&spec, &one).await);
    assert_eq!(std::fs::read_to_string(&trace).unwrap(), "x\n");
    assert!(failure(run(sh("true"), &one).await).contains("begun with another spec"));
}

#[tokio::test]
async fn cancelled_twice_or_before_it_began() {
    let bench = Bench::new();
    let spec = Spec::Command(sh("sleep 60 & sleep 60"));
    let cx = bench.context("att_1");
    let (other, token) = (cx.clone(), cx.cancel.clone());
    let task = tokio::spawn({
        let spec = spec.clone();
        async move { start(&spec, &cx).await }
    });
    until("it runs", || bench.processes().len() >= 3).await;
    assert_eq!(observe(&spec, &other).await, Observation::Running);
    token.cancel();
    cancel(&spec, &other).await;
    cancel(&spec, &other).await;
    assert!(failure(task.await.unwrap()).contains("cancelled"));
    assert_eq!(bench.processes(), Vec::<i32>::new());

    let cx = bench.context("att_2");
    cx.cancel.cancel();
    let trace = bench.path().join("trace");
    let before = Instant::now();
    assert!(failure(run(sh(&format!("sleep 1; touch {}", trace.display())), &cx).await).contains("cancelled"));
    tokio::time::sleep(Duration::from_millis(1500).saturating_sub(before.elapsed())).await;
    assert!(!trace.exists());
}

#[tokio::test]
async fn a_flood_is_bounded_and_marked() {
    let bench = Bench::new();
    // 40 MB without a line break, binary, then lines.
    let spec = sh("head -c 40000000 /dev/zero; echo; yes | head -c 4000000; echo; echo the-very-last");
    let done = outputs(run(spec, &bench.context("att_1")).await);
    let size = std::fs::metadata(run_dir(&bench, "att_1").log()).unwrap().len();
    assert!(size <= (LOG_HEAD_BYTES_MAX + LOG_TAIL_BYTES_MAX + 100) as u64, "{size}");
    assert!(done["log_dropped"].as_u64().unwrap() > 30_000_000);
    let heard = bench.heard().await;
    assert!(heard.contains("bytes left out here]") && heard.ends_with("the-very-last\n"));
}

#[tokio::test]
async fn a_secret_reaches_the_program_and_nothing_else() {
    let mut bench = Bench::new();
    let secret = "pa\"ss/wörd+with ;chars-91";
    bench.secrets = Secrets::new([("KEY".to_owned(), secret.to_owned())]);
    let base64 = base64::engine::general_purpose::STANDARD.encode(secret);
    let url: String = reqwest::Url::parse_with_params("http://x/", [("q", secret)]).unwrap().query().unwrap()[2..].to_owned();
    let json = serde_json::to_string(secret).unwrap().trim_matches('"').to_owned();
    let forms = [secret.to_owned(), base64, hex::encode(secret), url, json];
    for (n, form) in forms.iter().enumerate() {
        // Half of it, a pause, the other half.
        let spec = command([&example("service"), "print", &hex::encode(format!("<{form}>"))]);
        outputs(run(spec, &bench.context(&format!("att_{n}"))).await);
    }
    let mut spec = sh("test \"$KEY\" = \"$OTHER\" && echo same; set -x; : \"$KEY\"; exit 5");
    spec.env.insert("KEY".into(), "${secret.KEY}".into());
    // The other copy comes from the test, which is the one place that may know it.
    spec.env.insert("OTHER".into(), secret.into());
    let outcome = run(spec, &bench.context("att_sh")).await;
    assert_eq!(failure(outcome), "it ended with exit code 5");

    let mut sinks = vec![("output".to_owned(), bench.heard().await)];
    for entry in walk(&bench.root()) {
        // Specs hold what the domain wrote: here the hexadecimal argument and the test's own copy.
        if !entry.ends_with("spec.json") && !entry.ends_with("asked.json") {
            let text = String::from_utf8_lossy(&std::fs::read(&entry).unwrap()).into_owned();
            sinks.push((entry.display().to_string(), text));
        }
    }
    for (name, text) in &sinks {
        for form in &forms {
            assert!(!text.contains(form), "{form} in {name}: {text}");
        }
    }
    let heard = bench.heard().await;
    assert_eq!(heard.matches("<***>").count(), 5, "{heard}");
    assert!(heard.contains("same\n"));
    let spec_file = std::fs::read_to_string(run_dir(&bench, "att_sh").path().join("spec.json")).unwrap();
    assert!(spec_file.contains("${secret.KEY}"));
}

fn walk(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = vec![];
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        if entry.path().is_dir() { found.extend(walk(&entry.path())) } else { found.push(entry.path()) }
    }
    found
}

/// A worker that is killed while its command runs; the command notes each start and writes `end` when it is through.
async fn killed_worker(bench: &Bench, spec: &CommandSpec, lease: Duration) {
    let mut worker = bench.worker("att_1", lease, &Spec::Command(spec.clone()));
    until("the command runs", || bench.path().join("trace").exists()).await;
    worker.kill().unwrap();
    worker.wait().unwrap();
}

fn traced(bench: &Bench, seconds: &str) -> CommandSpec {
    let trace = bench.path().join("trace");
    sh(&format!("echo begin >> {0}; sleep {seconds} & sleep {seconds}; echo end >> {0}; exit 0", trace.display()))
}

fn trace(bench: &Bench) -> String {
    std::fs::read_to_string(bench.path().join("trace")).unwrap()
}

#[tokio::test]
async fn a_restarted_worker_joins_what_the_killed_one_began() {
    let bench = Bench::new();
    let spec = traced(&bench, "1.5");
    killed_worker(&bench, &spec, Duration::from_secs(60)).await;
    let cx = bench.context("att_1");
    assert_eq!(observe(&Spec::Command(spec.clone()), &cx).await, Observation::Running);
    assert_eq!(outputs(run(spec, &cx).await)["exit_code"], 0);
    assert_eq!(trace(&bench), "begin\nend\n");
}

#[tokio::test]
async fn a_worker_that_comes_back_late_finds_the_exit_code() {
    let bench = Bench::new();
    let spec = traced(&bench, "0.3");
    killed_worker(&bench, &spec, Duration::from_secs(60)).await;
    until("it has ended", || bench.processes().is_empty()).await;
    let cx = bench.context("att_1");
    until("it is noted", || run_dir(&bench, "att_1").state().is_some_and(|s| s.exit.is_some())).await;
    assert!(matches!(observe(&Spec::Command(spec.clone()), &cx).await, Observation::Ended(Outcome::Done { .. })));
    outputs(run(spec, &cx).await);
    assert_eq!(trace(&bench), "begin\nend\n");
}

#[tokio::test]
async fn without_its_worker_a_command_ends_with_the_lease_and_the_probe_is_asked() {
    for (probe, expected) in
        [(None, "indeterminate"), (Some("exit 0"), "done"), (Some("exit 1"), "failed"), (Some("exit 9"), "indeterminate")]
    {
        let bench = Bench::new();
        let mut spec = traced(&bench, "60");
        spec.probe = probe.map(|script| ["sh", "-c", script].map(String::from).into());
        killed_worker(&bench, &spec, Duration::from_millis(1200)).await;
        until("its processes are gone", || bench.processes().is_empty()).await;
        until("it is noted", || run_dir(&bench, "att_1").state().is_some_and(|s| s.exit.is_some())).await;
        let cx = bench.context("att_1");
        let seen = observe(&Spec::Command(spec.clone()), &cx).await;
        assert_eq!(matches!(seen, Observation::Unknown { .. }), probe.is_none(), "{seen:?}");
        let outcome = run(spec, &cx).await;
        assert_eq!(serde_json::to_value(&outcome).unwrap()["outcome"], expected, "{outcome:?}");
        assert_eq!(trace(&bench), "begin\n", "never run again");
    }
}

#[tokio::test]
async fn a_lease_that_is_not_renewed_ends_the_command_also_while_the_worker_lives() {
    let bench = Bench::new();
    let mut cx = bench.context("att_1");
    cx.deadline = Deadline::after(Duration::from_millis(800));
    let outcome = run(sh("sleep 60"), &cx).await;
    assert!(matches!(outcome, Outcome::Indeterminate { .. }), "{outcome:?}");
    assert_eq!(bench.processes(), Vec::<i32>::new());
}

#[tokio::test]
async fn a_killed_shim_takes_its_command_with_it_and_leaves_it_undecided() {
    let bench = Bench::new();
    let spec = traced(&bench, "60");
    let task = tokio::spawn({
        let (spec, cx) = (spec.clone(), bench.context("att_1"));
        async move { run(spec, &cx).await }
    });
    until("it runs", || bench.path().join("trace").exists() && run_dir(&bench, "att_1").state().is_some_and(|s| s.pid.is_some())).await;
    proc::signal_one(run_dir(&bench, "att_1").state().unwrap().shim.pid, Signal::SIGKILL);
    let outcome = task.await.unwrap();
    assert!(matches!(outcome, Outcome::Indeterminate { .. }), "{outcome:?}");
    assert_eq!(bench.processes(), Vec::<i32>::new());
    assert_eq!(trace(&bench), "begin\n");
}

#[tokio::test]
async fn a_directory_is_begun_by_one_shim_and_by_none_without_word_from_the_worker() {
    use std::io::Write;
    use std::process::{Command, Stdio};
    let bench = Bench::new();
    let trace = bench.path().join("trace");
    let directory = Directory::at(bench.root().join("attempts/att_1/run"));
    let spec = ShimSpec {
        mode: Mode::Command,
        argv: ["sh", "-c", &format!("echo x >> {}; sleep 0.3", trace.display())].map(String::from).into(),
        env: [("PATH".to_owned(), "/usr/bin:/bin".to_owned())].into(),
        grace_ms: 100,
        ..ShimSpec::default()
    };
    directory.prepare(&spec).unwrap();
    let shim = |word: &str| {
        let mut child = Command::new(example("shim")).arg("--dir").arg(directory.path()).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(word.as_bytes()).unwrap();
        child
    };
    // The worker died before, or amid, its word.
    for word in ["", "{\"KEY\":\"val"] {
        assert!(!shim(word).wait().unwrap().success());
        assert_eq!(directory.look(), Seen::Unclaimed);
    }
    let mut all: Vec<_> = (0..8).map(|_| shim("{}")).collect();
    assert!(all.iter_mut().all(|shim| shim.wait().unwrap().success()));
    assert_eq!(std::fs::read_to_string(&trace).unwrap(), "x\n");
    assert!(matches!(directory.look(), Seen::Exited(_, exit) if exit.code == Some(0)));
}
