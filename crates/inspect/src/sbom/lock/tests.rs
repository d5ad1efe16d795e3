//! Each reader over a small file as its tool writes it, and over what it must refuse.

use super::*;
use crate::sbom::component::Scope;

fn inventory(path: &str, bytes: &[u8]) -> Inventory {
    read(path, bytes).unwrap_or_else(|| panic!("{path} has no format")).unwrap_or_else(|why| panic!("{path}: {why}"))
}

/// `reference scope hashes > dependencies`, sorted.
fn told(inventory: &Inventory) -> Vec<String> {
    let short = |reference: &str| reference.trim_start_matches("pkg:").split('?').next().unwrap_or_default().to_owned();
    let mut lines: Vec<String> = inventory
        .components
        .iter()
        .map(|component| {
            let scope = if component.scope == Scope::Required { String::new() } else { format!(" {}", component.scope.word()) };
            let hashes = if component.hashes.is_empty() { String::new() } else { format!(" #{}", component.hashes.len()) };
            let mut needs: Vec<String> = component.dependencies.iter().map(|one| short(one)).collect();
            needs.sort();
            let needs = if needs.is_empty() { String::new() } else { format!(" > {}", needs.join(" ")) };
            format!("{}{scope}{hashes}{needs}", short(&component.reference))
        })
        .collect();
    lines.sort();
    lines
}

fn direct(inventory: &Inventory) -> Vec<&str> {
    let mut all: Vec<&str> = inventory.direct.iter().map(String::as_str).collect();
    all.sort_unstable();
    all
}

#[test]
fn cargo() {
    let read = inventory("a/Cargo.lock", include_bytes!("fixtures/cargo.lock"));
    let lines = told(&read);
    assert_eq!(lines.len(), 10, "{lines:#?}");
    assert!(lines.contains(&"cargo/quote@1.0.47 #1 > cargo/proc-macro2@1.0.107".to_owned()), "{lines:#?}");
    assert!(lines.contains(&"own:demo-shop@0.1.0 > cargo/fastrand@2.5.0 cargo/itoa@1.0.19 cargo/serde@1.0.229".to_owned()), "{lines:#?}");
    assert_eq!(direct(&read), ["own:demo-shop@0.1.0"]);
    assert_eq!(read.components.iter().find(|one| one.name == "itoa").and_then(|one| one.line), Some(21));
    let old = r#"
[[package]]
name = "a"
version = "1.0.0"
source = "git+https://example.org/a.git#0123"
dependencies = ["b 0.1.0 (registry+https://github.com/rust-lang/crates.io-index)"]
[[package]]
name = "b"
version = "0.1.0"
source = "registry+https://github.com/rust-lang/crates.io-index"
[metadata]
"checksum b 0.1.0 (registry+https://github.com/rust-lang/crates.io-index)" = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
"#;
    let read = inventory("Cargo.lock", old.as_bytes());
    assert_eq!(told(&read), ["cargo/a@1.0.0 > cargo/b@0.1.0", "cargo/b@0.1.0 #1"]);
    assert!(read.components[0].reference.contains("vcs_url=git%2Bhttps:"), "{}", read.components[0].reference);
}

const NODE: [&str; 10] = [
    "npm/ansi-styles@4.3.0 #1 > npm/color-convert@2.0.1",
    "npm/chalk@4.1.2 #1 > npm/ansi-styles@4.3.0 npm/supports-color@7.2.0",
    "npm/color-convert@2.0.1 #1 > npm/color-name@1.1.4",
    "npm/color-name@1.1.4 #1",
    "npm/debug@4.3.4 #1 > npm/ms@2.1.2",
    "npm/fsevents@2.3.3 optional #1",
    "npm/has-flag@4.0.0 #1",
    "npm/ms@2.1.2 #1",
    "npm/semver@7.5.4 excluded #1 > npm/lru-cache@6.0.0",
    "npm/supports-color@7.2.0 #1 > npm/has-flag@4.0.0",
];

