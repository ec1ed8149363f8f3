// The registry's forms: a short name that follows the name, the file to commit where Airflow may not write it.
import { call } from "./console.js";

// Tokens that were not checked here for a day are, one after the other, so that their expiry is known.
(async () => {
  for (const each of document.querySelectorAll("[data-stale]")) {
    try {
      await call("POST", `api/instances/${each.dataset.stale}/check`, {});
    } catch {
      // the page says by the instance's state what is wrong
    }
  }
})();

const form = document.getElementById("add");
if (form) {
  const { name, slug } = form.elements;
  let own = false;
  slug.addEventListener("input", () => { own = slug.value !== ""; });
  name.addEventListener("input", () => {
    if (own) return;
    slug.value = name.value.normalize("NFKD").replace(/[^\x20-\x7e]/g, "").toLowerCase()
      .replace(/[^a-z0-9]+/g, "_").replace(/^[0-9_]+|_+$/g, "").slice(0, 40).replace(/_+$/, "");
  });
}

document.addEventListener("s1c:done", (event) => {
  const commit = event.detail.commit;
  if (!commit) {
    const secret = event.target.elements?.token;
    if (secret) secret.value = "";
    return;
  }
  event.preventDefault();
  const section = document.getElementById("commit") ?? event.target.parentElement.querySelector(".commit");
  const path = document.getElementById("commit-path");
  if (path) path.textContent = commit.path;
  document.getElementById("commit-text").textContent = commit.text;
  section.hidden = false;
  if (form) {
    form.hidden = true;
    form.reset();
  }
  section.scrollIntoView({ block: "nearest" });
});
