// The Jobs API as this page asks it: by Airflow's cookie, and a header that no page of another site can send.

/** Where the API is: the page lies beside it, whatever prefix a proxy gives both. */
const API = new URL("..", document.baseURI.split("#")[0]).href;
const HEADERS = { "X-Triptych-Console": "1" };

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type Dict = { [key: string]: Json };

export class Refused extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

export interface Job {
  id: string;
  templateId: string;
  name: string;
  description: string;
  state: string;
  createdAt: string | null;
  startedAt: string | null;
  endedAt: string | null;
  duration: string | null;
  errorMessage: string;
  dataSource: Json;
  dataDestination: Json;
  params: Dict;
  config: Dict | null;
}

export interface Rights {
  run: boolean;
  abort: boolean;
  retry: boolean;
  logs: boolean;
  data: boolean;
}

export interface MapAnswer {
  version: string;
  isChanged: boolean;
  words: string[];
  chunks: number;
  done: number;
  failed: number;
  waiting: number;
  cached: number;
  allTries: number;
  states: string;
  tries: string;
  seconds: string;
}

export interface ChunkRow {
  number: number;
  name: string;
  size: string;
  state: string;
  tries: number;
  seconds: number | null;
  worker: string;
  reason: string;
}

export interface Tried {
  attempt: string;
  round: string;
  started: number;
  seconds: number;
  worker: string;
  cpuSeconds: number | null;
  peakMemoryBytes: string | null;
  exitCode: number | null;
  error: string | null;
  cache: string;
  logBytes: string;
}

export interface Chunk {
  number: number;
  chunks: number;
  name: string;
  size: string;
  items: number | null;
  metadata: Dict;
  ranges: { uri: string; offset: string; length: string }[];
  state: string;
  reason: string;
  app: string;
  params: Dict;
  tries: Tried[];
  results: { name: string; size: string }[];
}

export interface FormField {
  name: string;
  path: string[];
  title: string;
  description: string;
  section: string;
  isRequired: boolean;
  default: Json;
  schema: Dict;
}

export interface Form {
  templateId: string;
  description: string;
  isPaused: boolean;
  fields: FormField[];
}

export interface LogLine {
  log: string;
  timestamp: string;
  level: string;
  container: string;
}

/** The path of a job, or of what is below it. */
export function jobPath(id: string, ...rest: (string | number)[]): string {
  return ["customer/jobs", id, ...rest].map((part, index) => (index ? encodeURIComponent(String(part)) : part)).join("/");
}

export function url(path: string): string {
  return API + path;
}

/** A signed link, as a path of this very server: it may have been made for another name of it. */
export function own(link: string): string {
  const found = /\/triptych\/v1\/(.*)$/.exec(link);
  return found ? url(found[1]!) : link;
}

export async function ask<T>(path: string, method = "GET", body?: unknown): Promise<T> {
  const answer = await fetch(url(path), {
    method,
    headers: body === undefined ? HEADERS : { ...HEADERS, "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
    credentials: "same-origin",
  });
  if (!answer.ok) throw await refusal(answer);
  return (await answer.json()) as T;
}

async function refusal(answer: Response): Promise<Refused> {
  let text = `The server answers ${answer.status}.`;
  try {
    text = ((await answer.json()) as { message?: string }).message || text;
  } catch {
    // No JSON: not ours to read.
  }
  if (answer.status === 401) text = "You are not logged in, or no longer: load Airflow's page again.";
  return new Refused(answer.status, text);
}

/** At most `most` bytes from the beginning, or from the end; `size` of all of it. */
export async function bytes(address: string, most: number, fromEnd = false): Promise<{ data: Uint8Array<ArrayBuffer>; size: number }> {
  const range = fromEnd ? `bytes=-${most}` : `bytes=0-${most - 1}`;
  const answer = await fetch(address, { headers: { ...HEADERS, Range: range }, credentials: "same-origin" });
  if (!answer.ok) throw await refusal(answer);
  const data = new Uint8Array(await answer.arrayBuffer());
  const total = /\/(\d+)$/.exec(answer.headers.get("Content-Range") ?? "");
  return { data, size: total ? Number(total[1]) : data.length };
}

export interface FirstRows {
  rows: string[][];
  /** Of what they are. */
  about: string;
  /** Whether that has more rows or columns than these. */
  isPart: boolean;
}

/** The first rows of Parquet, a workbook or a zip's list, which the server reads. */
export async function firstRows(address: string): Promise<FirstRows> {
  const asked = `${address}${address.includes("?") ? "&" : "?"}preview=table`;
  const answer = await fetch(asked, { headers: HEADERS, credentials: "same-origin" });
  if (!answer.ok) throw await refusal(answer);
  return (await answer.json()) as FirstRows;
}

/** Whether there is something at a path, without reading it to its end. */
export async function isThere(path: string): Promise<boolean> {
  const stop = new AbortController();
  const answer = await fetch(url(path), { headers: HEADERS, credentials: "same-origin", signal: stop.signal });
  stop.abort();
  return answer.ok;
}

/** Sends a file to a signed address; `told` hears the share that was sent. */
export function upload(address: string, file: File, told: (share: number) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("PUT", address);
    request.upload.onprogress = (event) => told(event.loaded / Math.max(1, event.total));
    request.onload = () =>
      request.status < 300 ? resolve() : reject(new Refused(request.status, messageIn(request.responseText)));
    request.onerror = () => reject(new Error("The upload broke off. Try again."));
    request.send(file);
  });
}

function messageIn(text: string): string {
  try {
    return (JSON.parse(text) as { message?: string }).message ?? text;
  } catch {
    return text;
  }
}

export function decoded(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}
