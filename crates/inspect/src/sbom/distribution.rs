//! Which release of which distribution packages belong to: `os-release` (freedesktop.org), read beside a package database.

use super::component::Ecosystem;
use super::lock::Inventory;
use std::collections::HashMap;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distribution {
    /// `ID`, such as `debian`.
    pub id: String,
    /// `VERSION_ID`, such as `12` or `3.20.1`; empty for rolling ones.
    pub version: String,
}

impl Distribution {
    /// Reads `os-release`; None where it has no ID.
    pub fn read(text: &str) -> Option<Self> {
        let value = |key: &str| {
            let line = text.lines().find_map(|line| line.trim().strip_prefix(key)?.strip_prefix('='))?;
            Some(line.trim_matches(['"', '\'']).to_owned())
        };
        let id = value("ID")
            .filter(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')))?;
        Some(Self { id, version: value("VERSION_ID").unwrap_or_default() })
    }
    /// Gives packages of Debian's and Alpine's kind their distribution: ecosystem, release and purl follow from it.
    pub fn place(&self, inventory: Inventory) -> Inventory {
        let mut renamed: HashMap<String, String> = HashMap::new();
        let mut components = inventory.components;
        for component in &mut components {
            if !matches!(component.ecosystem, Ecosystem::Debian | Ecosystem::Alpine) || component.release.is_some() {
                continue;
            }
            let Some(mut purl) = component.purl.take() else { continue };
            purl.namespace.clone_from(&self.id);
            let label = if self.version.is_empty() { self.id.clone() } else { format!("{}-{}", self.id, self.version) };
            let purl = purl.with("distro", &label);
            let (ecosystem, _, release) = purl.package();
            component.ecosystem = match self.id.as_str() {
                "debian" | "ubuntu" | "alpine" => ecosystem,
                // Derived distributions have versions of their own: advisories for Debian would mislead.
                _ => Ecosystem::Other,
            };
            component.release = release.filter(|_| component.ecosystem != Ecosystem::Other);
            let reference = purl.to_string();
            renamed.insert(std::mem::replace(&mut component.reference, reference.clone()), reference);
            component.purl = Some(purl);
        }
        let mut placed = Inventory { graph: inventory.graph, unresolved: inventory.unresolved, ..Inventory::default() };
        let rename = |reference: String| renamed.get(&reference).cloned().unwrap_or(reference);
        placed.direct = inventory.direct.into_iter().map(rename).collect();
        for mut component in components {
            component.dependencies = component.dependencies.into_iter().map(rename).collect();
            placed.add(component);
        }
        placed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_get_their_release() {
        let status = b"Package: a\nVersion: 1\nDepends: b\n\nPackage: b\nVersion: 2\n";
        let read = |os: &str| {
            let inventory = super::super::lock::read("var/lib/dpkg/status", status).expect("a format").expect("a status");
            let placed = Distribution::read(os).expect("os-release").place(inventory);
            let first = placed.components[0].clone();
            assert!(placed.get(&first.dependencies[0]).is_some(), "references follow");
            (first.ecosystem, first.release, first.reference)
        };
        let debian = read("PRETTY_NAME=\"Debian\"\nID=debian\nVERSION_ID=\"12\"\n");
        assert_eq!(debian, (Ecosystem::Debian, Some("12".into()), "pkg:deb/debian/a@1?distro=debian-12".into()));
        assert_eq!(read("ID=ubuntu\nVERSION_ID=\"24.04\"").1, Some("24.04".into()));
        assert_eq!(read("ID=kali\nVERSION_ID=2024").0, Ecosystem::Other);
        assert_eq!(read("ID=debian").1, None);
        assert_eq!(Distribution::read("NAME=x"), None);
    }
}
