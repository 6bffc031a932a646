// The heat map: one canvas, whatever the number of chunks; a cell stands for one, or for a run of them.
import { useEffect, useRef, useState } from "preact/hooks";
import { count, span } from "./format";
import type { ChunkMap } from "./map";

export type Shade = "state" | "seconds";
const MOST_PX = 240;
const LEAST_CELL_PX = 5;
const MOST_CELL_PX = 18;

interface Grid {
  cell: number;
  columns: number;
  /** Chunks in a cell. */
  share: number;
  cells: number;
}

/** The largest cells that fit; where even the smallest do not, each stands for several chunks. */
export function gridOf(chunks: number, widthPx: number): Grid {
  for (let cell = MOST_CELL_PX; cell >= LEAST_CELL_PX; cell--) {
    const columns = Math.max(1, Math.floor(widthPx / cell));
    if (Math.ceil(chunks / columns) * cell <= MOST_PX) return { cell, columns, share: 1, cells: chunks };
  }
  const columns = Math.max(1, Math.floor(widthPx / LEAST_CELL_PX));
  const share = Math.ceil(chunks / (columns * Math.floor(MOST_PX / LEAST_CELL_PX)));
  return { cell: LEAST_CELL_PX, columns, share, cells: Math.ceil(chunks / share) };
}

interface Props {
  map: ChunkMap;
  first: number;
  last: number;
  shade: Shade;
  choose: (first: number, last: number) => void;
}

export function Heat({ map, first, last, shade, choose }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [width, setWidth] = useState(0);
  const [tip, setTip] = useState<{ x: number; y: number; text: string } | null>(null);
  const chunks = Math.max(0, last - first + 1);
  const grid = gridOf(chunks, width || 600);
  useEffect(() => {
    const box = canvas.current?.parentElement;
    if (!box) return;
    const seen = new ResizeObserver(() => setWidth(box.clientWidth));
    seen.observe(box);
    return () => seen.disconnect();
  }, []);
  useEffect(() => {
    if (canvas.current && width) draw(canvas.current, map, first, last, grid, shade);
  });
  const cellAt = (event: MouseEvent): [number, number] | null => {
    const column = Math.floor(event.offsetX / grid.cell);
    const index = Math.floor(event.offsetY / grid.cell) * grid.columns + column;
    if (column >= grid.columns || index < 0 || index >= grid.cells) return null;
    const begin = first + index * grid.share;
    return [begin, Math.min(last, begin + grid.share - 1)];
  };
  const about = `${count(map.done)} done, ${count(map.failed)} failed, ${count(map.waiting)} waiting`;
  return (
    <div class="heat">
      <canvas
        ref={canvas}
        role="img"
        aria-label={`Map of chunks ${first} to ${last}: ${about}`}
        data-share={grid.share}
        onClick={(event) => {
          const found = cellAt(event);
          if (found) choose(...found);
        }}
        onMouseMove={(event) => {
          const found = cellAt(event);
          setTip(found && { x: event.offsetX, y: event.offsetY, text: told(map, ...found) });
        }}
        onMouseLeave={() => setTip(null)}
      />
      {tip && <Tip {...tip} widthPx={width} />}
      <p class="quiet">
        {grid.share > 1
          ? `Each cell is ${count(grid.share)} chunks, in the colour of the worst: click one to look closer.`
          : "Each cell is a chunk: click it to open it."}
      </p>
    </div>
  );
}

/** Placed by script: the page's policy allows no attribute `style`. */
function Tip({ x, y, text, widthPx }: { x: number; y: number; text: string; widthPx: number }) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!box.current) return;
    box.current.style.left = `${Math.min(x + 12, Math.max(0, widthPx - 240))}px`;
    box.current.style.top = `${y + 14}px`;
  });
  return (
    <div ref={box} class="tip">
      {text}
    </div>
  );
}

