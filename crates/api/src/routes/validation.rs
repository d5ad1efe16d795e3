//! Evidence: reports taken in by the server, signed statements of others, and what is known about a digest.

use crate::doors::{Maker, Reader, Signed};
use crate::problem::{Answer, Problem};
use crate::routes::blobs::{digest, send};
use crate::show::words;
use crate::state::{Api, note};
use crate::strict::{Params, Raw, Strict};
use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use holdpoint_domain::build::intake;
use holdpoint_domain::kernel::{DocKey, EvidenceId, Kind, Refusal, Timestamp};
use holdpoint_domain::nouns::{Subject, Summary};
use holdpoint_engine::evidence::{EvidenceError, PROVENANCE};
use holdpoint_seal::digest::Digest;
use holdpoint_seal::fact::Micros;
use holdpoint_seal::statement::Statement;
use holdpoint_seal::trust::{self, TrustError};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct What {
    /// `junit`, `sarif`, `cyclonedx`, `interface`, `usage` or `dsse`.
    kind: String,
    /// The digest it is about; a signed statement names its own.
    #[serde(default)]
    subject: Option<String>,
    /// For `junit`.
    #[serde(default)]
    suite: Option<String>,
    /// For `junit`: the environment the tests ran against. For `usage`: where the log was written.
    #[serde(default)]
    environment: Option<String>,
    /// For `interface` and `usage`: the interface's name, such as `http`.
    #[serde(default)]
    interface: Option<String>,
    /// For `interface`: `openapi`, `protobuf`, `avro`, `json-schema` or `graphql`.
    #[serde(default)]
    format: Option<String>,
}

fn unreadable(why: EvidenceError) -> Problem {
    match why {
        EvidenceError::Store(why) => why.into(),
        EvidenceError::Unreadable(why) => Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "EVD-004",
            format!("this is no report that can be read: {why}"),
            "send the report as the tool wrote it",
        ),
    }
}

/// The same of descriptions and logs, which people write and not a tool.
fn undescribed(why: EvidenceError) -> Problem {
    match why {
        EvidenceError::Store(why) => why.into(),
        EvidenceError::Unreadable(why) => Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "EVD-004",
            format!("this is nothing that can be read of an interface: {why}"),
            "mend what the sentence names; what a description refers to goes with it, in one zip",
        ),
    }
}

fn word(text: Option<String>, name: &str) -> Answer<Option<String>> {
    match text {
        Some(text) if text.is_empty() || text.len() > 100 || text.chars().any(char::is_control) => {
            Err(Problem::parameter(format!("{name}: expected 1 to 100 characters")))
        }
        other => Ok(other),
    }
}

/// The name of an interface, as the pipeline calls it.
fn interface(text: Option<String>) -> Answer<String> {
    let plain = |text: &String| {
        (1..=60).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_' | b'-'))
    };
    text.filter(plain).ok_or_else(|| Problem::parameter("interface: expected 1 to 60 of a-z, 0-9, '.', '_' and '-', such as http"))
}

