//! Every rule with its severity by level.
//!
//! Where the check is one of buf's, the name is its name in kebab-case; `peer` says which. Nothing is decided here.

use crate::finding::Severity;

/// What a change must not break.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Code generated from the files, file by file, and everything below.
    Source,
    /// Code generated from the files, wherever in a package a thing is declared.
    Package,
    /// What is written as JSON or on the wire.
    WireJson,
    /// What is written on the wire.
    Wire,
}

impl Level {
    pub const ALL: [Level; 4] = [Level::Source, Level::Package, Level::WireJson, Level::Wire];

    pub fn word(self) -> &'static str {
        match self {
            Level::Source => "source",
            Level::Package => "package",
            Level::WireJson => "wire-json",
            Level::Wire => "wire",
        }
    }
    /// Bytes and JSON count, code does not.
    pub(super) fn is_wire(self) -> bool {
        matches!(self, Level::WireJson | Level::Wire)
    }
}

#[derive(Debug)]
pub struct RuleInfo {
    pub id: &'static str,
    /// The same check in buf; empty where there is none.
    pub peer: &'static str,
    /// At source, package, wire-json and wire; none where it does not apply.
    pub severities: [Option<Severity>; 4],
    pub what: &'static str,
}

impl RuleInfo {
    pub fn severity(&self, level: Level) -> Option<Severity> {
        match level {
            Level::Source => self.severities[0],
            Level::Package => self.severities[1],
            Level::WireJson => self.severities[2],
            Level::Wire => self.severities[3],
        }
    }
}

const BREAKING: Option<Severity> = Some(Severity::Breaking);
const RISKY: Option<Severity> = Some(Severity::Risky);
const INFO: Option<Severity> = Some(Severity::Info);
const OFF: Option<Severity> = None;

macro_rules! rules {
    ($($name:ident $id:literal $peer:literal [$($severity:ident),*] $what:literal)*) => {
        $(pub(super) static $name: RuleInfo = RuleInfo { id: $id, peer: $peer, severities: [$($severity),*], what: $what };)*
        /// All of them.
        pub static RULES: &[&RuleInfo] = &[$(&$name),*];
    };
}

