//! Schemas, one line a change: what it means in a request and in a response, there and back.
//!
//! Expected verdicts follow from JSON Schema (2020-12; for 3.0 the subset of OpenAPI 3.0.4, 4.7.24): a request breaks where
//! a value that was valid is not any more, a response where one is valid that was not.

use crate::openapi_support::{Line, check};

const NO_PARTS: &str = "{}";

#[test]
fn types() {
    let lines: &[Line] = &[
        ("same", "{type: string}", "{type: string}", "cccc", &[]),
        (
            "integer is a number",
            "{type: integer}",
            "{type: number}",
            "cbbc",
            &["request-body-type-generalized", "response-body-type-generalized"],
        ),
        ("other type", "{type: string}", "{type: integer}", "bbbb", &["request-body-type-changed", "response-body-type-changed"]),
        ("object to list", "{type: object}", "{type: array, items: {}}", "bbbb", &["request-body-type-changed"]),
        ("any to one", "{}", "{type: string}", "bccb", &["request-body-type-changed", "response-body-type-specialized"]),
        ("list of one", "{type: [string]}", "{type: string}", "cccc", &[]),
        (
            "one more type",
            "{type: string}",
            "{type: [string, integer]}",
            "cbbc",
            &["request-body-list-of-types-widened", "response-body-list-of-types-widened", "request-body-list-of-types-narrowed"],
        ),
        ("types swapped", "{type: [string, integer]}", "{type: [string, boolean]}", "bbbb", &["request-body-list-of-types-narrowed"]),
        ("order of types", "{type: [string, integer]}", "{type: [integer, string]}", "cccc", &[]),
        (
            "null added",
            "{type: string}",
            "{type: [string, 'null']}",
            "cbbc",
            &["request-body-became-nullable", "response-body-became-nullable", "request-body-became-not-nullable"],
        ),
        ("null by choice", "{type: string}", "{oneOf: [{type: string}, {type: 'null'}]}", "cbbc", &["request-body-became-nullable"]),
        ("null by choice is null in a list", "{anyOf: [{type: integer}, {type: 'null'}]}", "{type: [integer, 'null']}", "cccc", &[]),
        ("nothing any more", "{type: string}", "false", "bccr", &["request-body-forbidden", "response-body-allowed"]),
        ("true is any", "true", "{}", "cccc", &[]),
        ("unknown type", "{type: file}", "{type: string}", "bbbb", &["request-body-type-changed"]),
        ("unknown type stays", "{type: file}", "{type: file, description: d}", "cccc", &[]),
    ];
    check("3.1.0", NO_PARTS, lines);
}

#[test]
fn types_of_3_0() {
    let lines: &[Line] = &[
        (
            "nullable",
            "{type: string}",
            "{type: string, nullable: true}",
            "cbbc",
            &["request-body-became-nullable", "response-body-became-nullable"],
        ),
        ("nullable false", "{type: string}", "{type: string, nullable: false}", "cccc", &[]),
        (
            "exclusive by flag",
            "{type: integer, maximum: 5}",
            "{type: integer, maximum: 5, exclusiveMaximum: true}",
            "bbbb",
            &["request-body-exclusive-max-set"],
        ),
        ("flag false", "{type: integer, minimum: 5}", "{type: integer, minimum: 5, exclusiveMinimum: false}", "cccc", &[]),
        (
            "nullable reference",
            "{allOf: [{$ref: '#/components/schemas/S'}]}",
            "{nullable: true, allOf: [{$ref: '#/components/schemas/S'}]}",
            "cbbc",
            &["request-body-became-nullable"],
        ),
        (
            "siblings of a reference say nothing",
            "{$ref: '#/components/schemas/S'}",
            "{$ref: '#/components/schemas/S', maxLength: 3}",
            "cccc",
            &[],
        ),
        ("nullable values", "{type: string, nullable: true, enum: [a]}", "{type: string, nullable: true, enum: [a, null]}", "cccc", &[]),
    ];
    check("3.0.3", "{schemas: {S: {type: string}}}", lines);
}

