// A rule's page: backtests that show how far they are, and the file to commit where Airflow may not write it.
import { base, say, values } from "./console.js";

document.addEventListener("s1c:done", (event) => {
  const { commit, slug } = event.detail;
  if (slug === undefined) return; // the samples were run: the message says it all
  event.preventDefault();
  if (!commit) {
    location.reload();
    return;
  }
  document.getElementById("commit-path").textContent = commit.path;
  document.getElementById("commit-text").textContent = commit.text;
  const section = document.getElementById("commit");
  section.hidden = false;
  section.scrollIntoView({ block: "nearest" });
});

const form = document.getElementById("backtest");
const cancel = document.getElementById("b-cancel");
const progress = document.getElementById("b-progress");
const result = document.getElementById("b-result");
let running = null;

function element(name, text = "", attributes = {}) {
  const made = document.createElement(name);
  made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function drawn(name, attributes, title = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  if (title) made.append(drawn("title", {}));
  if (title) made.firstChild.textContent = title;
  return made;
}

function eachDay(first, last) {
  const days = [];
  for (let at = Date.parse(first); at <= Date.parse(last); at += 86400000) days.push(new Date(at).toISOString().slice(0, 10));
  return days;
}

function chart(counts, first, last) {
  const days = eachDay(first, last);
  const most = Math.max(1, ...Object.values(counts));
  const step = 676 / days.length;
  const svg = drawn("svg", { viewBox: "0 0 720 150", role: "img" }, "Hits a day in the backtest, UTC");
  for (const [y, text] of [[8, most], [128, 0]]) {
    svg.append(drawn("line", { class: "grid", x1: 44, x2: 720, y1: y, y2: y }));
    const tick = drawn("text", { class: "tick", x: 38, y: y + 4, "text-anchor": "end" });
    tick.textContent = String(text);
    svg.append(tick);
  }
  days.forEach((day, number) => {
    const count = counts[day] ?? 0;
    const height = count ? Math.max((120 * count) / most, 1.5) : 0;
    svg.append(drawn("rect", { class: "bar", x: 44 + number * step, y: 128 - height, width: Math.max(step * 0.8, 0.8), height, rx: 1 }, `${day}: ${count} hits`));
    if (number % Math.ceil(days.length / 8) === 0) {
      const label = drawn("text", { class: "tick", x: 44 + (number + 0.4) * step, y: 144, "text-anchor": "middle" });
      label.textContent = day;
      svg.append(label);
    }
  });
  const figure = element("figure", "", { class: "chart" });
  figure.append(svg);
  return figure;
}

function table(columns, rows, caption) {
  const box = element("div", "", { class: "table" });
  const whole = element("table");
  whole.append(element("caption", caption));
  const head = whole.createTHead().insertRow();
  for (const [text, kind] of columns) head.append(element("th", text, { scope: "col", class: kind }));
  const body = whole.createTBody();
  for (const row of rows) {
    const line = body.insertRow();
    row.forEach((text, place) => line.append(element("td", text, { class: columns[place][1] })));
  }
  box.append(whole);
  return box;
}

function show(found, sent) {
  const { rows, days, latest } = found;
  const sum = (name) => rows.reduce((total, row) => total + row[name], 0);
  const counted = (name) => `${sum(name).toLocaleString("en")} ${sum(name) === 1 ? name.slice(0, -1) : name}`;
  const said = `${counted("hits")}, ${counted("incidents")} in ${counted("windows")}.`;
  result.replaceChildren(element("p", said, { class: "lead" }));
  const seen = Object.keys(days);
  const first = [sent.start.slice(0, 10), seen[0]].sort()[0];
  if (seen.length) result.append(chart(days, first, seen.at(-1)));
  const names = [["Instance", ""], ["Stream", ""], ["Windows", "num"], ["Hits", "num"], ["Incidents", "num"]];
  result.append(table(names, rows.map((row) => [row.instance, row.stream, row.windows, row.hits, row.incidents].map(String)), "By stream"));
  if (latest.length) {
    const lines = latest.map((hit) => [new Date(hit.last_time).toISOString().slice(0, 19).replace("T", " "), hit.instance, hit.summary]);
    result.append(table([["Last event (UTC)", "nowrap"], ["Instance", ""], ["Summary", "why"]], lines, `The latest ${latest.length} hits`));
  }
}

function complain(fields) {
  for (const name of ["start", "end"]) {
    document.getElementById(`e-${name}`).textContent = fields[name] ?? "";
    document.getElementById(`b-${name}`).toggleAttribute("aria-invalid", Boolean(fields[name]));
  }
}

function follow(line, sent) {
  if (line.error) throw new Error(line.error);
  const bar = document.getElementById("b-bar");
  bar.max = line.total;
  bar.value = line.done;
  document.getElementById("b-text").textContent = `${line.done} of ${line.total} days${line.at ? `, now ${line.at}` : ""}`;
  if (line.result) show(line.result, sent);
  return Boolean(line.result);
}

async function run(sent) {
  const answer = await fetch(`${base}/${form.dataset.url}`, {
    method: "POST",
    credentials: "same-origin",
    signal: running.signal,
    headers: { "Content-Type": "application/json", "X-SentinelOne-Console": "1" },
    body: JSON.stringify(sent),
  });
  if (!answer.ok) {
    const { error } = await answer.json().catch(() => ({}));
    complain(error?.fields ?? {});
    throw new Error(error?.message ?? `Airflow answers with status ${answer.status}.`);
  }
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let complete = false;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) complete = follow(JSON.parse(line), sent) || complete;
  }
  if (!complete) throw new Error("The backtest broke off; run it again.");
}

form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (running) return;
  running = new AbortController();
  const sent = values(form);
  say("");
  complain({});
  result.replaceChildren();
  progress.hidden = cancel.hidden = false;
  document.getElementById("b-text").textContent = "Beginning …";
  try {
    await run(sent);
  } catch (error) {
    say(error.name === "AbortError" ? "The backtest is cancelled." : error.message, error.name === "AbortError" ? "info" : "bad");
  } finally {
    running = null;
    progress.hidden = cancel.hidden = true;
  }
});
cancel?.addEventListener("click", () => running?.abort());
