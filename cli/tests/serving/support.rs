//! A server as a process, and a client that speaks HTTP over whatever carries it.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use crate::common::Place;

/// Nothing here takes longer, however busy the machine is.
pub(crate) const WITHIN: Duration = Duration::from_secs(120);

/// `statetrail serve` on a free port, which ends with this value.
pub(crate) struct Serving {
    child: Child,
    /// What its address begins with.
    pub(crate) scheme: String,
    /// `127.0.0.1:PORT`
    pub(crate) address: String,
    log: PathBuf,
}

impl Serving {
    /// Over the store of the place, unless the arguments say another one.
    pub(crate) fn start(place: &Place, args: &[&str]) -> Serving {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let log = place.path(&format!("serve-{number}.log"));
        let mut command = place.command(["serve", "--listen", "127.0.0.1:0", "-o", "jsonl"]);
        command.args(args).stdout(Stdio::piped()).stderr(File::create(&log).unwrap());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let told: Json = serde_json::from_str(&line)
            .unwrap_or_else(|_| panic!("{}", fs::read_to_string(&log).unwrap()));
        let (scheme, address) = told["address"].as_str().unwrap().split_once("://").unwrap();
        Serving { child, scheme: scheme.to_owned(), address: address.to_owned(), log }
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.get_with(path, &[])
    }

    pub(crate) fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        exchange(self.connect(), &get_request(path, headers))
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(WITHIN)).unwrap();
        stream
    }

    /// What it wrote to standard error.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Asks it to end, and gives its exit code.
    pub(crate) fn end(mut self) -> Option<i32> {
        let process = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &process]).status().unwrap().success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended before; both fail then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// In a version of HTTP that ends the connection behind the answer.
pub(crate) fn get_request(path: &str, headers: &[(&str, &str)]) -> String {
    let headers = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
    format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n{}\r\n", headers.collect::<String>())
}

/// Sends a request, and reads until the server ends the connection.
pub(crate) fn exchange(mut stream: impl Read + Write, request: &str) -> Answer {
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    Answer::read(&answer)
}

/// An answer, taken apart. Two are equal if only their dates differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: Vec<String>,
    pub(crate) body: String,
}

impl Answer {
    fn read(text: &str) -> Answer {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let head = head.lines().skip(1).filter(|line| !line.starts_with("date: "));
        Answer {
            status: status.unwrap_or_else(|| panic!("no answer: {text:?}")),
            head: head.map(str::to_owned).collect(),
            body: body.to_owned(),
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let start = format!("{name}: ");
        self.head.iter().find_map(|line| line.strip_prefix(start.as_str()))
    }

    pub(crate) fn json(&self) -> Json {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A text as a part of an address.
pub(crate) fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'/' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// A new token for the shop, and the table that goes into a file of tokens.
pub(crate) fn token(place: &Place) -> (String, String) {
    let made = place.run(["token", "--name", "on-call", "--namespace", "shop"]);
    let made = made.expect_code(0).out;
    let token = made.lines().nth(2).unwrap().trim().to_owned();
    (token, made[made.find("[[token]]").unwrap()..].to_owned())
}

/// Looks until it is so. A test that waits for what never comes fails and says for what.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + WITHIN;
    while !is_so() {
        assert!(Instant::now() < deadline, "it never came: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Events as they arrive, read from the stream message by message.
pub(crate) struct Followed {
    lines: BufReader<TcpStream>,
    /// The last place that was told.
    pub(crate) place: String,
}

/// What a stream tells.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Told {
    Event(Json),
    Place,
    /// Why it ends.
    Problem(String),
}

impl Followed {
    /// Begins behind a place, or, once this returns, with what arrives from now on.
    pub(crate) fn start(serving: &Serving, query: &str, last: Option<&str>) -> Followed {
        let headers: Vec<_> = last.map(|place| ("Last-Event-ID", place)).into_iter().collect();
        let request = get_request(&format!("/api/v1/follow{query}"), &headers);
        let mut stream = serving.connect();
        stream.write_all(request.as_bytes()).unwrap();
        let mut followed = Followed { lines: BufReader::new(stream), place: String::new() };
        let status = followed.line().unwrap();
        assert!(status.contains(" 200 "), "{status}");
        while followed.line().unwrap() != "" {}
        assert_eq!(followed.next(), Some(Told::Place), "the place comes first");
        followed
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.lines.read_line(&mut line) {
            Ok(0) => None,
            Ok(_) => Some(line.trim_end().to_owned()),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => None,
            Err(error) => panic!("no line came: {error}"),
        }
    }

    /// The next message; `None` when the stream has ended. One that was cut off does not count, and
    /// neither does its place.
    pub(crate) fn next(&mut self) -> Option<Told> {
        let (mut kind, mut data, mut place) = (String::new(), String::new(), None);
        loop {
            let line = self.line()?;
            match line.split_once(':').map(|(name, value)| (name, value.trim_start())) {
                Some(("id", told)) => place = Some(told.to_owned()),
                Some(("event", told)) => kind = told.to_owned(),
                Some(("data", told)) => data = told.to_owned(),
                _ => {
                    assert_eq!(line, "");
                    break;
                }
            }
        }
        self.place = place.unwrap_or(std::mem::take(&mut self.place));
        Some(match &*kind {
            "" => Told::Event(serde_json::from_str(&data).unwrap()),
            "place" => Told::Place,
            "problem" => Told::Problem(data),
            _ => panic!("{kind}: {data}"),
        })
    }

    /// The next events; the stream goes on.
    pub(crate) fn take(&mut self, count: usize) -> Vec<Json> {
        let mut events = Vec::new();
        while events.len() < count {
            match self.next() {
                Some(Told::Event(event)) => events.push(event),
                Some(Told::Place) => {}
                ended => panic!("{ended:?} after {} of {count} events", events.len()),
            }
        }
        events
    }
}
