//! apk's database of installed packages, `/lib/apk/db/installed`. Its checksums are of a part of the package only, and are not
//! told as the package's hash.

use super::{Format, Inventory, ReadError, utf8};
use crate::licenses;
use crate::sbom::component::{Component, Ecosystem};
use std::collections::HashMap;

pub const FORMAT: Format = Format { name: "apk installed", takes: |path| path == "installed" || path.ends_with("apk/db/installed"), read };

#[derive(Default)]
struct Record<'a> {
    line: usize,
    fields: HashMap<char, &'a str>,
}

fn records(text: &str) -> Result<Vec<Record<'_>>, ReadError> {
    let mut all: Vec<Record> = Vec::new();
    let mut open = false;
    for (number, line) in text.lines().enumerate().map(|(index, line)| (index + 1, line)) {
        if line.is_empty() {
            open = false;
            continue;
        }
        let mut letters = line.chars();
        let (Some(key), Some(':')) = (letters.next(), letters.next()) else {
            return Err(ReadError::at(number, "expected a letter, a colon and a value"));
        };
        if !open {
            all.push(Record { line: number, fields: HashMap::new() });
            open = true;
        }
        // Files and folders follow with letters of their own; only the package's count.
        if let Some(record) = all.last_mut().filter(|_| matches!(key, 'P' | 'V' | 'A' | 'L' | 'o' | 'D' | 'p')) {
            record.fields.entry(key).or_insert_with(|| letters.as_str());
        }
    }
    Ok(all)
}

fn read(bytes: &[u8]) -> Result<Inventory, ReadError> {
    let mut inventory = Inventory { graph: true, ..Inventory::default() };
    let mut by_name: HashMap<String, String> = HashMap::new();
    let mut made = Vec::new();
    for record in records(utf8(bytes)?)? {
        let (Some(name), Some(version)) = (record.fields.get(&'P'), record.fields.get(&'V')) else {
            return Err(ReadError::at(record.line, "a package without P: or V:"));
        };
        let mut component = Component::new(Ecosystem::Alpine, *name, Some(version));
        component.line = u32::try_from(record.line).ok();
        component.licences = record.fields.get(&'L').map(|text| licenses::declared(text)).into_iter().collect();
        let origin = record.fields.get(&'o').copied().filter(|origin| origin != name);
        component.source = origin.map(|origin| (origin.to_owned(), (*version).to_owned()));
        component.purl = component.purl.map(|purl| {
            purl.with("arch", record.fields.get(&'A').copied().unwrap_or_default()).with("upstream", origin.unwrap_or_default())
        });
        component.reference = component.purl.as_ref().map(ToString::to_string).unwrap_or_default();
        by_name.insert((*name).to_owned(), component.reference.clone());
        for provided in record.fields.get(&'p').into_iter().flat_map(|provided| provided.split_whitespace()) {
            by_name.entry(capability(provided).to_owned()).or_insert_with(|| component.reference.clone());
        }
        made.push((record.fields.get(&'D').copied().unwrap_or_default(), component));
    }
    for (needs, mut component) in made {
        for need in needs.split_whitespace().filter(|need| !need.starts_with('!')) {
            if let Some(reference) = by_name.get(capability(need)).filter(|reference| **reference != component.reference)
                && !component.dependencies.contains(reference)
            {
                component.dependencies.push(reference.clone());
            }
        }
        inventory.add(component);
    }
    Ok(inventory)
}

/// `so:libc.musl-x86_64.so.1=1` and `musl>=1.2` without their versions.
fn capability(text: &str) -> &str {
    text.split(['=', '<', '>', '~']).next().unwrap_or_default()
}
