// The page's side of working without a network: it tells the worker who is here, shows what waits,
// fills in again what was refused. Without it the pages work, with a network.
"use strict";
(async () => {
  if (!navigator.serviceWorker) return;
  const root = document.documentElement;
  const here = document.querySelector("[data-owner]");
  const owner = here ? here.dataset.owner : "";
  const isKept = "kept" in root.dataset;

  async function ask(what, more = {}) {
    const { active } = await navigator.serviceWorker.ready;
    return new Promise((resolve) => {
      const line = new MessageChannel();
      line.port1.onmessage = (event) => resolve(event.data);
      active.postMessage({ ask: what, ...more }, [line.port2]);
    });
  }

  if (!owner) {
    // Signed out, or the session is over: nothing of it stays readable here.
    if (document.querySelector("script[data-signin]") && (await navigator.serviceWorker.getRegistration())) await ask("nobody");
    return;
  }
  if (isKept) makeFillable();
  await navigator.serviceWorker.register("/offline-worker.js", { updateViaCache: "none" });
  await show(await ask("here", { owner, urls: urls() }));
  await fillAgain();
  addEventListener("online", async () => show(await ask("send")));
  setInterval(async () => {
    if (document.visibilityState === "visible" && here.dataset.waiting) await show(await ask("send"));
  }, 20e3);

  function urls() {
    const files = performance.getEntriesByType("resource").map((one) => one.name);
    const pages = [location.origin + "/waiting"];
    if (!isKept && here.dataset.keep) pages.push(location.href.split("#")[0]);
    return [...files.filter((url) => url.startsWith(location.origin + "/static/")), ...pages];
  }

  // A kept form may be filled more than once: each time it is another one, on another day.
  function makeFillable() {
    for (const input of document.querySelectorAll('form input[name="key"]')) input.value = crypto.randomUUID();
    const now = new Date();
    const today = `${now.getFullYear()}-${String(now.getMonth() + 1).padStart(2, "0")}-${String(now.getDate()).padStart(2, "0")}`;
    if (root.dataset.day === today) return;
    for (const input of document.querySelectorAll('input[name$=".day"]')) input.value = today;
  }

  // A form that was refused is opened again with everything that was in it, under its own key.
  async function fillAgain() {
    const id = new URLSearchParams(location.hash.slice(1)).get("filled");
    const form = document.querySelector("form[data-offline]");
    if (!id || !form) return;
    const told = new Map();
    for (const [name, value] of await ask("open", { id })) told.set(name, [...(told.get(name) || []), value]);
    for (const input of form.elements) {
      const values = told.get(input.name);
      if (!input.name || ["csrf_token", "owner", "told"].includes(input.name)) continue;
      if (input.type === "file") giveFiles(input, values || [], told);
      else if (input.type === "radio" || input.type === "checkbox") input.checked = (values || []).includes(input.value);
      else if (values && input.name !== "draft_version") input.value = values.shift();
    }
    for (const token of told.get("kept") || []) keepFile(form, "", form.dataset.keptFile, token);
  }

  function giveFiles(input, values, told) {
    const files = new DataTransfer();
    values.filter((one) => one.size).forEach((one) => files.items.add(one));
    told.delete(input.name); // the first input of the name takes them all
    if (files.files.length) {
      input.multiple = true;
      input.files = files.files;
      input.dispatchEvent(new Event("change"));
    }
  }

  async function show(told) {
    if (!told) return;
    const waits = told.mine.filter((row) => row.state === "waiting").length;
    const refused = told.mine.filter((row) => row.state === "refused").length;
    if (waits) here.dataset.waiting = "yes";
    else delete here.dataset.waiting;
    const bar = document.getElementById("waits");
    if (bar && !document.getElementById("waiting-list")) {
      bar.hidden = !(waits || refused);
      bar.querySelector("[data-n=waiting]").textContent = waits;
      bar.querySelector("[data-n=refused]").textContent = refused;
      bar.querySelector("[data-some=waiting]").hidden = !waits;
      bar.querySelector("[data-some=refused]").hidden = !refused;
    }
    const list = document.getElementById("waiting-list");
    if (list) showList(list, told);
  }

  function showList(list, told) {
    const rows = [...told.mine].reverse();
    list.replaceChildren(...rows.map((row) => rowOf(row)));
    document.getElementById("waiting-none").hidden = rows.length > 0;
    document.getElementById("waiting-others").hidden = !told.others;
    document.getElementById("waiting-others-n").textContent = told.others;
    document.getElementById("waiting-send").hidden = !rows.some((row) => row.state === "waiting");
  }

  function rowOf(row) {
    // A whistle that waits has called nobody: that is said in its own words.
    const unblown = document.getElementById("waiting-unblown");
    const calls = row.state === "waiting" && new URL(row.action).pathname === unblown.dataset.for;
    const drawn = calls ? unblown : document.getElementById(`waiting-${row.state}`);
    const item = drawn.content.cloneNode(true);
    const part = (name) => item.querySelector(`[data-part=${name}]`);
    part("title").textContent = row.title;
    part("at").textContent = new Date(row.at).toLocaleString(root.lang, { month: "numeric", day: "numeric", hour: "2-digit", minute: "2-digit" });
    if (row.place) part("place").href = row.place;
    if (part("why")) part("why").replaceChildren(...reasons(row));
    if (part("open")) part("open").href = `${row.page}#filled=${encodeURIComponent(row.id)}`;
    if (part("open") && row.broken) part("open").remove();
    const drop = part("drop");
    if (drop) drop.addEventListener("click", async () => show(await ask("drop", { id: row.id })));
    return item;
  }

  // The server's own sentences, out of the page it answered with.
  function reasons(row) {
    const page = new DOMParser().parseFromString(row.answer || "", "text/html");
    const found = [...page.querySelectorAll(".errors li, .refuse > p:not(.small)")].map((one) => one.textContent.trim());
    const told = found.length ? found : [document.getElementById("waiting-refused").dataset[row.broken ? "broken" : "unsaid"]];
    return told.map((words) => Object.assign(document.createElement("li"), { textContent: words }));
  }

  const button = document.getElementById("waiting-send");
  if (button) button.addEventListener("click", async () => show(await ask("send")));
})();
