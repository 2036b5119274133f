//! The document: head with style and script, navigation and footer, and section contents that are not tables or charts.

use super::palette::page_style;
use maud::{DOCTYPE, Markup, PreEscaped, Render, html};

const HEADINGS: &str = include_str!("headings.js");
const SORT: &str = include_str!("sort.js");
const BROWSE: &str = include_str!("browser.js");
const SEEK: &str = include_str!("seek.js");

/// A page. It loads nothing: style, script and images are part of it.
#[derive(Clone, Debug)]
pub struct Page<'a> {
    /// The heading of the page.
    pub title: &'a str,
    /// Text below the heading.
    pub lead: Markup,
    /// The sections, in order.
    pub sections: Vec<Section>,
    /// Seconds after which the browser reads the page again, for a page that is written again and again.
    pub refresh: Option<u32>,
}

/// A part of a page with its own heading.
#[derive(Clone, Debug)]
pub struct Section {
    /// Unique on the page: letters and hyphens.
    pub id: &'static str,
    /// The heading of the section.
    pub heading: &'static str,
    /// The content below the heading.
    pub body: Markup,
}

impl Page<'_> {
    /// The document. It has a script only if it has a table to sort or to search, or times to play from.
    pub fn render(&self) -> String {
        const SORTABLE: &str = "<table class=\"sortable";
        const BROWSER: &str = "<div class=\"browser";
        let has = |element: &&str| self.sections.iter().any(|section| section.body.0.contains(element));
        let script: String = [
            (&[SORTABLE, BROWSER][..], HEADINGS),
            (&[SORTABLE], SORT),
            (&[BROWSER], BROWSE),
            (&["<button class=\"seek"], SEEK),
        ]
        .into_iter()
        .filter(|(elements, _)| elements.iter().any(has))
        .map(|(_, script)| script)
        .collect();
        // The page must load nothing, whatever its text contains.
        let policy = format!(
            "default-src 'none'; style-src 'unsafe-inline'; script-src {}; img-src data:; media-src data:",
            if script.is_empty() { "'none'" } else { "'unsafe-inline'" }
        );
        let document = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta http-equiv="Content-Security-Policy" content=(policy);
                    @if let Some(seconds) = self.refresh { meta http-equiv="refresh" content=(seconds); }
                    title { (self.title) }
                    style { (PreEscaped(page_style())) }
                }
                body {
                    a.skip href="#content" { "Skip to content" }
                    header.page {
                        h1 { (self.title) }
                        (self.lead)
                    }
                    @if self.sections.len() > 1 {
                        nav aria-label="Sections" {
                            ul {
                                @for section in &self.sections {
                                    li { a href={ "#" (section.id) } { (section.heading) } }
                                }
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
                    @if !script.is_empty() { script { (PreEscaped(script)) } }
                }
            }
        };
        document.into_string()
    }
}

/// Key numbers in large type.
pub fn cards(cards: &[(&str, String)]) -> Markup {
    html! {
        dl.cards {
            @for (name, value) in cards { div { dt { (name) } dd { (value) } } }
        }
    }
}

/// A table of names and values, without headings.
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

/// Content that is hidden until the reader opens it by clicking on `summary`.
pub fn details(summary: impl Render, body: impl Render) -> Markup {
    html! { details { summary { (summary) } (body) } }
}

/// A note that should be read first.
pub fn notice(text: impl Render) -> Markup {
    html! { div.notice role="note" { (text) } }
}

#[cfg(test)]
mod tests {
    use super::super::Table;
    use super::*;

    #[test]
    fn text_is_escaped_and_nothing_is_loaded() {
        let section = |body| Section {
            id: "a",
            heading: "A",
            body,
        };
        let page = |body| {
            Page {
                title: "<script>alert('&')</script>",
                lead: cards(&[("<b>", "&".into())]),
                sections: vec![
                    section(body),
                    Section {
                        id: "b",
                        heading: "B",
                        body: html! {},
                    },
                ],
                refresh: None,
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
