//! JaCoCo's XML report (`report.dtd`): instructions and branches of each line of a source file, missed and covered.

use super::{Coverage, CoverageError, Line, Lines};
use crate::xml::{Node, Walker};

pub fn read(mut walker: Walker<'_>) -> Result<Coverage, CoverageError> {
    let mut coverage = Coverage::default();
    let mut package = String::new();
    let mut file: Option<(String, Lines)> = None;
    let mut seen = false;
    loop {
        match walker.step()? {
            Node::Start(element) => match element.name {
                "package" => {
                    package = element.text("name").to_owned();
                    seen = true;
                }
                "sourcefile" => {
                    let name = element.need("name")?;
                    file = Some((if package.is_empty() { name.to_owned() } else { format!("{package}/{name}") }, Lines::new()));
                }
                "line" => {
                    let Some((_, lines)) = &mut file else {
                        return Err(element.refuse("a line in a sourcefile", "a line elsewhere").into());
                    };
                    let Some(number) = element.count("nr")?.filter(|n| *n > 0) else {
                        return Err(element.refuse("a line with nr from 1", "none").into());
                    };
                    let count = |name: &str| element.count(name).map(Option::unwrap_or_default);
                    let (run, taken) = (count("ci")?, count("cb")?);
                    lines.insert(number, Line { hits: u64::from(run), branches: count("mb")?.saturating_add(taken), taken });
                }
                _ => {}
            },
            Node::Text(_) => {}
            Node::End("sourcefile") => {
                if let Some((path, lines)) = file.take() {
                    coverage.add(Coverage { files: [(path, lines)].into(), roots: Vec::new() });
                }
            }
            Node::End(_) => {}
            Node::Eof if seen => return Ok(coverage),
            Node::Eof => return Err(walker.refuse("packages of a JaCoCo report", "none").into()),
        }
    }
}
