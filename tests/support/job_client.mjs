// A client in Node: uploads a file, runs a job over it, and prints its results and logs. node job_client.mjs BASE KEY FILE
import { readFile } from "node:fs/promises";

const [base, apiKey, file] = process.argv.slice(2);

async function ask(method, path, body) {
  const answer = await fetch(base + path, {
    method,
    headers: { Authorization: token, "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const data = await answer.json();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${data.message}`);
  return data;
}

let token = "";
token = (await ask("POST", "/auth/access_token", { apiKey })).token;
const type = "type.googleapis.com/bytenite.data_source.LocalFileDataSource";
const { job } = await ask("POST", "/customer/jobs", {
  templateId: "count",
  dataSource: { dataSourceDescriptor: "file", params: { "@type": type } },
  dataDestination: { dataSourceDescriptor: "bucket" },
});
const put = await fetch(job.dataSource.params.tempUrl, {
  method: "PUT",
  headers: { "Content-Disposition": "attachment" },
  body: await readFile(file),
});
if (!put.ok) throw new Error(`PUT: ${put.status} ${await put.text()}`);
await ask("PATCH", `/customer/jobs/${job.id}/uploadcompleted`);
await ask("POST", `/customer/jobs/${job.id}/run`, { config: { taskTimeout: "3600" } });
let state = "";
let last = {};
while (!["JOB_STATE_COMPLETE", "JOB_STATE_FAILED"].includes(state)) {
  await new Promise((done) => setTimeout(done, 1000));
  last = (await ask("GET", `/customer/jobs/${job.id}`)).job;
  state = last.state;
}
const { results } = await ask("GET", `/customer/jobs/${job.id}/results`);
const output = await (await fetch(results[0].link)).text();
const logs = await ask("POST", "/customer/logs", { jobId: job.id, taskIds: [], levels: [], services: [] });
const lines = Object.values(logs.taskrunner).flatMap((task) => task.logs);
console.log(JSON.stringify({ state, output, log: lines.map((line) => line.level.padEnd(5) + line.log) }));
