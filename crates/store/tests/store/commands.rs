//! Commands: streams, keys, rounds, refusals, locks, actions, lists.

use crate::world::*;
use holdpoint_domain::kernel::{Action, ActionChange, Decision, DocKey, Kind, Need, Refusal, Stop, Timestamp, View};
use holdpoint_domain::nouns::{Environment, Fact, Freeze, FreezeScope};
use holdpoint_seal::digest::Digest;
use holdpoint_store::{Engine, Filter, Order, Request, Store, StoreError};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

pub async fn streams_are_chained(world: World) {
    let store = &world.store;
    let first = declare(store, "dev", 1).await.expect("commits");
    let second = declare(store, "dev", 2).await.expect("commits");
    assert_eq!((first.facts[0].position, second.facts[0].position), (1, 2));
    assert_eq!(first.facts[0].name, "EnvironmentDeclared");
    let facts = store.facts_of_stream(PROJECT, &env("dev"), 0, 10).await.expect("reads");
    assert_eq!(facts.len(), 2);
    assert_eq!(facts[0].envelope.prev, None);
    assert_eq!(facts[1].envelope.prev, Some(first.facts[0].hash));
    assert_eq!(facts[1].hash, second.facts[0].hash);
    assert_eq!(facts[1].envelope.leaf_hash().expect("hash"), facts[1].hash);
    assert_eq!((facts[1].envelope.actor.as_str(), facts[1].envelope.via.as_str()), ("per_ada", "session"));
    assert!(facts[0].envelope.at <= facts[1].envelope.at);
    let doc = store.doc(PROJECT, &env("dev")).await.expect("reads").expect("is there");
    assert_eq!((doc.position, order(store, "dev").await), (2, 2));
    // Two facts of one stream and the first of another in one decision.
    let decided = store
        .decide(&request(vec![env("dev")]), |_, _| {
            let mut decision = Decision::default();
            decision.fact(Kind::Environment, "dev", environment("dev", 3)).fact(Kind::Environment, "dev", environment("dev", 4));
            Ok(decision)
        })
        .await
        .expect("commits");
    assert_eq!(decided.facts.iter().map(|fact| fact.position).collect::<Vec<_>>(), [3, 4]);
    assert_eq!(store.rebuild_compare().await.expect("compares"), []);
}

fn keyed(key: &str, body: &[u8]) -> Request {
    Request { idempotency: Some((key.to_owned(), Digest::of(body))), ..request(vec![env("dev")]) }
}

pub async fn same_key_same_answer(world: World) {
    let store = &world.store;
    let first = store.decide(&keyed("k1", b"a"), declares("dev", 1)).await.expect("commits");
    let again = store.decide(&keyed("k1", b"a"), declares("dev", 7)).await.expect("answers");
    assert!(!first.replayed && again.replayed);
    assert_eq!((&first.answer, &first.facts), (&again.answer, &again.facts));
    assert_eq!(order(store, "dev").await, 1);
    assert!(matches!(store.decide(&keyed("k1", b"b"), declares("dev", 7)).await, Err(StoreError::KeyReused)));
    // The key belongs to principal and route.
    let elsewhere = Request { route: "other".to_owned(), ..keyed("k1", b"b") };
    assert!(!store.decide(&elsewhere, declares("dev", 2)).await.expect("commits").replayed);
    // A refused command does not use its key up.
    let refused = store.decide(&keyed("k2", b"a"), |_, _| Err(Refusal::new("X-1", "no", "wait").into())).await;
    assert!(matches!(refused, Err(StoreError::Refused(_))));
    assert!(!store.decide(&keyed("k2", b"a"), declares("dev", 3)).await.expect("commits").replayed);
}

pub async fn same_key_at_the_same_time(world: World) {
    let (one, two) = (world.store.clone(), world.another().await);
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..24 {
        let store = if number % 2 == 0 { one.clone() } else { two.clone() };
        tasks.spawn(async move { store.decide(&keyed(&format!("k{}", number % 3), b"a"), increments("dev")).await.expect("answers") });
    }
    let mut fresh = 0;
    while let Some(done) = tasks.join_next().await {
        fresh += u32::from(!done.expect("no panic").replayed);
    }
    assert_eq!(fresh, 3);
    assert_eq!(order(&one, "dev").await, 3);
}

