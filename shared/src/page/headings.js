// Makes the headings of a table buttons. A click calls `sort` with the column and whether its values shall fall.
const sortByHeadings = (headings, sort) =>
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      // Numbers begin with the largest, names with the first; the next click reverses the order.
      const before = heading.getAttribute("aria-sort");
      const falling = before ? before === "ascending" : heading.classList.contains("number");
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", falling ? "descending" : "ascending");
      sort(column, falling);
    });
  });
