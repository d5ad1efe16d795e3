//! The shim alone, for the tests of this crate: `shim --dir DIR`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    match &arguments[..] {
        [flag, dir] if flag == "--dir" => holdpoint_executors::process::shim::run(dir.as_ref()),
        _ => ExitCode::from(2),
    }
}
