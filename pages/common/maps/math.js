// The arithmetic of the map canvas: one message of bytes to maps, maps to colours and sums.
//
// A message is the length of a JSON header, the header, then what it points to as [start, bytes].

function decodeMessage(bytes) {
  const length = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  // A copy starts at a multiple of four bytes, which floats need.
  const at = ([start, count]) => bytes.slice(4 + length + start, 4 + length + start + count);
  return { header, bytesAt: at, floatsAt: (part) => new Float32Array(at(part).buffer) };
}

// A byte q stands for the value sign(q) (q/127)² range: finer where maps are weak.
function decodeMap(codes, range) {
  const map = new Float32Array(codes.length);
  const values = new Float32Array(256);
  for (let q = -127; q <= 127; q++) values[q & 255] = Math.sign(q) * (q / 127) ** 2 * range;
  for (let i = 0; i < map.length; i++) map[i] = values[codes[i] & 255];
  return map;
}

// The normalised tensor times α, on screen: mean + α (pixel − mean). The typed array clips.
function fadedPhoto(photo, alpha, mean) {
  const out = new Uint8ClampedArray(photo.length);
  for (let i = 0; i < photo.length; i++) out[i] = mean[i % 3] + alpha * (photo[i] - mean[i % 3]);
  return out;
}

// Half of the kernel of scipy.ndimage.gaussian_filter, from its middle outwards.
function gaussianKernel(sigma) {
  const reach = Math.floor(4 * sigma + 0.5);
  const half = Array.from({ length: reach + 1 }, (_, d) => Math.exp((-0.5 * d * d) / sigma ** 2));
  const sum = half.reduce((total, weight, d) => total + (d ? 2 : 1) * weight, 0);
  return half.map((weight) => weight / sum);
}

// Blur the line in the middle of `padded`, n values, into every `step`th place of `into`. Four
// values at a time share what they read, which makes it twice as fast as one by one.
function blurLine(padded, n, kernel, into, start, step) {
  const reach = kernel.length - 1;
  let x = 0;
  for (; x + 4 <= n; x += 4) {
    const c = x + reach;
    let l0 = padded[c], l1 = padded[c + 1], l2 = padded[c + 2], l3 = padded[c + 3];
    let r0 = l0, r1 = l1, r2 = l2, r3 = l3;
    let s0 = kernel[0] * l0, s1 = kernel[0] * l1, s2 = kernel[0] * l2, s3 = kernel[0] * l3;
    for (let d = 1; d <= reach; d++) {
      const weight = kernel[d];
      l3 = l2; l2 = l1; l1 = l0; l0 = padded[c - d];
      r0 = r1; r1 = r2; r2 = r3; r3 = padded[c + 3 + d];
      s0 += weight * (l0 + r0);
      s1 += weight * (l1 + r1);
      s2 += weight * (l2 + r2);
      s3 += weight * (l3 + r3);
    }
    const at = start + x * step;
    into[at] = s0; into[at + step] = s1; into[at + 2 * step] = s2; into[at + 3 * step] = s3;
  }
  for (; x < n; x++) {
    let sum = kernel[0] * padded[x + reach];
    for (let d = 1; d <= reach; d++) {
      sum += kernel[d] * (padded[x + reach - d] + padded[x + reach + d]);
    }
    into[start + x * step] = sum;
  }
}

let between = new Float64Array(0); // of the two passes of a blur, kept: to allocate costs as much

// gaussian_filter(map, sigma, mode="nearest"); `map` itself where sigma is 0.
function blurMap(map, width, height, sigma) {
  if (!(sigma > 0)) return map;
  if (between.length !== map.length) between = new Float64Array(map.length);
  const kernel = new Float64Array(gaussianKernel(sigma));
  const reach = kernel.length - 1;
  const blurLines = (from, n, lines, into) => {
    const padded = new Float64Array(n + 2 * reach);
    for (let line = 0; line < lines; line++) {
      const at = line * n;
      padded.fill(from[at], 0, reach);
      padded.set(from.subarray(at, at + n), reach);
      padded.fill(from[at + n - 1], reach + n);
      blurLine(padded, n, kernel, into, line, lines); // transposed: columns are lines next
    }
    return into;
  };
  return blurLines(blurLines(map, width, height, between), height, width, new Float32Array(map.length));
}

// a·A + b·B, element by element; A itself where that is all.
function combine(a, first, b, second) {
  if (a === 1 && (b === 0 || !second)) return first;
  const out = new Float32Array(first.length);
  if (!second || b === 0) for (let i = 0; i < out.length; i++) out[i] = a * first[i];
  else for (let i = 0; i < out.length; i++) out[i] = a * first[i] + b * second[i];
  return out;
}

const BIN_BITS = 15; // a bin holds sizes that agree in 8 bits of their mantissa

