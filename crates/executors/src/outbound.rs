//! Where requests may go: decided on the address that is connected to, not on the name that was asked for.
//!
//! A host and port on the list is allowed whatever its address is; anything else only at a globally reachable unicast
//! address. There is no switch that opens loopback or private networks as a whole, and one entry opens no other.
//! Names are resolved once and the connection is pinned to the addresses that were judged.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// The allow-list of a worker.
#[derive(Clone, Debug, Default)]
pub struct Outbound {
    listed: BTreeSet<(String, u16)>,
}

/// Why a request may not leave.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum Barred {
    #[error("{0:?} is not a URL for a request: {1}")]
    Url(String, String),
    #[error("{host}:{port} is at {address}, which is not a public address, and is not on the worker's allow-list")]
    Address { host: String, port: u16, address: IpAddr },
    #[error("{host}:{port} is not on the worker's allow-list")]
    Unlisted { host: String, port: u16 },
    #[error("the name {0} has no address")]
    NoAddress(String),
}

impl Outbound {
    /// Entries are exact `host:port` (`[::1]:80` for IPv6). A malformed entry is an error: it must not silently allow nothing.
    pub fn new<S: AsRef<str>>(entries: impl IntoIterator<Item = S>) -> Result<Self, Barred> {
        let mut listed = BTreeSet::new();
        for entry in entries {
            let entry = entry.as_ref();
            let wrong = || Barred::Url(entry.to_owned(), "an entry is host:port".to_owned());
            let (host, port) = entry.rsplit_once(':').ok_or_else(wrong)?;
            if host.contains(['/', '@', '?', '#', '\\']) {
                return Err(wrong());
            }
            let port = port.parse().map_err(|_| wrong())?;
            let url = reqwest::Url::parse(&format!("http://{host}/")).map_err(|_| wrong())?;
            listed.insert((url.host_str().ok_or_else(wrong)?.to_owned(), port));
        }
        Ok(Self { listed })
    }

    /// Whether exactly this place is on the list.
    pub fn lists(&self, url: &str) -> Result<(), Barred> {
        let (_, host, port) = parts(url)?;
        if self.listed.contains(&(host.clone(), port)) { Ok(()) } else { Err(Barred::Unlisted { host, port }) }
    }

    /// Resolves the URL's host and answers with the addresses that may be connected to.
    pub async fn judge(&self, url: &str) -> Result<Judged, Barred> {
        let (url, host, port) = parts(url)?;
        let listed = self.listed.contains(&(host.clone(), port));
        let found = match url.host() {
            Some(url_host) => addresses(&url_host.to_string(), port).await?,
            None => return Err(Barred::NoAddress(host)),
        };
        // One barred address bars all: a name that points inside is not half trusted.
        if !listed && let Some(bad) = found.iter().find(|a| !is_public(a.ip())) {
            return Err(Barred::Address { host, port, address: bad.ip() });
        }
        Ok(Judged { url, host, addresses: found })
    }
}

/// A URL whose addresses were judged.
#[derive(Debug)]
pub struct Judged {
    pub url: reqwest::Url,
    host: String,
    pub addresses: Vec<SocketAddr>,
}

impl Judged {
    /// A client that connects to the judged addresses only, follows nothing and uses no proxy.
    pub fn client(&self, timeout: Duration) -> reqwest::Result<reqwest::Client> {
        client(timeout).resolve_to_addrs(&self.host, &self.addresses).build()
    }
}

/// The common settings of every client here: no redirects, no proxy from the environment, no connection reuse.
pub(crate) fn client(timeout: Duration) -> reqwest::ClientBuilder {
    // Fails when the program has installed one already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .pool_max_idle_per_host(0)
        .timeout(timeout)
        .connect_timeout(timeout.min(Duration::from_secs(10)))
        .user_agent(concat!("holdpoint/", env!("CARGO_PKG_VERSION")))
}

/// Why a request came to nothing, with the cause beneath, without the URL (it may hold a token).
pub(crate) fn reason(error: &reqwest::Error) -> String {
    let mut text = if error.is_timeout() {
        "no answer in time".to_owned()
    } else if error.is_connect() {
        "no connection".to_owned()
    } else {
        "the exchange broke off".to_owned()
    };
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        if inner.source().is_none() {
            text.push_str(&format!(" ({inner})"));
        }
        source = inner.source();
    }
    text
}

