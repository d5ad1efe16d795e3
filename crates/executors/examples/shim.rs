//! The shim alone, for the tests of this crate: `shim --dir DIR`.

fn main() {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    match &arguments[..] {
        [flag, dir] if flag == "--dir" => std::process::exit(holdpoint_executors::process::shim::run(dir.as_ref())),
        _ => std::process::exit(2),
    }
}
