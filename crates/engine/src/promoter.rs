//! The promoter: woken by commits or a timer, takes no input. Asks all gates of what wants to go on, keeps the report, and
//! opens the run once every gate is open.

use crate::{Engine, random_id};
use holdpoint_domain::gate::{Light, Report};
use holdpoint_domain::kernel::{DocKey, Kind, Stop, Timestamp};
use holdpoint_domain::nouns::{Pipeline, Promotion, Release, ReleaseState, Service, Slot};
use holdpoint_domain::orchestration::runs;
use holdpoint_domain::review;
use holdpoint_store::{Filter, StoreError, StoredReport};
use std::time::Duration;

const EVERY: Duration = Duration::from_secs(1);
/// Renewed every round; another server takes over this long after the last one. A round that takes longer does no harm:
/// what it decides, a transaction decides.
const TTL: Duration = Duration::from_secs(3);

pub(crate) async fn run(engine: Engine) {
    let mut woken = engine.store().woken();
    loop {
        if engine.leads("promoter", TTL).await
            && let Err(why) = once(&engine).await
        {
            tracing::warn!(%why, "promoting failed; it is tried again");
        }
        if !engine.after_commits("promoter", &mut woken, EVERY).await {
            return;
        }
    }
}

/// One round over the open releases.
pub(crate) async fn once(engine: &Engine) -> holdpoint_store::Result<()> {
    let mut cursor = None;
    loop {
        let filter = Filter { live: Some(true), cursor, limit: 500, ..Filter::default() };
        let (releases, next) = engine.store().list::<Release>(engine.project(), &filter).await?;
        for release in releases {
            consider(engine, &release).await?;
        }
        cursor = next;
        if cursor.is_none() {
            return Ok(());
        }
    }
}

/// A release with every stage it has yet to pass.
async fn consider(engine: &Engine, release: &Release) -> holdpoint_store::Result<()> {
    let Some(service) = engine.store().get::<Service>(engine.project(), &release.manifest().service).await? else { return Ok(()) };
    let Some(pipeline) = engine.store().get::<Pipeline>(engine.project(), &service.spec.pipeline).await? else { return Ok(()) };
    for environment in runs::candidates(release, &pipeline) {
        let slot = Slot::key_of(&environment, &release.manifest().service);
        if engine.store().get::<Slot>(engine.project(), &slot).await?.is_some_and(|slot| slot.held_by.is_some()) {
            // Its run is on the way; the door asks.
            continue;
        }
        let automatic = pipeline.stage(&environment).is_some_and(|(stage, _)| stage.promotion == Promotion::Automatic);
        let failed = release.promoted.iter().any(|one| one.environment == environment && one.manifest_digest == *release.manifest_digest());
        let wants = release.wanted.contains_key(&environment) || (automatic && !failed);
        let report = match look(engine, release, &environment).await {
            Ok(report) => report,
            Err(StoreError::Refused(_)) => continue,
            Err(other) => return Err(other),
        };
        if wants && report.verdict == Light::Open {
            open(engine, release, &environment).await?;
        }
    }
    Ok(())
}

/// Asks without writing facts, and keeps the report for the board.
pub(crate) async fn look(engine: &Engine, release: &Release, environment: &str) -> holdpoint_store::Result<Report> {
    let report = engine.report(release.id.as_str(), environment).await?;
    let known = engine.store().report(engine.project(), &release.id, environment).await?;
    let light = serde_json::to_value(report.verdict).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
    let body = serde_json::to_value(&report).unwrap_or_default();
    let same = known.is_some_and(|known| {
        known.body.get("gates") == body.get("gates") && known.body.get("manifest_digest") == body.get("manifest_digest")
    });
    if !same {
        let stored = StoredReport {
            release: release.id.to_string(),
            environment: environment.to_owned(),
            body,
            at: report.at,
            verdict: light,
            versions: report.evidence_root.to_string(),
        };
        engine.store().put_report(engine.project(), &stored).await?;
    }
    Ok(report)
}

async fn open(engine: &Engine, release: &Release, environment: &str) -> holdpoint_store::Result<()> {
    let id = random_id();
    let locks = vec![
        DocKey::new(Kind::Release, release.id.as_str()),
        DocKey::new(Kind::Slot, Slot::key_of(environment, &release.manifest().service)),
        DocKey::new(Kind::Run, format!("run_{id}")),
    ];
    let (release, environment) = (release.id.to_string(), environment.to_owned());
    let decide = move |view: &holdpoint_domain::kernel::View, now: Timestamp| {
        let run = format!("run_{id}").parse().map_err(|_| Stop::Unreadable { key: "run".to_owned(), why: "no id".to_owned() })?;
        runs::open(view, &run, &release, &environment, now)
    };
    engine.decide("run.open", locks, decide).await.map(|_| ())
}

/// Older open releases of a service whose newer release ended well are superseded.
pub(crate) async fn supersede(engine: &Engine) -> holdpoint_store::Result<()> {
    let open = Filter { live: Some(true), limit: 500, ..Filter::default() };
    let (older, _) = engine.store().list::<Release>(engine.project(), &open).await?;
    for old in older.iter().filter(|old| old.state == ReleaseState::Open) {
        let service = old.manifest().service.clone();
        let ended =
            Filter { service: Some(service), live: Some(false), order: holdpoint_store::Order::Newest, limit: 5, ..Filter::default() };
        let (newer, _) = engine.store().list::<Release>(engine.project(), &ended).await?;
        let Some(new) = newer
            .into_iter()
            .find(|new| new.created_at > old.created_at && new.closure == Some(holdpoint_domain::nouns::Closure::Successful))
        else {
            continue;
        };
        let (old_id, new_id) = (old.id.to_string(), new.id.to_string());
        let locks = vec![DocKey::new(Kind::Release, old_id.as_str())];
        engine.decide("release.supersede", locks, move |view, _| review::closure::supersede(view, &old_id, &new_id)).await?;
    }
    Ok(())
}
