"use strict";
(() => {
  const { timeline, slow_ms: slowMs } = JSON.parse(document.getElementById("data").textContent);
  const canvas = document.getElementById("timeline");
  if (!canvas) return;
  document.getElementById("unscripted").remove();
  document.getElementById("scripted").hidden = false;
  const { bars, slots, gaps, origin } = timeline;
  const length = Math.max(1, timeline.length_seconds * 1000);
  const count = bars.slot.length;
  const tip = document.getElementById("tip");
  const found = document.getElementById("found");
  const ENDINGS = ["done", "taken from the cache", "failed, and had a result at another try", "failed"];
  const LABELS = 150, AXIS = 26, LEAST_ROW = 1.5, MOST_ROW = 26, MOST_HEIGHT = 560;
  // Where the bars of each slot begin: they lie one slot after the other, by their begin.
  const starts = new Uint32Array(slots.length + 1);
  for (let index = 0; index < count; index++) starts[bars.slot[index] + 1]++;
  for (let slot = 0; slot < slots.length; slot++) starts[slot + 1] += starts[slot];
  let from = 0, to = length, row = 20, wide = 0, tall = 0, marked = -1, drag = null, colours = {};

  const span = (ms) => {
    const s = ms / 1000;
    if (s < 1) return `${Math.round(ms)} ms`;
    if (s < 60) return `${s < 10 ? s.toFixed(2) : s.toFixed(1)} s`;
    if (s < 3600) return `${Math.floor(s / 60)} min ${Math.round(s % 60)} s`;
    return `${Math.floor(s / 3600)} h ${Math.round((s % 3600) / 60)} min`;
  };
  const real = (ms) => ms + gaps.reduce((sum, gap) => sum + (gap.at_s * 1000 <= ms + 0.5 ? gap.length_s * 1000 : 0), 0);
  const clock = (ms) => new Date(origin * 1000 + real(ms)).toISOString().replace("T", " ").replace("Z", " UTC");
  const x = (ms) => LABELS + ((ms - from) / (to - from)) * (wide - LABELS);
  const at = (pixel) => from + ((pixel - LABELS) / (wide - LABELS)) * (to - from);
  const about = (index) => {
    const slot = slots[bars.slot[index]];
    const many = bars.tries[index] > 1 ? `${bars.tries[index]} tries, from chunk ${bars.chunk[index]} on` : `Chunk ${bars.chunk[index]}`;
    const where = slot.worker ? `${slot.worker}, slot ${slot.number}` : `slot ${slot.number}`;
    return `${many}: ${ENDINGS[bars.ending[index]]}, ${span(bars.length_ms[index])}, from ${clock(bars.begin_ms[index])}, on ${where}`;
  };

  const size = () => {
    const box = canvas.parentElement.clientWidth;
    row = Math.min(MOST_ROW, Math.max(LEAST_ROW, (MOST_HEIGHT - AXIS) / Math.max(1, slots.length)));
    wide = box;
    tall = Math.min(1200, Math.ceil(row * slots.length) + AXIS);
    row = Math.min(row, (tall - AXIS) / Math.max(1, slots.length));
    const ratio = window.devicePixelRatio || 1;
    canvas.width = Math.round(wide * ratio);
    canvas.height = Math.round(tall * ratio);
    canvas.style.height = `${tall}px`;
    canvas.getContext("2d").setTransform(ratio, 0, 0, ratio, 0, 0);
    const style = getComputedStyle(document.documentElement);
    for (const name of ["card", "ink", "soft", "line", "done", "cached", "retried", "failed", "slow"]) colours[name] = style.getPropertyValue(`--${name}`).trim();
    draw();
  };

  // The first bar of a slot that may still be seen; ends of neighbours are in order, too, or nearly.
  const first = (slot, ms) => {
    let low = starts[slot], high = starts[slot + 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (bars.begin_ms[middle] + bars.length_ms[middle] < ms) low = middle + 1; else high = middle;
    }
    return low;
  };

  const draw = () => {
    const pen = canvas.getContext("2d");
    pen.clearRect(0, 0, wide, tall);
    pen.font = "12px system-ui, sans-serif";
    grid(pen);
    const order = [colours.done, colours.cached, colours.slow, colours.retried, colours.failed];
    const layers = order.map(() => []);
    for (let slot = 0; slot < slots.length; slot++) {
      for (let index = first(slot, from); index < starts[slot + 1] && bars.begin_ms[index] <= to; index++) {
        const ending = bars.ending[index];
        const isSlow = ending === 0 && slowMs !== null && bars.tries[index] === 1 && bars.length_ms[index] > slowMs;
        layers[isSlow ? 2 : ending === 0 ? 0 : ending === 1 ? 1 : ending + 1].push(index);
      }
    }
    const gap = row > 6 ? 2 : row > 3 ? 1 : 0;
    layers.forEach((layer, number) => {
      pen.fillStyle = order[number];
      for (const index of layer) {
        const left = Math.max(LABELS, x(bars.begin_ms[index]));
        const right = Math.min(wide, x(bars.begin_ms[index] + bars.length_ms[index]));
        // Whole pixels, so that what is thinner than one has its colour, and no mixture.
        const top = Math.floor(AXIS + bars.slot[index] * row), below = Math.floor(AXIS + (bars.slot[index] + 1) * row);
        const begin = right - left < 2 ? Math.floor(left) : left;
        const end = right - left < 2 ? Math.max(begin + 1, Math.floor(right)) : right - (right - left > 4 ? 1 : 0);
        pen.fillRect(begin, top, end - begin, Math.max(1, below - top - gap));
      }
    });
    cuts(pen);
    if (marked >= 0) {
      pen.strokeStyle = colours.ink;
      pen.lineWidth = 2;
      const left = x(bars.begin_ms[marked]);
      pen.strokeRect(left - 2, AXIS + bars.slot[marked] * row - 1, Math.max(4, x(bars.begin_ms[marked] + bars.length_ms[marked]) - left) + 3, row + 1);
    }
    if (drag) {
      pen.fillStyle = colours.ink;
      pen.globalAlpha = 0.15;
      pen.fillRect(Math.min(drag.from, drag.to), AXIS, Math.abs(drag.to - drag.from), tall - AXIS);
      pen.globalAlpha = 1;
    }
  };

  const grid = (pen) => {
    pen.fillStyle = colours.soft;
    pen.strokeStyle = colours.line;
    pen.lineWidth = 1;
    const aim = (to - from) / Math.max(2, (wide - LABELS) / 110);
    const steps = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 15e3, 3e4, 6e4, 12e4, 3e5, 6e5, 9e5, 18e5, 36e5, 72e5, 144e5, 432e5, 864e5];
    const step = steps.find((each) => each >= aim) || Math.ceil(aim / 864e5) * 864e5;
    for (let ms = Math.ceil(from / step) * step; ms <= to; ms += step) {
      const place = x(ms);
      pen.beginPath(); pen.moveTo(place, AXIS - 4); pen.lineTo(place, tall); pen.stroke();
      pen.textAlign = place > wide - 50 ? "right" : place < LABELS + 20 ? "left" : "center";
      pen.fillText(ms === 0 ? "0" : span(ms), place, 14);
    }
    pen.textAlign = "left";
    let worker = null, last = -100;
    slots.forEach((slot, number) => {
      const y = AXIS + number * row;
      const isNew = slot.worker !== worker;
      if (isNew && number && row * slots.length / new Set(slots.map((each) => each.worker)).size > 6) {
        pen.beginPath(); pen.moveTo(0, y); pen.lineTo(wide, y); pen.stroke();
      }
      worker = slot.worker;
      if (y - last < 13) return;
      const text = isNew || row >= 13 ? (isNew && slot.worker ? slot.worker : `slot ${slot.number}`) : "";
      if (!text) return;
      last = y;
      const short = text.length > 20 ? `${text.slice(0, 19)}…` : text;
      pen.fillText(isNew || !slot.worker ? short : `    ${short}`, 6, y + Math.max(11, row / 2 + 4));
    });
  };

  const cuts = (pen) => {
    for (const gap of gaps) {
      const place = x(gap.at_s * 1000);
      if (place < LABELS || place > wide) continue;
      pen.save();
      pen.strokeStyle = colours.ink;
      pen.setLineDash([4, 3]);
      pen.beginPath(); pen.moveTo(place, AXIS - 10); pen.lineTo(place, tall); pen.stroke();
      pen.restore();
      const text = `${span(gap.length_s * 1000)} later`;
      pen.font = "600 12px system-ui, sans-serif";
      const size = pen.measureText(text).width + 8;
      pen.fillStyle = colours.card;
      pen.fillRect(Math.min(place + 2, wide - size), AXIS + 2, size, 17);
      pen.fillStyle = colours.ink;
      pen.fillText(text, Math.min(place + 6, wide - size + 4), AXIS + 15);
    }
  };

  const under = (pixelX, pixelY) => {
    const slot = Math.floor((pixelY - AXIS) / row);
    if (pixelX < LABELS || slot < 0 || slot >= slots.length) return -1;
    const ms = at(pixelX), near = 2 * (to - from) / Math.max(1, wide - LABELS);
    for (let index = Math.max(starts[slot], first(slot, ms - near) - 1); index < starts[slot + 1] && bars.begin_ms[index] <= ms + near; index++)
      if (bars.begin_ms[index] + bars.length_ms[index] >= ms - near) return index;
    return -1;
  };

  const look = (middle, factor) => {
    const wanted = Math.min(length, Math.max(5, (to - from) * factor));
    from = Math.max(0, Math.min(length - wanted, middle - (middle - from) * (wanted / (to - from))));
    to = from + wanted;
    draw();
  };
  const move = (share) => {
    const by = Math.max(-from, Math.min(length - to, (to - from) * share));
    from += by; to += by;
    draw();
  };
  const whole = () => { from = 0; to = length; draw(); };
  const place = (event) => { const box = canvas.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };

  canvas.addEventListener("pointermove", (event) => {
    const [px, py] = place(event);
    if (drag) { drag.to = Math.max(LABELS, Math.min(wide, px)); draw(); return; }
    const index = under(px, py);
    tip.hidden = index < 0;
    if (index < 0) return;
    tip.textContent = about(index);
    tip.style.left = `${Math.max(0, Math.min(px + 12, wide - 345))}px`;
    tip.style.top = `${py + 14}px`;
  });
  canvas.addEventListener("pointerleave", () => { tip.hidden = true; });
  canvas.addEventListener("pointerdown", (event) => {
    const [px] = place(event);
    if (event.button !== 0 || px < LABELS) return;
    drag = { from: px, to: px };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointerup", (event) => {
    if (!drag) return;
    const { from: one, to: other } = drag;
    drag = null;
    if (Math.abs(one - other) > 5) {
      const [begin, end] = [at(Math.min(one, other)), at(Math.max(one, other))];
      from = begin; to = Math.max(begin + 5, end);
    } else {
      const index = under(...place(event));
      marked = index;
      found.textContent = index < 0 ? "" : about(index);
    }
    draw();
  });
  canvas.addEventListener("pointercancel", () => { drag = null; draw(); });
  canvas.addEventListener("dblclick", whole);
  canvas.addEventListener("keydown", (event) => {
    const keys = { ArrowLeft: () => move(-0.2), ArrowRight: () => move(0.2), "+": () => look((from + to) / 2, 0.5), "-": () => look((from + to) / 2, 2), Home: whole };
    if (!keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
  document.getElementById("in").addEventListener("click", () => look((from + to) / 2, 0.5));
  document.getElementById("out").addEventListener("click", () => look((from + to) / 2, 2));
  document.getElementById("all").addEventListener("click", whole);
  // No form: where the page is served alone, in a sandbox, none is ever submitted.
  const find = () => {
    const text = document.getElementById("chunk").value.trim();
    const wanted = /^\d+$/.test(text) ? Number(text) : -1;
    const hits = [];
    for (let index = 0; index < count; index++) if (bars.chunk[index] === wanted) hits.push(index);
    hits.sort((one, other) => bars.begin_ms[one] - bars.begin_ms[other]);
    marked = hits.length ? hits[hits.length - 1] : -1;
    found.textContent = hits.length ? hits.map(about).join("; ") : `No try at chunk ${text} is here.`;
    if (marked >= 0) {
      const middle = bars.begin_ms[marked] + bars.length_ms[marked] / 2;
      const wanted_ms = Math.min(length, Math.max(bars.length_ms[marked] * 8, length / 50));
      from = Math.max(0, Math.min(length - wanted_ms, middle - wanted_ms / 2));
      to = from + wanted_ms;
    }
    draw();
  };
  document.getElementById("find").addEventListener("click", find);
  document.getElementById("chunk").addEventListener("keydown", (event) => { if (event.key === "Enter") find(); });
  window.addEventListener("resize", size);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", size);
  size();
  document.documentElement.dataset.drawn = String(count);
})();
