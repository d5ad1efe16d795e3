//! Commands that need no server, run as a team's continuous integration would.

mod calendar;
mod compat_avro;
mod compat_graphql;
mod compat_json_schema;
mod compat_openapi;
mod compat_protobuf;
mod evidence;
mod migration;
mod sbom;
mod scan;
mod test_import;
