// The script of a folder's page. Without it the filter is a form that the server answers; with it the rows of the page
// are filtered while somebody types, and the arrow keys go from row to row.

import { fold } from "./filter.js";

/** Small, and plain enough for any browser: it is on every page. */
export const SCRIPT = `
(() => {
const fold = ${fold.toString()};
const box = document.querySelector("input"), told = document.querySelector("[role=status]");
const rows = [...document.querySelectorAll("tbody tr:not(.up)")].map((row) => ({ row, link: row.querySelector("a") }));
const asked = box.value, part = box.dataset.part;
const filter = () => {
  const text = fold(box.value);
  let count = 0;
  for (const one of rows) {
    one.key ??= fold(one.link.title || one.link.textContent);
    if (!(one.row.hidden = !one.key.includes(text))) count++;
  }
  told.textContent = box.value === asked ? "" : (count || "No") + (count === 1 ? " name matches" : " names match") + (part ? " on this page: Enter searches the folder" : "");
};
box.addEventListener("input", filter);
if (box.value !== asked) filter();
document.addEventListener("keydown", (event) => {
  const { key, target } = event;
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (key === "/" && target !== box) box.focus(), box.select();
  else if (key === "Escape" && box.value !== "") {
    if (asked !== "" && box.value === asked) return void document.querySelector("[data-all]").click();
    box.value = "", filter(), box.focus();
  } else if (key === "ArrowDown" || key === "ArrowUp") {
    const seen = rows.filter(({ row }) => !row.hidden).map(({ link }) => link);
    const at = seen.indexOf(target), to = at + (key === "ArrowDown" ? 1 : -1);
    if (target !== box && at < 0) return;
    (to < 0 ? box : seen[to] ?? target).focus();
  } else return;
  event.preventDefault();
});
})();
`;
