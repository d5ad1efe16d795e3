//! `storefront serve`. PORT (0: any) and ORDERS_URL come from the environment.

use std::future::IntoFuture;
use std::process::ExitCode;
use std::time::Duration;
use storefront::{pages, upstream::Orders};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Requests in flight at SIGTERM get this long to end.
const DRAIN: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    if !std::env::args().skip(1).eq(["serve".to_owned()]) {
        eprintln!("usage: storefront serve   (environment: PORT, ORDERS_URL)");
        return ExitCode::from(2);
    }
    serve().unwrap_or_else(|failure| {
        eprintln!("storefront: {failure}");
        ExitCode::from(3)
    })
}

#[tokio::main(worker_threads = 2)]
async fn serve() -> Result<ExitCode, Failure> {
    let orders = std::env::var("ORDERS_URL").map_err(|_| "ORDERS_URL is not set: the address of the orders service")?;
    let port: u16 = std::env::var("PORT").unwrap_or_else(|_| "8080".to_owned()).parse()?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("{}", serde_json::json!({"listening": listener.local_addr()?.to_string()}));
    let mut term = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server =
        axum::serve(listener, pages::router(Orders::at(&orders))).with_graceful_shutdown(async move { drop(stopped.await) }).into_future();
    let server = tokio::spawn(server);
    tokio::select! { _ = term.recv() => {}, _ = interrupt.recv() => {} }
    drop(stop);
    tokio::time::timeout(DRAIN, server).await???;
    Ok(ExitCode::SUCCESS)
}
