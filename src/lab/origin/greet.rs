//! A new connection: TLS or not, whose, and which HTTP.

use super::reader::Reader;
use super::talk::Talk;
use super::{echo, http1, http2};
use crate::base::clock::Stopwatch;
use crate::outside::site::Speaks;
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
    let greeted = async {
        let start = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), stream).await?;
        let hello = start.client_hello();
        let name = hello.server_name().map(str::to_string);
        let met = name.as_deref().and_then(|name| talk.door.named(name)).cloned();
        let site = met.clone().unwrap_or_else(|| talk.door.first().clone());
        let asks = talk.door.open(&site).is_some_and(|port| port.client_certificate);
        let config = talk.house.tls.get(&(site.id.clone(), asks)).cloned();
        talk.met = met;
        let config = config.ok_or_else(|| std::io::Error::other("this front end has no certificate"))?;
        start.into_stream(config).await
    };
    let stream = match timeout(greeting, greeted).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(why)) => return talk.note("tcp", &format!("TLS failed: {why}"), took),
        Err(_) => return talk.note("tcp", "TLS failed: it took too long", took),
    };
    talk.secure = true;
    match stream.get_ref().1.alpn_protocol() {
        Some(b"h2") => http2::serve(stream, &talk).await,
        _ => http1::serve(Reader::new(stream), &talk, http1::Manner::InTls).await,
    }
}
