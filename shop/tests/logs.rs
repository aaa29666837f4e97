//! The logs: files as the kubelet names them, lines as a container runtime writes them, the same
//! bytes for the same seed.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::time::{Duration, Instant};

use statetrail_event::Time;
use statetrail_rules::ContainerName;
use statetrail_shop::{
    Amount, LineKind, LogLine, Pace, Service, ShopConfig, Summary, generate, generate_to_folder,
};

/// The files of a run by name.
fn files_of(config: &ShopConfig) -> (BTreeMap<String, Vec<u8>>, Summary) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let summary = generate_to_folder(config, folder.path()).expect("the run succeeds");
    (read_folder(folder.path()), summary)
}

fn read_folder(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    entries
        .map(|entry| {
            let path = entry.expect("a file").path();
            let name = path.file_name().and_then(|name| name.to_str()).expect("a plain name");
            (name.to_owned(), std::fs::read(&path).expect("a readable file"))
        })
        .collect()
}

/// A line of a file in the runtime's format.
#[derive(Debug, PartialEq, Eq, Hash, Clone)]
struct CriLine {
    time: Time,
    stream: String,
    tag: String,
    text: Vec<u8>,
}

/// The lines of a file, parts put together.
fn cri_lines(file: &[u8]) -> Vec<CriLine> {
    let mut lines = Vec::new();
    // With how many parts there were.
    let mut begun: Option<(CriLine, i64)> = None;
    for raw in file.split_inclusive(|byte| *byte == b'\n') {
        let raw = raw.strip_suffix(b"\n").expect("every line ends");
        let mut parts = raw.splitn(4, |byte| *byte == b' ');
        let mut word = || String::from_utf8_lossy(parts.next().expect("four parts")).into_owned();
        let (time, stream, tag) = (word(), word(), word());
        let time = Time::parse_rfc3339(&time).expect("a time");
        let text = parts.next().expect("four parts").to_vec();
        let mut line = CriLine { time, stream, tag, text };
        let mut count = 1;
        if let Some((first, before)) = begun.take() {
            count += before;
            let next = Time::from_nanos(first.time.nanos() + before);
            assert_eq!((next, &first.stream), (line.time, &line.stream), "parts differ");
            line.time = first.time;
            line.text = [first.text, line.text].concat();
        }
        match line.tag.as_str() {
            "F" => lines.push(line),
            "P" => begun = Some((line, count)),
            other => panic!("tag {other}"),
        }
    }
    assert_eq!(begun, None, "the last line has no end");
    lines
}

fn disorderly(seed: u64) -> ShopConfig {
    ShopConfig { seed, late_share: 0.3, repeat_share: 0.1, ..ShopConfig::one_day(20_000) }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let (first, summary) = files_of(&disorderly(3));
    let (second, same_summary) = files_of(&disorderly(3));
    assert!(first == second, "two runs of one seed differ");
    assert_eq!(summary, same_summary);
    let (other, _) = files_of(&disorderly(4));
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_ne!(names(&first), names(&other));
}

#[test]
fn files_are_named_as_the_kubelet_names_them() {
    let (files, _) = files_of(&ShopConfig::one_day(1_000));
    let mut services = HashSet::new();
    for name in files.keys() {
        let container = ContainerName::from_container_log(name).unwrap_or_else(|| panic!("{name}"));
        assert_eq!((container.namespace, container.container), ("shop", "app"), "{name}");
        let service = container.pod.split('-').next().unwrap().to_owned();
        assert!(Service::ALL.iter().any(|known| known.name() == service), "{name}");
        services.insert(service);
        let id = name.trim_end_matches(".log").rsplit('-').next().unwrap();
        assert!(id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{name}");
    }
    assert_eq!(services.len(), Service::ALL.len());
}

#[test]
fn files_hold_the_promised_number_of_lines_and_repeated_ones_are_identical() {
    let (files, summary) = files_of(&disorderly(6));
    let lines: HashMap<&String, Vec<CriLine>> =
        files.iter().map(|(name, file)| (name, cri_lines(file))).collect();
    assert_eq!(lines.values().map(Vec::len).sum::<usize>(), 20_000);
    assert_eq!(summary.lines, 20_000);

    let mut repeated = 0;
    let mut late = 0;
    let mut times = HashSet::new();
    for lines in lines.values() {
        let mut by_time: HashMap<Time, &CriLine> = HashMap::new();
        let mut newest = Time::MIN;
        for line in lines {
            match by_time.insert(line.time, line) {
                Some(first) => {
                    assert_eq!(first, line, "two lines of one moment");
                    repeated += 1;
                }
                None => assert!(times.insert(line.time), "two containers, one moment"),
            }
            late += usize::from(line.time < newest);
            newest = newest.max(line.time);
        }
    }
    assert!((1_400..2_600).contains(&repeated), "{repeated} of 20,000 lines repeated");
    assert!(late > 4_000, "{late} of 20,000 lines late");
}

#[test]
fn without_disorder_times_rise_in_every_file() {
    let (files, _) = files_of(&ShopConfig::one_day(20_000));
    for (name, file) in &files {
        let times: Vec<Time> = cri_lines(file).iter().map(|line| line.time).collect();
        assert!(times.is_sorted_by(|a, b| a < b), "{name}");
    }
}

#[test]
fn late_lines_are_late_within_the_limit() {
    let within = Duration::from_secs(60);
    let config = ShopConfig {
        late_share: 1.0,
        late_within: within,
        skew: Duration::ZERO,
        ..ShopConfig::one_day(20_000)
    };
    let mut newest = Time::MIN;
    let mut latest = 0;
    let mut lines = |line: &LogLine<'_>| {
        latest = latest.max(newest.nanos().saturating_sub(line.time.nanos()));
        newest = newest.max(line.time);
        Ok(())
    };
    generate(&config, &mut lines, None).unwrap();
    let within = within.as_nanos() as i64;
    assert!(latest <= within, "a line is {latest} ns late");
    assert!(latest > within / 2, "the latest line is but {latest} ns late");
}

