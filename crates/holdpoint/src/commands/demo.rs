//! `holdpoint demo`.

use super::Ended;
use crate::demo::{self, Defect};
use crate::out::Out;
use clap::Args;

#[derive(Args)]
pub struct Demo {
    /// What is wrong with version 1.2 of the shop.
    #[arg(long, value_enum, default_value_t = Defect::Errors30)]
    defect: Defect,
    /// End once the story has been told: 0 when everything happened as promised, 1 otherwise.
    #[arg(long, env = "DEMO_EXIT", value_parser = clap::builder::FalseyValueParser::new())]
    exit: bool,
}

impl Demo {
    pub fn run(self, out: &Out) -> Ended {
        demo::run(out, std::path::Path::new(".demo"), self.defect, self.exit)
    }
}
