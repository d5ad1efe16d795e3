//! Features: how the elements of a file behave, from its edition downwards.
//!
//! Source: the protobuf documentation, "Feature Settings for Editions"; proto2 and proto3 are fixed sets of features.

use super::syntax::{Edition, OptionSyntax, Value};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    Explicit,
    Implicit,
    Required,
}

/// How C++ holds strings; `Piece` is the old option ctype = STRING_PIECE, which never did anything else than STRING.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CppString {
    String,
    Piece,
    Cord,
    View,
}

impl CppString {
    pub fn word(self) -> &'static str {
        match self {
            CppString::String => "STRING",
            CppString::Piece => "STRING_PIECE",
            CppString::Cord => "CORD",
            CppString::View => "VIEW",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Features {
    pub presence: Presence,
    pub closed_enums: bool,
    pub verify_utf8: bool,
    /// Messages are written between a start and an end tag, as groups are.
    pub delimited: bool,
    /// JSON is promised to work, not only tried.
    pub json: bool,
    pub cpp_string: CppString,
    pub java_verify_utf8: bool,
}

impl Features {
    pub fn of(edition: Edition) -> Self {
        Self {
            presence: if edition == Edition::Proto3 { Presence::Implicit } else { Presence::Explicit },
            closed_enums: edition == Edition::Proto2,
            verify_utf8: edition != Edition::Proto2,
            delimited: false,
            json: edition != Edition::Proto2,
            cpp_string: if edition == Edition::Edition2024 { CppString::View } else { CppString::String },
            java_verify_utf8: false,
        }
    }

    /// With what an element says about itself.
    pub(super) fn refined(mut self, options: &[OptionSyntax]) -> Self {
        for option in options {
            if let Some((first, path)) = option.name.split_first()
                && first == "features"
            {
                self.set(&path.iter().map(String::as_str).collect::<Vec<_>>(), &option.value);
            }
        }
        self
    }

    fn set(&mut self, path: &[&str], value: &Value) {
        if let Value::Message(members) = value {
            // Deeper than two names is no feature: this bounds the recursion, too.
            if path.len() < 2 {
                for (name, member) in members {
                    let mut deeper = path.to_vec();
                    deeper.push(name);
                    self.set(&deeper, member);
                }
            }
            return;
        }
        let Value::Word(word) = value else { return };
        match (path, word.as_str()) {
            (["field_presence"], "EXPLICIT") => self.presence = Presence::Explicit,
            (["field_presence"], "IMPLICIT") => self.presence = Presence::Implicit,
            (["field_presence"], "LEGACY_REQUIRED") => self.presence = Presence::Required,
            (["enum_type"], _) => self.closed_enums = word == "CLOSED",
            (["utf8_validation"], _) => self.verify_utf8 = word == "VERIFY",
            (["message_encoding"], _) => self.delimited = word == "DELIMITED",
            (["json_format"], _) => self.json = word == "ALLOW",
            (["[pb.cpp]", "string_type"], "CORD") => self.cpp_string = CppString::Cord,
            (["[pb.cpp]", "string_type"], "VIEW") => self.cpp_string = CppString::View,
            (["[pb.cpp]", "string_type"], "STRING") => self.cpp_string = CppString::String,
            (["[pb.java]", "utf8_validation"], _) => self.java_verify_utf8 = word == "VERIFY",
            _ => {}
        }
    }
}
