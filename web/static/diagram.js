// Draws the process a case is pinned to, and marks where the case stands. What it marks comes from
// the JSON element beside it; the sentence above the drawing says the same without it.
"use strict";
(async () => {
  const box = document.getElementById("diagram");
  const frame = box.parentElement;
  const canvas = document.getElementById("canvas");
  const facts = JSON.parse(document.getElementById("diagram-facts").textContent);
  const answer = await fetch(facts.source, { credentials: "same-origin" });
  if (!answer.ok || !window.BpmnJS) return;
  const scale = box.clientWidth < 700 ? 0.85 : 1;

  // The box scrolls by itself: dragging and the wheel belong to the page.
  const still = { moveCanvas: ["value", {}], zoomScroll: ["value", {}], touch: ["value", {}] };
  const viewer = new window.BpmnJS({ container: canvas, additionalModules: [still] });
  canvas.style.height = "10px";
  await viewer.importXML(await answer.text());

  const drawing = viewer.get("canvas");
  const inner = drawing.viewbox().inner;
  const margin = 16;
  canvas.style.width = `${inner.width * scale + 2 * margin}px`;
  canvas.style.height = `${inner.height * scale + 2 * margin}px`;
  drawing.resized();
  drawing.viewbox({
    x: inner.x - margin / scale,
    y: inner.y - margin / scale,
    width: inner.width + (2 * margin) / scale,
    height: inner.height + (2 * margin) / scale,
  });

  const elements = viewer.get("elementRegistry");
  const mark = (ids, name) => ids.filter((id) => elements.get(id)).forEach((id) => drawing.addMarker(id, name));
  mark(facts.done, "is-done");
  mark(facts.overdue, "is-overdue");
  mark(facts.now, "is-now");
  const overlays = viewer.get("overlays");
  for (const [id, flag] of Object.entries(facts.flags)) {
    if (!elements.get(id)) continue;
    const label = document.createElement("span");
    label.className = `flag flag--${flag.kind}`;
    label.textContent = flag.text;
    overlays.add(id, { position: { top: -14, left: 0 }, html: label, show: { minZoom: 0 } });
  }
  // The mark of bpmn.io has to stay in sight (its licence), and the drawing is larger than its box.
  frame.append(canvas.querySelector(".bjs-powered-by"));
  box.classList.add("bpmn--drawn");

  // Begin where the case stands.
  const here = elements.get(facts.now[0] || facts.done[facts.done.length - 1]);
  if (here) {
    box.scrollLeft = (here.x - inner.x) * scale - box.clientWidth / 2 + 60;
    box.scrollTop = (here.y - inner.y) * scale - box.clientHeight / 2 + 30;
  }
})();
