//! Diffs, reports, paths and the judgement, by tables; lines against the truth, by property.

use super::gaps::{State, Totals};
use super::*;
use proptest::prelude::*;

fn changed(diff: &str) -> Vec<(String, Change, Vec<u32>)> {
    let files = read_diff(diff.as_bytes()).unwrap_or_else(|why| panic!("{why}:\n{diff}"));
    files.into_iter().map(|file| (file.path, file.change, file.added.iter().map(|(line, _)| *line).collect())).collect()
}

fn diff_refusal(diff: &str) -> String {
    read_diff(diff.as_bytes()).expect_err(diff).to_string()
}

const MODIFIED: &str = "diff --git a/src/cart.rs b/src/cart.rs\nindex 1..2 100644\n--- a/src/cart.rs\n+++ b/src/cart.rs\n@@ -1,3 +1,5 @@ fn cart\n one\n-two\n+2\n+2b\n+\n three\n@@ -10 +12 @@\n-ten\n+10\n\\ No newline at end of file\n";

#[test]
fn diffs_of_git() {
    assert_eq!(changed(MODIFIED), [("src/cart.rs".to_owned(), Change::Modified, vec![2, 3, 4, 12])]);
    let many = "From 1234 Mon Sep 17 00:00:00 2001\nSubject: [PATCH] x\n---\n 1 file changed\n\n\
diff --git a/old name.rs b/new name.rs\nsimilarity index 90%\nrename from old name.rs\nrename to new name.rs\n--- a/old name.rs\t\n+++ b/new name.rs\t\n@@ -5,0 +6,2 @@\n+a\n+b\n\
diff --git a/moved.rs b/there/moved.rs\nsimilarity index 100%\nrename from moved.rs\nrename to there/moved.rs\n\
diff --git a/new.rs b/new.rs\nnew file mode 100644\nindex 0..1\n--- /dev/null\n+++ b/new.rs\n@@ -0,0 +1 @@\n+x\n\
diff --git a/gone.rs b/gone.rs\ndeleted file mode 100644\n--- a/gone.rs\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n\
diff --git a/logo.png b/logo.png\nindex 1..2 100644\nBinary files a/logo.png and b/logo.png differ\n\
diff --git a/run.sh b/run.sh\nold mode 100644\nnew mode 100755\n\
diff --git \"a/gr\\303\\274n.rs\" \"b/gr\\303\\274n.rs\"\n--- \"a/gr\\303\\274n.rs\"\n+++ \"b/gr\\303\\274n.rs\"\n@@ -1 +1 @@\n-a\n+b\n-- \n2.39.5\n";
    assert_eq!(
        changed(many),
        [
            ("new name.rs".to_owned(), Change::Renamed, vec![6, 7]),
            ("there/moved.rs".to_owned(), Change::Renamed, vec![]),
            ("new.rs".to_owned(), Change::New, vec![1]),
            ("gone.rs".to_owned(), Change::Deleted, vec![]),
            ("logo.png".to_owned(), Change::Binary, vec![]),
            ("run.sh".to_owned(), Change::Modified, vec![]),
            ("grün.rs".to_owned(), Change::Modified, vec![1]),
        ]
    );
}

#[test]
fn prefixes_are_told_from_folders() {
    let of = |old: &str, new: &str| {
        let diff = format!("diff --git {old} {new}\n--- {old}\n+++ {new}\n@@ -1 +1 @@\n-a\n+b\n");
        changed(&diff)[0].0.clone()
    };
    assert_eq!(of("a/x.rs", "b/x.rs"), "x.rs");
    assert_eq!(of("i/x.rs", "w/x.rs"), "x.rs");
    assert_eq!(of("x.rs", "x.rs"), "x.rs");
    assert_eq!(of("b/x.rs", "b/x.rs"), "b/x.rs");
    // Without git: the times after the tab, and a folder of each side.
    assert_eq!(changed("--- ./x.rs\t2026-01-01\n+++ ./x.rs\t2026-01-02\n@@ -1 +1 @@\n-a\n+b\n")[0].0, "x.rs");
    // A removed line that starts with `-- ` is no header.
    assert_eq!(changed("--- x.sql\n+++ x.sql\n@@ -1,2 +1 @@\n--- comment\n-a\n+b\n")[0].2, [1]);
}

