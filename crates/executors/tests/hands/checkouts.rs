//! Working trees at a commit, and what the repository says about who wrote it.

use crate::bench::*;
use holdpoint_executors::spec::*;
use std::path::{Path, PathBuf};

struct Repository(PathBuf);

impl Repository {
    fn new(bench: &Bench) -> Self {
        let path = bench.path().join("repository");
        std::fs::create_dir(&path).unwrap();
        let new = Self(path);
        new.git(&["init", "-q", "-b", "main"]);
        new
    }

    fn git(&self, args: &[&str]) -> String {
        let output = std::process::Command::new("git")
            .args(args)
            .current_dir(&self.0)
            .envs([("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_AUTHOR_NAME", "a"), ("GIT_COMMITTER_NAME", "c")])
            .envs([("GIT_AUTHOR_EMAIL", "Ada@shop.example"), ("GIT_COMMITTER_EMAIL", "grace@shop.example")])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn commit(&self, file: &str, message: &str) -> String {
        std::fs::write(self.0.join(file), message).unwrap();
        self.git(&["add", "."]);
        self.git(&["commit", "-q", "-m", message]);
        self.git(&["rev-parse", "HEAD"])
    }
}

fn build(repository: &Path, commit: &str, base: Option<&str>) -> CommandSpec {
    CommandSpec {
        argv: ["sh", "-c", "cat file; echo $SOURCE_DATE_EPOCH; printf built > out"].map(String::from).into(),
        checkout: Some(Checkout { repository: repository.to_str().unwrap().into(), commit: commit.into(), base: base.map(String::from) }),
        artifacts: [("out".to_owned(), "out".to_owned())].into(),
        timeout_s: 30,
        ..CommandSpec::default()
    }
}

#[tokio::test]
async fn the_tree_is_the_commits_and_the_commits_are_the_repositorys() {
    let bench = Bench::new();
    let repository = Repository::new(&bench);
    let base = repository.commit("file", "first");
    let second = repository.commit("file", "second\n\nbody\n\nCo-authored-by: Linus <LINUS@shop.example>");
    let third = repository.commit("other", "$(id) --x; third");
    repository.commit("file", "later");

    // Twice at once: neither clears away the other's tree.
    let (one, two) = (bench.context("att_1"), bench.context("att_1"));
    let spec = || build(&repository.0, &third, Some(&base));
    let (done, again) = tokio::join!(run(spec(), &one), run(spec(), &two));
    assert_eq!(done, again);
    let done = outputs(done);
    assert!(!bench.root().join("attempts/att_1/tree").exists(), "its room is given back");
    assert!(bench.heard().await.contains("second\n"), "{}", bench.heard().await);
    assert_eq!(done["commit"], third.as_str());
    let commits: Vec<Commit> = serde_json::from_value(done["commits"].clone()).unwrap();
    let ids: Vec<&str> = commits.iter().map(|c| c.id.as_str()).collect();
    assert_eq!(ids, [third.as_str(), second.as_str()]);
    assert_eq!(commits[0].subject, "$(id) --x; third");
    assert_eq!(commits[1].author_email, "ada@shop.example");
    assert_eq!(commits[1].committer_email, "grace@shop.example");
    assert_eq!(commits[1].co_author_emails, ["linus@shop.example"]);
    assert!(done["artifacts"]["out"].is_string());
    assert!(done["toolchain"]["git"].as_str().unwrap().starts_with("git version"));

    let all = outputs(run(build(&repository.0, &third, None), &bench.context("att_2")).await);
    assert_eq!(all["commits"].as_array().unwrap().len(), 3);
    assert_eq!(all["tree"], done["tree"]);
}

#[tokio::test]
async fn nothing_of_a_checkout_becomes_an_option_or_a_program() {
    let bench = Bench::new();
    let repository = Repository::new(&bench);
    let commit = repository.commit("file", "first");
    let trace = bench.path().join("trace");
    let place = repository.0.to_str().unwrap().to_owned();
    let touch = format!("touch {}", trace.display());
    // What the repository itself would run.
    repository.git(&["config", "uploadpack.packObjectsHook", &touch]);
    std::fs::write(repository.0.join(".git/hooks/post-checkout"), format!("#!/bin/sh\n{touch}\n")).unwrap();
    outputs(run(build(&repository.0, &commit, None), &bench.context("att_ok")).await);

    let absent = "0".repeat(40);
    for (n, (repository, commit, base)) in [
        (format!("--upload-pack={touch}"), commit.as_str(), None),
        (format!("ext::sh -c {touch}"), &commit, None),
        ("ssh://-oProxyCommand=id/x".into(), &commit, None),
        ("git://127.0.0.1/x".into(), &commit, None),
        ("http://127.0.0.1:9/x".into(), &commit, None),
        ("ssh://git@127.0.0.1/x".into(), &commit, None),
        ("relative/path".into(), &commit, None),
        (format!("{place}\n--x"), &commit, None),
        (place.clone(), "main", None),
        (place.clone(), "--output=/tmp/x", None),
        (place.clone(), &absent, None),
        (place.clone(), &commit, Some("--all")),
    ]
    .into_iter()
    .enumerate()
    {
        let mut spec = build(Path::new(&repository), commit, base);
        spec.argv = vec!["touch".into(), trace.to_str().unwrap().into()];
        let reason = failure(run(spec, &bench.context(&format!("att_{n}"))).await);
        assert!(!reason.is_empty());
        assert!(!trace.exists(), "{repository} {commit}: {reason}");
    }
}