#[test]
fn formats() {
    let lines: &[Line] = &[
        (
            "format added",
            "{type: string}",
            "{type: string, format: uuid}",
            "bccb",
            &["request-body-type-changed", "response-body-type-specialized"],
        ),
        ("format changed", "{type: string, format: date}", "{type: string, format: date-time}", "bbbb", &["request-body-type-changed"]),
        ("wider integer", "{type: integer, format: int32}", "{type: integer, format: int64}", "cbbc", &["request-body-type-generalized"]),
        ("wider number", "{type: number, format: float}", "{type: number, format: double}", "cbbc", &[]),
        ("password is only shown", "{type: string}", "{type: string, format: password}", "cccc", &[]),
        ("uri is a reference", "{type: string, format: uri}", "{type: string, format: uri-reference}", "cbbc", &[]),
    ];
    check("3.1.0", NO_PARTS, lines);
}

#[test]
fn values() {
    let lines: &[Line] = &[
        (
            "value added",
            "{enum: [a, b]}",
            "{enum: [a, b, c]}",
            "crbc",
            &[
                "request-body-enum-value-added",
                "response-body-enum-value-added",
                "request-body-enum-value-removed",
                "response-mediatype-enum-value-removed",
            ],
        ),
        ("value swapped", "{enum: [a, b]}", "{enum: [a, c]}", "brbr", &[]),
        ("order", "{enum: [a, b]}", "{enum: [b, a]}", "cccc", &[]),
        ("list added", "{type: string}", "{type: string, enum: [a]}", "bccr", &["request-body-became-enum", "response-body-enum-removed"]),
        ("list added without type", "{type: string}", "{enum: [a]}", "bccr", &["request-body-became-enum"]),
        ("spelling of a number", "{enum: [1.0, 2]}", "{enum: [1, 2.0]}", "cccc", &[]),
        ("texts are no numbers", "{enum: ['1']}", "{enum: [1]}", "bbbb", &[]),
        (
            "value in a property",
            "{type: object, properties: {p: {enum: [a, b]}}}",
            "{type: object, properties: {p: {enum: [a]}}}",
            "bccr",
            &["request-property-enum-value-removed", "response-property-enum-value-removed", "response-property-enum-value-added"],
        ),
        ("const added", "{type: string}", "{type: string, const: a}", "bccb", &["request-body-const-added", "response-body-const-removed"]),
        ("const changed", "{const: a}", "{const: b}", "bbbb", &["request-body-const-changed", "response-body-const-changed"]),
        ("const is a list of one", "{const: a}", "{enum: [a]}", "cccc", &[]),
        ("const to list", "{const: a}", "{enum: [a, b]}", "crbc", &[]),
        (
            "open list",
            "{type: string, x-extensible-enum: [a, b]}",
            "{type: string, x-extensible-enum: [a]}",
            "bccc",
            &["request-body-x-extensible-enum-value-removed"],
        ),
    ];
    check("3.1.0", NO_PARTS, lines);
}

