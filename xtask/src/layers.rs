//! Prints the crates floor by floor, each with what it stands on; a picture of what `tidy` enforces.

use crate::tidy::{dependencies, own};
use crate::tree::Tree;
use anyhow::Result;
use std::collections::BTreeMap;
use std::path::Path;

pub fn run(root: &Path) -> Result<bool> {
    let tree = Tree::load(root)?;
    let mut graph: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, text) in tree.under("", &["Cargo.toml"]) {
        let Some(name) = path.strip_prefix("crates/").or(Some(path)).and_then(|rest| rest.strip_suffix("/Cargo.toml")) else { continue };
        if name.contains('/') {
            continue;
        }
        let below = dependencies(text).into_iter().filter(|(_, section, _)| *section == "dependencies");
        graph.insert(name.to_owned(), below.filter_map(|(_, _, package)| own(&package).map(str::to_owned)).collect());
    }
    let mut heights: Vec<(usize, &String)> = graph.keys().map(|name| (height(&graph, name, 0), name)).collect();
    heights.sort();
    for (height, name) in heights {
        println!("{height} {name:10} {}", graph[name].join(" "));
    }
    Ok(true)
}

/// The longest way down. Cargo itself refuses cycles; the depth only keeps a broken tree from hanging this.
fn height(graph: &BTreeMap<String, Vec<String>>, name: &str, depth: usize) -> usize {
    let below = graph.get(name).map_or(&[][..], Vec::as_slice);
    if depth > graph.len() {
        return 0;
    }
    below.iter().map(|below| height(graph, below, depth + 1) + 1).max().unwrap_or(0)
}
