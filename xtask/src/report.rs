//! What a test run says about itself: nextest's JUnit file (ours has the same shape) or the output of `cargo test`.

use anyhow::{Context, Result, bail};
use std::fmt::Write as _;
use std::path::Path;

/// Where nextest and our own runner leave their report.
pub const JUNIT: &str = "target/nextest/default/junit.xml";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Passed,
    Failed,
    Skipped,
}

#[derive(Debug, Clone)]
pub struct Case {
    /// Package and test binary: `holdpoint-tests::rows`.
    pub binary: String,
    pub name: String,
    /// Not known from `cargo test`.
    pub seconds: Option<f64>,
    pub state: State,
    /// What it printed, kept for failures.
    pub output: String,
}

pub fn read(path: &Path) -> Result<Vec<Case>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {} (run `make test` first)", path.display()))?;
    if text.trim_start().starts_with('<') { junit(&text) } else { Ok(cargo_test(&text)) }
}

/// Where the testkit notes what it did not do because of HOLDPOINT_SKIP.
pub const SKIPPED: &str = "target/test-skipped.txt";

/// A test that returned at once because of HOLDPOINT_SKIP has not passed. Its note ends with the test's name.
pub fn mark_skipped(root: &Path, cases: &mut [Case]) {
    let notes = std::fs::read_to_string(root.join(SKIPPED)).unwrap_or_default();
    for name in notes.lines().filter_map(|note| Some(note.split_once(": ")?.1)) {
        for case in cases.iter_mut().filter(|case| case.name == name && case.state == State::Passed) {
            case.state = State::Skipped;
        }
    }
}

/// The slowest tests, longest first.
pub fn slowest(root: &Path, args: &[String]) -> Result<bool> {
    let count = args.first().map_or(Ok(10), |n| n.parse()).context("slowest takes a number first")?;
    let path = args.get(1).map_or_else(|| root.join(JUNIT), |path| root.join(path));
    print_slowest(&read(&path)?, count);
    Ok(true)
}

pub fn print_slowest(cases: &[Case], count: usize) {
    let mut timed: Vec<(f64, &Case)> = cases.iter().filter_map(|case| Some((case.seconds?, case))).collect();
    timed.sort_by(|a, b| b.0.total_cmp(&a.0));
    println!("slowest {} of {} tests:", count.min(timed.len()), cases.len());
    for (seconds, case) in timed.iter().take(count) {
        println!("  {seconds:8.2} s  {} {}", case.binary, case.name);
    }
}

/// Reads a JUnit file of nextest's shape. No general XML reader: elements and attributes are all that is looked at.
fn junit(text: &str) -> Result<Vec<Case>> {
    let mut cases: Vec<Case> = Vec::new();
    let mut binary = String::new();
    let mut open = false;
    for tag in text.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').context("the report ends inside an element")?;
        let element = tag.split([' ', '/', '\n']).next().unwrap_or("");
        match element {
            "testsuite" => binary = attribute(tag, "name").unwrap_or_default(),
            "testcase" => {
                let name = attribute(tag, "name").context("a test case has no name")?;
                let seconds = attribute(tag, "time").and_then(|time| time.parse().ok());
                cases.push(Case { binary: binary.clone(), name, seconds, state: State::Passed, output: String::new() });
                open = !tag.ends_with('/');
            }
            "failure" | "error" | "skipped" if open => {
                if let Some(case) = cases.last_mut() {
                    case.state = if element == "skipped" { State::Skipped } else { State::Failed };
                }
            }
            _ if tag.starts_with("/testcase") => open = false,
            _ => {}
        }
    }
    if cases.is_empty() && !text.contains("<testsuites") {
        bail!("this is no JUnit report");
    }
    Ok(cases)
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let start = tag.find(&format!(" {name}=\""))? + name.len() + 3;
    let value = &tag[start..start + tag[start..].find('"')?];
    Some(value.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&apos;", "'").replace("&amp;", "&"))
}

/// Reads the output of `cargo test`: binaries from "Running …" lines, results from "test NAME ... ok" lines.
fn cargo_test(text: &str) -> Vec<Case> {
    let mut binary = String::new();
    let mut cases = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(rest) = line.strip_prefix("Running ") {
            let file = rest.rsplit_once('(').map_or(rest, |(_, file)| file.trim_end_matches(')'));
            let stem = file.rsplit('/').next().unwrap_or(file);
            binary = stem.rsplit_once('-').map_or(stem, |(name, _)| name).to_owned();
        } else if let Some((name, result)) = line.strip_prefix("test ").and_then(|rest| rest.rsplit_once(" ... ")) {
            let state = match result.split([',', ' ']).next() {
                Some("ok") => State::Passed,
                Some("ignored") => State::Skipped,
                _ => State::Failed,
            };
            cases.push(Case { binary: binary.clone(), name: name.to_owned(), seconds: None, state, output: String::new() });
        }
    }
    cases
}

