//! Watches the raw bytes of a client connection for requests that two readers could frame differently.
//!
//! Hyper follows RFC 9112 for a request with both `Content-Length` and `Transfer-Encoding`: it takes the chunks, drops
//! the length *before we can see it* and closes the connection. That is safe for what we send on, but the sender in
//! front of us may have counted the other way, so we refuse instead. This reader follows the framing of every request
//! on the connection (head, body by length or by chunks) and raises a flag which stays up; whoever answers looks at it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Acquire, Ordering::Release};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Raised when the connection has carried an ambiguous request.
#[derive(Clone, Default)]
pub(crate) struct Ambiguity(Arc<AtomicBool>);

impl Ambiguity {
    pub(crate) fn is_raised(&self) -> bool {
        self.0.load(Acquire)
    }
}

enum At {
    /// Before or within a head; whether its first line has been read.
    Head {
        begun: bool,
    },
    Body {
        left: u64,
    },
    ChunkSize,
    ChunkData {
        left: u64,
    },
    Trailers,
    /// The framing is lost; the flag is up.
    Lost,
}

struct Framing {
    at: At,
    line: Vec<u8>,
    line_max: usize,
    length: Option<u64>,
    chunked: bool,
}

impl Framing {
    fn new(line_max: usize) -> Self {
        Self { at: At::Head { begun: false }, line: Vec::new(), line_max, length: None, chunked: false }
    }

    /// Follows `bytes`; false when an ambiguous request was among them.
    fn follow(&mut self, mut bytes: &[u8]) -> bool {
        let mut clear = true;
        while !bytes.is_empty() {
            match &mut self.at {
                At::Lost => return false,
                At::Body { left } | At::ChunkData { left } => {
                    let here = u64::try_from(bytes.len()).unwrap_or(u64::MAX).min(*left);
                    *left -= here;
                    bytes = bytes.get(usize::try_from(here).unwrap_or(bytes.len())..).unwrap_or_default();
                    if *left == 0 {
                        self.at = match self.at {
                            At::ChunkData { .. } => At::ChunkSize,
                            _ => At::Head { begun: false },
                        };
                    }
                }
                At::Head { .. } | At::ChunkSize | At::Trailers => {
                    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
                        if self.line.len() + bytes.len() > self.line_max {
                            self.at = At::Lost;
                            return false;
                        }
                        self.line.extend_from_slice(bytes);
                        return clear;
                    };
                    let (line, rest) = bytes.split_at(end);
                    bytes = rest.get(1..).unwrap_or_default();
                    if self.line.is_empty() {
                        clear &= self.line_ends(line);
                    } else {
                        let mut whole = std::mem::take(&mut self.line);
                        whole.extend_from_slice(line);
                        clear &= self.line_ends(&whole);
                        whole.clear();
                        self.line = whole;
                    }
                }
            }
        }
        clear
    }

    fn line_ends(&mut self, line: &[u8]) -> bool {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match &mut self.at {
            At::Head { begun } if line.is_empty() => {
                // An empty line before the request line is allowed (RFC 9112, 2.2).
                if *begun { self.head_ends() } else { true }
            }
            At::Head { begun: begun @ false } => {
                *begun = true;
                true
            }
            At::Head { .. } => self.field(line),
            At::ChunkSize => self.chunk(line),
            At::Trailers => {
                if line.is_empty() {
                    self.at = At::Head { begun: false };
                }
                true
            }
            At::Body { .. } | At::ChunkData { .. } | At::Lost => true,
        }
    }

    fn field(&mut self, line: &[u8]) -> bool {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { return true };
        let (name, value) = line.split_at(colon);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.chunked = true;
        } else if name.eq_ignore_ascii_case(b"content-length") {
            let length = std::str::from_utf8(value)
                .ok()
                .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
                .and_then(|text| text.parse().ok());
            match (length, self.length) {
                (Some(length), None) => self.length = Some(length),
                (Some(length), Some(before)) if length == before => {}
                _ => {
                    self.at = At::Lost;
                    return false;
                }
            }
        }
        true
    }

    fn head_ends(&mut self) -> bool {
        let (length, chunked) = (self.length.take(), std::mem::take(&mut self.chunked));
        self.at = match length {
            _ if chunked => At::ChunkSize,
            Some(left) if left > 0 => At::Body { left },
            _ => At::Head { begun: false },
        };
        !(chunked && length.is_some())
    }

    fn chunk(&mut self, line: &[u8]) -> bool {
        let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        let size = std::str::from_utf8(digits)
            .ok()
            .filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .and_then(|text| u64::from_str_radix(text, 16).ok())
            // The chunk's data are followed by CRLF.
            .and_then(|size| if size == 0 { Some(0) } else { size.checked_add(2) });
        match size {
            Some(0) => self.at = At::Trailers,
            Some(left) => self.at = At::ChunkData { left },
            None => {
                self.at = At::Lost;
                return false;
            }
        }
        true
    }
}

/// A connection whose incoming bytes are watched.
pub(crate) struct Guarded<T> {
    inner: T,
    framing: Framing,
    ambiguity: Ambiguity,
}

impl<T> Guarded<T> {
    pub(crate) fn new(inner: T, line_max: usize) -> (Self, Ambiguity) {
        let ambiguity = Ambiguity::default();
        (Self { inner, framing: Framing::new(line_max), ambiguity: ambiguity.clone() }, ambiguity)
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Guarded<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buffer.filled().len();
        let polled = Pin::new(&mut this.inner).poll_read(cx, buffer);
        if let Poll::Ready(Ok(())) = polled {
            let read = buffer.filled().get(before..).unwrap_or_default();
            if !this.framing.follow(read) {
                this.ambiguity.0.store(true, Release);
            }
        }
        polled
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Guarded<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, parts: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BOTH: &str = "POST / HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n";
    const BOTH_REVERSED: &str = "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\nCONTENT-LENGTH: 4\r\n\r\n";

    fn clear(text: &[u8], piece: usize) -> bool {
        let mut framing = Framing::new(1024);
        text.chunks(piece.max(1)).all(|part| framing.follow(part))
    }

    #[test]
    fn framing_is_followed_over_requests() {
        let sized = format!("POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n{BOTH}", BOTH.len());
        let chunked = format!("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{:x};e=1\r\n{BOTH}\r\n0\r\nT: 1\r\n\r\n", BOTH.len());
        for (text, expected) in [
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), true),
            (sized.clone(), true),
            (chunked.clone(), true),
            (format!("{sized}{chunked}{sized}"), true),
            (BOTH.to_owned(), false),
            (BOTH_REVERSED.to_owned(), false),
            (format!("{sized}{BOTH}"), false),
            (format!("{chunked}\r\n{BOTH_REVERSED}"), false),
            ("POST / HTTP/1.1\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n".to_owned(), false),
            ("POST / HTTP/1.1\r\nContent-Length: +4\r\n\r\n".to_owned(), false),
            ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".to_owned(), false),
        ] {
            for piece in [1, 2, 3, 7, 4096] {
                assert_eq!(clear(text.as_bytes(), piece), expected, "pieces of {piece}: {text:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_pieces_give_the_same_answer(bytes in proptest::collection::vec(any::<u8>(), 0..400), piece in 1usize..50) {
            prop_assert_eq!(clear(&bytes, piece), clear(&bytes, 1));
        }
    }
}
