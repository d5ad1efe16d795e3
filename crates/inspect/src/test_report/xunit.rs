//! xUnit.net XML, versions 1 (`class`), 2 (`collection`) and 3 (`not-run`, `assemblies schema-version`).

use super::tally::Measure;
use super::{Outcome, ReportError, Tally, TestReport};
use crate::xml::{Element, Node, Walker};

/// Version 3 leaves tests that were not run out of `skipped`, and counts them in `total`.
const PART: [(&str, Measure); 5] = [
    ("total", Measure::Is(|counted| counted.tests)),
    ("passed", Measure::Is(|counted| counted.passed)),
    ("failed", Measure::Is(|counted| counted.failed)),
    ("skipped", Measure::AtMost(|counted| counted.skipped)),
    ("errors", Measure::AtMost(|counted| counted.outside)),
];

struct Case {
    name: String,
    outcome: Outcome,
    message: String,
    line: u32,
}

pub fn read(mut walker: Walker<'_>, root: Element<'_>) -> Result<TestReport, ReportError> {
    let mut open = vec![Tally::open(&root, if root.name == "assembly" { &PART[..] } else { &[] })?];
    let mut total = TestReport::default();
    let mut case: Option<Case> = None;
    loop {
        match walker.step()? {
            Node::Start(element) => {
                let parent = walker.path().iter().rev().nth(1).copied().unwrap_or_default();
                match (element.name, parent) {
                    ("assembly", "assemblies") | ("class" | "collection", "assembly") => open.push(Tally::open(&element, &PART)?),
                    ("test", "class" | "collection") => case = Some(begun(&element)?),
                    ("test" | "assembly" | "class" | "collection", _) => {
                        return Err(element
                            .refuse("assemblies with collections with tests", format!("{} in {parent}", element.name))
                            .into());
                    }
                    ("error", "errors") => {
                        let name = format!("{} {}", element.text("type"), element.text("name"));
                        if let Some(part) = open.last_mut() {
                            part.counted.outside(name.trim(), "", element.line);
                        }
                    }
                    _ => {}
                }
            }
            Node::Text(text) => {
                if let [.., "failure", "message"] = walker.path()
                    && let Some(case) = &mut case
                    && case.message.is_empty()
                {
                    case.message = text.trim().chars().take(1000).collect();
                }
            }
            Node::End("test") => {
                if let (Some(case), Some(part)) = (case.take(), open.last_mut()) {
                    part.counted.case(case.outcome, &case.name, &case.message, case.line);
                }
            }
            Node::End("class" | "collection" | "assembly" | "assemblies") => {
                let counted = open.pop().map(Tally::close).transpose()?.unwrap_or_default();
                match open.last_mut() {
                    Some(parent) => parent.counted.add(&counted),
                    None => total.add(&counted),
                }
            }
            Node::End(_) => {}
            Node::Eof => return Ok(total),
        }
    }
}

fn begun(test: &Element<'_>) -> Result<Case, ReportError> {
    let outcome = match test.need("result")? {
        "Pass" => Outcome::Passed,
        "Fail" => Outcome::Failed,
        "Skip" | "NotRun" => Outcome::Skipped,
        other => return Err(test.refuse("the result Pass, Fail, Skip or NotRun", format!("{other:?}")).into()),
    };
    Ok(Case { name: test.text("name").to_owned(), outcome, message: String::new(), line: test.line })
}
