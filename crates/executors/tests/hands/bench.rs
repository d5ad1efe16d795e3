//! A worker's place for one test: root, blobs, output; ends every process of its own at the end.

use crate::blobs::Folder;
use bytes::Bytes;
use holdpoint_executors::process::proc;
use holdpoint_executors::spec::*;
use holdpoint_executors::{BlobSource, Context, Deadline, Outbound, OutputSink, Secrets, start};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub struct Bench {
    dir: tempfile::TempDir,
    pub secrets: Secrets,
    pub outbound: Arc<Outbound>,
    heard: Arc<Mutex<Vec<u8>>>,
}

pub fn example(name: &str) -> String {
    let path = std::env::current_exe().unwrap().parent().unwrap().with_file_name("examples").join(name);
    assert!(path.exists(), "{} is missing: run without --test, so that examples are built", path.display());
    path.to_str().unwrap().to_owned()
}

impl Bench {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for name in ["root", "blobs"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        Self { dir, secrets: Secrets::default(), outbound: Arc::default(), heard: Arc::default() }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    pub fn blobs(&self) -> PathBuf {
        self.dir.path().join("blobs")
    }

    /// Must be called inside a runtime: it listens to the output.
    pub fn context(&self, attempt: &str) -> Context {
        let (output, mut receiver) = OutputSink::new(16, &self.secrets);
        let heard = self.heard.clone();
        tokio::spawn(async move {
            while let Some(piece) = receiver.recv().await {
                let piece: Bytes = piece;
                heard.lock().unwrap().extend_from_slice(&piece);
            }
        });
        Context {
            root: self.root(),
            attempt: attempt.into(),
            blobs: Arc::new(Folder(self.blobs())),
            output,
            cancel: Default::default(),
            deadline: Deadline::never(),
            shim: vec![example("shim")],
            outbound: self.outbound.clone(),
            variables: Default::default(),
            base_env: Default::default(),
            secrets: self.secrets.clone(),
        }
    }

    /// All output until now: what is still in the channel is taken first.
    pub async fn heard(&self) -> String {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        String::from_utf8_lossy(&self.heard.lock().unwrap()).into_owned()
    }

    pub async fn blob(&self, path: impl AsRef<Path>) -> String {
        Folder(self.blobs()).put(path.as_ref()).await.unwrap()
    }

    pub async fn service(&self, version: &str, more: &[&str]) -> StartSpec {
        let mut argv: Vec<String> = ["${artifact}", "serve", "${port}", "${version}"].map(String::from).into();
        argv.extend(more.iter().map(|s| (*s).to_owned()));
        StartSpec {
            component: "orders".into(),
            version: version.into(),
            digest: self.blob(example("service")).await,
            argv,
            instances: 1,
            health: Health { path: "/healthz".into(), version_field: Some("version".into()), timeout_s: 20, interval_ms: 50 },
            ..StartSpec::default()
        }
    }

    /// A worker process of its own, to be killed.
    pub fn worker(&self, attempt: &str, lease: Duration, spec: &Spec) -> std::process::Child {
        let file = self.dir.path().join(format!("{attempt}.json"));
        std::fs::write(&file, serde_json::to_vec(spec).unwrap()).unwrap();
        std::process::Command::new(example("worker"))
            .args([self.root(), self.blobs()])
            .args([example("shim"), attempt.to_owned(), lease.as_millis().to_string()])
            .arg(file)
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap()
    }

    /// Processes that carry a mark below this bench's root.
    pub fn processes(&self) -> Vec<i32> {
        let mut found = vec![];
        for kind in ["attempts", "instances"] {
            for entry in std::fs::read_dir(self.root().join(kind)).into_iter().flatten().flatten() {
                found.extend(proc::marked(&entry.path()));
                for inner in std::fs::read_dir(entry.path()).into_iter().flatten().flatten() {
                    found.extend(proc::marked(&inner.path()));
                }
            }
        }
        found
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        for pid in self.processes() {
            proc::signal_one(pid, nix::sys::signal::Signal::SIGKILL);
        }
    }
}

pub async fn until(what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if done() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("never: {what}");
}

pub async fn run(spec: impl Into<Wrapped>, cx: &Context) -> Outcome {
    start(&spec.into().0, cx).await
}

pub struct Wrapped(pub Spec);

impl From<CommandSpec> for Wrapped {
    fn from(spec: CommandSpec) -> Self {
        Self(Spec::Command(spec))
    }
}
impl From<StartSpec> for Wrapped {
    fn from(spec: StartSpec) -> Self {
        Self(Spec::Start(spec))
    }
}
impl From<StopSpec> for Wrapped {
    fn from(spec: StopSpec) -> Self {
        Self(Spec::Stop(spec))
    }
}
impl From<HttpSpec> for Wrapped {
    fn from(spec: HttpSpec) -> Self {
        Self(Spec::Http(spec))
    }
}
impl From<TrafficSpec> for Wrapped {
    fn from(spec: TrafficSpec) -> Self {
        Self(Spec::Traffic(spec))
    }
}
impl From<VerifySpec> for Wrapped {
    fn from(spec: VerifySpec) -> Self {
        Self(Spec::Verify(spec))
    }
}

pub fn outputs(outcome: Outcome) -> serde_json::Value {
    match outcome {
        Outcome::Done { outputs } => outputs,
        other => panic!("not done: {other:?}"),
    }
}

pub fn failure(outcome: Outcome) -> String {
    match outcome {
        Outcome::Failed { reason, .. } => reason,
        other => panic!("not failed: {other:?}"),
    }
}

pub fn instances(outcome: Outcome) -> Vec<Instance> {
    serde_json::from_value(outputs(outcome)["instances"].clone()).unwrap()
}

pub fn alive(instance: &Instance) -> bool {
    let identity = proc::Identity { pid: instance.pid, start_time: instance.start_time, boot: proc::boot_id() };
    identity.alive()
}
