// Numbers under the maps: the colour scale, the region and what erasing it did, the order of pixels.

const percent = (share) => `${Number((100 * share).toPrecision(2))} %`.replace("-", "−");
const NEAR_ZERO_LOGIT = 0.05; // of the first class's logit: beside less, per cents say nothing

function drawScale(canvas, maps) {
  const { view, header, limit } = canvas;
  const [bar, text] = canvas.scaleNote.children;
  const anchors = header.palettes[canvas.dark ? "dark" : "light"].map((c) => `rgb(${c.join(" ")})`);
  bar.style.background = `linear-gradient(90deg, ${anchors.join(", ")})`;
  let beyond = 0;
  let count = 0;
  for (const map of maps) {
    count += map.length;
    for (let i = 0; i < map.length; i++) if (Math.abs(map[i]) > limit) beyond++;
  }
  const unit = view.unit === "relative" ? `% of the logit of ${header.classes[0]}` : "logits";
  const hues = "Orange speaks for the class, blue against.";
  text.textContent = view.scale === "own"
    ? `Each map has a scale of its own: sizes are not comparable. ${hues}`
    : `One scale for all maps, −${short(limit)} to +${short(limit)} ${unit}${header.at ?? ""} a pixel; `
      + `${percent(beyond / count)} of the pixels lie beyond. ${hues}`;
}

// ---- the region

function buildRegion(canvas) {
  const field = (name, index, most) => make("label", {}, make("span", { text: name }), make("input", {
    type: "number", min: index < 2 ? 0 : 1, max: most, "aria-label": `Region ${name}`,
    onchange: () => regionTyped(canvas) }));
  canvas.fields = [["x", canvas.width - 1], ["y", canvas.height - 1],
    ["width", canvas.width], ["height", canvas.height]].map(([name, most], i) => field(name, i, most));
  const brush = sliderOf(canvas, "brush", "Brush size", [1, 30, 1], (r) => `${2 * r + 1} px`);
  brush.classList.add("brush");
  canvas.regionText = make("p", {});
  const erase = (fill) => () => canvas.ask("erase", { fill });
  // Only where the page can fill the region and ask the networks again.
  canvas.eraseButtons = canvas.send === null || !canvas.header.photo.mean ? [] : [
    button("Blur it and ask again", erase("blur"), { title: "One forward pass a network" }),
    button("Set it to the mean and ask again", erase("mean"), { title: "One forward pass a network" }),
  ];
  canvas.clearButton = button("Lift the region", () => canvas.setRegion(null));
  canvas.erased = make("div", { class: "erased" });
  canvas.region.replaceChildren(
    make("div", { class: "fields" }, make("b", { text: "Region" }), ...canvas.fields, brush,
      ...canvas.eraseButtons, canvas.clearButton),
    canvas.regionText, canvas.erased);
}

function regionTyped(canvas) {
  const [x, y, w, h] = canvas.fields.map((field) => Math.round(Number(field.lastChild.value)) || 0);
  const clamp = (at, low, high) => Math.max(low, Math.min(high, at));
  const left = clamp(x, 0, canvas.width - 1);
  const top = clamp(y, 0, canvas.height - 1);
  const right = clamp(left + Math.max(1, w) - 1, left, canvas.width - 1);
  const bottom = clamp(top + Math.max(1, h) - 1, top, canvas.height - 1);
  canvas.setRectangle([left, top], [right, bottom]);
}

function drawRegionNumbers(canvas) {
  const { mask, view } = canvas;
  const pixels = mask ? mask.reduce((sum, value) => sum + value, 0) : 0;
  canvas.fields.forEach((field, i) => {
    if (field.lastChild !== canvas.root.getRootNode().activeElement) {
      field.lastChild.value = view.rectangle ? view.rectangle[i] : "";
    }
  });
  for (const each of [...canvas.eraseButtons, canvas.clearButton]) each.disabled = !mask;
  canvas.regionText.textContent = mask
    ? `${pixels} pixels, ${percent(pixels / mask.length)} of the photograph.`
    : "Choose Rectangle or Brush and draw on any map, or type numbers: each map then says what it "
      + "puts into the region.";
  for (const panel of canvas.mapped()) {
    panel.parts.share.textContent = mask ? regionSentence(canvas, panel) : "";
  }
  drawErased(canvas);
}

// What a map puts into the region: "Region +1.83, 43 % of the logit".
function regionSentence(canvas, panel) {
  const map = canvas.plain(panel);
  const sum = sumIn(map, canvas.mask);
  const logit = canvas.logit(panel);
  panel.regionSum = sum;
  if (panel.minus) return `Region ${signed(sum)} logits`;
  const telling = Math.abs(logit) >= NEAR_ZERO_LOGIT * Math.abs(panel.logits[0]);
  const share = telling ? `, ${percent(sum / logit)} of the logit` : " logits";
  if (panel.complete) return `Region ${signed(sum)}${share}`;
  const whole = map.reduce((total, value) => total + value, 0);
  return `Region ${signed(sum)}${share}; not complete, the whole map is ${signed(whole)}`;
}

