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

/// The width of the terminal that shows the results; `None` if they go to a file or a pipe.
pub(crate) fn terminal_width() -> Option<usize> {
    let (width, _) = terminal_size::terminal_size_of(std::io::stdout())?;
    Some(width.0.into())
}

/// [`text_table`] for a terminal of this width. If the table is wider, each row takes several lines: the first `head`
/// columns, and below them, indented, as many of the others as fit on each line. Without a width each row is one line.
pub(crate) fn fitted_table(rows: &[Vec<String>], align: Align, head: usize, width: Option<usize>) -> String {
    const INDENT: &str = "  ";
    let whole = text_table(rows, align);
    let fits = |table: &str, width: usize| table.lines().all(|line| line.chars().count() <= width);
    let Some(width) = width.filter(|&width| !fits(&whole, width)) else {
        return whole;
    };
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let part = |from: usize, to: usize| -> String {
        let cells = |row: &Vec<String>| row.iter().take(to).skip(from).cloned().collect();
        text_table(&rows.iter().map(cells).collect::<Vec<_>>(), align)
    };
    let mut parts = vec![part(0, head)];
    let mut from = head;
    while from < columns {
        let fitting = (from + 1..=columns).rev();
        let to = fitting
            .into_iter()
            .find(|&to| fits(&part(from, to), width.saturating_sub(INDENT.len())));
        let to = to.unwrap_or(from + 1);
        let lines = part(from, to);
        parts.push(lines.lines().map(|line| format!("{INDENT}{line}\n")).collect());
        from = to;
    }
    let mut parts: Vec<_> = parts.iter().map(|part| part.lines()).collect();
    let lines = (0..rows.len()).flat_map(|_| parts.iter_mut().filter_map(Iterator::next).collect::<Vec<_>>());
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_are_too_wide_take_several_lines() {
        let rows = [["run", "model", "top-1"], ["runs/one", "crnn", "0.5"]].map(|row| row.map(String::from).to_vec());
        let one_line = "run       model  top-1\nruns/one  crnn   0.5";
        assert_eq!(fitted_table(&rows, Align::Left, 1, None), one_line);
        assert_eq!(fitted_table(&rows, Align::Left, 1, Some(22)), one_line);
        assert_eq!(
            fitted_table(&rows, Align::Left, 1, Some(21)),
            "run\n  model  top-1\nruns/one\n  crnn   0.5"
        );
        let narrow = "run\n  model\n  top-1\nruns/one\n  crnn\n  0.5";
        assert_eq!(fitted_table(&rows, Align::Left, 1, Some(4)), narrow);
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [vec!["a".to_owned(), "b".into()], vec!["long".to_owned(), "ü".into()]];
        assert_eq!(text_table(&rows, Align::Left), "a     b\nlong  ü");
        assert_eq!(text_table(&rows, Align::Right), "   a  b\nlong  ü");
    }
}