pub async fn increments_are_not_lost(world: World) {
    let (one, two) = (world.store.clone(), world.another().await);
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..120 {
        let store = if number % 2 == 0 { one.clone() } else { two.clone() };
        tasks.spawn(async move { store.decide(&request(vec![env("dev")]), increments("dev")).await });
    }
    let mut orders = std::collections::BTreeSet::new();
    while let Some(done) = tasks.join_next().await {
        let committed = done.expect("no panic").expect("commits");
        assert!(orders.insert(committed.answer["order"].as_u64()), "two commands saw the same");
    }
    assert_eq!(order(&one, "dev").await, 120);
    assert_eq!(one.rebuild_compare().await.expect("compares"), []);
}

pub async fn refused_leaves_nothing(world: World) {
    let store = &world.store;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..40u32 {
        let store = store.clone();
        tasks.spawn(async move {
            let request = request(vec![env("dev")]);
            let decided = store.decide(&request, move |view, now| {
                if number % 2 == 0 {
                    Err(Refusal::new("X-1", "no", "wait").with(json!({"n": number})).into())
                } else {
                    increments("dev")(view, now)
                }
            });
            (number, decided.await)
        });
    }
    while let Some(done) = tasks.join_next().await {
        match done.expect("no panic") {
            (number, Ok(_)) => assert_eq!(number % 2, 1),
            (number, Err(StoreError::Refused(refusal))) => {
                assert_eq!((refusal.facts["n"].as_u64(), number % 2), (Some(u64::from(number)), 0))
            }
            (_, Err(other)) => panic!("{other}"),
        }
    }
    assert_eq!(order(store, "dev").await, 20);
    assert_eq!(store.counts().await.expect("counts").facts, 20);
    // Nothing but an answer: nothing is written.
    let unchanged = store.decide(&request(vec![env("dev")]), |_, _| Ok(Decision::unchanged(json!("same")))).await.expect("answers");
    assert_eq!((unchanged.answer, unchanged.facts.len()), (json!("same"), 0));
}

pub async fn needs_in_rounds(world: World) {
    let store = &world.store;
    for name in ["a", "b", "c"] {
        declare(store, name, 1).await.expect("commits");
    }
    let calls = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&calls);
    let committed = store
        .decide(&request(vec![env("sum")]), move |view, _| {
            counted.fetch_add(1, Ordering::SeqCst);
            let mut sum = 0;
            for name in ["a", "b", "c", "missing"] {
                sum += view.get::<Environment>(name)?.map_or(0, |environment| environment.spec.order);
            }
            let all = view.all::<Environment>()?.len();
            let mut decision = Decision { answer: json!([sum, all]), ..Decision::default() };
            decision.fact(Kind::Environment, "sum", environment("sum", sum));
            Ok(decision)
        })
        .await
        .expect("commits");
    assert_eq!(committed.answer, json!([3, 3]));
    assert_eq!(calls.load(Ordering::SeqCst), 6);
}

pub async fn too_many_rounds_or_documents(world: World) {
    let store = &world.store;
    let (mut number, nothing) = (0, request(vec![]));
    let endless = store.decide(&nothing, move |_, _| {
        number += 1;
        Err(Stop::Need(vec![Need::Doc(env(&format!("e{number}")))]))
    });
    let why = endless.await.expect_err("ends").to_string();
    assert!(why.contains("more than 8 times"), "{why}");
    let wide = store.decide(&nothing, |_, _| Err(Stop::Need((0..10_001).map(|n| Need::Doc(env(&format!("e{n}")))).collect())));
    let why = wide.await.expect_err("ends").to_string();
    assert!(why.contains("more than 10000 documents"), "{why}");
    declare(store, "dev", 1).await.expect("works on");
}