// Predicted beside measured change of the logit, for the region that was erased.
function drawErased(canvas) {
  const { erased } = canvas.header;
  const same = erased && canvas.mask && runsOf(canvas.mask).join() === erased.runs.join();
  if (!same) return void canvas.erased.replaceChildren();
  const weights = canvas.weights();
  const mix = (values) => values.reduce((sum, value, i) => sum + weights[i] * value, 0);
  const networks = erased.networks.map((network) => ({
    name: network.name,
    measured: mix(network.measured),
    bars: canvas.panels.filter((panel) => network.keys.includes(panel.key))
      .map((panel) => ({ panel, predicted: -sumIn(canvas.plain(panel), canvas.mask) })),
  }));
  const most = Math.max(...networks.flatMap(({ measured, bars }) =>
    [measured, ...bars.map(({ predicted }) => predicted)].map(Math.abs)), 1e-12);
  const bar = (title, value, kind) => make("div", { class: `bar ${kind}` },
    make("span", { text: title }),
    make("div", {}, make("i", { style:
      `left:${50 + Math.min(0, (50 * value) / most)}%;width:${(50 * Math.abs(value)) / most}%` })),
    make("output", { text: signed(value) }));
  canvas.erased.replaceChildren(
    make("p", { text: `${erased.fill === "blur" ? "Blurred out" : "Set to the mean image"}: `
      + "change of the logit, measured by asking the networks again and predicted by the sum "
      + "of each map in the region." }),
    ...networks.map(({ name, measured, bars }) => make("section", { "aria-label": name },
      make("b", { text: name }),
      bar("measured", measured, "measured"),
      ...bars.map(({ panel, predicted }) =>
        bar(panel.title + (panel.complete ? "" : ", not complete"), predicted, "predicted")))));
}

// ---- the most important pixels

function buildOrder(canvas) {
  const select = make("select", { "aria-label": "Order of", onchange: () => {
    canvas.view.order = select.value;
    canvas.schedule();
    canvas.settle();
  } }, ...canvas.mapped().filter((panel) => !panel.minus && panel.ranks).map((panel) =>
    make("option", { value: panel.key, text: panel.label })));
  select.value = canvas.view.order;
  const keep = make("select", { "aria-label": "Keep or remove", onchange: () => {
    canvas.view.keep = keep.value === "keep";
    canvas.schedule();
    canvas.settle();
  } }, make("option", { value: "keep", text: "Keep" }), make("option", { value: "remove", text: "Remove" }));
  keep.value = canvas.view.keep ? "keep" : "remove";
  const slider = sliderOf(canvas, "top", "the most important", [1, 100, 1], (at) => `${at} %`);
  canvas.curves = make("div", { class: "curves" });
  const measure = button("Measure the networks along it", () => canvas.ask("curves"));
  canvas.order.replaceChildren(
    make("div", { class: "fields" }, make("b", { text: "Pixels" }), keep, slider,
      make("span", { text: "by" }), select,
      ...(canvas.send === null || canvas.header.curves ? [] : [measure])),
    canvas.curves);
}

const CHART = { width: 420, height: 170, left: 38, right: 110, top: 10, bottom: 30 };

function drawCurves(canvas) {
  const { curves } = canvas.header;
  if (!curves) return;
  const which = canvas.view.keep ? "keep" : "remove";
  const at = Math.max(curves.fractions[0], canvas.view.top / 100);
  canvas.curves.replaceChildren(...curves.networks.map((network) =>
    chartOf(network.name, curves, network[which], canvas.view.keep ? at : 1 - at, which)));
}

function svg(tag, attributes, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

// Confidence of the class against the share of the pixels that is kept, on a logarithmic axis.
function chartOf(name, curves, lines, now, which) {
  const { width, height, left, right, top, bottom } = CHART;
  const low = Math.log(curves.fractions[0]);
  const x = (share) => left + (width - left - right) * (1 - Math.log(Math.max(share, curves.fractions[0])) / low);
  const y = (confidence) => top + (height - top - bottom) * (1 - confidence);
  const chart = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label":
    `${name}: confidence of ${curves.class} as pixels are ${which === "keep" ? "kept" : "removed"}. `
    + lines.map((line) => `${line.title}: ${line.values.map((v) => percent(v)).join(", ")}`).join(". ") });
  for (const level of [0, 0.5, 1]) {
    chart.append(svg("line", { x1: left, x2: width - right, y1: y(level), y2: y(level), class: "rule" }),
      svg("text", { x: left - 6, y: y(level) + 4, "text-anchor": "end" }, percent(level)));
  }
  for (const share of [0.01, 0.1, 1]) {
    chart.append(svg("text", { x: x(share), y: height - bottom + 16, "text-anchor": "middle" }, percent(share)));
  }
  chart.append(svg("text", { x: (left + width - right) / 2, y: height - 1, "text-anchor": "middle" }, "pixels kept"));
  lines.forEach((line, i) => {
    const points = line.values.map((value, at) => `${x(curves.fractions[at])},${y(value)}`).join(" ");
    chart.append(svg("polyline", { points, class: `line ${line.kind}` }));
    chart.append(svg("text", { x: width - right + 8, y: top + 14 + 18 * i, class: line.kind }, line.title));
  });
  chart.append(svg("line", { x1: x(now), x2: x(now), y1: top, y2: height - bottom, class: "now" }));
  return make("figure", {}, make("figcaption", { text: `${name}, confidence of ${curves.class}` }), chart);
}
