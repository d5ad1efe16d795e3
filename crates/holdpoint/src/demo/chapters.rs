//! The story, in order. Each chapter says what it expects of Holdpoint, does it, and prints what happened; what does not
//! happen as promised ends the demo.

mod closing;
mod first;
mod second;
mod third;

pub use closing::dossier;
pub use first::first;
pub use second::second;
pub use third::{Defect, third};

use super::scene::Scene;
use super::work::{self, Built, gate, text};
use anyhow::anyhow;
use serde_json::Value;

impl Scene {
    /// "41 tests of unit passed", as the gate of the next stage says it; held to be open.
    fn tests_before(&self, release: &str, environment: &str) -> anyhow::Result<String> {
        let report = self.gates(release, environment)?;
        let tests = gate(&report, "tests");
        if tests["state"] != "open" {
            return Err(anyhow!(
                "expected the tests gate of {environment} to be open, found {}: {}",
                text(tests, "/code"),
                text(tests, "/sentence")
            ));
        }
        Ok(text(tests, "/sentence").to_owned())
    }

    /// Commit and digests of what was built, with the level that its provenance claims.
    fn tell_built(&self, version: &str, built: &Built, release: &str) -> anyhow::Result<()> {
        let report = self.gates(release, "dev")?;
        let provenance = gate(&report, "provenance");
        if provenance["state"] != "open" {
            return Err(anyhow!("expected signed provenance of both components, found: {}", text(provenance, "/sentence")));
        }
        let level = provenance["atoms"][0]["facts"]["slsa_build_level"].as_u64().unwrap_or(0);
        let digests: Vec<String> =
            work::COMPONENTS.iter().filter_map(|name| built.digests.get(*name)).map(|digest| super::tell::short(digest)).collect();
        self.tell.done(
            "built",
            format!(
                "shop/orders {version} and shop/storefront {version}   commit {}   digests {}   SLSA build level {level}",
                super::tell::short(&built.commit),
                digests.join(" ")
            ),
        );
        Ok(())
    }

    /// Begins the builds of a tag, tests and scans it meanwhile as the team's own pipeline does, and waits for both.
    fn build_and_test(&mut self, tag: &str, base: Option<&str>) -> anyhow::Result<(Built, work::Reports)> {
        let runs = self.begin_builds(tag, base)?;
        let reports = self.reports(tag)?;
        Ok((self.builds(tag, &runs)?, reports))
    }

    /// Deploys and holds the run to its promise.
    fn deploy_well(&self, who: &crate::client::Client, release: &str, environment: &str) -> anyhow::Result<Value> {
        let run = self.deploy(who, release, environment)?;
        let view = self.ended(&run, work::RUN_MAX)?;
        self.succeeded(&view)?;
        Ok(view)
    }
}
