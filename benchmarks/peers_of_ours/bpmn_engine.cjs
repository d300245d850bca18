// bpmn-engine, its whole state stored durably after every step: the case kept alive in memory, or
// made again from the stored state for each step, as by a server that was started anew or has more
// cases than fit.
// node bpmn_engine.cjs <database> <process.bpmn> <steps.json> kept|recovered; answers each line on
// stdin with a line: the milliseconds of each human step of so many cases.
const { Engine } = require("bpmn-engine");
const Database = require("better-sqlite3");
const { EventEmitter } = require("events");
const fs = require("fs");
const readline = require("readline");

const [path, drawing, told, mode] = process.argv.slice(2);
const source = fs.readFileSync(drawing, "utf8");
const steps = JSON.parse(fs.readFileSync(told, "utf8"));
const db = new Database(path);
db.pragma("journal_mode = WAL");
db.pragma("synchronous = FULL");
db.exec("CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, body TEXT NOT NULL)");
const find = db.prepare("SELECT body FROM state WHERE name = ?");
const keep = db.prepare("INSERT OR REPLACE INTO state VALUES (?, ?)");

function saveOutput(activity, { environment }) {
  activity.on("end", (api) => { environment.output[api.id] = api.content.output; });
}

async function again(name) {
  const engine = new Engine({ name, extensions: { saveOutput } })
    .recover(JSON.parse(find.get(name).body));
  const listener = new EventEmitter();
  let waiting = null;
  listener.on("activity.wait", (api) => { waiting = api; });
  await engine.resume({ listener });
  return [engine, () => waiting];
}

async function one(name) {
  let engine = new Engine({ name, source, extensions: { saveOutput } });
  const listener = new EventEmitter();
  let waiting = null;
  listener.on("activity.wait", (api) => { waiting = api; });
  await engine.execute({ listener });
  keep.run(name, JSON.stringify(await engine.getState()));
  const spent = [];
  for (const [task, form] of steps) {
    const begun = process.hrtime.bigint();
    let open = waiting;
    if (mode === "recovered") {
      const [made, opened] = await again(name);
      [engine, open] = [made, opened()];
    }
    if (open.id !== task) throw new Error(`${open.id} waits, not ${task}`);
    open.signal(form);
    keep.run(name, JSON.stringify(await engine.getState()));
    spent.push(Number(process.hrtime.bigint() - begun) / 1e6);
  }
  if (engine.state !== "idle") throw new Error(`not at its end: ${engine.state}`);
  return spent;
}

let number = 0;
(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const spent = [];
    for (let n = 0; n < Number(line); n++) spent.push(...(await one(`case-${number++}`)));
    console.log(JSON.stringify(spent));
  }
})();
