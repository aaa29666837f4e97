//! What all pages have in common, and how it comes around what each of them shows.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};

use super::assets::address;
use crate::access::guard;
use crate::routes::App;

/// The places that the head of a page leads to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Overview,
    Entities,
    Events,
    Lifecycle,
    Elsewhere,
}

const PLACES: [(Place, &str, &str); 4] = [
    (Place::Overview, "/", "Overview"),
    (Place::Entities, "/entities", "Entities"),
    (Place::Events, "/events", "Events"),
    (Place::Lifecycle, "/lifecycle", "Lifecycle"),
];

/// A page. As a response it waits for [`draw`], which knows who looks.
#[derive(Clone)]
pub(super) struct Page {
    pub(super) status: StatusCode,
    pub(super) title: String,
    pub(super) place: Place,
    /// The script beside the one that all pages have.
    pub(super) script: Option<&'static str>,
    pub(super) content: Markup,
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Draws the page that a response is to be, if it is one.
pub(crate) async fn draw(State(app): State<App>, request: Request, next: Next) -> Response {
    let cookie = guard::cookie(request.headers()).map(str::to_owned);
    let mut response = next.run(request).await;
    let Some(page) = response.extensions_mut().remove::<Page>() else { return response };
    let tokens = app.access().tokens.as_ref();
    let is_logged_in = tokens.zip(cookie).is_some_and(|(tokens, cookie)| {
        // Whoever came in by another way has nothing to log out of.
        tokens.find(&cookie).is_some()
    });
    (page.status, page.drawn(is_logged_in)).into_response()
}

impl Page {
    /// A page that is found, without scripts of its own.
    pub(super) fn new(title: impl Into<String>, place: Place, content: Markup) -> Page {
        Page { status: StatusCode::OK, title: title.into(), place, script: None, content }
    }

    pub(super) fn with_script(self, script: &'static str) -> Page {
        Page { script: Some(script), ..self }
    }

    fn drawn(&self, is_logged_in: bool) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (self.title) " · statetrail" }
                    link rel="icon" type="image/svg+xml" href=(address("icon.svg"));
                    link rel="stylesheet" href=(address("style.css"));
                    // Before the page is drawn, so that it is not drawn in the wrong colours first.
                    script src=(address("theme.js")) {}
                    script src=(address("app.js")) type="module" {}
                    @if let Some(script) = self.script {
                        script src=(address(script)) type="module" {}
                    }
                }
                body {
                    a.skip href="#content" { "Skip to the content" }
                    (self.head(is_logged_in))
                    main #content { (self.content) }
                    footer {
                        span { "All times are UTC." }
                        span #freshness role="status" {}
                    }
                }
            }
        }
    }

    fn head(&self, is_logged_in: bool) -> Markup {
        html! {
            header.top {
                a.brand href="/" { span.mark aria-hidden="true" { "⟜" } "statetrail" }
                nav aria-label="Pages" {
                    @for (place, address, title) in PLACES {
                        a href=(address) aria-current=[(place == self.place).then_some("page")] {
                            (title)
                        }
                    }
                    a href="/playground/" title="Try rules on lines" { "Playground" }
                }
                form.go action="/go" method="get" role="search" {
                    label.unseen for="go-name" { "Entity" }
                    input #go-name name="name" type="search" required
                        placeholder="Entity, or a part of its name  ( / )" autocomplete="off"
                        spellcheck="false";
                    label.unseen for="go-at" { "At" }
                    input #go-at.moment name="at" placeholder="now" autocomplete="off"
                        title="2026-11-22T14:03:07Z, 14:03:07, -15m, yesterday 14:00";
                    button type="submit" { "Show" }
                }
                button.theme #theme type="button" title="Light or dark" {
                    span.unseen { "Light or dark" } span aria-hidden="true" { "◐" }
                }
                @if is_logged_in {
                    form action="/logout" method="post" { button type="submit" { "Log out" } }
                }
            }
        }
    }
}
