//! The rest of a body that was answered before its end. A connection closed over unread bytes is reset, and the reset overtakes
//! the answer: the client that was still writing sees a broken pipe instead of the reason. So the rest is read and thrown
//! away, within bounds (RFC 9112, section 9.6).

use axum::body::Body;
use bytes::Bytes;
use futures_util::StreamExt as _;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// So many bytes more are read for nobody.
const REST_MAX: usize = 16 << 20;
/// For so long.
const REST_TIME: Duration = Duration::from_secs(3);

/// A request's body that is read on when its reader has gone.
struct ReadOut(Option<Incoming>);

/// The body as the routes see it. A client that waits to be asked for its body (`Expect`) is not asked for what nobody reads.
pub fn read_out(request: http::Request<Incoming>) -> http::Request<Body> {
    let waits = request.headers().contains_key(http::header::EXPECT);
    request.map(|body| if waits { Body::new(body) } else { Body::new(ReadOut(Some(body))) })
}

impl HttpBody for ReadOut {
    type Data = Bytes;
    type Error = hyper::Error;
    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(body) = self.0.as_mut() else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(body).poll_frame(context));
        if !matches!(frame, Some(Ok(_))) {
            self.0 = None;
        }
        Poll::Ready(frame)
    }
    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(HttpBody::is_end_stream)
    }
    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
}

impl Drop for ReadOut {
    fn drop(&mut self) {
        let Some(body) = self.0.take().filter(|body| !HttpBody::is_end_stream(body)) else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            let mut pieces = Body::new(body).into_data_stream();
            let mut left = REST_MAX;
            let reading = async {
                while let Some(Ok(piece)) = pieces.next().await {
                    left = left.saturating_sub(piece.len());
                    if left == 0 {
                        break;
                    }
                }
            };
            let _too_long = tokio::time::timeout(REST_TIME, reading).await;
        });
    }
}
