// The parts of the map canvas's screen: controls, panels, numbers.

const short = (value) => Number(value.toPrecision(2)).toString();
const signed = (value) => (value < 0 ? "−" : "+") + Math.abs(value).toPrecision(3);

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "text") element.textContent = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

// Buttons of which one is chosen.
function choiceOf(canvas, name, title, options) {
  const group = make("fieldset", {}, make("legend", { text: title }));
  for (const [value, text] of Object.entries(options)) {
    const input = make("input", { type: "radio", name: `${name}-${canvas.id}`, value });
    input.checked = String(canvas.view[name]) === value;
    input.addEventListener("change", () => {
      canvas.view[name] = value;
      canvas.toolChanged?.();
      canvas.schedule();
      canvas.settle();
    });
    group.append(make("label", {}, input, make("span", { text })));
  }
  return group;
}

// A slider; `says` puts its value into words.
function sliderOf(canvas, name, title, [low, high, step], says, disabled = false) {
  const output = make("output", { text: says(canvas.view[name]) });
  const input = make("input", { type: "range", min: low, max: high, step, "aria-label": title });
  input.value = canvas.view[name];
  input.disabled = disabled;
  input.setAttribute("aria-valuetext", says(canvas.view[name]));
  input.addEventListener("input", () => {
    canvas.view[name] = Number(input.value);
    output.textContent = says(canvas.view[name]);
    input.setAttribute("aria-valuetext", output.textContent);
    canvas.schedule();
  });
  input.addEventListener("change", () => canvas.settle());
  return make("label", { class: "slider" }, make("span", { text: title }), input, output);
}

function button(text, onclick, attributes = {}) {
  return make("button", { type: "button", text, onclick, ...attributes });
}

function buildCanvas(canvas) {
  canvas.id ??= Math.random().toString(36).slice(2);
  const { header, view } = canvas;
  const two = header.classes.length > 1;
  const [first, second] = header.classes;
  const active = canvas.root.getRootNode().activeElement;
  const focused = canvas.root.contains(active) && nameOf(active);
  const mixed = (at) =>
    at === 0 ? first : at === 50 ? `${first} − ${second}` : at === 100 ? `− ${second}`
      : at < 50 ? `${first} − ${(at / 50).toFixed(1)} × ${second}`
        : `${(2 - at / 50).toFixed(1)} × ${first} − ${second}`;
  const tools = { look: "Look", rectangle: "Rectangle", brush: "Brush" };
  const controls = make("div", { class: "controls" },
    ...(header.tools ? [choiceOf(canvas, "tool", "Pointer", tools)] : []),
    choiceOf(canvas, "mode", "Show", {
      heatmap: "Heat map", overlay: "Overlay", positive: "Only for", negative: "Only against" }),
    choiceOf(canvas, "unit", "Values", { relative: "% of logit", raw: "logits" }),
    choiceOf(canvas, "scale", "Scale", header.scales ?? { shared: "shared", own: "per map" }),
    sliderOf(canvas, "blur", "Blur", [0, 8, 0.25], (sigma) => `σ ${sigma} px`),
    sliderOf(canvas, "clip", "Clip above", [90, 100, 0.1], (at) => `${at} %`),
    sliderOf(canvas, "opacity", "Opacity", [0, 100, 1], (at) => `${at} %`),
    ...(two ? [sliderOf(canvas, "mix", "Class", [0, 100, 1], mixed)] : []));
  canvas.grid = make("div", {
    class: header.beside ? "grid beside" : "grid", style: `--columns: ${header.columns}`, tabindex: 0, role: "group", "aria-label": "Maps",
    "aria-describedby": `keys-${canvas.id}`, onkeydown: (event) => pressed(canvas, event),
  }, ...canvas.panels.map((panel) => figureOf(canvas, panel)));
  canvas.region = make("div", { class: "region" });
  canvas.order = make("div", { class: "order" });
  canvas.scaleNote = make("div", { class: "scale" }, make("i"), make("span"));
  canvas.live = make("p", { class: "unseen", "aria-live": "polite" });
  const keys = make("details", { class: "keys" },
    make("summary", { text: "Keys" }),
    make("p", { id: `keys-${canvas.id}`, text:
      "Arrows move the crosshair, with Shift by 8 pixels. + and − zoom, 0 shows the whole again. "
      + "Rectangle: Enter sets a corner, and the other. Brush: Space paints, Backspace wipes. "
      + "Delete lifts the region. Once a map has been clicked the wheel zooms." }));
  canvas.root.replaceChildren(controls, canvas.scaleNote, canvas.grid,
    ...(header.tools ? [canvas.region] : []),
    ...(canvas.panels.some((panel) => panel.ranks) ? [canvas.order] : []), keys, canvas.live);
  buildRegion(canvas);
  buildOrder(canvas);
  canvas.toolChanged = () => (canvas.grid.dataset.tool = view.tool);
  canvas.toolChanged();
  if (focused) {
    const all = [...canvas.root.querySelectorAll("input, select, button, summary")];
    (all.find((one) => nameOf(one) === focused) ?? canvas.grid).focus({ preventScroll: true });
  }
}

// What a control is called, whichever time it was made.
function nameOf(element) {
  return element.getAttribute("aria-label") ?? (element.type === "radio"
    ? `${element.name} ${element.value}` : element.textContent);
}

