// The picture of a state machine, coloured by what an execution has done.

const BOX = { width: 190, height: 42, down: 24, right: 40, left: 84, top: 6 };

/** The state graph of an execution as the twin answers it. */
function picture(execution) {
  const { nodes, edges } = execution.graph;
  const trails = new Map(execution.states.map((state) => [state.name, state]));
  const steps = new Map(execution.steps.map(([from, to, count]) => [`${from}\n${to}`, count]));
  const places = new Map(nodes.map((node) => [node.name, place(node)]));
  const columns = Math.max(1, ...nodes.map((node) => node.column + 1));
  const rows = Math.max(1, ...nodes.map((node) => node.row + 1));
  const width = BOX.left + columns * (BOX.width + BOX.right);
  const height = BOX.top * 2 + rows * (BOX.height + BOX.down) - BOX.down;
  const lines = edges.map((edge) => line(edge, places, steps.get(`${edge.from}\n${edge.to}`) ?? 0));
  const boxes = nodes.map((node) => box(node, places.get(node.name), trails));
  const label = nodes.map((node) => `${node.name}: ${trails.get(node.name)?.status ?? "not reached"}`).join(", ");
  return svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label }, lines, boxes);
}

function place(node) {
  return {
    x: BOX.left + node.column * (BOX.width + BOX.right),
    y: BOX.top + node.row * (BOX.height + BOX.down),
    row: node.row,
    column: node.column,
  };
}

const MARKS = { done: "✓", running: "●", failed: "✕", aborted: "–" };

function box(node, at, trails) {
  const trail = trails.get(node.name);
  const status = trail?.status ?? "waiting";
  const notes = [node.kind];
  if (trail) {
    if (status !== "done") notes.push(status);
    if (trail.entered > 1) notes.push(`${trail.entered}×`);
    if (trail.retries > 0) notes.push(`retried ${trail.retries}×`);
    if (trail.redrives > 0) notes.push(`redriven ${trail.redrives}×`);
  }
  const inside = node.inside.filter((name) => trails.has(name));
  if (node.inside.length > 0) notes.push(`${inside.length} of ${node.inside.length} inside`);
  const title = [node.name, ...notes, trail?.error, trail?.cause].filter(Boolean).join("\n");
  const round = node.kind === "Choice" ? BOX.height / 2 : 6;
  return svg("g", { class: `node ${status}`, transform: `translate(${at.x} ${at.y})` },
    svg("title", null, title),
    svg("rect", { width: BOX.width, height: BOX.height, rx: round }),
    svg("text", { class: "name", x: 14, y: 18 }, short(node.name, 22)),
    svg("text", { class: "sub", x: 14, y: 33 }, short(notes.join(" · "), 31)),
    MARKS[status] ? svg("text", { class: "mark", x: BOX.width - 24, y: 26 }, MARKS[status]) : null);
}

function short(text, length) {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}

function line(edge, places, taken) {
  const [from, to] = [places.get(edge.from), places.get(edge.to)];
  const { path, tip, label } = edge.back ? back(from, to) : forward(from, to);
  const text = short(edge.label.split(" = ").pop(), 20) + (taken > 1 ? ` ${taken}×` : "");
  return svg("g", { class: taken > 0 ? "edge taken" : "edge" },
    svg("title", null, `${edge.from} → ${edge.to}${edge.label ? `: ${edge.label}` : ""}`),
    svg("path", { d: path }),
    svg("polygon", { points: arrow(tip) }),
    text.trim() ? svg("text", { x: label.x, y: label.y, "text-anchor": label.anchor }, text) : null);
}

/** Down: straight to the next row, and along the side where rows lie between. */
function forward(from, to) {
  const [x, y] = [from.x + BOX.width / 2, from.y + BOX.height];
  if (to.row === from.row + 1) {
    const [tx, ty] = [to.x + BOX.width / 2, to.y];
    const middle = (y + ty) / 2;
    const path = x === tx ? `M${x} ${y}V${ty - 5}` : `M${x} ${y}C${x} ${middle + 6} ${tx} ${middle - 6} ${tx} ${ty - 5}`;
    return { path, tip: { x: tx, y: ty, way: "down" }, label: { x: Math.max(x, tx) + (x === tx ? 8 : -20), y: middle + 3, anchor: x === tx ? "start" : "end" } };
  }
  const side = Math.max(from.x, to.x) + BOX.width + (from.column > to.column ? -BOX.width / 2 : 16);
  const [tx, ty] = [to.x + BOX.width, to.y + BOX.height / 2];
  const start = from.column > to.column ? `M${x} ${y}` : `M${from.x + BOX.width} ${from.y + BOX.height / 2}H${side - 8}Q${side} ${from.y + BOX.height / 2} ${side} ${from.y + BOX.height / 2 + 8}`;
  return {
    path: `${start}V${ty - 10}Q${side} ${ty} ${side - 10} ${ty}H${tx + 5}`,
    tip: { x: tx, y: ty, way: "left" },
    label: { x: side - 6, y: ty - 14, anchor: "end" },
  };
}

/** Up: along the left side, further out the more rows lie between. */
function back(from, to) {
  const [y, ty] = [from.y + BOX.height / 2 - 4, to.y + BOX.height / 2 + 4];
  const out = Math.max(8, from.x - 14 - (from.row - to.row) * 9);
  return {
    path: `M${from.x} ${y}H${out + 8}Q${out} ${y} ${out} ${y - 8}V${ty + 8}Q${out} ${ty} ${out + 8} ${ty}H${to.x - 5}`,
    tip: { x: to.x, y: ty, way: "right" },
    label: { x: from.x - 6, y: y - 5, anchor: "end" },
  };
}

function arrow({ x, y, way }) {
  const points = {
    down: [[x, y], [x - 4, y - 7], [x + 4, y - 7]],
    left: [[x, y], [x + 7, y - 4], [x + 7, y + 4]],
    right: [[x, y], [x - 7, y - 4], [x - 7, y + 4]],
  };
  return points[way].map((point) => point.join(",")).join(" ");
}
