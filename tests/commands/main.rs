//! Commands that need no server, run as a team's continuous integration would.

mod calendar;
mod compat_avro;
mod compat_openapi;
mod migration;
mod compat_protobuf;
mod scan;
mod test_import;
mod sbom;
