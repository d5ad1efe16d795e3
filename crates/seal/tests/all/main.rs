//! Tests through the public interface: dossiers and exports byte by byte, parsers under noise, properties.

mod dossier;
mod export;
mod fixture;
mod noise;
mod proofs;
mod properties;
