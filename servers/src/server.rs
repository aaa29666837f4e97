//! One server as a process: started, watched, stopped, killed, paused, measured.
//!
//! Two processes stand behind a server: Java, and a watchdog that shares its process group. The
//! watchdog waits at the other end of a pipe that only we hold. When we end, in whatever way, the
//! pipe closes, and the watchdog kills Java and removes the data. When Java is to end or to outlive
//! us, we write a line into the pipe first and the watchdog leaves.
//!
//! A death signal set for the child would be the system's own way; setting one needs unsafe code,
//! and it fires when the *thread* ends that started the child, which in tests is too early.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};

use crate::Error;

/// Generous, because tests share their machine with other tests and builds.
const READY_WITHIN: Duration = Duration::from_secs(300);

/// Cassandra flushes its memtables first.
const STOPPED_WITHIN: Duration = Duration::from_secs(60);

const LOOK_EVERY: Duration = Duration::from_millis(25);

/// `$0` is the folder to remove, `$@` what to run. The subshell is made before Java, so there is no
/// moment at which Java runs unwatched; `exec` keeps the process id, so `$$` is Java's.
const WATCHED: &str = r#"
exec 3<&0 </dev/null
( read -r _ <&3 || { kill -KILL $$; rm -rf -- "$0" || { sleep 1; rm -rf -- "$0"; }; } ) 2>/dev/null &
exec 3<&- "$@"
"#;

/// What to run, and how to know that it is ready.
#[derive(Debug)]
pub(crate) struct Launch {
    /// A name for people, also of the log.
    pub name: String,
    /// What to run: Java, but for Fluent Bit.
    pub program: &'static Path,
    pub arguments: Vec<String>,
    /// The server's data, or its whole cluster's.
    pub data: PathBuf,
    /// Where its logs go, one for each time it is started.
    pub logs: PathBuf,
    /// What its log says when it is ready.
    pub ready: Vec<&'static str>,
}

/// A server that this process started.
///
/// Its methods take `&self`, so that a test can break a server that its tasks share.
#[derive(Debug)]
pub struct Server {
    launch: Launch,
    life: Mutex<Life>,
}

#[derive(Debug, Default)]
struct Life {
    process: Option<Child>,
    paused: bool,
    runs: u32,
}

impl Server {
    /// Starts a server without waiting for it.
    pub(crate) fn start(launch: Launch) -> Result<Self, Error> {
        let server = Self { launch, life: Mutex::default() };
        server.begin()?;
        Ok(server)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.launch.name
    }

