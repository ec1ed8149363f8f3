// What all pages share: local times, forms that call the JSON API, confirmation, jumps inside Airflow.
export const base = document.body.dataset.base ?? "";

export function localTimes(within = document) {
  for (const element of within.querySelectorAll("time[datetime]")) {
    const moment = new Date(element.dateTime);
    if (!Number.isNaN(moment.valueOf())) {
      element.title = `${moment.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "long" })} (your time)`;
    }
  }
}

export function say(text, tone = "good") {
  const message = document.getElementById("message");
  if (!message) return;
  message.textContent = text;
  message.className = `message ${tone}`;
  message.hidden = !text;
}

export async function call(method, path, body) {
  const answer = await fetch(`${base}/${path}`, {
    method,
    credentials: "same-origin",
    headers: { Accept: "application/json", "Content-Type": "application/json", "X-SentinelOne-Console": "1" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  let content = {};
  try {
    content = await answer.json();
  } catch {
    content = {};
  }
  if (answer.ok) return content;
  const error = new Error(content.error?.message ?? `Airflow answers with status ${answer.status}.`);
  error.fields = content.error?.fields ?? {};
  error.status = answer.status;
  throw error;
}

export function confirmed(text, yes = "Yes") {
  const dialog = document.getElementById("confirm");
  document.getElementById("confirm-text").textContent = text;
  document.getElementById("confirm-yes").textContent = yes;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

// Fields by name; a group of boxes marked data-many gives a list, a field marked data-lines the lines of its text.
export function values(form) {
  const content = {};
  for (const group of form.querySelectorAll("[data-many]")) {
    content[group.dataset.many] = [...group.querySelectorAll("input:checked")].map((box) => box.value);
  }
  for (const field of form.elements) {
    if (!field.name || field.disabled || field.closest("[data-many]")) continue;
    if (field.type === "checkbox") content[field.name] = field.checked;
    else if (field.type === "radio") {
      if (field.checked) content[field.name] = field.value;
    } else if (field.dataset.lines !== undefined) {
      content[field.name] = field.value.split("\n").map((line) => line.trim()).filter(Boolean);
    } else content[field.name] = field.value;
  }
  return content;
}

function showErrors(form, fields) {
  let first = null;
  for (const place of form.querySelectorAll(".error[id]")) {
    const name = place.id.slice(2);
    const text = fields[name] ?? "";
    place.textContent = text;
    const input = form.elements[name];
    if (input instanceof HTMLElement) {
      if (text) input.setAttribute("aria-invalid", "true");
      else input.removeAttribute("aria-invalid");
      if (text && !first) first = input;
    }
  }
  first?.focus();
}

// <form data-api="POST api/…"> or <button data-api="…">: data-confirm asks first, data-busy is shown while waiting.
// The answer's `location` is gone to, its `message` is shown; an event s1c:done carries the answer to the page's own code.
async function send(element, body) {
  const [method, path] = element.dataset.api.split(" ");
  if (element.dataset.confirm && !(await confirmed(element.dataset.confirm, element.dataset.yes))) return;
  const buttons = element.matches("form") ? [...element.querySelectorAll("button")] : [element];
  for (const button of buttons) button.disabled = true;
  element.setAttribute("aria-busy", "true");
  say(element.dataset.busy ?? "", "busy");
  try {
    const answer = await call(method, path, body);
    say(answer.message ?? "");
    if (element.matches("form")) showErrors(element, {});
    const event = new CustomEvent("s1c:done", { detail: answer, bubbles: true, cancelable: true });
    if (element.dispatchEvent(event)) {
      if (answer.location) location.assign(`${base}${answer.location}`);
      else if (element.dataset.reload !== undefined) location.reload();
    }
  } catch (error) {
    say(error.message, "bad");
    if (element.matches("form")) showErrors(element, error.fields ?? {});
  } finally {
    element.removeAttribute("aria-busy");
    for (const button of buttons) button.disabled = false;
  }
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.api === undefined) return;
  event.preventDefault();
  if (form.getAttribute("aria-busy") !== "true") send(form, values(form));
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-api]");
  if (button) {
    event.preventDefault();
    send(button, button.dataset.body ? JSON.parse(button.dataset.body) : {});
    return;
  }
  const copier = event.target.closest("button[data-copy]");
  if (copier) {
    const text = document.getElementById(copier.dataset.copy).textContent;
    navigator.clipboard?.writeText(text).then(
      () => say("Copied."), () => getSelection().selectAllChildren(document.getElementById(copier.dataset.copy)));
    return;
  }
  // The frame may not navigate the page around it: Airflow's own router is told instead.
  const jump = event.target.closest("a[data-airflow]");
  if (jump && window.parent !== window && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    window.parent.history.pushState({}, "", jump.dataset.airflow);
    window.parent.dispatchEvent(new PopStateEvent("popstate", { state: {} }));
  }
});

document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-auto]");
  if (form) form.requestSubmit();
});

// A part marked data-refresh="seconds" is fetched anew while the page is looked at and nothing in it has the focus.
for (const part of document.querySelectorAll("[data-refresh][id]")) {
  setInterval(async () => {
    const current = document.getElementById(part.id);
    if (document.hidden || !current || current.contains(document.activeElement)) return;
    try {
      const answer = await fetch(location.href, { credentials: "same-origin" });
      if (!answer.ok) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(part.id);
      if (!fresh) return;
      current.replaceWith(fresh);
      localTimes(fresh);
    } catch {
      // the server is away: what is shown stays, the next turn may do
    }
  }, Number(part.dataset.refresh) * 1000);
}

localTimes();

// Until all modules listen, console.css lets no button be pressed: a form would be sent to the page and not to the API.
document.addEventListener("DOMContentLoaded", () => { document.body.dataset.ready = ""; });
