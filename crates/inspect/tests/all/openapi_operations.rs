//! Operations, parameters, bodies, responses, security, lifecycle and files, one line a change.

use crate::openapi_support::{findings, letter, operation, spec};
use holdpoint_inspect::compat::openapi::{Loading, Options, compare};
use holdpoint_inspect::finding::Finding;

/// Name, base, revision, verdict there and back, rules to be found in one of the two.
type Line = (&'static str, &'static str, &'static str, &'static str, &'static [&'static str]);

#[track_caller]
fn check(lines: &[Line], describe: impl Fn(&str) -> String) {
    let mut wrong = Vec::new();
    for (name, base, revision, letters, rules) in lines {
        let there = findings(&describe(base), &describe(revision));
        let back = findings(&describe(revision), &describe(base));
        let said: String = [letter(&there), letter(&back)].into_iter().collect();
        let all: Vec<&Finding> = there.iter().chain(&back).collect();
        let missing: Vec<&&str> = rules.iter().filter(|rule| !all.iter().any(|finding| finding.rule == **rule)).collect();
        if said != *letters || !missing.is_empty() {
            let told: Vec<String> =
                all.iter().map(|finding| format!("{} {}: {}", finding.severity, finding.rule, finding.message)).collect();
            wrong.push(format!("{name}: expected {letters}, found {said}, missing {missing:?}\n    {}", told.join("\n    ")));
        }
    }
    assert!(wrong.is_empty(), "{} of {} lines:\n{}", wrong.len(), lines.len(), wrong.join("\n"));
}

