//! A table of many rows, of which a script shows those that match a search, some at a time.

use super::spectrogram::{Spectrogram, data_url, sheet};
use maud::{Markup, PreEscaped, html};
use serde_json::{Value, json};

/// Spectrograms per image, so a browser decodes only those that it shows.
const PER_SHEET: usize = 64;

/// A table of many rows, with a search field and a list of values to choose from for each column of choices. Rows are
/// data, not elements, so thousands of them are small and fast. Without scripts it is empty.
#[derive(Clone, Debug, Default)]
pub struct Browser {
    /// Text for screen readers.
    pub label: String,
    /// What rows are, in plural: `tracks`.
    pub things: &'static str,
    /// The columns. The first has the names of the rows.
    pub columns: Vec<BrowserColumn>,
    /// The rows, with a value for each column.
    pub rows: Vec<Vec<BrowserValue>>,
    /// A picture for each row, or none at all. All have at most `picture_size` pixels.
    pub pictures: Vec<Option<Spectrogram>>,
    /// Width and height of a picture.
    pub picture_size: [usize; 2],
    /// For each row the id of the element that it links to, if it exists on the page: this prefix and the row's name.
    pub link_prefix: &'static str,
}

/// A column of a [`Browser`].
#[derive(Clone, Debug)]
pub struct BrowserColumn {
    /// Its heading.
    pub heading: &'static str,
    /// What it contains.
    pub kind: BrowserKind,
}

/// What a column contains.
#[derive(Clone, Debug, PartialEq)]
pub enum BrowserKind {
    /// Texts that the search field searches.
    Text,
    /// Numbers with this many decimals.
    Number(usize),
    /// Some of these words. Rows can be restricted to those with one of them.
    Choice(Vec<String>),
}

/// A value of a row.
#[derive(Clone, Debug)]
pub enum BrowserValue {
    /// In a column of texts.
    Text(String),
    /// In a column of numbers; `None` and non-finite numbers are a dash.
    Number(Option<f64>),
    /// Indices of words in a column of choices.
    Choice(Vec<usize>),
}

impl Browser {
    /// The search fields, the empty table, and the data.
    pub fn render(&self) -> Markup {
        html! {
            div.browser {
                div.filters {
                    label { "Search" input type="search" autocomplete="off"; }
                    @for (at, column) in self.columns.iter().enumerate() {
                        @if let BrowserKind::Choice(words) = &column.kind {
                            label {
                                (column.heading)
                                select data-column=(at) {
                                    option value="" { "all" }
                                    @for (at, word) in words.iter().enumerate() { option value=(at) { (word) } }
                                }
                            }
                        }
                    }
                    output aria-live="polite" {}
                }
                div.box role="region" aria-label=(self.label) tabindex="0" {
                    table {
                        thead {
                            tr {
                                @for column in &self.columns {
                                    @let number = matches!(column.kind, BrowserKind::Number(_));
                                    th class=[number.then_some("number")] scope="col" { (column.heading) }
                                }
                                @if !self.pictures.is_empty() { th.picture scope="col" { "mel spectrogram" } }
                            }
                        }
                        tbody {}
                    }
                }
                button.more type="button" hidden { "Show more" }
                script type="application/json" { (PreEscaped(self.data())) }
                noscript { p.note { "The table needs scripts." } }
            }
        }
    }

    /// The data as JSON without `<`, which could end the script element.
    fn data(&self) -> String {
        let column = |column: &BrowserColumn| match &column.kind {
            BrowserKind::Text => json!({}),
            BrowserKind::Number(decimals) => json!({ "decimals": decimals }),
            BrowserKind::Choice(words) => json!({ "words": words }),
        };
        let value = |value: &BrowserValue| match value {
            BrowserValue::Text(text) => json!(text),
            BrowserValue::Number(number) => json!(number.filter(|number| number.is_finite())),
            BrowserValue::Choice(indices) => json!(indices),
        };
        let columns: Vec<Value> = self.columns.iter().map(column).collect();
        let rows: Vec<Vec<Value>> = self.rows.iter().map(|row| row.iter().map(value).collect()).collect();
        // Each row with a picture has its position among them.
        let mut drawn = 0..;
        let places: Vec<Option<i32>> = self
            .pictures
            .iter()
            .map(|picture| picture.as_ref().and_then(|_| drawn.next()))
            .collect();
        let pictures: Vec<&Spectrogram> = self.pictures.iter().flatten().collect();
        let sheets: Vec<String> = pictures
            .chunks(PER_SHEET)
            .map(|some| data_url(&sheet(some, self.picture_size)))
            .collect();
        let data = json!({
            "things": self.things, "link": self.link_prefix, "columns": columns, "rows": rows, "places": places,
            "sheets": sheets, "perSheet": PER_SHEET,
        });
        data.to_string().replace('<', "\\u003c")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_of_a_browser_cannot_end_its_script() {
        let browser = Browser {
            things: "tracks",
            columns: vec![
                BrowserColumn {
                    heading: "track",
                    kind: BrowserKind::Text,
                },
                BrowserColumn {
                    heading: "class",
                    kind: BrowserKind::Choice(vec!["</script><b>".into()]),
                },
                BrowserColumn {
                    heading: "length",
                    kind: BrowserKind::Number(1),
                },
            ],
            rows: vec![vec![
                BrowserValue::Text("</script>".into()),
                BrowserValue::Choice(vec![0]),
                BrowserValue::Number(Some(f64::NAN)),
            ]],
            ..Browser::default()
        };
        let html = browser.render().into_string();
        assert_eq!((html.matches("</script>").count(), html.matches("<b>").count()), (1, 0));
        let data = html.split("application/json\">").nth(1).unwrap();
        let data: Value = serde_json::from_str(data.split("</script>").next().unwrap()).unwrap();
        assert_eq!(data["rows"][0], json!(["</script>", [0], null]));
        assert!(
            html.contains("<option value=\"0\">&lt;/script&gt;&lt;b&gt;</option>"),
            "{html}"
        );
    }
}
