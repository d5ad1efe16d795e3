//! Pairs of Avro schemas, one JSON list `[reader, writer]` a line; says `compatible` or `breaking`, or `unreadable`, for each.

use holdpoint_inspect::compat::{avro, verdict};
use std::io::BufRead as _;

fn main() -> std::io::Result<()> {
    for line in std::io::stdin().lock().lines() {
        let [reader, writer]: [serde_json::Value; 2] = serde_json::from_str(&line?)?;
        let read = |value: &serde_json::Value| avro::read("schema", value.to_string().as_bytes());
        match (read(&reader), read(&writer)) {
            (Ok(reader), Ok(writer)) => println!("{}", verdict(&avro::reads(&reader, &writer))),
            (Err(why), _) | (_, Err(why)) => println!("unreadable {why}"),
        }
    }
    Ok(())
}