#[test]
fn parameters() {
    let lines: &[Line] = &[
        (
            "optional added",
            "",
            "{in: query, name: q, schema: {type: string}}",
            "cr",
            &["new-optional-request-parameter", "request-parameter-removed"],
        ),
        ("required added", "", "{in: query, name: q, required: true, schema: {type: string}}", "br", &["new-required-request-parameter"]),
        (
            "became required",
            "{in: query, name: q}",
            "{in: query, name: q, required: true}",
            "bc",
            &["request-parameter-became-required", "request-parameter-became-optional"],
        ),
        ("moved", "{in: query, name: q}", "{in: header, name: q}", "rr", &["request-parameter-removed", "new-optional-request-parameter"]),
        (
            "case of a header",
            "{in: header, name: X-Q, schema: {type: string}}",
            "{in: header, name: x-q, schema: {type: string}}",
            "cc",
            &[],
        ),
        ("case of a query", "{in: query, name: Q}", "{in: query, name: q}", "rr", &[]),
        ("order", "{in: query, name: a}, {in: query, name: b}", "{in: query, name: b}, {in: query, name: a}", "cc", &[]),
        (
            "type",
            "{in: query, name: q, schema: {type: string}}",
            "{in: query, name: q, schema: {type: integer}}",
            "bc",
            &["request-parameter-type-changed", "request-parameter-type-generalized"],
        ),
        (
            "one to many",
            "{in: query, name: q, schema: {type: string}}",
            "{in: query, name: q, schema: {type: array, items: {type: string}}}",
            "cb",
            &["request-parameter-type-generalized"],
        ),
        (
            "one to many, not repeated",
            "{in: query, name: q, explode: false, schema: {type: string}}",
            "{in: query, name: q, explode: false, schema: {type: array, items: {type: string}}}",
            "bb",
            &["request-parameter-type-changed"],
        ),
        (
            "one to at least two",
            "{in: query, name: q, schema: {type: string}}",
            "{in: query, name: q, schema: {type: array, minItems: 2, items: {type: string}}}",
            "bb",
            &[],
        ),
        (
            "enum",
            "{in: query, name: q, schema: {type: string}}",
            "{in: query, name: q, schema: {type: string, enum: [a]}}",
            "bc",
            &["request-parameter-became-enum"],
        ),
        (
            "enum value",
            "{in: query, name: q, schema: {enum: [a, b]}}",
            "{in: query, name: q, schema: {enum: [a]}}",
            "bc",
            &["request-parameter-enum-value-removed", "request-parameter-enum-value-added"],
        ),
        (
            "maxLength",
            "{in: query, name: q, schema: {type: string, maxLength: 9}}",
            "{in: query, name: q, schema: {type: string, maxLength: 8}}",
            "bc",
            &["request-parameter-max-length-decreased", "request-parameter-max-length-increased"],
        ),
        (
            "max",
            "{in: query, name: q, schema: {type: integer, maximum: 9}}",
            "{in: query, name: q, schema: {type: integer, maximum: 8}}",
            "bc",
            &["request-parameter-max-decreased"],
        ),
        (
            "min set",
            "{in: query, name: q, schema: {type: integer}}",
            "{in: query, name: q, schema: {type: integer, minimum: 8}}",
            "bc",
            &["request-parameter-min-set"],
        ),
        (
            "pattern",
            "{in: query, name: q, schema: {type: string}}",
            "{in: query, name: q, schema: {type: string, pattern: a}}",
            "bc",
            &["request-parameter-pattern-added", "request-parameter-pattern-removed"],
        ),
        (
            "default",
            "{in: query, name: q, schema: {type: string, default: a}}",
            "{in: query, name: q, schema: {type: string, default: b}}",
            "bb",
            &["request-parameter-default-value-changed"],
        ),
        (
            "style of a list",
            "{in: query, name: q, schema: {type: array, items: {}}}",
            "{in: query, name: q, explode: false, schema: {type: array, items: {}}}",
            "bb",
            &["request-parameter-style-changed"],
        ),
        (
            "style of one value",
            "{in: query, name: q, schema: {type: string}}",
            "{in: query, name: q, explode: false, schema: {type: string}}",
            "cc",
            &[],
        ),
        (
            "default style said",
            "{in: query, name: q, schema: {type: array, items: {}}}",
            "{in: query, name: q, style: form, explode: true, schema: {type: array, items: {}}}",
            "cc",
            &[],
        ),
        (
            "as JSON",
            "{in: query, name: q, schema: {type: object}}",
            "{in: query, name: q, content: {application/json: {schema: {type: object}}}}",
            "bb",
            &["request-parameter-style-changed"],
        ),
        (
            "JSON tells numbers from texts",
            "{in: query, name: q, content: {application/json: {schema: {type: integer}}}}",
            "{in: query, name: q, content: {application/json: {schema: {type: string}}}}",
            "bb",
            &[],
        ),
        (
            "deprecated",
            "{in: query, name: q}",
            "{in: query, name: q, deprecated: true}",
            "cc",
            &["request-parameter-deprecated", "request-parameter-reactivated"],
        ),
        (
            "removed after its day",
            "{in: query, name: q, deprecated: true, x-sunset: '2026-01-01'}",
            "",
            "cc",
            &["request-parameter-removed-with-deprecation"],
        ),
        (
            "removed before its day",
            "{in: query, name: q, deprecated: true, x-sunset: '2027-01-01'}",
            "",
            "bc",
            &["request-parameter-removed-before-sunset"],
        ),
        (
            "deprecated on no day",
            "{in: query, name: q}",
            "{in: query, name: q, deprecated: true, x-sunset: soon}",
            "bc",
            &["request-parameter-sunset-parse"],
        ),
        (
            "day deleted",
            "{in: query, name: q, deprecated: true, x-sunset: '2027-01-01'}",
            "{in: query, name: q, deprecated: true}",
            "bc",
            &["request-parameter-sunset-deleted"],
        ),
        (
            "day earlier",
            "{in: query, name: q, deprecated: true, x-sunset: '2027-01-01'}",
            "{in: query, name: q, deprecated: true, x-sunset: '2026-12-01'}",
            "bc",
            &["request-parameter-sunset-date-changed-too-small"],
        ),
        ("described elsewhere", "", "{in: header, name: Authorization, required: true}", "cc", &[]),
        (
            "empty",
            "{in: query, name: q, allowEmptyValue: true}",
            "{in: query, name: q}",
            "bc",
            &["request-parameter-empty-value-forbidden"],
        ),
        (
            "property in a header",
            "{in: header, name: q, schema: {type: object, properties: {p: {type: string}}}}",
            "{in: header, name: q, schema: {type: object, properties: {p: {type: string, enum: [a]}}}}",
            "bc",
            &["request-header-property-became-enum"],
        ),
        (
            "new property in a header",
            "{in: header, name: q, schema: {type: object}}",
            "{in: header, name: q, schema: {type: object, required: [p], properties: {p: {type: string}}}}",
            "br",
            &["new-required-request-header-property"],
        ),
        (
            "property in a query",
            "{in: query, name: q, schema: {type: object, properties: {p: {type: integer}}}}",
            "{in: query, name: q, schema: {type: object, properties: {p: {type: string}}}}",
            "rb",
            &["request-parameter-property-type-changed"],
        ),
        (
            "null",
            "{in: query, name: q, schema: {type: [string, 'null']}}",
            "{in: query, name: q, schema: {type: string}}",
            "bc",
            &["request-parameter-became-not-nullable", "request-parameter-became-nullable"],
        ),
    ];
    check(lines, |parameters| operation("3.1.0", "{}", &format!("{{parameters: [{parameters}], responses: {{}}}}")));
}

