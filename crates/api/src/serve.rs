//! The listener: HTTP/1.1 with a limit on how long a request's head may take, and an orderly end.

use crate::{Settings, rest, router};
use axum::extract::ConnectInfo;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tower::ServiceExt as _;

const HEAD_TIME: Duration = Duration::from_secs(10);
/// A head beyond this is refused.
const HEAD_MAX: usize = 64 << 10;
/// What is under way at the end may take this long.
const END_TIME: Duration = Duration::from_secs(10);
const CONNECTIONS: usize = 4096;

/// Ready once the end has begun.
async fn over(ended: &mut watch::Receiver<bool>) {
    while !*ended.borrow_and_update() {
        if ended.changed().await.is_err() {
            return;
        }
    }
}

/// Serves until `shutdown` is ready, then ends what is under way.
///
/// # Errors
/// None after it has begun; a connection that fails is only that connection's end.
pub async fn serve(listener: TcpListener, settings: Settings, shutdown: impl Future<Output = ()>) -> std::io::Result<()> {
    let app = router(settings);
    let (end, ended) = watch::channel(false);
    let places = std::sync::Arc::new(tokio::sync::Semaphore::new(CONNECTIONS));
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            accepted = async {
                let place = places.clone().acquire_owned().await;
                (listener.accept().await, place)
            } => accepted,
            () = &mut shutdown => break,
        };
        let (Ok((stream, peer)), Ok(place)) = accepted else {
            // Out of descriptors, most likely: connections that end make room.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let _the_connection_works_without = stream.set_nodelay(true);
        let app = app.clone();
        let mut ended = ended.clone();
        tokio::spawn(async move {
            let service = tower::service_fn(move |mut request: http::Request<hyper::body::Incoming>| {
                request.extensions_mut().insert(ConnectInfo::<SocketAddr>(peer));
                app.clone().oneshot(rest::read_out(request))
            });
            let mut builder = hyper::server::conn::http1::Builder::new();
            builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME).max_buf_size(HEAD_MAX);
            let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service)));
            tokio::select! {
                _ = connection.as_mut() => {}
                () = over(&mut ended) => {
                    connection.as_mut().graceful_shutdown();
                    let _the_rest_is_cut = tokio::time::timeout(END_TIME, connection).await;
                }
            }
            drop(place);
        });
    }
    end.send_replace(true);
    drop(listener);
    // Every connection holds a place; all of them back means all have ended.
    let all = u32::try_from(CONNECTIONS).unwrap_or(u32::MAX);
    let _what_goes_on_is_cut = tokio::time::timeout(END_TIME, places.acquire_many(all)).await;
    Ok(())
}
