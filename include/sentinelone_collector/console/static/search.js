// The chart over the results, and rows that open. Everything from records is put in as text, never as markup.
import { base, call, localTimes } from "./console.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 1000;
const HEIGHT = 96;

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function drawn(name, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const utc = (milliseconds) => new Date(milliseconds).toISOString().replace(".000Z", "Z");
const shown = (milliseconds) => utc(milliseconds).replace("T", " ").slice(0, 16);

function linked(changes) {
  const values = new URLSearchParams(location.search);
  values.delete("cursor");
  for (const [name, value] of Object.entries(changes)) values.set(name, value);
  return `${base}/search?${values}`;
}

function chart(counts) {
  const { buckets, width } = counts;
  const most = Math.max(1, ...buckets.map((bucket) => bucket.count));
  const step = WIDTH / Math.max(1, buckets.length);
  const svg = drawn("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "group", "aria-label": "Bar chart of events over time; each bar narrows the search to its span" });
  buckets.forEach((bucket, place) => {
    const height = bucket.count ? Math.max(2, (bucket.count / most) * (HEIGHT - 4)) : 0;
    const text = `${shown(bucket.start)} UTC: ${bucket.count.toLocaleString()} events`;
    const back = drawn("rect", { class: "back", x: place * step, y: 0, width: step, height: HEIGHT });
    const bar = drawn("rect", { class: "bar", x: place * step + step * 0.08, y: HEIGHT - 1 - height, width: step * 0.84, height });
    if (!bucket.count) {
      svg.append(drawn("g", {}, drawn("title", {}, text), back));
      return;
    }
    const span = { from: utc(bucket.start), to: utc(bucket.start + width) };
    svg.append(drawn("a", { href: linked(span), "aria-label": text }, drawn("title", {}, text), back, bar));
  });
  svg.append(drawn("line", { class: "axis", x1: 0, x2: WIDTH, y1: HEIGHT - 0.5, y2: HEIGHT - 0.5 }));
  return svg;
}

function facets(counts) {
  const made = element("div", { class: "facets", role: "group", "aria-label": "Narrow by" });
  for (const name of ["class", "severity", "instance", "stream"]) {
    const values = Object.entries(counts.facets[name]);
    if (values.length < 2) continue;
    for (const [value, count] of values.slice(0, 8)) {
      if (value) made.append(element("a", { href: linked({ [name]: value }) }, `${value} ${count.toLocaleString()}`));
    }
  }
  return made;
}

async function count(place) {
  try {
    const counts = await call("GET", `api/search/counts${place.dataset.counts}`);
    const words = `${counts.total.toLocaleString()} events` +
      (counts.exact ? "" : ` since ${shown(counts.since)} UTC; what is older is being indexed: search again, or narrow the range`);
    const legend = element("div", { class: "legend" });
    if (counts.buckets.length) {
      const last = counts.buckets.at(-1).start + counts.width;
      legend.append(element("span", {}, shown(counts.buckets[0].start)), element("strong", {}, words), element("span", {}, shown(last)));
    } else legend.append(element("strong", {}, words));
    place.replaceChildren(...(counts.buckets.length ? [chart(counts)] : []), legend, facets(counts));
  } catch (error) {
    place.replaceChildren(element("p", { class: "muted" }, error.message));
  }
}

function hitList(hits) {
  if (!hits.length) return element("p", { class: "muted" }, "No rule has a hit that ends in this window and names this event.");
  const list = element("ul");
  for (const hit of hits) {
    const item = element("li", {}, `${hit.level} · ${hit.rule_title}: ${hit.summary}`);
    if (hit.incident_id) item.append(" ", element("a", { href: `${base}/incidents/${encodeURIComponent(hit.incident_id)}` }, "Incident"));
    list.append(item);
  }
  return list;
}

function opened(found) {
  const views = {
    "Event": element("pre", { tabindex: "0" }, JSON.stringify(found.event, null, 2)),
    "Raw record": element("pre", { tabindex: "0" }, found.raw ?? "Records may hold secrets: they are shown to those who may start DAG runs."),
    [`Related hits (${found.hits.length})`]: hitList(found.hits),
  };
  const tabs = element("div", { class: "tabs", role: "group", "aria-label": "Show" });
  const place = element("div");
  for (const [title, view] of Object.entries(views)) {
    const tab = element("button", { type: "button", class: "plain small", "aria-pressed": "false" }, title);
    tab.addEventListener("click", () => {
      for (const other of tabs.children) other.setAttribute("aria-pressed", String(other === tab));
      place.replaceChildren(view);
    });
    tabs.append(tab);
  }
  tabs.firstChild.click();
  return [tabs, place];
}

async function toggle(button) {
  const row = button.closest("tr");
  if (button.getAttribute("aria-expanded") === "true") {
    button.setAttribute("aria-expanded", "false");
    row.nextElementSibling.remove();
    return;
  }
  button.setAttribute("aria-expanded", "true");
  const cell = element("td", { colspan: "9" }, "Reading …");
  row.after(element("tr", { class: "whole" }, cell));
  try {
    const asked = new URLSearchParams({ key: button.dataset.key, uid: button.dataset.uid });
    cell.replaceChildren(...opened(await call("GET", `api/search/event?${asked}`)));
    localTimes(cell);
  } catch (error) {
    cell.replaceChildren(element("p", { class: "message bad" }, error.message));
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button.open");
  if (button) toggle(button);
});

const place = document.getElementById("counts");
if (place) count(place);