#[test]
fn bodies_and_responses() {
    let lines: &[Line] = &[
        (
            "body added",
            "responses: {}",
            "requestBody: {content: {}}, responses: {}",
            "cb",
            &["request-body-added-optional", "request-body-removed"],
        ),
        (
            "required body added",
            "responses: {}",
            "requestBody: {required: true, content: {}}, responses: {}",
            "bb",
            &["request-body-added-required"],
        ),
        (
            "body became required",
            "requestBody: {content: {}}",
            "requestBody: {required: true, content: {}}",
            "bc",
            &["request-body-became-required", "request-body-became-optional"],
        ),
        (
            "media type added",
            "requestBody: {content: {a/b: {}}}",
            "requestBody: {content: {a/b: {}, c/d: {}}}",
            "cb",
            &["request-body-media-type-added", "request-body-media-type-removed"],
        ),
        (
            "media type of a response",
            "responses: {'200': {content: {a/b: {}}}}",
            "responses: {'200': {content: {a/b: {}, c/d: {}}}}",
            "cb",
            &["response-media-type-added", "response-media-type-removed"],
        ),
        (
            "case of a media type",
            "requestBody: {content: {Application/JSON: {}}}",
            "requestBody: {content: {application/json: {}}}",
            "cc",
            &[],
        ),
        (
            "range of media types",
            "requestBody: {content: {application/json: {schema: {type: string}}}}",
            "requestBody: {content: {application/*: {schema: {type: string}}}}",
            "cb",
            &["request-body-media-type-removed"],
        ),
        (
            "parameter of a media type",
            "responses: {'200': {content: {application/json: {}}}}",
            "responses: {'200': {content: {application/json;v=1: {}}}}",
            "cb",
            &["response-media-type-name-specialized", "response-media-type-name-generalized"],
        ),
        (
            "schema added",
            "requestBody: {content: {a/b: {}}}",
            "requestBody: {content: {a/b: {schema: {type: string}}}}",
            "bc",
            &["request-body-media-type-schema-added", "request-body-media-type-schema-removed"],
        ),
        (
            "schema of a response",
            "responses: {'200': {content: {a/b: {}}}}",
            "responses: {'200': {content: {a/b: {schema: {type: string}}}}}",
            "cr",
            &["response-body-media-type-schema-added", "response-body-media-type-schema-removed"],
        ),
        (
            "XML is text",
            "requestBody: {content: {application/xml: {schema: {type: integer}}}}",
            "requestBody: {content: {application/xml: {schema: {type: string}}}}",
            "rb",
            &["request-body-type-compatible"],
        ),
        (
            "form encoding",
            "requestBody: {content: {multipart/form-data: {schema: {type: object}, encoding: {a: {contentType: a/b}}}}}",
            "requestBody: {content: {multipart/form-data: {schema: {type: object}}}}",
            "rr",
            &["request-body-encoding-changed"],
        ),
        (
            "success added",
            "responses: {'200': {}}",
            "responses: {'200': {}, '201': {}}",
            "cb",
            &["response-success-status-added", "response-success-status-removed"],
        ),
        (
            "failure added",
            "responses: {'404': {}}",
            "responses: {'404': {}, '409': {}}",
            "cc",
            &["response-non-success-status-added", "response-non-success-status-removed"],
        ),
        (
            "range for a status",
            "responses: {'200': {content: {a/b: {schema: {type: string}}}}}",
            "responses: {2XX: {content: {a/b: {schema: {type: string}}}}}",
            "cc",
            &["response-success-status-added"],
        ),
        (
            "range with another schema",
            "responses: {'200': {content: {application/json: {schema: {type: string}}}}}",
            "responses: {2XX: {content: {application/json: {schema: {type: integer}}}}}",
            "bb",
            &["response-body-type-changed"],
        ),
        (
            "default takes a failure in",
            "responses: {default: {content: {application/json: {schema: {type: string}}}}}",
            "responses: {default: {content: {application/json: {schema: {type: string}}}}, '404': {content: {application/json: {schema: {type: integer}}}}}",
            "bb",
            &[],
        ),
        (
            "success is not left to default",
            "responses: {'200': {}, default: {}}",
            "responses: {default: {}}",
            "bc",
            &["response-success-status-removed"],
        ),
        (
            "header removed",
            "responses: {'200': {headers: {X-A: {schema: {type: string}}}}}",
            "responses: {'200': {}}",
            "rc",
            &["optional-response-header-removed", "response-header-added"],
        ),
        (
            "required header removed",
            "responses: {'200': {headers: {X-A: {required: true}}}}",
            "responses: {'200': {}}",
            "bc",
            &["required-response-header-removed"],
        ),
        (
            "header became optional",
            "responses: {'200': {headers: {X-A: {required: true}}}}",
            "responses: {'200': {headers: {x-a: {}}}}",
            "bc",
            &["response-header-became-optional"],
        ),
        (
            "type of a header",
            "responses: {'200': {headers: {X-A: {schema: {type: integer}}}}}",
            "responses: {'200': {headers: {X-A: {schema: {type: boolean}}}}}",
            "bb",
            &["response-header-type-changed"],
        ),
        ("operationId", "operationId: a", "operationId: b", "cc", &["api-operation-id-removed"]),
        ("tags", "tags: [a]", "tags: [b]", "cc", &["api-tag-removed", "api-tag-added"]),
        (
            "binary stream of items",
            "responses: {'200': {content: {application/jsonl: {itemSchema: {type: string}}}}}",
            "responses: {'200': {content: {application/jsonl: {itemSchema: {type: boolean}}}}}",
            "bb",
            &[],
        ),
    ];
    check(lines, |body| operation("3.2.0", "{}", &format!("{{{body}}}")));
}

