// The files of a job's output.
import { ask, jobPath, own } from "./api";
import { count, size } from "./format";
import { Fault, useLoaded } from "./parts";
import { Preview } from "./preview";

const MOST = 200;
interface Result {
  name: string;
  link: string;
  size: string;
}

export function Files({ job, state }: { job: string; state: string }) {
  const found = useLoaded(async () => (await ask<{ results: Result[] }>(jobPath(job, "results"))).results, [job]);
  if (state === "JOB_STATE_FAILED")
    return <p class="empty">A failed job has no output: results of chunks that are done are with the chunks.</p>;
  if (!found.value) return found.error ? <Fault error={found.error} /> : <p class="quiet">Looking ...</p>;
  const files = found.value;
  if (files.length === 0) return <p class="empty">There is no output yet: it is made when all chunks are done.</p>;
  const total = files.reduce((sum, file) => sum + Number(file.size), 0);
  return (
    <section>
      <p class="quiet">
        {count(files.length)} {files.length === 1 ? "file" : "files"}, {size(total)}. A copied link needs no login: whoever has it has the
        file, until it expires.
      </p>
      {files.slice(0, MOST).map((file) => (
        <Preview key={file.name} name={file.name} size={Number(file.size)} address={own(file.link)} link={file.link} isOpen={files.length === 1} />
      ))}
      {files.length > MOST && <p class="quiet">The first {MOST} are listed.</p>}
    </section>
  );
}
