//! What the OpenAPI document says of parameters and problems, by groups that routes have in common.
//!
//! The fields are only described: handlers take parameters one by one from
//! [`Params`](super::params::Params). Tests hold the one against the other.
#![allow(dead_code)]

use std::collections::BTreeMap;

use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoParams, IntoResponses, ToSchema};

/// The name of an entity.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct NamedEntity {
    /// The entity's namespace.
    #[param(min_length = 1)]
    namespace: String,
    /// The entity's type.
    #[param(min_length = 1)]
    r#type: String,
    /// The entity's id. It may hold slashes, as they are or percent-encoded.
    #[param(min_length = 1)]
    id: String,
}

/// The name of a kind.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct NamedKind {
    /// The namespace.
    #[param(min_length = 1)]
    namespace: String,
    /// The type of entities.
    #[param(min_length = 1)]
    r#type: String,
}

/// A moment of the question.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct At {
    /// The moment, now if it is left out: RFC 3339, or as people write it, such as `-15m`,
    /// `yesterday 14:00` or `11:30`, in UTC.
    #[param(required = false, example = "2026-11-22T10:03:07Z")]
    at: String,
}

/// What was known.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct AsKnownAt {
    /// Leave out what became known after this moment; written as other moments are.
    #[param(required = false, example = "-1h")]
    as_known_at: String,
}

/// A span of time.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Span {
    /// The first moment, the beginning of all times if it is left out: RFC 3339, or as people
    /// write it, in UTC.
    #[param(required = false, example = "-1h")]
    from: String,
    /// The last moment, inclusive, the end of all times if it is left out.
    #[param(required = false, example = "2026-11-22T10:03:07Z")]
    to: String,
}

/// Two moments.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct TwoMoments {
    /// The earlier moment: RFC 3339, or as people write it, in UTC. Before everything if it is
    /// left out.
    #[param(required = false, example = "-1h")]
    from: String,
    /// The later moment, now if it is left out.
    #[param(required = false, example = "2026-11-22T10:03:07Z")]
    to: String,
}

/// Which entities.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Entities {
    /// Only entities of this namespace.
    #[param(required = false)]
    namespace: String,
    /// Only entities of this type.
    #[param(required = false)]
    r#type: String,
    /// Only entities whose ids begin with this.
    #[param(required = false)]
    prefix: String,
}

/// Which events.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Events {
    /// Only events with this name.
    #[param(required = false)]
    event: String,
    /// Only events whose line holds this text, upper and lower case told apart.
    #[param(required = false)]
    text: String,
}

/// Conditions on states.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Conditions {
    /// Conditions that the state fulfils, all of them: `status=paid`, `amount>=10`, `!refund`.
    #[param(required = false, style = Form, explode)]
    r#where: Vec<String>,
}

/// The length of a page.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Limit {
    /// At most so many.
    #[param(required = false, minimum = 1, maximum = 1_000, default = 100)]
    limit: u32,
}

/// The place of a page.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct After {
    /// What stood in `next` of the page before.
    #[param(required = false)]
    after: String,
}

/// From which end events are read.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub(super) enum End {
    Oldest,
    Newest,
}

/// The order of a trail.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct OldestFirst {
    /// Which events come first; the oldest if it is left out.
    #[param(required = false, inline)]
    order: End,
}

/// The order of events of all entities.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct NewestFirst {
    /// Which events come first; the newest if it is left out.
    #[param(required = false, inline)]
    order: End,
}

/// A part of names.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Part {
    /// A part of the full name.
    #[param(min_length = 1)]
    part: String,
}

/// What a lifecycle goes by.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct By {
    /// The name of a field, or `event`; if it is left out, the field that says what such an
    /// entity is doing.
    #[param(required = false)]
    by: String,
}

/// The stretches of time of counts.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Step {
    /// The length of a stretch, a minute if it is left out.
    #[param(required = false, pattern = "^\\+?[0-9]+[smhd]$", example = "10s")]
    step: String,
}

/// Where to follow from.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct AfterArrival {
    /// Go on behind the place of this `id` of the stream; with what arrives from now on if it is
    /// left out.
    #[param(required = false)]
    after: String,
}

/// Where to follow from, as browsers say it.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(super) struct LastEventId {
    /// As `after`, and counts more.
    #[param(required = false, rename = "Last-Event-ID")]
    last_event_id: String,
}

/// What every answer that is whole knows of.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(super) struct IfNoneMatch {
    /// The `ETag` of an answer that the client has; if it is that one still, the answer is 304.
    #[param(required = false, rename = "If-None-Match")]
    if_none_match: String,
}

fn problem(description: &str) -> RefOr<Response> {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    ResponseBuilder::new()
        .description(description)
        .content("application/problem+json", content)
        .build()
        .into()
}

fn problems<const N: usize>(of: [(&str, &str); N]) -> BTreeMap<String, RefOr<Response>> {
    of.into_iter().map(|(status, description)| (status.to_owned(), problem(description))).collect()
}

/// Whoever asks is not known, or what they ask is wrong.
pub(super) struct Refused;

impl IntoResponses for Refused {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems([
            ("400", "A parameter is unknown, wrong or out of its range."),
            ("401", "No token, or one that is not known."),
            ("403", "A page of another site asks."),
            ("421", "Without tokens, this machine is asked by a name that is not its own."),
        ])
    }
}

/// What may happen to any question to the store.
pub(super) struct Unanswered;

impl IntoResponses for Unanswered {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let not_modified = "The client has that answer, as `If-None-Match` says.";
        let mut responses = problems([
            ("429", "As many questions are asked as may; ask again later."),
            ("503", "The store does not answer; ask again later."),
            ("504", "The store has not answered in time."),
        ]);
        let not_modified = ResponseBuilder::new().description(not_modified).build();
        responses.insert("304".to_owned(), not_modified.into());
        responses
    }
}

/// There may be no such thing.
pub(super) struct NotThere;

impl IntoResponses for NotThere {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems([("404", "There is no such entity, or nothing had happened to it by then.")])
    }
}

/// It is too much.
pub(super) struct TooMuch;

impl IntoResponses for TooMuch {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems([("422", "The question is understood, and its answer would be too long.")])
    }
}

/// The past is gone.
pub(super) struct Gone;

impl IntoResponses for Gone {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems([
            ("410", "What arrived since that place is not kept any more."),
            ("429", "As many follow, or ask, as may; ask again later."),
            ("503", "The store does not answer; ask again later."),
            ("504", "The store has not answered in time."),
        ])
    }
}
