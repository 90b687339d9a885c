use super::{WALL, handle, server};
use egress_lab::base::clock::{Clock, SystemClock};
use egress_lab::sandbox::call::Call;
use egress_lab::sandbox::serve::{Error, Gone, Identity, Options, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// One request over TLS without kube: the raw answer.
async fn raw(server: &Server, request: &str) -> String {
    let kubeconfig = kube::config::Kubeconfig::read_from(server.kubeconfig()).unwrap();
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &Default::default()).await.unwrap();
    let mut roots = rustls::RootCertStore::empty();
    for der in config.root_cert.unwrap() {
        roots.add(der.into()).unwrap();
    }
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let tls = tls.with_root_certificates(roots).with_no_client_auth();
    let stream = tokio::net::TcpStream::connect(server.address()).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(tls));
    let mut stream = connector.connect("127.0.0.1".try_into().unwrap(), stream).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_comes_in_without_the_token() {
    let handle = handle(WALL);
    let (server, _folder) = server(&handle).await;
    for path in
        ["/", "/version", "/healthz", "/api/v1/namespaces", "/.well-known/egress-lab", "/api/v1/namespaces/default/pods/x/exec"]
    {
        for credential in ["", "Authorization: Bearer wrong\r\n", "Authorization: Basic bGVhcm5lcjp4\r\n"] {
            let answer = raw(&server, &format!("GET {path} HTTP/1.1\r\nHost: x\r\n{credential}Connection: close\r\n\r\n")).await;
            assert!(answer.starts_with("HTTP/1.1 401 "), "{path}: {answer}");
            assert!(answer.contains(r#""kind":"Status""#) && answer.contains(r#""reason":"Unauthorized""#), "{answer}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_large_is_refused() {
    let handle = handle(WALL);
    let folder = tempfile::tempdir().unwrap();
    let identity = Identity::fresh(SystemClock.now()).unwrap();
    let options = Options { port: 0, kubeconfig: folder.path().join("k"), ..Default::default() };
    let server = Server::start(handle.clone(), &identity, &options).await.unwrap();
    let head = format!(
        "POST /api/v1/namespaces HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        identity.token(),
        4 << 20
    );
    let answer = raw(&server, &head).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_named_and_the_kubeconfig_is_private() {
    let handle = handle(WALL);
    let (server, folder) = server(&handle).await;
    let port = server.address().port();
    let identity = Identity::fresh(SystemClock.now()).unwrap();
    let options = Options { port, kubeconfig: folder.path().join("other"), ..Default::default() };
    match Server::start(handle.clone(), &identity, &options).await {
        Err(Error::PortInUse { port: named }) => assert_eq!(named, port),
        other => panic!("{:?}", other.map(|s| s.address())),
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(server.kubeconfig()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let kubeconfig = kube::config::Kubeconfig::read_from(server.kubeconfig()).unwrap();
    assert_eq!(kubeconfig.current_context.as_deref(), Some("sandbox"));
    assert_eq!(kubeconfig.auth_infos[0].name, "learner");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_answers_500_and_the_world_lives_on() {
    let handle = handle(WALL);
    assert_eq!(handle.with(|_| panic!("a defect, on purpose")).await.unwrap_err(), Gone::Failed);
    assert!(handle.revision().await.is_ok());
    handle.shutdown().await;
    assert_eq!(handle.handle(Call::new("GET", "/version")).await.status, 503);
}
