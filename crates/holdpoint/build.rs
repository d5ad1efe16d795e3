//! Puts the pages of refusal codes and the JSON Schemas into the binary.

use std::fmt::Write as _;
use std::path::Path;

fn main() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let mut code = String::new();
    for (name, folder, extension) in [("REFUSALS", "refusals", "md"), ("SCHEMAS", "schemas", "json")] {
        let folder = docs.join(folder);
        println!("cargo:rerun-if-changed={}", folder.display());
        let mut files: Vec<_> = std::fs::read_dir(&folder)
            .map(|entries| {
                entries
                    .filter_map(|entry| Some(entry.ok()?.path()))
                    .filter(|path| path.extension().is_some_and(|found| found == extension))
                    .collect()
            })
            .unwrap_or_default();
        files.sort();
        writeln!(code, "/// By name.\npub const {name}: &[(&str, &str)] = &[").expect("a string takes text");
        for file in files {
            println!("cargo:rerun-if-changed={}", file.display());
            let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            writeln!(code, "    ({stem:?}, include_str!({:?})),", file.display().to_string()).expect("a string takes text");
        }
        code.push_str("];\n");
    }
    let out = std::env::var("OUT_DIR").expect("cargo sets it");
    std::fs::write(Path::new(&out).join("pages.rs"), code).expect("the build folder is writable");
}
