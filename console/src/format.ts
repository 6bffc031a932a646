// Numbers and times as people read them.

const STATES: { [state: string]: string } = {
  JOB_STATE_NEW: "draft",
  JOB_STATE_QUEUED: "queued",
  JOB_STATE_PARTITIONING: "partitioning",
  JOB_STATE_RUNNING: "running",
  JOB_STATE_COMPLETE: "done",
  JOB_STATE_FAILED: "failed",
};
export const FILTERS = ["JOB_STATE_RUNNING", "JOB_STATE_QUEUED", "JOB_STATE_FAILED", "JOB_STATE_COMPLETE", "JOB_STATE_NEW"];

export function stateWord(state: string): string {
  return STATES[state] ?? state;
}

export function hasEnded(state: string): boolean {
  return state === "JOB_STATE_COMPLETE" || state === "JOB_STATE_FAILED";
}

export function size(bytes: number | string | null): string {
  if (bytes === null) return "";
  let value = Number(bytes);
  for (const unit of ["B", "KiB", "MiB", "GiB", "TiB"]) {
    if (value < 1024 || unit === "TiB") return `${unit === "B" ? value : value.toFixed(value < 10 ? 1 : 0)} ${unit}`;
    value /= 1024;
  }
  return "";
}

/** 0.042 -> "42 ms", 3.4 -> "3.4 s", 75 -> "1 min 15 s". */
export function span(seconds: number | null): string {
  if (seconds === null) return "";
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.round((whole % 3600) / 60)} min`;
}

export function duration(text: string | null): string {
  return text ? span(Number.parseFloat(text)) : "";
}

export function when(time: string | number | null): string {
  if (time === null || time === "") return "";
  const date = new Date(typeof time === "number" ? time * 1000 : time);
  const part = (value: number) => String(value).padStart(2, "0");
  return (
    `${date.getFullYear()}-${part(date.getMonth() + 1)}-${part(date.getDate())} ` +
    `${part(date.getHours())}:${part(date.getMinutes())}:${part(date.getSeconds())}`
  );
}

export function count(value: number): string {
  return value.toLocaleString("en-US");
}