#[test]
fn bounds() {
    let lines: &[Line] = &[
        ("max set", "{type: integer}", "{type: integer, maximum: 9}", "bccb", &["request-body-max-set", "response-body-max-unset"]),
        (
            "max lower",
            "{type: integer, maximum: 9}",
            "{type: integer, maximum: 8}",
            "bccb",
            &["request-body-max-decreased", "response-body-max-increased"],
        ),
        (
            "min higher",
            "{type: integer, minimum: 1}",
            "{type: integer, minimum: 2}",
            "bccb",
            &["request-body-min-increased", "response-body-min-decreased"],
        ),
        ("min set", "{type: number}", "{type: number, minimum: 2}", "bccb", &["request-body-min-set"]),
        (
            "exclusive",
            "{type: number, exclusiveMaximum: 9}",
            "{type: number, exclusiveMaximum: 10}",
            "cbbc",
            &["request-body-exclusive-max-increased"],
        ),
        ("spelling", "{type: number, maximum: 1e1}", "{type: number, maximum: 10.0}", "cccc", &[]),
        (
            "maxLength",
            "{type: string, maxLength: 5}",
            "{type: string, maxLength: 6}",
            "cbbc",
            &["request-body-max-length-increased", "response-body-max-length-increased"],
        ),
        (
            "maxLength unset",
            "{type: string, maxLength: 5}",
            "{type: string}",
            "cbbc",
            &["response-body-max-length-unset", "request-body-max-length-set"],
        ),
        (
            "minLength",
            "{type: string, minLength: 1}",
            "{type: string, minLength: 2}",
            "bccb",
            &["request-body-min-length-increased", "response-body-min-length-decreased"],
        ),
        ("minLength 0 is none", "{type: string}", "{type: string, minLength: 0}", "cccc", &[]),
        (
            "minItems",
            "{type: array, items: {}, minItems: 1}",
            "{type: array, items: {}, minItems: 2}",
            "bccb",
            &["request-body-min-items-increased", "response-body-min-items-decreased"],
        ),
        (
            "maxItems",
            "{type: array, items: {}, maxItems: 1}",
            "{type: array, items: {}, maxItems: 2}",
            "cbbc",
            &["request-body-max-items-increased"],
        ),
        ("minProperties", "{type: object, minProperties: 1}", "{type: object}", "cbbc", &["response-body-min-properties-unset"]),
        (
            "maxProperties",
            "{type: object, maxProperties: 3}",
            "{type: object, maxProperties: 2}",
            "bccb",
            &["request-body-max-properties-decreased"],
        ),
        (
            "multiple of more",
            "{type: integer, multipleOf: 2}",
            "{type: integer, multipleOf: 4}",
            "bccb",
            &["request-body-multiple-of-changed"],
        ),
        ("multiple of other", "{type: integer, multipleOf: 2}", "{type: integer, multipleOf: 3}", "bbbb", &[]),
        ("multiple added", "{type: integer}", "{type: integer, multipleOf: 3}", "bccb", &["request-body-multiple-of-added"]),
        ("unique", "{type: array, items: {}}", "{type: array, items: {}, uniqueItems: true}", "bccb", &["request-body-unique-items-added"]),
        (
            "pattern added",
            "{type: string}",
            "{type: string, pattern: '^a'}",
            "bccr",
            &["request-body-pattern-added", "response-body-pattern-removed"],
        ),
        (
            "pattern changed",
            "{type: string, pattern: '^a'}",
            "{type: string, pattern: '^b'}",
            "rrrr",
            &["request-body-pattern-changed", "response-body-pattern-changed"],
        ),
        (
            "pattern matches all",
            "{type: string, pattern: '^a'}",
            "{type: string, pattern: '.*'}",
            "crbc",
            &["request-body-pattern-generalized"],
        ),
        ("bound at another type", "{type: string}", "{type: string, maximum: 3}", "cccc", &[]),
        ("default", "{type: string, default: a}", "{type: string, default: b}", "rcrc", &["request-body-default-value-changed"]),
        ("default added", "{type: string}", "{type: string, default: b}", "rcrc", &["request-body-default-value-added"]),
    ];
    check("3.1.0", NO_PARTS, lines);
}

