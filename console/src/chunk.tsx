// One chunk: why it failed, what it printed, what it was given, and what it made.
import { useState } from "preact/hooks";
import { ask, bytes, jobPath, url, type Chunk, type Tried } from "./api";
import { size, span, when } from "./format";
import { Facts, Fault, useLoaded } from "./parts";
import { Preview } from "./preview";
import { to } from "./route";

const LOG_BYTES = 256 << 10;

export function ChunkView({ job, number, chunks }: { job: string; number: number; chunks: number }) {
  const found = useLoaded(() => ask<Chunk>(jobPath(job, "chunks", number)), [job, number]);
  const chunk = found.value;
  if (!chunk) return found.error ? <Fault error={found.error} /> : <p class="quiet">Looking ...</p>;
  const input = url(jobPath(job, "chunks", number, "input"));
  return (
    <article>
      <div class="head">
        <h2>
          Chunk {number} <span class={`state is-${word(chunk.state)}`}>{word(chunk.state)}</span>
        </h2>
        <span class="steps">
          <Step job={job} to={number - 1} chunks={chunks} label="Chunk before" />
          <Step job={job} to={number + 1} chunks={chunks} label="Next chunk" />
        </span>
      </div>
      <Facts
        facts={[
          ["Name", <span class="mono">{chunk.name}</span>],
          ["Input", size(chunk.size)],
          ["Items", chunk.items === null ? "" : String(chunk.items)],
          ["App", chunk.app],
          ["Tries", String(chunk.tries.length)],
        ]}
      />
      <Fault error={chunk.reason} />
      <Tries job={job} chunk={chunk} />
      <h2>Result</h2>
      {chunk.results.length === 0 && <p class="empty">It has none yet.</p>}
      {chunk.results.map((file) => (
        <Preview
          key={file.name}
          name={file.name}
          size={Number(file.size)}
          address={`${url(jobPath(job, "chunks", number, "results"))}/${file.name.split("/").map(encodeURIComponent).join("/")}`}
          isOpen={chunk.results.length === 1}
        />
      ))}
      <h2>Input</h2>
      <Preview name={chunk.name} size={Number(chunk.size)} address={input} label="data.bin" isOpen={false} />
      {chunk.ranges.length > 0 && (
        <table>
          <thead>
            <tr>
              <th>Cut from</th>
              <th class="number">From byte</th>
              <th class="number">Bytes</th>
            </tr>
          </thead>
          <tbody>
            {chunk.ranges.slice(0, 50).map((range, index) => (
              <tr key={index}>
                <td class="mono">{range.uri}</td>
                <td class="number">{range.offset}</td>
                <td class="number">{range.length}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <div class="columns">
        <div>
          <h2>Parameters</h2>
          <pre class="text">{JSON.stringify(chunk.params, null, 2)}</pre>
        </div>
        <div>
          <h2>Metadata</h2>
          <pre class="text">{JSON.stringify(chunk.metadata, null, 2)}</pre>
        </div>
      </div>
    </article>
  );
}

function word(state: string): string {
  return state === "not yet" ? "waiting" : state;
}

function Step(props: { job: string; to: number; chunks: number; label: string }) {
  if (props.to < 0 || props.to >= props.chunks) return <span class="button off">{props.label}</span>;
  return (
    <a class="button" href={to("jobs", props.job, "chunks", props.to)}>
      {props.label}
    </a>
  );
}

function Tries({ job, chunk }: { job: string; chunk: Chunk }) {
  const [shown, show] = useState(chunk.tries.length);
  if (chunk.tries.length === 0) return <p class="empty">It was not tried yet, or its try has not ended.</p>;
  return (
    <>
      <h2>Tries</h2>
      <table>
        <thead>
          <tr>
            <th class="number">Try</th>
            <th>Ended</th>
            <th>Began</th>
            <th class="number">Took</th>
            <th class="number">CPU</th>
            <th class="number">Peak memory</th>
            <th>Worker</th>
            <th class="number">Log</th>
          </tr>
        </thead>
        <tbody>
          {chunk.tries.map((tried, index) => (
            <tr key={index} aria-selected={shown === index + 1}>
              <td class="number">
                <button type="button" class="plain" onClick={() => show(index + 1)}>
                  {index + 1}
                </button>
              </td>
              <td>{ending(tried)}</td>
              <td>{when(tried.started)}</td>
              <td class="number">{span(tried.seconds)}</td>
              <td class="number">{span(tried.cpuSeconds)}</td>
              <td class="number">{size(tried.peakMemoryBytes)}</td>
              <td>{tried.worker}</td>
              <td class="number">{size(tried.logBytes)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <Log key={shown} job={job} number={chunk.number} count={shown} size={Number(chunk.tries[shown - 1]!.logBytes)} />
    </>
  );
}

function ending(tried: Tried) {
  if (tried.error === null) return tried.cache === "hit" ? "from the cache" : "well";
  return <b class="bad">{tried.exitCode === null ? "failed" : `exit code ${tried.exitCode}`}</b>;
}

function Log({ job, number, count, size: whole }: { job: string; number: number; count: number; size: number }) {
  const address = url(jobPath(job, "chunks", number, "logs", count));
  const log = useLoaded(async () => (whole ? text((await bytes(address, LOG_BYTES, true)).data) : ""), [address]);
  return (
    <>
      <h2>
        Log of try {count}{" "}
        {whole > 0 && (
          <a class="aside" href={address} download>
            Download
          </a>
        )}
      </h2>
      <Fault error={log.error} />
      {whole > LOG_BYTES && <p class="quiet">The last {size(LOG_BYTES)} of {size(whole)}.</p>}
      {log.value !== null && (log.value ? <pre class="text log">{log.value}</pre> : <p class="empty">It printed nothing.</p>)}
    </>
  );
}

/** Printed text without what steers a terminal or turns the direction of writing. */
export function text(data: Uint8Array): string {
  const decoded = new TextDecoder().decode(data);
  return decoded.replace(/\x1b\[[0-9;]*[A-Za-z]/g, "").replace(/[\0-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]/g, "\ufffd");
}
