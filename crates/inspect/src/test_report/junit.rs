//! JUnit XML.
//!
//! There is no standard; what is read is what Ant's JUnit task, Maven Surefire, Gradle, pytest, nextest, Jest, Node's test
//! runner, GoogleTest, CTest, PHPUnit and Mocha agree on: `testcase` elements with `failure`, `error` or `skipped` inside,
//! in `testsuite` elements that may nest or be left out.

use super::tally::Measure;
use super::{Outcome, ReportError, Tally, TestReport};
use crate::xml::{Element, Node, Walker};

/// pytest counts an error at the teardown of a failed test as a case more, and some runners leave skipped ones out; but
/// more than what is written down was cut away.
const SUITE: [(&str, Measure); 4] = [
    ("tests", Measure::AtMost(|counted| counted.tests + counted.outside)),
    ("failures", Measure::AtMost(|counted| counted.failed + counted.errors + counted.outside)),
    ("errors", Measure::AtMost(|counted| counted.errors + counted.failed + counted.outside)),
    ("skipped", Measure::AtMost(|counted| counted.skipped)),
];

struct Case {
    name: String,
    outcome: Outcome,
    message: String,
    line: u32,
}

pub fn read(mut walker: Walker<'_>, root: Element<'_>) -> Result<TestReport, ReportError> {
    let mut open = vec![Tally::open(&root, &SUITE)?];
    let mut total = TestReport::default();
    let mut case: Option<Case> = None;
    // The message of a failure without a message attribute is its text.
    let mut listening = false;
    loop {
        match walker.step()? {
            Node::Start(element) => {
                let parent = walker.path().iter().rev().nth(1).copied().unwrap_or_default();
                match element.name {
                    "testsuite" if case.is_none() => open.push(Tally::open(&element, &SUITE)?),
                    "testcase" if case.is_none() => case = Some(begun(&element)),
                    "testsuites" | "testsuite" | "testcase" => {
                        return Err(element.refuse("suites with cases in them", format!("{} in {parent}", element.name)).into());
                    }
                    "failure" | "error" => match (&mut case, parent) {
                        (Some(case), "testcase") => listening = broke(case, &element),
                        // Some runners say so where a suite's own set-up or tear-down broke.
                        (None, "testsuite" | "testsuites") => {
                            if let Some(suite) = open.last_mut() {
                                suite.counted.outside(element.name, element.text("message"), element.line);
                            }
                        }
                        _ => {}
                    },
                    "skipped" if parent == "testcase" => {
                        if let Some(case) = &mut case
                            && case.outcome == Outcome::Passed
                        {
                            case.outcome = Outcome::Skipped;
                        }
                    }
                    _ => {}
                }
            }
            Node::Text(text) => {
                if let Some(case) = &mut case
                    && listening
                    && case.message.is_empty()
                {
                    case.message = text.trim().chars().take(1000).collect();
                }
            }
            Node::End(name) => {
                listening = false;
                match name {
                    "testcase" => {
                        if let (Some(case), Some(suite)) = (case.take(), open.last_mut()) {
                            suite.counted.case(case.outcome, &case.name, &case.message, case.line);
                        }
                    }
                    "testsuite" | "testsuites" => {
                        let counted = open.pop().map(Tally::close).transpose()?.unwrap_or_default();
                        match open.last_mut() {
                            Some(parent) => parent.counted.add(&counted),
                            None => total.add(&counted),
                        }
                    }
                    _ => {}
                }
            }
            Node::Eof => return Ok(total),
        }
    }
}

fn begun(element: &Element<'_>) -> Case {
    let (class, own) = (element.text("classname"), element.text("name"));
    let name = if class.is_empty() { own.to_owned() } else { format!("{class}.{own}") };
    // GoogleTest and CTest say by attribute what did not run.
    let skipped = matches!(element.text("status"), "notrun" | "disabled" | "skipped" | "ignored")
        || matches!(element.text("result"), "suppressed" | "skipped");
    let outcome = if skipped { Outcome::Skipped } else { Outcome::Passed };
    Case { name, outcome, message: String::new(), line: element.line }
}

/// Notes a failure or an error; whether its message is still to come.
fn broke(case: &mut Case, element: &Element<'_>) -> bool {
    if element.name == "error" {
        case.outcome = Outcome::Error;
    } else if case.outcome != Outcome::Error {
        case.outcome = Outcome::Failed;
    }
    if case.message.is_empty() {
        case.message = element.text("message").to_owned();
    }
    case.message.is_empty()
}
