// Sorts a table by a column when its heading is clicked. Without a script the rows keep their original order.
document.querySelectorAll("table.sortable").forEach((table) => {
  const headings = [...table.tHead.rows[0].cells];
  sortByHeadings(headings, (column, falling) => {
    const text = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent.trim();
    const number = (row) => Number.parseFloat(text(row));
    const sign = falling ? -1 : 1;
    // Decided by the heading: names may begin with a digit, such as those of decades.
    const compare = headings[column].classList.contains("number")
      ? (a, b) => Number.isNaN(number(a)) - Number.isNaN(number(b)) || sign * (number(a) - number(b)) || 0
      : (a, b) => sign * text(a).localeCompare(text(b));
    table.tBodies[0].append(...[...table.tBodies[0].rows].sort(compare));
  });
});