#[test]
fn lifecycle() {
    let lines: &[Line] = &[
        ("removed", "{/a: {get: {}}}", "{}", "bc", &["api-path-removed-without-deprecation", "endpoint-added"]),
        ("removed, deprecated", "{/a: {get: {deprecated: true}}}", "{}", "rc", &["api-path-removed-with-deprecation"]),
        (
            "removed after its day",
            "{/a: {get: {deprecated: true, x-sunset: '2026-06-01'}}}",
            "{}",
            "cc",
            &["api-path-removed-with-deprecation"],
        ),
        (
            "removed before its day",
            "{/a: {get: {deprecated: true, x-sunset: '2026-06-16'}}}",
            "{}",
            "bc",
            &["api-path-removed-before-sunset"],
        ),
        ("removed on no day", "{/a: {get: {deprecated: true, x-sunset: soon}}}", "{}", "bc", &["api-path-sunset-parse"]),
        ("method removed", "{/a: {get: {}, put: {}}}", "{/a: {get: {}}}", "bc", &["api-removed-without-deprecation"]),
        (
            "method removed before its day",
            "{/a: {get: {}, put: {deprecated: true, x-sunset: '2030-01-01T00:00:00Z'}}}",
            "{/a: {get: {}}}",
            "bc",
            &["api-removed-before-sunset"],
        ),
        ("deprecated", "{/a: {get: {}}}", "{/a: {get: {deprecated: true}}}", "cc", &["endpoint-deprecated", "endpoint-reactivated"]),
        (
            "deprecated with a day",
            "{/a: {get: {}}}",
            "{/a: {get: {deprecated: true, x-sunset: '2027-01-01'}}}",
            "cc",
            &["endpoint-deprecated-with-sunset"],
        ),
        (
            "deprecated with a past day",
            "{/a: {get: {}}}",
            "{/a: {get: {deprecated: true, x-sunset: '2025-01-01'}}}",
            "bc",
            &["api-sunset-date-too-small"],
        ),
        (
            "day moved",
            "{/a: {get: {deprecated: true, x-sunset: '2027-02-01'}}}",
            "{/a: {get: {deprecated: true, x-sunset: '2027-01-01'}}}",
            "bc",
            &["api-sunset-date-changed-too-small"],
        ),
        (
            "day gone",
            "{/a: {get: {deprecated: true, x-sunset: '2027-02-01'}}}",
            "{/a: {get: {deprecated: true}}}",
            "bc",
            &["sunset-deleted"],
        ),
        (
            "stability",
            "{/a: {get: {x-stability-level: stable}}}",
            "{/a: {get: {x-stability-level: beta}}}",
            "bc",
            &["api-stability-decreased", "api-stability-increased"],
        ),
        ("no stability", "{/a: {get: {}}}", "{/a: {get: {x-stability-level: shiny}}}", "bc", &["api-invalid-stability-level"]),
        ("alpha promises nothing", "{/a: {get: {x-stability-level: alpha}}}", "{}", "cc", &["api-path-removed-without-deprecation"]),
        (
            "name of a path parameter",
            "{'/a/{b}/c': {get: {parameters: [{in: path, name: b, required: true, schema: {type: string}}]}}}",
            "{'/a/{x}/c': {get: {parameters: [{in: path, name: x, required: true, schema: {type: string}}]}}}",
            "cc",
            &[],
        ),
        (
            "type of a renamed path parameter",
            "{'/a/{b}': {get: {parameters: [{in: path, name: b, required: true, schema: {type: string}}]}}}",
            "{'/a/{x}': {get: {parameters: [{in: path, name: x, required: true, schema: {type: integer}}]}}}",
            "bc",
            &["request-parameter-type-changed"],
        ),
        (
            "parameters of the path",
            "{/a: {parameters: [{in: query, name: q}], get: {}}}",
            "{/a: {get: {parameters: [{in: query, name: q}]}}}",
            "cc",
            &[],
        ),
        (
            "required by the path",
            "{/a: {get: {}}}",
            "{/a: {parameters: [{in: query, name: q, required: true}], get: {}}}",
            "br",
            &["new-required-request-default-parameter-to-existing-path"],
        ),
        ("other methods", "{/a: {additionalOperations: {COPY: {}}}}", "{/a: {}}", "bc", &["api-removed-without-deprecation"]),
        (
            "called back",
            "{/a: {post: {callbacks: {done: {'{$url}': {post: {requestBody: {content: {application/json: {schema: {type: object, properties: {p: {type: string}}}}}}}}}}}}}",
            "{/a: {post: {callbacks: {done: {'{$url}': {post: {requestBody: {content: {application/json: {schema: {type: object, required: [p], properties: {p: {type: string}}}}}}}}}}}}}",
            "cb",
            &["response-property-became-optional"],
        ),
        ("callback removed", "{/a: {post: {callbacks: {done: {}}}}}", "{/a: {post: {}}}", "bc", &["callback-removed", "callback-added"]),
    ];
    check(lines, |paths| format!("openapi: 3.2.0\ninfo: {{title: t, version: '1'}}\npaths: {paths}\n"));
}

