// The map canvas: linked maps that answer in the browser, without a request.
//
// Arithmetic is in math.js, the parts of the screen in parts.js; all are joined into one module. Longer
// than 300 lines: it is one object, and its methods share its state.

const REST_MS = 400; // what is chosen must rest so long before it goes into the address
const MOST_ZOOM = 16;
const PIXELATED = 3; // from this zoom on, pixels are drawn as squares
const MODES = { heatmap: 0, overlay: 0, positive: 1, negative: -1 };

class MapCanvas {
  constructor(root) {
    this.root = root;
    this.view = null;
    this.zoom = { k: 1, x: 0, y: 0 };
    this.cross = null; // the pixel pointed at, [x, y]
    this.mask = null; // the region, one byte a pixel
    this.frame = null;
    this.rest = null;
    this.blurred = new Map(); // by map and sigma
    this.ranks = new Map();
    this.drawn = new Map(); // by part of the picture, what it was made of
    this.pointers = new Map(); // fingers on the glass
    this.dark = false;
  }

  show(bytes, send) {
    this.message = decodeMessage(bytes);
    const { header, bytesAt, floatsAt } = this.message;
    this.header = header;
    this.send = send;
    [this.height, this.width] = header.size;
    const size = this.width * this.height;
    const before = new Map(this.panels?.map((panel) => [panel.key, panel.parts]));
    this.photo = bytesAt(header.photo.at);
    this.filled = { blur: header.photo.blur ? bytesAt(header.photo.blur) : this.photo };
    this.panels = header.panels.map((panel) => ({
      ...panel,
      maps: panel.maps.map(floatsAt),
      codes: panel.stack && new Int8Array(bytesAt(panel.stack.at).buffer),
    }));
    this.blurred.clear();
    this.ranks.clear();
    this.drawn.clear();
    this.dark = header.theme === "auto"
      ? matchMedia("(prefers-color-scheme: dark)").matches : header.theme === "dark";
    const anchors = header.palettes[this.dark ? "dark" : "light"];
    this.palette = paletteOf(anchors);
    this.ends = [anchors[1], anchors[3]];
    this.ground = greyGround(this.photo, this.dark);
    if (this.view === null || this.subject !== header.subject) {
      this.view = { ...header.view };
      this.subject = header.subject;
      this.mask = this.view.rectangle
        ? rectangleMask(this.width, this.height, this.view.rectangle)
        : this.view.runs ? maskOfRuns(this.view.runs, size) : null;
    }
    // Built only where there is something else on it: finer maps must not end a drag or take the
    // focus away from a slider.
    const built = JSON.stringify([this.subject, header.size, header.classes, header.scales,
      Boolean(header.curves), header.panels.map(({ key, title, ranks }) => [key, title, ranks])]);
    if (built !== this.built) {
      this.built = built;
      buildCanvas(this);
    } else {
      for (const panel of this.panels) sayOf(panel, (panel.parts = before.get(panel.key)));
    }
    if (header.stops) this.toStop(Math.min(this.stop ?? header.start, header.stops.length - 1));
    else this.draw();
  }

  // Show the maps of one contrast; the photograph fades with it.
  toStop(stop) {
    this.stop = stop;
    this.alpha = this.header.stops[stop];
    for (const panel of this.panels) {
      if (panel.codes) panel.maps = [this.mapAt(panel, stop)];
    }
    this.blurred.clear();
    this.schedule();
  }

  mapAt(panel, stop) {
    const size = this.width * this.height;
    // A map that only scales is sent once.
    const first = panel.codes.length > size ? stop * size : 0;
    return decodeMap(panel.codes.subarray(first, first + size), panel.stack.ranges[stop]);
  }

  // The end of the scale of α = 1, with the blur and in the unit of the screen.
  limitOf(clip) {
    const { stops, at_one: one } = this.header;
    if (!stops) return undefined;
    const { blur, unit } = this.view;
    if (this.changed("limit of one", [blur, unit, clip])) {
      this.limitAtOne = percentileOfSizes(this.mapped().map((panel) => {
        const map = blurMap(this.mapAt(panel, one), this.width, this.height, blur);
        return combine(this.unit(panel), map, 0, null);
      }), clip);
    }
    return this.limitAtOne;
  }

