// The progress of a backfill, and arrow keys in the heat maps.
import { base } from "./console.js";

const box = document.getElementById("progress");

async function look() {
  const answer = await fetch(`${base}/${box.dataset.url}`, { credentials: "same-origin" });
  if (!answer.ok) return false;
  const state = await answer.json();
  box.hidden = state.total === 0;
  document.getElementById("bar").max = state.total || 1;
  document.getElementById("bar").value = state.done ?? 0;
  const failed = state.failed ? `, ${state.failed} failed` : "";
  document.getElementById("progress-text").textContent = `${state.done ?? 0} of ${state.total} runs are done${failed}.`;
  return !state.complete;
}

let watching = false;
async function watch() {
  if (watching || !box) return;
  watching = true;
  let quiet = 0;
  while (quiet < 2) {
    quiet = (await look()) ? 0 : quiet + 1; // the runs of a new backfill appear a moment later
    await new Promise((resolve) => { setTimeout(resolve, 2000); });
  }
  location.reload();
}

document.addEventListener("s1c:done", (event) => {
  if (event.detail.backfill === undefined) return;
  box.hidden = false;
  box.scrollIntoView({ block: "nearest" });
  watch();
});
if (box && !box.hidden) watch();

// One stop for the Tab key in each map; the arrows go from cell to cell.
for (const map of document.querySelectorAll("table.heat")) {
  const rows = [...map.querySelectorAll("tbody tr")].map((row) => [...row.children].map((cell) => cell.querySelector("a")));
  const cells = rows.flat().filter(Boolean);
  const start = map.querySelector("a.current") ?? cells.at(-1);
  for (const cell of cells) cell.tabIndex = cell === start ? 0 : -1;
  map.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    const from = document.activeElement;
    if (!step || !cells.includes(from)) return;
    event.preventDefault();
    let row = rows.findIndex((each) => each.includes(from));
    let column = rows[row].indexOf(from);
    do {
      row += step[0];
      column += step[1];
    } while (rows[row] && column >= 0 && column < rows[row].length && !rows[row][column]);
    const next = rows[row]?.[column];
    if (!next) return;
    from.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  });
}