/// Four tools over one package.json find the same.
#[test]
fn node_tools_agree() {
    for (path, bytes) in [
        ("package-lock.json", include_bytes!("fixtures/npm-v2.json").as_slice()),
        ("npm-shrinkwrap.json", include_bytes!("fixtures/npm-v3.json").as_slice()),
        ("pnpm-lock.yaml", include_bytes!("fixtures/pnpm-9.yaml").as_slice()),
        ("b/pnpm-lock.yaml", include_bytes!("fixtures/pnpm-6.yaml").as_slice()),
    ] {
        let read = inventory(path, bytes);
        let lines = told(&read);
        for line in NODE {
            assert!(lines.contains(&line.to_owned()), "{path} lacks {line}: {lines:#?}");
        }
        assert_eq!(
            direct(&read),
            ["pkg:npm/chalk@4.1.2", "pkg:npm/debug@4.3.4", "pkg:npm/fsevents@2.3.3", "pkg:npm/semver@7.5.4"],
            "{path}"
        );
    }
    for (path, bytes) in
        [("yarn.lock", include_bytes!("fixtures/yarn-1.lock").as_slice()), ("yarn.lock", include_bytes!("fixtures/yarn-4.lock").as_slice())]
    {
        let lines = told(&inventory(path, bytes)).join("\n").replace(" #1", "");
        for line in NODE {
            // Neither scope nor, in version 4, the archive's hash is in a yarn.lock.
            let line = line.replace(" #1", "").replace(" optional", "").replace(" excluded", "");
            let package = line.split(" > ").next().unwrap_or_default().to_owned();
            assert!(lines.contains(if line.contains("fsevents") { &package } else { &line }), "{path} lacks {line}:\n{lines}");
        }
    }
}

#[test]
fn npm_of_workspaces_and_aliases() {
    let lock = r#"{"lockfileVersion": 3, "packages": {
        "": {"name": "root", "version": "1.0.0", "workspaces": ["packages/*"], "dependencies": {"old": "npm:lodash@4.0.0"}},
        "node_modules/a": {"resolved": "packages/a", "link": true},
        "packages/a": {"version": "0.1.0", "dependencies": {"lodash": "^4"}, "devDependencies": {"d": "1"}},
        "node_modules/old": {"name": "lodash", "version": "4.0.0", "license": "MIT/X11"},
        "node_modules/lodash": {"version": "4.17.21", "licenses": [{"type": "MIT"}], "license": {"type": "MIT"}},
        "packages/a/node_modules/lodash": {"version": "4.17.20", "dev": true},
        "node_modules/d": {"version": "1.0.0", "dev": true, "devDependencies": {"lodash": "1"}, "dependencies": {"lodash": "4"}}
    }}"#;
    let read = inventory("package-lock.json", lock.as_bytes());
    assert_eq!(
        told(&read),
        [
            "npm/d@1.0.0 excluded > npm/lodash@4.17.21",
            "npm/lodash@4.0.0",
            "npm/lodash@4.17.20 excluded",
            "npm/lodash@4.17.21",
            "own:a@0.1.0 > npm/d@1.0.0 npm/lodash@4.17.20",
        ]
        .map(|line| line.replace("own:a", "own:packages/a"))
    );
    assert_eq!(direct(&read), ["pkg:npm/lodash@4.0.0"]);
}

#[test]
fn python() {
    let expected = ["pypi/markdown-it-py@4.3.0 #2 > pypi/mdurl@0.1.2", "pypi/mdurl@0.1.2 #2", "pypi/pygments@2.21.0 #2"];
    let uv = inventory("uv.lock", include_bytes!("fixtures/uv.lock"));
    let lines = told(&uv);
    for line in expected {
        assert!(lines.iter().any(|own| own.starts_with(line.split('@').next().unwrap_or_default())), "uv lacks {line}: {lines:#?}");
    }
    assert!(lines.iter().any(|line| line.starts_with("pypi/iniconfig@") && line.contains("excluded")), "{lines:#?}");
    assert!(lines.iter().any(|line| line.starts_with("own:demo-shop@1.0.0 > pypi/click@8.1.7 pypi/rich@13.9.4")), "{lines:#?}");

    let flat = inventory("requirements.txt", include_bytes!("fixtures/requirements.txt"));
    let lines = told(&flat);
    assert!(lines.contains(&"pypi/rich@13.9.4 #2".to_owned()) && lines.len() == 4, "{lines:#?}");
    assert!(flat.unresolved.is_empty());

    let pipfile = inventory("Pipfile.lock", include_bytes!("fixtures/pipfile.json"));
    let lines = told(&pipfile);
    assert!(lines.contains(&"pypi/rich@13.9.4 #2".to_owned()), "{lines:#?}");
    assert!(lines.iter().any(|line| line.starts_with("pypi/iniconfig@") && line.contains(" excluded")), "{lines:#?}");
}

