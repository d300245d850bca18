// What waits in this browser to be sent: one row for each filled form. What was filled in is
// encrypted under a key only the server tells, to its owner alone; it is forgotten at signing out,
// so that whoever has the phone next can neither read what waits nor send it.
"use strict";
const box = (() => {
  const FORMS = "forms";
  const SESSION = "session";
  const SENT_FOR = 7 * 24 * 3600e3;

  const opened = new Promise((resolve, reject) => {
    const asked = indexedDB.open("shaoji", 1);
    asked.onupgradeneeded = () => [FORMS, SESSION].forEach((name) => asked.result.createObjectStore(name, { keyPath: "id" }));
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error);
  });

  async function ask(store, mode, work) {
    const transaction = (await opened).transaction(store, mode);
    const asked = work(transaction.objectStore(store));
    return new Promise((resolve, reject) => {
      transaction.oncomplete = () => resolve(asked.result);
      transaction.onabort = () => reject(transaction.error);
    });
  }
  const write = (row, store = FORMS) => ask(store, "readwrite", (rows) => rows.put(row));

  async function session() {
    return (await ask(SESSION, "readonly", (rows) => rows.get("now"))) || { owner: "" };
  }

  async function enter({ owner, key }) {
    const raw = Uint8Array.from(atob(key), (one) => one.charCodeAt(0));
    const secret = await crypto.subtle.importKey("raw", raw, "AES-GCM", false, ["encrypt", "decrypt"]);
    await write({ id: "now", owner, secret }, SESSION);
  }

  const leave = () => ask(SESSION, "readwrite", (rows) => rows.clear());

  async function seal(bytes) {
    const iv = crypto.getRandomValues(new Uint8Array(12));
    const { secret } = await session();
    return { iv, data: await crypto.subtle.encrypt({ name: "AES-GCM", iv }, secret, bytes) };
  }

  async function unseal({ iv, data }) {
    const { secret } = await session();
    return crypto.subtle.decrypt({ name: "AES-GCM", iv }, secret, data);
  }

  // A form as the browser would send it is bytes already: photos and all in one.
  async function put(form, { action, page }) {
    const [id, owner, title] = ["key", "owner", "told"].map((name) => String(form.get(name) || ""));
    if ((await session()).owner !== owner) throw new Error("the key of whoever filled this is not here");
    form.delete("csrf_token"); // of a session that may be over by then
    const packed = new Response(form);
    const body = await seal(await packed.arrayBuffer());
    const head = await seal(new TextEncoder().encode(title));
    const type = packed.headers.get("content-type");
    await write({ id, owner, action, page, type, head, body, at: new Date().toISOString(), state: "waiting" });
  }

  async function open(row) {
    return new Response(await unseal(row.body), { headers: { "content-type": row.type } }).formData();
  }

  async function title(row) {
    return new TextDecoder().decode(await unseal(row.head));
  }

  async function all() {
    const rows = await ask(FORMS, "readonly", (forms) => forms.getAll());
    return rows.sort((one, other) => (one.at < other.at ? -1 : 1));
  }

  const get = (id) => ask(FORMS, "readonly", (rows) => rows.get(id));
  const drop = (id) => ask(FORMS, "readwrite", (rows) => rows.delete(id));
  const refused = (row, answer) => write({ ...row, state: "refused", answer });

  // What arrived is not kept twice: only that it did, and where to see it.
  function sent(row, place) {
    const { body, ...rest } = row;
    return write({ ...rest, state: "sent", place, sent: Date.now() });
  }

  async function tidy() {
    const old = (await all()).filter((row) => row.sent && row.sent < Date.now() - SENT_FOR);
    await Promise.all(old.map((row) => drop(row.id)));
  }

  return { session, enter, leave, put, open, title, all, get, drop, refused, sent, tidy };
})();