#[rustfmt::skip]
rules! {
    FILE_NO_DELETE "file-no-delete" "FILE_NO_DELETE" [BREAKING, OFF, OFF, OFF]
        "A file stays where it is: generated code is imported by its path."
    FILE_SAME_SYNTAX "file-same-syntax" "FILE_SAME_SYNTAX" [BREAKING, BREAKING, OFF, OFF]
        "A file keeps its syntax or edition."
    FILE_SAME_PACKAGE "file-same-package" "FILE_SAME_PACKAGE" [BREAKING, BREAKING, BREAKING, BREAKING]
        "A file keeps its package: it is part of every full name, of Any addresses and of gRPC paths."
    FILE_SAME_CC_ENABLE_ARENAS "file-same-cc-enable-arenas" "FILE_SAME_CC_ENABLE_ARENAS" [BREAKING, BREAKING, OFF, OFF]
        "A file keeps its option cc_enable_arenas."
    FILE_SAME_CC_GENERIC_SERVICES "file-same-cc-generic-services" "FILE_SAME_CC_GENERIC_SERVICES" [BREAKING, BREAKING, OFF, OFF]
        "A file keeps its option cc_generic_services."
    FILE_SAME_CSHARP_NAMESPACE "file-same-csharp-namespace" "FILE_SAME_CSHARP_NAMESPACE" [BREAKING, BREAKING, OFF, OFF]
        "A file keeps its option csharp_namespace."
    FILE_SAME_GO_PACKAGE "file-same-go-package" "FILE_SAME_GO_PACKAGE" [BREAKING, BREAKING, OFF, OFF]
        "A file keeps its option go_package."
    FILE_SAME_JAVA_GENERIC_SERVICES "file-same-java-generic-services" "FILE_SAME_JAVA_GENERIC_SERVICES" [BREAKING, BREAKING, OFF, OFF]
        "A file keeps its option java_generic_services."
    FILE_SAME_JAVA_MULTIPLE_FILES "file-same-java-multiple-files" "FILE_SAME_JAVA_MULTIPLE_FILES" [BREAKING, BREAKING, OFF, OFF]
        "A file keeps its option java_multiple_files."
    FILE_SAME_JAVA_OUTER_CLASSNAME "file-same-java-outer-classname" "FILE_SAME_JAVA_OUTER_CLASSNAME" [BREAKING, BREAKING, OFF, OFF]
        "A file keeps its option java_outer_classname."
    FILE_SAME_JAVA_PACKAGE "file-same-java-package" "FILE_SAME_JAVA_PACKAGE" [BREAKING, BREAKING, OFF, OFF]
        "A file keeps its option java_package."
    FILE_SAME_OBJC_CLASS_PREFIX "file-same-objc-class-prefix" "FILE_SAME_OBJC_CLASS_PREFIX" [BREAKING, BREAKING, OFF, OFF]
        "A file keeps its option objc_class_prefix."
    FILE_SAME_OPTIMIZE_FOR "file-same-optimize-for" "FILE_SAME_OPTIMIZE_FOR" [BREAKING, BREAKING, OFF, OFF]
        "A file keeps its option optimize_for."
    FILE_SAME_PHP_CLASS_PREFIX "file-same-php-class-prefix" "FILE_SAME_PHP_CLASS_PREFIX" [BREAKING, BREAKING, OFF, OFF]
        "A file keeps its option php_class_prefix."
    FILE_SAME_PHP_METADATA_NAMESPACE "file-same-php-metadata-namespace" "FILE_SAME_PHP_METADATA_NAMESPACE" [BREAKING, BREAKING, OFF, OFF]
        "A file keeps its option php_metadata_namespace."
    FILE_SAME_PHP_NAMESPACE "file-same-php-namespace" "FILE_SAME_PHP_NAMESPACE" [BREAKING, BREAKING, OFF, OFF]
        "A file keeps its option php_namespace."
    FILE_SAME_PY_GENERIC_SERVICES "file-same-py-generic-services" "FILE_SAME_PY_GENERIC_SERVICES" [BREAKING, BREAKING, OFF, OFF]
        "A file keeps its option py_generic_services."
    FILE_SAME_RUBY_PACKAGE "file-same-ruby-package" "FILE_SAME_RUBY_PACKAGE" [BREAKING, BREAKING, OFF, OFF]
        "A file keeps its option ruby_package."
    FILE_SAME_SWIFT_PREFIX "file-same-swift-prefix" "FILE_SAME_SWIFT_PREFIX" [BREAKING, BREAKING, OFF, OFF]
        "A file keeps its option swift_prefix."
    PACKAGE_NO_DELETE "package-no-delete" "PACKAGE_NO_DELETE" [OFF, BREAKING, OFF, OFF]
        "A package does not vanish."
    PACKAGE_MESSAGE_NO_DELETE "package-message-no-delete" "PACKAGE_MESSAGE_NO_DELETE" [OFF, BREAKING, OFF, OFF]
        "A message stays in its package, in whichever file."
    PACKAGE_ENUM_NO_DELETE "package-enum-no-delete" "PACKAGE_ENUM_NO_DELETE" [OFF, BREAKING, OFF, OFF]
        "An enum stays in its package, in whichever file."
    PACKAGE_EXTENSION_NO_DELETE "package-extension-no-delete" "PACKAGE_EXTENSION_NO_DELETE" [OFF, BREAKING, OFF, OFF]
        "An extension stays in its package, in whichever file."
    PACKAGE_SERVICE_NO_DELETE "package-service-no-delete" "PACKAGE_SERVICE_NO_DELETE" [OFF, BREAKING, OFF, OFF]
        "A service stays in its package, in whichever file."
    MESSAGE_NO_DELETE "message-no-delete" "MESSAGE_NO_DELETE" [BREAKING, OFF, RISKY, RISKY]
        "A message stays in its file. On the wire: data named after it (Any, stored bytes) has no reader."
    MESSAGE_NO_REMOVE_STANDARD_DESCRIPTOR_ACCESSOR "message-no-remove-standard-descriptor-accessor" "MESSAGE_NO_REMOVE_STANDARD_DESCRIPTOR_ACCESSOR" [BREAKING, BREAKING, OFF, OFF]
        "A message keeps its descriptor() accessor."
    MESSAGE_SAME_JSON_FORMAT "message-same-json-format" "MESSAGE_SAME_JSON_FORMAT" [BREAKING, BREAKING, BREAKING, OFF]
        "JSON that was promised to work still is."
    MESSAGE_SAME_REQUIRED_FIELDS "message-same-required-fields" "MESSAGE_SAME_REQUIRED_FIELDS" [BREAKING, BREAKING, BREAKING, BREAKING]
        "No required field comes or goes: a reader that requires it refuses what lacks it."
    MESSAGE_SAME_MESSAGE_SET "message-same-message-set" "" [BREAKING, BREAKING, BREAKING, BREAKING]
        "MessageSet form is another encoding."
    RESERVED_MESSAGE_NO_DELETE "reserved-message-no-delete" "RESERVED_MESSAGE_NO_DELETE" [BREAKING, BREAKING, BREAKING, BREAKING]
        "What was reserved stays reserved: old data still has it."
    EXTENSION_MESSAGE_NO_DELETE "extension-message-no-delete" "EXTENSION_MESSAGE_NO_DELETE" [BREAKING, BREAKING, OFF, OFF]
        "Extension ranges do not shrink: others declare extensions in them."
    EXTENSION_NO_DELETE "extension-no-delete" "EXTENSION_NO_DELETE" [BREAKING, OFF, RISKY, RISKY]
        "An extension stays in its file. On the wire: what was written with it is no longer read."
    ONEOF_NO_DELETE "oneof-no-delete" "ONEOF_NO_DELETE" [BREAKING, BREAKING, OFF, OFF]
        "A oneof stays: code switches on it."
    FIELD_NO_DELETE "field-no-delete" "FIELD_NO_DELETE" [BREAKING, BREAKING, OFF, OFF]
        "A field stays: code names it."
    FIELD_NO_DELETE_UNLESS_NAME_RESERVED "field-no-delete-unless-name-reserved" "FIELD_NO_DELETE_UNLESS_NAME_RESERVED" [OFF, OFF, BREAKING, OFF]
        "A deleted field's name is reserved, so that it never comes back with another meaning in JSON."
    FIELD_NO_DELETE_UNLESS_NUMBER_RESERVED "field-no-delete-unless-number-reserved" "FIELD_NO_DELETE_UNLESS_NUMBER_RESERVED" [OFF, OFF, BREAKING, BREAKING]
        "A deleted field's number is reserved, so that it never comes back with another meaning."
    FIELD_SAME_NAME "field-same-name" "FIELD_SAME_NAME" [BREAKING, BREAKING, BREAKING, OFF]
        "The field of a number keeps its name."
    FIELD_SAME_JSON_NAME "field-same-json-name" "FIELD_SAME_JSON_NAME" [BREAKING, BREAKING, BREAKING, OFF]
        "The field of a number keeps its name in JSON."
    FIELD_SAME_TYPE "field-same-type" "FIELD_SAME_TYPE" [BREAKING, BREAKING, OFF, OFF]
        "A field keeps its type."
    FIELD_WIRE_JSON_COMPATIBLE_TYPE "field-wire-json-compatible-type" "FIELD_WIRE_JSON_COMPATIBLE_TYPE" [OFF, OFF, BREAKING, OFF]
        "A field's type may change within what JSON and the wire both read."
    FIELD_WIRE_COMPATIBLE_TYPE "field-wire-compatible-type" "FIELD_WIRE_COMPATIBLE_TYPE" [OFF, OFF, OFF, BREAKING]
        "A field's type may change within what the wire reads."
    FIELD_SAME_RANGE "field-same-range" "" [OFF, OFF, RISKY, RISKY]
        "A readable type may still not hold the other one's values: large numbers are cut, signs are misread."
    FIELD_STRING_TO_BYTES "field-string-to-bytes" "" [OFF, OFF, OFF, RISKY]
        "Bytes that are no UTF-8 break readers that still have a string."
    FIELD_SAME_CARDINALITY "field-same-cardinality" "FIELD_SAME_CARDINALITY" [BREAKING, BREAKING, OFF, OFF]
        "A field stays optional, required, repeated or a map, and keeps its presence."
    FIELD_WIRE_JSON_COMPATIBLE_CARDINALITY "field-wire-json-compatible-cardinality" "FIELD_WIRE_JSON_COMPATIBLE_CARDINALITY" [OFF, OFF, BREAKING, OFF]
        "One stays one, many stay many, maps stay maps."
    FIELD_WIRE_COMPATIBLE_CARDINALITY "field-wire-compatible-cardinality" "FIELD_WIRE_COMPATIBLE_CARDINALITY" [OFF, OFF, OFF, BREAKING]
        "One stays one, many stay many."
    FIELD_SAME_ONEOF "field-same-oneof" "FIELD_SAME_ONEOF" [BREAKING, BREAKING, BREAKING, BREAKING]
        "A field stays in its oneof or outside: setting one member clears the others."
    ONEOF_RENAMED "oneof-renamed" "" [OFF, OFF, INFO, INFO]
        "A oneof's name is not on the wire and not in JSON."
    FIELD_SAME_DEFAULT "field-same-default" "FIELD_SAME_DEFAULT" [BREAKING, BREAKING, BREAKING, BREAKING]
        "An absent field still means the same."
    FIELD_SAME_JSTYPE "field-same-jstype" "FIELD_SAME_JSTYPE" [BREAKING, BREAKING, OFF, OFF]
        "A 64-bit field keeps its type in JavaScript."
    FIELD_SAME_CPP_STRING_TYPE "field-same-cpp-string-type" "FIELD_SAME_CPP_STRING_TYPE" [BREAKING, BREAKING, OFF, OFF]
        "A field keeps its string type in C++."
    FIELD_SAME_JAVA_UTF8_VALIDATION "field-same-java-utf8-validation" "FIELD_SAME_JAVA_UTF8_VALIDATION" [BREAKING, BREAKING, OFF, OFF]
        "Java checks a string's UTF-8 as before."
    FIELD_SAME_UTF8_VALIDATION "field-same-utf8-validation" "FIELD_SAME_UTF8_VALIDATION" [BREAKING, BREAKING, RISKY, RISKY]
        "A string's UTF-8 is checked as before. On the wire: a reader that begins to check refuses what was accepted."
    ENUM_NO_DELETE "enum-no-delete" "ENUM_NO_DELETE" [BREAKING, OFF, OFF, OFF]
        "An enum stays in its file."
    ENUM_SAME_TYPE "enum-same-type" "ENUM_SAME_TYPE" [BREAKING, BREAKING, RISKY, RISKY]
        "An enum stays open or closed: a closed one does not keep values it does not know in the field."
    ENUM_SAME_JSON_FORMAT "enum-same-json-format" "ENUM_SAME_JSON_FORMAT" [BREAKING, BREAKING, BREAKING, OFF]
        "JSON that was promised to work still is."
    ENUM_VALUE_NO_DELETE "enum-value-no-delete" "ENUM_VALUE_NO_DELETE" [BREAKING, BREAKING, OFF, OFF]
        "A value stays: code names it."
    ENUM_VALUE_NO_DELETE_UNLESS_NAME_RESERVED "enum-value-no-delete-unless-name-reserved" "ENUM_VALUE_NO_DELETE_UNLESS_NAME_RESERVED" [OFF, OFF, BREAKING, OFF]
        "A deleted value's names are reserved."
    ENUM_VALUE_NO_DELETE_UNLESS_NUMBER_RESERVED "enum-value-no-delete-unless-number-reserved" "ENUM_VALUE_NO_DELETE_UNLESS_NUMBER_RESERVED" [OFF, OFF, BREAKING, BREAKING]
        "A deleted value's number is reserved."
    ENUM_VALUE_SAME_NAME "enum-value-same-name" "ENUM_VALUE_SAME_NAME" [BREAKING, BREAKING, BREAKING, OFF]
        "The value of a number keeps its names."
    ENUM_VALUE_ADDED "enum-value-added" "" [OFF, OFF, RISKY, RISKY]
        "Readers of the base do not know a new value: JSON with its name is refused, and a closed enum leaves the field unset."
    RESERVED_ENUM_NO_DELETE "reserved-enum-no-delete" "RESERVED_ENUM_NO_DELETE" [BREAKING, BREAKING, BREAKING, BREAKING]
        "What was reserved stays reserved."
    SERVICE_NO_DELETE "service-no-delete" "SERVICE_NO_DELETE" [BREAKING, OFF, BREAKING, BREAKING]
        "A service stays: its callers get UNIMPLEMENTED."
    RPC_NO_DELETE "rpc-no-delete" "RPC_NO_DELETE" [BREAKING, BREAKING, BREAKING, BREAKING]
        "An rpc stays: its callers get UNIMPLEMENTED."
    RPC_SAME_REQUEST_TYPE "rpc-same-request-type" "RPC_SAME_REQUEST_TYPE" [BREAKING, BREAKING, BREAKING, BREAKING]
        "An rpc keeps its request."
    RPC_SAME_RESPONSE_TYPE "rpc-same-response-type" "RPC_SAME_RESPONSE_TYPE" [BREAKING, BREAKING, BREAKING, BREAKING]
        "An rpc keeps its response."
    RPC_SAME_CLIENT_STREAMING "rpc-same-client-streaming" "RPC_SAME_CLIENT_STREAMING" [BREAKING, BREAKING, BREAKING, BREAKING]
        "An rpc's client keeps streaming, or not."
    RPC_SAME_SERVER_STREAMING "rpc-same-server-streaming" "RPC_SAME_SERVER_STREAMING" [BREAKING, BREAKING, BREAKING, BREAKING]
        "An rpc's server keeps streaming, or not."
    RPC_SAME_IDEMPOTENCY_LEVEL "rpc-same-idempotency-level" "RPC_SAME_IDEMPOTENCY_LEVEL" [BREAKING, BREAKING, BREAKING, BREAKING]
        "An rpc keeps its idempotency: proxies and clients repeat and cache by it."
    IMPORT_NOT_FOUND "import-not-found" "" [INFO, INFO, INFO, INFO]
        "An import is not in the tree: its types are compared by name alone."
}