/// Takes evidence in: a report (JUnit, SARIF, CycloneDX), the description of an interface or a log of its use, or a signed
/// statement.
#[utoipa::path(post, path = "/v1/evidence", tag = "validation", params(What), request_body(content = Vec<u8>, content_type = "application/octet-stream"), responses((status = 201, description = "what was recorded")))]
pub async fn add(
    Maker(signed): Maker,
    State(api): State<Api>,
    Params(what): Params<What>,
    Raw { bytes }: Raw,
) -> Answer<(StatusCode, Json<Value>)> {
    let subject = what.subject.as_deref().map(digest).transpose()?;
    let about = || subject.ok_or_else(|| Problem::parameter("subject: expected the sha256 digest that the report is about"));
    let (suite, environment) = (word(what.suite, "suite")?, word(what.environment, "environment")?);
    let taken = match what.kind.as_str() {
        "junit" => {
            let suite = suite.unwrap_or_else(|| "unit".to_owned());
            vec![api.engine().take_junit(&bytes, about()?, &suite, environment.as_deref(), &signed.actor).await.map_err(unreadable)?]
        }
        "sarif" => api.engine().take_sarif(&bytes, about()?, &signed.actor).await.map_err(unreadable)?,
        "cyclonedx" => vec![api.engine().take_cyclonedx(&bytes, about()?, &signed.actor).await.map_err(unreadable)?],
        "interface" => {
            let format =
                word(what.format, "format")?.ok_or_else(|| Problem::parameter("format: expected the language of the description"))?;
            let interface = interface(what.interface)?;
            vec![api.engine().take_interface(bytes, about()?, &interface, &format, &signed.actor).await.map_err(undescribed)?]
        }
        "usage" => {
            let interface = interface(what.interface)?;
            let environment = environment.ok_or_else(|| Problem::parameter("environment: expected the one where the log was written"))?;
            vec![api.engine().take_usage(bytes, about()?, &interface, &environment, &signed.actor).await.map_err(undescribed)?]
        }
        "dsse" => return foreign(&api, &signed, &bytes, subject).await,
        other => {
            return Err(Problem::parameter(format!("kind: expected junit, sarif, cyclonedx, interface, usage or dsse, found {other:?}")));
        }
    };
    let list: Vec<Value> = taken
        .iter()
        .map(|one| json!({"kind": one.summary.kind(), "digest": one.envelope, "summary": words::summary(&one.summary)}))
        .collect();
    Ok((StatusCode::CREATED, Json(json!({"subject": subject, "evidence": list}))))
}

/// A statement that somebody else signed: verified against the trust policy before anything of it is looked at.
async fn foreign(api: &Api, signed: &Signed, bytes: &[u8], subject: Option<Digest>) -> Answer<(StatusCode, Json<Value>)> {
    let Some(policy) = &api.settings().trust_policy else {
        return Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "EVD-003",
            "this server trusts nobody's signatures but its own",
            "start it with a trust policy that names the signer's key, or send the report itself (junit, sarif)",
        ));
    };
    let received = Micros(api.store().now().await?.as_microsecond());
    let mut obstacle: Option<TrustError> = None;
    let mut found = None;
    for role in policy.roles().keys() {
        match trust::verify(bytes, policy, role, received) {
            Ok(verified) => {
                found = Some(verified);
                break;
            }
            Err(why) if obstacle.as_ref().is_none_or(|before| telling(before) < telling(&why)) => obstacle = Some(why),
            Err(_) => {}
        }
    }
    let Some(verified) = found else {
        let none =
            || Refusal::new("EVD-005", "the statement is not trusted: the trust policy has no role", "add a role to the trust policy");
        return Err(obstacle.as_ref().map_or_else(none, untrusted).into());
    };
    if let Some(subject) = subject {
        verified.about(&subject).map_err(|why| untrusted(&why))?;
    }
    let statement = verified.value();
    let summary = foreign_summary(statement)?;
    let subjects: Vec<Digest> = statement.subject.iter().filter_map(|one| one.sha256()).collect();
    let envelope = api.store().blob_put(bytes).await?;
    let signer = verified.signers().iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    // Again at the instant that the fact will have: a key may end, or be revoked, between the look and the commit.
    let (policy, role, again) = (policy.clone(), verified.role().to_owned(), bytes.to_vec());
    let check = move |now: Timestamp| {
        trust::verify(&again, &policy, &role, Micros(now.as_microsecond())).map(|_| ()).map_err(|why| Box::new(untrusted(&why)))
    };
    let kind = &statement.predicate_type;
    api.engine().receive_if(subjects.clone(), kind, envelope, &signer, summary.clone(), &signed.actor, check).await?;
    let list = [json!({"kind": summary.kind(), "digest": envelope, "summary": words::summary(&summary)})];
    Ok((StatusCode::CREATED, Json(json!({"subjects": subjects, "evidence": list, "role": verified.role(), "signer": signer}))))
}

