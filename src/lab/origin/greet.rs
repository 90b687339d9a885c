//! A new connection: TLS or not, whose, and which HTTP.

use super::reader::Reader;
use super::talk::Talk;
use super::{echo, http1, http2};
use crate::base::clock::Stopwatch;
use crate::outside::site::{Site, Speaks};
use rustls::ServerConfig;
use rustls::server::ClientHello;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::LazyConfigAcceptor;

/// The type of a TLS record that carries a handshake (RFC 8446 section 5.1): what every TLS client sends first.
const HANDSHAKE: u8 = 22;

/// Serves a connection to its end.
pub async fn receive(stream: TcpStream, talk: Talk) {
    let _ = stream.set_nodelay(true);
    match talk.door.speaks {
        Speaks::Bytes => echo::serve(stream, &talk).await,
        Speaks::Http => http1::serve(Reader::new(stream), &talk, http1::Manner::Plain).await,
        Speaks::Tls => tls(stream, talk).await,
    }
}

async fn tls(stream: TcpStream, mut talk: Talk) {
    let (took, greeting) = (Stopwatch::start(), talk.house.limits.greeting);
    let mut first = [0];
    match timeout(greeting, stream.peek(&mut first)).await {
        Ok(Ok(1)) if first[0] == HANDSHAKE => {}
        Ok(Ok(1)) => return http1::serve(Reader::new(stream), &talk, http1::Manner::Misplaced).await,
        Ok(_) => return,
        Err(_) => return talk.note("tcp", "nothing was sent", took),
    }
    let started = timeout(greeting, LazyConfigAcceptor::new(rustls::server::Acceptor::default(), stream)).await;
    let start = match started {
        Ok(Ok(start)) => start,
        Ok(Err(why)) => return talk.note("tcp", &format!("TLS failed: {why}"), took),
        Err(_) => return talk.note("tcp", "TLS failed: it took too long", took),
    };
    let (met, config) = choose(&talk, &start.client_hello());
    talk.met = met;
    let Some(config) = config else { return talk.note("tcp", "TLS failed: this front end has no certificate", took) };
    let stream = match timeout(greeting, start.into_stream(config).into_fallible()).await {
        Ok(Ok(stream)) => stream,
        Ok(Err((why, stream))) => {
            talk.note("tcp", &format!("TLS failed: {why}"), took);
            // The client is to read why: it may have sent a request already.
            return Reader::new(stream).part().await;
        }
        Err(_) => return talk.note("tcp", "TLS failed: it took too long", took),
    };
    talk.secure = true;
    match stream.get_ref().1.alpn_protocol() {
        Some(b"h2") => http2::serve(stream, &talk).await,
        _ => http1::serve(Reader::new(stream), &talk, http1::Manner::InTls).await,
    }
}

/// The front end that the client's greeting means, and the TLS of the one that answers.
fn choose(talk: &Talk, hello: &ClientHello<'_>) -> (Option<Arc<Site>>, Option<Arc<ServerConfig>>) {
    let met = hello.server_name().and_then(|name| talk.door.named(name)).cloned();
    let site = met.as_ref().unwrap_or_else(|| talk.door.first());
    let asks = talk.door.open(site).is_some_and(|port| port.client_certificate);
    let config = talk.house.tls.get(&(site.id.clone(), asks)).cloned();
    // Who offers nothing that is spoken here is not refused (rustls would), but served HTTP/1.1, as most servers do.
    let offers = hello.alpn().map(|all| all.map(<[u8]>::to_vec).collect::<Vec<_>>()).unwrap_or_default();
    let strange = |config: &Arc<ServerConfig>| !config.alpn_protocols.iter().any(|own| offers.contains(own));
    let config = config.map(|config| if !offers.is_empty() && strange(&config) { without_alpn(&config) } else { config });
    (met, config)
}

fn without_alpn(config: &ServerConfig) -> Arc<ServerConfig> {
    let mut config = config.clone();
    config.alpn_protocols.clear();
    Arc::new(config)
}