fn parts(text: &str) -> Result<(reqwest::Url, String, u16), Barred> {
    let wrong = |why: &str| Barred::Url(text.to_owned(), why.to_owned());
    // The parser drops tabs and newlines; a URL that has any was not meant as one.
    if text.chars().any(|c| c.is_control() || c == ' ') {
        return Err(wrong("it has blanks or control characters"));
    }
    let url = reqwest::Url::parse(text).map_err(|e| wrong(&e.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong("only http and https are spoken"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("credentials belong into a header"));
    }
    let host = url.host_str().ok_or_else(|| wrong("it has no host"))?.to_owned();
    let port = url.port_or_known_default().ok_or_else(|| wrong("it has no port"))?;
    Ok((url, host, port))
}

async fn addresses(host: &str, port: u16) -> Result<Vec<SocketAddr>, Barred> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(ip) = bare.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    let found: Vec<SocketAddr> = tokio::net::lookup_host((bare, port)).await.map_err(|_| Barred::NoAddress(host.to_owned()))?.collect();
    if found.is_empty() { Err(Barred::NoAddress(host.to_owned())) } else { Ok(found) }
}

/// Globally reachable unicast, after the IANA special-purpose registries (RFC 6890 and its updates).
/// An IPv6 address that carries an IPv4 address (mapped, compatible, 6to4, NAT64, Teredo) is judged as not public.
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    !(a == 0
        || a == 10
        || a == 127
        || (a == 100 && (64..128).contains(&b))
        || (a == 169 && b == 254)
        || (a == 172 && (16..32).contains(&b))
        || (a == 192 && b == 168)
        || (a == 192 && b == 0 && (c == 0 || c == 2))
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19))
        || (a == 198 && b == 51 && c == 100)
        || (a == 203 && b == 0 && c == 113)
        || a >= 224)
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let s = ip.segments();
    // 2000::/3 is all that is assigned as global unicast; that bars ::/8 (loopback, mapped, NAT64), fc00::/7, fe80::/10, ff00::/8.
    s[0] & 0xe000 == 0x2000
        && !(s[0] == 0x2001 && s[1] < 0x0200) // 2001::/23: Teredo, benchmarking, ORCHID
        && !(s[0] == 0x2001 && s[1] == 0x0db8) // documentation
        && s[0] != 0x2002 // 6to4
        && !(s[0] == 0x3fff && s[1] < 0x1000) // documentation
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_public_or_listed_places_are_reached() {
        let outbound = Outbound::new(["127.0.0.1:8080", "[::1]:90"]).unwrap();
        for (url, allowed) in [
            ("http://127.0.0.1:8080/x", true),
            ("http://127.0.0.1:8081/", false),
            ("http://[::1]:90/", true),
            ("http://[::1]:91/", false),
            ("http://localhost:8080/", false),
            ("http://127.0.0.2:8080/", false),
            ("http://2130706433:8081/", false),
            ("http://0x7f.1:8081/", false),
            ("http://017700000001:8081/", false),
            ("http://0.0.0.0:8080/", false),
            ("http://169.254.169.254/latest/meta-data", false),
            ("http://10.1.2.3/", false),
            ("http://100.64.0.1/", false),
            ("http://172.31.255.255/", false),
            ("http://192.168.1.1/", false),
            ("http://224.0.0.1/", false),
            ("http://255.255.255.255/", false),
            ("http://[::ffff:127.0.0.1]:8080/", false),
            ("http://[::127.0.0.1]/", false),
            ("http://[64:ff9b::7f00:1]/", false),
            ("http://[2002:7f00:1::]/", false),
            ("http://[2001:0:1::1]/", false),
            ("http://[fd00::1]/", false),
            ("http://[fe80::1]/", false),
            ("http://1.1.1.1/", true),
            ("https://[2606:4700::1111]/", true),
            ("ftp://1.1.1.1/", false),
            ("file:///etc/passwd", false),
            ("gopher://127.0.0.1:8080/", false),
            ("http://user:pw@1.1.1.1/", false),
            ("http://127.0.0.1:8080\n/", false),
            ("http://1.1.1.1 /", false),
        ] {
            assert_eq!(outbound.judge(url).await.is_ok(), allowed, "{url}");
        }
    }

    #[test]
    fn a_malformed_entry_is_an_error() {
        for entry in ["localhost", "localhost:", ":80", "a:99999", "http://x:80"] {
            assert!(Outbound::new([entry]).is_err(), "{entry}");
        }
    }
}
