// The map of a job's chunks in memory: ten bytes a chunk, whatever is asked of them.
import { decoded, type MapAnswer } from "./api";

export interface ChunkMap extends Omit<MapAnswer, "isChanged" | "states" | "tries" | "seconds"> {
  states: Uint8Array;
  tries: Uint8Array;
  seconds: Float32Array;
}

export interface Wanted {
  /** Words of states; none means all. */
  states: ReadonlySet<string>;
  leastSeconds: number;
  first: number;
  last: number;
  slowestFirst: boolean;
}

export function mapOf(answer: MapAnswer): ChunkMap {
  return {
    ...answer,
    states: decoded(answer.states),
    tries: decoded(answer.tries),
    seconds: new Float32Array(decoded(answer.seconds).buffer),
  };
}

/** Numbers of the chunks that are wanted, in order. */
export function chosen(map: ChunkMap, wanted: Wanted): number[] {
  const takes = map.words.map((word) => wanted.states.size === 0 || wanted.states.has(word));
  const found: number[] = [];
  const last = Math.min(wanted.last, map.chunks - 1);
  for (let number = Math.max(0, wanted.first); number <= last; number++)
    if (takes[map.states[number]!] && map.seconds[number]! >= wanted.leastSeconds) found.push(number);
  if (wanted.slowestFirst) found.sort((one, other) => map.seconds[other]! - map.seconds[one]! || one - other);
  return found;
}

export function countsOf(map: ChunkMap): number[] {
  const counts = map.words.map(() => 0);
  for (const state of map.states) counts[state]!++;
  return counts;
}