#[test]
fn security() {
    let lines: &[Line] = &[
        (
            "asked for",
            "paths: {/a: {get: {}}}",
            "paths: {/a: {get: {security: [{key: []}]}}}",
            "bc",
            &["api-security-added", "api-security-removed"],
        ),
        (
            "another way besides",
            "paths: {/a: {get: {security: [{key: []}]}}}",
            "paths: {/a: {get: {security: [{key: []}, {token: []}]}}}",
            "cb",
            &["api-security-added", "api-security-removed"],
        ),
        (
            "both at once",
            "paths: {/a: {get: {security: [{key: []}]}}}",
            "paths: {/a: {get: {security: [{key: [], token: []}]}}}",
            "bc",
            &["api-security-added"],
        ),
        (
            "one scope more",
            "paths: {/a: {get: {security: [{token: [a]}]}}}",
            "paths: {/a: {get: {security: [{token: [a, b]}]}}}",
            "bc",
            &["api-security-scope-added", "api-security-scope-removed"],
        ),
        (
            "said by the whole",
            "security: [{key: []}], paths: {/a: {get: {}}}",
            "security: [{key: []}], paths: {/a: {get: {security: [{key: []}]}}}",
            "cc",
            &[],
        ),
        (
            "open here",
            "security: [{key: []}], paths: {/a: {get: {}}}",
            "security: [{key: []}], paths: {/a: {get: {security: []}}}",
            "cb",
            &["api-security-removed", "api-security-added"],
        ),
        (
            "asked for by the whole",
            "paths: {/a: {get: {}}}",
            "security: [{key: []}], paths: {/a: {get: {}}}",
            "rc",
            &["api-global-security-added", "api-global-security-removed"],
        ),
        (
            "scope of the whole",
            "security: [{key: [a]}]",
            "security: [{key: [a, b]}]",
            "rc",
            &["api-global-security-scope-added", "api-global-security-scope-removed"],
        ),
        (
            "kind of a scheme",
            "components: {securitySchemes: {k: {type: http, scheme: basic}}}",
            "components: {securitySchemes: {k: {type: http, scheme: bearer}}}",
            "bb",
            &["api-security-component-type-changed"],
        ),
        (
            "place of a key",
            "components: {securitySchemes: {k: {type: apiKey, in: header, name: k}}}",
            "components: {securitySchemes: {k: {type: apiKey, in: query, name: k}}}",
            "bb",
            &[],
        ),
        (
            "scheme added",
            "components: {}",
            "components: {securitySchemes: {k: {type: http, scheme: basic}}}",
            "cc",
            &["api-security-component-added", "api-security-component-removed"],
        ),
        (
            "address of tokens",
            "components: {securitySchemes: {k: {type: oauth2, flows: {implicit: {authorizationUrl: a, scopes: {}}}}}}",
            "components: {securitySchemes: {k: {type: oauth2, flows: {implicit: {authorizationUrl: b, scopes: {}}}}}}",
            "rr",
            &["api-security-component-oauth-url-changed"],
        ),
        (
            "scope of a scheme",
            "components: {securitySchemes: {k: {type: oauth2, flows: {implicit: {scopes: {a: b}}}}}}",
            "components: {securitySchemes: {k: {type: oauth2, flows: {implicit: {scopes: {}}}}}}",
            "rc",
            &["api-security-component-oauth-scope-removed", "api-security-component-oauth-scope-added"],
        ),
        (
            "flow removed",
            "components: {securitySchemes: {k: {type: oauth2, flows: {implicit: {scopes: {}}}}}}",
            "components: {securitySchemes: {k: {type: oauth2, flows: {}}}}",
            "bc",
            &["api-security-component-oauth-flow-removed"],
        ),
        ("server", "servers: [{url: 'https://a/'}]", "servers: [{url: 'https://b'}]", "rr", &["api-server-removed", "api-server-added"]),
        ("server's slash", "servers: [{url: 'https://a/'}]", "servers: [{url: 'https://a'}]", "cc", &[]),
        ("webhook", "webhooks: {w: {post: {}}}", "webhooks: {}", "bc", &["webhook-removed", "webhook-added"]),
        (
            "what a webhook sends",
            "webhooks: {w: {post: {requestBody: {content: {application/json: {schema: {type: integer}}}}}}}",
            "webhooks: {w: {post: {requestBody: {content: {application/json: {schema: {type: number}}}}}}}",
            "bc",
            &["response-body-type-generalized"],
        ),
    ];
    check(lines, |parts| format!("{{openapi: 3.1.0, info: {{title: t, version: '1'}}, {parts}}}"));
}

