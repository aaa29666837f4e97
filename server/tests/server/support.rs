//! A server on a free port, and a client that speaks plain HTTP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value as Json;
use statetrail_event::{Change, Event, EventId, Source, Time, Value};
use statetrail_server::access::{Access, Tokens, hash_of, hex};
use statetrail_server::serving::serve;
use statetrail_server::{Limits, router};
use statetrail_store::sqlite::SqliteStore;
use statetrail_store::{EventStore, KnownEvent};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

/// Nothing here takes longer, however busy the machine is.
const WITHIN: Duration = Duration::from_secs(60);

/// An event that sets `status` (and `n` to its number) `seconds` after the start of all times.
pub(crate) fn event(entity: &str, status: &str, seconds: i64, number: u64) -> KnownEvent {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&number.to_be_bytes());
    let change = |field: &str, value| Change { field: field.into(), value: Some(value) };
    let time = Time::from_nanos(seconds * 1_000_000_000);
    let event = Event {
        id: EventId(id),
        entity: entity.parse().expect("a name"),
        name: status.to_owned(),
        time,
        seq: 0,
        changes: vec![
            change("status", Value::text(status)),
            change("n", Value::Int(number as i64)),
        ],
        source: Arc::new(Source { uri: "/shop/pod/app".to_owned(), ..Source::default() }),
        offset: None,
        rule: None,
        line: Some(format!("<script>alert({number})</script> {entity} {status}")),
    };
    KnownEvent { event, known_at: time }
}

/// A store and a server over it.
pub(crate) struct Running {
    runtime: Runtime,
    end: Option<oneshot::Sender<()>>,
    pub(crate) address: SocketAddr,
    pub(crate) store: Arc<SqliteStore>,
    folder: TempDir,
}

impl Running {
    pub(crate) fn start(events: &[KnownEvent], tokens: Option<&str>) -> Running {
        Running::start_with(events, tokens, Limits::default())
    }

    pub(crate) fn start_with(
        events: &[KnownEvent],
        tokens: Option<&str>,
        limits: Limits,
    ) -> Running {
        let folder = tempfile::tempdir().expect("a folder");
        let store = SqliteStore::open(&folder.path().join("trail.db")).expect("a store");
        let store = Arc::new(store);
        let runtime = Runtime::new().expect("a runtime");
        runtime.block_on(store.append(events)).expect("events are stored");
        let tokens = tokens.map(|text| {
            let path = folder.path().join("tokens.toml");
            std::fs::write(&path, text).expect("a file");
            Tokens::open(&path).expect("tokens")
        });
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let address = listener.local_addr().expect("an address");
        let (end, ended) = oneshot::channel::<()>();
        let access = Access { tokens, is_tls: false };
        let server = router(Arc::clone(&store) as Arc<dyn EventStore>, access, limits.clone());
        runtime.spawn(server.background);
        runtime.spawn(async move {
            let end = async {
                let _ = ended.await;
            };
            serve(listener, server.router, None, &limits, end).await;
        });
        Running { runtime, end: Some(end), address, store, folder }
    }

    /// Stores more.
    pub(crate) fn append(&self, events: &[KnownEvent]) {
        self.runtime.block_on(self.store.append(events)).expect("events are stored");
    }

    pub(crate) fn tokens_path(&self) -> PathBuf {
        self.folder.path().join("tokens.toml")
    }

    /// The answer to a GET.
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.get_with(path, &[])
    }

    pub(crate) fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        self.send(&(request + "\r\n"))
    }

    /// The answer to anything.
    pub(crate) fn send(&self, request: &str) -> Answer {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).expect("it takes a request");
        let mut answer = Vec::new();
        // A server that has said no may end the connection before it has read all.
        let _ = stream.read_to_end(&mut answer);
        Answer::read(&answer)
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("a connection");
        stream.set_read_timeout(Some(WITHIN)).expect("a time-out");
        stream
    }

    /// Begins to follow; what comes is read line by line.
    pub(crate) fn follow(&self, query: &str, last: Option<&str>) -> Followed {
        let mut stream = self.connect();
        let last = last.map(|place| format!("Last-Event-ID: {place}\r\n")).unwrap_or_default();
        let request =
            format!("GET /api/v1/follow{query} HTTP/1.0\r\nHost: localhost\r\n{last}\r\n");
        stream.write_all(request.as_bytes()).expect("it takes a request");
        let mut followed = Followed { lines: BufReader::new(stream), place: String::new() };
        while !followed.line().is_empty() {}
        followed
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(end) = self.end.take() {
            let _ = end.send(());
        }
    }
}

/// An answer, taken apart.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn read(bytes: &[u8]) -> Answer {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        Answer {
            status: status.unwrap_or_else(|| panic!("no answer: {text:?}")),
            head: head.to_ascii_lowercase(),
            body: body.to_owned(),
        }
    }

    pub(crate) fn json(&self) -> Json {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let start = format!("{name}: ");
        self.head.lines().find_map(|line| line.strip_prefix(start.as_str()))
    }
}

/// Server-sent events.
pub(crate) struct Followed {
    lines: BufReader<TcpStream>,
    /// The last place that was told.
    pub(crate) place: String,
}

impl Followed {
    /// The next line, or `None` if the server has ended the connection.
    fn line_if_any(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.lines.read_line(&mut line) {
            Ok(0) => None,
            Ok(_) => Some(line.trim_end().to_owned()),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => None,
            Err(error) => panic!("no line within a minute: {error}"),
        }
    }

    fn line(&mut self) -> String {
        self.line_if_any().expect("the server ended the connection")
    }

    /// The next message: its event's number, or `None` for a place alone.
    pub(crate) fn next(&mut self) -> Option<u64> {
        self.next_if_any().expect("the server ended the connection")
    }

    /// The same, or `None` if the server has ended the connection. A message that was cut off does
    /// not count, and neither does its place.
    pub(crate) fn next_if_any(&mut self) -> Option<Option<u64>> {
        let (mut number, mut place) = (None, None);
        loop {
            let line = self.line_if_any()?;
            if line.is_empty() {
                self.place = place.unwrap_or(std::mem::take(&mut self.place));
                return Some(number);
            }
            if let Some(told) = line.strip_prefix("id: ") {
                place = Some(told.to_owned());
            } else if let Some(data) = line.strip_prefix("data: ") {
                let event: Json = serde_json::from_str(data).expect("JSON");
                number = event["set"]["n"].as_u64();
            }
        }
    }

    /// The numbers of the next events.
    pub(crate) fn take(&mut self, events: usize) -> Vec<u64> {
        let mut numbers = Vec::with_capacity(events);
        while numbers.len() < events {
            numbers.extend(self.next());
        }
        numbers
    }
}

/// A table of a file of tokens.
pub(crate) fn token_table(name: &str, token: &str, namespaces: &str) -> String {
    let hash = hex(&hash_of(token));
    format!("[[token]]\nname = \"{name}\"\nsha256 = \"{hash}\"\nnamespaces = [{namespaces}]\n")
}

#[track_caller]
pub(crate) fn within_a_minute(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !is_so() {
        assert!(start.elapsed().as_secs() < 60, "not within a minute: {what}");
        std::thread::yield_now();
    }
}
