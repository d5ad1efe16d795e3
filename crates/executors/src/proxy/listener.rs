//! Accepting connections, bounding them, and ending them in an orderly way.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use nix::sys::socket::{setsockopt, sockopt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::guard::Guarded;
use super::routes::Route;
use super::{Limits, Shared, admin, forward};

const ADMIN_CONNECTIONS: usize = 64;

/// What a route's listener serves.
#[derive(Clone)]
pub(crate) struct Front {
    pub(crate) shared: Arc<Shared>,
    pub(crate) route: Arc<Route>,
}

pub(crate) async fn serve_route(listener: TcpListener, front: Front, permits: Arc<Semaphore>, stopped: watch::Receiver<bool>) {
    let limits = front.shared.limits.clone();
    let server = server(&limits);
    let serve = move |stream: TcpStream, peer: SocketAddr, stopped| {
        prepare(&stream, &limits);
        let (guarded, ambiguity) = Guarded::new(stream, limits.header_bytes);
        let front = front.clone();
        let client = canonical(peer.ip());
        let service = service_fn(move |request: Request<Incoming>| {
            let front = front.clone();
            let ambiguous = ambiguity.is_raised();
            async move {
                let Front { shared, route } = &front;
                Ok::<_, Infallible>(forward::handle(&shared.limits, route, client, ambiguous, request).await)
            }
        });
        connection(server.clone(), guarded, service, stopped)
    };
    accept(listener, permits, stopped, serve).await;
}

pub(crate) async fn serve_admin(listener: TcpListener, shared: Arc<Shared>, stopped: watch::Receiver<bool>) {
    let server = server(&shared.limits);
    let permits = Arc::new(Semaphore::new(ADMIN_CONNECTIONS));
    let serve = move |stream: TcpStream, _, stopped| {
        prepare(&stream, &shared.limits);
        let shared = shared.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let shared = shared.clone();
            async move { Ok::<_, Infallible>(admin::handle(&shared, request).await) }
        });
        connection(server.clone(), stream, service, stopped)
    };
    accept(listener, permits, stopped, serve).await;
}

/// Drops idle connections to backends that have outlived their time.
pub(crate) async fn trim_pools(shared: Arc<Shared>, mut stopped: watch::Receiver<bool>) {
    let mut every = tokio::time::interval(Duration::from_secs(5));
    loop {
        tokio::select! {
            _ = every.tick() => {}
            () = told_to_stop(&mut stopped) => return,
        }
        for route in shared.routes.values() {
            for upstream in route.upstreams() {
                upstream.trim(&shared.limits);
            }
        }
    }
}

async fn told_to_stop(stopped: &mut watch::Receiver<bool>) {
    // An error means that the proxy itself is gone, which is a reason to stop, too.
    let _ = stopped.wait_for(|stop| *stop).await;
}

async fn accept<S, F>(listener: TcpListener, permits: Arc<Semaphore>, mut stopped: watch::Receiver<bool>, serve: S)
where
    S: Fn(TcpStream, SocketAddr, watch::Receiver<bool>) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let next = async {
            let permit = permits.clone().acquire_owned().await;
            (listener.accept().await, permit)
        };
        let (accepted, permit) = tokio::select! {
            next = next => next,
            () = told_to_stop(&mut stopped) => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let served = serve(stream, peer, stopped.clone());
                connections.spawn(async move {
                    served.await;
                    drop(permit);
                });
            }
            Err(error) => {
                // Out of descriptors, mostly: accepting at once again would only spin.
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn connection<T, S, B>(server: http1::Builder, stream: T, service: S, mut stopped: watch::Receiver<bool>)
where
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    S: hyper::service::Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    B: Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut connection = pin!(server.serve_connection(TokioIo::new(stream), service).with_upgrades());
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = told_to_stop(&mut stopped) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a client connection ended early");
    }
}

fn server(limits: &Limits) -> http1::Builder {
    let mut server = http1::Builder::new();
    server
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_header_size(limits.header_bytes)
        .max_buf_size(limits.header_bytes.max(8 * 1024) + 32 * 1024);
    server
}

/// Small answers are not held back; a client that neither reads nor answers is given up after the request timeout.
fn prepare(stream: &TcpStream, limits: &Limits) {
    let give_up_ms = u32::try_from(limits.request_timeout.as_millis()).unwrap_or(u32::MAX);
    let set = stream.set_nodelay(true).is_ok()
        & setsockopt(stream, sockopt::KeepAlive, &true).is_ok()
        & setsockopt(stream, sockopt::TcpUserTimeout, &give_up_ms).is_ok();
    if !set {
        tracing::debug!("a socket option was not accepted");
    }
}

/// `::ffff:1.2.3.4` is 1.2.3.4.
fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}