pub async fn lists_show_what_the_group_changed(world: World) {
    let store = &world.store;
    declare(store, "one", 1).await.expect("commits");
    // Commands that are queued together share a transaction: each must see the environments of those before it.
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..20 {
        let store = store.clone();
        tasks.spawn(async move {
            let name = format!("e{number}");
            store
                .decide(&request(vec![env("one"), env(&name)]), move |view, _| {
                    let seen = view.all::<Environment>()?.len();
                    let mut decision = Decision { answer: json!(seen), ..Decision::default() };
                    decision.fact(Kind::Environment, name.clone(), environment(&name, 1));
                    Ok(decision)
                })
                .await
                .expect("commits")
                .answer
                .as_u64()
        });
    }
    let mut seen: Vec<u64> = Vec::new();
    while let Some(done) = tasks.join_next().await {
        seen.extend(done.expect("no panic"));
    }
    seen.sort_unstable();
    // All hold the lock on `one`, so they come one after the other.
    assert_eq!(seen, (1..=20).collect::<Vec<u64>>());
    // What is retired is no longer in the list.
    let retire = |_: &_, _| {
        let mut decision = Decision::default();
        decision.fact(Kind::Environment, "e3", Fact::Retired {});
        Ok(decision)
    };
    store.decide(&request(vec![env("e3")]), retire).await.expect("commits");
    let nothing = request(vec![]);
    let left = store.decide(&nothing, |view, _| Ok(Decision::unchanged(json!(view.all::<Environment>()?.len()))));
    assert_eq!(left.await.expect("answers").answer, json!(20));
    assert_eq!(store.all::<Environment>(PROJECT).await.expect("reads").len(), 20);
}

pub async fn writes_need_a_lock(world: World) {
    let store = &world.store;
    declare(store, "dev", 1).await.expect("commits");
    let looked = |view: &View, now| {
        view.get::<Environment>("dev")?;
        declares("dev", 2)(view, now)
    };
    let why = store.decide(&request(vec![]), looked).await.expect_err("a bug").to_string();
    assert!(why.contains("without a lock"), "{why}");
    let why = store.decide(&request(vec![]), declares("new", 2)).await.expect_err("not even looked at").to_string();
    assert!(why.contains("without a lock"), "{why}");
    // Known to be absent is enough.
    let looked = |view: &View, now| {
        view.get::<Environment>("new")?;
        declares("new", 2)(view, now)
    };
    store.decide(&request(vec![]), looked).await.expect("commits");
    assert_eq!((order(store, "dev").await, order(store, "new").await), (1, 2));
}

pub async fn facts_are_bounded(world: World) {
    let store = &world.store;
    let large = |_: &_, _| {
        let Fact::EnvironmentDeclared(mut spec) = environment("dev", 1) else { unreachable!() };
        spec.variables.insert("LONG".to_owned(), "x".repeat(17 << 10));
        let mut decision = Decision::default();
        decision.fact(Kind::Environment, "dev", environment("dev", 1)).fact(Kind::Environment, "dev", Fact::EnvironmentDeclared(spec));
        Ok(decision)
    };
    let why = store.decide(&request(vec![env("dev")]), large).await.expect_err("too large").to_string();
    assert!(why.contains("fact too large") && why.contains("EnvironmentDeclared"), "{why}");
    assert_eq!(store.counts().await.expect("counts").facts, 0);
    // A fact that cannot open its stream is a bug, said by name.
    let wrong = |_: &_, _| {
        let mut decision = Decision::default();
        decision.fact(Kind::Environment, "dev", Fact::Retired {});
        Ok(decision)
    };
    assert!(matches!(store.decide(&request(vec![env("dev")]), wrong).await, Err(StoreError::Broken(_))));
}

pub async fn a_panic_is_one_commands_trouble(world: World) {
    let store = &world.store;
    let request = request(vec![env("dev")]);
    let panics = store.decide(&request, |_, _| panic!("on purpose"));
    let (panicked, fine) = tokio::join!(panics, declare(store, "dev", 1));
    assert!(matches!(panicked, Err(StoreError::Broken(_))));
    fine.expect("commits");
}

