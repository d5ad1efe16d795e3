//! A program to be released, for the tests of this crate: answers `{"version": …}`, well or badly.
//!
//! `service serve PORT VERSION [slow-start MS | hang | crash]` · `service config FILE` (lines `port=…`, `version=…`)
//! · `service arguments …` (prints its arguments as JSON) · `service print HEX` (prints the bytes in two writes)

#![expect(clippy::disallowed_methods, reason = "a program of plain threads, made to be slow and to die")]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("serve") => serve(arguments[1].parse().unwrap(), &arguments[2], &arguments[3..]),
        Some("config") => {
            let text = std::fs::read_to_string(&arguments[1]).unwrap();
            let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)).unwrap().to_owned();
            serve(value("port=").parse().unwrap(), &value("version="), &[]);
        }
        Some("arguments") => println!("{}", serde_json::to_string(&arguments[1..]).unwrap()),
        Some("print") => {
            let bytes = hex::decode(&arguments[1]).unwrap();
            let (one, two) = bytes.split_at(bytes.len() / 2);
            for part in [one, two] {
                std::io::stdout().write_all(part).unwrap();
                std::io::stdout().flush().unwrap();
                std::thread::sleep(Duration::from_millis(150));
            }
        }
        other => panic!("unknown: {other:?}"),
    }
}

fn serve(port: u16, version: &str, mode: &[String]) {
    println!("version {version} on {port}");
    match mode.first().map(String::as_str) {
        Some("slow-start") => std::thread::sleep(Duration::from_millis(mode[1].parse().unwrap())),
        Some("crash") => std::process::exit(7),
        _ => {}
    }
    let hang = mode.first().is_some_and(|m| m == "hang");
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    for stream in listener.incoming().flatten() {
        let (mut stream, body) = (stream, format!("{{\"version\":\"{version}\"}}"));
        std::thread::spawn(move || {
            let _ = stream.read(&mut [0; 4096]);
            if hang {
                std::thread::sleep(Duration::from_secs(60));
            }
            let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
        });
    }
}