#[test]
fn properties() {
    let lines: &[Line] = &[
        (
            "optional added",
            "{type: object}",
            "{type: object, properties: {p: {type: string}}}",
            "ccrr",
            &[
                "new-optional-request-property",
                "response-optional-property-added",
                "request-property-removed",
                "response-optional-property-removed",
            ],
        ),
        (
            "required added",
            "{type: object}",
            "{type: object, required: [p], properties: {p: {type: string}}}",
            "bcrb",
            &["new-required-request-property", "response-required-property-added", "response-required-property-removed"],
        ),
        (
            "required with default",
            "{type: object}",
            "{type: object, required: [p], properties: {p: {type: string, default: x}}}",
            "bcrb",
            &["new-required-request-property-with-default"],
        ),
        (
            "became required",
            "{type: object, properties: {p: {type: string}}}",
            "{type: object, required: [p], properties: {p: {type: string}}}",
            "bccb",
            &[
                "request-property-became-required",
                "response-property-became-optional",
                "request-property-became-optional",
                "response-property-became-required",
            ],
        ),
        (
            "became required with default",
            "{type: object, properties: {p: {default: 1}}}",
            "{type: object, required: [p], properties: {p: {default: 1}}}",
            "bccb",
            &["request-property-became-required-with-default"],
        ),
        ("undescribed required", "{type: object}", "{type: object, required: [p]}", "bccb", &["request-property-became-required"]),
        (
            "nested",
            "{type: object, properties: {a: {type: object, properties: {b: {type: string}}}}}",
            "{type: object, properties: {a: {type: object, properties: {b: {type: integer}}}}}",
            "bbbb",
            &["request-property-type-changed"],
        ),
        (
            "order",
            "{type: object, properties: {a: {type: string}, b: {type: integer}}}",
            "{type: object, properties: {b: {type: integer}, a: {type: string}}}",
            "cccc",
            &[],
        ),
        (
            "closed",
            "{type: object}",
            "{type: object, additionalProperties: false}",
            "bccr",
            &["request-body-additional-properties-forbidden", "response-body-additional-properties-allowed"],
        ),
        ("true says nothing", "{type: object}", "{type: object, additionalProperties: true}", "cccc", &[]),
        ("empty says nothing", "{type: object}", "{type: object, additionalProperties: {}}", "cccc", &[]),
        (
            "removed from a closed one",
            "{type: object, additionalProperties: false, properties: {a: {}, b: {}}}",
            "{type: object, additionalProperties: false, properties: {a: {}}}",
            "brcr",
            &["request-property-removed"],
        ),
        (
            "map of another type",
            "{type: object, additionalProperties: {type: string}}",
            "{type: object, additionalProperties: {type: integer}}",
            "bbbb",
            &["request-property-type-changed"],
        ),
        (
            "map became named",
            "{type: object, additionalProperties: {type: string}}",
            "{type: object, additionalProperties: {type: string}, properties: {a: {type: integer}}}",
            "bbbb",
            &[],
        ),
        (
            "read-only is not sent",
            "{type: object, properties: {a: {type: string, readOnly: true}}}",
            "{type: object, required: [a], properties: {a: {type: integer, readOnly: true}}}",
            "cbcb",
            &[],
        ),
        (
            "write-only is not answered",
            "{type: object, required: [a], properties: {a: {type: string, writeOnly: true}}}",
            "{type: object, properties: {a: {type: integer, writeOnly: true}}}",
            "bcbc",
            &["response-write-only-property-became-optional"],
        ),
        (
            "became read-only",
            "{type: object, properties: {a: {type: string}}}",
            "{type: object, properties: {a: {type: string, readOnly: true}}}",
            "rcrc",
            &["request-optional-property-became-read-only", "request-optional-property-became-not-read-only"],
        ),
        (
            "became write-only",
            "{type: object, properties: {a: {type: string}}}",
            "{type: object, properties: {a: {type: string, writeOnly: true}}}",
            "crcr",
            &["response-optional-property-became-write-only"],
        ),
        (
            "deprecated",
            "{type: object, properties: {a: {type: string}}}",
            "{type: object, properties: {a: {type: string, deprecated: true}}}",
            "cccc",
            &["request-property-deprecated", "request-property-reactivated"],
        ),
        (
            "names",
            "{type: object}",
            "{type: object, propertyNames: {pattern: '^x'}}",
            "bccb",
            &["request-body-property-names-added", "response-body-property-names-removed"],
        ),
        (
            "by pattern",
            "{type: object}",
            "{type: object, patternProperties: {'^x': {type: string}}}",
            "bccb",
            &["request-body-pattern-property-added"],
        ),
        (
            "by pattern changed",
            "{type: object, patternProperties: {'^x': {type: string}}}",
            "{type: object, patternProperties: {'^x': {type: integer}}}",
            "bbbb",
            &[],
        ),
        (
            "required together",
            "{type: object}",
            "{type: object, dependentRequired: {a: [b]}}",
            "bccb",
            &["request-body-dependent-required-added", "response-body-dependent-required-removed"],
        ),
        (
            "required together, more",
            "{type: object, dependentRequired: {a: [b]}}",
            "{type: object, dependentRequired: {a: [b, c]}}",
            "bccb",
            &["request-body-dependent-required-changed"],
        ),
        (
            "described together",
            "{type: object}",
            "{type: object, dependentSchemas: {a: {required: [b]}}}",
            "bccb",
            &["request-body-dependent-schema-added"],
        ),
        (
            "nothing else",
            "{type: object}",
            "{type: object, unevaluatedProperties: false}",
            "bccb",
            &["request-body-unevaluated-properties-added"],
        ),
    ];
    check("3.1.0", NO_PARTS, lines);
}