#[test]
fn the_share_of_lines_that_change_something_is_as_asked() {
    for share in [0.0, 0.1, 0.5, 0.9, 1.0] {
        let config = ShopConfig { matching_share: share, ..ShopConfig::one_day(10_000) };
        let summary = generate(&config, &mut |_: &LogLine<'_>| Ok(()), None).unwrap();
        let got = summary.changing_lines() as f64 / summary.lines as f64;
        assert!((got - share).abs() < 0.01, "asked for {share}, got {got}");
    }
}

#[test]
fn every_kind_of_line_occurs_and_is_counted() {
    let mut seen = vec![0; LineKind::ALL.len()];
    let mut lines = |line: &LogLine<'_>| {
        seen[line.kind as usize] += 1;
        Ok(())
    };
    let config = ShopConfig { repeat_share: 0.01, ..ShopConfig::one_day(150_000) };
    let summary = generate(&config, &mut lines, None).unwrap();
    for kind in LineKind::ALL {
        assert!(seen[*kind as usize] > 0, "no line of kind {}", kind.name());
        assert_eq!(seen[*kind as usize], summary.lines_of(*kind), "{}", kind.name());
    }
}

#[test]
fn long_lines_are_split_into_parts() {
    let config = ShopConfig { part_bytes: 100, ..ShopConfig::one_day(5_000) };
    let (files, _) = files_of(&config);
    let parts = files.values().flat_map(|file| file.split(|byte| *byte == b'\n'));
    let is_part = |line: &&[u8]| line.windows(3).any(|tag| tag == b" P ");
    assert!(parts.filter(is_part).count() > 1_000);

    let (whole, _) = files_of(&ShopConfig::one_day(5_000));
    for (name, file) in &files {
        assert!(cri_lines(file) == cri_lines(&whole[name]), "{name} differs when put together");
    }
}

#[test]
fn an_ordered_number_of_orders_comes_to_its_end() {
    let config = ShopConfig { amount: Amount::Orders(200), ..ShopConfig::default() };
    let summary = generate(&config, &mut |_: &LogLine<'_>| Ok(()), None).unwrap();
    assert_eq!(summary.orders, 200);
    assert_eq!(summary.lines_of(LineKind::OrderPlaced), 200);
    let ended = [LineKind::OrderCompleted, LineKind::OrderCancelled, LineKind::PaymentRefunded];
    assert_eq!(ended.map(|kind| summary.lines_of(kind)).iter().sum::<u64>(), 200);
}

#[test]
fn a_rate_is_kept_by_the_real_clock_and_in_the_lines() {
    let config = ShopConfig {
        pace: Pace::LinesPerSecond(2_000),
        amount: Amount::Lines(1_001),
        skew: Duration::ZERO,
        ..ShopConfig::default()
    };
    let started = Instant::now();
    let (files, _) = files_of(&config);
    assert!(started.elapsed() >= Duration::from_millis(500));
    let times: Vec<Time> =
        files.values().flat_map(|file| cri_lines(file)).map(|line| line.time).collect();
    let span = times.iter().max().unwrap().nanos() - times.iter().min().unwrap().nanos();
    assert!((499_000_000..501_000_000).contains(&span), "{span} ns");
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = generate_to_folder(&ShopConfig::one_day(10), &file.join("logs")).unwrap_err();
    assert!(error.to_string().contains("file"), "{error}");
}
