// One job: how far it is, what can be done with it, and its chunks, output, log and report.
import { useEffect, useRef, useState } from "preact/hooks";
import { ask, isThere, jobPath, type Dict, type Job, type LogLine, type MapAnswer, type Rights, url } from "./api";
import { Chunks } from "./chunks";
import { ChunkView } from "./chunk";
import { Files } from "./files";
import { count, duration, hasEnded, when } from "./format";
import { mapOf, type ChunkMap } from "./map";
import { Careful, Facts, Fault, State, Tabs, useLoaded } from "./parts";
import { to } from "./route";

const EVERY_MS = 3000;
const CODES: [string, string][] = [
  ["", "the code of the launch"],
  ["keep", "the code as it is now"],
  ["rerun", "the code as it is now, all chunks again"],
];

export function JobView({ id, rest }: { id: string; rest: string[] }) {
  const [isLive, setLive] = useState(true);
  const job = useLoaded(() => ask<{ job: Job }>(jobPath(id)), [id], isLive ? EVERY_MS : 0);
  const isRun = job.value !== null && job.value.job.state !== "JOB_STATE_NEW";
  const rights = useLoaded(async () => (isRun ? ask<Rights>(jobPath(id, "rights")) : null), [id, isRun]);
  const chunkMap = useChunkMap(id, job.value?.job.state ?? "", isLive);
  const [fault, setFault] = useState("");
  const [busy, setBusy] = useState("");
  const found = job.value?.job;
  useEffect(() => {
    if (found) setLive(!hasEnded(found.state));
  }, [found?.state]);
  if (job.error && !found) return <Refusal error={job.error} />;
  if (!found) return <main class="quiet">Looking ...</main>;
  if (found.state === "JOB_STATE_NEW") return <Draft job={found} />;

  const act = async (word: string, work: () => Promise<void>) => {
    setBusy(word);
    setFault("");
    try {
      await work();
      setLive(true);
    } catch (error) {
      setFault((error as Error).message);
    }
    setBusy("");
    job.again();
    chunkMap.again();
  };
  const tab = rest[0] && rest[0] !== "chunks" ? rest[0] : "chunks";
  const tabs = ["chunks", "output", "settings", "log", ...(hasEnded(found.state) ? ["report"] : [])];
  const chunk = rest[0] === "chunks" && rest[1] !== undefined ? Number(rest[1]) : null;
  return (
    <main>
      <p class="trail">
        <a href={to("jobs")}>Jobs</a> / <a href={to("jobs", id)}>{found.name}</a>
        {chunk !== null && ` / chunk ${chunk}`}
      </p>
      <header class="head">
        <h1>
          {found.name} <State state={found.state} />
        </h1>
        <Repairs job={found} rights={rights.value} busy={busy} act={act} />
      </header>
      <Fault error={fault || job.error} />
      <Facts
        facts={[
          ["Template", found.templateId],
          ["Job", <span class="mono">{found.id}</span>],
          ["Launched", when(found.createdAt)],
          ["Took", hasEnded(found.state) ? duration(found.duration) : ""],
          ["Note", found.description],
        ]}
      />
      {chunkMap.map && chunkMap.map.chunks > 0 && <Progress map={chunkMap.map} />}
      {found.state === "JOB_STATE_FAILED" && chunk === null && <Fault error={found.errorMessage} />}
      <Tabs tabs={tabs} now={tab} href={(name) => to("jobs", id, name)} />
      {chunk !== null ? (
        <ChunkView key={`${id} ${chunk} ${chunkMap.map?.version}`} job={id} number={chunk} chunks={chunkMap.map?.chunks ?? 0} />
      ) : tab === "chunks" ? (
        <Chunks job={id} map={chunkMap.map} error={chunkMap.error} state={found.state} />
      ) : tab === "output" ? (
        <Files key={found.state} job={id} state={found.state} />
      ) : tab === "settings" ? (
        <Settings job={found} />
      ) : tab === "log" ? (
        <Log job={id} />
      ) : (
        <Report job={id} />
      )}
    </main>
  );
}

/** A job that a client drafted, or a launch that broke off: it can become a job, or go. */
function Draft({ job }: { job: Job }) {
  const [fault, setFault] = useState("");
  const act = (method: string, path: string, next: string) => {
    ask(path, method).then(
      () => (location.hash = next),
      (error: Error) => setFault(error.message),
    );
  };
  return (
    <main>
      <p class="trail">
        <a href={to("jobs")}>Jobs</a> / {job.name}
      </p>
      <header class="head">
        <h1>
          {job.name} <State state={job.state} />
        </h1>
        <div class="repairs">
          <button type="button" class="primary" onClick={() => act("POST", jobPath(job.id, "run"), to("jobs", `${job.templateId}~${job.id}`))}>
            Launch
          </button>
          <Careful label="Delete" sure="Delete this draft?" act={() => act("DELETE", jobPath(job.id), to("jobs"))} />
        </div>
      </header>
      <Fault error={fault} />
      <Settings job={job} />
    </main>
  );
}

export function Refusal({ error }: { error: string }) {
  return (
    <main>
      <p class="trail">
        <a href={to("jobs")}>Jobs</a>
      </p>
      <Fault error={error} />
    </main>
  );
}

/** Asks again while the job lives; of what has not changed the server says no more than that. */
function useChunkMap(id: string, state: string, isLive: boolean): { map: ChunkMap | null; error: string; again: () => void } {
  const held = useRef<ChunkMap | null>(null);
  const found = useLoaded(
    async () => {
      const version = held.current?.version ?? "";
      const answer = await ask<MapAnswer>(`${jobPath(id, "chunks", "map")}?version=${encodeURIComponent(version)}`);
      if (answer.isChanged || !held.current) held.current = mapOf(answer);
      return held.current;
    },
    [id],
    isLive ? EVERY_MS : 0,
  );
  useEffect(() => {
    if (state) found.again(); // What a job did last is done before Airflow says that it has ended.
  }, [state]);
  return { map: found.value, error: found.error, again: found.again };
}

