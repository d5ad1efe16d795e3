//! Whether one version of a contract may follow another.

pub mod protobuf;
