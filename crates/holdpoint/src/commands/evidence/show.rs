//! `evidence show FILE`: what is written in it, and nothing about whether it is so.

use super::Signed;
use crate::commands::Ended;
use crate::out::{Code, Out};
use holdpoint_seal::base64;
use holdpoint_seal::dsse::Envelope;
use holdpoint_seal::sigstore::bundle::{Bundle, Content, Entry, Material};
use holdpoint_seal::sigstore::certificate::Certificate;
use holdpoint_seal::sigstore::{identity, time};
use holdpoint_seal::statement::Statement;
use serde_json::{Map, Value, json};
use std::path::Path;

pub fn show(out: &Out, file: &Path) -> Ended {
    let signed = Signed::read(file)?;
    let mut value = Map::new();
    value.insert("unverified".to_owned(), json!(true));
    value.insert("format".to_owned(), json!(signed.format()));
    match &signed {
        Signed::Envelope(envelope) => add_envelope(&mut value, envelope),
        Signed::Bundle(bundle) => add_bundle(&mut value, bundle),
    }
    let value = Value::Object(value);
    out.result(&value, || {
        let mut lines = vec![format!("{}, not verified: anybody can have written this", signed.format())];
        outline(&value, 0, &mut lines);
        lines.push("To verify it: holdpoint evidence verify".to_owned());
        lines.join("\n")
    });
    Ok(Code::Done)
}

fn add_envelope(value: &mut Map<String, Value>, envelope: &Envelope) {
    value.insert("payload_type".to_owned(), json!(envelope.payload_type));
    let statement = match Statement::parse_any_version(&envelope.payload) {
        Ok(statement) => {
            let subject = |one: &holdpoint_seal::statement::ResourceDescriptor| json!({"name": one.name, "digest": one.digest});
            let subjects: Vec<Value> = statement.subject.iter().map(subject).collect();
            json!({"type": statement.statement_type, "predicate_type": statement.predicate_type, "subjects": subjects})
        }
        Err(why) => json!({"unreadable": why.to_string()}),
    };
    value.insert("statement".to_owned(), statement);
    let signatures: Vec<Value> = envelope.signatures.iter().map(|one| json!({"key_id": one.keyid, "bytes": one.sig.len()})).collect();
    value.insert("signatures".to_owned(), json!(signatures));
}

fn add_bundle(value: &mut Map<String, Value>, bundle: &Bundle) {
    match &bundle.content {
        Content::Dsse(envelope) => add_envelope(value, envelope),
        Content::Message { digest, signature } => {
            let digest = digest.as_ref().map(|(algorithm, value)| format!("{algorithm} {}", hex::encode(value)));
            value.insert("message_signature".to_owned(), json!({"digest": digest, "bytes": signature.len()}));
        }
    }
    match &bundle.material {
        Material::PublicKey(hint) => value.insert("public_key_hint".to_owned(), json!(hint)),
        Material::Certificates(chain) => value.insert("certificates".to_owned(), chain.iter().map(|der| certificate(der)).collect()),
    };
    value.insert("log_entries".to_owned(), bundle.entries.iter().map(entry).collect());
    value.insert("timestamps".to_owned(), json!(bundle.timestamps.len()));
}

fn certificate(der: &[u8]) -> Value {
    let Ok(certificate) = Certificate::parse(der) else { return json!({"unreadable": "not X.509 in DER"}) };
    let (identities, issuers) = identity::stated(&certificate);
    json!({
        "subject": certificate.name(), "issuer": certificate.issuer_name(), "identities": identities, "oidc_issuers": issuers,
        "not_before": time::show(certificate.valid.start), "not_after": certificate.valid.end.map(time::show),
        "key": certificate.key.as_ref().map(|key| key.kind()),
    })
}

fn entry(entry: &Entry) -> Value {
    json!({
        "log_id": base64::encode(&entry.log_id), "index": entry.log_index,
        "kind": entry.kind.as_ref().map(|(kind, version)| format!("{kind} {version}")),
        "integrated_time": entry.integrated_time.map(time::show),
        "promise": entry.promise.is_some(), "proof_of_size": entry.proof.as_ref().map(|proof| proof.tree_size),
    })
}

/// The members as indented lines.
fn outline(value: &Value, depth: usize, lines: &mut Vec<String>) {
    let indent = "  ".repeat(depth);
    let members: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(key, value)| (key.replace('_', " "), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(i, value)| ((i + 1).to_string(), value)).collect(),
        _ => return,
    };
    for (name, value) in members {
        match value {
            _ if depth == 0 && (name == "unverified" || name == "format") => {}
            Value::Null => {}
            Value::String(text) if text.is_empty() => {}
            Value::Object(_) | Value::Array(_) => {
                lines.push(format!("{indent}{name}:"));
                outline(value, depth + 1, lines);
            }
            Value::String(text) => lines.push(format!("{indent}{name}: {}", text.escape_debug())),
            other => lines.push(format!("{indent}{name}: {other}")),
        }
    }
}
