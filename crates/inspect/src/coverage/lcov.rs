//! LCOV tracefiles (geninfo(1) of LCOV 1.x and 2.x): `SF`, `DA`, `BRDA`, and the counts that must agree.
//!
//! Functions, versions and conditions (`FN…`, `VER`, `MCDC`) are passed over: a changed line is judged by itself.

use super::{Coverage, CoverageError, Lines};

#[derive(Default)]
struct Record {
    path: String,
    lines: Lines,
    data: u64,
    /// Lines with hits, duplicates counted each time.
    declared: Option<u64>,
}

pub fn read(bytes: &[u8]) -> Result<Coverage, CoverageError> {
    let mut coverage = Coverage::default();
    let mut record: Option<Record> = None;
    let mut number = 0u32;
    let mut seen = false;
    for raw in bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).split(|byte| *byte == b'\n') {
        number = number.saturating_add(1);
        let text = String::from_utf8_lossy(raw);
        let text = text.trim_end_matches('\r').trim();
        let refuse = |expected: &str, found: &str| refusal(number, expected, found);
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        if text == "end_of_record" {
            let Some(done) = record.take() else { return Err(refuse("SF before end_of_record", "none")) };
            if let Some(declared) = done.declared
                && declared > done.data
            {
                return Err(refuse(&format!("the {declared} lines with DA that LF declares for {}", done.path), &done.data.to_string()));
            }
            coverage.add(Coverage { files: [(done.path, done.lines)].into(), roots: Vec::new() });
            continue;
        }
        let Some((tag, rest)) = text.split_once(':') else {
            return Err(refuse("an LCOV record (TAG:…) or end_of_record", text));
        };
        seen = true;
        match (tag, &mut record) {
            ("TN", None) => {}
            ("SF", None) if rest.is_empty() => return Err(refuse("a path after SF", "none")),
            ("SF", None) => record = Some(Record { path: rest.to_owned(), ..Record::default() }),
            ("SF" | "TN", Some(open)) => return Err(refuse(&format!("end_of_record of {}", open.path), tag)),
            ("DA" | "BRDA" | "LF", None) => return Err(refuse(&format!("SF before {tag}"), "none")),
            ("DA", Some(open)) => line(open, rest).map_err(|expected| refuse(expected, text))?,
            ("BRDA", Some(open)) => branch(open, rest).map_err(|expected| refuse(expected, text))?,
            ("LF", Some(open)) => open.declared = Some(rest.trim().parse().map_err(|_| refuse("a count after LF", rest))?),
            (tag, _) if !tag.is_empty() && tag.bytes().all(|byte| byte.is_ascii_uppercase()) => {}
            _ => return Err(refuse("an LCOV record (SF, DA, BRDA …)", text)),
        }
    }
    if let Some(open) = record {
        return Err(refusal(number, &format!("end_of_record of {}", open.path), "the end of the file"));
    }
    if !seen {
        return Err(refusal(number, "an LCOV, Cobertura or JaCoCo report", "an empty file"));
    }
    Ok(coverage)
}

fn refusal(line: u32, expected: &str, found: &str) -> CoverageError {
    let found = if found.chars().count() > 80 { format!("{}…", found.chars().take(80).collect::<String>()) } else { found.to_owned() };
    CoverageError::Shape { line, expected: expected.to_owned(), found }
}

/// `DA:<line>,<hits>[,<checksum>]`.
fn line(record: &mut Record, rest: &str) -> Result<(), &'static str> {
    const FORM: &str = "DA:<line from 1>,<hits>";
    let mut parts = rest.split(',');
    let number: u32 = parts.next().and_then(|text| text.trim().parse().ok()).filter(|n| *n > 0).ok_or(FORM)?;
    let hits = parts.next().and_then(count).ok_or(FORM)?;
    let line = record.lines.entry(number).or_default();
    line.hits = line.hits.saturating_add(hits);
    record.data += 1;
    Ok(())
}

/// `BRDA:<line>,<block>,<branch>,<taken or ->`.
fn branch(record: &mut Record, rest: &str) -> Result<(), &'static str> {
    const FORM: &str = "BRDA:<line from 1>,<block>,<branch>,<taken or ->";
    let (number, rest) = rest.split_once(',').ok_or(FORM)?;
    let number: u32 = number.trim().parse().ok().filter(|n| *n > 0).ok_or(FORM)?;
    let (_, taken) = rest.rsplit_once(',').ok_or(FORM)?;
    let taken = match taken.trim() {
        "-" => 0,
        text => count(text).ok_or(FORM)?,
    };
    // The DA of a line may come after its BRDA: the entry exists, and its hits are added later. Without a DA it did not run.
    let line = record.lines.entry(number).or_default();
    line.branches = line.branches.saturating_add(1);
    line.taken = line.taken.saturating_add(u32::from(taken > 0));
    Ok(())
}

/// Some writers print large counts as doubles.
fn count(text: &str) -> Option<u64> {
    let text = text.trim();
    text.parse().ok().or_else(|| text.parse::<f64>().ok().filter(|hits| hits.is_finite() && *hits >= 0.0).map(|hits| hits as u64))
}
