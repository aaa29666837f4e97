//! What stands behind the `?` of a request.

use std::str::FromStr;

use axum::extract::{FromRequestParts, Path};
use axum::http::Uri;
use axum::http::request::Parts;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::de::DeserializeOwned;
use statetrail_event::{EntityName, OrderKey, Time};
use statetrail_query::{Condition, Moment, parse_moment};
use statetrail_store::{EntityFilter, Order, Place};

use crate::problem::Problem;

/// What a page holds unless more or less is asked for.
pub(super) const PAGE: usize = 100;

/// The parts of a path, percent-decoded.
pub(crate) struct InPath<T>(pub(crate) T);

impl<T, S> FromRequestParts<S> for InPath<T>
where
    T: DeserializeOwned + Send,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<InPath<T>, Problem> {
        check_encoding(parts.uri.path())?;
        let Path(inner) = Path::from_request_parts(parts, state).await.map_err(Problem::bad)?;
        Ok(InPath(inner))
    }
}

/// Refuses what others read as it stands, or as signs that nobody wrote.
fn check_encoding(encoded: &str) -> Result<(), Problem> {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        bytes.push(match (first, behind) {
            (b'%', [high, low, behind @ ..]) => {
                rest = behind;
                let digits = [*high, *low].map(|digit| char::from(digit).to_digit(16));
                let [Some(high), Some(low)] = digits else { return Err(not_encoded()) };
                (high << 4 | low) as u8
            }
            (b'%', _) => return Err(not_encoded()),
            (other, _) => *other,
        });
    }
    match str::from_utf8(&bytes) {
        Ok(_) => Ok(()),
        Err(_) => Err(Problem::bad("what is percent-encoded is not UTF-8")),
    }
}

fn not_encoded() -> Problem {
    Problem::bad("behind % stand two hexadecimal digits; % itself is written %25")
}

/// What the server's clock says.
pub(crate) fn now() -> Time {
    Time::nearest(Timestamp::now().as_nanosecond())
}

/// Parameters that are taken one by one; what is left in the end is none that is known.
#[derive(Debug)]
pub(crate) struct Params {
    pairs: Vec<(String, String)>,
    /// The names that were asked for.
    known: Vec<String>,
    now: Time,
}

impl<S: Sync> FromRequestParts<S> for Params {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Params, Problem> {
        let pairs = form_pairs(&parts.uri)?;
        Ok(Params { pairs, known: Vec::new(), now: now() })
    }
}

fn form_pairs(uri: &Uri) -> Result<Vec<(String, String)>, Problem> {
    check_encoding(uri.query().unwrap_or_default())?;
    axum::extract::Query::<Vec<(String, String)>>::try_from_uri(uri)
        .map(|pairs| pairs.0)
        .map_err(Problem::bad)
}

impl Params {
    /// The present, the same for all of a request.
    pub(crate) fn now(&self) -> Time {
        self.now
    }

    fn take(&mut self, name: &str) -> Vec<String> {
        self.known.push(name.to_owned());
        let (taken, left): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.pairs).into_iter().partition(|(key, _)| key == name);
        self.pairs = left;
        taken.into_iter().map(|(_, value)| value).collect()
    }

    /// All values of a parameter that may be given more than once; empty ones are none, as forms
    /// send them.
    pub(crate) fn all(&mut self, name: &str) -> Vec<String> {
        self.take(name).into_iter().filter(|value| !value.is_empty()).collect()
    }

    /// The value of a parameter; an empty one is none.
    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>, Problem> {
        only(name, self.all(name))
    }

    /// The value of a parameter, which may be an empty text.
    pub(crate) fn exact(&mut self, name: &str) -> Result<Option<String>, Problem> {
        only(name, self.take(name))
    }

    /// The same as something that is read from a text.
    pub(crate) fn parsed<T: FromStr<Err: std::fmt::Display>>(
        &mut self,
        name: &str,
    ) -> Result<Option<T>, Problem> {
        let parsed = self.text(name)?.map(|text| text.parse());
        parsed.transpose().map_err(|error| Problem::bad(format!("{name}: {error}")))
    }

    /// What was given for a parameter first, which stays to be taken.
    pub(crate) fn first(&self, name: &str) -> Option<String> {
        let given = self.pairs.iter().find(|(key, value)| key == name && !value.is_empty());
        given.map(|(_, value)| value.clone())
    }

    /// A moment, as people type it; times without a zone are in UTC.
    pub(crate) fn time(&mut self, name: &str) -> Result<Option<Time>, Problem> {
        let time = self.text(name)?.map(|text| parse_moment(&text, self.now, &TimeZone::UTC));
        time.transpose().map_err(|error| Problem::bad(format!("{name}: {error}")))
    }

    /// `at`, else now; and `as_known_at`.
    pub(crate) fn moment(&mut self) -> Result<Moment, Problem> {
        let at = self.time("at")?.unwrap_or(self.now);
        Ok(Moment { at, as_known_at: self.time("as_known_at")? })
    }

    /// `from` and `to`, both inclusive; all of time if they are not given.
    pub(crate) fn span(&mut self) -> Result<(Time, Time), Problem> {
        let from = self.time("from")?.unwrap_or(Time::MIN);
        let to = self.time("to")?.unwrap_or(Time::MAX);
        if from > to {
            return Err(Problem::bad(format!("from {from} is after to {to}")));
        }
        Ok((from, to))
    }

    /// `namespace`, `type` and `prefix`.
    pub(crate) fn filter(&mut self) -> Result<EntityFilter, Problem> {
        Ok(EntityFilter {
            namespace: self.text("namespace")?,
            entity_type: self.text("type")?,
            id_prefix: self.text("prefix")?,
        })
    }

    /// `order`: `oldest` or `newest`.
    pub(crate) fn order(&mut self, otherwise: Order) -> Result<Order, Problem> {
        match self.text("order")?.as_deref() {
            None => Ok(otherwise),
            Some("oldest") => Ok(Order::OldestFirst),
            Some("newest") => Ok(Order::NewestFirst),
            Some(other) => Err(Problem::bad(format!("order is oldest or newest, not {other:?}"))),
        }
    }

    /// `limit`, up to the longest page.
    pub(crate) fn limit(&mut self, most: usize) -> Result<usize, Problem> {
        let limit = self.parsed::<usize>("limit")?.unwrap_or(most.min(PAGE));
        if (1..=most).contains(&limit) {
            Ok(limit)
        } else {
            Err(Problem::bad(format!("limit is 1 to {most}, not {limit}")))
        }
    }

    /// `where`, any number of conditions.
    pub(crate) fn conditions(&mut self) -> Result<Vec<Condition>, Problem> {
        let conditions = self.all("where").into_iter().map(|text| text.parse());
        conditions
            .collect::<Result<_, _>>()
            .map_err(|error| Problem::bad(format!("where: {error}")))
    }

    /// Refuses what is left: a parameter that is mistyped must not be ignored.
    pub(crate) fn finish(self) -> Result<(), Problem> {
        match self.pairs.first() {
            None => Ok(()),
            Some((name, _)) => {
                let known = match self.known.as_slice() {
                    [] => "there is none".to_owned(),
                    known => format!("there are {}", known.join(", ")),
                };
                Err(Problem::bad(format!("there is no parameter {name:?} here; {known}")))
            }
        }
    }
}