    /// The log of its current run, or of the last one.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        let runs = self.life().runs;
        self.launch.logs.join(format!("{}-run-{runs}.log", self.launch.name))
    }

    /// Its process id.
    ///
    /// # Errors
    /// When it is stopped.
    pub fn process_id(&self) -> Result<u32, Error> {
        let life = self.life();
        let process = life.process.as_ref().ok_or_else(|| self.stopped("tell its process id"))?;
        Ok(process.id())
    }

    /// Whether it was started and neither stopped nor paused since.
    #[must_use]
    pub fn is_running(&self) -> bool {
        let life = self.life();
        life.process.is_some() && !life.paused
    }

    /// Asks it to end in good order (SIGTERM) and waits until it has.
    ///
    /// # Errors
    /// When it is stopped already, or does not end in time; then it is killed.
    pub fn stop(&self) -> Result<(), Error> {
        let mut life = self.life();
        let process = life.process.take().ok_or_else(|| self.stopped("stop"))?;
        signal(&process, Signal::TERM);
        // One that is paused handles its SIGTERM only when it goes on.
        signal(&process, Signal::CONT);
        let asked = Instant::now();
        while !has_ended(&process) {
            if asked.elapsed() > STOPPED_WITHIN {
                end(process);
                drop(life);
                return Err(self.too_slow("stopping".to_owned(), STOPPED_WITHIN));
            }
            thread::sleep(LOOK_EVERY);
        }
        end(process);
        Ok(())
    }

    /// Ends it at once (SIGKILL), as a crash does.
    ///
    /// # Errors
    /// When it is stopped already.
    pub fn kill(&self) -> Result<(), Error> {
        end(self.life().process.take().ok_or_else(|| self.stopped("kill"))?);
        Ok(())
    }

    /// Freezes it (SIGSTOP): its connections stay open and nobody answers.
    ///
    /// # Errors
    /// When it is stopped.
    pub fn pause(&self) -> Result<(), Error> {
        self.freeze("pause", Signal::STOP, true)
    }

    /// Lets it go on after [`Self::pause`].
    ///
    /// # Errors
    /// When it is stopped.
    pub fn resume(&self) -> Result<(), Error> {
        self.freeze("resume", Signal::CONT, false)
    }

    /// Starts it again on the same ports and data, and waits until it is ready; stops it first if
    /// need be.
    ///
    /// # Errors
    /// When it does not stop or does not start.
    pub fn restart(&self) -> Result<(), Error> {
        let is_up = self.life().process.is_some();
        if is_up {
            self.stop()?;
        }
        self.begin()?;
        self.wait_until_ready()
    }

    /// CPU time that it has used since it was last started, user and system together.
    ///
    /// # Errors
    /// When it is stopped, or the system does not tell (only Linux does).
    pub fn cpu_time(&self) -> Result<Duration, Error> {
        let stat = self.proc_file("stat")?;
        let ticks: u64 = stat_fields(&stat, 14).take(2).sum();
        let ticks_a_second = rustix::param::clock_ticks_per_second();
        Ok(Duration::from_millis(ticks * 1000 / ticks_a_second))
    }

    /// Memory that it holds, in bytes.
    ///
    /// # Errors
    /// When it is stopped, or the system does not tell (only Linux does).
    pub fn resident_bytes(&self) -> Result<u64, Error> {
        let status = self.proc_file("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
        Ok(kib.unwrap_or(0) * 1024)
    }

    /// Waits until its log says that it is ready.
    pub(crate) fn wait_until_ready(&self) -> Result<(), Error> {
        for line in &self.launch.ready {
            self.wait_until(&format!("waiting for \"{line}\""), |log| log.contains(line))?;
        }
        Ok(())
    }

    /// Waits until its log of this run satisfies a condition.
    pub(crate) fn wait_until(
        &self,
        what: &str,
        condition: impl Fn(&str) -> bool,
    ) -> Result<(), Error> {
        let begun = Instant::now();
        loop {
            let ended = self.life().process.as_ref().is_none_or(has_ended);
            let log = self.read_log()?;
            if condition(&log) {
                return Ok(());
            }
            if ended {
                let reason = telling_line(&log).to_owned();
                return Err(Error::Ended {
                    server: self.name().to_owned(),
                    reason,
                    log: self.log(),
                });
            }
            if begun.elapsed() > READY_WITHIN {
                return Err(self.too_slow(what.to_owned(), READY_WITHIN));
            }
            thread::sleep(LOOK_EVERY);
        }
    }

    /// The log of this run.
    pub(crate) fn read_log(&self) -> Result<String, Error> {
        let path = self.log();
        let bytes = fs::read(&path).map_err(Error::file("read", &path))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Lets it outlive this process.
    pub(crate) fn detach(&self) -> Result<(), Error> {
        let mut process = self.life().process.take().ok_or_else(|| self.stopped("detach"))?;
        dismiss_watchdog(&mut process);
        Ok(())
    }

    fn begin(&self) -> Result<(), Error> {
        self.life().runs += 1;
        let path = self.log();
        let log = File::create(&path).map_err(Error::file("create", &path))?;
        let errors = log.try_clone().map_err(Error::file("open", &path))?;
        let process = Command::new("sh")
            .args(["-c", WATCHED])
            .arg(&self.launch.data)
            .arg(self.launch.program)
            .args(&self.launch.arguments)
            .stdin(Stdio::piped())
            .stdout(log)
            .stderr(errors)
            // Ctrl-C at a terminal goes to the test, not to its servers: the watchdog ends those.
            .process_group(0)
            .spawn()
            .map_err(Error::file("run", Path::new("sh")))?;
        let mut life = self.life();
        life.process = Some(process);
        life.paused = false;
        Ok(())
    }

    fn freeze(&self, action: &'static str, sign: Signal, paused: bool) -> Result<(), Error> {
        let mut life = self.life();
        signal(life.process.as_ref().ok_or_else(|| self.stopped(action))?, sign);
        life.paused = paused;
        Ok(())
    }

    fn proc_file(&self, file: &str) -> Result<String, Error> {
        let path = PathBuf::from(format!("/proc/{}/{file}", self.process_id()?));
        fs::read_to_string(&path).map_err(Error::file("read", &path))
    }

    fn life(&self) -> MutexGuard<'_, Life> {
        // A test that failed while it held the lock leaves nothing half done.
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stopped(&self, action: &'static str) -> Error {
        Error::State { server: self.name().to_owned(), action, state: "stopped" }
    }

    fn too_slow(&self, what: String, limit: Duration) -> Error {
        Error::TooSlow { server: self.name().to_owned(), what, limit, log: self.log() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(process) = self.life().process.take() {
            end(process);
        }
    }
}

/// Kills it if it still runs, then reaps it. Until then its id cannot become another process's,
/// which is why the watchdog is dismissed before.
fn end(mut process: Child) {
    signal(&process, Signal::KILL);
    dismiss_watchdog(&mut process);
    drop(process.wait());
}

fn dismiss_watchdog(process: &mut Child) {
    if let Some(mut pipe) = process.stdin.take() {
        drop(pipe.write_all(b"\n"));
    }
}

/// Fails only for a process that has ended, which is no fault here.
fn signal(process: &Child, sign: Signal) {
    let _ = rustix::process::kill_process(Pid::from_child(process), sign);
}

/// Whether it has ended, without reaping it.
fn has_ended(process: &Child) -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    let status = rustix::process::waitid(WaitId::Pid(Pid::from_child(process)), options);
    !matches!(status, Ok(None))
}

/// Numbers of `/proc/PID/stat`, from the field with this number on (counted from 1, as in proc(5)).
fn stat_fields(stat: &str, first: usize) -> impl Iterator<Item = u64> {
    // The second field is the program's name in brackets and may hold anything.
    let behind_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    behind_name.split_whitespace().skip(first - 3).map(|field| field.parse().unwrap_or(0))
}

/// When a process started, in ticks since the system did: with the id it names a process for good.
/// `None` if there is none with this id, or only what is left of one until its parent looks.
pub(crate) fn start_ticks(process_id: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{process_id}/stat")).ok()?;
    let (_, behind_name) = stat.rsplit_once(')')?;
    let has_ended = behind_name.trim_start().starts_with('Z');
    if has_ended { None } else { stat_fields(&stat, 22).next() }
}

/// The line of a log that says best why a server ended.
fn telling_line(log: &str) -> &str {
    let marks = ["already in use", "in use by another", "Caused by", "Exception", "ERROR", "Error"];
    let marked = marks.iter().find_map(|mark| log.lines().find(|line| line.contains(mark)));
    marked.or(log.lines().last()).unwrap_or("it said nothing").trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_counted_behind_a_name_with_brackets_and_spaces() {
        let stat = "77 (a) b) S 1 77 77 0 -1 4194560 11 12 13 14 150 160 17";
        assert_eq!(stat_fields(stat, 14).take(2).collect::<Vec<_>>(), [150, 160]);
    }

    #[test]
    fn the_line_about_the_port_comes_before_what_follows_from_it() {
        let log = "INFO a\nERROR shutting down\nException: Address already in use\nlast";
        assert_eq!(telling_line(log), "Exception: Address already in use");
        assert_eq!(telling_line("INFO a\nlast\n"), "last");
    }
}
