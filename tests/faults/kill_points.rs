//! F01: the process ends by SIGKILL before and after every named durable step, and the story goes on to its end.

use crate::stage::{Base, Dies, Point, Stage};
use crate::story::{CHORES, REQUESTS, STEPS, Story, points};
use holdpoint_testkit::command_line::CommandLine;

/// Tells a story in which somebody dies at all of `points`, and asserts that they did.
fn story(base: Base, dies: Dies, points: Vec<Point>) {
    let mut stage = Stage::start(base, dies);
    stage.plan(points.clone());
    let stage = Story::tell(stage);
    assert_eq!(stage.left(), [], "nobody came to these; died at {:?}", stage.died);
    assert_eq!(stage.died.len(), points.len());
    eprintln!("{base:?} {dies:?}: {} deaths in {:.1} s: {:?}", points.len(), stage.age().as_secs_f64(), points);
}

fn all(names: &[&str]) -> Vec<Point> {
    names.iter().flat_map(|name| points(name)).collect()
}

/// Stories beside each other: they wait for leases most of the time.
fn together(stories: Vec<(Base, Dies, Vec<Point>)>, at_once: usize) {
    let queue = std::sync::Mutex::new(stories.into_iter());
    let failed = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().expect("the queue").next();
                    let Some((base, dies, points)) = next else { return };
                    let told = std::panic::catch_unwind(|| story(base, dies, points.clone()));
                    if told.is_err() {
                        failed.lock().expect("the list").push(format!("{base:?} {dies:?} {points:?}"));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().expect("the list");
    assert!(failed.is_empty(), "{} stories failed:\n{}", failed.len(), failed.join("\n"));
}

#[test]
fn kill_points_are_all_in_the_story() {
    let folder = holdpoint_testkit::process::folder();
    let told = CommandLine::new(folder.path()).run(["kill-points"]).code(0);
    let mut named: Vec<&str> = told.stdout.lines().collect();
    let mut ours: Vec<&str> = REQUESTS.iter().chain(&CHORES).chain(&STEPS).copied().collect();
    named.sort_unstable();
    ours.sort_unstable();
    assert_eq!(named, ours, "a name of the engine that no story comes to, or the other way round");
}

#[test]
fn kill_points_story_without_a_death() {
    let stage = Story::tell(Stage::start(Base::Sqlite, Dies::Both));
    let visited = stage.visited();
    let missing: Vec<String> = REQUESTS
        .iter()
        .chain(&CHORES)
        .chain(&STEPS)
        .flat_map(|name| points(name))
        .map(|point| format!("{}:{}", point.name, point.when))
        .filter(|visit| !visited.contains(visit))
        .collect();
    assert!(missing.is_empty(), "names that no run visits: {missing:?}");
    eprintln!("{:.1} s", stage.age().as_secs_f64());
}

#[test]
fn kill_points_of_requests() {
    story(Base::Sqlite, Dies::Both, all(&REQUESTS));
}

#[test]
fn kill_points_of_chores() {
    story(Base::Sqlite, Dies::Both, all(&CHORES));
}

#[test]
fn kill_points_on_postgres() {
    holdpoint_testkit::needs!("postgres");
    story(Base::Postgres, Dies::Both, all(&REQUESTS));
}

/// Every step's points by themselves, and a few in which only one of two processes dies. `make kill-points` sets
/// HOLDPOINT_KILL_MATRIX to `full` (or `sqlite`, or `postgres`): every name, before and after, whoever may die.
#[test]
fn kill_points_one_by_one() {
    let wanted = std::env::var("HOLDPOINT_KILL_MATRIX").unwrap_or_default();
    let mut stories = Vec::new();
    for (name, base) in [("sqlite", Base::Sqlite), ("postgres", Base::Postgres)] {
        if wanted != name && wanted != "full" {
            continue;
        }
        for dies in [Dies::Server, Dies::Worker, Dies::Both] {
            for name in REQUESTS.iter().chain(&CHORES).chain(&STEPS) {
                stories.extend(points(name).into_iter().map(|point| (base, dies, vec![point])));
            }
        }
    }
    if wanted.is_empty() {
        stories.push((Base::Sqlite, Dies::Worker, vec![Point::new("run.overdue", "after")]));
        let one = |dies, name: &str, when| (Base::Sqlite, dies, vec![Point::new(name, when)]);
        stories.extend(STEPS.iter().flat_map(|name| points(name)).map(|point| (Base::Sqlite, Dies::Both, vec![point])));
        stories.push(one(Dies::Worker, "act.start", "before"));
        stories.push(one(Dies::Worker, "act.finish", "after"));
        stories.push(one(Dies::Server, "step.lease", "after"));
        stories.push(one(Dies::Server, "step.report", "before"));
    }
    assert!(!stories.is_empty(), "HOLDPOINT_KILL_MATRIX is full, sqlite or postgres, not {wanted:?}");
    together(stories, 6);
}
