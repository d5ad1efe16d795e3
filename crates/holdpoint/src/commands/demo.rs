//! `holdpoint demo`.

use super::Ended;
use crate::out::Out;
use clap::Args;

#[derive(Args)]
pub struct Demo {}

impl Demo {
    pub fn run(self, _out: &Out) -> Ended {
        anyhow::bail!("being built")
    }
}