function Progress({ map }: { map: ChunkMap }) {
  const share = (value: number) => `${((100 * value) / Math.max(1, map.chunks)).toFixed(1)}%`;
  return (
    <div class="progress">
      <svg viewBox="0 0 1000 10" preserveAspectRatio="none" role="img" aria-label={`${share(map.done)} done`}>
        <rect class="is-waiting" width="1000" height="10" />
        <rect class="is-done" width={(1000 * map.done) / map.chunks} height="10" />
        <rect class="is-failed" x={(1000 * map.done) / map.chunks} width={(1000 * map.failed) / map.chunks} height="10" />
      </svg>
      <p>
        <b>{count(map.done)}</b> of {count(map.chunks)} chunks done ({share(map.done)})
        {map.cached > 0 && `, ${count(map.cached)} of them from the cache`}
        {map.failed > 0 && (
          <>
            , <b class="bad">{count(map.failed)} failed</b>
          </>
        )}
        {map.waiting > 0 && `, ${count(map.waiting)} not yet`}; {count(map.allTries)} {map.allTries === 1 ? "try" : "tries"}
      </p>
    </div>
  );
}

function Repairs(props: { job: Job; rights: Rights | null; busy: string; act: (word: string, work: () => Promise<void>) => void }) {
  const { job, rights, busy, act } = props;
  const [code, setCode] = useState("");
  if (!rights) return null;
  const ended = hasEnded(job.state);
  const none = "You may not do this to jobs of this template.";
  const why = (may: boolean) => (may ? undefined : none);
  return (
    <div class="repairs">
      {busy && <span class="quiet">{busy} ...</span>}
      {!ended && (
        <Careful
          label="Cancel"
          sure="End this job?"
          off={!rights.abort || !!busy}
          title={why(rights.abort)}
          act={() => act("Ending it", async () => void (await ask(jobPath(job.id, "abort"), "POST")))}
        />
      )}
      {job.state === "JOB_STATE_FAILED" && (
        <>
          <label class="inline">
            with{" "}
            <select value={code} aria-label="Code of the retry" onChange={(event) => setCode(event.currentTarget.value)}>
              {CODES.map(([value, label]) => (
                <option key={value} value={value}>
                  {label}
                </option>
              ))}
            </select>
          </label>
          <button
            type="button"
            class="primary"
            disabled={!rights.retry || !!busy}
            title={why(rights.retry)}
            onClick={() =>
              act("Clearing", async () => void (await ask(jobPath(job.id, "retry"), "POST", code ? { newCode: code } : {})))
            }
          >
            Retry failed chunks
          </button>
        </>
      )}
      <button
        type="button"
        disabled={!rights.run || !!busy}
        title={why(rights.run)}
        onClick={() =>
          act("Launching", async () => {
            const made = await ask<{ id: string }>(jobPath(job.id, "rerun"), "POST");
            location.hash = to("jobs", made.id);
          })
        }
      >
        Run again
      </button>
      {rights.run && (
        <a class="button" href={`${to("launch", job.templateId)}?from=${encodeURIComponent(job.id)}`}>
          Change and run
        </a>
      )}
    </div>
  );
}

function Settings({ job }: { job: Job }) {
  const parts: [string, unknown][] = [
    ["Source", job.dataSource],
    ["Destination", job.dataDestination],
    ...Object.entries(job.params).map(([role, params]): [string, unknown] => [`Parameters of the ${role}`, params]),
    ["Config", job.config],
  ];
  const given = parts.filter(([, value]) => value && Object.keys(value as Dict).length > 0);
  return (
    <section>
      <p class="quiet">What this job was given; all else is as its template and the schemas of its blocks have it.</p>
      {given.length === 0 && <p class="empty">Nothing was given: it runs as its template says.</p>}
      {given.map(([name, value]) => (
        <div key={name}>
          <h2>{name}</h2>
          <pre class="text">{typeof value === "string" ? value : JSON.stringify(value, null, 2)}</pre>
        </div>
      ))}
    </section>
  );
}

const SERVICES: [string, string][] = [
  ["partitioner", "partition"],
  ["assembler", "assemble"],
];

function Log({ job }: { job: string }) {
  const logs = useLoaded(
    () =>
      ask<{ partitioner: LogLine[]; assembler: LogLine[] }>("customer/logs", "POST", {
        jobId: job,
        services: SERVICES.map(([service]) => service),
      }),
    [job],
  );
  return (
    <section>
      <p class="quiet">What the first and the last task of the job say; what a chunk printed is with the chunk.</p>
      <Fault error={logs.error} />
      {logs.value &&
        SERVICES.map(([service, task]) => {
          const lines = logs.value![service as "partitioner"];
          return (
            <div key={service}>
              <h2>{task}</h2>
              {lines.length === 0 && <p class="empty">Nothing yet.</p>}
              <pre class="text log">
                {lines.map((line, index) => (
                  <span key={index} class={`level-${line.level}`}>
                    {`${line.timestamp.slice(11, 19)} ${line.log}\n`}
                  </span>
                ))}
              </pre>
            </div>
          );
        })}
    </section>
  );
}

function Report({ job }: { job: string }) {
  const there = useLoaded(() => isThere(jobPath(job, "report")), [job]);
  if (there.value === null) return <Fault error={there.error} />;
  if (!there.value)
    return <p class="empty">There is no report that you may read: a job leaves one when its last task ends.</p>;
  return <iframe class="report" title="Report" sandbox="allow-scripts" src={url(jobPath(job, "report"))} />;
}
