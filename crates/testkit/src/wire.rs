//! Just enough of PostgreSQL's protocol (version 3, simple query, trust authentication) to look into a database without
//! any of the product's own code.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

pub struct Connection {
    stream: TcpStream,
}

/// A row as text; NULL is `None`.
pub type Row = Vec<Option<String>>;

impl Connection {
    pub fn open(port: u16, database: &str) -> Result<Self, String> {
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
        let stream = TcpStream::connect_timeout(&address, Duration::from_secs(2)).map_err(|why| why.to_string())?;
        stream.set_read_timeout(Some(Duration::from_secs(30))).map_err(|why| why.to_string())?;
        let mut connection = Self { stream };
        let mut body = 196_608u32.to_be_bytes().to_vec();
        for word in ["user", "postgres", "database", database, ""] {
            body.extend_from_slice(word.as_bytes());
            body.push(0);
        }
        connection.send(None, &body)?;
        connection.until_ready()?;
        Ok(connection)
    }

    /// Runs statements; the rows of all of them.
    pub fn query(&mut self, sql: &str) -> Result<Vec<Row>, String> {
        let mut body = sql.as_bytes().to_vec();
        body.push(0);
        self.send(Some(b'Q'), &body)?;
        self.until_ready()
    }

    fn send(&mut self, kind: Option<u8>, body: &[u8]) -> Result<(), String> {
        let length = u32::try_from(body.len() + 4).map_err(|why| why.to_string())?;
        let mut message: Vec<u8> = kind.into_iter().collect();
        message.extend_from_slice(&length.to_be_bytes());
        message.extend_from_slice(body);
        self.stream.write_all(&message).map_err(|why| why.to_string())
    }

    fn until_ready(&mut self) -> Result<Vec<Row>, String> {
        let mut rows = Vec::new();
        let mut error = None;
        loop {
            let mut head = [0; 5];
            self.stream.read_exact(&mut head).map_err(|why| error.clone().unwrap_or_else(|| why.to_string()))?;
            let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
            let mut body = vec![0; length.saturating_sub(4)];
            self.stream.read_exact(&mut body).map_err(|why| why.to_string())?;
            match head[0] {
                b'D' => rows.push(row(&body).ok_or("a row that is cut short")?),
                b'E' => error = Some(message(&body)),
                b'R' if body.get(..4) != Some(&[0; 4]) => return Err("the server wants a password".to_owned()),
                b'Z' => return error.map_or(Ok(rows), Err),
                _ => {}
            }
        }
    }
}

fn row(body: &[u8]) -> Option<Row> {
    let columns = i16::from_be_bytes(body.get(..2)?.try_into().ok()?);
    let mut at = 2;
    let mut row = Vec::new();
    for _ in 0..columns {
        let length = i32::from_be_bytes(body.get(at..at + 4)?.try_into().ok()?);
        at += 4;
        match usize::try_from(length) {
            Err(_) => row.push(None),
            Ok(length) => {
                row.push(Some(String::from_utf8_lossy(body.get(at..at + length)?).into_owned()));
                at += length;
            }
        }
    }
    Some(row)
}

/// The fields of an error: severity, code and message are what people read.
fn message(body: &[u8]) -> String {
    let fields = body.split(|byte| *byte == 0).filter_map(|field| field.split_first());
    let wanted = fields.filter(|(kind, _)| b"SCMDH".contains(kind)).map(|(_, text)| String::from_utf8_lossy(text).into_owned());
    wanted.collect::<Vec<_>>().join(" ")
}
