//! Consumer contracts and logs against a description.

use crate::openapi_support::spec;
use holdpoint_inspect::compat::openapi::{Usage, verify};
use serde_json::{Value, json};

const SHOP: &str = r##"
openapi: 3.1.0
servers: [{url: 'https://shop.example/v1'}]
paths:
  /orders/{id}:
    parameters: [{in: path, name: id, required: true, schema: {type: string}}]
    get:
      parameters:
        - {in: query, name: lines, schema: {type: integer, maximum: 50}}
        - {in: header, name: X-Tenant, required: true, schema: {type: string, enum: [a, b]}}
      responses:
        '200':
          headers: {ETag: {schema: {type: string}}}
          content: {application/json: {schema: {$ref: '#/components/schemas/Order'}}}
        4XX: {content: {application/problem+json: {schema: {type: object}}}}
  /orders/latest:
    get: {responses: {'200': {content: {application/json: {schema: {type: array, items: {$ref: '#/components/schemas/Order'}}}}}}}
  /orders:
    post:
      requestBody: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/Order'}}}}
      responses: {'201': {description: taken}}
components:
  schemas:
    Order:
      type: object
      required: [number, state]
      properties:
        number: {type: integer, minimum: 1}
        state: {enum: [open, sent]}
        id: {type: string, readOnly: true}
        note: {type: [string, 'null'], maxLength: 5}
        pay: {oneOf: [{type: object, required: [card], properties: {card: {type: string}}}, {type: object, required: [cash], properties: {cash: {const: true}}}]}
"##;

/// The rules found for one interaction.
fn rules(request: Value, response: Value) -> Vec<String> {
    let pact = json!({"consumer": {"name": "web"}, "interactions": [{"description": "d", "request": request, "response": response}]});
    let said = verify(&spec(SHOP), "p.json", pact.to_string().as_bytes()).expect("a Pact file");
    assert_eq!((said.consumer.as_str(), said.interactions), ("web", 1));
    let breaking = said.findings.iter().any(|finding| finding.severity.word() == "breaking");
    assert_eq!(said.met, usize::from(!breaking), "{:?}", said.findings);
    said.findings.into_iter().map(|finding| finding.rule).collect()
}

fn get(path: &str) -> Value {
    json!({"method": "GET", "path": path, "headers": {"x-tenant": "a"}})
}

#[test]
fn expected_answers() {
    let order = |extra: Value| {
        let mut order = json!({"number": 7, "state": "open"});
        order.as_object_mut().expect("an object").extend(extra.as_object().expect("an object").clone());
        json!({"status": 200, "headers": {"Content-Type": "application/json; charset=utf-8"}, "body": order})
    };
    let none: &[&str] = &[];
    let differs: &[&str] = &["pact-response-body-differs"];
    for (name, request, response, expected) in [
        ("as described", get("/orders/7"), order(json!({})), none),
        ("a part", get("/orders/7"), json!({"status": 200, "body": {"state": "sent"}}), none),
        ("under the server's path", get("/v1/orders/7"), order(json!({})), none),
        ("other value", get("/orders/7"), order(json!({"state": "lost"})), differs),
        ("other type", get("/orders/7"), order(json!({"number": "7"})), differs),
        ("below the bound", get("/orders/7"), order(json!({"number": 0})), differs),
        ("too long", get("/orders/7"), order(json!({"note": "123456"})), differs),
        ("null", get("/orders/7"), order(json!({"note": null})), none),
        ("not described", get("/orders/7"), order(json!({"color": "red"})), differs),
        ("an alternative", get("/orders/7"), order(json!({"pay": {"cash": true}})), none),
        ("no alternative", get("/orders/7"), order(json!({"pay": {"cash": false}})), differs),
        ("a fixed path wins", get("/orders/latest"), json!({"status": 200, "body": [{"number": 1}]}), none),
        ("inside a list", get("/orders/latest"), json!({"status": 200, "body": [{"number": 1}, {"number": "x"}]}), differs),
        ("a range of statuses", get("/orders/7"), json!({"status": 404}), none),
        ("a status that is not described", get("/orders/7"), json!({"status": 500}), &["pact-response-status-missing"]),
        (
            "a media type that is not described",
            get("/orders/7"),
            json!({"status": 200, "headers": {"Content-Type": "text/csv"}, "body": "x"}),
            differs,
        ),
        ("a header", get("/orders/7"), json!({"status": 200, "headers": {"etag": "x"}}), none),
        (
            "a header that is not described",
            get("/orders/7"),
            json!({"status": 200, "headers": {"X-Else": "x"}}),
            &["pact-response-header-missing"],
        ),
        ("no operation", json!({"method": "DELETE", "path": "/orders/7"}), json!({"status": 200}), &["pact-operation-missing"]),
        ("no path", get("/orders/7/lines"), json!({"status": 200}), &["pact-operation-missing"]),
    ] {
        assert_eq!(rules(request, response), expected, "{name}");
    }
}

