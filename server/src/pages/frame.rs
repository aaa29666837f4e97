//! What all pages have in common.

use maud::{DOCTYPE, Markup, html};

use super::assets::address;

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

/// A page.
pub(super) struct Frame<'a> {
    pub(super) title: &'a str,
    pub(super) place: Place,
    /// The scripts beside the one that all pages have.
    pub(super) scripts: &'a [&'a str],
    /// Whether somebody is logged in, and may want to leave.
    pub(super) logged_in: bool,
}

impl Frame<'_> {
    pub(super) fn around(&self, content: &Markup) -> Markup {
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
                    @for script in self.scripts {
                        script src=(address(script)) type="module" {}
                    }
                }
                body {
                    a.skip href="#content" { "Skip to the content" }
                    (self.head())
                    main #content { (content) }
                    footer {
                        span { "All times are UTC." }
                        span #freshness role="status" {}
                    }
                }
            }
        }
    }

    fn head(&self) -> Markup {
        html! {
            header.top {
                a.brand href="/" { span.mark aria-hidden="true" { "⟜" } "statetrail" }
                nav aria-label="Pages" {
                    @for (place, address, title) in PLACES {
                        a href=(address) aria-current=[(place == self.place).then_some("page")] {
                            (title)
                        }
                    }
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
                @if self.logged_in {
                    form action="/logout" method="post" { button type="submit" { "Log out" } }
                }
            }
        }
    }
}
