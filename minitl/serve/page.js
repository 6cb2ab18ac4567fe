// The page of `minitl serve`: it sends a photograph, a recording or a text to /predict, and shows the answer.
// Everything that comes from the server is put in as text, never as HTML.
"use strict";

const at = (id) => document.getElementById(id);
let about = null;  // what GET /model says
let last = 0;      // the number of the question that was asked last: answers to earlier ones are dropped
let shown = null;  // the photograph that was sent, to ask again for another class

/** Return an element with attributes and contents. */
function element(name, attributes = {}, ...contents) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...contents);
  return made;
}

/** Return a share as text. It is never shown as 0 % or 100 %. */
function percent(share) {
  if (share > 0.9995) return "over 99.9%";
  if (share < 0.0005) return "under 0.1%";
  return `${(100 * share).toFixed(1)}%`;
}

/** Return a number of bytes as text. */
const megabytes = (count) => `${(count / 2 ** 20).toFixed(count < 2 ** 20 ? 1 : 0)} MB`;

/** Say what went wrong, and take away what is old. */
function fail(words) {
  at("state").textContent = "";
  at("result").hidden = true;
  at("error").textContent = words;
  at("error").hidden = false;
}

/** Send a question, and show its answer. `again` keeps the page where it is: only another class is looked at. */
async function ask(body, kind, options, again = false) {
  const number = ++last;
  at("error").hidden = true;
  at("state").textContent = "Asking the network …";
  document.body.setAttribute("aria-busy", "true");
  let answer = null;
  let words = "";
  try {
    const query = new URLSearchParams(options);
    const response = await fetch(`predict?${query}`, { method: "POST", headers: { "Content-Type": kind }, body });
    const data = await response.json();
    if (response.ok) answer = data;
    else words = data.message;
  } catch {
    words = "The server does not answer. Is minitl serve still running?";
  }
  if (number !== last) return;
  document.body.removeAttribute("aria-busy");
  if (!answer) return fail(words);
  show(answer);
  at("state").textContent = again && answer.grad_cam ? `Shown: the places that speak for ${answer.grad_cam.class}.` : "";
  if (!again) at("result").focus();  // whoever does not see the page hears the answer: it is the name of this part
}

/** Ask about a photograph. */
function look(file) {
  if (!file) return;
  const limit = about.limits.bytes;
  shown = file;
  if (file.size > limit) return fail(`This file has ${megabytes(file.size)}; the limit is ${megabytes(limit)}. Save it smaller.`);
  if (file.size === 0) return fail("This file is empty.");
  ask(file, "application/octet-stream", { pictures: "yes" });
}

/** Return an entry of the list of bars. */
function bar(name, share, colour, swatch, pressed, words = percent(share)) {
  const label = element("span", { class: "name" });
  if (swatch) {
    const square = element("span", { class: "swatch", "aria-hidden": "true" });
    square.style.setProperty("--colour", colour);
    label.append(square);
  }
  if (pressed === undefined) label.append(element("bdi", {}, name));
  else {
    const button = element("button", { type: "button", "aria-pressed": pressed }, element("bdi", {}, name));
    button.title = "Show which places speak for this class";
    button.addEventListener("click", () => {
      ask(shown, "application/octet-stream", { pictures: "yes", class: name }, true);
    });
    label.append(button);
  }
  const filled = element("i");
  filled.style.setProperty("--share", Math.max(0, Math.min(1, share)));
  if (colour) filled.style.setProperty("--colour", colour);
  return element("li", {}, label, element("span", { class: "value" }, words),
    element("span", { class: "bar", "aria-hidden": "true" }, filled));
}

/** Return an image with its caption. */
function figure(source, alt, ...caption) {
  return element("figure", {}, element("img", { src: source, alt }), element("figcaption", {}, ...caption));
}