pub async fn actions_follow_decisions(world: World) {
    let store = &world.store;
    let act = |changes: Vec<ActionChange>| {
        let store = store.clone();
        async move {
            let decide = move |_: &_, _| Ok(Decision { actions: changes.clone(), ..Decision::default() });
            store.decide(&request(vec![]), decide).await.expect("commits");
        }
    };
    let now = store.now().await.expect("tells the time");
    let later = now + Duration::from_secs(3600);
    let enqueue = |step: &str, pool: &str, not_before| {
        ActionChange::Enqueue(Action { run: "run_1".to_owned(), step: step.to_owned(), pool: pool.to_owned(), not_before })
    };
    let step = |step: &str| ("run_1".to_owned(), step.to_owned());
    act(vec![enqueue("build", "linux", None), enqueue("test", "linux", Some(later)), enqueue("watch", "@engine", None)]).await;
    let ready = store.next_actions(Some(PROJECT), "linux", 10).await.expect("reads");
    assert_eq!(ready.iter().map(|action| action.step.as_str()).collect::<Vec<_>>(), ["build"]);
    assert!(store.next_actions(Some("other"), "linux", 10).await.expect("reads").is_empty());
    assert_eq!(store.next_actions(None, "@engine", 10).await.expect("reads").len(), 1);
    let (run, name) = step("build");
    let until = now + Duration::from_secs(1);
    act(vec![ActionChange::Lease { run, step: name, attempt: "att_1".to_owned(), token: 7, worker: "w1".to_owned(), until }]).await;
    assert!(store.next_actions(None, "linux", 10).await.expect("reads").is_empty());
    assert!(store.expired_leases(now, 10).await.expect("reads").is_empty());
    let expired = store.expired_leases(later, 10).await.expect("reads");
    assert_eq!((expired[0].step.as_str(), expired[0].token, expired[0].worker.as_deref()), ("build", Some(7), Some("w1")));
    assert!(store.extend_lease(PROJECT, "run_1", "build", 7, later + Duration::from_secs(1)).await.expect("writes"));
    assert!(!store.extend_lease(PROJECT, "run_1", "build", 6, later).await.expect("writes"), "a stale token extends nothing");
    assert!(store.expired_leases(later, 10).await.expect("reads").is_empty());
    let ((run, one), (_, two)) = (step("build"), step("test"));
    act(vec![ActionChange::Postpone { run: run.clone(), step: one, not_before: now }, ActionChange::Remove { run, step: two }]).await;
    let all = store.actions_of_run(PROJECT, "run_1").await.expect("reads");
    assert_eq!(
        all.iter().map(|action| (action.step.as_str(), action.leased, action.token)).collect::<Vec<_>>(),
        [("build", false, None), ("watch", false, None)]
    );
    // Enqueued and leased in one decision, enqueued and removed in one decision.
    let (run, name) = step("go");
    let leased =
        ActionChange::Lease { run: run.clone(), step: name, attempt: "att_2".to_owned(), token: 9, worker: "w1".to_owned(), until };
    act(vec![enqueue("go", "linux", None), leased, enqueue("gone", "linux", None), ActionChange::Remove { run, step: "gone".to_owned() }])
        .await;
    let all = store.actions_of_run(PROJECT, "run_1").await.expect("reads");
    assert_eq!(
        all.iter().map(|action| (action.step.as_str(), action.leased)).collect::<Vec<_>>(),
        [("build", false), ("go", true), ("watch", false)]
    );
    assert_eq!(store.next_action_at("@engine").await.expect("reads").map(|at| at.as_microsecond()), Some(0));
}

pub async fn pins_need_their_blob(world: World) {
    let store = &world.store;
    let pinning = |digest: Digest| {
        move |view: &_, now| {
            let mut decision = increments("dev")(view, now)?;
            decision.pins.push(digest);
            Ok(decision)
        }
    };
    let why = store.decide(&request(vec![env("dev")]), pinning(Digest::of(b"nothing"))).await.expect_err("no blob").to_string();
    assert!(why.contains("BLB-001"), "{why}");
    let digest = store.blob_put(b"log").await.expect("stores");
    store.decide(&request(vec![env("dev")]), pinning(digest)).await.expect("commits");
    crate::accounts::sweep(store, Duration::ZERO, Duration::ZERO).await.expect("sweeps");
    crate::accounts::sweep(store, Duration::ZERO, Duration::ZERO).await.expect("sweeps");
    assert_eq!(store.blob_get(&digest).await.expect("reads").as_deref(), Some(b"log".as_slice()));
}

fn freeze(id: &str, from: Timestamp) -> Fact {
    Fact::FreezeDeclared {
        id: id.parse().expect("an id"),
        name: id.to_owned(),
        scope: FreezeScope::default(),
        from,
        until: from + Duration::from_secs(3600),
        reason: Digest::of(b"reason"),
    }
}

async fn declare_freeze(store: &Store, id: &'static str) -> i64 {
    let frozen = Request { locks: vec![env("production"), DocKey::new(Kind::Freeze, id)], ..request(vec![]) };
    let declared = store.decide(&frozen, move |_, now| {
        let mut decision = Decision { answer: json!(now.as_microsecond()), ..Decision::default() };
        decision.fact(Kind::Freeze, id, freeze(id, now));
        Ok(decision)
    });
    declared.await.expect("a freeze is never refused").answer.as_i64().expect("an instant")
}

