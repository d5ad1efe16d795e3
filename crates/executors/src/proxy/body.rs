//! Bodies on their way through: nothing is buffered beyond what is in the hands of the two sockets.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::Sleep;

use super::counters::{Ending, Ticket};
use super::pool::{Connection, Occupied, clock_ms};

/// How the upload of a request fares; told to whoever waits for the response.
#[derive(Default)]
pub(crate) struct Upload {
    progress_ms: AtomicU64,
    awaits_client: AtomicBool,
    done: AtomicBool,
    failed: AtomicBool,
}

impl Upload {
    /// Time since the last frame went through.
    pub(crate) fn stalled_for(&self) -> Duration {
        Duration::from_millis(clock_ms().saturating_sub(self.progress_ms.load(Relaxed)))
    }

    /// Whether the next step is the client's.
    pub(crate) fn awaits_client(&self) -> bool {
        self.awaits_client.load(Acquire)
    }

    pub(crate) fn is_done(&self) -> bool {
        self.done.load(Acquire)
    }

    /// Whether the client broke off or sent a broken body.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed.load(Acquire)
    }
}

/// The body of a request.
pub(crate) enum UploadBody {
    Empty,
    Stream(Incoming, Arc<Upload>),
}

impl UploadBody {
    pub(crate) fn new(incoming: Incoming) -> (Self, Option<Arc<Upload>>) {
        if incoming.is_end_stream() {
            return (Self::Empty, None);
        }
        let upload = Arc::new(Upload::default());
        upload.progress_ms.store(clock_ms(), Relaxed);
        (Self::Stream(incoming, upload.clone()), Some(upload))
    }
}

impl Body for UploadBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Self::Stream(incoming, upload) = &mut *self else { return Poll::Ready(None) };
        let polled = Pin::new(&mut *incoming).poll_frame(cx);
        upload.awaits_client.store(polled.is_pending(), Release);
        match &polled {
            Poll::Pending => {}
            Poll::Ready(None) => upload.done.store(true, Release),
            Poll::Ready(Some(Ok(_))) => {
                upload.progress_ms.store(clock_ms(), Relaxed);
                if incoming.is_end_stream() {
                    upload.done.store(true, Release);
                }
            }
            Poll::Ready(Some(Err(_))) => upload.failed.store(true, Release),
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Stream(incoming, _) => incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Stream(incoming, _) => incoming.size_hint(),
        }
    }
}

/// Why a response broke off in the middle; the client sees a connection that ends too early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BrokenOff {
    #[error("the backend broke off")]
    Backend(#[from] hyper::Error),
    #[error("the backend stalled")]
    Stalled,
}

/// The body of a response: our own short text, or what a backend sends.
pub(crate) enum ResponseBody {
    Own(Full<Bytes>),
    Relayed(Box<Relayed>),
}

/// A backend's body with what is to be done when it ends.
pub(crate) struct Relayed {
    incoming: Incoming,
    status: u16,
    ticket: Ticket,
    occupied: Occupied,
    connection: Option<Connection>,
    upload: Option<Arc<Upload>>,
    stall: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    over: bool,
}

impl Relayed {
    pub(crate) fn new(
        incoming: Incoming,
        status: u16,
        ticket: Ticket,
        occupied: Occupied,
        connection: Connection,
        upload: Option<Arc<Upload>>,
        stall: Duration,
    ) -> Self {
        let connection = Some(connection);
        Self { incoming, status, ticket, occupied, connection, upload, stall, timer: None, over: false }
    }

    fn complete(&mut self) {
        if std::mem::replace(&mut self.over, true) {
            return;
        }
        self.ticket.settle(Ending::Answered(self.status));
        // A backend that answered before it had read the whole request leaves a connection in the middle of something.
        let uploaded = self.upload.as_ref().is_none_or(|upload| upload.is_done());
        if let (Some(connection), true) = (self.connection.take(), uploaded) {
            self.occupied.0.give_back(connection);
        }
    }

    fn broke(&mut self) {
        self.over = true;
        self.connection = None;
        // A client that stopped sending in mid-request makes the backend break off, too.
        if self.upload.as_ref().is_none_or(|upload| !upload.has_failed()) {
            self.ticket.settle(Ending::BackendFailed);
        }
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        match Pin::new(&mut self.incoming).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(timer) = &mut self.timer {
                    timer.as_mut().reset((Instant::now() + self.stall).into());
                }
                if self.incoming.is_end_stream() {
                    self.complete();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                self.broke();
                Poll::Ready(Some(Err(error.into())))
            }
            Poll::Ready(None) => {
                self.complete();
                Poll::Ready(None)
            }
            Poll::Pending => {
                // Most bodies never wait, so the timer is made only by those that do.
                let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(self.stall)));
                if timer.as_mut().poll(cx).is_ready() {
                    self.broke();
                    return Poll::Ready(Some(Err(BrokenOff::Stalled)));
                }
                Poll::Pending
            }
        }
    }
}

impl Drop for Relayed {
    fn drop(&mut self) {
        // A server that has sent all of a sized body does not ask again whether it has ended.
        if !self.over && self.incoming.is_end_stream() {
            self.complete();
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        match &mut *self {
            Self::Own(full) => match Pin::new(full).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => Poll::Ready(Some(Ok(frame))),
                Poll::Ready(Some(Err(never))) => match never {},
                Poll::Ready(None) => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            },
            Self::Relayed(relayed) => relayed.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(full) => full.is_end_stream(),
            Self::Relayed(relayed) => relayed.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(full) => full.size_hint(),
            Self::Relayed(relayed) => relayed.incoming.size_hint(),
        }
    }
}
