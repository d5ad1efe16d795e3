//! One file a noun; each command is a struct of its arguments and a function that runs it.

pub mod account;
pub mod apply;
pub mod artifact;
pub mod build;
pub mod compat;
pub mod coverage;
pub mod demo;
pub mod doctor;
pub mod evidence;
pub mod explain;
pub mod freeze;
pub mod gate;
pub mod init;
pub mod ledger;
pub mod migration;
pub mod offline;
pub mod release;
pub mod runs;
pub mod sbom;
pub mod scan;
pub mod serve;
pub mod test;
pub mod waiver;

use crate::Command;
use crate::client::Connection;
use crate::out::{Code, Out};

/// What every command ends with.
pub type Ended = anyhow::Result<Code>;

/// Runs a command.
pub fn run(command: Command, out: &Out, connection: &Connection) -> Ended {
    match command {
        Command::Serve(args) => args.run(out),
        Command::Worker(args) => args.run(connection),
        Command::Proxy(args) => args.run(),
        Command::Shim(args) => args.run(),
        #[cfg(debug_assertions)]
        Command::KillPoints => {
            println!("{}", holdpoint_engine::KILL_POINTS.join("\n"));
            Ok(Code::Done)
        }
        Command::Rebuild(args) => args.run(out),
        Command::Init(args) => args.run(out),
        Command::Apply(args) => args.run(out, connection),
        Command::Demo(args) => args.run(out),
        Command::Doctor(args) => args.run(out, connection),
        Command::Login(args) => args.run(out, connection),
        Command::Token(args) => args.run(out, connection),
        Command::Person(args) => args.run(out, connection),
        Command::Artifact(args) => args.run(out, connection),
        Command::Build(args) => args.run(out, connection),
        Command::Release(args) => args.run(out, connection),
        Command::Gate(args) => args.run(out, connection),
        Command::Freeze(args) => args.run(out, connection),
        Command::Evidence(args) => args.run(out, connection),
        Command::Advisories(args) => args.run(out, connection),
        Command::Waiver(args) => args.run(out, connection),
        Command::Ledger(args) => args.run(out, connection),
        Command::Verify(args) => args.run(out),
        Command::Canary(args) => args.run(out),
        Command::Calendar(args) => args.run(out),
        Command::Test(args) => args.run(out),
        Command::Coverage(args) => args.run(out),
        Command::Sbom(args) => args.run(out),
        Command::Compat(args) => args.run(out),
        Command::Migration(args) => args.run(out),
        Command::Scan(args) => args.run(out),
        Command::Explain(args) => args.run(out),
        Command::Schema(args) => args.run(out),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Command::tree(), "holdpoint", &mut std::io::stdout());
            Ok(Code::Done)
        }
        Command::Man { folder } => {
            std::fs::create_dir_all(&folder)?;
            clap_mangen::generate_to(Command::tree(), &folder)?;
            Ok(Code::Done)
        }
    }
}