/** Put an answer on the page. */
function show(answer) {
  const bars = at("bars"), figures = at("figures");
  const focused = document.activeElement.closest("#bars li");
  const place = focused ? [...bars.children].indexOf(focused) : -1;
  bars.replaceChildren();
  figures.replaceChildren();
  figures.className = "figures";
  at("note").textContent = "";
  ({ images: showClasses, texts: showText, sounds: showSound, segment: showPixels, detect: showBoxes })[answer.task](answer, bars, figures);
  at("result").hidden = false;
  bars.children[place]?.querySelector("button")?.focus();
}

/** Write the most probable class above the answer. */
function headline(best) {
  at("answer").replaceChildren(element("b", {}, element("bdi", {}, best.class)), `, ${percent(best.probability)}`);
}

/** Show the classes of a photograph, and the places that speak for one of them. */
function showClasses(answer, bars, figures) {
  headline(answer.predictions[0]);
  at("heading").textContent = "Probabilities";
  const cam = answer.grad_cam;
  for (const each of answer.predictions) {
    bars.append(bar(each.class, each.probability, null, false, cam ? String(each.class === cam.class) : undefined));
  }
  const more = about.classes - answer.predictions.length;
  at("note").textContent = more > 0 ? `${more} more classes are less probable.` : "";
  figures.append(figure(answer.shown, "the photograph as the network is shown it", "What the network is shown: the middle of the photograph."));
  if (!cam) return;
  const words = cam.is_nothing ? ["Grad-CAM: no place speaks for ", element("b", {}, element("bdi", {}, cam.class)), "."]
    : ["Grad-CAM: yellow places speak for ", element("b", {}, element("bdi", {}, cam.class)), ". Is it the thing itself, or what is around it?"];
  figures.append(figure(cam.overlay, `the places that speak for ${cam.class}`, ...words));
}

/** Show the classes of a recording, with its spectrogram. */
function showSound(answer, bars, figures) {
  headline(answer.predictions[0]);
  at("heading").textContent = "Probabilities";
  for (const each of answer.predictions) bars.append(bar(each.class, each.probability));
  const length = `${answer.seconds.toFixed(2)} s at ${answer.rate} samples a second`;
  const cut = answer.heard < answer.seconds ? ` The middle ${answer.heard.toFixed(2)} s were heard, the ends were not.` : "";
  const other = answer.rate !== about.rate ? `, resampled to ${about.rate}` : "";
  at("note").textContent = `${length}${other}.${cut}`;
  if (!answer.spectrogram) return;
  figures.className = "figures one";
  figures.append(figure(answer.spectrogram, "the spectrogram of the recording",
    "The spectrogram: time goes to the right, high frequencies are at the top."));
}

/** Show the shares of classes in a photograph, and the mask over it. */
function showPixels(answer, bars, figures) {
  const rows = Object.entries(answer.classes).sort((a, b) => b[1] - a[1]).filter((row) => row[1] > 0);
  at("answer").replaceChildren(element("b", {}, element("bdi", {}, rows[0][0])), `, ${percent(rows[0][1])} of the photograph`);
  at("heading").textContent = "Shares of the pixels";
  for (const [name, share] of rows) bars.append(bar(name, share, answer.colours[name], true));
  figures.className = "figures one";
  figures.append(figure(answer.overlay, `the photograph with the class of each pixel: ${rows.map((row) => row[0]).join(", ")}`,
    "The colour over each pixel is that of its class."));
}

/** Show the boxes that were found. */
function showBoxes(answer, bars, figures) {
  const found = answer.boxes, counts = new Map();
  for (const each of found) counts.set(each.class, (counts.get(each.class) || 0) + 1);
  const words = [...counts].map(([name, count]) => `${count} × ${name}`).join(", ");
  at("answer").textContent = found.length ? words : "Nothing was found";
  at("heading").textContent = found.length ? "Boxes and their scores, the best one first" : "";
  for (const each of found) bars.append(bar(each.class, each.score, null, false, undefined, each.score.toFixed(2)));
  at("note").textContent = `Boxes with a score of ${answer.score} or more are shown.`;
  figures.className = "figures one";
  figures.append(figure(answer.overlay, found.length ? `the photograph with boxes: ${words}` : "the photograph, without boxes",
    "A box has the colour of its class."));
}

