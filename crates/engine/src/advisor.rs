//! The advisor: judges stored lists of components by the advisories that were sent. Woken by commits or a timer, takes no
//! input; safe to run twice, because a judgement's envelope is the same and counts once.
//!
//! Its memory (parsed lists, an index) is a cache of blobs: a restart begins it anew.

use crate::Engine;
use crate::evidence::{EvidenceError, VULNERABILITIES};
use holdpoint_domain::build::advisories;
use holdpoint_domain::kernel::Actor;
use holdpoint_domain::nouns::{Advisories, Subject, Summary, Weakness};
use holdpoint_inspect::advisories::holdings::{Holdings, InventoryId};
use holdpoint_inspect::advisories::inventory::{self, Inventory};
use holdpoint_inspect::advisories::judge::Weakness as Found;
use holdpoint_inspect::advisories::knowledge::{self, DeliveryError, Knowledge};
use holdpoint_inspect::advisories::osv::Advisory;
use holdpoint_seal::digest::Digest;
use holdpoint_store::Filter;
use serde_json::json;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

const EVERY: Duration = Duration::from_secs(5);
const TTL: Duration = Duration::from_secs(10);
/// A fact has 16 KiB: so many weaknesses are named in it, worst first; the counts are of all.
const FOUND_MAX: usize = 50;
const NEW_MAX: usize = 20;

impl Engine {
    /// How many records a delivery of advisories has; every one of them must be readable.
    pub async fn count_advisories(&self, bytes: bytes::Bytes) -> Result<u32, EvidenceError> {
        let read = tokio::task::spawn_blocking(move || knowledge::records(&bytes, |_| {})).await;
        read.map_err(|why| EvidenceError::Unreadable(why.to_string()))?.map_err(|why| EvidenceError::Unreadable(why.to_string()))
    }
}

/// What is kept between rounds.
#[derive(Default)]
struct Memory {
    knowledge: Knowledge,
    /// Number of the last delivery in it.
    through: u64,
    lists: HashMap<Digest, (InventoryId, Inventory)>,
    holdings: Holdings,
}

pub(crate) async fn run(engine: Engine) {
    let mut woken = engine.store().woken();
    let mut memory = Memory::default();
    loop {
        if engine.leads("advisor", TTL).await
            && let Err(why) = once(&engine, &mut memory).await
        {
            tracing::warn!(%why, "judging lists of components failed; it is tried again");
            memory = Memory::default();
            engine.pause(Duration::from_secs(1)).await;
        }
        if !engine.after_commits("advisor", &mut woken, EVERY).await {
            return;
        }
    }
}

/// The list of a subject that counts, and its last judgement.
fn standing(subject: &Subject) -> Option<(Digest, Option<&Summary>)> {
    let source = subject.standing().find_map(|item| match &item.summary {
        Summary::Components { source, .. } => Some(*source),
        _ => None,
    })?;
    let judged = subject
        .standing()
        .map(|item| &item.summary)
        .find(|summary| matches!(summary, Summary::Vulnerabilities { components, .. } if *components == source));
    Some((source, judged))
}

/// One round: takes in what was delivered, and judges what that may have changed.
async fn once(engine: &Engine, memory: &mut Memory) -> Result<(), EvidenceError> {
    let known: Option<Advisories> = engine.store().get(engine.project(), Advisories::KEY).await?;
    let Some(known) = known else { return Ok(()) };
    let subjects = listed(engine).await?;
    let unjudged = subjects.iter().any(|subject| standing(subject).is_some_and(|(_, judged)| judged.is_none()));
    if known.judged >= known.last && !unjudged {
        return Ok(());
    }
    for subject in &subjects {
        if let Some((source, _)) = standing(subject) {
            remember(engine, memory, source).await?;
        }
    }
    // None: everything may have changed.
    let arrived = learn(engine, memory, &known).await?;
    let concerned: Option<HashSet<InventoryId>> = arrived.as_ref().map(|arrived| memory.holdings.rejudge(arrived).into_keys().collect());
    let names: HashSet<&str> = arrived.iter().flatten().map(|advisory| advisory.id.as_str()).collect();
    let mut changed = 0;
    for subject in &subjects {
        let Some((source, judged)) = standing(subject) else { continue };
        let Some((id, inventory)) = memory.lists.get(&source) else { continue };
        let told_before = match judged {
            Some(Summary::Vulnerabilities { found, .. }) => found.iter().any(|one| one.ids.iter().any(|id| names.contains(id.as_str()))),
            _ => false,
        };
        let touched = judged.is_none() || told_before || concerned.as_ref().is_none_or(|concerned| concerned.contains(id));
        if !touched {
            continue;
        }
        let found = memory.knowledge.judge(&inventory.components).map_err(|why| EvidenceError::Unreadable(why.to_string()))?;
        let summary = summarise(source, known.last, inventory, &found, judged);
        if !same(judged, &summary) {
            let body = json!({"components": source, "delivery": known.last, "found": found.iter().map(|one| told(inventory, one)).collect::<Vec<_>>()});
            let actor = Actor::engine("advisor");
            engine.attest(VULNERABILITIES, subject.digest, summary, body, &actor).await?;
            changed += 1;
        }
    }
    let through = known.last;
    engine.decide("advisories.judge", vec![advisories::key()], move |view, _| advisories::judged(view, through, changed)).await?;
    Ok(())
}

