// Sorts a table by a column when its heading is pressed. Without a script the table is as it was written.
document.querySelectorAll("table.sortable").forEach((table) => {
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const text = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent.trim();
      const number = (row) => Number.parseFloat(text(row));
      const rows = [...table.tBodies[0].rows];
      // By the heading: names may begin with a digit, as that of a decade does.
      const numeric = heading.classList.contains("number");
      // Numbers begin with the largest, names with the first; pressed again, the other way round.
      const before = heading.getAttribute("aria-sort");
      const falling = before ? before === "ascending" : numeric;
      const sign = falling ? -1 : 1;
      const compare = numeric
        ? (a, b) => Number.isNaN(number(a)) - Number.isNaN(number(b)) || sign * (number(a) - number(b)) || 0
        : (a, b) => sign * text(a).localeCompare(text(b));
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", falling ? "descending" : "ascending");
      table.tBodies[0].append(...rows.sort(compare));
    });
  });
});
