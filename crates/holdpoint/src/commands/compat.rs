//! Whether a contract may be changed this way: one variant and one file a language of contracts.
//!
//! Reads files; what they mean is judged in `holdpoint_inspect::compat`.

mod against;
mod avro;
mod graphql;
mod json_schema;
mod openapi;
mod protobuf;

use super::Ended;
use crate::out::Out;
use clap::Subcommand;

#[derive(Subcommand)]
pub enum Compat {
    /// compatible, risky or breaking, from two versions of an HTTP API.
    Openapi(openapi::Openapi),
    /// compatible or breaking, by Avro's schema resolution.
    Avro(avro::Avro),
    /// compatible, risky or breaking, from two folders of .proto files.
    Protobuf(protobuf::Protobuf),
    /// compatible, breaking or unknown, from two JSON Schemas.
    JsonSchema(json_schema::JsonSchema),
    /// compatible, risky or breaking, from two GraphQL schemas.
    Graphql(graphql::Graphql),
}

impl Compat {
    pub fn run(self, out: &Out) -> Ended {
        match self {
            Compat::Openapi(args) => args.run(out),
            Compat::Avro(args) => args.run(out),
            Compat::Protobuf(args) => args.run(out),
            Compat::JsonSchema(args) => args.run(out),
            Compat::Graphql(args) => args.run(out),
        }
    }
}
