// The Contrast page's slider: everything it moves is drawn here, from one message of the server.
//
// The message is one block of bytes: the length of a JSON header, the header, then what the header
// points to: a palette of 255 colours, the photograph (H, W, 3) and, for every map, one signed byte
// a pixel and stop. A byte q stands for the value sign(q) (q/127)² range: finer where maps are weak.

const HALF = 127; // the palette's middle, and the largest code
const STEP_MS = 90; // a stop of the sweep
const NARROW = 0.1; // of the slider's length; a class with less has no room for its name
const REST_MS = 400; // the slider must rest so long before its position goes into the address

function decode(bytes) {
  const length = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  const at = ([start, count]) => bytes.subarray(4 + length + start, 4 + length + start + count);
  const signed = (part) => {
    const found = at(part);
    return new Int8Array(found.buffer, found.byteOffset, found.length);
  };
  header.photo.pixels = at(header.photo.at);
  header.palette = at(header.palette);
  for (const network of header.networks) {
    for (const map of network.maps) map.codes = signed(map.at);
  }
  return header;
}

// Colours of all 255 codes of a map at a stop, as pixels in memory: bytes r, g, b, alpha.
function codeColours(palette, range, limit) {
  const colours = new Uint8ClampedArray(256 * 4);
  for (let q = -HALF; q <= HALF; q++) {
    const value = Math.sign(q) * (q / HALF) ** 2 * range;
    const place = limit > 0 ? Math.max(-1, Math.min(1, value / limit)) : 0;
    const from = 3 * Math.round(HALF + HALF * place);
    const to = 4 * (q & 255); // a signed byte read as an unsigned one
    colours.set([palette[from], palette[from + 1], palette[from + 2], 255], to);
  }
  return new Uint32Array(colours.buffer);
}

function drawMap(canvas, scene, map, stop, shared) {
  const pixels = canvas.width * canvas.height;
  const limit = shared ? map.shared_limit : map.limits[stop];
  const colours = codeColours(scene.palette, map.ranges[stop], limit);
  // A map that only scales is sent once.
  const first = map.codes.length > pixels ? stop * pixels : 0;
  const image = new ImageData(canvas.width, canvas.height);
  const out = new Uint32Array(image.data.buffer);
  for (let i = 0; i < pixels; i++) out[i] = colours[map.codes[first + i] & 255];
  canvas.getContext("2d").putImageData(image, 0, 0);
}