// What of a panel may change while it stays on screen.
function sayOf(panel, { canvas, facts }) {
  canvas.setAttribute("aria-label", panel.alt);
  facts.textContent = panel.line;
  facts.title = panel.facts.join("\n");
}

function figureOf(canvas, panel) {
  const size = { width: canvas.width, height: canvas.height };
  const map = make("canvas", { ...size, role: "img" });
  const parts = {
    canvas: map,
    image: new ImageData(canvas.width, canvas.height),
    shade: make("canvas", { ...size, class: "shade", "aria-hidden": "true" }),
    column: make("i", { class: "column" }),
    row: make("i", { class: "row" }),
    value: make("output", { class: "value", "aria-hidden": "true" }),
    note: make("span", { class: "note" }),
    facts: make("p", { class: "facts" }),
    share: make("p", { class: "share" }),
  };
  parts.frame = make("div", { class: "frame" }, map, parts.shade, parts.column, parts.row);
  parts.frame.addEventListener("pointerdown", (event) => down(canvas, parts.frame, event));
  parts.frame.addEventListener("pointermove", (event) => moved(canvas, parts.frame, event));
  for (const end of ["pointerup", "pointercancel"]) {
    parts.frame.addEventListener(end, (event) => up(canvas, event));
  }
  parts.frame.addEventListener("pointerleave", (event) => {
    // A finger that is lifted leaves what it pointed at to be read.
    if (canvas.pointers.size === 0 && event.pointerType === "mouse") {
      canvas.cross = null;
      canvas.drawCross();
    }
  });
  parts.frame.addEventListener("dblclick", () => canvas.zoomTo(1, [0, 0]));
  parts.frame.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !canvas.root.contains(canvas.root.getRootNode().activeElement)) return;
    event.preventDefault();
    canvas.zoomTo(canvas.zoom.k * 1.0015 ** -event.deltaY, canvas.pixelAt(event, parts.frame));
  }, { passive: false });
  panel.parts = parts;
  sayOf(panel, parts);
  return make("figure", { "data-key": panel.key },
    make("figcaption", {}, make("b", { text: panel.title }), make("span", { text: panel.network }),
      parts.note, parts.value),
    parts.frame,
    parts.facts, parts.share);
}

// ---- pointer

function down(canvas, frame, event) {
  canvas.grid.focus({ preventScroll: true });
  canvas.pointers.set(event.pointerId, event);
  frame.setPointerCapture?.(event.pointerId);
  const at = canvas.pixelAt(event, frame);
  canvas.cross = at;
  if (canvas.pointers.size === 1 && event.button === 0) {
    if (canvas.view.tool === "rectangle") canvas.corner = at;
    if (canvas.view.tool === "brush") canvas.paintDisc(at, !event.shiftKey);
  }
  canvas.drawCross();
}

function moved(canvas, frame, event) {
  const before = canvas.pointers.get(event.pointerId);
  if (canvas.pointers.size === 2 && before) {
    const other = [...canvas.pointers.values()].find((one) => one.pointerId !== event.pointerId);
    const apart = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
    canvas.pointers.set(event.pointerId, event);
    canvas.corner = null;
    if (apart(before) > 0) {
      canvas.zoomTo((canvas.zoom.k * apart(event)) / apart(before), canvas.pixelAt(event, frame));
    }
    return;
  }
  canvas.cross = canvas.pixelAt(event, frame);
  if (before) {
    const { tool } = canvas.view;
    if (tool === "rectangle" && canvas.corner) canvas.setRectangle(canvas.corner, canvas.cross);
    if (tool === "brush") canvas.paintDisc(canvas.cross, !event.shiftKey);
    if (tool === "look" && canvas.zoom.k > 1) {
      const perPixel = (canvas.width / canvas.zoom.k) / frame.clientWidth;
      canvas.panBy((before.clientX - event.clientX) * perPixel,
        (before.clientY - event.clientY) * perPixel);
    }
    canvas.pointers.set(event.pointerId, event);
  }
  canvas.drawCross();
}

function up(canvas, event) {
  canvas.pointers.delete(event.pointerId);
  canvas.corner = null;
}

// ---- keys

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function pressed(canvas, event) {
  const centre = canvas.cross ?? [canvas.width >> 1, canvas.height >> 1];
  const { tool } = canvas.view;
  const far = event.shiftKey ? 8 : 1;
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (ARROWS[event.key]) {
    canvas.moveCross(...ARROWS[event.key].map((step) => step * far));
  } else if (event.key === "+" || event.key === "=") canvas.zoomTo(canvas.zoom.k * 1.5, centre);
  else if (event.key === "-") canvas.zoomTo(canvas.zoom.k / 1.5, centre);
  else if (event.key === "0") canvas.zoomTo(1, centre);
  else if (event.key === "Enter" && tool === "rectangle") {
    if (!canvas.corner) canvas.setRectangle((canvas.corner = centre), centre);
    else canvas.corner = null;
  } else if (event.key === " " && tool === "brush") canvas.paintDisc(centre, true);
  else if (event.key === "Backspace" && tool === "brush") canvas.paintDisc(centre, false);
  else if (event.key === "Delete" || event.key === "Escape") {
    canvas.corner = null;
    canvas.setRegion(null);
  } else return;
  event.preventDefault();
}
