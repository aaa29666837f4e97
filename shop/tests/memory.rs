//! A run needs no more memory the longer it lasts. Alone in its file, because it looks at the
//! memory of the whole process, which only Linux tells.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use statetrail_shop::{Amount, LogLine, ShopConfig, TruthChange, generate};

/// Lines that about one day has; from the second day on, every kind of work is under way.
const DAY: u64 = 100_000;
const GROWTH_KIB_MAX: u64 = 1_024;

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn memory_stays_flat() {
    let config = ShopConfig {
        amount: Amount::Lines(3 * DAY),
        late_share: 0.5,
        repeat_share: 0.01,
        ..ShopConfig::one_day(DAY)
    };
    let mut written = 0;
    let mut after_a_day = 0;
    let mut lines = |_: &LogLine<'_>| {
        written += 1;
        if written == DAY {
            after_a_day = resident_kib();
        }
        Ok(())
    };
    let mut changes = 0_u64;
    let mut truth = |_: &TruthChange<'_>| {
        changes += 1;
        Ok(())
    };
    generate(&config, &mut lines, Some(&mut truth)).unwrap();
    let growth = resident_kib().saturating_sub(after_a_day);
    assert!(changes > DAY, "{changes} changes");
    assert!(growth <= GROWTH_KIB_MAX, "{growth} KiB more after three days than after one");
}
