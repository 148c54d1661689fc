"use strict";
(() => {
  const list = document.getElementById("list");
  if (!list) return;
  const { verdicts, rows } = JSON.parse(document.getElementById("data").textContent);
  const [PATH, VERDICT, LATEST, WHOLE, COMMITTED, FILES, BYTES, ROWS, MISSING, REASON, DETAILS] = rows.length ? rows[0].keys() : [];
  // What follows the tables should not be far away at first.
  const FIRST = matchMedia("(max-width: 720px)").matches ? 10 : 25, STEP = 100;
  const known = (value) => value !== null;
  const number = new Intl.NumberFormat("en-US");
  const count = (value) => known(value) ? number.format(value) : "–";
  const size = (bytes) => {
    if (!known(bytes)) return "–";
    const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let value = bytes, unit = 0;
    while (value >= 1023.5 && unit < units.length - 1) { value /= 1024; unit += 1; }
    const digits = unit === 0 || value >= 99.95 ? 0 : value < 9.995 ? 2 : 1;
    return `${value.toFixed(digits)} ${units[unit]}`;
  };
  const version = (row) => {
    if (!known(row[LATEST])) return known(row[WHOLE]) ? String(row[WHOLE]) : "–";
    if (!known(row[WHOLE])) return `none of ${row[LATEST]}`;
    return row[WHOLE] < row[LATEST] ? `${row[WHOLE]} of ${row[LATEST]}` : String(row[WHOLE]);
  };
  const columns = [
    { name: "Table", by: PATH },
    { name: "Verdict", by: VERDICT, down: true },
    { name: "Whole version", by: WHOLE, text: version, style: "number" },
    { name: "Committed", by: COMMITTED, text: (row) => row[COMMITTED] ?? "–", style: "time" },
    { name: "Files", by: FILES, text: (row) => count(row[FILES]), style: "number", down: true },
    { name: "Size", by: BYTES, text: (row) => size(row[BYTES]), style: "number", down: true },
    { name: "Rows", by: ROWS, text: (row) => count(row[ROWS]), style: "number", down: true },
    { name: "Missing", by: MISSING, text: (row) => row[MISSING] ? count(row[MISSING]) : "–", style: "number", down: true },
  ];
  const $ = (id) => document.getElementById(id);
  const element = (name, properties, ...children) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  };

  // Searched in place of the rows: lower case, and with the texts of the details.
  const texts = rows.map((row) => [row[PATH], row[REASON] ?? "", ...row[DETAILS].map(([, text]) => text)].join("\n").toLowerCase());
  const body = list.tBodies[0];
  let kind = null, order = { column: columns[1], down: true }, found = [], shown = 0;

  const reason = (row) => known(row[REASON]) ? [element("p", { className: "reason key", textContent: row[REASON] })] : [];
  const details = (row) => {
    if (!row[DETAILS].length) return [];
    const facts = row[DETAILS].map(([name, text]) =>
      element("div", {}, element("dt", { textContent: name }), element("dd", { className: "key", textContent: text })));
    const summary = element("summary", { textContent: row[DETAILS].map(([name]) => name).join(", ") });
    return [element("details", {}, summary, element("dl", { className: "details" }, ...facts))];
  };
  const lines = (row) => {
    const verdict = verdicts[row[VERDICT]];
    const sign = element("span", { textContent: verdict.sign });
    sign.ariaHidden = "true";
    const name = element("th", { scope: "row" }, element("span", { className: "key mono", textContent: row[PATH] }));
    const tag = element("td", {}, element("span", { className: `tag ${verdict.class}` }, sign, ` ${verdict.word}`));
    tag.dataset.label = "Verdict";
    const others = columns.slice(2).map((column) => {
      const text = column.text(row);
      const cell = element("td", { className: text === "–" ? `${column.style} none` : column.style, textContent: text });
      cell.dataset.label = column.name;
      return cell;
    });
    const further = [...reason(row), ...details(row)];
    const more = element("td", { colSpan: columns.length }, ...further);
    return [element("tr", {}, name, tag, ...others), ...(further.length ? [element("tr", { className: "more" }, more)] : [])];
  };

  const show = (end) => {
    const part = document.createDocumentFragment();
    for (const index of found.slice(shown, end)) part.append(...lines(rows[index]));
    body.append(part);
    shown = Math.min(end, found.length);
    const left = found.length - shown;
    $("more").hidden = left === 0;
    $("next").textContent = `Show ${number.format(Math.min(STEP, left))} more`;
    $("all").textContent = `Show all ${number.format(found.length)}`;
    const of = found.length === rows.length ? "" : ` of ${number.format(rows.length)}`;
    const first = left === 0 ? "" : `, the first ${number.format(shown)} shown`;
    $("shown").textContent = `${number.format(found.length)}${of} ${rows.length === 1 ? "table" : "tables"}${first}`;
  };

  // Unknown values come last in either direction, and equal ones by path.
  const compare = ({ column: { by }, down }) => (a, b) => {
    const [one, other] = [rows[a][by], rows[b][by]];
    if (known(one) !== known(other)) return known(one) ? -1 : 1;
    if (one !== other) return (one < other ? -1 : 1) * (down ? -1 : 1);
    return rows[a][PATH] < rows[b][PATH] ? -1 : rows[a][PATH] > rows[b][PATH] ? 1 : 0;
  };

  const update = () => {
    const words = $("text").value.toLowerCase().split(/\s+/).filter(Boolean);
    found = [];
    rows.forEach((row, index) => {
      if ((kind === null || row[VERDICT] === kind) && words.every((word) => texts[index].includes(word))) found.push(index);
    });
    found.sort(compare(order));
    body.replaceChildren();
    shown = 0;
    show(FIRST);
  };

  const sort = (column, down) => {
    order = { column, down };
    columns.forEach(({ name }, index) => {
      const head = list.tHead.rows[0].cells[index];
      const chosen = columns[index] === column;
      if (chosen) head.ariaSort = down ? "descending" : "ascending"; else head.removeAttribute("aria-sort");
      const arrow = element("span", { textContent: chosen ? (down ? " ↓" : " ↑") : "" });
      arrow.ariaHidden = "true";
      head.firstElementChild.replaceChildren(name, arrow);
    });
    $("order").selectedIndex = columns.indexOf(column);
    update();
  };

  const heads = () => columns.forEach((column, index) => {
    const press = () => sort(column, order.column === column ? !order.down : Boolean(column.down));
    list.tHead.rows[0].cells[index].replaceChildren(element("button", { type: "button", onclick: press }));
    $("order").append(element("option", { textContent: column.name }));
  });

  const kinds = () => {
    const numbers = verdicts.map((_, place) => rows.filter((row) => row[VERDICT] === place).length);
    const choose = (place) => () => {
      kind = place;
      for (const button of $("kinds").children) button.ariaPressed = String(button.dataset.place === String(place));
      update();
    };
    const add = (place, text) => {
      const button = element("button", { type: "button", textContent: text, onclick: choose(place) });
      button.dataset.place = String(place);
      button.ariaPressed = String(place === null);
      $("kinds").append(button);
    };
    add(null, `all ${number.format(rows.length)}`);
    numbers.map((many, place) => [many, place]).reverse().filter(([many]) => many).forEach(([many, place]) =>
      add(place, `${verdicts[place].sign} ${verdicts[place].word} ${number.format(many)}`));
  };

  heads();
  kinds();
  $("text").oninput = update;
  $("order").onchange = () => { const column = columns[$("order").selectedIndex]; sort(column, Boolean(column.down)); };
  $("next").onclick = () => show(shown + STEP);
  $("all").onclick = () => show(found.length);
  $("controls").hidden = false;

  // On paper there is nothing to press: all tables stand there, whatever was chosen on the screen.
  let before = null;
  addEventListener("beforeprint", () => {
    before = { kind, shown, text: $("text").value };
    kind = null;
    $("text").value = "";
    update();
    show(found.length);
    for (const part of document.querySelectorAll("details:not([open])")) { part.open = true; part.dataset.closed = ""; }
  });
  addEventListener("afterprint", () => {
    if (!before) return;
    ({ kind } = before);
    $("text").value = before.text;
    update();
    show(before.shown);
    for (const part of document.querySelectorAll("details[data-closed]")) { part.open = false; delete part.dataset.closed; }
  });

  sort(columns[1], true);
})();
