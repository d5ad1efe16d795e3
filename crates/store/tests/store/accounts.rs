//! People, doors, blobs, readings: what is operational and no fact.

use crate::world::*;
use holdpoint_domain::kernel::{Decision, Kind, Timestamp, View};
use holdpoint_seal::digest::Digest;
use holdpoint_store::{PersonRow, Reading, Session, Store, StoreError, StoredReport, Token};
use serde_json::json;
use std::time::Duration;

fn person(handle: &str, emails: &[&str]) -> PersonRow {
    let emails = emails.iter().map(|email| (*email).to_owned()).collect();
    PersonRow { id: per(handle), handle: handle.to_owned(), name: handle.to_uppercase(), emails, service_account: false, owner: None }
}

/// Condemns, deletes, and says what is gone.
pub async fn sweep(store: &Store, grace: Duration, wait: Duration) -> Result<Vec<Digest>, StoreError> {
    let doomed = store.blob_doomed(grace, wait).await?;
    store.blob_delete(&doomed, wait).await?;
    let mut gone = Vec::new();
    for (digest, _) in doomed {
        if store.blob_size(&digest).await?.is_none() {
            gone.push(digest);
        }
    }
    Ok(gone)
}

/// People come with a decision, and with its facts or not at all.
async fn put(store: &Store, person: &PersonRow) -> Result<(), StoreError> {
    let people = vec![person.clone()];
    store.decide(&request(vec![]), move |_, _| Ok(Decision { people: people.clone(), ..Decision::default() })).await.map(|_| ())
}

pub async fn people_and_addresses(world: World) {
    let store = &world.store;
    let ada = person("ada", &["Ada@Shop.example", "ada@old.example"]);
    put(store, &ada).await.expect("puts");
    put(store, &person("grace", &["grace@shop.example"])).await.expect("puts");
    let found = store.person_by_email(PROJECT, "ADA@shop.example").await.expect("reads").expect("is there");
    assert_eq!((found.id, found.emails[0].as_str()), (per("ada"), "ada@shop.example"));
    assert!(matches!(put(store, &person("linus", &["ada@shop.example"])).await, Err(StoreError::Refused(_))));
    assert!(store.person_by_handle(PROJECT, "linus").await.expect("reads").is_none(), "nothing of it was written");
    assert!(matches!(put(store, &PersonRow { handle: "grace".to_owned(), ..person("root", &[]) }).await, Err(StoreError::Refused(_))));
    // An address that was given up is free again.
    put(store, &person("ada", &["ada@shop.example"])).await.expect("puts");
    put(store, &person("linus", &["ada@old.example"])).await.expect("puts");
    assert!(store.person_by_handle("other", "ada").await.expect("reads").is_none());
    let bot = PersonRow { service_account: true, owner: Some(per("ada")), ..person("bot", &[]) };
    put(store, &bot).await.expect("puts");
    assert_eq!(store.person(PROJECT, &per("bot")).await.expect("reads"), Some(bot));
    assert_eq!(
        store.people(PROJECT).await.expect("reads").iter().map(|person| person.handle.as_str()).collect::<Vec<_>>(),
        ["ada", "bot", "grace", "linus"]
    );
    store.set_password(PROJECT, &per("ada"), "hash").await.expect("sets");
    store.erase_person(PROJECT, &per("ada")).await.expect("erases");
    assert!(store.person_by_email(PROJECT, "ada@shop.example").await.expect("reads").is_none());
    assert!(store.account(PROJECT, &per("ada")).await.expect("reads").is_none());
    assert_eq!(
        store.person(PROJECT, &per("ada")).await.expect("reads").map(|person| (person.handle, person.name)),
        Some(("per_ada".to_owned(), String::new()))
    );
}

/// One transaction: where a row is somebody else's, the facts and the other rows of its decision are not there either, and
/// an address goes from one person to another in one step.
pub async fn people_come_with_their_facts(world: World) {
    let store = &world.store;
    put(store, &person("ada", &["ada@shop.example"])).await.expect("puts");
    let with = |people: Vec<PersonRow>| {
        move |_: &View, _: Timestamp| {
            let mut decision = Decision { people: people.clone(), ..Decision::default() };
            decision.fact(Kind::Environment, "test", environment("test", 1));
            Ok(decision)
        }
    };
    let both = vec![person("linus", &["linus@shop.example"]), person("mary", &["ada@shop.example"])];
    let refused = store.decide(&request(vec![env("test")]), with(both)).await.expect_err("an address of another's");
    assert!(
        matches!(&refused, StoreError::Refused(why) if why.code == "ORG-004" && why.sentence.contains("ada@shop.example")),
        "{refused}"
    );
    assert!(store.person_by_handle(PROJECT, "linus").await.expect("reads").is_none());
    assert!(store.doc(PROJECT, &env("test")).await.expect("reads").is_none());
    let twice = vec![person("linus", &[]), PersonRow { handle: "linus".to_owned(), ..person("other", &[]) }];
    assert!(matches!(store.decide(&request(vec![env("test")]), with(twice)).await, Err(StoreError::Refused(_))));
    let moved = vec![person("mary", &["ada@shop.example"]), person("ada", &["ada@new.example"])];
    store.decide(&request(vec![env("test")]), with(moved)).await.expect("commits");
    let found = store.person_by_email(PROJECT, "ada@shop.example").await.expect("reads");
    assert_eq!(found.map(|person| person.handle), Some("mary".to_owned()));
    assert!(store.doc(PROJECT, &env("test")).await.expect("reads").is_some());
}

