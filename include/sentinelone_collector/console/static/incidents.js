// Incidents: choosing several, what was done told after the page is loaded anew, the whole link to copy.
import { say } from "./console.js";

const told = "s1c-told";

const link = document.querySelector("[data-link]");
if (link) {
  const outer = window.parent !== window ? window.parent.location.origin : location.origin;
  link.textContent = new URL(link.dataset.link, outer).href;
}

const boxes = [...document.querySelectorAll("input.pick")];
const all = document.getElementById("select-all");
const bulk = document.getElementById("bulk");

function chosen() {
  return boxes.filter((box) => box.checked);
}

function show() {
  const some = chosen();
  bulk.hidden = some.length === 0;
  document.getElementById("bulk-count").textContent = some.length ? `${some.length} selected` : "";
  all.checked = some.length === boxes.length;
  all.indeterminate = some.length > 0 && some.length < boxes.length;
  for (const form of bulk.querySelectorAll("form[data-bulk]")) {
    form.querySelector("[data-many]")?.remove();
    const group = document.createElement("span");
    group.dataset.many = "ids";
    group.hidden = true;
    for (const box of some) {
      const copy = document.createElement("input");
      copy.type = "checkbox";
      copy.value = box.value;
      copy.checked = true;
      group.append(copy);
    }
    form.append(group);
  }
}

if (bulk && all) {
  all.addEventListener("change", () => {
    for (const box of boxes) box.checked = all.checked;
    show();
  });
  let last = null;
  for (const box of boxes) {
    box.addEventListener("click", (event) => {
      if (event.shiftKey && last) {
        const [from, to] = [boxes.indexOf(last), boxes.indexOf(box)].sort((a, b) => a - b);
        for (const each of boxes.slice(from, to + 1)) each.checked = box.checked;
      }
      last = box;
      show();
    });
  }
  show(); // a browser keeps ticks over a reload
}

document.addEventListener("s1c:done", (event) => {
  event.preventDefault();
  try {
    sessionStorage.setItem(told, event.detail.message ?? "");
  } catch {
    // without storage the page says it by what it shows
  }
  for (const box of boxes) box.checked = false;
  location.reload();
});

try {
  const message = sessionStorage.getItem(told);
  sessionStorage.removeItem(told);
  if (message) say(message);
} catch {
  // see above
}
