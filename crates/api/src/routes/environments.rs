//! What an organisation declares: applied from files, compared first, shown.

use crate::bootstrap::new_person;
use crate::doors::{Admin, Reader};
use crate::organisation::{self, Declared, FreezeFile, Parsed, PersonFile};
use crate::problem::{Answer, Problem};
use crate::show::id;
use crate::state::{Api, note};
use crate::strict::{Params, Strict};
use axum::Json;
use axum::extract::State;
use holdpoint_domain::governance::freezes::DeclareFreeze;
use holdpoint_domain::kernel::{Actor, DocKey, Kind, PersonId, View};
use holdpoint_domain::nouns::{Environment, FreezeScope, PersonSpec, Service, Window};
use holdpoint_domain::organisation::{self as domain, Declaration, Folder};
use holdpoint_store::{Filter, PersonRow};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Apply {
    documents: Vec<File>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Its name, for messages only.
    file: String,
    text: String,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct How {
    /// Only say what would change.
    #[serde(default)]
    dry_run: bool,
    /// Retire what is known and not in these files: for a whole folder.
    #[serde(default)]
    retire: bool,
}

/// People by handle: known ones, and those that these files declare for the first time.
struct People {
    ids: BTreeMap<String, PersonId>,
    known: BTreeMap<String, PersonRow>,
    rows: Vec<PersonRow>,
}

/// Applies organisation files: one transaction, refused as a whole or done as a whole.
#[utoipa::path(post, path = "/v1/apply", tag = "environments", request_body = Apply, params(How), responses((status = 200, description = "what changes"), (status = 422, description = "files that cannot be applied, with file and line")))]
pub async fn apply(
    Admin(signed): Admin,
    State(api): State<Api>,
    Params(how): Params<How>,
    Strict { value, asked }: Strict<Apply>,
) -> Answer<Json<Value>> {
    let files: Vec<(String, String)> = value.documents.into_iter().map(|file| (file.file, file.text)).collect();
    let parsed =
        tokio::task::spawn_blocking(move || organisation::parse(&files)).await.map_err(|why| Problem::broken(&why))?.map_err(unreadable)?;
    let mut people = people(&api, &parsed).await?;
    let actor = signed.actor.clone();
    let folder = folder(&api, &parsed, &people, &actor).await?;
    let retire = how.retire;
    let locks = if how.dry_run { Vec::new() } else { locks(&api, &folder, retire).await? };
    let ask = {
        let actor = actor.clone();
        move |view: &View| domain::apply_folder(view, &folder, retire, &actor)
    };
    let mut answer = if how.dry_run {
        api.engine().ask(|view, _| ask(view)).await.map_err(|why| place(why.into(), &parsed, &people))?.answer
    } else {
        api.decide("organisation.apply", &actor, &asked, locks, move |view, _| ask(view))
            .await
            .map_err(|why| place(why, &parsed, &people))?
    };
    settle_ids(&answer, &mut people);
    name_people(&mut answer, &people);
    if let Some(object) = answer.as_object_mut() {
        object.insert("applied".to_owned(), json!(!how.dry_run));
    }
    Ok(Json(answer))
}

/// A command that is repeated has the ids of its first time: they are in its answer, in the order of the files.
fn settle_ids(answer: &Value, people: &mut People) {
    let changes = answer.get("changes").and_then(Value::as_array).cloned().unwrap_or_default();
    let declared = changes.iter().filter(|change| change.get("kind").and_then(Value::as_str) == Some("person"));
    let mut settled: BTreeMap<PersonId, PersonId> = BTreeMap::new();
    for (row, change) in people.rows.iter_mut().zip(declared) {
        let id: Option<PersonId> = change.get("name").and_then(Value::as_str).and_then(|id| id.parse().ok());
        if let Some(id) = id {
            settled.insert(std::mem::replace(&mut row.id, id.clone()), id);
        }
    }
    for owner in people.rows.iter_mut().filter_map(|row| row.owner.as_mut()) {
        if let Some(id) = settled.get(owner) {
            owner.clone_from(id);
        }
    }
}

fn unreadable(errors: Vec<organisation::FileError>) -> Problem {
    let first = errors.first().map(ToString::to_string).unwrap_or_default();
    let more = errors.len().saturating_sub(1);
    let detail = if more == 0 { first } else { format!("{first}; and {more} more") };
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "ORG-003", detail, "mend the file at that place and apply again")
        .with(json!({"errors": errors}))
}

