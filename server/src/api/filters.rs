//! What the filters tell about themselves.

use std::collections::BTreeMap;

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use statetrail_event::{EntityName, Value};
use statetrail_query::{Found, Moment, RULES_ERROR, RuleCounter, fields_since_start, filter_kind};
use utoipa::ToSchema;

use super::described::{After, AsKnownAt, At, IfNoneMatch, Limit, Refused, Unanswered};
use super::entities::{FindParams, find_page, json};
use super::params::Params;
use crate::access::Scope;
use crate::problem::Problem;
use crate::routes::App;

/// The search for what filters reported up to a moment.
pub(crate) fn find_filters(moment: Moment, after: Option<EntityName>, limit: usize) -> FindParams {
    FindParams { filter: (&filter_kind()).into(), conditions: Vec::new(), moment, after, limit }
}

#[derive(Serialize, ToSchema)]
#[schema(as = FilterPage)]
pub(super) struct FiltersView {
    filters: Vec<FilterView>,
    /// The value of `after` for the next page.
    #[schema(required)]
    next: Option<String>,
}

/// What a filter told of itself last.
#[derive(Serialize, ToSchema)]
#[schema(as = Filter)]
struct FilterView {
    /// The node that it runs on.
    node: String,
    /// Since when it counts.
    #[schema(required)]
    started: Option<String>,
    /// What tells one set of rules from another.
    #[schema(required)]
    revision: Option<String>,
    /// How many rules are in force.
    #[schema(required)]
    rules: Option<i64>,
    /// What is wrong with the rule files; those before are in force.
    #[schema(required)]
    error: Option<String>,
    /// What became of lines and events since it was started, by the counters' names.
    counters: BTreeMap<String, i64>,
    /// The lines that the rules of each file matched.
    rule_files: Vec<RuleFileView>,
    /// When it first told anything.
    #[schema(format = DateTime)]
    first: String,
    /// When it last told anything.
    #[schema(format = DateTime)]
    last: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RuleFile)]
struct RuleFileView {
    /// The file's name.
    file: String,
    /// Lines that one of its rules matched.
    matched: i64,
    /// Its rules, as far as any line matched them.
    rules: Vec<RuleView>,
}

#[derive(Serialize, ToSchema, Default)]
#[schema(as = RuleAtWork)]
struct RuleView {
    /// The rule's name within its file.
    rule: String,
    /// Lines that it matched.
    matched: i64,
    /// Events that could not be made of them.
    failed: i64,
    /// Lines of them in which something was starred out.
    redacted: i64,
}

impl FilterView {
    fn new(found: &Found) -> FilterView {
        let mut view = FilterView {
            node: found.name.id().to_owned(),
            started: None,
            revision: None,
            rules: None,
            error: None,
            counters: BTreeMap::new(),
            rule_files: Vec::new(),
            first: found.first.to_string(),
            last: found.last.to_string(),
        };
        for (field, value) in fields_since_start(&found.state) {
            match (field, value) {
                ("started", Value::Text(text)) => view.started = Some(text.to_string()),
                ("revision", Value::Text(text)) => view.revision = Some(text.to_string()),
                (RULES_ERROR, Value::Text(text)) => view.error = Some(text.to_string()),
                ("rules", Value::Int(count)) => view.rules = Some(*count),
                (field, Value::Int(count)) if !view.take_rule_count(field, *count) => {
                    view.counters.insert(field.to_owned(), *count);
                }
                _ => {}
            }
        }
        view.rule_files.sort_by(|a, b| a.file.cmp(&b.file));
        for file in &mut view.rule_files {
            file.rules.sort_by(|a, b| a.rule.cmp(&b.rule));
        }
        view
    }

    /// Takes a count of a rule file or a rule. Returns whether it is one.
    fn take_rule_count(&mut self, field: &str, count: i64) -> bool {
        let Some((counter, name)) = RuleCounter::of_field(field) else { return false };
        let Some((file, rule)) = name.split_once('/') else {
            if counter == RuleCounter::Matched {
                self.file(name).matched = count;
            }
            return counter == RuleCounter::Matched;
        };
        let rules = &mut self.file(file).rules;
        let at = rules.iter().position(|known| known.rule == rule).unwrap_or_else(|| {
            rules.push(RuleView { rule: rule.to_owned(), ..RuleView::default() });
            rules.len() - 1
        });
        match counter {
            RuleCounter::Matched => rules[at].matched = count,
            RuleCounter::Failed => rules[at].failed = count,
            RuleCounter::Redacted => rules[at].redacted = count,
        }
        true
    }

    fn file(&mut self, name: &str) -> &mut RuleFileView {
        let at = self.rule_files.iter().position(|known| known.file == name).unwrap_or_else(|| {
            let file = RuleFileView { file: name.to_owned(), matched: 0, rules: Vec::new() };
            self.rule_files.push(file);
            self.rule_files.len() - 1
        });
        &mut self.rule_files[at]
    }
}

/// Filters
///
/// What the filters told about themselves, by their nodes: rules, counters, and what is wrong.
#[utoipa::path(
    get,
    path = "/filters",
    params(At, AsKnownAt, Limit, After, IfNoneMatch),
    responses(
        (status = 200, description = "One page of filters.", body = FiltersView),
        Refused, Unanswered,
    ),
)]
pub(super) async fn filters(
    State(app): State<App>,
    Extension(scope): Extension<Scope>,
    mut params: Params,
) -> Result<Response, Problem> {
    let find =
        find_filters(params.moment()?, params.parsed("after")?, params.limit(app.limits().page)?);
    params.finish()?;
    let question = move |store| async move { find_page(&store, find).await };
    let (found, more) = app.ask(&scope, question).await?;
    let next = found.last().filter(|_| more).map(|found| found.name.to_string());
    Ok(json(&FiltersView { filters: found.iter().map(FilterView::new).collect(), next }))
}