fn only(name: &str, mut values: Vec<String>) -> Result<Option<String>, Problem> {
    match values.len() {
        0 | 1 => Ok(values.pop()),
        _ => Err(Problem::bad(format!("{name} is given more than once"))),
    }
}

/// A place in a trail, as it stands in `next` of an answer.
pub(crate) fn key_text(key: OrderKey) -> String {
    format!("{}.{}.{}", key.time.nanos(), key.seq, key.id)
}

/// Reads what [`key_text`] wrote.
pub(crate) fn read_key(text: &str) -> Result<OrderKey, Problem> {
    let wrong = || Problem::bad("after is the text that stood in next of the page before");
    let mut parts = text.splitn(3, '.');
    let mut part = || parts.next().ok_or_else(wrong);
    Ok(OrderKey {
        time: Time::from_nanos(part()?.parse().map_err(|_| wrong())?),
        seq: part()?.parse().map_err(|_| wrong())?,
        id: part()?.parse().map_err(|_| wrong())?,
    })
}

/// A place in the timeline, as it stands in `next` of an answer.
pub(crate) fn place_text(place: &Place) -> String {
    format!("{}.{}", key_text(place.key), place.entity)
}

/// Reads what [`place_text`] wrote.
pub(crate) fn read_place(text: &str) -> Result<Place, Problem> {
    let wrong = || Problem::bad("after is the text that stood in next of the page before");
    let (end, _) = text.match_indices('.').nth(2).ok_or_else(wrong)?;
    let entity: EntityName = text[end + 1..].parse().map_err(|_| wrong())?;
    Ok(Place { key: read_key(&text[..end])?, entity })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(query: &str) -> Result<Params, Problem> {
        let now = Time::parse_rfc3339("2026-11-22T10:00:00Z").map_err(Problem::bad)?;
        let uri = format!("/?{query}").parse().map_err(Problem::bad)?;
        Ok(Params { pairs: form_pairs(&uri)?, known: Vec::new(), now })
    }

    #[test]
    fn parameters_are_taken_and_unknown_ones_refused() {
        let mut all = params("type=order&where=a%3Db&where=c%3E1&limit=7&at=-15m&prefix=").unwrap();
        let filter = all.filter().unwrap();
        assert_eq!((filter.entity_type.as_deref(), filter.id_prefix), (Some("order"), None));
        assert_eq!(all.conditions().unwrap().len(), 2);
        assert_eq!(all.limit(10).unwrap(), 7);
        assert_eq!(all.moment().unwrap().at.to_string(), "2026-11-22T09:45:00Z");
        all.finish().unwrap();
        let refused = params("tpye=order").unwrap().finish().unwrap_err();
        assert!(refused.detail.contains("tpye"), "{refused:?}");
        let mut steps = params("from=&to=paid").unwrap();
        assert_eq!(steps.exact("from"), Ok(Some(String::new())));
        assert_eq!(steps.exact("to"), Ok(Some("paid".to_owned())));
        assert_eq!(steps.exact("other"), Ok(None));
        for (query, said) in [
            ("limit=0", "1 to 10"),
            ("limit=11", "1 to 10"),
            ("limit=x", "limit"),
            ("limit=1&limit=2", "more than once"),
        ] {
            let refused = params(query).unwrap().limit(10).unwrap_err();
            assert!(refused.detail.contains(said), "{query}: {refused:?}");
        }
        assert!(params("from=11:00&to=10:00").unwrap().span().is_err());
        assert!(params("order=up").unwrap().order(Order::OldestFirst).is_err());
        assert!(params("where=%3D%3Dx").unwrap().conditions().is_err());
    }

    proptest::proptest! {
        #[test]
        fn a_place_is_read_as_it_was_written(
            time: i64, seq: u64, id: [u8; 16], name in "[a-z]{1,4}/[a-z]{1,4}/[a-z./%]{1,9}",
        ) {
            let id = statetrail_event::EventId(id);
            let key = OrderKey { time: Time::from_nanos(time), seq, id };
            let place = Place { key, entity: name.parse().unwrap() };
            assert_eq!(read_place(&place_text(&place)), Ok(place));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,40}") {
            let _ = read_place(&text);
        }
    }
}
