//! What every page has: its head with style and script, the way to its sections, its foot.

use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("sort.js");

/// A page under its first heading.
pub struct Page<'a> {
    pub title: &'a str,
    /// Below the heading: what the page is of, and the main figures.
    pub lead: Markup,
    pub sections: Vec<Section>,
}

/// A part of a page under a second heading.
pub struct Section {
    /// Unique on the page: letters and hyphens.
    pub id: &'static str,
    pub heading: &'static str,
    pub body: Markup,
}

impl Page<'_> {
    /// The document.
    pub fn render(&self) -> String {
        let document = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    // Nothing is asked for, whatever a reader of the page might put into it.
                    meta http-equiv="Content-Security-Policy"
                        content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; media-src data:";
                    title { (self.title) }
                    style { (PreEscaped(STYLE)) }
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
                    script { (PreEscaped(SCRIPT)) }
                }
            }
        };
        document.into_string()
    }
}

/// A table in a box of its own that scrolls where the window is narrow.
pub fn boxed(label: &str, table: &Markup) -> Markup {
    html! { div.box role="region" aria-label=(label) tabindex="0" { (table) } }
}

/// A sentence that should be read first.
pub fn notice(text: &str) -> Markup {
    html! { p.notice role="note" { (text) } }
}

/// A share or a loss, with as many digits as are worth reading.
pub fn figure(value: Option<f64>) -> String {
    value.map_or_else(|| "–".into(), |value| format!("{value:.3}"))
}

/// `1 track`, `12,000 tracks`.
pub fn counted(count: u64, one: &str, several: &str) -> String {
    format!("{} {}", grouped(count), if count == 1 { one } else { several })
}

/// Digits in groups of three.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `42 s`, `3 min 20 s`, `2 h 5 min`.
pub fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..60 if seconds < 10.0 => format!("{seconds:.1} s"),
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", grouped(whole / 3600), whole % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_people() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
        for (seconds, text) in [
            (0.25, "0.2 s"),
            (59.4, "59 s"),
            (59.6, "1 min 0 s"),
            (3599.0, "59 min 59 s"),
            (7500.0, "2 h 5 min"),
        ] {
            assert_eq!(duration(seconds), text);
        }
        assert_eq!(
            (counted(1, "tag", "tags"), counted(2, "tag", "tags")),
            ("1 tag".into(), "2 tags".into())
        );
        assert_eq!(figure(None), "–");
    }

    #[test]
    fn text_is_escaped_and_nothing_is_asked_for() {
        let page = Page {
            title: "<script>alert('&')</script>",
            lead: html! {},
            sections: vec![],
        };
        let document = page.render();
        assert!(document.contains("&lt;script&gt;alert('&amp;')&lt;/script&gt;"));
        assert_eq!(document.matches("<script").count(), 1, "our own");
        assert!(!document.contains("http:") && !document.contains("https:") && !document.contains("@import"));
    }
}
