//! 2.5 Every language of contracts, against what another tool deployed: the way there, and the way back.

use holdpoint_testkit::eventually;
use holdpoint_tests::{Organisation, Program, SOON, World};
use serde_json::{Value, json};

const AVRO: &str = r#"{"type": "record", "name": "Parcel", "fields": [{"name": "id", "type": "string"}]}"#;
const AVRO_MORE: &str =
    r#"{"type": "record", "name": "Parcel", "fields": [{"name": "id", "type": "string"}, {"name": "weight", "type": "long"}]}"#;
const PROTO: &str = "syntax = \"proto3\";\npackage parcel.v1;\nmessage Parcel { string id = 1; int64 weight = 2; }\n";
const PROTO_LESS: &str = "syntax = \"proto3\";\npackage parcel.v1;\nmessage Parcel { string id = 1; }\n";
const SCHEMA: &str =
    r#"{"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "properties": {"id": {"type": "string"}}}"#;
const SCHEMA_STRICT: &str = r#"{"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}"#;
const GRAPH: &str = "type Query { parcel(id: ID): String, old: String }";
const GRAPH_LESS: &str = "type Query { parcel(id: ID): String, fresh: String }";

#[test]
fn api_every_language_is_compared_both_ways() {
    let names = ["events", "rpc", "document", "graph"];
    let production = format!("    gates: {{previous: false, compatibility: {{interfaces: [{}]}}}}\n", names.join(", "));
    let world = World::with(Organisation { production, ..Organisation::open() });
    let (before, after) = (world.bare_release(&Program::new("1.0.0")), world.bare_release(&Program::new("2.0.0")));
    let formats = ["avro", "protobuf", "json-schema", "graphql"];
    let put = |digest: &str, texts: [&str; 4]| {
        for ((name, format), text) in names.iter().zip(formats).zip(texts) {
            let path = format!("/v1/evidence?kind=interface&interface={name}&format={format}&subject={digest}");
            world.api("robot").upload("POST", &path, "application/octet-stream", text.as_bytes().to_vec()).ok();
        }
    };
    put(&before.digest, [AVRO, PROTO, SCHEMA, GRAPH]);
    let told = json!({"digest": before.digest, "environment": "production", "service": world.service(), "result": "succeeded"});
    world.api("robot").post("/v1/deployments/report", &told).ok();
    put(&after.digest, [AVRO_MORE, PROTO_LESS, SCHEMA_STRICT, GRAPH_LESS]);
    let view = || -> Option<Value> {
        let all = world.api("mary").get(&format!("/v1/releases/{}/compatibility", after.id)).ok();
        let of = all["environments"][0].clone();
        let done = of["compared"].as_array().is_some_and(|rows| rows.len() == 4 && rows.iter().all(|row| row["verdict"] == "breaking"));
        done.then_some(of)
    };
    let of = eventually("all four are compared", SOON, view);
    let found = |interface: &str, way: &str| -> Vec<(String, String)> {
        let text = |change: &Value, key: &str| change[key].as_str().unwrap_or_default().to_owned();
        let all = of["changes"].as_array().into_iter().flatten();
        all.filter(|change| change["interface"] == format!("app/{interface}") && change["way"] == way)
            .map(|change| (text(change, "rule"), text(change, "severity")))
            .collect()
    };
    let one = |rule: &str, severity: &str| vec![(rule.to_owned(), severity.to_owned())];
    assert_eq!(found("events", "forward"), one("reader-field-missing-default-value", "breaking"));
    assert_eq!(found("events", "back"), []);
    assert!(found("rpc", "forward").contains(&("field-no-delete-unless-number-reserved".to_owned(), "breaking".to_owned())));
    assert_eq!(found("document", "forward"), one("refused-by-required", "breaking"));
    assert_eq!(found("graph", "forward"), one("field-removed", "breaking"));
    // What is new there is gone again after a rollback.
    assert_eq!(found("graph", "back"), one("field-removed", "risky"));
    let gate = world.gate(&after, "production", "compatibility");
    assert_eq!((gate["state"].as_str(), gate["code"].as_str()), (Some("shut"), Some("COM-003")), "{gate:#}");
}
