//! One binary for all tests that use the crate from outside.

mod canary;
mod daylight;
mod rfc5545;
mod rules;
mod simulation;
mod windows;
mod worlds;
