//! Plain-text tables for a terminal.

#[derive(Clone, Copy, Debug)]
pub(crate) enum Align {
    Left,
    Right,
}

/// One line per row; columns are two spaces apart and as wide as their widest cell.
pub(crate) fn text_table(rows: &[Vec<String>], align: Align) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let cell = |(cell, &width): (&String, &usize)| match align {
        Align::Left => format!("{cell:<width$}"),
        Align::Right => format!("{cell:>width$}"),
    };
    let line = |row: &Vec<String>| {
        row.iter()
            .zip(&widths)
            .map(cell)
            .collect::<Vec<_>>()
            .join("  ")
            .trim_end()
            .to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [vec!["a".to_owned(), "b".into()], vec!["long".to_owned(), "ü".into()]];
        assert_eq!(text_table(&rows, Align::Left), "a     b\nlong  ü");
        assert_eq!(text_table(&rows, Align::Right), "   a  b\nlong  ü");
    }
}
