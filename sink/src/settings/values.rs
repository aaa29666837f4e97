//! Values as people write them: sizes, durations, lists.

use std::time::Duration;

/// A whole number above zero.
pub fn count(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "not a whole number above 0".to_owned())
}

/// A size such as `16MiB`, `500kB` or `4096`, in bytes.
pub fn size(text: &str) -> Result<usize, String> {
    let (digits, unit) = split(text);
    let factor: usize = match unit {
        "" | "B" => 1,
        "kB" | "KB" => 1000,
        "KiB" => 1 << 10,
        "MB" => 1_000_000,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err("not a size such as 16MiB or 4096".to_owned()),
    };
    let number: Option<usize> = digits.parse().ok().filter(|number| *number > 0);
    let bytes = number.and_then(|number| number.checked_mul(factor));
    bytes.ok_or_else(|| "not a size such as 16MiB or 4096".to_owned())
}

/// A duration such as `200ms`, `20s` or `5m`; at most a day.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "not a duration such as 200ms, 20s or 5m".to_owned();
    let (digits, unit) = split(text);
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    let millis = match unit {
        "ms" => Some(number),
        "s" => number.checked_mul(1000),
        "m" => number.checked_mul(60_000),
        "h" => number.checked_mul(3_600_000),
        _ => None,
    };
    let millis = millis.filter(|millis| (1..=86_400_000).contains(millis)).ok_or_else(wrong)?;
    Ok(Duration::from_millis(millis))
}

/// `true` or `false`.
pub fn boolean(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| "neither true nor false".to_owned())
}

/// Names with commas between them, none empty, none twice.
pub fn list(text: &str) -> Result<Vec<String>, String> {
    let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
    if names.iter().any(String::is_empty) {
        return Err("a name is empty".to_owned());
    }
    for (index, name) in names.iter().enumerate() {
        if names[..index].contains(name) {
            return Err(format!("{name:?} stands twice"));
        }
    }
    Ok(names)
}

/// Any text but an empty one.
pub fn text(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("empty".to_owned()) } else { Ok(text.to_owned()) }
}

fn split(text: &str) -> (&str, &str) {
    let end = text.find(|it: char| !it.is_ascii_digit()).unwrap_or(text.len());
    (&text[..end], text[end..].trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_durations() {
        for (written, bytes) in
            [("1", 1), ("4096", 4096), ("16MiB", 16 << 20), ("5 MiB", 5 << 20), ("2kB", 2000)]
        {
            assert_eq!(size(written), Ok(bytes), "{written}");
        }
        for wrong in ["", "0", "-1", "1.5MiB", "MiB", "16mib", "99999999999GiB"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
        for (written, millis) in
            [("200ms", 200), ("20s", 20_000), ("2m", 120_000), ("1h", 3_600_000)]
        {
            assert_eq!(duration(written), Ok(Duration::from_millis(millis)), "{written}");
        }
        for wrong in ["", "0s", "20", "1.5s", "s", "-1s", "25h", "99999999999999999999s"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn lists() {
        assert_eq!(list("a, b"), Ok(vec!["a".to_owned(), "b".to_owned()]));
        for wrong in ["", "a,,b", "a,b,a"] {
            assert!(list(wrong).is_err(), "{wrong}");
        }
    }
}