#[test]
fn diffs_that_are_cut_merged_or_something_else_are_refused() {
    assert_eq!(changed(""), []);
    for (diff, why) in [
        ("hello\n", "line 1: expected a unified diff"),
        (&MODIFIED[..MODIFIED.len() - 33], "expected 0 old and 1 new lines more in the hunk, found the end"),
        (&MODIFIED.replace("@@ -10 +12 @@", "@@ -ten +12 @@"), "expected @@ -<line>"),
        (&MODIFIED.replace("\n+2b\n", "\n"), "line 11: expected a line of the hunk (space, + or -), found \"@@ -10 +12 @@\""),
        ("diff --cc a.rs\n", "git diff BASE HEAD"),
        (&format!("{MODIFIED}{MODIFIED}"), "src/cart.rs once"),
        ("--- a\n+++ b\n", "a hunk (@@) after +++"),
        ("+++ b\n", "--- before +++"),
    ] {
        let said = diff_refusal(diff);
        assert!(said.contains(why), "{said}\n{diff}");
    }
}

fn lines(coverage: &Coverage, path: &str) -> Vec<(u32, u64, u32, u32)> {
    coverage.files[path].iter().map(|(number, line)| (*number, line.hits, line.branches, line.taken)).collect()
}

#[test]
fn lcov() {
    let text = "TN:unit\nSF:src/cart.rs\nFN:1,add\nFNDA:1,add\nBRDA:3,0,0,1\nBRDA:3,0,1,-\nDA:1,2\nDA:2,0\nDA:3,1,checksum\nLF:3\nLH:2\nend_of_record\n\
TN:more\nSF:src/cart.rs\nDA:2,5\nend_of_record\n";
    let (format, coverage) = read(text.as_bytes()).unwrap();
    assert_eq!(format, Format::Lcov);
    assert_eq!(lines(&coverage, "src/cart.rs"), [(1, 2, 0, 0), (2, 5, 0, 0), (3, 1, 2, 1)]);
    for (text, why) in [
        ("", "an LCOV, Cobertura or JaCoCo report"),
        ("SF:a\nDA:1,1\n", "line 3: expected end_of_record of a, found the end of the file"),
        ("SF:a\nDA:1,1\nLF:2\nend_of_record\n", "line 4: expected the 2 lines with DA that LF declares for a, found 1"),
        ("SF:a\nDA:0,1\n", "line 2: expected DA:<line from 1>,<hits>, found DA:0,1"),
        ("SF:a\nDA:1,-1\n", "DA:<line from 1>,<hits>"),
        ("DA:1,1\n", "SF before DA"),
        ("SF:a\nSF:b\n", "end_of_record of a"),
        ("{\"a\":1}", "an LCOV record"),
    ] {
        let said = read(text.as_bytes()).expect_err(text).to_string();
        assert!(said.contains(why), "{said}");
    }
}

const COBERTURA: &str = r#"<?xml version="1.0"?><!DOCTYPE coverage SYSTEM "http://cobertura.sourceforge.net/xml/coverage-04.dtd">
<coverage lines-valid="3" lines-covered="2"><sources><source>/build/app</source></sources><packages><package name="p"><classes>
<class name="Cart" filename="src/cart.py"><methods><method name="m"><lines><line number="2" hits="1"/></lines></method></methods>
<lines><line number="1" hits="1"/><line number="2" hits="1" branch="true" condition-coverage="50% (1/2)"/><line number="3" hits="0"/></lines></class>
</classes></package></packages></coverage>"#;

#[test]
fn cobertura_and_jacoco() {
    let (format, coverage) = read(COBERTURA.as_bytes()).unwrap();
    assert_eq!(format, Format::Cobertura);
    assert_eq!(lines(&coverage, "src/cart.py"), [(1, 1, 0, 0), (2, 1, 2, 1), (3, 0, 0, 0)]);
    assert_eq!(coverage.roots, ["/build/app"]);
    let jacoco = r#"<!DOCTYPE report PUBLIC "-//JACOCO//DTD Report 1.1//EN" "report.dtd"><report name="x"><package name="com/shop">
<sourcefile name="Cart.java"><line nr="3" mi="0" ci="4" mb="1" cb="1"/><line nr="4" mi="2" ci="0" mb="0" cb="0"/></sourcefile></package></report>"#;
    let (format, coverage) = read(jacoco.as_bytes()).unwrap();
    assert_eq!(format, Format::Jacoco);
    assert_eq!(lines(&coverage, "com/shop/Cart.java"), [(3, 4, 2, 1), (4, 0, 0, 0)]);
    for (text, why) in [
        (COBERTURA.replace("lines-valid=\"3\"", "lines-valid=\"9\""), "the 9 lines that lines-valid declares, found 4"),
        (COBERTURA.replace(" hits=\"0\"", ""), "line with hits, found none"),
        (COBERTURA.replace("</packages></coverage>", ""), "the end of packages"),
        ("<report/>".to_owned(), "packages of a JaCoCo report"),
        ("<html/>".to_owned(), "found the root element html"),
    ] {
        let said = read(text.as_bytes()).expect_err(&text).to_string();
        assert!(said.contains(why), "{said}");
    }
}

