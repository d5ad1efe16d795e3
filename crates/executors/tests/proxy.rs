//! The traffic data plane over real sockets: our proxy and a real HAProxy in front of real backends.

#[path = "proxy/bed.rs"]
mod bed;
#[path = "proxy/faults.rs"]
mod faults;
#[path = "proxy/haproxy.rs"]
mod haproxy;
#[path = "proxy/hostile.rs"]
mod hostile;
#[path = "proxy/serve.rs"]
mod serve;
#[path = "proxy/split.rs"]
mod split;
#[path = "proxy/state.rs"]
mod state;
#[path = "proxy/streams.rs"]
mod streams;