#[test]
fn requirements_that_fix_nothing_are_said() {
    let text =
        "flask>=2 # web\nDjango[argon2] == 4.2.1 ; python_version > '3'\n-r more.txt\nx @ https://example.org/x.whl\nz==1.*\n--no-index\n";
    let read = inventory("requirements/base.txt", text.as_bytes());
    let names: Vec<&str> = read.unresolved.iter().map(|one| one.what.as_str()).collect();
    assert_eq!(names, ["flask>=2", "-r more.txt", "x @ https://example.org/x.whl", "z==1.*"]);
    assert_eq!(told(&read), ["pypi/django@4.2.1", "pypi/flask", "pypi/x", "pypi/z"]);
    assert_eq!(read.unresolved[1].line, Some(3));
}

#[test]
fn poetry() {
    let text = r#"
[[package]]
name = "rich"
version = "13.9.4"
optional = false
groups = ["main"]
files = [{file = "rich.whl", hash = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}]
[package.dependencies]
Markdown_It_Py = ">=2.2.0"
pygments = {version = ">=2.13", optional = true}
[[package]]
name = "markdown-it-py"
version = "3.0.0"
optional = true
groups = ["main", "dev"]
files = []
[[package]]
name = "iniconfig"
version = "2.0.0"
optional = false
groups = ["dev"]
[metadata]
lock-version = "2.1"
"#;
    assert_eq!(
        told(&inventory("poetry.lock", text.as_bytes())),
        ["pypi/iniconfig@2.0.0 excluded", "pypi/markdown-it-py@3.0.0 optional", "pypi/rich@13.9.4 #1 > pypi/markdown-it-py@3.0.0"]
    );
}

#[test]
fn go_modules() {
    let text = "module example.org/shop // own\n\ngo 1.21\n\nrequire (\n\tgithub.com/BurntSushi/toml v1.3.2\n\tgolang.org/x/sys v0.15.0 // indirect\n)\nrequire example.org/old v1.0.0\nrequire example.org/gone v1.0.0\nreplace example.org/old => example.org/new v1.1.0\nreplace example.org/gone => ../gone\nexclude golang.org/x/sys v0.1.0\n";
    let read = inventory("go.mod", text.as_bytes());
    assert_eq!(
        told(&read),
        ["golang/example.org/new@v1.1.0", "golang/github.com/BurntSushi/toml@v1.3.2", "golang/golang.org/x/sys@v0.15.0"]
    );
    assert_eq!(direct(&read), ["pkg:golang/example.org/new@v1.1.0", "pkg:golang/github.com/BurntSushi/toml@v1.3.2"]);
    assert_eq!(read.unresolved.len(), 1);
    let sums = "golang.org/x/sys v0.15.0 h1:AAAA=\ngolang.org/x/sys v0.15.0/go.mod h1:AAAA=\ngolang.org/x/sys v0.1.0/go.mod h1:AAAA=\n";
    assert_eq!(told(&inventory("go.sum", sums.as_bytes())), ["golang/golang.org/x/sys@v0.15.0"]);
}

#[test]
fn java() {
    let pom = r#"<?xml version="1.0"?><project xmlns="http://maven.apache.org/POM/4.0.0">
  <parent><groupId>org.example</groupId><artifactId>above</artifactId><version>7</version></parent>
  <artifactId>shop</artifactId>
  <properties><slf4j.version>2.0.9</slf4j.version><loop>${loop}</loop></properties>
  <dependencyManagement><dependencies>
    <dependency><groupId>junit</groupId><artifactId>junit</artifactId><version>4.13.2</version><scope>test</scope></dependency>
  </dependencies></dependencyManagement>
  <dependencies>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-api</artifactId><version>${slf4j.version}</version></dependency>
    <dependency><groupId>junit</groupId><artifactId>junit</artifactId></dependency>
    <dependency><groupId>${project.groupId}</groupId><artifactId>core</artifactId><version>${project.version}</version><type>pom</type></dependency>
    <dependency><groupId>g</groupId><artifactId>above</artifactId></dependency>
    <dependency><groupId>g</groupId><artifactId>looped</artifactId><version>${loop}</version></dependency>
    <dependency><groupId>g</groupId><artifactId>range</artifactId><version>[1,2)</version></dependency>
  </dependencies>
</project>"#;
    let read = inventory("pom.xml", pom.as_bytes());
    assert_eq!(
        told(&read),
        [
            "maven/g/above",
            "maven/g/looped",
            "maven/g/range",
            "maven/junit/junit@4.13.2 excluded",
            "maven/org.example/core@7",
            "maven/org.slf4j/slf4j-api@2.0.9"
        ]
    );
    let why: Vec<(&str, Option<u32>)> = read.unresolved.iter().map(|one| (one.what.as_str(), one.line)).collect();
    assert_eq!(why, [("g:above", Some(12)), ("g:looped", Some(13)), ("g:range", Some(14))]);
    let gradle = "# comment\ncom.google.guava:guava:31.1-jre=compileClasspath,runtimeClasspath\norg.junit:junit:5=testRuntimeClasspath\nempty=annotationProcessor\n";
    assert_eq!(
        told(&inventory("gradle.lockfile", gradle.as_bytes())),
        ["maven/com.google.guava/guava@31.1-jre", "maven/org.junit/junit@5 excluded"]
    );
}

