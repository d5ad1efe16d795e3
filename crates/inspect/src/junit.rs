//! JUnit XML reports, as test runners of many languages write them.
//!
//! There is no standard; what is read here is what Ant's JUnit task, Maven Surefire, pytest, nextest and Jest agree on:
//! `testsuites` or `testsuite` at the top, `testcase` elements with `failure`, `error` or `skipped` inside. Totals are
//! counted from the cases; attributes that contradict them are refused, because a report that was cut or edited would
//! otherwise pass.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde::Serialize;

/// Reports beyond this many bytes are not read.
pub const BYTES_MAX: usize = 64 << 20;

/// Deeper nesting is no test report.
const DEPTH_MAX: usize = 64;

/// What a report says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TestReport {
    pub tests: u32,
    pub passed: u32,
    pub failed: u32,
    pub errors: u32,
    pub skipped: u32,
    /// `classname.name` of what failed or broke, at most 100.
    pub broken: Vec<String>,
}

impl TestReport {
    /// `passed` where something ran and nothing failed.
    pub fn verdict(&self) -> &'static str {
        if self.failed + self.errors == 0 && self.tests > 0 { "passed" } else { "failed" }
    }
    /// Two reports as one.
    pub fn add(&mut self, other: &TestReport) {
        self.tests += other.tests;
        self.passed += other.passed;
        self.failed += other.failed;
        self.errors += other.errors;
        self.skipped += other.skipped;
        self.broken.extend(other.broken.iter().cloned());
        self.broken.truncate(100);
    }
}