async fn people(api: &Api, parsed: &[Parsed]) -> Answer<People> {
    let mut people = People { ids: BTreeMap::new(), known: BTreeMap::new(), rows: Vec::new() };
    let mut owners: BTreeMap<String, PersonId> = BTreeMap::new();
    let files: Vec<(&Parsed, &PersonFile)> = parsed
        .iter()
        .filter_map(|one| match &one.declaration {
            Declared::Person(file) => Some((one, file)),
            _ => None,
        })
        .collect();
    for (place, file) in &files {
        if people.ids.contains_key(&file.handle) {
            continue;
        }
        check_handle(place, file)?;
        let id = match api.store().person_by_handle(api.project(), &file.handle).await? {
            Some(row) => {
                let id = row.id.clone();
                people.known.insert(file.handle.clone(), row);
                id
            }
            None => new_person()?,
        };
        people.ids.insert(file.handle.clone(), id);
    }
    for (place, file) in &files {
        let at = |detail: String| {
            let detail = format!("{}:{}: person {}: {detail}", place.file, place.line, file.handle);
            Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "ORG-004",
                detail,
                "one address belongs to one person, and an owner is a declared person; change the file",
            )
        };
        let Some(id) = people.ids.get(&file.handle).cloned() else { continue };
        for email in &file.emails {
            let key = email.to_lowercase();
            let other = api.store().person_by_email(api.project(), &key).await?.is_some_and(|row| row.id != id);
            if other || owners.insert(key, id.clone()).is_some_and(|first| first != id) {
                return Err(at(format!("the address {email} belongs to somebody else")));
            }
        }
        let owner = match &file.owner {
            None => None,
            Some(handle) => Some(match people.ids.get(handle) {
                Some(id) => id.clone(),
                None => api
                    .store()
                    .person_by_handle(api.project(), handle)
                    .await?
                    .map(|row| row.id)
                    .ok_or_else(|| at(format!("there is no owner {handle:?}")))?,
            }),
        };
        let name = if file.name.is_empty() { file.handle.clone() } else { file.name.clone() };
        people.rows.push(PersonRow {
            id,
            handle: file.handle.clone(),
            name,
            emails: file.emails.clone(),
            service_account: file.service_account,
            owner,
        });
    }
    Ok(people)
}

/// Handles are plain words: nothing that looks like another one can be written.
fn check_handle(place: &Parsed, file: &PersonFile) -> Answer<()> {
    let handle = file.handle.as_str();
    let fits = (1..=64).contains(&handle.len())
        && handle.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && handle.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.' | b'_'));
    let visible = |text: &str, max: usize| text.chars().count() <= max && !text.chars().any(char::is_control);
    if fits && visible(&file.name, 200) && file.emails.iter().all(|email| email.contains('@') && visible(email, 254)) {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "ORG-004",
        format!("{}:{}: person {handle:?}: handle, name or address cannot be used", place.file, place.line),
        "a handle has 1 to 64 of a-z, 0-9, '-', '.', '_'; names have no control characters; addresses have an @",
    ))
}

async fn folder(api: &Api, parsed: &[Parsed], people: &People, actor: &Actor) -> Answer<Folder> {
    let mut rows = people.rows.iter();
    let (mut declared, mut frozen) = (Vec::new(), Vec::new());
    for one in parsed {
        match &one.declaration {
            Declared::Person(file) => {
                let Some(row) = rows.next() else { continue };
                declared.push(Declaration::Person(PersonSpec {
                    id: row.id.clone(),
                    roles: file.roles.clone(),
                    service_account: file.service_account,
                    owner: row.owner.clone(),
                }));
            }
            Declared::Service(spec) => declared.push(Declaration::Service(spec.clone())),
            Declared::Environment(spec) => {
                let mut spec = spec.clone();
                if one.short {
                    // The short form names places; it never takes protection from one that is declared.
                    match api.store().get::<Environment>(api.project(), &spec.name).await? {
                        Some(known) if !known.retired => spec = known.spec,
                        _ => spec.traffic = spec.traffic.or_else(|| api.settings().default_traffic.clone()),
                    }
                }
                declared.push(Declaration::Environment(spec));
            }
            Declared::Pipeline(spec) => declared.push(Declaration::Pipeline(spec.clone())),
            Declared::Window(spec) => declared.push(Declaration::Window(spec.clone())),
            Declared::Freeze(file) => frozen.push(freeze(file, actor)?),
        }
    }
    Ok(Folder { declared, frozen, people: people.rows.clone() })
}

fn freeze(file: &FreezeFile, actor: &Actor) -> Answer<DeclareFreeze> {
    Ok(DeclareFreeze {
        id: id("frz")?,
        name: file.name.clone(),
        scope: FreezeScope { environments: file.environments.clone(), services: file.services.clone() },
        from: file.from,
        until: file.until,
        reason: note(&file.reason)?,
        actor: actor.clone(),
    })
}

async fn locks(api: &Api, folder: &Folder, retire: bool) -> Answer<Vec<DocKey>> {
    let environments = if folder.frozen.is_empty() { Vec::new() } else { names::<Environment>(api).await? };
    let mut keys = domain::locks(folder, &environments);
    if retire {
        for kind in [Kind::Service, Kind::Environment, Kind::Pipeline, Kind::Window] {
            let mut filter = Filter { live: Some(true), limit: 1000, ..Filter::default() };
            loop {
                let page = api.store().docs(api.project(), kind, &filter).await?;
                keys.extend(page.rows.into_iter().map(|row| row.doc.key));
                if page.next.is_none() {
                    break;
                }
                filter.cursor = page.next;
            }
        }
    }
    Ok(keys.into_iter().collect())
}

