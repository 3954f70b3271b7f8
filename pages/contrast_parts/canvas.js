// The Contrast page's slider and what it moves beside the maps, which are the map canvas's.

const STEP_MS = 90; // a stop of the sweep
const NARROW = 0.1; // of the slider's length; a class with less has no room for its name

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
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
    this.playing = null;
    this.rest = null;
    this.slider.addEventListener("input", () => this.moveTo(Number(this.slider.value)));
    this.slider.addEventListener("change", () => this.settle());
    this.slider.addEventListener("pointerdown", () => this.pause());
    this.button.addEventListener("click", () => (this.playing ? this.pause() : this.play()));
    // Charts come and go with the server's answers; the line must be there again.
    this.watcher = new MutationObserver(() => this.follow());
    this.watcher.observe(document.body, { childList: true, subtree: true });
  }

  show(bytes, send) {
    this.maps = mount(this.root.querySelector(".maps"), bytes, send);
    this.scene = this.maps.header;
    this.send = send;
    this.stop ??= this.scene.start;
    this.slider.max = this.scene.stops.length - 1;
    this.build();
    this.moveTo(this.stop);
  }

  build() {
    const { scene, root } = this;
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
  }

  moveTo(stop) {
    const { scene } = this;
    this.stop = stop;
    this.slider.value = stop;
    this.maps.toStop(stop);
    const at = `α = ${scene.labels[stop]}`;
    this.output.textContent = at;
    const sentences = scene.networks.map((network) => `${network.name}: ${network.stops[stop].says}`);
    this.slider.setAttribute("aria-valuetext", [at, ...sentences].join(". "));
    this.maps.panels.forEach((panel) => this.describe(panel, at));
    this.bars.forEach((bar) => {
      const pieces = [...bar.children];
      const current = pieces.filter((piece) => Number(piece.dataset.first) <= stop).at(-1);
      for (const piece of pieces) piece.classList.toggle("now", piece === current);
    });
    this.follow();
  }

  describe(panel, at) {
    const network = this.scene.networks.find(({ name }) => name === panel.network);
    const zero = panel.stack && panel.stack.ranges[this.stop] === 0 ? ", zero everywhere" : "";
    panel.parts.canvas.setAttribute("aria-label", `${panel.alt}, ${at}${zero}`);
    if (network) {
      const { says, logit } = network.stops[this.stop];
      panel.parts.facts.textContent = `${says} · ${logit}`;
    }
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
    this.rest = setTimeout(() => this.send("stop", this.stop), REST_MS);
  }

  end() {
    this.pause();
    clearTimeout(this.rest);
    this.watcher.disconnect();
    this.maps?.end();
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
  contrast.show(data, setStateValue);
  return () => {
    // Streamlit also ends a call that a newer one overtook; then the element is still there.
    if (root.isConnected) return;
    contrast.end();
    shown.delete(root);
  };
}
