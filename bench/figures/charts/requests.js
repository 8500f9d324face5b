// Requests per second by size and server: a panel a size, a bar a server.

import { COLOURS } from "./picture.js";
import { rates } from "./rates.js";
import { bytes, median } from "./values.js";

/** @param {any} data what bench/http/run.js writes @param {string} [major] the Node's version; default: the first */
export function values({ speed }, major) {
  const node = major ?? speed.find((/** @type {any} */ row) => row.node !== null)?.node;
  const shown = speed.filter((/** @type {any} */ row) => !row.former && (row.node === null || row.node === node));
  if (shown.length === 0 && major !== undefined) throw new RangeError(`nothing was measured on Node ${node}`);
  return shown.flatMap((/** @type {any} */ { label, name, results }) =>
    Object.entries(results).map(([size, all]) => ({
      label: label.replace(`, Node ${node}`, "").replace("+register", " + register"),
      group: group(name),
      node,
      size: Number(size),
      rate: median(all.map((/** @type {any} */ { rate }) => rate)),
    })),
  );
}

/** @param {any} record @returns {Promise<string>} */
export function draw({ values, about }) {
  const labels = [...new Set(values.map((/** @type {any} */ { label }) => label))];
  const sizes = [...new Set(values.map((/** @type {any} */ { size }) => bytes(size)))];
  const node = values.find((/** @type {any} */ row) => row.node)?.node;
  return rates({
    values: values.map((/** @type {any} */ row) => ({ ...row, size: bytes(row.size) })),
    what: "Files over HTTP",
    how: `${about}; Node ${node}`,
    labels,
    sizes,
    layout: { width: 96, step: 20, bar: 14, spacing: 56, ticks: 2 },
    groups: GROUPS,
  });
}

const GROUPS = {
  sendoff: COLOURS.sendoff,
  "with --import sendoff/register": COLOURS.register,
  "without sendoff": COLOURS.other,
};

/** @param {string} name */
function group(name) {
  if (name.endsWith("+register")) return "with --import sendoff/register";
  return ["respond", "serveStatic", "accelerate"].includes(name) ? "sendoff" : "without sendoff";
}
