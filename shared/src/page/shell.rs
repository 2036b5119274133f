//! What every page has: its head with style and script, the way to its sections, its foot; and what is in sections besides
//! tables and charts.

use super::palette::page_style;
use maud::{DOCTYPE, Markup, PreEscaped, Render, html};

const SCRIPT: &str = include_str!("sort.js");

/// A page under its first heading. It asks for nothing: style, script and pictures are in it.
#[derive(Clone, Debug)]
pub struct Page<'a> {
    /// Its heading.
    pub title: &'a str,
    /// Below the heading.
    pub lead: Markup,
    /// In their order.
    pub sections: Vec<Section>,
}

/// A part of a page under a second heading.
#[derive(Clone, Debug)]
pub struct Section {
    /// Unique on the page: letters and hyphens.
    pub id: &'static str,
    /// Its heading.
    pub heading: &'static str,
    /// What is below.
    pub body: Markup,
}

impl Page<'_> {
    /// The document. It has a script where it has a table to sort.
    pub fn render(&self) -> String {
        let sortable = self
            .sections
            .iter()
            .any(|section| section.body.0.contains("<table class=\"sortable"));
        // Nothing is asked for, whatever a reader of the page might put into it.
        let policy = format!(
            "default-src 'none'; style-src 'unsafe-inline'; script-src {}; img-src data:; media-src data:",
            if sortable { "'unsafe-inline'" } else { "'none'" }
        );
        let document = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta http-equiv="Content-Security-Policy" content=(policy);
                    title { (self.title) }
                    style { (PreEscaped(page_style())) }
                }
                body {
                    a.skip href="#content" { "To the content" }
                    header.page {
                        h1 { (self.title) }
                        (self.lead)
                    }
                    nav aria-label="Sections" {
                        ul {
                            @for section in &self.sections {
                                li { a href={ "#" (section.id) } { (section.heading) } }
                            }
                        }
                    }
                    main id="content" {
                        @for section in &self.sections {
                            section id=(section.id) aria-labelledby={ (section.id) "-heading" } {
                                h2 id={ (section.id) "-heading" } { (section.heading) }
                                (section.body)
                            }
                        }
                    }
                    footer { p { "Written by Cratedigger " (env!("CARGO_PKG_VERSION")) "." } }
                    @if sortable { script { (PreEscaped(SCRIPT)) } }
                }
            }
        };
        document.into_string()
    }
}

/// The main numbers, in large type.
pub fn cards(cards: &[(&str, String)]) -> Markup {
    html! {
        dl.cards {
            @for (name, value) in cards { div { dt { (name) } dd { (value) } } }
        }
    }
}

/// Names with what they are, in a table without headings.
pub fn facts<T: Render>(label: &str, facts: impl IntoIterator<Item = (&'static str, T)>) -> Markup {
    html! {
        div.box role="region" aria-label=(label) tabindex="0" {
            table.facts {
                tbody {
                    @for (name, value) in facts { tr { th scope="row" { (name) } td { (value) } } }
                }
            }
        }
    }
}

/// A sentence that should be read first.
pub fn notice(text: impl Render) -> Markup {
    html! { div.notice role="note" { (text) } }
}

#[cfg(test)]
mod tests {
    use super::super::Table;
    use super::*;

    #[test]
    fn text_is_escaped_and_nothing_is_asked_for() {
        let section = |body| Section {
            id: "a",
            heading: "A",
            body,
        };
        let page = |body| {
            Page {
                title: "<script>alert('&')</script>",
                lead: cards(&[("<b>", "&".into())]),
                sections: vec![section(body)],
            }
            .render()
        };
        let plain = page(facts("facts", [("name", "<i>")]));
        assert!(plain.contains("&lt;script&gt;alert('&amp;')&lt;/script&gt;") && plain.contains("&lt;i&gt;"));
        assert!(plain.contains("<a href=\"#a\">A</a>") && plain.contains("&lt;b&gt;"));
        let sorted = page(Table::new("t").text("name").sortable().render());
        assert_eq!(
            (plain.matches("<script").count(), sorted.matches("<script").count()),
            (0, 1)
        );
        for page in [plain, sorted] {
            assert!(!page.contains("http:") && !page.contains("https:") && !page.contains("@import"));
        }
    }
}
