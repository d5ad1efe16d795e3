//! The page is embedded from `web/dist`. Where it was not built, a placeholder says how to.

use std::path::Path;

const PLACEHOLDER: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Holdpoint</title>\
<p>The page was not built when this program was. Build it with <code>npm ci &amp;&amp; npm run build</code> in <code>web</code>, then build the program again.</p></html>\n";

fn main() {
    let dist = Path::new("../../web/dist");
    if !dist.join("index.html").exists() {
        let made = std::fs::create_dir_all(dist).and_then(|()| std::fs::write(dist.join("index.html"), PLACEHOLDER));
        if let Err(why) = made {
            println!("cargo::warning=no placeholder for the page: {why}");
        }
    }
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=../../web/dist");
}
