// Finds people and vehicles in one segment of a film: `data.bin` in, `timeline.jsonl`, or frames with boxes, out.
//
// FFmpeg decodes, TensorFlow.js looks, on the CPU by WebAssembly, with one thread, which is the manifest's `min_cpu`.

const { execFileSync } = require("node:child_process");
const { mkdtempSync, readFileSync, writeFileSync } = require("node:fs");
const { tmpdir } = require("node:os");
const path = require("node:path");
const tf = require("@tensorflow/tfjs-core");
const wasm = require("@tensorflow/tfjs-backend-wasm");
const { loadGraphModel } = require("@tensorflow/tfjs-converter");
const sharp = require("sharp");

const SIDE = 512; // Of the network's input, whatever the film's shape.
const MOST_OVERLAP = 0.4; // Two boxes of more are one object.
// By COCO's numbers from 0; the network knows 80, and of these it is good at few.
const LABELS = { 0: "person", 1: "bicycle", 2: "car", 3: "motorcycle", 5: "bus", 6: "train", 7: "truck" };

const params = { result: "timeline", every_s: 1, min_score: 0.45, ...JSON.parse(process.env.APP_PARAMS) };
const segment = JSON.parse(process.env.CHUNK_METADATA);
const film = path.join(process.env.TASK_DIR, "data.bin");
const results = process.env.TASK_RESULTS_DIR;

// Each frame that is the first at or after a multiple of `every_s` of the whole film, and its time there.
function* frames() {
  const probe = ["-v", "error", "-select_streams", "v:0", "-of", "json", "-show_entries", "frame=pts_time", film];
  const times = JSON.parse(execFileSync("ffprobe", probe, { maxBuffer: 1 << 28 })).frames.map((f) => Number(f.pts_time));
  const step = times.length > 1 ? (times.at(-1) - times[0]) / (times.length - 1) : 0;
  const tick = (index) => Math.floor((segment.start_s + times[index] - times[0] + 1e-4) / params.every_s);
  const before = Math.floor((segment.start_s - step + 1e-4) / params.every_s); // Of the frame in the segment before.
  const chosen = [...times.keys().filter((index) => tick(index) > (index ? tick(index - 1) : before))];
  if (!chosen.length) return;
  const folder = mkdtempSync(path.join(tmpdir(), "frames-"));
  const select = `select=${chosen.map((index) => `eq(n\\,${index})`).join("+")}`;
  const decode = ["-v", "error", "-threads", "1", "-i", film, "-map", "0:v:0", "-vf", select, "-fps_mode", "passthrough"];
  execFileSync("ffmpeg", [...decode, path.join(folder, "%d.png")]);
  for (const [number, index] of chosen.entries()) {
    const png = readFileSync(path.join(folder, `${number + 1}.png`));
    yield { time_s: Number((segment.start_s + times[index] - times[0]).toFixed(3)), png };
  }
}

async function found(model, png) {
  const { data, info } = await sharp(png).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  const detections = tf.tidy(() => {
    const frame = tf.tensor4d(Float32Array.from(data), [1, info.height, info.width, 3]);
    const input = tf.reverse(tf.image.resizeBilinear(frame, [SIDE, SIDE]), 3); // Blue first, as OpenCV has it.
    return tf.squeeze(model.execute(input, ["tower_0/detections"]), [0]);
  });
  const rows = (await detections.array()).filter((row) => row[4] >= params.min_score && row[5] in LABELS);
  detections.dispose();
  const [across, down] = [info.width / SIDE, info.height / SIDE];
  return distinct(rows).map(([x1, y1, x2, y2, score, label]) => ({
    label: LABELS[label],
    score: Number(score.toFixed(3)),
    box_px: [x1 * across, y1 * down, (x2 - x1) * across, (y2 - y1) * down].map(Math.round), // x, y, width, height
  }));
}

// Without those that overlap a likelier one: non-maximum suppression.
function distinct(rows) {
  const area = ([x1, y1, x2, y2]) => Math.max(0, x2 - x1) * Math.max(0, y2 - y1);
  const overlap = (a, b) => {
    const both = area([Math.max(a[0], b[0]), Math.max(a[1], b[1]), Math.min(a[2], b[2]), Math.min(a[3], b[3])]);
    return both / (area(a) + area(b) - both);
  };
  const kept = [];
  for (const row of rows.toSorted((a, b) => b[4] - a[4])) {
    if (kept.every((other) => overlap(row, other) < MOST_OVERLAP)) kept.push(row);
  }
  return kept;
}

async function draw(png, objects, name) {
  const { width, height } = await sharp(png).metadata();
  const boxes = objects.map(({ label, box_px: [x, y, w, h] }) => {
    const colour = label === "person" ? "#ffd400" : "#00d0ff";
    return `<rect x="${x}" y="${y}" width="${w}" height="${h}" fill="none" stroke="${colour}" stroke-width="${width / 200}"/>`;
  });
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${boxes.join("")}</svg>`;
  await sharp(png).composite([{ input: Buffer.from(svg) }]).jpeg({ quality: 85 }).toFile(path.join(results, name));
}

async function main() {
  wasm.setThreadsCount(1);
  wasm.setWasmPaths(path.join(path.dirname(require.resolve("@tensorflow/tfjs-backend-wasm")), path.sep));
  await tf.setBackend("wasm");
  sharp.concurrency(1);
  const weights = new Uint8Array(readFileSync("/model/centernet.bin")).buffer;
  const { modelTopology, weightsManifest } = JSON.parse(readFileSync("/model/centernet.json", "utf8"));
  const artifacts = { modelTopology, weightSpecs: weightsManifest[0].weights, weightData: weights };
  const model = await loadGraphModel({ load: async () => artifacts });

  const lines = [];
  for (const { time_s, png } of frames()) {
    const objects = await found(model, png);
    const people = objects.filter(({ label }) => label === "person").length;
    const vehicles = objects.length - people;
    lines.push(JSON.stringify({ source: segment.source, time_s, people, vehicles, objects }));
    console.log(`${segment.source}, ${time_s} s: ${people} people, ${vehicles} vehicles`);
    const when = time_s.toFixed(1).padStart(8, "0");
    if (params.result === "pictures") {
      await draw(png, objects, `${path.parse(segment.source).name}_${when}s_${people}_people_${vehicles}_vehicles.jpg`);
    }
  }
  if (params.result === "timeline") writeFileSync(path.join(results, "timeline.jsonl"), lines.map((line) => `${line}\n`).join(""));
}

main();