/// Every subject about which a list of components stands.
async fn listed(engine: &Engine) -> Result<Vec<Subject>, EvidenceError> {
    let mut all = Vec::new();
    let mut cursor = None;
    loop {
        let filter = Filter { label: Some("components".to_owned()), cursor, limit: 500, ..Filter::default() };
        let (subjects, next) = engine.store().list::<Subject>(engine.project(), &filter).await?;
        all.extend(subjects);
        cursor = next;
        if cursor.is_none() {
            return Ok(all);
        }
    }
}

/// Reads a list into memory. It was read once before it was taken in, so a failure is the store's.
async fn remember(engine: &Engine, memory: &mut Memory, source: Digest) -> Result<(), EvidenceError> {
    if memory.lists.contains_key(&source) {
        return Ok(());
    }
    let missing = || EvidenceError::Unreadable(format!("the list of components {source} is not in the store"));
    let bytes = engine.store().blob_get(&source).await?.ok_or_else(missing)?;
    let inventory = inventory::read(&bytes).map_err(|why| EvidenceError::Unreadable(why.to_string()))?;
    let id = InventoryId::try_from(memory.lists.len()).map_err(|_| missing())?;
    memory.holdings.add(id, &inventory.components);
    memory.lists.insert(source, (id, inventory));
    Ok(())
}

/// Takes in deliveries that are not in memory. The advisories that arrived since the last judgement; None where a whole
/// database did, or where memory had to begin anew.
async fn learn(engine: &Engine, memory: &mut Memory, known: &Advisories) -> Result<Option<Vec<Advisory>>, EvidenceError> {
    let mut all = memory.through == 0 || memory.through < known.judged;
    let mut arrived = Vec::new();
    let first = known.deliveries.first().map_or(0, |delivery| delivery.number);
    let through = memory.through;
    for delivery in known.deliveries.iter().filter(|delivery| delivery.number > through) {
        let missing = || EvidenceError::Unreadable(format!("the delivery {} is not in the store", delivery.source));
        let bytes = engine.store().blob_get(&delivery.source).await?.ok_or_else(missing)?;
        let refused = |why: DeliveryError| EvidenceError::Unreadable(why.to_string());
        if delivery.number == first && known.whole.is_some() {
            let mut knowledge = std::mem::take(&mut memory.knowledge);
            // An index of 200,000 records takes seconds: not on the threads that serve.
            let built = tokio::task::spawn_blocking(move || knowledge.whole(&bytes).map(|()| knowledge));
            memory.knowledge = built.await.map_err(|why| EvidenceError::Unreadable(why.to_string()))?.map_err(refused)?;
            all = true;
        } else {
            arrived.extend(memory.knowledge.later(&bytes).map_err(refused)?);
        }
        memory.through = delivery.number;
    }
    Ok((!all).then_some(arrived))
}

fn told(inventory: &Inventory, found: &Found) -> Weakness {
    let component = found.component.and_then(|place| inventory.components.get(place));
    let bare = component.and_then(|component| component.purl.clone()).map(|mut purl| {
        purl.version = None;
        purl.qualifiers.clear();
        purl.to_string()
    });
    Weakness {
        ids: found.ids.iter().take(5).map(|id| id.chars().take(60).collect()).collect(),
        name: component.map(|one| one.name.chars().take(120).collect()).unwrap_or_default(),
        package: bare.unwrap_or_default().chars().take(160).collect(),
        version: component.and_then(|one| one.version.clone()).unwrap_or_default().chars().take(60).collect(),
        class: found.rating.class.word().to_owned(),
        fixed: found.fixed.as_ref().map(|version| version.chars().take(60).collect()),
    }
}

fn summarise(source: Digest, delivery: u64, inventory: &Inventory, found: &[Found], before: Option<&Summary>) -> Summary {
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for one in found {
        *counts.entry(one.rating.class.word().to_owned()).or_default() += 1;
    }
    let mut order: Vec<&Found> = found.iter().collect();
    order.sort_by(|a, b| (a.rating.class, a.id(), a.component).cmp(&(b.rating.class, b.id(), b.component)));
    let all: Vec<Weakness> = order.iter().map(|one| told(inventory, one)).collect();
    let new = match before {
        Some(Summary::Vulnerabilities { found: old, .. }) => {
            let names: HashSet<&String> = old.iter().flat_map(|one| &one.ids).collect();
            let fresh = all.iter().filter(|one| !one.ids.iter().any(|id| names.contains(id)));
            let mut fresh: Vec<String> = fresh.filter_map(|one| one.ids.first().cloned()).collect();
            fresh.dedup();
            fresh.truncate(NEW_MAX);
            fresh
        }
        _ => Vec::new(),
    };
    let mut found = all;
    found.truncate(FOUND_MAX);
    // What was named must fit into a fact.
    while found.iter().map(|one| serde_json::to_string(one).map_or(0, |text| text.len())).sum::<usize>() > 12_000 {
        found.pop();
    }
    Summary::Vulnerabilities { components: source, delivery, counts, found, new }
}

/// Whether a judgement says what the one before it said.
fn same(before: Option<&Summary>, now: &Summary) -> bool {
    match (before, now) {
        (
            Some(Summary::Vulnerabilities { components: a, counts: b, found: c, .. }),
            Summary::Vulnerabilities { components: d, counts: e, found: f, .. },
        ) => (a, b, c) == (d, e, f),
        _ => false,
    }
}
