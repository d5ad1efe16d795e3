//! A real HAProxy, driven by its runtime socket.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use holdpoint_executors::traffic::{TrafficControl, TrafficError};

use crate::bed::{Client, Server, get, until};

const PROGRAM: &str = "/usr/sbin/haproxy";

struct HaProxyProcess {
    child: Child,
    front: SocketAddr,
    folder: tempfile::TempDir,
}

impl Drop for HaProxyProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl HaProxyProcess {
    async fn start(slots: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for _ in 0..5 {
            // Taken and given back, since HAProxy does not tell which port 0 became: somebody else may be faster.
            let front = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            let mut child = spawn(folder.path(), front, slots);
            if listens(&mut child, folder.path()).await {
                return Self { child, front, folder };
            }
        }
        panic!("HAProxy does not start");
    }

    fn control(&self) -> TrafficControl {
        control(self.folder.path())
    }
}

fn control(folder: &Path) -> TrafficControl {
    let backends = BTreeMap::from([("shop".to_owned(), "be_shop".to_owned())]);
    TrafficControl::haproxy(&folder.join("socket"), backends).unwrap()
}

/// Waits for the runtime socket; false when the process ended first.
async fn listens(child: &mut Child, folder: &Path) -> bool {
    for _ in 0..500 {
        if control(folder).stats("shop").await.is_ok() {
            return true;
        }
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    false
}

fn spawn(folder: &Path, front: SocketAddr, slots: u32) -> Child {
    let socket = folder.join("socket");
    let config = format!(
        "global\n  stats socket {} mode 600 level admin\n\
         defaults\n  mode http\n  timeout connect 3s\n  timeout client 20s\n  timeout server 20s\n  retries 2\n  option redispatch\n\
         frontend shop\n  bind {front}\n  default_backend be_shop\n\
         backend be_shop\n  balance random\n  server-template hp 1-{slots} 127.0.0.1:1 disabled\n",
        socket.display()
    );
    let file = folder.join("haproxy.cfg");
    std::fs::write(&file, config).unwrap();
    Command::new(PROGRAM).args(["-db", "-f"]).arg(file).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("HAProxy is installed")
}

#[tokio::test(flavor = "multi_thread")]
async fn weights_change_and_slots_come_and_go_while_it_runs() {
    let haproxy = HaProxyProcess::start(4).await;
    let control = haproxy.control();
    let (old, twin, new) = (Server::start("1").await, Server::start("1").await, Server::start("2").await);
    assert_eq!(get(haproxy.front, "/").await.unwrap().status, 503, "all slots are disabled at first");

    let applied = control.set("shop", 1, vec![old.backend("1", 100)]).await.unwrap();
    assert!(applied.changed);
    let mut client = Client::new(haproxy.front).await;
    for _ in 0..100 {
        assert_eq!(client.get("/").await.unwrap().text(), "1");
    }

    // A slot is added, 90 to 10.
    control.set("shop", 2, vec![old.backend("1", 90), new.backend("2", 10)]).await.unwrap();
    for _ in 0..2_000 {
        assert_eq!(client.get("/").await.unwrap().status, 200);
    }
    let share = new.hits() as f64 / 2_000.0;
    assert!((share - 0.1).abs() < 0.035, "{share}");

    // Two servers of one version share its weight.
    control.set("shop", 3, vec![old.backend("1", 50), twin.backend("1", 50), new.backend("2", 50)]).await.unwrap();
    let before = new.hits();
    for _ in 0..1_000 {
        client.get("/").await.unwrap();
    }
    let share = (new.hits() - before) as f64 / 1_000.0;
    assert!((share - 0.5).abs() < 0.08, "{share}");
    assert!(twin.hits() > 100);

    let stats = control.stats("shop").await.unwrap();
    assert_eq!(stats.versions["1"].requests, old.hits() + twin.hits());
    assert_eq!(stats.versions["2"].requests, new.hits());
    assert_eq!((stats.versions["1"].errors, stats.versions["1"].latency.clone()), (0, None));
    client.get("/status?500").await.unwrap();
    let stats = control.stats("shop").await.unwrap();
    assert_eq!(stats.versions["1"].errors + stats.versions["2"].errors, 1);

    // Slots are given up; the counts of what left stay, also for a caller that starts afresh.
    control.set("shop", 4, vec![new.backend("2", 1)]).await.unwrap();
    let (one, two) = (old.hits() + twin.hits(), new.hits());
    for _ in 0..50 {
        assert_eq!(client.get("/").await.unwrap().text(), "2");
    }
    assert_eq!((old.hits() + twin.hits(), new.hits()), (one, two + 50));
    let fresh = haproxy.control();
    let again = Server::start("3").await;
    fresh.set("shop", 5, vec![new.backend("2", 1), again.backend("3", 1)]).await.unwrap();
    let after = fresh.stats("shop").await.unwrap();
    assert_eq!((after.versions["1"].requests, after.start_id), (one, stats.start_id));
    assert_eq!(after.versions["3"].requests, 0, "a slot's past is not its new tenant's");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_drains_conflicts_and_runs_out_of_slots() {
    let haproxy = HaProxyProcess::start(2).await;
    let control = haproxy.control();
    let (old, new, third) = (Server::start("1").await, Server::start("2").await, Server::start("3").await);
    control.set("shop", 1, vec![old.backend("1", 1)]).await.unwrap();
    let front = haproxy.front;
    let slow = tokio::spawn(async move { get(front, "/slow?700").await.unwrap().text() });
    until("in flight", || async { control.drained("shop", "1").await.unwrap().in_flight == 1 }).await;

    control.set("shop", 2, vec![old.backend("1", 0), new.backend("2", 1)]).await.unwrap();
    assert!(!control.drained("shop", "1").await.unwrap().is_drained());
    let mut client = Client::new(front).await;
    for _ in 0..30 {
        assert_eq!(client.get("/").await.unwrap().text(), "2");
    }
    // Its slot is not free before its last request is over.
    let full = control.set("shop", 3, vec![new.backend("2", 1), third.backend("3", 1)]).await;
    assert!(matches!(full, Err(TrafficError::NoSlots { needed: 1, free: 0, .. })), "{full:?}");
    assert_eq!(slow.await.unwrap(), "1");
    until("drained", || async { control.drained("shop", "1").await.unwrap().is_drained() }).await;

    let same = vec![old.backend("1", 0), new.backend("2", 1)];
    assert!(!control.set("shop", 2, same).await.unwrap().changed);
    for generation in [1, 2] {
        let overtaken = control.set("shop", generation, vec![new.backend("2", 1)]).await;
        assert!(matches!(overtaken, Err(TrafficError::Overtaken { current: 2, .. })), "{overtaken:?}");
    }
    control.set("shop", 3, vec![new.backend("2", 1)]).await.unwrap();
    control.set("shop", 4, vec![new.backend("2", 1), third.backend("3", 1)]).await.unwrap();
    assert!(matches!(control.set("none", 1, vec![]).await, Err(TrafficError::NoRoute(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_haproxy_is_set_again_and_tells_a_new_start() {
    let mut haproxy = HaProxyProcess::start(2).await;
    let control = haproxy.control();
    let server = Server::start("1").await;
    control.set("shop", 9, vec![server.backend("1", 1)]).await.unwrap();
    let first = control.stats("shop").await.unwrap().start_id;
    haproxy.child.kill().unwrap();
    haproxy.child.wait().unwrap();
    let gone = control.stats("shop").await;
    assert!(matches!(gone, Err(TrafficError::Unreachable { .. })), "{gone:?}");
    // The start is told in whole seconds.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    haproxy.child = spawn(haproxy.folder.path(), haproxy.front, 2);
    let front = haproxy.front;
    assert!(listens(&mut haproxy.child, haproxy.folder.path()).await);
    assert_ne!(control.stats("shop").await.unwrap().start_id, first);
    assert_eq!(get(front, "/").await.unwrap().status, 503);
    assert!(control.set("shop", 9, vec![server.backend("1", 1)]).await.unwrap().changed);
    assert_eq!(get(front, "/").await.unwrap().text(), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_server_is_an_error_of_its_version() {
    let haproxy = HaProxyProcess::start(2).await;
    let control = haproxy.control();
    let server = Server::start("1").await;
    control.set("shop", 1, vec![server.backend("1", 1)]).await.unwrap();
    server.kill().await;
    assert_eq!(get(haproxy.front, "/").await.unwrap().status, 503);
    let stats = control.stats("shop").await.unwrap();
    assert_eq!((stats.versions["1"].requests, stats.versions["1"].errors), (1, 1));
}
