// The chunks of a job: the heat map, filters, and a page of them in a table.
import { useEffect, useMemo, useState } from "preact/hooks";
import { ask, jobPath, type ChunkRow } from "./api";
import { count, hasEnded, size, span } from "./format";
import { Heat, HeatLegend, type Shade } from "./heat";
import { Pager } from "./jobs";
import { chosen, countsOf, type ChunkMap } from "./map";
import { Fault, useLoaded } from "./parts";
import { to } from "./route";

const ROWS = 25;

export function Chunks({ job, map, error, state }: { job: string; map: ChunkMap | null; error: string; state: string }) {
  if (error) return <Fault error={error} />;
  if (!map) return <p class="quiet">Looking ...</p>;
  if (map.chunks === 0)
    return (
      <p class="empty">
        {hasEnded(state)
          ? "This job has no chunks: its task partition made no plan. The tab log says why."
          : "This job is not cut into chunks yet."}
      </p>
    );
  return <Cut key={map.chunks} job={job} map={map} />;
}

function Cut({ job, map }: { job: string; map: ChunkMap }) {
  const [states, setStates] = useState<ReadonlySet<string>>(new Set(map.failed ? ["failed"] : []));
  const [leastSeconds, setLeastSeconds] = useState(0);
  const [slowestFirst, setSlowestFirst] = useState(false);
  const [[first, last], setPart] = useState<[number, number]>([0, map.chunks - 1]);
  const [shade, setShade] = useState<Shade>("state");
  const [offset, setOffset] = useState(0);
  const found = useMemo(
    () => chosen(map, { states, leastSeconds, first, last, slowestFirst }),
    [map, states, leastSeconds, first, last, slowestFirst],
  );
  useEffect(() => setOffset(0), [states, leastSeconds, first, last, slowestFirst]);
  const counts = useMemo(() => countsOf(map), [map]);
  const isWhole = first === 0 && last === map.chunks - 1;
  const toggle = (word: string) => {
    const next = new Set(states);
    if (!next.delete(word)) next.add(word);
    setStates(next);
  };
  const choose = (begin: number, end: number) => {
    if (begin === end) location.hash = to("jobs", job, "chunks", begin);
    else setPart([begin, end]);
  };
  return (
    <section>
      <div class="filters">
        <span class="chips" role="group" aria-label="States">
          {map.words.map((word, index) => (
            <button
              key={word}
              type="button"
              class={`chip is-${word}`}
              aria-pressed={states.has(word)}
              disabled={!counts[index] && !states.has(word)}
              onClick={() => toggle(word)}
            >
              <i class={`is-${word}`} /> {count(counts[index]!)} {word}
            </button>
          ))}
        </span>
        <label>
          Slower than (s)
          <input
            type="number"
            min="0"
            step="any"
            value={leastSeconds || ""}
            onInput={(event) => setLeastSeconds(Number(event.currentTarget.value) || 0)}
          />
        </label>
        <label>
          Order
          <select value={String(slowestFirst)} onChange={(event) => setSlowestFirst(event.currentTarget.value === "true")}>
            <option value="false">by number</option>
            <option value="true">slowest first</option>
          </select>
        </label>
        <label>
          Colour
          <select value={shade} onChange={(event) => setShade(event.currentTarget.value as Shade)}>
            <option value="state">by state</option>
            <option value="seconds">by seconds</option>
          </select>
        </label>
        <HeatLegend map={map} shade={shade} />
        <Jump job={job} chunks={map.chunks} />
      </div>
      <Heat map={map} first={first} last={last} shade={shade} choose={choose} />
      {!isWhole && (
        <p>
          Chunks {count(first)} to {count(last)}.{" "}
          <button type="button" onClick={() => setPart([0, map.chunks - 1])}>
            Show all
          </button>
        </p>
      )}
      <Rows job={job} map={map} numbers={found.slice(offset, offset + ROWS)} />
      {found.length === 0 && <p class="empty">No chunk is as you ask.</p>}
      <Pager offset={offset} rows={ROWS} total={found.length} go={setOffset} />
    </section>
  );
}

function Jump({ job, chunks }: { job: string; chunks: number }) {
  const [typed, setTyped] = useState("");
  return (
    <form
      class="jump"
      onSubmit={(event) => {
        event.preventDefault();
        if (typed !== "") location.hash = to("jobs", job, "chunks", Number(typed));
      }}
    >
      <label>
        Open chunk
        <input type="number" min="0" max={chunks - 1} value={typed} onInput={(event) => setTyped(event.currentTarget.value)} />
      </label>
      <button type="submit">Open</button>
    </form>
  );
}

function Rows({ job, map, numbers }: { job: string; map: ChunkMap; numbers: number[] }) {
  const wanted = numbers.join(",");
  const rows = useLoaded(
    async () => (wanted ? (await ask<{ chunks: ChunkRow[] }>(`${jobPath(job, "chunks")}?numbers=${wanted}`)).chunks : []),
    [job, wanted, map.version],
  );
  const told = new Map(rows.value?.map((row) => [row.number, row]));
  return (
    <>
      <Fault error={rows.error} />
      <table>
        <thead>
          <tr>
            <th class="number">Chunk</th>
            <th>State</th>
            <th>Name</th>
            <th class="number">Input</th>
            <th class="number">Took</th>
            <th class="number">Tries</th>
            <th>Why, or where</th>
          </tr>
        </thead>
        <tbody>
          {numbers.map((number) => {
            const row = told.get(number);
            const word = map.words[map.states[number]!]!;
            return (
              <tr key={number}>
                <td class="number">
                  <a href={to("jobs", job, "chunks", number)}>{number}</a>
                </td>
                <td>
                  <span class={`state is-${word}`}>{word}</span>
                </td>
                <td class="mono">{row?.name}</td>
                <td class="number">{row && size(row.size)}</td>
                <td class="number">{map.tries[number] ? span(map.seconds[number]!) : ""}</td>
                <td class="number">{map.tries[number]}</td>
                <td class="reason">{row?.reason ? <b class="bad">{row.reason.split("\n")[0]}</b> : row?.worker}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </>
  );
}
