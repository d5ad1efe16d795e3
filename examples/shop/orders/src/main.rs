//! `orders serve | migrate [--check]`. PORT (0: any) and DATABASE (a path) come from the environment.

use orders::{migrations, store::Store, web};
use std::future::IntoFuture;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Requests in flight at SIGTERM get this long to end.
const DRAIN: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["serve"] => serve(),
        ["migrate"] => migrate(),
        ["migrate", "--check"] => check(),
        _ => {
            eprintln!("usage: orders serve | migrate [--check]   (environment: PORT, DATABASE)");
            return ExitCode::from(2);
        }
    };
    done.unwrap_or_else(|failure| {
        eprintln!("orders: {failure}");
        ExitCode::from(3)
    })
}

fn database() -> PathBuf {
    std::env::var_os("DATABASE").unwrap_or_else(|| "orders.db".into()).into()
}

fn migrate() -> Result<ExitCode, Failure> {
    let mut connection = migrations::open(&database())?;
    let applied = migrations::migrate(&mut connection)?;
    println!("{}", serde_json::json!({"applied": applied}));
    Ok(ExitCode::SUCCESS)
}

/// Exit code 0: nothing to do. 1: `migrate` has to run.
fn check() -> Result<ExitCode, Failure> {
    let missing = migrations::missing(&database())?;
    println!("{}", serde_json::json!({"missing": missing}));
    Ok(if missing.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

#[tokio::main(worker_threads = 2)]
async fn serve() -> Result<ExitCode, Failure> {
    let store = Store::open(&database()).map_err(|error| error.to_string())?;
    let port: u16 = std::env::var("PORT").unwrap_or_else(|_| "8081".to_owned()).parse()?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("{}", serde_json::json!({"listening": listener.local_addr()?.to_string()}));
    let mut term = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server =
        axum::serve(listener, web::router(Arc::new(store))).with_graceful_shutdown(async move { drop(stopped.await) }).into_future();
    let server = tokio::spawn(server);
    tokio::select! { _ = term.recv() => {}, _ = interrupt.recv() => {} }
    drop(stop);
    tokio::time::timeout(DRAIN, server).await???;
    Ok(ExitCode::SUCCESS)
}