#[test]
fn versions_and_shapes_that_are_refused() {
    for (text, line, word) in [
        ("swagger: '2.0'\npaths: {}\n", 1, "Swagger 2.0"),
        ("info: {}\nopenapi: 4.0.0\n", 2, "expected 3.0, 3.1 or 3.2"),
        ("a: b\n", 1, "openapi: 3.x"),
        ("[]", 1, "openapi: 3.x"),
        ("openapi: 3.0.0\na: [\n", 3, "expected"),
    ] {
        let why = Loading::begin("x.yaml", "x.yaml", text.as_bytes(), []).map(|_| ()).expect_err(text).to_string();
        assert!(why.starts_with(&format!("x.yaml:{line}: ")) && why.contains(word), "{why}");
    }
    // What is not used may be broken.
    let unused = "openapi: 3.0.0\npaths: {}\ncomponents: {schemas: {A: {$ref: '#/nowhere'}}}\n";
    assert_eq!(letter(&findings(unused, unused)), 'c');
}

#[test]
fn references_that_lead_nowhere_are_errors_with_their_place() {
    let with = |reference: &str| {
        format!("openapi: 3.0.0\npaths:\n  /a:\n    get:\n      responses:\n        '200':\n          $ref: '{reference}'\n")
    };
    for (reference, word) in [
        ("#/components/responses/None", "leads nowhere"),
        ("https://example.com/a.yaml#/b", "--allow-ref https://example.com/a.yaml=FILE"),
        ("../a.yaml", "outside the folder"),
        ("b/../../a.yaml", "outside the folder"),
        ("/etc/a.yaml", "relative to the file"),
        ("file:///a.yaml", "not fetched"),
        ("C:\\a.yaml", "relative to the file"),
    ] {
        let text = with(reference);
        let other = spec(&text);
        let why = compare(&other, &other, &Options::default()).expect_err(reference).to_string();
        assert!(why.starts_with("api.yaml:6: ") && why.contains(word), "{reference}: {why}");
    }
    // A reference to itself is one that only leads to references.
    let own = spec("openapi: 3.0.0\npaths: {/a: {$ref: '#/paths/~1a'}}\n");
    assert!(compare(&own, &own, &Options::default()).expect_err("a loop").to_string().contains("only leads to other references"));
}