fn untrusted(why: &TrustError) -> Refusal {
    Refusal::new("EVD-005", format!("the statement is not trusted: {why}"), why.unblock()).with(json!({"check": why.check()}))
}

/// Of several roles that do not take a statement, the one that knows its key says why.
fn telling(why: &TrustError) -> u8 {
    match why {
        TrustError::Revoked { .. } | TrustError::NotYetValid { .. } | TrustError::Expired { .. } => 4,
        TrustError::FalseClaim(_) => 3,
        TrustError::Predicate { .. } => 2,
        TrustError::Threshold { have, .. } if *have > 0 => 2,
        TrustError::NotInRole { .. } => 1,
        _ => 0,
    }
}

fn foreign_summary(statement: &Statement) -> Answer<Summary> {
    let unknown = |why: String| {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "EVD-004", why, "send SLSA provenance v1, or the report itself (junit, sarif)")
    };
    if statement.predicate_type != PROVENANCE {
        return Err(unknown(format!("predicate type {:?} is not understood", statement.predicate_type)));
    }
    let provenance = statement.provenance().map_err(|why| unknown(why.to_string()))?;
    let built = serde_json::to_value(&provenance).unwrap_or_default();
    let source = built.pointer("/buildDefinition/resolvedDependencies/0").cloned().unwrap_or_default();
    let text = |pointer: &str| source.pointer(pointer).and_then(Value::as_str).unwrap_or_default().chars().take(500).collect::<String>();
    let builder = built.pointer("/runDetails/builder/id").and_then(Value::as_str).unwrap_or_default().to_owned();
    // A foreign statement does not say who wrote the commits, so nobody can be shown not to have.
    let unnamed = note("the authors are not named")?.commit().digest;
    Ok(Summary::Provenance {
        repository: text("/uri"),
        commit: text("/digest/gitCommit"),
        builder,
        level: 1,
        authors: Vec::new(),
        unknown_authors: vec![unnamed],
        commits: 0,
    })
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct About {
    subject: String,
}

/// Evidence about a digest, newest first.
#[utoipa::path(get, path = "/v1/evidence", tag = "validation", params(About), responses((status = 200, description = "evidence")))]
pub async fn list(_: Reader, State(api): State<Api>, Params(about): Params<About>) -> Answer<Json<Value>> {
    let subject = digest(&about.subject)?;
    let known: Option<Subject> = api.store().get(api.project(), &subject.to_string()).await?;
    let list: Vec<Value> =
        known.iter().flat_map(|known| known.items.iter().rev().map(|item| words::evidence(&known.digest, item))).collect();
    Ok(Json(json!({"evidence": list})))
}

/// A piece of evidence as it was signed: the DSSE envelope.
#[utoipa::path(get, path = "/v1/evidence/{digest}", tag = "validation", params(("digest" = String, Path)), responses((status = 200, description = "the envelope", content_type = "application/json")))]
pub async fn show(_: Reader, State(api): State<Api>, Path(name): Path<String>) -> Answer<Response> {
    send(&api, &digest(&name)?, "application/json").await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Revocation {
    /// The digest that the evidence is about.
    subject: String,
    id: String,
    reason: String,
}

/// Takes a piece of evidence out of force.
#[utoipa::path(post, path = "/v1/evidence/revocations", tag = "validation", request_body = Revocation, responses((status = 200, description = "revoked")))]
pub async fn revoke(signed: Signed, State(api): State<Api>, Strict { value, asked }: Strict<Revocation>) -> Answer<Json<Value>> {
    let subject = digest(&value.subject)?;
    let id: EvidenceId = value.id.parse().map_err(|why| Problem::parameter(format!("id: {why}")))?;
    let reason = note(&value.reason)?;
    let actor = signed.actor.clone();
    let locks = vec![DocKey::new(Kind::Subject, subject.to_string())];
    api.decide("evidence.receive", &signed.actor, &asked, locks, move |view, _| intake::revoke(view, &subject, &id, &actor, reason.clone()))
        .await
        .map(Json)
}
