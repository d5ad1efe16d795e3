//! D16 Anything, not only the sample: `holdpoint init` and at most 20 lines of YAML release a service that was not
//! written here - nginx with two packaged configurations - through two environments, with a rollback.

use holdpoint_testkit::{CommandLine, Holdpoint, needs};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

const NGINX: &str = "/usr/sbin/nginx";

/// A configuration as an administrator packages it; the greeting is what differs.
fn configuration(greeting: &str) -> String {
    format!(
        "daemon off;\npid ${{dir}}/nginx.pid;\nerror_log stderr;\nevents {{}}\nhttp {{\n  access_log off;\n  client_body_temp_path ${{dir}}/body;\n  \
         proxy_temp_path ${{dir}}/proxy;\n  fastcgi_temp_path ${{dir}}/fastcgi;\n  uwsgi_temp_path ${{dir}}/uwsgi;\n  scgi_temp_path ${{dir}}/scgi;\n  \
         server {{\n    listen 127.0.0.1:${{port}};\n    location = /healthz {{ return 200 \"ok\"; }}\n    location / {{ return 200 \"{greeting} $uri\"; }}\n  }}\n}}\n"
    )
}

struct Site {
    // Ends with the site.
    _server: Holdpoint,
    cli: CommandLine,
    digests: BTreeMap<&'static str, String>,
}

impl Site {
    /// From nothing: one command, one apply, two uploads.
    fn new(folder: &Path) -> Self {
        assert!(Path::new(NGINX).is_file(), "nginx is missing: `make setup` installs it, HOLDPOINT_SKIP=nginx does without");
        let server = Holdpoint::start();
        let root = server.administrator();
        let token = root.post("/v1/tokens", &json!({"name": "root"})).ok()["token"].as_str().unwrap_or_default().to_owned();
        let cli = server.cli(Some(&token)).folder(folder);
        let run = ["--run", NGINX, "-p", "${dir}", "-e", "stderr", "-c", "${artifact}"];
        cli.run(["init", "site", "--health", "/healthz", "--render"].iter().chain(&run)).code(0);
        let lines = std::fs::read_to_string(folder.join("holdpoint.yaml")).expect("init wrote it").lines().count();
        assert!(lines <= 20, "{lines} lines");
        cli.run(["apply", "-f", "holdpoint.yaml", "--yes"]).code(0);
        let mut site = Self { _server: server, cli, digests: BTreeMap::new() };
        for (version, greeting) in [("1.0", "good morning"), ("2.0", "good evening")] {
            let file = format!("site-{version}.conf");
            std::fs::write(folder.join(&file), configuration(greeting)).expect("a configuration");
            let put = site.cli.run(["--json", "artifact", "put", &file]).code(0).json();
            site.digests.insert(version, put["digest"].as_str().unwrap_or_default().to_owned());
        }
        site
    }

    fn release(&self, version: &str) -> String {
        let component = format!("site={}", self.digests[version]);
        let made = self.cli.run(["--json", "release", "create", "site", version, "--component", &component]).code(0).json();
        made["release"].as_str().unwrap_or_default().to_owned()
    }

    /// Deploys and says where it answers.
    fn deploy(&self, release: &str, environment: &str) -> String {
        address(&self.cli.run(["--json", "release", "deploy", release, "--to", environment, "--wait"]).code(0).json())
    }
}

fn address(run: &Value) -> String {
    format!("http://{}", run["instances"][0]["address"].as_str().unwrap_or_else(|| panic!("no instance: {run:#}")))
}

/// What a visitor of this address reads.
fn reads(url: &str) -> Result<String, String> {
    holdpoint_testkit::Client::new(url).try_send("GET", "/door", &[], None).map(|answer| answer.text())
}

#[test]
fn a_service_not_written_here_goes_out_and_comes_back() {
    needs!("nginx");
    let folder = tempfile::tempdir().expect("a folder");
    let site = Site::new(folder.path());
    let first = site.release("1.0");
    assert_eq!(reads(&site.deploy(&first, "test")).as_deref(), Ok("good morning /door"));
    let morning = site.deploy(&first, "production");
    assert_eq!(reads(&morning).as_deref(), Ok("good morning /door"));
    let second = site.release("2.0");
    site.deploy(&second, "test");
    let evening = site.deploy(&second, "production");
    assert_eq!(reads(&evening).as_deref(), Ok("good evening /door"));
    assert!(reads(&morning).is_err(), "the old one was stopped");
    // And back.
    let args = ["--json", "release", "rollback", &second, "--environment", "production", "--reason", "it is morning again", "--wait"];
    let back = address(&site.cli.run(args).code(0).json());
    assert_eq!(reads(&back).as_deref(), Ok("good morning /door"));
    assert!(reads(&evening).is_err(), "the newer one was stopped");
}

/// A configuration that nginx itself refuses never replaces the one that serves.
#[test]
fn a_broken_configuration_changes_nothing() {
    needs!("nginx");
    let folder = tempfile::tempdir().expect("a folder");
    let mut site = Site::new(folder.path());
    let first = site.release("1.0");
    let serving = site.deploy(&first, "test");
    std::fs::write(folder.path().join("broken.conf"), configuration("x").replace("listen", "lisen")).expect("a configuration");
    let put = site.cli.run(["--json", "artifact", "put", "broken.conf"]).code(0).json();
    site.digests.insert("3.0", put["digest"].as_str().unwrap_or_default().to_owned());
    let broken = site.release("3.0");
    let run = site.cli.run(["--json", "release", "deploy", &broken, "--to", "test", "--wait"]).code(1).json();
    assert_eq!(run["result"], "rolled-back", "{run:#}");
    // Why is told where people look first: the program's own words.
    assert!(run["cause"]["sentence"].as_str().unwrap_or_default().contains("start site"), "{}", run["cause"]);
    assert_eq!(reads(&serving).as_deref(), Ok("good morning /door"));
}
