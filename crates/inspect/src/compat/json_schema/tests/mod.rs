//! Cases with known answers, random pairs held against another validator, and hostile input.
//!
//! The other validator is the `jsonschema` crate: it confirms every witness, and looks for what contradicts "compatible".

mod cases;
mod hostile;
mod random;

use super::*;
use serde_json::Value as Json;

fn given<'a>(name: &'a str, bytes: &'a [u8]) -> Given<'a> {
    Given { name, uri: None, bytes }
}

fn side<'a>(name: &'a str, bytes: &'a [u8]) -> Side<'a> {
    Side { schema: given(name, bytes), resources: Vec::new() }
}

/// Compares in a thread with room for deep schemas: what is built without optimisation takes more stack.
fn compared(base: &str, revision: &str, options: Options) -> Result<Report, ReadError> {
    let (base, revision) = (base.to_owned(), revision.to_owned());
    let work = move || compare(&side("base.json", base.as_bytes()), &side("revision.json", revision.as_bytes()), &options);
    std::thread::Builder::new().stack_size(256 << 20).spawn(work).unwrap().join().unwrap()
}

fn validator(schema: &Json, draft: Draft) -> jsonschema::Validator {
    let draft = match draft {
        Draft::Draft4 => jsonschema::Draft::Draft4,
        Draft::Draft6 => jsonschema::Draft::Draft6,
        Draft::Draft7 => jsonschema::Draft::Draft7,
        Draft::Draft2019 => jsonschema::Draft::Draft201909,
        Draft::Draft2020 => jsonschema::Draft::Draft202012,
    };
    jsonschema::options()
        .with_draft(draft)
        .should_validate_formats(false)
        .build(schema)
        .unwrap_or_else(|why| panic!("the other validator does not take {schema}: {why}"))
}

/// Holds every witness of a report against the other validator.
fn confirm(base: &Json, revision: &Json, draft: Draft, report: &Report) {
    let (base_validator, revision_validator) = (validator(base, draft), validator(revision, draft));
    for finding in &report.findings {
        let Some(witness) = finding.more.get("witness") else { continue };
        let backward = finding.more.get("direction") == Some(&Json::from("backward"));
        let (writer, reader) = if backward { (&base_validator, &revision_validator) } else { (&revision_validator, &base_validator) };
        assert!(writer.is_valid(witness), "the writer refuses {witness}\nbase {base}\nrevision {revision}\n{finding:?}");
        assert!(!reader.is_valid(witness), "the reader takes {witness}\nbase {base}\nrevision {revision}\n{finding:?}");
    }
}
