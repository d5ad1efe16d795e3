//! What a .proto file says, before any name in it is resolved.
//!
//! Language: the protobuf specifications of proto2, proto3, edition 2023 and edition 2024.

/// Which rules of presence, closedness and encoding a file starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Edition {
    Proto2,
    Proto3,
    Edition2023,
    Edition2024,
}

impl Edition {
    pub fn word(self) -> &'static str {
        match self {
            Edition::Proto2 => "proto2",
            Edition::Proto3 => "proto3",
            Edition::Edition2023 => "edition 2023",
            Edition::Edition2024 => "edition 2024",
        }
    }
    /// Whether features, not syntax, say how things behave.
    pub fn has_features(self) -> bool {
        self >= Edition::Edition2023
    }
}

#[derive(Debug, Default)]
pub(super) struct FileSyntax {
    pub edition: Option<Edition>,
    pub edition_line: u32,
    pub package: String,
    pub package_line: u32,
    pub imports: Vec<ImportSyntax>,
    pub options: Vec<OptionSyntax>,
    /// The file itself as a container: messages, enums and extensions at the top.
    pub top: Body,
    pub services: Vec<ServiceSyntax>,
}

#[derive(Debug)]
pub(super) struct ImportSyntax {
    pub path: String,
    /// What imports this file sees that one, too.
    pub public: bool,
    /// `import option`: for options alone, its types are not usable.
    pub option: bool,
    pub line: u32,
}

/// What both a file and a message may contain.
#[derive(Debug, Default)]
pub(super) struct Body {
    pub messages: Vec<MessageSyntax>,
    pub enums: Vec<EnumSyntax>,
    pub extends: Vec<ExtendSyntax>,
}

/// A value on the right of an option, or inside its text format.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Word(String),
    Integer(i128),
    Float(f64),
    Text(Vec<u8>),
    Message(Vec<(String, Value)>),
    List(Vec<Value>),
}

#[derive(Debug)]
pub(super) struct OptionSyntax {
    /// `features.(pb.cpp).string_type` is `features`, `[pb.cpp]`, `string_type`.
    pub name: Vec<String>,
    pub value: Value,
    pub line: u32,
}

#[derive(Debug, Default)]
pub(super) struct MessageSyntax {
    pub name: String,
    pub line: u32,
    pub fields: Vec<FieldSyntax>,
    pub oneofs: Vec<OneofSyntax>,
    pub body: Body,
    pub reserved: Reserved,
    pub extension_ranges: Vec<Range>,
    pub options: Vec<OptionSyntax>,
}

#[derive(Debug, Default)]
pub(super) struct Reserved {
    pub ranges: Vec<Range>,
    pub names: Vec<String>,
}

/// Numbers, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    pub start: i64,
    pub end: i64,
}

impl Range {
    pub fn contains(&self, number: i64) -> bool {
        (self.start..=self.end).contains(&number)
    }
}

#[derive(Debug)]
pub(super) struct OneofSyntax {
    pub name: String,
    pub line: u32,
    pub options: Vec<OptionSyntax>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Label {
    None,
    Optional,
    Required,
    Repeated,
}

#[derive(Debug)]
pub(super) enum TypeSyntax {
    Named(String),
    Map { key: String, value: String },
    Group(String),
}

#[derive(Debug)]
pub(super) struct FieldSyntax {
    pub label: Label,
    pub of: TypeSyntax,
    pub name: String,
    pub number: i64,
    pub options: Vec<OptionSyntax>,
    pub oneof: Option<usize>,
    pub line: u32,
}

#[derive(Debug)]
pub(super) struct ExtendSyntax {
    pub extendee: String,
    pub fields: Vec<FieldSyntax>,
    pub line: u32,
}

#[derive(Debug, Default)]
pub(super) struct EnumSyntax {
    pub name: String,
    pub line: u32,
    pub values: Vec<ValueSyntax>,
    pub reserved: Reserved,
    pub options: Vec<OptionSyntax>,
}

#[derive(Debug)]
pub(super) struct ValueSyntax {
    pub name: String,
    pub number: i64,
    pub line: u32,
}

#[derive(Debug)]
pub(super) struct ServiceSyntax {
    pub name: String,
    pub line: u32,
    pub methods: Vec<MethodSyntax>,
}

#[derive(Debug)]
pub(super) struct MethodSyntax {
    pub name: String,
    pub input: String,
    pub client_streaming: bool,
    pub output: String,
    pub server_streaming: bool,
    pub options: Vec<OptionSyntax>,
    pub line: u32,
}