#[test]
fn php_ruby_and_net() {
    let composer = r#"{"packages": [
        {"name": "monolog/monolog", "version": "3.5.0", "license": ["MIT"], "require": {"php": ">=8.1", "psr/log": "^2.0 || ^3.0"},
         "dist": {"shasum": ""}},
        {"name": "psr/log", "version": "3.0.0", "license": ["MIT", "Apache-2.0"], "dist": {"shasum": "da39a3ee5e6b4b0d3255bfef95601890afd80709"}}],
        "packages-dev": [{"name": "phpunit/phpunit", "version": "10.0.0"}]}"#;
    let read = inventory("composer.lock", composer.as_bytes());
    assert_eq!(
        told(&read),
        [
            "composer/monolog/monolog@3.5.0 > composer/psr/log@3.0.0",
            "composer/phpunit/phpunit@10.0.0 excluded",
            "composer/psr/log@3.0.0 #1"
        ]
    );
    assert_eq!(read.components[1].licences, [super::super::component::Licence::Expression("MIT OR Apache-2.0".to_owned())]);

    let gems = "GEM\n  remote: https://rubygems.org/\n  specs:\n    nokogiri (1.15.4-x86_64-linux)\n      racc (~> 1.4)\n    racc (1.7.1)\n\nPATH\n  remote: .\n  specs:\n    shop (0.1.0)\n      nokogiri\n\nPLATFORMS\n  x86_64-linux\n\nDEPENDENCIES\n  shop!\n\nCHECKSUMS\n  racc (1.7.1) sha256=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n\nBUNDLED WITH\n   2.5.0\n";
    let read = inventory("Gemfile.lock", gems.as_bytes());
    assert_eq!(told(&read), ["gem/nokogiri@1.15.4 > gem/racc@1.7.1", "gem/racc@1.7.1 #1", "own:shop@0.1.0 > gem/nokogiri@1.15.4"]);
    assert_eq!(direct(&read), ["own:shop@0.1.0"]);

    let nuget = r#"{"version": 1, "dependencies": {"net8.0": {
        "Newtonsoft.Json": {"type": "Direct", "requested": "[13.0.1, )", "resolved": "13.0.1", "contentHash": "x"},
        "Serilog.Sinks": {"type": "Transitive", "resolved": "5.0.0", "dependencies": {"newtonsoft.json": "13.0.1"}},
        "shop.core": {"type": "Project", "dependencies": {"Serilog.Sinks": "[5.0.0, )"}}}}}"#;
    let read = inventory("packages.lock.json", nuget.as_bytes());
    assert_eq!(
        told(&read),
        [
            "nuget/Newtonsoft.Json@13.0.1",
            "nuget/Serilog.Sinks@5.0.0 > nuget/Newtonsoft.Json@13.0.1",
            "own:shop.core > nuget/Serilog.Sinks@5.0.0"
        ]
    );
}

