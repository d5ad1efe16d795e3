//! The data plane outlives us: the server dies under load and no user notices; the proxy comes back with its last routes.

use crate::stage::{Base, Dies, Stage, pause};
use crate::story::Story;
use holdpoint_testkit::Client;
use holdpoint_testkit::process::eventually;
use holdpoint_tests::{Load, SOON};
use std::time::Duration;

fn released() -> Stage {
    let mut story = Story::begin(Stage::start(Base::Sqlite, Dies::Both));
    story.release_to_production("1.0.0");
    story.stage
}

#[test]
fn proxy_survives_the_servers_death() {
    let mut stage = released();
    let url = stage.proxy().url("web.app");
    let load = Load::on(&url, 4);
    for _ in 0..4 {
        pause(Duration::from_millis(400));
        stage.server.kill();
        pause(Duration::from_millis(400));
        stage.server.restart();
    }
    pause(Duration::from_millis(300));
    let answers = load.end();
    eprintln!("{} requests", answers.total());
    assert!(answers.total() > 200, "hardly any load: {answers:?}");
    assert_eq!((answers.errors(), answers.broken, answers.of("1.0.0")), (0, 0, answers.total()), "{answers:?}");
}

#[test]
fn proxy_survives_its_own_death_with_its_last_routes() {
    let mut stage = released();
    let url = stage.proxy().url("web.app");
    let before = stage.proxy().admin().get("/routes").ok();
    let client = Client::new(&url);
    assert_eq!(client.get("/work").ok()["worked"], "1.0.0");
    // Nobody tells it its routes: the server is away, too.
    stage.server.kill();
    let proxy = stage.proxy.take().expect("the proxy");
    stage.proxy = Some(proxy.restart());
    let client = Client::new(&url);
    let answer =
        eventually("it serves again", SOON, || client.try_send("GET", "/work", &[], None).ok().filter(|answer| answer.status == 200));
    assert_eq!(answer.value()["worked"], "1.0.0");
    let after = stage.proxy().admin().get("/routes").ok();
    assert_eq!(after["routes"], before["routes"]);
    // The next change of the server is taken as if nothing had been.
    stage.server.restart();
    let mut story = Story::resume(stage);
    story.release_to_production("2.0.0");
    assert_eq!(client.get("/work").ok()["worked"], "2.0.0");
}