// The percentile of |values| of all maps together, to a tenth of a per cent of itself.
function percentileOfSizes(maps, percentile) {
  let largest = 0;
  let count = 0;
  const bins = new Uint32Array(1 << (31 - BIN_BITS));
  for (const map of maps) {
    const bits = new Int32Array(map.buffer, map.byteOffset, map.length);
    for (let i = 0; i < bits.length; i++) {
      const size = bits[i] & 0x7fffffff; // without its sign a float orders like an integer
      if (size > largest) largest = size;
      bins[size >> BIN_BITS]++;
    }
    count += map.length;
  }
  const float = new Float32Array(1);
  const asFloat = (size) => {
    new Int32Array(float.buffer)[0] = size;
    return float[0];
  };
  let below = 0;
  const rank = (percentile / 100) * (count - 1);
  for (let bin = 0; bin < bins.length; bin++) {
    if (below + bins[bin] > rank) {
      const low = asFloat(bin << BIN_BITS);
      const high = Math.min(asFloat((bin + 1) << BIN_BITS), asFloat(largest));
      const value = low + ((high - low) * (rank - below + 0.5)) / bins[bin];
      // Of a map that is 0 nearly everywhere the percentile is 0 too; then the largest serves.
      return percentile >= 100 || value === 0 ? asFloat(largest) : Math.min(value, high);
    }
    below += bins[bin];
  }
  return asFloat(largest);
}

function largestSize(map) {
  let largest = 0;
  for (let i = 0; i < map.length; i++) largest = Math.max(largest, Math.abs(map[i]));
  return largest;
}

const STEPS = 127; // colours on either side of zero

// From [r, g, b] anchors at -1, -1/2, 0, 1/2, 1 to 255 colours, 3 bytes each.
function paletteOf(anchors) {
  const table = new Uint8ClampedArray(3 * (2 * STEPS + 1));
  for (let i = 0; i <= 2 * STEPS; i++) {
    const at = (i / (2 * STEPS)) * (anchors.length - 1);
    const low = Math.min(Math.floor(at), anchors.length - 2);
    for (let c = 0; c < 3; c++) {
      table[3 * i + c] = anchors[low][c] + (at - low) * (anchors[low + 1][c] - anchors[low][c]);
    }
  }
  return table;
}

// Position in the palette: 0 for -limit and below, 127 for 0, 254 for +limit and above.
function paletteIndex(value, limit) {
  const at = STEPS + (STEPS * value) / limit;
  return at >= 2 * STEPS ? 2 * STEPS : at > 0 ? (at + 0.5) | 0 : 0;
}

// Draw a map: pixels r, g, b, 255 into a Uint32Array view of image data.
function paintHeatmap(out, map, limit, palette, sign) {
  const colours = new Uint32Array(2 * STEPS + 1);
  for (let i = 0; i < colours.length; i++) {
    const hidden = (sign > 0 && i < STEPS) || (sign < 0 && i > STEPS);
    const from = 3 * (hidden ? STEPS : i);
    const [red, green, blue] = palette.subarray(from, from + 3);
    colours[i] = (255 << 24) | (blue << 16) | (green << 8) | red;
  }
  if (!(limit > 0)) return void out.fill(colours[STEPS]);
  for (let i = 0; i < map.length; i++) out[i] = colours[paletteIndex(map[i], limit)];
}

// Draw a map over the grey photograph, opaque where it is large; `ground` (H, W), 0 to 255.
function paintOverlay(out, map, limit, ends, ground, opacity) {
  for (let i = 0; i < map.length; i++) {
    const size = limit > 0 ? Math.min(1, Math.abs(map[i]) / limit) * opacity : 0;
    const end = map[i] < 0 ? ends[0] : ends[1];
    const grey = ground[i] * (1 - size);
    const red = (grey + size * end[0] + 0.5) | 0;
    const green = (grey + size * end[1] + 0.5) | 0;
    const blue = (grey + size * end[2] + 0.5) | 0;
    out[i] = (255 << 24) | (blue << 16) | (green << 8) | red;
  }
}

// The grey photograph, lighter in the light theme and darker in the dark one: room for colours.
function greyGround(photo, dark) {
  const ground = new Float32Array(photo.length / 3);
  for (let i = 0, at = 0; i < ground.length; i++, at += 3) {
    const grey = 0.299 * photo[at] + 0.587 * photo[at + 1] + 0.114 * photo[at + 2];
    ground[i] = (dark ? 0 : 110) + 0.55 * grey;
  }
  return ground;
}

// The photograph where `kept` says so, else the other one.
function paintPhoto(out, photo, kept, other) {
  for (let i = 0, at = 0; i < out.length; i++, at += 3) {
    const from = kept === null || kept(i) ? photo : other;
    out[i] = (255 << 24) | (from[at + 2] << 16) | (from[at + 1] << 8) | from[at];
  }
}

// Rank of every pixel, 0 the largest value; equal ones in reading order, as the core ranks them.
function ranksOf(map) {
  const order = Array.from(map.keys()).sort((a, b) => map[b] - map[a] || a - b);
  const ranks = new Uint32Array(map.length);
  order.forEach((pixel, rank) => (ranks[pixel] = rank));
  return ranks;
}

function sumIn(map, mask) {
  let sum = 0;
  for (let i = 0; i < map.length; i++) if (mask[i]) sum += map[i];
  return sum;
}

function rectangleMask(width, height, [x, y, w, h]) {
  const mask = new Uint8Array(width * height);
  for (let row = y; row < y + h; row++) mask.fill(1, row * width + x, row * width + x + w);
  return mask;
}

// Runs of a mask, [start, length, ...]: short enough for a message.
function runsOf(mask) {
  const runs = [];
  for (let i = 0; i < mask.length; i++) {
    if (!mask[i]) continue;
    const start = i;
    while (i < mask.length && mask[i]) i++;
    runs.push(start, i - start);
  }
  return runs;
}

function maskOfRuns(runs, size) {
  const mask = new Uint8Array(size);
  for (let i = 0; i < runs.length; i += 2) mask.fill(1, runs[i], runs[i] + runs[i + 1]);
  return mask;
}