fn measured(files: &[&str]) -> Coverage {
    let line = |hits| Line { hits, ..Line::default() };
    Coverage { files: files.iter().map(|path| ((*path).to_owned(), [(1, line(1)), (2, line(0))].into())).collect(), roots: vec![] }
}

fn diff_of(paths: &[&str]) -> Vec<Changed> {
    let of = |path: &&str| Changed { path: (*path).to_owned(), change: Change::Modified, added: vec![(1, false), (2, false), (3, true)] };
    paths.iter().map(of).collect()
}

fn states(coverage: &Coverage, paths: &[&str], options: &Options) -> Vec<State> {
    gaps(coverage, &diff_of(paths), options).files.into_iter().map(|file| file.state).collect()
}

#[test]
fn lines_are_told_apart() {
    let told = gaps(&measured(&["src/a.rs"]), &diff_of(&["src/a.rs", "README.md"]), &Options::default());
    let expected = Totals { changed: 6, covered: 1, uncovered: 1, partial: 0, not_instrumented: 4, unmeasured: 0, percent: Some(50.0) };
    assert_eq!(told.totals, expected);
    assert!(!told.enough);
    assert_eq!(told.findings.iter().map(Finding::place).collect::<Vec<_>>(), ["src/a.rs:2"]);
    assert!(gaps(&measured(&["src/a.rs"]), &diff_of(&["src/a.rs"]), &Options { percent_min: 50.0, ..Options::default() }).enough);
    assert!(!gaps(&measured(&["src/a.rs"]), &diff_of(&["src/a.rs"]), &Options { percent_min: 50.01, ..Options::default() }).enough);
    let nothing = gaps(&measured(&["src/a.rs"]), &diff_of(&["README.md"]), &Options::default());
    assert!(nothing.enough && nothing.totals.percent.is_none());
}

use crate::finding::Finding;

#[test]
fn a_branch_not_taken_is_told_and_counts_where_asked() {
    let mut coverage = measured(&["a.rs"]);
    coverage.files.get_mut("a.rs").unwrap().insert(2, Line { hits: 3, branches: 2, taken: 1 });
    let told = gaps(&coverage, &diff_of(&["a.rs"]), &Options::default());
    assert!(told.enough && told.totals.partial == 1 && told.findings[0].rule == "branch-not-covered");
    assert!(!gaps(&coverage, &diff_of(&["a.rs"]), &Options { branches: true, ..Options::default() }).enough);
}

#[test]
fn a_file_that_should_be_measured_and_is_not_is_a_gap() {
    let told = gaps(&measured(&["src/a.rs"]), &diff_of(&["src/new.rs"]), &Options::default());
    assert_eq!((told.totals.unmeasured, told.enough), (2, false));
    assert_eq!((told.findings[0].rule.as_str(), told.findings[0].place().as_str()), ("file-not-measured", "src/new.rs:1"));
    let excluded = Options { exclude: vec![Glob::new("src/new.rs")], ..Options::default() };
    for (path, options) in [("tests/new.rs", &Options::default()), ("src/cart_test.rs", &Options::default()), ("src/new.rs", &excluded)] {
        assert_eq!(states(&measured(&["src/a.rs"]), &[path], options), [State::Apart], "{path}");
    }
}

#[test]
fn paths_are_matched_and_never_guessed() {
    let none = Options::default();
    let strip = Options { strip: vec!["/builds/build/".to_owned()], ..Options::default() };
    for (measured_as, path, options) in [
        ("src/a.rs", "src/a.rs", &none),
        ("/builds/build/src/a.rs", "src/a.rs", &none),
        ("/builds/build/src/a.rs", "src/a.rs", &strip),
        ("C:\\build\\src\\a.rs", "src/a.rs", &none),
        ("./src/../src/a.rs", "src/a.rs", &none),
        ("com/shop/a.rs", "app/src/main/java/com/shop/a.rs", &none),
    ] {
        assert_eq!(states(&measured(&[measured_as]), &[path], options), [State::Measured], "{measured_as} {path}");
    }
    // A name that only ends alike is another file.
    assert_eq!(states(&measured(&["src/data.rs"]), &["a.rs"], &none), [State::Unmeasured]);
    assert_eq!(states(&measured(&["/x/one/src/a.rs", "/x/two/src/a.rs"]), &["src/a.rs"], &none), [State::Ambiguous]);
    assert_eq!(states(&measured(&["src/a.rs"]), &["one/src/a.rs", "two/src/a.rs"], &none), [State::Ambiguous, State::Ambiguous]);
    let mut rooted = measured(&["a.rs", "b/a.rs"]);
    rooted.roots = vec!["/build/src".to_owned()];
    assert_eq!(states(&rooted, &["src/a.rs"], &Options { strip: vec!["/build".to_owned()], ..Options::default() }), [State::Measured]);
}

