//! The files that come with the protobuf compiler, by name: a tree may import them without holding them.
//!
//! Only which types they declare, not what those hold: they never change in an incompatible way.

/// (path, messages, enums), names below the package of the path.
type Known = (&'static str, &'static str, &'static [&'static str], &'static [&'static str]);

const GOOGLE: &str = "google.protobuf";

const FILES: [Known; 14] = [
    ("google/protobuf/any.proto", GOOGLE, &["Any"], &[]),
    ("google/protobuf/api.proto", GOOGLE, &["Api", "Method", "Mixin"], &[]),
    ("google/protobuf/duration.proto", GOOGLE, &["Duration"], &[]),
    ("google/protobuf/empty.proto", GOOGLE, &["Empty"], &[]),
    ("google/protobuf/field_mask.proto", GOOGLE, &["FieldMask"], &[]),
    ("google/protobuf/source_context.proto", GOOGLE, &["SourceContext"], &[]),
    ("google/protobuf/struct.proto", GOOGLE, &["Struct", "Value", "ListValue"], &["NullValue"]),
    ("google/protobuf/timestamp.proto", GOOGLE, &["Timestamp"], &[]),
    (
        "google/protobuf/type.proto",
        GOOGLE,
        &["Type", "Field", "Enum", "EnumValue", "Option"],
        &["Field.Kind", "Field.Cardinality", "Syntax"],
    ),
    (
        "google/protobuf/wrappers.proto",
        GOOGLE,
        &["DoubleValue", "FloatValue", "Int64Value", "UInt64Value", "Int32Value", "UInt32Value", "BoolValue", "StringValue", "BytesValue"],
        &[],
    ),
    (
        "google/protobuf/descriptor.proto",
        GOOGLE,
        &[
            "FileDescriptorSet",
            "FileDescriptorProto",
            "DescriptorProto",
            "DescriptorProto.ExtensionRange",
            "DescriptorProto.ReservedRange",
            "ExtensionRangeOptions",
            "ExtensionRangeOptions.Declaration",
            "FieldDescriptorProto",
            "OneofDescriptorProto",
            "EnumDescriptorProto",
            "EnumDescriptorProto.EnumReservedRange",
            "EnumValueDescriptorProto",
            "ServiceDescriptorProto",
            "MethodDescriptorProto",
            "FileOptions",
            "MessageOptions",
            "FieldOptions",
            "FieldOptions.EditionDefault",
            "FieldOptions.FeatureSupport",
            "OneofOptions",
            "EnumOptions",
            "EnumValueOptions",
            "ServiceOptions",
            "MethodOptions",
            "UninterpretedOption",
            "UninterpretedOption.NamePart",
            "FeatureSet",
            "FeatureSet.VisibilityFeature",
            "FeatureSetDefaults",
            "FeatureSetDefaults.FeatureSetEditionDefault",
            "SourceCodeInfo",
            "SourceCodeInfo.Location",
            "GeneratedCodeInfo",
            "GeneratedCodeInfo.Annotation",
        ],
        &[
            "Edition",
            "SymbolVisibility",
            "ExtensionRangeOptions.VerificationState",
            "FieldDescriptorProto.Type",
            "FieldDescriptorProto.Label",
            "FileOptions.OptimizeMode",
            "FieldOptions.CType",
            "FieldOptions.JSType",
            "FieldOptions.OptionRetention",
            "FieldOptions.OptionTargetType",
            "MethodOptions.IdempotencyLevel",
            "FeatureSet.FieldPresence",
            "FeatureSet.EnumType",
            "FeatureSet.RepeatedFieldEncoding",
            "FeatureSet.Utf8Validation",
            "FeatureSet.MessageEncoding",
            "FeatureSet.JsonFormat",
            "FeatureSet.EnforceNamingStyle",
            "GeneratedCodeInfo.Annotation.Semantic",
        ],
    ),
    (
        "google/protobuf/compiler/plugin.proto",
        "google.protobuf.compiler",
        &["Version", "CodeGeneratorRequest", "CodeGeneratorResponse", "CodeGeneratorResponse.File"],
        &["CodeGeneratorResponse.Feature"],
    ),
    ("google/protobuf/cpp_features.proto", "pb", &["CppFeatures"], &["CppFeatures.StringType"]),
    ("google/protobuf/java_features.proto", "pb", &["JavaFeatures"], &["JavaFeatures.Utf8Validation"]),
];

/// Index of a known file.
pub(super) fn file(path: &str) -> Option<usize> {
    FILES.iter().position(|(known, ..)| *known == path)
}

/// Whether a full name is declared in one of these known files, and then whether it is an enum.
pub(super) fn is_enum(name: &str, files: &[usize]) -> Option<bool> {
    files.iter().find_map(|index| {
        let (_, package, messages, enums) = FILES.get(*index)?;
        let below = name.strip_prefix(package)?.strip_prefix('.')?;
        if messages.contains(&below) { Some(false) } else { enums.contains(&below).then_some(true) }
    })
}

/// Whether a name is a package, or a part of one, of these known files.
pub(super) fn is_package(name: &str, files: &[usize]) -> bool {
    files.iter().any(|index| {
        FILES
            .get(*index)
            .and_then(|(_, package, ..)| package.strip_prefix(name))
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}