function told(map: ChunkMap, begin: number, end: number): string {
  if (begin === end) {
    const state = map.words[map.states[begin]!]!;
    return `Chunk ${begin}: ${state}${map.tries[begin] ? `, ${span(map.seconds[begin]!)}` : ""}`;
  }
  const counts = map.words.map(() => 0);
  let slowest = 0;
  for (let number = begin; number <= end; number++) {
    counts[map.states[number]!]!++;
    slowest = Math.max(slowest, map.seconds[number]!);
  }
  const parts = map.words.map((word, index) => (counts[index] ? `${counts[index]} ${word}` : "")).filter(Boolean);
  return `Chunks ${begin} to ${end}: ${parts.join(", ")}${slowest ? `; slowest ${span(slowest)}` : ""}`;
}

/** Which state a cell of several shows: the first of these that one of them is in. */
const WORST = ["failed", "waiting", "retried", "done", "cached"];

function draw(canvas: HTMLCanvasElement, map: ChunkMap, first: number, last: number, grid: Grid, shade: Shade): void {
  const rows = Math.max(1, Math.ceil(grid.cells / grid.columns));
  const scale = window.devicePixelRatio || 1;
  const [width, height] = [grid.columns * grid.cell, rows * grid.cell];
  canvas.width = width * scale;
  canvas.height = height * scale;
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const pen = canvas.getContext("2d")!;
  pen.scale(scale, scale);
  const style = getComputedStyle(canvas);
  const colour = (name: string) => style.getPropertyValue(`--${name}`).trim();
  const colours = map.words.map((word) => colour(word));
  const ranks = map.words.map((word) => WORST.indexOf(word));
  const heats = Array.from({ length: 8 }, (_, step) => colour(`heat-${step}`));
  const [low, high] = secondsOf(map);
  const gap = grid.cell > 7 ? 1.5 : 1;
  for (let index = 0; index < grid.cells; index++) {
    const begin = first + index * grid.share;
    const end = Math.min(last, begin + grid.share - 1);
    let worst = begin;
    let slowest = begin;
    for (let number = begin + 1; number <= end; number++) {
      if (ranks[map.states[number]!]! < ranks[map.states[worst]!]!) worst = number;
      if (map.seconds[number]! > map.seconds[slowest]!) slowest = number;
    }
    const byTime = shade === "seconds" && map.tries[slowest];
    pen.fillStyle = byTime ? heats[heatOf(map.seconds[slowest]!, low, high)]! : colours[map.states[worst]!]!;
    if (shade === "seconds" && !byTime) pen.fillStyle = colour("waiting");
    const [x, y] = [(index % grid.columns) * grid.cell, Math.floor(index / grid.columns) * grid.cell];
    pen.fillRect(x, y, grid.cell - gap, grid.cell - gap);
  }
  canvas.dataset.drawn = `${map.version}`;
}

function secondsOf(map: ChunkMap): [number, number] {
  let [low, high] = [Infinity, 0];
  for (let number = 0; number < map.chunks; number++) {
    if (!map.tries[number]) continue;
    low = Math.min(low, map.seconds[number]!);
    high = Math.max(high, map.seconds[number]!);
  }
  return [Math.max(0.001, low), Math.max(0.002, high)];
}

/** From 0 to 7, by the logarithm. */
function heatOf(seconds: number, low: number, high: number): number {
  const share = Math.log(Math.max(seconds, low) / low) / Math.log(Math.max(1.001, high / low));
  return Math.min(7, Math.max(0, Math.floor(share * 8)));
}

export function HeatLegend({ map, shade }: { map: ChunkMap; shade: Shade }) {
  if (shade === "state") return null;
  const [low, high] = secondsOf(map);
  return (
    <span class="legend">
      {Number.isFinite(low) ? span(low) : ""}
      {Array.from({ length: 8 }, (_, step) => (
        <i key={step} class={`heat-${step}`} />
      ))}
      {span(high)}
    </span>
  );
}
