// Shows the rows that match the search field and the chosen words, sorted by the column whose heading was clicked last.
document.querySelectorAll(".browser").forEach((browser) => {
  const [FEW, MORE] = [25, 100];
  const data = JSON.parse(browser.querySelector("script").textContent);
  const { columns, rows, places, sheets, perSheet } = data;
  const [search, output, more] = ["input", "output", ".more"].map((one) => browser.querySelector(one));
  const table = browser.querySelector("table");
  const headings = [...table.tHead.querySelectorAll("th:not(.picture)")];
  const choices = [...browser.querySelectorAll("select")];
  const shown = (column, value) => {
    const { words, decimals } = columns[column];
    if (words) return value.map((at) => words[at]).join(", ");
    if (decimals === undefined) return value;
    return value === null ? "–" : value.toFixed(decimals);
  };
  const texts = rows.map((row) => row.filter((_, at) => typeof row[at] === "string").join("\n").toLowerCase());
  const order = rows.map((_, at) => at);
  let limit = FEW;

  const picture = (place) => {
    const frame = document.createElement("td");
    if (place === null) return frame;
    const clip = frame.appendChild(document.createElement("div"));
    clip.className = "thumb";
    const image = clip.appendChild(document.createElement("img"));
    image.alt = "Mel spectrogram";
    image.src = sheets[Math.floor(place / perSheet)];
    image.style.top = `${-(place % perSheet)}00%`;
    return frame;
  };
  const draw = (at) => {
    const line = document.createElement("tr");
    rows[at].forEach((value, column) => {
      const cell = line.appendChild(document.createElement(column ? "td" : "th"));
      if (!column) cell.scope = "row";
      if (columns[column].decimals !== undefined) cell.className = "number";
      const target = data.link + value;
      const holder = !column && document.getElementById(target) ? cell.appendChild(document.createElement("a")) : cell;
      if (holder !== cell) holder.href = "#" + target;
      holder.textContent = shown(column, value);
    });
    if (places.length) line.append(picture(places[at]));
    return line;
  };
  const update = () => {
    const words = search.value.toLowerCase().split(/\s+/);
    const chosen = choices.filter((choice) => choice.value).map((choice) => [choice.dataset.column, Number(choice.value)]);
    const matches = (at) =>
      words.every((word) => texts[at].includes(word)) && chosen.every(([column, word]) => rows[at][column].includes(word));
    const found = order.filter(matches);
    table.tBodies[0].replaceChildren(...found.slice(0, limit).map(draw));
    output.textContent = `${found.length.toLocaleString("en")} of ${rows.length.toLocaleString("en")} ${data.things}`;
    more.hidden = found.length <= limit;
  };
  const compare = (column, falling) => (a, b) => {
    const [one, two] = [rows[a][column], rows[b][column]];
    const sign = falling ? -1 : 1;
    if (columns[column].decimals !== undefined) return (one === null) - (two === null) || sign * (one - two);
    return sign * shown(column, one).localeCompare(shown(column, two), "en", { numeric: true });
  };
  sortByHeadings(headings, (column, falling) => {
    order.sort(compare(column, falling));
    update();
  });
  const restart = () => {
    limit = FEW;
    update();
  };
  [search, ...choices].forEach((field) => field.addEventListener("input", restart));
  more.addEventListener("click", () => {
    limit += MORE;
    update();
  });
  update();
});
