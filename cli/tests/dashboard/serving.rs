//! A server over a store with a log of a shop.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::common::Place;

/// Rules for lines that say themselves what they change.
const RULES: &str = "\
namespaces: [shop]
rules:
  - name: changed
    match: 'change <type:any>/<id> <event> status=<status> amount=<amount:number> note=<note:quoted>'
    emit:
      - {entity: <type>/<id>, event: <event>, set: {status: <status>, amount: <amount>, note: <note>}}
    samples:
      - line: 'change order/o-1 placed status=placed amount=5 note=\"a b\"'
        events: [{entity: order/o-1, event: placed, set: {status: placed, amount: 5, note: a b}}]
";

/// A log in the form that those rules read, with times in seconds after a moment of a day.
pub(crate) struct Log(String);

impl Log {
    pub(crate) fn new() -> Log {
        Log(String::new())
    }

    /// Something changes, so many milliseconds after 10 o'clock.
    pub(crate) fn change(mut self, millis: u64, entity: &str, status: &str, note: &str) -> Log {
        let (second, milli) = (millis / 1_000, millis % 1_000);
        let (hour, minute) = (10 + second / 3_600, second / 60 % 60);
        let second = second % 60;
        let amount = millis % 97;
        let _ = writeln!(
            self.0,
            "2026-11-22T{hour:02}:{minute:02}:{second:02}.{milli:03}Z change {entity} {status} \
             status={status} amount={amount} note=\"{note}\""
        );
        self
    }

    /// Orders on their way, and one that has stood still for long.
    pub(crate) fn shop(orders: u64) -> Log {
        let mut log = Log::new();
        for order in 0..orders {
            let (name, start) = (format!("order/o-{}", 1_000 + order), order * 1_500);
            log = log.change(start, &name, "placed", "by ann");
            if order == 3 {
                continue;
            }
            log = log.change(start + 4_000 + order % 7 * 300, &name, "paid", "by card");
            if order % 10 == 4 {
                log = log.change(start + 9_000, &name, "cancelled", "the customer did");
                continue;
            }
            log = log.change(start + 30_000 + order % 11 * 500, &name, "shipped", "with a courier");
            log = log.change(start + 90_000, &name, "delivered", "to the door");
            let courier = format!("courier/c-{}", order % 6);
            log = log.change(start + 31_000, &courier, "riding", &format!("with {name}"));
            log = log.change(start + 90_500, &courier, "free", "");
        }
        log
    }
}

/// `statetrail serve` over a store of its own.
pub(crate) struct Serving {
    pub(crate) place: Place,
    child: Child,
    /// `http://127.0.0.1:PORT`
    pub(crate) address: String,
    arguments: Vec<String>,
    imports: usize,
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Serving {
    /// Over a log.
    pub(crate) fn start(log: Log) -> Serving {
        Serving::start_with(log, "", &[])
    }

    /// Over a log, with further arguments, and a file of tokens that they may name.
    pub(crate) fn start_with(log: Log, tokens: &str, arguments: &[&str]) -> Serving {
        let place = Place::new();
        place.write("tokens.toml", tokens);
        place.write("rules.yaml", RULES);
        let mut serving = Serving {
            place,
            // Takes the place until there is one; it ends by itself.
            child: Command::new("true").spawn().unwrap(),
            address: String::new(),
            arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
            imports: 0,
        };
        // A store must be there, with or without a line in it.
        serving.import(log);
        serving.serve("127.0.0.1:0");
        serving
    }

    fn serve(&mut self, listen: &str) {
        let arguments = ["serve", "--listen", listen, "-o", "jsonl"].map(str::to_owned);
        let arguments = arguments.into_iter().chain(self.arguments.clone());
        let mut child = self.place.command(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let told: Value = serde_json::from_str(&line).unwrap();
        told["address"].as_str().unwrap().clone_into(&mut self.address);
        self.child = child;
    }

    /// Brings more into the store.
    pub(crate) fn import(&mut self, log: Log) {
        self.imports += 1;
        let name = format!("app-{}.log", self.imports);
        self.place.write(&name, log.0);
        let import = ["import", "--namespace", "shop", "--rules", "rules.yaml", &name];
        self.place.run(import).expect_code(0);
    }

    /// Removes the store; the next import makes another one.
    pub(crate) fn remove_store(&self) {
        for name in ["store.db", "store.db-wal", "store.db-shm"] {
            let _ = std::fs::remove_file(self.place.path(name));
        }
    }

    /// Ends the server at once.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again where it was.
    pub(crate) fn start_again(&mut self) {
        let listen = self.address.trim_start_matches("http://").to_owned();
        self.serve(&listen);
    }
}