/** Show the classes of a text, and the words that decided. */
function showText(answer, bars, figures) {
  headline(answer.predictions[0]);
  at("heading").textContent = "Probabilities";
  for (const each of answer.predictions) bars.append(bar(each.class, each.probability));
  if (answer.cut_off) at("note").textContent = `Its end was not read: ${answer.cut_off} tokens more than the network takes.`;
  if (!answer.words) return;  // a network without vectors of words
  figures.className = "figures one";
  const largest = Math.max(...answer.words.map((each) => Math.abs(each[1] || 0)), 1e-12);
  const words = element("p", { class: "words" });
  for (const [piece, value] of answer.words) {
    const kind = value === null ? "cut" : value > 0 ? "for" : value < 0 ? "against" : "";
    const made = element("span", kind ? { class: kind } : {}, piece);
    if (value) {
      made.style.setProperty("--share", Math.abs(value) / largest);
      made.title = `${value > 0 ? "+" : "−"}${Math.abs(value).toFixed(2)}`;
    }
    words.append(made);
  }
  figures.append(element("figure", {}, words, element("figcaption", {},
    "Words on blue speak for ", element("b", {}, element("bdi", {}, answer.predictions[0].class)),
    "; words on orange, with dots below, against it. The stronger the colour, the more.")));
}

/** Get the page ready for the model. */
async function begin() {
  try {
    about = await (await fetch("model")).json();
  } catch {
    return fail("The server does not answer. Is minitl serve still running?");
  }
  const names = about.class_names;
  const few = names.length <= 12 ? names.join(", ") : `${names.slice(0, 8).join(", ")} and ${about.classes - 8} more`;
  const titles = { images: "What does it show?", segment: "What is where?", detect: "What is in it, and where?", texts: "What is it about?", sounds: "What is to be heard?" };
  at("model").textContent = about.model;
  at("title").textContent = titles[about.task];
  at("about").textContent = `It knows ${about.classes} ${about.classes === 1 ? "class" : "classes"}: ${few}.`;
  document.title = `${about.model} · minitl`;
  if (about.takes === "text") return at("writing").hidden = false;
  if (about.takes === "recording") {
    at("sound-limits").textContent = `WAV files of any rate, up to ${megabytes(about.limits.bytes)}.`;
    return at("recording").hidden = false;
  }
  at("limits").textContent = `JPEG, PNG, WebP and other usual formats, up to ${megabytes(about.limits.bytes)} and ${about.limits.pixels / 1e6} megapixels.`;
  at("photograph").hidden = false;
}

/** Ask about the text. */
function askText(event) {
  event?.preventDefault();
  const text = at("text").value.trim();
  if (!text) return fail("Type a text first.");
  const limit = about.limits.characters;
  if (text.length > limit) return fail(`This text has ${text.length} characters; the limit is ${limit}.`);
  ask(JSON.stringify({ text }), "application/json", { words: "yes" });
}

at("file").addEventListener("change", (event) => {
  look(event.target.files[0]);
  event.target.value = "";  // so that the same file can be chosen again
});
at("sound").addEventListener("change", (event) => {
  look(event.target.files[0]);
  event.target.value = "";
});
at("writing").addEventListener("submit", askText);
at("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) askText(event);
});
const drops = document.querySelectorAll(".drop");
for (const name of ["dragenter", "dragover"]) document.addEventListener(name, (event) => {
  event.preventDefault();
  for (const each of drops) each.classList.add("over");
});
for (const name of ["dragleave", "drop"]) document.addEventListener(name, (event) => {
  event.preventDefault();
  for (const each of drops) each.classList.remove("over");
});
document.addEventListener("drop", (event) => { if (about && about.takes !== "text") look(event.dataTransfer.files[0]); });
document.addEventListener("paste", (event) => {
  if (about?.takes === "photograph" && event.clipboardData.files.length) look(event.clipboardData.files[0]);
});
begin();