#[test]
fn distributions() {
    let dpkg = "Package: libssl3\nStatus: install ok installed\nSource: openssl (3.0.11-1)\nVersion: 3.0.11-1+b1\nArchitecture: amd64\nDepends: libc6 (>= 2.34)\nDescription: x\n more: text\n .\n\nPackage: libc6\nStatus: install ok installed\nVersion: 2.36-9\nArchitecture: amd64\nProvides: libc6-alias (= 2)\n\nPackage: gone\nStatus: deinstall ok config-files\nVersion: 1\n\nPackage: app\nVersion: 1\nPre-Depends: nothing | libc6-alias, libssl3:any\n";
    let read = inventory("var/lib/dpkg/status", dpkg.as_bytes());
    assert_eq!(
        told(&read),
        [
            "deb/debian/app@1 > deb/debian/libc6@2.36-9 deb/debian/libssl3@3.0.11-1%2Bb1",
            "deb/debian/libc6@2.36-9",
            "deb/debian/libssl3@3.0.11-1%2Bb1 > deb/debian/libc6@2.36-9"
        ]
    );
    assert_eq!(read.components[0].source, Some(("openssl".to_owned(), "3.0.11-1".to_owned())));
    assert_eq!(read.components[0].reference, "pkg:deb/debian/libssl3@3.0.11-1%2Bb1?arch=amd64&upstream=openssl%403.0.11-1");

    let apk = "C:Q1abc=\nP:musl\nV:1.2.4-r2\nA:x86_64\nL:MIT\no:musl\np:so:libc.musl-x86_64.so.1=1\nF:lib\nR:ld-musl\na:0:0:755\n\nP:busybox\nV:1.36.1-r15\nA:x86_64\nL:GPL-2.0-only\no:busybox-src\nD:so:libc.musl-x86_64.so.1 !other\n";
    let read = inventory("lib/apk/db/installed", apk.as_bytes());
    assert_eq!(told(&read), ["apk/alpine/busybox@1.36.1-r15 > apk/alpine/musl@1.2.4-r2", "apk/alpine/musl@1.2.4-r2"]);
    assert_eq!(read.components[1].source.as_ref().map(|(name, _)| name.as_str()), Some("busybox-src"));
}

#[test]
fn refusals_say_where() {
    for (path, text, why) in [
        ("Cargo.lock", "[[package]]\nname = 1\n", "line 2"),
        ("Cargo.lock", "[[package]]\nname = \"a\"\nversion = \"1\"\ndependencies = [\"b\"]\n", "which is not locked"),
        ("package-lock.json", "{\"lockfileVersion\": 1, \"dependencies\": {}}", "lockfile-version 3"),
        ("package-lock.json", "{\n[", "line 2"),
        ("pnpm-lock.yaml", "lockfileVersion: '4'\n", "none of 5 to 9"),
        ("yarn.lock", "a@1:\n  version \"1\"\n   b\n", "line 3"),
        ("yarn.lock", "a@1:\n  resolved \"x\"\n", "has no version"),
        ("go.sum", "a b\n", "line 1"),
        ("go.mod", "require a\n", "line 1"),
        ("pom.xml", "<!DOCTYPE x [<!ENTITY a \"b\">]><project/>", "document type"),
        ("pom.xml", "<project>\n<a>", "line 2"),
        ("gradle.lockfile", "a:b=c\n", "line 1"),
        ("Gemfile.lock", "<html>", "no Gemfile.lock"),
        ("status", "Version: 1\n", "without Package"),
        ("installed", "x\n", "line 1"),
        ("requirements.txt", "==1\n", "line 1"),
    ] {
        let refused = read(path, text.as_bytes()).expect("a format").expect_err(path);
        assert!(refused.to_string().contains(why), "{path}: {refused}");
    }
    assert!(read("README.md", b"").is_none());
}

/// Nothing but errors comes of damaged files.
#[test]
fn damaged_files_do_not_panic() {
    let whole: [(&str, &[u8]); 8] = [
        ("Cargo.lock", include_bytes!("fixtures/cargo.lock")),
        ("package-lock.json", include_bytes!("fixtures/npm-v3.json")),
        ("pnpm-lock.yaml", include_bytes!("fixtures/pnpm-9.yaml")),
        ("yarn.lock", include_bytes!("fixtures/yarn-1.lock")),
        ("yarn.lock", include_bytes!("fixtures/yarn-4.lock")),
        ("uv.lock", include_bytes!("fixtures/uv.lock")),
        ("requirements.txt", include_bytes!("fixtures/requirements.txt")),
        ("Pipfile.lock", include_bytes!("fixtures/pipfile.json")),
    ];
    for (path, bytes) in whole {
        for cut in (0..bytes.len()).step_by(bytes.len() / 40 + 1) {
            _ = read(path, &bytes[..cut]);
            let mut changed = bytes.to_vec();
            changed[cut] ^= 0x15;
            _ = read(path, &changed);
        }
    }
}
