// Follows the theme of the Airflow page around the frame: its class, and the colours that it computes.
(() => {
  const root = document.documentElement;
  const copied = { "--bg": "--chakra-colors-bg", "--fg": "--chakra-colors-fg", "--fg-muted": "--chakra-colors-fg-muted" };

  function host() {
    try {
      return window.parent !== window ? window.parent.document.documentElement : null;
    } catch {
      return null; // framed by a page of another origin: nothing of it can be read
    }
  }

  function stored() {
    try {
      return localStorage.getItem("theme");
    } catch {
      return null;
    }
  }

  function dark(outer) {
    if (outer) return outer.classList.contains("dark");
    const chosen = stored();
    if (chosen === "dark" || chosen === "light") return chosen === "dark";
    return matchMedia("(prefers-color-scheme: dark)").matches;
  }

  function apply() {
    const outer = host();
    root.classList.toggle("dark", dark(outer));
    if (!outer) return;
    const style = getComputedStyle(outer);
    for (const [own, theirs] of Object.entries(copied)) {
      const value = style.getPropertyValue(theirs).trim();
      if (value) root.style.setProperty(own, value);
    }
  }

  apply();
  const outer = host();
  if (outer) new MutationObserver(apply).observe(outer, { attributes: true, attributeFilter: ["class", "style"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", apply);
  addEventListener("storage", apply);
})();
