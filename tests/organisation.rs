//! The organisation folder of a world. A test replaces the parts that it is about.

use std::path::Path;

/// See the module. Everything is YAML text as a user would write it.
#[derive(Debug, Clone)]
pub struct Organisation {
    /// Name of the service; its one component is `app`.
    pub service: String,
    /// Indented by four: what stands below `- environment: test`.
    pub test: String,
    /// Likewise for production.
    pub production: String,
    /// What the component declares besides run and health, one line each, indented by four.
    pub component: String,
    /// How long an instance may take to become healthy.
    pub patience: String,
    /// Names of windows that bind in production.
    pub windows: Vec<String>,
    /// Documents of their own.
    pub more: String,
}

impl Default for Organisation {
    fn default() -> Self {
        Self {
            service: "web".to_owned(),
            test: "    gates: {tests: {suites: [unit], max-age: 7d}, previous: false}\n".to_owned(),
            production: "    gates:\n      tests: {suites: [unit], max-age: 7d}\n      approvals: [{role: release-manager, count: 1}]\n"
                .to_owned(),
            component: String::new(),
            patience: "10s".to_owned(),
            windows: Vec::new(),
            more: String::new(),
        }
    }
}

/// Grace writes none of it; Robot is Ada's.
const PEOPLE: &str = "\
person: root
name: Root
emails: [root@shop.example]
roles: [admin, operator]
---
person: ada
name: Ada
emails: [ada@shop.example]
roles: [developer, release-manager]
---
person: grace
name: Grace
emails: [grace@shop.example]
roles: [release-manager, operator]
---
person: linus
name: Linus
emails: [linus@shop.example]
roles: [developer]
---
person: mary
name: Mary
emails: [mary@shop.example]
roles: [auditor]
---
person: robot
name: Robot
roles: [ci]
service-account: true
owner: ada
";

impl Organisation {
    /// Both environments without any gate but the order of stages: for tests about what happens after the gates.
    pub fn open() -> Self {
        Self {
            test: "    gates: {previous: false}\n".to_owned(),
            production: "    gates: {previous: false}\n".to_owned(),
            ..Self::default()
        }
    }

    /// The route at the proxies.
    pub fn route(&self) -> String {
        format!("{}.app", self.service)
    }

    /// Writes the folder. `proxies`: (environment, admin URL, token file).
    pub(crate) fn write(&self, folder: &Path, proxies: &[(&str, String, String)]) {
        std::fs::create_dir_all(folder).expect("a folder");
        let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).expect("a file of the organisation");
        write("people.yaml", PEOPLE);
        write("service.yaml", &self.service_file());
        write("pipeline.yaml", &self.pipeline_file());
        let places: Vec<String> = proxies
            .iter()
            .enumerate()
            .map(|(order, (name, admin, token))| {
                let production = *name == "production";
                let windows = if production { self.windows.join(", ") } else { String::new() };
                format!(
                    "environment: {name}\nproduction: {production}\nzone: Europe/Berlin\norder: {order}\nwindows: [{windows}]\n\
                     traffic: {{proxy: \"{admin}\", token-file: \"{token}\"}}\n"
                )
            })
            .collect();
        write("environments.yaml", &places.join("---\n"));
        let more = folder.join("more.yaml");
        if self.more.is_empty() {
            _ = std::fs::remove_file(more);
        } else {
            write("more.yaml", &self.more);
        }
    }

    fn service_file(&self) -> String {
        format!(
            "service: {}\nowner: team-web\ntier: 2\npipeline: {}\ncomponents:\n  app:\n    run: [python3, -I, -S, \"${{artifact}}\", \"${{port}}\"]\n    \
             health: {{path: /healthz, version: version, timeout: {}}}\n    drain: 1s\n{}",
            self.service, self.service, self.patience, self.component
        )
    }

    fn pipeline_file(&self) -> String {
        format!("pipeline: {}\nstages:\n  - environment: test\n{}  - environment: production\n{}", self.service, self.test, self.production)
    }
}