/// Writes what `junit` reads; other programs read it, too.
pub fn write_junit(path: &Path, cases: &[Case]) -> Result<()> {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"holdpoint\">\n");
    let mut suites: Vec<&str> = cases.iter().map(|case| case.binary.as_str()).collect();
    suites.dedup();
    for suite in suites {
        let of_suite: Vec<&Case> = cases.iter().filter(|case| case.binary == suite).collect();
        let failures = of_suite.iter().filter(|case| case.state == State::Failed).count();
        writeln!(text, "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{failures}\">", escape(suite), of_suite.len())?;
        for case in of_suite {
            let seconds = case.seconds.unwrap_or(0.0);
            write!(text, "    <testcase name=\"{}\" classname=\"{}\" time=\"{seconds:.3}\"", escape(&case.name), escape(suite))?;
            match case.state {
                State::Passed => text.push_str("/>\n"),
                State::Skipped => text.push_str("><skipped/></testcase>\n"),
                State::Failed => writeln!(text, "><failure>{}</failure></testcase>", escape(&case.output))?,
            }
        }
        text.push_str("  </testsuite>\n");
    }
    text.push_str("</testsuites>\n");
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            // XML 1.0 has no way to write these.
            c if c < ' ' && !matches!(c, '\n' | '\t') => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::{Case, State, cargo_test, junit, write_junit};

    #[test]
    fn nextest_reports_are_read() {
        let text = r#"<?xml version="1.0"?><testsuites name="nextest-run" tests="3"><testsuite name="holdpoint-tests::rows" tests="3">
            <testcase name="r5_2::cli" classname="x" timestamp="t" time="0.812"></testcase>
            <testcase name="r5_2::page" time="1.5"><failure type="test failure">thread &lt;x&gt; panicked</failure><system-out>o</system-out></testcase>
            <testcase name="r5_2::refuses" time="0.1"/></testsuite></testsuites>"#;
        let cases = junit(text).expect("a report");
        let found: Vec<_> = cases.iter().map(|case| (case.binary.as_str(), case.name.as_str(), case.state, case.seconds)).collect();
        assert_eq!(
            found,
            [
                ("holdpoint-tests::rows", "r5_2::cli", State::Passed, Some(0.812)),
                ("holdpoint-tests::rows", "r5_2::page", State::Failed, Some(1.5)),
                ("holdpoint-tests::rows", "r5_2::refuses", State::Passed, Some(0.1)),
            ]
        );
        assert!(junit("<html></html>").is_err());
    }

    #[test]
    fn cargo_test_output_is_read() {
        let text = "     Running rows/main.rs (target/debug/deps/rows-0123abcd)\nrunning 3 tests\ntest r1_1::api ... ok\ntest r1_1::page ... FAILED\ntest slow ... ignored, by hand\n";
        let found: Vec<_> = cargo_test(text).into_iter().map(|case| (case.binary, case.name, case.state)).collect();
        let expected = [("r1_1::api", State::Passed), ("r1_1::page", State::Failed), ("slow", State::Skipped)];
        assert_eq!(found, expected.map(|(name, state)| ("rows".to_owned(), name.to_owned(), state)));
    }

    #[test]
    fn what_is_written_is_read_back() {
        let case = |name: &str, state, output: &str| Case {
            binary: "b".into(),
            name: name.into(),
            seconds: Some(0.25),
            state,
            output: output.into(),
        };
        let cases = [case("a", State::Passed, ""), case("b<c>", State::Failed, "x < y & \u{1}"), case("d", State::Skipped, "")];
        let path = std::env::temp_dir().join(format!("xtask-junit-{}.xml", std::process::id()));
        write_junit(&path, &cases).expect("written");
        let back = super::read(&path).expect("read");
        std::fs::remove_file(&path).expect("removed");
        let short = |cases: &[Case]| cases.iter().map(|case| (case.name.clone(), case.state, case.seconds)).collect::<Vec<_>>();
        assert_eq!(short(&back), short(&cases));
    }
}
