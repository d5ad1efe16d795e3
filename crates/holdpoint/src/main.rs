//! The binary: reads arguments, wires everything, and turns what happened into words and an exit code.
//!
//! Exit codes: 0 done, nothing that blocks; 1 a finding, a shut gate, a refusal; 2 input that cannot be read; 3 the server
//! is unreachable or broke; 4 not authorised; 5 it may or may not have happened.

mod client;
mod commands;
mod demo;
mod judged;
mod out;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Parser)]
#[command(
    name = "holdpoint",
    version,
    about = "Release management that can be proved",
    after_help = "Begin with:\n  holdpoint serve                     a server with everything in one process\n  holdpoint init                      files that release a service of yours\n  holdpoint gate explain REL ENV      why is this blocked?\n  holdpoint explain CODE              what a refusal means\n"
)]
struct Cli {
    /// Print one JSON object on standard output instead of text.
    #[arg(long, global = true)]
    json: bool,
    /// Address of the server; otherwise HOLDPOINT_SERVER, otherwise what `holdpoint login` remembered.
    #[arg(long, global = true, value_name = "URL")]
    server: Option<String>,
    /// File that holds your token; otherwise HOLDPOINT_TOKEN_FILE, otherwise what `holdpoint login` remembered.
    #[arg(long, global = true, value_name = "FILE")]
    token_file: Option<std::path::PathBuf>,
    /// Ask nothing; what would be asked is refused.
    #[arg(long, global = true, env = "HOLDPOINT_NO_INPUT", value_parser = clap::builder::FalseyValueParser::new())]
    no_input: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the server: API, page, engine, and a worker of its own.
    Serve(commands::serve::Serve),
    /// Runs a worker that takes steps from a server.
    Worker(commands::serve::WorkerArgs),
    /// Runs the reverse proxy that splits traffic between versions.
    Proxy(commands::serve::ProxyArgs),
    #[command(hide = true)]
    Shim(commands::serve::ShimArgs),
    /// The names at which a test can end a process, one a line (see `holdpoint_store::kill`).
    #[cfg(debug_assertions)]
    #[command(hide = true)]
    KillPoints,
    /// Writes the files that release a service: at most 20 lines.
    Init(commands::init::Init),
    /// Shows what an organisation folder changes, then applies it.
    Apply(commands::apply::Apply),
    /// A shop released three times: approved, promoted, rolled back.
    Demo(commands::demo::Demo),
    /// Looks at this machine and at a server, and says what is missing.
    Doctor(commands::doctor::Doctor),
    /// Signs in and remembers a token.
    Login(commands::account::Login),
    /// Personal and service tokens.
    #[command(subcommand)]
    Token(commands::account::Token),
    /// One-time links for people.
    #[command(subcommand)]
    Person(commands::account::Person),
    /// Uploads a file and prints its digest.
    #[command(subcommand)]
    Artifact(commands::artifact::Artifact),
    /// Builds a component from a commit, with provenance.
    #[command(subcommand)]
    Build(commands::build::Build),
    /// Releases: make, look at, approve, promote, roll back.
    #[command(subcommand)]
    Release(commands::release::Release),
    /// What is open, what is shut and why.
    #[command(subcommand)]
    Gate(commands::gate::Gate),
    /// Times in which nothing goes forward.
    #[command(subcommand)]
    Freeze(commands::freeze::Freeze),
    /// Evidence: add, sign, look at, verify.
    #[command(subcommand)]
    Evidence(commands::evidence::Evidence),
    /// Known weaknesses that the server judges by.
    #[command(subcommand)]
    Advisories(commands::waiver::Advisories),
    /// Weaknesses that somebody bears for a while.
    #[command(subcommand)]
    Waiver(commands::waiver::Waiver),
    /// The ledger: export, prove, verify.
    #[command(subcommand)]
    Ledger(commands::ledger::Ledger),
    /// Verifies a dossier offline; trusts the root key only.
    Verify(commands::ledger::Verify),
    /// Folds all facts anew and compares with what is stored.
    Rebuild(commands::serve::Rebuild),
    /// Compares a canary with its baseline from two series.
    #[command(subcommand)]
    Canary(commands::offline::Canary),
    /// Recurring dates and windows.
    #[command(subcommand)]
    Calendar(commands::offline::Calendar),
    /// Test reports.
    #[command(subcommand)]
    Test(commands::test::Test),
    /// Coverage of what is released.
    #[command(subcommand)]
    Coverage(commands::coverage::Coverage),
    /// Whether those who use a contract can live with its next version.
    #[command(subcommand)]
    Compat(commands::compat::Compat),
    /// Migrations of a database.
    #[command(subcommand)]
    Migration(commands::migration::Migration),
    /// Software bills of materials: written from lock files, validated.
    #[command(subcommand)]
    Sbom(commands::sbom::Sbom),
    /// What is wrong in what we ship.
    #[command(subcommand)]
    Scan(commands::scan::Scan),
    /// What a refusal code means and what unblocks it.
    Explain(commands::explain::Explain),
    /// The JSON Schema of an output or of a file.
    Schema(commands::explain::Schema),
    /// Completions for your shell.
    Completions { shell: clap_complete::Shell },
    /// Writes manual pages into a folder.
    Man { folder: std::path::PathBuf },
}

fn main() -> ExitCode {
    // The one TLS provider, before anything may connect.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        eprintln!("holdpoint: another TLS provider is installed already");
        return ExitCode::from(3);
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(why) => {
            let usage = why.use_stderr();
            // Help and version are no errors.
            if why.print().is_err() || usage {
                return ExitCode::from(if usage { 2 } else { 3 });
            }
            return ExitCode::SUCCESS;
        }
    };
    let out = out::Out { json: cli.json, input: !cli.no_input };
    let connection = client::Connection { server: cli.server, token_file: cli.token_file };
    match commands::run(cli.command, &out, &connection) {
        Ok(code) => code.into(),
        Err(why) => out.fail(&why),
    }
}

impl Command {
    /// The command tree, for completions and manual pages.
    fn tree() -> clap::Command {
        <Cli as clap::CommandFactory>::command()
    }
}