#[test]
fn lists() {
    let lines: &[Line] = &[
        (
            "items",
            "{type: array, items: {type: string}}",
            "{type: array, items: {type: integer}}",
            "bbbb",
            &["request-property-type-changed"],
        ),
        ("items said", "{type: array}", "{type: array, items: {type: string}}", "bccb", &[]),
        ("first item", "{type: array, prefixItems: [{type: string}]}", "{type: array, prefixItems: [{type: integer}]}", "bbbb", &[]),
        (
            "second item said",
            "{type: array, prefixItems: [{type: string}]}",
            "{type: array, prefixItems: [{type: string}, {type: string}]}",
            "brrb",
            &["request-body-prefix-items-added"],
        ),
        (
            "contains",
            "{type: array}",
            "{type: array, contains: {type: string}}",
            "bccb",
            &["request-body-contains-added", "response-body-contains-removed"],
        ),
        (
            "contains more",
            "{type: array, contains: {type: string}}",
            "{type: array, contains: {type: string}, minContains: 2}",
            "bccb",
            &["request-body-min-contains-set"],
        ),
        (
            "contains few",
            "{type: array, contains: {type: string}, maxContains: 3}",
            "{type: array, contains: {type: string}, maxContains: 2}",
            "bccb",
            &["request-body-max-contains-decreased"],
        ),
        ("no other items", "{type: array}", "{type: array, unevaluatedItems: false}", "bccb", &["request-body-unevaluated-items-added"]),
    ];
    check("3.1.0", NO_PARTS, lines);
}

const PETS: &str = "{schemas: {Cat: {type: object, required: [kind], properties: {kind: {const: cat}, lives: {type: integer}}}, \
    Dog: {type: object, required: [kind], properties: {kind: {const: dog}, tricks: {type: integer}}}, \
    Bird: {type: object, required: [kind], properties: {kind: {const: bird}}}, \
    Loop: {type: object, properties: {next: {$ref: '#/components/schemas/Loop'}, all: {allOf: [{$ref: '#/components/schemas/Loop'}]}}}, \
    Named: {type: object, properties: {name: {type: string}}}, Aged: {type: object, properties: {age: {type: integer}}}}}";

#[test]
fn choices() {
    let lines: &[Line] = &[
        (
            "alternative added",
            "{oneOf: [{$ref: '#/components/schemas/Cat'}, {$ref: '#/components/schemas/Dog'}]}",
            "{oneOf: [{$ref: '#/components/schemas/Cat'}, {$ref: '#/components/schemas/Dog'}, {$ref: '#/components/schemas/Bird'}]}",
            "cbbc",
            &["request-body-one-of-added", "response-body-one-of-added", "request-body-one-of-removed", "response-body-one-of-removed"],
        ),
        (
            "order of alternatives",
            "{oneOf: [{$ref: '#/components/schemas/Cat'}, {$ref: '#/components/schemas/Dog'}]}",
            "{oneOf: [{$ref: '#/components/schemas/Dog'}, {$ref: '#/components/schemas/Cat'}]}",
            "cccc",
            &[],
        ),
        ("order of inline ones", "{oneOf: [{type: string}, {type: integer}]}", "{oneOf: [{type: integer}, {type: string}]}", "cccc", &[]),
        (
            "inline for named",
            "{oneOf: [{$ref: '#/components/schemas/Cat'}, {type: string}]}",
            "{oneOf: [{type: object, required: [kind], properties: {kind: {const: cat}, lives: {type: integer}}}, {type: string}]}",
            "cccc",
            &[],
        ),
        (
            "overlapping alternative added",
            "{oneOf: [{type: string}, {type: integer}]}",
            "{oneOf: [{type: string}, {type: integer}, {type: string, format: date}]}",
            "rbbc",
            &["request-body-one-of-added"],
        ),
        (
            "any of added",
            "{anyOf: [{type: string}, {type: integer}]}",
            "{anyOf: [{type: string}, {type: integer}, {type: boolean}]}",
            "cbbc",
            &["request-body-any-of-added", "response-body-any-of-added", "request-body-any-of-removed", "response-body-any-of-removed"],
        ),
        (
            "any of, nothing new",
            "{anyOf: [{type: string}, {type: integer}]}",
            "{anyOf: [{type: string}, {type: integer}, {type: string, maxLength: 3}]}",
            "ccbc",
            &[],
        ),
        (
            "one became a choice",
            "{$ref: '#/components/schemas/Cat'}",
            "{oneOf: [{$ref: '#/components/schemas/Cat'}, {$ref: '#/components/schemas/Dog'}]}",
            "cbbc",
            &["request-body-one-of-added", "response-body-wrapped-in-one-of", "request-body-one-of-removed"],
        ),
        ("a choice of one", "{$ref: '#/components/schemas/Cat'}", "{oneOf: [{$ref: '#/components/schemas/Cat'}]}", "cccc", &[]),
        (
            "choice with something beside it",
            "{type: object, properties: {a: {type: string}}, oneOf: [{required: [a]}, {required: [b]}]}",
            "{type: object, properties: {a: {type: integer}}, oneOf: [{required: [a]}, {required: [b]}]}",
            "bbbb",
            &["request-property-type-changed"],
        ),
        (
            "inside an alternative",
            "{oneOf: [{type: string, maxLength: 5}, {type: integer}]}",
            "{oneOf: [{type: string, maxLength: 4}, {type: integer}]}",
            "bccb",
            &["request-property-max-length-decreased"],
        ),
        (
            "discriminator added",
            "{oneOf: [{type: string}, {type: integer}]}",
            "{oneOf: [{type: string}, {type: integer}], discriminator: {propertyName: k}}",
            "ccrr",
            &["request-body-discriminator-added", "request-body-discriminator-removed"],
        ),
        (
            "discriminator renamed",
            "{type: object, discriminator: {propertyName: j}}",
            "{type: object, discriminator: {propertyName: k}}",
            "rrrr",
            &["request-body-discriminator-property-name-changed"],
        ),
        (
            "discriminator's map",
            "{type: object, discriminator: {propertyName: j, mapping: {a: A}}}",
            "{type: object, discriminator: {propertyName: j, mapping: {a: B, c: C}}}",
            "rrrr",
            &[
                "request-body-discriminator-mapping-changed",
                "request-body-discriminator-mapping-added",
                "request-body-discriminator-mapping-deleted",
            ],
        ),
        ("not, more", "{not: {type: string}}", "{not: {type: [string, integer]}}", "bccb", &["request-body-not-changed"]),
        (
            "not added",
            "{type: string}",
            "{type: string, not: {enum: [a]}}",
            "bccb",
            &["request-body-not-added", "response-body-not-removed"],
        ),
        (
            "condition",
            "{type: object}",
            "{type: object, if: {required: [a]}, then: {required: [b]}}",
            "bccb",
            &["request-body-if-added", "request-body-then-added", "response-body-if-removed"],
        ),
        (
            "condition changed",
            "{if: {required: [a]}, then: {required: [b]}}",
            "{if: {required: [c]}, then: {required: [b]}}",
            "rrrr",
            &["request-body-if-changed"],
        ),
    ];
    check("3.1.0", PETS, lines);
}