#[test]
fn other_files_are_wanted_handed_in_and_named() {
    let main = "openapi: 3.1.0\npaths:\n  /a:\n    get:\n      responses:\n        '200':\n          content:\n            application/json:\n              schema: {$ref: 'parts/pet.yaml#/Pet'}\n";
    let load = |kind: &str| {
        let mut loading =
            Loading::begin("v1/api.yaml", "api.yaml", main.as_bytes(), ["https://x.example/t.json".to_owned()]).expect("a description");
        assert_eq!(loading.wanted(), Some("parts/pet.yaml"));
        let pet = "Pet:\n  type: object\n  properties:\n    kind: {$ref: './kind.yaml'}\n    other: {$ref: 'https://x.example/t.json'}\n";
        loading.supply("parts/pet.yaml", "v1/parts/pet.yaml", Ok(pet.as_bytes())).expect("YAML");
        assert_eq!(loading.wanted(), Some("https://x.example/t.json"));
        loading.supply("https://x.example/t.json", "t.json", Ok(b"{\"type\": \"string\"}")).expect("JSON");
        assert_eq!(loading.wanted(), Some("parts/kind.yaml"));
        loading.supply("parts/kind.yaml", "v1/parts/kind.yaml", Ok(format!("# kind\ntype: {kind}\n").as_bytes())).expect("YAML");
        assert_eq!(loading.wanted(), None);
        loading.finish()
    };
    let found = compare(&load("string"), &load("integer"), &Options::default()).expect("a judgement");
    let [one] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((one.rule.as_str(), one.file.as_deref(), one.line), ("response-property-type-changed", Some("v1/parts/kind.yaml"), Some(2)));
    assert_eq!(one.more["property"], "kind");
}

