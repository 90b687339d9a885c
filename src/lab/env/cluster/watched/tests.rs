use super::*;
use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use tokio::sync::mpsc;

/// An API server with one kind; its watches say what the test says.
#[derive(Default)]
struct Server {
    objects: BTreeMap<String, u64>,
    version: u64,
    lists: usize,
    /// The versions that watches were opened at.
    opened: Vec<String>,
    watch: Option<mpsc::UnboundedSender<std::io::Result<Frame<Bytes>>>>,
    refuses: Option<u16>,
}

type Reply = Response<UnsyncBoxBody<Bytes, std::io::Error>>;

#[derive(Clone, Default)]
struct Fake(Arc<Mutex<Server>>);

fn service(name: &str, version: u64) -> Value {
    json!({"kind": "Service", "apiVersion": "v1",
        "metadata": {"name": name, "namespace": "default", "uid": format!("uid-{name}"), "resourceVersion": version.to_string()}})
}

fn json_of(status: u16, value: &Value) -> Reply {
    let mut response = Response::new(Full::from(value.to_string().into_bytes()).map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

impl Fake {
    fn server(&self) -> MutexGuard<'_, Server> {
        self.0.lock().unwrap()
    }

    fn client(&self) -> kube::Client {
        let fake = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let answer = fake.answer(&request);
            async move { Ok::<_, BoxError>(answer) }
        });
        kube::Client::new(service, "default")
    }

    fn answer(&self, request: &Request<Body>) -> Reply {
        let query = request.uri().query().unwrap_or("").to_string();
        let mut server = self.server();
        if request.method() == Method::POST {
            server.version += 1;
            let version = server.version;
            server.objects.insert("new".into(), version);
            return json_of(201, &service("new", version));
        }
        if !query.contains("watch=true") {
            server.lists += 1;
            let items: Vec<Value> = server.objects.iter().map(|(name, version)| service(name, *version)).collect();
            let metadata = json!({"resourceVersion": server.version.to_string()});
            return json_of(200, &json!({"kind": "ServiceList", "apiVersion": "v1", "metadata": metadata, "items": items}));
        }
        if let Some(code) = server.refuses {
            return json_of(
                code,
                &json!({"kind": "Status", "status": "Failure", "code": code, "reason": "Forbidden", "message": "no"}),
            );
        }
        let version = query.split('&').find_map(|pair| pair.strip_prefix("resourceVersion=")).unwrap().to_string();
        server.opened.push(version);
        let (sender, receiver) = mpsc::unbounded_channel();
        server.watch = Some(sender);
        let stream =
            futures::stream::unfold(receiver, |mut receiver| async { receiver.recv().await.map(|piece| (piece, receiver)) });
        Response::new(StreamBody::new(stream).boxed_unsync())
    }

    /// Changes an object, and says so to who watches unless it is to be kept back.
    fn change(&self, name: &str, said: bool) {
        let mut server = self.server();
        server.version += 1;
        let version = server.version;
        server.objects.insert(name.into(), version);
        drop(server);
        if said {
            self.say("MODIFIED", name, version);
        }
    }

    fn say(&self, kind: &str, name: &str, version: u64) {
        let line = format!("{}\n", json!({"type": kind, "object": service(name, version)}));
        let _ = self.server().watch.as_ref().unwrap().send(Ok(Frame::data(line.into())));
    }

    fn ends(&self) {
        self.server().watch = None;
    }
}

struct Bench {
    fake: Fake,
    watched: Watched,
    reads: kube::Client,
}

impl Bench {
    fn new() -> Bench {
        let fake = Fake::default();
        fake.change("a", false);
        let watched = Watched::new(fake.client());
        let reads = watched.reading(fake.client());
        Bench { fake, watched, reads }
    }

    /// One list: the versions by name.
    async fn list(&self) -> Vec<(String, String)> {
        let list: Value = self.reads.request(Request::get("/api/v1/services").body(Vec::new()).unwrap()).await.unwrap();
        assert_eq!(list["kind"], "ServiceList");
        items(&list["items"]).iter().map(|item| (meta(item, "name").into(), meta(item, "resourceVersion").into())).collect()
    }

    fn asked(&self) -> usize {
        self.fake.server().lists
    }

    fn state(&self) -> (bool, bool, bool) {
        let kind = self.watched.kind(&Place::all("", "v1", "services")).unwrap();
        let state = kind.state();
        (state.held, state.open, state.agreed)
    }

