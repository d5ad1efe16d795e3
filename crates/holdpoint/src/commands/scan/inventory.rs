//! What is scanned: CycloneDX and SPDX documents and lock files, one or several.

use crate::commands::sbom;
use crate::out::{BadInput, read};
use holdpoint_inspect::advisories::inventory::{self, Inventory};
use holdpoint_inspect::sbom::gather;
use std::path::PathBuf;

/// Reads all files into one inventory.
pub fn read_all(files: &[PathBuf]) -> anyhow::Result<Inventory> {
    let mut all = Inventory::default();
    for file in files {
        let name = file.display().to_string();
        if file.is_dir() || gather::wanted(&name) || name.ends_with(".tar") {
            all.components.append(&mut sbom::load(file)?.components);
            continue;
        }
        let bytes = read(file)?;
        let bad = |why: &dyn std::fmt::Display| BadInput(format!("{name}: {why}"));
        if !inventory::looks_like(&bytes) {
            return Err(bad(&"expected a CycloneDX or SPDX document (JSON), a lock file, a folder or an image").into());
        }
        let mut one = inventory::read(&bytes).map_err(|why| bad(&why))?;
        one.components.iter_mut().for_each(|component| component.file = Some(name.clone()));
        all.components.append(&mut one.components);
        all.product.append(&mut one.product);
    }
    Ok(all)
}