#[test]
fn a_finding_says_whom_it_hits_and_where() {
    let describe = |kind: &str| {
        format!(
            "openapi: 3.1.0\npaths:\n  /a:\n    get: {{responses: {{'200': {{$ref: '#/components/responses/R'}}}}}}\n  /b:\n    put: {{responses: {{'200': {{$ref: '#/components/responses/R'}}}}}}\ncomponents:\n  responses:\n    R:\n      content:\n        application/json:\n          schema:\n            type: array\n            items:\n              properties:\n                name:\n                  type: {kind}\n"
        )
    };
    let found = findings(&describe("string"), &describe("boolean"));
    let [one] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(one.line, Some(17));
    assert_eq!(one.path.as_deref(), Some("/components/responses/R/content/application~1json/schema/items/properties/name/type"));
    assert_eq!(one.more["operations"], serde_json::json!(["GET /a", "PUT /b"]));
    assert_eq!(one.more["direction"], "response");
    assert_eq!(one.message, "GET /a and 1 more, response 200 application/json, items/name: The type was string, is boolean.");
}

/// What was odd before and stayed so is no change; the fuzzer found these.
#[test]
fn oddities_that_stay_are_no_findings() {
    for operation in ["{deprecated: true, x-sunset: soon}", "{x-stability-level: shiny}", "{deprecated: true, x-sunset: {}}"] {
        let text = format!("openapi: 3.1.0\npaths: {{/a: {{get: {operation}}}}}\n");
        assert_eq!(findings(&text, &text), [], "{operation}");
    }
}

#[test]
fn a_break_is_held_against_the_version() {
    for (was, is, rule) in [
        ("1.2.3", "1.2.3", "api-version-not-bumped"),
        ("1.2.3", "1.3.0", "api-major-version-not-bumped"),
        ("2.0.0", "1.9.0", "api-version-decreased"),
        ("1.2.3", "2.0.0", ""),
        ("june", "july", ""),
    ] {
        let describe = |version: &str, paths: &str| format!("openapi: 3.1.0\ninfo: {{title: t, version: '{version}'}}\npaths: {paths}\n");
        let found = findings(&describe(was, "{/a: {get: {}}}"), &describe(is, "{}"));
        let told: Vec<&str> = found.iter().map(|finding| finding.rule.as_str()).filter(|rule| rule.contains("version")).collect();
        assert_eq!(told, if rule.is_empty() { vec![] } else { vec![rule] }, "{was} {is}");
        assert!(!findings(&describe(was, "{}"), &describe(is, "{}")).iter().any(|finding| finding.rule.contains("version")));
    }
}

/// Alternatives tried against alternatives are a product, and references make it deep: it ends, and says no false "compatible".
#[test]
fn alternatives_of_alternatives_end() {
    let describe = |leaf: &str| {
        let mut text = "openapi: 3.1.0\npaths: {/a: {get: {responses: {'200': {content: {application/json: {schema: {$ref: '#/components/schemas/S0'}}}}}}}}\ncomponents:\n  schemas:\n".to_owned();
        for level in 0..40 {
            let next = level + 1;
            let branches: Vec<String> = (0..6)
                .map(|branch| format!("{{type: object, properties: {{k{branch}: {{$ref: '#/components/schemas/S{next}'}}}}}}"))
                .collect();
            text += &format!("    S{level}: {{oneOf: [{}]}}\n", branches.join(", "));
        }
        text + &format!("    S40: {leaf}\n")
    };
    assert_eq!(letter(&findings(&describe("{type: string}"), &describe("{type: integer}"))), 'b');
    assert_eq!(letter(&findings(&describe("{type: string}"), &describe("{type: string}"))), 'c');
}
