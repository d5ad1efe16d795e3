//! dpkg's database of installed packages, `/var/lib/dpkg/status` and `status.d/*` of distroless images.
//!
//! Which release of which distribution it is, the file does not say: see [`super::super::distribution`].

use super::{Format, Inventory, ReadError, utf8};
use crate::sbom::component::{Component, Ecosystem};
use std::collections::HashMap;

pub const FORMAT: Format = Format {
    name: "dpkg status",
    takes: |path| path == "status" || path.ends_with("dpkg/status") || (path.contains("dpkg/status.d/") && !path.ends_with(".md5sums")),
    read,
};

/// One paragraph: its first line's number and its fields, of which continuation lines are left out.
type Paragraph<'a> = (usize, HashMap<&'a str, &'a str>);

fn paragraphs(text: &str) -> Result<Vec<Paragraph<'_>>, ReadError> {
    let mut all: Vec<Paragraph> = Vec::new();
    let mut open = false;
    for (number, line) in text.lines().enumerate().map(|(index, line)| (index + 1, line)) {
        if line.trim().is_empty() {
            open = false;
        } else if !line.starts_with([' ', '\t']) {
            let (key, value) = line.split_once(':').ok_or_else(|| ReadError::at(number, "expected `Field: value`"))?;
            if !open {
                all.push((number, HashMap::new()));
                open = true;
            }
            if let Some((_, fields)) = all.last_mut() {
                fields.insert(key, value.trim());
            }
        }
    }
    Ok(all)
}

fn read(bytes: &[u8]) -> Result<Inventory, ReadError> {
    let mut inventory = Inventory { graph: true, ..Inventory::default() };
    let mut by_name: HashMap<String, String> = HashMap::new();
    let mut made = Vec::new();
    for (number, fields) in paragraphs(utf8(bytes)?)? {
        // Removed packages leave their configuration behind.
        if fields.get("Status").is_some_and(|status| !status.ends_with(" installed")) {
            continue;
        }
        let (Some(name), Some(version)) = (fields.get("Package"), fields.get("Version")) else {
            return Err(ReadError::at(number, "a paragraph without Package or Version"));
        };
        let mut component = Component::new(Ecosystem::Debian, *name, Some(version));
        component.line = u32::try_from(number).ok();
        component.source = fields.get("Source").map(|source| match source.split_once(" (") {
            Some((source, version)) => (source.to_owned(), version.trim_end_matches(')').to_owned()),
            None => ((*source).to_owned(), (*version).to_owned()),
        });
        let upstream = component.source.as_ref().map(|(name, own)| if own == version { name.clone() } else { format!("{name}@{own}") });
        component.purl = component.purl.map(|purl| {
            purl.with("arch", fields.get("Architecture").copied().unwrap_or_default())
                .with("upstream", upstream.as_deref().unwrap_or_default())
        });
        component.reference = component.purl.as_ref().map(ToString::to_string).unwrap_or_default();
        by_name.insert((*name).to_owned(), component.reference.clone());
        for provided in fields.get("Provides").into_iter().flat_map(|provides| provides.split(',')) {
            by_name.entry(package_name(provided).to_owned()).or_insert_with(|| component.reference.clone());
        }
        let needs = ["Pre-Depends", "Depends"].map(|field| fields.get(field).copied().unwrap_or_default());
        made.push((needs, component));
    }
    for (needs, mut component) in made {
        for group in needs.iter().flat_map(|needs| needs.split(',')) {
            // Of alternatives, the first that is installed.
            let found = group.split('|').find_map(|one| by_name.get(package_name(one)));
            if let Some(reference) = found.filter(|reference| **reference != component.reference)
                && !component.dependencies.contains(reference)
            {
                component.dependencies.push(reference.clone());
            }
        }
        inventory.add(component);
    }
    Ok(inventory)
}

/// `libc6:any (>= 2.34)` is `libc6`.
fn package_name(text: &str) -> &str {
    text.trim().split([' ', '(', ':']).next().unwrap_or_default()
}
