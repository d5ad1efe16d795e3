//! Cobertura XML (`coverage-04.dtd`), as coverage.py, gcovr, coverlet, istanbul, gocover-cobertura and tarpaulin write it.
//!
//! The lines of a class are those under the class; what stands under its methods repeats them.

use super::{Coverage, CoverageError, Line, Lines};
use crate::xml::{Element, Node, Walker};

pub fn read(mut walker: Walker<'_>, root: &Element<'_>) -> Result<Coverage, CoverageError> {
    let declared = root.count("lines-valid")?;
    let mut coverage = Coverage::default();
    let mut class: Option<(String, Lines)> = None;
    let mut root_text = String::new();
    let mut lines = 0u64;
    loop {
        match walker.step()? {
            Node::Start(element) => {
                let parent = walker.path().iter().rev().nth(1).copied().unwrap_or_default();
                match (element.name, parent) {
                    ("class", _) => {
                        if class.is_some() {
                            return Err(element.refuse("classes beside each other", "a class in a class").into());
                        }
                        class = Some((element.need("filename")?.to_owned(), Lines::new()));
                    }
                    ("line", "lines") => {
                        let Some((_, into)) = &mut class else {
                            return Err(element.refuse("a line in a class", "a line elsewhere").into());
                        };
                        let (number, line) = line(&element)?;
                        let known = into.entry(number).or_default();
                        *known = worst_of_duplicates(*known, line);
                        lines += 1;
                    }
                    _ => {}
                }
            }
            Node::Text(text) if walker.path().ends_with(&["source"]) => root_text.push_str(&text),
            Node::Text(_) => {}
            Node::End("source") => {
                let path = std::mem::take(&mut root_text).trim().to_owned();
                if !path.is_empty() {
                    coverage.roots.push(path);
                }
            }
            Node::End("class") => {
                // Classes of one file share its lines.
                if let Some((path, lines)) = class.take() {
                    let into = coverage.files.entry(path).or_default();
                    for (number, line) in lines {
                        let known = into.entry(number).or_default();
                        *known = worst_of_duplicates(*known, line);
                    }
                }
            }
            Node::End(_) => {}
            Node::Eof => break,
        }
    }
    if let Some(declared) = declared
        && lines < u64::from(declared)
    {
        return Err(root.refuse(format!("the {declared} lines that lines-valid declares"), lines.to_string()).into());
    }
    Ok(coverage)
}

/// The same line told twice: it ran if one says so.
fn worst_of_duplicates(a: Line, b: Line) -> Line {
    Line { hits: a.hits.max(b.hits), branches: a.branches.max(b.branches), taken: a.taken.max(b.taken) }
}

fn line(element: &Element<'_>) -> Result<(u32, Line), CoverageError> {
    let Some(number) = element.count("number")?.filter(|n| *n > 0) else {
        return Err(element.refuse("a line with a number from 1", format!("{:?}", element.text("number"))).into());
    };
    let hits = element.need("hits")?.trim();
    let Ok(hits) = hits.parse::<u64>() else {
        return Err(element.refuse("hits as a count", format!("{hits:?}")).into());
    };
    // `condition-coverage="50% (1/2)"`.
    let ways = element.get("condition-coverage").and_then(|text| text.split_once('(')).and_then(|(_, rest)| rest.trim().strip_suffix(')'));
    let ways = ways.and_then(|text| text.split_once('/')).and_then(|(a, b)| Some((a.trim().parse().ok()?, b.trim().parse().ok()?)));
    let (taken, branches) = ways.unwrap_or((0, 0));
    Ok((number, Line { hits, branches, taken }))
}
