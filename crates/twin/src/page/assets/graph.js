// The picture of a state machine, coloured by what an execution has done.

const BOX = { width: 176, height: 38, down: 18, right: 28, left: 76, top: 4 };

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
  // Colour and mark say the status too; the words are for those who see neither.
  const notes = [status === "waiting" || status === "done" ? node.kind : status];
  if (trail) {
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
    svg("text", { class: "name", x: 13, y: 16 }, short(node.name, 22)),
    svg("text", { class: "sub", x: 13, y: 30 }, short(notes.join(" · "), 30)),
    MARKS[status] ? svg("text", { class: "mark", x: BOX.width - 24, y: 24 }, MARKS[status]) : null);
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

/** Down in the same column; to the right and then down; or down and then to the left. */
function forward(from, to) {
  const [middle, half] = [BOX.width / 2, BOX.height / 2];
  if (to.column > from.column) {
    const [x, y, tx] = [from.x + BOX.width, from.y + half, to.x + middle];
    return { path: `M${x} ${y}H${tx - 8}Q${tx} ${y} ${tx} ${y + 8}V${to.y - 5}`, tip: { x: tx, y: to.y, way: "down" }, label: { x: x + 6, y: y - 5, anchor: "start" } };
  }
  if (to.column < from.column) {
    const [x, y, tx, ty] = [from.x + middle, from.y + BOX.height, to.x + BOX.width, to.y + half];
    return { path: `M${x} ${y}V${ty - 8}Q${x} ${ty} ${x - 8} ${ty}H${tx + 5}`, tip: { x: tx, y: ty, way: "left" }, label: { x: x - 10, y: ty - 5, anchor: "end" } };
  }
  if (to.row === from.row + 1) {
    const [x, y] = [from.x + middle, from.y + BOX.height];
    return { path: `M${x} ${y}V${to.y - 5}`, tip: { x, y: to.y, way: "down" }, label: { x: x + 8, y: (y + to.y) / 2 + 3, anchor: "start" } };
  }
  const [x, y, ty] = [from.x + BOX.width, from.y + half, to.y + half];
  const out = x + BOX.right / 2;
  return { path: `M${x} ${y}H${out - 8}Q${out} ${y} ${out} ${y + 8}V${ty - 8}Q${out} ${ty} ${out - 8} ${ty}H${x + 5}`, tip: { x, y: ty, way: "left" }, label: { x: x + 4, y: y - 5, anchor: "start" } };
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