  // ---- values

  // The weights of the two classes, A over A − B to −B.
  weights() {
    const u = this.view.mix / 100;
    return this.header.classes.length > 1 ? [Math.min(1, 2 - 2 * u), -Math.min(1, 2 * u)] : [1, 0];
  }

  // A panel's map in logits as it stands between the two classes, not blurred.
  plain(panel) {
    if (panel.minus) {
      const [first, second] = panel.minus.map((key) => this.plain(this.panel(key)));
      return combine(1, first, -1, second);
    }
    return combine(this.weights()[0], panel.maps[0], this.weights()[1], panel.maps[1]);
  }

  // The same, blurred and times `factor`; each class's blurred map is kept, since blur and sum can be
  // exchanged.
  smooth(panel, factor) {
    const maps = panel.maps.map((map, which) => {
      const key = `${panel.key} ${which}`;
      let kept = this.blurred.get(key);
      if (!kept || kept.sigma !== this.view.blur) {
        const needed = which === 0 || this.view.mix > 0;
        if (!needed) return null;
        kept = { sigma: this.view.blur, map: blurMap(map, this.width, this.height, this.view.blur) };
        this.blurred.set(key, kept);
      }
      return kept.map;
    });
    const [a, b] = this.weights();
    return combine(factor * a, maps[0], factor * b, maps[1]);
  }

  panel(key) {
    return this.panels.find((panel) => panel.key === key);
  }

  mapped() {
    return this.panels.filter((panel) => panel.maps.length || panel.minus);
  }

  // The logit that the maps of a network explain as the slider stands.
  logit(panel) {
    const [a, b] = this.weights();
    const [first, second] = panel.logits;
    return a * first + (second === undefined ? 0 : b * second);
  }

  // From logits to the unit on screen: per cents of the first class's logit, whatever the slider.
  unit(panel) {
    const [first] = panel.logits;
    return this.view.unit === "relative" && first ? 100 / Math.abs(first) : 1;
  }

  unitName() {
    return this.view.unit === "relative" ? "% of the logit" : "logits";
  }

  ranksIn(key) {
    const name = `${key} ${this.view.mix}`;
    if (!this.ranks.has(name)) {
      this.ranks.clear();
      this.ranks.set(name, ranksOf(this.plain(this.panel(key))));
    }
    return this.ranks.get(name);
  }

  // ---- drawing

  schedule() {
    this.frame ??= requestAnimationFrame(() => this.draw());
  }

  draw() {
    cancelAnimationFrame(this.frame);
    this.frame = null;
    const { blur, mix, unit, clip, scale, mode, opacity, top, keep, order } = this.view;
    if (this.changed("maps", [blur, mix, unit, this.stop])) {
      this.shown = new Map();
      for (const panel of this.mapped()) { // a difference comes after what it is of
        const of = panel.minus?.map((key) => this.shown.get(key));
        this.shown.set(panel.key, of ? combine(1, of[0], -1, of[1]) : this.smooth(panel, this.unit(panel)));
      }
    }
    if (this.changed("limit", [blur, mix, unit, clip, this.stop])) {
      const pooled = [...this.shown.values()];
      // The scale of another contrast, if that is what maps are held against, stays as they fade.
      this.limit = this.limitOf(clip) ?? percentileOfSizes(pooled, clip);
      this.nearZero = new Set(this.mapped().map(({ key }) => key)
        .filter((key) => largestSize(this.shown.get(key)) <= (this.header.stops ? 0 : 1e-3 * this.limit)));
    }
    if (this.changed("paint", [blur, mix, unit, clip, scale, mode, opacity, this.stop])) {
      for (const panel of this.mapped()) this.paint(panel);
      drawScale(this, [...this.shown.values()]);
    }
    if (this.changed("photo", [top, keep, order, mix, this.stop])) this.drawPhoto();
    if (this.changed("region", [mix, this.stop])) this.drawRegion();
    this.drawCross();
  }

