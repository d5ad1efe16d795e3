//! What a refusal code means, and the shapes of outputs; both from pages that are in the binary.

use super::Ended;
use crate::out::{BadInput, Code, Out};
use clap::Args;
use serde_json::json;

include!(concat!(env!("OUT_DIR"), "/pages.rs"));

#[derive(Args)]
pub struct Explain {
    /// For example GOV-003; without one, all codes.
    code: Option<String>,
}

#[derive(Args)]
pub struct Schema {
    /// For example gate-report; without one, all names.
    name: Option<String>,
}

impl Explain {
    pub fn run(self, out: &Out) -> Ended {
        let Some(code) = self.code else {
            out.result(&json!({"codes": REFUSALS.iter().map(|(code, _)| code).collect::<Vec<_>>()}), || {
                REFUSALS
                    .iter()
                    .map(|(code, page)| {
                        format!(
                            "{code}  {}",
                            page.lines().next().unwrap_or_default().trim_start_matches('#').trim().trim_start_matches(code).trim()
                        )
                    })
                    .collect::<Vec<_>>()
                    .join("\n")
            });
            return Ok(Code::Done);
        };
        let wanted = code.to_uppercase();
        let page = REFUSALS
            .iter()
            .find(|(code, _)| *code == wanted)
            .ok_or_else(|| BadInput(format!("there is no refusal code {code:?}; `holdpoint explain` lists them")))?
            .1;
        out.result(&json!({"code": wanted, "page": page}), || page.to_owned());
        Ok(Code::Done)
    }
}

impl Schema {
    pub fn run(self, out: &Out) -> Ended {
        let Some(name) = self.name else {
            out.result(&json!({"schemas": SCHEMAS.iter().map(|(name, _)| name).collect::<Vec<_>>()}), || {
                SCHEMAS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join("\n")
            });
            return Ok(Code::Done);
        };
        let schema = SCHEMAS
            .iter()
            .find(|(known, _)| *known == name)
            .ok_or_else(|| BadInput(format!("there is no schema {name:?}; `holdpoint schema` lists them")))?
            .1;
        println!("{}", schema.trim_end());
        Ok(Code::Done)
    }
}