/// Why a file is no test report.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JunitError {
    #[error("the report has more than {BYTES_MAX} bytes")]
    Size,
    #[error("byte {at}: not well-formed XML: {why}")]
    Xml { at: u64, why: String },
    #[error("byte {at}: expected {expected}, found {found}")]
    Shape { at: u64, expected: &'static str, found: String },
    #[error("suite {suite:?} says {attribute}={said}, its cases say {counted}")]
    Contradiction { suite: String, attribute: &'static str, said: u32, counted: u32 },
}

#[derive(Default)]
struct Case {
    name: String,
    failed: bool,
    error: bool,
    skipped: bool,
}

struct Suite {
    name: String,
    said: [(&'static str, Option<u32>); 3],
    counted: TestReport,
}

/// Reads a report.
pub fn read(bytes: &[u8]) -> Result<TestReport, JunitError> {
    if bytes.len() > BYTES_MAX {
        return Err(JunitError::Size);
    }
    let mut reader = Reader::from_reader(bytes);
    reader.config_mut().check_end_names = true;
    let mut total = TestReport::default();
    let mut suites: Vec<Suite> = Vec::new();
    let mut case: Option<Case> = None;
    let mut path: Vec<String> = Vec::new();
    let mut seen_root = false;
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        let at = reader.buffer_position();
        let event =
            reader.read_event_into(&mut buffer).map_err(|why| JunitError::Xml { at: reader.error_position(), why: why.to_string() })?;
        match event {
            Event::Eof => break,
            Event::DocType(_) => {
                return Err(JunitError::Shape {
                    at,
                    expected: "a report without a document type (entities are not expanded)",
                    found: "DOCTYPE".to_owned(),
                });
            }
            Event::Start(start) => {
                let name = start.local_name().as_ref().to_owned();
                open(&start, &name, path.is_empty(), at, &mut seen_root, &mut suites, &mut case)?;
                path.push(name);
                if path.len() > DEPTH_MAX {
                    return Err(JunitError::Shape { at, expected: "less nesting", found: format!("{DEPTH_MAX} levels") });
                }
            }
            Event::Empty(start) => {
                let name = start.local_name().as_ref().to_owned();
                open(&start, &name, path.is_empty(), at, &mut seen_root, &mut suites, &mut case)?;
                close(&name, &mut suites, &mut case, &mut total)?;
            }
            Event::End(_) => {
                let name = path.pop().unwrap_or_default();
                close(&name, &mut suites, &mut case, &mut total)?;
            }
            _ => {}
        }
    }
    if !seen_root {
        return Err(JunitError::Shape { at: 0, expected: "a testsuites or testsuite element", found: "no element".to_owned() });
    }
    if !path.is_empty() {
        return Err(JunitError::Shape {
            at: bytes.len() as u64,
            expected: "the end of the report",
            found: "the end of the file".to_owned(),
        });
    }
    Ok(total)
}

fn open(
    start: &BytesStart<'_>,
    name: &str,
    root: bool,
    at: u64,
    seen_root: &mut bool,
    suites: &mut Vec<Suite>,
    case: &mut Option<Case>,
) -> Result<(), JunitError> {
    if root {
        if *seen_root || !matches!(name, "testsuites" | "testsuite") {
            return Err(JunitError::Shape { at, expected: "one testsuites or testsuite element", found: name.to_owned() });
        }
        *seen_root = true;
    }
    match name {
        "testsuite" => suites.push(Suite {
            name: attribute(start, "name").unwrap_or_default(),
            said: [("tests", number(start, "tests")), ("failures", number(start, "failures")), ("errors", number(start, "errors"))],
            counted: TestReport::default(),
        }),
        "testcase" => {
            if case.is_some() || suites.is_empty() {
                return Err(JunitError::Shape { at, expected: "a testcase inside a testsuite", found: "a testcase elsewhere".to_owned() });
            }
            let class = attribute(start, "classname").unwrap_or_default();
            let own = attribute(start, "name").unwrap_or_default();
            *case = Some(Case { name: if class.is_empty() { own } else { format!("{class}.{own}") }, ..Case::default() });
        }
        "failure" => {
            if let Some(case) = case {
                case.failed = true
            }
        }
        "error" => {
            if let Some(case) = case {
                case.error = true
            }
        }
        "skipped" => {
            if let Some(case) = case {
                case.skipped = true
            }
        }
        _ => {}
    }
    Ok(())
}

fn close(name: &str, suites: &mut Vec<Suite>, case: &mut Option<Case>, total: &mut TestReport) -> Result<(), JunitError> {
    match name {
        "testcase" => {
            let (Some(done), Some(suite)) = (case.take(), suites.last_mut()) else { return Ok(()) };
            let mut one = TestReport { tests: 1, ..TestReport::default() };
            match (done.error, done.failed, done.skipped) {
                (true, _, _) => one.errors = 1,
                (_, true, _) => one.failed = 1,
                (_, _, true) => one.skipped = 1,
                _ => one.passed = 1,
            }
            if done.error || done.failed {
                one.broken.push(done.name);
            }
            suite.counted.add(&one);
        }
        "testsuite" => {
            let Some(suite) = suites.pop() else { return Ok(()) };
            let counted = [suite.counted.tests, suite.counted.failed, suite.counted.errors];
            for ((attribute, said), counted) in suite.said.into_iter().zip(counted) {
                // pytest counts an error at teardown of a passed test as a case more; only a larger count of what is bad
                // or a missing case is a contradiction.
                if let Some(said) = said
                    && said > counted
                {
                    return Err(JunitError::Contradiction { suite: suite.name, attribute, said, counted });
                }
            }
            match suites.last_mut() {
                Some(parent) => parent.counted.add(&suite.counted),
                None => total.add(&suite.counted),
            }
        }
        _ => {}
    }
    Ok(())
}

fn attribute(start: &BytesStart<'_>, name: &str) -> Option<String> {
    let found = start.attributes().flatten().find(|attribute| attribute.key.local_name().as_ref() == name)?;
    Some(found.value.into_owned())
}

fn number(start: &BytesStart<'_>, name: &str) -> Option<u32> {
    attribute(start, name)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_cases_and_refuses_what_contradicts_them() {
        let report = br#"<?xml version="1.0"?><testsuites><testsuite name="a" tests="4" failures="1" errors="1">
            <testcase classname="m" name="ok"/><testcase name="bad"><failure>no</failure></testcase>
            <testcase name="broken"><error/></testcase><testcase name="later"><skipped/></testcase></testsuite></testsuites>"#;
        let read_ = read(report).unwrap();
        assert_eq!((read_.tests, read_.passed, read_.failed, read_.errors, read_.skipped), (4, 1, 1, 1, 1));
        assert_eq!(read_.broken, ["bad", "broken"]);
        assert_eq!(read_.verdict(), "failed");
        let lie = br#"<testsuite name="a" tests="2" failures="1"><testcase name="ok"/><testcase name="ok2"/></testsuite>"#;
        assert!(matches!(read(lie), Err(JunitError::Contradiction { attribute: "failures", said: 1, counted: 0, .. })));
    }

    #[test]
    fn refuses_what_is_no_report() {
        for text in [
            "",
            "{}",
            "<html/>",
            "<testsuite><testcase></testsuite>",
            "<testsuite name='a'>",
            "<!DOCTYPE x [<!ENTITY a 'b'>]><testsuite/>",
            "<testsuite/><testsuite/>",
        ] {
            assert!(read(text.as_bytes()).is_err(), "{text} was taken");
        }
        let deep = "<testsuite>".repeat(200_000);
        assert!(read(deep.as_bytes()).is_err());
    }
}