    async fn until(&self, wanted: impl Fn(&Bench) -> bool) {
        for _ in 0..2_000 {
            if wanted(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        panic!("held, open, agreed: {:?}", self.state());
    }

    /// Lists until it is as wanted.
    async fn list_until(&self, wanted: impl Fn(&Bench, &[(String, String)]) -> bool) {
        for _ in 0..2_000 {
            let listed = self.list().await;
            if wanted(self, &listed) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        panic!("held, open, agreed: {:?}", self.state());
    }

    /// A list that is held and agreed on; the server was asked twice for it.
    async fn held() -> Bench {
        let bench = Bench::new();
        bench.list().await;
        bench.until(|bench| bench.state().1).await;
        bench.list().await;
        assert_eq!((bench.state(), bench.asked()), ((true, true, true), 2));
        bench
    }
}

fn row(name: &str, version: &str) -> (String, String) {
    (name.into(), version.into())
}

#[tokio::test]
async fn what_is_held_follows_the_watch_and_asks_nobody() {
    let bench = Bench::held().await;
    assert_eq!(bench.list().await, [row("a", "1")]);
    bench.fake.change("b", true);
    bench.list_until(|_, listed| listed.len() == 2).await;
    assert_eq!(bench.list().await, [row("a", "1"), row("b", "2")]);
    bench.fake.say("DELETED", "a", 3);
    bench.list_until(|_, listed| listed.len() == 1).await;
    assert_eq!((bench.list().await, bench.asked()), (vec![row("b", "2")], 2));
}

#[tokio::test]
async fn after_a_write_the_server_is_asked_until_the_watch_has_it() {
    let bench = Bench::held().await;
    let writes = bench.watched.noticing(bench.fake.client());
    let request = Request::post("/api/v1/namespaces/default/services").body(b"{}".to_vec()).unwrap();
    writes.request::<Value>(request).await.unwrap();
    for times in 1..=3 {
        assert_eq!(bench.list().await, [row("a", "1"), row("new", "2")], "a watch that lags behind");
        assert_eq!((bench.state(), bench.asked()), ((true, true, false), 2 + times));
    }
    bench.fake.say("ADDED", "new", 2);
    bench.until(|bench| bench.watched.kind(&Place::all("", "v1", "services")).unwrap().state().objects.len() == 2).await;
    bench.list().await;
    assert_eq!((bench.state(), bench.asked()), ((true, true, true), 6));
    assert_eq!((bench.list().await.len(), bench.asked()), (2, 6));
}

#[tokio::test]
async fn a_watch_that_is_cut_begins_again_where_it_was_and_is_not_trusted_before_the_server_agrees() {
    let bench = Bench::held().await;
    bench.list().await;
    bench.fake.change("a", false);
    bench.fake.ends();
    bench.until(|bench| bench.fake.server().opened.len() == 2 && bench.state().1).await;
    assert_eq!(bench.fake.server().opened, ["1", "1"]);
    assert_eq!(bench.list().await, [row("a", "2")], "from the server: the new watch has not said it yet");
    assert_eq!((bench.state(), bench.asked()), ((true, true, false), 3));
    bench.fake.say("MODIFIED", "a", 2);
    bench.list_until(|bench, _| bench.state().2).await;
    let asked = bench.asked();
    assert_eq!((bench.list().await, bench.asked()), (vec![row("a", "2")], asked));
}

#[tokio::test]
async fn a_version_that_is_too_old_begins_with_a_list() {
    let bench = Bench::held().await;
    let gone = json!({"type": "ERROR", "object": {"kind": "Status", "status": "Failure", "code": 410, "reason": "Expired", "message": "old"}});
    bench.fake.server().watch.as_ref().unwrap().send(Ok(Frame::data(format!("{gone}\n").into()))).unwrap();
    bench.until(|bench| !bench.state().0).await;
    bench.fake.change("a", false);
    assert_eq!(bench.list().await, [row("a", "2")]);
    bench.until(|bench| bench.state().1).await;
    assert_eq!(bench.fake.server().opened, ["1", "2"]);
}

#[tokio::test]
async fn where_nobody_may_watch_every_list_is_the_servers() {
    let bench = Bench::new();
    bench.fake.server().refuses = Some(403);
    for asked in 1..=4 {
        bench.list().await;
        bench.until(|bench| !bench.state().0).await;
        assert_eq!(bench.asked(), asked);
    }
}

#[tokio::test]
async fn a_list_that_nobody_asks_for_any_more_is_let_go_when_its_watch_ends() {
    let bench = Bench::held().await;
    bench.fake.ends();
    bench.until(|bench| bench.fake.server().opened.len() == 2 && bench.state().1).await;
    bench.fake.ends();
    bench.until(|bench| !bench.state().0).await;
    assert_eq!(bench.fake.server().opened.len(), 2);
    let watched = bench.watched.clone();
    drop(bench.reads);
    assert_eq!(watched.kinds().len(), 1);
}