  // Whether something that a part of the picture is made of is another than when it was drawn.
  changed(part, made) {
    const before = this.drawn.get(part);
    this.drawn.set(part, made.join());
    return before !== made.join();
  }

  paint(panel) {
    const { canvas, note, image } = panel.parts;
    const map = this.shown.get(panel.key);
    // A map of rounding errors must not be stretched to look like something.
    const nearZero = this.nearZero.has(panel.key);
    const own = this.view.scale === "own" && !nearZero;
    const limit = own ? percentileOfSizes([map], this.view.clip) : this.limit;
    const out = new Uint32Array(image.data.buffer);
    if (this.view.mode === "overlay") {
      paintOverlay(out, map, limit, this.ends, this.ground, this.view.opacity / 100);
    } else {
      paintHeatmap(out, map, limit, this.palette, MODES[this.view.mode]);
    }
    canvas.getContext("2d").putImageData(image, 0, 0);
    note.textContent = nearZero ? "zero everywhere" : own ? `±${short(limit)}` : "";
  }

  drawPhoto() {
    const { canvas, image } = this.panels.find((panel) => panel.photo).parts;
    const { top, keep } = this.view;
    let kept = null;
    if (top < 100) {
      const ranks = this.ranksIn(this.view.order);
      const count = Math.floor((top / 100) * ranks.length);
      kept = keep ? (i) => ranks[i] < count : (i) => ranks[i] >= count;
    }
    const photo = this.alpha === undefined
      ? this.photo : fadedPhoto(this.photo, this.alpha, this.header.mean);
    paintPhoto(new Uint32Array(image.data.buffer), photo, kept, this.filled.blur);
    canvas.getContext("2d").putImageData(image, 0, 0);
    drawCurves(this);
  }

  drawRegion() {
    const image = new ImageData(this.width, this.height);
    const out = new Uint32Array(image.data.buffer);
    if (this.mask) {
      const shade = this.dark ? 0xa0000000 : 0x90ffffff;
      for (let i = 0; i < out.length; i++) if (!this.mask[i]) out[i] = shade;
    }
    for (const panel of this.panels) {
      panel.parts.shade.getContext("2d").putImageData(image, 0, 0);
    }
    drawRegionNumbers(this);
  }

  drawCross() {
    const { k, x, y } = this.zoom;
    const across = (at, from, size) => `${((at + 0.5 - from) * k * 100) / size}%`;
    for (const panel of this.panels) {
      const { canvas, shade, column, row, value } = panel.parts;
      const moved = `translate(${(-100 * x * k) / this.width}%, ${(-100 * y * k) / this.height}%)`;
      for (const layer of [canvas, shade]) {
        layer.style.transform = `${moved} scale(${k})`;
        layer.style.imageRendering = k >= PIXELATED ? "pixelated" : "auto";
      }
      column.hidden = row.hidden = this.cross === null;
      if (this.cross === null) {
        value.textContent = "";
        continue;
      }
      column.style.left = across(this.cross[0], x, this.width);
      row.style.top = across(this.cross[1], y, this.height);
      const map = this.shown.get(panel.key);
      value.textContent = map
        ? signed(map[this.cross[1] * this.width + this.cross[0]])
        : `x ${this.cross[0]}, y ${this.cross[1]}`;
    }
  }

  // What a screen reader is told of the pixel pointed at with the keys.
  sayCross() {
    const values = this.mapped().map(
      (panel) => `${panel.label}: ${panel.parts.value.textContent} ${this.unitName()}`);
    this.live.textContent = `x ${this.cross[0]}, y ${this.cross[1]}. ${values.join(". ")}`;
  }

  // ---- pointing, zooming, choosing regions

