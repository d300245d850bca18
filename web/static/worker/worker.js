// The worker itself: which requests it stands in for, and what pages may ask of it. Pages for
// people who are nobody here, and everything not named, it does not touch.
const READ = [/^\/$/, /^\/inbox(\/[a-z]+)?$/, /^\/begin$/, /^\/reports$/, /^\/whistles$/, /^\/waiting$/, /^\/cases\/[^/]+\/tasks\/[^/]+$/];
const FILLED = [/^\/reports$/, /^\/whistles$/, /^\/cases\/[^/]+\/tasks\/[^/]+\/completion$/];

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("sync", (event) => event.waitUntil(sending.send()));

self.addEventListener("fetch", (event) => {
  const { method, mode, url } = event.request;
  const { origin, pathname } = new URL(url);
  const named = (list) => list.some((one) => one.test(pathname));
  if (origin !== self.location.origin) return;
  if (mode !== "navigate") {
    if (method === "GET" && pathname.startsWith("/static/")) event.respondWith(kept.asset(event.request));
  } else if (method === "GET" && named(READ)) event.respondWith(kept.page(event.request));
  else if (method === "POST" && named(FILLED)) event.respondWith(sending.submit(event));
  else if (method === "POST" && pathname === "/sign-out") event.respondWith(nobody().then(() => fetch(event.request)));
});

const nobody = () => Promise.all([kept.forget(), box.leave()]);

const ASKED = {
  // A page is open, for somebody: remember whose, keep what it needs, send what waits.
  async here({ owner, urls }) {
    const known = await box.session();
    if (known.owner !== owner) await sending.whoIsHere();
    await kept.take(urls, owner);
    await sending.send();
    return ASKED.list();
  },
  nobody,
  async send() {
    await sending.send();
    return ASKED.list();
  },
  async list() {
    const { owner } = await box.session();
    const rows = await box.all();
    const mine = rows.filter((row) => row.owner === owner);
    const told = mine.map(async ({ head, body, ...row }) => ({ ...row, title: await box.title({ head }).catch(() => "") }));
    return { owner, mine: await Promise.all(told), others: rows.filter((row) => row.owner !== owner && row.state !== "sent").length };
  },
  async open({ id }) {
    const row = await box.get(id);
    return row && row.body ? [...(await box.open(row))] : [];
  },
  async drop({ id }) {
    const row = await box.get(id);
    if (row && row.owner === (await box.session()).owner) await box.drop(id);
    return ASKED.list();
  },
};

self.addEventListener("message", (event) => {
  const done = Promise.resolve(ASKED[event.data.ask](event.data)).catch(() => null);
  event.waitUntil(done.then((told) => event.ports[0].postMessage(told)));
});
