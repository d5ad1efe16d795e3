//! `gradle.lockfile`: `group:artifact:version=configuration,…`.

use super::{Format, Inventory, ReadError, file_name, utf8};
use crate::sbom::component::{Component, Ecosystem, Scope};

pub const FORMAT: Format = Format {
    name: "gradle.lockfile",
    takes: |path| {
        let name = file_name(path);
        name == "gradle.lockfile" || name == "buildscript-gradle.lockfile"
    },
    read,
};

fn read(bytes: &[u8]) -> Result<Inventory, ReadError> {
    let mut inventory = Inventory::default();
    for (number, line) in utf8(bytes)?.lines().enumerate().map(|(index, line)| (index + 1, line.trim())) {
        if line.is_empty() || line.starts_with('#') || line.starts_with("empty=") {
            continue;
        }
        let wrong = || ReadError::at(number, "expected `group:artifact:version=configurations`");
        let (coordinates, configurations) = line.split_once('=').ok_or_else(wrong)?;
        let parts: Vec<&str> = coordinates.split(':').collect();
        let [group, artifact, version] = parts.as_slice() else { return Err(wrong()) };
        let mut component = Component::new(Ecosystem::Maven, format!("{group}:{artifact}"), Some(version));
        component.line = u32::try_from(number).ok();
        component.scope = scope(configurations);
        inventory.add(component);
    }
    Ok(inventory)
}

/// Shipped is what a runtime class path has. `testRuntimeClasspath` and annotation processors are not shipped.
fn scope(configurations: &str) -> Scope {
    let shipped = configurations.split(',').any(|one| {
        let lower = one.trim().to_ascii_lowercase();
        lower.ends_with("classpath") && !lower.contains("test") && lower != "classpath"
    });
    if shipped { Scope::Required } else { Scope::Excluded }
}