pub async fn sessions_tokens_and_invitations(world: World) {
    let store = &world.store;
    let (now, hour) = (store.now().await.expect("tells"), Duration::from_secs(3600));
    assert!(!store.has_accounts().await.expect("asks"));
    store.set_password(PROJECT, &per("ada"), "hash-1").await.expect("sets");
    assert!(store.has_accounts().await.expect("asks"));
    assert_eq!(store.count_failure(PROJECT, &per("ada"), now).await.expect("counts"), 1);
    assert_eq!(store.count_failure(PROJECT, &per("ada"), now + hour).await.expect("counts"), 2);
    let account = store.account(PROJECT, &per("ada")).await.expect("reads").expect("is there");
    assert_eq!((account.failures, account.locked_until), (2, now + hour));
    store.clear_failures(PROJECT, &per("ada")).await.expect("clears");
    assert_eq!(store.account(PROJECT, &per("ada")).await.expect("reads").map(|account| account.failures), Some(0));

    let session = |id: &str, expires| Session {
        id_hash: id.to_owned(),
        project: PROJECT.to_owned(),
        person: per("ada"),
        csrf_hash: "csrf".to_owned(),
        created: now,
        expires,
        last_seen: now,
    };
    store.add_session(&session("s1", now + hour)).await.expect("adds");
    store.add_session(&session("s2", now - hour)).await.expect("adds");
    assert_eq!(store.session("s1").await.expect("reads"), Some(session("s1", now + hour)));
    assert_eq!(store.session("s2").await.expect("reads"), None, "expired");
    store.touch_session("s1", now + hour + hour).await.expect("touches");
    assert_eq!(store.session("s1").await.expect("reads").map(|session| session.expires), Some(now + hour + hour));
    assert_eq!(store.end_sessions_of(PROJECT, &per("ada")).await.expect("ends"), 2);
    assert_eq!(store.session("s1").await.expect("reads"), None);

    let token = |id: &str, expires| Token {
        id: id.to_owned(),
        project: PROJECT.to_owned(),
        person: per("ada"),
        name: "laptop".to_owned(),
        created: now,
        expires,
        revoked: None,
    };
    store.add_token(&token("t1", None), "h1").await.expect("adds");
    store.add_token(&token("t2", Some(now - hour)), "h2").await.expect("adds");
    assert_eq!(store.token_by_hash("h1").await.expect("reads"), Some(token("t1", None)));
    assert_eq!(store.token_by_hash("h2").await.expect("reads"), None, "expired");
    assert!(!store.revoke_token(PROJECT, &per("grace"), "t1").await.expect("asks"), "not hers");
    assert!(!store.revoke_token("other", &per("ada"), "t1").await.expect("asks"));
    assert!(store.revoke_token(PROJECT, &per("ada"), "t1").await.expect("revokes"));
    assert_eq!(store.token_by_hash("h1").await.expect("reads"), None);
    assert_eq!(store.tokens_of(PROJECT, &per("ada")).await.expect("reads").len(), 2);

    store.add_invite(PROJECT, "i1", &per("grace"), now + hour).await.expect("adds");
    store.add_invite(PROJECT, "i2", &per("grace"), now - hour).await.expect("adds");
    let (one, two) = tokio::join!(store.take_invite("i1"), store.take_invite("i1"));
    let taken: Vec<_> = [one.expect("takes"), two.expect("takes")].into_iter().flatten().collect();
    assert_eq!(taken, [(PROJECT.to_owned(), per("grace"))], "once");
    assert_eq!(store.take_invite("i2").await.expect("asks"), None);

    store.add_pool_key(PROJECT, "linux", "k1").await.expect("adds");
    assert_eq!(store.pool_by_key("k1").await.expect("reads"), Some((PROJECT.to_owned(), "linux".to_owned())));
    assert!(store.revoke_pool_key(PROJECT, "k1").await.expect("revokes"));
    assert_eq!(store.pool_by_key("k1").await.expect("reads"), None);

    store.put_setting("setup", "h").await.expect("puts");
    assert_eq!(store.setting("setup").await.expect("reads").as_deref(), Some("h"));
    assert!(store.remove_setting("setup").await.expect("removes"));
    assert_eq!(store.setting("setup").await.expect("reads"), None);
    assert!(store.prune(Duration::from_secs(1800), 100).await.expect("prunes") >= 1);
}

