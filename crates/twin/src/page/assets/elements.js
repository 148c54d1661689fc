"use strict";
// Making elements. All text goes in as text: nothing that the twin holds is ever read as HTML.

/** An element with attributes and children; children that are not nodes become text, null ones are left out. */
function el(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** Like `el`, for SVG. */
function svg(tag, attributes, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  for (const child of children.flat()) {
    if (child !== null && child !== undefined) element.append(child instanceof Node ? child : String(child));
  }
  return element;
}

const shown = new Map();

/**
 * Puts what `make` makes of `data` into the element `id`, only when the data has changed, and not while somebody selects
 * text in it. Scrolled lists keep their place.
 */
function show(id, data, make) {
  const text = JSON.stringify(data);
  const place = document.getElementById(id);
  const selection = document.getSelection();
  if (shown.get(id) === text) return;
  if (selection && !selection.isCollapsed && place.contains(selection.anchorNode)) return;
  shown.set(id, text);
  const scrolled = [place, ...place.querySelectorAll("[data-scroll]")].map((list) => [list.dataset.scroll, list.scrollTop]);
  const open = new Set([...place.querySelectorAll("details[open]")].map((one) => one.dataset.key));
  const focused = place.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  place.replaceChildren(...[make(data)].flat().filter((child) => child !== null));
  for (const [name, top] of scrolled) {
    const list = name === undefined ? place : place.querySelector(`[data-scroll="${CSS.escape(name)}"]`);
    if (list) list.scrollTop = top;
  }
  for (const one of place.querySelectorAll("details")) one.open = open.has(one.dataset.key);
  if (focused !== undefined) place.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

const plural = (count, one, many) => `${number(count)} ${count === 1 ? one : many ?? one + "s"}`;
const number = (value) => Number(value).toLocaleString("en");

function size(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${unit === 0 ? value : value.toPrecision(3)} ${units[unit]}`;
}

/** A time of the twin's clock, in UTC. */
function when(text) {
  return text ? text.slice(0, 19).replace("T", " ") : "";
}

function duration(from, to) {
  let seconds = Math.max(0, Math.round((Date.parse(to) - Date.parse(from)) / 1000));
  const parts = [];
  for (const [unit, length] of [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]]) {
    const count = Math.floor(seconds / length);
    seconds -= count * length;
    if (count > 0) parts.push(`${count} ${unit}`);
  }
  return parts.slice(0, 2).join(" ") || "0 s";
}