#[test]
fn merged() {
    let lines: &[Line] = &[
        (
            "said in parts",
            "{type: object, properties: {name: {type: string}, age: {type: integer}}}",
            "{allOf: [{$ref: '#/components/schemas/Named'}, {$ref: '#/components/schemas/Aged'}]}",
            "cccc",
            &[],
        ),
        (
            "reference for its text",
            "{$ref: '#/components/schemas/Named'}",
            "{type: object, properties: {name: {type: string}}}",
            "cccc",
            &[],
        ),
        (
            "a part required more",
            "{allOf: [{$ref: '#/components/schemas/Named'}]}",
            "{allOf: [{$ref: '#/components/schemas/Named'}, {required: [name]}]}",
            "bccb",
            &["request-property-became-required"],
        ),
        ("bounds of parts", "{allOf: [{type: string, maxLength: 5}, {maxLength: 9}]}", "{type: string, maxLength: 5}", "cccc", &[]),
        ("values of parts", "{allOf: [{enum: [a, b]}, {enum: [b, c]}]}", "{enum: [b]}", "cccc", &[]),
        (
            "a part by name",
            "{allOf: [{$ref: '#/components/schemas/Named'}]}",
            "{allOf: [{$ref: '#/components/schemas/Named'}, {$ref: '#/components/schemas/Aged'}]}",
            "bcrr",
            &["request-body-all-of-added", "request-body-all-of-removed", "response-body-all-of-added", "response-body-all-of-removed"],
        ),
        (
            "loops end",
            "{$ref: '#/components/schemas/Loop'}",
            "{type: object, properties: {next: {$ref: '#/components/schemas/Loop'}, all: {$ref: '#/components/schemas/Loop'}}}",
            "cccc",
            &[],
        ),
        (
            "words change nothing",
            "{title: a, description: b, example: c, type: string, x-more: 1}",
            "{type: string, externalDocs: {url: u}, examples: [d]}",
            "cccc",
            &[],
        ),
        (
            "siblings of a reference count",
            "{$ref: '#/components/schemas/Named'}",
            "{$ref: '#/components/schemas/Named', required: [name]}",
            "bccb",
            &[],
        ),
    ];
    check("3.1.0", PETS, lines);
}