/// A refusal that names a declaration is told with its file and line.
fn place(mut why: Problem, parsed: &[Parsed], people: &People) -> Problem {
    let text = |name: &str| why.facts.get(name).and_then(Value::as_str).map(str::to_owned);
    let (Some(kind), Some(mut name)) = (text("kind"), text("name")) else { return why };
    if kind == "person"
        && let Some(handle) = people.ids.iter().find(|(_, id)| id.as_str() == name).map(|(handle, _)| handle.clone())
    {
        why.detail = why.detail.replace(&name, &handle);
        name = handle;
    }
    // Of two with one name, the later one is too many.
    if let Some(found) = parsed.iter().rev().find(|one| one.declaration.named() == (kind.as_str(), name.as_str())) {
        why.detail = format!("{}:{}: {}", found.file, found.line, why.detail);
        if let Some(facts) = why.facts.as_object_mut() {
            facts.insert("file".to_owned(), json!(found.file));
            facts.insert("line".to_owned(), json!(found.line));
            facts.insert("name".to_owned(), json!(name));
        }
    }
    why
}

/// Changes of people are told by handle, and include what is kept beside the ledger.
fn name_people(answer: &mut Value, people: &People) {
    let Some(changes) = answer.get_mut("changes").and_then(Value::as_array_mut) else { return };
    for change in changes.iter_mut().filter(|change| change.get("kind").and_then(Value::as_str) == Some("person")) {
        let id = change.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let Some(row) = people.rows.iter().find(|row| row.id.as_str() == id) else { continue };
        let Some(object) = change.as_object_mut() else { continue };
        object.insert("name".to_owned(), json!(row.handle));
        if let Some(known) = people.known.get(&row.handle) {
            let mut found = Vec::new();
            if known.name != row.name {
                found.push(json!({"path": "name", "from": known.name, "to": row.name}));
            }
            if known.emails != row.emails.iter().map(|email| email.to_lowercase()).collect::<Vec<_>>() {
                found.push(json!({"path": "emails", "from": known.emails, "to": row.emails}));
            }
            if !found.is_empty() {
                if object.get("action").and_then(Value::as_str) == Some("same") {
                    object.insert("action".to_owned(), json!("change"));
                }
                if let Some(diff) = object.get_mut("diff").and_then(Value::as_array_mut) {
                    diff.extend(found);
                }
            }
        }
    }
}

/// Keys of all live nouns of a kind.
pub async fn names<T: holdpoint_domain::kernel::Noun>(api: &Api) -> Answer<Vec<String>> {
    Ok(api.store().all::<T>(api.project()).await?.iter().map(T::key).collect())
}

/// Environments with their windows, in the order of the board.
#[utoipa::path(get, path = "/v1/environments", tag = "environments", responses((status = 200, description = "environments")))]
pub async fn environments(_: Reader, State(api): State<Api>) -> Answer<Json<Value>> {
    let windows: Vec<Window> = api.store().all(api.project()).await?;
    let mut places: Vec<Environment> = api.store().all(api.project()).await?;
    places.sort_by(|a, b| (a.spec.order, &a.spec.name).cmp(&(b.spec.order, &b.spec.name)));
    let shown: Vec<Value> = places
        .iter()
        .map(|place| {
            let spec = &place.spec;
            let bound: Vec<Value> = spec
                .windows
                .iter()
                .filter_map(|name| windows.iter().find(|window| window.spec.name == *name))
                .map(|window| {
                    let one = &window.spec;
                    json!({"name": one.name, "kind": one.kind, "rule": one.rule, "start": one.start, "duration": one.duration, "zone": one.zone.clone().unwrap_or_else(|| spec.zone.clone())})
                })
                .collect();
            json!({"name": spec.name, "production": spec.production, "zone": spec.zone, "order": spec.order, "pool": spec.pool, "windows": bound})
        })
        .collect();
    Ok(Json(json!({"environments": shown})))
}

/// Services with their components.
#[utoipa::path(get, path = "/v1/services", tag = "environments", responses((status = 200, description = "services")))]
pub async fn services(_: Reader, State(api): State<Api>) -> Answer<Json<Value>> {
    let services: Vec<Service> = api.store().all(api.project()).await?;
    let shown: Vec<Value> = services
        .iter()
        .map(|service| {
            let spec = &service.spec;
            let components: Vec<Value> = spec
                .components
                .iter()
                .map(|(name, one)| json!({"name": name, "instances": one.instances, "builds": one.build.is_some()}))
                .collect();
            json!({"name": spec.name, "owner": spec.owner, "tier": spec.tier, "pipeline": spec.pipeline, "components": components})
        })
        .collect();
    Ok(Json(json!({"services": shown})))
}