// The normalised tensor times α, on screen: mean + α (pixel − mean). The typed array clips.
function drawPhoto(canvas, photo, alpha) {
  const image = new ImageData(canvas.width, canvas.height);
  const [red, green, blue] = photo.mean;
  const { pixels } = photo;
  for (let from = 0, to = 0; from < pixels.length; from += 3, to += 4) {
    image.data[to] = red + alpha * (pixels[from] - red);
    image.data[to + 1] = green + alpha * (pixels[from + 1] - green);
    image.data[to + 2] = blue + alpha * (pixels[from + 2] - blue);
    image.data[to + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function pictureCanvas() {
  const canvas = element("canvas");
  canvas.setAttribute("role", "img");
  return canvas;
}

// One piece for every run of stops with the same prediction, as wide as the run.
function classBar(network) {
  const bar = element("div", "classes");
  bar.setAttribute("aria-hidden", "true"); // the slider's value text says the same
  const last = network.stops.length - 1;
  network.stops.forEach((stop, index) => {
    const width = index === 0 || index === last ? 0.5 : 1;
    const previous = bar.lastChild;
    if (previous && previous.textContent === stop.name) {
      previous.style.flexGrow = Number(previous.style.flexGrow) + width;
    } else {
      const piece = element("span", stop.is_target ? "target" : "", stop.name);
      piece.title = stop.name;
      piece.style.flex = `${width} 1 0`;
      piece.dataset.first = index;
      bar.append(piece);
    }
  });
  for (const piece of bar.children) {
    piece.classList.toggle("narrow", piece.style.flexGrow < NARROW * last);
  }
  return bar;
}

function networkCard(network) {
  const card = element("section", "network");
  card.setAttribute("aria-label", network.name);
  const line = element("p");
  const says = element("span", "says");
  const logit = element("span", "logit");
  line.append(element("span", "name", network.name), says, logit);
  const maps = element("div", "maps");
  const canvases = network.maps.map((map) => {
    const figure = element("figure");
    const canvas = pictureCanvas();
    figure.append(canvas, element("figcaption", "", map.title));
    maps.append(figure);
    return canvas;
  });
  card.append(line, maps);
  return { card, says, logit, canvases };
}

// A line in every Plotly chart of the page, at the slider's contrast. Plotly itself draws nothing
// anew: the line is ours, laid over the chart where its axis says.
function followInCharts(charts, alpha) {
  for (const plot of document.querySelectorAll(`.st-key-${charts} .js-plotly-plot`)) {
    const axes = plot._fullLayout;
    if (!axes || !axes.xaxis || !axes.yaxis || !plot.querySelector(".svg-container")) continue;
    let line = plot.querySelector(".contrast-cursor");
    if (!line) {
      line = element("div", "contrast-cursor");
      plot.querySelector(".svg-container").append(line);
      plot.on("plotly_afterplot", () => placeLine(plot, line));
    }
    line.dataset.alpha = alpha;
    placeLine(plot, line);
  }
}

function placeLine(plot, line) {
  const { xaxis, yaxis } = plot._fullLayout;
  const along = xaxis.d2p(Number(line.dataset.alpha));
  Object.assign(line.style, {
    position: "absolute", pointerEvents: "none", width: "0", opacity: "0.8",
    borderLeft: "2px dotted currentColor",
    display: along < 0 || along > xaxis._length ? "none" : "block",
    left: `${xaxis._offset + along - 1}px`,
    top: `${yaxis._offset}px`,
    height: `${yaxis._length}px`,
  });
}

class Contrast {
  constructor(root) {
    this.root = root;
    this.slider = root.querySelector(".alpha");
    this.output = root.querySelector("output");
    this.button = root.querySelector(".play");
    this.stop = null;
    this.frame = null; // the next drawing
    this.playing = null;
    this.rest = null;
    this.slider.addEventListener("input", () => this.moveTo(Number(this.slider.value)));
    this.slider.addEventListener("change", () => this.settle());
    this.slider.addEventListener("pointerdown", () => this.pause());
    this.button.addEventListener("click", () => (this.playing ? this.pause() : this.play()));
    for (const choice of this.choices()) {
      choice.addEventListener("change", () => { this.schedule(); this.settle(); });
    }
    // Charts come and go with the server's answers; the line must be there again.
    this.watcher = new MutationObserver(() => this.follow());
    this.watcher.observe(document.body, { childList: true, subtree: true });
  }

  choices() {
    return this.root.querySelectorAll("fieldset input");
  }

  shared() {
    return this.root.querySelector("fieldset input[value=shared]").checked;
  }

  show(scene, settle) {
    this.scene = scene;
    this.tell = settle;
    if (this.stop === null) {
      this.stop = scene.start;
      this.root.querySelector(`fieldset input[value=${scene.colours}]`).checked = true;
    }
    this.slider.max = scene.stops.length - 1;
    this.slider.value = this.stop;
    this.build();
    this.draw();
  }

  build() {
    const { scene, root } = this;
    this.photo = pictureCanvas();
    root.querySelector(".photo").replaceChildren(this.photo);
    const ticks = scene.ticks.map(([share, label]) => {
      const tick = element("span", "", label);
      tick.style.left = `${100 * share}%`;
      return tick;
    });
    root.querySelector(".ticks").replaceChildren(...ticks);
    this.bars = scene.networks.map((network, index) => {
      const bar = classBar(network);
      root.querySelectorAll(".bar-name")[index].textContent = network.name;
      root.querySelectorAll(".classes")[index].replaceWith(bar);
      return bar;
    });
    this.cards = scene.networks.map(networkCard);
    root.querySelector(".networks").replaceChildren(...this.cards.map(({ card }) => card));
    root.querySelector(".scale i").style.background = scene.gradient;
    const [height, width] = scene.size;
    for (const canvas of root.querySelectorAll("canvas")) Object.assign(canvas, { width, height });
  }

  moveTo(stop) {
    this.stop = stop;
    this.slider.value = stop;
    this.schedule();
  }

  schedule() {
    this.frame ??= requestAnimationFrame(() => this.draw());
  }

  draw() {
    cancelAnimationFrame(this.frame);
    this.frame = null;
    const { scene, stop } = this;
    const shared = this.shared();
    const alpha = scene.stops[stop];
    const at = `α = ${scene.labels[stop]}`;
    this.output.textContent = at;
    drawPhoto(this.photo, scene.photo, alpha);
    this.photo.setAttribute("aria-label", `Photograph: ${scene.photo.title}, ${at}`);
    const said = scene.networks.map((network, index) => {
      this.drawNetwork(network, index, shared, at);
      return `${network.name}: ${network.stops[stop].says}`;
    });
    this.slider.setAttribute("aria-valuetext", [at, ...said].join(". "));
    this.root.querySelector(".scale span").textContent = scene.scale_notes[Number(shared)];
    this.follow();
  }

  drawNetwork(network, index, shared, at) {
    const { scene, stop } = this;
    const card = this.cards[index];
    const now = network.stops[stop];
    card.says.textContent = now.says;
    card.logit.textContent = now.logit;
    network.maps.forEach((map, number) => {
      const canvas = card.canvases[number];
      drawMap(canvas, scene, map, stop, shared);
      const zero = map.ranges[stop] === 0 ? ", zero everywhere" : "";
      canvas.setAttribute("aria-label", `${map.label}, ${at}${zero}`);
      canvas.nextSibling.textContent = map.title + zero;
    });
    const pieces = [...this.bars[index].children];
    const current = pieces.filter((piece) => Number(piece.dataset.first) <= stop).at(-1);
    for (const piece of pieces) piece.classList.toggle("now", piece === current);
  }

  follow() {
    if (this.scene) followInCharts(this.scene.charts, this.scene.stops[this.stop]);
  }

  play() {
    const last = this.scene.stops.length - 1;
    let direction = this.stop < last ? 1 : -1;
    let due = performance.now();
    const tick = (now) => {
      if (now >= due) {
        due = now + STEP_MS;
        if (this.stop + direction < 0 || this.stop + direction > last) direction = -direction;
        this.moveTo(this.stop + direction);
      }
      this.playing = requestAnimationFrame(tick);
    };
    this.playing = requestAnimationFrame(tick);
    this.button.textContent = "❚❚ Pause";
  }

  pause() {
    if (this.playing === null) return;
    cancelAnimationFrame(this.playing);
    this.playing = null;
    this.button.textContent = "▶ Play";
    this.settle();
  }

  // The address follows once the slider rests; nothing is computed for it.
  settle() {
    clearTimeout(this.rest);
    this.rest = setTimeout(() => this.tell(this.stop, this.shared() ? "shared" : "own"), REST_MS);
  }

  end() {
    this.pause();
    clearTimeout(this.rest);
    this.watcher.disconnect();
  }
}

const shown = new WeakMap(); // by the element each of them is drawn in

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".contrast");
  let contrast = shown.get(root);
  if (!contrast) {
    contrast = new Contrast(root);
    shown.set(root, contrast);
  }
  contrast.show(decode(data), (stop, colours) => setStateValue("view", { stop, colours }));
  return () => {
    // Streamlit also ends a call that a newer one overtook; then the element is still there.
    if (root.isConnected) return;
    contrast.end();
    shown.delete(root);
  };
}
