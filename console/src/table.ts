// Text that is a table, as rows of cells, the header first.

const MOST_ROWS = 1000;

/** By the name's ending: CSV, TSV, JSON Lines; null for anything else. `isCut` when the text ends in the middle. */
export function rowsOf(name: string, text: string, isCut: boolean): string[][] | null {
  const whole = isCut ? text.slice(0, text.lastIndexOf("\n") + 1) : text;
  if (/\.csv$/i.test(name)) return table(whole, delimiterOf(whole));
  if (/\.tsv$/i.test(name)) return table(whole, "\t");
  if (/\.(jsonl|ndjson)$/i.test(name)) return records(whole);
  return null;
}

function delimiterOf(text: string): string {
  const line = text.slice(0, text.indexOf("\n") + 1 || undefined);
  const counts = [",", ";", "\t", "|"].map((each): [number, string] => [line.split(each).length, each]);
  return counts.reduce((best, each) => (each[0] > best[0] ? each : best))[1];
}

/** RFC 4180: a quoted cell may hold delimiters and line ends, and a quote twice. */
function table(text: string, delimiter: string): string[][] | null {
  const rows: string[][] = [];
  let row: string[] = [];
  let cell = "";
  let isQuoted = false;
  for (let at = 0; at < text.length && rows.length < MOST_ROWS; at++) {
    const letter = text[at]!;
    if (isQuoted) {
      if (letter !== '"') cell += letter;
      else if (text[at + 1] === '"') cell += text[++at];
      else isQuoted = false;
    } else if (letter === '"' && cell === "") isQuoted = true;
    else if (letter === delimiter || letter === "\n") {
      row.push(cell.replace(/\r$/, ""));
      cell = "";
      if (letter === "\n") {
        rows.push(row);
        row = [];
      }
    } else cell += letter;
  }
  if (cell !== "" || row.length) rows.push([...row, cell]);
  return rows.length > 1 ? rows : null;
}

function records(text: string): string[][] | null {
  const found: { [key: string]: unknown }[] = [];
  for (const line of text.split("\n").slice(0, MOST_ROWS)) {
    if (!line.trim()) continue;
    try {
      const value: unknown = JSON.parse(line);
      if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
      found.push(value as { [key: string]: unknown });
    } catch {
      return null;
    }
  }
  const keys = [...new Set(found.flatMap(Object.keys))];
  if (!keys.length) return null;
  const told = (value: unknown) => (value === undefined ? "" : typeof value === "string" ? value : JSON.stringify(value));
  return [keys, ...found.map((record) => keys.map((key) => told(Object.hasOwn(record, key) ? record[key] : undefined)))];
}