/// A decision that leases unless there is a freeze. It reads the list first and the guard row second, on purpose. On its
/// `halt`-th call it says so and waits until it may go on, or for a while: where nobody else can write meanwhile.
#[expect(clippy::disallowed_methods, reason = "a decision is not async; while this one waits, others must run")]
fn lease(
    engine: Engine,
    halt: u32,
    halted: SyncSender<()>,
    go_on: Receiver<()>,
) -> impl for<'a> FnMut(&'a View, Timestamp) -> Result<Decision, Stop> + Send + 'static {
    let mut calls = 0;
    move |view, now| {
        calls += 1;
        if calls == halt {
            halted.send(()).expect("the test listens");
            let patience = Duration::from_millis(if engine == Engine::Sqlite { 400 } else { 10_000 });
            _ = tokio::task::block_in_place(|| go_on.recv_timeout(patience));
        }
        let held = view.all::<Freeze>()?.iter().any(|freeze| freeze.holds(now));
        view.get::<Environment>("production")?;
        if held {
            return Err(Refusal::new("FRZ", "frozen", "wait").into());
        }
        let mut decision = increments("leases")(view, now)?;
        decision.answer = json!(now.as_microsecond());
        Ok(decision)
    }
}

async fn heard(receiver: Receiver<()>) {
    tokio::task::spawn_blocking(move || receiver.recv()).await.expect("no panic").expect("the decision halts");
}

/// A freeze takes the environment's row for itself, a lease shares it: whichever comes second sees the first. Here the
/// freeze is committed after the lease read the list of freezes and before it locked the row.
pub async fn a_freeze_in_the_middle_of_a_lease_is_seen(world: World) {
    let (one, two) = (world.store.clone(), world.another().await);
    declare(&one, "production", 1).await.expect("commits");
    let ((halted, hears), (goes, go_on)) = (sync_channel(1), sync_channel(1));
    let engine = world.engine();
    let leases = tokio::spawn(async move { two.decide(&request(vec![env("leases")]), lease(engine, 2, halted, go_on)).await });
    heard(hears).await;
    let frozen_us = declare_freeze(&one, "frz_1").await;
    _ = goes.send(());
    match leases.await.expect("no panic") {
        Err(StoreError::Refused(_)) => {}
        Ok(leased) => {
            assert_eq!(world.engine(), Engine::Sqlite, "leased, though the freeze was committed before the row was locked");
            assert!(leased.answer.as_i64() <= Some(frozen_us), "leased inside the freeze");
        }
        Err(why) => panic!("{why:?}"),
    }
}

/// Here the lease holds the row: the freeze waits for its end and begins after it. Two leases do not wait for each other.
pub async fn a_freeze_waits_for_a_lease_and_leases_do_not(world: World) {
    let (one, two) = (world.store.clone(), world.another().await);
    declare(&one, "production", 1).await.expect("commits");
    let ((halted, hears), (goes, go_on)) = (sync_channel(1), sync_channel(1));
    let engine = world.engine();
    let leases = tokio::spawn(async move { two.decide(&request(vec![env("leases")]), lease(engine, 3, halted, go_on)).await });
    heard(hears).await;
    let freezes = tokio::spawn({
        let one = one.clone();
        async move { declare_freeze(&one, "frz_1").await }
    });
    if world.engine() == Engine::Postgres {
        // A store of its own: commands that are queued together in one store share a transaction, and its waiting.
        let (three, request) = (world.another().await, request(vec![env("other")]));
        let other = three.decide(&request, |view, now| {
            view.get::<Environment>("production")?;
            increments("other")(view, now)
        });
        tokio::time::timeout(Duration::from_secs(5), other).await.expect("shares the row").expect("commits");
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!freezes.is_finished(), "the freeze does not wait");
    _ = goes.send(());
    let leased_us = leases.await.expect("no panic").expect("leases").answer.as_i64().expect("an instant");
    assert!(leased_us < freezes.await.expect("no panic"));
}

