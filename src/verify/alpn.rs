//! Asks which version of HTTP a server would speak over TLS.

use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Whether the server chooses HTTP/2 from what a browser offers. Opens one connection and sends no request.
pub(super) async fn speaks_http2(host: &str, port: u16) -> Result<bool, String> {
    let builder = rustls::ClientConfig::builder().with_platform_verifier();
    let mut config = builder.map_err(|error| error.to_string())?.with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
    let stream = TcpStream::connect((host, port)).await.map_err(|error| error.to_string())?;
    let connecting = TlsConnector::from(Arc::new(config)).connect(name, stream);
    let stream = connecting.await.map_err(|error| error.to_string())?;
    Ok(stream.get_ref().1.alpn_protocol() == Some(b"h2".as_slice()))
}
