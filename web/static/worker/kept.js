// Pages kept for when there is no network: those the server marks, for whoever it names, and no
// longer than a session lives. They are gone when somebody signs out, or somebody else signs in.
const kept = (() => {
  const PAGES = "pages of ";
  const ASSETS = "assets";
  const LONGEST = 12 * 3600e3;
  const PATIENCE = 8000;
  const SAID = /<p class="said-done"[^]*?<\/p>/g;

  async function keep(url, answer) {
    const owner = answer.headers.get("Shaoji-Keep");
    if (!owner) return;
    await forget(PAGES + owner);
    const text = (await answer.text()).replace(SAID, "");
    const headers = { "content-type": "text/html; charset=utf-8", "kept-at": String(Date.now()) };
    for (const name of ["content-security-policy", "referrer-policy"]) headers[name] = answer.headers.get(name) || "";
    await (await caches.open(PAGES + owner)).put(plain(url), new Response(text, { headers }));
  }

  // The page says of itself when it was made; the mark shows that sentence.
  async function find(url) {
    const { owner } = await box.session();
    if (!owner) return undefined;
    const cache = await caches.open(PAGES + owner);
    const known = await cache.match(plain(url));
    if (!known) return undefined;
    if (Number(known.headers.get("kept-at")) < Date.now() - LONGEST) {
      await cache.delete(plain(url));
      return undefined;
    }
    const text = (await known.text()).replace("<html ", '<html data-kept="yes" ');
    return new Response(text, { headers: known.headers });
  }

  async function forget(except = "") {
    const names = await caches.keys();
    await Promise.all(names.filter((name) => name.startsWith(PAGES) && name !== except).map((name) => caches.delete(name)));
  }

  async function page(request) {
    const answer = fetch(request).then(async (found) => {
      if (found.ok) await keep(request.url, found.clone());
      return found;
    });
    try {
      return await Promise.race([answer, tooLate()]);
    } catch {
      return (await find(request.url)) || answer;
    }
  }

  const tooLate = () => new Promise((_, reject) => setTimeout(reject, PATIENCE));

  // Of one file only the version that was asked for last.
  async function asset(request) {
    const cache = await caches.open(ASSETS);
    const known = await cache.match(request);
    if (known && new URL(request.url).search) return known;
    try {
      const answer = await fetch(request);
      if (answer.ok) {
        await cache.delete(request, { ignoreSearch: true });
        await cache.put(request, answer.clone());
      }
      return answer;
    } catch (lost) {
      if (known) return known;
      throw lost;
    }
  }

  // What was loaded before this worker stood in between.
  async function take(urls, owner) {
    const cache = await caches.open(PAGES + owner);
    for (const url of urls) {
      if (new URL(url).pathname.startsWith("/static/")) await asset(new Request(url));
      else if (!(await cache.match(plain(url)))) await keep(url, await fetch(url));
    }
  }

  function plain(url) {
    const told = new URL(url, self.location.origin);
    return told.pathname === "/" ? told.origin + "/inbox" : told.origin + told.pathname + told.search;
  }

  return { page, asset, take, forget };
})();
