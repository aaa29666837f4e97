//! The binaries as they are released: each is one stripped file that a small base image can run, and
//! the sink is there in a moment.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use statetrail_k8s_check::succeed;

use crate::binaries::released;

/// Runs of which the fastest counts, as the machine may be busy with other tests.
const RUNS: usize = 20;
const STARTED_WITHIN: Duration = Duration::from_millis(100);

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[test]
fn binaries_need_nothing_but_glibc_and_are_stripped() -> Result<()> {
    for path in [&released()?.statetrail, &released()?.sink] {
        let dynamic = succeed(Command::new("readelf").args(["--wide", "--dynamic"]).arg(path))?;
        let needed: Vec<&str> = dynamic
            .lines()
            .filter(|line| line.contains("(NEEDED)"))
            .filter_map(|line| line.split(['[', ']']).nth(1))
            .collect();
        ensure!(needed.contains(&"libc.so.6"), "{path:?}: {dynamic}");
        let is_of_glibc =
            |name: &str| ["libc.so.6", "libm.so.6"].contains(&name) || name.starts_with("ld-linux");
        ensure!(needed.iter().all(|name| is_of_glibc(name)), "{path:?} needs {needed:?}");
        let sections = succeed(Command::new("readelf").args(["--wide", "--sections"]).arg(path))?;
        ensure!(sections.contains(".text") && !sections.contains(".symtab"), "{sections}");
    }
    Ok(())
}

#[test]
fn the_sink_starts_in_a_moment() -> Result<()> {
    let mut fastest = Duration::MAX;
    for _ in 0..RUNS {
        let mut check = Command::new(&released()?.sink);
        check.args(["--store=sqlite:x.db", "--kafka-brokers=b:1", "--kafka-topics=t", "--check"]);
        let begun = Instant::now();
        succeed(&mut check)?;
        fastest = fastest.min(begun.elapsed());
    }
    println!("{fastest:?} from the start to the end of a check, the fastest of {RUNS}");
    ensure!(fastest < STARTED_WITHIN, "{fastest:?}");
    Ok(())
}
