// The list of jobs, with filters.
import { useEffect, useState } from "preact/hooks";
import { ask, type Job } from "./api";
import { duration, FILTERS, hasEnded, stateWord, when } from "./format";
import { Fault, State, useLoaded } from "./parts";
import { to } from "./route";

const ROWS = 25;
const EVERY_MS = 4000;
interface Page {
  data: Job[];
  pagination: { total: string; hasNext: boolean };
}

export function Jobs({ query }: { query: URLSearchParams }) {
  const [state, setState] = useState(query.get("state") ?? "");
  const [template, setTemplate] = useState(query.get("template") ?? "");
  const [typed, setTyped] = useState("");
  const text = useDelayed(typed);
  const [offset, setOffset] = useState(0);
  useEffect(() => setOffset(0), [state, template, text]);
  const templates = useLoaded(() => ask<{ data: { id: string }[] }>("customer/jobs/templates?limit=100"), []);
  const jobs = useLoaded(
    () => ask<Page>("customer/jobs/filter", "POST", { offset, limit: ROWS, filters: { state, templateId: template, text } }),
    [state, template, text, offset],
    EVERY_MS,
  );
  const rows = jobs.value?.data ?? [];
  const total = Number(jobs.value?.pagination.total ?? 0);
  return (
    <main>
      <header class="head">
        <h1>Jobs</h1>
        <a class="button primary" href={to("launch")}>
          Launch a job
        </a>
      </header>
      <form class="filters" onSubmit={(event) => event.preventDefault()}>
        <label>
          State
          <select value={state} onChange={(event) => setState(event.currentTarget.value)}>
            <option value="">any</option>
            {FILTERS.map((each) => (
              <option key={each} value={each}>
                {stateWord(each)}
              </option>
            ))}
          </select>
        </label>
        <label>
          Template
          <select value={template} onChange={(event) => setTemplate(event.currentTarget.value)}>
            <option value="">any</option>
            {templates.value?.data.map(({ id }) => (
              <option key={id} value={id}>
                {id}
              </option>
            ))}
          </select>
        </label>
        <label>
          Text
          <input type="search" value={typed} placeholder="name, note or id" onInput={(event) => setTyped(event.currentTarget.value)} />
        </label>
      </form>
      <Fault error={jobs.error} />
      {jobs.value && (
        <>
          <table>
            <thead>
              <tr>
                <th>Job</th>
                <th>State</th>
                <th>Template</th>
                <th>Launched</th>
                <th class="number">Took</th>
              </tr>
            </thead>
            <tbody>
              {rows.map((job) => (
                <tr key={job.id}>
                  <td>
                    <a href={to("jobs", job.id)}>{job.name}</a>
                    <div class="quiet mono">{job.id}</div>
                  </td>
                  <td>
                    <State state={job.state} />
                  </td>
                  <td>{job.templateId}</td>
                  <td>{when(job.createdAt)}</td>
                  <td class="number">{hasEnded(job.state) ? duration(job.duration) : ""}</td>
                </tr>
              ))}
            </tbody>
          </table>
          {rows.length === 0 && <p class="empty">No job is as you ask. Filters hide others; launch one, and it is here.</p>}
          <Pager offset={offset} rows={ROWS} total={total} go={setOffset} />
        </>
      )}
    </main>
  );
}

export function Pager(props: { offset: number; rows: number; total: number; go: (offset: number) => void }) {
  const { offset, rows, total, go } = props;
  if (total <= rows) return null;
  return (
    <div class="pager">
      <button type="button" disabled={offset === 0} onClick={() => go(Math.max(0, offset - rows))}>
        Before
      </button>
      <span>
        {offset + 1} to {Math.min(offset + rows, total)} of {total.toLocaleString("en-US")}
      </span>
      <button type="button" disabled={offset + rows >= total} onClick={() => go(offset + rows)}>
        Next
      </button>
    </div>
  );
}

function useDelayed(value: string): string {
  const [late, setLate] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setLate(value), 250);
    return () => clearTimeout(timer);
  }, [value]);
  return late;
}
