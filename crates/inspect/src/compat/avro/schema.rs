//! A schema with its names resolved. Types are numbers in one list, so that a record may hold itself.

/// A type's number in its schema.
pub(super) type TypeId = usize;

#[derive(Debug)]
pub struct Schema {
    pub(super) file: String,
    pub(super) types: Vec<Type>,
    pub(super) root: TypeId,
}

#[derive(Debug)]
pub(super) struct Type {
    pub of: Of,
    pub logical: Option<Logical>,
    pub line: u32,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Named {
    /// With its namespace.
    pub full: String,
    /// With their namespaces.
    pub aliases: Vec<String>,
}

impl Named {
    pub fn short(&self) -> &str {
        self.full.rsplit('.').next().unwrap_or(&self.full)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Primitive {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
}

impl Primitive {
    pub const ALL: [Primitive; 8] = [
        Primitive::Null,
        Primitive::Boolean,
        Primitive::Int,
        Primitive::Long,
        Primitive::Float,
        Primitive::Double,
        Primitive::Bytes,
        Primitive::String,
    ];

    pub fn word(self) -> &'static str {
        match self {
            Primitive::Null => "null",
            Primitive::Boolean => "boolean",
            Primitive::Int => "int",
            Primitive::Long => "long",
            Primitive::Float => "float",
            Primitive::Double => "double",
            Primitive::Bytes => "bytes",
            Primitive::String => "string",
        }
    }
    /// Whether a reader of `self` reads what was written as `writer`.
    pub fn reads(self, writer: Primitive) -> bool {
        use Primitive::{Bytes, Double, Float, Int, Long, String};
        self == writer
            || matches!(
                (self, writer),
                (Long, Int) | (Float, Int | Long) | (Double, Int | Long | Float) | (Bytes, String) | (String, Bytes)
            )
    }
}

#[derive(Debug)]
pub(super) enum Of {
    Primitive(Primitive),
    Record { name: Named, fields: Vec<Field> },
    Enum { name: Named, symbols: Vec<String>, default: Option<String> },
    Fixed { name: Named, size: u64 },
    Array(TypeId),
    Map(TypeId),
    Union(Vec<TypeId>),
}

#[derive(Debug)]
pub(super) struct Field {
    pub name: String,
    pub aliases: Vec<String>,
    pub of: TypeId,
    pub has_default: bool,
    pub line: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Logical {
    Decimal {
        precision: u64,
        scale: u64,
    },
    /// Of the specification, by name; unknown ones mean nothing.
    Known(&'static str),
}

impl Logical {
    pub fn shown(&self) -> String {
        match self {
            Logical::Decimal { precision, scale } => format!("decimal({precision}, {scale})"),
            Logical::Known(name) => (*name).to_owned(),
        }
    }
}

impl Type {
    /// How a message names it.
    pub fn shown(&self) -> String {
        match &self.of {
            Of::Primitive(primitive) => primitive.word().to_owned(),
            Of::Record { name, .. } => format!("record {}", name.full),
            Of::Enum { name, .. } => format!("enum {}", name.full),
            Of::Fixed { name, size } => format!("fixed {} of {size} bytes", name.full),
            Of::Array(_) => "array".to_owned(),
            Of::Map(_) => "map".to_owned(),
            Of::Union(branches) => format!("union of {}", branches.len()),
        }
    }
    pub fn name(&self) -> Option<&Named> {
        match &self.of {
            Of::Record { name, .. } | Of::Enum { name, .. } | Of::Fixed { name, .. } => Some(name),
            _ => None,
        }
    }
}