/// The options of a file that code is generated by, each with its rule and its value where a file says nothing.
pub(super) static FILE_OPTIONS: [(&str, &RuleInfo, &str); 16] = [
    ("cc_enable_arenas", &FILE_SAME_CC_ENABLE_ARENAS, "true"),
    ("cc_generic_services", &FILE_SAME_CC_GENERIC_SERVICES, "false"),
    ("csharp_namespace", &FILE_SAME_CSHARP_NAMESPACE, ""),
    ("go_package", &FILE_SAME_GO_PACKAGE, ""),
    ("java_generic_services", &FILE_SAME_JAVA_GENERIC_SERVICES, "false"),
    ("java_multiple_files", &FILE_SAME_JAVA_MULTIPLE_FILES, "false"),
    ("java_outer_classname", &FILE_SAME_JAVA_OUTER_CLASSNAME, ""),
    ("java_package", &FILE_SAME_JAVA_PACKAGE, ""),
    ("objc_class_prefix", &FILE_SAME_OBJC_CLASS_PREFIX, ""),
    ("optimize_for", &FILE_SAME_OPTIMIZE_FOR, "SPEED"),
    ("php_class_prefix", &FILE_SAME_PHP_CLASS_PREFIX, ""),
    ("php_metadata_namespace", &FILE_SAME_PHP_METADATA_NAMESPACE, ""),
    ("php_namespace", &FILE_SAME_PHP_NAMESPACE, ""),
    ("py_generic_services", &FILE_SAME_PY_GENERIC_SERVICES, "false"),
    ("ruby_package", &FILE_SAME_RUBY_PACKAGE, ""),
    ("swift_prefix", &FILE_SAME_SWIFT_PREFIX, ""),
];
