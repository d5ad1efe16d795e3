//! Spellings that protobuf's JSON mapping allows, narrowed to one meaning each.

use serde::{Deserialize, Deserializer, de};

use crate::base64;

/// `bytes`: base64 of either alphabet, with padding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        let text = String::deserialize(deserializer)?;
        base64::decode_either(&text).map(Bytes).map_err(de::Error::custom)
    }
}

/// `int64` that may not be negative: a number, or its decimal digits as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Natural(pub u64);

impl<'de> Deserialize<'de> for Natural {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Natural, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Spelling {
            Number(u64),
            Text(String),
        }
        let odd = || de::Error::custom("expected a number from 0 to 9223372036854775807");
        let number = match Spelling::deserialize(deserializer).map_err(|_| odd())? {
            Spelling::Number(number) => number,
            Spelling::Text(text) => text.parse().ok().filter(|number: &u64| number.to_string() == text).ok_or_else(odd)?,
        };
        if i64::try_from(number).is_err() {
            return Err(odd());
        }
        Ok(Natural(number))
    }
}

/// `{"rawBytes": …}`, as certificates are written.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Raw {
    pub raw_bytes: Bytes,
}

/// `{"certificates": […]}`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Chain {
    pub certificates: Vec<Raw>,
}

/// `{"keyId": …}` of a log.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LogId {
    pub key_id: Bytes,
}
