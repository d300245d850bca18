// Shows chosen photos under their field before they are sent. The page works without it.
"use strict";
for (const input of document.querySelectorAll("input[data-preview]")) {
  input.addEventListener("change", () => {
    const field = input.closest("fieldset");
    const box = field && field.querySelector("[data-previews]");
    if (!box) return;
    const shown = [...field.querySelectorAll("input[data-preview]")].flatMap((one) => [...one.files]);
    box.replaceChildren(...shown.map(preview));
  });
}

function preview(file) {
  const figure = document.createElement("figure");
  const caption = document.createElement("figcaption");
  figure.className = "photo";
  caption.textContent = file.name;
  if (file.type.startsWith("image/")) {
    const image = document.createElement("img");
    const reader = new FileReader();
    // A data: address, because the page's policy allows no blob: ones.
    reader.addEventListener("load", () => { image.src = reader.result; });
    reader.readAsDataURL(file);
    image.alt = "";
    figure.append(image);
  }
  figure.append(caption);
  return figure;
}

// A file the server has already: named in the form like those it names itself.
function keepFile(form, input, name, token) {
  if ([...form.querySelectorAll('input[name="kept"]')].some((one) => one.value === token)) return;
  const own = form.querySelector(`input[name="${CSS.escape(input)}"]`) || form.querySelector("input[type=file]");
  const box = own.closest("fieldset");
  const label = box.querySelector("[data-kept-file]").content.firstElementChild.cloneNode(true);
  Object.assign(label.querySelector("input"), { name: "kept", value: token });
  label.querySelector("b").textContent = name;
  box.querySelector("[data-kept]").append(label);
}
