//! HTML tables: a heading per column, and rows whose first cell is their name.

use maud::{Markup, Render, html};

/// A table in a box of its own, which scrolls if the window is narrow.
#[derive(Clone, Debug)]
pub struct Table {
    label: String,
    columns: Vec<(Markup, bool)>,
    rows: Vec<Vec<Cell>>,
    foot: Vec<Cell>,
    sortable: bool,
}

/// A cell of a table.
#[derive(Clone, Debug)]
pub struct Cell {
    body: Markup,
    class: &'static str,
    style: Option<String>,
    value: Option<String>,
}

impl Table {
    /// A table without columns. `label` is for screen readers.
    pub fn new(label: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            columns: Vec::new(),
            rows: Vec::new(),
            foot: Vec::new(),
            sortable: false,
        }
    }

    /// Adds a column of text.
    pub fn text(mut self, heading: impl Render) -> Self {
        self.columns.push((heading.render(), false));
        self
    }

    /// Adds a column of numbers.
    pub fn number(mut self, heading: impl Render) -> Self {
        self.columns.push((heading.render(), true));
        self
    }

    /// Adds a column of numbers for each heading.
    pub fn numbers<T: Render>(self, headings: impl IntoIterator<Item = T>) -> Self {
        headings.into_iter().fold(self, Self::number)
    }

    /// Lets readers sort the table by clicking a heading.
    pub fn sortable(mut self) -> Self {
        self.sortable = true;
        self
    }

    /// Adds a row. Its first cell is its name.
    pub fn row(&mut self, cells: Vec<Cell>) {
        debug_assert_eq!(cells.len(), self.columns.len());
        self.rows.push(cells);
    }

    /// Adds a row for each item.
    pub fn rows(mut self, rows: impl IntoIterator<Item = Vec<Cell>>) -> Self {
        rows.into_iter().for_each(|cells| self.row(cells));
        self
    }

    /// Sets a last row that is never sorted.
    pub fn foot(mut self, cells: Vec<Cell>) -> Self {
        self.foot = cells;
        self
    }

    /// The table as HTML.
    pub fn render(&self) -> Markup {
        html! {
            div.box role="region" aria-label=(self.label) tabindex="0" {
                table class=[self.sortable.then_some("sortable")] {
                    thead {
                        tr { @for (heading, number) in &self.columns { th class=[number.then_some("number")] scope="col" { (heading) } } }
                    }
                    tbody { @for row in &self.rows { (self.draw(row)) } }
                    @if !self.foot.is_empty() { tfoot { (self.draw(&self.foot)) } }
                }
            }
        }
    }

    fn draw(&self, row: &[Cell]) -> Markup {
        html! {
            tr {
                @for (at, (cell, (_, number))) in row.iter().zip(&self.columns).enumerate() {
                    @if at == 0 { th scope="row" { (cell.body) } } @else { (cell.draw(*number)) }
                }
            }
        }
    }
}

impl Cell {
    /// Sets a class of the style sheet: `best`, or `words` for long text.
    pub fn class(mut self, class: &'static str) -> Self {
        self.class = class;
        self
    }

    /// Sets the number to sort by, if the text does not begin with it.
    pub fn sorted_by(mut self, value: f64) -> Self {
        self.value = Some(format!("{value:.6}"));
        self
    }

    fn draw(&self, number: bool) -> Markup {
        let classes = [if number { "number" } else { "" }, self.class];
        let classes: Vec<&str> = classes.into_iter().filter(|class| !class.is_empty()).collect();
        let class = (!classes.is_empty()).then(|| classes.join(" "));
        html! { td class=[class] style=[&self.style] data-value=[&self.value] { (self.body) } }
    }
}

/// A cell with a text, a number, or more.
pub fn cell(body: impl Render) -> Cell {
    Cell {
        body: body.render(),
        class: "",
        style: None,
        value: None,
    }
}

/// A cell with a text and a bar whose length is from 0 to 1. It is sorted by the length.
pub fn bar(length: f64, text: impl Render) -> Cell {
    let length = if length.is_finite() {
        length.clamp(0.0, 1.0)
    } else {
        0.0
    };
    Cell {
        class: "bar",
        style: Some(format!("--length:{length:.3}")),
        ..cell(text).sorted_by(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_named_and_numbers_are_aligned() {
        let table = Table::new("F1 by <class>").text("class").number("F1").rows([
            vec![cell("<b>"), bar(0.5, "0.500")],
            vec![cell("Rock"), cell("–").class("best")],
        ]);
        let html = table.foot(vec![cell("all"), cell(3)]).render().into_string();
        for expected in [
            "aria-label=\"F1 by &lt;class&gt;\"",
            "<th class=\"number\" scope=\"col\">F1</th>",
            "<th scope=\"row\">&lt;b&gt;</th><td class=\"number bar\" style=\"--length:0.500\" data-value=\"0.500000\">0.500</td>",
            "<td class=\"number best\">–</td>",
            "<tfoot><tr><th scope=\"row\">all</th><td class=\"number\">3</td></tr></tfoot>",
        ] {
            assert!(html.contains(expected), "{expected}: {html}");
        }
        assert!(bar(f64::NAN, "").style == Some("--length:0.000".into()));
    }
}