  pixelAt(event, frame) {
    const box = frame.getBoundingClientRect();
    const { k, x, y } = this.zoom;
    const clamp = (value, size) => Math.max(0, Math.min(size - 1, Math.floor(value)));
    return [
      clamp(x + ((event.clientX - box.left) / box.width) * (this.width / k), this.width),
      clamp(y + ((event.clientY - box.top) / box.height) * (this.height / k), this.height),
    ];
  }

  // Zoom so that the pixel stays where it is on screen.
  zoomTo(k, [px, py]) {
    const { zoom } = this;
    k = Math.max(1, Math.min(MOST_ZOOM, k));
    const keep = (at, from, size) =>
      Math.max(0, Math.min(size - size / k, at + 0.5 - ((at + 0.5 - from) * zoom.k) / k));
    this.zoom = { k, x: keep(px, zoom.x, this.width), y: keep(py, zoom.y, this.height) };
    for (const panel of this.panels) panel.parts.frame.classList.toggle("zoomed", k > 1);
    this.drawCross();
  }

  panBy(dx, dy) {
    const { k, x, y } = this.zoom;
    const keep = (at, size) => Math.max(0, Math.min(size - size / k, at));
    this.zoom = { k, x: keep(x + dx, this.width), y: keep(y + dy, this.height) };
    this.drawCross();
  }

  moveCross(dx, dy) {
    const [x, y] = this.cross ?? [this.width >> 1, this.height >> 1];
    const clamp = (at, size) => Math.max(0, Math.min(size - 1, at));
    this.cross = [clamp(x + dx, this.width), clamp(y + dy, this.height)];
    const { k } = this.zoom;
    const off = (at, from, size) => Math.min(0, at - from) + Math.max(0, at + 1 - from - size / k);
    this.panBy(off(this.cross[0], this.zoom.x, this.width), off(this.cross[1], this.zoom.y, this.height));
    if (this.view.tool === "rectangle" && this.corner) this.setRectangle(this.corner, this.cross);
    this.sayCross();
  }

  setRectangle(from, to) {
    const x = Math.min(from[0], to[0]);
    const y = Math.min(from[1], to[1]);
    const rectangle = [x, y, Math.abs(from[0] - to[0]) + 1, Math.abs(from[1] - to[1]) + 1];
    this.setRegion(rectangleMask(this.width, this.height, rectangle), rectangle);
  }

  setRegion(mask, rectangle = null) {
    this.mask = mask;
    this.view.rectangle = rectangle;
    this.view.runs = null;
    this.drawRegion();
    this.settle();
  }

  paintDisc([px, py], on) {
    const mask = this.mask ? this.mask.slice() : new Uint8Array(this.width * this.height);
    const r = this.view.brush;
    for (let y = Math.max(0, py - r); y <= Math.min(this.height - 1, py + r); y++) {
      for (let x = Math.max(0, px - r); x <= Math.min(this.width - 1, px + r); x++) {
        if ((x - px) ** 2 + (y - py) ** 2 <= r * r) mask[y * this.width + x] = on ? 1 : 0;
      }
    }
    this.setRegion(mask.some((value) => value) ? mask : null);
  }

  // ---- telling the server: for the address, and where it is asked to compute

  settle() {
    clearTimeout(this.rest);
    this.rest = setTimeout(() => this.send?.("view", this.settings()), REST_MS);
  }

  settings() {
    return { ...this.view, runs: null, subject: this.subject };
  }

  ask(what, more = {}) {
    const runs = this.mask ? runsOf(this.mask) : null;
    this.send?.("ask", { what, runs, subject: this.subject, ...more });
  }

  end() {
    clearTimeout(this.rest);
    cancelAnimationFrame(this.frame);
  }
}

const mounted = new WeakMap(); // by the element each canvas is drawn in

function mount(root, bytes, send) {
  let canvas = mounted.get(root);
  if (!canvas) {
    canvas = new MapCanvas(root);
    mounted.set(root, canvas);
  }
  canvas.show(bytes, send);
  return canvas;
}
