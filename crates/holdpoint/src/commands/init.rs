//! `holdpoint init`: the one file that releases a service of yours.

use super::Ended;
use crate::out::{BadInput, Code, Out};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;

#[derive(Args)]
pub struct Init {
    /// Name of the service.
    service: String,
    /// The program and its arguments; `${artifact}` is the released file, `${port}` the port to listen on.
    #[arg(long = "run", num_args = 1.., allow_hyphen_values = true, value_terminator = ";")]
    run: Vec<String>,
    /// Path that answers 200 when an instance is well.
    #[arg(long, default_value = "/")]
    health: String,
    /// The released file is a text with placeholders (a configuration).
    #[arg(long)]
    render: bool,
    #[arg(long = "environment", default_values = ["test", "production"])]
    environments: Vec<String>,
    /// File to write.
    #[arg(short, long, default_value = "holdpoint.yaml")]
    output: PathBuf,
}

impl Init {
    pub fn run(self, out: &Out) -> Ended {
        if self.output.exists() {
            return Err(BadInput(format!("{} is there already; it is not overwritten", self.output.display())).into());
        }
        let run = if self.run.is_empty() { vec!["${artifact}".to_owned()] } else { self.run.clone() };
        let quoted = |text: &String| serde_json::to_string(text).unwrap_or_default();
        let mut text = format!(
            "service: {}\nenvironments: [{}]\ncomponents:\n  {}:\n    run: [{}]\n",
            self.service,
            self.environments.join(", "),
            self.service,
            run.iter().map(quoted).collect::<Vec<_>>().join(", ")
        );
        text.push_str(&format!("    health: {{path: {}}}\n", quoted(&self.health)));
        if self.render {
            text.push_str("    render: true\n");
        }
        let files = [(self.output.display().to_string(), text.clone())];
        if let Err(errors) = holdpoint_api::organisation::parse(&files) {
            return Err(BadInput(errors.iter().map(|error| error.to_string()).collect::<Vec<_>>().join("\n")).into());
        }
        std::fs::write(&self.output, &text)?;
        out.result(&json!({"file": self.output, "lines": text.lines().count()}), || {
            format!(
                "{text}\nwrote {}. Next:\n  holdpoint apply -f {} --yes\n  holdpoint artifact put FILE\n  holdpoint release create {} 1.0.0 --component {}=sha256:…\n  holdpoint release deploy rel_{}-1.0.0 --to {} --wait",
                self.output.display(), self.output.display(), self.service, self.service, self.service, self.environments.first().map(String::as_str).unwrap_or("test")
            )
        });
        Ok(Code::Done)
    }
}
