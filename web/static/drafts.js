// Keeps a form while it is filled: some seconds after each change, photos too. The button beside
// it does the same without a script.
"use strict";
(() => {
  const form = document.querySelector("form[data-draft]");
  if (!form || "kept" in document.documentElement.dataset) return;
  const PAUSE = 4000;
  const version = form.elements.draft_version;
  const said = form.querySelector("[data-draft-said]");
  let timer = 0;
  let running = null;
  let changed = false;
  let ended = false;

  form.addEventListener("input", later);
  form.addEventListener("change", later);
  form.addEventListener("submit", () => {
    // What is on its way would come back as a draft of something done.
    ended = true;
    clearTimeout(timer);
    if (running) running.abort();
  });

  function later() {
    changed = true;
    if (running || ended) return;
    clearTimeout(timer);
    timer = setTimeout(save, PAUSE);
  }

  async function save() {
    changed = false;
    running = new AbortController();
    const chosen = [...form.querySelectorAll("input[type=file]")].map((input) => [input, input.files]);
    try {
      const answer = await fetch(form.dataset.draft, {
        method: "POST",
        body: new FormData(form),
        headers: { Accept: "application/json" },
        signal: running.signal,
      });
      const told = await answer.json();
      said.textContent = told.told || told.words;
      if (!answer.ok) ended = true; // another window went on with it: this one must not
      else taken(told, chosen);
    } catch {
      said.textContent = said.dataset.failed;
    }
    running = null;
    if (changed) later();
  }

  // Photos that arrived need not be sent again with the form.
  function taken(told, chosen) {
    version.value = told.version;
    for (const { input, name, token } of told.kept) keepFile(form, input, name, token);
    for (const [input, files] of chosen) if (input.files === files) input.value = "";
  }
})();