pub async fn blobs_are_whole_and_swept(world: World) {
    let store = &world.store;
    let (mut upload, bytes) = (store.blob_upload(1 << 20).await.expect("begins"), vec![7u8; 300_000]);
    for chunk in bytes.chunks(70_000) {
        upload.write(chunk).await.expect("takes");
    }
    let digest = upload.finish(None).await.expect("finishes");
    assert_eq!(digest, Digest::of(&bytes));
    assert_eq!(store.blob_get(&digest).await.expect("reads"), Some(bytes));
    assert_eq!(store.blob_size(&digest).await.expect("reads"), Some(300_000));
    assert_eq!(store.blob_put(&[7u8; 300_000]).await.expect("again"), digest);
    // Too large, wrong, or given up: nothing is visible and nothing is left.
    let mut upload = store.blob_upload(10).await.expect("begins");
    assert!(upload.write(&[0; 11]).await.is_err());
    drop(upload);
    let mut upload = store.blob_upload(10).await.expect("begins");
    upload.write(b"these").await.expect("takes");
    assert!(upload.finish(Some(Digest::of(b"those"))).await.is_err());
    assert_eq!(store.blob_get(&Digest::of(b"these")).await.expect("reads"), None);
    assert_eq!(std::fs::read_dir(world.blobs().join("incoming")).expect("a folder").count(), 0);
    // Condemned, uploaded anew, condemned again, deleted.
    let (zero, day) = (Duration::ZERO, Duration::from_secs(86_400));
    assert_eq!(sweep(store, day, zero).await.expect("sweeps"), [], "too young to be condemned");
    assert_eq!(sweep(store, zero, day).await.expect("sweeps"), [], "condemned just now");
    store.blob_put(&[7u8; 300_000]).await.expect("again");
    assert_eq!(sweep(store, day, zero).await.expect("sweeps"), [], "no longer condemned");
    sweep(store, zero, day).await.expect("sweeps");
    assert_eq!(sweep(store, zero, zero).await.expect("sweeps"), [digest]);
    assert_eq!(store.blob_get(&digest).await.expect("reads"), None);
    assert_eq!(store.blob_size(&digest).await.expect("reads"), None);
    // Changed on disk: found when read.
    let digest = store.blob_put(b"evidence").await.expect("puts");
    assert!(store.blob_pin(&digest).await.expect("pins"));
    let hex = digest.hex();
    let path = world.blobs().join("sha256").join(&hex[..2]).join(&hex[2..]);
    std::fs::write(path, b"evidenca").expect("writes");
    assert!(matches!(store.blob_get(&digest).await, Err(StoreError::Broken(_))));
    assert!(store.blob_erase(&digest).await.expect("erases"));
    assert_eq!(store.blob_get(&digest).await.expect("reads"), None);
}

pub async fn readings_and_reports(world: World) {
    let store = &world.store;
    let now = store.now().await.expect("tells");
    for second in 0..5 {
        let reading = Reading { at: now + Duration::from_secs(second), body: json!({"requests": second}) };
        store.add_reading(PROJECT, "run_1", "watch", &reading).await.expect("adds");
    }
    let series = store.readings(PROJECT, "run_1", "watch", now + Duration::from_secs(2)).await.expect("reads");
    assert_eq!(series.iter().map(|reading| reading.body["requests"].as_u64()).collect::<Vec<_>>(), [Some(2), Some(3), Some(4)]);
    assert!(store.readings("other", "run_1", "watch", now).await.expect("reads").is_empty());
    let release = "rel_1".parse().expect("an id");
    let report = |verdict: &str| StoredReport {
        release: "rel_1".to_owned(),
        environment: "production".to_owned(),
        body: json!({"gates": []}),
        at: now,
        verdict: verdict.to_owned(),
        versions: "{}".to_owned(),
    };
    store.put_report(PROJECT, &report("shut")).await.expect("puts");
    store.put_report(PROJECT, &report("open")).await.expect("puts");
    assert_eq!(store.report(PROJECT, &release, "production").await.expect("reads"), Some(report("open")));
    assert_eq!(store.reports_of::<serde_json::Value>(PROJECT, std::slice::from_ref(&release)).await.expect("reads").len(), 1);
}