#[test]
fn sent_requests() {
    let refused: &[&str] = &["pact-request-refused"];
    let none: &[&str] = &[];
    let with = |more: Value| {
        let mut request = get("/orders/7");
        request.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        (request, json!({"status": 200}))
    };
    let post = |body: Value| {
        (
            json!({"method": "POST", "path": "/orders", "headers": {"Content-Type": "application/json"}, "body": body}),
            json!({"status": 201}),
        )
    };
    for (name, (request, response), expected) in [
        ("a query of version 2", with(json!({"query": "lines=5&x=%20"})), none),
        ("a query of version 3", with(json!({"query": {"lines": ["5"]}})), none),
        ("a query that is no number", with(json!({"query": "lines=many"})), refused),
        ("a query above the bound", with(json!({"query": {"lines": ["51"]}})), refused),
        ("no header", with(json!({"headers": {}})), refused),
        ("another header", with(json!({"headers": {"X-Tenant": ["c"]}})), refused),
        ("a body", post(json!({"number": 1, "state": "open"})), none),
        ("without what is read-only", post(json!({"number": 1, "state": "open", "id": "x"})), none),
        ("without what is required", post(json!({"number": 1})), refused),
        ("no body", (json!({"method": "POST", "path": "/orders"}), json!({"status": 201})), refused),
        (
            "version 4 wraps a body",
            (
                json!({"method": "POST", "path": "/orders", "body": {"content": {"number": 0, "state": "open"}, "contentType": "application/json", "encoded": false}}),
                json!({"status": 201}),
            ),
            refused,
        ),
    ] {
        assert_eq!(rules(request, response), expected, "{name}");
    }
}

#[test]
fn what_is_no_contract_is_said() {
    let shop = spec(SHOP);
    for (text, word) in [("{", "p.json:1: expected a Pact file (JSON)"), ("{}", "a list of interactions"), ("\n\n[", "p.json:3:")] {
        let why = verify(&shop, "p.json", text.as_bytes()).expect_err(text).to_string();
        assert!(why.contains(word), "{why}");
    }
    let message = json!({"interactions": [{"description": "m", "type": "Asynchronous/Messages", "contents": {}}]});
    let said = verify(&shop, "p.json", message.to_string().as_bytes()).expect("a Pact file");
    assert_eq!(said.findings[0].rule, "pact-interaction-not-judged");
}

#[test]
fn logs_find_the_operation() {
    let shop = spec(SHOP);
    for (path, matched) in [
        ("/orders/7?x=/y", true),
        ("/v1/orders/latest", true),
        ("/orders", false),
        ("/orders/7/", true),
        ("/orders//", false),
        ("/", false),
    ] {
        let line = format!("{{\"method\": \"get\", \"path\": \"{path}\"}}");
        let usage = Usage::read(&shop, "log", line.as_bytes()).expect("a log");
        assert_eq!(usage.observation()["unmatched"], json!(u32::from(!matched)), "{path}");
        assert_eq!(usage.observation()["days"], Value::Null);
    }
}
