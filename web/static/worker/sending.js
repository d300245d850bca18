// Sending what waits: in its order, each with the key it was shown with, so that the server does it
// once however often it is sent. What is refused stays, with the answer, to be mended.
const sending = (() => {
  // Not an answer from us, or one that says to come again.
  const LATER = new Set([429, 500, 502, 503, 504]);
  let running = null;

  // Who is signed in now, as the server says; nobody has the owner "".
  async function whoIsHere() {
    const answer = await fetch("/waiting/session", { cache: "no-store" });
    if (answer.status === 401) return { owner: "" };
    if (!answer.ok) throw new Error("not now");
    const told = await answer.json();
    await box.enter(told);
    return told;
  }

  const isAnswer = (answer) => !LATER.has(answer.status) && !answer.headers.has("Shaoji-Forged");

  // A form on its way: what does not arrive waits. Its own page has the owner it was shown to.
  async function submit(event) {
    const form = await event.request.clone().formData();
    const owner = form.get("owner");
    if (!owner) return fetch(event.request);
    try {
      const here = await whoIsHere();
      if (here.owner) {
        const answer = await fetch(event.request);
        if (here.owner !== owner) return answer; // refused there: the token is not theirs
        if (isAnswer(answer)) {
          if (answer.type === "opaqueredirect") await box.drop(form.get("key"));
          return answer;
        }
      }
    } catch {
      // No network, or the answer was lost: sent again, it is done once.
    }
    return wait(event, form);
  }

  async function wait(event, form) {
    try {
      const action = event.request.url;
      await box.put(form, { action, page: action.replace(/\/completion$/, "") });
    } catch {
      return new Response(
        "没有网络，手机也存不下这张表，没有收下。请返回上一页，内容还在；腾出空间或等有网再提交。\n" +
        "No network, and no room on this phone: not taken. Go back, what you filled in is still there.",
        { status: 507, headers: { "content-type": "text/plain; charset=utf-8" } },
      );
    }
    if (self.registration.sync) await self.registration.sync.register("send").catch(() => {});
    return Response.redirect("/waiting", 303);
  }

  // Several tabs may ask at once: one round serves them all.
  function send() {
    running = running || round().finally(() => { running = null; });
    return running;
  }

  async function round() {
    await box.tidy();
    const here = await whoIsHere().catch(() => null);
    if (!here || !here.owner) return;
    const rows = (await box.all()).filter((row) => row.owner === here.owner && row.state === "waiting");
    for (const row of rows) if (!(await sendOne(row, here))) return;
  }

  // Whether the round goes on: an answer was had, whatever it was.
  async function sendOne(row, here) {
    let form;
    try {
      form = await box.open(row);
    } catch {
      await box.refused({ ...row, broken: true }, "");
      return true;
    }
    form.set("filled_at", row.at);
    try {
      const answer = await fetch(row.action, { method: "POST", body: form, headers: { "X-CSRFToken": here.token } });
      if (!isAnswer(answer) || new URL(answer.url).pathname === "/sign-in") return false;
      if (answer.ok) await box.sent(row, answer.url);
      else await box.refused(row, await answer.text());
      return true;
    } catch {
      return false;
    }
  }

  return { submit, send, whoIsHere };
})();