/// What one server writes, the other one decides on, also where it keeps documents in memory.
pub async fn two_stores_on_one_database(world: World) {
    let (one, two) = (world.store.clone(), world.another().await);
    for _ in 0..10 {
        one.decide(&request(vec![env("dev")]), increments("dev")).await.expect("commits");
        two.decide(&request(vec![env("dev")]), increments("dev")).await.expect("commits");
    }
    assert_eq!(order(&one, "dev").await, 20);
    // What is only looked at as well: nothing that is written would tell that it was old.
    let looks = |view: &View, now| {
        let seen = view.get::<Environment>("dev")?.map_or(0, |environment| environment.spec.order);
        let mut decision = increments("looks")(view, now)?;
        decision.answer = json!(seen);
        Ok(decision)
    };
    for expected in 20..25 {
        let seen = two.decide(&request(vec![env("looks")]), looks).await.expect("commits");
        assert_eq!(seen.answer, json!(expected));
        one.decide(&request(vec![env("dev")]), increments("dev")).await.expect("commits");
    }
    assert_eq!(one.instance(), two.instance());
}

pub async fn documents_are_listed_and_filtered(world: World) {
    let store = &world.store;
    for name in ["e1", "e2", "e3", "e4", "e5"] {
        declare(store, name, 1).await.expect("commits");
    }
    let mut filter = Filter { limit: 2, ..Filter::default() };
    let mut keys = Vec::new();
    loop {
        let page = store.docs(PROJECT, Kind::Environment, &filter).await.expect("reads");
        keys.extend(page.rows.into_iter().map(|row| row.doc.key.key));
        match page.next {
            Some(next) => filter.cursor = Some(next),
            None => break,
        }
    }
    assert_eq!(keys, ["e1", "e2", "e3", "e4", "e5"]);
    let mut filter = Filter { limit: 2, order: Order::Newest, ..Filter::default() };
    let mut keys = Vec::new();
    loop {
        let page = store.docs(PROJECT, Kind::Environment, &filter).await.expect("reads");
        keys.extend(page.rows.into_iter().map(|row| row.doc.key.key));
        match page.next {
            Some(next) => filter.cursor = Some(next),
            None => break,
        }
    }
    assert_eq!(keys, ["e5", "e4", "e3", "e2", "e1"]);
    let slot = |service: &'static str, run: &'static str| {
        move |_: &_, _| {
            let mut decision = Decision::default();
            let taken = Fact::SlotTaken { environment: "e1".to_owned(), service: service.to_owned(), run: run.parse().expect("an id") };
            decision.fact(Kind::Slot, format!("e1/{service}"), taken);
            Ok(decision)
        }
    };
    store.decide(&request(vec![DocKey::new(Kind::Slot, "e1/shop")]), slot("shop", "run_1")).await.expect("commits");
    store.decide(&request(vec![DocKey::new(Kind::Slot, "e1/bank")]), slot("bank", "run_2")).await.expect("commits");
    let filter = Filter { service: Some("shop".to_owned()), environment: Some("e1".to_owned()), live: Some(true), ..Filter::default() };
    let page = store.docs(PROJECT, Kind::Slot, &filter).await.expect("reads");
    assert_eq!(page.rows.iter().map(|row| row.doc.key.key.as_str()).collect::<Vec<_>>(), ["e1/shop"]);
    // What a user sends is a value, never SQL.
    let filter = Filter { service: Some("x' OR '1'='1".to_owned()), ..Filter::default() };
    assert!(store.docs(PROJECT, Kind::Slot, &filter).await.expect("reads").rows.is_empty());
    assert!(
        store
            .docs(PROJECT, Kind::Slot, &Filter { order: Order::Newest, cursor: Some("1; DROP".to_owned()), ..Filter::default() })
            .await
            .is_err()
    );
}

pub async fn projects_are_apart(world: World) {
    let store = &world.store;
    declare(store, "dev", 1).await.expect("commits");
    let other = Request { project: "other".to_owned(), ..request(vec![env("dev")]) };
    let committed = store.decide(&other, increments("dev")).await.expect("commits");
    assert_eq!((committed.answer["order"].as_u64(), committed.facts[0].position), (Some(1), 1));
    let third = Request { project: "third".to_owned(), ..request(vec![]) };
    let seen = store.decide(&third, |view, _| Ok(Decision::unchanged(json!(view.all::<Environment>()?.len()))));
    assert_eq!(seen.await.expect("answers").answer, json!(0));
    assert!(store.doc("third", &env("dev")).await.expect("reads").is_none());
    assert_eq!(store.rebuild_compare().await.expect("compares"), []);
}
