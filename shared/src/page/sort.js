// Sorts a table by a column when its heading is clicked. Without a script the rows keep their original order.
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
      // Decided by the heading: names may begin with a digit, such as those of decades.
      const numeric = heading.classList.contains("number");
      // Numbers begin with the largest, names with the first; the next click reverses the order.
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