#[test]
fn patterns() {
    for (pattern, path, fits) in [
        ("*.pb.rs", "src/api/x.pb.rs", true),
        ("generated/**", "generated/a/b.rs", true),
        ("generated", "src/generated/b.rs", true),
        ("src/*.rs", "src/a/b.rs", false),
        ("src/**/b.rs", "src/b.rs", true),
        ("src/**/b.rs", "src/x/y/b.rs", true),
        ("src/**/b.rs", "src/xb.rs", false),
        ("src/?.rs", "src/a.rs", true),
        ("**", "anything/at/all", true),
    ] {
        assert_eq!(Glob::new(pattern).fits(path), fits, "{pattern} {path}");
    }
    let long = "a/".repeat(2000);
    assert!(!Glob::new(&("**/a".repeat(200) + "c")).fits(&format!("{long}b")));
}

/// A file as a list of (kept, removed, added) runs, so that the diff and the truth come from the same place.
fn edits() -> impl Strategy<Value = Vec<(u32, u32, u32)>> {
    proptest::collection::vec((1u32..6, 0u32..4, 0u32..4), 1..12)
}

proptest! {
    #[test]
    fn added_lines_are_where_they_are(edits in edits(), hits in proptest::collection::vec(proptest::option::of(0u64..3), 80), context in 0u32..2) {
        let (mut old, mut new) = (1, 1);
        let mut hunks = String::new();
        let mut truth = Vec::new();
        for (kept, removed, added) in &edits {
            (old, new) = (old + kept, new + kept);
            if removed + added == 0 {
                continue;
            }
            // `context` lines before the change belong to the hunk.
            let start = |line: u32, count: u32| if count + context == 0 { line - 1 } else { line - context };
            hunks.push_str(&format!("@@ -{},{} +{},{} @@\n", start(old, *removed), removed + context, start(new, *added), added + context));
            hunks.push_str(&" kept\n".repeat(context as usize));
            hunks.push_str(&"-old\n".repeat(*removed as usize));
            hunks.push_str(&"+new\n".repeat(*added as usize));
            truth.extend(new..new + added);
            (old, new) = (old + removed, new + added);
        }
        prop_assume!(!hunks.is_empty());
        let diff = format!("diff --git a/x.rs b/x.rs\n--- a/x.rs\n+++ b/x.rs\n{hunks}");
        let files = read_diff(diff.as_bytes()).unwrap();
        prop_assert_eq!(files[0].added.iter().map(|(line, _)| *line).collect::<Vec<_>>(), truth.clone());
        let mut report = String::from("SF:x.rs\n");
        for (n, hits) in hits.iter().enumerate() {
            if let Some(hits) = hits {
                report.push_str(&format!("DA:{},{hits}\n", n + 1));
            }
        }
        let (_, coverage) = read(format!("{report}end_of_record\n").as_bytes()).unwrap();
        let told = gaps(&coverage, &files, &Options::default());
        let missed: Vec<u32> = truth.iter().copied().filter(|line| hits.get(*line as usize - 1) == Some(&Some(0))).collect();
        prop_assert_eq!(told.findings.iter().filter_map(|finding| finding.line).collect::<Vec<_>>(), missed.clone());
        prop_assert_eq!(told.enough, missed.is_empty());
        let totals = &told.totals;
        prop_assert_eq!(totals.covered + totals.uncovered + totals.not_instrumented, totals.changed);
    }

    /// A diff without its last lines is refused, or ends where a hunk ends.
    #[test]
    fn a_cut_diff_is_refused(cut in 1usize..100) {
        let text = MODIFIED.as_bytes();
        let cut = cut.min(text.len() - 1);
        if let Ok(files) = read_diff(&text[..text.len() - cut]) {
            let lines: Vec<u32> = files.iter().flat_map(|file| file.added.iter().map(|(line, _)| *line)).collect();
            prop_assert!([vec![], vec![2, 3, 4], vec![2, 3, 4, 12]].contains(&lines), "{:?}", lines);
        }
    }
}
